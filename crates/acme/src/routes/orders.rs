//! Orders (RFC 8555 section 7.4).

use crate::Door;
use crate::answer::{Answer, json_body, set};
use crate::guard;
use crate::payload::Payload;
use crate::render;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use certwright_app::{AcmeCall, AcmeError, NewOrder, OrderView};
use certwright_domain::acme::OrderState;

pub(crate) async fn new_order(State(door): State<Door>, Path(name): Path<String>, parts: Parts, body: Bytes) -> Answer {
    let prepare = async |call: &AcmeCall, payload: &[u8], nonce| match read_new(payload) {
        Ok(new) => door.app().prepare_acme_order(call, nonce, new).await,
        Err(refusal) => door.app().begin_refused(nonce, refusal).await,
    };
    let (.., prepared) = guard::verify_and_begin(&door, &name, "new-order", &parts, &body, prepare).await?;
    let view = door.app().place_acme_order(prepared?).await?;
    Ok(answer(&door, &name, StatusCode::CREATED, &view))
}

fn read_new(payload: &[u8]) -> Result<NewOrder, AcmeError> {
    let payload = Payload::parse(payload)?;
    Ok(NewOrder {
        identifiers: payload.identifiers()?,
        not_before: payload.time("notBefore")?,
        not_after: payload.time("notAfter")?,
        profile: payload.text("profile")?.map(str::to_owned),
        replaces: payload.text("replaces")?.map(str::to_owned),
    })
}

pub(crate) async fn order(
    State(door): State<Door>,
    Path((name, id)): Path<(String, String)>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let path = format!("order/{id}");
    let begin = async |call: &AcmeCall, _: &[u8], nonce| door.app().begin_with_acme_order(call, nonce, &id).await;
    let (_, payload, found) = guard::verify_and_begin(&door, &name, &path, &parts, &body, begin).await?;
    Payload::none(&payload)?;
    Ok(answer(&door, &name, StatusCode::OK, &found?))
}

pub(crate) async fn finalize(
    State(door): State<Door>,
    Path((name, id)): Path<(String, String)>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let path = format!("order/{id}/finalize");
    let begin = async |call: &AcmeCall, _: &[u8], nonce| door.app().begin_with_acme_order(call, nonce, &id).await;
    let (call, payload, found) = guard::verify_and_begin(&door, &name, &path, &parts, &body, begin).await?;
    let csr = Payload::parse(&payload)?.bytes("csr")?;
    let view = door.app().finalize_acme_order(&call, found?, &csr).await?;
    Ok(answer(&door, &name, StatusCode::OK, &view))
}

fn answer(door: &Door, name: &str, status: StatusCode, view: &OrderView) -> Response<Body> {
    let urls = door.urls(name);
    let mut response = json_body(status, &render::order(&urls, view));
    set(response.headers_mut(), LOCATION, &urls.order(view.order.id.as_str()));
    if let Some(seconds) = view.ask_again_s.filter(|_| view.state == OrderState::Pending) {
        set(response.headers_mut(), RETRY_AFTER, &seconds.to_string());
    }
    response
}
