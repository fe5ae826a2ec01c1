//! A closed loop: each connection sends its next request when it has the answer to the last one.

use crate::http::{Connection, Request};
use crate::machine;
use crate::server::Server;
use anyhow::{Context, Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(500);
/// CPU time that the bare measurement takes.
const BARE: Duration = Duration::from_millis(500);
/// ResponseData of one certificate with a nonce has about so many bytes.
const TO_BE_SIGNED: [u8; 220] = [0x5a; 220];

/// What a cell gave.
pub(crate) struct Measured {
    /// Answers per second.
    pub(crate) rate: f64,
    /// Median time of a call, milliseconds.
    pub(crate) p50: f64,
    /// 99 of 100 calls took at most so long, milliseconds.
    pub(crate) p99: f64,
    /// P-256 signatures per second of one core.
    pub(crate) bare: f64,
    /// CPU time of the server per answer, microseconds.
    pub(crate) server_cpu: f64,
    /// CPU time of this program per answer, microseconds.
    pub(crate) client_cpu: f64,
    /// Share of all cores' time that went to anything else, in percent.
    pub(crate) others: f64,
}

/// Runs one cell.
pub(crate) async fn run(
    server: &Server,
    requests: Arc<[Request]>,
    connections: usize,
    window: Duration,
) -> Result<Measured> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(server.connect().await?);
    }
    let from = Instant::now().checked_add(WARM_UP).context("clock")?;
    let until = from.checked_add(window).context("clock")?;
    let tasks: Vec<_> = open
        .into_iter()
        .enumerate()
        .map(|(number, connection)| tokio::spawn(drive(connection, Arc::clone(&requests), number, from, until)))
        .collect();
    tokio::time::sleep_until(from.into()).await;
    let (server_before, client_before, busy_before) = (server.cpu_time()?, thread_time(), busy()?);
    tokio::time::sleep_until(until.into()).await;
    let server_cpu = server.cpu_time()?.saturating_sub(server_before);
    let client_cpu = thread_time().saturating_sub(client_before);
    let others = busy()?.saturating_sub(busy_before).saturating_sub(server_cpu).saturating_sub(client_cpu);
    let cores = f64::from(u32::try_from(std::thread::available_parallelism()?.get())?);
    let mut took: Vec<Duration> = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    took.sort_unstable();
    let answers = f64::from(u32::try_from(took.len())?);
    let percentile = |percent: usize| -> Result<f64> {
        let rank = took.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
        Ok(took.get(rank).context("not a single answer")?.as_secs_f64() * 1e3)
    };
    Ok(Measured {
        rate: answers / window.as_secs_f64(),
        p50: percentile(50)?,
        p99: percentile(99)?,
        bare: 0.0,
        server_cpu: server_cpu.as_secs_f64() * 1e6 / answers,
        client_cpu: client_cpu.as_secs_f64() * 1e6 / answers,
        others: others.as_secs_f64() * 100.0 / (cores * window.as_secs_f64()),
    })
}

/// One connection, until the time is over; how long each call took that ended within the window.
async fn drive(
    mut connection: Connection,
    requests: Arc<[Request]>,
    number: usize,
    from: Instant,
    until: Instant,
) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    let mut dealt = requests.iter().cycle().skip(number);
    loop {
        let request = dealt.next().context("no request")?;
        let start = Instant::now();
        if start >= until {
            return Ok(took);
        }
        connection.exchange(request).await?;
        let end = Instant::now();
        if end >= from && end < until {
            took.push(end.duration_since(start));
        }
    }
}

/// P-256 signatures that one core makes in a second, by the CPU time of this thread.
pub(crate) fn bare_rate() -> Result<f64> {
    let failed = |_| anyhow!("the crypto library failed");
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
    let (start, mut done) = (thread_time(), 0_u32);
    loop {
        for _ in 0..100 {
            black_box(key.sign(&random, black_box(&TO_BE_SIGNED)).map_err(failed)?);
            done = done.saturating_add(1);
        }
        let spent = thread_time().saturating_sub(start);
        if spent >= BARE {
            return Ok(f64::from(done) / spent.as_secs_f64());
        }
    }
}

/// CPU time of this thread so far.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Busy time of all cores together so far.
fn busy() -> Result<Duration> {
    let (others, postgres) = machine::busy()?;
    Ok(others.saturating_add(postgres))
}
