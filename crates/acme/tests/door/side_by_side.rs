//! Several challenges of one authorization at once (H8): looked at side by side, and one success is enough.

use crate::client::Client;
use crate::server::Server;
use certwright_domain::acme::Method;
use certwright_domain::time::Span;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Long enough for whoever answers at once.
const PATIENCE: Duration = Duration::from_secs(20);
const NAME: &str = "a.example.com";

/// A pending authorization: URLs of its order and its own, and its challenges (http-01, dns-01, tls-alpn-01).
async fn pending(client: &Client<'_>) -> (String, String, Vec<Value>) {
    let order = client.new_order(&[NAME]).await.is(201);
    let url = order.json()["authorizations"][0].as_str().unwrap().to_owned();
    let challenges = client.fetch(&url).await.is(200).json()["challenges"].as_array().unwrap().clone();
    (order.location(), url, challenges)
}

fn url_of(challenge: &Value) -> &str {
    challenge["url"].as_str().unwrap()
}

/// Its holder shows what this challenge asks for, and nothing for the others.
fn show(client: &Client<'_>, challenge: &Value) {
    let shown = format!("{}.{}", challenge["token"].as_str().unwrap(), client.key.thumbprint());
    client.server.world.show(NAME, &shown);
}

async fn states(client: &Client<'_>, url: &str) -> (String, Vec<String>) {
    let authorization = client.fetch(url).await.is(200).json();
    let text = |value: &Value| value["status"].as_str().unwrap().to_owned();
    (text(&authorization), authorization["challenges"].as_array().unwrap().iter().map(text).collect())
}

#[tokio::test]
async fn h8_one_success_is_enough_whatever_the_others_come_to() {
    for server in Server::on_every_database().await {
        let client = Client::new(&server).await;
        let (order, url, challenges) = pending(&client).await;
        show(&client, &challenges[1]);
        for challenge in &challenges[..2] {
            assert_eq!(client.post(url_of(challenge), json!({})).await.is(200).json()["status"], "processing");
        }
        // The first fails, the second does not; what would be looked at once more is not.
        server.look_to_the_end().await;
        assert_eq!(server.world.looked.load(Ordering::Relaxed), 2);
        assert_eq!(
            states(&client, &url).await,
            ("valid".to_owned(), ["invalid", "valid", "pending"].map(str::to_owned).to_vec())
        );
        assert_eq!(client.fetch(&order).await.json()["status"], "ready");
        for polled in [url.as_str(), url_of(&challenges[0])] {
            assert_eq!(client.fetch(polled).await.header("retry-after"), None, "it is over: {polled}");
        }
    }
}

#[tokio::test]
async fn h8_the_last_failure_of_one_is_not_the_end_while_another_is_looked_at() {
    for server in Server::on_every_database().await {
        let client = Client::new(&server).await;
        let (order, url, challenges) = pending(&client).await;
        client.post(url_of(&challenges[0]), json!({})).await.is(200);
        server.look().await;
        server.clock.advance(Span::from_s(3));
        server.look().await;
        server.clock.advance(Span::from_s(6));
        // Two of its three attempts are over when the second challenge is answered.
        assert_eq!(client.post(url_of(&challenges[1]), json!({})).await.is(200).json()["status"], "processing");
        server.look().await;
        let (state, of_challenges) = states(&client, &url).await;
        assert_eq!(
            (state.as_str(), of_challenges[0].as_str(), of_challenges[1].as_str()),
            ("pending", "invalid", "processing")
        );
        show(&client, &challenges[1]);
        server.clock.advance(Span::from_s(3));
        server.look().await;
        assert_eq!(states(&client, &url).await.0, "valid");
        assert_eq!(client.fetch(&order).await.json()["status"], "ready");
    }
}

#[tokio::test]
async fn h8_whoever_is_slow_holds_up_no_other_challenge() {
    for server in Server::on_every_database_with(|acme| acme.first_look = PATIENCE).await {
        let client = Client::new(&server).await;
        let (_, url, challenges) = pending(&client).await;
        show(&client, &challenges[1]);
        let gate = Arc::new(Semaphore::new(0));
        *server.world.held.lock().unwrap() = Some((Method::Http01, Arc::clone(&gate)));
        let slow = client.post(url_of(&challenges[0]), json!({}));
        let quick = async {
            while server.world.looked.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            let reply = client.post(url_of(&challenges[1]), json!({})).await.is(200);
            gate.add_permits(1);
            reply
        };
        let (slow, quick) = tokio::join!(slow, quick);
        assert_eq!(quick.json()["status"], "valid");
        // It failed after the other had proven the name: that undoes nothing.
        slow.is(200);
        server.look_to_the_end().await;
        assert_eq!(states(&client, &url).await.0, "valid");
    }
}

/// Each outcome is written into what became of the other challenges meanwhile; none is lost, and none counts twice.
#[tokio::test]
async fn h8_challenges_that_are_answered_at_once_are_each_looked_at_three_times() {
    for server in Server::on_every_database_with(|acme| acme.first_look = PATIENCE).await {
        let client = Client::new(&server).await;
        let (_, url, challenges) = pending(&client).await;
        let gate = Arc::new(Semaphore::new(0));
        *server.world.held.lock().unwrap() = Some((Method::Http01, Arc::clone(&gate)));
        let posts = async {
            tokio::join!(
                client.post(url_of(&challenges[0]), json!({})),
                client.post(url_of(&challenges[1]), json!({})),
                client.post(url_of(&challenges[2]), json!({})),
            )
        };
        let open = async {
            while server.world.looked.load(Ordering::Relaxed) < 3 {
                tokio::task::yield_now().await;
            }
            gate.add_permits(100);
        };
        let ((one, two, three), ()) = tokio::join!(posts, open);
        for reply in [one, two, three] {
            assert_eq!(reply.is(200).json()["status"], "processing");
        }
        assert_eq!(states(&client, &url).await, ("pending".to_owned(), vec!["processing".to_owned(); 3]));
        server.look_to_the_end().await;
        assert_eq!(server.world.looked.load(Ordering::Relaxed), 9);
        assert_eq!(states(&client, &url).await, ("invalid".to_owned(), vec!["invalid".to_owned(); 3]));
    }
}
