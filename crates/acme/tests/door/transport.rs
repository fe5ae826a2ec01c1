//! Transport, nonces, directory (T, N, D).

use crate::client::{Client, Signer, b64};
use crate::server::{PUBLIC, Server};
use axum::body::{Body, Bytes};
use axum::http::Request;
use certwright_acme::{DoorSettings, router};
use certwright_app::{AcmeError, AcmeSettings, App};
use certwright_domain::time::Span;
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

/// Every route that is posted to, with an account's own things behind it.
async fn posted(client: &Client<'_>) -> Vec<String> {
    let order = client.new_order(&["a.example.com"]).await.is(201);
    let authorization = order.json()["authorizations"][0].as_str().unwrap().to_owned();
    let challenge = client.fetch(&authorization).await.json()["challenges"][0]["url"].as_str().unwrap().to_owned();
    let (certificate, _) = client.certificate(&["z.example.com"]).await;
    let url = order.location();
    let mut routes: Vec<String> =
        ["new-order", "new-authz", "key-change", "revoke-cert"].iter().map(|path| client.url(path)).collect();
    routes.extend([format!("{url}/finalize"), url, authorization, challenge, client.kid.clone()]);
    routes.extend([format!("{}/orders", client.kid), format!("{certificate}/1"), certificate]);
    routes
}

#[tokio::test]
async fn t1_t3_t15_n2_every_answer_has_its_headers() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let index = format!("<{}>;rel=\"index\"", client.url("directory"));
    for url in posted(&client).await {
        let reply = client.get(&url).await.refused(405, "malformed");
        assert_eq!(reply.header("allow"), Some("POST, OPTIONS"), "T3 {url}");
        assert!(reply.links().contains(&index.as_str()), "T1 {url}");
        let reply = client.post(&url, json!("text")).await;
        assert!(reply.status.is_client_error(), "{url}");
        assert!(reply.header("replay-nonce").is_some(), "N2 {url}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        let exposed = reply.header("access-control-expose-headers").unwrap();
        assert_eq!(exposed, "Link, Replay-Nonce, Location, Retry-After");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let preflight = Request::options(crate::client::path_of(&url)).body(Body::empty()).unwrap();
        let reply = client.send(preflight).await.is(204);
        assert_eq!(reply.header("access-control-allow-methods"), Some("GET, HEAD, POST"), "T15 {url}");
        assert_eq!(reply.header("access-control-allow-headers"), Some("Content-Type"));
    }
}

/// What is wrong with a request, however right the rest is: the problem, and that nothing came of it.
#[tokio::test]
async fn every_flaw_on_every_route() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let other = Client::new(&server).await;
    let stranger = Signer::es256();
    for url in posted(&client).await {
        let order_count =
            server.app.known_acme_orders(&crate::server::call(), None, None, &page()).await.unwrap().items.len();
        let header = async |more: Value| {
            let mut header = client.header(&url).await;
            for (name, value) in more.as_object().unwrap() {
                match value {
                    Value::Null => header.as_object_mut().unwrap().remove(name),
                    value => header.as_object_mut().unwrap().insert(name.clone(), value.clone()),
                };
            }
            header
        };
        let signed = |header: &Value| client.key.jws(header, b"{}");
        // T5, T6, T8, T9, T11, T12, N3: one member of the protected header.
        for (number, flaw, status, kind) in [
            ("T5", json!({"alg": "none"}), 400, "badSignatureAlgorithm"),
            ("T5", json!({"alg": "HS256"}), 400, "badSignatureAlgorithm"),
            ("T5", json!({"alg": "PS256"}), 400, "badSignatureAlgorithm"),
            ("T5", json!({"alg": "x"}), 400, "badSignatureAlgorithm"),
            ("T6", json!({"alg": "RS256"}), 400, "malformed"),
            ("T6", json!({"alg": "ES384"}), 400, "malformed"),
            ("T8", json!({"jwk": client.key.jwk()}), 400, "malformed"),
            ("T8", json!({"kid": null}), 400, "malformed"),
            ("T9", json!({"crit": ["exp"]}), 400, "malformed"),
            ("T9", json!({"b64": false}), 400, "malformed"),
            ("T11", json!({"url": url.replace("https", "http")}), 403, "unauthorized"),
            ("T11", json!({"url": url.replace(":8443", "")}), 403, "unauthorized"),
            ("T11", json!({"url": format!("{url}?a=b")}), 403, "unauthorized"),
            ("T11", json!({"url": null}), 400, "malformed"),
            ("T12", json!({"kid": client.kid.replace("ca.example", "other.example")}), 400, "malformed"),
            ("T12", json!({"kid": format!("{}x", client.kid)}), 400, "accountDoesNotExist"),
            ("N3", json!({"nonce": null}), 400, "badNonce"),
            ("N3", json!({"nonce": "AAAA"}), 400, "badNonce"),
            ("6.5.2", json!({"nonce": "§"}), 400, "malformed"),
            ("6.5.2", json!({"nonce": ""}), 400, "malformed"),
            ("6.5.2", json!({"nonce": "AAAA="}), 400, "malformed"),
            ("6.5.2", json!({"nonce": "AA+/"}), 400, "malformed"),
            ("6.5.2", json!({"nonce": "AA A"}), 400, "malformed"),
            ("6.5.2", json!({"nonce": "AAAAA"}), 400, "malformed"),
            ("N3", json!({"nonce": b64([7; 32])}), 400, "badNonce"),
        ] {
            let header = header(flaw.clone()).await;
            let reply = client.post_raw(&url, signed(&header).to_string()).await;
            assert!(reply.header("replay-nonce").is_some(), "N2 {number} {flaw}");
            let reply = reply.refused(status, kind);
            if kind == "badSignatureAlgorithm" {
                assert_eq!(reply.json()["algorithms"], json!(["ES256", "ES384", "ES512", "RS256", "EdDSA"]));
            }
        }
        // T8: a key where an account signs.
        if !url.ends_with("revoke-cert") {
            let header = header(json!({"kid": null, "jwk": client.key.jwk()})).await;
            client.post_raw(&url, signed(&header).to_string()).await.refused(400, "malformed");
        }
        // A10, T10: another key's signature, and one over another payload.
        let right = header(json!({})).await;
        client.post_raw(&url, stranger.jws(&right, b"{}").to_string()).await.refused(400, "malformed");
        let mut forged = signed(&header(json!({})).await);
        forged["payload"] = b64(b"{\"x\":1}").into();
        client.post_raw(&url, forged.to_string()).await.refused(400, "malformed");
        // T9: other forms of JWS.
        let whole = signed(&header(json!({})).await);
        let mut unprotected = whole.clone();
        unprotected["header"] = json!({"kid": "x"});
        let mut several = whole.clone();
        several["signatures"] = json!([]);
        let text = |name: &str| whole[name].as_str().unwrap().to_owned();
        let compact = format!("{}.{}.{}", text("protected"), text("payload"), text("signature"));
        // T14: what cannot be read.
        let doubled = format!("{{\"payload\":\"\",{}", whole.to_string().get(1..).unwrap());
        let padded = whole.to_string().replace("\"}", "=\"}");
        let deep = format!("{}{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
        for body in
            [unprotected.to_string(), several.to_string(), compact, doubled, padded, deep, "".into(), "[]".into()]
        {
            client.post_raw(&url, body).await.refused(400, "malformed");
        }
        client.post_raw(&url, vec![b'{', 0xff, b'}']).await.refused(400, "malformed");
        client.post_raw(&url, vec![b'a'; 1 << 20]).await.refused(413, "malformed");
        // T2, N6.
        let whole = signed(&header(json!({})).await).to_string();
        for (name, value, status) in [("content-type", "application/json", 415), ("replay-nonce", "AAAA", 400)] {
            let path = crate::client::path_of(&url);
            let mut request = Request::post(path).body(Body::from(whole.clone())).unwrap();
            let headers = request.headers_mut();
            headers.insert("content-type", "application/jose+json".parse().unwrap());
            headers.insert(name, value.parse().unwrap());
            client.send(request).await.refused(status, "malformed");
        }
        // A payload that is no object.
        let header = header(json!({})).await;
        client.post_raw(&url, client.key.jws(&header, b"[1]").to_string()).await.refused(400, "malformed");
        let left = server.app.known_acme_orders(&crate::server::call(), None, None, &page()).await.unwrap().items.len();
        assert_eq!(left, order_count, "nothing came of it: {url}");
    }
    // T12: an account of another directory is as unknown as any.
    server.directory(certwright_domain::acme::RawDirectory { name: "other".to_owned(), ..Default::default() }).await;
    let elsewhere = Client::within(&server, "other").await;
    let url = other.url("new-order");
    let header = json!({"alg": "ES256", "kid": elsewhere.kid, "nonce": other.nonce().await, "url": url});
    other.post_raw(&url, elsewhere.key.jws(&header, b"{}").to_string()).await.refused(400, "malformed");
}

fn page() -> certwright_app::PageRequest {
    certwright_app::PageRequest { limit: 500, after: None }
}

#[tokio::test]
async fn t4_what_is_read_is_read_with_an_empty_payload() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let order = client.new_order(&["a.example.com"]).await.location();
    let (certificate, _) = client.certificate(&["z.example.com"]).await;
    for url in [order, certificate, format!("{}/orders", client.kid), client.url("directory")] {
        client.post(&url, json!({})).await.refused(400, "malformed");
        client.fetch(&url).await.is(200);
    }
    // A nonce as well; what comes with it is what a GET has.
    let url = client.url("new-nonce");
    client.post(&url, json!({})).await.refused(400, "malformed");
    let reply = client.fetch(&url).await.is(204);
    assert!(reply.body.is_empty());
    assert!(reply.header("replay-nonce").is_some());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn t3_what_is_read_by_get_says_so() {
    let server = Server::new().await;
    let client = Client::stranger(&server, "default", Signer::es256());
    for (path, allow) in [
        ("directory", "GET, HEAD, POST, OPTIONS"),
        ("new-nonce", "GET, HEAD, POST, OPTIONS"),
        ("renewal-info/AA.AQ", "GET, HEAD, OPTIONS"),
    ] {
        let request = Request::delete(crate::client::path_of(&client.url(path))).body(Body::empty()).unwrap();
        let reply = client.send(request).await.refused(405, "malformed");
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
    }
}

#[tokio::test]
async fn t16_t18_every_kind_of_key_is_taken_and_unknown_fields_are_ignored() {
    let server = Server::new().await;
    for key in Signer::every() {
        let mut client = Client::stranger(&server, "default", key);
        let made = client.new_account(json!({"unknown": {"a": [1]}, "contact": null})).await.is(201);
        client.kid = made.location();
        client.fetch(&client.kid).await.is(200);
        let order = client.order_with(&["a.example.com"], json!({"unknown": 1})).await.is(201);
        assert!(order.json().get("unknown").is_none());
    }
}

#[tokio::test]
async fn t7_weak_and_foreign_keys_make_no_account() {
    let server = Server::new().await;
    let client = Client::stranger(&server, "default", Signer::es256());
    let url = client.url("new-account");
    let zero = b64([0; 32]);
    for (jwk, kind) in [
        (json!({"kty": "RSA", "n": b64([0xff; 128]), "e": "AQAB"}), "badPublicKey"),
        (json!({"kty": "RSA", "n": b64([0xff; 256]), "e": "AQAA"}), "badPublicKey"),
        (json!({"kty": "EC", "crv": "P-256", "x": zero, "y": zero}), "badPublicKey"),
        (json!({"kty": "EC", "crv": "secp256k1", "x": zero, "y": zero}), "badPublicKey"),
        (json!({"kty": "oct", "k": zero}), "badPublicKey"),
        (json!({"kty": "EC", "crv": "P-256"}), "malformed"),
    ] {
        let header = json!({"alg": "ES256", "jwk": jwk, "nonce": client.nonce().await, "url": url});
        client.post_raw(&url, client.key.jws(&header, b"{}").to_string()).await.refused(400, kind);
    }
}

#[tokio::test]
async fn n1_n3_n4_n5_a_nonce_is_good_once_on_every_node() {
    for server in Server::on_every_database().await {
        let client = Client::new(&server).await;
        let url = client.url("new-nonce");
        let reply = client.get(&url).await.is(204);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let head = Request::head(crate::client::path_of(&url)).body(Body::empty()).unwrap();
        let nonce = client.send(head).await.is(200).header("replay-nonce").unwrap().to_owned();
        assert!(nonce.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')), "N2 {nonce}");

        // N5: on another node, and on one that was started anew.
        let other = server.another(8).await;
        let there = Client { kid: client.kid.clone(), ..Client::stranger(&other, "default", Signer::es256()) };
        let fetch = async |at: &Client<'_>, nonce: &str| {
            let header = json!({"alg": "ES256", "kid": client.kid, "nonce": nonce, "url": client.kid});
            at.post_raw(&client.kid, client.key.jws(&header, b"").to_string()).await
        };
        fetch(&there, &nonce).await.is(200);
        for at in [&client, &there] {
            fetch(at, &nonce).await.refused(400, "badNonce");
        }
        let old = client.nonce().await;
        server.clock.advance(Span::from_minutes(31));
        let reply = fetch(&client, &old).await.refused(400, "badNonce");
        let fresh = reply.header("replay-nonce").unwrap().to_owned();
        fetch(&client, &fresh).await.is(200);
    }
}

/// A nonce is used up whatever becomes of its request, and a request with a used one comes to nothing.
#[tokio::test]
async fn n3_a_refused_request_has_used_its_nonce() {
    for server in Server::on_every_database().await {
        let client = Client::new(&server).await;
        let order = client.new_order(&["a.example.com"]).await.location();
        let wish = json!({"identifiers": [{"type": "dns", "value": "b.example.com"}]}).to_string();
        let made = client.fetch(&order).await.is(200).json();
        let proof = made["authorizations"][0].as_str().unwrap();
        // Well-formed, and nobody's.
        let absent = |url: &str| {
            let (_, path) = url.split_once("/default/").unwrap();
            let (rest, last) = path.split_at(path.len() - 1);
            format!("{rest}{}", if last == "0" { "1" } else { "0" })
        };
        let post = async |url: &str, nonce: &str, payload: &str| {
            let header = json!({"alg": "ES256", "kid": client.kid, "nonce": nonce, "url": url});
            client.post_raw(url, client.key.jws(&header, payload.as_bytes()).to_string()).await
        };
        for (path, payload, status) in [
            ("new-order", "[", 400),
            ("new-order", r#"{"identifiers":[]}"#, 400),
            ("new-order", r#"{"identifiers":[{"type":"dns","value":"a b"}]}"#, 400),
            ("new-authz", r#"{"identifier":{"type":"dns","value":"*.example.com"}}"#, 403),
            ("order/x", "", 404),
            (&absent(&order), "", 404),
            ("order/x/finalize", "{}", 400),
            ("order/x/finalize", r#"{"csr":"MAA"}"#, 404),
            ("authorization/x", "", 404),
            (&absent(proof), "", 404),
            ("challenge/x/http-01", "", 404),
            ("challenge/x/unknown", "", 404),
            ("certificate/x", "", 404),
        ] {
            let (url, nonce) = (client.url(path), client.nonce().await);
            post(&url, &nonce, payload).await.is(status);
            for (url, payload) in [(&url, payload), (&client.kid, ""), (&order, ""), (&client.url("new-order"), &wish)]
            {
                post(url, &nonce, payload).await.refused(400, "badNonce");
            }
        }
        let orders = client.fetch(&format!("{}/orders", client.kid)).await.is(200).json();
        assert_eq!(orders["orders"].as_array().unwrap().len(), 1, "{orders}");
        // Of an account that has ended as well.
        client.post(&client.kid, json!({"status": "deactivated"})).await.is(200);
        let nonce = client.nonce().await;
        post(&order, &nonce, "").await.refused(401, "unauthorized");
        post(&order, &nonce, "").await.refused(400, "badNonce");
    }
}

async fn use_up(app: &App, nonce: &str) -> Result<(), AcmeError> {
    app.take_acme_nonce(app.read_acme_nonce(nonce).await?).await
}

/// A thousand nonces, each sent to two nodes at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn n4_of_two_nodes_one_takes_a_nonce() {
    for server in Server::on_every_database().await {
        let other = server.another(8).await;
        let count = 1_000;
        let mut nonces = BTreeSet::new();
        for _ in 0..count {
            nonces.insert(server.app.new_acme_nonce().await.unwrap());
        }
        assert_eq!(nonces.len(), count);
        let mut tasks = tokio::task::JoinSet::new();
        for nonce in nonces {
            for app in [server.app.clone(), other.app.clone()] {
                let nonce = nonce.clone();
                tasks.spawn(async move { use_up(&app, &nonce).await.is_ok() });
            }
        }
        let taken = tasks.join_all().await.into_iter().filter(|taken| *taken).count();
        assert_eq!(taken, count);
    }
}

#[tokio::test]
async fn n7_unused_nonces_take_no_room_and_used_ones_are_forgotten() {
    let server = Server::new().await;
    for _ in 0..1_000 {
        server.app.new_acme_nonce().await.unwrap();
    }
    let nonce = server.app.new_acme_nonce().await.unwrap();
    use_up(&server.app, &nonce).await.unwrap();
    server.clock.advance(Span::from_days(2));
    server.app.run_jobs().await.unwrap();
    assert!(use_up(&server.app, &nonce).await.is_err(), "too old, whether its row is there or not");
}

#[tokio::test]
async fn d1_to_d7_the_directory() {
    let server = Server::new().await;
    let raw = certwright_domain::acme::RawDirectory {
        name: "team-a".to_owned(),
        profiles: vec!["tls-server".to_owned(), "tls-client".to_owned()],
        terms_of_service: Some("https://ca.example.com/terms".to_owned()),
        website: Some("https://ca.example.com/".to_owned()),
        caa_identities: vec!["ca.example.com".to_owned()],
        check_caa: true,
        external_account_required: true,
        ..Default::default()
    };
    server.directory(raw).await;
    let client = Client::stranger(&server, "team-a", Signer::es256());
    let reply = client.get(&client.url("directory")).await.is(200);
    assert!(reply.header("replay-nonce").is_none(), "D7");
    assert!(reply.links().is_empty(), "T1: the directory itself has no index");
    assert_eq!(reply.header("cache-control"), Some("public, max-age=60"));
    let directory = reply.json();
    let meta = &directory["meta"];
    assert_eq!(meta["termsOfService"], "https://ca.example.com/terms");
    assert_eq!(meta["website"], "https://ca.example.com/");
    assert_eq!(meta["caaIdentities"], json!(["ca.example.com"]));
    assert_eq!(meta["externalAccountRequired"], true);
    assert_eq!(meta["profiles"].as_object().unwrap().keys().collect::<Vec<_>>(), ["tls-client", "tls-server"]);
    let mut entries: Vec<&String> = directory.as_object().unwrap().keys().collect();
    entries.retain(|name| *name != "meta");
    assert_eq!(entries, ["keyChange", "newAccount", "newAuthz", "newNonce", "newOrder", "renewalInfo", "revokeCert"]);
    for entry in entries {
        let url = directory[entry].as_str().unwrap();
        assert!(url.starts_with(&format!("{PUBLIC}/acme/team-a/")), "D6 {url}");
        let url = if entry == "renewalInfo" { format!("{url}/AA.AQ") } else { url.to_owned() };
        let reply = client.get(&url).await;
        assert!(matches!(reply.status.as_u16(), 204 | 404 | 405), "D2 {entry}: {reply:?}");
    }
    let account = Client::new(&server).await;
    let posted = account.fetch(&account.url("directory")).await.is(200);
    assert_eq!(posted.json()["meta"]["externalAccountRequired"], false);
    assert_eq!(posted.header("cache-control"), Some("no-store"), "it has a nonce");
    for absent in ["nowhere", "TEAM-A", "team-a%20"] {
        let client = Client::stranger(&server, absent, Signer::es256());
        let reply = client.get(&client.url("directory")).await.refused(404, "malformed");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "it may be made at any time");
        assert!(reply.links().iter().any(|link| link.ends_with("rel=\"index\"")), "T1");
    }
}

#[tokio::test]
async fn t1_t15_n2_what_is_nowhere_is_refused_like_the_rest() {
    let server = Server::new().await;
    let client = Client::stranger(&server, "default", Signer::es256());
    let index = format!("<{}>;rel=\"index\"", client.url("directory"));
    for path in ["unknown", "order", "order/x/y/z", "directory/", "new-nonce/x"] {
        let url = client.url(path);
        let reply = client.get(&url).await.refused(404, "malformed");
        assert!(reply.links().contains(&index.as_str()), "T1 {path}");
        let reply = client.post_raw(&url, "{}").await.refused(404, "malformed");
        assert!(reply.header("replay-nonce").is_some(), "N2 {path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "T15 {path}");
        let preflight = Request::options(crate::client::path_of(&url)).body(Body::empty()).unwrap();
        client.send(preflight).await.is(204);
    }
}

#[tokio::test]
async fn bodies_that_are_withheld_take_nobodys_place() {
    let mut server = Server::new().await;
    let acme = AcmeSettings { public_url: PUBLIC.to_owned(), ..AcmeSettings::default() };
    let settings = DoorSettings { max_in_flight: 1, ..DoorSettings::new(acme, Arc::new(|| "made".to_owned())) };
    server.router = router(server.app.clone(), settings);
    let client = Client::new(&server).await;
    let withheld = || {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
        let url = crate::client::path_of(&client.url("new-order"));
        Box::pin(client.send(Request::post(url).body(body).unwrap()))
    };
    let mut waiting = withheld();
    assert!((&mut waiting).now_or_never().is_none());
    client.get(&client.url("directory")).await.is(200);
    client.get(&client.url("new-nonce")).await.is(204);
    // What is waited for is bounded as well, and has its time.
    withheld().await.refused(503, "serverInternal");
    tokio::time::pause();
    let reply = waiting.await.refused(408, "malformed");
    tokio::time::resume();
    assert!(reply.header("replay-nonce").is_some());
    client.new_order(&["a.example.com"]).await.is(201);
}

#[tokio::test]
async fn t17_what_a_library_refuses_is_a_problem_document_as_well() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let index = format!("<{}>;rel=\"index\"", client.url("directory"));
    // No UTF-8.
    let reply = client.post(&client.url("order/%FF"), json!({})).await.refused(400, "malformed");
    assert!(reply.header("replay-nonce").is_some());
    assert!(reply.links().contains(&index.as_str()));
    let large = client.post_raw(&client.url("new-order"), vec![b'x'; 65 << 10]).await.refused(413, "malformed");
    assert!(large.header("replay-nonce").is_some());
}
