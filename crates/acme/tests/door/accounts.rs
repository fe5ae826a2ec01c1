//! Accounts (A).

use crate::client::{Client, Signer};
use crate::server::{Server, call};
use certwright_domain::acme::{OrderState, RawDirectory};
use certwright_domain::time::Span;
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a1_a2_a3_an_account_is_made_once_for_a_key() {
    for server in Server::on_every_database().await {
        let mut client = Client::stranger(&server, "default", Signer::es256());
        client.new_account(json!({"onlyReturnExisting": true})).await.refused(400, "accountDoesNotExist");
        let made = client.new_account(json!({"contact": ["mailto:a@example.com"]})).await.is(201);
        let account = made.json();
        client.kid = made.location();
        assert_eq!(account["status"], "valid");
        assert_eq!(account["contact"], json!(["mailto:a@example.com"]));
        assert_eq!(account["orders"], format!("{}/orders", client.kid));
        for payload in [json!({"contact": ["mailto:b@example.com"]}), json!({"onlyReturnExisting": true})] {
            let again = client.new_account(payload).await.is(200);
            assert_eq!(again.location(), client.kid);
            assert_eq!(again.json()["contact"], json!(["mailto:a@example.com"]), "A2");
        }
    }
}

#[tokio::test]
async fn a4_terms_are_agreed_to_where_there_are_some() {
    let server = Server::new().await;
    let terms = "https://ca.example.com/terms".to_owned();
    server
        .directory(RawDirectory { name: "terms".to_owned(), terms_of_service: Some(terms), ..Default::default() })
        .await;
    let client = Client::stranger(&server, "terms", Signer::es256());
    let refused = client.new_account(json!({"termsOfServiceAgreed": false})).await.refused(403, "userActionRequired");
    assert!(refused.json()["detail"].as_str().unwrap().contains("https://ca.example.com/terms"));
    assert!(refused.links().contains(&"<https://ca.example.com/terms>;rel=\"terms-of-service\""));
    let made = client.new_account(json!({"termsOfServiceAgreed": true})).await.is(201);
    assert_eq!(made.json()["termsOfServiceAgreed"], true);
    assert!(made.links().contains(&"<https://ca.example.com/terms>;rel=\"terms-of-service\""));
}

#[tokio::test]
async fn a5_a6_contacts_are_checked_and_changed() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    for (contact, kind) in [
        (json!(["tel:+1"]), "unsupportedContact"),
        (json!(["mailto:a@example.com,b@example.com"]), "invalidContact"),
        (json!(["mailto:a@example.com?cc=b@example.com"]), "invalidContact"),
        (json!(["mailto:é@example.com"]), "invalidContact"),
        (json!(vec!["mailto:a@example.com"; 11]), "invalidContact"),
        (json!("mailto:a@example.com"), "malformed"),
        (json!([1]), "malformed"),
    ] {
        client.post(&client.kid, json!({"contact": contact})).await.refused(400, kind);
        let stranger = Client::stranger(&server, "default", Signer::es256());
        stranger.new_account(json!({"contact": contact})).await.refused(400, kind);
        stranger.new_account(json!({"onlyReturnExisting": true})).await.refused(400, "accountDoesNotExist");
    }
    let changed = client.post(&client.kid, json!({"contact": ["mailto:ops@example.com"]})).await.is(200);
    assert_eq!(changed.json()["contact"], json!(["mailto:ops@example.com"]));
    assert_eq!(client.fetch(&client.kid).await.json()["contact"], json!(["mailto:ops@example.com"]));
    assert!(client.post(&client.kid, json!({"contact": []})).await.is(200).json().get("contact").is_none());
    for status in ["revoked", "x"] {
        client.post(&client.kid, json!({"status": status})).await.refused(400, "malformed");
    }
    let other = Client::new(&server).await;
    client.post(&other.kid, json!({"contact": []})).await.refused(403, "unauthorized");
    client.fetch(&other.kid).await.refused(403, "unauthorized");
}

#[tokio::test]
async fn a7_nothing_can_be_done_with_an_account_that_has_ended() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let order = client.new_order(&["a.example.com"]).await.location();
    let ended = client.post(&client.kid, json!({"status": "deactivated"})).await.is(200);
    assert_eq!(ended.json()["status"], "deactivated");
    client.fetch(&order).await.refused(401, "unauthorized");
    client.fetch(&client.kid).await.refused(401, "unauthorized");
    client.new_order(&["b.example.com"]).await.refused(401, "unauthorized");
    client.new_account(json!({})).await.refused(401, "unauthorized");
    client.new_account(json!({"onlyReturnExisting": true})).await.refused(401, "unauthorized");
    // And by an operator.
    let other = Client::new(&server).await;
    let id = other.kid.rsplit('/').next().unwrap();
    server.app.revoke_acme_account(&call(), id).await.unwrap();
    other.new_order(&["b.example.com"]).await.refused(401, "unauthorized");
}

#[tokio::test]
async fn a7_what_an_account_leaves_pending_ends_with_it() {
    for server in Server::on_every_database().await {
        let (client, other) = (Client::new(&server).await, Client::new(&server).await);
        let ready = client.ready(&["a.example.com"]).await;
        let pending = client.new_order(&["b.example.com"]).await.is(201);
        client.answer(pending.json()["authorizations"][0].as_str().unwrap()).await;
        let looked = server.world.looked.load(Ordering::Relaxed);
        client.post(&client.kid, json!({"status": "deactivated"})).await.is(200);
        server.look_to_the_end().await;
        assert_eq!(server.world.looked.load(Ordering::Relaxed), looked, "nobody is connected to");
        assert!(server.app.due_acme_proofs(10).await.unwrap().is_empty());
        let kept = other.new_order(&["c.example.com"]).await.is(201).location();
        for (order, state) in
            [(ready, OrderState::Invalid), (pending.location(), OrderState::Invalid), (kept, OrderState::Pending)]
        {
            let id = order.rsplit('/').next().unwrap();
            assert_eq!(server.app.known_acme_order(&call(), id).await.unwrap().view.state, state);
        }
    }
}

#[tokio::test]
async fn a8_orders_are_listed_in_parts_to_their_account_alone() {
    let server = Server::new().await;
    let (client, other) = (Client::new(&server).await, Client::new(&server).await);
    let mut made = Vec::new();
    for number in 0..60 {
        made.push(client.new_order(&[&format!("a{number}.example.com")]).await.is(201).location());
    }
    let list = format!("{}/orders", client.kid);
    let first = client.fetch(&list).await.is(200);
    let next = first.links().into_iter().find(|link| link.ends_with("rel=\"next\"")).unwrap().to_owned();
    let next = next.trim_start_matches('<').split('>').next().unwrap();
    let second = client.fetch(next).await.is(200);
    assert!(!second.links().iter().any(|link| link.ends_with("rel=\"next\"")));
    let urls = |reply: &crate::client::Reply| -> Vec<String> {
        reply.json()["orders"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect()
    };
    let mut listed = [urls(&first), urls(&second)].concat();
    listed.sort();
    made.sort();
    assert_eq!(listed, made);
    // What has come to nothing is left out (RFC 8555 section 7.1.2.1).
    let given_up = client.fetch(&made[0]).await.json()["authorizations"][0].as_str().unwrap().to_owned();
    client.post(&given_up, json!({"status": "deactivated"})).await.is(200);
    assert_eq!(client.fetch(&made[0]).await.json()["status"], "invalid");
    let (first, second) = (client.fetch(&list).await.is(200), client.fetch(next).await.is(200));
    let left: std::collections::BTreeSet<_> = [urls(&first), urls(&second)].concat().into_iter().collect();
    assert_eq!(left, made.iter().skip(1).cloned().collect());
    other.fetch(&list).await.refused(403, "unauthorized");
    client.fetch(&format!("{list}?cursor=x")).await.refused(400, "malformed");
}

#[tokio::test]
async fn a8_an_order_with_a_certificate_stays_listed_and_one_that_ran_out_does_not() {
    for server in Server::on_every_database().await {
        let client = Client::new(&server).await;
        let order = client.ready(&["a.example.com"]).await;
        client.finalize(&order, &crate::csr::Csr::new(&["a.example.com"]).der()).await.is(200);
        let other = client.new_order(&["b.example.com"]).await.is(201).location();
        let list = format!("{}/orders", client.kid);
        assert_eq!(client.fetch(&list).await.is(200).json(), json!({"orders": [other, order]}));
        server.clock.advance(Span::from_days(8));
        assert_eq!(client.fetch(&list).await.is(200).json(), json!({"orders": [order]}));
    }
}

/// This node has the directory in memory for a moment longer than it is there.
#[tokio::test]
async fn no_account_is_made_in_a_directory_that_another_node_has_just_deleted() {
    for server in Server::on_every_database().await {
        server.directory(RawDirectory { name: "gone".to_owned(), ..RawDirectory::default() }).await;
        let other = server.another(8).await;
        let client = Client::stranger(&server, "gone", Signer::es256());
        client.new_account(json!({"onlyReturnExisting": true})).await.refused(400, "accountDoesNotExist");
        let name = certwright_domain::name::Reference::parse("gone").unwrap();
        other.app.delete_acme_directory(&call(), &name, None).await.unwrap();
        let refused = client.new_account(json!({})).await.refused(404, "malformed").json();
        assert_eq!(refused["detail"], "There is no such directory.");
        let page = certwright_app::PageRequest { limit: 10, after: None };
        let left = server.app.acme_accounts(&call(), None, &page).await.unwrap().items;
        assert!(left.is_empty(), "{left:?}");
        // One in which there is an account stays as it is, with its keys.
        server.directory(RawDirectory { name: "used".to_owned(), ..RawDirectory::default() }).await;
        let client = Client::within(&server, "used").await;
        let name = certwright_domain::name::Reference::parse("used").unwrap();
        let error = other.app.delete_acme_directory(&call(), &name, None).await.unwrap_err();
        assert!(error.to_string().contains("has accounts"), "{error}");
        client.new_order(&["a.example.com"]).await.is(201);
    }
}

/// Two requests with one key, on two nodes at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a9_two_requests_with_one_key_make_one_account() {
    for server in Server::on_every_database().await {
        let other = server.another(8).await;
        for _ in 0..8 {
            let here = Client::stranger(&server, "default", Signer::es256());
            let url = here.url("new-account");
            let mut bodies = Vec::new();
            for _ in 0..2 {
                let header = json!({"alg": "ES256", "jwk": here.key.jwk(), "nonce": here.nonce().await, "url": url});
                bodies.push(here.key.jws(&header, b"{}").to_string());
            }
            let there = Client::stranger(&other, "default", Signer::es256());
            let (one, two) =
                tokio::join!(here.post_raw(&url, bodies[0].clone()), there.post_raw(&url, bodies[1].clone()));
            assert_eq!(one.location(), two.location());
            let mut statuses = [one.status.as_u16(), two.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 201]);
        }
    }
}
