//! A throw-away PostgreSQL server for the tests of one process, and fresh databases on it.
//!
//! The server is started from the installed binaries on the first call of [`fresh_database`] and ends with the process,
//! however that ends: a shell watches a pipe from us and stops the server when the pipe closes.
//!
//! `CERTWRIGHT_TEST_DATABASE_URL` names a running server to use instead (a URL of a role that may create databases);
//! `scripts/test` starts one for all test processes.

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names the server to use instead of an own one.
pub const URL_VARIABLE: &str = "CERTWRIGHT_TEST_DATABASE_URL";

const WHAT_TO_DO: &str = "The tests need PostgreSQL 14 or newer: install it (Debian: `apt-get install postgresql`), or set \
     CERTWRIGHT_TEST_DATABASE_URL to a server on which the tests may create databases.";

/// A database of its own; dropping the guard drops the database.
#[derive(Debug)]
pub struct DatabaseGuard {
    server: &'static Server,
    name: String,
}

/// Makes an empty database. The URL is good for as long as the guard lives.
///
/// # Panics
/// When there is no PostgreSQL to be had; the message says what to install.
pub fn fresh_database() -> (String, DatabaseGuard) {
    static SERVER: OnceLock<Server> = OnceLock::new();
    database_on(SERVER.get_or_init(|| server(FORGETFUL)))
}

/// The same on a server whose commits are on disk when they return, for what measures them, and that has run for a while. A
/// server that was given by [`URL_VARIABLE`] is taken as it is.
///
/// # Panics
/// As [`fresh_database`].
pub fn fresh_durable_database() -> (String, DatabaseGuard) {
    static SERVER: OnceLock<Server> = OnceLock::new();
    database_on(SERVER.get_or_init(|| worn_in(server(DURABLE))))
}

/// A brand-new server makes each segment of its log when it is needed, and every commit waits until 16 MiB of zeros are on
/// disk. One that has run for a while takes old segments again; after this, so does ours.
#[expect(clippy::panic, reason = "what is measured must be what is said")]
fn worn_in(server: Server) -> Server {
    let messages =
        "SELECT count(pg_logical_emit_message(false, 'wear', repeat('x', 1000000))) FROM generate_series(1, 700)";
    let is_ours = server.alive.is_some();
    for statement in [messages, "CHECKPOINT"].into_iter().filter(|_| is_ours) {
        if let Err(error) = server.sql(statement) {
            panic!("PostgreSQL was not worn in: {error}");
        }
    }
    server
}

#[expect(clippy::panic, reason = "a test that cannot have its database must fail, with words")]
fn database_on(server: &'static Server) -> (String, DatabaseGuard) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("certwright_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    if let Err(error) = server.sql(&format!("CREATE DATABASE {name} TEMPLATE template0")) {
        panic!("PostgreSQL did not make the database {name}: {error}\n{WHAT_TO_DO}");
    }
    (server.url_of(&name), DatabaseGuard { server, name })
}

impl Drop for DatabaseGuard {
    fn drop(&mut self) {
        // Own servers vanish anyway; on a given one, a left-over database is litter, not a failure.
        let _ = self.server.sql(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// A server and how to speak to it.
#[derive(Debug)]
struct Server {
    /// URL of its maintenance database.
    url: String,
    psql: PathBuf,
    /// The watcher's end of the pipe; closed by the end of this process.
    alive: Option<ChildStdin>,
}

impl Server {
    fn url_of(&self, database: &str) -> String {
        // scheme://user@host:port/database?parameters
        let (address, query) = self.url.split_once('?').map_or((self.url.as_str(), None), |(a, q)| (a, Some(q)));
        let authority_start = address.find("://").map_or(0, |at| at.saturating_add(3));
        let server = match address.get(authority_start..).and_then(|rest| rest.find('/')) {
            Some(slash) => address.get(..authority_start.saturating_add(slash)).unwrap_or(address),
            None => address,
        };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{server}/{database}{query}")
    }

    fn sql(&self, statement: &str) -> Result<(), String> {
        let output = Command::new(&self.psql)
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname"])
            .arg(&self.url)
            .args(["--command", statement])
            .stdin(Stdio::null())
            .output();
        succeeded(output)
    }
}

fn succeeded(output: std::io::Result<Output>) -> Result<(), String> {
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[expect(clippy::panic, reason = "a test that cannot have its server must fail, with words")]
fn server(durability: &str) -> Server {
    let started = match given_url() {
        Some(url) => binary("psql").map(|psql| Server { url, psql, alive: None }),
        // The port is chosen before the server takes it: somebody else may be faster.
        None => start(durability).or_else(|_| start(durability)).or_else(|_| start(durability)),
    };
    started.unwrap_or_else(|error| panic!("No PostgreSQL for the tests: {error}\n{WHAT_TO_DO}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one setting of the tests; production reads its own in server::config"
)]
fn given_url() -> Option<String> {
    std::env::var(URL_VARIABLE).ok().filter(|url| !url.is_empty())
}

/// An installed program of PostgreSQL: the newest below /usr/lib/postgresql, else whatever PATH has.
fn binary(name: &str) -> Result<PathBuf, String> {
    let version = |path: &Path| path.file_name().and_then(|v| v.to_str()).and_then(|v| v.parse::<u32>().ok());
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| version(path));
    let installed = versions.into_iter().rev().map(|path| path.join("bin").join(name)).find(|path| path.is_file());
    match installed {
        Some(path) => Ok(path),
        None => succeeded(Command::new(name).arg("--version").output())
            .map(|()| PathBuf::from(name))
            .map_err(|error| format!("`{name}` was not found: {error}")),
    }
}

/// Options of a server whose data is not to outlive us.
const FORGETFUL: &str = "-c fsync=off -c full_page_writes=off";
/// Options of a server as operators run it.
const DURABLE: &str = "-c fsync=on -c full_page_writes=on -c synchronous_commit=on";

/// Starts the server and stops it when standard input ends.
const SCRIPT: &str = r#"
trap '' INT HUP TERM
initdb=$1 pg_ctl=$2 port=$3 durability=$4
dir=$(mktemp -d /tmp/certwright-postgres-XXXXXX) || exit 1
"$initdb" --pgdata "$dir/data" --username postgres --auth trust --no-sync --encoding UTF8 --no-locale >"$dir/log" 2>&1 &&
"$pg_ctl" start --silent --wait --timeout 60 --pgdata "$dir/data" --log "$dir/server.log" --options \
  "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c max_connections=400 $durability" \
  >>"$dir/log" 2>&1
if [ $? -eq 0 ]; then
  echo ready
  cat >/dev/null
  "$pg_ctl" stop --silent --mode immediate --pgdata "$dir/data" >/dev/null 2>&1
else
  cat "$dir/log" "$dir/server.log" >&2
fi
rm -rf "$dir"
"#;

fn start(durability: &str) -> Result<Server, String> {
    let (initdb, pg_ctl, psql) = (binary("initdb")?, binary("pg_ctl")?, binary("psql")?);
    let port = free_port()?;
    let mut watcher =
        watcher(&initdb, &pg_ctl, port, durability).spawn().map_err(|error| format!("cannot run a shell: {error}"))?;
    wait_until_ready(&mut watcher)?;
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    Ok(Server { url, psql, alive: watcher.stdin.take() })
}

fn watcher(initdb: &Path, pg_ctl: &Path, port: u16, durability: &str) -> Command {
    // initdb and the server refuse to run as root; Debian's package brings a user for them.
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    command.args(["-c", SCRIPT, "sh"]).arg(initdb).arg(pg_ctl).arg(port.to_string()).arg(durability);
    // Our working directory may be closed to the other user, and signals of the terminal are not for the server.
    command.current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn wait_until_ready(watcher: &mut Child) -> Result<(), String> {
    let mut line = String::new();
    if let Some(stdout) = watcher.stdout.take() {
        // An error is an end without `ready`.
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    if line.trim() == "ready" {
        return Ok(());
    }
    let mut said = String::new();
    if let Some(mut stderr) = watcher.stderr.take() {
        let _ = stderr.read_to_string(&mut said);
    }
    Err(format!("the server did not start: {}", said.trim()))
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_at(url: &str) -> Server {
        Server { url: url.to_owned(), psql: PathBuf::new(), alive: None }
    }

    #[test]
    fn the_database_replaces_the_path_alone() {
        for (url, expected) in [
            ("postgres://u@h:1/postgres", "postgres://u@h:1/x"),
            ("postgres://u:p@h", "postgres://u:p@h/x"),
            ("postgres://u@h/postgres?sslmode=disable", "postgres://u@h/x?sslmode=disable"),
            ("postgres://u@h?sslmode=disable", "postgres://u@h/x?sslmode=disable"),
        ] {
            assert_eq!(server_at(url).url_of("x"), expected);
        }
    }

    #[test]
    fn databases_are_made_and_dropped() {
        let (url, guard) = fresh_database();
        let (other, _other_guard) = fresh_database();
        assert_ne!(url, other);
        let on_it = Server { url: url.clone(), psql: guard.server.psql.clone(), alive: None };
        on_it.sql("CREATE TABLE t (n BIGINT)").unwrap();
        assert!(on_it.sql("SELECT * FROM nothing").is_err());
        drop(guard);
        assert!(on_it.sql("SELECT 1").is_err(), "the database is gone");
    }
}
