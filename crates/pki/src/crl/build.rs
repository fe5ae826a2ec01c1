//! Building a CRL of ours, and what becomes of it when it is signed.

use super::check::{self, Expected};
use super::tally::Tally;
use super::{Crl, CrlHeader, CrlKind, MAX_CRL_ENTRIES, encode};
use crate::certificate::Certificate;
use crate::frame::Signed;
use crate::key::{self, VerificationKey};
use crate::{Error, sha256, tlv};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::revocation::{CrlEntry, EntryKind};
use certwright_domain::rules::signature_fits;
use std::fmt;
use std::sync::Arc;

/// Room for the outermost SEQUENCE, the algorithm and the longest signature (RSA, 8192 bits).
const SIGNATURE_ROOM: usize = 2048;

/// A CRL that takes its entries one after the other, in whatever order they come.
pub struct CrlBuilder {
    header: CrlHeader,
    algorithm: SignatureAlgorithm,
    issuer_der: Vec<u8>,
    authority_key_id: Vec<u8>,
    issuer_key: Arc<VerificationKey>,
    /// Encoded.
    entries: Vec<u8>,
    pub(super) tally: Tally,
    scratch: Vec<u8>,
}

impl CrlBuilder {
    /// For the CA that `issuer` is the certificate of. A header that does not fit together, an issuer that may not sign
    /// CRLs and an algorithm that does not fit its key are faults of ours ([`Error::SelfCheck`]).
    pub fn new(issuer: &Certificate, algorithm: SignatureAlgorithm, mut header: CrlHeader) -> Result<Self, Error> {
        header.this_update = header.this_update.floor_to_second();
        header.next_update = header.next_update.floor_to_second();
        check_header(&header).map_err(|why| Error::SelfCheck(why.to_owned()))?;
        if issuer.ca.is_none() || !issuer.may_sign_crls {
            return Err(Error::SelfCheck("the issuer may not sign CRLs".to_owned()));
        }
        if !signature_fits(&issuer.public_key, algorithm) {
            return Err(Error::SelfCheck(format!("{algorithm} does not fit the issuer's key")));
        }
        let authority_key_id = match &issuer.subject_key_id {
            Some(identifier) => identifier.clone(),
            None => key::key_identifier(&issuer.public_key).map_err(|at| check::ours(at.into()))?,
        };
        Ok(Self {
            header,
            algorithm,
            issuer_der: issuer.subject_der.clone(),
            authority_key_id,
            issuer_key: issuer.verification_key(algorithm)?,
            entries: Vec::new(),
            tally: Tally::new(),
            scratch: Vec::new(),
        })
    }

    /// Adds an entry; the fraction of its second is dropped. [`EntryKind::Removed`] in a full CRL and more entries than
    /// [`MAX_CRL_ENTRIES`] are refused ([`Error::SelfCheck`]), and the entry is not added.
    pub fn push(&mut self, entry: &CrlEntry) -> Result<(), Error> {
        if entry.kind == EntryKind::Removed && self.header.base().is_none() {
            return Err(Error::SelfCheck("only a delta CRL takes entries out".to_owned()));
        }
        if self.tally.count >= MAX_CRL_ENTRIES {
            return Err(Error::SelfCheck(format!("a CRL has at most {MAX_CRL_ENTRIES} entries")));
        }
        encode::entry(&mut self.entries, &mut self.scratch, entry);
        self.tally.add(entry.serial.as_bytes(), entry.revoked_at, entry.kind);
        Ok(())
    }

    /// Makes the exact bytes to be signed and reads them back: a wrong CRL must not even be signed. A serial that was pushed
    /// twice is an [`Error::SelfCheck`].
    pub fn finish_tbs(self) -> Result<PreparedCrl, Error> {
        let Self { header, algorithm, issuer_der, authority_key_id, issuer_key, entries: mut tbs, tally, .. } = self;
        let identifier = key::signature_identifier(algorithm);
        let mut head = encode::before_entries(&header, identifier, &issuer_der);
        let tail = encode::after_entries(&header, &authority_key_id);
        // The entries are not copied: what stands before them is pushed in front, what follows is appended.
        let around = head.len().saturating_add(tail.len()).saturating_add(SIGNATURE_ROOM);
        tbs.reserve_exact(around);
        // RFC 5280 section 5.1.2.6: no list rather than an empty one.
        if !tbs.is_empty() {
            tlv::write_head(&mut head, tlv::SEQUENCE, tbs.len());
        }
        tbs.extend_from_slice(&tail);
        let mut front = Vec::with_capacity(head.len().saturating_add(8));
        tlv::write_head(&mut front, tlv::SEQUENCE, head.len().saturating_add(tbs.len()));
        front.append(&mut head);
        drop(tbs.splice(..0, front));

        let expected = Expected { header, algorithm, issuer_der, authority_key_id, sum: tally.finish() };
        check::check_der(&tbs)?;
        expected.compare(&tbs)?;
        expected.refuse_twice(&tbs)?;
        Ok(PreparedCrl { tbs, expected, issuer_key })
    }
}

impl fmt::Debug for CrlBuilder {
    /// Without the bytes, of which there are many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CrlBuilder");
        shown.field("header", &self.header).field("entries", &self.tally.count).finish_non_exhaustive()
    }
}

/// The exact bytes that are to be signed, with everything needed to check the result. Used once.
pub struct PreparedCrl {
    pub(super) tbs: Vec<u8>,
    pub(super) expected: Expected,
    issuer_key: Arc<VerificationKey>,
}

impl PreparedCrl {
    /// The bytes to be signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// How many entries there are.
    pub fn entry_count(&self) -> usize {
        self.expected.sum.count
    }

    /// Puts the signature on, reads the CRL back, compares it with what was asked for, entries included, and verifies the
    /// signature with the issuer's public key. Whatever is not right is an [`Error::SelfCheck`].
    pub fn finish(self, signature: &[u8]) -> Result<Crl, Error> {
        let Self { tbs: mut der, expected, issuer_key } = self;
        let algorithm = key::signature_identifier(expected.algorithm);
        der.extend_from_slice(algorithm);
        tlv::write(&mut der, tlv::BIT_STRING, &[&[0], signature]);
        let mut front = Vec::new();
        tlv::write_head(&mut front, tlv::SEQUENCE, der.len());
        drop(der.splice(..0, front));

        let signed = Signed::read(&der).map_err(|at| check::ours(at.into()))?;
        issuer_key
            .verify(signed.body, signed.signature)
            .map_err(|_| Error::SelfCheck("the signature was not made by the issuer's key".to_owned()))?;
        if signed.algorithm != algorithm {
            return Err(Error::SelfCheck("the CRL names another signature algorithm".to_owned()));
        }
        expected.compare(signed.body)?;
        let Expected { header, sum, .. } = expected;
        Ok(Crl { sha256: sha256(&der), der, header, entry_count: sum.count })
    }
}

impl fmt::Debug for PreparedCrl {
    /// Without the bytes, of which there are many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PreparedCrl");
        shown.field("header", &self.expected.header).field("entries", &self.entry_count()).finish_non_exhaustive()
    }
}

fn check_header(header: &CrlHeader) -> Result<(), &'static str> {
    let CrlHeader { number, this_update, next_update, kind, distribution_point } = header;
    if *number < 1 {
        return Err("a CRL's number is not above 0");
    }
    if next_update <= this_update {
        return Err("a CRL's nextUpdate is not after its thisUpdate");
    }
    match kind {
        CrlKind::Delta { base } if !(1..*number).contains(base) => {
            return Err("a delta CRL's base is not a number below its own");
        }
        CrlKind::Delta { .. } | CrlKind::Full { .. } => {}
    }
    let mut urls = distribution_point.iter().chain(header.freshest());
    if !urls.all(|url| !url.is_empty() && url.bytes().all(|octet| octet.is_ascii_graphic())) {
        return Err("a CRL's URL is empty or not of visible ASCII");
    }
    Ok(())
}
