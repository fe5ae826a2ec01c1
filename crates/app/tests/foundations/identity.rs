//! Identity providers: who comes in with a token of an issuer that exists in memory, and what it may ask for.

use crate::cas::root;
use crate::common::{TestApp, call, conflict, to};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_app::{
    Call, Caller, Error, Exchange, IssueRequest, NewGroup, NewIdentityProvider, NewPolicy, NewToken, Subject,
};
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::identity::RawRule;
use certwright_domain::name::ResourceName;
use certwright_domain::principal::PrincipalName;
use certwright_domain::san::San;
use certwright_domain::secret::SecretText;
use certwright_domain::time::Span;
use certwright_domain::validity::RequestedValidity;
use serde_json::{Value, json};

const ISSUER: &str = "https://k8s.example";
const DISCOVERY: &str = "https://k8s.example/.well-known/openid-configuration";
const KEYS: &str = "https://k8s.example/keys";

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of the issuer.
struct Key {
    pair: Ed25519KeyPair,
    id: &'static str,
}

impl Key {
    fn new(id: &'static str) -> Self {
        Self { pair: Ed25519KeyPair::generate().unwrap(), id }
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": b64(self.pair.public_key())})
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "kid": self.id, "typ": "JWT"}).to_string();
        let message = format!("{}.{}", b64(header), b64(claims.to_string()));
        format!("{message}.{}", b64(self.pair.sign(message.as_bytes())))
    }
}

/// What a service account of a namespace gets from its cluster, good for ten minutes from now.
fn claims(app: &TestApp, namespace: &str) -> Value {
    let now = app.clock_now().unix_s();
    json!({"iss": ISSUER, "aud": ["https://ca.example.com"], "iat": now, "nbf": now, "exp": now.saturating_add(600),
        "sub": format!("system:serviceaccount:{namespace}:web"), "certwright_provider": "github",
        "certwright_trust": "builders",
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": "web"}}})
}

fn provider(names: Option<&[&str]>) -> NewIdentityProvider {
    let rule = RawRule {
        claims: [("sub".to_owned(), vec!["system:serviceaccount:*:web".to_owned()])].into(),
        groups: vec!["pods".to_owned()],
        names: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        subject: None,
    };
    NewIdentityProvider {
        name: "k8s".to_owned(),
        kind: Some("KUBERNETES".to_owned()),
        issuer: Some(ISSUER.to_owned()),
        audiences: vec!["https://ca.example.com".to_owned()],
        rules: vec![rule],
        enabled: true,
        ..NewIdentityProvider::default()
    }
}

fn publish(app: &TestApp, keys: &[&Key]) {
    let discovery = json!({"issuer": ISSUER, "jwks_uri": KEYS});
    app.receivers.serve(DISCOVERY, Some(discovery.to_string().into_bytes()));
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    app.receivers.serve(KEYS, Some(json!({"keys": keys}).to_string().into_bytes()));
}

/// A root CA, the group `pods` that may have it sign, and the provider.
async fn prepared(app: &TestApp, key: &Key) {
    app.app.create_vault(&call(), ResourceName::parse("v").unwrap()).await.unwrap();
    root(app, "root").await;
    let group = NewGroup { name: PrincipalName::parse("pods").unwrap(), description: String::new() };
    app.app.create_group(&call(), group).await.unwrap();
    let policy = NewPolicy {
        name: ResourceName::parse("pods").unwrap(),
        description: String::new(),
        compartment: None,
        statements: vec!["Allow group pods to use certificate-authority-delegates in tenancy".to_owned()],
    };
    app.app.create_policy(&call(), policy).await.unwrap();
    publish(app, &[key]);
    let names = ["*.${claim.kubernetes.io.namespace}.svc.example"];
    app.app.create_identity_provider(&call(), provider(Some(&names))).await.unwrap();
}

fn wish(names: &[&str], common_name: Option<&str>) -> IssueRequest {
    let attribute = |text| Attribute::parse(AttributeType::CommonName, text).unwrap();
    let subject = DistinguishedName::new(common_name.map(attribute).into_iter().collect()).unwrap();
    IssueRequest {
        subject: Subject {
            subject: Some(subject),
            names: Some(names.iter().map(|name| San::parse(name).unwrap()).collect()),
        },
        profile: None,
        key_algorithm: None,
        validity: RequestedValidity::DEFAULT,
    }
}

async fn ask(app: &TestApp, caller: &Caller, names: &[&str], common_name: Option<&str>) -> Result<(), Error> {
    let call = Call::new(caller.clone(), "r");
    app.app.issue(&call, &to("root"), wish(names, common_name)).await.map(drop)
}

fn exchange(token: String) -> Exchange {
    Exchange { provider: None, token: SecretText::new(token), request_id: "r".to_owned(), address: None }
}

fn token(called: &str) -> NewToken {
    let name = ResourceName::parse(called).unwrap();
    NewToken { name, user: None, expires_at: None, scopes: Vec::new(), bound_to: None }
}

fn is_turned_away<T>(outcome: Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Unauthenticated { .. }))
}

#[tokio::test]
async fn a_service_account_gets_the_names_of_its_namespace_and_no_others() {
    for app in TestApp::on_every_database().await {
        let key = Key::new("one");
        prepared(&app, &key).await;
        let jwt = key.sign(&claims(&app, "team-a"));
        let (record, text) = app.app.exchange_token(exchange(jwt.clone())).await.unwrap();
        let of_token = app.app.authenticate(text.expose()).await.unwrap();
        let of_jwt = app.app.authenticate(&jwt).await.unwrap();
        assert_eq!(record.user, "oidc:k8s:system:serviceaccount:team-a:web");
        for caller in [&of_jwt, &of_token] {
            assert_eq!((caller.id(), caller.user()), (record.user.clone(), None));
            for (names, common_name, fine) in [
                (&["web.team-a.svc.example"][..], None, true),
                (&["a.b.team-a.svc.example", "web.team-a.svc.example"], Some("web.team-a.svc.example"), true),
                (&["WEB.Team-A.svc.example"], None, true),
                (&["web.team-b.svc.example"], None, false),
                (&["web.team-a.svc.example", "web.team-b.svc.example"], None, false),
                (&["team-a.svc.example"], None, false),
                (&["web.team-a.svc.example"], Some("web.team-b.svc.example"), false),
                (&["web.team-a.svc.example"], Some("admin"), false),
                (&["web.team-a.svc.example"], Some("An Administrator"), false),
                (&["10.0.0.1"], None, false),
                (&["spiffe://team-a.svc.example/x"], None, false),
                (&["x@web.team-a.svc.example"], None, false),
            ] {
                match ask(&app, caller, names, common_name).await {
                    Ok(()) => assert!(fine, "{names:?} {common_name:?}"),
                    Err(Error::Rejected(broken)) if !fine => {
                        let ours = broken.iter().find(|it| it.rule == "identityNames").unwrap();
                        assert!(ours.limit.contains("*.team-a.svc.example"), "{ours:?}");
                    }
                    Err(error) => panic!("{names:?} {common_name:?}: {error:?}"),
                }
            }
        }
        for caller in [&of_jwt, &of_token] {
            let claims = &caller.as_workload().unwrap().claims;
            assert_eq!(claims["certwright_provider"], ["k8s"], "whatever the token says");
            assert_eq!(claims.get("certwright_trust"), None, "no token is a certificate");
            assert_eq!(claims["kubernetes.io.namespace"], ["team-a"]);
        }
        // What the group may not, its members may not, and they are told so.
        let call = Call::new(of_jwt, "r");
        assert!(app.app.create_token(&call, token("x")).await.is_err());
        let me = app.app.whoami(&call).await.unwrap();
        assert_eq!((me.principal, me.groups.len(), me.user), (record.user, 1, None));
        // The secret parts of both tokens are nowhere.
        let audited = app.audited().await;
        assert!(audited.iter().any(|it| it == "token.exchange"), "{audited:?}");
    }
}

#[tokio::test]
async fn tokens_that_are_not_for_us_do_not_come_in() {
    let app = TestApp::sqlite().await;
    let (key, other) = (Key::new("one"), Key::new("one"));
    prepared(&app, &key).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims(&app, "team-a");
        claims[name] = value;
        claims
    };
    let now = app.clock_now().unix_s();
    let mut without_end = claims(&app, "team-a");
    without_end.as_object_mut().unwrap().remove("exp");
    for claims in [
        with("iss", json!("https://evil.example")),
        with("iss", json!("https://k8s.example/")),
        with("aud", json!("https://other.example.com")),
        with("aud", json!([])),
        with("exp", json!(now - 60)),
        with("nbf", json!(now + 61)),
        with("iat", json!(now + 61)),
        with("sub", json!("system:serviceaccount:team-a:db")),
        with("kubernetes.io", json!({"namespace": "*"})),
        with("kubernetes.io", json!({"namespace": "a.b"})),
        with("kubernetes.io", json!({"namespace": ["team-a", "team-b"]})),
        with("kubernetes.io", json!({})),
        without_end,
    ] {
        let jwt = key.sign(&claims);
        assert!(is_turned_away(app.app.authenticate(&jwt).await), "{claims}");
        assert!(is_turned_away(app.app.exchange_token(exchange(jwt)).await), "{claims}");
    }
    assert!(is_turned_away(app.app.authenticate(&other.sign(&claims(&app, "team-a"))).await));
    let named = |name: &str| Exchange { provider: Some(to(name)), ..exchange(key.sign(&claims(&app, "team-a"))) };
    assert!(is_turned_away(app.app.exchange_token(named("other")).await));
    app.app.exchange_token(named("k8s")).await.unwrap();
}

#[tokio::test]
async fn a_token_in_exchange_lives_a_quarter_of_an_hour_or_as_long_as_the_other() {
    let app = TestApp::sqlite().await;
    let key = Key::new("one");
    prepared(&app, &key).await;
    let now = app.clock_now();
    let mut long = claims(&app, "team-a");
    long["exp"] = json!(now.unix_s() + 86_400);
    let (record, text) = app.app.exchange_token(exchange(key.sign(&long))).await.unwrap();
    assert_eq!(record.expires_at, Some(now.plus(Span::from_minutes(15))));
    let (short, _) = app.app.exchange_token(exchange(key.sign(&claims(&app, "team-a")))).await.unwrap();
    assert_eq!(short.expires_at, Some(now.plus(Span::from_minutes(10))));
    app.clock.advance(Span::from_ms(15 * 60_000 - 1));
    app.app.authenticate(text.expose()).await.unwrap();
    app.clock.advance(Span::from_ms(1));
    assert!(is_turned_away(app.app.authenticate(text.expose()).await));
    assert!(!app.bytes_on_disk().windows(40).any(|bytes| bytes == &text.expose().as_bytes()[31..71]));
    // What has ended goes with the exchanges that follow.
    app.clock.advance(Span::from_days(2));
    app.app.exchange_token(exchange(key.sign(&claims(&app, "team-a")))).await.unwrap();
    assert!(app.app.token(&call(), &to(record.id.as_str())).await.is_err());
}

#[tokio::test]
async fn a_provider_that_is_disabled_or_deleted_lets_nobody_in_not_even_those_inside() {
    for (app, other) in TestApp::two_nodes_on_every_database().await {
        let key = Key::new("one");
        prepared(&app, &key).await;
        let jwt = key.sign(&claims(&app, "team-a"));
        let (_, text) = other.app.exchange_token(exchange(jwt.clone())).await.unwrap();
        other.app.authenticate(text.expose()).await.unwrap();
        let inside = app.app.authenticate(&jwt).await.unwrap();
        let off = NewIdentityProvider { enabled: false, ..provider(None) };
        app.app.replace_identity_provider(&call(), &to("k8s"), off, Some(1)).await.unwrap();
        app.clock.advance(Span::from_ms(1001));
        for node in [&app, &other] {
            assert!(is_turned_away(node.app.authenticate(&jwt).await));
            assert!(is_turned_away(node.app.authenticate(text.expose()).await));
            assert!(is_turned_away(ask(node, &inside, &["web.team-a.svc.example"], None).await));
        }
        app.app.replace_identity_provider(&call(), &to("k8s"), provider(None), Some(2)).await.unwrap();
        app.app.authenticate(&jwt).await.unwrap();
        app.app.delete_identity_provider(&call(), &to("k8s"), None).await.unwrap();
        assert!(is_turned_away(app.app.authenticate(text.expose()).await));
    }
}

#[tokio::test]
async fn keys_follow_the_issuer_and_outlast_its_absence() {
    let app = TestApp::sqlite().await;
    let (old, new) = (Key::new("old"), Key::new("new"));
    prepared(&app, &old).await;
    let asked = || app.receivers.fetched().iter().filter(|url| *url == KEYS).count();
    let login = async |key: &Key| app.app.authenticate(&key.sign(&claims(&app, "team-a"))).await;
    for _ in 0..3 {
        login(&old).await.unwrap();
    }
    assert_eq!(asked(), 1);
    // A rotation: the unknown `kid` has the keys fetched, once a minute at most.
    publish(&app, &[&new]);
    app.clock.advance(Span::from_ms(59_999));
    assert!(is_turned_away(login(&new).await), "the minute is not over");
    app.clock.advance(Span::from_ms(1));
    login(&new).await.unwrap();
    assert!(is_turned_away(login(&old).await));
    for kid in ["a", "b", "c"] {
        assert!(is_turned_away(login(&Key::new(kid)).await));
    }
    app.clock.advance(Span::from_ms(59_999));
    assert!(is_turned_away(login(&Key::new("d")).await));
    assert_eq!(asked(), 2);
    app.clock.advance(Span::from_ms(1));
    // Away: what is in hand is good for a day after its hour.
    app.receivers.serve(KEYS, None);
    app.clock.advance(Span::from_ms(25 * 3_600_000 - 60_000 - 1));
    login(&new).await.unwrap();
    app.clock.advance(Span::from_ms(1));
    app.clock.advance(Span::from_s(10));
    assert!(matches!(login(&new).await, Err(Error::Unavailable { .. })));
    let before = app.receivers.fetched().len();
    assert!(matches!(login(&new).await, Err(Error::Unavailable { .. })), "it is not asked again at once");
    assert_eq!(app.receivers.fetched().len(), before);
    publish(&app, &[&new]);
    app.clock.advance(Span::from_s(10));
    login(&new).await.unwrap();
}

#[tokio::test]
async fn many_at_once_ask_the_issuer_once() {
    let app = TestApp::sqlite().await;
    let key = Key::new("one");
    prepared(&app, &key).await;
    let jwt = key.sign(&claims(&app, "team-a"));
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (app, jwt) = (app.app.clone(), jwt.clone());
        logins.spawn(async move { app.authenticate(&jwt).await.map(drop) });
    }
    while let Some(done) = logins.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(app.receivers.fetched(), [DISCOVERY, KEYS]);
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_believed() {
    let app = TestApp::sqlite().await;
    let key = Key::new("one");
    prepared(&app, &key).await;
    for discovery in [
        json!({"issuer": "https://evil.example", "jwks_uri": KEYS}),
        json!({"issuer": format!("{ISSUER}/"), "jwks_uri": KEYS}),
        json!({"jwks_uri": KEYS}),
        json!({"issuer": ISSUER, "jwks_uri": "http://k8s.example/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}),
        json!({"issuer": ISSUER}),
        json!([]),
    ] {
        app.receivers.serve(DISCOVERY, Some(discovery.to_string().into_bytes()));
        let login = app.app.authenticate(&key.sign(&claims(&app, "team-a"))).await;
        assert!(matches!(login, Err(Error::Unavailable { .. })), "{discovery}");
        app.clock.advance(Span::from_s(10));
    }
    assert!(!app.receivers.fetched().iter().any(|url| url == KEYS));
}

#[tokio::test]
async fn providers_are_changed_with_care() {
    for app in TestApp::on_every_database().await {
        let key = Key::new("one");
        prepared(&app, &key).await;
        let replace = async |raw, if_match| app.app.replace_identity_provider(&call(), &to("k8s"), raw, if_match).await;
        assert!(matches!(replace(provider(None), None).await, Err(Error::PreconditionRequired { current: 1 })));
        assert!(matches!(replace(provider(None), Some(7)).await, Err(Error::PreconditionFailed { current: 1 })));
        let other = NewIdentityProvider { issuer: Some("https://other.example".to_owned()), ..provider(None) };
        assert_eq!(conflict(replace(other, Some(1)).await), "immutable");
        let other = NewIdentityProvider { jwks_uri: Some("https://other.example/".to_owned()), ..provider(None) };
        assert_eq!(conflict(replace(other, Some(1)).await), "immutable");
        let jwks = Some(json!({"keys": [key.jwk()]}).to_string());
        assert_eq!(conflict(replace(NewIdentityProvider { jwks, ..provider(None) }, Some(1)).await), "immutable");
        let other = NewIdentityProvider { kind: Some("OIDC".to_owned()), ..provider(None) };
        assert_eq!(conflict(replace(other, Some(1)).await), "immutable");
        // Nobody says which groups there are but those who made them.
        let mut unknown = provider(None);
        unknown.rules[0].groups.push("nobody".to_owned());
        match replace(unknown, Some(1)).await {
            Err(Error::Invalid(faults)) => assert_eq!(faults[0].pointer, "/rules/0/groups/1"),
            other => panic!("{other:?}"),
        }
        for address in ["https://127.0.0.1", "https://[::1]/x", "https://169.254.169.254"] {
            let inside =
                NewIdentityProvider { name: "inside".to_owned(), issuer: Some(address.to_owned()), ..provider(None) };
            match app.app.create_identity_provider(&call(), inside).await {
                Err(Error::Invalid(faults)) => assert_eq!(faults[0].invalid.code, "address_not_allowed"),
                other => panic!("{address}: {other:?}"),
            }
        }
        assert_eq!(conflict(app.app.create_identity_provider(&call(), provider(None)).await), "name_taken");
    }
}

#[tokio::test]
async fn a_trial_tells_administrators_why_and_others_nothing() {
    let app = TestApp::sqlite().await;
    let key = Key::new("one");
    prepared(&app, &key).await;
    let tried = async |token: String| {
        app.app.test_identity_provider(&call(), &to("k8s"), &SecretText::new(token)).await.unwrap()
    };
    let fine = tried(key.sign(&claims(&app, "team-a"))).await;
    assert!(fine.admitted && fine.problems.is_empty() && fine.rules[0].matches);
    assert_eq!(fine.rules[0].names, Some(vec!["*.team-a.svc.example".to_owned()]));
    assert_eq!(fine.claims["kubernetes.io.namespace"], ["team-a"]);
    let mut late = claims(&app, "team-a");
    late["exp"] = json!(1);
    late["sub"] = json!("somebody");
    let late = tried(Key::new("one").sign(&late)).await;
    assert!(!late.admitted && late.problems.len() == 2, "{late:?}");
    assert_eq!(late.rules[0].reasons, ["sub: no value matches a pattern"]);
    assert!(!tried("a.b.c".to_owned()).await.admitted);

    let inside = Call::new(app.app.authenticate(&key.sign(&claims(&app, "team-a"))).await.unwrap(), "r");
    let token = SecretText::new(key.sign(&claims(&app, "team-a")));
    assert!(app.app.test_identity_provider(&inside, &to("k8s"), &token).await.is_err());
    assert!(app.app.create_identity_provider(&inside, provider(None)).await.is_err());
    assert!(app.app.delete_identity_provider(&inside, &to("k8s"), None).await.is_err());
}
