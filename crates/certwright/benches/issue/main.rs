//! Load generator: how many certificates per second the real server issues over HTTPS, beside what one core does of the
//! bare cryptography in the same minute. `cargo bench -p certwright --bench issue -- --help` lists the options.
//!
//! The server is the release binary with a data folder of its own, on SQLite and then on a throw-away PostgreSQL, with
//! every commit durable. The clients share the machine's cores with it, so they are as cheap as they can be: one
//! thread, keep-alive TLS connections, requests made beforehand, answers counted and not parsed.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod bare;
mod csr;
mod http;
mod machine;
mod measure;
mod report;
mod server;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use measure::Cell;
use std::time::Duration;

/// Connections at once.
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// CSRs made beforehand for the variant in which they differ; more than a round uses up, or nearly.
const CSRS: usize = 20_000;

#[derive(Parser)]
#[command(about = "Certificates per second over HTTPS")]
struct Options {
    /// Seconds that each cell of the table is measured, after a warm-up of one second.
    #[arg(long, env = "CERTWRIGHT_BENCH_SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// Rounds; the table has the median of each cell.
    #[arg(long, env = "CERTWRIGHT_BENCH_ROUNDS", default_value_t = 1)]
    rounds: usize,
    /// Only this database.
    #[arg(long, env = "CERTWRIGHT_BENCH_ONLY")]
    only: Option<Database>,
    /// Only these numbers of connections; default 1, 16 and 64.
    #[arg(long, value_delimiter = ',')]
    connections: Vec<usize>,
    /// Only this kind of call.
    #[arg(long)]
    call: Option<Call>,
    /// Cargo passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Call {
    /// One CSR, sent again and again.
    Sign,
    /// A CSR with a key and a name of its own in every request.
    SignDistinct,
    /// The server makes the key.
    Issue,
}

impl Call {
    const ALL: [Self; 3] = [Self::Sign, Self::SignDistinct, Self::Issue];

    const fn name(self) -> &'static str {
        match self {
            Self::Sign => "`sign`, one CSR",
            Self::SignDistinct => "`sign`, distinct CSRs",
            Self::Issue => "`issue`, P-256",
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(options.seconds > 0.0 && options.seconds.is_finite() && options.rounds > 0, "nothing to measure");
    // One thread for all clients.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut cells = Vec::new();
    for database in [Database::Sqlite, Database::Postgres] {
        if options.only.is_none_or(|only| only == database) {
            cells.extend(runtime.block_on(run(database, &options)).with_context(|| database.name())?);
        }
    }
    println!("{}", report::table(&cells, &options));
    Ok(())
}

/// Every cell of one database, each as often as there are rounds.
async fn run(database: Database, options: &Options) -> Result<Vec<Cell>> {
    let window = Duration::from_secs_f64(options.seconds);
    let server = server::Server::start(database).await?;
    let names = (0..CSRS).map(|number| format!("host-{number}.example.com"));
    let csrs = names.map(|name| csr::pem(&name)).collect::<Result<Vec<_>>>()?;
    let connections = if options.connections.is_empty() { &CONNECTIONS[..] } else { &options.connections };
    let mut cells: Vec<Cell> = Vec::new();
    for round in 1..=options.rounds {
        for call in Call::ALL.into_iter().filter(|call| options.call.is_none_or(|only| only == *call)) {
            let requests = server.requests(call, &csrs)?;
            for count in connections {
                let before = bare::rate(call)?;
                let mut measured = measure::run(&server, &requests, *count, window).await?;
                // Before and after, since neighbours on the machine come and go.
                measured.bare = (before + bare::rate(call)?) / 2.0;
                println!(
                    "{} {} {count} connections, round {round}: {}",
                    database.name(),
                    call.name(),
                    report::line(&measured)
                );
                match cells.iter_mut().find(|cell| cell.call == call && cell.connections == *count) {
                    Some(cell) => cell.rounds.push(measured),
                    None => cells.push(Cell { database, call, connections: *count, rounds: vec![measured] }),
                }
            }
        }
    }
    server.stop()?;
    Ok(cells)
}
