//! Compartments, and the resources that lie in them.

use crate::Api;
use crate::answer::{Answer, changed, done, gone, list, made, resource};
use crate::extract::{IfMatch, Json, Path, Query, Read, Write};
use crate::parse::{Faults, page, reference};
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, MoveResource, NewCompartment, UpdateCompartment};
use certwright_domain::access::{PlacedKind, description};
use certwright_domain::name::{Reference, ResourceName};
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(all, create))
        .routes(routes!(one, update, delete))
        .routes(routes!(resources, move_resource))
}

/// List compartments
///
/// By name.
#[utoipa::path(get, path = "/v1/compartments", operation_id = "listCompartments", tag = "access", params(wire::PageQuery),
    responses((status = 200, description = "A page of compartments", body = wire::List<wire::Compartment>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.compartments(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |compartment| view::compartment(&compartment))
}

/// Make a compartment
///
/// At most 500, in 6 levels below the tenancy.
#[utoipa::path(post, path = "/v1/compartments", operation_id = "createCompartment", tag = "access", params(wire::WriteQuery),
    request_body = wire::NewCompartment, responses((status = 201, description = "Made", body = wire::Compartment),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Compartment>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewCompartment>) -> Answer {
    let compartment = app.create_compartment(&call, new_compartment(&body)?).await?;
    let location = format!("/v1/compartments/{}", compartment.name);
    made(&call, &location, compartment.revision, view::compartment(&compartment))
}

/// Read a compartment
#[utoipa::path(get, path = "/v1/compartments/{compartment}", operation_id = "getCompartment", tag = "access",
    params(("compartment" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The compartment", body = wire::Compartment)))]
async fn one(State(app): State<App>, Read(call): Read, Path(compartment): Path<String>, headers: HeaderMap) -> Answer {
    let compartment = app.compartment(&call, &reference(&compartment)?).await?;
    resource(&headers, compartment.revision, &view::compartment(&compartment))
}

/// Change a compartment
///
/// Another parent moves it, with everything in it; what policies say above the new place holds from then on. `If-Match` is
/// checked when given.
#[utoipa::path(patch, path = "/v1/compartments/{compartment}", operation_id = "updateCompartment", tag = "access",
    params(("compartment" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::UpdateCompartment,
    responses((status = 200, description = "The compartment, or a trial", body = wire::Compartment)))]
async fn update(
    State(app): State<App>,
    Write(call): Write,
    Path(compartment): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::UpdateCompartment>,
) -> Answer {
    let (compartment, if_match) = (reference(&compartment)?, IfMatch::of(&headers)?);
    let update = update_compartment(&body)?;
    let current = async { app.compartment(&call, &compartment).await.map(|compartment| compartment.revision) };
    let if_match = if_match.revision(current).await?;
    let compartment = app.update_compartment(&call, &compartment, update, if_match).await?;
    changed(&call, compartment.revision, view::compartment(&compartment))
}

/// Delete a compartment
///
/// Only an empty one. `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/compartments/{compartment}", operation_id = "deleteCompartment", tag = "access",
    params(("compartment" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"), (status = 200, description = "A trial", body = wire::DryRun<Option<wire::Compartment>>)))]
async fn delete(
    State(app): State<App>,
    Write(call): Write,
    Path(compartment): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let (compartment, if_match) = (reference(&compartment)?, IfMatch::of(&headers)?);
    let current = async { app.compartment(&call, &compartment).await.map(|compartment| compartment.revision) };
    let if_match = if_match.revision(current).await?;
    app.delete_compartment(&call, &compartment, if_match).await?;
    gone(&call, None::<wire::Compartment>)
}

/// List what was put into a compartment
///
/// By kind and id, not what lies below it, as far as you may list it. Whatever was never moved lies in the tenancy and stands in no such list.
#[utoipa::path(get, path = "/v1/compartments/{compartment}/resources", operation_id = "listPlacedResources", tag = "access",
    params(("compartment" = String, Path, description = "Name or id"), wire::PlacedQuery),
    responses((status = 200, description = "A page of resources", body = wire::List<wire::PlacedResource>)))]
async fn resources(
    State(app): State<App>,
    Read(call): Read,
    Path(compartment): Path<String>,
    Query(q): Query<wire::PlacedQuery>,
    uri: Uri,
) -> Answer {
    let page = page(&app, q.limit, q.cursor.as_deref())?;
    let mut faults = Faults::default();
    let kind = faults.optional("/kind", q.kind.as_deref(), PlacedKind::parse);
    let kind = faults.finish(kind)?;
    let found = app.placed_resources(&call, &reference(&compartment)?, kind, &page).await?;
    list(&app, &uri, found, |placed| view::placed(&placed))
}

/// Put a resource into a compartment
///
/// Wherever it lay. Twice answers the same.
#[utoipa::path(post, path = "/v1/compartments/{compartment}/resources", operation_id = "moveResource", tag = "access",
    params(("compartment" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::MoveResource,
    responses((status = 200, description = "The resource, or a trial", body = wire::PlacedResource)))]
async fn move_resource(
    State(app): State<App>,
    Write(call): Write,
    Path(compartment): Path<String>,
    Json(body): Json<wire::MoveResource>,
) -> Answer {
    let moved = app.move_resource(&call, &reference(&compartment)?, wish(&body)?).await?;
    done(&call, view::placed(&moved))
}

fn new_compartment(body: &wire::NewCompartment) -> Result<NewCompartment, Problem> {
    let mut faults = Faults::default();
    let name = faults.name("/name", &body.name);
    let text = faults.description(body.description.as_deref());
    let parent = faults.optional("/parent", body.parent.as_deref(), Reference::parse);
    let whole = name.zip(text).zip(parent);
    faults.finish(whole.map(|((name, description), parent)| NewCompartment { name, description, parent }))
}

fn update_compartment(body: &wire::UpdateCompartment) -> Result<UpdateCompartment, Problem> {
    let mut faults = Faults::default();
    let name = faults.optional("/name", body.name.as_deref(), ResourceName::parse);
    let text = faults.optional("/description", body.description.as_deref(), description);
    let parent = faults.optional("/parent", body.parent.as_deref(), Reference::parse);
    let whole = name.zip(text).zip(parent);
    faults.finish(whole.map(|((name, description), parent)| UpdateCompartment { name, description, parent }))
}

fn wish(body: &wire::MoveResource) -> Result<MoveResource, Problem> {
    let mut faults = Faults::default();
    let kind = faults.take("/kind", PlacedKind::parse(&body.kind));
    let resource = faults.take("/resource", Reference::parse(&body.resource));
    let vault = faults.optional("/vault", body.vault.as_deref(), Reference::parse);
    let whole = kind.zip(resource).zip(vault);
    faults.finish(whole.map(|((kind, resource), vault)| MoveResource { kind, resource, vault }))
}
