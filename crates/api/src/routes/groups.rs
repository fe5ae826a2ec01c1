//! Groups and their members.

use crate::Api;
use crate::answer::{Answer, changed, done, gone, list, made, resource};
use crate::extract::{IfMatch, Json, OptionalJson, Path, Query, Read, Write};
use crate::parse::{Faults, page, principal};
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, NewGroup, UpdateGroup};
use certwright_domain::access::description;
use certwright_domain::principal::PrincipalName;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(all, create))
        .routes(routes!(one, update, delete))
        .routes(routes!(members))
        .routes(routes!(add_member, remove_member))
}

/// List groups
///
/// By name.
#[utoipa::path(get, path = "/v1/groups", operation_id = "listGroups", tag = "access", params(wire::PageQuery),
    responses((status = 200, description = "A page of groups", body = wire::List<wire::Group>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.groups(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |group| view::group(&group))
}

/// Make a group
///
/// Nobody is in it yet.
#[utoipa::path(post, path = "/v1/groups", operation_id = "createGroup", tag = "access", params(wire::WriteQuery),
    request_body = wire::NewGroup, responses((status = 201, description = "Made", body = wire::Group),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Group>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewGroup>) -> Answer {
    let group = app.create_group(&call, new_group(&body)?).await?;
    made(&call, &format!("/v1/groups/{}", group.id), group.revision, view::group(&group))
}

/// Read a group
#[utoipa::path(get, path = "/v1/groups/{group}", operation_id = "getGroup", tag = "access",
    params(("group" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The group", body = wire::Group)))]
async fn one(State(app): State<App>, Read(call): Read, Path(group): Path<String>, headers: HeaderMap) -> Answer {
    let group = app.group(&call, &principal(&group)?).await?;
    resource(&headers, group.revision, &view::group(&group))
}

/// Change a group
///
/// `If-Match` is checked when given.
#[utoipa::path(patch, path = "/v1/groups/{group}", operation_id = "updateGroup", tag = "access",
    params(("group" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::UpdateGroup,
    responses((status = 200, description = "The group, or a trial", body = wire::Group)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(group): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdateGroup>,
) -> Answer {
    let (group, if_match) = (principal(&group)?, IfMatch::of(&headers)?);
    let mut faults = Faults::default();
    let text = faults.optional("/description", body.description.as_deref(), description);
    let update = UpdateGroup { description: faults.finish(text)? };
    let if_match = if_match.revision(async { app.group(&call, &group).await.map(|group| group.revision) }).await?;
    let group = app.update_group(&call, &group, update, if_match).await?;
    changed(&call, group.revision, view::group(&group))
}

/// Delete a group
///
/// With its memberships. `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/groups/{group}", operation_id = "deleteGroup", tag = "access",
    params(("group" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"), (status = 200, description = "A trial", body = wire::DryRun<Option<wire::Group>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(group): Path<String>, headers: HeaderMap) -> Answer {
    let (group, if_match) = (principal(&group)?, IfMatch::of(&headers)?);
    let if_match = if_match.revision(async { app.group(&call, &group).await.map(|group| group.revision) }).await?;
    app.delete_group(&call, &group, if_match).await?;
    gone(&call, None::<wire::Group>)
}

/// List the members of a group
///
/// By name.
#[utoipa::path(get, path = "/v1/groups/{group}/members", operation_id = "listMembers", tag = "access",
    params(("group" = String, Path, description = "Name or id"), wire::PageQuery),
    responses((status = 200, description = "A page of users", body = wire::List<wire::User>)))]
async fn members(
    State(app): State<App>,
    Read(call): Read,
    Path(group): Path<String>,
    Query(q): Query<wire::PageQuery>,
    uri: Uri,
) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let found = app.members(&call, &principal(&group)?, &page).await?;
    list(&app, &uri, found, |user| view::user(&user))
}

/// Put a user into a group
///
/// Twice answers the same.
#[utoipa::path(put, path = "/v1/groups/{group}/members/{user}", operation_id = "addMember", tag = "access",
    params(("group" = String, Path, description = "Name or id"), ("user" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 200, description = "The membership, or a trial", body = wire::Membership)))]
async fn add_member(
    State(app): State<App>,
    Write(call): Write,
    Path((group, user)): Path<(String, String)>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let (group, user) = app.set_membership(&call, &principal(&group)?, &principal(&user)?, true).await?;
    done(&call, view::membership(&group, &user))
}

/// Take a user out of a group
///
/// Twice answers the same.
#[utoipa::path(delete, path = "/v1/groups/{group}/members/{user}", operation_id = "removeMember", tag = "access",
    params(("group" = String, Path, description = "Name or id"), ("user" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"), (status = 200, description = "A trial", body = wire::DryRun<Option<wire::Membership>>)))]
async fn remove_member(
    State(app): State<App>,
    Write(call): Write,
    Path((group, user)): Path<(String, String)>,
) -> Answer {
    app.set_membership(&call, &principal(&group)?, &principal(&user)?, false).await?;
    gone(&call, None::<wire::Membership>)
}

fn new_group(body: &wire::NewGroup) -> Result<NewGroup, Problem> {
    let mut faults = Faults::default();
    let name = faults.take("/name", PrincipalName::parse(&body.name));
    let description = faults.description(body.description.as_deref());
    faults.finish(name.zip(description).map(|(name, description)| NewGroup { name, description }))
}
