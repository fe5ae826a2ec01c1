//! A version for its users: one URL, many formats.

use crate::Api;
use crate::answer::{Answer, bytes, content_etag, file, json, negotiated, with_etag};
use crate::content::{bundle_tar, pem_chain, pkcs7};
use crate::extract::{Json, Path, Query, Read};
use crate::negotiate::{BUNDLE, BUNDLE_POSTED, BUNDLE_WITH_KEY, Format, Offer, choose};
use crate::openapi::Binary;
use crate::parse::{Faults, reference};
use crate::problem::Problem;
use crate::view;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use certwright_app::{App, Bundle, KeyFile, VersionSelector};
use certwright_domain::name::ResourceName;
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_domain::stage::Stage;
use certwright_domain::violation::Invalid;
use certwright_wire as wire;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get, post))
}

/// Read a certificate's bundle
///
/// Certificate and chain of a version, and on request its private key. The `ETag` changes when the content does: agents
/// poll with `If-None-Match` and get 304. With the key only formats that can hold it are on offer; like every answer to a token,
/// it may not be stored (`Cache-Control: no-store`). Formats with a password are asked for by `POST`.
#[utoipa::path(get, path = "/v1/certificates/{certificate}/bundle", operation_id = "getCertificateBundle",
    tag = "certificates", params(("certificate" = String, Path, description = "Name or id"), wire::BundleQuery),
    responses((status = 200, description = "The bundle", content((wire::Bundle = "application/json"),
    (String = "application/pem-certificate-chain"), (Binary = "application/pkix-cert"), (Binary = "application/pkcs7-mime"),
    (Binary = "application/x-tar")))))]
async fn get(
    State(app): State<App>,
    Read(call): Read,
    Path(name): Path<String>,
    Query(q): Query<wire::BundleQuery>,
    headers: HeaderMap,
) -> Answer {
    let with_key = q.include_key.unwrap_or(false);
    let offers = if with_key { BUNDLE_WITH_KEY } else { BUNDLE };
    let offer = choose(&headers, q.format.as_deref(), offers).map_err(|problem| posted(problem, &headers, &q))?;
    let selector = selector(q.version, q.version_name.as_deref(), q.stage.as_deref())?;
    let bundle = app.certificate_bundle(&call, &reference(&name)?, &selector).await?;
    let tag = etag(&bundle, offer, with_key);
    // What the caller has already is neither put together nor, with a key, opened.
    let known = with_etag(&headers, &tag, bytes(StatusCode::OK, offer.media, Vec::new()))?;
    if known.status() == StatusCode::NOT_MODIFIED {
        return Ok(negotiated(known));
    }
    let key = if with_key { Some(app.certificate_key(&call, &bundle).await?) } else { None };
    let response = rendered(&app, offer, &bundle, key.as_ref(), None).await?;
    with_etag(&HeaderMap::new(), &tag, response).map(negotiated)
}

/// Formats with a password are not here: a password has no place in a URL.
fn posted(problem: Problem, headers: &HeaderMap, q: &wire::BundleQuery) -> Problem {
    match choose(headers, q.format.as_deref(), BUNDLE_POSTED) {
        Ok(offer) if matches!(offer.format, Format::P12 | Format::Jks) => {
            let format = offer.format.name();
            problem.hinting(format!(
                "Ask for it with `POST` and a password in the body: `{{\"format\":\"{format}\",\"password\":\"…\"}}`."
            ))
        }
        _ => problem,
    }
}

/// Ask for a certificate's bundle with a password
///
/// As `GET`, with the options in the body, because a password has no place in a URL: PKCS#12 (`p12`, modern or `compat`), a
/// Java key store (`jks`), or PEM and tar with an encrypted private key.
#[utoipa::path(post, path = "/v1/certificates/{certificate}/bundle", operation_id = "exportCertificateBundle",
    tag = "certificates", params(("certificate" = String, Path, description = "Name or id")),
    request_body = wire::BundleRequest,
    responses((status = 200, description = "The bundle", content((wire::Bundle = "application/json"),
    (String = "application/pem-certificate-chain"), (Binary = "application/pkix-cert"), (Binary = "application/pkcs7-mime"),
    (Binary = "application/x-tar"), (Binary = "application/pkcs12"), (Binary = "application/x-java-keystore")))))]
async fn post(
    State(app): State<App>,
    Read(call): Read,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<wire::BundleRequest>,
) -> Answer {
    let offer = choose(&headers, body.format.as_deref(), BUNDLE_POSTED)?;
    let selector = selector(body.version, body.version_name.as_deref(), body.stage.as_deref())?;
    let with_key = body.include_key.unwrap_or(matches!(offer.format, Format::P12 | Format::Jks));
    if with_key && matches!(offer.format, Format::Der | Format::P7) {
        return Err(Problem::invalid("/includeKey", cannot_hold_a_key(offer)));
    }
    let bundle = app.certificate_bundle(&call, &reference(&name)?, &selector).await?;
    let key = if with_key { Some(app.certificate_key(&call, &bundle).await?) } else { None };
    rendered(&app, offer, &bundle, key.as_ref(), Some(&body)).await.map(negotiated)
}

/// The bundle in the format asked for. `asked`: password, alias and strength, where they came in a body.
async fn rendered(
    app: &App,
    offer: Offer,
    bundle: &Bundle,
    key: Option<&SecretBytes>,
    asked: Option<&wire::BundleRequest>,
) -> Answer {
    let name = bundle.certificate.name.as_str();
    let password = asked.and_then(|asked| asked.password.as_ref());
    let encrypted = match (key, password, offer.format) {
        (Some(key), Some(password), Format::Pem | Format::Tar) => Some(app.encrypted_key(key, secret(password)).await?),
        _ => None,
    };
    let key_pem = match (&encrypted, key) {
        (Some(pem), _) => Some(pem.expose().clone()),
        (None, Some(key)) => Some(certwright_app::to_pem("PRIVATE KEY", key.expose())),
        (None, None) => None,
    };
    match offer.format {
        Format::Json | Format::Csv => json(StatusCode::OK, &view::bundle(bundle, key)),
        Format::Pem => {
            let text = format!("{}{}", key_pem.unwrap_or_default(), pem_chain(bundle.chain()));
            file(StatusCode::OK, offer, name, text.into_bytes())
        }
        Format::Der => file(StatusCode::OK, offer, name, bundle.version.certificate.clone()),
        Format::P7 => file(StatusCode::OK, offer, name, pkcs7(&bundle.chain())?),
        Format::Tar => file(StatusCode::OK, offer, name, bundle_tar(bundle, key_pem)?),
        Format::P12 | Format::Jks => {
            let kind = match (offer.format, asked.and_then(|asked| asked.compat).unwrap_or(false)) {
                (Format::Jks, _) => KeyFile::Jks,
                (_, true) => KeyFile::Pkcs12Compat,
                (_, false) => KeyFile::Pkcs12,
            };
            let password = password.map(secret);
            let alias = asked.and_then(|asked| asked.alias.as_deref());
            let made = app.key_file(kind, bundle, key, alias, password).await?;
            file(StatusCode::OK, offer, name, made.expose().clone())
        }
    }
}

fn secret(text: &wire::SecretText) -> SecretText {
    SecretText::new(text.expose().to_owned())
}

/// Everything that the content depends on. Of the formats JSON alone says when the version is due.
fn etag(bundle: &Bundle, offer: Offer, with_key: bool) -> String {
    let version = &bundle.version;
    let stages: Vec<&str> = bundle.stages.iter().map(|stage: &Stage| stage.as_str()).collect();
    let due = match offer.format {
        Format::Json => version.renew_at(bundle.certificate.renewal.rule.as_ref()).to_string(),
        _ => String::new(),
    };
    let text = format!(
        "{} {} {} {} {} {with_key} {due}",
        bundle.certificate.name,
        version.fingerprint,
        version.number,
        stages.join(","),
        offer.media,
    );
    content_etag(text.as_bytes())
}

/// Which version is asked for: by number, by name or by stage; the current one where nothing says.
fn selector(number: Option<u32>, name: Option<&str>, stage: Option<&str>) -> Result<VersionSelector, Problem> {
    let mut faults = Faults::default();
    let name = faults.optional("/versionName", name, ResourceName::parse);
    let stage = faults.optional("/stage", stage, stage_selector);
    if [number.is_some(), name.as_ref().is_some_and(Option::is_some), stage.as_ref().is_some_and(Option::is_some)]
        .iter()
        .filter(|given| **given)
        .count()
        > 1
    {
        let detail = "`version`, `versionName` and `stage` each say which version is meant.";
        faults.note("", Invalid::new("contradicting_fields", detail, "Give one of them."));
    }
    faults.finish(name.zip(stage).map(|(name, stage)| match (number, name, stage) {
        (Some(number), ..) => VersionSelector::Number(number),
        (None, Some(name), _) => VersionSelector::Named(name),
        (None, None, Some(stage)) => stage,
        (None, None, None) => VersionSelector::Current,
    }))
}

fn stage_selector(text: &str) -> Result<VersionSelector, Invalid> {
    match Stage::parse(text)? {
        Stage::Current => Ok(VersionSelector::Current),
        Stage::Previous => Ok(VersionSelector::Previous),
        Stage::Pending => Ok(VersionSelector::Pending),
        Stage::Latest => Ok(VersionSelector::Latest),
        several @ (Stage::Deprecated | Stage::Failed) => Err(Invalid::new(
            "invalid_stage",
            format!("Several versions may be {several}."),
            "Name one by its number: `version`.",
        )),
    }
}

fn cannot_hold_a_key(offer: Offer) -> Invalid {
    Invalid::new(
        "format_without_key",
        format!("The format `{}` cannot hold a private key.", offer.format.name()),
        "Choose one of: json, pem, tar, p12, jks.",
    )
}
