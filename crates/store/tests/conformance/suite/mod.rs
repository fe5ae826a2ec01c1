//! The suite. `super` is the mount: it says how a fresh store is made.

mod access;
mod acme;
mod acme_begin;
mod acme_directories;
mod acme_lists;
mod audit;
mod ca_bundles;
mod cas;
mod certificates;
mod compartments;
mod crl_races;
mod crls;
mod early_renewals;
mod enrollment;
mod events;
mod identity;
mod issued;
mod keys;
mod ocsp;
mod profiles;
mod publications;
mod recorder;
mod revocations;
mod revoking;
mod search;
mod shipping;
mod system;
mod tokens;
mod transactions;
mod transport;
mod vaults;
mod webhooks;

use super::{BACKEND, fresh_with};
use crate::fixtures::TestStore;
use certwright_store::{Error, NoFaults};
use std::sync::Arc;

async fn fresh() -> TestStore {
    fresh_with(Arc::new(NoFaults)).await
}

/// The error of a unique key.
fn conflict(what: &str) -> Error {
    Error::Conflict { what: what.to_owned() }
}

fn stale(what: &'static str) -> Error {
    Error::Stale { what }
}
