//! The application, in process.

use async_trait::async_trait;
use axum::Router;
use certwright_acme::{DoorSettings, router};
use certwright_app::{
    AcmeSettings, App, CaaCheck, Call, ChallengeCheck, Dependencies, EventSettings, Fetched, OcspSettings, Outbound,
    OutboundAnswer, OutboundError, Quickstart, Settings, Targets, Validator,
};
use certwright_domain::acme::{DirectorySettings, Failure, FailureKind, Method, RawDirectory};
use certwright_domain::http_url::HttpUrl;
use certwright_domain::name::Reference;
use certwright_domain::rules::ServiceLimits;
use certwright_domain::time::Span;
use certwright_keystore::{RootKeySource, SoftwareKeyStore};
use certwright_store::{Location, Store};
use certwright_testkit::ambient::{ManualClock, SeededEntropy};
use certwright_testkit::faults::Faults;
use certwright_testkit::postgres::{DatabaseGuard, fresh_database};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// What everybody shows: proofs by name and method; whatever is not in it fails.
#[derive(Default)]
pub(crate) struct World {
    shown: Mutex<BTreeMap<String, String>>,
    pub(crate) caa: Mutex<BTreeMap<String, Failure>>,
    pub(crate) looked: AtomicU32,
    /// Nobody answers, for ever.
    pub(crate) hangs: AtomicBool,
    /// Nobody answers to this method before there is a permit.
    pub(crate) held: Mutex<Option<(Method, Arc<Semaphore>)>>,
}

impl World {
    /// A name's owner shows this key authorization, by whatever way.
    pub(crate) fn show(&self, name: &str, key_authorization: &str) {
        self.shown.lock().unwrap().insert(name.to_owned(), key_authorization.to_owned());
    }

    pub(crate) fn hide(&self, name: &str) {
        self.shown.lock().unwrap().remove(name);
    }
}

#[async_trait]
impl Validator for World {
    async fn validate(&self, check: &ChallengeCheck<'_>) -> Result<(), Failure> {
        self.looked.fetch_add(1, Ordering::Relaxed);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let held = self.held.lock().unwrap().clone().filter(|(method, _)| *method == check.method);
        if let Some((_, gate)) = held {
            gate.acquire().await.unwrap().forget();
        }
        match self.shown.lock().unwrap().get(&check.identifier.to_string()) {
            Some(shown) if shown == check.key_authorization => Ok(()),
            Some(_) => Err(Failure::new(FailureKind::Unauthorized, "another key authorization was seen")),
            None => Err(Failure::new(FailureKind::Connection, format!("nobody answers at {}", check.identifier))),
        }
    }

    async fn caa(&self, check: &CaaCheck<'_>) -> Result<(), Failure> {
        match self.caa.lock().unwrap().get(check.name.as_str()) {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }
}

struct Nowhere;

#[async_trait]
impl Outbound for Nowhere {
    fn check(&self, _: &HttpUrl) -> Result<(), OutboundError> {
        Ok(())
    }
    async fn post(
        &self,
        _: &HttpUrl,
        _: &[(&'static str, String)],
        _: Vec<u8>,
    ) -> Result<OutboundAnswer, OutboundError> {
        Err(OutboundError::Unreachable)
    }
    async fn get(&self, _: &HttpUrl, _: usize) -> Result<Fetched, OutboundError> {
        Err(OutboundError::Unreachable)
    }
}

/// What nodes share.
struct Ground {
    folder: TempDir,
    postgres: Option<(String, DatabaseGuard)>,
}

/// A node with its directories.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) world: Arc<World>,
    pub(crate) router: Router,
    pub(crate) faults: Arc<Faults>,
    ground: Arc<Ground>,
}

pub(crate) const PUBLIC: &str = "https://ca.example.com:8443";

impl Server {
    /// On SQLite, with what `quickstart` makes.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(tune: fn(&mut AcmeSettings)) -> Self {
        let ground = Ground { folder: TempDir::new().unwrap(), postgres: None };
        Self::first(Arc::new(ground), tune).await
    }

    /// One on each database.
    pub(crate) async fn on_every_database() -> Vec<Self> {
        Self::on_every_database_with(|_| {}).await
    }

    pub(crate) async fn on_every_database_with(tune: fn(&mut AcmeSettings)) -> Vec<Self> {
        let postgres = tokio::task::spawn_blocking(fresh_database).await.unwrap();
        let ground = Ground { folder: TempDir::new().unwrap(), postgres: Some(postgres) };
        vec![Self::with(tune).await, Self::first(Arc::new(ground), tune).await]
    }

    async fn first(ground: Arc<Ground>, tune: fn(&mut AcmeSettings)) -> Self {
        let (clock, world) = (Arc::new(ManualClock::default()), Arc::new(World::default()));
        let server = Self::node(ground, clock, world, 7, tune).await;
        server.app.first_admin_token().await.unwrap();
        let wish = Quickstart { organization: None, dns_name: "first.example.com".to_owned() };
        server.app.quickstart(&wish).await.unwrap();
        server
    }

    /// Another node, or this one after a crash: nothing of its memory is there.
    pub(crate) async fn another(&self, seed: u64) -> Self {
        let (clock, world) = (Arc::clone(&self.clock), Arc::clone(&self.world));
        Self::node(Arc::clone(&self.ground), clock, world, seed, |_| {}).await
    }

    async fn node(
        ground: Arc<Ground>,
        clock: Arc<ManualClock>,
        world: Arc<World>,
        seed: u64,
        tune: fn(&mut AcmeSettings),
    ) -> Self {
        let location = match &ground.postgres {
            Some((url, _)) => Location::Postgres(url.clone()),
            None => Location::Sqlite(ground.folder.path().join("certwright.db")),
        };
        let faults = Arc::new(Faults::default());
        let store = Store::open(&location, faults.clone()).await.unwrap();
        store.migrate().await.unwrap();
        let source = RootKeySource::File { path: ground.folder.path().join("root.key"), create: true };
        let mut acme = AcmeSettings { public_url: PUBLIC.to_owned(), ..AcmeSettings::default() };
        tune(&mut acme);
        let app = App::new(Dependencies {
            store,
            keys: Arc::new(SoftwareKeyStore::open(&source).unwrap()),
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(seed)),
            outbound: Arc::new(Nowhere),
            targets: Targets::default(),
            sinks: Default::default(),
            validator: world.clone(),
            settings: Settings {
                pki_url: "http://pki.example.com".to_owned(),
                limits: ServiceLimits::default(),
                name_rate: None,
                node: format!("node-{seed}"),
                idempotency_lifetime: Span::from_hours(24),
                retention: None,
                events: EventSettings::default(),
                ocsp: OcspSettings::default(),
                acme: acme.clone(),
                checkpoint_interval: None,
            },
        });
        let number = AtomicU32::new(0);
        let ids = Arc::new(move || format!("made-{}", number.fetch_add(1, Ordering::Relaxed)));
        let router = router(app.clone(), DoorSettings::new(acme, ids));
        Self { app, clock, world, router, faults, ground }
    }

    /// Another directory for the same CA.
    pub(crate) async fn directory(&self, raw: RawDirectory) {
        let mut raw = RawDirectory { enabled: true, reuse_authorizations: true, ..raw };
        if raw.profiles.is_empty() {
            raw.profiles = vec!["acme".to_owned()];
        }
        DirectorySettings::new(raw.clone()).unwrap();
        let ca = Reference::parse("issuing-1").unwrap();
        self.app.create_acme_directory(&call(), certwright_app::NewAcmeDirectory { ca, settings: raw }).await.unwrap();
    }

    /// Looks at every proof that waits or is due, until there is none.
    pub(crate) async fn look(&self) {
        loop {
            let mut proofs = self.app.due_acme_proofs(100).await.unwrap();
            proofs.extend(std::iter::from_fn(|| self.app.waiting_acme_proof()));
            if proofs.is_empty() {
                return;
            }
            for proof in proofs {
                self.app.look_at_acme_proof(&proof).await.unwrap();
            }
        }
    }

    /// Looks until a proof that fails has failed for good.
    pub(crate) async fn look_to_the_end(&self) {
        for _ in 0..4 {
            self.look().await;
            self.clock.advance(Span::from_s(10));
        }
    }
}

pub(crate) fn call() -> Call {
    Call::system("test")
}
