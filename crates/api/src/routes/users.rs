//! Users.

use crate::Api;
use crate::answer::{Answer, changed, gone, list, made, resource};
use crate::extract::{IfMatch, Json, Path, Query, Read, Write};
use crate::parse::{Faults, page, principal};
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, NewUser, UpdateUser};
use certwright_domain::access::description;
use certwright_domain::principal::PrincipalName;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, create)).routes(routes!(one, update, delete))
}

/// List users
///
/// By name.
#[utoipa::path(get, path = "/v1/users", operation_id = "listUsers", tag = "access", params(wire::PageQuery),
    responses((status = 200, description = "A page of users", body = wire::List<wire::User>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.users(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |user| view::user(&user))
}

/// Make a user
///
/// It is in no group yet, and may do nothing. Give it a token with `POST /v1/tokens`.
#[utoipa::path(post, path = "/v1/users", operation_id = "createUser", tag = "access", params(wire::WriteQuery),
    request_body = wire::NewUser, responses((status = 201, description = "Made", body = wire::User),
    (status = 200, description = "A trial", body = wire::DryRun<wire::User>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewUser>) -> Answer {
    let user = app.create_user(&call, new_user(&body)?).await?;
    made(&call, &format!("/v1/users/{}", user.id), user.revision, view::user_with(&user, &[]))
}

/// Read a user
#[utoipa::path(get, path = "/v1/users/{user}", operation_id = "getUser", tag = "access",
    params(("user" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The user with the names of its groups", body = wire::User)))]
async fn one(State(app): State<App>, Read(call): Read, Path(user): Path<String>, headers: HeaderMap) -> Answer {
    let (user, groups) = app.user(&call, &principal(&user)?).await?;
    resource(&headers, user.revision, &view::user_with(&user, &groups))
}

/// Change a user
///
/// One that is disabled is let in no more, from now on. `If-Match` is checked when given.
#[utoipa::path(patch, path = "/v1/users/{user}", operation_id = "updateUser", tag = "access",
    params(("user" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::UpdateUser,
    responses((status = 200, description = "The user, or a trial", body = wire::User)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(user): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdateUser>,
) -> Answer {
    let (user, if_match) = (principal(&user)?, IfMatch::of(&headers)?);
    let mut faults = Faults::default();
    let text = faults.optional("/description", body.description.as_deref(), description);
    let update = UpdateUser { description: faults.finish(text)?, enabled: body.enabled };
    let if_match = if_match.revision(async { app.user(&call, &user).await.map(|(user, _)| user.revision) }).await?;
    let (user, groups) = app.update_user(&call, &user, update, if_match).await?;
    changed(&call, user.revision, view::user_with(&user, &groups))
}

/// Delete a user
///
/// Its tokens are revoked and its memberships end at once. `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/users/{user}", operation_id = "deleteUser", tag = "access",
    params(("user" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"), (status = 200, description = "A trial", body = wire::DryRun<Option<wire::User>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(user): Path<String>, headers: HeaderMap) -> Answer {
    let (user, if_match) = (principal(&user)?, IfMatch::of(&headers)?);
    let if_match = if_match.revision(async { app.user(&call, &user).await.map(|(user, _)| user.revision) }).await?;
    app.delete_user(&call, &user, if_match).await?;
    gone(&call, None::<wire::User>)
}

fn new_user(body: &wire::NewUser) -> Result<NewUser, Problem> {
    let mut faults = Faults::default();
    let name = faults.take("/name", PrincipalName::parse(&body.name));
    let description = faults.description(body.description.as_deref());
    let enabled = body.enabled.unwrap_or(true);
    faults.finish(name.zip(description).map(|(name, description)| NewUser { name, description, enabled }))
}
