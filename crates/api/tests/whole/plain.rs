//! Answers that leave the plain listener again, without the router: as the router would give them, and no longer than that.

use crate::common::{Reply, TestApp};
use crate::ocsp::{GOOD, answer, id, post, says};
use crate::signing::Trouble;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certwright_domain::time::Span;
use certwright_testkit::ocsp::request;
use serde_json::json;

/// A certificate's CertID and serial.
async fn asked(app: &TestApp) -> (Vec<u8>, String) {
    app.root().await;
    let serial = app.issue("a.example.com").await["serial"].as_str().unwrap().to_owned();
    (id(app, &serial).await, serial)
}

async fn get(app: &TestApp, path: &str) -> Reply {
    answer(app.ask("GET", path).authorization(None).plain().send().await)
}

/// Both ways to ask the plain listener, the GET with its path.
async fn both(app: &TestApp, id: &[u8]) -> [Reply; 2] {
    let bytes = request(&[id.to_vec()], None);
    let path = format!("/pki/root/1/ocsp/{}", STANDARD.encode(&bytes));
    [answer(post(app, "/pki/root/1/ocsp", bytes).await), get(app, &path).await]
}

fn headers(reply: &Reply) -> Vec<(String, String)> {
    let mut all: Vec<_> = reply
        .headers
        .iter()
        // The length is written by the HTTP library, at the latest.
        .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "cache-control" | "content-length"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn an_answer_leaves_again_as_it_left_first() {
    let app = TestApp::new().await;
    let (id, _) = asked(&app).await;
    let first = both(&app, &id).await;
    app.wait(Span::from_s(3));
    for (again, first) in both(&app, &id).await.iter().zip(&first) {
        assert_eq!((&again.body, headers(again)), (&first.body, headers(first)));
        // What is of the moment, and of the asker.
        assert_eq!(again.header("cache-control"), "max-age=43197, public, no-transform, must-revalidate");
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let path = format!("/pki/root/1/ocsp/{}", STANDARD.encode(request(std::slice::from_ref(&id), None)));
    let ask = app.ask("GET", &path).authorization(None).plain();
    let reply = answer(ask.header("x-request-id", "mine").header("traceparent", trace).send().await);
    assert_eq!((reply.header("x-request-id"), reply.header("traceparent")), ("mine", trace));
    assert_eq!(get(&app, &path).await.header("traceparent"), "");
    // Whoever has it already is told so.
    let ask = app.ask("GET", &path).authorization(None).plain();
    assert!(ask.header("if-none-match", reply.header("etag")).send().await.is(304).body.is_empty());
    // Of another type it is no request; of another path, of another CA.
    let body = request(std::slice::from_ref(&id), None);
    let ask = app.ask("POST", "/pki/root/1/ocsp").authorization(None).header("content-type", "text/plain");
    ask.body(body.clone()).plain().send().await.problem(415, "unsupported_media_type");
    assert!(!says(&answer(post(&app, "/pki/none/1/ocsp", body).await), &id, GOOD));
}

#[tokio::test]
async fn a_revocation_ends_it_at_once() {
    let app = TestApp::new().await;
    let (id, serial) = asked(&app).await;
    for _ in 0..2 {
        assert!(both(&app, &id).await.iter().all(|reply| says(reply, &id, GOOD)));
    }
    let revoke = format!("/v1/issued-certificates/{serial}/revoke");
    app.post(&revoke, json!({"reason": "superseded"})).await.is(200);
    assert!(both(&app, &id).await.iter().all(|reply| !says(reply, &id, GOOD)));
}

#[tokio::test]
async fn a_change_of_the_ca_ends_it_at_once() {
    let app = TestApp::new().await;
    let (id, _) = asked(&app).await;
    assert!(both(&app, &id).await.iter().all(|reply| says(reply, &id, GOOD)));
    let patch = app.ask("PATCH", "/v1/certificate-authorities/root").header("if-match", "*");
    patch.json(&json!({"revocation": {"ocsp": {"enabled": false}}})).send().await.is(200);
    assert!(both(&app, &id).await.iter().all(|reply| !says(reply, &id, GOOD)));
}

#[tokio::test]
async fn half_of_its_life_ends_it() {
    let app = TestApp::new().await;
    let (id, _) = asked(&app).await;
    let first = both(&app, &id).await;
    app.wait(Span::from_hours(6));
    for (later, first) in both(&app, &id).await.iter().zip(&first) {
        assert_ne!(later.header("etag"), first.header("etag"));
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_waited_for_by_the_router() {
    let app = TestApp::with(|settings| settings.request_timeout = std::time::Duration::from_millis(1)).await;
    // Announced, so short that it could be one of those, and never sent.
    let ask =
        app.ask("POST", "/pki/root/1/ocsp").authorization(None).header("content-type", "application/ocsp-request");
    ask.announcing(80).plain().send().await.problem(503, "timeout");
}

#[tokio::test]
async fn what_is_signed_for_one_asker_is_as_the_router_gives_it() {
    let app = TestApp::new().await;
    let (id, _) = asked(&app).await;
    let never = crate::ocsp::id(&app, "0102").await;
    let nonce = Some(&[7; 16][..]);
    for (path, body) in [
        ("/pki/root/ocsp", request(std::slice::from_ref(&id), nonce)),
        ("/pki/root/1/ocsp", request(&[id.clone(), never.clone()], nonce)),
        ("/pki/root/1/ocsp", request(&[never], None)),
        ("/pki/root/1/ocsp", vec![0x30, 0]),
        ("/pki/root/9/ocsp", request(std::slice::from_ref(&id), nonce)),
        ("/pki/nobody/ocsp", request(std::slice::from_ref(&id), nonce)),
    ] {
        let ask = || {
            let ask = app.ask("POST", path).authorization(None).header("content-type", "application/ocsp-request");
            ask.header("x-request-id", "mine").body(body.clone())
        };
        let (plain, routed) = (answer(ask().plain().send().await), answer(ask().send().await));
        assert_eq!(headers(&plain), headers(&routed), "{path}");
        assert_eq!((plain.header("cache-control"), plain.header("x-request-id")), ("no-store", "mine"), "{path}");
        // Signatures differ, refusals do not.
        assert_eq!(plain.body.len() < 10, routed.body.len() < 10, "{path}");
        assert_eq!(says(&plain, &id, GOOD), says(&routed, &id, GOOD), "{path}");
    }
}

#[tokio::test]
async fn without_room_nothing_is_signed() {
    let app = TestApp::with(|settings| settings.max_in_flight = 0).await;
    let reply = post(&app, "/pki/root/1/ocsp", vec![0x30, 0]).await;
    assert_eq!(reply.header("retry-after"), "1");
    reply.problem(503, "overloaded");
}

#[tokio::test]
async fn a_signer_that_falls_over_or_never_ends_is_told_of_as_by_the_router() {
    let app = TestApp::with(|settings| settings.request_timeout = std::time::Duration::from_secs(3)).await;
    let (id, _) = asked(&app).await;
    let body = request(std::slice::from_ref(&id), Some(&[7; 16]));
    let ask = || {
        let ask = app.ask("POST", "/pki/root/1/ocsp").authorization(None);
        ask.header("content-type", "application/ocsp-request").header("x-request-id", "mine").body(body.clone())
    };
    assert!(says(&answer(ask().plain().send().await), &id, GOOD));
    for (trouble, status, code) in [(Trouble::Panics, 500, "internal"), (Trouble::Hangs, 503, "timeout")] {
        *app.troubles.lock().unwrap() = Some(trouble);
        let (plain, routed) = tokio::join!(ask().plain().send(), ask().send());
        assert_eq!(headers(&plain), headers(&routed), "{trouble:?}");
        assert_eq!(plain.header("x-request-id"), "mine");
        let (plain, routed) = (plain.problem(status, code), routed.problem(status, code));
        assert_eq!(plain, routed);
    }
    *app.troubles.lock().unwrap() = None;
    assert!(says(&answer(ask().plain().send().await), &id, GOOD), "the next one is answered");
}
