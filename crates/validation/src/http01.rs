//! http-01 (RFC 8555 section 8.3), with redirects.

use crate::Settings;
use crate::connect::{Connected, Place, Way, host_of};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;
use certwright_app::ChallengeCheck;
use certwright_domain::acme::{Failure, FailureKind};
use certwright_domain::http_url::{Host, HttpUrl};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hop {
    https: bool,
    host: Host,
    port: u16,
    target: String,
}

/// What an answer means.
enum Seen {
    /// The proof.
    Proof,
    /// It is said to stand elsewhere.
    Redirect(String),
}

/// Fetches the file and compares it.
pub(crate) async fn look(
    way: &Way,
    settings: &Settings,
    https: &Arc<ClientConfig>,
    check: &ChallengeCheck<'_>,
) -> Result<(), Failure> {
    let target = format!("/.well-known/acme-challenge/{}", check.token);
    let mut hop = Hop { https: false, host: host_of(check.identifier)?, port: settings.http_port, target };
    let mut visited = Vec::new();
    for _ in 0..=settings.limits.redirects {
        if visited.contains(&hop) {
            return Err(hop.failure(FailureKind::IncorrectResponse, "is redirected to in a circle"));
        }
        visited.push(hop.clone());
        let Connected { stream, place } = way.open(&hop.host, hop.port, check.allowed).await?;
        let exchange = Exchange { settings, check, hop: &hop, place: &place };
        let seen = if hop.https {
            let name = match &hop.host {
                Host::Name(name) => ServerName::try_from(name.clone())
                    .map_err(|_| hop.failure(FailureKind::Tls, "is not a name that TLS can ask for"))?,
                Host::Ip(address) => ServerName::from(*address),
            };
            let shaken = TlsConnector::from(Arc::clone(https)).connect(name, stream);
            match timeout(settings.limits.connect, shaken).await {
                Ok(Ok(stream)) => exchange.ask(stream).await?,
                Ok(Err(_)) => return Err(exchange.failure(FailureKind::Tls, "refused the TLS handshake")),
                Err(_) => return Err(exchange.failure(FailureKind::Tls, "did not finish the TLS handshake")),
            }
        } else {
            exchange.ask(stream).await?
        };
        match seen {
            Seen::Proof => return Ok(()),
            Seen::Redirect(location) => hop = hop.follow(&location, settings)?,
        }
    }
    let most = settings.limits.redirects;
    Err(hop.failure(
        FailureKind::IncorrectResponse,
        &format!("would be redirect {}; {most} are followed", most.saturating_add(1)),
    ))
}

impl Hop {
    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Host, and the port where it does not go without saying.
    fn authority(&self) -> String {
        match (self.https, self.port) {
            (false, 80) | (true, 443) => self.host.to_string(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    fn failure(&self, kind: FailureKind, what: &str) -> Failure {
        Failure::new(kind, format!("http-01: {}://{} {what}.", self.scheme(), self.authority()))
    }

    /// Where `Location` leads to (RFC 9110 section 10.2.2), where we go there at all.
    fn follow(&self, location: &str, settings: &Settings) -> Result<Self, Failure> {
        let refuse = |what: &str| self.failure(FailureKind::IncorrectResponse, &format!("redirects {what}"));
        let location = location.split_once('#').map_or(location, |(before, _)| before);
        let here = format!("{}://{}", self.scheme(), self.authority());
        let url = if location.contains("://") {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{}:{location}", self.scheme())
        } else if location.starts_with('/') {
            format!("{here}{location}")
        } else if location.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
            return Err(refuse("to something else than http and https"));
        } else {
            let path = self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path);
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{here}{folder}/{location}")
        };
        let url = HttpUrl::parse(&url)
            .map_err(|_| refuse("to something that is not an http or https URL without user and password"))?;
        if url.target().len() > settings.limits.target {
            return Err(refuse("to a path that is too long"));
        }
        // Ports of a URL that names none are the ports that we look at.
        let port = match url.port() {
            80 => settings.http_port,
            443 => settings.tls_port,
            port if port == settings.http_port || port == settings.tls_port => port,
            port => return Err(refuse(&format!("to port {port}; only 80 and 443 are followed"))),
        };
        Ok(Self { https: url.is_https(), host: url.host().clone(), port, target: url.target().to_owned() })
    }
}

/// One request and its answer.
struct Exchange<'a> {
    settings: &'a Settings,
    check: &'a ChallengeCheck<'a>,
    hop: &'a Hop,
    place: &'a Place,
}

impl Exchange<'_> {
    fn failure(&self, kind: FailureKind, what: &str) -> Failure {
        let (scheme, authority) = (self.hop.scheme(), self.hop.authority());
        Failure::new(kind, format!("http-01: {scheme}://{authority} at {} {what}.", self.place))
    }

    async fn ask<S>(&self, stream: S) -> Result<Seen, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let limits = &self.settings.limits;
        let not_http =
            || self.failure(FailureKind::IncorrectResponse, "did not answer in HTTP, or with too large a head");
        let request = Request::get(self.hop.target.as_str())
            .header(header::HOST, self.hop.authority())
            .header(header::USER_AGENT, self.settings.user_agent.as_str())
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|_| self.failure(FailureKind::IncorrectResponse, "has a path that cannot be asked for"))?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(limits.head).max_headers(limits.headers);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| not_http())?;
        // The connection ends with this set, whatever the other side does.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let answer = match timeout(limits.answer, sender.send_request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => return Err(not_http()),
            Err(_) => {
                let what = format!("did not answer within {} s", limits.answer.as_secs());
                return Err(self.failure(FailureKind::Connection, &what));
            }
        };
        self.judge(answer).await
    }

    async fn judge(&self, answer: Response<Incoming>) -> Result<Seen, Failure> {
        match answer.status() {
            StatusCode::OK => self.compare(answer.into_body()).await,
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => {
                let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
                location.map(|location| Seen::Redirect(location.to_owned())).ok_or_else(|| {
                    self.failure(FailureKind::IncorrectResponse, "answered with a redirect that leads nowhere")
                })
            }
            status => {
                let what = format!("answered with status {}; 200 is needed", status.as_u16());
                Err(self.failure(FailureKind::Unauthorized, &what))
            }
        }
    }

    async fn compare(&self, body: Incoming) -> Result<Seen, Failure> {
        let limits = &self.settings.limits;
        let wanted = self.check.key_authorization.as_bytes();
        let most = wanted.len().saturating_add(limits.slack);
        let body = match timeout(limits.answer, Limited::new(body, most).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                let what = format!("answered with more than {most} bytes, which are not the key authorization");
                return Err(self.failure(FailureKind::Unauthorized, &what));
            }
            Ok(Err(_)) => return Err(self.failure(FailureKind::Connection, "broke its answer off")),
            Err(_) => {
                let what = format!("did not finish its answer within {} s", limits.answer.as_secs());
                return Err(self.failure(FailureKind::Connection, &what));
            }
        };
        if verify_slices_are_equal(body.trim_ascii_end(), wanted).is_err() {
            let what = "answered with something else than the key authorization";
            return Err(self.failure(FailureKind::Unauthorized, what));
        }
        Ok(Seen::Proof)
    }
}
