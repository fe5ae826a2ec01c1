//! Coming in with a token of an identity provider, by the doors of HTTP.

use crate::common::TestApp;
use serde_json::{Value, json};

/// The public key of RFC 8032 section 7.1, test 1.
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn provider() -> Value {
    json!({"name": "ci", "issuer": "https://ci.example.com", "audiences": ["https://ca.example.com"],
        "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": X}]},
        "rules": [{"claims": {"sub": ["job-*"]}, "names": ["*.${claim.team}.example.com"]}]})
}

#[tokio::test]
async fn providers_are_made_read_replaced_and_deleted() {
    for app in TestApp::on_every_database().await {
        let made = app.post("/v1/identity-providers", provider()).await.is(201);
        let shown = made.json();
        assert_eq!((made.header("location"), made.header("etag")), ("/v1/identity-providers/ci", "\"1\""));
        assert_eq!(
            (&shown["kind"], &shown["clockSkew"], &shown["enabled"]),
            (&json!("OIDC"), &json!("PT1M"), &json!(true))
        );
        assert_eq!(shown["jwks"], provider()["jwks"]);
        assert_eq!(shown["rules"][0]["subject"], "${claim.sub}");
        assert_eq!(app.get("/v1/identity-providers/ci").await.is(200).json(), shown);
        assert_eq!(app.get("/v1/identity-providers").await.is(200).json()["items"], json!([shown]));
        let body = json!({"audiences": ["other"], "rules": provider()["rules"], "enabled": false});
        let ask = || app.ask("PUT", "/v1/identity-providers/ci").json(&body);
        ask().send().await.problem(428, "precondition_required");
        ask().header("if-match", "\"9\"").send().await.problem(412, "precondition_failed");
        let changed = ask().header("if-match", "\"1\"").send().await.is(200).json();
        assert_eq!((&changed["audiences"], &changed["jwks"]), (&json!(["other"]), &shown["jwks"]));
        app.ask("DELETE", "/v1/identity-providers/ci").send().await.is(204);
        app.get("/v1/identity-providers/ci").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn every_fault_of_a_provider_is_pointed_at() {
    let app = TestApp::new().await;
    let with = |name: &str, value: Value| {
        let mut body = provider();
        body[name] = value;
        body
    };
    let secret = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": X, "d": "c2VjcmV0LWtleQ"}]});
    let reply = app.post("/v1/identity-providers", with("jwks", secret)).await;
    assert!(!reply.text().contains("c2VjcmV0LWtleQ"));
    reply.problem(400, "invalid_key_set");
    let rule = json!([{"claims": {}}, {"claims": {"sub": ["x"]}, "names": ["*.${claim.a}"], "groups": ["a b"]}]);
    let reply = app.post("/v1/identity-providers", with("rules", rule)).await;
    let body = reply.json();
    let pointers: Vec<&str> =
        body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/rules/0/claims", "/rules/1/groups/0", "/rules/1/names/0"]);
    for (name, value, code) in [
        ("issuer", json!("http://ci.example.com"), "https_required"),
        ("audiences", json!([]), "audience_required"),
        ("algorithms", json!(["HS256"]), "invalid_signature_algorithm"),
        ("algorithms", json!(["none"]), "invalid_signature_algorithm"),
        ("kind", json!("LDAP"), "invalid_identity_provider_kind"),
    ] {
        let reply = app.post("/v1/identity-providers", with(name, value)).await;
        reply.problem(400, code);
    }
}

#[tokio::test]
async fn a_token_that_nobody_lets_in_gets_one_answer_at_both_doors() {
    let app = TestApp::new().await;
    app.post("/v1/identity-providers", provider()).await.is(201);
    // Well formed, of the right issuer, with a signature of zeros.
    let jwt = "eyJhbGciOiJFZERTQSIsImtpZCI6ImEifQ.\
               eyJpc3MiOiJodHRwczovL2NpLmV4YW1wbGUuY29tIiwic3ViIjoiam9iLTEifQ."
        .to_owned()
        + &"A".repeat(86);
    for (token, provider) in
        [(jwt.as_str(), None), (&jwt, Some("ci")), (&jwt, Some("other")), ("x", None), ("a.b.c", None)]
    {
        let mut body = json!({"token": token});
        if let Some(provider) = provider {
            body["provider"] = json!(provider);
        }
        let reply = app.ask("POST", "/v1/auth/oidc").authorization(None).json(&body).send().await;
        assert!(!reply.text().contains(&jwt));
        reply.problem(401, "unauthenticated");
    }
    let reply = app.ask("GET", "/v1/whoami").authorization(Some(&format!("Bearer {jwt}"))).send().await;
    assert!(reply.header("www-authenticate").contains("invalid_token"));
    reply.problem(401, "unauthenticated");
    let tried = app.post("/v1/identity-providers/ci/test", json!({"token": jwt})).await.is(200).json();
    assert_eq!((&tried["admitted"], &tried["claims"]["sub"]), (&json!(false), &json!(["job-1"])));
    assert_eq!(tried["rules"][0]["reasons"], json!(["the claim `team` is not there"]));
    assert_eq!(tried["problems"].as_array().unwrap().len(), 2, "{tried}");
}
