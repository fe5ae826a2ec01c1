//! The statements about trusts for client certificates.

use crate::{Error, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::id::CertificateTrustId;
use certwright_domain::identity::CertificateTrust;
use certwright_domain::name::Reference;

type Result<T> = std::result::Result<T, Error>;

/// Trusts for client certificates.
#[async_trait]
pub trait CertificateTrustQueries: Send {
    /// Stores a trust.
    async fn insert_certificate_trust(&mut self, trust: &CertificateTrust) -> Result<()>;
    /// By id or name.
    async fn certificate_trust(&mut self, reference: &Reference) -> Result<Option<CertificateTrust>>;
    /// Trusts by name.
    async fn certificate_trusts(&mut self, page: &PageRequest) -> Result<Page<CertificateTrust>>;
    /// Those that let somebody in, by name.
    async fn enabled_certificate_trusts(&mut self) -> Result<Vec<CertificateTrust>>;
    /// How many there are.
    async fn count_certificate_trusts(&mut self) -> Result<u64>;
    /// Writes the settings of the row that still has `trust.revision`, and raises the revision.
    async fn update_certificate_trust(&mut self, trust: &CertificateTrust) -> Result<()>;
    /// Deletes the row that still has `revision`.
    async fn delete_certificate_trust(&mut self, id: &CertificateTrustId, revision: i64) -> Result<()>;
}
