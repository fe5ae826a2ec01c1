//! The audit trail.

use crate::Api;
use crate::answer::{Answer, json, list};
use crate::extract::{Query, Read};
use crate::parse::page;
use crate::view;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode, Uri};
use certwright_app::{App, AuditFilter};
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all)).routes(routes!(verify)).routes(routes!(export))
}

/// List audit events
///
/// Newest first. Every call that changes something leaves one, written together with the change.
#[utoipa::path(get, path = "/v1/audit-events", operation_id = "listAuditEvents", tag = "audit", params(wire::AuditQuery),
    responses((status = 200, description = "A page of events", body = wire::List<wire::AuditEvent>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::AuditQuery>, uri: Uri) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let filter = AuditFilter { action: q.action, actor: q.actor, target_id: q.target, request_id: q.request_id };
    list(&app, &uri, app.audit_events(&call, &filter, &page).await?, view::audit_event)
}

/// Verify the audit trail
///
/// Follows the chains of hashes and the signed checkpoints, and names the first row of each chain that was changed, removed
/// or moved. A long trail takes several calls: while the answer has `next`, call again with its `chain` and `from`.
#[utoipa::path(get, path = "/v1/audit-events/verify", operation_id = "verifyAuditEvents", tag = "audit",
    params(wire::AuditVerifyQuery),
    responses((status = 200, description = "What was found", body = wire::AuditVerification)))]
async fn verify(State(app): State<App>, Read(call): Read, Query(q): Query<wire::AuditVerifyQuery>) -> Answer {
    let found = app.verify_audit(&call, q.chain.as_deref(), q.from.unwrap_or(1)).await?;
    json(StatusCode::OK, &view::audit_verification(found))
}

/// Export the audit trail
///
/// JSON lines with everything that a verification elsewhere needs (`certwright audit verify`): public keys, checkpoints, and
/// all events, chain by chain, oldest first.
#[utoipa::path(get, path = "/v1/audit-events/export", operation_id = "exportAuditEvents", tag = "audit",
    params(wire::AuditExportQuery),
    responses((status = 200, description = "The trail", body = String, content_type = "application/x-ndjson")))]
async fn export(State(app): State<App>, Read(call): Read, Query(q): Query<wire::AuditExportQuery>) -> Answer {
    let export = app.export_audit(&call, q.after.as_deref()).await?;
    // A failure ends the body before its time; the line `end` is missing then, too.
    let parts = futures_util::stream::try_unfold(export, |mut export| async move {
        let part = export.next().await.map_err(|error| {
            tracing::error!(%error, "an export of the audit trail broke off");
            std::io::Error::other("the export broke off")
        })?;
        Ok::<_, std::io::Error>(part.map(|part| (Bytes::from(part), export)))
    });
    let mut response = Response::new(Body::from_stream(parts));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}
