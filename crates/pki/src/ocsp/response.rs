//! Responses (RFC 6960 section 4.2).

use super::request::{CertId, key_bits, sha1};
use super::{oid, read, tag};
use crate::certificate::Certificate;
use crate::key::{self, VerificationKey};
use crate::{Error, tlv};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::time::Timestamp;
use std::sync::Arc;

/// An answer without a signature (RFC 6960 section 4.2.1, OCSPResponseStatus).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OcspError {
    /// The request is not one that is answered.
    MalformedRequest,
    /// Our fault.
    InternalError,
    /// Not now.
    TryLater,
    /// Not a CA that we answer for (RFC 5019 section 2.2.3).
    Unauthorized,
}

impl OcspError {
    /// The DER OCSPResponse.
    pub fn der(self) -> &'static [u8] {
        match self {
            Self::MalformedRequest => &[0x30, 3, tag::ENUMERATED, 1, 1],
            Self::InternalError => &[0x30, 3, tag::ENUMERATED, 1, 2],
            Self::TryLater => &[0x30, 3, tag::ENUMERATED, 1, 3],
            Self::Unauthorized => &[0x30, 3, tag::ENUMERATED, 1, 6],
        }
    }

    /// The name in RFC 6960.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformedRequest",
            Self::InternalError => "internalError",
            Self::TryLater => "tryLater",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// What is said of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertStatus {
    /// Issued and not revoked.
    Good,
    /// Revoked. `unspecified` is left out of the response, as it is of revocation lists.
    Revoked(Revocation),
    /// Nothing is known of it: never issued here.
    Unknown,
}

/// One certificate and its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleStatus<'a> {
    /// As it was asked for.
    pub id: &'a CertId<'a>,
    /// Its status.
    pub status: CertStatus,
}

/// What a response says. Times are cut to whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspContent<'a> {
    /// One for each that was asked for, in their order.
    pub singles: &'a [SingleStatus<'a>],
    /// producedAt and thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// The request's nonce.
    pub nonce: Option<&'a [u8]>,
}

/// How the signature is looked at before a response is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureCheck {
    /// Verified with the responder's public key.
    Verified,
    /// Not verified: the caller verifies others of the same signer. For answers to one caller, who verifies it anyway.
    Sampled,
}

/// Who signs responses: the responder's identity, encoded once.
#[derive(Debug)]
pub struct OcspResponder {
    key_hash: [u8; 20],
    /// responderID byKey, whole element.
    responder_id: Vec<u8>,
    /// `certs` of BasicOCSPResponse, whole element; empty when the CA itself signs.
    certificates: Vec<u8>,
    algorithm: SignatureAlgorithm,
    key: Arc<VerificationKey>,
}

impl OcspResponder {
    /// A delegated responder, whose certificate goes with each response.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the algorithm does not fit the key.
    pub fn delegated(certificate: &Certificate, algorithm: SignatureAlgorithm) -> Result<Self, Error> {
        let list = tlv::element(tlv::SEQUENCE, &[&certificate.der]);
        Self::new(certificate, algorithm, tlv::element(tag::C0, &[&list]))
    }

    /// The CA itself; whoever asks has its certificate.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the algorithm does not fit the key.
    pub fn issuer(certificate: &Certificate, algorithm: SignatureAlgorithm) -> Result<Self, Error> {
        Self::new(certificate, algorithm, Vec::new())
    }

    fn new(certificate: &Certificate, algorithm: SignatureAlgorithm, certificates: Vec<u8>) -> Result<Self, Error> {
        let key_hash = sha1(key_bits(certificate)?);
        let octets = tlv::element(tlv::OCTET_STRING, &[&key_hash]);
        let key = certificate.verification_key(algorithm)?;
        Ok(Self { key_hash, responder_id: tlv::element(tag::C2, &[&octets]), certificates, algorithm, key })
    }

    /// How it signs.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Builds the bytes to be signed (ResponseData).
    pub fn prepare<'a>(&'a self, content: OcspContent<'a>) -> PreparedResponse<'a> {
        let (this_update, next_update) = (time(content.this_update), time(content.next_update));
        let next_update = tlv::element(tag::C0, &[&tlv::element(tlv::GENERALIZED_TIME, &[&next_update])]);
        let this_update = tlv::element(tlv::GENERALIZED_TIME, &[&this_update]);
        let mut singles = Vec::with_capacity(160);
        for single in content.singles {
            let status = status(single.status);
            tlv::write(&mut singles, tlv::SEQUENCE, &[single.id.raw, &status, &this_update, &next_update]);
        }
        let singles = tlv::element(tlv::SEQUENCE, &[&singles]);
        let extensions = content.nonce.map(nonce).unwrap_or_default();
        let tbs = tlv::element(tlv::SEQUENCE, &[&self.responder_id, &this_update, &singles, &extensions]);
        PreparedResponse { responder: self, content, tbs }
    }
}

/// A response that is to be signed. Used once.
#[derive(Debug)]
pub struct PreparedResponse<'a> {
    responder: &'a OcspResponder,
    content: OcspContent<'a>,
    tbs: Vec<u8>,
}

impl PreparedResponse<'_> {
    /// The bytes to be signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Puts the signature on, reads the response back and compares it with what it was to say.
    ///
    /// # Errors
    /// [`Error::SelfCheck`]: nothing is released.
    pub fn finish(self, signature: &[u8], check: SignatureCheck) -> Result<Vec<u8>, Error> {
        let responder = self.responder;
        if check == SignatureCheck::Verified {
            responder
                .key
                .verify(&self.tbs, signature)
                .map_err(|_| Error::SelfCheck("the signature was not made by the responder's key".to_owned()))?;
        }
        let algorithm = key::signature_identifier(responder.algorithm);
        let der = self.assemble(algorithm, signature);
        self.compare(&der, algorithm, signature)?;
        Ok(der)
    }

    /// OCSPResponse, written from the outside to the inside, once.
    fn assemble(&self, algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
        const SUCCESSFUL: &[u8] = &[tag::ENUMERATED, 1, 0];
        let sum = |parts: &[usize]| parts.iter().fold(0_usize, |sum, part| sum.saturating_add(*part));
        let certificates = &self.responder.certificates;
        let bits = sum(&[1, signature.len()]);
        let basic = sum(&[self.tbs.len(), algorithm.len(), tlv::size(bits), certificates.len()]);
        let octets = tlv::size(basic);
        let typed = sum(&[tlv::size(oid::BASIC.len()), tlv::size(octets)]);
        let explicit = tlv::size(typed);
        let whole = sum(&[SUCCESSFUL.len(), tlv::size(explicit)]);
        let mut der = Vec::with_capacity(tlv::size(whole));
        tlv::write_head(&mut der, tlv::SEQUENCE, whole);
        der.extend_from_slice(SUCCESSFUL);
        tlv::write_head(&mut der, tag::C0, explicit);
        tlv::write_head(&mut der, tlv::SEQUENCE, typed);
        tlv::write(&mut der, tlv::OID, &[oid::BASIC]);
        tlv::write_head(&mut der, tlv::OCTET_STRING, octets);
        tlv::write_head(&mut der, tlv::SEQUENCE, basic);
        der.extend_from_slice(&self.tbs);
        der.extend_from_slice(algorithm);
        tlv::write(&mut der, tlv::BIT_STRING, &[&[0], signature]);
        der.extend_from_slice(certificates);
        der
    }

    fn compare(&self, der: &[u8], algorithm: &[u8], signature: &[u8]) -> Result<(), Error> {
        let same = |equal: bool, what: &str| match equal {
            true => Ok(()),
            false => Err(Error::SelfCheck(format!("the response's {what} is not what was meant"))),
        };
        let found = read::read_ocsp_response(der)?;
        let (responder, content) = (self.responder, &self.content);
        same(found.signed == self.tbs, "signed part")?;
        same(found.algorithm == algorithm, "signature algorithm")?;
        same(found.signature == signature, "signature")?;
        same(found.responder_key_hash == responder.key_hash, "responder")?;
        same(found.certificates == responder.certificates, "list of certificates")?;
        same(found.produced_at == content.this_update.floor_to_second(), "producedAt")?;
        same(found.nonce == content.nonce, "nonce")?;
        same(found.singles.len() == content.singles.len(), "list of certificates asked for")?;
        for (found, meant) in found.singles.iter().zip(content.singles) {
            same(found.id == meant.id.raw, "CertID")?;
            same(found.status == whole_seconds(meant.status), "status")?;
            same(found.this_update == content.this_update.floor_to_second(), "thisUpdate")?;
            same(found.next_update == Some(content.next_update.floor_to_second()), "nextUpdate")?;
        }
        Ok(())
    }
}

fn whole_seconds(status: CertStatus) -> CertStatus {
    match status {
        CertStatus::Revoked(Revocation { at, reason }) => {
            CertStatus::Revoked(Revocation { at: at.floor_to_second(), reason })
        }
        other => other,
    }
}

/// CertStatus, whole element.
fn status(status: CertStatus) -> Vec<u8> {
    match status {
        CertStatus::Good => vec![tag::GOOD, 0],
        CertStatus::Unknown => vec![tag::UNKNOWN, 0],
        CertStatus::Revoked(Revocation { at, reason }) => {
            let at = tlv::element(tlv::GENERALIZED_TIME, &[&time(at)]);
            let reason = match reason {
                RevocationReason::Unspecified => Vec::new(),
                given => tlv::element(tag::C0, &[&[tag::ENUMERATED, 1, given.code()]]),
            };
            tlv::element(tag::C1, &[&at, &reason])
        }
    }
}

/// responseExtensions with the nonce, whole element.
fn nonce(octets: &[u8]) -> Vec<u8> {
    let value = tlv::element(tlv::OCTET_STRING, &[&tlv::element(tlv::OCTET_STRING, &[octets])]);
    let extension = tlv::element(tlv::SEQUENCE, &[&tlv::element(tlv::OID, &[oid::NONCE]), &value]);
    tlv::element(tag::C1, &[&tlv::element(tlv::SEQUENCE, &[&extension])])
}

/// GeneralizedTime in UTC with seconds and without a fraction (RFC 5280 section 4.1.2.5.2), `YYYYMMDDHHMMSSZ`.
fn time(at: Timestamp) -> [u8; 15] {
    let at = at.to_utc();
    let year = u16::try_from(at.year()).unwrap_or(9999);
    let (century, year) = (year / 100, year % 100);
    let pair = |value: u16| {
        let digit = |digit: u16| b'0'.saturating_add(u8::try_from(digit % 10).unwrap_or(0));
        [digit(value / 10), digit(value)]
    };
    let pairs = [
        century,
        year,
        u16::from(u8::from(at.month())),
        u16::from(at.day()),
        u16::from(at.hour()),
        u16::from(at.minute()),
        u16::from(at.second()),
    ];
    let mut out = [b'Z'; 15];
    out.iter_mut().zip(pairs.into_iter().flat_map(pair)).for_each(|(to, from)| *to = from);
    out
}
