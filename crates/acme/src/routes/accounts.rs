//! Accounts (RFC 8555 section 7.3).

use crate::Door;
use crate::answer::{Answer, Refused, append, json_body, set};
use crate::guard::{self, Signer, Verified};
use crate::jws::{self, Jws, KeyOf, malformed};
use crate::payload::Payload;
use crate::render;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{LINK, LOCATION};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use certwright_app::jose::Jwk;
use certwright_app::jose::json::{Json, Object};
use certwright_app::{AcmeCall, AcmeError, NewAccount, PageRequest, Problem, ProblemKind};
use certwright_domain::acme::Account;
use certwright_domain::http_url::HttpUrl;
use serde_json::json;

/// Orders in one part of an account's list.
const ORDERS: u32 = 50;

pub(crate) async fn new_account(
    State(door): State<Door>,
    Path(name): Path<String>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let verified = guard::verify(&door, &name, "new-account", &parts, &body, Signer::Key).await?;
    let (binding, outcome) = match read_new(&verified).await {
        Ok((new, binding)) => {
            let outcome = door.app().new_acme_account(&verified.door, verified.key()?, new).await;
            (binding, outcome)
        }
        Err(error) => (None, Err(error)),
    };
    let (account, made) = match outcome {
        Ok(made) => made,
        Err(error) => return Ok(with_terms(error, &verified)),
    };
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    let urls = door.urls(&name);
    // A binding of an account that was there already was not looked at.
    let mut response = json_body(status, &render::new_account(&urls, &account, binding.as_ref().filter(|_| made)));
    set(response.headers_mut(), LOCATION, &urls.account(account.id.as_str()));
    if let Some(terms) = verified.door.directory.settings.terms_of_service() {
        link_terms(&mut response, terms);
    }
    Ok(response)
}

/// The account, and its binding as it was sent.
async fn read_new(verified: &Verified) -> Result<(NewAccount, Option<Object>), AcmeError> {
    let payload = Payload::parse(&verified.payload)?;
    let sent = payload.object("externalAccountBinding")?;
    let binding = match sent.clone() {
        Some(value) => Some(jws::binding(value, verified.key()?, &verified.url)?),
        None => None,
    };
    let new = NewAccount {
        contacts: payload.texts("contact")?.unwrap_or_default(),
        terms_agreed: payload.flag("termsOfServiceAgreed")?,
        only_existing: payload.flag("onlyReturnExisting")?,
        binding,
    };
    Ok((new, sent))
}

/// Whoever must agree is told where the terms are (RFC 8555 section 7.3.3).
fn with_terms(error: AcmeError, verified: &Verified) -> Response<Body> {
    match (error, verified.door.directory.settings.terms_of_service()) {
        (AcmeError::Problem(problem), Some(terms)) if problem.kind == ProblemKind::UserActionRequired => {
            let detail = format!("{} They are at {terms}.", problem.detail);
            let mut response = Refused::from(Problem { detail, ..*problem }).into_response();
            link_terms(&mut response, terms);
            response
        }
        (error, _) => Refused::from(error).into_response(),
    }
}

fn link_terms(response: &mut Response<Body>, terms: &HttpUrl) {
    append(response.headers_mut(), LINK, &format!("<{terms}>;rel=\"terms-of-service\""));
}

/// The account that a request is about is the one that signs it.
async fn own(
    door: &Door,
    name: &str,
    id: &str,
    path: &str,
    parts: &Parts,
    body: &Bytes,
) -> Result<(AcmeCall, Vec<u8>), AcmeError> {
    let verified = guard::verify(door, name, path, parts, body, Signer::Account).await?;
    let (call, payload) = verified.call()?;
    match call.account.id.as_str() == id {
        true => Ok((call, payload)),
        false => Err(Problem::new(ProblemKind::Unauthorized, "The account is not the one that signs.").into()),
    }
}

pub(crate) async fn account(
    State(door): State<Door>,
    Path((name, id)): Path<(String, String)>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let (call, payload) = own(&door, &name, &id, &format!("account/{id}"), &parts, &body).await?;
    let account = match payload.is_empty() {
        true => (*call.account).clone(),
        false => change(&door, &call, &Payload::parse(&payload)?).await?,
    };
    let urls = door.urls(&name);
    let mut response = json_body(StatusCode::OK, &render::account(&urls, &account));
    set(response.headers_mut(), LOCATION, &urls.account(account.id.as_str()));
    Ok(response)
}

async fn change(door: &Door, call: &AcmeCall, payload: &Payload) -> Result<Account, AcmeError> {
    match payload.text("status")? {
        Some("deactivated") => door.app().deactivate_acme_account(call).await,
        None | Some("valid") => {
            let contacts = payload.texts("contact")?;
            door.app().update_acme_account(call, contacts.as_deref()).await
        }
        Some(_) => Err(malformed("The status of an account can be set to `deactivated` alone.")),
    }
}

pub(crate) async fn orders(
    State(door): State<Door>,
    Path((name, id)): Path<(String, String)>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let path = format!("account/{id}/orders");
    let (call, payload) = own(&door, &name, &id, &path, &parts, &body).await?;
    Payload::none(&payload)?;
    let after = parts.uri.query().and_then(|query| query.strip_prefix("cursor=")).map(str::to_owned);
    let found = door.app().acme_orders_of(&call, &PageRequest { limit: ORDERS, after }).await?;
    let urls = door.urls(&name);
    let orders: Vec<String> = found.items.iter().map(|order| urls.order(order.id.as_str())).collect();
    let mut response = json_body(StatusCode::OK, &json!({"orders": orders}));
    if let Some(next) = found.next {
        let next = format!("<{}?cursor={next}>;rel=\"next\"", urls.to(&path));
        append(response.headers_mut(), LINK, &next);
    }
    Ok(response)
}

pub(crate) async fn key_change(
    State(door): State<Door>,
    Path(name): Path<String>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let verified = guard::verify(&door, &name, "key-change", &parts, &body, Signer::Account).await?;
    let url = verified.url.clone();
    let (call, payload) = verified.call()?;
    let new = new_key(&door, &name, &call, &url, &payload)?;
    let account = door.app().change_acme_key(&call, &new).await?;
    let urls = door.urls(&name);
    let mut response = json_body(StatusCode::OK, &render::account(&urls, &account));
    set(response.headers_mut(), LOCATION, &urls.account(account.id.as_str()));
    Ok(response)
}

/// The inner JWS of a key change (RFC 8555 section 7.3.5): signed by the new key, about this account and its old one.
fn new_key(door: &Door, name: &str, call: &AcmeCall, url: &str, payload: &[u8]) -> Result<Jwk, AcmeError> {
    let inner = Jws::inner(Payload::parse(payload)?.into_object())?;
    let KeyOf::Key(new) = &inner.key else {
        return Err(malformed("The inner JWS is signed by the new key: its header needs `jwk`, not `kid`."));
    };
    inner.verify(new)?;
    if inner.url != url {
        return Err(malformed("The inner and the outer JWS are for different URLs."));
    }
    let about = Payload::parse(&inner.payload)?;
    if about.text("account")? != Some(door.urls(name).account(call.account.id.as_str()).as_str()) {
        return Err(malformed("The inner JWS is about another account."));
    }
    let old = about.into_object().remove("oldKey");
    let old = match &old {
        Some(Json::Object(members)) => Jwk::parse(members).ok(),
        _ => None,
    };
    if old.is_none_or(|old| old.canonical() != call.account.key) {
        return Err(malformed("`oldKey` is not the account's key."));
    }
    if new.canonical() == call.account.key {
        return Err(malformed("The new key is the old one."));
    }
    Jwk::from_canonical(&new.canonical()).ok_or_else(|| malformed("The new key cannot be used."))
}
