//! What JWT and ACME share of JOSE: strict JSON, public keys (RFC 7517, 7518, 8037), their thumbprints (RFC 7638) and the
//! signatures that they verify.

pub mod json;
mod jwk;

pub(crate) use jwk::is_secret;
pub use jwk::{Jwk, JwkFault};
