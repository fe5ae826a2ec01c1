//! Background work: load → plan → apply; idempotent, driven by state, safe on several nodes (lease).
use crate::{App, Error};

/// What a round did, for logs and metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobReport {
    /// Vault keys put under the newest root key.
    pub vault_keys_rewrapped: u64,
    /// Private keys put under their vault's newest key.
    pub keys_rewrapped: u64,
    /// Vaults, keys and CAs whose deletion became final.
    pub deleted: u64,
    /// Idempotency keys forgotten.
    pub idempotency_forgotten: u64,
    /// Expired rows aged out.
    pub aged_out: u64,
}

impl App {
    /// One round of all jobs, if this node gets the lease; otherwise an empty report.
    pub async fn run_jobs(&self) -> Result<JobReport, Error> {
        todo!()
    }
    /// Gives leases back at shutdown.
    pub async fn release_leases(&self) -> Result<(), Error> {
        todo!()
    }
}
