//! The statements about calls to renew early.

use crate::{Error, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::id::{CaId, EarlyRenewalId, IssuedId};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::renewal::{EarlyRenewal, MovedRenewal};
use certwright_domain::time::Timestamp;

type Result<T> = std::result::Result<T, Error>;

/// Calls to renew early, and what they have moved.
#[async_trait]
pub trait EarlyRenewalQueries: Send {
    /// Stores a call.
    async fn insert_early_renewal(&mut self, call: &EarlyRenewal) -> Result<()>;
    /// By id.
    async fn early_renewal(&mut self, id: &EarlyRenewalId) -> Result<Option<EarlyRenewal>>;
    /// Calls for the certificates of a CA, newest first.
    async fn early_renewals(&mut self, ca: &CaId, page: &PageRequest) -> Result<Page<EarlyRenewal>>;
    /// Those that have something to move or to put back, the oldest first.
    async fn open_early_renewals(&mut self, limit: u32) -> Result<Vec<EarlyRenewal>>;
    /// Writes what changes of the row that still has `call.revision`, and raises the revision.
    async fn update_early_renewal(&mut self, call: &EarlyRenewal) -> Result<()>;
    /// Deletes the row that still has `revision`.
    async fn delete_early_renewal(&mut self, id: &EarlyRenewalId, revision: i64) -> Result<()>;

    /// Certificates of a CA in the order of their ids, behind this one (empty: from the first).
    async fn issued_behind(&mut self, ca: &CaId, id: &str, limit: u32) -> Result<Vec<IssuedCertificate>>;
    /// What is known of a certificate whose renewal was moved.
    async fn moved_renewal(&mut self, issued: &IssuedId) -> Result<Option<MovedRenewal>>;
    /// What a call has moved.
    async fn moved_renewals(&mut self, call: &EarlyRenewalId, limit: u32) -> Result<Vec<MovedRenewal>>;
    /// Moves the renewal of a certificate that is due at `before` in the inventory, and lets the job look at the managed certificate
    /// in time whose current version it is. [`Error::Stale`]: it is due at another time, or gone.
    async fn move_renewal(&mut self, moved: &MovedRenewal, before: Timestamp) -> Result<()>;
    /// The usual time of a renewal is another one from now on. The certificate is due then, or when it was moved to, if that is
    /// earlier. One that is gone stays so.
    async fn set_usual_renewal(&mut self, issued: &IssuedId, usual: Timestamp) -> Result<()>;
    /// Puts a renewal back to its usual time. One whose certificate is gone is forgotten.
    async fn put_renewal_back(&mut self, moved: &MovedRenewal) -> Result<()>;
}
