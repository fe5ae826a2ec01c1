//! CAs and certificates through the use cases, on a real store with real keys and a clock moved by hand.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper that fails is a test that fails")]

#[path = "../common/mod.rs"]
mod common;

mod certificates;
mod doors;
mod enrollment;
mod faults;
mod foreign;
mod kit;
mod ocsp;
mod requester;
mod setup;
mod transport;
