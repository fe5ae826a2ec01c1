//! Single values: sizes, spans, URLs, addresses; and how secrets in them are masked.

use certwright_domain::san::{DnsName, San};
use certwright_domain::time::Span;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What is wrong with a value, and what to write instead.
pub(crate) type Wrong = (String, String);

/// A base URL without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    host: String,
    port: u16,
    https: bool,
}

impl BaseUrl {
    /// Reads `http://…` or `https://…` with a host, perhaps a port and a path, and nothing else.
    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str| {
            (format!("`{}` {why}.", text.escape_debug()), "Write for example `https://ca.example.com:8443`.".to_owned())
        };
        let uri: http::Uri = text.parse().map_err(|_| wrong("is not a URL"))?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if !matches!(San::parse(host), Ok(San::Dns(_) | San::Ip(_))) || host.contains('*') {
            return Err(wrong("has no usable host"));
        }
        if authority.as_str().contains('@') {
            return Err(wrong("holds user information"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(wrong("has a query or a fragment"));
        }
        let port = match (authority.port_u16(), authority.port().is_some() || authority.as_str().ends_with(':')) {
            (Some(0), _) | (None, true) => return Err(wrong("has no usable port")),
            (Some(port), _) => port,
            (None, false) => default_port(https),
        };
        Ok(Self { text: text.trim_end_matches('/').to_owned(), host: host.to_ascii_lowercase(), port, https })
    }

    /// A URL of a host and a port, which is left out when it goes without saying.
    pub(crate) fn build(https: bool, host: &str, port: u16) -> Self {
        let scheme = if https { "https" } else { "http" };
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let text = if port == default_port(https) {
            format!("{scheme}://{bracketed}")
        } else {
            format!("{scheme}://{bracketed}:{port}")
        };
        Self { text, host: host.to_owned(), port, https }
    }

    /// The URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its host: a DNS name or an IP address, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Is it `https`?
    pub(crate) fn is_https(&self) -> bool {
        self.https
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// Reads an IP address with a port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let hint = || "Write an IP address and a port: `127.0.0.1:8443`, `0.0.0.0:8443`, `[::]:8443`.".to_owned();
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        Ok(_) => Err((format!("`{}` names no port.", text.escape_debug()), hint())),
        Err(_) => Err((format!("`{}` is not an address.", text.escape_debug()), hint())),
    }
}

/// Reads a span that is not empty and at most `longest`.
pub(crate) fn span(text: &str, longest: Span) -> Result<Span, Wrong> {
    let span = Span::parse(text).map_err(|invalid| (invalid.detail, invalid.hint))?;
    if span == Span::ZERO {
        return Err(("The duration is empty.".to_owned(), "Write for example `30s`.".to_owned()));
    }
    if span > longest {
        return Err((
            format!("{} is too long.", span.in_words()),
            format!("At most {} are allowed.", longest.in_words()),
        ));
    }
    Ok(span)
}

/// Reads a span like [`span`], as the runtime wants it.
pub(crate) fn duration(text: &str, longest: Span) -> Result<Duration, Wrong> {
    span(text, longest).map(|span| Duration::from_millis(span.ms().unsigned_abs()))
}

/// Reads a size in bytes between the bounds: `1048576`, `32 KiB`, `1 MiB`, `2 GiB`; KB, MB and GB are powers of ten.
pub(crate) fn size(text: &str, least: u64, most: u64) -> Result<usize, Wrong> {
    let wrong = || {
        (
            format!("`{}` is not a size.", text.escape_debug()),
            "Write bytes, or a number with KiB, MiB or GiB: `32 KiB`.".to_owned(),
        )
    };
    let trimmed = text.trim();
    let digits: String = trimmed.chars().take_while(char::is_ascii_digit).collect();
    let unit = trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).trim();
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(wrong)?;
    if !(least..=most).contains(&bytes) {
        return Err((
            format!("`{}` is out of bounds.", text.escape_debug()),
            format!("Between {least} and {most} bytes are allowed."),
        ));
    }
    usize::try_from(bytes).map_err(|_| wrong())
}

/// Reads a whole number between the bounds.
pub(crate) fn count(number: u64, least: u64, most: u64) -> Result<usize, Wrong> {
    if !(least..=most).contains(&number) {
        return Err((format!("{number} is out of bounds."), format!("Between {least} and {most} are allowed.")));
    }
    usize::try_from(number).map_err(|_| (format!("{number} is out of bounds."), String::new()))
}

/// Reads a DNS name or an IP address for a server certificate.
pub(crate) fn server_name(text: &str) -> Result<String, Wrong> {
    match San::parse(text) {
        Ok(San::Dns(name)) => Ok(name.as_str().to_owned()),
        Ok(San::Ip(ip)) => Ok(ip.to_string()),
        Ok(_) => Err((
            format!("`{}` is neither a DNS name nor an IP address.", text.escape_debug()),
            "Write for example `ca.example.com` or `10.0.0.5`.".to_owned(),
        )),
        Err(invalid) => Err((invalid.detail, invalid.hint)),
    }
}

/// This machine's name, if it can stand in a certificate.
pub(crate) fn machine_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    DnsName::parse(&name).ok().map(|name| name.as_str().to_owned())
}

/// Is this the address that means every interface, or a loopback one?
pub(crate) fn means_this_machine(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_loopback()
}

/// A database URL without its password, whatever shape it has.
pub(crate) fn mask_url(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    // From the last @ on, so that a password with an @ in it is not shown in part.
    let (user_info, place) = rest.rsplit_once('@').map_or((None, rest), |(info, place)| (Some(info), place));
    let user = user_info.map(|info| match info.split_once(':') {
        Some((user, _)) => format!("{user}:***@"),
        None => format!("{info}@"),
    });
    let (path, query) = place.split_once('?').map_or((place, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| {
        let parts: Vec<String> = query
            .split('&')
            .map(|part| match part.split_once('=') {
                Some((name, _)) if name.to_ascii_lowercase().contains("pass") => format!("{name}=***"),
                _ => part.to_owned(),
            })
            .collect();
        format!("?{}", parts.join("&"))
    });
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{}{path}{}", user.unwrap_or_default(), query.unwrap_or_default())
}

/// The same for a value that is written as TOML text.
pub(crate) fn mask_toml(value: &str) -> String {
    let inner = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
    format!("\"{}\"", mask_url(inner).replace(['"', '\\'], ""))
}
