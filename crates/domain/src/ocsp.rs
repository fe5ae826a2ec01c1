//! Delegated OCSP responders as they are stored.

use crate::id::{CaId, IssuedId, KeyId};
use crate::time::{Span, Timestamp};
use crate::validity::Validity;

/// The name that stands in the inventory in place of a profile's.
pub const RESPONDER_PROFILE: &str = "ocsp-responder";

/// A certificate of a delegated responder with the place of its key. Rows are never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspResponder {
    /// The CA.
    pub ca_id: CaId,
    /// The version of the CA that signed it, and for whose certificates it answers.
    pub ca_version: u32,
    /// Number, from 1; the newest counts.
    pub number: u32,
    /// Row of the inventory.
    pub issued_id: IssuedId,
    /// Its key.
    pub key_id: KeyId,
    /// Version of the key.
    pub key_version: u32,
    /// DER.
    pub certificate: Vec<u8>,
    /// Validity.
    pub validity: Validity,
    /// When its successor is due.
    pub renew_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// When a responder's successor is due: in the middle of its life; at its end when it lasts as long as its CA's
/// certificate, for then there is nothing longer to be had.
pub fn responder_renew_at(validity: &Validity, issuer: &Validity) -> Timestamp {
    if validity.not_after() >= issuer.not_after() {
        return validity.not_after();
    }
    validity.not_before().plus(Span::from_ms(validity.length().ms() / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_responder_is_renewed_in_the_middle_of_its_life() {
        let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let days = |n: i64| Validity::new(start, start.plus(Span::from_days(n)).minus(Span::from_s(1))).unwrap();
        assert_eq!(responder_renew_at(&days(8), &days(100)), start.plus(Span::from_days(4)));
        assert_eq!(responder_renew_at(&days(8), &days(8)), days(8).not_after());
    }
}
