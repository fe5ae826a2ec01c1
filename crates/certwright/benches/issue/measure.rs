//! A closed loop: each connection sends its next request when it has the answer to the last one.

use crate::http::Connection;
use crate::server::Server;
use crate::{Call, Database, bare, machine};
use anyhow::{Context, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_secs(1);

/// A cell of the table.
pub(crate) struct Cell {
    pub(crate) database: Database,
    pub(crate) call: Call,
    pub(crate) connections: usize,
    pub(crate) rounds: Vec<Measured>,
}

/// What one round of a cell gave.
pub(crate) struct Measured {
    /// Certificates per second.
    pub(crate) rate: f64,
    /// Median time of a call, milliseconds.
    pub(crate) p50: f64,
    /// 99 of 100 calls took at most so long, milliseconds.
    pub(crate) p99: f64,
    /// What one core does of the bare cryptography per second.
    pub(crate) bare: f64,
    /// CPU time of the server per certificate, microseconds; without PostgreSQL.
    pub(crate) server_cpu: f64,
    /// CPU time of PostgreSQL per certificate, microseconds; of every PostgreSQL on the machine.
    pub(crate) database_cpu: f64,
    /// CPU time of this program per certificate, microseconds.
    pub(crate) client_cpu: f64,
    /// Share of all cores' time that went to anything else, in percent. Above a few, the other figures are too low.
    pub(crate) others: f64,
}

/// Runs one cell.
pub(crate) async fn run(
    server: &Server,
    requests: &[Vec<u8>],
    connections: usize,
    window: Duration,
) -> Result<Measured> {
    let requests: Arc<[Vec<u8>]> = requests.into();
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(server.connect().await?);
    }
    let from = Instant::now().checked_add(WARM_UP).context("clock")?;
    let until = from.checked_add(window).context("clock")?;
    let tasks: Vec<_> = open
        .into_iter()
        .enumerate()
        .map(|(number, connection)| {
            tokio::spawn(drive(connection, Arc::clone(&requests), number, connections, from, until))
        })
        .collect();

    tokio::time::sleep_until(from.into()).await;
    let (server_before, client_before) = (server.cpu_time()?, bare::thread_time());
    let (busy_before, database_before) = machine::busy()?;
    tokio::time::sleep_until(until.into()).await;
    let server_cpu = server.cpu_time()?.saturating_sub(server_before);
    let client_cpu = bare::thread_time().saturating_sub(client_before);
    let (busy, database) = machine::busy()?;
    let mut others = busy.saturating_sub(busy_before).saturating_sub(server_cpu).saturating_sub(client_cpu);
    let mut database_cpu = database.saturating_sub(database_before);
    if !server.has_postgres() {
        // Whose PostgreSQL it may be, it is not ours.
        others = others.saturating_add(std::mem::take(&mut database_cpu));
    }
    let cores = f64::from(u32::try_from(std::thread::available_parallelism()?.get())?);

    let mut took: Vec<Duration> = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    took.sort_unstable();
    let certificates = f64::from(u32::try_from(took.len())?);
    let percentile = |percent: usize| -> Result<f64> {
        let rank = took.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
        Ok(took.get(rank).context("not a single certificate")?.as_secs_f64() * 1e3)
    };
    Ok(Measured {
        rate: certificates / window.as_secs_f64(),
        p50: percentile(50)?,
        p99: percentile(99)?,
        bare: 0.0,
        server_cpu: server_cpu.as_secs_f64() * 1e6 / certificates,
        database_cpu: database_cpu.as_secs_f64() * 1e6 / certificates,
        client_cpu: client_cpu.as_secs_f64() * 1e6 / certificates,
        others: others.as_secs_f64() * 100.0 / (cores * window.as_secs_f64()),
    })
}

/// One connection, until the time is over; how long each call took that ended within the window. Requests are dealt out
/// like cards, so that no two connections send the same one at the same time.
async fn drive(
    mut connection: Connection,
    requests: Arc<[Vec<u8>]>,
    number: usize,
    step: usize,
    from: Instant,
    until: Instant,
) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    let mut dealt = requests.iter().cycle().skip(number).step_by(step);
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
