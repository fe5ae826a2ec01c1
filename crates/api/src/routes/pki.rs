//! What stands in certificates as URLs: issuers, chains and revocation lists (RFC 5280 sections 4.2.1.13 and 4.2.2.1). Open
//! to all, also on the plain listener, because clients fetch them before they trust us.

use crate::Api;
use crate::answer::{self, Answer, public, set, with_etag};
use crate::content::{pem_chain, pkcs7};
use crate::extract::Path;
use crate::openapi::Binary;
use crate::parse::{reference, version};
use crate::pem_body::PemBody;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use axum::http::{HeaderMap, Response, StatusCode};
use certwright_app::{App, ServedCrl};
use certwright_domain::crl::{CrlKind, Shards};
use certwright_domain::time::{Span, Timestamp};
use std::time::{Duration, UNIX_EPOCH};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest time that a cache may keep a list without asking again: a revocation is seen that soon.
const LONGEST_AGE: Span = Span::from_minutes(5);

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(current))
        .routes(routes!(of_version))
        .routes(routes!(chain_pem))
        .routes(routes!(chain_p7))
        .routes(routes!(chain_pem_of_version))
        .routes(routes!(chain_p7_of_version))
        .routes(routes!(crl))
        .routes(routes!(crl_pem))
        .routes(routes!(crl_of_version))
        .routes(routes!(crl_pem_of_version))
        .routes(routes!(crl_shard))
        .routes(routes!(delta))
        .routes(routes!(delta_of_version))
        .routes(routes!(delta_shard))
}

/// Fetch a CA's certificate
///
/// DER of the current version.
#[utoipa::path(get, path = "/pki/{ca}/ca.crt", operation_id = "getIssuerCertificate", tag = "open",
    params(("ca" = String, Path, description = "Name or id")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-cert")))]
async fn current(State(app): State<App>, Path(ca): Path<String>, headers: HeaderMap) -> Answer {
    certificate(&headers, app.ca_certificate(&reference(&ca)?, None).await?, "public, max-age=300")
}

/// Fetch the certificate of a CA's version
///
/// DER; it never changes.
#[utoipa::path(get, path = "/pki/{ca}/{version}/ca.crt", operation_id = "getIssuerCertificateVersion", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-cert")))]
async fn of_version(State(app): State<App>, Path((ca, number)): Path<(String, String)>, headers: HeaderMap) -> Answer {
    let der = app.ca_certificate(&reference(&ca)?, Some(version(&number)?)).await?;
    certificate(&headers, der, "public, max-age=86400")
}

/// Fetch a CA's chain as PEM
///
/// The current version first, the root last where it is known.
#[utoipa::path(get, path = "/pki/{ca}/chain.pem", operation_id = "getIssuerChain", tag = "open",
    params(("ca" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The chain", body = String, content_type = "application/pem-certificate-chain")))]
async fn chain_pem(State(app): State<App>, Path(ca): Path<String>, headers: HeaderMap) -> Answer {
    chain(&app, &headers, &ca, None, true).await
}

/// Fetch a CA's chain as certs-only PKCS#7
#[utoipa::path(get, path = "/pki/{ca}/chain.p7c", operation_id = "getIssuerChainP7", tag = "open",
    params(("ca" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The chain", body = Binary, content_type = "application/pkcs7-mime")))]
async fn chain_p7(State(app): State<App>, Path(ca): Path<String>, headers: HeaderMap) -> Answer {
    chain(&app, &headers, &ca, None, false).await
}

/// Fetch the chain of a CA's version as PEM
#[utoipa::path(get, path = "/pki/{ca}/{version}/chain.pem", operation_id = "getIssuerChainVersion", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version")),
    responses((status = 200, description = "The chain", body = String, content_type = "application/pem-certificate-chain")))]
async fn chain_pem_of_version(
    State(app): State<App>,
    Path((ca, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    chain(&app, &headers, &ca, Some(&number), true).await
}

/// Fetch the chain of a CA's version as certs-only PKCS#7
#[utoipa::path(get, path = "/pki/{ca}/{version}/chain.p7c", operation_id = "getIssuerChainVersionP7", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version")),
    responses((status = 200, description = "The chain", body = Binary, content_type = "application/pkcs7-mime")))]
async fn chain_p7_of_version(
    State(app): State<App>,
    Path((ca, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    chain(&app, &headers, &ca, Some(&number), false).await
}

/// Fetch a CA's revocation list
///
/// DER of the newest list that the current version signed, as it is stored: asking for it signs nothing.
#[utoipa::path(get, path = "/pki/{ca}/crl", operation_id = "getRevocationList", tag = "open",
    params(("ca" = String, Path, description = "Name or id")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-crl")))]
async fn crl(State(app): State<App>, Path(ca): Path<String>, headers: HeaderMap) -> Answer {
    let served = app.crl(&reference(&ca)?, None, CrlKind::Full, Shards::ONE, 0).await?;
    der(&headers, &served, app.now())
}

/// Fetch a CA's revocation list as PEM
#[utoipa::path(get, path = "/pki/{ca}/crl.pem", operation_id = "getRevocationListPem", tag = "open",
    params(("ca" = String, Path, description = "Name or id")),
    responses((status = 200, description = "PEM", body = String, content_type = "application/x-pem-file")))]
async fn crl_pem(State(app): State<App>, Path(ca): Path<String>, headers: HeaderMap) -> Answer {
    let served = app.crl(&reference(&ca)?, None, CrlKind::Full, Shards::ONE, 0).await?;
    pem(&headers, &served, app.now())
}

/// Fetch the revocation list of a CA's version
#[utoipa::path(get, path = "/pki/{ca}/{version}/crl", operation_id = "getRevocationListVersion", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-crl")))]
async fn crl_of_version(
    State(app): State<App>,
    Path((ca, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let served = app.crl(&reference(&ca)?, Some(version(&number)?), CrlKind::Full, Shards::ONE, 0).await?;
    der(&headers, &served, app.now())
}

/// Fetch the revocation list of a CA's version as PEM
#[utoipa::path(get, path = "/pki/{ca}/{version}/crl.pem", operation_id = "getRevocationListVersionPem", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version")),
    responses((status = 200, description = "PEM", body = String, content_type = "application/x-pem-file")))]
async fn crl_pem_of_version(
    State(app): State<App>,
    Path((ca, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let served = app.crl(&reference(&ca)?, Some(version(&number)?), CrlKind::Full, Shards::ONE, 0).await?;
    pem(&headers, &served, app.now())
}

/// Fetch one shard of a revocation list
///
/// For CAs whose lists are cut; each certificate names the shard that it may stand in.
#[utoipa::path(get, path = "/pki/{ca}/{version}/crl/{shards}/{shard}", operation_id = "getRevocationListShard", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version"),
    ("shards" = u32, Path, description = "How many there are"), ("shard" = u32, Path, description = "Which, from 0")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-crl")))]
async fn crl_shard(State(app): State<App>, Path(path): Path<ShardPath>, headers: HeaderMap) -> Answer {
    shard(&app, &headers, CrlKind::Full, path).await
}

/// Fetch a CA's delta revocation list
///
/// What changed since the full list (RFC 5280 section 5.2.4), where the CA publishes delta lists.
#[utoipa::path(get, path = "/pki/{ca}/delta.crl", operation_id = "getDeltaRevocationList", tag = "open",
    params(("ca" = String, Path, description = "Name or id")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-crl")))]
async fn delta(State(app): State<App>, Path(ca): Path<String>, headers: HeaderMap) -> Answer {
    let served = app.crl(&reference(&ca)?, None, CrlKind::Delta, Shards::ONE, 0).await?;
    der(&headers, &served, app.now())
}

/// Fetch the delta revocation list of a CA's version
#[utoipa::path(get, path = "/pki/{ca}/{version}/delta.crl", operation_id = "getDeltaRevocationListVersion", tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-crl")))]
async fn delta_of_version(
    State(app): State<App>,
    Path((ca, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let served = app.crl(&reference(&ca)?, Some(version(&number)?), CrlKind::Delta, Shards::ONE, 0).await?;
    der(&headers, &served, app.now())
}

/// Fetch one shard of a delta revocation list
#[utoipa::path(get, path = "/pki/{ca}/{version}/delta.crl/{shards}/{shard}", operation_id = "getDeltaRevocationListShard",
    tag = "open",
    params(("ca" = String, Path, description = "Name or id"), ("version" = u32, Path, description = "Version"),
    ("shards" = u32, Path, description = "How many there are"), ("shard" = u32, Path, description = "Which, from 0")),
    responses((status = 200, description = "DER", body = Binary, content_type = "application/pkix-crl")))]
async fn delta_shard(State(app): State<App>, Path(path): Path<ShardPath>, headers: HeaderMap) -> Answer {
    shard(&app, &headers, CrlKind::Delta, path).await
}

/// CA, version, shards, shard.
type ShardPath = (String, String, String, String);

async fn shard(app: &App, headers: &HeaderMap, kind: CrlKind, path: ShardPath) -> Answer {
    let (ca, number, shards, shard) = path;
    let nothing = || Problem::of_status(StatusCode::NOT_FOUND);
    let shards = shards.parse().ok().and_then(|shards| Shards::new(shards).ok()).ok_or_else(nothing)?;
    let shard = shard.parse().ok().filter(|shard| *shard < shards.number()).ok_or_else(nothing)?;
    let served = app.crl(&reference(&ca)?, Some(version(&number)?), kind, shards, shard).await?;
    der(headers, &served, app.now())
}

fn certificate(headers: &HeaderMap, der: Vec<u8>, cache_control: &'static str) -> Answer {
    let tag = answer::content_etag(&der);
    let response = public(answer::bytes(StatusCode::OK, "application/pkix-cert", der), cache_control);
    with_etag(headers, &tag, response)
}

async fn chain(app: &App, headers: &HeaderMap, ca: &str, number: Option<&str>, as_pem: bool) -> Answer {
    let chain = app.issuer_chain(&reference(ca)?, number.map(version).transpose()?).await?;
    let (media, body) = match as_pem {
        true => ("application/pem-certificate-chain", pem_chain(&chain).into_bytes()),
        false => ("application/pkcs7-mime", pkcs7(&chain)?),
    };
    let tag = answer::content_etag(&body);
    with_etag(headers, &tag, public(answer::bytes(StatusCode::OK, media, body), "public, max-age=300"))
}

fn der(headers: &HeaderMap, served: &ServedCrl, now: Timestamp) -> Answer {
    list(headers, served, now, "application/pkix-crl", "", || Body::from(served.der.clone()))
}

fn pem(headers: &HeaderMap, served: &ServedCrl, now: Timestamp) -> Answer {
    let body = || Body::new(PemBody::new("X509 CRL", served.der.clone()));
    list(headers, served, now, "application/x-pem-file", "-pem", body)
}

/// A list with what caches need to know: they ask again after minutes, and never show it beyond its nextUpdate.
fn list(
    headers: &HeaderMap,
    served: &ServedCrl,
    now: Timestamp,
    media: &'static str,
    form: &str,
    body: impl FnOnce() -> Body,
) -> Answer {
    let crl = &served.crl;
    let hash = crl.sha256.to_string();
    let tag = format!("\"{}{form}\"", hash.get(..32).unwrap_or(&hash));
    let left = crl.next_update.ms_since(now).clamp(0, LONGEST_AGE.ms()) / 1000;
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    set(&mut response, CACHE_CONTROL, &format!("public, max-age={left}, must-revalidate"))?;
    set(&mut response, LAST_MODIFIED, &http_date(crl.this_update))?;
    if !headers.contains_key(IF_NONE_MATCH) && is_unmodified(headers, crl.this_update) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_TYPE);
        return with_etag(headers, &tag, response);
    }
    let mut response = with_etag(headers, &tag, response)?;
    if response.status() == StatusCode::OK {
        *response.body_mut() = body();
    }
    Ok(response)
}

/// Does the client have this list or a newer one (RFC 9110 section 13.1.3)?
fn is_unmodified(headers: &HeaderMap, this_update: Timestamp) -> bool {
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let since = since.and_then(|text| httpdate::parse_http_date(text).ok());
    since.is_some_and(|since| since >= system_time(this_update))
}

fn http_date(at: Timestamp) -> String {
    httpdate::fmt_http_date(system_time(at))
}

fn system_time(at: Timestamp) -> std::time::SystemTime {
    let seconds = u64::try_from(at.unix_s()).unwrap_or(0);
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}
