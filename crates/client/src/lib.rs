//! A small HTTP client for `/v1`: used by the command line, the agent and the health check.
//!
//! It trusts the CA certificates that it is given and nothing else, verifies the server's name, speaks plain HTTP to
//! this machine only, follows no redirects, and bounds time and size of every answer. Problem documents become
//! [`Error::Problem`]. Connections are kept open and used again.

mod connection;
mod error;
mod request;
mod target;

pub use certwright_wire as wire;
pub use connection::Connection;
pub use error::Error;
pub use http::{Method, StatusCode};
pub use request::{Answer, Request, path};

use bytes::Bytes;
use certwright_wire::SecretText;
use connection::Connector;
use http::HeaderValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Idle connections that are kept.
const IDLE: usize = 8;

/// Talks to one server.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    connector: Connector,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    max_answer: usize,
    idle: Mutex<Vec<Connection>>,
}

/// Options of a client.
pub struct Builder {
    base_url: String,
    token: Option<SecretText>,
    ca_pem: Option<String>,
    timeout: Duration,
    max_answer: usize,
}

impl Builder {
    /// The API token, sent as `Authorization: Bearer`.
    #[must_use]
    pub fn token(mut self, token: SecretText) -> Self {
        self.token = Some(token);
        self
    }

    /// The CA certificates to trust, PEM. Needed for `https://`.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<String>) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// How long one call may take, connecting included; default 30 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many bytes the body of an answer may have; default 32 MiB.
    #[must_use]
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// Checks the options; connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn build(self) -> Result<Client, Error> {
        let connector = Connector::new(&self.base_url, self.ca_pem.as_deref())?;
        let authorization = match &self.token {
            None => None,
            Some(token) => {
                let refused = |_| Error::Config("The token holds characters that no token has.".to_owned());
                let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose().trim())).map_err(refused)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Client(Arc::new(Inner {
            connector,
            authorization,
            timeout: self.timeout,
            max_answer: self.max_answer,
            idle: Mutex::new(Vec::new()),
        })))
    }
}

impl Client {
    /// A client with default limits: base URL (`https://host:port`, or `http://` on this machine), token, and the CA
    /// certificates to trust.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn new(base_url: &str, token: SecretText, ca_pem: &str) -> Result<Self, Error> {
        Self::builder(base_url).token(token).ca_pem(ca_pem).build()
    }

    /// Options first.
    pub fn builder(base_url: impl Into<String>) -> Builder {
        Builder {
            base_url: base_url.into(),
            token: None,
            ca_pem: None,
            timeout: Duration::from_secs(30),
            max_answer: 32 * 1024 * 1024,
        }
    }

    /// A request with options; `path` begins with a slash and may hold a query. See [`path`] for names in it.
    pub fn request(&self, method: Method, path: impl Into<String>) -> Request<'_> {
        Request::new(self, method, path.into())
    }

    /// `GET`, JSON out.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::Config`]; so with the other calls.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.request(Method::GET, path).send().await?.json()
    }

    /// `POST`, JSON in and out.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        self.request(Method::POST, path).json(body)?.send().await?.json()
    }

    /// `PUT`, JSON in and out.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        self.request(Method::PUT, path).json(body)?.send().await?.json()
    }

    /// `PATCH`, JSON in and out; `etag` is what `GET` gave, for resources that want `If-Match`.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        etag: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let mut request = self.request(Method::PATCH, path).json(body)?;
        if let Some(etag) = etag {
            request = request.header("if-match", etag)?;
        }
        request.send().await?.json()
    }

    /// `DELETE`; what it answers is dropped.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        self.request(Method::DELETE, path).send().await.map(drop)
    }

    /// A connection of its own, for a caller that sends many requests one after the other.
    pub async fn connection(&self) -> Result<Connection, Error> {
        within(self.0.timeout, self.0.connector.connect()).await
    }

    /// Sends a request on an idle connection or a new one.
    async fn send(&self, request: http::Request<Bytes>) -> Result<Answer, Error> {
        within(self.0.timeout, self.send_without_limit(request)).await
    }

    async fn send_without_limit(&self, request: http::Request<Bytes>) -> Result<Answer, Error> {
        // The server may close an idle connection at any moment. What was not sent, or may be sent twice without harm,
        // is sent again on a new connection.
        if let Some(mut connection) = self.take_idle() {
            let twice = request.method().is_safe();
            match connection.send(request.clone(), self.0.max_answer).await {
                Ok(answer) => {
                    self.keep(connection);
                    return Ok(answer);
                }
                Err(Error::NotSent) => {}
                Err(Error::Broken(_)) if twice => {}
                Err(other) => return Err(other),
            }
        }
        let mut connection = self.0.connector.connect().await?;
        let answer = connection.send(request, self.0.max_answer).await?;
        self.keep(connection);
        Ok(answer)
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Connection::is_usable);
        idle.pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE && connection.is_usable() {
            idle.push(connection);
        }
    }
}

/// Asks a server whether it is ready (`/readyz`, or the path that the URL has): what `certwright healthcheck` does.
///
/// # Errors
/// [`Error::Status`] or [`Error::Problem`] when it is not, another one when it cannot be reached within 5 seconds.
pub async fn health(url: &str) -> Result<(), Error> {
    let target = target::Target::parse(url)?;
    let (base, path) = target.split_path();
    let client = Client::builder(base).timeout(Duration::from_secs(5)).max_answer(64 * 1024).build()?;
    let path = if path.is_empty() { "/readyz" } else { path };
    client.request(Method::GET, path).send().await.map(drop)
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Error::Timeout(limit)))
}
