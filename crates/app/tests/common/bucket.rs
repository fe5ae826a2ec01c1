//! A target that exists in memory: it remembers what was written, and fails or waits when a test wants.

use async_trait::async_trait;
use certwright_app::{Target, TargetError, TargetObject};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, Semaphore};

/// A bucket.
pub(crate) struct Bucket {
    objects: Mutex<BTreeMap<String, TargetObject>>,
    puts: AtomicU32,
    failures: Mutex<VecDeque<TargetError>>,
    /// The next put waits, and then takes effect.
    slow: Mutex<bool>,
    waits: Notify,
    release: Semaphore,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            objects: Mutex::default(),
            puts: AtomicU32::new(0),
            failures: Mutex::default(),
            slow: Mutex::default(),
            waits: Notify::new(),
            release: Semaphore::new(0),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bucket {
    /// What is there under a name.
    pub(crate) fn get(&self, name: &str) -> Option<TargetObject> {
        lock(&self.objects).get(name).cloned()
    }

    /// The names of everything there.
    pub(crate) fn names(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }

    /// Somebody takes everything away.
    pub(crate) fn clear(&self) {
        lock(&self.objects).clear();
    }

    /// How often something was written, or was to be.
    pub(crate) fn puts(&self) -> u32 {
        self.puts.load(Ordering::Acquire)
    }

    /// The next puts fail so.
    pub(crate) fn will_fail(&self, failures: impl IntoIterator<Item = TargetError>) {
        lock(&self.failures).extend(failures);
    }

    /// The next put waits for [`Bucket::release`].
    pub(crate) fn hold_next(&self) {
        *lock(&self.slow) = true;
    }

    /// Waits until a put waits.
    pub(crate) async fn held(&self) {
        self.waits.notified().await;
    }

    /// Lets the put that waits take effect.
    pub(crate) fn release(&self) {
        self.release.add_permits(1);
    }
}

#[async_trait]
impl Target for Bucket {
    async fn put(&self, object: &TargetObject) -> Result<(), TargetError> {
        self.puts.fetch_add(1, Ordering::AcqRel);
        if let Some(error) = lock(&self.failures).pop_front() {
            return Err(error);
        }
        if std::mem::take(&mut *lock(&self.slow)) {
            self.waits.notify_one();
            self.release.acquire().await.unwrap().forget();
        }
        lock(&self.objects).insert(object.name.to_string(), object.clone());
        Ok(())
    }
}
