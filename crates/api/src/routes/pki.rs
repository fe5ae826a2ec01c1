//! Issuer certificates under the URLs that stand in certificates (RFC 5280 section 4.2.2.1); open to all, also on the
//! plain listener, because clients fetch them before they trust us.

use crate::Api;
use crate::answer::{self, Answer, public, with_etag};
use crate::extract::Path;
use crate::openapi::Binary;
use crate::parse::{reference, version};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use certwright_app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(current)).routes(routes!(of_version))
}

/// Fetch a CA's certificate
///
/// DER of the current version.
#[utoipa::path(get, path = "/pki/{ca}/ca.crt", operation_id = "getIssuerCertificate", tag = "open",
    params(("ca" = String, Path, description = "Name or id")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-cert")))]
async fn current(State(app): State<App>, Path(ca): Path<String>, headers: HeaderMap) -> Answer {
    certificate(&headers, app.ca_certificate(&reference(&ca)?, None).await?, "public, max-age=300")
}

/// Fetch the certificate of a CA's version
///
/// DER; it never changes.
#[utoipa::path(get, path = "/pki/{ca}/{version}/ca.crt", operation_id = "getIssuerCertificateVersion", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-cert")))]
async fn of_version(State(app): State<App>, Path((ca, number)): Path<(String, String)>, headers: HeaderMap) -> Answer {
    let der = app.ca_certificate(&reference(&ca)?, Some(version(&number)?)).await?;
    certificate(&headers, der, "public, max-age=86400")
}

fn certificate(headers: &HeaderMap, der: Vec<u8>, cache_control: &'static str) -> Answer {
    let tag = answer::content_etag(&der);
    let response = public(answer::bytes(StatusCode::OK, "application/pkix-cert", der), cache_control);
    with_etag(headers, &tag, response)
}
