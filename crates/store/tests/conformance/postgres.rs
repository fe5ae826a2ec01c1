//! The suite on PostgreSQL, each test on a database of its own.

use crate::fixtures::TestStore;
use certwright_store::{Backend, CommitFaults};
use std::sync::Arc;

pub(crate) const BACKEND: Backend = Backend::Postgres;

pub(crate) async fn fresh_with(faults: Arc<dyn CommitFaults>) -> TestStore {
    TestStore::postgres(faults).await
}

#[path = "suite/mod.rs"]
mod suite;
