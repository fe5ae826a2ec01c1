//! Forgetting what ACME has no more use for, in small batches.

use crate::{App, Error};
use certwright_domain::time::Span;

/// Rows of each table in a transaction.
const BATCH: u32 = 500;
/// How long orders and proofs are kept after they have expired: for whoever asks what went wrong.
const KEPT: Span = Span::from_days(30);

impl App {
    /// Forgets nonces that are too old to be used again, and orders and proofs that expired long ago.
    pub(crate) async fn tidy_acme(&self) -> Result<(), Error> {
        loop {
            let now = self.now();
            let mut tx = self.inner.store.begin("job.tidy-acme").await?;
            // A clock that is set back must not make a nonce good again whose row is gone: rows outlive them by a day.
            let gone = tx.purge_acme(now.minus(Span::from_days(1)), now.minus(KEPT), BATCH).await?;
            if gone == 0 {
                return Ok(tx.rollback().await?);
            }
            tx.commit().await?;
            if gone < u64::from(BATCH) || !self.keep_lease().await? {
                return Ok(());
            }
        }
    }
}
