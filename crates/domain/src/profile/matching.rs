//! Which names a profile lets through.

use super::{Allowed, NameLimits, NamePattern};
use crate::dn::AttributeType;
use crate::san::{EmailAddress, San, Uri, at_or_below, below};
use ipnet::IpNet;
use std::net::IpAddr;

impl NameLimits {
    /// Does the profile let a name of this kind and content through? Whether it may be a wildcard is another question.
    pub fn allows(&self, name: &San) -> bool {
        match name {
            San::Dns(name) => self.allows_dns(name.base(), name.is_wildcard()),
            San::Ip(ip) => self.allows_ip(*ip),
            San::Email(address) => self.allows_email(address),
            San::Uri(uri) => self.allows_uri(uri),
        }
    }

    /// A DNS name; with `wildcard`, all names one label below `base`. A wildcard is within `*.example.com` when every
    /// name that it reaches is.
    pub fn allows_dns(&self, base: &str, wildcard: bool) -> bool {
        one_of(&self.dns, |pattern| match pattern {
            NamePattern::Exact(name) => !wildcard && base == name,
            NamePattern::Below(tree) if wildcard => at_or_below(base, tree),
            NamePattern::Below(tree) => below(base, tree),
            NamePattern::Host(_) | NamePattern::Prefix(_) => false,
        })
    }

    /// An IP address.
    pub fn allows_ip(&self, ip: IpAddr) -> bool {
        one_of(&self.ip, |net: &IpNet| net.contains(&ip))
    }

    /// An e-mail address; the part before the @ is compared letter by letter.
    pub fn allows_email(&self, address: &EmailAddress) -> bool {
        one_of(&self.email, |pattern| match pattern {
            NamePattern::Exact(exact) => exact == address.as_str(),
            NamePattern::Host(host) => host == address.host(),
            NamePattern::Below(tree) => below(address.host(), tree),
            NamePattern::Prefix(_) => false,
        })
    }

    /// A URI.
    pub fn allows_uri(&self, uri: &Uri) -> bool {
        one_of(&self.uri, |pattern| match pattern {
            NamePattern::Exact(exact) => exact == uri.as_str(),
            NamePattern::Prefix(prefix) => uri.as_str().starts_with(prefix.as_str()),
            NamePattern::Below(_) | NamePattern::Host(_) => false,
        })
    }

    /// An attribute type in the subject.
    pub fn allows_attribute(&self, kind: AttributeType) -> bool {
        one_of(&self.subject, |allowed| *allowed == kind)
    }
}

fn one_of<P>(allowed: &Allowed<P>, matches: impl Fn(&P) -> bool) -> bool {
    match allowed {
        Allowed::Nothing => false,
        Allowed::Anything => true,
        Allowed::Matching(patterns) => patterns.iter().any(matches),
    }
}

impl<P> Allowed<P> {
    /// In a few words, for refusals.
    pub(crate) fn in_words(&self, text: impl Fn(&P) -> String) -> String {
        match self {
            Self::Nothing => "none".to_owned(),
            Self::Anything => "any".to_owned(),
            Self::Matching(patterns) => crate::violation::listed(patterns.iter().map(text)),
        }
    }
}

impl NamePattern {
    /// As a DNS or URI pattern is written.
    pub fn to_text(&self) -> String {
        match self {
            Self::Exact(text) => text.clone(),
            Self::Below(tree) => format!("*.{tree}"),
            Self::Host(host) => format!("*@{host}"),
            Self::Prefix(prefix) => format!("{prefix}*"),
        }
    }

    /// As an e-mail pattern is written.
    pub fn to_email_text(&self) -> String {
        match self {
            Self::Below(tree) => format!("*@*.{tree}"),
            other => other.to_text(),
        }
    }
}
