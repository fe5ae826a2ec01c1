//! An ACME client that does a whole order over one connection.

use crate::csr;
use crate::servers::Server;
use crate::world::World;
use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Polls of one authorization or order.
const POLLS: u32 = 2_000;

pub(crate) struct Client {
    world: Arc<World>,
    connection: Connection,
    key: EcdsaKeyPair,
    jwk: Value,
    thumbprint: String,
    kid: String,
    nonce: String,
    directory: Value,
    /// Of all its orders: what each step took.
    pub(crate) steps: Steps,
}

/// Steps of an order, with the time that answers took; the last one is what the client did meanwhile.
pub(crate) type Steps = [(&'static str, Duration); 8];
pub(crate) const STEPS: Steps = [
    ("newOrder", Duration::ZERO),
    ("authorization", Duration::ZERO),
    ("challenge", Duration::ZERO),
    ("poll", Duration::ZERO),
    ("finalize", Duration::ZERO),
    ("order", Duration::ZERO),
    ("certificate", Duration::ZERO),
    ("the client itself", Duration::ZERO),
];

struct Connection {
    stream: TlsStream<TcpStream>,
    host: String,
    buffer: Vec<u8>,
    /// For answers, so far.
    waited: Duration,
}

struct Answer {
    status: u16,
    nonce: Option<String>,
    location: Option<String>,
    body: Vec<u8>,
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Client {
    /// A client with an account of its own.
    pub(crate) async fn register(server: &Server, world: Arc<World>) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).await?;
        stream.set_nodelay(true)?;
        let stream = server.connector()?.connect("localhost".try_into()?, stream).await?;
        let host = format!("localhost:{}", server.port);
        let mut connection = Connection { stream, host, buffer: vec![0; 64 << 10], waited: Duration::ZERO };
        let directory = connection.exchange("GET", &server.directory, None).await?.json()?;
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok().context("no key")?;
        let point = key.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(32);
        let jwk = json!({"crv": "P-256", "kty": "EC", "x": b64(x), "y": b64(y)});
        let thumbprint = b64(digest(&SHA256, jwk.to_string().as_bytes()));
        let (kid, nonce) = (String::new(), String::new());
        let steps = STEPS;
        let mut client = Self { world, connection, key, jwk, thumbprint, kid, nonce, directory, steps };
        let url = client.entry("newNonce")?;
        let answer = client.connection.exchange("HEAD", &url, None).await?;
        client.nonce = answer.nonce.context("no nonce")?;
        let url = client.entry("newAccount")?;
        let made = client.post(&url, Some(json!({"termsOfServiceAgreed": true}))).await?;
        client.kid = made.location.context("no account")?;
        Ok(client)
    }

    fn entry(&self, name: &str) -> Result<String> {
        text(&self.directory, name)
    }

    /// newOrder, authorization, challenge, poll, finalize, certificate.
    pub(crate) async fn order(&mut self) -> Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let since = Instant::now();
        let waited = self.waited();
        let name = format!("n{}.bench.example", NUMBER.fetch_add(1, Ordering::Relaxed));
        let url = self.entry("newOrder")?;
        let made = self.step(0, &url, Some(json!({"identifiers": [{"type": "dns", "value": name}]}))).await?;
        let order_url = made.location.clone().context("no order")?;
        let order = made.json()?;
        let authorization_url =
            order.pointer("/authorizations/0").and_then(Value::as_str).context("no authorization")?.to_owned();
        let authorization = self.step(1, &authorization_url, None).await?.json()?;
        let challenges = authorization.get("challenges").and_then(Value::as_array).context("no challenges")?;
        let http = challenges.iter().find(|challenge| challenge.get("type") == Some(&json!("http-01")));
        let http = http.context("no http-01")?;
        let token = text(http, "token")?;
        self.world.show(&token, format!("{token}.{}", self.thumbprint));
        self.step(2, &text(http, "url")?, Some(json!({}))).await?;
        self.poll(3, &authorization_url, "valid").await?;
        let pem = csr::pem(&name)?;
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body)?;
        self.step(4, &text(&order, "finalize")?, Some(json!({"csr": b64(der)}))).await?;
        let done = self.poll(5, &order_url, "valid").await?;
        let certificate = self.step(6, &text(&done, "certificate")?, None).await?;
        ensure!(certificate.body.starts_with(b"-----BEGIN CERTIFICATE"), "no certificate");
        self.world.hide(&token);
        let meanwhile = since.elapsed().saturating_sub(self.waited().saturating_sub(waited));
        self.add(7, meanwhile);
        Ok(())
    }

    /// A request whose answer's time is noted.
    async fn step(&mut self, step: usize, url: &str, payload: Option<Value>) -> Result<Answer> {
        let before = self.connection.waited;
        let answer = self.post(url, payload).await?;
        self.add(step, self.connection.waited.saturating_sub(before));
        Ok(answer)
    }

    fn add(&mut self, step: usize, took: Duration) {
        if let Some((_, sum)) = self.steps.get_mut(step) {
            *sum = sum.saturating_add(took);
        }
    }

    fn waited(&self) -> Duration {
        self.connection.waited
    }

    /// Without the pauses that a polite client makes: both servers are asked alike.
    async fn poll(&mut self, step: usize, url: &str, wanted: &str) -> Result<Value> {
        for attempt in 0..POLLS {
            let found = self.step(step, url, None).await?.json()?;
            match found.get("status").and_then(Value::as_str) {
                Some(status) if status == wanted => return Ok(found),
                Some("pending" | "processing") => {}
                _ => bail!("{found}"),
            }
            // The first looks follow at once; then the cores are left to those who work.
            tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(5)))).await;
        }
        bail!("{url} does not become {wanted}")
    }

    /// A signed request; without a payload: POST-as-GET.
    async fn post(&mut self, url: &str, payload: Option<Value>) -> Result<Answer> {
        let mut header = json!({"alg": "ES256", "nonce": self.nonce, "url": url});
        if let Some(members) = header.as_object_mut() {
            match self.kid.is_empty() {
                true => members.insert("jwk".to_owned(), self.jwk.clone()),
                false => members.insert("kid".to_owned(), self.kid.clone().into()),
            };
        }
        let payload = payload.map_or_else(String::new, |payload| b64(payload.to_string()));
        let protected = b64(header.to_string());
        let signature = self.key.sign(&SystemRandom::new(), format!("{protected}.{payload}").as_bytes());
        let signature = b64(signature.ok().context("no signature")?);
        let body = json!({"protected": protected, "payload": payload, "signature": signature}).to_string();
        let answer = self.connection.exchange("POST", url, Some(&body)).await?;
        self.nonce = answer.nonce.clone().context("an answer without a nonce")?;
        ensure!(answer.status < 300, "{url}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        Ok(answer)
    }
}

impl Answer {
    fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

fn text(value: &Value, name: &str) -> Result<String> {
    Ok(value.get(name).and_then(Value::as_str).with_context(|| format!("no `{name}` in {value}"))?.to_owned())
}

impl Connection {
    async fn exchange(&mut self, method: &str, url: &str, body: Option<&str>) -> Result<Answer> {
        let since = Instant::now();
        let answer = self.exchange_now(method, url, body).await;
        self.waited = self.waited.saturating_add(since.elapsed());
        answer
    }

    async fn exchange_now(&mut self, method: &str, url: &str, body: Option<&str>) -> Result<Answer> {
        let path = url.splitn(4, '/').nth(3).context("no path")?;
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: bench\r\nContent-Type: application/jose+json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        let mut filled = 0_usize;
        loop {
            let read = self.stream.read(self.buffer.get_mut(filled..).unwrap_or_default()).await?;
            ensure!(read > 0, "the server closed the connection");
            filled = filled.saturating_add(read);
            let answer = self.buffer.get(..filled).unwrap_or_default();
            let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(answer.get(..end).unwrap_or_default())?;
            let header = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(':'));
                lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
            };
            let start = end.saturating_add(4);
            let chunked = header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
            let status = head.split(' ').nth(1).context("no status")?.parse()?;
            let (nonce, location) = (header("replay-nonce"), header("location"));
            if chunked {
                let body = answer.get(start..).unwrap_or_default();
                if !body.ends_with(b"0\r\n\r\n") {
                    continue;
                }
                return Ok(Answer { status, nonce, location, body: joined(body)? });
            }
            let length: usize = match method {
                "HEAD" => 0,
                _ => header("content-length").map_or(Ok(0), |length| length.parse())?,
            };
            if filled < start.saturating_add(length) {
                continue;
            }
            let body = answer.get(start..start.saturating_add(length)).unwrap_or_default().to_vec();
            return Ok(Answer { status, nonce, location, body });
        }
    }
}

/// The contents of chunks (RFC 9112 section 7.1).
fn joined(mut chunks: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = chunks.windows(2).position(|pair| pair == b"\r\n").context("a chunk without its size")?;
        let size = std::str::from_utf8(chunks.get(..line).unwrap_or_default())?;
        let size = usize::from_str_radix(size.trim(), 16)?;
        let start = line.saturating_add(2);
        let end = start.saturating_add(size);
        body.extend(chunks.get(start..end).context("a chunk that is cut")?);
        if size == 0 {
            return Ok(body);
        }
        chunks = chunks.get(end.saturating_add(2)..).unwrap_or_default();
    }
}
