//! Load generator: full ACME orders per second (newOrder, authorization, challenge, poll, finalize, certificate) by http-01 on
//! loopback over keep-alive TLS with P-256 keys, of our server and of Debian's `pebble`. `cargo bench -p certwright --bench acme`.
//!
//! Our server is the release binary, durable on disk, and looks at every proof. Pebble keeps everything in memory, takes
//! every proof unseen (`PEBBLE_VA_ALWAYS_VALID`) and waits for nothing. Clients, name server and web server for the proofs share
//! the machine's cores with whichever is measured.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod client;
#[path = "../issue/csr.rs"]
mod csr;
mod servers;
mod world;

use anyhow::{Context, Result};
use clap::Parser;
use client::Client;
use servers::Server;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use world::World;

/// Clients at once.
const CLIENTS: [usize; 3] = [1, 16, 64];

#[derive(Parser)]
#[command(about = "ACME orders per second")]
struct Options {
    /// Seconds that each cell of the table is measured, after a warm-up of one second.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Only this server.
    #[arg(long)]
    only: Option<servers::Kind>,
    /// So many orders on SQLite by 16 clients instead, with the server's memory at every tenth.
    #[arg(long)]
    memory: Option<u64>,
    /// Cargo passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(&options))
}

async fn run(options: &Options) -> Result<()> {
    let world = Arc::new(World::start().await?);
    if let Some(orders) = options.memory {
        return memory(&world, orders).await;
    }
    let kinds: Vec<servers::Kind> =
        servers::Kind::ALL.into_iter().filter(|kind| options.only.is_none_or(|only| only == *kind)).collect();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    println!("| clients | {} |", names.join(" | "));
    println!("|---{}|", "|---".repeat(names.len()));
    let mut rows: Vec<Vec<f64>> = CLIENTS.iter().map(|_| Vec::new()).collect();
    let mut steps = Vec::new();
    for kind in kinds {
        for (row, clients) in rows.iter_mut().zip(CLIENTS) {
            // A new one for each cell: what a cell cuts off must not be in the way of the next.
            let server = Arc::new(Server::start(kind, &world).await?);
            let (rate, taken) = orders_per_second(&server, &world, clients, options.seconds).await?;
            row.push(rate);
            if clients == 1 {
                steps.push(taken);
            }
            Arc::into_inner(server).context("a client is left")?.stop()?;
        }
    }
    for (row, clients) in rows.iter().zip(CLIENTS) {
        let cells: Vec<String> = row.iter().map(|cell| format!("{cell:.0}/s")).collect();
        println!("| {clients} | {} |", cells.join(" | "));
    }
    println!("\nMilliseconds of an order, one client:\n");
    println!("| step | {} |", names.join(" | "));
    println!("|---{}|", "|---".repeat(names.len()));
    for (step, (name, _)) in client::STEPS.iter().enumerate() {
        let cells: Vec<String> = steps.iter().filter_map(|of| of.get(step)).map(|ms| format!("{ms:.2}")).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
    Ok(())
}

/// Orders a second, and the milliseconds of each step of an order of the first client.
async fn orders_per_second(
    server: &Arc<Server>,
    world: &Arc<World>,
    clients: usize,
    seconds: f64,
) -> Result<(f64, Vec<f64>)> {
    let done = Arc::new(AtomicU64::new(0));
    let steps = Arc::new(Mutex::new((client::STEPS, 0_u32)));
    let mut tasks = start(server, world, clients, &done, u64::MAX, &steps);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, since) = (done.load(Ordering::Relaxed), Instant::now());
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => {}
        Some(ended) = tasks.join_next() => ended??,
    }
    let orders = done.load(Ordering::Relaxed).saturating_sub(before);
    let taken = since.elapsed().as_secs_f64();
    tasks.shutdown().await;
    let (steps, done) = *steps.lock().unwrap_or_else(PoisonError::into_inner);
    let each = |took: Duration| took.as_secs_f64() * 1000.0 / f64::from(done.max(1));
    Ok((orders as f64 / taken, steps.iter().map(|(_, took)| each(*took)).collect()))
}

fn start(
    server: &Arc<Server>,
    world: &Arc<World>,
    clients: usize,
    done: &Arc<AtomicU64>,
    most: u64,
    steps: &Arc<Mutex<(client::Steps, u32)>>,
) -> JoinSet<Result<()>> {
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let (server, world, done) = (Arc::clone(server), Arc::clone(world), Arc::clone(done));
        let steps = (number == 0).then(|| Arc::clone(steps));
        tasks.spawn(async move {
            let mut client = Client::register(&server, world).await?;
            let mut orders = 0_u32;
            while done.load(Ordering::Relaxed) < most {
                client.order().await?;
                done.fetch_add(1, Ordering::Relaxed);
                orders = orders.saturating_add(1);
                if let Some(steps) = &steps {
                    *steps.lock().unwrap_or_else(PoisonError::into_inner) = (client.steps, orders);
                }
            }
            Ok(())
        });
    }
    tasks
}

async fn memory(world: &Arc<World>, orders: u64) -> Result<()> {
    let server = Arc::new(Server::start(servers::Kind::Sqlite, world).await?);
    let done = Arc::new(AtomicU64::new(0));
    let steps = Arc::new(Mutex::new((client::STEPS, 0)));
    println!("| orders | resident memory |");
    println!("|---|---|");
    let tenth = orders.checked_div(10).unwrap_or(1).max(1);
    for part in 1..=10 {
        let mut tasks = start(&server, world, 16, &done, tenth.saturating_mul(part), &steps);
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        println!("| {} | {} MiB |", done.load(Ordering::Relaxed), server.resident_mib()?);
    }
    // The inventory has them all.
    server.ask("/v1/issued-certificates?limit=1").await?;
    Arc::into_inner(server).context("a client is left")?.stop()
}
