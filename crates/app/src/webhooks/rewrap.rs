//! Putting the secrets of webhooks under the newest root key.

use crate::{App, Call, Error};
use certwright_domain::webhook::Webhook;

/// Webhooks per round; there are at most a hundred.
const BATCH: u32 = 100;

impl App {
    /// Re-wraps what another root key than the newest seals. One that does not open must not keep the others waiting.
    pub(crate) async fn rewrap_webhooks(&self, call: &Call) -> Result<u64, Error> {
        let newest = self.inner.keys.root_key_id();
        let old = self.inner.store.read().await?.webhooks_not_under(&newest, BATCH).await?;
        let mut rewrapped = Vec::new();
        for webhook in &old {
            match self.rewrapped(webhook) {
                Ok(new) => rewrapped.push((webhook, new)),
                Err(error) => {
                    tracing::error!(webhook.id = %webhook.id, %error, "a webhook's secret cannot be re-wrapped")
                }
            }
        }
        if rewrapped.is_empty() {
            return Ok(0);
        }
        let mut change = self.inner.begin_change(call, "job.rewrap-webhooks").await?;
        // Also refuses a node that is out of date.
        self.inner.observe_root_key(call, &mut change).await?;
        let mut count = 0_u64;
        for (old, new) in &rewrapped {
            match change.rewrap_webhook(old, new).await {
                Ok(()) => count = count.saturating_add(1),
                // Done by another node, or the secret was rotated.
                Err(certwright_store::Error::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        change.commit().await?;
        Ok(count)
    }

    fn rewrapped(&self, webhook: &Webhook) -> Result<Webhook, Error> {
        let secret = self.inner.open_secret(webhook)?;
        let (secret, root_key_id) = self.inner.seal_secret(&webhook.id, &secret)?;
        Ok(Webhook { secret, root_key_id, ..webhook.clone() })
    }
}
