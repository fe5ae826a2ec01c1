//! Profiles.

use crate::Api;
use crate::answer::{Answer, changed, gone, list, made, resource};
use crate::extract::{IfMatch, Json, Path, Query, Read, Write};
use crate::parse::{into, page, reference};
use crate::problem::in_body;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::App;
use certwright_domain::profile::{DEFAULT_PROFILE, Profile, RawNameLimits, RawProfile};
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, create)).routes(routes!(one, replace, delete))
}

/// List profiles
///
/// The built-in ones first, then by name.
#[utoipa::path(get, path = "/v1/profiles", operation_id = "listProfiles", tag = "profiles", params(wire::PageQuery),
    responses((status = 200, description = "A page of profiles", body = wire::List<wire::Profile>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.profiles(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |stored| view::profile(&stored))
}

/// Make a profile
#[utoipa::path(post, path = "/v1/profiles", operation_id = "createProfile", tag = "profiles", params(wire::WriteQuery),
    request_body = wire::NewProfile, responses((status = 201, description = "Made", body = wire::Profile),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Profile>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewProfile>) -> Answer {
    let call = into(call, body.compartment.as_deref())?;
    let named = in_body(&[("compartment", "/compartment")]);
    let stored = app.create_profile(&call, raw_of_new(body)).await.map_err(named)?;
    made(&call, &format!("/v1/profiles/{}", stored.profile.name()), stored.revision, view::profile(&stored))
}

/// Read a profile
#[utoipa::path(get, path = "/v1/profiles/{profile}", operation_id = "getProfile", tag = "profiles",
    params(("profile" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The profile", body = wire::Profile)))]
async fn one(State(app): State<App>, Read(call): Read, Path(profile): Path<String>, headers: HeaderMap) -> Answer {
    let stored = app.profile(&call, &reference(&profile)?).await?;
    resource(&headers, stored.revision, &view::profile(&stored))
}

/// Replace a profile
///
/// Needs `If-Match`. Built-in profiles cannot be replaced.
#[utoipa::path(put, path = "/v1/profiles/{profile}", operation_id = "replaceProfile", tag = "profiles",
    params(("profile" = String, Path, description = "Name or id"), wire::WriteQuery), request_body = wire::ReplaceProfile,
    responses((status = 200, description = "The profile, or a trial", body = wire::Profile)))]
async fn replace(
    State(app): State<App>,
    Write(call): Write,
    Path(profile): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::ReplaceProfile>,
) -> Answer {
    let (profile, if_match) = (reference(&profile)?, IfMatch::of(&headers)?);
    let current = async { app.profile(&call, &profile).await.map(|stored| stored.revision) };
    let if_match = if_match.revision(current).await?;
    let stored = app.replace_profile(&call, &profile, raw_of_other(body), if_match).await?;
    changed(&call, stored.revision, view::profile(&stored))
}

/// Delete a profile
///
/// `If-Match` is checked when given. Built-in profiles cannot be deleted.
#[utoipa::path(delete, path = "/v1/profiles/{profile}", operation_id = "deleteProfile", tag = "profiles",
    params(("profile" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"), (status = 200, description = "A trial", body = wire::DryRun<Option<wire::Profile>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(profile): Path<String>, headers: HeaderMap) -> Answer {
    let (profile, if_match) = (reference(&profile)?, IfMatch::of(&headers)?);
    let current = async { app.profile(&call, &profile).await.map(|stored| stored.revision) };
    let if_match = if_match.revision(current).await?;
    app.delete_profile(&call, &profile, if_match).await?;
    gone(&call, None::<wire::Profile>)
}

fn raw_of_new(body: wire::NewProfile) -> RawProfile {
    RawProfile {
        name: body.name,
        description: body.description.unwrap_or_default(),
        usages: body.usages,
        key_algorithms: body.key_algorithms.unwrap_or_default(),
        max_validity: body.max_validity,
        key_holders: body.key_holders.unwrap_or_default(),
        names: body.names.map_or_else(default_limits, raw_limits),
    }
}

/// Without a name, the name stays as it is.
fn raw_of_other(body: wire::ReplaceProfile) -> RawProfile {
    raw_of_new(wire::NewProfile {
        name: body.name.unwrap_or_default(),
        description: body.description,
        usages: body.usages,
        key_algorithms: body.key_algorithms,
        max_validity: body.max_validity,
        key_holders: body.key_holders,
        names: body.names,
        compartment: None,
    })
}

/// A profile that says nothing about names has the default profile's limits.
fn default_limits() -> RawNameLimits {
    Profile::built_in(DEFAULT_PROFILE).map_or_else(RawNameLimits::default, |profile| profile.to_raw().names)
}

fn raw_limits(names: wire::NameLimits) -> RawNameLimits {
    RawNameLimits {
        dns: names.dns,
        wildcards: names.wildcards.unwrap_or(false),
        ip: names.ip,
        email: names.email,
        uri: names.uri,
        required: names.required.unwrap_or(false),
        // A commonName outside of the names would slip past the patterns: only those who ask for it may have it.
        common_name_in_names: names.common_name_in_names.unwrap_or(true),
        subject: names.subject,
    }
}
