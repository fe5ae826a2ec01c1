//! Vaults.

use crate::Api;
use crate::answer::{Answer, changed, list, made, resource};
use crate::extract::{IfMatch, Json, OptionalJson, Path, Query, Read, Write};
use crate::parse::{Faults, into, page, reference};
use crate::problem::in_body;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::App;
use certwright_domain::time::Timestamp;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(all, create))
        .routes(routes!(one, update))
        .routes(routes!(rotate))
        .routes(routes!(schedule_deletion))
        .routes(routes!(cancel_deletion))
}

/// List vaults
///
/// By name.
#[utoipa::path(get, path = "/v1/vaults", operation_id = "listVaults", tag = "vaults", params(wire::PageQuery),
    responses((status = 200, description = "A page of vaults", body = wire::List<wire::Vault>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.vaults(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |vault| view::vault(&vault))
}

/// Make a vault
///
/// With a key-encryption key of its own, sealed under the root key.
#[utoipa::path(post, path = "/v1/vaults", operation_id = "createVault", tag = "vaults", params(wire::WriteQuery),
    request_body = wire::NewVault, responses((status = 201, description = "Made", body = wire::Vault),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Vault>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewVault>) -> Answer {
    let mut faults = Faults::default();
    let name = faults.name("/name", &body.name);
    let call = into(call, body.compartment.as_deref())?;
    let named = in_body(&[("compartment", "/compartment")]);
    let vault = app.create_vault(&call, faults.finish(name)?).await.map_err(named)?;
    made(&call, &format!("/v1/vaults/{}", vault.name), vault.revision, view::vault(&vault))
}

/// Read a vault
#[utoipa::path(get, path = "/v1/vaults/{vault}", operation_id = "getVault", tag = "vaults",
    params(("vault" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The vault", body = wire::Vault)))]
async fn one(State(app): State<App>, Read(call): Read, Path(vault): Path<String>, headers: HeaderMap) -> Answer {
    let vault = app.vault(&call, &reference(&vault)?).await?;
    resource(&headers, vault.revision, &view::vault(&vault))
}

/// Rename a vault
///
/// `If-Match` is checked when given.
#[utoipa::path(patch, path = "/v1/vaults/{vault}", operation_id = "updateVault", tag = "vaults",
    params(("vault" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::UpdateVault,
    responses((status = 200, description = "The vault, or a trial", body = wire::Vault)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(vault): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdateVault>,
) -> Answer {
    let (vault, if_match) = (reference(&vault)?, IfMatch::of(&headers)?);
    let mut faults = Faults::default();
    let name = faults.required("/name", body.name).and_then(|name| faults.name("/name", &name));
    let name = faults.finish(name)?;
    let if_match = if_match.revision(async { app.vault(&call, &vault).await.map(|vault| vault.revision) }).await?;
    let vault = app.rename_vault(&call, &vault, name, if_match).await?;
    changed(&call, vault.revision, view::vault(&vault))
}

/// Rotate a vault's key
///
/// New key material is sealed under the new version at once; what lies in the vault is re-wrapped in the background.
#[utoipa::path(post, path = "/v1/vaults/{vault}/rotate", operation_id = "rotateVault", tag = "vaults",
    params(("vault" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 200, description = "The vault, or a trial", body = wire::Vault)))]
async fn rotate(
    State(app): State<App>,
    Write(call): Write,
    Path(vault): Path<String>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let vault = app.rotate_vault(&call, &reference(&vault)?).await?;
    changed(&call, vault.revision, view::vault(&vault))
}

/// Schedule a vault's deletion
///
/// 7 to 30 days from now. Refused while keys in it are alive.
#[utoipa::path(post, path = "/v1/vaults/{vault}/schedule-deletion", operation_id = "scheduleVaultDeletion", tag = "vaults",
    params(("vault" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::ScheduleDeletion,
    responses((status = 200, description = "The vault, or a trial", body = wire::Vault)))]
async fn schedule_deletion(
    State(app): State<App>,
    Write(call): Write,
    Path(vault): Path<String>,
    OptionalJson(body): OptionalJson<wire::ScheduleDeletion>,
) -> Answer {
    let mut faults = Faults::default();
    let at = faults.optional("/deletionAt", body.deletion_at.as_deref(), Timestamp::parse);
    let vault = app.schedule_vault_deletion(&call, &reference(&vault)?, faults.finish(at)?).await?;
    changed(&call, vault.revision, view::vault(&vault))
}

/// Cancel a vault's deletion
#[utoipa::path(post, path = "/v1/vaults/{vault}/cancel-deletion", operation_id = "cancelVaultDeletion", tag = "vaults",
    params(("vault" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 200, description = "The vault, or a trial", body = wire::Vault)))]
async fn cancel_deletion(
    State(app): State<App>,
    Write(call): Write,
    Path(vault): Path<String>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let vault = app.cancel_vault_deletion(&call, &reference(&vault)?).await?;
    changed(&call, vault.revision, view::vault(&vault))
}
