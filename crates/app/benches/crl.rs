//! A CA with a million revoked certificates: how long its list takes, what it costs, and what those feel who issue and
//! revoke meanwhile. `cargo bench -p certwright-app --bench crl -- --help` lists the options.
//!
//! The use cases as the server runs them, on a real store with every commit durable, with real keys.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a benchmark that cannot go on ends"
)]

use certwright_app::{
    App, CaaCheck, Call, ChallengeCheck, Dependencies, EventSettings, Fetched, IssueRequest, NewCa, NewCaKind, NewKey,
    NewRules, OcspSettings, Outbound, OutboundAnswer, OutboundError, OwnKey, RevocationTarget, Revoke, Settings,
    Subject, UpdateCa, Validator,
};
use certwright_domain::acme::{Failure, FailureKind};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ambient::{Clock, Entropy};
use certwright_domain::ca::{DeltaSettings, RevocationSettings};
use certwright_domain::crl::{CrlKind, RevokedSerial, Shards};
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::http_url::HttpUrl;
use certwright_domain::key::Protection;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::rules::ServiceLimits;
use certwright_domain::san::San;
use certwright_domain::serial::Serial;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_keystore::{RootKeySource, SoftwareKeyStore};
use certwright_store::{Location, NoFaults, Store};
use certwright_testkit::ambient::SeededEntropy;
use certwright_testkit::postgres::fresh_durable_database;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Who issues meanwhile.
const ISSUERS: usize = 16;
/// Certificates that are there to be revoked each time.
const REVOCATIONS: usize = 3000;
/// Entries stored in one transaction while the ground is laid.
const BATCH: u64 = 20_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("crl [ENTRIES] [sqlite|postgres]: default 1000000 entries, both databases");
        return;
    }
    let entries = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let wanted =
        |name: &str| !arguments.iter().any(|a| a.parse::<u64>().is_err()) || arguments.iter().any(|a| a == name);
    // As the server: one worker for each core.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if wanted("sqlite") {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("certwright.db"));
        runtime.block_on(run("SQLite", &location, entries));
    }
    if wanted("postgres") {
        let (url, _guard) = fresh_durable_database();
        runtime.block_on(run("PostgreSQL", &Location::Postgres(url), entries));
    }
}

struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the benchmark is its own outside world")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap())
    }
}

/// Nobody is called.
struct Nobody;

#[async_trait::async_trait]
impl Outbound for Nobody {
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

#[async_trait::async_trait]
impl Validator for Nobody {
    async fn validate(&self, _: &ChallengeCheck<'_>) -> Result<(), Failure> {
        Err(Failure::new(FailureKind::Connection, "nobody is called"))
    }

    async fn caa(&self, _: &CaaCheck<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

fn call() -> Call {
    Call::system("bench")
}

fn to(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

fn request() -> IssueRequest {
    IssueRequest {
        subject: Subject { subject: None, names: Some(vec![San::parse("service.example.com").unwrap()]) },
        profile: None,
        key_algorithm: None,
        validity: RequestedValidity { not_before: None, end: RequestedEnd::Duration(Span::from_days(30)) },
    }
}

async fn run(database: &str, location: &Location, entries: u64) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(location, Arc::new(NoFaults)).await.unwrap();
    store.migrate().await.unwrap();
    let source = RootKeySource::File { path: folder.path().join("root.key"), create: true };
    let mut seed = [0; 8];
    std::fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut seed)).unwrap();
    let app = App::new(Dependencies {
        store: store.clone(),
        keys: Arc::new(SoftwareKeyStore::open(&source).unwrap()),
        clock: Arc::new(RealClock),
        entropy: Arc::new(SeededEntropy::new(u64::from_le_bytes(seed))),
        outbound: Arc::new(Nobody),
        targets: certwright_app::Targets::default(),
        sinks: certwright_app::Sinks::default(),
        validator: Arc::new(Nobody),
        settings: Settings {
            pki_url: "http://pki.example.com".to_owned(),
            limits: ServiceLimits::default(),
            name_rate: None,
            node: "bench".to_owned(),
            idempotency_lifetime: Span::from_hours(24),
            retention: None,
            events: EventSettings::default(),
            ocsp: OcspSettings::default(),
            acme: certwright_app::AcmeSettings::default(),
            checkpoint_interval: None,
        },
    });
    make_ca(&app).await;
    app.run_crls().await.unwrap();
    fill(&app, &store, entries).await;

    // The same callers, without a list being made.
    let (_, calm) = under_load(&app, ISSUERS, async { tokio::time::sleep(Duration::from_secs(4)).await }).await;
    let before = peak();
    app.make_crls(&call(), &to("root")).await.unwrap();
    let quiet = timed(&app).await;
    println!(
        "{database}, {entries} entries, nothing else running: full list in {:.2} s, {:.0} MiB more memory at the peak",
        quiet.as_secs_f64(),
        peak() - before
    );

    let (list, alone) = under_load(&app, 0, timed(&app)).await;
    println!(
        "{database}, while nobody issues and one revokes: full list in {:.2} s; {} revocations meanwhile, p50 {:.1} ms, p99 {:.1} ms",
        list.as_secs_f64(),
        alone.revocations.len(),
        quantile(&alone.revocations, 50),
        quantile(&alone.revocations, 99),
    );

    let (list, busy) = under_load(&app, ISSUERS, timed(&app)).await;
    println!(
        "{database}, while {ISSUERS} callers issue and one revokes: full list in {:.2} s; issuing {:.0}/s instead of {:.0}/s ({:.2}); \
         {} revocations meanwhile, p50 {:.1} ms, p99 {:.1} ms (without a list being made {:.1} ms, {:.1} ms)",
        list.as_secs_f64(),
        busy.issued,
        calm.issued,
        busy.issued / calm.issued,
        busy.revocations.len(),
        quantile(&busy.revocations, 50),
        quantile(&busy.revocations, 99),
        quantile(&calm.revocations, 50),
        quantile(&calm.revocations, 99),
    );

    let ca = app.ca(&call(), &to("root")).await.unwrap().ca;
    let delta = DeltaSettings { lifetime: Span::from_days(1), interval: Span::ZERO };
    let revocation = RevocationSettings { delta: Some(delta), crl_interval: Span::from_days(1), ..ca.revocation };
    let update = UpdateCa { revocation: Some(revocation), ..UpdateCa::default() };
    app.update_ca(&call(), &to("root"), update, Some(ca.revision)).await.unwrap();
    app.run_crls().await.unwrap();
    let row = app.issue(&call(), &to("root"), request()).await.unwrap().row;
    revoke(&app, row.id.as_str()).await;
    let start = Instant::now();
    let report = app.run_crls().await.unwrap();
    let took = start.elapsed();
    assert_eq!((report.published, report.failed), (1, 0), "the delta list alone");
    let served = app.crl(&to("root"), None, CrlKind::Delta, Shards::ONE, 0).await.unwrap();
    println!(
        "{database}: one more revocation, delta list of {} entries in {:.3} s",
        served.crl.entries,
        took.as_secs_f64()
    );
    store.close().await;
}

async fn make_ca(app: &App) {
    let name = |text: &str| ResourceName::parse(text).unwrap();
    app.create_vault(&call(), name("v")).await.unwrap();
    let new = NewKey { name: name("key"), algorithm: KeyAlgorithm::EcdsaP256, protection: Protection::Software };
    app.create_key(&call(), &to("v"), new).await.unwrap();
    let subject = DistinguishedName::new(vec![Attribute::parse(AttributeType::CommonName, "Root").unwrap()]).unwrap();
    let own = OwnKey { vault: to("v"), key: to("key"), subject, signature_algorithm: None };
    let validity = RequestedValidity { not_before: None, end: RequestedEnd::Duration(Span::from_days(3650)) };
    let new = NewCa {
        name: name("root"),
        kind: NewCaKind::Root(own, validity),
        rules: NewRules::default(),
        revocation: RevocationSettings { crl_interval: Span::from_days(1), ..RevocationSettings::default() },
        publication: None,
        exportable: false,
    };
    app.create_ca(&call(), new).await.unwrap();
}

/// Lays the ground: entries as revocations leave them.
async fn fill(app: &App, store: &Store, entries: u64) {
    let ca_id = app.ca(&call(), &to("root")).await.unwrap().ca.id;
    let entropy = SeededEntropy::new(7);
    let now = app.now();
    let mut made = 0;
    while made < entries {
        let batch: Vec<RevokedSerial> = (made..entries.min(made + BATCH))
            .map(|_| {
                let mut random = [0; 20];
                entropy.fill(&mut random);
                RevokedSerial {
                    serial: Serial::from_random(random),
                    expires_at: Some(now.plus(Span::from_days(30))),
                    revocation: Revocation { at: now, reason: RevocationReason::Superseded },
                    released: false,
                }
            })
            .collect();
        made += u64::try_from(batch.len()).unwrap();
        let mut tx = store.begin("bench").await.unwrap();
        tx.note_revocations(&ca_id, &batch, now).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Makes the list once more.
async fn timed(app: &App) -> Duration {
    let start = Instant::now();
    let made = app.make_crls(&call(), &to("root")).await.unwrap();
    let took = start.elapsed();
    assert!(made.items.iter().all(|list| list.series.last_error.is_none()));
    took
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn rate(count: &AtomicU64, took: Duration) -> f64 {
    count.load(Ordering::Relaxed) as f64 / took.as_secs_f64()
}

fn issuers(
    app: &App,
    count: usize,
    stop: &Arc<AtomicBool>,
    issued: &Arc<AtomicU64>,
) -> Vec<tokio::task::JoinHandle<()>> {
    (0..count)
        .map(|_| {
            let (app, stop, issued) = (app.clone(), Arc::clone(stop), Arc::clone(issued));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    app.issue(&call(), &to("root"), request()).await.unwrap();
                    issued.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect()
}

struct Load {
    /// Per second.
    issued: f64,
    /// Milliseconds, sorted.
    revocations: Vec<f64>,
}

/// What so many who issue feel, and one who revokes in a loop, while something is done.
async fn under_load<T>(app: &App, count: usize, work: impl Future<Output = T>) -> (T, Load) {
    let mut rows = Vec::new();
    for _ in 0..REVOCATIONS {
        rows.push(app.issue(&call(), &to("root"), request()).await.unwrap().row.id);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let issued = Arc::new(AtomicU64::new(0));
    let issuers = issuers(app, count, &stop, &issued);
    let revoker = {
        let (app, stop) = (app.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut took = Vec::new();
            for row in rows {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let start = Instant::now();
                revoke(&app, row.as_str()).await;
                took.push(start.elapsed().as_secs_f64() * 1000.0);
            }
            took
        })
    };
    issued.store(0, Ordering::Relaxed);
    let start = Instant::now();
    let done = work.await;
    let issued = rate(&issued, start.elapsed());
    stop.store(true, Ordering::Relaxed);
    for issuer in issuers {
        issuer.await.unwrap();
    }
    let mut revocations = revoker.await.unwrap();
    revocations.sort_by(f64::total_cmp);
    (done, Load { issued, revocations })
}

async fn revoke(app: &App, id: &str) {
    let target = RevocationTarget::Reference(id.to_owned());
    app.revoke_issued_certificate(&call(), &target, Revoke::because(RevocationReason::Superseded)).await.unwrap();
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).or(sorted.last()).copied().unwrap_or(0.0)
}

/// The most memory the process ever held, MiB.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() as f64 / 1024.0
}
