//! External account bindings (E), and certificates without a challenge.

use crate::client::{Client, Signer, binding, binding_with};
use crate::csr::Csr;
use crate::server::{Server, call};
use certwright_app::NewEabKey;
use certwright_domain::acme::RawDirectory;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Span;
use serde_json::json;
use std::sync::Arc;

async fn bound(server: &Server, trusting: bool) {
    let raw = RawDirectory {
        name: "bound".to_owned(),
        external_account_required: true,
        without_challenge: trusting,
        ..Default::default()
    };
    server.directory(raw).await;
}

async fn key(server: &Server, name: &str, uses: Option<u32>, names: Option<&[&str]>) -> (String, String) {
    let new = NewEabKey {
        name: ResourceName::parse(name).unwrap(),
        directory: Reference::parse("bound").unwrap(),
        names: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        uses,
        expires_at: Some(server.app.now().plus(Span::from_hours(1))),
    };
    let (key, _, secret) = server.app.create_eab_key(&call(), new).await.unwrap();
    (key.id.to_string(), secret.expose().clone())
}

#[tokio::test]
async fn e1_e2_e3_e4_e7_a_binding_is_what_it_should_be_or_refused() {
    for server in Server::on_every_database().await {
        bound(&server, false).await;
        let (kid, mac) = key(&server, "once", Some(1), None).await;
        assert!(mac.len() == 64 && !mac.contains('='), "E7");
        let client = Client::stranger(&server, "bound", Signer::es256());
        let (url, jwk) = (client.url("new-account"), client.key.jwk());
        client.new_account(json!({})).await.refused(403, "externalAccountRequired");
        // E2: its form.
        let right = json!({"alg": "HS256", "kid": kid, "url": url});
        let with = |name: &str, value: serde_json::Value| {
            let mut header = right.clone();
            header[name] = value;
            header
        };
        for header in [
            with("alg", json!("ES256")),
            with("alg", json!("none")),
            with("url", json!(client.url("new-order"))),
            with("nonce", json!("AAAA")),
            with("jwk", jwk.clone()),
            with("kid", json!(null)),
            with("crit", json!([])),
        ] {
            let binding = binding_with(&header, &mac, &jwk);
            client.new_account(json!({"externalAccountBinding": binding})).await.refused(400, "malformed");
        }
        let other_key = binding_with(&right, &mac, &Signer::es256().jwk());
        client.new_account(json!({"externalAccountBinding": other_key})).await.refused(400, "malformed");
        // E3: unknown, wrong, of another directory, ended, revoked: one wording.
        let (other_kid, other_mac) = key(&server, "other", None, None).await;
        let mut wordings = std::collections::BTreeSet::new();
        let unknown = kid.replacen(kid.get(7..9).unwrap(), "00", 1);
        for (kid, mac) in [(unknown.as_str(), &mac), (kid.as_str(), &other_mac), ("x", &mac)] {
            let binding = binding(kid, mac, &jwk, &url);
            let refused = client.new_account(json!({"externalAccountBinding": binding})).await;
            wordings.insert(refused.refused(403, "unauthorized").json()["detail"].as_str().unwrap().to_owned());
        }
        server.app.revoke_eab_key(&call(), &other_kid).await.unwrap();
        let revoked = binding(&other_kid, &other_mac, &jwk, &url);
        let refused = client.new_account(json!({"externalAccountBinding": revoked})).await.refused(403, "unauthorized");
        wordings.insert(refused.json()["detail"].as_str().unwrap().to_owned());
        // All three MACs; E4: a key for one account.
        let (many, many_mac) = key(&server, "many", None, None).await;
        for algorithm in ["HS256", "HS384", "HS512"] {
            let another = Client::stranger(&server, "bound", Signer::es256());
            let header = json!({"alg": algorithm, "kid": many, "url": url});
            let binding = binding_with(&header, &many_mac, &another.key.jwk());
            another.new_account(json!({"externalAccountBinding": binding})).await.is(201);
        }
        let whole = binding(&kid, &mac, &jwk, &url);
        let made = client.new_account(json!({"externalAccountBinding": whole})).await.is(201);
        assert_eq!(made.json()["externalAccountBinding"], whole, "RFC 8555 section 7.3.4");
        let found = client.new_account(json!({"externalAccountBinding": whole})).await.is(200);
        assert!(found.json().get("externalAccountBinding").is_none(), "it was not looked at");
        let second = Client::stranger(&server, "bound", Signer::es256());
        let used = binding(&kid, &mac, &second.key.jwk(), &url);
        let refused = second.new_account(json!({"externalAccountBinding": used})).await.refused(403, "unauthorized");
        wordings.insert(refused.json()["detail"].as_str().unwrap().to_owned());
        let (ends, ends_mac) = key(&server, "ends", None, None).await;
        server.clock.advance(Span::from_hours(1));
        let ended = binding(&ends, &ends_mac, &second.key.jwk(), &url);
        let refused = second.new_account(json!({"externalAccountBinding": ended})).await.refused(403, "unauthorized");
        wordings.insert(refused.json()["detail"].as_str().unwrap().to_owned());
        assert_eq!(wordings.len(), 1, "{wordings:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn e5_of_two_accounts_one_is_bound_by_a_key_for_one() {
    for server in Server::on_every_database().await {
        bound(&server, false).await;
        let other = server.another(8).await;
        for round in 0..5 {
            let (kid, mac) = key(&server, &format!("once-{round}"), Some(1), None).await;
            let one = Client::stranger(&server, "bound", Signer::es256());
            let two = Client::stranger(&other, "bound", Signer::es256());
            let url = one.url("new-account");
            let payload =
                |client: &Client<'_>| json!({"externalAccountBinding": binding(&kid, &mac, &client.key.jwk(), &url)});
            let (a, b) = tokio::join!(one.new_account(payload(&one)), two.new_account(payload(&two)));
            let made = [&a, &b].iter().filter(|reply| reply.status.as_u16() == 201).count();
            assert_eq!(made, 1, "{a:?} {b:?}");
        }
    }
}

/// A fleet that starts at once: nobody is turned away but by the key itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn e3_e4_e5_many_at_once_are_bound_as_often_as_their_key_says() {
    for server in Server::on_every_database().await {
        bound(&server, false).await;
        let nodes = [Arc::new(server.another(8).await), Arc::new(server)];
        for (name, uses, bound) in [("any", None, 12), ("four", Some(4), 4), ("once", Some(1), 1)] {
            let (kid, mac) = key(&nodes[1], name, uses, None).await;
            let mut fleet = tokio::task::JoinSet::new();
            for node in nodes.iter().cycle().take(12) {
                let (node, kid, mac) = (Arc::clone(node), kid.clone(), mac.clone());
                fleet.spawn(async move {
                    let client = Client::stranger(&node, "bound", Signer::es256());
                    let whole = binding(&kid, &mac, &client.key.jwk(), &client.url("new-account"));
                    client.new_account(json!({"externalAccountBinding": whole})).await
                });
            }
            let replies = fleet.join_all().await;
            let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status.as_u16() == 201);
            assert_eq!(made.len(), bound, "{name}: {refused:?}");
            for reply in refused {
                reply.refused(403, "unauthorized");
            }
        }
    }
}

/// Whoever asks twice at once with a key for one account is told of the account, and not that the key is used up.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a9_e5_one_account_key_is_bound_once_however_often_it_asks() {
    for server in Server::on_every_database().await {
        bound(&server, false).await;
        for round in 0..5 {
            let (kid, mac) = key(&server, &format!("once-{round}"), Some(1), None).await;
            let client = Client::stranger(&server, "bound", Signer::es256());
            let whole = binding(&kid, &mac, &client.key.jwk(), &client.url("new-account"));
            let payload = json!({"externalAccountBinding": whole});
            let (one, two) = tokio::join!(client.new_account(payload.clone()), client.new_account(payload));
            let mut statuses = [one.status.as_u16(), two.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 201], "{one:?} {two:?}");
        }
    }
}

/// The feature that is wished for most: an account that is bound to an identity needs no challenge for its names.
#[tokio::test]
async fn a_bound_account_gets_the_names_of_its_key_without_a_challenge_and_no_others() {
    let server = Server::new().await;
    bound(&server, true).await;
    let (kid, mac) = key(&server, "web", None, Some(&["*.web.example.com", "10.0.0.0/8"])).await;
    let mut client = Client::stranger(&server, "bound", Signer::es256());
    let whole = binding(&kid, &mac, &client.key.jwk(), &client.url("new-account"));
    client.kid = client.new_account(json!({"externalAccountBinding": whole})).await.is(201).location();
    let names = ["a.web.example.com", "*.web.example.com", "10.1.2.3"];
    let order = client.new_order(&names).await.is(201);
    assert_eq!(order.json()["status"], "ready");
    let csr = Csr::new(&names);
    assert_eq!(client.finalize(&order.location(), &csr.der()).await.is(200).json()["status"], "valid");
    assert_eq!(server.world.looked.load(std::sync::atomic::Ordering::Relaxed), 0, "nobody looked");
    for name in ["web.example.com", "a.other.example.com", "11.0.0.1", "a.web.example.com.evil.example"] {
        let refused = client.new_order(&["b.web.example.com", name]).await.refused(400, "rejectedIdentifier").json();
        assert_eq!(refused["subproblems"].as_array().unwrap().len(), 1, "O7");
        assert_eq!(refused["subproblems"][0]["identifier"]["value"], name);
    }
    // The directory takes its trust back: what rested on it alone is worth nothing.
    let ready = client.new_order(&["c.web.example.com"]).await.is(201);
    assert_eq!(ready.json()["status"], "ready");
    let reference = Reference::parse("bound").unwrap();
    let raw = |without_challenge| RawDirectory {
        profiles: vec!["acme".to_owned()],
        external_account_required: true,
        reuse_authorizations: true,
        without_challenge,
        enabled: true,
        ..Default::default()
    };
    server.app.replace_acme_directory(&call(), &reference, raw(false), Some(1)).await.unwrap();
    let csr = Csr::new(&["c.web.example.com"]).der();
    client.finalize(&ready.location(), &csr).await.refused(403, "unauthorized");
    assert_eq!(client.new_order(&["c.web.example.com"]).await.is(201).json()["status"], "pending");
    server.app.replace_acme_directory(&call(), &reference, raw(true), Some(2)).await.unwrap();
    assert_eq!(client.finalize(&ready.location(), &csr).await.is(200).json()["status"], "valid");
    // A key without names vouches for nothing: its accounts prove what they order.
    let (kid, mac) = key(&server, "any", None, None).await;
    let mut other = Client::stranger(&server, "bound", Signer::es256());
    let whole = binding(&kid, &mac, &other.key.jwk(), &other.url("new-account"));
    other.kid = other.new_account(json!({"externalAccountBinding": whole})).await.is(201).location();
    assert_eq!(other.new_order(&["a.web.example.com"]).await.is(201).json()["status"], "pending");
}

#[tokio::test]
async fn no_key_looks_like_an_option() {
    let server = Server::new().await;
    bound(&server, false).await;
    // One key of 64 began with a hyphen; certbot took it for an option of its own.
    for number in 0..400 {
        let (_, mac) = key(&server, &format!("key-{number}"), None, None).await;
        assert!(mac.starts_with(|first: char| first != '-'), "{mac}");
    }
}
