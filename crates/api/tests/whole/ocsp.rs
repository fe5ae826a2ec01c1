//! OCSP over HTTP: by GET and POST, what caches may keep, and what is no request.

use crate::common::{Reply, TestApp};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use certwright_app::sha256;
use certwright_domain::serial::Serial;
use certwright_domain::time::Span;
use certwright_testkit::ocsp::{SHA256, cert_id, der, issuer_parts, request};
use serde_json::json;

pub(crate) const GOOD: &[u8] = &[0x80, 0];
const UNKNOWN: &[u8] = &[0x82, 0];
const MALFORMED: &[u8] = &[0x30, 3, 0x0a, 1, 1];
const TRY_LATER: &[u8] = &[0x30, 3, 0x0a, 1, 3];
const UNAUTHORIZED: &[u8] = &[0x30, 3, 0x0a, 1, 6];

/// A CertID of a certificate of `root`.
pub(crate) async fn id(app: &TestApp, serial: &str) -> Vec<u8> {
    let ca = app.get("/pki/root/ca.crt").await.is(200).body;
    let (name, key) = issuer_parts(&ca).unwrap();
    let mut bytes = Serial::parse(serial).unwrap().as_bytes().to_vec();
    if bytes[0] >= 0x80 {
        bytes.insert(0, 0);
    }
    cert_id(SHA256, &sha256(&[name]).0, &sha256(&[key]).0, &bytes)
}

pub(crate) async fn post(app: &TestApp, path: &str, body: Vec<u8>) -> Reply {
    let ask = app.ask("POST", path).authorization(None).header("content-type", "application/ocsp-request");
    ask.body(body).plain().send().await
}

pub(crate) fn answer(reply: Reply) -> Reply {
    let reply = reply.is(200);
    assert_eq!(reply.header("content-type"), "application/ocsp-response");
    reply
}

/// Is this CertID followed by this status?
pub(crate) fn says(reply: &Reply, id: &[u8], status: &[u8]) -> bool {
    let wanted = [id, status].concat();
    reply.body.windows(wanted.len()).any(|window| window == wanted)
}

#[tokio::test]
async fn by_post_and_by_get() {
    let app = TestApp::new().await;
    app.root().await;
    let serial = app.issue("a.example.com").await["serial"].as_str().unwrap().to_owned();
    let id = id(&app, &serial).await;
    let bytes = request(std::slice::from_ref(&id), None);
    let posted = answer(post(&app, "/pki/root/1/ocsp", bytes.clone()).await);
    assert!(says(&posted, &id, GOOD));
    let standard = STANDARD.encode(&bytes);
    let escaped = standard.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let unpadded = standard.trim_end_matches('=').to_owned();
    for text in [&standard, &escaped, &unpadded, &URL_SAFE_NO_PAD.encode(&bytes), &format!("/{standard}")] {
        for path in ["/pki/root/ocsp", "/pki/root/1/ocsp"] {
            let ask = app.ask("GET", &format!("{path}/{text}")).authorization(None);
            let got = answer(ask.plain().send().await);
            // One answer for all, the very same bytes.
            assert_eq!((&got.body, got.header("etag")), (&posted.body, posted.header("etag")), "{path}/{text}");
        }
    }
    // Of several certificates, one never issued.
    let never = self::id(&app, "0102").await;
    let both = answer(post(&app, "/pki/root/ocsp", request(&[id.clone(), never.clone()], None)).await);
    assert!(says(&both, &id, GOOD) && says(&both, &never, UNKNOWN));
    // On the other listener, too.
    let ask = app.ask("GET", &format!("/pki/root/ocsp/{standard}"));
    assert_eq!(answer(ask.send().await).body, posted.body);
}

#[tokio::test]
async fn caches_keep_what_they_may() {
    let app = TestApp::new().await;
    app.root().await;
    let serial = app.issue("a.example.com").await["serial"].as_str().unwrap().to_owned();
    let id = id(&app, &serial).await;
    let path = format!("/pki/root/ocsp/{}", STANDARD.encode(request(std::slice::from_ref(&id), None)));
    let first = answer(app.get(&path).await);
    assert_eq!(first.header("cache-control"), "max-age=43200, public, no-transform, must-revalidate");
    assert_eq!(first.header("last-modified"), "Fri, 20 Nov 2026 12:00:00 GMT");
    assert_eq!(first.header("expires"), "Sat, 21 Nov 2026 00:00:00 GMT");
    app.wait(Span::from_hours(1));
    let again = app.ask("GET", &path).header("if-none-match", first.header("etag")).send().await.is(304);
    assert!(again.body.is_empty());
    assert_eq!(again.header("cache-control"), "max-age=39600, public, no-transform, must-revalidate");
    // Revoked: another answer, at once.
    let revoke = format!("/v1/issued-certificates/{serial}/revoke");
    app.post(&revoke, json!({"reason": "superseded"})).await.is(200);
    let revoked = answer(app.ask("GET", &path).header("if-none-match", first.header("etag")).send().await);
    assert!(!says(&revoked, &id, GOOD));
    // superseded is 4.
    assert!(revoked.body.windows(5).any(|window| window == [0xa0, 3, 0x0a, 1, 4]));
    for bytes in [
        request(std::slice::from_ref(&id), Some(&[1; 16])),
        request(&[self::id(&app, "0102").await], None),
        vec![0x30, 0],
    ] {
        let reply = answer(post(&app, "/pki/root/ocsp", bytes).await);
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let app = TestApp::new().await;
    app.root().await;
    let serial = app.issue("a.example.com").await["serial"].as_str().unwrap().to_owned();
    let id = id(&app, &serial).await;
    for length in [0, 129, 200] {
        let body = request(std::slice::from_ref(&id), Some(&vec![7; length]));
        assert_eq!(answer(post(&app, "/pki/root/ocsp", body).await).body, MALFORMED, "{length}");
    }
    for length in [1, 32, 128] {
        let nonce = vec![7; length];
        let reply = answer(post(&app, "/pki/root/ocsp", request(std::slice::from_ref(&id), Some(&nonce))).await);
        let echoed = der(0x04, &[&nonce]);
        assert!(says(&reply, &id, GOOD) && reply.body.windows(echoed.len()).any(|window| window == echoed));
    }
    for garbage in [vec![], vec![0; 100], b"GET / HTTP/1.1".to_vec(), vec![0x30; 20 * 1024]] {
        assert_eq!(answer(post(&app, "/pki/root/ocsp", garbage).await).body, MALFORMED);
    }
    for text in ["x", "%", "%zz", "MA", "../../v1/vaults", "M//A%2f%00"] {
        assert_eq!(answer(app.get(&format!("/pki/root/ocsp/{text}")).await).body, MALFORMED, "{text}");
    }
    let good = request(std::slice::from_ref(&id), None);
    let foreign = request(&[cert_id(SHA256, &[1; 32], &[2; 32], &[1])], None);
    for (path, body) in
        [("/pki/root/ocsp", foreign), ("/pki/none/ocsp", good.clone()), ("/pki/root/9/ocsp", good.clone())]
    {
        assert_eq!(answer(post(&app, path, body).await).body, UNAUTHORIZED, "{path}");
    }
    post(&app, "/pki/root/x/ocsp", good.clone()).await.problem(400, "invalid_version");
    post(&app, "/pki/root/ocsp", vec![0x30; 20 * 1024 + 1]).await.problem(413, "body_too_large");
    post(&app, "/pki/root/ocsp", vec![0x30; 1 << 20]).await.problem(413, "body_too_large");
    let plain = app.ask("POST", "/pki/root/ocsp").body(good).send().await;
    assert!(plain.problem(415, "unsupported_media_type")["hint"].as_str().unwrap().contains("ocsp-request"));
    // Tricks stay tricks outside of the base64.
    app.get("/pki/root//ocsp/MA").await.problem(400, "invalid_path");
    app.get("/pki/%2e%2e/ocsp/MA").await.problem(400, "invalid_path");
}

#[tokio::test]
async fn while_the_key_is_disabled_the_ca_itself_does_not_answer() {
    let app = TestApp::new().await;
    app.root().await;
    let serial = app.issue("a.example.com").await["serial"].as_str().unwrap().to_owned();
    let body = request(&[id(&app, &serial).await], None);
    let patch = app.ask("PATCH", "/v1/certificate-authorities/root").header("if-match", "*");
    patch.json(&json!({"revocation": {"ocsp": {"responder": "CA"}}})).send().await.is(200);
    assert_eq!(answer(post(&app, "/pki/root/ocsp", body.clone()).await).header("retry-after"), "");
    app.post("/v1/vaults/default/keys/root-key/disable", json!({})).await.is(200);
    let reply = answer(post(&app, "/pki/root/ocsp", body).await);
    assert_eq!((reply.body.as_slice(), reply.header("retry-after")), (TRY_LATER, "5"));
    let patch = app.ask("PATCH", "/v1/certificate-authorities/root").header("if-match", "*");
    let wrong = patch.json(&json!({"revocation": {"ocsp": {"responder": "me"}}})).send().await;
    assert_eq!(wrong.is(400).json()["errors"][0]["code"], "invalid_ocsp_responder");
}
