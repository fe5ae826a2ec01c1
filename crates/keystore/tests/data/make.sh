#!/usr/bin/env bash
# Makes the files of this folder anew: `./make.sh` here, with openssl 3 and keytool (Java 17) on the path.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
rm -f ./*.p12 ./*.pem ./*.der ./*.jks

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root-key.pem -out root.pem -days 36500 \
    -subj '/CN=Golden Root' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
openssl req -new -key key.pem -subj '/CN=golden.example.com' -out leaf.csr
openssl x509 -req -in leaf.csr -CA root.pem -CAkey root-key.pem -days 36500 -out leaf.pem \
    -extfile <(echo 'subjectAltName=DNS:golden.example.com')
rm -f leaf.csr root-key.pem ./*.srl
openssl genrsa -traditional -out rsa-key.pem 2048
openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der

# PKCS#12 by openssl: its own default, old ciphers, other digests, no password, no MAC, Latin letters with accents.
export_() { openssl pkcs12 -export -inkey key.pem -in leaf.pem -certfile root.pem -name 'Golden Leaf' "$@"; }
export_ -passout pass:golden -out openssl-modern.p12
export_ -passout pass:golden -legacy -out openssl-legacy.p12
export_ -passout pass:golden -legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-2DES -out openssl-rc2-128-2des.p12
export_ -passout pass:golden -certpbe AES-128-CBC -keypbe AES-192-CBC -macalg sha512 -out openssl-aes-sha512.p12
export_ -passout pass:golden -certpbe DES-EDE3-CBC -keypbe AES-256-CBC -macalg sha384 -iter 1 -out openssl-3des-sha384.p12
export_ -passout pass:golden -certpbe NONE -keypbe NONE -out openssl-unencrypted.p12
export_ -passout pass: -out openssl-empty.p12
export_ -passout pass: -legacy -out openssl-empty-legacy.p12
export_ -passout 'pass:gölden→' -out openssl-unicode.p12
export_ -passout 'pass:gölden→' -legacy -out openssl-unicode-legacy.p12
export_ -passout pass:golden -nomac -out openssl-nomac.p12
openssl pkcs12 -export -nokeys -in root.pem -passout pass:golden -out openssl-nokey.p12

# By keytool: its default, one converted from openssl's, a trust store, two keys.
keytool -genkeypair -keyalg EC -groupname secp256r1 -alias one -dname CN=one -validity 36500 \
    -keystore keytool.p12 -storetype PKCS12 -storepass golden -noprompt
cp keytool.p12 keytool-two.p12
keytool -genkeypair -keyalg EC -groupname secp256r1 -alias two -dname CN=two -validity 36500 \
    -keystore keytool-two.p12 -storetype PKCS12 -storepass golden -noprompt
keytool -importcert -noprompt -alias root -file root.pem -keystore keytool-trust.p12 -storetype PKCS12 -storepass golden

# Private keys on their own.
for cipher in aes128 aes192 aes256 des3 des; do
    legacy=(); [[ $cipher != des ]] || legacy=(-provider legacy -provider default)
    openssl rsa -in rsa-key.pem -traditional "-$cipher" -passout pass:golden "${legacy[@]}" -out "rsa-$cipher.pem"
done
openssl ec -in key.pem -aes256 -passout pass:golden -out ec-aes256.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:golden -out pkcs8-pbes2.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:golden -v2 aes-128-cbc -v2prf hmacWithSHA1 -outform DER -out pkcs8-aes128-sha1.der
openssl pkcs8 -topk8 -in key.pem -passout pass:golden -v1 PBE-SHA1-3DES -out pkcs8-3des.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:golden -v1 PBE-MD5-DES -provider legacy -provider default -out pkcs8-md5-des.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:golden -v1 PBE-SHA1-DES -provider legacy -provider default -out pkcs8-sha1-des.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:golden -scrypt -scrypt_N 1024 -out pkcs8-scrypt.pem
