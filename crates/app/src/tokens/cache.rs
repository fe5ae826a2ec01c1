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
    /// Ids that nobody has, and the epoch and the time at which that was so: asking again costs what a known id costs. Apart from the
    /// others, so that guesses push out no token in use.
    absent: Cache<TokenId, (i64, Timestamp)>,
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
            absent: Cache::new(10_000),
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

    /// Is it known, as [`TokenCache::get`] knows tokens, that there is no such token?
    pub(super) fn is_absent(&self, id: &TokenId, epoch: i64, now: Timestamp, fresh: Span) -> bool {
        let known = self.absent.get(id).filter(|(read, _)| epoch != 0 && *read == epoch);
        known.is_some_and(|(_, read_at)| (0..=fresh.ms()).contains(&now.ms_since(read_at)))
    }

    /// Keeps in mind that there was no such token at `now` under `epoch`.
    pub(super) fn keep_absent(&self, id: &TokenId, epoch: i64, now: Timestamp) {
        self.absent.insert(id.clone(), (epoch, now));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_so_for_a_moment_and_under_one_epoch() {
        let (cache, id) = (TokenCache::new(), TokenId::new(Timestamp::from_unix_s(1), [1; 10]));
        let (now, fresh) = (Timestamp::from_unix_s(100), Span::from_s(1));
        assert!(!cache.is_absent(&id, 7, now, fresh));
        cache.keep_absent(&id, 7, now);
        assert!(cache.is_absent(&id, 7, now, fresh));
        assert!(cache.is_absent(&id, 7, now.plus(fresh), fresh));
        assert!(!cache.is_absent(&id, 7, now.plus(Span::from_ms(1_001)), fresh), "it may have been made elsewhere");
        assert!(!cache.is_absent(&id, 8, now, fresh), "it may have been made here");
        assert!(!cache.is_absent(&id, 7, now.minus(Span::from_s(5)), fresh), "the clock was set back");
        cache.keep_absent(&id, 0, now);
        assert!(!cache.is_absent(&id, 0, now, fresh), "no epoch is known");
    }
}
