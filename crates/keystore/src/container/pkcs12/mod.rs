//! PKCS#12 (RFC 7292).

mod read;
mod write;

pub use read::{Contents, read_pkcs12};
pub use write::{Strength, write_pkcs12, write_pkcs12_trust_store};
