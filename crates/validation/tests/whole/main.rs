//! The validators against real sockets on loopback: DNS, HTTP and TLS servers that are as hostile as they like.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test needs and does not find is its failure"
)]

mod dns;
mod dns01;
mod egress;
mod http01;
mod kit;
mod redirects;
mod tls_alpn;
