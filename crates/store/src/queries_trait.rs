//! The statements that both databases answer. Every method runs in the transaction (or read snapshot) it is called on.

use crate::{
    AccessQueries, AcmeQueries, AuditFilter, CaFilter, CertificateFilter, CertificateTrustQueries, CompartmentQueries,
    CrlQueries, EarlyRenewalQueries, EnrollmentQueries, Error, EventFilter, IdempotencyRecord, IdentityQueries, Intent,
    IssuedFilter, KeyFilter, KeyVersionToRewrap, Page, PageRequest, PolicyQueries, PrincipalQueries,
    PublicationQueries, RevocationQueries, ShippingQueries, VersionSelector,
};
use async_trait::async_trait;
use certwright_domain::audit::chain::Head;
use certwright_domain::audit::checkpoint::{Before, StoredCheckpoint};
use certwright_domain::audit::{AuditEvent, StoredAuditEvent};
use certwright_domain::ca::{Ca, CaVersion};
use certwright_domain::ca_bundle::CaBundle;
use certwright_domain::event::Event;
use certwright_domain::id::{
    CaBundleId, CaId, CertificateId, DeliveryId, EventId, IntentId, IssuedId, KeyId, TokenId, VaultId, WebhookId,
};
use certwright_domain::issued::{IssuedCertificate, SerialStanding};
use certwright_domain::key::{Key, KeyVersion, SealedBlob, Vault, VaultKeyVersion};
use certwright_domain::known_serial::KnownSerial;
use certwright_domain::managed::{CertificateVersion, ManagedCertificate, RenewalAttempt};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::ocsp::OcspResponder;
use certwright_domain::principal::PrincipalName;
use certwright_domain::profile::StoredProfile;
use certwright_domain::revocation::Revocation;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::time::Timestamp;
use certwright_domain::token::Token;
use certwright_domain::webhook::{Delivery, DeliveryState, Webhook};

type Result<T> = std::result::Result<T, Error>;

/// Everything a transaction can do.
pub trait Queries:
    SystemQueries
    + VaultQueries
    + KeyQueries
    + CaQueries
    + KnownSerialQueries
    + CertificateQueries
    + AttemptQueries
    + ProfileQueries
    + CaBundleQueries
    + IssuedQueries
    + RevocationQueries
    + CrlQueries
    + PublicationQueries
    + TokenQueries
    + AuditQueries
    + ShippingQueries
    + EventQueries
    + WebhookQueries
    + OcspQueries
    + AccessQueries
    + CompartmentQueries
    + PrincipalQueries
    + PolicyQueries
    + IdentityQueries
    + CertificateTrustQueries
    + EarlyRenewalQueries
    + EnrollmentQueries
    + AcmeQueries
{
}
impl<T> Queries for T where
    T: SystemQueries
        + VaultQueries
        + KeyQueries
        + CaQueries
        + KnownSerialQueries
        + CertificateQueries
        + AttemptQueries
        + ProfileQueries
        + CaBundleQueries
        + IssuedQueries
        + RevocationQueries
        + CrlQueries
        + PublicationQueries
        + TokenQueries
        + AuditQueries
        + ShippingQueries
        + EventQueries
        + WebhookQueries
        + OcspQueries
        + AccessQueries
        + CompartmentQueries
        + PrincipalQueries
        + PolicyQueries
        + IdentityQueries
        + CertificateTrustQueries
        + EarlyRenewalQueries
        + EnrollmentQueries
        + AcmeQueries
{
}

/// Epoch, leases, idempotency keys, signing intents, small values.
#[async_trait]
pub trait SystemQueries: Send {
    /// The configuration epoch: it grows whenever something changes that a decision to issue may rest on
    /// (CA, key, vault, profile, token).
    async fn epoch(&mut self) -> Result<i64>;
    /// Raises the epoch by one and returns it.
    async fn bump_epoch(&mut self) -> Result<i64>;
    /// The configuration epoch, which stays what it is until the transaction ends: for what is recorded outside of the
    /// group commit. Call it first in a transaction.
    async fn hold_epoch(&mut self) -> Result<i64>;
    /// A small named value.
    async fn meta(&mut self, name: &str) -> Result<Option<Vec<u8>>>;
    /// Stores a small named value, replacing an older one.
    async fn put_meta(&mut self, name: &str, value: &[u8]) -> Result<()>;
    /// Takes or keeps the lease `name` until `until`; false when another holder has it and it has not ended at `now`.
    async fn acquire_lease(&mut self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool>;
    /// Gives the lease back, if `holder` has it.
    async fn release_lease(&mut self, name: &str, holder: &str) -> Result<()>;
    /// Looks an idempotency key up.
    async fn idempotency(&mut self, caller: &str, key: &str) -> Result<Option<IdempotencyRecord>>;
    /// Stores a new key. A row of the same caller and key whose first call is unfinished and past `in_flight_until`
    /// (compared with `record.created_at`) is replaced; any other is [`Error::Conflict`].
    async fn begin_idempotency(&mut self, record: &IdempotencyRecord) -> Result<()>;
    /// Stores the response of a key that is in flight.
    async fn complete_idempotency(&mut self, caller: &str, key: &str, response: &SealedBlob) -> Result<()>;
    /// Forgets a key whose call gave up: only if it has no response, and is the one taken at `created_at`.
    async fn abandon_idempotency(&mut self, caller: &str, key: &str, created_at: Timestamp) -> Result<()>;
    /// Forgets a key.
    async fn forget_idempotency(&mut self, caller: &str, key: &str) -> Result<()>;
    /// Forgets keys made before `before`, at most `limit`; returns how many.
    async fn purge_idempotency(&mut self, before: Timestamp, limit: u32) -> Result<u64>;
    /// Stores the intent to sign a CA certificate.
    async fn insert_intent(&mut self, intent: &Intent) -> Result<()>;
    /// Marks an open intent as done; [`Error::Stale`] when it is not open.
    async fn complete_intent(&mut self, id: &IntentId, at: Timestamp) -> Result<()>;
    /// Intents made before `before` that were never completed: certificates that may exist without a row.
    async fn open_intents(&mut self, before: Timestamp) -> Result<Vec<Intent>>;
}

/// Vaults and their key-encryption keys.
#[async_trait]
pub trait VaultQueries: Send {
    /// Stores a vault.
    async fn insert_vault(&mut self, vault: &Vault) -> Result<()>;
    /// A vault by id or name (names of deleted vaults do not count; ids of deleted ones do).
    async fn vault(&mut self, reference: &Reference) -> Result<Option<Vault>>;
    /// Vaults by name; without `include_system`, the server's own are left out; deleted ones are left out.
    async fn vaults(&mut self, page: &PageRequest, include_system: bool) -> Result<Page<Vault>>;
    /// Writes name, state and deletion time of the row that still has `vault.revision`, and raises the revision.
    /// Becoming `DELETED` sets the name free.
    async fn update_vault(&mut self, vault: &Vault) -> Result<()>;
    /// Vaults whose deletion time has come.
    async fn vaults_to_delete(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Vault>>;
    /// Counts keys in the vault that are not deleted.
    async fn live_keys(&mut self, vault_id: &VaultId) -> Result<u64>;
    /// Stores a version of a vault's key.
    async fn insert_vault_key(&mut self, version: &VaultKeyVersion) -> Result<()>;
    /// Versions of a vault's key, newest first.
    async fn vault_keys(&mut self, vault_id: &VaultId) -> Result<Vec<VaultKeyVersion>>;
    /// Versions that are sealed under another root key than this one.
    async fn vault_keys_not_under(&mut self, root_key_id: &str, limit: u32) -> Result<Vec<VaultKeyVersion>>;
    /// Writes `sealed` and `root_key_id` of the version if it is still sealed under `old_root_key_id`.
    async fn rewrap_vault_key(&mut self, version: &VaultKeyVersion, old_root_key_id: &str) -> Result<()>;
    /// How many vault-key versions and secrets of webhooks each root key seals.
    async fn root_key_usage(&mut self) -> Result<Vec<(String, u64)>>;
    /// Destroys the sealed keys of a deleted vault.
    async fn destroy_vault_keys(&mut self, vault_id: &VaultId) -> Result<()>;
    /// Removes versions of the vault's key older than `newest` that seal nothing any more; returns how many.
    async fn drop_unused_vault_keys(&mut self, vault_id: &VaultId, newest: u32) -> Result<u64>;
}

/// Master keys.
#[async_trait]
pub trait KeyQueries: Send {
    /// Stores a key.
    async fn insert_key(&mut self, key: &Key) -> Result<()>;
    /// A key of the vault by id or name.
    async fn key(&mut self, vault_id: &VaultId, reference: &Reference) -> Result<Option<Key>>;
    /// A key by id, in whatever vault.
    async fn key_by_id(&mut self, id: &KeyId) -> Result<Option<Key>>;
    /// Keys of the vault by name.
    async fn keys(&mut self, vault_id: &VaultId, filter: &KeyFilter, page: &PageRequest) -> Result<Page<Key>>;
    /// Writes name, state, state before deletion, CA, latest version and deletion time of the row that still has
    /// `key.revision`, and raises the revision. Becoming `DELETED` sets the name free.
    async fn update_key(&mut self, key: &Key) -> Result<()>;
    /// Keys whose deletion time has come.
    async fn keys_to_delete(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Key>>;
    /// Stores a version.
    async fn insert_key_version(&mut self, version: &KeyVersion) -> Result<()>;
    /// Versions, newest first.
    async fn key_versions(&mut self, key_id: &KeyId) -> Result<Vec<KeyVersion>>;
    /// One version.
    async fn key_version(&mut self, key_id: &KeyId, number: u32) -> Result<Option<KeyVersion>>;
    /// Key versions of the vault that are sealed under an older vault-key version than `newest`.
    async fn key_versions_to_rewrap(
        &mut self,
        vault_id: &VaultId,
        newest: u32,
        limit: u32,
    ) -> Result<Vec<KeyVersionToRewrap>>;
    /// Writes `sealed` and `vault_key_version` if it is still sealed under `old_vault_key_version`.
    async fn rewrap_key_version(&mut self, version: &KeyVersion, old_vault_key_version: u32) -> Result<()>;
    /// Empties the sealed bytes of one version.
    async fn destroy_key_version(&mut self, key_id: &KeyId, number: u32) -> Result<()>;
    /// Empties the sealed bytes of every version of a deleted key.
    async fn destroy_key_material(&mut self, key_id: &KeyId) -> Result<()>;
}

/// Certificate authorities.
#[async_trait]
pub trait CaQueries: Send {
    /// Stores a CA.
    async fn insert_ca(&mut self, ca: &Ca) -> Result<()>;
    /// A CA by id or name (names of deleted CAs do not count; ids of deleted ones do).
    async fn ca(&mut self, reference: &Reference) -> Result<Option<Ca>>;
    /// CAs by name.
    async fn cas(&mut self, filter: &CaFilter, page: &PageRequest) -> Result<Page<Ca>>;
    /// Writes name, state, state before deletion, rules, revocation settings, version pointers and deletion time of
    /// the row that still has `ca.revision`, and raises the revision. Becoming `DELETED` sets the name free.
    async fn update_ca(&mut self, ca: &Ca) -> Result<()>;
    /// CAs whose deletion time has come.
    async fn cas_to_delete(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Ca>>;
    /// CAs whose next renewal (or activation) is due, the longest overdue first.
    async fn cas_to_renew(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Ca>>;
    /// Stores a version.
    async fn insert_ca_version(&mut self, version: &CaVersion) -> Result<()>;
    /// Versions, newest first.
    async fn ca_versions(&mut self, ca_id: &CaId) -> Result<Vec<CaVersion>>;
    /// One version.
    async fn ca_version(&mut self, ca_id: &CaId, number: u32) -> Result<Option<CaVersion>>;
    /// Writes the certificate, chain, serial, fingerprint, validity and inventory row of a version that has no
    /// certificate yet; [`Error::Stale`] when it has one.
    async fn install_ca_version(&mut self, version: &CaVersion) -> Result<()>;
    /// Writes the revocation of a version whose revocation still is `before`; [`Error::Stale`] when it is not.
    async fn revoke_ca_version(
        &mut self,
        ca_id: &CaId,
        number: u32,
        before: Option<&Revocation>,
        after: &Revocation,
    ) -> Result<()>;
    /// Versions whose coming end is to be told, the longest waiting first.
    async fn ca_versions_to_warn_of(&mut self, now: Timestamp, limit: u32) -> Result<Vec<CaVersion>>;
    /// Notes that it was told; [`Error::Stale`] when it was already.
    async fn warned_of_ca_version(&mut self, ca_id: &CaId, number: u32) -> Result<()>;
    /// Counts CAs issued by this one that are not deleted.
    async fn live_children(&mut self, ca_id: &CaId) -> Result<u64>;
    /// Counts leaf certificates of this CA that are neither revoked nor expired at `now`, up to `at_most`. Those of its
    /// own OCSP responders do not count.
    async fn live_leaves(&mut self, ca_id: &CaId, now: Timestamp, at_most: u32) -> Result<u64>;
    /// SHA-256 of every SubjectPublicKeyInfo that any CA version certifies.
    async fn ca_public_keys(&mut self) -> Result<Vec<Sha256>>;
}

/// Serials that CAs gave away before they came here.
#[async_trait]
pub trait KnownSerialQueries: Send {
    /// Stores serials of a CA, each of them once.
    async fn insert_known_serials(&mut self, ca_id: &CaId, serials: &[KnownSerial]) -> Result<()>;
    /// All serials that are known of a CA, in their order.
    async fn known_serials(&mut self, ca_id: &CaId) -> Result<Vec<KnownSerial>>;
    /// One of them.
    async fn known_serial(&mut self, ca_id: &CaId, serial: &Serial) -> Result<Option<KnownSerial>>;
    /// Marks one as revoked, for OCSP, and says when it expires, where it is known and that too.
    async fn revoke_known_serial(
        &mut self,
        ca_id: &CaId,
        serial: &Serial,
        revocation: &Revocation,
    ) -> Result<Option<Timestamp>>;
}

/// Managed certificates and their versions.
#[async_trait]
pub trait CertificateQueries: Send {
    /// Stores a certificate.
    async fn insert_certificate(&mut self, certificate: &ManagedCertificate) -> Result<()>;
    /// A certificate by id or name (names of deleted ones do not count; ids of deleted ones do).
    async fn certificate(&mut self, reference: &Reference) -> Result<Option<ManagedCertificate>>;
    /// Certificates by name.
    async fn certificates(
        &mut self,
        filter: &CertificateFilter,
        page: &PageRequest,
    ) -> Result<Page<ManagedCertificate>>;
    /// Writes everything that is mutable of the row that still has `certificate.revision`, and raises the revision.
    /// Becoming `DELETED` sets the name free.
    async fn update_certificate(&mut self, certificate: &ManagedCertificate) -> Result<()>;
    /// Certificates that the renewal job shall look at, the longest waiting first.
    async fn due_certificates(&mut self, now: Timestamp, limit: u32) -> Result<Vec<ManagedCertificate>>;
    /// Certificates whose overdue renewal is to be told.
    async fn overdue_certificates(&mut self, now: Timestamp, limit: u32) -> Result<Vec<ManagedCertificate>>;
    /// Certificates whose deletion time has come.
    async fn certificates_to_delete(&mut self, now: Timestamp, limit: u32) -> Result<Vec<ManagedCertificate>>;
    /// Has the job look at once at those of the CA whose last attempt failed; returns how many.
    async fn wake_certificates(&mut self, ca_id: &CaId, now: Timestamp) -> Result<u64>;
    /// Counts certificates issued by this CA that are neither deleted nor scheduled for it.
    async fn live_certificates(&mut self, ca_id: &CaId) -> Result<u64>;
    /// Stores a version (without its revocation, which is the inventory's).
    async fn insert_certificate_version(&mut self, version: &CertificateVersion) -> Result<()>;
    /// Versions, newest first.
    async fn certificate_versions(
        &mut self,
        id: &CertificateId,
        page: &PageRequest,
    ) -> Result<Page<CertificateVersion>>;
    /// A version together with its certificate, in one indexed read. Certificates that are deleted do not count.
    async fn certificate_version(
        &mut self,
        reference: &Reference,
        selector: &VersionSelector,
    ) -> Result<Option<(ManagedCertificate, CertificateVersion)>>;
    /// The certificate, and the number of its version, that this row of the inventory is.
    async fn certificate_of(&mut self, issued_id: &IssuedId) -> Result<Option<(ManagedCertificate, u32)>>;
    /// Deletes a version's row.
    async fn delete_certificate_version(&mut self, id: &CertificateId, number: u32) -> Result<()>;
    /// Counts the versions that rest on this version of a key.
    async fn certificate_key_uses(&mut self, key_id: &KeyId, key_version: u32) -> Result<u64>;
    /// The keys that the certificate's versions rest on, or once rested on.
    async fn certificate_keys(&mut self, id: &CertificateId) -> Result<Vec<KeyId>>;
}

/// Attempts to renew.
#[async_trait]
pub trait AttemptQueries: Send {
    /// Stores an attempt to renew.
    async fn insert_attempt(&mut self, attempt: &RenewalAttempt) -> Result<()>;
    /// Attempts, newest first.
    async fn attempts(&mut self, subject_id: &str, page: &PageRequest) -> Result<Page<RenewalAttempt>>;
    /// Deletes attempts made before `before`, at most `limit`; returns how many.
    async fn purge_attempts(&mut self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// Operators' own profiles (the built-in ones have no row).
#[async_trait]
pub trait ProfileQueries: Send {
    /// Stores a profile (its id is there).
    async fn insert_profile(&mut self, profile: &StoredProfile) -> Result<()>;
    /// A profile by id or name.
    async fn profile(&mut self, reference: &Reference) -> Result<Option<StoredProfile>>;
    /// Profiles by name.
    async fn profiles(&mut self, page: &PageRequest) -> Result<Page<StoredProfile>>;
    /// Replaces the row that still has `profile.revision`, and raises the revision.
    async fn update_profile(&mut self, profile: &StoredProfile) -> Result<()>;
    /// Deletes the row that still has `revision`.
    async fn delete_profile(&mut self, name: &ResourceName, revision: i64) -> Result<()>;
}

/// Named sets of foreign CA certificates.
#[async_trait]
pub trait CaBundleQueries: Send {
    /// Stores a bundle.
    async fn insert_ca_bundle(&mut self, bundle: &CaBundle) -> Result<()>;
    /// A bundle by id or name.
    async fn ca_bundle(&mut self, reference: &Reference) -> Result<Option<CaBundle>>;
    /// Bundles by name, with all their certificates.
    async fn ca_bundles(&mut self, page: &PageRequest) -> Result<Page<CaBundle>>;
    /// Replaces the row that still has `bundle.revision`, and raises the revision.
    async fn update_ca_bundle(&mut self, bundle: &CaBundle) -> Result<()>;
    /// Deletes the row that still has `revision`.
    async fn delete_ca_bundle(&mut self, id: &CaBundleId, revision: i64) -> Result<()>;
}

/// The inventory.
#[async_trait]
pub trait IssuedQueries: Send {
    /// Stores certificates; a serial that the CA used before or a known fingerprint is [`Error::Conflict`].
    async fn insert_issued(&mut self, certificates: &[IssuedCertificate]) -> Result<()>;
    /// By id.
    async fn issued(&mut self, id: &IssuedId) -> Result<Option<IssuedCertificate>>;
    /// By fingerprint.
    async fn issued_by_fingerprint(&mut self, fingerprint: &Sha256) -> Result<Option<IssuedCertificate>>;
    /// By serial; several CAs may have used it (imported ones), at most ten are returned.
    async fn issued_by_serial(&mut self, serial: &Serial) -> Result<Vec<IssuedCertificate>>;
    /// Searches.
    async fn search_issued(&mut self, filter: &IssuedFilter, page: &PageRequest) -> Result<Page<IssuedCertificate>>;
    /// Leaf certificates with this public key that are not expired, revoked or not.
    async fn issued_with_key(
        &mut self,
        spki: &Sha256,
        live_at: Timestamp,
        limit: u32,
    ) -> Result<Vec<IssuedCertificate>>;
    /// When the last of a CA's certificates expires, its own (of a root) aside.
    async fn last_expiry(&mut self, ca_id: &CaId) -> Result<Option<Timestamp>>;
    /// Writes the revocation (or none) of a row whose revocation still is `before`; [`Error::Stale`] when it is not.
    async fn change_revocation(
        &mut self,
        id: &IssuedId,
        before: Option<&Revocation>,
        after: Option<&Revocation>,
    ) -> Result<()>;
    /// Blocks a public key for ever; `epoch`: the one that the transaction raised. Blocked already: nothing happens.
    async fn block_key(&mut self, spki: &Sha256, epoch: i64, at: Timestamp) -> Result<()>;
    /// Is the public key blocked?
    async fn key_is_blocked(&mut self, spki: &Sha256) -> Result<bool>;
    /// SHA-256 of every SubjectPublicKeyInfo that was blocked under a later epoch than this one.
    async fn compromised_keys(&mut self, since: i64) -> Result<Vec<Sha256>>;
    /// Deletes leaf rows that expired before `before` and are on no revocation list any more; looks at `limit` of them at
    /// most; returns how many were deleted.
    async fn purge_expired(&mut self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// API tokens.
#[async_trait]
pub trait TokenQueries: Send {
    /// Stores a token.
    async fn insert_token(&mut self, token: &Token) -> Result<()>;
    /// By id.
    async fn token(&mut self, id: &TokenId) -> Result<Option<Token>>;
    /// By id or name (names of revoked tokens do not count).
    async fn find_token(&mut self, reference: &Reference) -> Result<Option<Token>>;
    /// Tokens, newest first, revoked and expired ones included.
    async fn tokens(&mut self, page: &PageRequest) -> Result<Page<Token>>;
    /// Marks as revoked and sets the name free; [`Error::Stale`] when it is already.
    async fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<()>;
    /// Revokes every token of the user that is not revoked yet; their ids.
    async fn revoke_tokens_of(&mut self, user: &PrincipalName, at: Timestamp) -> Result<Vec<TokenId>>;
    /// Notes the last use, if later than what is stored.
    async fn touch_token(&mut self, id: &TokenId, at: Timestamp) -> Result<()>;
}

/// The audit trail.
#[async_trait]
pub trait AuditQueries: Send {
    /// Stores an event at the end of a chain, when the transaction commits: it is not seen before. An id that exists is told
    /// by the commit.
    async fn insert_audit(&mut self, event: &AuditEvent) -> Result<()>;
    /// Events, newest first.
    async fn audit_events(&mut self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<StoredAuditEvent>>;
    /// Where the chains end, by name; chains without events too.
    async fn audit_heads(&mut self) -> Result<Vec<Head>>;
    /// The part of a chain after this sequence, in order. Empty: there is nothing more.
    async fn audit_chain(&mut self, chain: &str, after: i64) -> Result<Vec<StoredAuditEvent>>;
    /// How many events there are from before the chains, and the last one.
    async fn audit_before_chains(&mut self) -> Result<Before>;
    /// Events from before the chains, by id, after this one. Empty: there is nothing more.
    async fn audit_events_before_chains(&mut self, after: &str) -> Result<Vec<StoredAuditEvent>>;
    /// Stores a checkpoint. [`Error::Conflict`]: its number is taken.
    async fn insert_audit_checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> Result<()>;
    /// Checkpoints after this number, in order. Empty: there is nothing more.
    async fn audit_checkpoints(&mut self, after: i64) -> Result<Vec<StoredCheckpoint>>;
    /// The newest checkpoint.
    async fn last_audit_checkpoint(&mut self) -> Result<Option<StoredCheckpoint>>;
}

/// Events: the outbox.
#[async_trait]
pub trait EventQueries: Send {
    /// Stores an event, with a delivery to every webhook that is enabled and wants its kind (none wants `webhook.test`).
    async fn insert_event(&mut self, event: &Event) -> Result<()>;
    /// By id.
    async fn event(&mut self, id: &EventId) -> Result<Option<Event>>;
    /// Events, newest first.
    async fn events(&mut self, filter: &EventFilter, page: &PageRequest) -> Result<Page<Event>>;
    /// Deletes events with lower ids than `before`, and their deliveries; at most `limit`; returns how many.
    async fn purge_events(&mut self, before: &EventId, limit: u32) -> Result<u64>;
}

/// Webhooks and deliveries.
#[async_trait]
pub trait WebhookQueries: Send {
    /// Stores a webhook.
    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<()>;
    /// By id or name.
    async fn webhook(&mut self, reference: &Reference) -> Result<Option<Webhook>>;
    /// Webhooks by name.
    async fn webhooks(&mut self, page: &PageRequest) -> Result<Page<Webhook>>;
    /// How many there are.
    async fn count_webhooks(&mut self) -> Result<u64>;
    /// Writes name, URL, kinds, state and secret of the row that still has `webhook.revision`, and raises the revision.
    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<()>;
    /// Deletes the row that still has `revision`. Its deliveries age out with their events; none is due any more.
    async fn delete_webhook(&mut self, id: &WebhookId, revision: i64) -> Result<()>;
    /// Webhooks whose secret is sealed under another root key than this one.
    async fn webhooks_not_under(&mut self, root_key_id: &str, limit: u32) -> Result<Vec<Webhook>>;
    /// Writes `secret` and `root_key_id` if the secret is still the one of `old`; the revision stays.
    async fn rewrap_webhook(&mut self, old: &Webhook, new: &Webhook) -> Result<()>;
    /// Stores a delivery.
    async fn insert_delivery(&mut self, delivery: &Delivery) -> Result<()>;
    /// By webhook and id.
    async fn delivery(&mut self, webhook_id: &WebhookId, id: &DeliveryId) -> Result<Option<Delivery>>;
    /// Deliveries of a webhook, newest first; only those in `state`, where it is given.
    async fn deliveries(
        &mut self,
        webhook_id: &WebhookId,
        state: Option<DeliveryState>,
        page: &PageRequest,
    ) -> Result<Page<Delivery>>;
    /// Deliveries of an event to webhooks that are there, at most 500.
    async fn event_deliveries(&mut self, event_id: &EventId) -> Result<Vec<Delivery>>;
    /// Enabled webhooks for which a delivery is due, at most `limit`.
    async fn webhooks_due(&mut self, now: Timestamp, limit: u32) -> Result<Vec<WebhookId>>;
    /// Deliveries of a webhook that are due, those that have waited longest first.
    async fn deliveries_due(&mut self, webhook_id: &WebhookId, now: Timestamp, limit: u32) -> Result<Vec<Delivery>>;
    /// Writes what is mutable in the row that still has `delivery.revision`, and raises the revision.
    async fn update_delivery(&mut self, delivery: &Delivery) -> Result<()>;
}

/// What OCSP answers from.
#[async_trait]
pub trait OcspQueries: Send {
    /// What the CA knows of the serial: from the inventory, or from what it gave away before it came here. One indexed
    /// read; where that finds nothing, another of what its lists carry. `None`: never issued, as far as anybody knows.
    async fn serial_standing(&mut self, ca_id: &CaId, serial: &Serial) -> Result<Option<SerialStanding>>;
    /// Stores a responder; a number that is taken is [`Error::Conflict`].
    async fn insert_ocsp_responder(&mut self, responder: &OcspResponder) -> Result<()>;
    /// The newest responder of the CA's version whose certificate is not revoked.
    async fn ocsp_responder(&mut self, ca_id: &CaId, ca_version: u32) -> Result<Option<OcspResponder>>;
    /// The highest number that a responder of the CA's version has, revoked ones included; 0: none.
    async fn latest_ocsp_responder(&mut self, ca_id: &CaId, ca_version: u32) -> Result<u32>;
    /// Versions of CAs, in their order, that had a delegated responder, shall have one at `now`, and whose newest is
    /// revoked or due for renewal; those after `after`, at most `limit`.
    async fn ocsp_responders_due(
        &mut self,
        now: Timestamp,
        after: Option<(&CaId, u32)>,
        limit: u32,
    ) -> Result<Vec<(CaId, u32)>>;
    /// Responders whose certificates ended before `now`, or whose CA is deleted, at most `limit`.
    async fn ocsp_responders_to_retire(&mut self, now: Timestamp, limit: u32) -> Result<Vec<OcspResponder>>;
    /// Deletes a responder's row; [`Error::Stale`] when it is not there.
    async fn delete_ocsp_responder(&mut self, responder: &OcspResponder) -> Result<()>;
}
