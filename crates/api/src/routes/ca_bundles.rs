//! CA bundles.

use crate::Api;
use crate::answer::{Answer, changed, file, gone, list, made, negotiated, resource, revised};
use crate::content;
use crate::extract::{IfMatch, Json, Path, Query, Read, Write};
use crate::negotiate::{CA_BUNDLE, Format, TRUST_STORE, choose};
use crate::openapi::Binary;
use crate::parse::{into, page, reference};
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use certwright_app::{App, KeyFile, RawCaBundle};
use certwright_domain::secret::SecretText;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, create)).routes(routes!(one, replace, delete)).routes(routes!(trust_store))
}

/// List CA bundles
///
/// By name, without their certificates. A page holds at most 100 bundles.
#[utoipa::path(get, path = "/v1/ca-bundles", operation_id = "listCaBundles", tag = "ca-bundles", params(wire::PageQuery),
    responses((status = 200, description = "A page of bundles", body = wire::List<wire::CaBundle>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.ca_bundles(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |bundle| view::ca_bundle_in_list(&bundle))
}

/// Make a CA bundle
#[utoipa::path(post, path = "/v1/ca-bundles", operation_id = "createCaBundle", tag = "ca-bundles",
    params(wire::WriteQuery), request_body = wire::NewCaBundle,
    responses((status = 201, description = "Made", body = wire::CaBundle),
    (status = 200, description = "A trial", body = wire::DryRun<wire::CaBundle>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewCaBundle>) -> Answer {
    let call = into(call, body.compartment.as_deref())?;
    let bundle = app.create_ca_bundle(&call, raw(body)).await?;
    made(&call, &format!("/v1/ca-bundles/{}", bundle.name), bundle.revision, view::ca_bundle(&bundle, app.now())?)
}

/// Read a CA bundle
///
/// As PEM the certificates keep their order; PKCS#7 (`p7`) sorts them.
#[utoipa::path(get, path = "/v1/ca-bundles/{bundle}", operation_id = "getCaBundle", tag = "ca-bundles",
    params(("bundle" = String, Path, description = "Name or id"), wire::FormatQuery),
    responses((status = 200, description = "The bundle", content((wire::CaBundle = "application/json"),
    (String = "application/x-pem-file"), (String = "application/pem-certificate-chain"),
    (Binary = "application/pkcs7-mime")))))]
async fn one(
    State(app): State<App>,
    Read(call): Read,
    Path(bundle): Path<String>,
    Query(q): Query<wire::FormatQuery>,
    headers: HeaderMap,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), CA_BUNDLE)?;
    let bundle = app.ca_bundle(&call, &reference(&bundle)?).await?;
    let answer = match content::ca_bundle(offer.format, &bundle.certificates)? {
        Some(body) => {
            let response = file(StatusCode::OK, offer, bundle.name.as_str(), body)?;
            revised(&headers, bundle.revision, response)
        }
        None => resource(&headers, bundle.revision, &view::ca_bundle(&bundle, app.now())?),
    };
    answer.map(negotiated)
}

/// Replace a CA bundle
///
/// Needs `If-Match`. Another name renames.
#[utoipa::path(put, path = "/v1/ca-bundles/{bundle}", operation_id = "replaceCaBundle", tag = "ca-bundles",
    params(("bundle" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::NewCaBundle,
    responses((status = 200, description = "The bundle, or a trial", body = wire::CaBundle)))]
async fn replace(
    State(app): State<App>,
    Write(call): Write,
    Path(bundle): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::NewCaBundle>,
) -> Answer {
    let (bundle, if_match) = (reference(&bundle)?, IfMatch::of(&headers)?);
    let current = async { app.ca_bundle(&call, &bundle).await.map(|bundle| bundle.revision) };
    let if_match = if_match.revision(current).await?;
    let after = app.replace_ca_bundle(&call, &bundle, raw(body), if_match).await?;
    changed(&call, after.revision, view::ca_bundle(&after, app.now())?)
}

/// Delete a CA bundle
///
/// `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/ca-bundles/{bundle}", operation_id = "deleteCaBundle", tag = "ca-bundles",
    params(("bundle" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"), (status = 200, description = "A trial", body = wire::DryRun<Option<wire::CaBundle>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(bundle): Path<String>, headers: HeaderMap) -> Answer {
    let (bundle, if_match) = (reference(&bundle)?, IfMatch::of(&headers)?);
    let current = async { app.ca_bundle(&call, &bundle).await.map(|bundle| bundle.revision) };
    let if_match = if_match.revision(current).await?;
    app.delete_ca_bundle(&call, &bundle, if_match).await?;
    gone(&call, None::<wire::CaBundle>)
}

/// Ask for a CA bundle as a trust store
///
/// PKCS#12 (`p12`, as Java and others trust by it) or Java's `jks`, under the password in the body. Aliases are the bundle's
/// name, numbered from the second on.
#[utoipa::path(post, path = "/v1/ca-bundles/{bundle}/trust-store", operation_id = "exportCaBundle", tag = "ca-bundles",
    params(("bundle" = String, Path, description = "Name or id")), request_body = wire::TrustStoreRequest,
    responses((status = 200, description = "The trust store", content((Binary = "application/pkcs12"),
    (Binary = "application/x-java-keystore")))))]
async fn trust_store(
    State(app): State<App>,
    Read(call): Read,
    Path(bundle): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::TrustStoreRequest>,
) -> Answer {
    let offer = choose(&headers, body.format.as_deref(), TRUST_STORE)?;
    let kind = match (offer.format, body.compat.unwrap_or(false)) {
        (Format::Jks, _) => KeyFile::Jks,
        (_, true) => KeyFile::Pkcs12Compat,
        (_, false) => KeyFile::Pkcs12,
    };
    let bundle = app.ca_bundle(&call, &reference(&bundle)?).await?;
    let trusted = bundle.certificates.iter().map(|der| (bundle.name.to_string(), der.clone())).collect();
    let password = SecretText::new(body.password.expose().to_owned());
    let made = app.trust_file(kind, trusted, password, bundle.created_at).await?;
    file(StatusCode::OK, offer, bundle.name.as_str(), made.expose().clone()).map(negotiated)
}

fn raw(body: wire::NewCaBundle) -> RawCaBundle {
    RawCaBundle { name: body.name, description: body.description.unwrap_or_default(), certificates: body.certificates }
}
