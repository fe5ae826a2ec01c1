//! X.509: CSRs, certificates, chains and CRLs. Built with rcgen, read with x509-parser; the only crate that uses either.
//!
//! The way of a certificate: [`prepare()`] turns an approved content into the exact bytes to be signed ([`Prepared`]),
//! a key signs them elsewhere, and [`Prepared::finish`] puts certificate and signature together, reads the result back,
//! compares it with what was approved and verifies it against the issuer's key. Only then there is a [`Certificate`].
//! A CRL goes the same way: [`CrlBuilder`], [`PreparedCrl`], [`Crl`].
//!
//! Invariant: everything that is read has been through the strict DER check of `tlv.rs` and the frames of `frame.rs`
//! first, so that what x509-parser reads is all there is.

#[cfg(test)]
extern crate self as certwright_pki;

mod ca_csr;
mod certificate;
mod chain;
mod check;
mod constraints;
mod contents;
mod crl;
mod csr;
mod frame;
mod heap;
mod instant;
mod key;
mod name;
pub mod ocsp;
mod pem;
mod pkcs7;
mod prepare;
mod san;
#[cfg(test)]
#[expect(dead_code, reason = "shared with the integration tests, which use the rest")]
#[path = "../tests/pki/support.rs"]
mod support;
pub mod tls_alpn;
mod tlv;

pub use ca_csr::{PreparedCsr, prepare_ca_csr};
pub use certificate::{
    Certificate, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, check_ca_certificate, check_issued_by, read_certificate,
    read_certificates, read_certificates_each,
};
pub use chain::order_chain;
pub use crl::{
    Crl, CrlBuilder, CrlHeader, CrlKind, CrlScope, ForeignCrl, MAX_CRL_BYTES, MAX_CRL_ENTRIES, MAX_CRL_UPLOAD_BYTES,
    PreparedCrl, read_crl,
};
pub use csr::{Csr, MAX_CSR_BYTES, parse_csr};
pub use heap::{Heap, read_heap};
pub use key::{read_public_key, verify_signature};
pub use pem::{read_private_key_pem, to_pem};
pub use pkcs7::to_pkcs7;
pub use prepare::{Issuer, Prepared, Urls, prepare};

use certwright_domain::serial::Sha256;
use certwright_domain::violation::Invalid;

/// What went wrong with X.509 data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's CSR, certificate or PEM is not what it should be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// What we built ourselves is not what was approved. Nothing is released; always our fault.
    #[error("self-check failed: {0}")]
    SelfCheck(String),
    /// The encoder failed.
    #[error("encoding: {0}")]
    Encoding(String),
}

impl From<der::Error> for Error {
    fn from(error: der::Error) -> Self {
        Self::Encoding(error.to_string())
    }
}

impl From<rcgen::Error> for Error {
    fn from(error: rcgen::Error) -> Self {
        Self::Encoding(error.to_string())
    }
}

fn sha256(bytes: &[u8]) -> Sha256 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    Sha256(out)
}
