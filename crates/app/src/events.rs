//! The history of events and deliveries, and sending again.

use crate::audit::Target;
use crate::webhooks::{find, refuse_unless_enabled, target};
use crate::{App, Call, Error, Permission};
use certwright_domain::event::Event;
use certwright_domain::id::{DeliveryId, EventId, WebhookId};
use certwright_domain::name::Reference;
use certwright_domain::webhook::{Delivery, DeliveryState};
use certwright_store::{EventFilter, Page, PageRequest, Queries, Tx};

/// Webhooks read at a time; there are at most a hundred.
const ALL_WEBHOOKS: PageRequest = PageRequest { limit: 500, after: None };

impl App {
    /// Events, newest first.
    pub async fn events(&self, call: &Call, filter: &EventFilter, page: &PageRequest) -> Result<Page<Event>, Error> {
        self.may(call, Permission::EventRead, "event")?;
        Ok(self.inner.store.read().await?.events(filter, page).await?)
    }

    /// One event, with its deliveries.
    pub async fn event(&self, call: &Call, event: &EventId) -> Result<(Event, Vec<Delivery>), Error> {
        self.may(call, Permission::EventRead, "event")?;
        with_deliveries(&mut *self.inner.store.read().await?, event).await
    }

    /// Deliveries to a webhook, newest first; only those in `state`, where it is given.
    pub async fn deliveries(
        &self,
        call: &Call,
        webhook: &Reference,
        state: Option<DeliveryState>,
        page: &PageRequest,
    ) -> Result<Page<Delivery>, Error> {
        self.may(call, Permission::WebhookRead, "webhook")?;
        let mut read = self.inner.store.read().await?;
        let webhook = find(&mut *read, webhook).await?;
        Ok(read.deliveries(&webhook.id, state, page).await?)
    }

    /// Sends a delivery again, whatever became of it, with all its attempts before it.
    pub async fn resend_delivery(
        &self,
        call: &Call,
        webhook: &Reference,
        delivery: &DeliveryId,
    ) -> Result<Delivery, Error> {
        self.may(call, Permission::WebhookManage, "webhook")?;
        let mut tx = self.inner.store.begin("webhook.resend").await?;
        let webhook = find(&mut *tx, webhook).await?;
        let known = tx.delivery(&webhook.id, delivery).await?;
        let known = known.ok_or_else(|| Error::not_found("delivery", delivery))?;
        refuse_unless_enabled(&webhook)?;
        self.send_again(&mut tx, &webhook.id, &known.event_id, Some(known.clone())).await?;
        let details = [("delivery", known.id.as_str()), ("event", known.event_id.as_str())];
        tx.insert_audit(&self.inner.audit(call, "webhook.resend", target(&webhook), &details)).await?;
        self.finish_resend(call, tx).await?;
        let sent = self.inner.store.read().await?.delivery(&webhook.id, delivery).await?;
        sent.ok_or_else(|| Error::not_found("delivery", delivery))
    }

    /// Sends an event again to every enabled webhook that wants its kind, also those that were made or changed after it.
    pub async fn resend_event(&self, call: &Call, event: &EventId) -> Result<(Event, Vec<Delivery>), Error> {
        self.may(call, Permission::WebhookManage, "webhook")?;
        let mut tx = self.inner.store.begin("event.resend").await?;
        let (event, deliveries) = with_deliveries(&mut *tx, event).await?;
        let mut count = 0_u32;
        for webhook in tx.webhooks(&ALL_WEBHOOKS).await?.items {
            let known = deliveries.iter().find(|it| it.webhook_id == webhook.id).cloned();
            if webhook.enabled && (known.is_some() || webhook.wants(event.kind)) {
                self.send_again(&mut tx, &webhook.id, &event.id, known).await?;
                count = count.saturating_add(1);
            }
        }
        let target = Target { kind: "event", id: event.id.as_str(), name: event.kind.as_str() };
        let details = [("webhooks", &*count.to_string())];
        tx.insert_audit(&self.inner.audit(call, "event.resend", target, &details)).await?;
        self.finish_resend(call, tx).await?;
        with_deliveries(&mut *self.inner.store.read().await?, &event.id).await
    }

    async fn send_again(
        &self,
        tx: &mut Tx<'_>,
        webhook: &WebhookId,
        event: &EventId,
        known: Option<Delivery>,
    ) -> Result<(), Error> {
        let now = self.now();
        match known {
            Some(delivery) => tx.update_delivery(&delivery.resent(now)).await?,
            None => tx.insert_delivery(&Delivery::new(webhook.clone(), event, now)).await?,
        }
        Ok(())
    }

    async fn finish_resend(&self, call: &Call, tx: Tx<'_>) -> Result<(), Error> {
        match call.dry_run {
            true => Ok(tx.rollback().await?),
            false => Ok(tx.commit().await?),
        }
    }
}

async fn with_deliveries(queries: &mut dyn Queries, event: &EventId) -> Result<(Event, Vec<Delivery>), Error> {
    let found = queries.event(event).await?.ok_or_else(|| Error::not_found("event", event))?;
    let deliveries = queries.event_deliveries(event).await?;
    Ok((found, deliveries))
}
