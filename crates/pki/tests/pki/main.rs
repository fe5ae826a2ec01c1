//! Tests of the crate's contract with real keys, and with OpenSSL, GnuTLS and rustls-webpki as outside judges.

mod csr;
mod foreign;
mod garbage;
mod issue;
mod openssl;
mod support;
mod verifiers;
