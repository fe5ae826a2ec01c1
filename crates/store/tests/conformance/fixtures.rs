//! Stores to test, and values to store.

use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::audit::{AuditEvent, Outcome};
use certwright_domain::ca::{Ca, CaRules, CaState, CaType, CaVersion, RevocationSettings};
use certwright_domain::constraints::{NameConstraints, RawSubtrees};
use certwright_domain::crl::RevokedSerial;
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::event::{Event, EventKind};
use certwright_domain::http_url::HttpUrl;
use certwright_domain::id::{
    AuditId, CaId, CertificateId, EventId, IdEntropy, IntentId, IssuedId, KeyId, ProfileId, TokenId, VaultId, WebhookId,
};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::key::{Key, KeyState, KeyVersion, Protection, SealedBlob, Vault, VaultKeyVersion, VaultState};
use certwright_domain::managed::{
    CertificateKind, CertificateState, CertificateVersion, ManagedCertificate, RenewalSettings, VersionReason, Wish,
};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::profile::{Profile, RawNameLimits, RawProfile, StoredProfile};
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::san::San;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::stage::VersionPointers;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::token::Token;
use certwright_domain::validity::{RequestedValidity, Validity};
use certwright_domain::webhook::Webhook;
use certwright_store::{CommitFaults, Intent, Location, PageRequest, Recording, Store};
use certwright_testkit::postgres::{DatabaseGuard, fresh_database};
use sqlx::{Connection as _, PgConnection};
use std::ops::Deref;
use std::sync::Arc;
use tempfile::TempDir;

/// A migrated store whose database ends with it.
pub(crate) struct TestStore {
    pub(crate) store: Store,
    pub(crate) location: Location,
    _home: Home,
}

#[expect(dead_code, reason = "held for their ends")]
enum Home {
    Folder(TempDir),
    Database(DatabaseGuard),
}

impl TestStore {
    pub(crate) async fn sqlite(faults: Arc<dyn CommitFaults>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("certwright.db"));
        Self::open(location, Home::Folder(folder), faults).await
    }

    pub(crate) async fn postgres(faults: Arc<dyn CommitFaults>) -> Self {
        let (url, guard) = fresh_database();
        Self::open(Location::Postgres(url), Home::Database(guard), faults).await
    }

    /// Does somebody wait for a lock? On SQLite whoever writes waits for the one writer, before it looks at anything.
    pub(crate) async fn one_waits(&self) -> bool {
        let Location::Postgres(url) = &self.location else {
            tokio::task::yield_now().await;
            return true;
        };
        let mut asking = PgConnection::connect(url).await.unwrap();
        let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                     AND wait_event_type = 'Lock')";
        sqlx::query_scalar(waits).fetch_one(&mut asking).await.unwrap()
    }

    async fn open(location: Location, home: Home, faults: Arc<dyn CommitFaults>) -> Self {
        let store = Store::open(&location, faults).await.unwrap();
        store.migrate().await.unwrap();
        Self { store, location, _home: home }
    }
}

impl Deref for TestStore {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

/// The time at which the tests happen.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_s(1_795_176_000)
}

pub(crate) fn days(count: i64) -> Span {
    Span::from_days(count)
}

/// Bytes that tell one number from another.
pub(crate) fn entropy(number: u32) -> IdEntropy {
    let mut bytes = [0; 10];
    bytes[6..].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(crate) fn sha(number: u32) -> Sha256 {
    let mut bytes = [7; 32];
    bytes[28..].copy_from_slice(&number.to_be_bytes());
    Sha256(bytes)
}

pub(crate) fn name(text: &str) -> ResourceName {
    ResourceName::parse(text).unwrap()
}

pub(crate) fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

pub(crate) fn first(limit: u32) -> PageRequest {
    PageRequest { limit, after: None }
}

pub(crate) fn after(limit: u32, cursor: Option<String>) -> PageRequest {
    assert!(cursor.is_some(), "there must be a next page");
    PageRequest { limit, after: cursor }
}

pub(crate) fn revocation() -> Revocation {
    Revocation { at: now().plus(days(1)), reason: RevocationReason::KeyCompromise }
}

pub(crate) fn vault(number: u32, called: &str) -> Vault {
    Vault {
        id: VaultId::new(now(), entropy(number)),
        name: name(called),
        state: VaultState::Active,
        system: false,
        created_at: now(),
        deletion_at: None,
        revision: 1,
    }
}

pub(crate) fn vault_key(vault: &Vault, number: u32, root_key_id: &str) -> VaultKeyVersion {
    VaultKeyVersion {
        vault_id: vault.id.clone(),
        number,
        root_key_id: root_key_id.to_owned(),
        sealed: SealedBlob(vec![0, 1, 2, 255]),
        created_at: now(),
    }
}

pub(crate) fn key(number: u32, vault: &Vault, called: &str) -> Key {
    Key {
        id: KeyId::new(now(), entropy(number)),
        vault_id: vault.id.clone(),
        name: name(called),
        algorithm: KeyAlgorithm::EcdsaP256,
        protection: Protection::Software,
        state: KeyState::Enabled,
        state_before_deletion: None,
        used_by_ca: None,
        latest_version: 1,
        created_at: now(),
        deletion_at: None,
        revision: 1,
    }
}

pub(crate) fn key_version(key: &Key, number: u32, vault_key_version: u32) -> KeyVersion {
    KeyVersion {
        key_id: key.id.clone(),
        number,
        vault_key_version,
        sealed: SealedBlob(vec![9, 8, 7]),
        public_key: Some(vec![1, 2, 3]),
        created_at: now(),
    }
}

pub(crate) fn subject(common_name: &str) -> DistinguishedName {
    DistinguishedName::new(vec![
        Attribute::parse(AttributeType::Country, "KR").unwrap(),
        Attribute::parse(AttributeType::OrganizationalUnit, "two").unwrap(),
        Attribute::parse(AttributeType::OrganizationalUnit, "one").unwrap(),
        Attribute::parse(AttributeType::CommonName, common_name).unwrap(),
    ])
    .unwrap()
}

pub(crate) fn constraints() -> NameConstraints {
    let permitted = RawSubtrees {
        dns: vec!["example.com".into()],
        ip: vec!["10.0.0.0/8".into()],
        directory: vec![subject("below")],
        ..RawSubtrees::default()
    };
    NameConstraints::parse(permitted, RawSubtrees { email: vec!["bad.example".into()], ..RawSubtrees::default() })
        .unwrap()
}

/// A CA without a key of ours.
pub(crate) fn ca(number: u32, called: &str) -> Ca {
    Ca {
        id: CaId::new(now(), entropy(number)),
        name: name(called),
        ca_type: CaType::Root,
        state: CaState::Active,
        state_before_deletion: None,
        system: false,
        issuer_id: None,
        key: None,
        signature_algorithm: Some(SignatureAlgorithm::Sha256WithEcdsa),
        subject: subject(called),
        rules: CaRules {
            leaf_max_validity: CaRules::LEAF_MAX,
            subordinate_max_validity: CaRules::SUBORDINATE_MAX,
            path_length: Some(1),
            name_constraints: Some(constraints()),
        },
        revocation: RevocationSettings::default(),
        versions: VersionPointers { current: Some(1), previous: None, latest: 1 },
        created_at: now(),
        deletion_at: None,
        revision: 1,
        renewal: None,
        next_renewal_at: None,
        renewal_failures: 0,
        exportable: true,
        crl_number: Some(41),
        publication: None,
    }
}

pub(crate) fn ca_version(ca: &Ca, number: u32) -> CaVersion {
    CaVersion {
        ca_id: ca.id.clone(),
        number,
        key_version: Some(1),
        certificate: Some(vec![0x30, 0x82]),
        csr: None,
        chain: vec![vec![1, 2], vec![]],
        serial: Some(Serial::from_bytes(&[number as u8, 1]).unwrap()),
        fingerprint: Some(sha(number)),
        spki_sha256: Some(sha(number + 1000)),
        validity: Some(Validity::new(now(), now().plus(days(365))).unwrap()),
        issued_id: Some(IssuedId::new(now(), entropy(number))),
        revocation: None,
        failed: false,
        created_at: now(),
    }
}

/// A managed certificate of the CA whose key we hold.
pub(crate) fn certificate(number: u32, ca: &Ca, called: &str) -> ManagedCertificate {
    ManagedCertificate {
        id: CertificateId::new(now(), entropy(number)),
        name: name(called),
        kind: CertificateKind::Internal,
        state: CertificateState::Active,
        state_before_deletion: None,
        wish: Some(Wish {
            ca: ca.id.clone(),
            profile: name("tls-server"),
            subject: Some(subject(called)),
            names: Some(vec![San::parse("a.example.com").unwrap()]),
            key_algorithm: Some(KeyAlgorithm::EcdsaP256),
            validity: RequestedValidity::DEFAULT,
            csr: None,
        }),
        renewal: RenewalSettings::default(),
        exportable: true,
        versions: VersionPointers { current: Some(1), previous: None, latest: 1 },
        waiting: None,
        next_attempt_at: Some(now().plus(days(60))),
        overdue_at: Some(now().plus(days(75))),
        failures: 0,
        created_at: now(),
        deletion_at: None,
        revision: 1,
    }
}

/// A version of it, of this certificate of the inventory.
pub(crate) fn certificate_version(
    of: &ManagedCertificate,
    number: u32,
    row: Option<&IssuedCertificate>,
) -> CertificateVersion {
    CertificateVersion {
        certificate_id: of.id.clone(),
        number,
        name: None,
        key: None,
        csr: None,
        issued_id: row.map(|row| row.id.clone()),
        certificate: vec![0x30, 0],
        chain: vec![vec![1, 2], vec![3]],
        serial: Serial::from_bytes(&number.to_be_bytes()).unwrap(),
        fingerprint: sha(number),
        spki_sha256: sha(7_000_000),
        subject: "CN=a".to_owned(),
        names: vec![San::parse("a.example.com").unwrap()],
        key_algorithm: "ECDSA_P256".to_owned(),
        validity: Validity::new(now(), now().plus(days(90))).unwrap(),
        exportable: true,
        reason: VersionReason::Created,
        created_at: now(),
        revocation: None,
        moved: None,
    }
}

pub(crate) fn profile(number: u32, called: &str) -> StoredProfile {
    let raw = RawProfile {
        name: called.to_owned(),
        description: format!("profile {number}"),
        usages: vec!["serverAuth".into(), "clientAuth".into()],
        key_algorithms: vec!["ECDSA_P256".into()],
        max_validity: Some("P30D".into()),
        key_holders: vec![],
        names: RawNameLimits {
            dns: Some(vec!["*.example.com".into()]),
            ip: Some(vec!["10.0.0.0/8".into()]),
            subject: Some(vec!["commonName".into()]),
            wildcards: true,
            ..RawNameLimits::default()
        },
    };
    StoredProfile {
        id: Some(ProfileId::new(now(), entropy(number))),
        profile: Profile::new(raw).unwrap(),
        created_at: Some(now()),
        revision: 1,
    }
}

pub(crate) fn token(number: u32, called: &str) -> Token {
    Token {
        workload: None,
        scopes: vec!["read vaults".to_owned()],
        bound_to: None,
        id: TokenId::new(now(), entropy(number)),
        name: name(called),
        user: "deployer".to_owned(),
        secret_sha256: sha(number),
        created_at: now(),
        expires_at: Some(now().plus(days(30))),
        revoked_at: None,
        last_used_at: None,
    }
}

pub(crate) fn intent(number: u32) -> Intent {
    Intent {
        id: IntentId::new(now(), entropy(number)),
        ca_id: CaId::new(now(), entropy(number)),
        serial: Serial::from_bytes(&[1, number as u8]).unwrap(),
        tbs: vec![0x30, number as u8],
        requester: "system".to_owned(),
        request_id: "req".to_owned(),
        created_at: now(),
    }
}

pub(crate) fn audit(number: u32) -> AuditEvent {
    AuditEvent {
        id: AuditId::new(now(), entropy(number)),
        at: now(),
        actor: "token:a".to_owned(),
        actor_name: "ci".to_owned(),
        action: "certificate.issue",
        target_kind: "certificate",
        target_id: format!("target-{number}"),
        target_name: String::new(),
        request_id: format!("request-{number}"),
        door: "token",
        address: Some("2001:db8::7".parse().unwrap()),
        decided_by: String::new(),
        outcome: Outcome::Succeeded,
        details: format!("{{\"number\":{number},\"text\":\"ü\\u0000\"}}"),
    }
}

pub(crate) fn event(number: u32, kind: EventKind) -> Event {
    Event {
        id: EventId::new(now(), entropy(number)),
        kind,
        at: now(),
        subject_kind: "ca".to_owned(),
        subject_id: format!("subject-{number}"),
        subject_name: "a name".to_owned(),
        request_id: format!("request-{number}"),
        details: vec![("text".to_owned(), "ü\0\"".to_owned()), ("another".to_owned(), number.to_string())],
    }
}

pub(crate) fn webhook(number: u32, called: &str, kinds: &[EventKind]) -> Webhook {
    Webhook {
        id: WebhookId::new(now(), entropy(number)),
        name: name(called),
        url: HttpUrl::parse("https://hooks.example.com/certwright").unwrap(),
        kinds: kinds.to_vec(),
        enabled: true,
        secret: SealedBlob(vec![1, 2, 3]),
        root_key_id: "root-1".to_owned(),
        created_at: now(),
        revision: 1,
    }
}

/// A leaf of the CA; everything that is unique comes from the number.
pub(crate) fn issued(number: u32, ca: &Ca) -> IssuedCertificate {
    IssuedCertificate {
        id: IssuedId::new(now(), entropy(number)),
        kind: IssuedKind::Leaf,
        ca_id: ca.id.clone(),
        ca_name: ca.name.to_string(),
        ca_version: 1,
        serial: Serial::from_bytes(&[&[0x51], number.to_be_bytes().as_slice()].concat()).unwrap(),
        fingerprint: sha(number),
        spki_sha256: sha(number + 5000),
        subject: format!("CN=Host-{number}.example.com"),
        common_name: format!("Host-{number}.example.com"),
        names: vec![San::parse(&format!("host-{number}.example.com")).unwrap(), San::parse("10.0.0.5").unwrap()],
        profile: "tls-server".to_owned(),
        key_algorithm: "ECDSA_P256".to_owned(),
        validity: Validity::new(now(), now().plus(days(i64::from(number % 90) + 1))).unwrap(),
        renew_at: now().plus(days(i64::from(number % 60) + 1)),
        requester: "token:a".to_owned(),
        requester_name: "ci".to_owned(),
        request_id: format!("request-{number}"),
        certificate: vec![0x30, 0x82, number as u8],
        issued_at: now(),
        revocation: None,
    }
}

/// What lists carry of a certificate.
pub(crate) fn listed(row: &IssuedCertificate) -> RevokedSerial {
    RevokedSerial {
        serial: row.serial.clone(),
        expires_at: Some(row.validity.not_after()),
        revocation: revocation(),
        released: false,
    }
}

pub(crate) fn recording(number: u32, ca: &Ca, epoch: i64) -> Recording {
    Recording { issued: issued(number, ca), audit: audit(number), epoch, ending: None }
}

/// Records a few certificates, one after the other: what a lane of the group commit knows from one batch, it rests the next one on.
pub(crate) async fn warm_up(store: &Store, ca: &Ca, epoch: i64) {
    for number in 9_000..9_004 {
        store.recorder().record(recording(number, ca, epoch)).await.unwrap();
    }
}

/// Stores a CA in a transaction of its own; returns it with the epoch.
pub(crate) async fn with_ca(store: &Store) -> (Ca, i64) {
    let ca = ca(1, "issuing-1");
    let mut tx = store.begin("setup").await.unwrap();
    tx.insert_ca(&ca).await.unwrap();
    let epoch = tx.epoch().await.unwrap();
    tx.commit().await.unwrap();
    (ca, epoch)
}
