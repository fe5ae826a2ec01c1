//! Signatures that only look like one (A26): shared secrets made of public keys, members that stand twice, keys that a request
//! brings along, numbers that prove nothing.

use crate::client::{Client, Signer, b64};
use crate::server::Server;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::KeyPair;
use serde_json::{Value, json};

async fn of(server: &Server, key: Signer) -> Client<'_> {
    let mut client = Client::stranger(server, "default", key);
    client.kid = client.new_account(json!({})).await.is(201).location();
    client
}

/// A JWS with this protected header as it is written, over an order that would be made if it were taken.
fn jws(header: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let (protected, payload) = (b64(header), b64(order().to_string()));
    let signature = sign(format!("{protected}.{payload}").as_bytes());
    json!({"protected": protected, "payload": payload, "signature": b64(signature)}).to_string()
}

fn order() -> Value {
    json!({"identifiers": [{"type": "dns", "value": "a.example.com"}]})
}

#[tokio::test]
async fn a_public_key_is_nobodys_shared_secret() {
    let server = Server::new().await;
    for key in Signer::every() {
        let client = of(&server, key).await;
        let url = client.url("new-order");
        let jwk = client.key.jwk();
        let mut secrets = vec![jwk.to_string().into_bytes(), client.key.thumbprint().into_bytes(), Vec::new()];
        if let Signer::Rsa(pair) = &client.key {
            let spki: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
            secrets.push(spki.as_ref().to_vec());
            secrets.push(pair.public_key().as_ref().to_vec());
            secrets.push(jwk["n"].as_str().unwrap().as_bytes().to_vec());
        }
        for (name, algorithm) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            for secret in &secrets {
                let header = json!({"alg": name, "kid": client.kid, "nonce": client.nonce().await, "url": url});
                let mac = |message: &[u8]| hmac::sign(&hmac::Key::new(algorithm, secret), message).as_ref().to_vec();
                let forged = jws(&header.to_string(), mac);
                client.post_raw(&url, forged).await.refused(400, "badSignatureAlgorithm");
            }
        }
        for none in ["none", "None", "NONE", "nOnE", ""] {
            let header = json!({"alg": none, "kid": client.kid, "nonce": client.nonce().await, "url": url});
            let unsigned = jws(&header.to_string(), |_| Vec::new());
            client.post_raw(&url, unsigned).await.refused(400, "badSignatureAlgorithm");
        }
    }
}

#[tokio::test]
async fn numbers_that_prove_nothing_are_no_signature() {
    let server = Server::new().await;
    for key in Signer::every() {
        let client = of(&server, key).await;
        let url = client.url("new-order");
        let size = client.key.sign(b"x").len();
        let mut one = vec![0; size];
        *one.last_mut().unwrap() = 1;
        for signature in [Vec::new(), vec![0; size], vec![0xff; size], one, vec![0; size + 1], vec![0; size - 1]] {
            let header = client.header(&url).await.to_string();
            client.post_raw(&url, jws(&header, |_| signature)).await.refused(400, "malformed");
        }
        // One of another request.
        let other = client.key.sign(b"something else");
        let header = client.header(&url).await.to_string();
        client.post_raw(&url, jws(&header, |_| other)).await.refused(400, "malformed");
    }
}

#[tokio::test]
async fn members_that_stand_twice_have_no_meaning() {
    let server = Server::new().await;
    let client = of(&server, Signer::es256()).await;
    let stranger = Signer::es256();
    let url = client.url("new-order");
    for doubled in [
        r#"{"alg":"none","alg":"ES256","kid":"K","nonce":"N","url":"U"}"#,
        r#"{"alg":"ES256","alg":"none","kid":"K","nonce":"N","url":"U"}"#,
        r#"{"alg":"ES256","\u0061lg":"HS256","kid":"K","nonce":"N","url":"U"}"#,
        r#"{"alg":"ES256","kid":"x","kid":"K","nonce":"N","url":"U"}"#,
        r#"{"alg":"ES256","kid":"K","nonce":"N","url":"https://other.example/","url":"U"}"#,
        r#"{"alg":"ES256","kid":"K","nonce":"x","nonce":"N","url":"U"}"#,
    ] {
        let header = doubled.replace("\"K\"", &format!("\"{}\"", client.kid));
        let header = header.replace("\"N\"", &format!("\"{}\"", client.nonce().await));
        let header = header.replace("\"U\"", &format!("\"{url}\""));
        client.post_raw(&url, jws(&header, |message| client.key.sign(message))).await.refused(400, "malformed");
        client.post_raw(&url, jws(&header, |message| stranger.sign(message))).await.refused(400, "malformed");
    }
}

#[tokio::test]
async fn a_key_that_a_request_brings_along_is_not_asked() {
    let server = Server::new().await;
    let client = of(&server, Signer::es256()).await;
    let stranger = Signer::es256();
    let url = client.url("new-order");
    for (name, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/chain")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("epk", stranger.jwk()),
    ] {
        let mut header = client.header(&url).await;
        header[name] = value.clone();
        let forged = stranger.jws(&header, order().to_string().as_bytes());
        client.post_raw(&url, forged.to_string()).await.refused(400, "malformed");
        // What the account signs itself says nothing by it.
        let mut header = client.header(&url).await;
        header[name] = value;
        let own = client.key.jws(&header, order().to_string().as_bytes());
        client.post_raw(&url, own.to_string()).await.is(201);
    }
    // A key beside the account, the stranger's or a null: neither of both is meant.
    for jwk in [stranger.jwk(), client.key.jwk(), Value::Null] {
        let mut header = client.header(&url).await;
        header["jwk"] = jwk;
        for signer in [&client.key, &stranger] {
            let both = signer.jws(&header, order().to_string().as_bytes());
            client.post_raw(&url, both.to_string()).await.refused(400, "malformed");
        }
    }
    // With a key of its own and the algorithm of another one, nobody gets an account.
    let url = client.url("new-account");
    for key in Signer::every() {
        for algorithm in ["ES256", "ES384", "ES512", "RS256", "EdDSA"] {
            if algorithm == key.alg() {
                continue;
            }
            let header = json!({"alg": algorithm, "jwk": key.jwk(), "nonce": client.nonce().await, "url": url});
            client.post_raw(&url, key.jws(&header, b"{}").to_string()).await.refused(400, "malformed");
        }
    }
}
