//! Resources as JSON (RFC 8555 section 7.1).

use crate::answer::error;
use certwright_app::OrderView;
use certwright_app::jose::json::Object;
use certwright_domain::acme::{
    Account, Authorization, AuthorizationState, Challenge, ChallengeState, Contact, FailureKind, Identifier,
};
use certwright_domain::time::Timestamp;
use serde_json::{Map, Value, json};

/// URLs of one directory.
pub(crate) struct Urls(pub(crate) String);

impl Urls {
    pub(crate) fn to(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }

    pub(crate) fn account(&self, id: &str) -> String {
        self.to(&format!("account/{id}"))
    }

    pub(crate) fn order(&self, id: &str) -> String {
        self.to(&format!("order/{id}"))
    }

    pub(crate) fn authorization(&self, id: &str) -> String {
        self.to(&format!("authorization/{id}"))
    }

    fn challenge(&self, id: &str, method: &str) -> String {
        self.to(&format!("challenge/{id}/{method}"))
    }
}

fn put(members: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value);
    }
}

fn made(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn time(at: Timestamp) -> Value {
    // Clients of the first hour read whole seconds alone.
    at.floor_to_second().to_string().into()
}

pub(crate) fn account(urls: &Urls, account: &Account) -> Value {
    Value::Object(account_members(urls, account))
}

/// An account that was made just now, with its binding as it was sent (RFC 8555 section 7.3.4): a JWS, whose members are texts.
pub(crate) fn new_account(urls: &Urls, account: &Account, binding: Option<&Object>) -> Value {
    let mut members = account_members(urls, account);
    let texts = binding.map(|binding| {
        binding.iter().filter_map(|(name, value)| Some((name.clone(), value.text()?.into()))).collect::<Map<_, _>>()
    });
    put(&mut members, "externalAccountBinding", texts.map(Value::Object));
    Value::Object(members)
}

fn account_members(urls: &Urls, account: &Account) -> Map<String, Value> {
    let orders = format!("{}/orders", urls.account(account.id.as_str()));
    let mut members = made(json!({"status": account.state.as_str(), "orders": orders}));
    let contacts: Vec<&str> = account.contacts.iter().map(Contact::as_str).collect();
    put(&mut members, "contact", (!contacts.is_empty()).then(|| contacts.into()));
    put(&mut members, "termsOfServiceAgreed", account.terms_agreed_at.map(|_| true.into()));
    members
}

pub(crate) fn identifier(identifier: &Identifier) -> Value {
    json!({"type": identifier.kind(), "value": identifier.to_string()})
}

pub(crate) fn order(urls: &Urls, view: &OrderView) -> Value {
    let order = &view.order;
    let authorizations: Vec<String> = order.authorizations.iter().map(|id| urls.authorization(id.as_str())).collect();
    let url = urls.order(order.id.as_str());
    let mut members = made(json!({
        "status": view.state.as_str(),
        "expires": time(order.expires_at),
        "identifiers": order.identifiers.iter().map(identifier).collect::<Vec<_>>(),
        "authorizations": authorizations,
        "finalize": format!("{url}/finalize"),
        "profile": order.profile.as_str(),
    }));
    put(&mut members, "notBefore", order.not_before.map(time));
    put(&mut members, "notAfter", order.not_after.map(time));
    put(&mut members, "replaces", order.replaces.as_ref().map(|(_, text)| text.as_str().into()));
    put(&mut members, "error", view.error.as_ref().map(|it| error(&it.kind, &it.detail, 403)));
    let certificate = order.certificate().map(|id| urls.to(&format!("certificate/{id}")).into());
    put(&mut members, "certificate", certificate);
    Value::Object(members)
}

pub(crate) fn authorization(urls: &Urls, authorization: &Authorization, now: Timestamp) -> Value {
    let challenges: Vec<Value> = authorization.challenges.iter().map(|it| challenge(urls, authorization, it)).collect();
    let state = authorization.state_at(now);
    let mut members = made(json!({
        "identifier": identifier(&authorization.identifier.base()),
        "status": state.as_str(),
        "challenges": challenges,
    }));
    let lasting = matches!(state, AuthorizationState::Pending | AuthorizationState::Valid);
    put(&mut members, "expires", lasting.then(|| time(authorization.expires_at)));
    put(&mut members, "wildcard", authorization.identifier.is_wildcard().then_some(true.into()));
    Value::Object(members)
}

pub(crate) fn challenge(urls: &Urls, authorization: &Authorization, challenge: &Challenge) -> Value {
    let method = challenge.method.as_str();
    let mut members = made(json!({
        "type": method,
        "url": urls.challenge(authorization.id.as_str(), method),
        "status": challenge.state.as_str(),
        "token": challenge.token,
    }));
    put(&mut members, "validated", challenge.validated_at.map(time));
    let failure = challenge.failure.as_ref().filter(|_| challenge.state == ChallengeState::Invalid);
    let failure = failure.map(|failure| {
        let status = match failure.kind {
            FailureKind::Unauthorized | FailureKind::IncorrectResponse | FailureKind::Caa => 403,
            FailureKind::Dns | FailureKind::Connection | FailureKind::Tls => 400,
        };
        error(failure.kind.as_str(), &failure.detail, status)
    });
    put(&mut members, "error", failure);
    Value::Object(members)
}
