//! Webhooks and their deliveries.

use crate::Api;
use crate::answer::{self, Answer, changed, done, gone, list, made, made_under_rules, resource};
use crate::extract::{IfMatch, Json, OptionalJson, Path, Query, Read, Write};
use crate::parse::{Faults, page, reference};
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, NewWebhook, UpdateWebhook};
use certwright_domain::event::EventKind;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::id::DeliveryId;
use certwright_domain::name::ResourceName;
use certwright_domain::webhook::DeliveryState;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(all, create))
        .routes(routes!(one, update, delete))
        .routes(routes!(rotate_secret))
        .routes(routes!(test))
        .routes(routes!(deliveries))
        .routes(routes!(resend))
}

/// List webhooks
///
/// By name.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "listWebhooks", tag = "events", params(wire::PageQuery),
    responses((status = 200, description = "A page of webhooks", body = wire::List<wire::Webhook>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.webhooks(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |webhook| view::webhook(&webhook))
}

/// Make a webhook
///
/// It gets the events from now on. Its secret is in the answer and nowhere else.
#[utoipa::path(post, path = "/v1/webhooks", operation_id = "createWebhook", tag = "events", params(wire::WriteQuery),
    request_body = wire::NewWebhook, responses((status = 201, description = "Made", body = wire::WebhookWithSecret),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Webhook>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewWebhook>) -> Answer {
    let (webhook, secret) = app.create_webhook(&call, new_webhook(&body)?).await?;
    if call.dry_run {
        return answer::trial(view::webhook(&webhook), Vec::new());
    }
    let location = format!("/v1/webhooks/{}", webhook.name);
    made(&call, &location, webhook.revision, view::webhook_with_secret(&webhook, &secret))
}

/// Read a webhook
#[utoipa::path(get, path = "/v1/webhooks/{webhook}", operation_id = "getWebhook", tag = "events",
    params(("webhook" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The webhook", body = wire::Webhook)))]
async fn one(State(app): State<App>, Read(call): Read, Path(webhook): Path<String>, headers: HeaderMap) -> Answer {
    let webhook = app.webhook(&call, &reference(&webhook)?).await?;
    resource(&headers, webhook.revision, &view::webhook(&webhook))
}

/// Change a webhook
///
/// Needs `If-Match`. A webhook that is disabled gets no events; what waits for it goes on waiting.
#[utoipa::path(patch, path = "/v1/webhooks/{webhook}", operation_id = "updateWebhook", tag = "events",
    params(("webhook" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::UpdateWebhook,
    responses((status = 200, description = "The webhook, or a trial", body = wire::Webhook)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(webhook): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdateWebhook>,
) -> Answer {
    let (webhook, if_match) = (reference(&webhook)?, IfMatch::of(&headers)?);
    let update = update_webhook(&body)?;
    let current = async { app.webhook(&call, &webhook).await.map(|webhook| webhook.revision) };
    let if_match = if_match.revision(current).await?;
    let webhook = app.update_webhook(&call, &webhook, update, if_match).await?;
    changed(&call, webhook.revision, view::webhook(&webhook))
}

/// Delete a webhook
///
/// At once; what was still to be delivered to it is not. `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/webhooks/{webhook}", operation_id = "deleteWebhook", tag = "events",
    params(("webhook" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"), (status = 200, description = "A trial", body = wire::DryRun<Option<wire::Webhook>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(webhook): Path<String>, headers: HeaderMap) -> Answer {
    let (webhook, if_match) = (reference(&webhook)?, IfMatch::of(&headers)?);
    let current = async { app.webhook(&call, &webhook).await.map(|webhook| webhook.revision) };
    let if_match = if_match.revision(current).await?;
    app.delete_webhook(&call, &webhook, if_match).await?;
    gone(&call, None::<wire::Webhook>)
}

/// Give a webhook another secret
///
/// The old one signs nothing from now on. The new one is in the answer and nowhere else.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/rotate-secret", operation_id = "rotateWebhookSecret", tag = "events",
    params(("webhook" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 200, description = "The webhook, or a trial", body = wire::WebhookWithSecret)))]
async fn rotate_secret(
    State(app): State<App>,
    Write(call): Write,
    Path(webhook): Path<String>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let (webhook, secret) = app.rotate_webhook_secret(&call, &reference(&webhook)?).await?;
    if call.dry_run {
        return answer::trial(view::webhook(&webhook), Vec::new());
    }
    changed(&call, webhook.revision, view::webhook_with_secret(&webhook, &secret))
}

/// Try a webhook
///
/// Sends a `webhook.test` event to this webhook alone, as any other event.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/test", operation_id = "testWebhook", tag = "events",
    params(("webhook" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 201, description = "The delivery", body = wire::Delivery),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Delivery>)))]
async fn test(
    State(app): State<App>,
    Write(call): Write,
    Path(webhook): Path<String>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let delivery = app.test_webhook(&call, &reference(&webhook)?).await?;
    let location = format!("/v1/events/{}", delivery.event_id);
    made_under_rules(&call, &location, None, view::delivery(delivery), Vec::new())
}

/// List deliveries to a webhook
///
/// Newest first.
#[utoipa::path(get, path = "/v1/webhooks/{webhook}/deliveries", operation_id = "listDeliveries", tag = "events",
    params(("webhook" = String, Path, description = "Name or id"), wire::DeliveryQuery),
    responses((status = 200, description = "A page of deliveries", body = wire::List<wire::Delivery>)))]
async fn deliveries(
    State(app): State<App>,
    Read(call): Read,
    Path(webhook): Path<String>,
    Query(q): Query<wire::DeliveryQuery>,
    uri: Uri,
) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let mut faults = Faults::default();
    let state = faults.optional("/state", q.state.as_deref(), DeliveryState::parse);
    let found = app.deliveries(&call, &reference(&webhook)?, faults.finish(state)?, &page).await?;
    list(&app, &uri, found, view::delivery)
}

/// Send a delivery again
///
/// Whatever became of it, with all its attempts before it.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/deliveries/{delivery}/resend", operation_id = "resendDelivery",
    tag = "events",
    params(("webhook" = String, Path, description = "Name or id"), ("delivery" = String, Path, description = "Id"), wire::WriteQuery),
    responses((status = 200, description = "The delivery, or a trial", body = wire::Delivery)))]
async fn resend(
    State(app): State<App>,
    Write(call): Write,
    Path((webhook, delivery)): Path<(String, String)>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let delivery = DeliveryId::parse(&delivery).map_err(|invalid| Problem::invalid("", invalid))?;
    let delivery = app.resend_delivery(&call, &reference(&webhook)?, &delivery).await?;
    done(&call, view::delivery(delivery))
}

fn new_webhook(body: &wire::NewWebhook) -> Result<NewWebhook, Problem> {
    let mut faults = Faults::default();
    let name = faults.name("/name", &body.name);
    let url = faults.take("/url", HttpUrl::parse(&body.url));
    let kinds = kinds(&mut faults, body.events.as_deref().unwrap_or_default());
    let enabled = body.enabled.unwrap_or(true);
    faults.finish(name.zip(url).zip(kinds).map(|((name, url), kinds)| NewWebhook { name, url, kinds, enabled }))
}

fn update_webhook(body: &wire::UpdateWebhook) -> Result<UpdateWebhook, Problem> {
    let mut faults = Faults::default();
    let name = faults.optional("/name", body.name.as_deref(), ResourceName::parse);
    let url = faults.optional("/url", body.url.as_deref(), HttpUrl::parse);
    let kinds = match &body.events {
        Some(events) => kinds(&mut faults, events).map(Some),
        None => Some(None),
    };
    let enabled = body.enabled;
    faults.finish(name.zip(url).zip(kinds).map(|((name, url), kinds)| UpdateWebhook { name, url, kinds, enabled }))
}

fn kinds(faults: &mut Faults, events: &[String]) -> Option<Vec<EventKind>> {
    let parsed: Vec<Option<EventKind>> = events
        .iter()
        .enumerate()
        .map(|(index, event)| faults.take(format!("/events/{index}"), EventKind::parse(event)))
        .collect();
    parsed.into_iter().collect()
}
