//! Enrolment tokens, and coming in with one.

use crate::Api;
use crate::answer::{self, Answer, gone, list, made_under_rules};
use crate::extract::{Json, Path, Query, Read, Write};
use crate::guard::{Access, not_let_in};
use crate::negotiate::{SIGN, choose};
use crate::openapi::Binary;
use crate::parse::{Faults, page, reference};
use crate::problem::{Problem, in_body};
use crate::routes::issue::{issued, tried};
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use certwright_app::{App, EnrollRequest, NewEnrollmentToken};
use certwright_domain::name::Reference;
use certwright_domain::time::{Span, Timestamp};
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(all, create))
        .routes(routes!(one, delete))
        .routes(routes!(enroll))
        .routes(routes!(renew))
}

/// List enrolment tokens
///
/// Newest first, without their texts; those of CAs in compartments whose tokens you may see.
#[utoipa::path(get, path = "/v1/enrollment-tokens", operation_id = "listEnrollmentTokens", tag = "access",
    params(wire::PageQuery),
    responses((status = 200, description = "A page of enrolment tokens", body = wire::List<wire::EnrollmentToken>)))]
async fn all(State(app): State<App>, Read(call): Read, Query(q): Query<wire::PageQuery>, uri: Uri) -> Answer {
    let found = app.enrollment_tokens(&call, &page(&app, q.limit, q.cursor.as_deref())?).await?;
    list(&app, &uri, found, |token| view::enrollment_token(&token))
}

/// Make an enrolment token
///
/// It gives its holder certificates for the names listed here, and nothing else; its text is in the answer and nowhere else.
/// You must be allowed to have the CA sign just that. It lies where its CA lies.
#[utoipa::path(post, path = "/v1/enrollment-tokens", operation_id = "createEnrollmentToken", tag = "access",
    params(wire::WriteQuery), request_body = wire::NewEnrollmentToken,
    responses((status = 201, description = "Made", body = wire::NewEnrollmentTokenAnswer),
    (status = 200, description = "A trial", body = wire::DryRun<wire::EnrollmentToken>)))]
async fn create(State(app): State<App>, Write(call): Write, Json(body): Json<wire::NewEnrollmentToken>) -> Answer {
    let named = in_body(&[("CA", "/ca"), ("profile", "/profile")]);
    let (token, text) = app.create_enrollment_token(&call, new_token(&body)?).await.map_err(named)?;
    if call.dry_run {
        return answer::trial(view::enrollment_token(&token), Vec::new());
    }
    let location = format!("/v1/enrollment-tokens/{}", token.id);
    made_under_rules(&call, &location, None, view::new_enrollment_token(&token, &text), Vec::new())
}

/// Read an enrolment token's record
#[utoipa::path(get, path = "/v1/enrollment-tokens/{enrollmentToken}", operation_id = "getEnrollmentToken",
    tag = "access", params(("enrollmentToken" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The enrolment token", body = wire::EnrollmentToken)))]
async fn one(State(app): State<App>, Read(call): Read, Path(token): Path<String>, headers: HeaderMap) -> Answer {
    let token = app.enrollment_token(&call, &reference(&token)?).await?;
    answer::document(&headers, &view::enrollment_token(&token))
}

/// Delete an enrolment token
///
/// It gives nothing any more. Certificates that it has given stay.
#[utoipa::path(delete, path = "/v1/enrollment-tokens/{enrollmentToken}", operation_id = "deleteEnrollmentToken",
    tag = "access", params(("enrollmentToken" = String, Path, description = "Name or id"), wire::WriteQuery),
    responses((status = 204, description = "Gone"),
    (status = 200, description = "A trial", body = wire::DryRun<Option<wire::EnrollmentToken>>)))]
async fn delete(State(app): State<App>, Write(call): Write, Path(token): Path<String>) -> Answer {
    app.delete_enrollment_token(&call, &reference(&token)?).await?;
    gone(&call, None::<wire::EnrollmentToken>)
}

/// Get a certificate with an enrolment token
///
/// `Authorization: Bearer cwe_…`. The CSR's names must be among the token's, and its subject may have nothing but a
/// commonName that is one of them. The answer is that of `…/sign`. A use of the token is taken together with the
/// certificate, so a refused request costs none. Send an `Idempotency-Key`: after a lost answer, the same request with the
/// same key and token gets the same certificate again, even when the token is used up, as long as it has not ended.
#[utoipa::path(post, path = "/v1/auth/enroll", operation_id = "enroll", tag = "access", params(wire::IssueQuery),
    request_body = wire::Enroll,
    responses((status = 201, description = "Issued and recorded", content((wire::IssuedAnswer = "application/json"),
    (String = "application/pem-certificate-chain"), (Binary = "application/pkix-cert"), (Binary = "application/pkcs7-mime"),
    (Binary = "application/x-tar"))), (status = 200, description = "A trial", body = wire::DryRun<wire::Trial>)))]
async fn enroll(
    State(app): State<App>,
    access: Access,
    Query(q): Query<wire::IssueQuery>,
    headers: HeaderMap,
    Json(body): Json<wire::Enroll>,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), SIGN)?;
    let call = access.call(q.dry_run.unwrap_or(false));
    let request = enroll_request(body)?;
    let turned_away = |error| not_let_in(&app, Problem::from(error), &call);
    if call.dry_run {
        return tried(&app.try_enroll(&call, request).await.map_err(turned_away)?);
    }
    issued(app.enroll(&call, request).await.map_err(turned_away)?, offer, app.now())
}

/// Have a certificate renewed by itself
///
/// With the certificate in use as the client certificate of the connection, and without `Authorization`: it must be of this CA,
/// in force, not revoked, for client authentication, and have begun with an enrolment token. The CSR must have exactly its
/// subject and names, and a fresh key. The profile stays. (`…/renew` renews the CA itself.)
#[utoipa::path(post, path = "/v1/certificate-authorities/{ca}/renew-certificate", operation_id = "renewByCertificate",
    tag = "issuing", params(("ca" = String, Path, description = "Name or id"), wire::IssueQuery),
    request_body = wire::Enroll,
    responses((status = 201, description = "Issued and recorded", content((wire::IssuedAnswer = "application/json"),
    (String = "application/pem-certificate-chain"), (Binary = "application/pkix-cert"), (Binary = "application/pkcs7-mime"),
    (Binary = "application/x-tar"))), (status = 200, description = "A trial", body = wire::DryRun<wire::Trial>)))]
async fn renew(
    State(app): State<App>,
    access: Access,
    Path(ca): Path<String>,
    Query(q): Query<wire::IssueQuery>,
    headers: HeaderMap,
    Json(body): Json<wire::Enroll>,
) -> Answer {
    let offer = choose(&headers, q.format.as_deref(), SIGN)?;
    let call = access.call(q.dry_run.unwrap_or(false));
    let (ca, request) = (reference(&ca)?, enroll_request(body)?);
    let turned_away = |error| not_let_in(&app, Problem::from(error), &call);
    if call.dry_run {
        return tried(&app.try_renew_by_certificate(&call, &ca, request).await.map_err(turned_away)?);
    }
    issued(app.renew_by_certificate(&call, &ca, request).await.map_err(turned_away)?, offer, app.now())
}

fn enroll_request(body: wire::Enroll) -> Result<EnrollRequest, Problem> {
    let mut faults = Faults::default();
    let validity = faults.optional_validity("/validity", body.validity.as_ref());
    Ok(EnrollRequest { validity: faults.finish(validity)?, csr: body.csr.into_bytes() })
}

fn new_token(body: &wire::NewEnrollmentToken) -> Result<NewEnrollmentToken, Problem> {
    let mut faults = Faults::default();
    let name = faults.name("/name", &body.name);
    let ca = faults.take("/ca", Reference::parse(&body.ca));
    let profile = faults.optional("/profile", body.profile.as_deref(), Reference::parse);
    let names = faults.names("/names", &body.names);
    let expires_at = faults.optional("/expiresAt", body.expires_at.as_deref(), Timestamp::parse);
    let lifetime = faults.optional("/lifetime", body.lifetime.as_deref(), Span::parse);
    let parts = name.zip(ca).zip(profile.zip(names)).zip(expires_at.zip(lifetime));
    faults.finish(parts.map(|(((name, ca), (profile, names)), (expires_at, lifetime))| NewEnrollmentToken {
        name,
        ca,
        profile,
        names,
        uses: body.uses,
        expires_at,
        lifetime,
    }))
}
