//! The one way out: requests to addresses that somebody else named. The server brings the real one, with its guard; tests
//! bring one that remembers.

use async_trait::async_trait;
use certwright_domain::egress::Denied;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::time::Span;

/// What is worth knowing of an answer whose body is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboundAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, where it was given that way.
    pub retry_after: Option<Span>,
}

/// An answer whose body is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// HTTP status.
    pub status: u16,
    /// `max-age` of `Cache-Control`, where it is there (RFC 9111 section 5.2.2.1).
    pub max_age: Option<Span>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there was no answer. The texts are ours; nothing of what the other side said is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The address is one that we do not connect to.
    #[error("refused by the egress guard: {0}")]
    Denied(#[from] Denied),
    /// The name has no address.
    #[error("the name does not resolve")]
    Unresolvable,
    /// Nobody accepts connections there.
    #[error("no connection")]
    Unreachable,
    /// The TLS handshake failed.
    #[error("no TLS connection: {0}")]
    Tls(&'static str),
    /// What came back was not HTTP, or too much of it.
    #[error("no HTTP answer")]
    Malformed,
    /// Nothing came back in time.
    #[error("no answer in time")]
    Timeout,
}

/// Sends requests out.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Would the URL be refused whatever its name resolves to? For telling early.
    fn check(&self, url: &HttpUrl) -> Result<(), OutboundError>;

    /// Posts `body` and reads the answer's head within the implementation's deadline. No redirect is followed.
    async fn post(
        &self,
        url: &HttpUrl,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<OutboundAnswer, OutboundError>;

    /// Gets a document of at most `most` bytes within the implementation's deadline; a larger one is
    /// [`OutboundError::Malformed`]. No redirect is followed.
    async fn get(&self, url: &HttpUrl, most: usize) -> Result<Fetched, OutboundError>;
}
