//! Certificates (RFC 8555 sections 7.4.2, 7.6) and renewal information (RFC 9773).

use crate::Door;
use crate::answer::{Answer, append, bare, json_body, set};
use crate::guard::{self, Signer};
use crate::payload::Payload;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, LINK, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use certwright_app::{AcmeCall, AcmeError, Problem, ProblemKind, to_pem};
use serde_json::json;

/// Seconds after which a client asks for renewal information again (RFC 9773 section 4.3).
const ASK_AGAIN: &str = "21600";
const PEM_CHAIN: &str = "application/pem-certificate-chain";
const DER: &str = "application/pkix-cert";

pub(crate) async fn certificate(
    State(door): State<Door>,
    Path((name, id)): Path<(String, String)>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let path = format!("certificate/{id}");
    chain(&door, &name, &id, 0, &path, &parts, &body).await
}

pub(crate) async fn alternate(
    State(door): State<Door>,
    Path((name, id, number)): Path<(String, String, String)>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let path = format!("certificate/{id}/{number}");
    // The first has a URL of its own.
    let number = number.parse::<usize>().ok().filter(|number| *number > 0).ok_or_else(absent)?;
    chain(&door, &name, &id, number, &path, &parts, &body).await
}

fn absent() -> AcmeError {
    Problem::new(ProblemKind::Malformed, "There is no such certificate.").with_status(404).into()
}

async fn chain(door: &Door, name: &str, id: &str, number: usize, path: &str, parts: &Parts, body: &Bytes) -> Answer {
    let begin = async |call: &AcmeCall, _: &[u8], nonce| door.app().begin_with_acme_certificate(call, nonce, id).await;
    let (_, payload, found) = guard::verify_and_begin(door, name, path, parts, body, begin).await?;
    Payload::none(&payload)?;
    let found = found?;
    let chosen = found.chains.get(number).ok_or_else(absent)?;
    let wanted = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = bare(StatusCode::OK);
    let url = door.urls(name).to(&format!("certificate/{id}"));
    if wanted.contains(DER) && !wanted.contains(PEM_CHAIN) {
        *response.body_mut() = Body::from(chosen.certificates.first().cloned().unwrap_or_default());
        set(response.headers_mut(), CONTENT_TYPE, DER);
        // The issuer's own certificate, where everybody finds it (RFC 8555 section 7.4.2).
        for issuer in &chosen.issuer_urls {
            append(response.headers_mut(), LINK, &format!("<{issuer}>;rel=\"up\""));
        }
    } else {
        let pem: String = chosen.certificates.iter().map(|der| to_pem("CERTIFICATE", der)).collect();
        *response.body_mut() = Body::from(pem);
        set(response.headers_mut(), CONTENT_TYPE, PEM_CHAIN);
    }
    for other in (0..found.chains.len()).filter(|other| *other != number) {
        let other = if other == 0 { url.clone() } else { format!("{url}/{other}") };
        append(response.headers_mut(), LINK, &format!("<{other}>;rel=\"alternate\""));
    }
    Ok(response)
}

pub(crate) async fn revoke(State(door): State<Door>, Path(name): Path<String>, parts: Parts, body: Bytes) -> Answer {
    let verified = guard::verify(&door, &name, "revoke-cert", &parts, &body, Signer::Either).await?;
    let payload = Payload::parse(&verified.payload)?;
    let (der, reason) = (payload.bytes("certificate")?, payload.integer("reason")?);
    match verified.account() {
        Some(call) => door.app().revoke_acme_certificate(&call, &der, reason).await?,
        None => {
            let key = verified.key()?;
            door.app().revoke_acme_certificate_by_key(&verified.door, key, &der, reason).await?;
        }
    }
    Ok(bare(StatusCode::OK))
}

pub(crate) async fn renewal_info(
    State(door): State<Door>,
    Path((name, id)): Path<(String, String)>,
    parts: Parts,
) -> Answer {
    let at = guard::directory(&door, &name, &parts.extensions).await?;
    let info = door.app().acme_renewal_info(&at, &id).await?;
    let time = |at: certwright_domain::time::Timestamp| at.floor_to_second().to_string();
    let window = json!({"start": time(info.window.start), "end": time(info.window.end)});
    let document = match info.explanation_url {
        Some(url) => json!({"suggestedWindow": window, "explanationURL": url}),
        None => json!({"suggestedWindow": window}),
    };
    let mut response: Response<Body> = json_body(StatusCode::OK, &document);
    set(response.headers_mut(), RETRY_AFTER, ASK_AGAIN);
    Ok(response)
}
