//! Tokens, concurrency, panics of nobody.

use crate::common::{Ask, Reply, TestApp};
use certwright_domain::time::Span;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::json;

#[tokio::test]
async fn tokens_are_made_used_and_revoked() {
    for app in TestApp::on_every_database().await {
        let me = app.get("/v1/whoami").await.is(200).json();
        assert!(me["id"].as_str().unwrap().starts_with("token:token_"), "{me}");
        let problem =
            app.post("/v1/tokens", json!({"name": "ci", "user": "deployer"})).await.problem(409, "unknown_user");
        assert!(problem["hint"].as_str().unwrap().contains("POST /v1/users {\"name\": \"deployer\"}"), "{problem}");
        app.post("/v1/users", json!({"name": "deployer"})).await.is(201);
        let made =
            app.post("/v1/tokens", json!({"name": "ci", "user": "deployer", "expiresAt": "2030-01-01T00:00:00Z"}));
        let made = made.await.is(201);
        assert_eq!(made.header("cache-control"), "no-store");
        let token = made.json();
        let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
        let whoami = app.ask("GET", "/v1/whoami").authorization(Some(&bearer)).send().await.is(200).json();
        assert_eq!((&whoami["name"], &whoami["user"]), (&json!("ci"), &json!("deployer")));
        assert_eq!((&whoami["token"], &whoami["groups"]), (&json!("ci"), &json!([])));
        assert_eq!(whoami["expiresAt"], "2030-01-01T00:00:00Z");
        assert_eq!((&me["groups"], &me["expiresAt"]), (&json!(["administrators"]), &json!(null)));
        let shown = app.get("/v1/tokens/ci").await.is(200);
        assert!(!shown.text().contains(token["token"].as_str().unwrap()));
        assert!(shown.headers.contains_key("etag"));
        app.post("/v1/tokens", json!({"name": "ci"})).await.problem(409, "name_taken");

        let trial = app.ask("DELETE", "/v1/tokens/ci?dryRun=true").send().await.is(200).json();
        assert_eq!(trial["dryRun"], true);
        app.ask("GET", "/v1/whoami").authorization(Some(&bearer)).send().await.is(200);
        let revoked = app.ask("POST", "/v1/tokens/ci/revoke").send().await.is(200).json();
        assert!(revoked["revokedAt"].is_string());
        app.ask("GET", "/v1/whoami").authorization(Some(&bearer)).send().await.problem(401, "unauthenticated");
        app.ask("DELETE", &format!("/v1/tokens/{}", token["id"].as_str().unwrap())).send().await.is(204);
    }
}

#[tokio::test]
async fn an_expired_token_is_nobody() {
    let app = TestApp::new().await;
    let token =
        app.post("/v1/tokens", json!({"name": "short", "expiresAt": app.at(Span::from_hours(1))})).await.is(201);
    let bearer = format!("Bearer {}", token.json()["token"].as_str().unwrap());
    app.ask("GET", "/v1/whoami").authorization(Some(&bearer)).send().await.is(200);
    app.wait(Span::from_hours(2));
    app.ask("GET", "/v1/whoami").authorization(Some(&bearer)).send().await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_caller_has_so_many_places_and_no_more() {
    let app = TestApp::with(|settings| settings.max_per_caller = 0).await;
    let reply = app.get("/v1/whoami").await;
    assert_eq!(reply.header("retry-after"), "1");
    let problem = reply.problem(429, "too_many_requests");
    assert_eq!(problem["retryable"], true);
    // Strangers are told so first.
    app.ask("GET", "/v1/whoami").authorization(None).send().await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_server_has_so_many_places_and_health_needs_none() {
    let app = TestApp::with(|settings| settings.max_in_flight = 0).await;
    let reply = app.get("/v1/whoami").await;
    assert_eq!(reply.header("retry-after"), "1");
    reply.problem(503, "overloaded");
    app.get("/healthz").await.is(200);
    app.get("/readyz").await.is(200);
}

#[tokio::test]
async fn a_body_that_never_ends_has_its_time() {
    let app = TestApp::with(|settings| settings.request_timeout = std::time::Duration::from_millis(1)).await;
    let reply = app.ask("POST", "/v1/vaults").header("content-type", "application/json").endless().send().await;
    assert_eq!(reply.header("retry-after"), "5");
    assert_eq!(reply.problem(503, "timeout")["retryable"], true);
}

#[tokio::test]
async fn a_caller_at_its_rate_waits_and_others_do_not() {
    let app = TestApp::with(|settings| settings.caller_rate = (1, 3)).await;
    app.post("/v1/users", json!({"name": "other"})).await.is(201);
    let other = app.post("/v1/tokens", json!({"name": "other", "user": "other"})).await.is(201).json();
    app.get("/v1/whoami").await.is(200);
    let reply = app.get("/v1/whoami").await;
    assert_eq!(reply.header("retry-after"), "1");
    let problem = reply.problem(429, "rate_limited");
    assert!(
        problem["detail"].as_str().unwrap().contains("1 requests a second (3 at once; limits.rate_per_caller)"),
        "{problem}"
    );
    let bearer = format!("Bearer {}", other["token"].as_str().unwrap());
    app.ask("GET", "/v1/whoami").authorization(Some(&bearer)).send().await.is(200);
    app.wait(Span::from_s(1));
    app.get("/v1/whoami").await.is(200);
    app.get("/v1/whoami").await.problem(429, "rate_limited");
}

#[tokio::test]
async fn an_address_at_its_rate_is_turned_away_before_its_credential_is_looked_at() {
    let app = TestApp::with(|settings| settings.address_rate = (1, 2)).await;
    let ask =
        async |address: &str| app.ask("GET", "/v1/whoami").authorization(Some("Bearer no")).from(address).send().await;
    for _ in 0..2 {
        ask("10.0.0.1").await.problem(401, "unauthenticated");
    }
    ask("10.0.0.1").await.problem(429, "rate_limited");
    // Spellings of one address are one address, and so is an IPv6 /64.
    ask("[::ffff:10.0.0.1]").await.problem(429, "rate_limited");
    ask("10.0.0.2").await.problem(401, "unauthenticated");
    for host in ["[2001:db8::1]", "[2001:db8::2]"] {
        ask(host).await.problem(401, "unauthenticated");
    }
    ask("[2001:db8::3]").await.problem(429, "rate_limited");
    // Nor is any other credential, where nobody needs to be known.
    let exchange = app.ask("POST", "/v1/auth/oidc").authorization(None).from("10.0.0.1").json(&json!({"token": "x"}));
    exchange.send().await.problem(429, "rate_limited");
    app.ask("GET", "/healthz").from("10.0.0.1").send().await.is(200);
}

#[tokio::test]
async fn an_address_has_so_many_places_and_acme_counts_with_the_rest() {
    let app = TestApp::with(|settings| settings.max_per_address = 0).await;
    let from = |path: &str| app.ask("GET", path).authorization(None).from("10.0.0.1").send();
    let reply = from("/v1/whoami").await;
    assert_eq!(reply.header("retry-after"), "1");
    let problem = reply.problem(429, "too_many_requests");
    assert!(problem["detail"].as_str().unwrap().contains("limits.requests_per_address"), "{problem}");
    let reply = from("/acme/default/directory").await.is(429);
    assert_eq!(reply.header("retry-after"), "1", "the door beside is told");
    assert!(reply.text().contains("limits.requests_per_address"), "{reply:?}");
    from("/healthz").await.is(200);
    // Who comes from inside has no address.
    app.get("/v1/whoami").await.is(200);

    let app = TestApp::with(|settings| settings.address_rate = (1, 2)).await;
    let from = |path: &str, address: &str| app.ask("GET", path).authorization(None).from(address).send();
    from("/v1/whoami", "10.0.0.1").await.is(401);
    from("/acme/default/directory", "10.0.0.1").await.is(200);
    from("/acme/default/directory", "10.0.0.1").await.is(429);
    from("/v1/whoami", "10.0.0.1").await.problem(429, "rate_limited");
    from("/acme/default/directory", "10.0.0.2").await.is(200);
}

/// Requests of strangers whose bodies do not come, after they have come in.
fn withheld(asks: Vec<Ask<'_>>) -> Vec<LocalBoxFuture<'_, Reply>> {
    let mut waiting: Vec<_> =
        asks.into_iter().map(|ask| ask.authorization(None).endless().send().boxed_local()).collect();
    for reply in &mut waiting {
        assert!(reply.now_or_never().is_none());
    }
    waiting
}

fn ocsp(app: &TestApp) -> Ask<'_> {
    app.ask("POST", "/pki/root/ocsp").header("content-type", "application/ocsp-request")
}

#[tokio::test]
async fn bodies_that_strangers_withhold_take_nobodys_place() {
    let app = TestApp::with(|settings| settings.max_in_flight = 2).await;
    app.root().await;
    let exchange = || app.ask("POST", "/v1/auth/oidc").header("content-type", "application/json");
    let ocsp = || ocsp(&app);
    let waiting = withheld(vec![ocsp(), ocsp(), ocsp().plain(), ocsp().plain(), exchange(), exchange()]);
    for _ in 0..3 {
        app.get("/v1/whoami").await.is(200);
        app.get("/pki/root/ca.crt").await.is(200);
        app.ask("GET", "/pki/root/ca.crt").plain().send().await.is(200);
    }
    tokio::time::pause();
    // What is waited for is bounded as well, and has its time.
    for more in [ocsp(), ocsp().plain(), exchange()] {
        more.authorization(None).endless().send().await.problem(503, "overloaded");
    }
    for reply in waiting {
        reply.await.problem(408, "body_too_slow");
    }
}

#[tokio::test]
async fn an_address_has_so_many_places_in_pki_and_apart_from_the_api() {
    let app = TestApp::with(|settings| settings.max_per_address = 1).await;
    app.root().await;
    let get = |path: &str, address: &str| app.ask("GET", path).authorization(None).from(address);
    let waiting = withheld(vec![ocsp(&app).from("10.0.0.1"), ocsp(&app).from("10.0.0.1").plain()]);
    let problem = get("/pki/root/ca.crt", "10.0.0.1").send().await.problem(429, "too_many_requests");
    assert!(problem["detail"].as_str().unwrap().contains("limits.requests_per_address"), "{problem}");
    get("/pki/root/ca.crt", "10.0.0.1").plain().send().await.problem(429, "too_many_requests");
    let short = ocsp(&app).from("10.0.0.1").authorization(None).body([0x30, 0]);
    short.plain().send().await.problem(429, "too_many_requests");
    get("/pki/root/ca.crt", "10.0.0.2").send().await.is(200);
    get("/pki/root/ca.crt", "10.0.0.2").plain().send().await.is(200);
    get("/v1/whoami", "10.0.0.1").send().await.problem(401, "unauthenticated");
    get("/healthz", "10.0.0.1").plain().send().await.is(200);
    drop(waiting);
    get("/pki/root/ca.crt", "10.0.0.1").send().await.is(200);
}
