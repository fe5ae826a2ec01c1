//! Whatever part of the built bytes differs from what was approved, the comparison says which, before anything is signed.

use super::*;
use certwright_domain::rules::Approved;

use crate::support::{self, approve_leaf, cn, names, p256, serial, urls};

fn leaf() -> (Prepared, Approved) {
    let key = p256();
    let root = support::root(&key);
    let approve = |usages: &[&str], name: &str| approve_leaf(&root, usages, cn("a"), names(&[name]), &p256().public);
    let prepared =
        prepare(approve(&["serverAuth"], "a.example.com"), serial(), &Issuer::Ca(&root), key.algorithm, &urls());
    (prepared.unwrap(), approve(&["clientAuth"], "b.example.com"))
}

type Mutate = fn(&mut Expected);

#[test]
fn every_difference_is_named() {
    let mutants: &[(&str, Mutate)] = &[
        ("serial number", |e| e.serial = serial()),
        ("issuer", |e| e.issuer_der = name::encode(&cn("other"))),
        ("encoded subject", |e| e.subject_der = name::encode(&cn("other"))),
        ("subjectKeyIdentifier", |e| e.subject_key_id = vec![0; 20]),
        ("authorityKeyIdentifier", |e| e.authority_key_id = vec![0; 20]),
        ("URLs", |e| e.urls.crl = vec!["http://other.example.com/crl".to_owned()]),
        ("URLs", |e| std::mem::swap(&mut e.urls.ocsp, &mut e.urls.ca_issuers)),
        ("list of extensions", |e| e.urls.crl.clear()),
        ("list of extensions", |e| e.urls = Urls::default()),
    ];
    for (what, mutate) in mutants {
        let (mut prepared, _) = leaf();
        prepared.read_back().unwrap();
        mutate(&mut prepared.expected);
        match prepared.read_back() {
            Err(Error::SelfCheck(why)) => {
                assert!(why.contains(&format!("certificate's {what} is not")), "{what}: {why}")
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn another_approval_does_not_fit() {
    let (mut prepared, other) = leaf();
    prepared.expected.approved = other;
    assert!(matches!(prepared.read_back(), Err(Error::SelfCheck(why)) if why.contains("public key")));
}

/// Any octet of the bytes to be signed that changes is either noticed as malformed or as a difference.
#[test]
fn no_octet_of_the_built_bytes_is_free() {
    let (mut prepared, _) = leaf();
    for at in 0..prepared.tbs.len() {
        for flip in [0x01, 0x20, 0x80] {
            if let Some(octet) = prepared.tbs.get_mut(at) {
                *octet ^= flip;
            }
            assert!(prepared.read_back().is_err(), "octet {at} ^ {flip:02x}");
            if let Some(octet) = prepared.tbs.get_mut(at) {
                *octet ^= flip;
            }
        }
    }
    prepared.read_back().unwrap();
}
