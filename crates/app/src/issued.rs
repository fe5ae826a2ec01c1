//! The inventory.
use crate::{App, Call, Error};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::revocation::RevocationReason;
use certwright_store::{IssuedFilter, Page, PageRequest};

impl App {
    /// Searches the inventory.
    pub async fn issued_certificates(
        &self,
        call: &Call,
        filter: &IssuedFilter,
        page: &PageRequest,
    ) -> Result<Page<IssuedCertificate>, Error> {
        let _ = (call, filter, page);
        todo!()
    }
    /// One certificate by serial (any spelling), SHA-256 fingerprint or id. A serial that several CAs used is a
    /// conflict that lists the fingerprints.
    pub async fn issued_certificate(&self, call: &Call, reference: &str) -> Result<IssuedCertificate, Error> {
        let _ = (call, reference);
        todo!()
    }
    /// Marks a certificate as revoked. Twice with the same reason answers the same; a later `keyCompromise` upgrades
    /// (in the publication issue), any other second reason is a conflict.
    pub async fn revoke_issued_certificate(
        &self,
        call: &Call,
        reference: &str,
        reason: RevocationReason,
    ) -> Result<IssuedCertificate, Error> {
        let _ = (call, reference, reason);
        todo!()
    }
}
