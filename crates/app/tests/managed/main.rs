//! Managed certificates through the use cases, on real stores with real keys and a clock moved by hand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a helper that fails is a test that fails"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../issuing/kit.rs"]
mod kit;

mod authorities;
mod early;
mod ensure;
mod import;
mod lifecycle;
mod renewal;
mod simulation;
mod support;
mod versions;
