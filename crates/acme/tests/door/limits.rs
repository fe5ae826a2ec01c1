//! Limits (L).

use crate::client::{Client, Signer};
use crate::server::Server;
use axum::body::Body;
use axum::http::Request;
use certwright_app::{Problem, ProblemKind};
use certwright_domain::rate::Rate;
use certwright_domain::time::Span;
use serde_json::json;

#[tokio::test]
async fn l1_orders_of_an_account_are_limited_and_what_fails_costs_nothing() {
    let server = Server::with(|acme| acme.limits.orders_per_account = Rate::per_hour(3)).await;
    let client = Client::new(&server).await;
    for _ in 0..10 {
        client.new_order(&["a_b.example.com"]).await.refused(400, "rejectedIdentifier");
    }
    for _ in 0..3 {
        client.new_order(&["a.example.com"]).await.is(201);
    }
    let refused = client.new_order(&["a.example.com"]).await.refused(429, "rateLimited");
    let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=1_200).contains(&seconds), "{seconds}");
    assert!(refused.links().iter().any(|link| link.ends_with("rel=\"help\"")));
    let other = Client::new(&server).await;
    other.new_order(&["a.example.com"]).await.is(201);
    server.clock.advance(Span::from_s(i64::from(seconds)));
    client.new_order(&["a.example.com"]).await.is(201);
}

/// T1, T15, N2: also where the verdict falls before the door.
#[tokio::test]
async fn l1_whoever_is_turned_away_before_the_door_is_told_as_the_door_tells_it() {
    let server = Server::new().await;
    let client = Client::stranger(&server, "default", Signer::es256());
    for path in ["directory", "new-nonce", "new-account"] {
        let mut request = Request::post(crate::client::path_of(&client.url(path))).body(Body::empty()).unwrap();
        let verdict = Problem::new(ProblemKind::RateLimited, "Too many from your address.");
        request.extensions_mut().insert(Problem { retry_after_s: Some(7), ..verdict });
        let reply = client.send(request).await.refused(429, "rateLimited");
        assert_eq!(reply.json()["detail"], "Too many from your address.");
        assert_eq!((reply.header("retry-after"), reply.header("cache-control")), (Some("7"), Some("no-store")));
        let directory = client.url("directory");
        for link in ["index", "help"] {
            assert!(reply.links().contains(&format!("<{directory}>;rel=\"{link}\"").as_str()), "{path}: {reply:?}");
        }
        assert!(reply.header("replay-nonce").is_some());
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert!(reply.header("access-control-expose-headers").unwrap().contains("Retry-After"));
    }
}

#[tokio::test]
async fn l1_accounts_of_an_address_are_limited() {
    let server = Server::with(|acme| acme.limits.accounts_per_address = Rate::per_hour(2)).await;
    for _ in 0..2 {
        Client::new(&server).await;
    }
    let stranger = Client::stranger(&server, "default", Signer::es256());
    stranger.new_account(json!({"onlyReturnExisting": true})).await.refused(400, "accountDoesNotExist");
    stranger.new_account(json!({"contact": ["x"]})).await.refused(400, "invalidContact");
    stranger.new_account(json!({})).await.refused(429, "rateLimited");
}

#[tokio::test]
async fn proofs_that_fail_again_and_again_are_limited() {
    let server = Server::with(|acme| acme.limits.failures_per_name = Rate::per_hour(2)).await;
    let client = Client::new(&server).await;
    for _ in 0..2 {
        let order = client.new_order(&["a.example.com"]).await.is(201).json();
        let url = order["authorizations"][0].as_str().unwrap();
        let challenge = client.fetch(url).await.json()["challenges"][0]["url"].as_str().unwrap().to_owned();
        client.post(&challenge, json!({})).await.is(200);
        server.look_to_the_end().await;
    }
    client.new_order(&["a.example.com"]).await.refused(429, "rateLimited");
    client.new_order(&["b.example.com"]).await.is(201);
}

#[tokio::test]
async fn proofs_that_are_pending_are_limited() {
    let server = Server::with(|acme| acme.limits.pending_authorizations = 3).await;
    let client = Client::new(&server).await;
    let order = client.new_order(&["a.example.com", "b.example.com"]).await.is(201).json();
    client.new_order(&["c.example.com", "d.example.com"]).await.refused(429, "rateLimited");
    client.post(order["authorizations"][0].as_str().unwrap(), json!({"status": "deactivated"})).await.is(200);
    client.new_order(&["c.example.com", "d.example.com"]).await.is(201);
}

/// L2: what strangers send in an account's name costs the account nothing.
#[tokio::test]
async fn l2_strangers_cannot_use_up_what_an_account_may() {
    let server = Server::with(|acme| acme.limits.orders_per_account = Rate::per_hour(1)).await;
    let client = Client::new(&server).await;
    let (url, stranger) = (client.url("new-order"), Signer::es256());
    let payload = json!({"identifiers": [{"type": "dns", "value": "a.example.com"}]}).to_string();
    for _ in 0..20 {
        let header = client.header(&url).await;
        let body = stranger.jws(&header, payload.as_bytes()).to_string();
        client.post_raw(&url, body).await.refused(400, "malformed");
        let header = json!({"alg": "ES256", "kid": client.kid, "nonce": "AAAA", "url": url});
        let body = client.key.jws(&header, payload.as_bytes()).to_string();
        client.post_raw(&url, body).await.refused(400, "badNonce");
    }
    client.new_order(&["a.example.com"]).await.is(201);
}
