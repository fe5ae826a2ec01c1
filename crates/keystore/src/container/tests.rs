//! Files of other programs, round trips, garbage.

use super::*;
use crate::material::Material;
use certwright_domain::secret::SecretBytes;
use certwright_domain::time::Timestamp;
use proptest::prelude::*;
use std::path::Path;

fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(folder.join(name)).unwrap()
}

fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

fn key() -> SecretBytes {
    SecretBytes::new(file("key.der"))
}

/// DER of a PEM certificate.
fn certificate(name: &str) -> Vec<u8> {
    use base64::Engine;
    let text = String::from_utf8(file(name)).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

fn refusal<T>(result: Result<T, Error>) -> Error {
    match result {
        Ok(_) => panic!("not refused"),
        Err(error) => error,
    }
}

fn read(name: &str, password: &str) -> Result<Contents, Error> {
    read_pkcs12(&file(name), &secret(password))
}

#[test]
fn reads_what_openssl_writes() {
    for (name, password) in [
        ("openssl-modern", "golden"),
        ("openssl-legacy", "golden"),
        ("openssl-rc2-128-2des", "golden"),
        ("openssl-aes-sha512", "golden"),
        ("openssl-3des-sha384", "golden"),
        ("openssl-unencrypted", "golden"),
        ("openssl-empty", ""),
        ("openssl-empty-legacy", ""),
        ("openssl-unicode", "gölden→"),
        ("openssl-unicode-legacy", "gölden→"),
    ] {
        let contents = read(&format!("{name}.p12"), password).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(contents.private_key.unwrap().expose(), key().expose(), "{name}");
        assert_eq!(contents.certificates, [certificate("leaf.pem"), certificate("root.pem")], "{name}");
        assert_eq!(contents.friendly_name.as_deref(), Some("Golden Leaf"), "{name}");
    }
    let contents = read("openssl-nokey.p12", "golden").unwrap();
    assert!(contents.private_key.is_none());
    assert_eq!(contents.certificates, [certificate("root.pem")]);
}

#[test]
fn reads_indefinite_lengths() {
    let bytes = file("openssl-modern.p12");
    let (inside, _) = crate::der::expect(&bytes, asn1::SEQUENCE).unwrap();
    let indefinite = [&[asn1::SEQUENCE, 0x80], inside, &[0, 0]].concat();
    let contents = read_pkcs12(&indefinite, &secret("golden")).unwrap();
    assert_eq!(contents.private_key.unwrap().expose(), key().expose());
}

#[test]
fn reads_what_keytool_writes() {
    let contents = read("keytool.p12", "golden").unwrap();
    assert!(Material::import(contents.private_key.unwrap().expose()).is_ok());
    assert_eq!(contents.certificates.len(), 1);
    assert_eq!(contents.friendly_name.as_deref(), Some("one"));
    let contents = read("keytool-trust.p12", "golden").unwrap();
    assert!(contents.private_key.is_none());
    assert_eq!(contents.certificates, [certificate("root.pem")]);
    assert_eq!(refusal(read("keytool-two.p12", "golden")), Error::SeveralPrivateKeys(2));
}

#[test]
fn a_wrong_password_is_named() {
    for name in
        ["openssl-modern.p12", "openssl-legacy.p12", "keytool.p12", "openssl-empty.p12", "openssl-unencrypted.p12"]
    {
        for password in ["Golden", "golden ", "gölden"] {
            assert_eq!(refusal(read(name, password)), Error::WrongPassword, "{name}");
        }
    }
    assert_eq!(refusal(read("openssl-modern.p12", "")), Error::WrongPassword);
    assert_eq!(Error::WrongPassword.to_string(), "The password is wrong.");
    assert_eq!(Error::WrongPassword.to_invalid().unwrap().code, "wrong_password");
    assert!(matches!(refusal(read("openssl-modern.p12", &"x".repeat(2000))), Error::UnsuitablePassword(_)));
}

#[test]
fn what_is_no_pkcs12_is_refused_with_the_reason() {
    assert_eq!(refusal(read("openssl-nomac.p12", "golden")), Error::NoMac);
    assert!(matches!(refusal(read("leaf.pem", "golden")), Error::Malformed("it is PEM text, not PKCS#12")));
    assert!(matches!(refusal(read("key.der", "golden")), Error::Malformed(_)));
    let large = refusal(read_pkcs12(&vec![0x30; MAX_CONTAINER_BYTES + 1], &secret("")));
    assert!(matches!(large, Error::TooMuch(_)));
    let mut longer = file("openssl-modern.p12");
    longer.push(b'\n');
    assert_eq!(refusal(read_pkcs12(&longer, &secret("golden"))), Error::Malformed("bytes follow its end"));
}

#[test]
fn iterations_are_bounded() {
    let mut bytes = file("openssl-modern.p12");
    // The MAC's iterations stand last: INTEGER 2048.
    let end = bytes.len() - 4;
    assert_eq!(bytes[end..], [0x02, 0x02, 0x08, 0x00]);
    bytes[end + 2] = 0x7f;
    assert_eq!(refusal(read_pkcs12(&bytes, &secret("golden"))), Error::WrongPassword);
    let mut budget = Budget::new();
    assert!(matches!(budget.take(MAX_ITERATIONS + 1), Err(Error::TooMuch(_))));
    assert!(budget.take(MAX_ITERATIONS).is_ok());
    assert!(matches!(budget.take(1), Err(Error::TooMuch(_))));
    assert!(matches!(budget.take(0), Err(Error::Malformed(_))));
}

#[test]
fn pkcs12_round_trip() {
    let (leaf, root) = (certificate("leaf.pem"), certificate("root.pem"));
    for strength in [Strength::Modern, Strength::Compat] {
        let written = write_pkcs12(&key(), &[&leaf, &root], "Mein Schlüssel", &secret("pässword"), strength).unwrap();
        let contents = read_pkcs12(written.expose(), &secret("pässword")).unwrap();
        assert_eq!(contents.private_key.unwrap().expose(), key().expose());
        assert_eq!(contents.certificates, [leaf.clone(), root.clone()]);
        assert_eq!(contents.friendly_name.as_deref(), Some("Mein Schlüssel"));
        assert_eq!(refusal(read_pkcs12(written.expose(), &secret("password"))), Error::WrongPassword);

        let store = write_pkcs12_trust_store(&[("Root", &root), ("root", &leaf)], &secret("p"), strength).unwrap();
        let contents = read_pkcs12(store.expose(), &secret("p")).unwrap();
        assert!(contents.private_key.is_none());
        assert_eq!(contents.certificates, [root.clone(), leaf.clone()]);
        assert_eq!(contents.friendly_name.as_deref(), Some("root"));
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let leaf = certificate("leaf.pem");
    let (at, good) = (Timestamp::from_unix_ms(0), secret("golden"));
    let modern = Strength::Modern;
    assert!(matches!(refusal(write_pkcs12(&key(), &[&leaf], "a", &secret(""), modern)), Error::UnsuitablePassword(_)));
    assert!(matches!(refusal(write_pkcs12(&key(), &[&leaf], "", &good, modern)), Error::UnsuitableAlias(_)));
    assert_eq!(refusal(write_pkcs12(&key(), &[], "a", &good, modern)), Error::NoCertificate);
    assert_eq!(refusal(write_pkcs12_trust_store(&[], &good, modern)), Error::NoCertificate);
    assert!(matches!(refusal(write_jks(&key(), &[&leaf], "a", &secret("short"), at)), Error::UnsuitablePassword(_)));
    assert_eq!(refusal(write_jks(&key(), &[], "a", &good, at)), Error::NoCertificate);
    assert_eq!(refusal(write_jks_trust_store(&[], &good, at)), Error::NoCertificate);
    assert!(matches!(refusal(encrypt_private_key(&key(), &secret(""))), Error::UnsuitablePassword(_)));
}

#[test]
fn jks_files_have_the_right_frame() {
    let (leaf, root) = (certificate("leaf.pem"), certificate("root.pem"));
    let at = Timestamp::from_unix_ms(1_700_000_000_000);
    let store = write_jks(&key(), &[&leaf, &root], "Leaf", &secret("golden"), at).unwrap();
    let bytes = store.expose();
    assert_eq!(bytes[..12], [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1]);
    assert_eq!(bytes[12..22], [0, 0, 0, 1, 0, 4, b'l', b'e', b'a', b'f']);
    assert_eq!(bytes[22..30], 1_700_000_000_000i64.to_be_bytes());
    assert!(!bytes.windows(key().expose().len()).any(|window| window == key().expose()));
    let trust = write_jks_trust_store(&[("a", &leaf), ("A", &root)], &secret("golden"), at).unwrap();
    assert_eq!(trust.expose()[8..12], [0, 0, 0, 2]);
}

#[test]
fn reads_encrypted_private_keys() {
    let golden = secret("golden");
    let rsa = read_private_key(&file("rsa-key.pem"), None).unwrap();
    for cipher in ["aes128", "aes192", "aes256", "des3", "des"] {
        let name = format!("rsa-{cipher}.pem");
        let key = read_private_key(&file(&name), Some(&golden)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(key.expose(), rsa.expose(), "{name}");
        assert_eq!(refusal(read_private_key(&file(&name), None)), Error::PasswordNeeded);
        assert_eq!(refusal(read_private_key(&file(&name), Some(&secret("other")))), Error::WrongPassword, "{name}");
    }
    for name in
        ["pkcs8-pbes2.pem", "pkcs8-aes128-sha1.der", "pkcs8-3des.pem", "pkcs8-md5-des.pem", "pkcs8-sha1-des.pem"]
    {
        let found = read_private_key(&file(name), Some(&golden)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.expose(), key().expose(), "{name}");
        assert_eq!(refusal(read_private_key(&file(name), None)), Error::PasswordNeeded);
        assert_eq!(refusal(read_private_key(&file(name), Some(&secret("other")))), Error::WrongPassword, "{name}");
    }
    let ec = read_private_key(&file("ec-aes256.pem"), Some(&golden)).unwrap();
    let same = Material::import(ec.expose()).unwrap().public_key().to_vec();
    assert_eq!(Material::import(key().expose()).unwrap().public_key(), same);
    let scrypt = refusal(read_private_key(&file("pkcs8-scrypt.pem"), Some(&golden)));
    assert!(matches!(&scrypt, Error::Unsupported(what) if what.contains("1.3.6.1.4.1.11591.4.11")), "{scrypt}");
}

#[test]
fn reads_keys_in_the_clear_and_refuses_what_is_none() {
    for name in ["key.pem", "key.der"] {
        assert_eq!(read_private_key(&file(name), Some(&secret("not needed"))).unwrap().expose(), key().expose());
    }
    let heap = [file("leaf.pem"), file("key.pem"), file("root.pem")].concat();
    assert_eq!(read_private_key(&heap, None).unwrap().expose(), key().expose());
    let two = [file("key.pem"), file("rsa-key.pem")].concat();
    assert_eq!(refusal(read_private_key(&two, None)), Error::SeveralPrivateKeys(2));
    assert_eq!(refusal(read_private_key(&file("leaf.pem"), None)), Error::NoPrivateKey);
    assert!(matches!(refusal(read_private_key(b"\xff\xff", None)), Error::Malformed(_)));
    let ssh = b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    assert!(matches!(refusal(read_private_key(ssh, None)), Error::Unsupported(_)));
    let headless = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert!(matches!(refusal(read_private_key(headless, Some(&secret("a")))), Error::Malformed(_)));
}

#[test]
fn an_encrypted_key_that_we_wrote_is_read() {
    let pem = encrypt_private_key(&key(), &secret("golden")).unwrap();
    assert!(pem.expose().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    assert!(pem.expose().lines().all(|line| line.len() <= 64));
    assert_eq!(read_private_key(pem.expose().as_bytes(), Some(&secret("golden"))).unwrap().expose(), key().expose());
}

/// A file whose MAC asks for one iteration, so that thousands of damaged copies are tried in a moment.
fn quick() -> Vec<u8> {
    file("openssl-3des-sha384.p12")
}

proptest! {
    #[test]
    fn damaged_files_are_refused_without_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for mut bytes in [quick(), file("pkcs8-md5-des.pem"), file("rsa-aes128.pem")] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = read_pkcs12(&bytes, &secret("golden"));
            let _ = read_private_key(&bytes, Some(&secret("golden")));
        }
    }

    #[test]
    fn files_that_are_cut_short_are_refused(at in any::<prop::sample::Index>()) {
        let bytes = quick();
        prop_assert!(read_pkcs12(&bytes[..at.index(bytes.len())], &secret("golden")).is_err());
    }

    #[test]
    fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,80}") {
        prop_assert!(read_pkcs12(&bytes, &secret("")).is_err());
        let _ = read_private_key(&bytes, Some(&secret("")));
        let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{text}\n-----END RSA PRIVATE KEY-----");
        let _ = read_private_key(pem.as_bytes(), Some(&secret("")));
    }
}
