//! Challenges: the ways of proving control of a name, and how a proof can fail.

use crate::san::San;
use crate::violation::Invalid;
use std::fmt;

/// A way of proving control of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// A file under `/.well-known/acme-challenge/` (RFC 8555 section 8.3).
    Http01,
    /// A TXT record at `_acme-challenge` (RFC 8555 section 8.4).
    Dns01,
    /// A certificate shown in a TLS handshake (RFC 8737).
    TlsAlpn01,
}

impl Method {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Http01, Self::Dns01, Self::TlsAlpn01];

    /// As ACME names it: `http-01`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or_else(|| {
            Invalid::new(
                "invalid_challenge_type",
                format!("`{}` is not a challenge type.", text.escape_debug()),
                "Use `http-01`, `dns-01` or `tls-alpn-01`.",
            )
        })
    }

    /// Can it prove control of this name? A wildcard needs DNS (RFC 8555 section 8.4); an address has no TXT records
    /// (RFC 8738 section 7).
    pub fn fits(self, name: &San) -> bool {
        match name {
            San::Dns(name) => !name.is_wildcard() || self == Self::Dns01,
            San::Ip(_) => self != Self::Dns01,
            San::Email(_) | San::Uri(_) => false,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of failure a proof met with: the error types of RFC 8555 section 6.7 that a challenge can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// A query failed, or there was nothing of the sort.
    Dns,
    /// Nobody answered.
    Connection,
    /// The TLS handshake failed.
    Tls,
    /// What was seen is not what proves control.
    Unauthorized,
    /// An answer came, and it was not one that the method allows.
    IncorrectResponse,
    /// A CAA record forbids it.
    Caa,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Dns, Self::Connection, Self::Tls, Self::Unauthorized, Self::IncorrectResponse, Self::Caa];

    /// The last part of the error type: `incorrectResponse`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Unauthorized => "unauthorized",
            Self::IncorrectResponse => "incorrectResponse",
            Self::Caa => "caa",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Why a proof failed, for the owner of the name. Nothing of what the other side said is in it, but what had to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// What was asked of whom and what came back, in one sentence.
    pub detail: String,
}

impl Failure {
    /// A failure.
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}
