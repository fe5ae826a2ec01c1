//! Events.

use crate::Api;
use crate::answer::{Answer, document, done, list};
use crate::extract::{OptionalJson, Path, Query, Read, Write};
use crate::parse::{Faults, page};
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, EventFilter};
use certwright_domain::event::EventKind;
use certwright_domain::id::EventId;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all)).routes(routes!(one)).routes(routes!(resend))
}

/// List events
///
/// Newest first. One is written with every change of a certificate's or a CA's state; certificates issued in one shot
/// (`issue`, `sign`) are rows of the inventory and leave none.
#[utoipa::path(get, path = "/v1/events", operation_id = "listEvents", tag = "events", params(wire::EventQuery),
    responses((status = 200, description = "A page of events", body = wire::List<wire::Event>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::EventQuery>, uri: Uri) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let mut faults = Faults::default();
    let kind = faults.optional("/kind", q.kind.as_deref(), EventKind::parse);
    let filter = EventFilter { kind: faults.finish(kind)?, subject_id: q.subject };
    list(&app, &uri, app.events(&call, &filter, &page).await?, view::event)
}

/// Read an event
///
/// With its deliveries.
#[utoipa::path(get, path = "/v1/events/{event}", operation_id = "getEvent", tag = "events",
    params(("event" = String, Path, description = "Id")),
    responses((status = 200, description = "The event", body = wire::EventWithDeliveries)))]
async fn one(State(app): State<App>, Read(call): Read, Path(event): Path<String>, headers: HeaderMap) -> Answer {
    document(&headers, &view::event_with(app.event(&call, &id(&event)?).await?))
}

/// Send an event again
///
/// To every enabled webhook that wants its kind, also those made after it.
#[utoipa::path(post, path = "/v1/events/{event}/resend", operation_id = "resendEvent", tag = "events",
    params(("event" = String, Path, description = "Id"), wire::WriteQuery),
    responses((status = 200, description = "The event, or a trial", body = wire::EventWithDeliveries)))]
async fn resend(
    State(app): State<App>,
    Write(call): Write,
    Path(event): Path<String>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let sent = app.resend_event(&call, &id(&event)?).await?;
    done(&call, view::event_with(sent))
}

fn id(text: &str) -> Result<EventId, Problem> {
    EventId::parse(text).map_err(|invalid| Problem::invalid("", invalid))
}
