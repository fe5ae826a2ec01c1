//! Certificate authorities.

use crate::{App, Call, Error};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::ca::{Ca, CaVersion, RevocationSettings};
use certwright_domain::constraints::NameConstraints;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::secret::SecretBytes;
use certwright_domain::stage::Stage;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::RequestedValidity;
use certwright_domain::violation::Verdict;
use certwright_store::{CaFilter, Page, PageRequest};

/// A CA to be made.
pub struct NewCa {
    /// Name.
    pub name: ResourceName,
    /// Type, and what each type needs.
    pub kind: NewCaKind,
    /// Rules; what is missing takes its default.
    pub rules: NewRules,
    /// How revocation is offered.
    pub revocation: RevocationSettings,
}

/// Rules of a CA to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRules {
    /// Default 90 days.
    pub leaf_max_validity: Option<Span>,
    /// Default 1825 days.
    pub subordinate_max_validity: Option<Span>,
    /// Default: unlimited, or what the issuer leaves.
    pub path_length: Option<u8>,
    /// Default: none.
    pub name_constraints: Option<NameConstraints>,
}

/// The types of CA and what each needs.
pub enum NewCaKind {
    /// Our key, self-signed.
    Root(OwnKey, RequestedValidity),
    /// Our key, signed by one of our CAs.
    Subordinate(OwnKey, RequestedValidity, Reference),
    /// Our key, CSR out.
    SubordinateExternal(OwnKey),
    /// Trust anchor without key: PEM or DER.
    ExternalRoot(Vec<u8>),
    /// Key and certificate brought along.
    Imported(ImportCa),
}

/// Our own key and subject of a CA to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnKey {
    /// Vault.
    pub vault: Reference,
    /// Key in it.
    pub key: Reference,
    /// Subject.
    pub subject: DistinguishedName,
    /// Default: the key's own.
    pub signature_algorithm: Option<SignatureAlgorithm>,
}

/// A CA brought along.
pub struct ImportCa {
    /// Vault that takes the key.
    pub vault: Reference,
    /// Name that the key gets in the vault.
    pub key: ResourceName,
    /// Certificate, PEM or DER.
    pub certificate: Vec<u8>,
    /// Certificates above it, PEM; may be empty, the root may be missing.
    pub chain: Vec<u8>,
    /// Private key, DER (PKCS#8, PKCS#1 or SEC1).
    pub private_key: SecretBytes,
    /// Signature algorithm for what it will sign; default: the key's own.
    pub signature_algorithm: Option<SignatureAlgorithm>,
}

/// A change to a CA; `None` leaves as is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateCa {
    /// New name.
    pub name: Option<ResourceName>,
    /// `leafMaxValidity`.
    pub leaf_max_validity: Option<Span>,
    /// `subordinateMaxValidity`.
    pub subordinate_max_validity: Option<Span>,
    /// Enable or disable.
    pub enabled: Option<bool>,
    /// Revocation settings.
    pub revocation: Option<RevocationSettings>,
}

/// A certificate signed elsewhere for our CSR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// The certificate, PEM or DER; PEM may hold the chain after it.
    pub certificate: Vec<u8>,
    /// Certificates above it, PEM.
    pub chain: Vec<u8>,
}

/// A renewal of a CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewCa {
    /// Validity of the new version.
    pub validity: RequestedValidity,
    /// Rotate the master key first and certify the new version of it.
    pub rotate_key: bool,
    /// Take the new version into use at once; otherwise it is `PENDING`.
    pub make_current: bool,
}

/// A CA with what its JSON shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaView {
    /// The CA.
    pub ca: Ca,
    /// Name of the CA of ours that issued it.
    pub issuer_name: Option<String>,
    /// Name of the vault.
    pub vault_name: Option<String>,
    /// Name of the key.
    pub key_name: Option<String>,
    /// The current version, or the newest where none is current.
    pub version: Option<VersionView>,
    /// Verdicts of the rules, where rules were asked (making, renewing).
    pub verdicts: Vec<Verdict>,
}

/// A version with its stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionView {
    /// The version.
    pub version: CaVersion,
    /// Its stages.
    pub stages: Vec<Stage>,
}

#[expect(clippy::todo, unused_variables, reason = "being written")]
impl App {
    /// Makes a CA. The intent is stored before its certificate is signed. As a trial: verdicts, and the CA as it would
    /// be, its version without certificate; no key signs.
    pub async fn create_ca(&self, call: &Call, new: NewCa) -> Result<CaView, Error> {
        todo!()
    }
    /// CAs by name.
    pub async fn cas(&self, call: &Call, filter: &CaFilter, page: &PageRequest) -> Result<Page<CaView>, Error> {
        todo!()
    }
    /// One CA.
    pub async fn ca(&self, call: &Call, ca: &Reference) -> Result<CaView, Error> {
        todo!()
    }
    /// Changes rules or state; `if_match` is required.
    pub async fn update_ca(
        &self,
        call: &Call,
        ca: &Reference,
        update: UpdateCa,
        if_match: Option<i64>,
    ) -> Result<CaView, Error> {
        todo!()
    }
    /// Versions, newest first.
    pub async fn ca_versions(&self, call: &Call, ca: &Reference) -> Result<(CaView, Vec<VersionView>), Error> {
        todo!()
    }
    /// One version.
    pub async fn ca_version(&self, call: &Call, ca: &Reference, number: u32) -> Result<(CaView, VersionView), Error> {
        todo!()
    }
    /// Certificate chain of a version (default: current), DER, the CA first, the root last where it is known.
    pub async fn ca_chain(&self, call: &Call, ca: &Reference, number: Option<u32>) -> Result<Vec<Vec<u8>>, Error> {
        todo!()
    }
    /// DER CSR of a `SUBORDINATE_EXTERNAL` that waits for its certificate (or has one: the last CSR).
    pub async fn ca_csr(&self, call: &Call, ca: &Reference) -> Result<Vec<u8>, Error> {
        todo!()
    }
    /// Installs the certificate signed elsewhere.
    pub async fn install_ca(&self, call: &Call, ca: &Reference, install: Install) -> Result<CaView, Error> {
        todo!()
    }
    /// Makes a new version; for `SUBORDINATE_EXTERNAL` a new CSR. The view's version is the new one.
    pub async fn renew_ca(&self, call: &Call, ca: &Reference, renew: RenewCa) -> Result<CaView, Error> {
        todo!()
    }
    /// Takes a version into use.
    pub async fn make_ca_version_current(&self, call: &Call, ca: &Reference, number: u32) -> Result<CaView, Error> {
        todo!()
    }
    /// Marks a version's certificate as revoked; roots and certificates that we did not sign are refused.
    pub async fn revoke_ca_version(
        &self,
        call: &Call,
        ca: &Reference,
        number: u32,
        reason: RevocationReason,
    ) -> Result<CaView, Error> {
        todo!()
    }
    /// Schedules deletion; refused while live children or leaves depend on it.
    pub async fn schedule_ca_deletion(
        &self,
        call: &Call,
        ca: &Reference,
        at: Option<Timestamp>,
    ) -> Result<CaView, Error> {
        todo!()
    }
    /// Cancels a scheduled deletion; the CA goes back to the state it had.
    pub async fn cancel_ca_deletion(&self, call: &Call, ca: &Reference) -> Result<CaView, Error> {
        todo!()
    }
}
