//! Trusts for client certificates.

use crate::Api;
use crate::answer::{Answer, changed, gone, list, made, resource};
use crate::extract::{IfMatch, Json, Path, Query, Read, Write};
use crate::parse::{Faults, page, reference};
use crate::problem::in_body;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, NewCertificateTrust};
use certwright_domain::identity::RawCertificateTrust;
use certwright_domain::name::Reference;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, create)).routes(routes!(one, replace, delete))
}

/// List certificate trusts
///
/// By name.
#[utoipa::path(get, path = "/v1/certificate-trusts", operation_id = "listCertificateTrusts", tag = "access",
    params(wire::PageQuery),
    responses((status = 200, description = "A page of trusts", body = wire::List<wire::CertificateTrust>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.certificate_trusts(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |trust| view::certificate_trust(&trust))
}

/// Make a certificate trust
///
/// Who shows a certificate that it means, and sends no token, comes in from now on.
#[utoipa::path(post, path = "/v1/certificate-trusts", operation_id = "createCertificateTrust", tag = "access",
    params(wire::WriteQuery), request_body = wire::NewCertificateTrust,
    responses((status = 201, description = "Made", body = wire::CertificateTrust),
    (status = 200, description = "A trial", body = wire::DryRun<wire::CertificateTrust>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewCertificateTrust>) -> Answer {
    let wire::NewCertificateTrust { name, description, ca, certificate_names, groups, names, enabled } = body;
    let mut faults = Faults::default();
    let ca = faults.take("/ca", Reference::parse(&ca));
    let ca = faults.finish(ca)?;
    let other =
        wire::ReplaceCertificateTrust { name: Some(name), description, certificate_names, groups, names, enabled };
    let named = in_body(&[("CA", "/ca")]);
    let trust =
        app.create_certificate_trust(&call, NewCertificateTrust { ca, settings: raw(other) }).await.map_err(named)?;
    let location = format!("/v1/certificate-trusts/{}", trust.settings.name());
    made(&call, &location, trust.revision, view::certificate_trust(&trust))
}

/// Read a certificate trust
#[utoipa::path(get, path = "/v1/certificate-trusts/{trust}", operation_id = "getCertificateTrust", tag = "access",
    params(("trust" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The trust", body = wire::CertificateTrust)))]
async fn one(State(app): State<App>, Read(call): Read, Path(trust): Path<String>, headers: HeaderMap) -> Answer {
    let trust = app.certificate_trust(&call, &reference(&trust)?).await?;
    resource(&headers, trust.revision, &view::certificate_trust(&trust))
}

/// Replace a certificate trust
///
/// Needs `If-Match`. The CA cannot be changed: certificates of another one are another trust.
#[utoipa::path(put, path = "/v1/certificate-trusts/{trust}", operation_id = "replaceCertificateTrust", tag = "access",
    params(("trust" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::ReplaceCertificateTrust,
    responses((status = 200, description = "The trust, or a trial", body = wire::CertificateTrust)))]
async fn replace(
    State(app): State<App>,
    Write(call): Write,
    Path(trust): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::ReplaceCertificateTrust>,
) -> Answer {
    let (trust, if_match) = (reference(&trust)?, IfMatch::of(&headers)?);
    let current = async { app.certificate_trust(&call, &trust).await.map(|trust| trust.revision) };
    let if_match = if_match.revision(current).await?;
    let trust = app.replace_certificate_trust(&call, &trust, raw(body), if_match).await?;
    changed(&call, trust.revision, view::certificate_trust(&trust))
}

/// Delete a certificate trust
///
/// Nobody comes in by it any more. `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/certificate-trusts/{trust}", operation_id = "deleteCertificateTrust",
    tag = "access", params(("trust" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"),
    (status = 200, description = "A trial", body = wire::DryRun<Option<wire::CertificateTrust>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(trust): Path<String>, headers: HeaderMap) -> Answer {
    let (trust, if_match) = (reference(&trust)?, IfMatch::of(&headers)?);
    let current = async { app.certificate_trust(&call, &trust).await.map(|trust| trust.revision) };
    let if_match = if_match.revision(current).await?;
    app.delete_certificate_trust(&call, &trust, if_match).await?;
    gone(&call, None::<wire::CertificateTrust>)
}

/// Without a name, the name stays as it is.
fn raw(body: wire::ReplaceCertificateTrust) -> RawCertificateTrust {
    let wire::ReplaceCertificateTrust { name, description, certificate_names, groups, names, enabled } = body;
    RawCertificateTrust {
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        certificate_names,
        groups: groups.unwrap_or_default(),
        names,
        enabled: enabled.unwrap_or(true),
    }
}
