//! Load generator: how many OCSP answers per second the real server gives over plain HTTP, signed for the asker (with a
//! nonce) and used again (without), beside `/healthz` and what one core does of bare P-256 signatures in the same minute.
//! `cargo bench -p certwright --bench ocsp -- --help` lists the options.
//!
//! The server is the release binary on SQLite. The clients share the machine's cores with it: one thread, keep-alive
//! connections, requests made beforehand, answers counted and looked at for their status alone.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

#[path = "../issue/machine.rs"]
mod machine;

mod http;
mod measure;
mod server;

use anyhow::{Result, ensure};
use clap::Parser;
use measure::{Measured, bare_rate};
use std::time::Duration;

/// Connections at once.
const CONNECTIONS: [usize; 3] = [1, 16, 64];

#[derive(Parser)]
#[command(about = "OCSP answers per second over HTTP")]
struct Options {
    /// Seconds that each cell of the table is measured, after a warm-up of half a second.
    #[arg(long, env = "CERTWRIGHT_BENCH_SECONDS", default_value_t = 3.0)]
    seconds: f64,
    /// Only these numbers of connections; default 1, 16 and 64.
    #[arg(long, value_delimiter = ',')]
    connections: Vec<usize>,
    /// Cargo passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// OCSP with a nonce: signed for this answer.
    Signed,
    /// OCSP without: the kept answer.
    Kept,
    /// `/healthz`: what HTTP alone costs.
    Health,
}

impl Call {
    const ALL: [Self; 3] = [Self::Signed, Self::Kept, Self::Health];

    const fn name(self) -> &'static str {
        match self {
            Self::Signed => "POST with nonce: signed",
            Self::Kept => "POST without nonce: kept",
            Self::Health => "`GET /healthz`",
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(options.seconds > 0.0 && options.seconds.is_finite(), "nothing to measure");
    // One thread for all clients.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&options))
}

async fn run(options: &Options) -> Result<()> {
    let window = Duration::from_secs_f64(options.seconds);
    let server = server::Server::start().await?;
    let connections = if options.connections.is_empty() { &CONNECTIONS[..] } else { &options.connections };
    println!(
        "| Call | Connections | Answers/s | p50 ms | p99 ms | Bare P-256 signatures, one core | Ratio to bare | Ratio to `/healthz` | \
         Server CPU us | Client CPU us | Cores taken by others |\n|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for count in connections {
        let mut measured = Vec::new();
        for call in Call::ALL {
            let requests = server.requests(call);
            let before = bare_rate()?;
            let mut cell = measure::run(&server, requests, *count, window).await?;
            // Before and after, since neighbours on the machine come and go.
            cell.bare = (before + bare_rate()?) / 2.0;
            measured.push((call, cell));
        }
        let health = measured.iter().find(|(call, _)| *call == Call::Health).map_or(f64::NAN, |(_, cell)| cell.rate);
        for (call, cell) in &measured {
            println!("{}", line(*call, *count, cell, health));
        }
    }
    server.stop()
}

fn line(call: Call, connections: usize, cell: &Measured, health: f64) -> String {
    format!(
        "| {} | {connections} | {:.0} | {:.3} | {:.3} | {:.0}/s | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} % |",
        call.name(),
        cell.rate,
        cell.p50,
        cell.p99,
        cell.bare,
        cell.rate / cell.bare,
        cell.rate / health,
        cell.server_cpu,
        cell.client_cpu,
        cell.others
    )
}
