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
        let last = ascii.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|b| b.is_ascii_digit()) || ascii.parse::<IpAddr>().is_ok() {
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
    /// Reads an address: dot-atom local part of 1 to 64 ASCII characters, DNS name without wildcard as host.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(
                "invalid_email_address",
                format!("`{}` is not an e-mail address.", text.chars().take(260).collect::<String>().escape_debug()),
                "Write it as `name@example.com`, in ASCII before the @.",
            )
        };
        let (local, host) = text.rsplit_once('@').ok_or_else(wrong)?;
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        let fine =
            (1..=64).contains(&local.len()) && local.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
        let host = DnsName::parse(host).map_err(|_| wrong())?;
        if !fine || host.is_wildcard() {
            return Err(wrong());
        }
        Ok(Self(format!("{local}@{}", host.as_str())))
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
    /// scheme in lower case, no user information, host a DNS name, an IP address or (for `spiffe`) a trust domain.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |hint: &str| {
            Invalid::new(
                "invalid_uri",
                format!("`{}` is not a usable URI.", text.chars().take(260).collect::<String>().escape_debug()),
                hint,
            )
        };
        const HINT: &str = "Write an absolute URI such as `spiffe://corp/db` or `https://example.com/x`.";
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
        if text.len() > 2048 || !text.chars().all(allowed) {
            return Err(wrong(HINT));
        }
        let whole_escapes =
            text.split('%').skip(1).all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit()));
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong(HINT))?;
        let scheme_fine = scheme.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
        let uri = Self(text.to_owned());
        if !whole_escapes || !scheme_fine || rest.is_empty() {
            return Err(wrong(HINT));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(wrong("Leave user information out of the URI."));
        }
        let host = uri.host();
        let trust_domain = |h: &str| {
            scheme == "spiffe"
                && !h.is_empty()
                && h.len() <= 255
                && h.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if !(bare.parse::<IpAddr>().is_ok()
            || DnsName::parse(host).is_ok_and(|d| !d.is_wildcard())
            || trust_domain(host))
        {
            return Err(wrong(HINT));
        }
        Ok(uri)
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host part of the authority, without port (IPv6 keeps its brackets).
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        match authority.rsplit_once(':') {
            Some((host, port))
                if port.bytes().all(|b| b.is_ascii_digit()) && !(host.starts_with('[') && !host.ends_with(']')) =>
            {
                host
            }
            _ => authority,
        }
    }
}
