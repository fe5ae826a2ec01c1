//! Profiles: what a certificate may be.
//!
//! A pattern's value is data: it is brought into canonical form when the profile is made, and a `*` anywhere but in its
//! one place is refused, so that no value can widen what a pattern lets through.

mod built_in;
mod matching;
mod parse;

pub(crate) use parse::{description, dns_pattern, email_pattern, ip_range, uri_pattern};

use crate::algorithm::{KeyAlgorithm, named_enum};
use crate::dn::AttributeType;
use crate::id::ProfileId;
use crate::name::ResourceName;
use crate::time::{Span, Timestamp};
use ipnet::IpNet;

named_enum! {
    /// Extended key usages that a profile may give (RFC 5280 section 4.2.1.12).
    ExtendedKeyUsage, "invalid_extended_key_usage", "extended key usage" {
        /// 1.3.6.1.5.5.7.3.1
        ServerAuth = "serverAuth",
        /// 1.3.6.1.5.5.7.3.2
        ClientAuth = "clientAuth",
        /// 1.3.6.1.5.5.7.3.3
        CodeSigning = "codeSigning",
        /// 1.3.6.1.5.5.7.3.4
        EmailProtection = "emailProtection",
    }
}

named_enum! {
    /// Who may hold the private key.
    KeyHolder, "invalid_key_holder", "key holder" {
        /// The requester: `sign` with a CSR.
        Requester = "REQUESTER",
        /// We make it: `issue`.
        Service = "SERVICE",
    }
}

/// A pattern for DNS names, e-mail addresses and URIs; its text in canonical form and without the `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NamePattern {
    /// Exactly this name (or address, or URI).
    Exact(String),
    /// Every DNS name below, at any depth, written `*.example.com`; the name itself is not meant. For e-mail every
    /// address at a host below, written `*@*.example.com`.
    Below(String),
    /// Every e-mail address at this host, written `*@example.com`.
    Host(String),
    /// Every URI that begins so, written with a trailing `*`: `spiffe://corp/*`. Scheme and authority are whole.
    Prefix(String),
}

/// Which names of one kind a profile lets through: none at all, any, or those that match one of the patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed<P> {
    /// None of this kind.
    Nothing,
    /// Any.
    Anything,
    /// One of these.
    Matching(Vec<P>),
}

/// Limits on names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameLimits {
    /// DNS names.
    pub dns: Allowed<NamePattern>,
    /// May DNS names be wildcards?
    pub wildcards: bool,
    /// IP addresses.
    pub ip: Allowed<IpNet>,
    /// E-mail addresses.
    pub email: Allowed<NamePattern>,
    /// URIs.
    pub uri: Allowed<NamePattern>,
    /// Must there be at least one subject alternative name?
    pub required: bool,
    /// Must a commonName that looks like a DNS name or IP address stand among the subject alternative names?
    pub common_name_in_names: bool,
    /// Subject attributes that may be asked for.
    pub subject: Allowed<AttributeType>,
}

/// A profile whose limits do not contradict each other. Made by [`Profile::new`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub(crate) name: ResourceName,
    pub(crate) description: String,
    pub(crate) usages: Vec<ExtendedKeyUsage>,
    pub(crate) key_algorithms: Vec<KeyAlgorithm>,
    pub(crate) max_validity: Option<Span>,
    pub(crate) key_holders: Vec<KeyHolder>,
    pub(crate) names: NameLimits,
}

/// A profile as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProfile {
    /// Id; `None` for built-in profiles, which have no row.
    pub id: Option<ProfileId>,
    /// The profile.
    pub profile: Profile,
    /// When it was made; `None` for built-in profiles.
    pub created_at: Option<Timestamp>,
    /// Grows with every change; the ETag. Zero for built-in profiles.
    pub revision: i64,
}

/// A profile as text, from a request or a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawProfile {
    /// Name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Names of extended key usages; at least one.
    pub usages: Vec<String>,
    /// Names of key algorithms; empty: every asymmetric one.
    pub key_algorithms: Vec<String>,
    /// ISO 8601.
    pub max_validity: Option<String>,
    /// Names of key holders; empty: both.
    pub key_holders: Vec<String>,
    /// Limits on names.
    pub names: RawNameLimits,
}

/// Limits on names as text. For each kind: `None` nothing, `["*"]` anything, else patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawNameLimits {
    /// DNS patterns: `a.example.com`, `*.example.com` (everything below).
    pub dns: Option<Vec<String>>,
    /// May names be wildcards?
    pub wildcards: bool,
    /// CIDR ranges.
    pub ip: Option<Vec<String>>,
    /// E-mail patterns: `a@example.com`, `*@example.com`, `*@*.example.com`.
    pub email: Option<Vec<String>>,
    /// URI patterns: exact, or with a trailing `*`.
    pub uri: Option<Vec<String>>,
    /// At least one name?
    pub required: bool,
    /// commonName among the names?
    pub common_name_in_names: bool,
    /// Subject attributes: `None` nothing, `["*"]` anything, else names of attribute types.
    pub subject: Option<Vec<String>>,
}

/// Names of the built-in profiles; they cannot be changed or deleted.
pub const BUILT_IN: [&str; 4] = ["tls-server-or-client", "tls-server", "tls-client", "code-sign"];

/// The profile that is used when a request names none.
pub const DEFAULT_PROFILE: &str = "tls-server-or-client";

impl Profile {
    /// Reads a profile; every fault is listed with the JSON pointer of the field.
    pub fn new(raw: RawProfile) -> Result<Self, Vec<(String, crate::violation::Invalid)>> {
        parse::profile(raw)
    }

    /// The same as text; `Profile::new(profile.to_raw())` gives it back.
    pub fn to_raw(&self) -> RawProfile {
        parse::to_raw(self)
    }

    /// A built-in profile by name.
    pub fn built_in(name: &str) -> Option<Self> {
        built_in::by_name(name)
    }

    /// Every built-in profile, in the order of [`BUILT_IN`].
    pub fn built_ins() -> Vec<Self> {
        BUILT_IN.iter().filter_map(|name| Self::built_in(name)).collect()
    }

    /// Name.
    pub fn name(&self) -> &ResourceName {
        &self.name
    }
    /// For people.
    pub fn description(&self) -> &str {
        &self.description
    }
    /// Extended key usages.
    pub fn usages(&self) -> &[ExtendedKeyUsage] {
        &self.usages
    }
    /// Key algorithms that it lets through.
    pub fn key_algorithms(&self) -> &[KeyAlgorithm] {
        &self.key_algorithms
    }
    /// Longest lifetime.
    pub fn max_validity(&self) -> Option<Span> {
        self.max_validity
    }
    /// Who may hold the key.
    pub fn key_holders(&self) -> &[KeyHolder] {
        &self.key_holders
    }
    /// Limits on names.
    pub fn names(&self) -> &NameLimits {
        &self.names
    }
}

#[cfg(test)]
mod tests;
