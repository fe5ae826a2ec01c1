//! The audit trail.

use crate::Api;
use crate::answer::{Answer, list};
use crate::extract::{Query, Read};
use crate::parse::page;
use crate::view;
use axum::extract::State;
use axum::http::Uri;
use certwright_app::{App, AuditFilter};
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all))
}

/// List audit events
///
/// Newest first. Every call that changes something leaves one, written together with the change.
#[utoipa::path(get, path = "/v1/audit-events", operation_id = "listAuditEvents", tag = "audit", params(wire::AuditQuery),
    responses((status = 200, description = "A page of events", body = wire::List<wire::AuditEvent>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::AuditQuery>, uri: Uri) -> Answer {
    let page = page(q.limit, q.cursor.as_deref())?;
    let filter = AuditFilter { action: q.action, actor: q.actor, target_id: q.target, request_id: q.request_id };
    list(&uri, app.audit_events(&call, &filter, &page).await?, view::audit_event)
}
