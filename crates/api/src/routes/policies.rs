//! Policies.

use crate::Api;
use crate::answer::{Answer, changed, gone, list, made, resource};
use crate::extract::{IfMatch, Json, Path, Query, Read, Write};
use crate::parse::{Faults, page, reference};
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, NewPolicy, UpdatePolicy};
use certwright_domain::access::description;
use certwright_domain::name::{Reference, ResourceName};
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, create)).routes(routes!(one, update, delete))
}

/// List policies
///
/// By name.
#[utoipa::path(get, path = "/v1/policies", operation_id = "listPolicies", tag = "access", params(wire::PolicyQuery),
    responses((status = 200, description = "A page of policies", body = wire::List<wire::Policy>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PolicyQuery>, uri: Uri) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let mut faults = Faults::default();
    let compartment = faults.optional("/compartment", q.compartment.as_deref(), Reference::parse);
    let found = app.policies(&call, faults.finish(compartment)?.as_ref(), &page).await?;
    list(&app, &uri, found, |policy| view::policy(&policy))
}

/// Make a policy
///
/// It holds at once, in its compartment and below it.
#[utoipa::path(post, path = "/v1/policies", operation_id = "createPolicy", tag = "access", params(wire::WriteQuery),
    request_body = wire::NewPolicy, responses((status = 201, description = "Made", body = wire::Policy),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Policy>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewPolicy>) -> Answer {
    let policy = app.create_policy(&call, new_policy(body)?).await?;
    made(&call, &format!("/v1/policies/{}", policy.name), policy.revision, view::policy(&policy))
}

/// Read a policy
#[utoipa::path(get, path = "/v1/policies/{policy}", operation_id = "getPolicy", tag = "access",
    params(("policy" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The policy", body = wire::Policy)))]
async fn one(State(app): State<App>, Read(call): Read, Path(policy): Path<String>, headers: HeaderMap) -> Answer {
    let policy = app.policy(&call, &reference(&policy)?).await?;
    resource(&headers, policy.revision, &view::policy(&policy))
}

/// Change a policy
///
/// Needs `If-Match`. What is changed holds at once.
#[utoipa::path(patch, path = "/v1/policies/{policy}", operation_id = "updatePolicy", tag = "access",
    params(("policy" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::UpdatePolicy,
    responses((status = 200, description = "The policy, or a trial", body = wire::Policy)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(policy): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdatePolicy>,
) -> Answer {
    let (policy, if_match) = (reference(&policy)?, IfMatch::of(&headers)?);
    let update = update_policy(body)?;
    let if_match = if_match.revision(async { app.policy(&call, &policy).await.map(|policy| policy.revision) }).await?;
    let policy = app.update_policy(&call, &policy, update, if_match).await?;
    changed(&call, policy.revision, view::policy(&policy))
}

/// Delete a policy
///
/// What it granted ends at once. `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/policies/{policy}", operation_id = "deletePolicy", tag = "access",
    params(("policy" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"), (status = 200, description = "A trial", body = wire::DryRun<Option<wire::Policy>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(policy): Path<String>, headers: HeaderMap) -> Answer {
    let (policy, if_match) = (reference(&policy)?, IfMatch::of(&headers)?);
    let if_match = if_match.revision(async { app.policy(&call, &policy).await.map(|policy| policy.revision) }).await?;
    app.delete_policy(&call, &policy, if_match).await?;
    gone(&call, None::<wire::Policy>)
}

fn new_policy(body: wire::NewPolicy) -> Result<NewPolicy, Problem> {
    let mut faults = Faults::default();
    let name = faults.name("/name", &body.name);
    let description = faults.description(body.description.as_deref());
    let compartment = faults.optional("/compartment", body.compartment.as_deref(), Reference::parse);
    let statements = body.statements;
    faults.finish(name.zip(description).zip(compartment).map(|((name, description), compartment)| NewPolicy {
        name,
        description,
        compartment,
        statements,
    }))
}

fn update_policy(body: wire::UpdatePolicy) -> Result<UpdatePolicy, Problem> {
    let mut faults = Faults::default();
    let name = faults.optional("/name", body.name.as_deref(), ResourceName::parse);
    let description = faults.optional("/description", body.description.as_deref(), description);
    let statements = body.statements;
    faults.finish(name.zip(description).map(|(name, description)| UpdatePolicy { name, description, statements }))
}
