//! Publication elsewhere: lists and certificates of CAs as objects of targets.
//!
//! What is to be there follows from the rows of CAs, versions and series ([`plan`]); what is behind is written
//! ([`push`]), by whichever node comes first. Nothing is remembered in memory that is needed: a node that dies leaves a
//! claim that ends.

mod plan;
mod push;
mod settings;

pub use push::PublicationReport;

use certwright_domain::name::ResourceName;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicI64;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// What the node remembers of publication.
#[derive(Default)]
pub(crate) struct Publications {
    wake: Notify,
    /// The epoch under which the wanted objects were last looked for; 0: never.
    planned_epoch: AtomicI64,
    /// Targets that this node writes to.
    busy: Mutex<BTreeSet<ResourceName>>,
}

/// While it lives, nobody else on this node writes to the target.
struct Turn<'p> {
    publications: &'p Publications,
    target: ResourceName,
}

impl Publications {
    /// Something is to be written.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    fn turn(&self, target: &ResourceName) -> Option<Turn<'_>> {
        let new = self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(target.clone());
        new.then(|| Turn { publications: self, target: target.clone() })
    }

    fn is_busy(&self, target: &ResourceName) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).contains(target)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.publications.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.target);
    }
}
