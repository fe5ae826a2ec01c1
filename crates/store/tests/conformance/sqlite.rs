//! The suite on SQLite, each test on a file of its own.

use crate::fixtures::TestStore;
use certwright_store::{Backend, CommitFaults};
use std::sync::Arc;

pub(crate) const BACKEND: Backend = Backend::Sqlite;

pub(crate) async fn fresh_with(faults: Arc<dyn CommitFaults>) -> TestStore {
    TestStore::sqlite(faults).await
}

#[path = "suite/mod.rs"]
mod suite;
