//! Commits that fail on command, before or after they took effect, or that are held.

use certwright_store::{CommitFaults, Error};
use std::sync::mpsc::{Receiver, Sender, channel};
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
    held: Mutex<Vec<Hold>>,
}

/// Where a commit of this name tells that it has come, and waits.
#[derive(Debug)]
struct Hold {
    name: String,
    came: Sender<()>,
    go: Receiver<()>,
}

/// A commit that took effect and whose caller has not heard of it. It goes on when this is dropped.
#[derive(Debug)]
pub struct Held {
    came: Receiver<()>,
    _go: Sender<()>,
}

impl Held {
    /// Waits until the commit has come; blocks the thread. False: it never will.
    pub fn came(&self) -> bool {
        self.came.recv().is_ok()
    }
}

impl Faults {
    /// Makes the next commit of the transaction `name` fail.
    pub fn arm(&self, name: &str, when: When) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), when));
    }

    /// Holds the next commit of the transaction `name` when it has taken effect. It blocks the thread that commits, so
    /// this is for runtimes with several.
    pub fn hold(&self, name: &str) -> Held {
        let ((came, hears), (go, waits)) = (channel(), channel());
        let hold = Hold { name: name.to_owned(), came, go: waits };
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(hold);
        Held { came: hears, _go: go }
    }

    fn wait(&self, name: &str) {
        let hold = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.iter().position(|hold| hold.name == name).map(|place| held.remove(place))
        };
        if let Some(hold) = hold {
            // Either end may be gone: then nobody waits for anybody.
            let _ = hold.came.send(());
            let _ = tokio::task::block_in_place(|| hold.go.recv());
        }
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
        self.wait(name);
        self.strike(name, When::After)
    }
}
