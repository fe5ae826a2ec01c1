//! Forgetting what ACME has no more use for, in small batches.

use crate::{App, Error};
use certwright_domain::time::Span;

/// Rows of each table in a transaction.
const BATCH: u32 = 500;
/// How much longer rows of nonces live than their nonces: a clock that is set back by no more makes none good again. Not
/// longer, because a busy day has very many of them.
const CLOCK_SET_BACK: Span = Span::from_hours(1);
/// How long orders and proofs are kept after they have expired: for whoever asks what went wrong. Orders that replaced a certificate are
/// kept longer while that lives.
const KEPT: Span = Span::from_days(30);

impl App {
    /// Forgets nonces that are too old to be used again, and orders and proofs that expired long ago.
    pub(crate) async fn tidy_acme(&self) -> Result<(), Error> {
        loop {
            let now = self.now();
            let mut tx = self.inner.store.begin("job.tidy-acme").await?;
            let gone = tx.purge_acme(now.minus(CLOCK_SET_BACK), now.minus(KEPT), BATCH).await?;
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
