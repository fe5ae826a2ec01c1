//! Responses read back: by the check before they are released, and by tests.

use super::response::CertStatus;
use super::{oid, tag};
use crate::Error;
use crate::instant::generalized;
use crate::tlv::{self, Element, Malformed, Reader};
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::time::Timestamp;

/// A successful response, as our responders write them: responderID byKey, a nonce as the one extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspResponse<'a> {
    /// ResponseData, the bytes that are signed.
    pub signed: &'a [u8],
    /// Signature AlgorithmIdentifier, whole element.
    pub algorithm: &'a [u8],
    /// Signature.
    pub signature: &'a [u8],
    /// `certs`, whole element; empty when there are none.
    pub certificates: &'a [u8],
    /// SHA-1 of the responder's key bits.
    pub responder_key_hash: &'a [u8],
    /// producedAt.
    pub produced_at: Timestamp,
    /// One for each certificate.
    pub singles: Vec<SingleResponse<'a>>,
    /// The nonce's octets.
    pub nonce: Option<&'a [u8]>,
}

/// What a response says of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleResponse<'a> {
    /// CertID, whole element.
    pub id: &'a [u8],
    /// Status.
    pub status: CertStatus,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Option<Timestamp>,
}

impl OcspResponse<'_> {
    /// The first certificate of `certs`, DER: the delegated responder's.
    pub fn responder_certificate(&self) -> Option<&[u8]> {
        let explicit = Reader::only(self.certificates, tag::C0, "").ok()?.next().ok()??;
        Some(Reader::new(explicit.content).next().ok()??.raw)
    }
}

/// Reads a successful response. The signature is not verified, and `certs` is not looked into.
///
/// # Errors
/// [`Error::SelfCheck`] for anything that our responders do not write, error responses included.
pub fn read_ocsp_response(der: &[u8]) -> Result<OcspResponse<'_>, Error> {
    read(der).map_err(|at| Error::SelfCheck(format!("the response cannot be read: {}", at.0)))
}

fn read(der: &[u8]) -> Result<OcspResponse<'_>, Malformed> {
    let mut outer = Reader::only(der, tlv::SEQUENCE, "it is not a SEQUENCE")?;
    let status = outer.expect(tag::ENUMERATED, "the status is missing")?;
    if status.content != [0] {
        return Err(Malformed("it is not successful"));
    }
    let explicit = outer.expect(tag::C0, "the bytes are missing")?;
    outer.end("something follows the bytes")?;
    let mut bytes = Reader::only(explicit.content, tlv::SEQUENCE, "the bytes are not a SEQUENCE")?;
    if bytes.expect(tlv::OID, "the type is missing")?.content != oid::BASIC {
        return Err(Malformed("it is not a basic response"));
    }
    let basic = bytes.expect(tlv::OCTET_STRING, "the basic response is missing")?.content;
    bytes.end("something follows the basic response")?;

    let mut basic = Reader::only(basic, tlv::SEQUENCE, "the basic response is not a SEQUENCE")?;
    let data = basic.expect(tlv::SEQUENCE, "the response data is missing")?;
    tlv::check(data.raw)?;
    let algorithm = basic.expect(tlv::SEQUENCE, "the algorithm is missing")?.raw;
    tlv::check(algorithm)?;
    let signature = basic.expect(tlv::BIT_STRING, "the signature is missing")?.content;
    let certificates = basic.optional(tag::C0)?.map_or(&[][..], |list| list.raw);
    basic.end("something follows the certificates")?;
    let Some((0, signature)) = signature.split_first() else {
        return Err(Malformed("the signature is not a whole number of octets"));
    };

    let signed = data.raw;
    let mut data = Reader::new(data.content);
    let by_key = data.expect(tag::C2, "the responder is not named by its key")?;
    let mut by_key = Reader::new(by_key.content);
    let responder_key_hash = by_key.expect(tlv::OCTET_STRING, "the responder's key hash is missing")?.content;
    by_key.end("something follows the responder's key hash")?;
    let produced_at = time(data.next()?)?;
    let list = data.expect(tlv::SEQUENCE, "the list of responses is missing")?;
    let extensions = data.optional(tag::C1)?;
    data.end("something follows the extensions")?;
    let mut singles = Vec::with_capacity(1);
    let mut list = Reader::new(list.content);
    while let Some(single) = list.next()? {
        singles.push(single_response(single)?);
    }
    let nonce = extensions.map(nonce).transpose()?;
    Ok(OcspResponse { signed, algorithm, signature, certificates, responder_key_hash, produced_at, singles, nonce })
}

fn single_response(element: Element<'_>) -> Result<SingleResponse<'_>, Malformed> {
    let mut single = Reader::only(element.raw, tlv::SEQUENCE, "a response is not a SEQUENCE")?;
    let id = single.expect(tlv::SEQUENCE, "a CertID is missing")?.raw;
    let status = single.next()?.ok_or(Malformed("a status is missing"))?;
    let status = match (status.tag, status.content) {
        (tag::GOOD, []) => CertStatus::Good,
        (tag::UNKNOWN, []) => CertStatus::Unknown,
        (tag::C1, content) => CertStatus::Revoked(revocation(content)?),
        _ => return Err(Malformed("a status is none of the three")),
    };
    let this_update = time(single.next()?)?;
    let next_update = match single.optional(tag::C0)? {
        Some(explicit) => {
            let mut explicit = Reader::new(explicit.content);
            let at = time(explicit.next()?)?;
            explicit.end("something follows nextUpdate")?;
            Some(at)
        }
        None => None,
    };
    single.end("something follows the times")?;
    Ok(SingleResponse { id, status, this_update, next_update })
}

fn revocation(content: &[u8]) -> Result<Revocation, Malformed> {
    let mut info = Reader::new(content);
    let at = time(info.next()?)?;
    let reason = match info.optional(tag::C0)?.map(|explicit| explicit.content) {
        None => RevocationReason::Unspecified,
        Some([tag::ENUMERATED, 1, code]) => {
            RevocationReason::from_code(*code).ok_or(Malformed("a reason is not known"))?
        }
        Some(_) => return Err(Malformed("a reason is not an ENUMERATED")),
    };
    info.end("something follows the reason")?;
    Ok(Revocation { at, reason })
}

fn nonce(explicit: Element<'_>) -> Result<&[u8], Malformed> {
    let mut list = Reader::only(explicit.content, tlv::SEQUENCE, "the extensions are not a SEQUENCE")?;
    let extension = list.expect(tlv::SEQUENCE, "the extension is missing")?;
    list.end("there is more than one extension")?;
    let mut extension = Reader::new(extension.content);
    if extension.expect(tlv::OID, "the extension has no OID")?.content != oid::NONCE {
        return Err(Malformed("the extension is not the nonce"));
    }
    let value = extension.expect(tlv::OCTET_STRING, "the extension has no value")?.content;
    extension.end("something follows the extension's value")?;
    let mut value = Reader::new(value);
    let octets = value.expect(tlv::OCTET_STRING, "the nonce is not an OCTET STRING")?.content;
    value.end("something follows the nonce")?;
    Ok(octets)
}

/// GeneralizedTime, `YYYYMMDDHHMMSSZ`.
fn time(element: Option<Element<'_>>) -> Result<Timestamp, Malformed> {
    const WRONG: Malformed = Malformed("a time is not written as RFC 5280 asks");
    let element = element.filter(|element| element.tag == tlv::GENERALIZED_TIME).ok_or(WRONG)?;
    generalized(element.content).ok_or(WRONG)
}
