//! The whole application on a throw-away database: a real store, a real key store, a clock moved by hand, seeded
//! randomness, and commits that fail when a test says so.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

pub(crate) mod bucket;
pub(crate) mod outbound;
pub(crate) mod proofs;
pub(crate) mod receiver;

use bucket::Bucket;
use certwright_app::{
    AcmeSettings, App, Call, ConfiguredSink, Dependencies, EventSettings, OcspSettings, Outbound, RevocationTarget,
    Revoke, Settings, Sinks, Target, Targets, Validator,
};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::rules::ServiceLimits;
use certwright_domain::time::{Span, Timestamp};
use certwright_keystore::{KeyStore, RootKeySource, SoftwareKeyStore};
use certwright_store::{CommitFaults, Location, PageRequest, Store};
use certwright_testkit::ambient::{ManualClock, SeededEntropy};
use certwright_testkit::faults::Faults;
use certwright_testkit::postgres::{DatabaseGuard, fresh_database};
use outbound::Receivers;
use proofs::KnownProofs;
use receiver::Receiver;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// What stays when a node ends: the database and the folder with the root keys.
struct Ground {
    folder: TempDir,
    postgres: Option<(String, DatabaseGuard)>,
    receivers: Arc<Receivers>,
    bucket: Arc<Bucket>,
    receiver: Arc<Receiver>,
    proofs: Arc<KnownProofs>,
}

/// One node.
pub(crate) struct TestApp {
    /// The use cases.
    pub(crate) app: App,
    /// Shared by all nodes of a test.
    pub(crate) clock: Arc<ManualClock>,
    /// The node's store, for looking behind the use cases.
    pub(crate) store: Store,
    /// The node's key store.
    pub(crate) keys: Arc<SoftwareKeyStore>,
    /// Commits of this node that shall fail.
    pub(crate) faults: Arc<Faults>,
    /// Receivers of webhooks, shared by all nodes of a test.
    pub(crate) receivers: Arc<Receivers>,
    /// The target `cdn`, and `mirror` as well; shared by all nodes of a test.
    pub(crate) bucket: Arc<Bucket>,
    /// The sink `log` of the audit trail; shared by all nodes of a test.
    pub(crate) receiver: Arc<Receiver>,
    /// What the validator of every node sees.
    pub(crate) proofs: Arc<KnownProofs>,
    ground: Arc<Ground>,
}

/// Targets of every node that is not started without them.
const TARGETS: [&str; 2] = ["cdn", "mirror"];

/// Changes settings before a node is made.
pub(crate) type Tune = fn(&mut Settings);

impl TestApp {
    /// A node on SQLite.
    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_with(|_| {}).await
    }

    /// A node on SQLite with other settings.
    pub(crate) async fn sqlite_with(tune: Tune) -> Self {
        Self::node(Arc::new(Ground::sqlite()), Arc::new(ManualClock::at(start())), "one", 1, tune).await
    }

    /// A node on each database.
    pub(crate) async fn on_every_database() -> Vec<Self> {
        let mut nodes = Vec::new();
        for ground in Ground::every().await {
            nodes.push(Self::node(Arc::new(ground), Arc::new(ManualClock::at(start())), "one", 1, |_| {}).await);
        }
        nodes
    }

    /// Two nodes that share a database, once for each database.
    pub(crate) async fn two_nodes_on_every_database() -> Vec<(Self, Self)> {
        let mut pairs = Vec::new();
        for one in Self::on_every_database().await {
            let other = one.another_node("two", 2).await;
            pairs.push((one, other));
        }
        pairs
    }

    /// Another node on the same database with the same root keys and the same clock.
    pub(crate) async fn another_node(&self, name: &str, seed: u64) -> Self {
        Self::node(Arc::clone(&self.ground), Arc::clone(&self.clock), name, seed, |_| {}).await
    }

    /// The node after a crash and a new start: nothing of its memory is left. `seed` must not have been used before.
    pub(crate) async fn restarted(&self, seed: u64) -> Self {
        self.restarted_with_targets(&TARGETS, seed).await
    }

    /// A node on a copy of the database as it is now, with the same root keys and the same clock: what a restored backup
    /// gives. SQLite only. `seed` must not have been used before.
    pub(crate) async fn restored_copy(&self, seed: u64) -> Self {
        assert!(self.ground.postgres.is_none(), "the files of PostgreSQL are not ours to read");
        let ground = Ground::sqlite();
        for entry in std::fs::read_dir(self.ground.folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), ground.folder.path().join(entry.file_name())).unwrap();
        }
        Self::node(Arc::new(ground), Arc::clone(&self.clock), "one", seed, |_| {}).await
    }

    /// Every byte that the database and its journal hold on disk; SQLite only.
    pub(crate) fn bytes_on_disk(&self) -> Vec<u8> {
        assert!(self.ground.postgres.is_none(), "the files of PostgreSQL are not ours to read");
        let mut bytes = Vec::new();
        for entry in std::fs::read_dir(self.ground.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains("certwright.db") {
                bytes.extend(std::fs::read(path).unwrap());
            }
        }
        assert!(!bytes.is_empty(), "the database has its files in the folder of the test");
        bytes
    }

    /// The node's time.
    pub(crate) fn clock_now(&self) -> Timestamp {
        self.app.now()
    }

    /// Revokes a certificate by its serial, fingerprint or id.
    pub(crate) async fn revoke(
        &self,
        call: &Call,
        reference: &str,
        reason: RevocationReason,
    ) -> Result<IssuedCertificate, certwright_app::Error> {
        let target = RevocationTarget::Reference(reference.to_owned());
        let revoked = self.app.revoke_issued_certificate(call, &target, Revoke::because(reason)).await;
        revoked.map(|revoked| revoked.certificate)
    }

    /// The actions of all audit events, in the order of the alphabet: while the clock stands still, events have no other.
    pub(crate) async fn audited(&self) -> Vec<String> {
        let page = PageRequest { limit: 500, after: None };
        let page = self.app.audit_events(&call(), &Default::default(), &page).await.unwrap();
        let mut actions: Vec<String> = page.items.into_iter().map(|event| event.action).collect();
        actions.sort();
        actions
    }

    /// The node after a new start with a configuration that has these targets only.
    pub(crate) async fn restarted_with_targets(&self, targets: &[&str], seed: u64) -> Self {
        let node = Self::node_with(Arc::clone(&self.ground), Arc::clone(&self.clock), "one", seed, |_| {}, targets);
        node.await
    }

    async fn node(ground: Arc<Ground>, clock: Arc<ManualClock>, node: &str, seed: u64, tune: Tune) -> Self {
        Self::node_with(ground, clock, node, seed, tune, &TARGETS).await
    }

    async fn node_with(
        ground: Arc<Ground>,
        clock: Arc<ManualClock>,
        node: &str,
        seed: u64,
        tune: Tune,
        targets: &[&str],
    ) -> Self {
        let faults = Arc::new(Faults::default());
        let store = Store::open(&ground.location(), Arc::clone(&faults) as Arc<dyn CommitFaults>).await.unwrap();
        store.migrate().await.unwrap();
        let source = RootKeySource::File { path: ground.folder.path().join("root.key"), create: true };
        let keys = Arc::new(SoftwareKeyStore::open(&source).unwrap());
        let mut settings = Settings {
            pki_url: "http://pki.example.com".to_owned(),
            limits: ServiceLimits::default(),
            name_rate: None,
            node: node.to_owned(),
            idempotency_lifetime: Span::from_hours(24),
            retention: None,
            events: EventSettings::default(),
            ocsp: OcspSettings::default(),
            acme: AcmeSettings::default(),
            checkpoint_interval: None,
        };
        tune(&mut settings);
        let app = App::new(Dependencies {
            store: store.clone(),
            keys: Arc::clone(&keys) as Arc<dyn KeyStore>,
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(seed)),
            outbound: Arc::clone(&ground.receivers) as Arc<dyn Outbound>,
            targets: Targets::new(
                targets.iter().map(|target| (name(target), Arc::clone(&ground.bucket) as Arc<dyn Target>)),
            ),
            sinks: Sinks::new([(name("log"), ConfiguredSink { sink: ground.receiver.clone(), from_now: false })]),
            validator: Arc::clone(&ground.proofs) as Arc<dyn Validator>,
            settings,
        });
        let bucket = Arc::clone(&ground.bucket);
        let receiver = Arc::clone(&ground.receiver);
        let receivers = Arc::clone(&ground.receivers);
        let proofs = Arc::clone(&ground.proofs);
        Self { app, clock, store, keys, faults, receivers, bucket, receiver, proofs, ground }
    }
}

impl Ground {
    fn sqlite() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            postgres: None,
            receivers: Arc::default(),
            bucket: Arc::default(),
            receiver: Arc::default(),
            proofs: Arc::default(),
        }
    }

    async fn every() -> Vec<Self> {
        // Starting the server, when this is the first call, takes a moment.
        let postgres = tokio::task::spawn_blocking(fresh_database).await.unwrap();
        vec![Self::sqlite(), Self { postgres: Some(postgres), ..Self::sqlite() }]
    }

    fn location(&self) -> Location {
        match &self.postgres {
            Some((url, _)) => Location::Postgres(url.clone()),
            None => Location::Sqlite(self.sqlite_path()),
        }
    }

    fn sqlite_path(&self) -> PathBuf {
        self.folder.path().join("certwright.db")
    }
}

#[tokio::test]
async fn all_nodes_of_a_test_see_the_same_proofs() {
    let one = TestApp::sqlite().await;
    let other = one.another_node("two", 2).await;
    assert!(Arc::ptr_eq(&one.proofs, &other.proofs));
}

/// 2026-11-21T09:00:00Z.
pub(crate) fn start() -> Timestamp {
    Timestamp::parse("2026-11-21T09:00:00Z").unwrap()
}

/// A call of the server itself.
pub(crate) fn call() -> Call {
    Call::system("test")
}

/// The same as a trial.
pub(crate) fn trial() -> Call {
    Call { dry_run: true, ..call() }
}

/// A name.
pub(crate) fn name(text: &str) -> ResourceName {
    ResourceName::parse(text).unwrap()
}

/// A reference.
pub(crate) fn to(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

/// The code of the conflict that a use case answered.
pub(crate) fn conflict<T>(result: Result<T, certwright_app::Error>) -> &'static str {
    match result {
        Err(certwright_app::Error::Conflict { code, .. }) => code,
        Err(other) => panic!("not a conflict: {other:?}"),
        Ok(_) => panic!("was not refused"),
    }
}

/// Every test binary mounts this module and uses a part of it.
const _: fn() = || {
    let _ = TestApp::sqlite;
    let _ = TestApp::restored_copy;
    let _ = TestApp::sqlite_with;
    let _ = TestApp::on_every_database;
    let _ = TestApp::two_nodes_on_every_database;
    let _ = TestApp::restarted;
    let _ = TestApp::bytes_on_disk;
    let _ = (TestApp::audited, TestApp::clock_now);
    let _ = async |app: &TestApp| app.revoke(&call(), "", RevocationReason::Unspecified).await.is_ok();
    let _ = |app: &TestApp| (app.store.clone(), Arc::clone(&app.keys), Arc::clone(&app.faults));
    let _ = |app: &TestApp| (app.receivers.serve("", None), app.receivers.fetched());
    let _ = |app: &TestApp| (app.receivers.posts(), app.receivers.release(), app.receivers.will_answer([]));
    let _ = |app: &TestApp| (app.bucket.get(""), app.bucket.names(), app.bucket.puts(), app.bucket.clear());
    let _ = |app: &TestApp| (app.bucket.will_fail([]), app.bucket.hold_next(), app.bucket.release());
    let _ = async |app: &TestApp| app.bucket.held().await;
    let _ = |app: &TestApp| (app.receiver.lines(), app.receiver.will_fail([]), app.receiver.largest());
    let _ = async |app: &TestApp| (app.receiver.hang_next(), app.receiver.hung().await);
    let _ = |post: outbound::Post| (post.header("").len(), post.url, post.body);
    let _ = (trial, name, to, conflict::<()>);
};
