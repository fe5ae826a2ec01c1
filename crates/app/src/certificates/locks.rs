//! Turns: calls for one certificate wait for each other on a node.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use tokio::sync::{Mutex, MutexGuard};

/// More would only spare a wait when two names fall together.
const SHARDS: usize = 64;

/// A fixed number of locks; a name always has the same.
pub(crate) struct Locks(Vec<Mutex<()>>);

impl Locks {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(())).collect())
    }

    /// Waits for the turn of this name; `None` only if there were no locks at all.
    pub(crate) async fn turn(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let shard = usize::try_from(hasher.finish() % 64).unwrap_or(0);
        match self.0.get(shard) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}
