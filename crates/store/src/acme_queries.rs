//! The statements about ACME.

use crate::{Error, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::acme::{Account, Authorization, Directory, EabKey, Order};
use certwright_domain::id::{AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId, AcmeOrderId, EabKeyId, IssuedId};
use certwright_domain::key::SealedBlob;
use certwright_domain::name::Reference;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;

type Result<T> = std::result::Result<T, Error>;

/// Which of the things that ACME clients make a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcmeFilter {
    /// In this directory.
    pub directory: Option<AcmeDirectoryId>,
    /// Of this account.
    pub account: Option<AcmeAccountId>,
}

/// A nonce to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeNonce {
    /// What makes it the only one of its kind. It begins with the time at which it was made, so that those that end first come first.
    pub body: Vec<u8>,
    /// Until when it is good: as long its row is needed.
    pub expires_at: Timestamp,
}

/// What a new order asks about the proofs of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofSearch<'s> {
    /// The account.
    pub account: &'s AcmeAccountId,
    /// The names, as their identifiers are written.
    pub names: &'s [String],
    /// What ends by then counts for nothing.
    pub now: Timestamp,
    /// Pending ones are counted up to this.
    pub most_pending: u32,
}

/// What it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownProofs {
    /// For each name a valid authorization of the account, where there is one: the one that lasts longest.
    pub valid: Vec<Option<Authorization>>,
    /// Authorizations of the account that are pending, up to what was asked.
    pub pending: u32,
}

/// Directories, accounts, orders and proofs.
#[async_trait]
pub trait AcmeQueries: Send {
    /// What nonces and bindings are derived from: sealed, and by which root key.
    async fn acme_secret(&mut self) -> Result<Option<(SealedBlob, String)>>;
    /// Stores it, the first time.
    async fn insert_acme_secret(&mut self, sealed: &SealedBlob, root_key_id: &str) -> Result<()>;
    /// Replaces the secret that `before` sealed by the same under another root key.
    async fn rewrap_acme_secret(&mut self, before: &str, sealed: &SealedBlob, root_key_id: &str) -> Result<()>;

    /// Stores a directory.
    async fn insert_acme_directory(&mut self, directory: &Directory) -> Result<()>;
    /// By id or name.
    async fn acme_directory(&mut self, reference: &Reference) -> Result<Option<Directory>>;
    /// Directories by name.
    async fn acme_directories(&mut self, page: &PageRequest) -> Result<Page<Directory>>;
    /// How many there are.
    async fn count_acme_directories(&mut self) -> Result<u64>;
    /// Writes settings of the row that still has `directory.revision`, and raises the revision.
    async fn update_acme_directory(&mut self, directory: &Directory) -> Result<()>;
    /// Deletes the row that still has `revision`.
    async fn delete_acme_directory(&mut self, id: &AcmeDirectoryId, revision: i64) -> Result<()>;

    /// Stores an account, and keeps its directory until the transaction ends; [`Error::Conflict`]: its key has one already,
    /// [`Error::Stale`]: its directory is gone.
    async fn insert_acme_account(&mut self, account: &Account) -> Result<()>;
    /// By id.
    async fn acme_account(&mut self, id: &AcmeAccountId) -> Result<Option<Account>>;
    /// By its key.
    async fn acme_account_of(&mut self, directory: &AcmeDirectoryId, key: &Sha256) -> Result<Option<Account>>;
    /// Accounts, newest first.
    async fn acme_accounts(&mut self, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<Account>>;
    /// Is there any account in this directory? Asked behind [`Self::delete_acme_directory`] of the same transaction it stays true:
    /// whoever was making one has been waited for, and nobody makes one any more.
    async fn has_acme_accounts(&mut self, directory: &AcmeDirectoryId) -> Result<bool>;
    /// Writes key, state, contacts and terms of the row that still has `account.revision`, and raises the revision.
    async fn update_acme_account(&mut self, account: &Account) -> Result<()>;

    /// Stores a key for external account bindings.
    async fn insert_eab_key(&mut self, key: &EabKey) -> Result<()>;
    /// By id.
    async fn eab_key(&mut self, id: &EabKeyId) -> Result<Option<EabKey>>;
    /// Keys, newest first.
    async fn eab_keys(&mut self, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<EabKey>>;
    /// Binds one more account by a key; false: it is at an end, or is not there.
    async fn use_eab_key(&mut self, id: &EabKeyId, now: Timestamp) -> Result<bool>;
    /// Revokes a key; false: it was revoked already, or is not there.
    async fn revoke_eab_key(&mut self, id: &EabKeyId, now: Timestamp) -> Result<bool>;

    /// Stores an authorization.
    async fn insert_acme_authorization(&mut self, authorization: &Authorization) -> Result<()>;
    /// By id.
    async fn acme_authorization(&mut self, id: &AcmeAuthorizationId) -> Result<Option<Authorization>>;
    /// What an account has proven of some names, and how much of its own is pending.
    async fn search_acme_authorizations(&mut self, search: &ProofSearch<'_>) -> Result<KnownProofs>;
    /// Those that somebody is to look at, the longest due first.
    async fn due_acme_authorizations(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Authorization>>;

    /// By id.
    async fn acme_order(&mut self, id: &AcmeOrderId) -> Result<Option<Order>>;
    /// By id, with its authorizations.
    async fn acme_order_with_proofs(&mut self, id: &AcmeOrderId) -> Result<Option<(Order, Vec<Authorization>)>>;
    /// Orders, newest first.
    async fn acme_orders(&mut self, filter: &AcmeFilter, page: &PageRequest) -> Result<Page<Order>>;
    /// Orders of an account, newest first, without those that have come to nothing by then.
    async fn acme_orders_of_use(
        &mut self,
        account: &AcmeAccountId,
        now: Timestamp,
        page: &PageRequest,
    ) -> Result<Page<Order>>;
    /// The order whose certificate replaces this one.
    async fn acme_order_replacing(&mut self, issued: &IssuedId) -> Result<Option<AcmeOrderId>>;

    /// Forgets nonces, orders and authorizations that ended before, at most `limit` of each, and puts off the end of orders whose
    /// certificate replaces one that has not ended; how many of all these.
    async fn purge_acme(&mut self, nonces_before: Timestamp, before: Timestamp, limit: u32) -> Result<u64>;
}
