//! The one path that signs end-entity and CA certificates, whoever asks.
//!
//! `Request → Approved → Prepared → Signed → Recorded`: each step eats the one before, and [`Issued`] (what leaves the
//! process) can only be made from what was recorded.

mod authority;
mod chain;
mod leaf;
mod name_rate;
mod requests;
mod responder;

pub(crate) use authority::AuthorityPlan;
pub(crate) use leaf::{STALE_EPOCH, SignedLeaf};
pub(crate) use name_rate::NamePaces;
pub(crate) use requests::{csr_leaf, read_csr};

pub use chain::CaChain;

use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::name::Reference;
use certwright_domain::san::San;
use certwright_domain::secret::SecretBytes;
use certwright_domain::validity::{RequestedValidity, Validity};
use certwright_domain::violation::Verdict;
use std::sync::Arc;

/// Subject and names as a request gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Subject; `None` with a CSR: the CSR's.
    pub subject: Option<DistinguishedName>,
    /// Names; `None` with a CSR: the CSR's.
    pub names: Option<Vec<San>>,
}

/// A request in which we make the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueRequest {
    /// Subject and names.
    pub subject: Subject,
    /// Profile; default `tls-server-or-client`.
    pub profile: Option<Reference>,
    /// Key algorithm; default ECDSA P-256, or the first that the profile allows.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// Validity.
    pub validity: RequestedValidity,
}

/// A request with a CSR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignRequest {
    /// CSR, PEM or DER.
    pub csr: Vec<u8>,
    /// Subject and names that replace the CSR's, judged like any other.
    pub subject: Subject,
    /// Profile; default `tls-server-or-client`.
    pub profile: Option<Reference>,
    /// Validity.
    pub validity: RequestedValidity,
}

/// A certificate that is recorded, and what goes out with it.
pub struct Issued {
    /// The row of the inventory, as stored.
    pub row: IssuedCertificate,
    /// What stands above it.
    pub above: Arc<CaChain>,
    /// PKCS#8 of the key we made; returned once, never stored.
    pub private_key: Option<SecretBytes>,
    /// OIDs of CSR extensions that were not taken over.
    pub ignored_extensions: Vec<String>,
}

impl Issued {
    /// DER, leaf first, without the root.
    pub fn chain(&self) -> Vec<&[u8]> {
        let above = self.above.der_without_root().iter().map(Vec::as_slice);
        std::iter::once(self.row.certificate.as_slice()).chain(above).collect()
    }
}

/// The outcome of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Every rule with its verdict.
    pub verdicts: Vec<Verdict>,
    /// Did all of them pass?
    pub passed: bool,
    /// The CA.
    pub ca: String,
    /// The profile.
    pub profile: String,
    /// The subject.
    pub subject: String,
    /// The names.
    pub names: Vec<San>,
    /// The validity it would get; `None` when a rule refused.
    pub validity: Option<Validity>,
    /// OIDs of CSR extensions that would not be taken over.
    pub ignored_extensions: Vec<String>,
}
