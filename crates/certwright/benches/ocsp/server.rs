//! The real server on SQLite: started, given a CA and certificates through its API, stopped.

use crate::http::{Connection, Request};
use crate::{Call, machine};
use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use certwright_client::{Client, health, wire::SecretText};
use certwright_testkit::ocsp::{SHA1, cert_id, issuer_parts, request};
use serde_json::{Value, json};
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the server may take to get ready.
const READY: Duration = Duration::from_secs(60);
/// Certificates that are asked about.
const CERTIFICATES: usize = 100;
/// Where; the URL that would stand in certificates names the CA by its id.
const PATH: &str = "/pki/bench/1/ocsp";

/// A running server.
pub(crate) struct Server {
    child: Child,
    port: u16,
    ids: Vec<Vec<u8>>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts it on an empty data folder.
    pub(crate) async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let (api, port) = (free_port()?, free_port()?);
        let log = folder.path().join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_certwright"));
        command.arg("serve").arg("--data").arg(&data);
        command.arg("--listen").arg(format!("127.0.0.1:{api}"));
        command.arg("--http-listen").arg(format!("127.0.0.1:{port}"));
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().context("the server does not start")?;
        let mut server = Self { child, port, ids: Vec::new(), _folder: folder };
        server.wait_until_ready(&log).await?;
        server.ids = server.make_certificates(&data, api).await?;
        Ok(server)
    }

    /// Opens a connection to the plain listener.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        Connection::open(self.port).await
    }

    /// The requests of a kind of call.
    pub(crate) fn requests(&self, call: Call) -> Arc<[Request]> {
        let about = |id: &Vec<u8>, nonce| request(std::slice::from_ref(id), nonce);
        match call {
            Call::Signed => {
                self.ids.iter().map(|id| Request::ocsp(PATH, self.port, &about(id, Some(&[0x5a; 32])))).collect()
            }
            Call::Kept => self.ids.iter().map(|id| Request::ocsp(PATH, self.port, &about(id, None))).collect(),
            Call::Health => Arc::from([Request::get("/healthz", self.port, b"status")]),
        }
    }

    /// CPU time of the server process so far (user and system, all threads).
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        Ok(machine::of_process(&stat).context("/proc/…/stat")?.1)
    }

    /// Stops it; it must still have been alive.
    pub(crate) fn stop(mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("the server ended by itself: {status}"),
            None => Ok(()),
        }
    }

    async fn wait_until_ready(&mut self, log: &Path) -> Result<()> {
        let (start, url) = (Instant::now(), format!("http://127.0.0.1:{}", self.port));
        loop {
            let Err(error) = health(&url).await else { return Ok(()) };
            if self.child.try_wait()?.is_some() || start.elapsed() > READY {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                bail!("the server does not get ready: {error}\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A CA and its certificates; their CertIDs.
    async fn make_certificates(&self, data: &Path, api: u16) -> Result<Vec<Vec<u8>>> {
        let token = std::fs::read_to_string(data.join("admin.token")).context("admin.token")?.trim().to_owned();
        let ca_pem = std::fs::read_to_string(data.join("tls").join("ca.pem")).context("tls/ca.pem")?;
        let client = Client::new(&format!("https://127.0.0.1:{api}"), SecretText::new(token), &ca_pem)?;
        let _: Value = client.post("/v1/vaults", &json!({"name": "bench"})).await?;
        let key = json!({"name": "bench", "algorithm": "ECDSA", "length": 256});
        let _: Value = client.post("/v1/vaults/bench/keys", &key).await?;
        let ca = json!({"name": "bench", "type": "ROOT", "vault": "bench", "key": "bench", "subject": {"commonName": "bench"}});
        let _: Value = client.post("/v1/certificate-authorities", &ca).await?;
        let mut connection = self.connect().await?;
        let der = connection.exchange(&Request::get("/pki/bench/ca.crt", self.port, &[0x30, 0x82])).await?.to_vec();
        let (name, key) = issuer_parts(&der).context("the CA's certificate")?;
        let hash = |bytes| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes);
        let (name, key) = (hash(name), hash(key));
        let mut ids = Vec::with_capacity(CERTIFICATES);
        for number in 0..CERTIFICATES {
            let body = json!({"names": [format!("host-{number}.example.com")]});
            let issued: Value = client.post("/v1/certificate-authorities/bench/issue", &body).await?;
            let serial = issued.get("serial").and_then(Value::as_str).context("no serial")?;
            ids.push(cert_id(SHA1, name.as_ref(), key.as_ref(), &integer(serial)?));
        }
        ensure!(!ids.is_empty(), "no certificates");
        Ok(ids)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing to be done about a process that cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Contents of an INTEGER from hex.
fn integer(hex: &str) -> Result<Vec<u8>> {
    let digits: Vec<char> = hex.chars().collect();
    let mut bytes = digits
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(&pair.iter().collect::<String>(), 16)?))
        .collect::<Result<Vec<u8>>>()?;
    if bytes.first().is_some_and(|first| *first >= 0x80) {
        bytes.insert(0, 0);
    }
    Ok(bytes)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
