//! Mutants of the last guard: each way in which a leaf could turn into a CA is refused by the guard alone.

use super::*;
use crate::frame::Signed;
use crate::support;
use crate::{Certificate, contents};
use x509_parser::certificate::X509CertificateParser;
use x509_parser::nom::Parser;

fn contents_of(certificate: &Certificate) -> Contents {
    let (_, parsed) = X509CertificateParser::new().with_deep_parse_extensions(false).parse(&certificate.der).unwrap();
    contents::read(Signed::read(&certificate.der).unwrap().body, &parsed.tbs_certificate, None).unwrap()
}

#[test]
fn a_leaf_never_becomes_a_ca() {
    let key = support::p256();
    let root = support::root(&key);
    let approved = support::approve_leaf(
        &root,
        &["serverAuth"],
        support::cn("a"),
        support::names(&["a.example.com"]),
        &support::p256().public,
    );
    let leaf = || contents_of(&support::issue(approved.clone(), &root, &key, &support::urls()));
    assert!(guard(&approved, &leaf()).is_ok());
    let mutants: [fn(&mut Contents); 5] = [
        |contents| contents.ca = Some(None),
        |contents| contents.ca = Some(Some(0)),
        |contents| contents.key_usage = Some(usage_bit::DIGITAL_SIGNATURE | usage_bit::KEY_CERT_SIGN),
        |contents| contents.key_usage = Some(usage_bit::CRL_SIGN),
        |contents| contents.key_usage = None,
    ];
    for mutate in mutants {
        let mut contents = leaf();
        mutate(&mut contents);
        assert!(matches!(guard(&approved, &contents), Err(Error::SelfCheck(_))), "{contents:?}");
    }
    assert!(guard(&approved, &contents_of(&root)).is_err());
}

#[test]
fn a_ca_is_one() {
    let key = support::p256();
    let approved = support::approve_root(support::cn("R"), &key.public, support::ca_rules(None, None));
    let root = contents_of(&support::root(&key));
    assert!(guard(&approved, &root).is_ok());
    assert!(guard(&approved, &Contents { ca: None, ..root }).is_err());
}
