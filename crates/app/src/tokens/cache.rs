//! Tokens that were read lately, and last uses that wait to be written.

use certwright_domain::access::User;
use certwright_domain::id::TokenId;
use certwright_domain::policy::Narrowing;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::token::Token;
use certwright_store::{Error, Store};
use moka::sync::Cache;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// A token as it was read.
pub(crate) struct Entry {
    /// The epoch that was read before the token.
    pub(crate) epoch: i64,
    /// When.
    pub(crate) read_at: Timestamp,
    /// The token.
    pub(crate) token: Token,
    /// The user it speaks for, as of then.
    pub(crate) user: Option<User>,
    /// What it is narrowed to, read.
    pub(crate) scopes: Arc<[Narrowing]>,
}

impl Entry {
    /// May the token be used at `now`? Nobody speaks for a user that is disabled or not there; machines are no users.
    pub(super) fn is_let_in(&self, now: Timestamp) -> bool {
        self.token.is_live(now)
            && (self.token.workload.is_some() || self.user.as_ref().is_some_and(|user| user.enabled))
    }
}

/// Tokens in memory. An entry counts only under the epoch it was read in and while it is fresh.
pub(crate) struct TokenCache {
    entries: Cache<TokenId, Arc<Entry>>,
    uses: Arc<Uses>,
}

/// Last uses that wait to be written; one task at a time writes them, all that wait in one transaction.
struct Uses {
    waiting: Mutex<BTreeMap<TokenId, Timestamp>>,
    writer: Arc<Semaphore>,
}

impl TokenCache {
    pub(crate) fn new() -> Self {
        Self {
            entries: Cache::new(10_000),
            uses: Arc::new(Uses { waiting: Mutex::default(), writer: Arc::new(Semaphore::new(1)) }),
        }
    }

    /// The token, if it was read under `epoch` and at most `fresh` ago (and not after `now`: clocks may be set back).
    pub(super) fn get(&self, id: &TokenId, epoch: i64, now: Timestamp, fresh: Span) -> Option<Arc<Entry>> {
        self.entries
            .get(id)
            .filter(|entry| epoch != 0 && entry.epoch == epoch)
            .filter(|entry| (0..=fresh.ms()).contains(&now.ms_since(entry.read_at)))
    }

    /// Keeps a token.
    pub(super) fn keep(&self, entry: Entry) -> Arc<Entry> {
        let entry = Arc::new(entry);
        self.entries.insert(entry.token.id.clone(), Arc::clone(&entry));
        entry
    }

    /// Forgets a token.
    pub(super) fn forget(&self, id: &TokenId) {
        self.entries.invalidate(id);
    }

    /// Has the use written by a task of its own, unless one is writing already: that one takes it along.
    pub(super) fn touch(&self, id: &TokenId, at: Timestamp, store: &Store) {
        self.uses.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), at);
        let Ok(permit) = Arc::clone(&self.uses.writer).try_acquire_owned() else {
            return;
        };
        let (uses, store) = (Arc::clone(&self.uses), store.clone());
        tokio::spawn(async move {
            uses.write(&store).await;
            drop(permit);
        });
    }

    /// Waits for the writer and writes what is left.
    pub(super) async fn settle(&self, store: &Store) {
        if let Ok(_permit) = self.uses.writer.acquire().await {
            self.uses.write(store).await;
        }
    }
}

impl Uses {
    /// Writes until nothing waits. A use that cannot be written is given up: the next one is as good.
    async fn write(&self, store: &Store) {
        loop {
            let uses = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            if uses.is_empty() {
                return;
            }
            if let Err(error) = write_uses(store, &uses).await {
                tracing::warn!(tokens = uses.len(), %error, "the last use of tokens was not written");
                return;
            }
        }
    }
}

async fn write_uses(store: &Store, uses: &BTreeMap<TokenId, Timestamp>) -> Result<(), Error> {
    let mut tx = store.begin("token.touch").await?;
    // In the order of the ids: two nodes that write the same tokens lock their rows in the same order.
    for (id, at) in uses {
        tx.touch_token(id, *at).await?;
    }
    tx.commit().await
}
