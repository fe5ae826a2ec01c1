//! Sending: what is due → claim → POST → record.
//!
//! Any node may send. Before it does, it claims the delivery with a compare-and-swap, for a while: two nodes never send
//! the same one at the same time, and what a node that died had claimed is due again when the claim ends, with the same
//! id. So a receiver may see an event twice (never less than once, as long as it answers in the end), and tells repeats
//! by the id.
//!
//! Every webhook is worked on by itself, with a bounded number of requests at a time: one that is slow or dead delays
//! nobody else.

use super::message;
use crate::change::by_id;
use crate::{App, Error};
use certwright_domain::id::WebhookId;
use certwright_domain::secret::SecretBytes;
use certwright_domain::time::Span;
use certwright_domain::webhook::{Delivery, DeliveryState, Outcome, Schedule, Webhook};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// How long a claim lasts: longer than an attempt can take.
const CLAIM: Span = Span::from_s(60);
/// Requests to one webhook at a time, on one node.
const AT_ONCE: u32 = 4;
/// Webhooks that are looked for at a time; there are at most a hundred.
const WEBHOOKS: u32 = 500;

/// The webhooks that this node is sending to.
#[derive(Default)]
pub(crate) struct Delivering(Mutex<BTreeSet<String>>);

/// While it lives, nobody else on this node sends to the webhook.
struct Turn<'d> {
    delivering: &'d Delivering,
    webhook: String,
}

impl Delivering {
    fn turn(&self, webhook: &WebhookId) -> Option<Turn<'_>> {
        let webhook = webhook.to_string();
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(webhook.clone());
        new.then_some(Turn { delivering: self, webhook })
    }

    fn is_busy(&self, webhook: &WebhookId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(webhook.as_str())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.delivering.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.webhook);
    }
}

impl App {
    /// Waits until a use case on this node has left something to deliver. For one waiter: whoever runs the deliveries.
    pub async fn delivery_stored(&self) {
        self.inner.store.delivery_stored().await;
    }

    /// Webhooks for which something is due and to which this node is not sending yet.
    pub async fn webhooks_due(&self) -> Result<Vec<WebhookId>, Error> {
        let mut due = self.inner.store.read().await?.webhooks_due(self.now(), WEBHOOKS).await?;
        due.retain(|webhook| !self.inner.delivering.is_busy(webhook));
        Ok(due)
    }

    /// Sends to one webhook until nothing is due for it any more; returns how many requests were made. Does nothing while
    /// this node is at it already.
    pub async fn deliver_to(&self, webhook: &WebhookId) -> Result<u64, Error> {
        let Some(_turn) = self.inner.delivering.turn(webhook) else { return Ok(0) };
        let mut sent = 0_u64;
        loop {
            let mut read = self.inner.store.read().await?;
            // Read anew each time: it may have been disabled, deleted or changed.
            let Some(webhook) = read.webhook(&by_id(webhook.as_str())?).await?.filter(|it| it.enabled) else {
                return Ok(sent);
            };
            let due = read.deliveries_due(&webhook.id, self.now(), AT_ONCE).await?;
            drop(read);
            if due.is_empty() {
                return Ok(sent);
            }
            sent = sent.saturating_add(self.send_batch(webhook, due).await?);
        }
    }

    async fn send_batch(&self, webhook: Webhook, due: Vec<Delivery>) -> Result<u64, Error> {
        let secret = Arc::new(self.inner.open_secret(&webhook));
        if let Err(error) = &*secret {
            tracing::error!(webhook.id = %webhook.id, %error, "a webhook's secret cannot be opened");
        }
        let webhook = Arc::new(webhook);
        let mut attempts = JoinSet::new();
        for delivery in due {
            let (app, webhook, secret) = (self.clone(), Arc::clone(&webhook), Arc::clone(&secret));
            attempts.spawn(async move { app.attempt(&webhook, (*secret).as_ref().ok(), delivery).await });
        }
        let (mut sent, mut failure) = (0_u64, None);
        while let Some(done) = attempts.join_next().await {
            match done.map_err(|error| Error::Internal(format!("an attempt to deliver ended: {error}")))? {
                Ok(true) => sent = sent.saturating_add(1),
                Ok(false) => {}
                // The others are waited for: what they learn is recorded.
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(sent), Err)
    }

    /// One attempt; false: another node was faster, or there is nothing to send any more.
    async fn attempt(
        &self,
        webhook: &Webhook,
        secret: Option<&SecretBytes>,
        delivery: Delivery,
    ) -> Result<bool, Error> {
        let now = self.now();
        let mut claimed = delivery.claimed(now, now.plus(CLAIM));
        let mut tx = self.inner.store.begin("webhook.claim").await?;
        let event = tx.event(&claimed.event_id).await?;
        if event.is_none() {
            claimed = claimed.without_event();
        }
        match tx.update_delivery(&claimed).await {
            Ok(()) => tx.commit().await?,
            Err(certwright_store::Error::Stale { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let Some(event) = event else { return Ok(false) };
        claimed.revision = claimed.revision.saturating_add(1);
        let outcome = match secret {
            Some(secret) => {
                let message = message::message(&event, &self.inner.settings.events.source, secret, now);
                match self.inner.outbound.post(&webhook.url, &message.headers, message.body).await {
                    Ok(answer) => Outcome::Answered { status: answer.status, retry_after: answer.retry_after },
                    Err(error) => Outcome::Failed { error: error.to_string() },
                }
            }
            None => Outcome::Failed { error: "the webhook's secret cannot be opened".to_owned() },
        };
        self.settle_attempt(claimed, &outcome).await?;
        Ok(true)
    }

    async fn settle_attempt(&self, claimed: Delivery, outcome: &Outcome) -> Result<(), Error> {
        let schedule = Schedule::starting_with(self.inner.settings.events.first_retry);
        let settled = claimed.settled(outcome, schedule, self.now());
        let mut tx = self.inner.store.begin("webhook.record").await?;
        match tx.update_delivery(&settled).await {
            Ok(()) => tx.commit().await?,
            // The attempt outlasted its claim, or somebody sent it again by hand: what they learn counts.
            Err(certwright_store::Error::Stale { .. }) => tx.rollback().await?,
            Err(error) => return Err(error.into()),
        }
        metrics::counter!("certwright_webhook_attempts_total", "state" => settled.state.as_str()).increment(1);
        if settled.state != DeliveryState::Delivered {
            tracing::warn!(
                webhook.id = %settled.webhook_id,
                event.id = %settled.event_id,
                attempts = settled.attempts,
                status = settled.last_status,
                error = settled.last_error,
                state = settled.state.as_str(),
                "an event was not taken by its receiver"
            );
        }
        Ok(())
    }
}
