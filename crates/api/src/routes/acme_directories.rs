//! ACME directories.

use crate::Api;
use crate::answer::{Answer, changed, gone, list, made, resource};
use crate::extract::{IfMatch, Json, Path, Query, Read, Write};
use crate::parse::{Faults, page, reference};
use crate::problem::in_body;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, NewAcmeDirectory};
use certwright_domain::acme::{Directory, RawDirectory};
use certwright_domain::name::Reference;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, create)).routes(routes!(one, replace, delete))
}

fn view_of(app: &App, directory: &Directory) -> wire::AcmeDirectory {
    view::acme_directory(directory, app.acme_directory_url(directory))
}

/// List ACME directories
///
/// By name; those that you may see.
#[utoipa::path(get, path = "/v1/acme-directories", operation_id = "listAcmeDirectories", tag = "acme",
    params(wire::PageQuery),
    responses((status = 200, description = "A page of ACME directories", body = wire::List<wire::AcmeDirectory>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.acme_directories(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |directory| view_of(&app, &directory))
}

/// Make an ACME directory
///
/// Clients find it under `url` at once. It gives away what its CA may sign: whoever makes one must be allowed to have that CA sign
/// for any name.
#[utoipa::path(post, path = "/v1/acme-directories", operation_id = "createAcmeDirectory", tag = "acme",
    params(wire::WriteQuery), request_body = wire::NewAcmeDirectory,
    responses((status = 201, description = "Made", body = wire::AcmeDirectory),
    (status = 200, description = "A trial", body = wire::DryRun<wire::AcmeDirectory>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewAcmeDirectory>) -> Answer {
    let mut faults = Faults::default();
    let ca = faults.take("/ca", Reference::parse(&body.ca));
    let ca = faults.finish(ca)?;
    let named = in_body(&[("CA", "/ca")]);
    let directory =
        app.create_acme_directory(&call, NewAcmeDirectory { ca, settings: raw(body) }).await.map_err(named)?;
    let location = format!("/v1/acme-directories/{}", directory.settings.name());
    made(&call, &location, directory.revision, view_of(&app, &directory))
}

/// Read an ACME directory
#[utoipa::path(get, path = "/v1/acme-directories/{directory}", operation_id = "getAcmeDirectory", tag = "acme",
    params(("directory" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The ACME directory", body = wire::AcmeDirectory)))]
async fn one(State(app): State<App>, Read(call): Read, Path(directory): Path<String>, headers: HeaderMap) -> Answer {
    let directory = app.acme_directory(&call, &reference(&directory)?).await?;
    resource(&headers, directory.revision, &view_of(&app, &directory))
}

/// Replace an ACME directory
///
/// Needs `If-Match`. The CA cannot be changed: another CA is another directory. Orders that are under way are judged by what
/// the directory is when they are finalized.
#[utoipa::path(put, path = "/v1/acme-directories/{directory}", operation_id = "replaceAcmeDirectory", tag = "acme",
    params(("directory" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::ReplaceAcmeDirectory,
    responses((status = 200, description = "The ACME directory, or a trial", body = wire::AcmeDirectory)))]
async fn replace(
    State(app): State<App>,
    Write(call): Write,
    Path(directory): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::ReplaceAcmeDirectory>,
) -> Answer {
    let (directory, if_match) = (reference(&directory)?, IfMatch::of(&headers)?);
    let current = async { app.acme_directory(&call, &directory).await.map(|directory| directory.revision) };
    let if_match = if_match.revision(current).await?;
    let directory = app.replace_acme_directory(&call, &directory, raw_of_other(body), if_match).await?;
    changed(&call, directory.revision, view_of(&app, &directory))
}

/// Delete an ACME directory
///
/// Refused while it has accounts: disable it instead. `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/acme-directories/{directory}", operation_id = "deleteAcmeDirectory", tag = "acme",
    params(("directory" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"),
    (status = 200, description = "A trial", body = wire::DryRun<Option<wire::AcmeDirectory>>)))]
async fn delete(
    State(app): State<App>,
    Write(call): Write,
    Path(directory): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let (directory, if_match) = (reference(&directory)?, IfMatch::of(&headers)?);
    let current = async { app.acme_directory(&call, &directory).await.map(|directory| directory.revision) };
    let if_match = if_match.revision(current).await?;
    app.delete_acme_directory(&call, &directory, if_match).await?;
    gone(&call, None::<wire::AcmeDirectory>)
}

fn raw(body: wire::NewAcmeDirectory) -> RawDirectory {
    RawDirectory {
        name: body.name,
        description: body.description.unwrap_or_default(),
        profiles: body.profiles.unwrap_or_default(),
        challenges: body.challenges.unwrap_or_default(),
        external_account_required: body.external_account_required.unwrap_or(false),
        without_challenge: body.without_challenge.unwrap_or(false),
        client_certificates: body.client_certificates.unwrap_or(false),
        names: body.names,
        allowed_private_ranges: body.allowed_private_ranges.unwrap_or_default(),
        terms_of_service: body.terms_of_service,
        website: body.website,
        caa_identities: body.caa_identities.unwrap_or_default(),
        check_caa: body.check_caa.unwrap_or(false),
        authorization_lifetime: body.authorization_lifetime,
        reuse_authorizations: body.reuse_authorizations.unwrap_or(true),
        vantage_points: body.vantage_points,
        enabled: body.enabled.unwrap_or(true),
    }
}

/// Without a name, the name stays as it is.
fn raw_of_other(body: wire::ReplaceAcmeDirectory) -> RawDirectory {
    raw(wire::NewAcmeDirectory {
        name: body.name.unwrap_or_default(),
        ca: String::new(),
        description: body.description,
        profiles: body.profiles,
        challenges: body.challenges,
        external_account_required: body.external_account_required,
        without_challenge: body.without_challenge,
        client_certificates: body.client_certificates,
        names: body.names,
        allowed_private_ranges: body.allowed_private_ranges,
        terms_of_service: body.terms_of_service,
        website: body.website,
        caa_identities: body.caa_identities,
        check_caa: body.check_caa,
        authorization_lifetime: body.authorization_lifetime,
        reuse_authorizations: body.reuse_authorizations,
        vantage_points: body.vantage_points,
        enabled: body.enabled,
    })
}
