//! Revocation and its lists through the use cases, on real stores with real keys and a clock moved by hand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that fails is a test that fails"
)]

#[path = "../common/mod.rs"]
mod common;
#[expect(dead_code, unused_imports, reason = "shared with the tests of issuing, which use the rest")]
#[path = "../issuing/kit.rs"]
mod kit;

mod cas;
mod lists;
mod publication;
mod publication_settings;
mod restore;
mod revoke;
mod schedule;
mod support;
mod upload;
