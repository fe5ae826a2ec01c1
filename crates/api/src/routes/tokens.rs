//! Tokens, and who one is.

use crate::Api;
use crate::answer::{self, Answer, document, done, gone, list, made_under_rules};
use crate::extract::{Json, OptionalJson, Path, Query, Read, Write};
use crate::parse::{Faults, page, reference};
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use certwright_app::{App, NewToken};
use certwright_domain::secret::SecretText;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;
use certwright_domain::token::Token;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(all, create))
        .routes(routes!(one, delete))
        .routes(routes!(revoke))
        .routes(routes!(whoami))
}

/// Who am I?
#[utoipa::path(get, path = "/v1/whoami", operation_id = "whoami", tag = "access",
    responses((status = 200, description = "The caller", body = wire::Whoami)))]
async fn whoami(State(app): State<App>, Read(call): Read) -> Answer {
    answer::json(StatusCode::OK, &view::whoami(&app.whoami(&call).await?))
}

/// List tokens
///
/// Newest first, without their texts.
#[utoipa::path(get, path = "/v1/tokens", operation_id = "listTokens", tag = "access", params(wire::PageQuery),
    responses((status = 200, description = "A page of tokens", body = wire::List<wire::Token>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.tokens(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |token| view::token(&token))
}

/// Make a token
///
/// Its text is in the answer and nowhere else.
#[utoipa::path(post, path = "/v1/tokens", operation_id = "createToken", tag = "access", params(wire::WriteQuery),
    request_body = wire::NewToken, responses((status = 201, description = "Made", body = wire::NewTokenAnswer),
    (status = 200, description = "A trial", body = wire::DryRun<wire::Token>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewToken>) -> Answer {
    let (token, text) = app.create_token(&call, new_token(body)?).await?;
    if call.dry_run {
        return answer::trial(view::token(&token), Vec::new());
    }
    let location = format!("/v1/tokens/{}", token.id);
    made_under_rules(&call, &location, None, new_token_answer(&token, &text), Vec::new())
}

/// Read a token's record
#[utoipa::path(get, path = "/v1/tokens/{token}", operation_id = "getToken", tag = "access",
    params(("token" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The record", body = wire::Token)))]
async fn one(State(app): State<App>, Read(call): Read, Path(token): Path<String>, headers: HeaderMap) -> Answer {
    document(&headers, &view::token(&app.token(&call, &reference(&token)?).await?))
}

/// Revoke a token
///
/// Takes effect at once. The same as `POST …/revoke`, without a body in the answer.
#[utoipa::path(delete, path = "/v1/tokens/{token}", operation_id = "deleteToken", tag = "access",
    params(("token" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Revoked"), (status = 200, description = "A trial", body = wire::DryRun<wire::Token>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(token): Path<String>) -> Answer {
    let token = app.revoke_token(&call, &reference(&token)?).await?;
    gone(&call, view::token(&token))
}

/// Revoke a token
///
/// Takes effect at once. Twice answers the same.
#[utoipa::path(post, path = "/v1/tokens/{token}/revoke", operation_id = "revokeToken", tag = "access",
    params(("token" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 200, description = "The record, or a trial", body = wire::Token)))]
async fn revoke(
    State(app): State<App>,
    Write(call): Write,
    Path(token): Path<String>,
    OptionalJson(wire::Empty {}): OptionalJson<wire::Empty>,
) -> Answer {
    let token = app.revoke_token(&call, &reference(&token)?).await?;
    done(&call, view::token(&token))
}

fn new_token(body: wire::NewToken) -> Result<NewToken, Problem> {
    let mut faults = Faults::default();
    let name = faults.name("/name", &body.name);
    let expires_at = faults.optional("/expiresAt", body.expires_at.as_deref(), Timestamp::parse);
    let bound_to = faults.optional("/boundTo", body.bound_to.as_deref(), Sha256::parse);
    let new = name.zip(expires_at).zip(bound_to).map(|((name, expires_at), bound_to)| {
        let (user, scopes) = (body.user, body.scopes.unwrap_or_default());
        NewToken { name, user, expires_at, scopes, bound_to }
    });
    faults.finish(new)
}

fn new_token_answer(token: &Token, text: &SecretText) -> wire::NewTokenAnswer {
    wire::NewTokenAnswer {
        id: token.id.to_string(),
        name: token.name.to_string(),
        user: token.user.clone(),
        token: wire::SecretText::new(text.expose().clone()),
        created_at: token.created_at.to_string(),
        expires_at: view::text(token.expires_at),
    }
}
