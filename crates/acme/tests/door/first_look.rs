//! The first look at a proof, taken by the request that answers its challenge (H5).

use crate::client::Client;
use crate::server::Server;
use certwright_domain::acme::RawDirectory;
use certwright_domain::time::Span;
use certwright_testkit::faults::When;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Long enough for whoever answers at once.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn h5_a_proof_that_is_seen_at_once_is_valid_in_the_answer_by_one_commit() {
    for server in Server::on_every_database_with(|acme| acme.first_look = PATIENCE).await {
        let client = Client::new(&server).await;
        let order = client.new_order(&["a.example.com"]).await.is(201);
        let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
        let before = server.faults.committed().len();
        let challenge = client.answer(&url).await;
        assert_eq!(challenge["status"], "valid");
        assert!(challenge["validated"].as_str().is_some());
        let commits = server.faults.committed().split_off(before);
        let durable: Vec<&str> = commits.into_iter().filter(|name| *name != "acme.use-nonces").collect();
        assert_eq!(durable, ["acme.answer-challenge"]);
        assert_eq!(client.fetch(&url).await.json()["status"], "valid");
        assert_eq!(client.fetch(&order.location()).await.json()["status"], "ready");
        server.look().await;
        assert_eq!(server.world.looked.load(Ordering::Relaxed), 1, "nothing is left to look at");
    }
}

#[tokio::test]
async fn h10_a_first_look_that_fails_is_followed_by_the_others() {
    let server = Server::with(|acme| acme.first_look = PATIENCE).await;
    let client = Client::new(&server).await;
    let order = client.new_order(&["a.example.com"]).await.is(201);
    let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
    let challenge = client.fetch(&url).await.json()["challenges"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(client.post(&challenge, json!({})).await.is(200).json()["status"], "processing");
    server.look().await;
    assert_eq!(server.world.looked.load(Ordering::Relaxed), 1, "not before the pause is over");
    assert_eq!(client.fetch(&url).await.json()["status"], "pending");
    server.look_to_the_end().await;
    assert_eq!(server.world.looked.load(Ordering::Relaxed), 3);
    let failed = client.fetch(&challenge).await.json();
    assert_eq!(
        (failed["status"].as_str(), failed["error"]["type"].as_str()),
        (Some("invalid"), Some("urn:ietf:params:acme:error:connection"))
    );
    assert_eq!(client.fetch(&url).await.json()["status"], "invalid");
}

#[tokio::test]
async fn h5_whoever_is_slow_is_looked_at_from_the_queue() {
    let server = Server::with(|acme| acme.first_look = Duration::from_millis(1)).await;
    let client = Client::new(&server).await;
    let order = client.new_order(&["a.example.com"]).await.is(201);
    let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
    server.world.hangs.store(true, Ordering::Relaxed);
    assert_eq!(client.answer(&url).await["status"], "processing");
    server.world.hangs.store(false, Ordering::Relaxed);
    server.look().await;
    assert_eq!(client.fetch(&url).await.json()["status"], "valid");
    assert_eq!(server.world.looked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn h5_what_was_seen_and_not_written_was_not_promised() {
    for server in Server::on_every_database_with(|acme| acme.first_look = PATIENCE).await {
        let client = Client::new(&server).await;
        let order = client.new_order(&["a.example.com"]).await.is(201);
        let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
        let challenge = client.fetch(&url).await.json()["challenges"][0]["url"].as_str().unwrap().to_owned();
        server.faults.arm("acme.answer-challenge", When::Before);
        assert!(client.post(&challenge, json!({})).await.status.is_server_error());
        assert_eq!(client.fetch(&url).await.json()["challenges"][0]["status"], "pending");
        // It is asked again, and nothing of the first time is in the way.
        assert_eq!(client.answer(&url).await["status"], "valid");
    }
}

#[tokio::test]
async fn h5_a_first_look_is_one_of_the_nodes_that_must_see_a_proof() {
    let server = Server::with(|acme| acme.first_look = PATIENCE).await;
    server.directory(RawDirectory { name: "two".to_owned(), vantage_points: Some(2), ..RawDirectory::default() }).await;
    let other = server.another(8).await;
    let client = Client::within(&server, "two").await;
    let order = client.new_order(&["a.example.com"]).await.is(201);
    let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
    assert_eq!(client.answer(&url).await["status"], "processing", "one of two");
    server.look().await;
    assert_eq!(client.fetch(&url).await.json()["status"], "pending");
    other.look().await;
    assert_eq!(client.fetch(&url).await.json()["status"], "valid");
    server.clock.advance(Span::from_s(60));
    server.look().await;
    assert_eq!(server.world.looked.load(Ordering::Relaxed), 2);
}
