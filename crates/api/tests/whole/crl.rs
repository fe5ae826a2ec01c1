//! Revocation and its lists over HTTP.

use crate::common::{Reply, TestApp};
use certwright_domain::time::Span;
use serde_json::{Value, json};

impl TestApp {
    async fn publish(&self) {
        self.clock.advance(Span::from_s(10));
        self.app.run_crls().await.unwrap();
    }

    async fn open(&self, path: &str) -> Reply {
        self.ask("GET", path).authorization(None).plain().send().await
    }

    async fn offer(&self, revocation: Value) {
        let ca = self.get("/v1/certificate-authorities/root").await.is(200);
        let etag = ca.header("etag").to_owned();
        let change = json!({ "revocation": revocation });
        let ask = self.ask("PATCH", "/v1/certificate-authorities/root").header("if-match", &etag).json(&change);
        ask.send().await.is(200);
    }
}

fn serial(row: &Value) -> &str {
    row["serial"].as_str().unwrap()
}

#[tokio::test]
async fn lists_are_served_as_they_are_stored() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        app.open("/pki/root/crl").await.problem(404, "not_found");
        app.publish().await;
        let first = app.open("/pki/root/crl").await.is(200);
        assert_eq!(first.header("content-type"), "application/pkix-crl");
        assert_eq!(first.header("cache-control"), "public, max-age=300, must-revalidate");
        assert!(first.header("last-modified").ends_with(" GMT"));
        assert_eq!(app.open("/pki/root/1/crl").await.is(200).body, first.body);
        let pem = app.open("/pki/root/crl.pem").await.is(200);
        assert!(pem.text().starts_with("-----BEGIN X509 CRL-----\n"));
        assert_ne!(pem.header("etag"), first.header("etag"));
        assert_eq!(app.open("/pki/root/1/crl.pem").await.is(200).body, pem.body);

        let ask = async |name: &str, value: String| {
            app.ask("GET", "/pki/root/crl").plain().authorization(None).header(name, &value).send().await
        };
        let known = ask("if-none-match", first.header("etag").to_owned()).await.is(304);
        assert!(known.body.is_empty());
        ask("if-modified-since", first.header("last-modified").to_owned()).await.is(304);
        ask("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()).await.is(200);
        ask("if-modified-since", "yesterday".to_owned()).await.is(200);

        let row = app.issue("a.example.com").await;
        app.post(&format!("/v1/issued-certificates/{}/revoke", serial(&row)), json!({})).await.is(200);
        app.publish().await;
        let second = ask("if-none-match", first.header("etag").to_owned()).await.is(200);
        assert_ne!(second.body, first.body);
        app.clock.advance(Span::from_days(7));
        let lapsed = app.open("/pki/root/crl").await.is(200);
        assert_eq!(lapsed.header("cache-control"), "public, max-age=0, must-revalidate");

        for absent in ["/pki/none/crl", "/pki/root/2/crl", "/pki/root/delta.crl", "/pki/root/1/crl/4/0"] {
            app.open(absent).await.problem(404, "not_found");
        }
        for nonsense in ["/pki/root/1/crl/0/0", "/pki/root/1/crl/2/2", "/pki/root/1/crl/x/0", "/pki/root/1/crl/2000/1"]
        {
            app.open(nonsense).await.is(404);
        }
        app.open("/pki/root/x/crl").await.problem(400, "invalid_version");
    }
}

#[tokio::test]
async fn chains_are_served_under_the_public_address() {
    let app = TestApp::new().await;
    app.root().await;
    app.ca("sub", json!({"type": "SUBORDINATE", "issuer": "root", "validity": {"duration": "P300D"}})).await.is(201);
    let pem = app.open("/pki/sub/chain.pem").await.is(200);
    assert_eq!(pem.text().matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(app.open("/pki/sub/1/chain.pem").await.is(200).body, pem.body);
    let p7 = app.open("/pki/sub/chain.p7c").await.is(200);
    assert_eq!(p7.header("content-type"), "application/pkcs7-mime");
    assert_eq!(app.open("/pki/sub/1/chain.p7c").await.is(200).body, p7.body);
    app.open("/pki/none/chain.pem").await.problem(404, "not_found");
}

#[tokio::test]
async fn lists_are_shown_and_made_on_demand() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        app.publish().await;
        let url = "/v1/certificate-authorities/root/crl";
        let shown = app.get(url).await.is(200).json();
        let list = &shown["items"][0];
        assert_eq!((&list["version"], &list["kind"], &list["shards"]), (&json!(1), &json!("FULL"), &json!(1)));
        assert_eq!((&list["current"]["number"], &list["current"]["entries"]), (&json!(1), &json!(0)));
        assert!(list["urls"][0].as_str().unwrap().ends_with("/1/crl"));
        assert!(list["dueAt"].is_string() && list["lastError"].is_null());
        app.post(&format!("{url}?dryRun=true"), json!({})).await.is(200);
        assert_eq!(app.get(url).await.json()["items"][0]["current"]["number"], json!(1));
        let made = app.ask("POST", url).send().await.is(200).json();
        assert_eq!(made["items"][0]["current"]["number"], json!(2), "at once, whatever the interval");

        app.issue("names-the-whole-list.example.com").await;
        app.offer(json!({"crl": {"shards": 3, "delta": {"enabled": true}}})).await;
        app.publish().await;
        let page = app.get(&format!("{url}?limit=5")).await.is(200);
        assert!(page.header("link").contains("rel=\"next\""));
        let cursor = page.json()["nextCursor"].as_str().unwrap().to_owned();
        let rest = app.get(&format!("{url}?limit=5&cursor={cursor}")).await.is(200).json();
        let count = page.json()["items"].as_array().unwrap().len() + rest["items"].as_array().unwrap().len();
        assert_eq!(count, 8, "one whole list and three shards, each with its delta list");
        app.open("/pki/root/1/crl/3/2").await.is(200);
        app.open("/pki/root/1/delta.crl/3/2").await.is(200);
        app.open("/pki/root/delta.crl").await.is(200);
        app.open("/pki/root/1/delta.crl").await.is(200);

        app.offer(json!({"crl": {"enabled": false}})).await;
        app.publish().await;
        app.ask("POST", url).send().await.problem(409, "no_crl");
        app.get("/v1/certificate-authorities/none/crl").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_hold_is_set_and_ended() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let row = app.issue("a.example.com").await;
        let url = format!("/v1/issued-certificates/{}", serial(&row));
        let hold = json!({"reason": "certificateHold"});
        app.post(&format!("{url}/revoke"), hold.clone()).await.problem(409, "hold_not_enabled");
        app.offer(json!({"holdEnabled": true})).await;
        app.post(&format!("{url}/revoke"), hold).await.is(200);
        let released = app.ask("POST", &format!("{url}/release")).send().await.is(200).json();
        assert_eq!((&released["status"], &released["revokedAt"]), (&json!("VALID"), &Value::Null));
        app.post(&format!("{url}/revoke"), json!({"reason": "superseded"})).await.is(200);
        app.ask("POST", &format!("{url}/release")).send().await.problem(409, "not_on_hold");
    }
}

#[tokio::test]
async fn certificates_are_revoked_by_body_or_serial_and_issuer() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let url = "/v1/issued-certificates/revoke";
        let (one, other) = (app.issue("a.example.com").await, app.issue("b.example.com").await);
        let revoked = app.post(url, json!({"certificate": one["certificate"], "reason": "superseded"})).await.is(200);
        assert_eq!((&revoked.json()["serial"], &revoked.json()["status"]), (&one["serial"], &json!("REVOKED")));
        let named = json!({"serial": other["serial"], "ca": "root", "reason": "keyCompromise"});
        let revoked = app.post(url, named).await.is(200).json();
        assert_eq!((&revoked["serial"], &revoked["siblings"]), (&other["serial"], &Value::Null));
        app.post(url, json!({"reason": "superseded"})).await.problem(400, "ambiguous_certificate");
        app.post(url, json!({"certificate": "nonsense"})).await.is(400);
        app.post(url, json!({"serial": "0102", "ca": "root"})).await.problem(404, "not_found");
        app.get("/v1/issued-certificates/revoke").await.is(405);
        let siblings = json!({"certificate": one["certificate"], "reason": "superseded", "siblings": true});
        app.post(url, siblings).await.problem(400, "siblings_without_compromise");
    }
}

#[tokio::test]
async fn readiness_warns_of_lists_that_fail() {
    let app = TestApp::new().await;
    app.root().await;
    app.publish().await;
    assert_eq!(app.open("/readyz").await.is(200).json(), json!({"status": "ok"}));
    app.clock.advance(Span::from_days(8));
    let warned = app.open("/readyz").await.is(200).json();
    assert_eq!(warned["warnings"][0]["code"], "crl_lapsed");
}

#[tokio::test]
async fn an_upload_that_is_no_list_is_refused() {
    let app = TestApp::new().await;
    app.root().await;
    app.publish().await;
    let url = "/v1/certificate-authorities/root/crl";
    let upload = |media: &'static str, body: Vec<u8>| app.ask("POST", url).header("content-type", media).body(body);
    upload("application/pkix-crl", b"garbage".to_vec()).send().await.is(400);
    upload("text/plain", b"garbage".to_vec()).send().await.problem(415, "unsupported_media_type");
    let own = app.open("/pki/root/crl").await.body;
    let taken = upload("application/pkix-crl", own).send().await.is(201).json();
    assert_eq!(
        taken,
        json!({"entries": 0, "restored": 0, "served": false}),
        "one of our own: there is nothing new in it"
    );
}
