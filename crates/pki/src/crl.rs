//! Certificate revocation lists (RFC 5280 section 5): ours, built and checked, and those that others made.
//!
//! The way of a CRL is that of a certificate: [`CrlBuilder`] takes the entries as they come, [`CrlBuilder::finish_tbs`]
//! gives the exact bytes to be signed ([`PreparedCrl`]), a key signs them elsewhere, and [`PreparedCrl::finish`] puts
//! them together, reads the result back, compares it with what was asked for and verifies it. Only then there is a [`Crl`].
//!
//! A CRL may have millions of entries, so that nothing here holds them twice: they are encoded when they are pushed,
//! and compared by a digest over what was pushed and what is read ([`tally`]). The encoder is our own because rcgen has
//! no delta CRLs and x509-cert wants all entries as a structure; the reader shares no code with it.

mod build;
mod check;
mod encode;
mod entries;
mod extensions;
mod foreign;
mod list;
mod tally;
mod twice;

pub use build::{CrlBuilder, PreparedCrl};
pub use foreign::{CrlScope, ForeignCrl, MAX_CRL_BYTES, MAX_CRL_UPLOAD_BYTES, read_crl};

use crate::tlv::Malformed;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;
use certwright_domain::violation::Invalid;
use std::fmt;

/// Most entries of a CRL of ours; about 200 MB. Shards keep CRLs far below it.
pub const MAX_CRL_ENTRIES: usize = 5_000_000;

/// What a CRL is to say beside its entries. [`CrlBuilder::new`] refuses what does not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlHeader {
    /// cRLNumber, above 0; every CRL of an issuer and scope has a higher one than those before.
    pub number: i64,
    /// thisUpdate; the fraction of a second is dropped.
    pub this_update: Timestamp,
    /// nextUpdate, after `this_update`; the fraction of a second is dropped.
    pub next_update: Timestamp,
    /// Complete, or changes only.
    pub kind: CrlKind,
    /// URLs of the critical issuingDistributionPoint, exactly those that stand in the crlDistributionPoints of the
    /// certificates that this shard is for. Empty for a CRL about all of the issuer's certificates, which then has no such
    /// extension: many clients do not know it.
    pub distribution_point: Vec<String>,
}

/// Complete, or changes only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrlKind {
    /// All revoked certificates of its scope.
    Full {
        /// URLs of freshestCRL, where the delta CRL is; empty leaves the extension out.
        freshest: Vec<String>,
    },
    /// What changed since another CRL of the same scope.
    Delta {
        /// cRLNumber of that complete CRL, above 0 and below the delta's own.
        base: i64,
    },
}

impl CrlHeader {
    /// The number of the CRL that this delta completes.
    fn base(&self) -> Option<i64> {
        match self.kind {
            CrlKind::Full { .. } => None,
            CrlKind::Delta { base } => Some(base),
        }
    }

    /// URLs of freshestCRL.
    fn freshest(&self) -> &[String] {
        match &self.kind {
            CrlKind::Full { freshest } => freshest,
            CrlKind::Delta { .. } => &[],
        }
    }
}

/// A CRL of ours, read back, compared and verified. Made by [`PreparedCrl::finish`] alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Crl {
    der: Vec<u8>,
    sha256: Sha256,
    header: CrlHeader,
    entry_count: usize,
}

impl Crl {
    /// DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// DER, to keep.
    pub fn into_der(self) -> Vec<u8> {
        self.der
    }

    /// SHA-256 of the DER.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// cRLNumber.
    pub fn number(&self) -> i64 {
        self.header.number
    }

    /// thisUpdate, a whole second.
    pub fn this_update(&self) -> Timestamp {
        self.header.this_update
    }

    /// nextUpdate, a whole second.
    pub fn next_update(&self) -> Timestamp {
        self.header.next_update
    }

    /// The number of the complete CRL, for a delta.
    pub fn base(&self) -> Option<i64> {
        self.header.base()
    }

    /// URLs of issuingDistributionPoint; empty when there is no such extension.
    pub fn distribution_point(&self) -> &[String] {
        &self.header.distribution_point
    }

    /// URLs of freshestCRL; empty when there is no such extension.
    pub fn freshest(&self) -> &[String] {
        self.header.freshest()
    }

    /// How many entries there are.
    pub fn entry_count(&self) -> usize {
        self.entry_count
    }
}

impl fmt::Debug for Crl {
    /// Without the bytes, of which there are many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { der: _, sha256, header, entry_count } = self;
        f.debug_struct("Crl")
            .field("sha256", sha256)
            .field("header", header)
            .field("entries", entry_count)
            .finish_non_exhaustive()
    }
}

/// What is wrong with the bytes of a CRL: the end of a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    why: String,
    hint: &'static str,
}

impl Fault {
    fn new(why: impl Into<String>, hint: &'static str) -> Self {
        Self { why: why.into(), hint }
    }

    fn malformed(why: &'static str) -> Self {
        Self::new(why, "Send the CRL as its CA publishes it, PEM or DER.")
    }

    /// In the entry with this number, counted from 1.
    fn at_entry(self, number: usize) -> Self {
        Self { why: format!("entry {number}: {}", self.why), ..self }
    }
}

impl From<Malformed> for Fault {
    fn from(at: Malformed) -> Self {
        Self::malformed(at.0)
    }
}

impl From<Fault> for crate::Error {
    fn from(fault: Fault) -> Self {
        Self::Invalid(fault.into())
    }
}

impl From<Fault> for Invalid {
    fn from(fault: Fault) -> Self {
        Self::new("invalid_crl", format!("The CRL cannot be used: {}.", fault.why), fault.hint)
    }
}

/// Contents of the OIDs of CRL and entry extensions (id-ce 2.5.29).
mod oid {
    pub(super) const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
    pub(super) const REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
    pub(super) const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
    pub(super) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
    pub(super) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];
    pub(super) const AUTHORITY_KEY_IDENTIFIER: &[u8] = crate::contents::oid::AUTHORITY_KEY_IDENTIFIER;
    pub(super) const FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];
}

#[cfg(test)]
mod tests;
