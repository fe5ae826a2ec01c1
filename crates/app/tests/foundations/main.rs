//! Vaults, keys, tokens, profiles, idempotency keys and background work through the use cases, on real databases with a
//! real key store and a clock moved by hand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a helper that fails is a test that fails"
)]

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod authorizing;
mod ca_bundles;
mod cas;
mod deliveries;
mod events;
mod granting;
mod idempotency;
mod identity;
mod issued;
mod jobs;
mod keys;
mod profiles;
mod seal;
mod secrets;
mod shipping;
mod tokens;
mod trust;
mod vaults;
mod webhooks;
