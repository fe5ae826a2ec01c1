//! Versions of managed certificates.

use super::shown;
use crate::Api;
use crate::answer::{Answer, document, done, gone, list};
use crate::extract::{OptionalJson, Path, Query, Read, Write};
use crate::parse::{Faults, page, reference, version};
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, Revoke};
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(versions))
        .routes(routes!(one, delete))
        .routes(routes!(make_current))
        .routes(routes!(revoke))
}

/// List a certificate's versions
///
/// Newest first.
#[utoipa::path(get, path = "/v1/certificates/{certificate}/versions", operation_id = "listCertificateVersions",
    tag = "certificates", params(("certificate" = String, Path, description = "Name or id"), wire::PageQuery),
    responses((status = 200, description = "A page of versions", body = wire::List<wire::CertificateVersion>)))]
async fn versions(
    State(app): State<App>,
    Read(call): Read,
    Path(name): Path<String>,
    Query(q): Query<wire::PageQuery>,
    uri: Uri,
) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    list(&app, &uri, app.certificate_versions(&call, &reference(&name)?, &page).await?, |one| {
        view::certificate_version(&one)
    })
}

/// Read a certificate's version
#[utoipa::path(get, path = "/v1/certificates/{certificate}/versions/{version}", operation_id = "getCertificateVersion",
    tag = "certificates", params(("certificate" = String, Path, description = "Name or id"),
    ("version" = u32, Path, description = "Number")),
    responses((status = 200, description = "The version", body = wire::CertificateVersion)))]
async fn one(
    State(app): State<App>,
    Read(call): Read,
    Path((name, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let found = app.certificate_version(&call, &reference(&name)?, version(&number)?).await?;
    document(&headers, &view::certificate_version(&found))
}

/// Delete a certificate's version
///
/// Only a `DEPRECATED` one. Its private key is destroyed with it, unless another version uses it; the inventory keeps its row.
#[utoipa::path(delete, path = "/v1/certificates/{certificate}/versions/{version}",
    operation_id = "deleteCertificateVersion", tag = "certificates",
    params(("certificate" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Number"),
    wire::WriteQuery), responses((status = 204, description = "Gone"),
    (status = 200, description = "A trial", body = wire::DryRun<Option<wire::CertificateVersion>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path((name, number)): Path<(String, String)>) -> Answer {
    app.delete_certificate_version(&call, &reference(&name)?, version(&number)?).await?;
    gone(&call, None::<wire::CertificateVersion>)
}

/// Take a certificate's version into use
///
/// Going back to the one before is allowed; deprecated, revoked and expired ones are refused.
#[utoipa::path(post, path = "/v1/certificates/{certificate}/versions/{version}/make-current",
    operation_id = "makeCertificateVersionCurrent", tag = "certificates",
    params(("certificate" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Number"),
    wire::WriteQuery), responses((status = 200, description = "The certificate, or a trial", body = wire::Certificate)))]
async fn make_current(
    State(app): State<App>,
    Write(call): Write,
    Path((name, number)): Path<(String, String)>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    shown(&call, &app.make_certificate_version_current(&call, &reference(&name)?, version(&number)?).await?)
}

/// Revoke a certificate's version
///
/// It is on the CA's next revocation list. Imported ones are their issuer's to revoke.
#[utoipa::path(post, path = "/v1/certificates/{certificate}/versions/{version}/revoke",
    operation_id = "revokeCertificateVersion", tag = "certificates",
    params(("certificate" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Number"),
    wire::WriteQuery), request_body = wire::RevokeCertificate,
    responses((status = 200, description = "The version, or a trial", body = wire::CertificateVersion)))]
async fn revoke(
    State(app): State<App>,
    Write(call): Write,
    Path((name, number)): Path<(String, String)>,
    OptionalJson(body): OptionalJson<wire::RevokeCertificate>,
) -> Answer {
    let mut faults = Faults::default();
    let reason = faults.reason(body.reason.as_deref());
    let (name, number): (_, u32) = (reference(&name)?, version(&number)?);
    let revoke = Revoke { reason: faults.finish(reason)?, siblings: body.siblings.unwrap_or(false) };
    let found = app.revoke_certificate_version(&call, &name, number, revoke).await?;
    done(&call, view::certificate_version(&found))
}
