//! CRLs put together by hand: what is read, and what is refused for which reason.

use super::*;
use crate::support::{self, TestKey, p256};
use crate::to_pem;
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::revocation::{EntryKind, RevocationReason};
use std::sync::OnceLock;

fn ca() -> &'static (TestKey, Certificate) {
    static CA: OnceLock<(TestKey, Certificate)> = OnceLock::new();
    CA.get_or_init(|| {
        let key = p256();
        let certificate = support::root(&key);
        (key, certificate)
    })
}

/// The parts of a TBSCertList, each a whole element.
struct Parts {
    version: Vec<u8>,
    algorithm: Vec<u8>,
    issuer: Vec<u8>,
    times: Vec<u8>,
    revoked: Vec<u8>,
    extensions: Vec<Vec<u8>>,
    /// Follows the list of extensions.
    rest: Vec<u8>,
    outer_algorithm: Vec<u8>,
}

impl Parts {
    /// Version 2 with one entry and a number.
    fn new() -> Self {
        let algorithm = key::signature_identifier(SignatureAlgorithm::Sha256WithEcdsa).to_vec();
        Self {
            version: tlv::element(tlv::INTEGER, &[&[1]]),
            algorithm: algorithm.clone(),
            issuer: ca().1.subject_der.clone(),
            times: [utc("250601120000Z"), utc("250608120000Z")].concat(),
            revoked: tlv::element(tlv::SEQUENCE, &[&entry(&[2, 1, 9], &[])]),
            extensions: vec![extension(&[0x55, 0x1d, 20], None, &[2, 1, 5])],
            rest: Vec::new(),
            outer_algorithm: algorithm,
        }
    }

    fn entries(entries: &[Vec<u8>]) -> Self {
        Self { revoked: tlv::element(tlv::SEQUENCE, &[&entries.concat()]), ..Self::new() }
    }

    fn extensions(extensions: &[Vec<u8>]) -> Self {
        Self { extensions: extensions.to_vec(), ..Self::new() }
    }

    /// Signed by the CA.
    fn sign(&self) -> Vec<u8> {
        let list = tlv::element(0xa0, &[&tlv::element(tlv::SEQUENCE, &[&self.extensions.concat()]), &self.rest]);
        let list = if self.extensions.is_empty() { Vec::new() } else { list };
        let parts = [&self.version, &self.algorithm, &self.issuer, &self.times, &self.revoked, &list];
        let body = tlv::element(tlv::SEQUENCE, &parts.map(Vec::as_slice));
        let signature = ca().0.sign(ca().0.algorithm, &body);
        Signed { body: &body, algorithm: &self.outer_algorithm, signature: &signature }.write()
    }
}

fn utc(text: &str) -> Vec<u8> {
    tlv::element(tlv::UTC_TIME, &[text.as_bytes()])
}

fn extension(oid: &[u8], critical: Option<u8>, value: &[u8]) -> Vec<u8> {
    let critical = critical.map_or(Vec::new(), |critical| tlv::element(tlv::BOOLEAN, &[&[critical]]));
    let (oid, value) = (tlv::element(tlv::OID, &[oid]), tlv::element(tlv::OCTET_STRING, &[value]));
    tlv::element(tlv::SEQUENCE, &[&oid, &critical, &value])
}

/// An entry; `serial` is a whole INTEGER.
fn entry(serial: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let list = tlv::element(tlv::SEQUENCE, &[&extensions.concat()]);
    let list = if extensions.is_empty() { Vec::new() } else { list };
    tlv::element(tlv::SEQUENCE, &[serial, &utc("250530000000Z"), &list])
}

fn reason(code: u8) -> Vec<u8> {
    extension(&[0x55, 0x1d, 21], None, &[0x0a, 1, code])
}

const IDP: &[u8] = &[0x55, 0x1d, 28];
const TRUE: Option<u8> = Some(0xff);

fn idp(value: &[u8]) -> Parts {
    Parts::extensions(&[extension(IDP, TRUE, &tlv::element(tlv::SEQUENCE, &[value]))])
}

fn read(bytes: &[u8]) -> Result<ForeignCrl, Error> {
    read_crl(bytes, &ca().1)
}

fn refused(bytes: &[u8]) -> Invalid {
    match read(bytes) {
        Err(Error::Invalid(invalid)) => invalid,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_stands_there_is_read() {
    let date = extension(&[0x55, 0x1d, 24], None, b"\x18\x0f20250501000000Z");
    let entries =
        [entry(&[2, 1, 9], &[]), entry(&[2, 2, 0, 0x80], &[date, reason(6)]), entry(&[2, 1, 1], &[reason(8)])];
    let uri = b"http://a/1";
    let point = tlv::element(0xa0, &[&tlv::element(0xa0, &[&tlv::element(0x86, &[uri])])]);
    let parts = Parts {
        extensions: vec![
            extension(&[0x55, 0x1d, 20], None, &[2, 2, 1, 0]),
            extension(&[0x55, 0x1d, 27], TRUE, &[2, 1, 0x7f]),
            extension(IDP, TRUE, &tlv::element(tlv::SEQUENCE, &[&point, &[0x82, 1, 0xff], &[0x83, 2, 1, 0x80]])),
            // Anything that is not critical.
            extension(&[0x2a, 3], None, b"whatever"),
        ],
        ..Parts::entries(&entries)
    };
    let der = parts.sign();
    let read = read(&der).unwrap();
    assert_eq!(read.der(), der);
    assert_eq!(read.sha256(), sha256(&der));
    assert_eq!(read.this_update().to_string(), "2025-06-01T12:00:00Z");
    assert_eq!(read.next_update().to_string(), "2025-06-08T12:00:00Z");
    assert_eq!((read.number(), read.base()), (Some(CrlNumber::from(256)), Some(CrlNumber::from(127))));
    let scope = CrlScope {
        uris: vec!["http://a/1".to_owned()],
        only_user_certificates: false,
        only_ca_certificates: true,
        only_some_reasons: true,
    };
    assert_eq!(read.scope(), Some(&scope));
    let told: Vec<(String, EntryKind)> = read.entries().map(|entry| (entry.serial.to_string(), entry.kind)).collect();
    let expected = [
        ("09", EntryKind::Revoked(RevocationReason::Unspecified)),
        ("80", EntryKind::Revoked(RevocationReason::CertificateHold)),
        ("01", EntryKind::Removed),
    ];
    assert_eq!(told, expected.map(|(serial, kind)| (serial.to_owned(), kind)));
    assert_eq!(read.entry_count(), 3);
    assert!(read.entries().all(|entry| entry.revoked_at.to_string() == "2025-05-30T00:00:00Z"));
    assert_eq!(read.into_der(), der);
}

#[test]
fn what_rfc_5280_does_not_ask_but_many_do_is_read() {
    let pem = |der: &[u8]| to_pem("X509 CRL", der).replace('\n', "\r\n").into_bytes();
    let good = Parts::new().sign();
    let texted = [b"Certificate Revocation List (CRL):\n".as_slice(), &pem(&good)].concat();
    assert_eq!(read(&texted).unwrap(), read(&good).unwrap());
    for (what, parts) in [
        ("version 1", Parts { version: Vec::new(), extensions: Vec::new(), ..Parts::new() }),
        ("no extensions", Parts::extensions(&[])),
        ("an empty list", Parts::entries(&[])),
        ("no list", Parts { revoked: Vec::new(), ..Parts::new() }),
        ("twice", Parts::entries(&[entry(&[2, 1, 9], &[]), entry(&[2, 1, 9], &[])])),
        ("critical reason", Parts::entries(&[entry(&[2, 1, 9], &[extension(&[0x55, 0x1d, 21], TRUE, &[10, 1, 1])])])),
        ("reason 0", Parts::entries(&[entry(&[2, 1, 9], &[reason(0)])])),
        ("scope that is none", idp(&[])),
    ] {
        let crl = read(&parts.sign()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(crl.entries().count(), crl.entry_count(), "{what}");
    }
}

#[test]
fn wrong_ones_are_refused_each_for_its_reason() {
    let number = |value: &[u8]| extension(&[0x55, 0x1d, 20], None, value);
    let long = [&[2, 21, 0, 0x80][..], &[0; 19]].concat();
    let many: Vec<Vec<u8>> = (1..=17).map(|last| extension(&[0x2a, last], None, &[])).collect();
    let one = |parts: Vec<u8>| Parts::entries(&[entry(&[2, 1, 1], &[]), parts]);
    let times = |times: &[&str]| Parts { times: times.iter().flat_map(|text| utc(text)).collect(), ..Parts::new() };
    let general = tlv::element(tlv::GENERALIZED_TIME, &[b"20491231235959Z"]);
    let es384 = key::signature_identifier(SignatureAlgorithm::Sha384WithEcdsa).to_vec();
    let sha1 = tlv::element(tlv::SEQUENCE, &[&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1]]);
    let table: Vec<(Parts, &str)> = vec![
        (Parts { version: tlv::element(tlv::INTEGER, &[&[2]]), ..Parts::new() }, "version is neither 1 nor 2"),
        (Parts { version: tlv::element(tlv::INTEGER, &[&[0]]), ..Parts::new() }, "version is neither 1 nor 2"),
        (Parts { version: Vec::new(), ..Parts::new() }, "has extensions, which CRLs of version 1"),
        (
            Parts { version: Vec::new(), extensions: Vec::new(), ..one(entry(&[2, 1, 2], &[reason(1)])) },
            "entry 2: it has extensions, which CRLs of version 1",
        ),
        (Parts { issuer: vec![0x30, 0], ..Parts::new() }, "names another issuer than `C=KR, O=DDIM, CN=Test Root`"),
        (Parts { outer_algorithm: es384.clone(), ..Parts::new() }, "two different signature algorithms"),
        (Parts { algorithm: es384.clone(), outer_algorithm: es384, ..Parts::new() }, "signature was not made by"),
        (Parts { algorithm: sha1.clone(), outer_algorithm: sha1, ..Parts::new() }, "CRL is signed with SHA-1"),
        (times(&["250601120000Z"]), "has no nextUpdate"),
        (times(&[]), "thisUpdate is missing"),
        (times(&["250601120000Z", "250601120000Z"]), "nextUpdate is not after its thisUpdate"),
        (times(&["250601120000Z", "250231120000Z"]), "a time is not written"),
        (times(&["2506011200Z", "250701120000Z"]), "a time is not written"),
        (times(&["250601120060Z", "250701120000Z"]), "a time is not written"),
        (times(&["25060112000 Z", "250701120000Z"]), "a time is not written"),
        (Parts { times: [utc("250601120000Z"), general].concat(), ..Parts::new() }, "a time is not written"),
        (Parts { revoked: vec![0x31, 0], ..Parts::new() }, "something follows the last field"),
        (Parts { rest: vec![5, 0], ..Parts::new() }, "something follows the extensions"),
        (Parts::extensions(&[vec![]]), "list of extensions is empty"),
        (Parts::extensions(&[number(&[2, 1, 1]), number(&[2, 1, 1])]), "has the extension 2.5.29.20 twice"),
        (Parts::extensions(&many), "more than 16 extensions"),
        (Parts::extensions(&[number(&[2, 1, 0xff])]), "cRLNumber is negative"),
        (Parts::extensions(&[number(&long)]), "cRLNumber is negative or longer"),
        (Parts::extensions(&[number(&[2, 1, 1, 0])]), "bytes follow after the end"),
        (Parts::extensions(&[number(&[4, 1, 1])]), "number is not an INTEGER"),
        (Parts::extensions(&[extension(&[0x2a, 3], TRUE, &[])]), "critical extension 1.2.3, which is not known"),
        (Parts::extensions(&[extension(&[0x2a, 3], Some(0), &[])]), "criticality is written as FALSE"),
        (Parts::extensions(&[extension(&[0x55, 0x1d, 35], None, &[0x30, 1, 0])]), "it ends too early"),
        (Parts::extensions(&[extension(&[0x55, 0x1d, 35], None, &[5, 0])]), "authorityKeyIdentifier extension is not"),
        (
            Parts::extensions(&[extension(&[0x55, 0x1d, 35], None, &[0x30, 3, 0x80, 1, 7])]),
            "signed by another key of `C=KR, O=DDIM, CN=Test Root`",
        ),
        (idp(&[0x84, 1, 0xff]), "it is indirect"),
        (idp(&[0x85, 1, 0xff]), "about attribute certificates"),
        (idp(&[0x86, 1, 0xff]), "issuingDistributionPoint extension is not"),
        (one(entry(&[2, 1, 0], &[])), "entry 2: its serial number is not positive"),
        (one(entry(&[2, 1, 0xff], &[])), "entry 2: its serial number is not positive"),
        (one(entry(&long, &[])), "entry 2: its serial number is not positive or longer than 20"),
        (
            one(entry(&[&[2, 21, 1][..], &[0; 20]].concat(), &[])),
            "entry 2: its serial number is not positive or longer",
        ),
        (one(entry(&[], &[])), "entry 2: its serial number is missing"),
        (one(vec![4, 0]), "entry 2: it is not a SEQUENCE"),
        (one(tlv::element(tlv::SEQUENCE, &[&[2, 1, 1]])), "entry 2: its time is missing"),
        (
            one(tlv::element(tlv::SEQUENCE, &[&[2, 1, 1], &utc("250530000000Z"), &[5, 0]])),
            "entry 2: something follows its last field",
        ),
        (one(entry(&[2, 1, 2], &[vec![]])), "entry 2: a list of extensions is empty"),
        (one(entry(&[2, 1, 2], &[reason(7)])), "entry 2: its reason is none"),
        (one(entry(&[2, 1, 2], &[reason(11)])), "entry 2: its reason is none"),
        (one(entry(&[2, 1, 2], &[reason(1), reason(1)])), "entry 2: it has the extension 2.5.29.21 twice"),
        (one(entry(&[2, 1, 2], &[reason(8)])), "entry 2: it says removeFromCRL"),
        (one(entry(&[2, 1, 2], &[extension(&[0x55, 0x1d, 21], None, &[2, 1, 1])])), "reason is not an ENUMERATED"),
        (one(entry(&[2, 1, 2], &[extension(&[0x55, 0x1d, 21], None, &[10, 1, 1, 0])])), "something follows its reason"),
        (one(entry(&[2, 1, 2], &[extension(&[0x55, 0x1d, 29], TRUE, &[0x30, 0])])), "the CRL is indirect"),
        (one(entry(&[2, 1, 2], &[extension(&[0x2a, 3], TRUE, &[])])), "critical extension 1.2.3"),
        (one([entry(&[2, 1, 2], &[]), vec![5, 0]].concat()), "entry 3: it is not a SEQUENCE"),
    ];
    for (parts, says) in table {
        let refusal = refused(&parts.sign());
        assert!(refusal.detail.contains(says), "{says}: {}", refusal.detail);
        assert!(["invalid_crl", "not_issued_by", "unsupported_signature_algorithm"].contains(&refusal.code));
        assert!(!refusal.hint.is_empty());
    }
}

#[test]
fn other_things_and_other_issuers_are_refused() {
    let (key, certificate) = ca();
    let good = Parts::new().sign();
    let twice = to_pem("X509 CRL", &good).repeat(2);
    for (bytes, code, says) in [
        (&b"nothing"[..], "invalid_pem", "neither PEM nor DER"),
        (&[], "invalid_pem", "neither PEM nor DER"),
        (to_pem("CERTIFICATE", &certificate.der).as_bytes(), "invalid_pem", "is a certificate, not a certificate rev"),
        (key.pem.as_bytes(), "invalid_pem", "private key"),
        (twice.as_bytes(), "invalid_crl", "more than one"),
        (&certificate.der, "invalid_crl", "it is a certificate"),
        (&good[..good.len() - 1], "invalid_crl", "ends too early"),
        (&[&good[..], &[0]].concat(), "invalid_crl", "bytes follow"),
        (&vec![b' '; MAX_CRL_UPLOAD_BYTES + 1], "invalid_crl", "25165825 bytes, 25165824 are allowed"),
        (&[&[0x30, 0x80][..], &vec![0; MAX_CRL_BYTES]].concat(), "invalid_crl", "16777218 bytes, 16777216 are allowed"),
    ] {
        let refusal = refused(bytes);
        assert_eq!(refusal.code, code, "{}", refusal.detail);
        assert!(refusal.detail.contains(says), "{}", refusal.detail);
    }
    // The same name and no key identifier, but another key; and issuers that may not do it.
    let other = support::root(&p256());
    let mut no_crls = certificate.clone();
    no_crls.may_sign_crls = false;
    let mut leaf = certificate.clone();
    leaf.ca = None;
    for (issuer, code, says) in [
        (&other, "not_issued_by", "signature was not made by"),
        (&no_crls, "not_issued_by", "cRLSign is missing"),
        (&leaf, "not_a_ca_certificate", "CA:TRUE is missing"),
    ] {
        let Err(Error::Invalid(refusal)) = read_crl(&good, issuer) else { panic!("{says}: not refused") };
        assert_eq!(refusal.code, code);
        assert!(refusal.detail.contains(says), "{}", refusal.detail);
    }
}
