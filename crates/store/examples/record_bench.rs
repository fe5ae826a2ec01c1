//! How many recordings per second the group commit makes durable, at 1, 16 and 64 callers.
//!
//! `cargo run --release -p certwright-store --example record_bench [postgres://… | -] [callers …]`: SQLite in a temporary
//! folder (`-`), or an empty PostgreSQL database. Closed loop: every caller waits for its answer before it records again.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

#[path = "support/mod.rs"]
mod support;

use certwright_domain::ca::Ca;
use certwright_store::Store;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const ROUND: Duration = Duration::from_secs(4);
const CALLERS: [usize; 4] = [1, 16, 64, 256];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = support::open(std::env::args().nth(1), folder.path()).await?;
    let (ca, epoch) = support::stock(&store).await?;
    let mut rounds = std::env::args().skip(2).map(|callers| callers.parse()).collect::<Result<Vec<usize>, _>>()?;
    if rounds.is_empty() {
        rounds = CALLERS.repeat(2);
    }

    let numbers = Arc::new(AtomicU64::new(1));
    for callers in rounds {
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
                let recording = support::recording(&ca, epoch, numbers.fetch_add(1, Ordering::Relaxed))?;
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
