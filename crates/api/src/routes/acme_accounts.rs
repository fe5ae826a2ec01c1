//! What ACME clients have made, and the keys that bind their accounts.

use crate::Api;
use crate::answer::{Answer, done, gone, list, made, resource};
use crate::extract::{Json, Path, Query, Read, Write};
use crate::parse::{Faults, page, reference};
use crate::problem::in_body;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, NewEabKey};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(accounts))
        .routes(routes!(account))
        .routes(routes!(revoke))
        .routes(routes!(orders))
        .routes(routes!(order))
        .routes(routes!(keys, create_key))
        .routes(routes!(key, delete_key))
}

/// List ACME accounts
///
/// Newest first; those of directories whose accounts you may read.
#[utoipa::path(get, path = "/v1/acme-accounts", operation_id = "listAcmeAccounts", tag = "acme", params(wire::AcmeQuery),
    responses((status = 200, description = "A page of ACME accounts", body = wire::List<wire::AcmeAccount>)))]
async fn accounts(State(app): State<App>, Read(call): Read, Query(q): Query<wire::AcmeQuery>, uri: Uri) -> Answer {
    let directory = q.directory.as_deref().map(reference).transpose()?;
    let found = app.acme_accounts(&call, directory.as_ref(), &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |account| view::acme_account(&account))
}

/// Read an ACME account
#[utoipa::path(get, path = "/v1/acme-accounts/{account}", operation_id = "getAcmeAccount", tag = "acme",
    params(("account" = String, Path, description = "Id")),
    responses((status = 200, description = "The ACME account", body = wire::AcmeAccount)))]
async fn account(State(app): State<App>, Read(call): Read, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let found = app.known_acme_account(&call, &id).await?;
    resource(&headers, found.0.revision, &view::acme_account(&found))
}

/// End an ACME account
///
/// Its key can do nothing any more. Its certificates stay as they are.
#[utoipa::path(post, path = "/v1/acme-accounts/{account}/revoke", operation_id = "revokeAcmeAccount", tag = "acme",
    params(("account" = String, Path, description = "Id"), wire::WriteQuery),
    responses((status = 200, description = "The ACME account, or a trial", body = wire::AcmeAccount)))]
async fn revoke(State(app): State<App>, Write(call): Write, Path(id): Path<String>) -> Answer {
    done(&call, view::acme_account(&app.revoke_acme_account(&call, &id).await?))
}

/// List ACME orders
///
/// Newest first, each with how far its proofs are and why they failed.
#[utoipa::path(get, path = "/v1/acme-orders", operation_id = "listAcmeOrders", tag = "acme",
    params(wire::AcmeOrderQuery),
    responses((status = 200, description = "A page of ACME orders", body = wire::List<wire::AcmeOrder>)))]
async fn orders(State(app): State<App>, Read(call): Read, Query(q): Query<wire::AcmeOrderQuery>, uri: Uri) -> Answer {
    let directory = q.directory.as_deref().map(reference).transpose()?;
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let found = app.known_acme_orders(&call, directory.as_ref(), q.account.as_deref(), &page).await?;
    list(&app, &uri, found, |order| view::acme_order(&order, app.now()))
}

/// Read an ACME order
#[utoipa::path(get, path = "/v1/acme-orders/{order}", operation_id = "getAcmeOrder", tag = "acme",
    params(("order" = String, Path, description = "Id")),
    responses((status = 200, description = "The ACME order", body = wire::AcmeOrder)))]
async fn order(State(app): State<App>, Read(call): Read, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let found = app.known_acme_order(&call, &id).await?;
    crate::answer::document(&headers, &view::acme_order(&found, app.now()))
}

/// List keys for external account bindings
///
/// Newest first; revoked ones, too.
#[utoipa::path(get, path = "/v1/acme-eab-keys", operation_id = "listEabKeys", tag = "acme", params(wire::AcmeQuery),
    responses((status = 200, description = "A page of keys", body = wire::List<wire::EabKey>)))]
async fn keys(State(app): State<App>, Read(call): Read, Query(q): Query<wire::AcmeQuery>, uri: Uri) -> Answer {
    let directory = q.directory.as_deref().map(reference).transpose()?;
    let found = app.eab_keys(&call, directory.as_ref(), &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |key| view::eab_key(&key))
}

/// Make a key for external account bindings
///
/// `id` and `hmacKey` are what a client is given (`--eab-kid`, `--eab-hmac-key`); the latter is shown once.
#[utoipa::path(post, path = "/v1/acme-eab-keys", operation_id = "createEabKey", tag = "acme",
    params(wire::WriteQuery), request_body = wire::NewEabKey,
    responses((status = 201, description = "Made", body = wire::EabKeyWithSecret),
    (status = 200, description = "A trial", body = wire::DryRun<wire::EabKeyWithSecret>)))]
async fn create_key(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewEabKey>) -> Answer {
    let mut faults = Faults::default();
    let name = faults.take("/name", ResourceName::parse(&body.name));
    let directory = faults.take("/directory", Reference::parse(&body.directory));
    let expires_at = faults.optional("/expiresAt", body.expires_at.as_deref(), Timestamp::parse);
    let parts = name.zip(directory).zip(expires_at);
    let ((name, directory), expires_at) = faults.finish(parts)?;
    let new = NewEabKey { name, directory, names: body.names, uses: body.uses, expires_at };
    let named = in_body(&[("ACME directory", "/directory")]);
    let (key, directory, secret) = app.create_eab_key(&call, new).await.map_err(named)?;
    let location = format!("/v1/acme-eab-keys/{}", key.id);
    let revision = key.revision;
    let shown = (!call.dry_run).then_some(&secret);
    made(&call, &location, revision, view::eab_key_with_secret(&(key, directory), shown))
}

/// Read a key for external account bindings
#[utoipa::path(get, path = "/v1/acme-eab-keys/{eabKey}", operation_id = "getEabKey", tag = "acme",
    params(("eabKey" = String, Path, description = "Id")),
    responses((status = 200, description = "The key", body = wire::EabKey)))]
async fn key(State(app): State<App>, Read(call): Read, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let found = app.eab_key(&call, &id).await?;
    resource(&headers, found.0.revision, &view::eab_key(&found))
}

/// Revoke a key for external account bindings
///
/// It binds no account any more; accounts that it has bound stay as they are.
#[utoipa::path(delete, path = "/v1/acme-eab-keys/{eabKey}", operation_id = "deleteEabKey", tag = "acme",
    params(("eabKey" = String, Path, description = "Id"), wire::WriteQuery),
    responses((status = 204, description = "Revoked"),
    (status = 200, description = "A trial", body = wire::DryRun<Option<wire::EabKey>>)))]
async fn delete_key(State(app): State<App>, Write(call): Write, Path(id): Path<String>) -> Answer {
    app.revoke_eab_key(&call, &id).await?;
    gone(&call, None::<wire::EabKey>)
}
