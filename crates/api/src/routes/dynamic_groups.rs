//! Dynamic groups.

use crate::Api;
use crate::answer::{Answer, changed, gone, list, made, resource};
use crate::extract::{IfMatch, Json, Path, Query, Read, Write};
use crate::parse::{Faults, page, principal};
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, NewDynamicGroup, UpdateDynamicGroup};
use certwright_domain::access::description;
use certwright_domain::principal::PrincipalName;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, create)).routes(routes!(one, update, delete))
}

/// List dynamic groups
///
/// By name.
#[utoipa::path(get, path = "/v1/dynamic-groups", operation_id = "listDynamicGroups", tag = "access", params(wire::PageQuery),
    responses((status = 200, description = "A page of dynamic groups", body = wire::List<wire::DynamicGroup>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.dynamic_groups(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |group| view::dynamic_group(&group))
}

/// Make a dynamic group
///
/// Whoever its rule matches is in it, at once.
#[utoipa::path(post, path = "/v1/dynamic-groups", operation_id = "createDynamicGroup", tag = "access",
    params(wire::WriteQuery), request_body = wire::NewDynamicGroup,
    responses((status = 201, description = "Made", body = wire::DynamicGroup),
    (status = 200, description = "A trial", body = wire::DryRun<wire::DynamicGroup>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewDynamicGroup>) -> Answer {
    let group = app.create_dynamic_group(&call, new_group(body)?).await?;
    made(&call, &format!("/v1/dynamic-groups/{}", group.id), group.revision, view::dynamic_group(&group))
}

/// Read a dynamic group
#[utoipa::path(get, path = "/v1/dynamic-groups/{group}", operation_id = "getDynamicGroup", tag = "access",
    params(("group" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The dynamic group", body = wire::DynamicGroup)))]
async fn one(State(app): State<App>, Read(call): Read, Path(group): Path<String>, headers: HeaderMap) -> Answer {
    let group = app.dynamic_group(&call, &principal(&group)?).await?;
    resource(&headers, group.revision, &view::dynamic_group(&group))
}

/// Change a dynamic group
///
/// `If-Match` is checked when given.
#[utoipa::path(patch, path = "/v1/dynamic-groups/{group}", operation_id = "updateDynamicGroup", tag = "access",
    params(("group" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::UpdateDynamicGroup,
    responses((status = 200, description = "The dynamic group, or a trial", body = wire::DynamicGroup)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(group): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdateDynamicGroup>,
) -> Answer {
    let (group, if_match) = (principal(&group)?, IfMatch::of(&headers)?);
    let mut faults = Faults::default();
    let text = faults.optional("/description", body.description.as_deref(), description);
    let update = UpdateDynamicGroup { description: faults.finish(text)?, matching_rule: body.matching_rule };
    let current = async { app.dynamic_group(&call, &group).await.map(|group| group.revision) };
    let if_match = if_match.revision(current).await?;
    let group = app.update_dynamic_group(&call, &group, update, if_match).await?;
    changed(&call, group.revision, view::dynamic_group(&group))
}

/// Delete a dynamic group
///
/// `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/dynamic-groups/{group}", operation_id = "deleteDynamicGroup", tag = "access",
    params(("group" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"), (status = 200, description = "A trial", body = wire::DryRun<Option<wire::DynamicGroup>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(group): Path<String>, headers: HeaderMap) -> Answer {
    let (group, if_match) = (principal(&group)?, IfMatch::of(&headers)?);
    let current = async { app.dynamic_group(&call, &group).await.map(|group| group.revision) };
    let if_match = if_match.revision(current).await?;
    app.delete_dynamic_group(&call, &group, if_match).await?;
    gone(&call, None::<wire::DynamicGroup>)
}

fn new_group(body: wire::NewDynamicGroup) -> Result<NewDynamicGroup, Problem> {
    let mut faults = Faults::default();
    let name = faults.take("/name", PrincipalName::parse(&body.name));
    let description = faults.description(body.description.as_deref());
    let matching_rule = body.matching_rule;
    faults.finish(name.zip(description).map(|(name, description)| NewDynamicGroup { name, description, matching_rule }))
}
