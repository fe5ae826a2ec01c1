//! The statements about enrolment tokens.

use crate::{Error, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::enrollment::EnrollmentToken;
use certwright_domain::id::EnrollmentTokenId;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;

type Result<T> = std::result::Result<T, Error>;

/// Enrolment tokens.
#[async_trait]
pub trait EnrollmentQueries: Send {
    /// Stores a token.
    async fn insert_enrollment_token(&mut self, token: &EnrollmentToken) -> Result<()>;
    /// By id or name.
    async fn enrollment_token(&mut self, reference: &Reference) -> Result<Option<EnrollmentToken>>;
    /// Tokens, newest first, used up and expired ones included.
    async fn enrollment_tokens(&mut self, page: &PageRequest) -> Result<Page<EnrollmentToken>>;
    /// How many there are.
    async fn count_enrollment_tokens(&mut self) -> Result<u64>;
    /// Takes one use, if the token is there, has one left and ends after `now`; else [`Error::Stale`]. Of those who take the
    /// last use at once one gets it, whatever node they are on.
    async fn use_enrollment_token(&mut self, id: &EnrollmentTokenId, now: Timestamp) -> Result<()>;
    /// Deletes a token; [`Error::Stale`] when there is none.
    async fn delete_enrollment_token(&mut self, id: &EnrollmentTokenId) -> Result<()>;
    /// Sets a name free whose token is used up or has ended.
    async fn free_enrollment_name(&mut self, name: &ResourceName, now: Timestamp) -> Result<()>;
    /// Deletes tokens that ended before, at most so many, the oldest first; how many.
    async fn purge_enrollment_tokens(&mut self, before: Timestamp, limit: u32) -> Result<u64>;
}
