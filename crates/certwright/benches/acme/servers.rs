//! The servers that are measured: ours on both databases, and pebble.

use crate::world::World;
use anyhow::{Context, Result, bail, ensure};
use certwright_client::{Client, health, wire::SecretText};
use certwright_testkit::postgres;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_rustls::TlsConnector;

/// How long a server may take to get ready.
const READY: Duration = Duration::from_secs(60);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    Pebble,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Pebble];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::Pebble => "pebble, nothing looked at, nothing stored",
        }
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) directory: String,
    /// PEM of the CA of its own TLS certificate.
    pub(crate) root: PathBuf,
    /// Its administrator's token; empty for pebble.
    pub(crate) token: String,
    _postgres: Option<postgres::DatabaseGuard>,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn start(kind: Kind, world: &World) -> Result<Self> {
        match kind {
            Kind::Sqlite => Self::ours(world, None).await,
            Kind::Postgres => Self::ours(world, Some(postgres::fresh_durable_database())).await,
            Kind::Pebble => Self::pebble(world).await,
        }
    }

    async fn ours(world: &World, database: Option<(String, postgres::DatabaseGuard)>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let (port, plain) = (free_port()?, free_port()?);
        let config = folder.path().join("config.toml");
        let text = format!(
            "[acme]\nhttp_port = {}\ndns_servers = [\"127.0.0.1:{}\"]\nallowed_private_ranges = [\"127.0.0.0/8\"]\n\
             orders_per_account_and_hour = 0\n",
            world.http, world.dns
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_certwright"));
        command.arg("quickstart").arg("--config").arg(&config).arg("--data").arg(&data);
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.arg("--http-listen").arg(format!("127.0.0.1:{plain}"));
        if let Some((url, _)) = &database {
            command.arg("--database-url").arg(url);
        }
        let mut starting = Starting(Some(spawn(&mut command, folder.path())?));
        let start = Instant::now();
        while let Err(error) = health(&format!("http://127.0.0.1:{plain}")).await {
            starting.still_alive(start, folder.path(), &error.to_string())?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let token = std::fs::read_to_string(data.join("admin.token")).context("admin.token")?.trim().to_owned();
        let root = data.join("tls").join("ca.pem");
        let ca = std::fs::read_to_string(&root).context("tls/ca.pem")?;
        let client = Client::new(&format!("https://localhost:{port}"), SecretText::new(token.clone()), &ca)?;
        let made: Value = client
            .post("/v1/acme-directories", &json!({"name": "bench", "ca": "issuing-1", "profiles": ["acme"]}))
            .await?;
        let directory = made.get("url").and_then(Value::as_str).context("no url")?.to_owned();
        let child = starting.0.take().context("the server is gone")?;
        let postgres = database.map(|(_, guard)| guard);
        Ok(Self { child, port, directory, root, token, _postgres: postgres, _folder: folder })
    }

    async fn pebble(world: &World) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(path("key.pem"))
            .arg("-out")
            .arg(path("cert.pem"))
            .output()?;
        ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        let (port, management) = (free_port()?, free_port()?);
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{port}"), "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": path("cert.pem"), "privateKey": path("key.pem"), "httpPort": world.http, "tlsPort": 1,
            "ocspResponderURL": "", "externalAccountBindingRequired": false
        }});
        std::fs::write(path("config.json"), config.to_string())?;
        let mut command = Command::new("pebble");
        command.arg("-config").arg(path("config.json")).arg("-dnsserver").arg(format!("127.0.0.1:{}", world.dns));
        for (name, value) in [
            ("PEBBLE_VA_ALWAYS_VALID", "1"),
            ("PEBBLE_VA_NOSLEEP", "1"),
            ("PEBBLE_WFE_NONCEREJECT", "0"),
            ("PEBBLE_AUTHZREUSE", "0"),
        ] {
            command.env(name, value);
        }
        let mut starting = Starting(Some(spawn(&mut command, folder.path())?));
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            starting.still_alive(start, folder.path(), "nobody listens")?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (root, token) = (path("cert.pem"), String::new());
        let directory = format!("https://localhost:{port}/dir");
        let child = starting.0.take().context("pebble is gone")?;
        Ok(Self { child, port, directory, root, token, _postgres: None, _folder: folder })
    }

    /// A client that trusts it.
    pub(crate) fn connector(&self) -> Result<TlsConnector> {
        connector(&std::fs::read_to_string(&self.root)?)
    }

    /// Asks its API.
    pub(crate) async fn ask(&self, path: &str) -> Result<Value> {
        let ca = std::fs::read_to_string(&self.root)?;
        let url = format!("https://localhost:{}", self.port);
        let client = Client::new(&url, SecretText::new(self.token.clone()), &ca)?;
        Ok(client.get(path).await?)
    }

    /// Memory of the process, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib.checked_div(1024).unwrap_or(0))
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

fn spawn(command: &mut Command, folder: &Path) -> Result<Child> {
    let output = File::create(folder.join("log"))?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    command.spawn().context("a server does not start")
}

/// A server that is not ready yet; killed when something goes wrong on the way.
struct Starting(Option<Child>);

impl Starting {
    fn still_alive(&mut self, start: Instant, folder: &Path, why: &str) -> Result<()> {
        let ended = self.0.as_mut().map(Child::try_wait).transpose()?.flatten();
        if ended.is_some() || start.elapsed() > READY {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            bail!("the server does not get ready: {why}\n{log}");
        }
        Ok(())
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

fn connector(pem: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
