//! Forgetting what has outlived its time, and telling of what was never finished.

use super::JobReport;
use crate::audit::Target;
use crate::{App, Call, Error};
use certwright_domain::time::Span;
use certwright_store::Intent;

/// Rows per deletion: one short transaction.
const BATCH: u32 = 500;
/// A CA certificate that was about to be signed this long ago and has no row will not get one any more.
const INTENT_AGE: Span = Span::from_minutes(10);

impl App {
    /// Forgets idempotency keys that are older than they are kept.
    pub(super) async fn forget_idempotency_keys(&self, report: &mut JobReport) -> Result<(), Error> {
        let before = self.now().minus(self.inner.settings.idempotency_lifetime);
        loop {
            let mut tx = self.inner.store.begin("job.forget-idempotency").await?;
            let count = tx.purge_idempotency(before, BATCH).await?;
            if count == 0 {
                return Ok(tx.rollback().await?);
            }
            tx.commit().await?;
            report.idempotency_forgotten = report.idempotency_forgotten.saturating_add(count);
            if count < u64::from(BATCH) || !self.keep_lease().await? {
                return Ok(());
            }
        }
    }

    /// Deletes rows of leaf certificates that expired long enough ago and were never revoked, where the settings say so.
    pub(super) async fn age_out(&self, call: &Call, report: &mut JobReport) -> Result<(), Error> {
        let Some(retention) = self.inner.settings.retention else {
            return Ok(());
        };
        let before = self.now().minus(retention);
        loop {
            let mut tx = self.inner.store.begin("job.age-out").await?;
            let count = tx.purge_expired(before, BATCH).await?;
            if count == 0 {
                return Ok(tx.rollback().await?);
            }
            let (rows, expired_before) = (count.to_string(), before.to_string());
            let target = Target { kind: "issued-certificates", id: "", name: "" };
            let details = [("rows", rows.as_str()), ("expiredBefore", expired_before.as_str())];
            tx.insert_audit(&self.inner.audit(call, "issued-certificate.age-out", target, &details)).await?;
            tx.commit().await?;
            report.aged_out = report.aged_out.saturating_add(count);
            if count < u64::from(BATCH) || !self.keep_lease().await? {
                return Ok(());
            }
        }
    }

    /// Tells, once each, of CA certificates that were about to be signed and never recorded: the process died in between,
    /// so a signature may exist that nobody was given. Closing the intent also makes a very late signer fail.
    pub(super) async fn report_abandoned_intents(&self, call: &Call) -> Result<(), Error> {
        let before = self.now().minus(INTENT_AGE);
        let intents = self.inner.store.read().await?.open_intents(before).await?;
        for intent in intents {
            self.report_abandoned_intent(call, &intent).await?;
        }
        Ok(())
    }

    async fn report_abandoned_intent(&self, call: &Call, intent: &Intent) -> Result<(), Error> {
        let mut tx = self.inner.store.begin("job.abandon-intent").await?;
        match tx.complete_intent(&intent.id, self.now()).await {
            Ok(()) => {}
            // Finished after all, or told of by another node.
            Err(certwright_store::Error::Stale { .. }) => return Ok(tx.rollback().await?),
            Err(error) => return Err(error.into()),
        }
        let (serial, since) = (intent.serial.to_string(), intent.created_at.to_string());
        let details = [
            ("serial", serial.as_str()),
            ("intent", intent.id.as_str()),
            ("requester", intent.requester.as_str()),
            ("requestId", intent.request_id.as_str()),
            ("since", since.as_str()),
        ];
        let target = Target { kind: "ca", id: intent.ca_id.as_str(), name: "" };
        tx.insert_audit(&self.inner.audit(call, "ca.intent-abandoned", target, &details)).await?;
        tx.commit().await?;
        tracing::warn!(
            ca.id = %intent.ca_id,
            cert.serial = serial,
            intent.id = %intent.id,
            "a CA certificate was about to be signed and was never recorded"
        );
        Ok(())
    }
}
