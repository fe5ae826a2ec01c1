//! Certificate authorities.

mod bring;
mod create;
mod events;
mod export;
mod import;
mod lifecycle;
mod read;
mod refusals;
mod renew;

pub use export::{CaExport, CaExportFormat, ExportedCa};
pub(crate) use lifecycle::schedule;
pub(crate) use read::{find, find_version, view};
pub use refusals::RefusedRenewal;

use crate::certificates::ImportedCertificate;
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::ca::{Ca, CaRenewal, CaVersion, RevocationSettings};
use certwright_domain::constraints::NameConstraints;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::known_serial::KnownSerial;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::publication::Publication;
use certwright_domain::stage::Stage;
use certwright_domain::time::Span;
use certwright_domain::validity::RequestedValidity;
use certwright_domain::violation::Verdict;

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
    /// Where its lists are published elsewhere.
    pub publication: Option<Publication>,
    /// May it be taken away with its key? Fixed once made.
    pub exportable: bool,
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
    /// How it is renewed without being asked (`ROOT` and `SUBORDINATE` only). Default: it is not.
    pub renewal: Option<CaRenewal>,
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
    /// Its key, its certificate and those above it, in any order; the root may be missing.
    pub brought: ImportedCertificate,
    /// Signature algorithm for what it will sign; default: the key's own.
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// Serials that it gave away before: never given again.
    pub known_serials: Vec<KnownSerial>,
    /// Number of the last revocation list that it issued before; the next one is higher.
    pub crl_number: Option<i64>,
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
    /// Where its lists are published elsewhere; inside `None`: nowhere any more.
    pub publication: Option<Option<Publication>>,
    /// How it is renewed without being asked; inside `None`: not at all.
    pub renewal: Option<Option<CaRenewal>>,
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
    /// Managed certificates whose next renewal a change would refuse; filled by the trial of a change.
    pub refused_renewals: Vec<RefusedRenewal>,
}

/// A version with its stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionView {
    /// The version.
    pub version: CaVersion,
    /// Its stages.
    pub stages: Vec<Stage>,
}
