//! How much the time of a refusal tells of a token: Welch's t-test between two kinds of tokens that are refused alike.
//! `cargo bench -p certwright-app --bench timing -- [SAMPLES]`.
//!
//! Both kinds are asked for in an order drawn by lot, one call at a time, and each call is measured alone. What took longest (a
//! hundredth of each kind: the machine's own doing) is left out. An |t| below 4.5 says that so many calls tell nothing.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot go on ends, and its figures are small"
)]

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_app::{
    App, CaaCheck, Call, ChallengeCheck, Dependencies, EventSettings, Fetched, NewToken, OcspSettings, Outbound,
    OutboundAnswer, OutboundError, Settings, Validator,
};
use certwright_domain::acme::{Failure, FailureKind};
use certwright_domain::ambient::Entropy as _;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::name::ResourceName;
use certwright_domain::rules::ServiceLimits;
use certwright_domain::time::Span;
use certwright_keystore::{RootKeySource, SoftwareKeyStore};
use certwright_store::{Location, NoFaults, Store};
use certwright_testkit::ambient::{ManualClock, SeededEntropy};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let samples = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(samples));
}

async fn run(samples: usize) {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path()).await;
    let new = |name: &str| NewToken {
        name: ResourceName::parse(name).unwrap(),
        user: None,
        expires_at: None,
        scopes: Vec::new(),
    };
    let (_, known) = app.create_token(&Call::system("bench"), new("known")).await.unwrap();
    let (gone, revoked) = app.create_token(&Call::system("bench"), new("gone")).await.unwrap();
    app.revoke_token(&Call::system("bench"), &certwright_domain::name::Reference::parse(gone.id.as_str()).unwrap())
        .await
        .unwrap();
    let entropy = SeededEntropy::new(11);
    let right = known.expose()[31..74].to_owned();
    // Wrong in the last character but one, where all of its bits count; wrong everywhere.
    let nearly = format!("{}{}{}", &right[..41], if &right[41..42] == "A" { "B" } else { "A" }, &right[42..]);
    let wrong = URL_SAFE_NO_PAD.encode(bytes::<32>(&entropy));
    let ulid = known.expose()[4..30].to_owned();
    let unknown = "01JD8XK4M2W7Z3T5V9YQ6B1C0D".to_owned();
    println!("| Refused alike | Samples of each | Means, µs | \\|t\\| |");
    println!("|---|---|---|---|");
    for (what, one, other) in [
        ("the same token twice (how the measure behaves)", token(&ulid, &wrong), token(&ulid, &wrong)),
        ("42 of 43 characters right, none right", token(&ulid, &nearly), token(&ulid, &wrong)),
        ("a revoked token, a wrong secret", revoked.expose().clone(), token(&ulid, &wrong)),
        ("an unknown id, a known one with a wrong secret", token(&unknown, &wrong), token(&ulid, &wrong)),
    ] {
        let (t, means) = compare(&app, &entropy, samples, [&one, &other]).await;
        println!("| {what} | {samples} | {:.2}, {:.2} | {t:.1} |", means[0] / 1_000.0, means[1] / 1_000.0);
    }
}

/// A token's text; its checksum is made as anybody could make it.
fn token(ulid: &str, secret: &str) -> String {
    let body = format!("cwt_{ulid}_{secret}");
    format!("{body}{}", &URL_SAFE_NO_PAD.encode(digest(&SHA256, body.as_bytes()))[..6])
}

fn bytes<const N: usize>(entropy: &SeededEntropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// |t| and both means, in nanoseconds.
async fn compare(app: &App, entropy: &SeededEntropy, samples: usize, tokens: [&String; 2]) -> (f64, [f64; 2]) {
    let mut times = [Vec::with_capacity(samples), Vec::with_capacity(samples)];
    // Caches of the processor and of the application are warm.
    for _ in 0..2_000 {
        for token in tokens {
            assert!(black_box(app.authenticate(token).await).is_err());
        }
    }
    while times.iter().any(|times| times.len() < samples) {
        let [lot] = bytes::<1>(entropy);
        let kind = usize::from(lot & 1);
        let (Some(token), Some(times)) = (tokens.get(kind), times.get_mut(kind)) else { return (0.0, [0.0; 2]) };
        let began = Instant::now();
        let refused = black_box(app.authenticate(black_box(token)).await);
        let took = began.elapsed();
        assert!(refused.is_err());
        times.push(took.as_nanos() as f64);
    }
    let [one, other] = times.map(|mut times| {
        times.truncate(samples);
        times.sort_by(f64::total_cmp);
        times.truncate(samples - samples / 100);
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    ((one.0 - other.0).abs() / (one.1 + other.1).sqrt(), [one.0, other.0])
}

async fn app(folder: &std::path::Path) -> App {
    let store = Store::open(&Location::Sqlite(folder.join("certwright.db")), Arc::new(NoFaults)).await.unwrap();
    store.migrate().await.unwrap();
    let source = RootKeySource::File { path: folder.join("root.key"), create: true };
    let app = App::new(Dependencies {
        store,
        keys: Arc::new(SoftwareKeyStore::open(&source).unwrap()),
        clock: Arc::new(ManualClock::default()),
        entropy: Arc::new(SeededEntropy::new(7)),
        outbound: Arc::new(Nowhere),
        targets: Default::default(),
        sinks: Default::default(),
        validator: Arc::new(Nowhere),
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
    app.first_admin_token().await.unwrap();
    app
}

struct Nowhere;

#[async_trait::async_trait]
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

#[async_trait::async_trait]
impl Validator for Nowhere {
    async fn validate(&self, _: &ChallengeCheck<'_>) -> Result<(), Failure> {
        Err(Failure::new(FailureKind::Connection, "nobody is there"))
    }
    async fn caa(&self, _: &CaaCheck<'_>) -> Result<(), Failure> {
        Ok(())
    }
}
