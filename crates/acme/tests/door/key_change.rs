//! Changing an account's key (K).

use crate::client::{Client, Reply, Signer};
use crate::server::Server;
use serde_json::{Value, json};

async fn change(client: &Client<'_>, inner: &Value) -> Reply {
    client.post(&client.url("key-change"), inner.clone()).await
}

fn inner(client: &Client<'_>, new: &Signer, header: Value, payload: Value) -> Value {
    let mut whole = json!({"alg": new.alg(), "jwk": new.jwk(), "url": client.url("key-change")});
    let mut about = json!({"account": client.kid, "oldKey": client.key.jwk()});
    for (target, more) in [(&mut whole, header), (&mut about, payload)] {
        for (name, value) in more.as_object().unwrap() {
            match value {
                Value::Null => target.as_object_mut().unwrap().remove(name),
                value => target.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
    }
    new.jws(&whole, about.to_string().as_bytes())
}

#[tokio::test]
async fn k1_k2_k3_k6_what_is_not_right_changes_nothing() {
    let server = Server::new().await;
    let (client, other) = (Client::new(&server).await, Client::new(&server).await);
    let new = Signer::es256();
    for (header, payload) in [
        (json!({"nonce": "AAAA"}), json!({})),
        (json!({"jwk": null, "kid": client.kid}), json!({})),
        (json!({"kid": client.kid}), json!({})),
        (json!({"url": client.url("new-order")}), json!({})),
        (json!({"url": null}), json!({})),
        (json!({}), json!({"account": other.kid})),
        (json!({}), json!({"account": null})),
        (json!({}), json!({"oldKey": other.key.jwk()})),
        (json!({}), json!({"oldKey": null})),
        (json!({}), json!({"oldKey": "x"})),
        (json!({"jwk": Signer::es256().jwk()}), json!({})),
    ] {
        change(&client, &inner(&client, &new, header, payload)).await.refused(400, "malformed");
    }
    change(&client, &inner(&client, &client.key, json!({}), json!({}))).await.refused(400, "malformed");
    let weak = json!({"kty": "RSA", "n": crate::client::b64([0xff; 128]), "e": "AQAB"});
    let weak = inner(&client, &new, json!({"jwk": weak, "alg": "RS256"}), json!({}));
    change(&client, &weak).await.refused(400, "badPublicKey");
    // K3: the key of another account.
    let taken = inner(&client, &other.key, json!({}), json!({}));
    assert_eq!(change(&client, &taken).await.refused(409, "malformed").location(), other.kid);
    client.fetch(&client.kid).await.is(200);
}

#[tokio::test]
async fn k4_the_old_key_is_dead_at_once_and_everything_else_stays() {
    for server in Server::on_every_database().await {
        let mut client = Client::new(&server).await;
        let order = client.ready(&["a.example.com"]).await;
        let new = Signer::every().remove(1);
        change(&client, &inner(&client, &new, json!({}), json!({}))).await.is(200);
        client.fetch(&order).await.refused(400, "malformed");
        client.new_account(json!({"onlyReturnExisting": true})).await.refused(400, "accountDoesNotExist");
        client.key = new;
        assert_eq!(client.fetch(&order).await.is(200).json()["status"], "ready");
        let found = client.new_account(json!({"onlyReturnExisting": true})).await.is(200);
        assert_eq!(found.location(), client.kid);
        client.finalize(&order, &crate::csr::Csr::new(&["a.example.com"]).der()).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn k5_of_two_changes_one_wins() {
    for server in Server::on_every_database().await {
        let client = Client::new(&server).await;
        let (one, two) = (Signer::es256(), Signer::es256());
        let inners = [inner(&client, &one, json!({}), json!({})), inner(&client, &two, json!({}), json!({}))];
        let (a, b) = tokio::join!(change(&client, &inners[0]), change(&client, &inners[1]));
        let won = [&a, &b].iter().filter(|reply| reply.status.as_u16() == 200).count();
        assert_eq!(won, 1, "{a:?} {b:?}");
    }
}
