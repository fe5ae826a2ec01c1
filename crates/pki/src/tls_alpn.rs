//! Certificates of tls-alpn-01 (RFC 8737 section 3): self-made, trusted by nobody, and judged by two extensions.

use crate::MAX_CERTIFICATE_BYTES;
use crate::frame::{Signed, Tbs, spki_parts};
use crate::tlv::{self, Malformed, Reader};
use certwright_domain::san::San;
use std::net::IpAddr;

/// id-pe-acmeIdentifier, 1.3.6.1.5.5.7.1.31.
const ACME_IDENTIFIER: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f];
/// What drafts of RFC 8737 used, 1.3.6.1.5.5.7.1.30.1.
const DRAFT_IDENTIFIER: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1e, 0x01];
/// subjectAltName, 2.5.29.17.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// dNSName and iPAddress of a GeneralName.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// What is wrong with such a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is not a certificate in DER.
    Malformed,
    /// There is no subjectAltName, or it names something else or something more.
    Names,
    /// There is no acmeIdentifier.
    NoIdentifier,
    /// One of the two stands twice.
    Repeated,
    /// acmeIdentifier stands under the number of a draft.
    DraftIdentifier,
    /// acmeIdentifier is not critical.
    NotCritical,
    /// acmeIdentifier holds another digest, or none.
    OtherDigest,
}

impl Wrong {
    /// As the rest of a sentence: `showed a certificate …`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "showed a certificate that cannot be read",
            Self::Names => "showed a certificate whose subjectAltName is not the identifier alone",
            Self::NoIdentifier => "showed a certificate without the extension acmeIdentifier",
            Self::Repeated => "showed a certificate with an extension that stands twice",
            Self::DraftIdentifier => "showed a certificate with the acmeIdentifier of a draft (1.3.6.1.5.5.7.1.30.1)",
            Self::NotCritical => "showed a certificate whose acmeIdentifier is not critical",
            Self::OtherDigest => "showed a certificate for another challenge",
        }
    }
}

impl From<Malformed> for Wrong {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// A public key, to verify a handshake with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeKey {
    /// The contents of its AlgorithmIdentifier, DER.
    pub algorithm: Vec<u8>,
    /// The bits of the key.
    pub bits: Vec<u8>,
}

/// The public key of a certificate.
///
/// # Errors
///
/// The certificate is not DER, or too large.
pub fn public_key(der: &[u8]) -> Result<HandshakeKey, Wrong> {
    let (algorithm, bits) = spki_parts(Tbs::read(body(der)?)?.spki)?;
    let contents = Reader::new(algorithm).expect(tlv::SEQUENCE, "the algorithm is not a SEQUENCE")?.content;
    Ok(HandshakeKey { algorithm: contents.to_vec(), bits: bits.to_vec() })
}

/// Does the certificate prove control of `identifier` for the challenge with this SHA-256 digest (of its key
/// authorization)? One subjectAltName with the identifier alone, and acmeIdentifier, critical, with the digest.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn check(der: &[u8], identifier: &San, digest: &[u8]) -> Result<(), Wrong> {
    let mut tbs = Reader::only(body(der)?, tlv::SEQUENCE, "the content is not a SEQUENCE")?;
    let (mut names, mut proof) = (None, None);
    while let Some(element) = tbs.next()? {
        if element.tag != 0xa3 {
            continue;
        }
        let mut list = Reader::new(Reader::new(element.content).expect(tlv::SEQUENCE, "no extensions")?.content);
        while let Some(extension) = list.next()? {
            let mut parts = Reader::new(extension.content);
            let oid = parts.expect(tlv::OID, "an extension has no OID")?.content;
            let critical = parts.optional(tlv::BOOLEAN)?.is_some_and(|flag| flag.content == [0xff]);
            let value = parts.expect(tlv::OCTET_STRING, "an extension has no value")?.content;
            match oid {
                DRAFT_IDENTIFIER => return Err(Wrong::DraftIdentifier),
                ACME_IDENTIFIER if proof.is_none() => proof = Some((critical, value)),
                ALTERNATIVE_NAMES if names.is_none() => names = Some(value),
                ACME_IDENTIFIER | ALTERNATIVE_NAMES => return Err(Wrong::Repeated),
                _ => {}
            }
        }
    }
    if !names.is_some_and(|value| is_alone(value, identifier).unwrap_or(false)) {
        return Err(Wrong::Names);
    }
    let (critical, value) = proof.ok_or(Wrong::NoIdentifier)?;
    if !critical {
        return Err(Wrong::NotCritical);
    }
    // RFC 8737 section 3: Authorization ::= OCTET STRING (SIZE (32)).
    if digest.len() != 32 || value != tlv::element(tlv::OCTET_STRING, &[digest]) {
        return Err(Wrong::OtherDigest);
    }
    Ok(())
}

/// The TBSCertificate, in order.
fn body(der: &[u8]) -> Result<&[u8], Wrong> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        return Err(Wrong::Malformed);
    }
    tlv::check(der)?;
    let body = Signed::read(der)?.body;
    Tbs::read(body)?;
    Ok(body)
}

/// Is the identifier the only name? Letters of DNS names count whatever their case (RFC 8737 section 3).
fn is_alone(value: &[u8], identifier: &San) -> Result<bool, Malformed> {
    tlv::check(value)?;
    let mut names = Reader::only(value, tlv::SEQUENCE, "subjectAltName is not a SEQUENCE")?;
    let (Some(name), None) = (names.next()?, names.next()?) else { return Ok(false) };
    Ok(match (identifier, name.tag) {
        (San::Dns(wanted), DNS_NAME) => name.content.eq_ignore_ascii_case(wanted.as_str().as_bytes()),
        (San::Ip(IpAddr::V4(wanted)), IP_ADDRESS) => name.content == wanted.octets(),
        (San::Ip(IpAddr::V6(wanted)), IP_ADDRESS) => name.content == wanted.octets(),
        _ => false,
    })
}

#[cfg(test)]
mod tests;
