//! Events, webhooks and deliveries.

use super::text;
use certwright_domain::event::{Event, EventKind};
use certwright_domain::secret::SecretText;
use certwright_domain::webhook::{Delivery, Webhook};
use certwright_wire as wire;

/// An event.
pub(crate) fn event(event: Event) -> wire::Event {
    wire::Event {
        id: event.id.to_string(),
        kind: event.kind.to_string(),
        at: event.at.to_string(),
        subject: wire::EventSubject { kind: event.subject_kind, id: event.subject_id, name: event.subject_name },
        request_id: event.request_id,
        details: event.details.into_iter().collect(),
    }
}

/// An event with its deliveries.
pub(crate) fn event_with((it, deliveries): (Event, Vec<Delivery>)) -> wire::EventWithDeliveries {
    wire::EventWithDeliveries { event: event(it), deliveries: deliveries.into_iter().map(delivery).collect() }
}

/// A webhook.
pub(crate) fn webhook(webhook: &Webhook) -> wire::Webhook {
    wire::Webhook {
        id: webhook.id.to_string(),
        name: webhook.name.to_string(),
        url: webhook.url.to_string(),
        events: kinds(&webhook.kinds),
        enabled: webhook.enabled,
        created_at: webhook.created_at.to_string(),
    }
}

/// A webhook with the secret that was just made for it.
pub(crate) fn webhook_with_secret(it: &Webhook, secret: &SecretText) -> wire::WebhookWithSecret {
    let wire::Webhook { id, name, url, events, enabled, created_at } = webhook(it);
    let secret = wire::SecretText::new(secret.expose().clone());
    wire::WebhookWithSecret { id, name, url, events, enabled, secret, created_at }
}

/// A delivery.
pub(crate) fn delivery(delivery: Delivery) -> wire::Delivery {
    wire::Delivery {
        id: delivery.id.to_string(),
        webhook_id: delivery.webhook_id.to_string(),
        event_id: delivery.event_id.to_string(),
        state: delivery.state.to_string(),
        attempts: delivery.attempts,
        created_at: delivery.created_at.to_string(),
        next_attempt_at: text(delivery.next_attempt_at),
        last_attempt_at: text(delivery.last_attempt_at),
        last_status: delivery.last_status,
        last_error: delivery.last_error,
    }
}

fn kinds(kinds: &[EventKind]) -> Vec<String> {
    kinds.iter().map(ToString::to_string).collect()
}
