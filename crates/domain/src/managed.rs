//! Managed certificates: named resources that live for years, with versions, a wish for what they are to be, and a rule
//! for when they are made anew.

mod plan;

pub use plan::{RenewalFacts, RenewalOutlook, overdue_at, plan_renewal, retry_at};

use crate::algorithm::{KeyAlgorithm, named_enum};
use crate::dn::DistinguishedName;
use crate::id::{AttemptId, CaId, CertificateId, IssuedId, KeyId};
use crate::name::ResourceName;
use crate::renewal::RenewalRule;
use crate::revocation::Revocation;
use crate::san::San;
use crate::serial::{Serial, Sha256};
use crate::stage::{Stage, VersionPointers};
use crate::time::{Span, Timestamp};
use crate::validity::{RequestedEnd, RequestedValidity, Validity};
use crate::violation::Invalid;

named_enum! {
    /// Who holds the private key of a managed certificate.
    CertificateKind, "invalid_kind", "certificate kind" {
        /// We do, sealed.
        Internal = "INTERNAL",
        /// The requester does; each version answers a CSR.
        Csr = "CSR",
        /// Brought along with its key, issued by someone else.
        Imported = "IMPORTED",
    }
}

named_enum! {
    /// State of a managed certificate.
    CertificateState, "invalid_state", "certificate state" {
        /// In use.
        Active = "ACTIVE",
        /// Not renewed until enabled again; what there is can be read.
        Disabled = "DISABLED",
        /// Deletion is scheduled; not renewed.
        PendingDeletion = "PENDING_DELETION",
        /// Gone; key material destroyed.
        Deleted = "DELETED",
    }
}

named_enum! {
    /// Which key a renewal certifies.
    RenewalKey, "invalid_renewal_key", "renewal key" {
        /// A fresh one.
        New = "NEW",
        /// The one of the version before.
        Same = "SAME",
    }
}

named_enum! {
    /// Why a version was made.
    VersionReason, "invalid_version_reason", "reason of a version" {
        /// It is the first.
        Created = "CREATED",
        /// The wish changed.
        WishChanged = "WISH_CHANGED",
        /// Renewal was due.
        RenewalDue = "RENEWAL_DUE",
        /// Someone asked for it.
        Requested = "REQUESTED",
        /// It was brought along.
        Imported = "IMPORTED",
    }
}

/// What a certificate is to be. Two equal wishes are met by the same certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The CA that issues it.
    pub ca: CaId,
    /// Name of the profile.
    pub profile: ResourceName,
    /// Subject; `None` with a CSR: the CSR's.
    pub subject: Option<DistinguishedName>,
    /// Names, sorted and without repeats; `None` with a CSR: the CSR's.
    pub names: Option<Vec<San>>,
    /// Algorithm of the key that we make; `None` with a CSR.
    pub key_algorithm: Option<KeyAlgorithm>,
    /// Validity of the version that is made at once; [`Wish::renewed_validity`] gives that of later ones.
    pub validity: RequestedValidity,
    /// The requester's CSR, DER.
    pub csr: Option<Vec<u8>>,
}

impl Wish {
    /// What a renewal asks for: fixed dates cannot be asked for again, so their distance is. `so_far` is the validity of
    /// the version before.
    pub fn renewed_validity(&self, so_far: Option<&Validity>) -> RequestedValidity {
        let end = match (self.validity.end, self.validity.not_before) {
            (RequestedEnd::NotAfter(_), _) => {
                so_far.map_or(RequestedEnd::Longest, |validity| RequestedEnd::Duration(validity.length()))
            }
            (end, _) => end,
        };
        RequestedValidity { not_before: None, end }
    }
}

/// How a certificate is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenewalSettings {
    /// When; `None`: after two thirds of the lifetime, half of one under ten days.
    pub rule: Option<RenewalRule>,
    /// By the job. Without, someone has to ask.
    pub automatic: bool,
    /// With which key.
    pub key: RenewalKey,
}

impl Default for RenewalSettings {
    fn default() -> Self {
        Self { rule: None, automatic: true, key: RenewalKey::New }
    }
}

/// A managed certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedCertificate {
    /// Id.
    pub id: CertificateId,
    /// Name, unique among managed certificates until deletion is final.
    pub name: ResourceName,
    /// Who holds the key.
    pub kind: CertificateKind,
    /// State.
    pub state: CertificateState,
    /// State to go back to when a deletion is cancelled.
    pub state_before_deletion: Option<CertificateState>,
    /// What it is to be; `None` for imported ones.
    pub wish: Option<Wish>,
    /// How it is renewed.
    pub renewal: RenewalSettings,
    /// May the private key of versions made from now on be read again?
    pub exportable: bool,
    /// Versions.
    pub versions: VersionPointers,
    /// The newest version that was made after the current one and is not revoked; read with the row, and never written.
    pub waiting: Option<u32>,
    /// When the job looks at it next; `None`: never.
    pub next_attempt_at: Option<Timestamp>,
    /// When an event says that its renewal is overdue; `None`: said already, or nothing to say.
    pub overdue_at: Option<Timestamp>,
    /// Failed attempts since the last success.
    pub failures: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When deletion becomes final.
    pub deletion_at: Option<Timestamp>,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

impl ManagedCertificate {
    /// Does a newer version wait to be taken into use? One that is revoked never will be: it keeps nobody waiting.
    pub fn has_waiting_version(&self) -> bool {
        let stages = |number: u32| self.versions.stages(number, false);
        let waits = self.waiting.is_some_and(|number| stages(number).contains(&Stage::Pending));
        self.versions.current.is_some() && stages(self.versions.latest).contains(&Stage::Pending) && waits
    }
}

/// One version of a managed certificate. Everything but the revocation (which is the inventory's) is immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateVersion {
    /// The certificate.
    pub certificate_id: CertificateId,
    /// Number, from 1.
    pub number: u32,
    /// Name, unique among the versions.
    pub name: Option<ResourceName>,
    /// Sealed key and its version; `None` where the requester holds it, or once it is destroyed.
    pub key: Option<(KeyId, u32)>,
    /// The CSR it answers, DER.
    pub csr: Option<Vec<u8>>,
    /// Row of the inventory, for certificates that we signed.
    pub issued_id: Option<IssuedId>,
    /// DER.
    pub certificate: Vec<u8>,
    /// DER certificates above it, nearest first, up to and including the root where that is known.
    pub chain: Vec<Vec<u8>>,
    /// Serial.
    pub serial: Serial,
    /// SHA-256 of the DER.
    pub fingerprint: Sha256,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: Sha256,
    /// Subject as text.
    pub subject: String,
    /// Subject alternative names.
    pub names: Vec<San>,
    /// Name of the key algorithm.
    pub key_algorithm: String,
    /// Validity.
    pub validity: Validity,
    /// May its private key be read again?
    pub exportable: bool,
    /// Why it was made.
    pub reason: VersionReason,
    /// When it was made.
    pub created_at: Timestamp,
    /// Revocation, as the inventory has it.
    pub revocation: Option<Revocation>,
    /// When a call to renew early wants it renewed; stands beside the inventory.
    pub moved: Option<Timestamp>,
}

impl CertificateVersion {
    /// When it is due under this rule ([`crate::renewal::renew_at`]).
    pub fn renew_at(&self, rule: Option<&RenewalRule>) -> Timestamp {
        crate::renewal::renew_at(&self.validity, rule, &self.serial, self.moved)
    }

    /// When it would be due if no call to renew early had moved it.
    pub fn usual_renew_at(&self, rule: Option<&RenewalRule>) -> Timestamp {
        crate::renewal::renew_at(&self.validity, rule, &self.serial, None)
    }
}

named_enum! {
    /// Outcome of an attempt to renew.
    AttemptOutcome, "invalid_outcome", "outcome" {
        /// A new version was made.
        Renewed = "RENEWED",
        /// It could not be made.
        Failed = "FAILED",
    }
}

/// An attempt to renew, kept for those who ask why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalAttempt {
    /// Id; grows with time.
    pub id: AttemptId,
    /// What was to be renewed: id of a managed certificate or a CA.
    pub subject_id: String,
    /// When.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Version that was made.
    pub version: Option<u32>,
    /// Why it was tried, or why it failed.
    pub reason: String,
}

/// Days that may lie between asking for a certificate's deletion and its end.
pub const DELETION_DAYS: (i64, i64) = (1, 30);

/// When a deletion that was asked for at `now` becomes final. `at`: the wish; `None` means the longest wait.
pub fn deletion_time(now: Timestamp, at: Option<Timestamp>) -> Result<Timestamp, Invalid> {
    crate::key::deletion_between(now, at, DELETION_DAYS)
}

/// The rule for a certificate of this lifetime, from its two parts; `None` where neither is given.
pub fn rule_for(interval: Option<Span>, advance: Option<Span>, lifetime: Span) -> Result<Option<RenewalRule>, Invalid> {
    match (interval, advance) {
        (None, None) => Ok(None),
        _ => RenewalRule::new(interval, advance, lifetime).map(Some),
    }
}

#[cfg(test)]
mod tests;
