//! Commits that fail on command, before or after they took effect.

use certwright_store::{CommitFaults, Error};
use std::sync::{Mutex, PoisonError};

/// Where a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before: nothing is stored.
    Before,
    /// After: it is stored, but the caller does not learn so.
    After,
}

/// Faults for [`certwright_store::Store::open`]: arm one, and the next commit of that name fails once.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Mutex<Vec<(String, When)>>,
    committed: Mutex<Vec<&'static str>>,
}

impl Faults {
    /// Makes the next commit of the transaction `name` fail.
    pub fn arm(&self, name: &str, when: When) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), when));
    }

    /// Have all armed faults struck?
    pub fn is_spent(&self) -> bool {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Names of the transactions that were committed, in order.
    pub fn committed(&self) -> Vec<&'static str> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn strike(&self, name: &str, when: When) -> Result<(), Error> {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        match armed.iter().position(|(wanted, at)| wanted == name && *at == when) {
            Some(place) => {
                armed.remove(place);
                Err(Error::Unavailable(format!("injected fault in the commit of `{name}`")))
            }
            None => Ok(()),
        }
    }
}

impl CommitFaults for Faults {
    fn before(&self, name: &'static str) -> Result<(), Error> {
        self.strike(name, When::Before)
    }

    fn after(&self, name: &'static str) -> Result<(), Error> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        self.strike(name, When::After)
    }
}
