//! Reading subtrees from text, and writing them back.

use super::{RawSubtrees, Subtrees};
use crate::san::{DnsName, EmailAddress, is_trust_domain};
use crate::violation::Invalid;
use ipnet::IpNet;
use std::net::IpAddr;

/// What becomes of the leading dot of a DNS subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dots {
    /// Asked of us: `.example.com` becomes `example.com`.
    TakenOff,
    /// Read from what is there: it stays.
    Kept,
}

pub(super) fn wrong(detail: String, hint: &str) -> Invalid {
    Invalid::new("invalid_name_constraints", detail, hint)
}

/// How many subtrees of all kinds.
pub(super) fn count(subtrees: &Subtrees) -> usize {
    [subtrees.dns.len(), subtrees.ip.len(), subtrees.email.len(), subtrees.uri.len(), subtrees.directory.len()]
        .iter()
        .fold(0, |sum, count| sum.saturating_add(*count))
}

pub(super) fn subtrees(raw: RawSubtrees, side: &str, dots: Dots) -> Result<Subtrees, Invalid> {
    // Nobody waits for the parser of a million entries; the exact limit is checked on the distinct ones.
    for (kind, length) in
        [("dns", raw.dns.len()), ("ip", raw.ip.len()), ("email", raw.email.len()), ("uri", raw.uri.len())]
    {
        if length > super::MAX_SUBTREES {
            return Err(wrong(
                format!("`{side}.{kind}` has {length} subtrees, {} are allowed.", super::MAX_SUBTREES),
                "Use fewer and wider subtrees.",
            ));
        }
    }
    Ok(Subtrees {
        dns: each(&raw.dns, side, "dns", |text| dns(text, dots))?,
        ip: each(&raw.ip, side, "ip", ip)?,
        email: each(&raw.email, side, "email", email)?,
        uri: each(&raw.uri, side, "uri", uri)?,
        directory: distinct(raw.directory),
    })
}

pub(super) fn to_raw(subtrees: &Subtrees) -> RawSubtrees {
    RawSubtrees {
        dns: subtrees.dns.clone(),
        ip: subtrees.ip.iter().map(ToString::to_string).collect(),
        email: subtrees.email.clone(),
        uri: subtrees.uri.clone(),
        directory: subtrees.directory.clone(),
    }
}

/// Reads every text with `read`, which says what it wanted when it cannot.
fn each<T: PartialEq>(
    texts: &[String],
    side: &str,
    kind: &str,
    read: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Invalid> {
    let values: Result<Vec<T>, Invalid> = texts
        .iter()
        .map(|text| {
            read(text).map_err(|hint| {
                let shown: String = text.chars().take(260).collect();
                wrong(format!("`{}` is not a subtree for `{side}.{kind}`.", shown.escape_debug()), hint)
            })
        })
        .collect();
    values.map(distinct)
}

fn distinct<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    let mut kept = Vec::with_capacity(values.len());
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

/// A host without wildcard.
fn host(text: &str) -> Option<String> {
    DnsName::parse(text).ok().filter(|name| !name.is_wildcard()).map(|name| name.as_str().to_owned())
}

fn dns(text: &str, dots: Dots) -> Result<String, &'static str> {
    let (name, dot) = text.strip_prefix('.').map_or((text, ""), |name| (name, "."));
    if name.is_empty() {
        // RFC 5280: a name satisfies the constraint when labels may be added on the left; to nothing, any may.
        return Ok(String::new());
    }
    let dot = if dots == Dots::Kept { dot } else { "" };
    host(name)
        .map(|name| format!("{dot}{name}"))
        .ok_or("Write a DNS name such as `example.com`; it stands for itself and everything below it.")
}

fn ip(text: &str) -> Result<IpNet, &'static str> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map(|net| net.trunc()).map_err(|_| "Write a range such as `10.0.0.0/8` or `2001:db8::/32`.")
}

fn email(text: &str) -> Result<String, &'static str> {
    const HINT: &str = "Write a host (`example.com`), the hosts below a domain (`.example.com`) or one address.";
    if text.contains('@') {
        return EmailAddress::parse(text).map(|address| address.as_str().to_owned()).map_err(|_| HINT);
    }
    dotted_host(text, host).ok_or(HINT)
}

fn uri(text: &str) -> Result<String, &'static str> {
    // The trust domain of a SPIFFE id is a host too, and may have underscores.
    let host_or_domain = |text: &str| host(text).or_else(|| is_trust_domain(text).then(|| text.to_owned()));
    dotted_host(text, host_or_domain)
        .ok_or("Write a host (`example.com`) or the hosts below a domain (`.example.com`).")
}

fn dotted_host(text: &str, host: impl Fn(&str) -> Option<String>) -> Option<String> {
    match text.strip_prefix('.') {
        Some(domain) => host(domain).map(|domain| format!(".{domain}")),
        None => host(text),
    }
}
