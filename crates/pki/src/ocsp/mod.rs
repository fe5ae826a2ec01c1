//! OCSP: requests read, responses built (RFC 6960, with RFC 5019's profile and RFC 9654's nonce).
//!
//! A request is read strictly and within bounds; what it asks about is compared with the identifiers of an issuer
//! ([`OcspIssuer`]). A response is built from the requested CertIDs byte for byte, signed elsewhere, put together, read back
//! and compared ([`PreparedResponse::finish`]); only then there are bytes to send.
//!
//! What is decided here:
//!
//! * a requester's signature and name are read past: whoever asks gets the answer (RFC 6960 section 4.1.2 leaves it to the
//!   responder);
//! * a critical extension other than the nonce makes a request malformed; others are ignored;
//! * identifiers made with another hash than SHA-1 or SHA-256 name no issuer that we know.

mod read;
mod request;
mod response;

pub use read::{OcspResponse, SingleResponse, read_ocsp_response};
pub use request::{
    CertId, IdHash, MAX_OCSP_REQUEST_BYTES, MAX_SINGLE_REQUESTS, MalformedRequest, OcspIssuer, OcspRequest,
    may_have_ocsp_nonce, read_ocsp_request,
};
pub use response::{CertStatus, OcspContent, OcspError, OcspResponder, PreparedResponse, SignatureCheck, SingleStatus};

/// Contents of OIDs.
mod oid {
    /// id-pkix-ocsp-basic, 1.3.6.1.5.5.7.48.1.1.
    pub(super) const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
    /// id-pkix-ocsp-nonce, 1.3.6.1.5.5.7.48.1.2.
    pub(super) const NONCE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 2];
    /// id-sha1, 1.3.14.3.2.26.
    pub(super) const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];
    /// id-sha256, 2.16.840.1.101.3.4.2.1.
    pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 1];
}

/// Identifier octets of context-specific tags.
mod tag {
    /// Constructed, or EXPLICIT: `[0]` to `[2]`.
    pub(super) const C0: u8 = 0xa0;
    pub(super) const C1: u8 = 0xa1;
    pub(super) const C2: u8 = 0xa2;
    /// IMPLICIT NULL: `[0]` (good) and `[2]` (unknown).
    pub(super) const GOOD: u8 = 0x80;
    pub(super) const UNKNOWN: u8 = 0x82;
    /// ENUMERATED.
    pub(super) const ENUMERATED: u8 = 0x0a;
}
