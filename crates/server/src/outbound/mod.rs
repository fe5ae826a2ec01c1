//! The way out, guarded: requests to addresses that somebody else named (receivers of webhooks, issuers of tokens; later
//! the validation of challenges).
//!
//! A name is looked up once; every address it has is judged by [`EgressRules`], and one that is refused refuses the name;
//! the connection goes to an address that was judged, with the name in `Host` and in the TLS handshake. There is no second
//! look-up that could answer otherwise. Redirects are not followed, a proxy is not used, the body of an answer to a
//! POST is thrown away.

mod trust;

pub(crate) use trust::Trust;

use async_trait::async_trait;
use bytes::Bytes;
use certwright_app::{Fetched, Outbound, OutboundAnswer, OutboundError};
use certwright_domain::egress::EgressRules;
use certwright_domain::http_url::{Host, HttpUrl};
use certwright_domain::time::Span;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// From the look-up to the answer's head.
const DEADLINE: Duration = Duration::from_secs(10);
/// For one of several addresses to accept the connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Addresses of a name that are tried.
const ADDRESSES: usize = 4;
/// Largest head of an answer.
const HEAD: usize = 16 << 10;
/// Header lines of an answer.
const HEADERS: usize = 64;
/// Largest body of an answer from an address that the operator chose.
const ANSWER: usize = 64 << 10;
/// How much of an answer's body is read, and how long, so that its sender can finish in peace.
const BODY: (usize, Duration) = (16 << 10, Duration::from_secs(1));

/// What we call ourselves.
const USER_AGENT: &str = concat!("certwright/", env!("CARGO_PKG_VERSION"));

/// Looks names up.
#[async_trait]
pub(crate) trait Resolve: Send + Sync {
    /// The addresses of a name.
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// As the system does it.
pub(crate) struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}

/// The real way out.
pub(crate) struct Guarded {
    rules: EgressRules,
    resolver: Arc<dyn Resolve>,
    trust: Arc<Trust>,
}

impl Guarded {
    /// With these rules.
    pub(crate) fn new(rules: EgressRules, resolver: Arc<dyn Resolve>, trust: Arc<Trust>) -> Self {
        Self { rules, resolver, trust }
    }

    /// The addresses of the URL's host, each of them judged.
    async fn addresses(&self, url: &HttpUrl) -> Result<Vec<SocketAddr>, OutboundError> {
        let found = match url.host() {
            Host::Ip(address) => vec![SocketAddr::new(*address, url.port())],
            Host::Name(name) => {
                self.resolver.resolve(name, url.port()).await.map_err(|_| OutboundError::Unresolvable)?
            }
        };
        if found.is_empty() {
            return Err(OutboundError::Unresolvable);
        }
        for address in &found {
            self.rules.check(address.ip())?;
        }
        Ok(found)
    }

    async fn exchange(
        &self,
        url: &HttpUrl,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<OutboundAnswer, OutboundError> {
        let addresses = self.addresses(url).await?;
        let stream = connect(&addresses).await?;
        let request = request(Request::post(url.target()), url, headers, body)?;
        if !url.is_https() {
            return send(stream, request).await;
        }
        send(encrypted(self.trust.config(), url, stream).await?, request).await
    }

    async fn fetch(&self, url: &HttpUrl, most: usize) -> Result<Fetched, OutboundError> {
        let addresses = self.addresses(url).await?;
        let stream = connect(&addresses).await?;
        let headers = [("accept", "application/json".to_owned()), ("user-agent", USER_AGENT.to_owned())];
        let request = request(Request::get(url.target()), url, &headers, Vec::new())?;
        let (head, body) = if url.is_https() {
            // What is fetched decides who comes in: whoever may have our CAs sign for the issuer's name must not.
            ask(encrypted(self.trust.others(), url, stream).await?, request, most).await?
        } else {
            ask(stream, request, most).await?
        };
        Ok(Fetched { status: head.status.as_u16(), max_age: max_age(&head.headers), body: body.to_vec() })
    }
}

#[async_trait]
impl Outbound for Guarded {
    fn check(&self, url: &HttpUrl) -> Result<(), OutboundError> {
        match url.host() {
            Host::Ip(address) => Ok(self.rules.check(*address)?),
            Host::Name(_) => Ok(()),
        }
    }

    async fn post(
        &self,
        url: &HttpUrl,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<OutboundAnswer, OutboundError> {
        match timeout(DEADLINE, self.exchange(url, headers, body)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OutboundError::Timeout),
        }
    }

    async fn get(&self, url: &HttpUrl, most: usize) -> Result<Fetched, OutboundError> {
        match timeout(DEADLINE, self.fetch(url, most)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OutboundError::Timeout),
        }
    }
}

/// Speaks TLS with the URL's host.
async fn encrypted(
    trust: Arc<ClientConfig>,
    url: &HttpUrl,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, OutboundError> {
    let name = server_name(url.host())?;
    let connector = TlsConnector::from(trust);
    connector.connect(name, stream).await.map_err(|error| OutboundError::Tls(trust::why(&error)))
}

/// Connects to the first of the addresses that accepts.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, OutboundError> {
    for address in addresses.iter().take(ADDRESSES) {
        if let Ok(Ok(stream)) = timeout(CONNECT, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    Err(OutboundError::Unreachable)
}

/// Connects to a host that the operator chose, which no rules judge. Without a deadline: the caller has one.
pub(crate) async fn open(resolver: &dyn Resolve, host: &Host, port: u16) -> Result<TcpStream, OutboundError> {
    let addresses = match host {
        Host::Ip(address) => vec![SocketAddr::new(*address, port)],
        Host::Name(name) => resolver.resolve(name, port).await.map_err(|_| OutboundError::Unresolvable)?,
    };
    connect(&addresses).await
}

/// Speaks TLS with that host, for something else than HTTP.
pub(crate) async fn open_tls(
    trust: &Trust,
    host: &Host,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, OutboundError> {
    let connector = TlsConnector::from(trust.without_http());
    connector.connect(server_name(host)?, stream).await.map_err(|error| OutboundError::Tls(trust::why(&error)))
}

fn request(
    request: http::request::Builder,
    url: &HttpUrl,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, OutboundError> {
    let mut request = request.header(header::HOST, url.authority());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.header(header::CONNECTION, "close");
    request.body(Full::new(Bytes::from(body))).map_err(|_| OutboundError::Malformed)
}

fn server_name(host: &Host) -> Result<ServerName<'static>, OutboundError> {
    match host {
        Host::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|_| OutboundError::Tls("the host cannot stand in a certificate"))
        }
        Host::Ip(address) => Ok(ServerName::from(IpAddr::to_canonical(address))),
    }
}

/// Sends a request to an address that the operator chose, which no rules judge, and reads the answer. The request names its
/// target alone; `Host` is ours. Without a deadline: the caller has one.
pub(crate) async fn exchange<B>(
    resolver: &dyn Resolve,
    trust: &Trust,
    url: &HttpUrl,
    mut request: Request<B>,
) -> Result<(Parts, Bytes), OutboundError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = open(resolver, url.host(), url.port()).await?;
    let host = HeaderValue::from_str(&url.authority()).map_err(|_| OutboundError::Malformed)?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    if !url.is_https() {
        return ask(stream, request, ANSWER).await;
    }
    ask(encrypted(trust.config(), url, stream).await?, request, ANSWER).await
}

/// Sends the request. The body of the answer can be read as long as the last part is held: the connection ends with it,
/// whatever the other side does.
async fn begin<S, B>(
    stream: S,
    request: Request<B>,
) -> Result<(Parts, Incoming, JoinSet<hyper::Result<()>>), OutboundError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let malformed = |_: hyper::Error| OutboundError::Malformed;
    let mut settings = http1::Builder::new();
    settings.max_buf_size(HEAD).max_headers(HEADERS);
    let (mut sender, connection) = settings.handshake(TokioIo::new(stream)).await.map_err(malformed)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let (head, body) = sender.send_request(request).await.map_err(malformed)?.into_parts();
    Ok((head, body, driver))
}

async fn ask<S, B>(stream: S, request: Request<B>, most: usize) -> Result<(Parts, Bytes), OutboundError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body, _driver) = begin(stream, request).await?;
    let body = Limited::new(body, most).collect().await.map_err(|_| OutboundError::Malformed)?;
    Ok((head, body.to_bytes()))
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<OutboundAnswer, OutboundError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (head, body, _driver) = begin(stream, request).await?;
    drain(body).await;
    Ok(OutboundAnswer { status: head.status.as_u16(), retry_after: retry_after(&head.headers) })
}

/// Reads a little of the body and forgets it.
async fn drain(body: Incoming) {
    let (most, longest) = BODY;
    let _ = timeout(longest, Limited::new(body, most).collect()).await;
}

/// `Retry-After` in seconds; a date is not understood.
fn retry_after(headers: &HeaderMap) -> Option<Span> {
    let seconds: u32 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Span::from_s(i64::from(seconds)))
}

/// How long the answer may be kept; nothing where it may not be.
fn max_age(headers: &HeaderMap) -> Option<Span> {
    let directives = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = directives.flat_map(|value| value.split(',')).map(str::trim);
    let seconds: u32 = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok())?
    })?;
    Some(Span::from_s(i64::from(seconds)))
}

#[cfg(test)]
mod tests;
