//! Revocation lists: which are wanted, making them, serving them.
//!
//! A list is made in the background, by whichever node comes first: a lease lets one node at a time work for a CA, and the
//! number, taken by compare-and-swap in the transaction that publishes, makes double work harmless. What is served is what
//! is stored; nothing is signed for a reader.

mod aside;
mod build;
mod jobs;
mod serve;
mod status;
mod upload;

pub use jobs::{CrlReport, CrlWarnings};
pub use serve::ServedCrl;
pub use status::CrlView;
pub use upload::UploadedCrl;

use bytes::Bytes;
use certwright_domain::id::CrlId;
use certwright_domain::time::Timestamp;
use moka::sync::Cache;
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use tokio::sync::Notify;

/// Bytes of lists that are kept in memory.
const CACHE_BYTES: u64 = 256 << 20;

/// What the node remembers of lists.
pub(crate) struct Crls {
    wake: Notify,
    /// The epoch under which the wanted series were last looked for; 0: never.
    planned_epoch: AtomicI64,
    /// Lists by id: they never change.
    bytes: Cache<CrlId, Bytes>,
    warnings: Mutex<Option<(Timestamp, CrlWarnings)>>,
}

impl Crls {
    pub(crate) fn new() -> Self {
        let weigh = |_: &CrlId, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self {
            wake: Notify::new(),
            planned_epoch: AtomicI64::new(0),
            bytes: Cache::builder().max_capacity(CACHE_BYTES).weigher(weigh).build(),
            warnings: Mutex::new(None),
        }
    }

    /// Something changed that lists show.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }
}
