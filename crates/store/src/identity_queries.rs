//! The statements about identity providers.

use crate::{Error, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::id::IdentityProviderId;
use certwright_domain::identity::IdentityProvider;
use certwright_domain::name::Reference;
use certwright_domain::time::Timestamp;

type Result<T> = std::result::Result<T, Error>;

/// Identity providers, and the tokens that were given for theirs.
#[async_trait]
pub trait IdentityQueries: Send {
    /// Stores a provider.
    async fn insert_identity_provider(&mut self, provider: &IdentityProvider) -> Result<()>;
    /// By id or name.
    async fn identity_provider(&mut self, reference: &Reference) -> Result<Option<IdentityProvider>>;
    /// Providers by name.
    async fn identity_providers(&mut self, page: &PageRequest) -> Result<Page<IdentityProvider>>;
    /// Those that let somebody in, by name.
    async fn enabled_identity_providers(&mut self) -> Result<Vec<IdentityProvider>>;
    /// How many there are.
    async fn count_identity_providers(&mut self) -> Result<u64>;
    /// Writes the settings of the row that still has `provider.revision`, and raises the revision.
    async fn update_identity_provider(&mut self, provider: &IdentityProvider) -> Result<()>;
    /// Deletes the row that still has `revision`.
    async fn delete_identity_provider(&mut self, id: &IdentityProviderId, revision: i64) -> Result<()>;
    /// Deletes tokens of machines that ended before, at most so many, the oldest first; how many.
    async fn delete_workload_tokens(&mut self, before: Timestamp, limit: u32) -> Result<u64>;
}
