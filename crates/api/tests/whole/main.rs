//! The REST door with the whole application behind it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test needs and does not find is its failure"
)]

mod access;
mod bad_input;
mod ca_bundles;
mod certificate_trusts;
mod certificates;
mod common;
mod compartments;
mod conventions;
mod crl;
mod early_renewals;
mod enrollment;
mod escalation;
mod formats;
mod hints;
mod hostile;
mod identity;
mod matrix;
mod ocsp;
mod paths;
mod plain;
mod policies;
mod principals;
mod publication;
mod refusals;
mod resources;
mod routes;
mod signing;
mod surface;
mod transport;
mod trials;
mod webhooks;
