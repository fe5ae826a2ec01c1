//! The real server: started, set up through its API, stopped.

use crate::http::{self, Connection};
use crate::{Call, Database, machine};
use anyhow::{Context, Result, bail, ensure};
use certwright_client::{Client, health, wire::SecretText};
use certwright_testkit::postgres;
use serde_json::{Value, json};
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_rustls::TlsConnector;

/// How long the server may take to get ready.
const READY: Duration = Duration::from_secs(60);
const CA: &str = "bench-issuing";

/// A running server with a root CA and an issuing CA.
pub(crate) struct Server {
    child: Child,
    port: u16,
    token: String,
    connector: TlsConnector,
    // Dropped after the process has been stopped, in this order.
    postgres: Option<postgres::DatabaseGuard>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts it on an empty data folder and makes the CAs.
    pub(crate) async fn start(database: Database) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let (port, http_port) = (free_port()?, free_port()?);
        let (url, guard) = match database {
            Database::Sqlite => (None, None),
            Database::Postgres => {
                let (url, guard) = postgres::fresh_durable_database();
                insist_on_durable_commits(&url)?;
                (Some(url), Some(guard))
            }
        };
        let log = folder.path().join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_certwright"));
        command.arg("serve").arg("--data").arg(&data);
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.arg("--http-listen").arg(format!("127.0.0.1:{http_port}"));
        if let Some(url) = &url {
            command.arg("--database-url").arg(url);
        }
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().context("the server does not start")?;
        let mut starting = Starting(Some(child));
        starting.wait_until_ready(&format!("http://127.0.0.1:{http_port}"), &log).await?;

        let token = std::fs::read_to_string(data.join("admin.token")).context("admin.token")?.trim().to_owned();
        let ca_pem = std::fs::read_to_string(data.join("tls").join("ca.pem")).context("tls/ca.pem")?;
        let client = Client::new(&format!("https://127.0.0.1:{port}"), SecretText::new(token.clone()), &ca_pem)?;
        make_cas(&client).await?;
        let child = starting.0.take().context("the server is gone")?;
        let connector = http::connector(&ca_pem)?;
        Ok(Self { child, port, token, connector, postgres: guard, _folder: folder })
    }

    /// Opens a connection to the API.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        Connection::open(&self.connector, self.port).await
    }

    /// The requests of a kind of call, ready to be written.
    pub(crate) fn requests(&self, call: Call, csrs: &[String]) -> Result<Vec<Vec<u8>>> {
        let validity = json!({"duration": "P30D"});
        let path = match call {
            Call::Sign | Call::SignDistinct => format!("/v1/certificate-authorities/{CA}/sign"),
            Call::Issue => format!("/v1/certificate-authorities/{CA}/issue"),
        };
        let request = |body: Value| http::request(&path, self.port, &self.token, &body.to_string());
        let sign = |csr: &String| request(json!({"csr": csr, "profile": "tls-server", "validity": validity}));
        Ok(match call {
            Call::Sign => vec![sign(csrs.first().context("no CSR")?)],
            Call::SignDistinct => csrs.iter().map(sign).collect(),
            Call::Issue => vec![request(json!({
                "profile": "tls-server", "subject": {"commonName": "service.example.com"}, "names": ["service.example.com"],
                "keyAlgorithm": "ECDSA_P256", "validity": validity
            }))],
        })
    }

    /// CPU time of the server process so far (user and system, all threads).
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        Ok(machine::of_process(&stat).context("/proc/…/stat")?.1)
    }

    /// Is its database PostgreSQL?
    pub(crate) fn has_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// Stops it; it must still have been alive.
    pub(crate) fn stop(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended by itself: {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A server that is not ready yet; killed when something goes wrong on the way.
struct Starting(Option<Child>);

impl Starting {
    async fn wait_until_ready(&mut self, url: &str, log: &Path) -> Result<()> {
        let start = Instant::now();
        loop {
            let Err(error) = health(url).await else { return Ok(()) };
            let ended = self.0.as_mut().map(Child::try_wait).transpose()?.flatten();
            if ended.is_some() || start.elapsed() > READY {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                bail!("the server does not get ready: {error}\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

fn end(child: &mut Child) {
    // Nothing to be done about a process that cannot be ended.
    let _ = child.kill();
    let _ = child.wait();
}

/// A vault, two keys, a root CA and an issuing CA below it.
async fn make_cas(client: &Client) -> Result<()> {
    let _: Value = client.post("/v1/vaults", &json!({"name": "bench"})).await?;
    for (key, ca, kind, issuer, days) in [
        ("root-key", "bench-root", "ROOT", None, "P3650D"),
        ("issuing-key", CA, "SUBORDINATE", Some("bench-root"), "P1825D"),
    ] {
        let body = json!({"name": key, "algorithm": "ECDSA", "length": 256});
        let _: Value = client.post("/v1/vaults/bench/keys", &body).await?;
        let mut body = json!({
            "name": ca, "type": kind, "vault": "bench", "key": key, "subject": {"commonName": ca, "organization": "Bench"},
            "validity": {"duration": days}
        });
        if let (Some(issuer), Some(fields)) = (issuer, body.as_object_mut()) {
            fields.insert("issuer".to_owned(), json!(issuer));
        }
        let made: Value = client.post("/v1/certificate-authorities", &body).await?;
        ensure!(made.get("state") == Some(&json!("ACTIVE")), "{ca} is not active: {made}");
    }
    Ok(())
}

/// Figures from a database that may lose what it acknowledged would be worth nothing.
fn insist_on_durable_commits(url: &str) -> Result<()> {
    for setting in ["fsync", "synchronous_commit"] {
        let output = Command::new("psql").args([url, "-Atqc", &format!("SHOW {setting}")]).output().context("psql")?;
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        let value = String::from_utf8_lossy(&output.stdout);
        ensure!(value.trim() == "on", "PostgreSQL runs with {setting} = {}", value.trim());
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
