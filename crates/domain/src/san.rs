//! Subject alternative names (RFC 5280 section 4.2.1.6): DNS names, IP addresses, e-mail addresses, URIs.

use crate::violation::Invalid;
use std::fmt;
use std::net::IpAddr;

/// Most names one certificate may carry.
pub const MAX_NAMES: usize = 100;

/// A DNS name in lower-case A-labels (RFC 5890), at least one label, at most 253 octets; a wildcard only as the
/// whole leftmost label (RFC 9525) with at least one label after it. Never an IP address in disguise, no trailing dot,
/// no underscore.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsName(String);

/// An e-mail address for an rfc822Name: ASCII local part, DNS name in A-labels as host (lower case).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

/// An absolute URI with a host or, as for SPIFFE ids, an authority (RFC 5280: scheme and scheme-specific part).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uri(String);

/// One subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum San {
    /// dNSName
    Dns(DnsName),
    /// iPAddress
    Ip(IpAddr),
    /// rfc822Name
    Email(EmailAddress),
    /// uniformResourceIdentifier
    Uri(Uri),
}

impl San {
    /// Reads a name as people write it; its form tells the kind: `a://b` URI, `1.2.3.4` or `::1` IP address, `x@y`
    /// e-mail, else DNS. A prefix `dns:`, `ip:`, `email:` or `uri:` (any case) says the kind outright.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let prefixed = |prefix: &str| {
            text.get(..prefix.len()).filter(|p| p.eq_ignore_ascii_case(prefix)).and_then(|_| text.get(prefix.len()..))
        };
        if let Some(rest) = prefixed("dns:") {
            return DnsName::parse(rest).map(Self::Dns);
        }
        if let Some(rest) = prefixed("ip:") {
            return rest.parse().map(Self::Ip).map_err(|_| {
                Invalid::new(
                    "invalid_ip_address",
                    format!("`{}` is not an IP address.", rest.escape_debug()),
                    "Write `10.0.0.5` or `2001:db8::1`.",
                )
            });
        }
        if let Some(rest) = prefixed("email:") {
            return EmailAddress::parse(rest).map(Self::Email);
        }
        if let Some(rest) = prefixed("uri:") {
            return Uri::parse(rest).map(Self::Uri);
        }
        if text.contains("://") {
            return Uri::parse(text).map(Self::Uri);
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        if text.contains('@') {
            return EmailAddress::parse(text).map(Self::Email);
        }
        DnsName::parse(text).map(Self::Dns)
    }

    /// `dns`, `ip`, `email` or `uri`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Ip(_) => "ip",
            Self::Email(_) => "email",
            Self::Uri(_) => "uri",
        }
    }
}

impl fmt::Display for San {
    /// The bare value, without the kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name.as_str()),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Email(email) => f.write_str(email.as_str()),
            Self::Uri(uri) => f.write_str(uri.as_str()),
        }
    }
}

impl DnsName {
    /// Reads a DNS name; Unicode labels become A-labels (UTS 46, strict), upper case becomes lower.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |hint: &str| {
            Invalid::new(
                "invalid_dns_name",
                format!("`{}` is not a DNS name.", text.chars().take(260).collect::<String>().escape_debug()),
                hint,
            )
        };
        const HINT: &str = "Use letters, digits and hyphens in labels of 1 to 63, joined by dots, 253 in all.";
        if text.is_empty() || text.len() > 1024 {
            return Err(wrong(HINT));
        }
        let (star, base) = match text.strip_prefix("*.") {
            Some(rest) => ("*.", rest),
            None => ("", text),
        };
        if base.contains('*') {
            return Err(wrong("A wildcard is the whole leftmost label and nothing else: `*.example.com`."));
        }
        if base.ends_with('.') {
            return Err(wrong("Leave the trailing dot away."));
        }
        let ascii = idna::domain_to_ascii_strict(base).map_err(|_| wrong(HINT))?;
        let label_fine = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if ascii.is_empty() || !ascii.split('.').all(label_fine) || ascii.len().saturating_add(star.len()) > 253 {
            return Err(wrong(HINT));
        }
        if ends_in_number(&ascii) {
            return Err(wrong("An IP address is asked for as such, not as a DNS name."));
        }
        Ok(Self(format!("{star}{ascii}")))
    }

    /// The name, with `*.` in front when it is a wildcard.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is the leftmost label `*`?
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The name without the leading `*.`.
    pub fn base(&self) -> &str {
        self.0.strip_prefix("*.").unwrap_or(&self.0)
    }
}

impl EmailAddress {
    /// Reads an address: dot-atom local part of 1 to 64 ASCII characters (without `*`, which patterns use), DNS name
    /// without wildcard as host, 254 octets in all (RFC 5321 section 4.5.3.1).
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(
                "invalid_email_address",
                format!("`{}` is not an e-mail address.", text.chars().take(260).collect::<String>().escape_debug()),
                "Write it as `name@example.com`, in ASCII before the @.",
            )
        };
        let (local, host) = text.rsplit_once('@').ok_or_else(wrong)?;
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'+-/=?^_`{|}~".contains(c);
        let fine =
            (1..=64).contains(&local.len()) && local.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
        let host = DnsName::parse(host).map_err(|_| wrong())?;
        let address = format!("{local}@{}", host.as_str());
        if !fine || host.is_wildcard() || address.len() > 254 {
            return Err(wrong());
        }
        Ok(Self(address))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the @, lower case.
    pub fn host(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, host)| host)
    }
}

impl Uri {
    /// Reads a URI: ASCII (RFC 3986 characters, whole percent escapes), `scheme://authority…`, at most 2048 octets,
    /// scheme and host in lower case (an upper-case host is lowered), no user information, no `.` or `..` path segments
    /// (they would step out of a prefix that a profile allows), host a DNS name, an IP address or (for `spiffe`) a trust
    /// domain.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |hint: &str| {
            Invalid::new(
                "invalid_uri",
                format!("`{}` is not a usable URI.", text.chars().take(260).collect::<String>().escape_debug()),
                hint,
            )
        };
        const HINT: &str = "Write an absolute URI such as `spiffe://corp/db` or `https://example.com/x`.";
        if text.len() > 2048 {
            return Err(wrong("Use at most 2048 characters."));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong(HINT))?;
        let scheme_fine = scheme.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (Some(authority), Some(tail)) = (rest.get(..end), rest.get(end..)) else { return Err(wrong(HINT)) };
        if authority.contains('@') {
            return Err(wrong("Leave user information out of the URI."));
        }
        let (host, port) = split_port(authority);
        let port_fine = port.is_none_or(|p| p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok());
        if !scheme_fine || !port_fine || !tail_is_fine(tail) {
            return Err(wrong(HINT));
        }
        let host = canonical_host(scheme, host).ok_or_else(|| wrong(HINT))?;
        let path = tail.split(['?', '#']).next().unwrap_or_default();
        if path.split('/').any(is_dot_segment) {
            return Err(wrong("Leave `.` and `..` out of the path."));
        }
        let colon = if port.is_some() { ":" } else { "" };
        Ok(Self(format!("{scheme}://{host}{colon}{}{tail}", port.unwrap_or_default())))
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host part of the authority in lower case, without port (IPv6 keeps its brackets).
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        split_port(rest.split(['/', '?', '#']).next().unwrap_or_default()).0
    }

    /// Is the host an IP address?
    pub fn has_ip_host(&self) -> bool {
        let host = self.host();
        host.starts_with('[') || host.parse::<IpAddr>().is_ok()
    }
}

/// Host and port of an authority without user information. The colons inside `[…]` belong to the address.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.starts_with('[') || host.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Only characters of paths, queries and fragments (RFC 3986 sections 3.3 to 3.5), whole escapes, one `#` at most.
fn tail_is_fine(tail: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&b);
    tail.bytes().all(allowed)
        && tail.bytes().filter(|b| *b == b'#').count() <= 1
        && tail.split('%').skip(1).all(|rest| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

/// `.` and `..`, also with escaped dots.
fn is_dot_segment(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// The host as it stands in the URI, in lower case: an IP address (IPv6 in brackets), a DNS name, or for `spiffe` a
/// trust domain (lower-case letters, digits, `.`, `-`, `_`).
fn canonical_host(scheme: &str, host: &str) -> Option<String> {
    if let Some(inside) = host.strip_prefix('[') {
        let address: std::net::Ipv6Addr = inside.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        return Some(address.to_string());
    }
    match DnsName::parse(host) {
        // Unicode is for people; a URI is ASCII.
        Ok(name) if host.is_ascii() && !name.is_wildcard() => return Some(name.0),
        _ => {}
    }
    (scheme == "spiffe" && is_trust_domain(host)).then(|| host.to_owned())
}

/// A SPIFFE trust domain that is not a DNS name because of its underscores or hyphens; no empty labels, and never
/// something that could be read as an IP address.
pub(crate) fn is_trust_domain(host: &str) -> bool {
    host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
        && host.split('.').all(|label| !label.is_empty())
        && !ends_in_number(host)
}

/// Does the last label look like a number to a parser of IPv4 addresses (decimal, octal, or hexadecimal with `0x`)?
/// Browsers take such a host for an address (WHATWG URL, "ends in a number").
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Does `name` equal `tree` or lie below it? Both in lower case; the empty tree holds every name.
pub(crate) fn at_or_below(name: &str, tree: &str) -> bool {
    tree.is_empty() || name.strip_suffix(tree).is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

/// Does `name` lie below `tree`, with at least one label more?
pub(crate) fn below(name: &str, tree: &str) -> bool {
    name.strip_suffix(tree).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
}

/// What a verifier that still looks at commonNames could take one for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostLike {
    /// A DNS name that could stand among the subject alternative names.
    Dns(DnsName),
    /// Text in the form of a DNS name that is none (underscores, trailing dot, a wildcard in an odd place), in lower case.
    Odd(String),
    /// An IP address.
    Ip(IpAddr),
}

impl HostLike {
    /// Reads a commonName: an IP address, or a name of at least two labels. `None` for everything that no verifier
    /// takes for a host, such as `Example Root CA` or `db-1`.
    pub fn of_common_name(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Self::Ip(ip));
        }
        let bare = text.strip_suffix('.').unwrap_or(text);
        if !bare.contains(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']) || bare.contains(char::is_whitespace) {
            return None;
        }
        if let Ok(name) = DnsName::parse(text) {
            return Some(Self::Dns(name));
        }
        let form = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'*');
        let shaped = bare.bytes().all(form) && bare.split('.').all(|label| !label.is_empty());
        shaped.then(|| Self::Odd(bare.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests;
