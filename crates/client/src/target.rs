//! Where the server is.

use crate::Error;
use http::Uri;
use std::net::IpAddr;

/// A parsed base URL.
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// Without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// `host:port` as the `Host` header wants it.
    pub(crate) authority: String,
    /// Path of the base URL without a slash at its end.
    pub(crate) prefix: String,
}

impl Target {
    /// `https://host[:port][/path]`, or `http://` on this machine.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let refused = |why: &str| Error::Config(format!("`{}` is not a server's URL: {why}.", url.escape_debug()));
        let uri: Uri = url.trim().parse().map_err(|_| refused("it looks like `https://ca.example.com:8443`"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refused("it begins with `https://`")),
        };
        let authority = uri.authority().ok_or_else(|| refused("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refused("credentials do not belong into a URL; give a token"));
        }
        if uri.query().is_some() {
            return Err(refused("it has a query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(refused("it has no host"));
        }
        if !tls && !is_loopback(&host) {
            return Err(refused("plain HTTP is for this machine only (127.0.0.1, ::1, localhost); use `https://`"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { tls, host, port, authority: authority.as_str().to_owned(), prefix })
    }

    /// The URL without its path, and the path.
    pub(crate) fn split_path(&self) -> (String, &str) {
        let scheme = if self.tls { "https" } else { "http" };
        (format!("{scheme}://{}", self.authority), &self.prefix)
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        for (url, tls, host, port, authority, prefix) in [
            ("https://ca.example.com", true, "ca.example.com", 443, "ca.example.com", ""),
            ("https://ca.example.com:8443/", true, "ca.example.com", 8443, "ca.example.com:8443", ""),
            ("https://[2001:db8::1]:8443/pki/", true, "2001:db8::1", 8443, "[2001:db8::1]:8443", "/pki"),
            ("http://127.0.0.1:8080", false, "127.0.0.1", 8080, "127.0.0.1:8080", ""),
            ("http://[::1]", false, "::1", 80, "[::1]", ""),
            ("http://LocalHost:1/a/b", false, "LocalHost", 1, "LocalHost:1", "/a/b"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(
                (target.tls, target.host.as_str(), target.port, target.authority.as_str(), target.prefix.as_str()),
                (tls, host, port, authority, prefix),
                "{url}"
            );
        }
    }

    #[test]
    fn refuses_what_is_not_safe_or_not_a_url() {
        for url in [
            "",
            "ca.example.com",
            "ca.example.com:8443",
            "ftp://ca.example.com",
            "http://ca.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1:8080",
            "http://localhost.example.com",
            "https://",
            "https://user:password@ca.example.com",
            "https://ca.example.com/?a=b",
            "https://ca example.com",
        ] {
            assert!(matches!(Target::parse(url), Err(Error::Config(_))), "{url}");
        }
    }
}
