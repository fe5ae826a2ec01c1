//! Authorizations and challenges (RFC 8555 sections 7.4.1, 7.5).

use crate::Door;
use crate::answer::{Answer, append, json_body, set};
use crate::guard::{self, Signer};
use crate::jws::malformed;
use crate::payload::Payload;
use crate::render;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{LINK, LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use certwright_app::{AcmeCall, AcmeError, Problem, ProblemKind};
use certwright_domain::acme::{Authorization, Method};

pub(crate) async fn new_authorization(
    State(door): State<Door>,
    Path(name): Path<String>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let verified = guard::verify(&door, &name, "new-authz", &parts, &body, Signer::Account).await?;
    let (call, payload) = verified.call()?;
    let identifier = Payload::parse(&payload)?.identifier()?;
    let (authorization, made) = door.app().new_acme_authorization(&call, identifier).await?;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer(&door, &name, status, &authorization);
    let url = door.urls(&name).authorization(authorization.id.as_str());
    set(response.headers_mut(), LOCATION, &url);
    Ok(response)
}

pub(crate) async fn authorization(
    State(door): State<Door>,
    Path((name, id)): Path<(String, String)>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let path = format!("authorization/{id}");
    let begin =
        async |call: &AcmeCall, _: &[u8], nonce| door.app().begin_with_acme_authorization(call, nonce, &id).await;
    let (call, payload, found) = guard::verify_and_begin(&door, &name, &path, &parts, &body, begin).await?;
    let authorization = match payload.is_empty() {
        true => found?,
        false => match Payload::parse(&payload)?.text("status")? {
            Some("deactivated") => door.app().deactivate_acme_authorization(&call, found?).await?,
            _ => return Err(malformed("The status of an authorization can be set to `deactivated` alone.").into()),
        },
    };
    Ok(answer(&door, &name, StatusCode::OK, &authorization))
}

fn answer(door: &Door, name: &str, status: StatusCode, authorization: &Authorization) -> Response<Body> {
    let urls = door.urls(name);
    let mut response = json_body(status, &render::authorization(&urls, authorization, door.app().now()));
    if let Some(seconds) = authorization.ask_again_s(door.app().now()) {
        set(response.headers_mut(), RETRY_AFTER, &seconds.to_string());
    }
    response
}

pub(crate) async fn challenge(
    State(door): State<Door>,
    Path((name, id, method)): Path<(String, String, String)>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let path = format!("challenge/{id}/{method}");
    let method = Method::parse(&method).map_err(|_| no_challenge());
    let begin = async |call: &AcmeCall, _: &[u8], nonce| match &method {
        Ok(method) => door.app().begin_with_acme_challenge(call, nonce, &id, *method).await,
        Err(_) => door.app().begin_refused(nonce, no_challenge()).await,
    };
    let (call, payload, found) = guard::verify_and_begin(&door, &name, &path, &parts, &body, begin).await?;
    let method = method?;
    let authorization = match payload.is_empty() {
        true => found?,
        false => {
            // An object, whatever is in it: what is not known is not looked at.
            Payload::parse(&payload)?;
            door.app().answer_acme_challenge(&call, found?, method).await?
        }
    };
    let urls = door.urls(&name);
    let challenge = authorization.challenge(method).ok_or_else(no_challenge)?;
    let mut response = json_body(StatusCode::OK, &render::challenge(&urls, &authorization, challenge));
    let up = format!("<{}>;rel=\"up\"", urls.authorization(authorization.id.as_str()));
    append(response.headers_mut(), LINK, &up);
    if let Some(seconds) = authorization.ask_again_s(door.app().now()) {
        set(response.headers_mut(), RETRY_AFTER, &seconds.to_string());
    }
    Ok(response)
}

fn no_challenge() -> AcmeError {
    Problem::new(ProblemKind::Malformed, "There is no such challenge.").with_status(404).into()
}
