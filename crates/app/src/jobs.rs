//! Background work: load → plan → apply; idempotent, driven by state, safe on several nodes (lease).
//!
//! The lease spares double work; what keeps double work harmless is that every step is a compare-and-swap in a
//! transaction of its own. A step that fails leaves its rows for the next round and does not stop the others.

mod ca_renewal;
mod deletion;
mod events;
mod housekeeping;
mod ocsp;
mod renewal;
mod rewrap;

use crate::access::Background;
use crate::{App, Call, Error};
use certwright_domain::time::Span;

/// Name of the lease.
const LEASE: &str = "jobs";
/// How long the lease lasts; it is renewed before each batch.
const LEASE_FOR: Span = Span::from_s(60);
/// Rows per batch: small, so that no transaction holds others up for long.
const BATCH: u32 = 100;

/// What a round did, for logs and metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobReport {
    /// Vault keys put under the newest root key.
    pub vault_keys_rewrapped: u64,
    /// Private keys put under their vault's newest key.
    pub keys_rewrapped: u64,
    /// Certificates renewed.
    pub renewed: u64,
    /// Certificates and CAs that could not be renewed.
    pub renewals_failed: u64,
    /// CAs renewed, and versions of CAs taken into use.
    pub cas_renewed: u64,
    /// Vaults, keys, CAs and certificates whose deletion became final.
    pub deleted: u64,
    /// Idempotency keys forgotten.
    pub idempotency_forgotten: u64,
    /// Expired rows aged out.
    pub aged_out: u64,
    /// Secrets of webhooks put under the newest root key.
    pub webhooks_rewrapped: u64,
    /// Events forgotten, with their deliveries.
    pub events_forgotten: u64,
    /// OCSP responders that got a successor.
    pub ocsp_responders_renewed: u64,
    /// OCSP responders whose keys were destroyed.
    pub ocsp_responders_retired: u64,
}

impl App {
    /// One round of all jobs, if this node gets the lease; otherwise an empty report. After a failure the other jobs run
    /// all the same, and the first failure is the answer.
    pub async fn run_jobs(&self) -> Result<JobReport, Error> {
        let mut report = JobReport::default();
        if !self.keep_lease().await? {
            return Ok(report);
        }
        // A node that nobody calls hears of changes here alone: what it refuses is asked of nobody else.
        self.refresh_epoch().await?;
        let call =
            Call::background(Background::Jobs, format!("jobs/{}/{}", self.inner.settings.node, self.now().unix_ms()));
        let outcomes = [
            self.renew_due_cas(&call, &mut report).await,
            self.settle_early_renewals().await,
            self.renew_due_certificates(&call, &mut report).await,
            self.tell_overdue_certificates(&call).await,
            self.renew_ocsp_responders(&call, &mut report).await,
            self.retire_ocsp_responders(&call, &mut report).await,
            self.rewrap_vault_keys(&call, &mut report).await,
            self.rewrap_keys(&call, &mut report).await,
            self.rewrap_webhook_secrets(&call, &mut report).await,
            self.rewrap_acme_secret(&call).await,
            self.tidy_acme().await,
            self.tidy_enrollment_tokens().await,
            self.retire_root_keys(&call).await,
            self.finish_deletions(&call, &mut report).await,
            self.report_abandoned_intents(&call).await,
            self.forget_idempotency_keys(&mut report).await,
            self.forget_attempts().await,
            self.tell_of_ends(&call).await,
            self.tidy_crls().await,
            self.tidy_publications().await,
            self.age_out(&call, &mut report).await,
            self.forget_events(&mut report).await,
            self.checkpoint_if_due().await,
        ];
        match outcomes.into_iter().find_map(Result::err) {
            Some(error) => Err(error),
            None => Ok(report),
        }
    }

    /// Gives leases back at shutdown.
    pub async fn release_leases(&self) -> Result<(), Error> {
        let mut tx = self.inner.store.begin("jobs.release").await?;
        tx.release_lease(LEASE, &self.inner.settings.node).await?;
        tx.commit().await?;
        self.release_shipping().await
    }

    /// Takes or renews the lease; false: another node has it, stop.
    pub(crate) async fn keep_lease(&self) -> Result<bool, Error> {
        let now = self.now();
        let mut tx = self.inner.store.begin("jobs.lease").await?;
        let ours = tx.acquire_lease(LEASE, &self.inner.settings.node, now, now.plus(LEASE_FOR)).await?;
        tx.commit().await?;
        Ok(ours)
    }
}
