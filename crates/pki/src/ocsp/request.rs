//! Requests (RFC 6960 section 4.1).

use super::{oid, tag};
use crate::certificate::Certificate;
use crate::frame::spki_parts;
use crate::tlv::{self, Malformed, Reader};
use crate::{Error, sha256};
use aws_lc_rs::digest;
use certwright_domain::serial::Serial;

/// Most bytes of a request that is read: 32 CertIDs need about 4 kB.
pub const MAX_OCSP_REQUEST_BYTES: usize = 20 * 1024;
/// Most certificates that one request may ask about.
pub const MAX_SINGLE_REQUESTS: usize = 32;
/// Octets of a nonce (RFC 9654 section 2.1): shorter and longer ones must be refused.
const NONCE_OCTETS: std::ops::RangeInclusive<usize> = 1..=128;
/// Most extensions in one list.
const MAX_EXTENSIONS: usize = 16;

/// The request is not one that is answered; says why. The answer is `malformedRequest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedRequest(pub &'static str);

impl From<Malformed> for MalformedRequest {
    fn from(at: Malformed) -> Self {
        Self(at.0)
    }
}

/// A request: which certificates, and the nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspRequest<'a> {
    /// At least one, at most [`MAX_SINGLE_REQUESTS`].
    pub ids: Vec<CertId<'a>>,
    /// The nonce's octets, 1 to 128.
    pub nonce: Option<&'a [u8]>,
}

/// The hash of a [`CertId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdHash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// Another one: no issuer that we know.
    Other,
}

/// Identifies a certificate by its issuer's name and key and its serial (RFC 6960 section 4.1.1, CertID).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertId<'a> {
    /// The whole element; a response repeats it byte for byte.
    pub raw: &'a [u8],
    /// The hash.
    pub hash: IdHash,
    /// Hash of the DER of the issuer's name.
    pub name_hash: &'a [u8],
    /// Hash of the bits of the issuer's public key.
    pub key_hash: &'a [u8],
    /// The serial; `None`: a number that no certificate of ours can have.
    pub serial: Option<Serial>,
}

/// Might these bytes be a request with a nonce? `false` is certain, `true` is not: its OID is somewhere among them. For those
/// who would rather not read a request.
pub fn may_have_ocsp_nonce(der: &[u8]) -> bool {
    // It stands near the end.
    der.windows(oid::NONCE.len()).rev().any(|window| window == oid::NONCE)
}

/// Reads a DER OCSPRequest.
///
/// # Errors
/// [`MalformedRequest`] for what is not DER, too large, asks about nothing or too much, repeats an extension, carries a
/// critical extension that is not the nonce, or a nonce that is empty or longer than 128 octets.
pub fn read_ocsp_request(der: &[u8]) -> Result<OcspRequest<'_>, MalformedRequest> {
    if der.len() > MAX_OCSP_REQUEST_BYTES {
        return Err(MalformedRequest("it is too large"));
    }
    tlv::check(der)?;
    let mut outer = Reader::only(der, tlv::SEQUENCE, "it is not a SEQUENCE")?;
    let request = outer.expect(tlv::SEQUENCE, "the TBSRequest is missing")?;
    // The requester's signature: of the right shape, not looked at.
    if let Some(signature) = outer.optional(tag::C0)? {
        Reader::only(signature.content, tlv::SEQUENCE, "the signature is not a SEQUENCE")?;
    }
    outer.end("something follows the request")?;

    let mut request = Reader::new(request.content);
    if let Some(version) = request.optional(tag::C0)?
        && version.content != [tlv::INTEGER, 1, 0]
    {
        return Err(MalformedRequest("the version is not 1"));
    }
    request.optional(tag::C1)?;
    let list = request.expect(tlv::SEQUENCE, "the list of requests is missing")?;
    let extensions = request.optional(tag::C2)?;
    request.end("something follows the extensions")?;

    let mut ids = Vec::with_capacity(1);
    let mut list = Reader::new(list.content);
    while let Some(single) = list.next()? {
        if ids.len() >= MAX_SINGLE_REQUESTS {
            return Err(MalformedRequest("it asks about too many certificates"));
        }
        let mut single = Reader::only(single.raw, tlv::SEQUENCE, "a single request is not a SEQUENCE")?;
        ids.push(cert_id(&mut single)?);
        if let Some(extensions) = single.optional(tag::C0)? {
            // None is known for a single request; the nonce belongs to the whole.
            read_extensions(extensions.content, &[])?;
        }
        single.end("something follows a single request")?;
    }
    if ids.is_empty() {
        return Err(MalformedRequest("it asks about no certificate"));
    }
    let nonce = match extensions {
        Some(extensions) => read_extensions(extensions.content, oid::NONCE)?.map(nonce).transpose()?,
        None => None,
    };
    Ok(OcspRequest { ids, nonce })
}

fn cert_id<'a>(single: &mut Reader<'a>) -> Result<CertId<'a>, MalformedRequest> {
    let element = single.expect(tlv::SEQUENCE, "a CertID is missing")?;
    let mut id = Reader::new(element.content);
    let algorithm = id.expect(tlv::SEQUENCE, "a CertID names no hash")?;
    let name_hash = id.expect(tlv::OCTET_STRING, "a CertID has no name hash")?.content;
    let key_hash = id.expect(tlv::OCTET_STRING, "a CertID has no key hash")?.content;
    let serial = id.expect(tlv::INTEGER, "a CertID has no serial")?.content;
    id.end("something follows the serial of a CertID")?;

    let mut algorithm = Reader::new(algorithm.content);
    let name = algorithm.expect(tlv::OID, "a hash has no OID")?.content;
    let parameters = algorithm.next()?;
    algorithm.end("a hash has more than one parameter")?;
    let (hash, length) = match name {
        oid::SHA1 => (IdHash::Sha1, Some(20)),
        oid::SHA256 => (IdHash::Sha256, Some(32)),
        _ => (IdHash::Other, None),
    };
    if let Some(length) = length {
        if parameters.is_some_and(|parameters| parameters.tag != tlv::NULL) {
            return Err(MalformedRequest("a hash has parameters that are not NULL"));
        }
        if name_hash.len() != length || key_hash.len() != length {
            return Err(MalformedRequest("a hash has a wrong length"));
        }
    }
    let negative = serial.first().is_some_and(|first| *first >= 0x80);
    let serial = if negative { None } else { Serial::from_bytes(serial).ok() };
    Ok(CertId { raw: element.raw, hash, name_hash, key_hash, serial })
}

/// The value of the extension `known` in an EXPLICIT list of extensions.
fn read_extensions<'a>(explicit: &'a [u8], known: &[u8]) -> Result<Option<&'a [u8]>, MalformedRequest> {
    let mut list = Reader::only(explicit, tlv::SEQUENCE, "the extensions are not a SEQUENCE")?;
    let mut seen: Vec<&[u8]> = Vec::with_capacity(1);
    let mut found = None;
    while let Some(extension) = list.next()? {
        let mut extension = Reader::only(extension.raw, tlv::SEQUENCE, "an extension is not a SEQUENCE")?;
        let name = extension.expect(tlv::OID, "an extension has no OID")?.content;
        let critical = extension.optional(tlv::BOOLEAN)?.is_some_and(|critical| critical.content == [0xff]);
        let value = extension.expect(tlv::OCTET_STRING, "an extension has no value")?.content;
        extension.end("something follows the value of an extension")?;
        if seen.contains(&name) {
            return Err(MalformedRequest("it has an extension twice"));
        }
        if seen.len() >= MAX_EXTENSIONS {
            return Err(MalformedRequest("it has too many extensions"));
        }
        seen.push(name);
        if !known.is_empty() && name == known {
            found = Some(value);
        } else if critical {
            return Err(MalformedRequest("it has a critical extension that is not known here"));
        }
    }
    Ok(found)
}

/// The nonce is an OCTET STRING within the extension's OCTET STRING.
fn nonce(value: &[u8]) -> Result<&[u8], MalformedRequest> {
    let mut reader = Reader::new(value);
    let octets = reader.expect(tlv::OCTET_STRING, "the nonce is not an OCTET STRING")?.content;
    reader.end("something follows the nonce")?;
    if NONCE_OCTETS.contains(&octets.len()) {
        Ok(octets)
    } else {
        Err(MalformedRequest("the nonce is not of 1 to 128 octets"))
    }
}

/// What a [`CertId`] calls an issuer by: the hashes of its name and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspIssuer {
    sha1: ([u8; 20], [u8; 20]),
    sha256: ([u8; 32], [u8; 32]),
}

impl OcspIssuer {
    /// The identifiers of the CA with this certificate.
    ///
    /// # Errors
    /// Never for a certificate that was read by this crate.
    pub fn of(ca: &Certificate) -> Result<Self, Error> {
        let bits = key_bits(ca)?;
        Ok(Self { sha1: (sha1(&ca.subject_der), sha1(bits)), sha256: (sha256(&ca.subject_der).0, sha256(bits).0) })
    }

    /// Does the identifier name this issuer, by name and by key?
    pub fn is_named_by(&self, id: &CertId<'_>) -> bool {
        match id.hash {
            IdHash::Sha1 => id.name_hash == self.sha1.0 && id.key_hash == self.sha1.1,
            IdHash::Sha256 => id.name_hash == self.sha256.0 && id.key_hash == self.sha256.1,
            IdHash::Other => false,
        }
    }
}

/// The bits of a certificate's public key, which OCSP hashes without tag, length and unused bits.
pub(super) fn key_bits(certificate: &Certificate) -> Result<&[u8], Error> {
    let (_, bits) = spki_parts(&certificate.public_key.spki).map_err(|at| Error::SelfCheck(at.0.to_owned()))?;
    Ok(bits)
}

/// SHA-1, for identifiers alone: RFC 6960 and RFC 5019 ask for it, nothing is signed with it.
pub(super) fn sha1(bytes: &[u8]) -> [u8; 20] {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    let mut out = [0; 20];
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    out
}
