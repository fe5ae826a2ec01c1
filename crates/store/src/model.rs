//! What callers of storage pass and get besides the types of `domain`.

use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::audit::AuditEvent;
use certwright_domain::ca::{CaState, CaType};
use certwright_domain::crl::RevokedSerial;
use certwright_domain::event::{Event, EventKind};
use certwright_domain::id::{
    AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId, AcmeOrderId, CaId, IntentId, IssuedId, VaultId,
};
use certwright_domain::issued::{IssuedCertificate, IssuedKind, IssuedStatus};
use certwright_domain::key::{KeyState, SealedBlob};
use certwright_domain::managed::{CertificateKind, CertificateState};
use certwright_domain::name::ResourceName;
use certwright_domain::revocation::Revocation;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::time::Timestamp;

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many items, 1 to 500.
    pub limit: u32,
    /// Where the page before ended; opaque text made by [`Page::next`].
    pub after: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last. A page may hold fewer items than asked for, even none, and still
    /// have a next one: a search for rare rows in a large table ends early and goes on from there.
    pub next: Option<String>,
}

/// Filter of the list of CAs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaFilter {
    /// Only this type.
    pub ca_type: Option<CaType>,
    /// Only this state; without it, everything but `DELETED`.
    pub state: Option<CaState>,
    /// Only those issued by this CA.
    pub issuer_id: Option<CaId>,
    /// Also the server's own.
    pub include_system: bool,
}

/// Filter of the list of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// Only this algorithm.
    pub algorithm: Option<KeyAlgorithm>,
    /// Only this state; without it, everything but `DELETED`.
    pub state: Option<KeyState>,
}

/// Order of the inventory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IssuedSort {
    /// Newest first.
    #[default]
    NewestFirst,
    /// Oldest first.
    OldestFirst,
    /// Soonest notAfter first.
    ExpiresFirst,
    /// Soonest renewAt first.
    RenewsFirst,
}

/// Filter of the inventory; all given parts must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssuedFilter {
    /// Beginning of a name (common or alternative), a serial or a fingerprint: what a person types into a search box.
    pub q: Option<String>,
    /// Exactly this serial.
    pub serial: Option<Serial>,
    /// Exactly this common name, lower case compared with lower case.
    pub name: Option<String>,
    /// Exactly this subject alternative name, in its canonical form.
    pub san: Option<String>,
    /// Only this CA.
    pub ca_id: Option<CaId>,
    /// Only this profile.
    pub profile: Option<String>,
    /// Only this requester: its id (`token:…`) or its name.
    pub requester: Option<String>,
    /// Only this status at `now`.
    pub status: Option<(IssuedStatus, Timestamp)>,
    /// notAfter before this.
    pub expires_before: Option<Timestamp>,
    /// notAfter at or after this.
    pub expires_after: Option<Timestamp>,
    /// renewAt before this.
    pub renew_before: Option<Timestamp>,
    /// Exactly this fingerprint.
    pub fingerprint: Option<Sha256>,
    /// Leaf or CA.
    pub kind: Option<IssuedKind>,
    /// Order.
    pub sort: IssuedSort,
    /// Also certificates of the server's own CA.
    pub include_system: bool,
}

/// Filter of the list of managed certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateFilter {
    /// Only this kind.
    pub kind: Option<CertificateKind>,
    /// Only this state; without it, everything but `DELETED`.
    pub state: Option<CertificateState>,
    /// Only those issued by this CA.
    pub ca_id: Option<CaId>,
}

/// Which version of a managed certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VersionSelector {
    /// The one in use.
    #[default]
    Current,
    /// The one in use before that.
    Previous,
    /// The newest.
    Latest,
    /// The newest, where it was made after the current one.
    Pending,
    /// This number.
    Number(u32),
    /// The one of this name.
    Named(ResourceName),
}

/// Filter of the list of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only this kind.
    pub kind: Option<EventKind>,
    /// Only those of the resource with this id.
    pub subject_id: Option<String>,
}

/// Filter of the audit list; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only this action.
    pub action: Option<String>,
    /// Only this actor.
    pub actor: Option<String>,
    /// Only this target id.
    pub target_id: Option<String>,
    /// Only this request.
    pub request_id: Option<String>,
}

/// A certificate to be recorded, with its audit event. See [`crate::Recorder`].
#[derive(Debug, Clone)]
pub struct Recording {
    /// The row.
    pub issued: IssuedCertificate,
    /// The audit event.
    pub audit: AuditEvent,
    /// The configuration epoch that the decision was made under; recording under another one is [`crate::Error::Stale`].
    pub epoch: i64,
    /// The ACME order that ends with this certificate.
    pub ending: Option<OrderEnding>,
}

impl Recording {
    /// The order that ends with this certificate, and the certificate.
    pub(crate) fn ends(&self) -> Option<(&OrderEnding, &IssuedId)> {
        Some((self.ending.as_ref()?, &self.issued.id))
    }
}

/// A certificate to be marked as revoked, with all that goes with it. See [`crate::RevocationQueries::revoke`].
#[derive(Debug, Clone)]
pub struct Revoking {
    /// Its row.
    pub issued: IssuedId,
    /// Its CA.
    pub ca: CaId,
    /// How it was marked when this was decided.
    pub before: Option<Revocation>,
    /// The entry for the lists; its revocation is the mark.
    pub entry: RevokedSerial,
    /// The audit event; the lists are due when it was made.
    pub audit: AuditEvent,
    /// The event for webhooks.
    pub event: Event,
}

/// An ACME order that ends with a certificate, if it and what it rests on are still as they were judged: otherwise the recording
/// is [`crate::Error::Stale`] (`acme_orders`). [`crate::Error::Conflict`] ([`REPLACED`]): another order has replaced the same certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderEnding {
    /// The order.
    pub order: AcmeOrderId,
    /// Its revision.
    pub revision: i64,
    /// Its account, with its revision.
    pub account: (AcmeAccountId, i64),
    /// Its directory, with its revision: what was judged may be older than the epoch that the certificate was signed under.
    pub directory: (AcmeDirectoryId, i64),
    /// Its proofs, with their revisions.
    pub authorizations: Vec<(AcmeAuthorizationId, i64)>,
    /// Thumbprint of the certificate's key, which no account of the directory may have; `None`: none can have it.
    pub key: Option<Sha256>,
}

/// What [`crate::Error::Conflict`] names when another order has replaced the same certificate.
pub const REPLACED: &str = "acme_orders.replaces";

/// The intent to sign a CA certificate, stored before the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Id.
    pub id: IntentId,
    /// The signing CA; for a root, the id that the CA will have.
    pub ca_id: CaId,
    /// Serial.
    pub serial: Serial,
    /// The exact bytes that will be signed.
    pub tbs: Vec<u8>,
    /// Who asked.
    pub requester: String,
    /// Request that caused it.
    pub request_id: String,
    /// When.
    pub created_at: Timestamp,
}

/// Record of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Who used it.
    pub caller: String,
    /// The key.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub request_sha256: Sha256,
    /// The sealed response; `None` while the first call is under way.
    pub response: Option<SealedBlob>,
    /// When the first call began.
    pub created_at: Timestamp,
    /// An unfinished first call is given up after this.
    pub in_flight_until: Timestamp,
}

/// A sealed row that still needs another key: what the re-wrapping job works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersionToRewrap {
    /// The vault.
    pub vault_id: VaultId,
    /// The key version as stored.
    pub version: certwright_domain::key::KeyVersion,
    /// Algorithm of the key.
    pub algorithm: KeyAlgorithm,
}

/// How the lists of a CA stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlHealth {
    /// The CA.
    pub ca_id: CaId,
    /// Its name.
    pub ca_name: String,
    /// Lists that are made for it.
    pub lists: u64,
    /// Those that failed since their last list.
    pub failing: u64,
    /// Those whose list has lapsed, or is missing.
    pub lapsed: u64,
    /// The oldest thisUpdate.
    pub oldest_this_update: Option<Timestamp>,
    /// The first nextUpdate.
    pub first_next_update: Option<Timestamp>,
    /// Entries of all lists together.
    pub entries: u64,
    /// Bytes of all lists together.
    pub size: u64,
}

/// How the objects of a CA on a target stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicationHealth {
    /// The CA.
    pub ca_id: CaId,
    /// Its name.
    pub ca_name: String,
    /// The target.
    pub target: ResourceName,
    /// Objects that are published there.
    pub objects: u64,
    /// Those that could not be written since they last were.
    pub failing: u64,
    /// Those that are behind: something newer waits to be written.
    pub waiting: u64,
    /// The last success.
    pub last_published_at: Option<Timestamp>,
}
