//! OCSP: what is read of requests, and what responses say.

mod request;
mod response;

use crate::support::{TestKey, ca_rules, cn, p256, root_with};
use certwright_pki::Certificate;

/// A CA with its key.
pub(super) fn ca() -> (TestKey, Certificate) {
    let key = p256();
    let ca = root_with(&key, cn("OCSP Root"), ca_rules(None, None));
    (key, ca)
}

/// One element of DER; short and long lengths.
pub(super) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(u8::try_from(length).unwrap()),
        0x80..0x100 => out.extend([0x81, u8::try_from(length).unwrap()]),
        _ => {
            out.push(0x82);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}

pub(super) const SHA1: &[u8] = &[0x06, 5, 0x2b, 14, 3, 2, 26];
pub(super) const SHA256: &[u8] = &[0x06, 9, 0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 1];
pub(super) const NONCE: &[u8] = &[0x06, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 2];

/// A CertID of this issuer.
pub(super) fn cert_id(hash: &[u8], parameters: &[u8], ca: &Certificate, serial: &[u8]) -> Vec<u8> {
    use aws_lc_rs::digest;
    let algorithm = match hash {
        SHA1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        SHA256 => &digest::SHA256,
        _ => &digest::SHA512,
    };
    // The bits of the P-256 key: the last 65 octets of its SubjectPublicKeyInfo.
    let spki = &ca.public_key.spki;
    let bits = &spki[spki.len() - 65..];
    let name = digest::digest(algorithm, &ca.subject_der);
    let key = digest::digest(algorithm, bits);
    let parts =
        [der(0x30, &[hash, parameters].concat()), der(0x04, name.as_ref()), der(0x04, key.as_ref()), der(0x02, serial)];
    der(0x30, &parts.concat())
}

pub(super) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 1, 0xff] } else { &[] };
    der(0x30, &[oid, critical, &der(0x04, value)].concat())
}

/// A request about these CertIDs with these extensions.
pub(super) fn request(ids: &[Vec<u8>], extensions: &[Vec<u8>]) -> Vec<u8> {
    let list: Vec<u8> = ids.iter().flat_map(|id| der(0x30, id)).collect();
    let extensions = match extensions {
        [] => Vec::new(),
        some => der(0xa2, &der(0x30, &some.concat())),
    };
    der(0x30, &der(0x30, &[der(0x30, &list), extensions].concat()))
}

pub(super) fn nonce(octets: &[u8]) -> Vec<u8> {
    extension(NONCE, false, &der(0x04, octets))
}
