//! Bounds of one attempt.

use std::time::Duration;

/// Bounds of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attempts at a time; further ones wait, and their waiting counts.
    pub concurrent: usize,
    /// The whole attempt: every look-up, connection, redirect and byte of it.
    pub attempt: Duration,
    /// For one DNS server to answer one question.
    pub dns_try: Duration,
    /// For one address to accept the connection, and again for the TLS handshake.
    pub connect: Duration,
    /// From the request of one hop to the end of its answer's head, and again for the body.
    pub answer: Duration,
    /// Addresses of each family that are tried.
    pub addresses: usize,
    /// Redirects that are followed.
    pub redirects: usize,
    /// Bytes of an answer's head.
    pub head: usize,
    /// Header lines of an answer.
    pub headers: usize,
    /// Bytes of a body beyond the expected text: room for line ends.
    pub slack: usize,
    /// Bytes of the path and query of a redirect.
    pub target: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent: 128,
            attempt: Duration::from_secs(20),
            dns_try: Duration::from_secs(2),
            connect: Duration::from_secs(4),
            answer: Duration::from_secs(5),
            addresses: 2,
            redirects: 10,
            head: 16 << 10,
            headers: 64,
            slack: 128,
            target: 2_000,
        }
    }
}
