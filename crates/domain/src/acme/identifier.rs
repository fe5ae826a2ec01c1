//! Identifiers of orders: DNS names (RFC 8555 section 9.7.7) and IP addresses (RFC 8738).

use crate::san::{DnsName, San};
use std::fmt;
use std::net::IpAddr;

/// Most identifiers of one order: as many names as a certificate may carry.
pub const MAX_IDENTIFIERS: usize = crate::san::MAX_NAMES;

/// A name that a certificate is ordered for: a DNS name, perhaps a wildcard, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier(San);

/// What is wrong with an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentifierFault {
    /// A type that is neither `dns` nor `ip` (`unsupportedIdentifier`).
    Type(String),
    /// A value that cannot be certified as what it is said to be (`rejectedIdentifier`).
    Value(String),
}

impl Identifier {
    /// Reads type and value as a client gives them. Upper case becomes lower case and a trailing dot goes; nothing else is
    /// changed: what would mean something else then is refused.
    pub fn parse(kind: &str, value: &str) -> Result<Self, IdentifierFault> {
        match kind {
            "dns" => Self::dns(value),
            "ip" => Self::ip(value),
            other => Err(IdentifierFault::Type(format!(
                "Identifiers of the type `{}` are not certified here; use `dns` or `ip`.",
                other.escape_debug()
            ))),
        }
    }

    fn dns(value: &str) -> Result<Self, IdentifierFault> {
        let rejected = |text: String| Err(IdentifierFault::Value(text));
        if value.parse::<IpAddr>().is_ok() {
            return rejected(format!("`{value}` is an IP address: order it as type `ip`."));
        }
        if !value.is_ascii() {
            return rejected(format!(
                "`{}` is not ASCII: write internationalised names as A-labels (`xn--…`).",
                value.escape_debug()
            ));
        }
        let value = value.strip_suffix('.').unwrap_or(value);
        match DnsName::parse(value) {
            Ok(name) => Ok(Self(San::Dns(name))),
            Err(invalid) => rejected(format!("{} {}", invalid.detail, invalid.hint)),
        }
    }

    /// RFC 8738 section 3: the canonical text of RFC 5952 (IPv6) or dotted decimal.
    fn ip(value: &str) -> Result<Self, IdentifierFault> {
        match value.parse::<IpAddr>() {
            Ok(address) if address.to_string() == value => Ok(Self(San::Ip(address))),
            Ok(address) => Err(IdentifierFault::Value(format!(
                "`{}` is not the canonical text of an address: write `{address}`.",
                value.escape_debug()
            ))),
            Err(_) => Err(IdentifierFault::Value(format!("`{}` is not an IP address.", value.escape_debug()))),
        }
    }

    /// One that was stored: a DNS name or an address as [`San`] writes it.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::of(San::parse(text).ok()?)
    }

    /// A name of a certificate as an identifier; `None`: names of this kind are not ordered.
    pub fn of(name: San) -> Option<Self> {
        match name {
            San::Dns(_) | San::Ip(_) => Some(Self(name)),
            San::Email(_) | San::Uri(_) => None,
        }
    }

    /// `dns` or `ip`.
    pub fn kind(&self) -> &'static str {
        self.0.kind()
    }

    /// As a name of a certificate.
    pub fn san(&self) -> &San {
        &self.0
    }

    /// Is it a wildcard?
    pub fn is_wildcard(&self) -> bool {
        matches!(&self.0, San::Dns(name) if name.is_wildcard())
    }

    /// What control is proven of: the name without `*.`.
    pub fn base(&self) -> Self {
        match &self.0 {
            San::Dns(name) if name.is_wildcard() => {
                DnsName::parse(name.base()).map_or_else(|_| self.clone(), |base| Self(San::Dns(base)))
            }
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
