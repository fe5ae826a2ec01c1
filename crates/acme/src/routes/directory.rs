//! The directory and nonces (RFC 8555 sections 7.1.1, 7.2).

use crate::Door;
use crate::answer::{Answer, bare, json_body};
use crate::guard::{self, Signer};
use crate::payload::Payload;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use certwright_domain::acme::Directory;
use serde_json::{Map, Value, json};

pub(crate) async fn directory(State(door): State<Door>, Path(name): Path<String>, parts: Parts) -> Answer {
    let at = guard::directory(&door, &name, &parts.extensions).await?;
    Ok(json_body(StatusCode::OK, &contents(&door, &at.directory)))
}

pub(crate) async fn directory_by_post(
    State(door): State<Door>,
    Path(name): Path<String>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let verified = guard::verify(&door, &name, "directory", &parts, &body, Signer::Account).await?;
    Payload::none(&verified.payload)?;
    Ok(json_body(StatusCode::OK, &contents(&door, &verified.door.directory)))
}

/// HEAD 200, GET 204 (RFC 8555 section 7.2). The edge puts the nonce in.
pub(crate) async fn new_nonce(State(door): State<Door>, Path(name): Path<String>, parts: Parts) -> Answer {
    guard::directory(&door, &name, &parts.extensions).await?;
    Ok(bare(if parts.method == Method::HEAD { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

pub(crate) async fn new_nonce_by_post(
    State(door): State<Door>,
    Path(name): Path<String>,
    parts: Parts,
    body: Bytes,
) -> Answer {
    let verified = guard::verify(&door, &name, "new-nonce", &parts, &body, Signer::Account).await?;
    Payload::none(&verified.payload)?;
    Ok(bare(StatusCode::NO_CONTENT))
}

fn contents(door: &Door, directory: &Directory) -> Value {
    let settings = &directory.settings;
    let urls = door.urls(settings.name().as_str());
    let mut meta = Map::new();
    let mut put = |name: &str, value: Value| meta.insert(name.to_owned(), value);
    if let Some(terms) = settings.terms_of_service() {
        put("termsOfService", terms.to_string().into());
    }
    if let Some(website) = settings.website() {
        put("website", website.to_string().into());
    }
    if settings.check_caa() {
        put("caaIdentities", settings.caa_identities().iter().map(|name| name.as_str()).collect());
    }
    put("externalAccountRequired", settings.external_account_required().into());
    let profiles = settings.profiles().iter().map(|profile| {
        (profile.to_string(), Value::from(format!("Certificates by the profile {profile} of this CA.")))
    });
    put("profiles", Value::Object(profiles.collect()));
    let mut contents = json!({
        "newNonce": urls.to("new-nonce"),
        "newAccount": urls.to("new-account"),
        "newOrder": urls.to("new-order"),
        "revokeCert": urls.to("revoke-cert"),
        "keyChange": urls.to("key-change"),
        "renewalInfo": urls.to("renewal-info"),
        "meta": meta,
    });
    // Proofs ahead of orders are of use where orders take them.
    if let Some(members) = contents.as_object_mut().filter(|_| settings.reuse_authorizations()) {
        members.insert("newAuthz".to_owned(), urls.to("new-authz").into());
    }
    contents
}
