//! Master keys.

use crate::Api;
use crate::answer::{Answer, changed, document, list, made, negotiated, resource, with_etag};
use crate::extract::{IfMatch, Json, OptionalJson, Path, Query, Read, Write};
use crate::negotiate::{Format, PUBLIC_KEY, choose};
use crate::openapi::Binary;
use crate::parse::{Faults, into, page, reference};
use crate::problem::{Problem, in_body};
use crate::{answer, view};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use certwright_app::{App, Error, KeyFilter, NewKey, to_pem};
use certwright_domain::algorithm::{KeyAlgorithm, KeyFamily};
use certwright_domain::key::{KeyState, Protection};
use certwright_domain::name::Reference;
use certwright_domain::time::Timestamp;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(all, create))
        .routes(routes!(one, update))
        .routes(routes!(versions))
        .routes(routes!(public_key))
        .routes(routes!(rotate))
        .routes(routes!(enable))
        .routes(routes!(disable))
        .routes(routes!(schedule_deletion))
        .routes(routes!(cancel_deletion))
}

/// List keys
///
/// By name.
#[utoipa::path(get, path = "/v1/vaults/{vault}/keys", operation_id = "listKeys", tag = "keys",
    params(("vault" = String, Path, description = "Name or id"), wire::KeyQuery),
    responses((status = 200, description = "A page of keys", body = wire::List<wire::Key>)))]
async fn all(
    State(app): State<App>,
    Read(call): Read,
    Path(vault): Path<String>,
    Query(q): Query<wire::KeyQuery>,
    uri: Uri,
) -> Answer {
    let mut faults = Faults::default();
    let algorithm = faults.optional("/algorithm", q.algorithm.as_deref(), KeyAlgorithm::parse);
    let state = faults.optional("/state", q.state.as_deref(), KeyState::parse);
    let filter = algorithm.zip(state).map(|(algorithm, state)| KeyFilter { algorithm, state });
    let filter = faults.finish(filter)?;
    let (vault, found) =
        app.keys(&call, &reference(&vault)?, &filter, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |key| view::key_in(&vault, &key))
}

/// Make a key
///
/// `HSM` protection needs a PKCS#11 token and is refused without one.
#[utoipa::path(post, path = "/v1/vaults/{vault}/keys", operation_id = "createKey", tag = "keys",
    params(("vault" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::NewKey,
    responses((status = 201, description = "Made", body = wire::Key),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Key>)))]
async fn create(
    State(app): State<App>,
    Write(call): Write,
    Path(vault): Path<String>,
    Json(body): Json<wire::NewKey>,
) -> Answer {
    let call = into(call, body.compartment.as_deref())?;
    let named = in_body(&[("compartment", "/compartment")]);
    let view = app.create_key(&call, &reference(&vault)?, new_key(&body)?).await.map_err(named)?;
    let location = format!("/v1/vaults/{}/keys/{}", view.vault.name, view.key.name);
    made(&call, &location, view.key.revision, view::key(&view))
}

/// Read a key
#[utoipa::path(get, path = "/v1/vaults/{vault}/keys/{key}", operation_id = "getKey", tag = "keys",
    params(("vault" = String, Path, description = "Name or id"), ("key" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The key", body = wire::Key)))]
async fn one(State(app): State<App>, Read(call): Read, Path(path): Path<KeyPath>, headers: HeaderMap) -> Answer {
    let (vault, key) = references(&path)?;
    let view = app.key(&call, &vault, &key).await?;
    resource(&headers, view.key.revision, &view::key(&view))
}

/// Rename a key
///
/// `If-Match` is checked when given.
#[utoipa::path(patch, path = "/v1/vaults/{vault}/keys/{key}", operation_id = "updateKey", tag = "keys",
    params(("vault" = String, Path, description = "Name or id"), ("key" = String, Path, description = "Name or id"),
    wire::WriteQuery), request_body = wire::UpdateKey,
    responses((status = 200, description = "The key, or a trial", body = wire::Key)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(path): Path<KeyPath>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdateKey>,
) -> Answer {
    let ((vault, key), if_match) = (references(&path)?, IfMatch::of(&headers)?);
    let mut faults = Faults::default();
    let name = faults.required("/name", body.name).and_then(|name| faults.name("/name", &name));
    let name = faults.finish(name)?;
    let current = async { app.key(&call, &vault, &key).await.map(|view| view.key.revision) };
    let if_match = if_match.revision(current).await?;
    let view = app.rename_key(&call, &vault, &key, name, if_match).await?;
    changed(&call, view.key.revision, view::key(&view))
}

/// List a key's versions
///
/// Newest first.
#[utoipa::path(get, path = "/v1/vaults/{vault}/keys/{key}/versions", operation_id = "listKeyVersions", tag = "keys",
    params(("vault" = String, Path, description = "Name or id"), ("key" = String, Path, description = "Name or id")),
    responses((status = 200, description = "All versions", body = wire::KeyVersions)))]
async fn versions(State(app): State<App>, Read(call): Read, Path(path): Path<KeyPath>, headers: HeaderMap) -> Answer {
    let (vault, key) = references(&path)?;
    let (_, versions) = app.key_versions(&call, &vault, &key).await?;
    document(&headers, &wire::KeyVersions { items: versions.iter().map(view::key_version).collect() })
}

/// Read a public key
///
/// JSON, PEM (`application/x-pem-file`) or DER (`application/octet-stream`) of the SubjectPublicKeyInfo.
#[utoipa::path(get, path = "/v1/vaults/{vault}/keys/{key}/public-key", operation_id = "getPublicKey", tag = "keys",
    params(("vault" = String, Path, description = "Name or id"), ("key" = String, Path, description = "Name or id"),
    wire::PublicKeyQuery),
    responses((status = 200, description = "The public key", content((wire::PublicKey = "application/json"),
    (String = "application/x-pem-file"), (Binary = "application/octet-stream")))))]
async fn public_key(
    State(app): State<App>,
    Read(call): Read,
    Path(path): Path<KeyPath>,
    Query(q): Query<wire::PublicKeyQuery>,
    headers: HeaderMap,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), PUBLIC_KEY)?;
    let (vault, key) = references(&path)?;
    let (view, versions) = app.key_versions(&call, &vault, &key).await?;
    let wanted = q.version.unwrap_or(view.key.latest_version);
    let found = versions.into_iter().find(|version| version.number == wanted);
    let spki = found.ok_or_else(|| no_version(&path.1, wanted))?.public_key.ok_or_else(|| symmetric(&path.1))?;
    let body = match offer.format {
        Format::Json => return document(&headers, &public_key_of(&view.key, wanted, &spki)).map(negotiated),
        Format::Pem => to_pem("PUBLIC KEY", &spki).into_bytes(),
        _ => spki,
    };
    let tag = answer::content_etag(&body);
    let name = format!("{}-{wanted}", view.key.name);
    with_etag(&headers, &tag, answer::file(StatusCode::OK, offer, &name, body)?).map(negotiated)
}

/// Rotate a key
///
/// Makes a new version. CAs go on with the version they have until they are renewed with `"key": "ROTATE"`.
#[utoipa::path(post, path = "/v1/vaults/{vault}/keys/{key}/rotate", operation_id = "rotateKey", tag = "keys",
    params(("vault" = String, Path, description = "Name or id"), ("key" = String, Path, description = "Name or id"),
    wire::WriteQuery), responses((status = 200, description = "The key, or a trial", body = wire::Key)))]
async fn rotate(State(app): State<App>, Write(call): Write, Path(path): Path<KeyPath>, _: NoBody) -> Answer {
    let (vault, key) = references(&path)?;
    let view = app.rotate_key(&call, &vault, &key).await?;
    changed(&call, view.key.revision, view::key(&view))
}

/// Enable a key
#[utoipa::path(post, path = "/v1/vaults/{vault}/keys/{key}/enable", operation_id = "enableKey", tag = "keys",
    params(("vault" = String, Path, description = "Name or id"), ("key" = String, Path, description = "Name or id"),
    wire::WriteQuery), responses((status = 200, description = "The key, or a trial", body = wire::Key)))]
async fn enable(State(app): State<App>, Write(call): Write, Path(path): Path<KeyPath>, _: NoBody) -> Answer {
    let (vault, key) = references(&path)?;
    let view = app.enable_key(&call, &vault, &key).await?;
    changed(&call, view.key.revision, view::key(&view))
}

/// Disable a key
///
/// Nothing signs with it until it is enabled.
#[utoipa::path(post, path = "/v1/vaults/{vault}/keys/{key}/disable", operation_id = "disableKey", tag = "keys",
    params(("vault" = String, Path, description = "Name or id"), ("key" = String, Path, description = "Name or id"),
    wire::WriteQuery), responses((status = 200, description = "The key, or a trial", body = wire::Key)))]
async fn disable(State(app): State<App>, Write(call): Write, Path(path): Path<KeyPath>, _: NoBody) -> Answer {
    let (vault, key) = references(&path)?;
    let view = app.disable_key(&call, &vault, &key).await?;
    changed(&call, view.key.revision, view::key(&view))
}

/// Schedule a key's deletion
///
/// 7 to 30 days from now. Refused while a CA uses it.
#[utoipa::path(post, path = "/v1/vaults/{vault}/keys/{key}/schedule-deletion", operation_id = "scheduleKeyDeletion",
    tag = "keys", params(("vault" = String, Path, description = "Name or id"),
    ("key" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::ScheduleDeletion,
    responses((status = 200, description = "The key, or a trial", body = wire::Key)))]
async fn schedule_deletion(
    State(app): State<App>,
    Write(call): Write,
    Path(path): Path<KeyPath>,
    OptionalJson(body): OptionalJson<wire::ScheduleDeletion>,
) -> Answer {
    let (vault, key) = references(&path)?;
    let mut faults = Faults::default();
    let at = faults.optional("/deletionAt", body.deletion_at.as_deref(), Timestamp::parse);
    let view = app.schedule_key_deletion(&call, &vault, &key, faults.finish(at)?).await?;
    changed(&call, view.key.revision, view::key(&view))
}

/// Cancel a key's deletion
///
/// The key goes back to the state it had.
#[utoipa::path(post, path = "/v1/vaults/{vault}/keys/{key}/cancel-deletion", operation_id = "cancelKeyDeletion",
    tag = "keys", params(("vault" = String, Path, description = "Name or id"),
    ("key" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 200, description = "The key, or a trial", body = wire::Key)))]
async fn cancel_deletion(State(app): State<App>, Write(call): Write, Path(path): Path<KeyPath>, _: NoBody) -> Answer {
    let (vault, key) = references(&path)?;
    let view = app.cancel_key_deletion(&call, &vault, &key).await?;
    changed(&call, view.key.revision, view::key(&view))
}

/// Vault and key in the path.
type KeyPath = (String, String);
/// A body without fields, or none.
type NoBody = OptionalJson<wire::Empty>;

fn references((vault, key): &KeyPath) -> Result<(Reference, Reference), Problem> {
    Ok((reference(vault)?, reference(key)?))
}

fn new_key(body: &wire::NewKey) -> Result<NewKey, Problem> {
    let mut faults = Faults::default();
    let name = faults.name("/name", &body.name);
    let family = faults.take("/algorithm", KeyFamily::parse(&body.algorithm));
    let algorithm = family.and_then(|family| faults.take("/length", KeyAlgorithm::from_parts(family, body.length)));
    let protection = faults.optional("/protection", body.protection.as_deref(), Protection::parse);
    let parts = name.zip(algorithm).zip(protection);
    faults.finish(parts.map(|((name, algorithm), protection)| NewKey {
        name,
        algorithm,
        protection: protection.unwrap_or(Protection::Software),
    }))
}

fn public_key_of(key: &certwright_domain::key::Key, version: u32, spki: &[u8]) -> wire::PublicKey {
    wire::PublicKey {
        key: key.name.to_string(),
        version,
        algorithm: key.algorithm.family().to_string(),
        length: key.algorithm.length(),
        public_key: to_pem("PUBLIC KEY", spki),
    }
}

fn no_version(key: &str, number: u32) -> Problem {
    Error::not_found("key version", format!("{key} version {number}")).into()
}

fn symmetric(key: &str) -> Problem {
    let detail = format!("The key `{}` is symmetric and has no public key.", key.escape_debug());
    Error::conflict("key_without_public_key", detail, "Use an RSA, ECDSA or Ed25519 key.").into()
}
