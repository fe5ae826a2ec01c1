//! What events and webhooks need of the jobs.

use super::JobReport;
use crate::{App, Call, Error};
use certwright_domain::id::EventId;

/// Rows per deletion: one short transaction.
const BATCH: u32 = 500;

impl App {
    /// Puts the secrets of webhooks under the newest root key.
    pub(super) async fn rewrap_webhook_secrets(&self, call: &Call, report: &mut JobReport) -> Result<(), Error> {
        report.webhooks_rewrapped = self.rewrap_webhooks(call).await?;
        Ok(())
    }

    /// Forgets events that are older than they are kept, with their deliveries.
    pub(super) async fn forget_events(&self, report: &mut JobReport) -> Result<(), Error> {
        // Ids begin with the time: none of an older event is higher.
        let before = EventId::new(self.now().minus(self.inner.settings.events.retention), [0; 10]);
        loop {
            let mut tx = self.inner.store.begin("job.forget-events").await?;
            let count = tx.purge_events(&before, BATCH).await?;
            if count == 0 {
                return Ok(tx.rollback().await?);
            }
            tx.commit().await?;
            report.events_forgotten = report.events_forgotten.saturating_add(count);
            if count < u64::from(BATCH) || !self.keep_lease().await? {
                return Ok(());
            }
        }
    }
}
