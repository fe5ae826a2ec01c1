//! Managed certificates: `ensure`, versions, renewal, import, bundles, deletion.
//!
//! **How a version is made.** The request is judged with a sample key (a refused one costs no key); a key is made and
//! sealed; the one path of [`crate::issuance`] signs; then one transaction writes key, inventory row, version, certificate
//! and audit events, as compare-and-swap on the certificate's revision. Calls for one certificate take turns on a node, so
//! that a hundred identical ones sign once; between nodes the compare-and-swap decides, and the loser looks again.

mod change;
mod deletion;
mod due;
mod ensure;
mod files;
mod import;
mod keys;
mod locks;
mod make;
mod read;
mod renew;
mod version;
mod wish;

pub(crate) use due::reason_of;
pub use files::{Brought, KeyFile};
pub(crate) use files::{at as container_fault, blocking};
pub(crate) use keys::{KEY_VAULT, NewVersionKey};
pub(crate) use locks::Locks;
pub(crate) use read::find;
pub(crate) use wish::wish_reference;

use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::managed::{CertificateVersion, ManagedCertificate, RenewalAttempt, RenewalKey, RenewalOutlook};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::san::San;
use certwright_domain::secret::SecretBytes;
use certwright_domain::stage::Stage;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::{RequestedValidity, Validity};
use certwright_domain::violation::Verdict;

/// A managed certificate as a request describes it.
pub struct CertificateRequest {
    /// Its name.
    pub name: ResourceName,
    /// What it is to be.
    pub content: Content,
    /// How it is to be renewed.
    pub renewal: RenewalRequest,
    /// May the private key of versions be read again?
    pub exportable: bool,
    /// Name of the version, should one be made.
    pub version_name: Option<ResourceName>,
    /// A new version of a certificate that is there already waits to be made current.
    pub pending: bool,
}

/// What a certificate is to be.
pub enum Content {
    /// Issued by a CA of ours.
    Wished(WishRequest),
    /// Brought along.
    Imported(ImportedCertificate),
}

/// A wish as a request gives it; what is missing takes its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishRequest {
    /// The CA.
    pub ca: Reference,
    /// Default `tls-server-or-client`.
    pub profile: Option<Reference>,
    /// Subject; with a CSR default the CSR's.
    pub subject: Option<DistinguishedName>,
    /// Names; with a CSR default the CSR's.
    pub names: Option<Vec<San>>,
    /// Default ECDSA P-256, or the first that the profile allows; not with a CSR.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// Validity.
    pub validity: RequestedValidity,
    /// CSR, PEM or DER: the requester holds the key.
    pub csr: Option<Vec<u8>>,
}

/// A certificate with its key, made elsewhere.
pub struct ImportedCertificate {
    /// The certificates in any order, DER; the one that the key belongs to is the leaf.
    pub certificates: Vec<Vec<u8>>,
    /// PKCS#8, PKCS#1 or SEC1 DER.
    pub private_key: SecretBytes,
}

/// A renewal rule as a request gives it; its parts are judged against the lifetime.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RenewalRequest {
    /// Renew this long after notBefore.
    pub interval: Option<Span>,
    /// Renew this long before notAfter.
    pub advance_period: Option<Span>,
    /// Default: the job renews.
    pub automatic: Option<bool>,
    /// Default: a fresh key each time.
    pub key: Option<RenewalKey>,
}

/// What an ensure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnsureOutcome {
    /// The certificate was made.
    Created,
    /// It has a new version.
    NewVersion,
    /// Its settings were changed; the version is the same.
    Changed,
    /// It is as wished already.
    Unchanged,
}

impl EnsureOutcome {
    /// As the wire says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::NewVersion => "NEW_VERSION",
            Self::Changed => "CHANGED",
            Self::Unchanged => "UNCHANGED",
        }
    }
}

/// What an ensure did, and why.
pub struct Ensured {
    /// The certificate as it is now.
    pub view: CertificateView,
    /// What happened.
    pub outcome: EnsureOutcome,
    /// Why, in a sentence.
    pub reason: String,
}

/// A change to a certificate; `None` leaves as is. Name, renewal, exportability and state take effect at once; what the
/// certificate is to be, at its next version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateCertificate {
    /// New name.
    pub name: Option<ResourceName>,
    /// Enable or disable renewal.
    pub enabled: Option<bool>,
    /// May the private key of versions be read again? Taking it back works at once, giving it from the next version on.
    pub exportable: Option<bool>,
    /// How it is renewed: replaces the whole rule.
    pub renewal: Option<RenewalRequest>,
    /// The CA that issues the next version.
    pub ca: Option<Reference>,
    /// Profile of the next version.
    pub profile: Option<Reference>,
    /// Subject of the next version.
    pub subject: Option<DistinguishedName>,
    /// Names of the next version.
    pub names: Option<Vec<San>>,
    /// Key algorithm of the next version.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// Validity of the next version.
    pub validity: Option<RequestedValidity>,
}

/// A new version on request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenewCertificate {
    /// Kind `CSR`: the new CSR, PEM or DER.
    pub csr: Option<Vec<u8>>,
    /// Kind `CSR`: certify the key of the last CSR again.
    pub reuse_csr: bool,
    /// Kind `INTERNAL`: which key; default as the certificate's renewal says.
    pub key: Option<RenewalKey>,
    /// Name of the new version.
    pub version_name: Option<ResourceName>,
    /// It waits to be made current.
    pub pending: bool,
}

/// A certificate with what its JSON shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateView {
    /// The certificate.
    pub certificate: ManagedCertificate,
    /// Name of the CA that issues it.
    pub ca_name: Option<String>,
    /// The current version, or the newest where none is current; `None` in a trial.
    pub version: Option<CertificateVersionView>,
    /// What becomes of it next.
    pub outlook: RenewalOutlook,
    /// The last attempt to renew it.
    pub last_attempt: Option<RenewalAttempt>,
    /// Verdicts of the rules, where they were asked.
    pub verdicts: Vec<Verdict>,
    /// The validity that a trial would give.
    pub would_last: Option<Validity>,
}

/// A version with its stages and when it is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateVersionView {
    /// The version.
    pub version: CertificateVersion,
    /// Its stages.
    pub stages: Vec<Stage>,
    /// When it is due.
    pub renew_at: Timestamp,
}

/// A version for its users: certificate, chain, and the key on request.
pub struct Bundle {
    /// The certificate it belongs to.
    pub certificate: ManagedCertificate,
    /// The version.
    pub version: CertificateVersion,
    /// Its stages.
    pub stages: Vec<Stage>,
}

impl Bundle {
    /// DER, leaf first, without the root.
    pub fn chain(&self) -> Vec<Vec<u8>> {
        let above = self.version.chain.iter().filter(|der| !read::is_root(der)).cloned();
        std::iter::once(self.version.certificate.clone()).chain(above).collect()
    }
}
