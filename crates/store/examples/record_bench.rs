//! How many recordings per second the group commit makes durable, at 1, 16 and 64 callers.
//!
//! `cargo run --release -p certwright-store --example record_bench [postgres://…]`: SQLite in a temporary folder, or an
//! empty PostgreSQL database. Closed loop: every caller waits for its answer before it records again.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::audit::AuditEvent;
use certwright_domain::ca::{Ca, CaRules, CaState, CaType, RevocationSettings};
use certwright_domain::dn::DistinguishedName;
use certwright_domain::id::{AuditId, CaId, IssuedId};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::name::ResourceName;
use certwright_domain::san::San;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::stage::VersionPointers;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::Validity;
use certwright_store::{Location, NoFaults, Recording, Store};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const ROUND: Duration = Duration::from_secs(4);
const CERTIFICATE_BYTES: usize = 600;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let location = match std::env::args().nth(1) {
        Some(url) => Location::Postgres(url),
        None => Location::Sqlite(folder.path().join("bench.db")),
    };
    let store = Store::open(&location, Arc::new(NoFaults)).await?;
    store.migrate().await?;
    let ca = ca()?;
    let mut tx = store.begin("bench").await?;
    tx.insert_ca(&ca).await?;
    let epoch = tx.epoch().await?;
    tx.commit().await?;

    let numbers = Arc::new(AtomicU64::new(1));
    for callers in [1_usize, 16, 64, 256, 1, 16, 64, 256] {
        let mut latencies = round(&store, &ca, epoch, callers, &numbers).await?;
        latencies.sort_unstable();
        let quantile = |percent: usize| {
            let place = latencies.len().saturating_mul(percent) / 100;
            latencies.get(place.min(latencies.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        let rate = latencies.len() as f64 / ROUND.as_secs_f64();
        println!(
            "{:?} callers {callers:>3}: {rate:>8.0} records/s, p50 {:>7.2} ms, p99 {:>7.2} ms",
            store.backend(),
            quantile(50).as_secs_f64() * 1000.0,
            quantile(99).as_secs_f64() * 1000.0,
        );
    }
    store.close().await;
    Ok(())
}

async fn round(
    store: &Store,
    ca: &Ca,
    epoch: i64,
    callers: usize,
    numbers: &Arc<AtomicU64>,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let begin = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (recorder, ca, numbers) = (store.recorder(), ca.clone(), Arc::clone(numbers));
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while begin.elapsed() < ROUND {
                let recording = recording(&ca, epoch, numbers.fetch_add(1, Ordering::Relaxed))?;
                let sent = Instant::now();
                recorder.record(recording).await.map_err(|error| error.to_string())?;
                latencies.push(sent.elapsed());
            }
            Ok::<_, String>(latencies)
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

fn ca() -> Result<Ca, Box<dyn Error>> {
    let now = Timestamp::from_unix_s(1_795_176_000);
    Ok(Ca {
        id: CaId::new(now, [1; 10]),
        name: ResourceName::parse("bench")?,
        ca_type: CaType::Imported,
        state: CaState::Active,
        state_before_deletion: None,
        system: false,
        issuer_id: None,
        key: None,
        signature_algorithm: Some(SignatureAlgorithm::Sha256WithEcdsa),
        subject: DistinguishedName::default(),
        rules: CaRules {
            leaf_max_validity: CaRules::LEAF_MAX,
            subordinate_max_validity: CaRules::SUBORDINATE_MAX,
            path_length: None,
            name_constraints: None,
        },
        revocation: RevocationSettings::default(),
        versions: VersionPointers { current: Some(1), previous: None, latest: 1 },
        created_at: now,
        deletion_at: None,
        revision: 1,
    })
}

/// Bytes that look random and never repeat (splitmix64).
fn scatter(number: u64, round: u64) -> [u8; 8] {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(round);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)).to_be_bytes()
}

fn recording(ca: &Ca, epoch: i64, number: u64) -> Result<Recording, String> {
    let at = Timestamp::from_unix_ms(1_795_176_000_000_i64.saturating_add_unsigned(number / 8));
    let random: Vec<u8> = (0..8).flat_map(|round| scatter(number, round)).collect();
    let take = |count: usize| random.iter().copied().cycle().take(count).collect::<Vec<u8>>();
    let entropy: [u8; 10] = take(10).try_into().map_err(|_| "ten bytes")?;
    let hash: [u8; 32] = take(32).try_into().map_err(|_| "32 bytes")?;
    let serial: [u8; 20] = take(20).try_into().map_err(|_| "20 bytes")?;
    let serial = Serial::from_random(serial);
    let name = format!("service-{number}.example.com");
    let validity = Validity::new(at, at.plus(Span::from_days(90))).map_err(|error| error.to_string())?;
    let certificate = take(CERTIFICATE_BYTES);
    let request_id = format!("req_{number:026}");
    let audit = AuditEvent {
        id: AuditId::new(at, entropy),
        at,
        actor: "token:token_01JD8XK4M2W7Z3T5V9YQ6B1C0D".to_owned(),
        actor_name: "deployer".to_owned(),
        action: "certificate.issue",
        target_kind: "certificate",
        target_id: serial.to_string(),
        target_name: name.clone(),
        request_id: request_id.clone(),
        details: format!("{{\"ca\":\"bench\",\"profile\":\"tls-server\",\"names\":[\"{name}\"]}}"),
    };
    let issued = IssuedCertificate {
        id: IssuedId::new(at, entropy),
        kind: IssuedKind::Leaf,
        ca_id: ca.id.clone(),
        ca_name: ca.name.to_string(),
        ca_version: 1,
        serial,
        fingerprint: Sha256(hash),
        spki_sha256: Sha256(hash),
        subject: format!("O=Example, CN={name}"),
        common_name: name.clone(),
        names: vec![San::parse(&name).map_err(|error| error.to_string())?],
        profile: "tls-server".to_owned(),
        key_algorithm: "ECDSA_P256".to_owned(),
        validity,
        renew_at: at.plus(Span::from_days(60)),
        requester: audit.actor.clone(),
        requester_name: audit.actor_name.clone(),
        request_id,
        certificate,
        issued_at: at,
        revocation: None,
    };
    Ok(Recording { issued, audit, epoch })
}
