//! The health check of containers and supervisors: asks the running server, over its plain listener.

use crate::Error;
use crate::config::Settings;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Does the process answer?
    Live,
    /// Does it answer, with its database?
    Ready,
}

/// Asks the server with these settings. An error unless it answers 200.
pub async fn healthcheck(settings: &Settings, check: Check) -> Result<SocketAddr, Error> {
    let address = reachable(settings.http_listen.ok_or(Error::NoPlainListener)?);
    let path = match check {
        Check::Live => "/healthz",
        Check::Ready => "/readyz",
    };
    let unhealthy = |why: String| Error::Unhealthy { address, why };
    let head = timeout(PATIENCE, ask(address, path))
        .await
        .map_err(|_| unhealthy(format!("no answer within {} seconds", PATIENCE.as_secs())))?
        .map_err(|error| unhealthy(error.to_string()))?;
    match status(&head) {
        Some(200) => Ok(address),
        Some(status) => Err(unhealthy(format!("{path} answered {status}"))),
        None => Err(unhealthy(format!("{path} answered something that is not HTTP"))),
    }
}

async fn ask(address: SocketAddr, path: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: certwright\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    stream.take(64).read_to_end(&mut head).await?;
    Ok(head)
}

/// The status of an HTTP/1.1 answer that begins with these bytes.
fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

/// Where to reach a listener that may stand on every interface.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_has_a_status() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\ncontent-type: x"), Some(200));
        assert_eq!(status(b"HTTP/1.0 503 Service Unavailable\r\n"), Some(503));
        for other in [&b""[..], b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1\r\n", b"\xff\xfe", b"HTTP/1.1 OK 200\r\n"] {
            assert_eq!(status(other), None);
        }
    }

    #[test]
    fn every_interface_is_asked_on_loopback() {
        for (listen, asked) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:80", "[::1]:80"), ("10.0.0.5:8080", "10.0.0.5:8080")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
