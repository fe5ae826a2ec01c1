//! Identity providers, and coming in with their tokens.

use crate::Api;
use crate::answer::{self, Answer, changed, gone, list, made, resource};
use crate::edge::RequestId;
use crate::extract::{IfMatch, Json, Path, Query, Read, StrangersJson, Write};
use crate::guard::peer;
use crate::parse::{Faults, page, reference};
use crate::problem::{Problem, in_body};
use crate::size::{BodyLimit, within};
use crate::view;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use certwright_app::{App, Door, Error, Exchange, NewIdentityProvider};
use certwright_domain::identity::{MAX_TOKEN, RawRule};
use certwright_domain::name::Reference;
use certwright_domain::secret::SecretText;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Most bytes of a request to exchange a token: nobody is known yet, and a token has at most [`MAX_TOKEN`] of them.
const EXCHANGE_BODY: usize = 2 * MAX_TOKEN;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(all, create)).routes(routes!(one, replace, delete)).routes(routes!(test))
}

pub(crate) fn open_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(exchange)).layer(from_fn_with_state(BodyLimit::fixed(EXCHANGE_BODY), within))
}

/// List identity providers
///
/// By name.
#[utoipa::path(get, path = "/v1/identity-providers", operation_id = "listIdentityProviders", tag = "access",
    params(wire::PageQuery),
    responses((status = 200, description = "A page of identity providers", body = wire::List<wire::IdentityProvider>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.identity_providers(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |provider| view::identity_provider(&provider))
}

/// Make an identity provider
///
/// Tokens (JWT) of its issuer that one of the rules matches come in from now on.
#[utoipa::path(post, path = "/v1/identity-providers", operation_id = "createIdentityProvider", tag = "access",
    params(wire::WriteQuery), request_body = wire::NewIdentityProvider,
    responses((status = 201, description = "Made", body = wire::IdentityProvider),
    (status = 200, description = "A trial", body = wire::DryRun<wire::IdentityProvider>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewIdentityProvider>) -> Answer {
    let provider = app.create_identity_provider(&call, raw(body)).await?;
    let location = format!("/v1/identity-providers/{}", provider.settings.name());
    made(&call, &location, provider.revision, view::identity_provider(&provider))
}

/// Read an identity provider
#[utoipa::path(get, path = "/v1/identity-providers/{provider}", operation_id = "getIdentityProvider", tag = "access",
    params(("provider" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The identity provider", body = wire::IdentityProvider)))]
async fn one(State(app): State<App>, Read(call): Read, Path(provider): Path<String>, headers: HeaderMap) -> Answer {
    let provider = app.identity_provider(&call, &reference(&provider)?).await?;
    resource(&headers, provider.revision, &view::identity_provider(&provider))
}

/// Replace an identity provider
///
/// Needs `If-Match`. Kind, issuer and where the keys come from cannot be changed: another issuer is another provider.
#[utoipa::path(put, path = "/v1/identity-providers/{provider}", operation_id = "replaceIdentityProvider", tag = "access",
    params(("provider" = String, Path, description = "Name or id"), wire::WriteQuery),
    request_body = wire::ReplaceIdentityProvider,
    responses((status = 200, description = "The identity provider, or a trial", body = wire::IdentityProvider)))]
async fn replace(
    State(app): State<App>,
    Write(call): Write,
    Path(provider): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::ReplaceIdentityProvider>,
) -> Answer {
    let (provider, if_match) = (reference(&provider)?, IfMatch::of(&headers)?);
    let current = async { app.identity_provider(&call, &provider).await.map(|provider| provider.revision) };
    let if_match = if_match.revision(current).await?;
    let provider = app.replace_identity_provider(&call, &provider, raw_of_other(body), if_match).await?;
    changed(&call, provider.revision, view::identity_provider(&provider))
}

/// Delete an identity provider
///
/// Nobody comes in by it any more; tokens that were given for its tokens end. `If-Match` is checked when given.
#[utoipa::path(delete, path = "/v1/identity-providers/{provider}", operation_id = "deleteIdentityProvider",
    tag = "access", params(("provider" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"),
    (status = 200, description = "A trial", body = wire::DryRun<Option<wire::IdentityProvider>>)))]
async fn delete(
    State(app): State<App>,
    Write(call): Write,
    Path(provider): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let (provider, if_match) = (reference(&provider)?, IfMatch::of(&headers)?);
    let current = async { app.identity_provider(&call, &provider).await.map(|provider| provider.revision) };
    let if_match = if_match.revision(current).await?;
    app.delete_identity_provider(&call, &provider, if_match).await?;
    gone(&call, None::<wire::IdentityProvider>)
}

/// Try a token
///
/// Which rule would match the token, and why the others do not; whether it would come in now. Nothing is changed.
#[utoipa::path(post, path = "/v1/identity-providers/{provider}/test", operation_id = "testIdentityProvider",
    tag = "access", params(("provider" = String, Path, description = "Name or id")), request_body = wire::TestToken,
    responses((status = 200, description = "What the provider would say", body = wire::TokenTrial)))]
async fn test(
    State(app): State<App>,
    Read(call): Read,
    Path(provider): Path<String>,
    Json(body): Json<wire::TestToken>,
) -> Answer {
    let token = SecretText::new(body.token.expose().to_owned());
    let trial = app.test_identity_provider(&call, &reference(&provider)?, &token).await?;
    answer::json(StatusCode::OK, &view::token_trial(trial))
}

/// Exchange a token
///
/// Gives a short-lived token of ours for a token (JWT) of an identity provider: for tools that send many requests, and for
/// tokens that are too long for a header. The other one is taken in `Authorization`, too.
#[utoipa::path(post, path = "/v1/auth/oidc", operation_id = "exchangeToken", tag = "open",
    request_body = wire::ExchangeToken,
    responses((status = 200, description = "A token", body = wire::ExchangedToken),
    (status = 401, description = "No identity provider lets the token in", body = wire::Problem,
        content_type = "application/problem+json")))]
async fn exchange(
    State(app): State<App>,
    parts: Parts,
    StrangersJson(body): StrangersJson<wire::ExchangeToken>,
) -> Answer {
    let mut faults = Faults::default();
    let provider = faults.optional("/provider", body.provider.as_deref(), Reference::parse);
    let provider = faults.finish(provider)?;
    let token = SecretText::new(body.token.expose().to_owned());
    let request_id = parts.extensions.get::<RequestId>().map_or("", |id| &*id.0);
    let address = peer(&parts.extensions);
    let exchange = Exchange { provider, token, request_id: request_id.to_owned(), address };
    let exchanged = app.exchange_token(exchange).await;
    let exchanged = exchanged.map_err(|error| match error {
        Error::Unauthenticated { .. } => {
            app.note_failed_login(address, request_id, Door::Jwt.as_str());
            Problem::from(error).hinting(
                "Send a token (JWT) of an identity provider that is set up here, fresh, and for its audience, as `token`; an \
                 administrator sees with `POST /v1/identity-providers/{identityProvider}/test` what is wrong with one.",
            )
        }
        error => in_body(&[("identity provider", "/provider")])(error),
    });
    let (token, text) = exchanged?;
    answer::json(StatusCode::OK, &view::exchanged_token(&token, &text))
}

fn raw(body: wire::NewIdentityProvider) -> NewIdentityProvider {
    NewIdentityProvider {
        name: body.name,
        description: body.description.unwrap_or_default(),
        kind: body.kind,
        issuer: body.issuer,
        audiences: body.audiences,
        jwks_uri: body.jwks_uri,
        jwks: body.jwks.map(|keys| keys.to_string()),
        algorithms: body.algorithms.unwrap_or_default(),
        rules: body.rules.into_iter().map(raw_rule).collect(),
        clock_skew: body.clock_skew,
        max_token_age: body.max_token_age,
        enabled: body.enabled.unwrap_or(true),
    }
}

/// Without a name, the name stays as it is.
fn raw_of_other(body: wire::ReplaceIdentityProvider) -> NewIdentityProvider {
    raw(wire::NewIdentityProvider {
        name: body.name.unwrap_or_default(),
        description: body.description,
        kind: body.kind,
        issuer: body.issuer,
        audiences: body.audiences,
        jwks_uri: body.jwks_uri,
        jwks: body.jwks,
        algorithms: body.algorithms,
        rules: body.rules,
        clock_skew: body.clock_skew,
        max_token_age: body.max_token_age,
        enabled: body.enabled,
    })
}

fn raw_rule(rule: wire::TrustRule) -> RawRule {
    let wire::TrustRule { claims, subject, groups, names } = rule;
    RawRule { claims, subject, groups: groups.unwrap_or_default(), names }
}
