//! Tests of the crate's contract with real keys, and with OpenSSL, GnuTLS and rustls-webpki as outside judges.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "sums of small numbers in tests")]

mod crl;
mod crl_verifiers;
mod csr;
mod foreign;
mod garbage;
mod issue;
mod ocsp;
mod openssl;
mod support;
mod verifiers;
