//! Authorizations and challenges (H).

use crate::client::Client;
use crate::server::Server;
use certwright_domain::time::Span;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn h1_h2_h3_h4_authorizations_offer_what_can_prove_the_name() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let order = client.new_order(&["a.example.com", "*.a.example.com", "10.0.0.1"]).await.is(201).json();
    let mut tokens = BTreeSet::new();
    let expected = [
        ("a.example.com", None, vec!["http-01", "dns-01", "tls-alpn-01"]),
        ("a.example.com", Some(true), vec!["dns-01"]),
        ("10.0.0.1", None, vec!["http-01", "tls-alpn-01"]),
    ];
    for (url, (name, wildcard, types)) in order["authorizations"].as_array().unwrap().iter().zip(expected) {
        let authorization = client.fetch(url.as_str().unwrap()).await.is(200).json();
        assert_eq!(authorization["identifier"]["value"], name);
        assert_eq!(authorization.get("wildcard").and_then(|it| it.as_bool()), wildcard, "absent where it is false");
        assert_eq!(authorization["status"], "pending");
        assert!(authorization["expires"].as_str().is_some());
        let challenges = authorization["challenges"].as_array().unwrap();
        assert_eq!(challenges.iter().map(|it| it["type"].as_str().unwrap()).collect::<Vec<_>>(), types);
        for challenge in challenges {
            assert_eq!(challenge["status"], "pending");
            let token = challenge["token"].as_str().unwrap();
            assert!(token.len() >= 22 && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
            assert!(tokens.insert(token.to_owned()), "H4");
            assert!(challenge.get("error").is_none() && challenge.get("validated").is_none());
        }
    }
}

#[tokio::test]
async fn h5_h6_h7_a_challenge_is_looked_at_once_and_ends_the_authorization() {
    for server in Server::on_every_database().await {
        let client = Client::new(&server).await;
        let order = client.new_order(&["a.example.com"]).await.is(201);
        let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
        let challenge = client.fetch(&url).await.json()["challenges"][0]["url"].as_str().unwrap().to_owned();
        assert_eq!(client.fetch(&challenge).await.is(200).json()["status"], "pending");
        client.answer(&url).await;
        let reply = client.post(&challenge, json!({})).await.is(200);
        assert_eq!(reply.json()["status"], "processing");
        assert!(reply.links().contains(&format!("<{url}>;rel=\"up\"").as_str()), "H5");
        for polled in [&url, &order.location(), &challenge] {
            assert_eq!(client.fetch(polled).await.header("retry-after"), Some("1"), "H7 {polled}");
        }
        server.look().await;
        let looked = server.world.looked.load(Ordering::Relaxed);
        let authorization = client.fetch(&url).await.json();
        assert_eq!(authorization["status"], "valid");
        let valid = client.post(&challenge, json!({})).await.is(200).json();
        assert_eq!(valid["status"], "valid");
        assert!(valid["validated"].as_str().is_some());
        let second = authorization["challenges"][1]["url"].as_str().unwrap();
        assert_eq!(client.post(second, json!({})).await.is(200).json()["status"], "pending", "H8");
        server.look().await;
        assert_eq!(server.world.looked.load(Ordering::Relaxed), looked, "H6");
        let other = Client::new(&server).await;
        other.fetch(&challenge).await.refused(404, "malformed");
        other.post(&challenge, json!({})).await.refused(404, "malformed");
        client.fetch(&challenge.replace("http-01", "http-02")).await.refused(404, "malformed");
    }
}

#[tokio::test]
async fn h10_a_proof_that_fails_says_why_after_the_last_attempt() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let order = client.new_order(&["a.example.com"]).await.is(201);
    let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
    let challenge = client.fetch(&url).await.json()["challenges"][0]["url"].as_str().unwrap().to_owned();
    client.post(&challenge, json!({})).await.is(200);
    server.look().await;
    let trying = client.fetch(&url).await.json();
    assert_eq!(
        (trying["status"].as_str(), trying["challenges"][0]["status"].as_str()),
        (Some("pending"), Some("processing"))
    );
    assert!(trying["challenges"][0].get("error").is_none(), "it is not over");
    // The next look is after a pause of 2 s: nothing changes before it (RFC 8555 section 8.2).
    for (polled, payload) in
        [(&url, ""), (&challenge, ""), (&order.location(), ""), (&format!("{}/finalize", order.location()), "csr")]
    {
        let reply = match payload {
            "" => client.fetch(polled).await.is(200),
            member => client.post(polled, json!({member: "AAAA"})).await.refused(403, "orderNotReady"),
        };
        assert_eq!(reply.header("retry-after"), Some("3"), "H7 {polled}");
    }
    assert_eq!(client.post(&challenge, json!({})).await.is(200).header("retry-after"), Some("3"));
    server.clock.advance(Span::from_ms(1_500));
    assert_eq!(client.fetch(&url).await.header("retry-after"), Some("2"));
    server.look_to_the_end().await;
    assert_eq!(server.world.looked.load(Ordering::Relaxed), 3);
    for polled in [&url, &challenge, &order.location()] {
        assert_eq!(client.fetch(polled).await.is(200).header("retry-after"), None, "it is over: {polled}");
    }
    let ended = client.fetch(&url).await.json();
    assert_eq!(
        (ended["status"].as_str(), ended["challenges"][0]["status"].as_str()),
        (Some("invalid"), Some("invalid"))
    );
    let error = &ended["challenges"][0]["error"];
    assert_eq!(error["type"], "urn:ietf:params:acme:error:connection");
    assert!(error["detail"].as_str().unwrap().contains("a.example.com"));
    let order = client.fetch(&order.location()).await.json();
    assert_eq!(
        (order["status"].as_str(), order["error"]["type"].as_str().unwrap()),
        (Some("invalid"), "urn:ietf:params:acme:error:connection")
    );
    // A second try is a new order.
    client.ready(&["a.example.com"]).await;
}

#[tokio::test]
async fn a_proof_that_comes_late_is_found_by_a_later_attempt() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let order = client.new_order(&["a.example.com"]).await.is(201);
    let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
    client.answer(&url).await;
    server.world.hide("a.example.com");
    server.look().await;
    let challenge = client.fetch(&url).await.json()["challenges"][0].clone();
    server
        .world
        .show("a.example.com", &format!("{}.{}", challenge["token"].as_str().unwrap(), client.key.thumbprint()));
    server.clock.advance(Span::from_s(3));
    server.look().await;
    assert_eq!(client.fetch(&url).await.json()["status"], "valid");
}

/// The node that was to look dies: another looks when the claim has ended.
#[tokio::test]
async fn what_a_dead_node_left_is_looked_at_by_another() {
    for server in Server::on_every_database().await {
        let client = Client::new(&server).await;
        let order = client.new_order(&["a.example.com"]).await.is(201);
        let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
        client.answer(&url).await;
        let other = server.another(8).await;
        other.look().await;
        assert_eq!(client.fetch(&url).await.json()["status"], "pending", "somebody else is at it");
        server.clock.advance(Span::from_s(91));
        other.look().await;
        assert_eq!(client.fetch(&url).await.json()["status"], "valid");
    }
}

#[tokio::test]
async fn h9_an_authorization_that_is_given_up_is_of_no_use() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let order = client.ready(&["a.example.com"]).await;
    let url = client.fetch(&order).await.json()["authorizations"][0].as_str().unwrap().to_owned();
    for status in ["valid", "invalid", "x"] {
        client.post(&url, json!({"status": status})).await.refused(400, "malformed");
    }
    for _ in 0..2 {
        assert_eq!(client.post(&url, json!({"status": "deactivated"})).await.is(200).json()["status"], "deactivated");
    }
    assert_eq!(client.fetch(&order).await.json()["status"], "invalid");
    assert_eq!(client.new_order(&["a.example.com"]).await.is(201).json()["status"], "pending");
}

#[tokio::test]
async fn authorizations_can_be_asked_for_ahead_of_orders() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let url = client.url("new-authz");
    let ask =
        async |kind: &str, value: &str| client.post(&url, json!({"identifier": {"type": kind, "value": value}})).await;
    let made = ask("dns", "a.example.com").await.is(201);
    client.answer(&made.location()).await;
    server.look().await;
    assert_eq!(ask("dns", "a.example.com").await.is(200).location(), made.location());
    assert_eq!(client.new_order(&["a.example.com"]).await.is(201).json()["status"], "ready");
    ask("dns", "*.a.example.com").await.refused(403, "rejectedIdentifier");
    ask("email", "a@example.com").await.refused(403, "unsupportedIdentifier");
    ask("dns", "a..example.com").await.refused(403, "rejectedIdentifier");
    client.post(&url, json!({})).await.refused(400, "malformed");
}

/// RFC 8555 section 7.4.1: a server that is not willing says so with 403 before there is an authorization.
#[tokio::test]
async fn names_that_a_directory_does_not_certify_are_not_authorized_ahead_of_orders() {
    for server in Server::on_every_database().await {
        let raw = certwright_domain::acme::RawDirectory {
            name: "narrow".to_owned(),
            names: Some(vec!["*.example.com".to_owned(), "10.0.0.0/8".to_owned()]),
            challenges: vec!["dns-01".to_owned()],
            ..Default::default()
        };
        server.directory(raw).await;
        let client = Client::within(&server, "narrow").await;
        let url = client.url("new-authz");
        let ask = async |kind: &str, value: &str| {
            client.post(&url, json!({"identifier": {"type": kind, "value": value}})).await
        };
        let refused = ask("dns", "a.example.org").await.refused(403, "rejectedIdentifier").json();
        assert_eq!(refused["subproblems"][0]["identifier"]["value"], "a.example.org");
        // Nothing that the directory offers proves an address.
        ask("ip", "10.0.0.1").await.refused(403, "rejectedIdentifier");
        ask("dns", "a.example.com").await.is(201);
        // In an order it is 400, as ever.
        client.new_order(&["a.example.org"]).await.refused(400, "rejectedIdentifier");
    }
}

#[tokio::test]
async fn where_two_nodes_are_to_see_a_proof_one_is_not_enough() {
    for server in Server::on_every_database().await {
        let raw = certwright_domain::acme::RawDirectory {
            name: "two".to_owned(),
            vantage_points: Some(2),
            ..Default::default()
        };
        server.directory(raw).await;
        let client = Client::within(&server, "two").await;
        let order = client.new_order(&["a.example.com"]).await.is(201);
        let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
        client.answer(&url).await;
        server.look().await;
        assert_eq!(client.fetch(&url).await.json()["challenges"][0]["status"], "processing");
        let other = server.another(8).await;
        other.look().await;
        assert_eq!(server.world.looked.load(Ordering::Relaxed), 2);
        assert_eq!(client.fetch(&url).await.json()["status"], "valid");
        // Nobody else is there: it says so in the end.
        let order = client.new_order(&["b.example.com"]).await.is(201);
        let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
        client.answer(&url).await;
        for _ in 0..20 {
            server.look().await;
            server.clock.advance(Span::from_s(10));
        }
        let ended = client.fetch(&url).await.json();
        assert_eq!(ended["status"], "invalid");
        let detail = ended["challenges"][0]["error"]["detail"].as_str().unwrap();
        assert!(detail.starts_with("1 of 2 nodes"), "{detail}");
    }
}
