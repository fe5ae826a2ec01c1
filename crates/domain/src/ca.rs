//! Certificate authorities as they are stored, and what a CA must be before it may issue.

use crate::algorithm::{SignatureAlgorithm, named_enum};
use crate::constraints::NameConstraints;
use crate::crl::Shards;
use crate::dn::DistinguishedName;
use crate::id::{CaId, IssuedId, KeyId, VaultId};
use crate::name::ResourceName;
use crate::profile::ExtendedKeyUsage;
use crate::publication::Publication;
use crate::revocation::Revocation;
use crate::serial::{Serial, Sha256};
use crate::stage::{Stage, VersionPointers};
use crate::time::{Span, Timestamp};
use crate::validity::Validity;

named_enum! {
    /// Type of a CA.
    CaType, "invalid_ca_type", "CA type" {
        /// Our key, self-signed.
        Root = "ROOT",
        /// Our key, issued by one of our CAs.
        Subordinate = "SUBORDINATE",
        /// Our key, issued elsewhere: CSR out, certificate in.
        SubordinateExternal = "SUBORDINATE_EXTERNAL",
        /// A trust anchor without key.
        ExternalRoot = "EXTERNAL_ROOT",
        /// Key and certificate brought along.
        Imported = "IMPORTED",
    }
}

named_enum! {
    /// State of a CA.
    CaState, "invalid_state", "CA state" {
        /// A CSR exists and waits for its certificate.
        PendingActivation = "PENDING_ACTIVATION",
        /// May issue.
        Active = "ACTIVE",
        /// May not issue until enabled again.
        Disabled = "DISABLED",
        /// Deletion is scheduled; may not issue.
        PendingDeletion = "PENDING_DELETION",
        /// Gone.
        Deleted = "DELETED",
    }
}

/// The rules a CA carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaRules {
    /// Longest lifetime of an end-entity certificate.
    pub leaf_max_validity: Span,
    /// Longest lifetime of a subordinate CA.
    pub subordinate_max_validity: Span,
    /// How many CAs may follow below; `None`: any number. Written into the certificate; fixed once made.
    pub path_length: Option<u8>,
    /// Names that may occur below. Written into the certificate; fixed once made.
    pub name_constraints: Option<NameConstraints>,
}

impl CaRules {
    /// Default of `leafMaxValidity`.
    pub const LEAF_MAX: Span = Span::from_days(90);
    /// Default of `subordinateMaxValidity`.
    pub const SUBORDINATE_MAX: Span = Span::from_days(1825);
}

named_enum! {
    /// Who signs a CA's OCSP answers.
    OcspResponderKind, "invalid_ocsp_responder", "OCSP responder" {
        /// A key of its own with a short-lived certificate of the CA (RFC 6960 section 4.2.2.2).
        Delegated = "DELEGATED",
        /// The CA's key.
        Ca = "CA",
    }
}

/// How revocation is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationSettings {
    /// Are lists published, and their addresses written into certificates?
    pub crl_enabled: bool,
    /// From thisUpdate to nextUpdate of a full list.
    pub crl_lifetime: Span,
    /// The shortest pause between two full lists.
    pub crl_interval: Span,
    /// Into how many lists those revoked are cut; 1: one list of all, without an issuingDistributionPoint.
    pub crl_shards: Shards,
    /// Delta lists; `None`: there are none.
    pub delta: Option<DeltaSettings>,
    /// May certificates be put on hold (`certificateHold`)?
    pub hold_enabled: bool,
    /// Is OCSP offered, and its URL written into certificates?
    pub ocsp_enabled: bool,
    /// Who signs the answers.
    pub ocsp_responder: OcspResponderKind,
}

/// How delta lists are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaSettings {
    /// From thisUpdate to nextUpdate of a delta list.
    pub lifetime: Span,
    /// The shortest pause between two.
    pub interval: Span,
}

impl DeltaSettings {
    /// A day, at most every five seconds.
    pub const DEFAULT: Self = Self { lifetime: Span::from_days(1), interval: RevocationSettings::INTERVAL };
}

impl RevocationSettings {
    /// Default of the pause between two lists.
    pub const INTERVAL: Span = Span::from_s(5);
}

impl std::fmt::Display for RevocationSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let on = |on: bool| if on { "on" } else { "off" };
        write!(f, "crl {} lifetime {} interval {} ", on(self.crl_enabled), self.crl_lifetime, self.crl_interval)?;
        write!(f, "shards {} hold {} ", self.crl_shards.number(), on(self.hold_enabled))?;
        match self.delta {
            Some(delta) => write!(f, "delta lifetime {} interval {} ", delta.lifetime, delta.interval)?,
            None => f.write_str("delta off ")?,
        }
        write!(f, "ocsp {} responder {}", on(self.ocsp_enabled), self.ocsp_responder)
    }
}

impl Default for RevocationSettings {
    fn default() -> Self {
        Self {
            crl_enabled: true,
            crl_lifetime: Span::from_days(7),
            crl_interval: Self::INTERVAL,
            crl_shards: Shards::ONE,
            delta: None,
            hold_enabled: false,
            ocsp_enabled: true,
            ocsp_responder: OcspResponderKind::Delegated,
        }
    }
}

named_enum! {
    /// Which key a CA's renewal certifies.
    CaRenewalKey, "invalid_renewal_key", "renewal key" {
        /// The one in use.
        Same = "SAME",
        /// A new version of the master key.
        Rotate = "ROTATE",
    }
}

/// When a CA is renewed without being asked, and what becomes of the new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaRenewal {
    /// With which key.
    pub key: CaRenewalKey,
    /// How long before what it issues would be cut short.
    pub advance_period: Span,
    /// The new version is taken into use this long after it was made; `None`: when someone says so.
    pub make_current_after: Option<Span>,
}

impl CaRenewal {
    /// When the CA with this certificate and these rules is due: as long before its end as the longest certificate that it
    /// may issue lasts, earlier by the advance period and by the wait until the new version is taken into use; so nothing
    /// that it issues is ever cut short. A CA that lives too short for that is due in the middle of its life.
    pub fn due_at(&self, validity: &Validity, rules: &CaRules) -> Timestamp {
        let longest = match rules.path_length {
            Some(0) => rules.leaf_max_validity,
            _ => rules.leaf_max_validity.max(rules.subordinate_max_validity),
        };
        let waits = self.make_current_after.unwrap_or(Span::ZERO).ms().saturating_add(self.advance_period.ms());
        let due = validity.not_after().minus(longest).minus(Span::from_ms(waits));
        due.max(validity.not_before().plus(Span::from_ms(validity.length().ms() / 2)))
    }
}

impl std::fmt::Display for CaRenewal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "advancePeriod {} key {}", self.advance_period, self.key)?;
        match self.make_current_after {
            Some(wait) => write!(f, " makeCurrentAfter {wait}"),
            None => Ok(()),
        }
    }
}

impl Ca {
    /// When the job is to look at the CA next; `None`: never. `current`: its version in use; `latest`: its newest. What somebody revoked
    /// comes back by somebody's decision alone.
    pub fn next_renewal(&self, current: Option<&CaVersion>, latest: Option<&CaVersion>) -> Option<Timestamp> {
        let rule = self.renewal.filter(|_| self.state == CaState::Active)?;
        if current.is_some_and(|version| version.revocation.is_some()) {
            return None;
        }
        let waiting = latest.filter(|version| {
            version.certificate.is_some()
                && version.revocation.is_none()
                && self.versions.stages(version.number, false).contains(&Stage::Pending)
        });
        match waiting {
            Some(version) => rule.make_current_after.map(|wait| version.created_at.plus(wait)),
            None => current.and_then(|version| version.validity).map(|validity| rule.due_at(&validity, &self.rules)),
        }
    }
}

/// A CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ca {
    /// Id.
    pub id: CaId,
    /// Name, unique among CAs until deletion is final.
    pub name: ResourceName,
    /// Type.
    pub ca_type: CaType,
    /// State.
    pub state: CaState,
    /// State to go back to when a deletion is cancelled.
    pub state_before_deletion: Option<CaState>,
    /// Made by the server for its own TLS; not listed unless asked for.
    pub system: bool,
    /// The CA of ours that issued it (`SUBORDINATE` only).
    pub issuer_id: Option<CaId>,
    /// Vault and key it signs with; `None` for `EXTERNAL_ROOT`.
    pub key: Option<(VaultId, KeyId)>,
    /// Signature algorithm it signs with; `None` for `EXTERNAL_ROOT`.
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// Subject.
    pub subject: DistinguishedName,
    /// Rules.
    pub rules: CaRules,
    /// Revocation settings.
    pub revocation: RevocationSettings,
    /// Versions.
    pub versions: VersionPointers,
    /// When it was made.
    pub created_at: Timestamp,
    /// When deletion becomes final.
    pub deletion_at: Option<Timestamp>,
    /// Grows with every change; the ETag.
    pub revision: i64,
    /// How it is renewed without being asked; `None`: it is not.
    pub renewal: Option<CaRenewal>,
    /// When the job looks at it next: to renew it, or to take a new version into use.
    pub next_renewal_at: Option<Timestamp>,
    /// Failed attempts since the last success.
    pub renewal_failures: u32,
    /// May its key be taken away? Said when it is made, never changed.
    pub exportable: bool,
    /// Number of the last revocation list that was issued before it came here; the next one is higher.
    pub crl_number: Option<i64>,
    /// Where its lists are published elsewhere; `None`: they are not.
    pub publication: Option<Publication>,
}

/// One version of a CA: a certificate (or a CSR waiting for one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaVersion {
    /// The CA.
    pub ca_id: CaId,
    /// Number, from 1.
    pub number: u32,
    /// Version of the master key it certifies; `None` for `EXTERNAL_ROOT`.
    pub key_version: Option<u32>,
    /// DER certificate; `None` while the CSR waits.
    pub certificate: Option<Vec<u8>>,
    /// DER CSR of `SUBORDINATE_EXTERNAL`.
    pub csr: Option<Vec<u8>>,
    /// DER certificates above it, nearest first, up to and including the root where that is known.
    pub chain: Vec<Vec<u8>>,
    /// Serial of the certificate.
    pub serial: Option<Serial>,
    /// SHA-256 of the certificate.
    pub fingerprint: Option<Sha256>,
    /// SHA-256 of the SubjectPublicKeyInfo it certifies.
    pub spki_sha256: Option<Sha256>,
    /// Validity of the certificate.
    pub validity: Option<Validity>,
    /// Row of the inventory, for certificates that we signed.
    pub issued_id: Option<IssuedId>,
    /// Revocation.
    pub revocation: Option<Revocation>,
    /// Making it failed.
    pub failed: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// When operators are told that a CA's certificate nears its end: with a third of its life left, at most 90 days.
pub fn expiry_warning_at(validity: &Validity) -> Timestamp {
    let third = validity.not_after().ms_since(validity.not_before()) / 3;
    validity.not_after().minus(Span::from_ms(third.min(Span::from_days(90).ms())))
}

/// What is known against an issuer's certificate, its key, or those of a CA above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerStanding {
    /// Nothing.
    Good,
    /// A certificate was revoked.
    Revoked,
    /// A key was reported as compromised, with whichever certificate: it is blocked for ever.
    KeyCompromised,
}

impl IssuerStanding {
    /// From what was found of any of the certificates and their keys.
    pub const fn of(revoked: bool, key_compromised: bool) -> Self {
        match (revoked, key_compromised) {
            (true, _) => Self::Revoked,
            (false, true) => Self::KeyCompromised,
            (false, false) => Self::Good,
        }
    }
}

/// What the rules need to know of the CA that is to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerFacts {
    /// Name, for refusals.
    pub name: ResourceName,
    /// Subject of the certificate that will be the issuer: nothing below may carry the same, or verifiers take it for
    /// self-issued (RFC 5280 section 6.1) and look for its issuer in the wrong place.
    pub subject: DistinguishedName,
    /// State.
    pub state: CaState,
    /// Rules of the CA's row: lifetimes may have been changed since its certificate was made.
    pub rules: CaRules,
    /// Validity of the certificate that will be the issuer.
    pub validity: Validity,
    /// The smallest path length left by its own certificate and all certificates above; `None`: unlimited.
    pub path_length_left: Option<u8>,
    /// Name constraints of its certificate and of all certificates above; all of them apply.
    pub name_constraints: Vec<NameConstraints>,
    /// The extended key usages that its own certificate and all certificates above leave to those below, which has to lie within each of
    /// them; `None`: all.
    pub usages_left: Option<Vec<ExtendedKeyUsage>>,
    /// What is known against its certificate and key, and those above.
    pub standing: IssuerStanding,
    /// SHA-256 of the issuer's SubjectPublicKeyInfo: no leaf may carry a CA's key.
    pub spki_sha256: Sha256,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_is_renewed_before_what_it_issues_is_cut_short() {
        let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let years = |n: i64| Validity::new(start, start.plus(Span::from_days(365 * n))).unwrap();
        let rules = |path_length| CaRules {
            leaf_max_validity: Span::from_days(90),
            subordinate_max_validity: Span::from_days(730),
            path_length,
            name_constraints: None,
        };
        let rule = |after| CaRenewal {
            key: CaRenewalKey::Same,
            advance_period: Span::from_days(30),
            make_current_after: after,
        };
        let before = |validity: &Validity, due: Timestamp| validity.not_after().ms_since(due) / 86_400_000;
        let five = years(5);
        assert_eq!(before(&five, rule(None).due_at(&five, &rules(Some(0)))), 120);
        assert_eq!(before(&five, rule(Some(Span::from_days(7))).due_at(&five, &rules(Some(0)))), 127);
        assert_eq!(before(&five, rule(None).due_at(&five, &rules(None))), 760);
        let one = years(1);
        assert_eq!(before(&one, rule(None).due_at(&one, &rules(None))), 182, "the middle of its life");
    }
}
