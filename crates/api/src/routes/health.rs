//! Health and the description of the API; open to all.

use crate::answer::{self, Answer};
use crate::{Api, openapi};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use certwright_app::App;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

pub(crate) fn openapi_route() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(description))
}

/// Is the server alive?
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "open",
    responses((status = 200, description = "Alive", body = wire::Health)))]
async fn healthz() -> Answer {
    answer::json(StatusCode::OK, &wire::Health { status: "ok".to_owned(), warnings: Vec::new() })
}

/// Can the server work?
///
/// 503 while the database is away. Revocation lists that could not be made, published elsewhere, or have lapsed are
/// warnings, and sinks that do not take the audit trail.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "open",
    responses((status = 200, description = "Ready", body = wire::Health)))]
async fn readyz(State(app): State<App>) -> Answer {
    app.ready().await?;
    let crls = app.crl_warnings().await?;
    let sinks = app.audit_sinks_behind().await?;
    let warning = |code: &str, count, detail: &str| wire::HealthWarning {
        code: code.to_owned(),
        count,
        detail: detail.to_owned(),
    };
    let warnings = [
        warning("crl_failing", crls.failing, "Revocation lists could not be made; the last ones are served."),
        warning("crl_lapsed", crls.lapsed, "Revocation lists are missing, or past their nextUpdate."),
        warning("publication_failing", crls.unpublished, "Lists or certificates could not be published elsewhere."),
        warning("audit_shipping_failing", sinks, "Sinks do not take the audit trail; nothing of it is lost."),
    ];
    let warnings = warnings.into_iter().filter(|warning| warning.count > 0).collect();
    answer::json(StatusCode::OK, &wire::Health { status: "ok".to_owned(), warnings })
}

/// Read this description
#[utoipa::path(get, path = "/openapi.yaml", operation_id = "openapi", tag = "open",
    responses((status = 200, description = "OpenAPI 3.1", body = String, content_type = "application/yaml")))]
async fn description(headers: HeaderMap) -> Answer {
    let body = openapi::shared_yaml().as_bytes().to_vec();
    let tag = answer::content_etag(&body);
    answer::with_etag(&headers, &tag, answer::bytes(StatusCode::OK, "application/yaml", body))
}
