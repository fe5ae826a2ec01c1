//! URLs that we call: `http` or `https`, a host, a port, a path. Strict on purpose: two readers of a lax URL may see two
//! hosts in it.

use crate::violation::Invalid;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest URL.
const MAX: usize = 2048;

/// The host of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A DNS name, in lower case.
    Name(String),
    /// An address.
    Ip(IpAddr),
}

/// An absolute URL without user, password and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    https: bool,
    host: Host,
    port: Option<u16>,
    target: String,
}

impl HttpUrl {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |why: &str| {
            let shown: String = text.chars().take(200).collect();
            Invalid::new(
                "invalid_url",
                format!("`{}` is not a URL that can be called: {why}.", shown.escape_debug()),
                "Write `https://host[:port]/path`; `http://` works, too, but anyone on the way can read along.",
            )
        };
        if text.len() > MAX {
            return Err(wrong("it is longer than 2048 characters"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic())
            || text.contains(['\\', '#', '"', '<', '>', '^', '`', '{', '|', '}'])
        {
            return Err(wrong("it holds a character that does not belong into a URL"));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it does not begin with `https://`"))?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("it does not begin with `https://`")),
        };
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(split).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(wrong("user and password do not belong into it"));
        }
        let (host, port) = split_port(authority).ok_or_else(|| wrong("its port is not a number from 1 to 65535"))?;
        let host = parse_host(host).ok_or_else(|| wrong("its host is neither a DNS name nor an address"))?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { https, host, port, target })
    }

    /// `https`?
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Port; 443 or 80 where the URL names none.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.https { 443 } else { 80 })
    }

    /// Path and query, beginning with a slash: what stands in the request line.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Host, and the port where the URL names one: what stands in the `Host` header.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Host and port; the host of IPv6 keeps its brackets.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let colon = match authority.rfind(']') {
        Some(bracket) => authority.get(bracket..)?.find(':').and_then(|at| at.checked_add(bracket)),
        None => authority.find(':'),
    };
    let Some(colon) = colon else { return Some((authority, None)) };
    let (host, port) = (authority.get(..colon)?, authority.get(colon.checked_add(1)?..)?);
    if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let port: u16 = port.parse().ok()?;
    (port > 0).then_some((host, Some(port)))
}

fn parse_host(text: &str) -> Option<Host> {
    if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inside.parse::<Ipv6Addr>().ok().map(|address| Host::Ip(IpAddr::V6(address)));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::Ip(IpAddr::V4(address)));
    }
    let name = text.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A last label of digits (or `0x…`) would be read as an IPv4 address by some.
    let numeric = |last: &str| last.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let fine = name.len() <= 253 && name.split('.').all(label) && !name.rsplit('.').next().is_some_and(numeric);
    fine.then_some(Host::Name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, https, authority, port, target) in [
            ("https://hooks.example.com", true, "hooks.example.com", 443, "/"),
            ("HTTPS://Hooks.Example.com:8443/a/b?c=d", true, "hooks.example.com:8443", 8443, "/a/b?c=d"),
            ("http://10.0.0.1/", false, "10.0.0.1", 80, "/"),
            ("http://[2001:DB8::1]:81?x", false, "[2001:db8::1]:81", 81, "/?x"),
            ("https://[::1]/x", true, "[::1]", 443, "/x"),
            ("https://a_b.internal/%20", true, "a_b.internal", 443, "/%20"),
        ] {
            let url = HttpUrl::parse(text).unwrap();
            assert_eq!(
                (url.is_https(), url.authority().as_str(), url.port(), url.target()),
                (https, authority, port, target),
                "{text}"
            );
            assert_eq!(HttpUrl::parse(&url.to_string()), Ok(url), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "",
            "hooks.example.com",
            "//hooks.example.com",
            "ftp://hooks.example.com",
            "file:///etc/passwd",
            "https://",
            "https:///path",
            "https://user@hooks.example.com",
            "https://user:pw@hooks.example.com",
            "https://hooks.example.com#@127.0.0.1",
            "https://hooks.example.com\\@127.0.0.1",
            "https://hooks.example.com:0",
            "https://hooks.example.com:65536",
            "https://hooks.example.com:",
            "https://hooks.example.com:+1",
            "https://hooks.example.com:1:2",
            "https://-a.example.com",
            "https://a..example.com",
            "https://example.com.",
            "https://exa mple.com",
            "https://ex\nample.com",
            "https://exämple.com",
            "https://127.1",
            "https://2130706433",
            "https://0x7f000001",
            "https://0177.0.0.1",
            "https://[127.0.0.1]",
            "https://[::1",
            "https://::1",
            "https://[fe80::1%25eth0]",
        ] {
            assert_eq!(HttpUrl::parse(text).map_err(|invalid| invalid.code), Err("invalid_url"), "{text}");
        }
        assert!(HttpUrl::parse(&format!("https://a.example.com/{}", "a".repeat(2048))).is_err());
    }
}
