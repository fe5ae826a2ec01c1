//! Events, webhooks and deliveries.

use crate::SecretText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Something that happened to a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Id; the `webhook-id` of its deliveries.
    #[schema(example = "event_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// What happened; `docs/events.md` lists the kinds.
    #[schema(example = "ca.renewed")]
    pub kind: String,
    /// When.
    pub at: String,
    /// What it happened to.
    pub subject: EventSubject,
    /// Id of the request that caused it.
    pub request_id: String,
    /// Facts.
    pub details: BTreeMap<String, String>,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSubject {
    /// Kind.
    #[schema(example = "ca")]
    pub kind: String,
    /// Id; a serial for issued certificates.
    pub id: String,
    /// Name; empty where it has none.
    pub name: String,
}

/// An event with its deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventWithDeliveries {
    /// The event.
    pub event: Event,
    /// Its deliveries to webhooks that are there.
    pub deliveries: Vec<Delivery>,
}

/// A webhook to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "deploy", "url": "https://hooks.example.com/certwright", "events": ["ca.renewed"]}))]
pub struct NewWebhook {
    /// Name, unique among webhooks.
    pub name: String,
    /// The receiver: `https://…` (or `http://…`), on a public address or in an allowed range.
    pub url: String,
    /// Kinds of events it gets; empty or missing: all.
    pub events: Option<Vec<String>>,
    /// Does it get events? Default `true`.
    pub enabled: Option<bool>,
}

/// A change to a webhook; what is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"enabled": false}))]
pub struct UpdateWebhook {
    /// New name.
    pub name: Option<String>,
    /// New receiver.
    pub url: Option<String>,
    /// Kinds of events it gets from now on; empty: all.
    pub events: Option<Vec<String>>,
    /// Does it get events?
    pub enabled: Option<bool>,
}

/// A webhook: where events go. Its secret is never shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Id.
    #[schema(example = "webhook_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "deploy")]
    pub name: String,
    /// The receiver.
    #[schema(example = "https://hooks.example.com/certwright")]
    pub url: String,
    /// Kinds of events it gets; empty: all.
    pub events: Vec<String>,
    /// Does it get events?
    pub enabled: bool,
    /// When it was made.
    pub created_at: String,
}

/// A webhook with the secret that was just made for it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookWithSecret {
    /// Id.
    #[schema(example = "webhook_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "deploy")]
    pub name: String,
    /// The receiver.
    #[schema(example = "https://hooks.example.com/certwright")]
    pub url: String,
    /// Kinds of events it gets; empty: all.
    pub events: Vec<String>,
    /// Does it get events?
    pub enabled: bool,
    /// The secret that deliveries are signed with, `whsec_…`. Shown once.
    #[schema(value_type = String)]
    pub secret: SecretText,
    /// When it was made.
    pub created_at: String,
}

/// The delivery of an event to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Id, unique within the webhook.
    #[schema(example = "delivery_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Id of the webhook.
    #[schema(example = "webhook_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub webhook_id: String,
    /// Id of the event.
    #[schema(example = "event_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub event_id: String,
    /// `PENDING` (will be tried, again or for the first time), `DELIVERED` or `FAILED` (given up).
    #[schema(example = "DELIVERED")]
    pub state: String,
    /// How often it was tried since it was made or sent again by hand.
    #[schema(example = 1)]
    pub attempts: u32,
    /// When it was made.
    pub created_at: String,
    /// When it will be tried.
    pub next_attempt_at: Option<String>,
    /// When it was last tried.
    pub last_attempt_at: Option<String>,
    /// The HTTP status that the receiver last answered.
    #[schema(example = 204)]
    pub last_status: Option<u16>,
    /// Why there was no answer.
    pub last_error: Option<String>,
}
