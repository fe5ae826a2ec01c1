//! Renewal of managed certificates: what is due gets a new version, what fails is tried again, what is overdue is told.
//!
//! Rows that are due are read in small batches, the longest waiting first. Each is looked at again under its own turn, so
//! that a renewal by request and one by the job do not both happen; between nodes the compare-and-swap decides. The lease
//! spares double work.

use super::{BATCH, JobReport};
use crate::{App, Call, Error};
use certwright_domain::time::Span;
use futures_util::stream::{self, StreamExt as _};

/// Renewals at a time: enough to share the disk's commits and to keep both cores busy, few enough to leave room.
const AT_ONCE: usize = 8;
/// How long attempts are kept.
const KEEP_ATTEMPTS: Span = Span::from_days(400);

impl App {
    /// Renews what is due.
    pub(super) async fn renew_due_certificates(&self, call: &Call, report: &mut JobReport) -> Result<(), Error> {
        loop {
            let due = self.inner.store.read().await?.due_certificates(self.now(), BATCH).await?;
            let count = due.len();
            let outcomes: Vec<Result<Option<bool>, Error>> = stream::iter(due)
                .map(|certificate| self.renew_if_due(call, certificate))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            let mut failure = None;
            for outcome in outcomes {
                match outcome {
                    Ok(Some(true)) => report.renewed = report.renewed.saturating_add(1),
                    Ok(Some(false)) => report.renewals_failed = report.renewals_failed.saturating_add(1),
                    Ok(None) => {}
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            if let Some(error) = failure {
                return Err(error);
            }
            // Every row that was seen has moved on; a full batch may have more behind it.
            if count < usize::try_from(BATCH).unwrap_or(usize::MAX) || !self.keep_lease().await? {
                return Ok(());
            }
        }
    }

    /// Tells of renewals that should have happened.
    pub(super) async fn tell_overdue_certificates(&self, call: &Call) -> Result<(), Error> {
        let overdue = self.inner.store.read().await?.overdue_certificates(self.now(), BATCH).await?;
        for certificate in overdue {
            self.tell_overdue(call, certificate).await?;
        }
        Ok(())
    }

    /// Forgets attempts that nobody will ask for.
    pub(super) async fn forget_attempts(&self) -> Result<(), Error> {
        let mut tx = self.inner.store.begin("jobs.attempts").await?;
        match tx.purge_attempts(self.now().minus(KEEP_ATTEMPTS), BATCH).await? {
            0 => Ok(tx.rollback().await?),
            _ => Ok(tx.commit().await?),
        }
    }
}
