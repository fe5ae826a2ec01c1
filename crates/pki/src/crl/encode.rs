//! Writing the parts of a TBSCertList.

use super::{CrlHeader, oid};
use crate::tlv;
use certwright_domain::revocation::{CrlEntry, EntryKind, RevocationReason};
use certwright_domain::time::Timestamp;

/// Everything before the entries: version, algorithm, issuer, times.
pub(super) fn before_entries(header: &CrlHeader, algorithm: &[u8], issuer: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(issuer.len().saturating_add(algorithm.len()).saturating_add(64));
    // v2 is written as 1.
    tlv::write(&mut out, tlv::INTEGER, &[&[1]]);
    out.extend_from_slice(algorithm);
    out.extend_from_slice(issuer);
    time(&mut out, header.this_update);
    time(&mut out, header.next_update);
    out
}

/// Everything after the entries: the extensions.
pub(super) fn after_entries(header: &CrlHeader, authority_key_id: &[u8]) -> Vec<u8> {
    let authority = tlv::element(tlv::SEQUENCE, &[&tlv::element(0x80, &[authority_key_id])]);
    let mut list = extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &authority);
    list.extend(extension(oid::CRL_NUMBER, false, &number(header.number)));
    if let Some(base) = header.base() {
        list.extend(extension(oid::DELTA_CRL_INDICATOR, true, &number(base)));
    }
    if !header.distribution_point.is_empty() {
        let point = tlv::element(tlv::SEQUENCE, &[&full_name(&header.distribution_point)]);
        list.extend(extension(oid::ISSUING_DISTRIBUTION_POINT, true, &point));
    }
    if !header.freshest().is_empty() {
        let point = tlv::element(tlv::SEQUENCE, &[&full_name(header.freshest())]);
        list.extend(extension(oid::FRESHEST_CRL, false, &tlv::element(tlv::SEQUENCE, &[&point])));
    }
    tlv::element(0xa0, &[&tlv::element(tlv::SEQUENCE, &[&list])])
}

/// Appends an entry; `scratch` saves an allocation for each.
pub(super) fn entry(out: &mut Vec<u8>, scratch: &mut Vec<u8>, entry: &CrlEntry) {
    scratch.clear();
    unsigned(scratch, entry.serial.as_bytes());
    time(scratch, entry.revoked_at);
    // RFC 5280 section 5.3.1: `unspecified` is said by saying nothing.
    if entry.kind != EntryKind::Revoked(RevocationReason::Unspecified) {
        scratch.extend_from_slice(REASON);
        scratch.push(entry.kind.code());
    }
    tlv::write(out, tlv::SEQUENCE, &[scratch]);
}

/// Entry extensions with reasonCode alone, up to the reason.
const REASON: &[u8] = &[0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 21, 0x04, 0x03, 0x0a, 0x01];

/// `[0]` DistributionPointName with URLs as fullName.
fn full_name(urls: &[String]) -> Vec<u8> {
    let mut names = Vec::new();
    for url in urls {
        tlv::write(&mut names, 0x86, &[url.as_bytes()]);
    }
    tlv::element(0xa0, &[&tlv::element(0xa0, &[&names])])
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let oid = tlv::element(tlv::OID, &[oid]);
    let critical = if critical { tlv::element(tlv::BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    tlv::element(tlv::SEQUENCE, &[&oid, &critical, &tlv::element(tlv::OCTET_STRING, &[value])])
}

/// INTEGER of a number above 0.
fn number(number: i64) -> Vec<u8> {
    let octets = number.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let mut out = Vec::new();
    unsigned(&mut out, octets.get(zeros..).unwrap_or_default());
    out
}

/// INTEGER of a magnitude without leading zeros.
fn unsigned(out: &mut Vec<u8>, magnitude: &[u8]) {
    let sign: &[u8] = if magnitude.first().is_some_and(|first| *first < 0x80) { &[] } else { &[0] };
    tlv::write(out, tlv::INTEGER, &[sign, magnitude]);
}

/// UTCTime up to the year 2049, GeneralizedTime from then on (RFC 5280 section 5.1.2.4).
fn time(out: &mut Vec<u8>, at: Timestamp) {
    let at = at.to_utc();
    let year = at.year().unsigned_abs();
    let [century, year] = [year / 100, year % 100].map(pair);
    if at.year() < 2050 {
        out.extend_from_slice(&[tlv::UTC_TIME, 13]);
    } else {
        out.extend_from_slice(&[tlv::GENERALIZED_TIME, 15]);
        out.extend_from_slice(&century);
    }
    out.extend_from_slice(&year);
    for part in [u8::from(at.month()), at.day(), at.hour(), at.minute(), at.second()] {
        out.extend_from_slice(&pair(u32::from(part)));
    }
    out.push(b'Z');
}

/// Two digits of a number below 100.
fn pair(number: u32) -> [u8; 2] {
    [number / 10, number % 10].map(|digit| u8::try_from(digit).unwrap_or(0).saturating_add(b'0'))
}
