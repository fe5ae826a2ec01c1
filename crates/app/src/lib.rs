//! Use cases of Certwright: one per verb, the same for every door.
//!
//! Every use case takes a [`Call`] (who, which request, trial or not), asks [`access`] for leave, does its work in
//! transactions it opens itself, and writes an audit event in the same transaction as the change. With
//! [`Call::dry_run`] everything is done but the last step: the transaction is rolled back and no key signs.
//!
//! **Invariants.** No transaction is open while a key signs. State changes are compare-and-swap. What leaves
//! [`issuance`] is recorded.

pub mod access;
mod acme;
mod audit;
mod ca_bundles;
mod cas;
mod certificates;
mod change;
mod compartments;
mod context;
mod crls;
mod cursors;
mod early_renewals;
mod enrollment;
mod error;
mod events;
mod idempotency;
mod identity;
pub mod issuance;
mod issued;
mod jobs;
pub mod jose;
mod keys;
mod ocsp;
mod outbound;
mod placements;
mod policies;
mod principals;
mod profiles;
mod publication;
mod revocation;
mod seal;
mod setup;
mod signing_keys;
mod sink;
mod target;
mod tokens;
mod trust;
mod urls;
mod vaults;
mod webhooks;

pub use access::{
    Background, Call, Caller, Decided, Door, Leave, Needs, OPERATIONS, Operation, Permission, PolicyQuestion,
    Principal, QuestionTarget, Workload,
};
pub use acme::{
    AcmeCall, AcmeDoor, AcmeError, AcmeLimits, AcmeOrderDetail, AcmeProof, AcmeSettings, Begun, Binding, CaaCheck,
    CertificateChain, CertificateChains, ChallengeCheck, GivenNonce, MacAlgorithm, NewAccount, NewAcmeDirectory,
    NewEabKey, NewOrder, OrderView, PreparedOrder, Problem, ProblemKind, RenewalInfo, Subproblem, Validator,
};
pub use audit::{AuditExport, AuditVerification, ExportVerdict, ShippingReport, read_public_keys_pem, verify_export};
pub use ca_bundles::RawCaBundle;
pub use cas::{
    CaExport, CaExportFormat, CaView, ExportedCa, ImportCa, Install, NewCa, NewCaKind, NewRules, OwnKey,
    RefusedRenewal, RenewCa, UpdateCa, VersionView,
};
pub use certificates::{
    Brought, Bundle, CertificateRequest, CertificateVersionView, CertificateView, Content, EnsureOutcome, Ensured,
    ImportedCertificate, KeyFile, RenewCertificate, RenewalRequest, UpdateCertificate, WishRequest,
};
pub use certwright_pki::ocsp::{MAX_OCSP_REQUEST_BYTES, OcspError, may_have_ocsp_nonce};
pub use certwright_pki::{Csr, read_certificate, read_private_key_pem, to_pem, to_pkcs7};
pub use certwright_store::{
    AuditFilter, CaFilter, CertificateFilter, CrlHealth, EventFilter, IssuedFilter, IssuedSort, KeyFilter, Page,
    PageRequest, PublicationHealth, ShippingLag, VersionSelector,
};
pub use compartments::{NewCompartment, UpdateCompartment};
pub use crls::{CrlReport, CrlView, CrlWarnings, ServedCrl, UploadedCrl};
pub use early_renewals::NewEarlyRenewal;
pub use enrollment::{EnrollRequest, NewEnrollmentToken};
pub use error::{Error, Lack, Pointed};
pub use idempotency::{IdempotencyStart, StoredResponse, TakenKey};
pub use identity::{ClientCertificate, Exchange, NewCertificateTrust, NewIdentityProvider, RuleOutcome, TokenTrial};
pub use issuance::{CaChain, IssueRequest, Issued, SignRequest, Subject, Trial};
pub use jobs::JobReport;
pub use keys::{KeyView, NewKey};
pub use ocsp::{OcspAnswer, OcspGiven, OcspHold, OcspRefusal, OcspSettings};
pub use outbound::{Fetched, Outbound, OutboundAnswer, OutboundError};
pub use placements::{MoveResource, PlacedResource};
pub use policies::{NewPolicy, UpdatePolicy};
pub use principals::{Identity, NewDynamicGroup, NewGroup, NewUser, UpdateDynamicGroup, UpdateGroup, UpdateUser};
pub use publication::PublicationReport;
pub use revocation::{RevocationTarget, Revoke, Revoked, RevokedKnown, RevokedNamed};
pub use seal::RootKeyStatus;
pub use setup::{AdminToken, Quickstart, QuickstartReport, ServerCertificate};
pub use sink::{AuditSink, ConfiguredSink, SinkError, SinkEvent, Sinks};
pub use target::{Target, TargetError, TargetObject, Targets};
pub use tokens::NewToken;
pub use trust::TrustedRoot;
pub use webhooks::{NewWebhook, UpdateWebhook};

use certwright_domain::ambient::{Clock, Entropy};
use certwright_domain::rate::Rate;
use certwright_domain::rules::ServiceLimits;
use certwright_domain::time::Span;
use certwright_keystore::KeyStore;
use certwright_store::Store;
use std::sync::Arc;

/// What the use cases need from outside.
pub struct Dependencies {
    /// Storage.
    pub store: Store,
    /// Private keys.
    pub keys: Arc<dyn KeyStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids, serials and tokens.
    pub entropy: Arc<dyn Entropy>,
    /// Requests to others.
    pub outbound: Arc<dyn Outbound>,
    /// Where lists are published elsewhere.
    pub targets: Targets,
    /// Where the audit trail is shipped to.
    pub sinks: Sinks,
    /// Looks at proofs of control.
    pub validator: Arc<dyn Validator>,
    /// Settings.
    pub settings: Settings,
}

/// Settings of the use cases.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base of the URLs written into certificates (`/pki/…`), without a trailing slash.
    pub pki_url: String,
    /// Limits of the service.
    pub limits: ServiceLimits,
    /// Certificates for one name in an hour, on this node; `None`: no limit.
    pub name_rate: Option<Rate>,
    /// Name of this node, for leases and audit.
    pub node: String,
    /// How long idempotency keys are kept.
    pub idempotency_lifetime: Span,
    /// Age after notAfter at which unrevoked one-shot rows may be deleted; `None`: never.
    pub retention: Option<Span>,
    /// Events and their deliveries.
    pub events: EventSettings,
    /// OCSP.
    pub ocsp: OcspSettings,
    /// ACME.
    pub acme: AcmeSettings,
    /// Between two checkpoints of the audit trail; `None`: no checkpoints are made.
    pub checkpoint_interval: Option<Span>,
}

/// Settings of events and their deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSettings {
    /// Where events come from, for their receivers: the server's public URL.
    pub source: String,
    /// The pause before the second attempt; the later ones grow with it.
    pub first_retry: Span,
    /// Age at which events and their deliveries are deleted.
    pub retention: Span,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self {
            source: "https://certwright.invalid".to_owned(),
            first_retry: Span::from_s(10),
            retention: Span::from_days(90),
        }
    }
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) recorder: certwright_store::Recorder,
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) targets: Targets,
    pub(crate) sinks: Sinks,
    pub(crate) shipping: audit::shipping::Shipping,
    pub(crate) validator: Arc<dyn Validator>,
    pub(crate) acme: acme::Acme,
    pub(crate) publications: publication::Publications,
    pub(crate) delivering: webhooks::Delivering,
    pub(crate) identities: identity::Identities,
    pub(crate) settings: Settings,
    pub(crate) context: context::Context,
    pub(crate) access: access::AccessCache,
    pub(crate) locks: certificates::Locks,
    pub(crate) name_paces: issuance::NamePaces,
    pub(crate) crls: crls::Crls,
    pub(crate) ocsp: ocsp::Ocsp,
    pub(crate) refusals: audit::refusals::Refusals,
}

impl App {
    /// Puts the application together. Nothing is read or written yet.
    pub fn new(dependencies: Dependencies) -> Self {
        let Dependencies { store, keys, clock, entropy, outbound, targets, sinks, validator, settings } = dependencies;
        let recorder = store.recorder();
        let ocsp = ocsp::Ocsp::new(&settings.ocsp);
        Self {
            inner: Arc::new(Inner {
                store,
                recorder,
                keys,
                clock,
                entropy,
                outbound,
                targets,
                sinks,
                shipping: audit::shipping::Shipping::default(),
                validator,
                acme: acme::Acme::new(),
                publications: publication::Publications::default(),
                delivering: webhooks::Delivering::default(),
                identities: identity::Identities::default(),
                settings,
                context: context::Context::new(),
                access: access::AccessCache::default(),
                locks: certificates::Locks::new(),
                name_paces: issuance::NamePaces::new(),
                crls: crls::Crls::new(),
                ocsp,
                refusals: audit::refusals::Refusals::default(),
            }),
        }
    }

    /// The clock the use cases live by.
    pub fn now(&self) -> certwright_domain::time::Timestamp {
        self.inner.clock.now()
    }

    /// Is the database there?
    pub async fn ready(&self) -> Result<(), Error> {
        Ok(self.inner.store.ping().await?)
    }
}

/// SHA-256 over the parts, one after the other: for the hash of a request, which doors hand to
/// [`App::begin_idempotent`], and for ETags.
pub fn sha256(parts: &[&[u8]]) -> certwright_domain::serial::Sha256 {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; 32];
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    certwright_domain::serial::Sha256(hash)
}

impl Inner {
    pub(crate) fn id_entropy(&self) -> certwright_domain::id::IdEntropy {
        certwright_domain::ambient::id_entropy(&*self.entropy)
    }
}
