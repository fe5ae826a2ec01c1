//! Comparing names with subtrees (RFC 5280 section 4.2.1.10).

use super::NameConstraints;
use crate::dn::{AttributeType, DistinguishedName};
use crate::san::{EmailAddress, HostLike, San, Uri, at_or_below, below};
use ipnet::IpNet;
use std::fmt::Display;
use std::net::IpAddr;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One sentence.
    pub detail: String,
    /// The subtrees that refused.
    pub limit: String,
    /// The smallest change that would pass.
    pub hint: String,
}

/// Why a subject was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRefusal {
    /// The attribute that was refused; `None`: the name as a whole.
    pub attribute: Option<AttributeType>,
    /// Its value.
    pub value: String,
    /// Why.
    pub refusal: Refusal,
}

impl NameConstraints {
    /// As [`NameConstraints::refuse`], with the parts of the answer apart.
    pub fn judge(&self, name: &San) -> Option<Refusal> {
        match name {
            San::Dns(name) => self.judge_dns(name.base(), name.is_wildcard(), name.as_str()),
            San::Ip(ip) => self.judge_ip(*ip),
            San::Email(address) => self.judge_email(address),
            San::Uri(uri) => self.judge_uri(uri),
        }
    }

    /// Everything that the constraints refuse in a subject: the directory name, each emailAddress and, with
    /// `common_names`, each commonName that could be taken for a host. An empty subject has nothing to refuse.
    pub fn judge_subject(&self, subject: &DistinguishedName, common_names: bool) -> Vec<SubjectRefusal> {
        let mut found = Vec::new();
        if let Some(refusal) = self.judge_directory(subject).filter(|_| !subject.is_empty()) {
            found.push(SubjectRefusal { attribute: None, value: subject.to_string(), refusal });
        }
        for attribute in subject.attributes() {
            let refusal = match attribute.kind() {
                AttributeType::EmailAddress => self.judge_email_attribute(attribute.value()),
                AttributeType::CommonName if common_names => self.judge_common_name(attribute.value()),
                _ => None,
            };
            if let Some(refusal) = refusal {
                let value = attribute.value().to_owned();
                found.push(SubjectRefusal { attribute: Some(attribute.kind()), value, refusal });
            }
        }
        found
    }

    /// Permitted subtrees of `self` that reach outside what `parent` permits, as `kind:subtree`. A CA below may narrow
    /// what its issuer permits, never widen it.
    pub fn wider_than(&self, parent: &Self) -> Vec<String> {
        let (own, allowed) = (&self.permitted, &parent.permitted);
        let mut wider = Vec::new();
        outside(&mut wider, "dns", &own.dns, &allowed.dns, |a, b| dns_subtree_within(a, b));
        outside(&mut wider, "ip", &own.ip, &allowed.ip, |a, b| b.contains(a));
        outside(&mut wider, "email", &own.email, &allowed.email, |a, b| email_subtree_within(a, b));
        outside(&mut wider, "uri", &own.uri, &allowed.uri, |a, b| host_subtree_within(a, b));
        outside(&mut wider, "directory", &own.directory, &allowed.directory, |a, b| a.begins_with(b));
        wider
    }

    /// `base` with `wildcard`: every name with one label more.
    fn judge_dns(&self, base: &str, wildcard: bool, shown: &str) -> Option<Refusal> {
        let excludes = |tree: &String| {
            let tree = undotted(tree);
            // The wildcard reaches into a tree that begins one label below its base.
            at_or_below(base, tree) || (wildcard && below(tree, base) && is_one_label(tree, base))
        };
        if let Some(tree) = self.excluded.dns.iter().find(|tree| excludes(tree)) {
            return Some(inside("DNS name", shown, tree));
        }
        outside_all("DNS name", shown, &self.permitted.dns, |tree| match tree.strip_prefix('.') {
            // All that the wildcard reaches lies below its base.
            Some(domain) if !wildcard => below(base, domain),
            _ => at_or_below(base, undotted(tree)),
        })
    }

    fn judge_ip(&self, ip: IpAddr) -> Option<Refusal> {
        // `::ffff:10.0.0.1` reaches the same host as 10.0.0.1, so it is excluded with it; it is not permitted by it.
        if let Some(net) = self.excluded.ip.iter().find(|net| net.contains(&ip) || net.contains(&ip.to_canonical())) {
            return Some(inside("IP address", ip, net));
        }
        outside_all("IP address", ip, &self.permitted.ip, |net: &IpNet| net.contains(&ip))
    }

    fn judge_email(&self, address: &EmailAddress) -> Option<Refusal> {
        let (shown, host) = (address.as_str(), address.host());
        // Most mail systems ignore the case of the local part, so an exclusion does too; a permission goes by the letter.
        let excluded = self.excluded.email.iter().find(|tree| match tree.contains('@') {
            true => tree.eq_ignore_ascii_case(shown),
            false => host_reached(host, tree),
        });
        if let Some(tree) = excluded {
            return Some(inside("e-mail address", shown, tree));
        }
        outside_all("e-mail address", shown, &self.permitted.email, |tree| match tree.contains('@') {
            true => tree == shown,
            false => host_matches(host, tree),
        })
    }

    fn judge_uri(&self, uri: &Uri) -> Option<Refusal> {
        let (permitted, excluded) = (&self.permitted.uri, &self.excluded.uri);
        if permitted.is_empty() && excluded.is_empty() {
            return None;
        }
        if uri.has_ip_host() {
            // RFC 5280: a URI whose host is not a fully qualified domain name must be rejected where URIs are constrained.
            return Some(Refusal {
                detail: format!(
                    "The URI `{}` has an IP address as host, and URIs are constrained by host name.",
                    uri.as_str()
                ),
                limit: listed(if permitted.is_empty() { excluded } else { permitted }),
                hint: "Use a host name in the URI.".into(),
            });
        }
        if let Some(tree) = excluded.iter().find(|tree| host_reached(uri.host(), tree)) {
            return Some(inside("URI", uri.as_str(), tree));
        }
        outside_all("URI", uri.as_str(), permitted, |tree| host_matches(uri.host(), tree))
    }

    fn judge_directory(&self, subject: &DistinguishedName) -> Option<Refusal> {
        if let Some(tree) = self.excluded.directory.iter().find(|tree| subject.begins_like(tree)) {
            return Some(inside("subject", subject, tree));
        }
        outside_all("subject", subject, &self.permitted.directory, |tree| subject.begins_with(tree))
    }

    fn judge_email_attribute(&self, value: &str) -> Option<Refusal> {
        let (permitted, excluded) = (&self.permitted.email, &self.excluded.email);
        match EmailAddress::parse(value) {
            Ok(address) => self.judge_email(&address),
            Err(_) if permitted.is_empty() && excluded.is_empty() => None,
            Err(_) => Some(Refusal {
                detail: format!("The emailAddress `{value}` cannot be compared with the e-mail constraints."),
                limit: listed(if permitted.is_empty() { excluded } else { permitted }),
                hint: "Leave the emailAddress out of the subject, or write it as `name@example.com`.".into(),
            }),
        }
    }

    fn judge_common_name(&self, value: &str) -> Option<Refusal> {
        match HostLike::of_common_name(value)? {
            HostLike::Ip(ip) => self.judge_ip(ip),
            HostLike::Dns(name) => self.judge_dns(name.base(), name.is_wildcard(), value),
            HostLike::Odd(text) if !text.contains('*') => self.judge_dns(&text, false, value),
            // A wildcard in an odd place: verifiers do not agree on what it reaches.
            HostLike::Odd(_) => {
                let (permitted, excluded) = (&self.permitted.dns, &self.excluded.dns);
                (!permitted.is_empty() || !excluded.is_empty()).then(|| Refusal {
                    detail: format!("The commonName `{value}` cannot be compared with the DNS constraints."),
                    limit: listed(if permitted.is_empty() { excluded } else { permitted }),
                    hint: "Write a DNS name without `*`, or leave the commonName out.".into(),
                })
            }
        }
    }
}

/// Is `name`, known to lie below `base`, exactly one label below it?
fn is_one_label(name: &str, base: &str) -> bool {
    let head = name.strip_suffix(base).unwrap_or(name);
    !head.strip_suffix('.').unwrap_or(head).contains('.')
}

/// A subtree without its leading dot.
fn undotted(tree: &str) -> &str {
    tree.strip_prefix('.').unwrap_or(tree)
}

/// A host against a permitted `example.com` (that host) or `.example.com` (every host below), as RFC 5280 has it.
fn host_matches(host: &str, tree: &str) -> bool {
    match tree.strip_prefix('.') {
        Some(domain) => below(host, domain),
        None => host == tree,
    }
}

/// A host against an excluded `example.com` or `.example.com`. RFC 5280 takes the first for that host alone; Go's
/// verifier, and others, take it for everything below as well. Of the second all say that it lies below.
fn host_reached(host: &str, tree: &str) -> bool {
    match tree.strip_prefix('.') {
        Some(domain) => below(host, domain),
        None => at_or_below(host, tree),
    }
}

/// Does the DNS subtree `own` hold only names of `other`?
fn dns_subtree_within(own: &str, other: &str) -> bool {
    match other.strip_prefix('.') {
        Some(domain) if !own.starts_with('.') => below(own, domain),
        _ => at_or_below(undotted(own), undotted(other)),
    }
}

/// Does the host subtree `own` hold only hosts of `other`?
fn host_subtree_within(own: &str, other: &str) -> bool {
    match (own.strip_prefix('.'), other.strip_prefix('.')) {
        (Some(own), Some(other)) => at_or_below(own, other),
        (Some(_), None) => false,
        (None, _) => host_matches(own, other),
    }
}

/// Does the e-mail subtree `own` hold only addresses of `other`?
fn email_subtree_within(own: &str, other: &str) -> bool {
    match (own.rsplit_once('@'), other.contains('@')) {
        (_, true) => own == other,
        (Some((_, host)), false) => host_matches(host, other),
        (None, false) => host_subtree_within(own, other),
    }
}

fn outside<T: Display>(into: &mut Vec<String>, kind: &str, own: &[T], allowed: &[T], within: impl Fn(&T, &T) -> bool) {
    if !allowed.is_empty() {
        let wider = own.iter().filter(|tree| !allowed.iter().any(|other| within(tree, other)));
        into.extend(wider.map(|tree| format!("{kind}:{tree}")));
    }
}

fn inside(what: &str, name: impl Display, tree: impl Display) -> Refusal {
    Refusal {
        detail: format!("The {what} `{name}` lies in or reaches into the excluded `{tree}`."),
        limit: format!("not in {tree}"),
        hint: format!("Leave `{name}` out, or ask a CA that does not exclude it."),
    }
}

/// A refusal when there are permitted subtrees and none of them holds the name.
fn outside_all<T: Display>(
    what: &str,
    name: impl Display,
    permitted: &[T],
    holds: impl Fn(&T) -> bool,
) -> Option<Refusal> {
    if permitted.is_empty() || permitted.iter().any(holds) {
        return None;
    }
    let limit = listed(permitted);
    Some(Refusal {
        detail: format!("The {what} `{name}` lies in or reaches outside of what is permitted: {limit}."),
        hint: format!("Use names within {limit}, or ask another CA."),
        limit,
    })
}

/// The first few, for people.
fn listed<T: Display>(trees: &[T]) -> String {
    crate::violation::listed(trees.iter())
}
