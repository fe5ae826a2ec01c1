//! CSRs as OpenSSL makes them, good and bad.

use crate::openssl::Folder;
use crate::support::{dn, p256, rsa};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::constraints::RawSubtrees;
use certwright_domain::public_key::PublicKeyKind;
use certwright_pki::{Csr, Error, MAX_CSR_BYTES, parse_csr, prepare_ca_csr, read_public_key, to_pem, verify_signature};

const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";

fn refused(bytes: &[u8]) -> (&'static str, String) {
    match parse_csr(bytes) {
        Err(Error::Invalid(invalid)) => {
            assert!(!invalid.hint.is_empty());
            (invalid.code, invalid.detail)
        }
        other => panic!("not refused: {other:?}"),
    }
}

fn texts(csr: &Csr) -> Vec<String> {
    csr.names.iter().map(ToString::to_string).collect()
}

#[test]
fn the_demonstration_csr_is_read_as_asked() {
    let subject = "C=KR\nST=Seongnam-si\nL=Bundang-gu\nO=DDIM\nOU=Engineer\nemailAddress=example@example.com\nCN=service-a.example.com";
    let der = Folder::new().csr(
        EC,
        subject,
        "",
        "subjectAltName=DNS:service-a.example.com,IP:10.0.0.5,email:ops@example.com,URI:spiffe://corp/db",
    );
    let csr = parse_csr(&der).unwrap();
    assert_eq!(
        csr.subject,
        dn(&[
            ("country", "KR"),
            ("stateOrProvince", "Seongnam-si"),
            ("locality", "Bundang-gu"),
            ("organization", "DDIM"),
            ("organizationalUnit", "Engineer"),
            ("emailAddress", "example@example.com"),
            ("commonName", "service-a.example.com"),
        ])
    );
    assert_eq!(texts(&csr), ["service-a.example.com", "10.0.0.5", "ops@example.com", "spiffe://corp/db"]);
    assert!(!csr.asks_for_ca && csr.ignored_extensions.is_empty());
    assert_eq!(csr.der, der);
    for label in ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"] {
        let pem = format!("some text before\n{}", to_pem(label, &der).replace('\n', "\r\n"));
        assert_eq!(parse_csr(pem.as_bytes()).unwrap(), csr);
    }
}

#[test]
fn order_and_repeats_of_the_subject_are_kept() {
    let subject = "0.DC=com\n1.DC=example\n0.OU=one\nO=제이\n1.OU=two\nUID=u1\nserialNumber=A-1";
    let csr = parse_csr(&Folder::new().csr(EC, subject, "-utf8 -nameopt utf8", "")).unwrap();
    assert_eq!(
        csr.subject,
        dn(&[
            ("domainComponent", "com"),
            ("domainComponent", "example"),
            ("organizationalUnit", "one"),
            ("organization", "제이"),
            ("organizationalUnit", "two"),
            ("userId", "u1"),
            ("serialNumber", "A-1"),
        ])
    );
}

/// The trap of reading the key's curve off the signature algorithm: every curve goes with every hash.
#[test]
fn curve_and_hash_are_independent() {
    for (curve, algorithm) in
        [("P-256", KeyAlgorithm::EcdsaP256), ("P-384", KeyAlgorithm::EcdsaP384), ("P-521", KeyAlgorithm::EcdsaP521)]
    {
        let folder = Folder::new();
        for hash in ["sha256", "sha384", "sha512"] {
            let key = format!("-newkey ec -pkeyopt ec_paramgen_curve:{curve}");
            let der = folder.csr(&key, "CN=a", &format!("-{hash}"), "");
            let csr = parse_csr(&der).unwrap();
            assert_eq!(csr.public_key.kind, PublicKeyKind::Ecdsa(algorithm), "{curve} {hash}");
            folder.run("openssl pkey -in a.key -pubout -outform DER -out a.pub");
            assert_eq!(csr.public_key.spki, folder.read("a.pub"), "{curve} {hash}");
        }
    }
}

#[test]
fn rsa_and_ed25519_are_read() {
    let folder = Folder::new();
    for hash in ["sha256", "sha384", "sha512"] {
        let csr = parse_csr(&folder.csr("-newkey rsa:2048", "CN=a", &format!("-{hash}"), "")).unwrap();
        assert_eq!(csr.public_key.algorithm(), Some(KeyAlgorithm::Rsa2048));
        let PublicKeyKind::Rsa { exponent, .. } = csr.public_key.kind else { panic!() };
        assert_eq!(exponent, [1, 0, 1]);
    }
    let csr = parse_csr(&folder.csr("-newkey ed25519", "CN=a", "", "")).unwrap();
    assert_eq!(csr.public_key.kind, PublicKeyKind::Ed25519);
}

/// Weak RSA keys are read, so that the rules can refuse them together with all else that is wrong.
#[test]
fn weak_rsa_is_left_to_the_rules() {
    let csr = parse_csr(&Folder::new().csr("-newkey rsa:1024", "CN=a", "-sha256", "")).unwrap();
    assert_eq!(csr.public_key.rsa_bits(), Some(1024));
}

#[test]
fn other_extensions_are_listed_not_taken() {
    let extensions = "basicConstraints=critical,CA:TRUE,pathlen:3\nkeyUsage=keyCertSign\nsubjectKeyIdentifier=hash\n1.3.6.1.5.5.7.1.24=DER:3003020105\nsubjectAltName=DNS:B.Example.com,DNS:b.example.com";
    let csr = parse_csr(&Folder::new().csr(EC, "CN=a", "", extensions)).unwrap();
    assert!(csr.asks_for_ca);
    assert_eq!(csr.ignored_extensions, ["2.5.29.19", "2.5.29.15", "2.5.29.14", "1.3.6.1.5.5.7.1.24"]);
    assert_eq!(texts(&csr), ["b.example.com"]);
    let csr = parse_csr(&Folder::new().csr(EC, "CN=a", "", "basicConstraints=CA:FALSE")).unwrap();
    assert!(!csr.asks_for_ca);
}

#[test]
fn bad_csrs_are_refused_each_for_its_reason() {
    let folder = Folder::new();
    let table: &[(&str, &str, &str, &str, &str, &str)] = &[
        ("-newkey rsa:2048", "CN=a", "-sha1", "", "unsupported_signature_algorithm", "SHA-1 with RSA"),
        ("-newkey rsa:2048", "CN=a", "-md5", "", "unsupported_signature_algorithm", "MD5 with RSA"),
        (EC, "CN=a", "-sha1", "", "unsupported_signature_algorithm", "SHA-1 with ECDSA"),
        (
            "-newkey rsa:2048",
            "CN=a",
            "-sha256 -sigopt rsa_padding_mode:pss",
            "",
            "unsupported_signature_algorithm",
            "PSS",
        ),
        ("-newkey rsa:512", "CN=a", "-sha256", "", "weak_key", "512 bits"),
        ("-newkey ed448", "CN=a", "", "", "unsupported_signature_algorithm", "Ed448"),
        (
            "-newkey ec -pkeyopt ec_paramgen_curve:secp256k1",
            "CN=a",
            "",
            "",
            "unsupported_key_algorithm",
            "1.3.132.0.10",
        ),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-224", "CN=a", "", "", "unsupported_key_algorithm", "1.3.132.0.33"),
        (
            "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
            "CN=a",
            "",
            "",
            "invalid_public_key",
            "explicit parameters",
        ),
        (EC, "CN=a\n+UID=b", "", "", "invalid_subject", "more than one attribute"),
        (EC, "CN=a\nunstructuredName=b", "", "", "invalid_subject", "1.2.840.113549.1.9.2"),
        (EC, "C=kr", "", "", "invalid_subject", "country"),
        (
            EC,
            "CN=a",
            "",
            "subjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;UTF8:admin@corp",
            "unsupported_name_type",
            "otherName",
        ),
        (EC, "CN=a", "", "subjectAltName=RID:1.2.3", "unsupported_name_type", "registeredID"),
        (EC, "CN=a", "", "subjectAltName=dirName:dn", "unsupported_name_type", "directoryName"),
        (EC, "CN=a", "", "subjectAltName=DNS:a_b.example.com", "invalid_dns_name", "a_b"),
        (EC, "CN=a", "", "subjectAltName=DNS:a.example.com.", "invalid_dns_name", ""),
        (EC, "CN=a", "", "subjectAltName=DNS:10.0.0.1", "invalid_dns_name", ""),
        (EC, "CN=a", "", "subjectAltName=DNS:a.*.example.com", "invalid_dns_name", ""),
    ];
    for (key, subject, options, extensions, code, says) in table {
        let (got, detail) = refused(&folder.csr(key, subject, options, extensions));
        assert_eq!(got, *code, "{key} {subject} {options} {extensions}: {detail}");
        assert!(detail.contains(says), "{detail}");
    }
    for (value, code) in [
        ("3007870501020304 05", "invalid_ip_address"),
        ("3006820461006263", "invalid_dns_name"),
        ("30048202c3a9", "invalid_names"),
        ("3003820161 00", "invalid_names"),
        ("3000", "invalid_names"),
    ] {
        let value = value.replace(' ', "");
        let (got, detail) = refused(&folder.csr(EC, "CN=a", "", &format!("2.5.29.17=DER:{value}")));
        assert_eq!(got, code, "{value}: {detail}");
    }
    let (code, detail) = refused(&folder.csr(EC, "CN=a", "", "2.5.29.19=DER:3006010101020100"));
    assert_eq!(code, "invalid_csr", "{detail}");
}

#[test]
fn repeated_extensions_and_requests_are_refused() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap();
    let der = |params: &rcgen::CertificateParams, attributes| {
        params.serialize_request_with_attributes(&key, attributes).unwrap().der().to_vec()
    };
    assert_eq!(texts(&parse_csr(&der(&params, Vec::new())).unwrap()), ["a.example.com"]);
    // A second extensionRequest attribute, SET { SEQUENCE {} }.
    let request = rcgen::Attribute { oid: &[1, 2, 840, 113549, 1, 9, 14], values: vec![0x31, 0x02, 0x30, 0x00] };
    let (code, detail) = refused(&der(&params, vec![request.clone()]));
    assert!(code == "invalid_csr" && detail.contains("several extensionRequest"), "{detail}");
    // One attribute with two values.
    let mut bare = rcgen::CertificateParams::default();
    bare.distinguished_name = rcgen::DistinguishedName::new();
    let twice = rcgen::Attribute { values: vec![0x31, 0x04, 0x30, 0x00, 0x30, 0x00], ..request };
    let (_, detail) = refused(&der(&bare, vec![twice]));
    assert!(detail.contains("more than one value"), "{detail}");
    // The challenge password is nobody's business, but does no harm.
    let password = rcgen::Attribute { oid: &[1, 2, 840, 113549, 1, 9, 7], values: vec![0x31, 0x03, 0x0c, 0x01, 0x61] };
    assert!(parse_csr(&der(&bare, vec![password])).unwrap().names.is_empty());
    let again =
        vec![0x30, 0x0f, 0x82, 0x0d, b'b', b'.', b'e', b'x', b'a', b'm', b'p', b'l', b'e', b'.', b'c', b'o', b'm'];
    params.custom_extensions.push(rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 17], again));
    let (_, detail) = refused(&der(&params, Vec::new()));
    assert!(detail.contains("2.5.29.17 twice"), "{detail}");
}

#[test]
fn oversized_keys_are_refused_before_they_cost_anything() {
    // An RSA key of 16384 bits takes minutes to make; the modulus need not be a product of primes to be refused.
    let modulus = [&[0x02, 0x82, 0x08, 0x01, 0x00][..], &[0xff; 2048]].concat();
    let key = [&[0x30, 0x82, 0x08, 0x0a][..], &modulus, &[0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    let spki = [
        &[
            0x30, 0x82, 0x08, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
            0x00,
        ][..],
        &[0x03, 0x82, 0x08, 0x0f, 0x00],
        &key,
    ]
    .concat();
    match read_public_key(&spki) {
        Err(Error::Invalid(invalid)) => assert_eq!(invalid.code, "key_too_large", "{}", invalid.detail),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let der = Folder::new().csr(EC, "CN=a", "", "subjectAltName=DNS:a.example.com");
    let csr = parse_csr(&der).unwrap();
    for at in 0..der.len() {
        for bit in 0..8 {
            let mut bad = der.clone();
            bad[at] ^= 1 << bit;
            if let Ok(read) = parse_csr(&bad) {
                panic!("flipped bit {bit} of byte {at} passes: {read:?} (was {csr:?})");
            }
        }
    }
    let (code, _) = refused(&{
        let mut bad = der.clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        bad
    });
    assert_eq!(code, "csr_signature_mismatch");
}

#[test]
fn what_is_no_csr_is_named() {
    let key = p256();
    let csr = Folder::new().csr(EC, "CN=a", "", "");
    let pem = to_pem("CERTIFICATE REQUEST", &csr);
    let table: &[(Vec<u8>, &str, &str)] = &[
        (key.pem.clone().into_bytes(), "invalid_pem", "is a private key"),
        (format!("{}{pem}", key.pem).into_bytes(), "invalid_pem", "is a private key"),
        (to_pem("CERTIFICATE", &csr).into_bytes(), "invalid_pem", "is a certificate"),
        (to_pem("PUBLIC KEY", &csr).into_bytes(), "invalid_pem", "bare public key"),
        (pem.repeat(2).into_bytes(), "invalid_csr", "more than one"),
        (b"hello".to_vec(), "invalid_pem", "neither PEM nor DER"),
        (Vec::new(), "invalid_pem", "neither PEM nor DER"),
        (vec![0xff; 100], "invalid_pem", "neither PEM nor DER"),
        ([csr.clone(), vec![0]].concat(), "invalid_csr", "bytes follow"),
        (csr[..csr.len() - 1].to_vec(), "invalid_csr", "ends too early"),
        (vec![b'a'; MAX_CSR_BYTES + 1], "csr_too_large", "16385"),
    ];
    for (bytes, code, says) in table {
        let (got, detail) = refused(bytes);
        assert_eq!(got, *code, "{detail}");
        assert!(detail.contains(says), "{detail}");
    }
}

#[test]
fn a_ca_csr_of_ours_is_what_openssl_reads() {
    let constraints = crate::support::constraints(
        RawSubtrees { dns: vec!["example.com".to_owned()], ..RawSubtrees::default() },
        RawSubtrees::default(),
    );
    let subject = dn(&[("domainComponent", "com"), ("domainComponent", "example"), ("commonName", "External Sub")]);
    let ed25519 = crate::support::TestKey::new(KeyAlgorithm::Ed25519);
    let p521 = crate::support::TestKey::new(KeyAlgorithm::EcdsaP521);
    for key in [rsa(), &p256(), &p521, &ed25519] {
        let prepared = prepare_ca_csr(&subject, &key.public, Some(1), Some(&constraints), key.algorithm).unwrap();
        let signature = key.sign(key.algorithm, prepared.info());
        verify_signature(&key.public.spki, key.algorithm, prepared.info(), &signature).unwrap();
        let der = prepared.finish(&signature).unwrap();
        let folder = Folder::new();
        folder.write("a.csr", &der);
        let text = folder.run("openssl req -in a.csr -inform DER -verify -text -noout");
        for line in [
            "Subject: DC = com, DC = example, CN = External Sub",
            "CA:TRUE, pathlen:1",
            "Certificate Sign, CRL Sign",
            "DNS:example.com",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let read = parse_csr(&der).unwrap();
        assert!(read.asks_for_ca);
        assert_eq!(read.subject, subject);
    }
    let prepared = prepare_ca_csr(&subject, &p521.public, None, None, p521.algorithm).unwrap();
    let wrong = p521.sign(p521.algorithm, b"something else");
    assert!(matches!(prepared.finish(&wrong), Err(Error::SelfCheck(_))));
}
