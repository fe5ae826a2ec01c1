//! ACME (RFC 8555): what directories, accounts, orders, authorizations and challenges are, and which steps they may take.

mod challenge;

pub use challenge::{Failure, FailureKind, Method};
