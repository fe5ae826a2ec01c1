//! DNS: questions with one answer each, never from memory.

mod client;
mod servers;

pub use client::Client;
pub use servers::Servers;

use async_trait::async_trait;
use std::net::IpAddr;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Texts.
    Txt,
    /// Who may issue (RFC 8659).
    Caa,
}

impl Kind {
    /// As DNS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Txt => "TXT",
            Self::Caa => "CAA",
        }
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An address.
    Address(IpAddr),
    /// A text; the strings of one record are joined (RFC 7208 section 3.3 does it the same way).
    Text(Vec<u8>),
    /// A CAA record.
    Caa(CaaRecord),
}

/// A CAA record (RFC 8659 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaaRecord {
    /// The issuer critical flag.
    pub critical: bool,
    /// The property tag, as it came.
    pub tag: String,
    /// The property value.
    pub value: Vec<u8>,
}

/// Why there is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// NXDOMAIN.
    #[error("there is no such name (NXDOMAIN)")]
    NoSuchName,
    /// The name is there, with other records.
    #[error("the name has no such record")]
    NoRecords,
    /// The servers said SERVFAIL, REFUSED or something of the kind.
    #[error("the DNS server answered {0}")]
    Refused(&'static str),
    /// No server answered.
    #[error("no DNS server answered")]
    Silent,
    /// What came was not an answer to the question.
    #[error("the DNS server's answer could not be understood")]
    Malformed,
    /// CNAMEs lead too far, or in a circle.
    #[error("its CNAME records lead too far or in a circle")]
    Aliases,
    /// The name cannot be asked for.
    #[error("the name is not one that DNS can hold")]
    BadName,
}

impl LookupError {
    /// Do we know that there is nothing (and not merely nothing about it)?
    pub fn is_absence(self) -> bool {
        matches!(self, Self::NoSuchName | Self::NoRecords)
    }
}

/// Asks DNS. Names are absolute: no search list, no hosts file.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The records of this kind under the name, CNAMEs followed; never an empty list.
    async fn lookup(&self, name: &str, kind: Kind) -> Result<Vec<Data>, LookupError>;
}
