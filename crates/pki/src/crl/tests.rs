//! Whatever differs from what was asked for is noticed before anything is signed, and when it comes back signed.

use super::build::PreparedCrl;
use super::list::List;
use super::*;
use crate::certificate::Certificate;
use crate::support::{self, TestKey, now, p256};
use crate::{Error, tlv};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::revocation::{CrlEntry, EntryKind, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_domain::time::Span;
use std::sync::OnceLock;

const REVOKED: EntryKind = EntryKind::Revoked(RevocationReason::Superseded);

fn ca() -> &'static (TestKey, Certificate) {
    static CA: OnceLock<(TestKey, Certificate)> = OnceLock::new();
    CA.get_or_init(|| {
        let key = p256();
        let certificate = support::root(&key);
        (key, certificate)
    })
}

fn header(kind: CrlKind) -> CrlHeader {
    CrlHeader {
        number: 300,
        this_update: now(),
        next_update: now().plus(Span::from_days(7)),
        kind,
        distribution_point: vec!["http://ca.example.com/crl/1".to_owned()],
    }
}

fn full() -> CrlHeader {
    header(CrlKind::Full { freshest: vec!["http://ca.example.com/delta".to_owned()] })
}

fn delta() -> CrlHeader {
    header(CrlKind::Delta { base: 299 })
}

fn prepare(header: CrlHeader, entries: &[(&[u8], EntryKind)]) -> Result<PreparedCrl, Error> {
    let (key, certificate) = ca();
    let mut builder = CrlBuilder::new(certificate, key.algorithm, header)?;
    for (serial, kind) in entries {
        let serial = Serial::from_bytes(serial).unwrap();
        builder.push(&CrlEntry { serial, revoked_at: now().minus(Span::from_days(1)), kind: *kind })?;
    }
    builder.finish_tbs()
}

const UNSPECIFIED: EntryKind = EntryKind::Revoked(RevocationReason::Unspecified);
const ENTRIES: &[(&[u8], EntryKind)] = &[(&[1], UNSPECIFIED), (&[0x80], REVOKED), (&[7; 20], REVOKED)];

fn why<T: fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::SelfCheck(why)) => why,
        other => panic!("not a failed self-check: {other:?}"),
    }
}

type Mutate = fn(&mut PreparedCrl);

#[test]
fn every_difference_is_named() {
    let mutants: &[(&str, Mutate)] = &[
        ("issuer", |p| p.expected.issuer_der = vec![0x30, 0]),
        ("signature algorithm", |p| p.expected.algorithm = SignatureAlgorithm::Sha384WithEcdsa),
        ("thisUpdate", |p| p.expected.header.this_update = now().plus(Span::from_s(1))),
        ("nextUpdate", |p| p.expected.header.next_update = now().plus(Span::from_s(1))),
        ("cRLNumber", |p| p.expected.header.number = 301),
        ("authorityKeyIdentifier", |p| p.expected.authority_key_id = vec![0; 20]),
        ("list of extensions", |p| p.expected.header.kind = CrlKind::Delta { base: 299 }),
        ("list of extensions", |p| p.expected.header.kind = CrlKind::Full { freshest: Vec::new() }),
        ("list of extensions", |p| p.expected.header.distribution_point.clear()),
        ("issuingDistributionPoint", |p| p.expected.header.distribution_point.push("http://b".to_owned())),
        ("freshestCRL", |p| {
            p.expected.header.kind = CrlKind::Full { freshest: vec!["http://ca.example.com/other".to_owned()] };
        }),
        // Another reason, another time, another order, one more, one fewer, none at all.
        ("entries", |p| p.expected.sum = sum(&[(&[1], REVOKED), (&[0x80], REVOKED), (&[7; 20], REVOKED)])),
        ("entries", |p| p.expected.sum = sum(&[(&[0x80], REVOKED), (&[1], UNSPECIFIED), (&[7; 20], REVOKED)])),
        ("entries", |p| p.expected.sum = sum(&[ENTRIES, &[(&[9], REVOKED)]].concat())),
        ("entries", |p| p.expected.sum = sum(&ENTRIES[..2])),
        ("list of entries", |p| p.expected.sum = sum(&[])),
        ("entries", |p| p.expected.sum.count = 4),
    ];
    let (key, _) = ca();
    for (what, mutate) in mutants {
        let mut prepared = prepare(full(), ENTRIES).unwrap();
        let signature = key.sign(key.algorithm, prepared.tbs());
        prepared.expected.compare(&prepared.tbs).unwrap();
        mutate(&mut prepared);
        let expected = format!("the built CRL's {what} is not what was asked for");
        assert_eq!(why(prepared.expected.compare(&prepared.tbs)), expected);
        // And once more when it is signed.
        assert!(prepared.finish(&signature).is_err(), "{what}");
    }
    let mut prepared = prepare(delta(), ENTRIES).unwrap();
    prepared.expected.header.kind = CrlKind::Delta { base: 298 };
    assert!(why(prepared.expected.compare(&prepared.tbs)).contains("deltaCRLIndicator"));
}

fn sum(entries: &[(&[u8], EntryKind)]) -> tally::Sum {
    prepare(full(), entries).unwrap().expected.sum
}

/// Any octet of the bytes to be signed that changes is either noticed as malformed or as a difference.
#[test]
fn no_octet_of_the_built_bytes_is_free() {
    for (header, entries) in [
        (full(), ENTRIES),
        (full(), &[]),
        (
            delta(),
            &[(&[1][..], EntryKind::Removed), (&[0xff, 1], EntryKind::Revoked(RevocationReason::CertificateHold))],
        ),
    ] {
        let PreparedCrl { mut tbs, expected, .. } = prepare(header, entries).unwrap();
        for at in 0..tbs.len() {
            for flip in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80] {
                tbs[at] ^= flip;
                let passed = tlv::check(&tbs).is_ok() && expected.compare(&tbs).is_ok();
                assert!(!passed, "octet {at} ^ {flip:02x}");
                tbs[at] ^= flip;
            }
        }
        expected.compare(&tbs).unwrap();
    }
}

/// Changes that the signing side could make unnoticed by the signature, because it signs what it was given.
#[test]
fn what_changed_between_building_and_signing_is_noticed() {
    let (key, _) = ca();
    let one = prepare(full(), ENTRIES).unwrap();
    let mut other = prepare(full(), &[ENTRIES, &[(&[9], REVOKED)]].concat()).unwrap();
    let signature = key.sign(key.algorithm, other.tbs());
    assert_eq!(why(one.finish(&signature)), "the signature was not made by the issuer's key");
    other.expected.sum = sum(ENTRIES);
    assert_eq!(why(other.finish(&signature)), "the built CRL's entries is not what was asked for");
}

#[test]
fn a_list_without_entries_is_absent() {
    let read = |prepared: &PreparedCrl| List::read(&prepared.tbs).unwrap().revoked.map(<[u8]>::len);
    assert_eq!(read(&prepare(full(), &[]).unwrap()), None);
    assert_eq!(read(&prepare(full(), &ENTRIES[..1]).unwrap()), Some(20));
    // An empty one would be noticed.
    let PreparedCrl { tbs, expected, .. } = prepare(full(), &[]).unwrap();
    let mut parts = tlv::Reader::only(&tbs, tlv::SEQUENCE, "").unwrap();
    let mut parts: Vec<&[u8]> = std::iter::from_fn(|| parts.next().unwrap().map(|part| part.raw)).collect();
    parts.insert(5, &[0x30, 0]);
    assert!(why(expected.compare(&tlv::element(tlv::SEQUENCE, &parts))).contains("empty list"));
}

/// The same serial, time and reason, but more than that.
#[test]
fn entries_say_nothing_that_was_not_asked_for() {
    let PreparedCrl { tbs, mut expected, .. } = prepare(full(), &[(&[9], UNSPECIFIED)]).unwrap();
    let start = tlv::Reader::only(&tbs, tlv::SEQUENCE, "").unwrap();
    let with = |extension: &[u8]| {
        let mut parts = start;
        let mut parts: Vec<&[u8]> = std::iter::from_fn(|| parts.next().unwrap().map(|part| part.raw)).collect();
        let entry = tlv::Reader::only(parts[5], tlv::SEQUENCE, "").unwrap().next().unwrap().unwrap();
        let list = tlv::element(tlv::SEQUENCE, &[&tlv::element(tlv::SEQUENCE, &[extension])]);
        let revoked = tlv::element(tlv::SEQUENCE, &[&tlv::element(tlv::SEQUENCE, &[entry.content, &list])]);
        parts[5] = &revoked;
        tlv::element(tlv::SEQUENCE, &parts)
    };
    expected.compare(&tbs).unwrap();
    let date = [&[6, 3, 0x55, 0x1d, 24, 4, 17, 24, 15][..], b"20250501000000Z"].concat();
    for extension in [&[6, 3, 0x55, 0x1d, 21, 4, 3, 10, 1, 0][..], &date] {
        assert!(why(expected.compare(&with(extension))).contains("entry's extensions"));
    }
    expected.sum = sum(&[(&[9], REVOKED)]);
    expected.compare(&with(&[6, 3, 0x55, 0x1d, 21, 4, 3, 10, 1, 4])).unwrap();
    let critical = with(&[6, 3, 0x55, 0x1d, 21, 1, 1, 0xff, 4, 3, 10, 1, 4]);
    assert!(why(expected.compare(&critical)).contains("entry's extensions"));
}

#[test]
fn entries_are_bounded() {
    let (key, certificate) = ca();
    let mut builder = CrlBuilder::new(certificate, key.algorithm, full()).unwrap();
    let entry = CrlEntry { serial: support::serial(), revoked_at: now(), kind: REVOKED };
    builder.tally.count = MAX_CRL_ENTRIES - 1;
    builder.push(&entry).unwrap();
    assert_eq!(why(builder.push(&entry)), "a CRL has at most 5000000 entries");
}

#[test]
fn headers_that_do_not_fit_together_are_refused() {
    type Change = fn(&mut CrlHeader);
    let refused: &[(Change, &str)] = &[
        (|h| h.number = 0, "not above 0"),
        (|h| h.number = -1, "not above 0"),
        (|h| h.next_update = h.this_update, "not after its thisUpdate"),
        (|h| h.next_update = h.this_update.plus(Span::from_ms(999)), "not after its thisUpdate"),
        (|h| h.kind = CrlKind::Delta { base: 300 }, "below its own"),
        (|h| h.kind = CrlKind::Delta { base: 0 }, "below its own"),
        (|h| h.distribution_point = vec![String::new()], "visible ASCII"),
        (|h| h.distribution_point.push("http://a/\u{e4}".to_owned()), "visible ASCII"),
        (|h| h.kind = CrlKind::Full { freshest: vec!["http://a/ b".to_owned()] }, "visible ASCII"),
    ];
    for (change, says) in refused {
        let mut header = full();
        change(&mut header);
        let why = why(prepare(header, &[]));
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn issuers_that_may_not_sign_are_refused() {
    let (key, certificate) = ca();
    let builder = |certificate: &Certificate, algorithm| CrlBuilder::new(certificate, algorithm, full());
    let changed = |change: fn(&mut Certificate)| {
        let mut certificate = certificate.clone();
        change(&mut certificate);
        certificate
    };
    let leaf = changed(|certificate| certificate.ca = None);
    let no_crls = changed(|certificate| certificate.may_sign_crls = false);
    for issuer in [leaf, no_crls] {
        assert_eq!(why(builder(&issuer, key.algorithm)), "the issuer may not sign CRLs");
    }
    assert!(why(builder(certificate, SignatureAlgorithm::Ed25519)).contains("does not fit"));
    // RFC 5280 section 5.2.1 wants a key identifier, also of a CA that has none in its certificate.
    let without = changed(|certificate| certificate.subject_key_id = None);
    let prepared = builder(&without, key.algorithm).unwrap().finish_tbs().unwrap();
    assert_eq!(Some(prepared.expected.authority_key_id), certificate.subject_key_id);
}

#[test]
fn entries_are_taken_out_by_deltas_alone_and_stand_there_once() {
    assert_eq!(why(prepare(full(), &[(&[1], EntryKind::Removed)])), "only a delta CRL takes entries out");
    assert_eq!(prepare(delta(), &[(&[1], EntryKind::Removed), (&[2], REVOKED)]).unwrap().entry_count(), 2);
    let long = |first: u8| [&[first][..], &[7; 19]].concat();
    for (one, other, twice) in [
        (vec![1], vec![1], true),
        (vec![1], vec![0, 1], true),
        (vec![1], vec![1, 0], false),
        (long(1), long(1), true),
        (long(1), long(2), false),
        (vec![7; 8], long(1), false),
    ] {
        let entries = [(&one[..], REVOKED), (&[5], REVOKED), (&other[..], EntryKind::Removed)];
        let result = prepare(delta(), &entries);
        assert_eq!(result.is_err(), twice, "{one:?} {other:?}");
        if twice {
            assert_eq!(why(result), "the built CRL is wrong: a serial number stands there twice");
        }
    }
}
