//! Calls to renew early.

use crate::Api;
use crate::answer::{Answer, gone, list, made, resource};
use crate::extract::{Json, Path, Query, Read, Write};
use crate::parse::{Faults, page, reference};
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, NewEarlyRenewal};
use certwright_domain::http_url::HttpUrl;
use certwright_domain::name::Reference;
use certwright_domain::renewal::RawEarlyRenewal;
use certwright_domain::time::{Span, Timestamp};
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, create)).routes(routes!(one, delete))
}

/// List calls to renew early
///
/// Newest first.
#[utoipa::path(get, path = "/v1/certificate-authorities/{ca}/early-renewals", operation_id = "listEarlyRenewals",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id"), wire::PageQuery),
    responses((status = 200, description = "A page of calls", body = wire::List<wire::EarlyRenewal>)))]
async fn all(
    State(app): State<App>,
    Read(call): Read,
    Path(ca): Path<String>,
    Query(q): Query<wire::PageQuery>,
    uri: Uri,
) -> Answer {
    let found = app.early_renewals(&call, &reference(&ca)?, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |call| view::early_renewal(&call))
}

/// Have certificates of a CA renewed early
///
/// Moves the due time (`renewAt`) of all end-entity certificates of the CA, or of some of them, to a time between `from` and the
/// end of `within`, each to a time of its own, and never to a later one than its usual time. Managed certificates are renewed then;
/// ACME clients read it from their renewal information. Certificates that are issued later are not touched. What is called for
/// twice is moved once.
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/early-renewals", operation_id = "createEarlyRenewal",
    tag = "certificate-authorities", params(("ca" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::NewEarlyRenewal,
    responses((status = 201, description = "Made; many certificates are moved in the background", body = wire::EarlyRenewal),
    (status = 200, description = "A trial", body = wire::DryRun<wire::EarlyRenewal>)))]
async fn create(
    State(app): State<App>,
    Write(call): Write,
    Path(ca): Path<String>,
    Json(body): Json<wire::NewEarlyRenewal>,
) -> Answer {
    let ca = reference(&ca)?;
    let mut faults = Faults::default();
    let from = faults.optional("/from", body.from.as_deref(), Timestamp::parse);
    let spread = faults.optional("/within", body.within.as_deref(), Span::parse);
    let issued_before = faults.optional("/issuedBefore", body.issued_before.as_deref(), Timestamp::parse);
    let profile = faults.optional("/profile", body.profile.as_deref(), Reference::parse);
    let directory = faults.optional("/acmeDirectory", body.acme_directory.as_deref(), Reference::parse);
    let explanation_url = faults.optional("/explanationUrl", body.explanation_url.as_deref(), HttpUrl::parse);
    let parts = from.zip(spread).zip(issued_before).zip(profile.zip(directory)).zip(explanation_url);
    let ((((from, spread), issued_before), (profile, directory)), explanation_url) = faults.finish(parts)?;
    let reason = body.reason.unwrap_or_default();
    let terms = RawEarlyRenewal { from, spread, issued_before, reason, explanation_url, ..RawEarlyRenewal::default() };
    let created = app.create_early_renewal(&call, &ca, NewEarlyRenewal { terms, profile, directory }).await?;
    let location = format!("/v1/certificate-authorities/{}/early-renewals/{}", created.ca, created.id);
    made(&call, &location, created.revision, view::early_renewal(&created))
}

/// Read a call to renew early
#[utoipa::path(get, path = "/v1/certificate-authorities/{ca}/early-renewals/{earlyRenewal}",
    operation_id = "getEarlyRenewal", tag = "certificate-authorities",
    params(("ca" = String, Path, description = "Name or id"), ("earlyRenewal" = String, Path, description = "Id")),
    responses((status = 200, description = "The call", body = wire::EarlyRenewal)))]
async fn one(
    State(app): State<App>,
    Read(call): Read,
    Path((ca, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let found = app.early_renewal(&call, &reference(&ca)?, &id).await?;
    resource(&headers, found.revision, &view::early_renewal(&found))
}

/// Take a call to renew early back
///
/// What it has moved is due at its usual time again, or when another call wants it. What was renewed meanwhile stays renewed.
#[utoipa::path(delete, path = "/v1/certificate-authorities/{ca}/early-renewals/{earlyRenewal}",
    operation_id = "deleteEarlyRenewal", tag = "certificate-authorities",
    params(("ca" = String, Path, description = "Name or id"), ("earlyRenewal" = String, Path, description = "Id"),
    wire::WriteQuery),
    responses((status = 204, description = "Taken back; many certificates are put back in the background"),
    (status = 200, description = "A trial", body = wire::DryRun<Option<wire::EarlyRenewal>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path((ca, id)): Path<(String, String)>) -> Answer {
    app.delete_early_renewal(&call, &reference(&ca)?, &id).await?;
    gone(&call, None::<wire::EarlyRenewal>)
}
