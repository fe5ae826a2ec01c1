//! The statements about publication elsewhere.

use crate::{Error, PublicationHealth};
use async_trait::async_trait;
use certwright_domain::crl::CrlScope;
use certwright_domain::id::CaId;
use certwright_domain::name::ResourceName;
use certwright_domain::publication::{PastPublication, Publication, PublishedObject};
use certwright_domain::time::Timestamp;

type Result<T> = std::result::Result<T, Error>;

/// Publication elsewhere: what CAs publish is in their rows; here is what they published before, and the objects.
#[async_trait]
pub trait PublicationQueries: Send {
    /// What a CA published before and certificates still name, the newest first.
    async fn past_publications(&mut self, ca_id: &CaId) -> Result<Vec<PastPublication>>;
    /// Stores a publication that was in force until now.
    async fn retire_publication(&mut self, ca_id: &CaId, past: &PastPublication) -> Result<()>;
    /// Forgets one: nothing names it any more, or it is in force again.
    async fn forget_publication(&mut self, ca_id: &CaId, number: i64) -> Result<()>;
    /// Forgets those that have retired by `now`. Returns how many.
    async fn purge_publications(&mut self, now: Timestamp) -> Result<u64>;
    /// What every CA that is not deleted publishes or published, with its id and name.
    async fn publications(&mut self) -> Result<Vec<(CaId, String, Publication)>>;
    /// CAs that publish or published something, or of which there are objects.
    async fn publishing_cas(&mut self) -> Result<Vec<CaId>>;
    /// The series of a CA.
    async fn crl_scopes(&mut self, ca_id: &CaId) -> Result<Vec<CrlScope>>;
    /// The objects of a CA, by version, shards, shard and kind.
    async fn published_objects(&mut self, ca_id: &CaId) -> Result<Vec<PublishedObject>>;
    /// The objects of a series; with a whole full list or the first shard, also those of the version's certificate.
    async fn published_lists(&mut self, scope: &CrlScope) -> Result<Vec<PublishedObject>>;
    /// One object.
    async fn published_object(&mut self, target: &ResourceName, name: &str) -> Result<Option<PublishedObject>>;
    /// Stores an object; one of that name stays as it is. True: it is new.
    async fn insert_published_object(&mut self, object: &PublishedObject) -> Result<bool>;
    /// Forgets an object; what is in the target stays there.
    async fn delete_published_object(&mut self, object: &PublishedObject) -> Result<()>;
    /// Targets for which something is to be written at `now`.
    async fn publication_targets_due(&mut self, now: Timestamp) -> Result<Vec<ResourceName>>;
    /// Objects of a target that are behind, the longest waiting first.
    async fn published_objects_due(
        &mut self,
        target: &ResourceName,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<PublishedObject>>;
    /// Writes what changed of an object, if nobody else did; [`Error::Stale`] otherwise.
    async fn update_published_object(&mut self, object: &PublishedObject) -> Result<()>;
    /// What is in the target is not known (any more): it is written at once.
    async fn rewrite_published_object(&mut self, object: &PublishedObject, now: Timestamp) -> Result<()>;
    /// The same for all objects of a CA. Returns how many.
    async fn rewrite_published_objects(&mut self, ca_id: &CaId, now: Timestamp) -> Result<u64>;
    /// How many objects of a CA on a target have failed so often or more. Transactions that count take turns: the later one
    /// sees what the earlier one wrote.
    async fn failing_objects(&mut self, ca_id: &CaId, target: &ResourceName, failures: u32) -> Result<u64>;
    /// How the objects of each CA and target stand, for metrics and readiness.
    async fn publication_health(&mut self) -> Result<Vec<PublicationHealth>>;
}
