//! Test helpers: clock, seeded randomness, a throw-away PostgreSQL, a connection that can be cut, failing commits.
//!
//! Helpers fail loudly: what a test needs and cannot have is a panic that says what to install, never a skipped test.

pub mod ambient;
pub mod faults;
pub mod ocsp;
pub mod postgres;
pub mod proxy;
