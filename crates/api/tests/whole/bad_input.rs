//! Bad input: each gets its problem with code and hint, and nothing half-made stays behind.

use crate::common::{CSR, ISSUE, SIGN, TestApp, wish, wish_with};
use certwright_domain::time::Span;
use serde_json::{Value, json};

/// Pointers of the faults.
fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

/// Rules that refused.
fn rules(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["rule"].as_str().unwrap()).collect()
}

async fn sign(app: &TestApp, csr: impl Into<Vec<u8>>) -> crate::common::Reply {
    app.ask("POST", SIGN).header("content-type", "application/pkcs10").body(csr).send().await
}

#[tokio::test]
async fn csrs_that_are_none() {
    let app = TestApp::new().await;
    app.root().await;
    let before = app.count().await;
    let root = app.get("/v1/certificate-authorities/root").await.json();
    let der = include_bytes!("../data/service-a.csr.der");
    let mut broken = der.to_vec();
    *broken.iter_mut().rev().nth(4).unwrap() ^= 0x55;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", b"no csr at all".to_vec()),
        ("nothing", Vec::new()),
        ("half", der[..der.len() / 2].to_vec()),
        ("more than a CSR", [&der[..], b"x"].concat()),
        ("a certificate", root["version"]["certificate"].as_str().unwrap().as_bytes().to_vec()),
        ("PEM with a hole", CSR.replacen('\n', "\n!!!", 3).into_bytes()),
        ("PEM under another label", CSR.replace("CERTIFICATE REQUEST", "CERTIFICATE").into_bytes()),
        ("a broken signature", broken),
        ("too long", vec![0x30; 20 * 1024]),
    ];
    for (what, body) in cases {
        let problem = sign(&app, body.clone()).await.is(400).json();
        assert_eq!(pointers(&problem), ["/csr"], "{what}: {problem}");
        if let Ok(text) = String::from_utf8(body) {
            let problem = app.post(SIGN, json!({"csr": text})).await.is(400).json();
            assert_eq!(pointers(&problem), ["/csr"], "{what}: {problem}");
        }
    }
    assert_eq!(app.count().await, before);
}

#[tokio::test]
async fn keys_that_are_too_weak_or_too_large() {
    let app = TestApp::new().await;
    app.root().await;
    let before = app.count().await;
    let problem = sign(&app, include_str!("../data/weak.csr.pem")).await.is(422).json();
    assert!(rules(&problem).contains(&"keyStrength"), "{problem}");
    let problem = sign(&app, include_str!("../data/large.csr.pem")).await;
    assert!([400, 422].contains(&problem.status.as_u16()), "{problem:?}");
    assert_eq!(app.count().await, before);
}

#[tokio::test]
async fn a_csr_for_a_ca_is_no_csr_for_a_leaf() {
    let app = TestApp::new().await;
    app.root().await;
    let problem = sign(&app, include_str!("../data/ca.csr.pem")).await.is(422).json();
    assert!(!rules(&problem).is_empty(), "{problem}");
}

#[tokio::test]
async fn bodies_that_are_too_large_or_too_deep() {
    let app = TestApp::new().await;
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(256 * 1024));
    let declared = app.ask("POST", "/v1/vaults").header("content-type", "application/json");
    declared
        .header("content-length", &large.len().to_string())
        .body(large.clone())
        .send()
        .await
        .problem(413, "body_too_large");
    let undeclared = app.ask("POST", "/v1/vaults").header("content-type", "application/json").body(large.clone());
    undeclared.send().await.problem(413, "body_too_large");
    let with_key =
        app.ask("POST", "/v1/vaults").header("idempotency-key", "k").header("content-type", "application/json");
    with_key.body(large).send().await.problem(413, "body_too_large");
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
    let deep = app.ask("POST", "/v1/vaults").header("content-type", "application/json").body(deep);
    deep.send().await.problem(400, "json_too_deep");
    assert_eq!(app.get("/v1/vaults").await.json()["items"], json!([]));
}

#[tokio::test]
async fn bodies_that_do_not_fit() {
    let app = TestApp::new().await;
    let table: [(&str, &str, &str); 10] = [
        (r#"{"name":"a","nmae":"b"}"#, "unknown_field", "/nmae"),
        ("{}", "missing_field", "/name"),
        (r#"{"name":7}"#, "invalid_type", "/name"),
        (r#"{"name":"a","name":"b"}"#, "duplicate_field", "/name"),
        (r#"{"name":"a/b"}"#, "invalid_name", "/name"),
        (r#"{"name":""}"#, "invalid_name", "/name"),
        (r#"{"name":"vault_01JD8XK4M2W7Z3T5V9YQ6B1C0D"}"#, "invalid_name", "/name"),
        ("{", "malformed_json", ""),
        ("[]", "invalid_type", ""),
        ("", "malformed_json", ""),
    ];
    for (body, code, pointer) in table {
        let reply = app.ask("POST", "/v1/vaults").header("content-type", "application/json").body(body).send().await;
        let problem = reply.problem(400, code);
        assert_eq!(pointers(&problem), [pointer], "{body}");
    }
    let not_utf8 =
        app.ask("POST", "/v1/vaults").header("content-type", "application/json").body(&b"{\"name\":\"\xff\"}"[..]);
    not_utf8.send().await.is(400);
}

#[tokio::test]
async fn a_wrong_content_type_names_what_mends_it() {
    let app = TestApp::new().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let reply =
            app.ask("POST", "/v1/vaults").header("content-type", content_type).body(r#"{"name":"a"}"#).send().await;
        let problem = reply.problem(415, "unsupported_media_type");
        assert_eq!(problem["hint"], "add -H 'Content-Type: application/json' or use curl --json");
    }
    app.ask("POST", "/v1/vaults").body(r#"{"name":"a"}"#).send().await.problem(415, "unsupported_media_type");
    app.root().await;
    for content_type in ["application/x-pem-file", "text/plain", "application/x-www-form-urlencoded"] {
        let reply = app.ask("POST", SIGN).header("content-type", content_type).body(CSR).send().await;
        let problem = reply.problem(415, "unsupported_media_type");
        assert!(problem["hint"].as_str().unwrap().contains("Content-Type: application/pkcs10"), "{problem}");
    }
}

#[tokio::test]
async fn all_faults_of_a_request_are_listed_together() {
    let app = TestApp::new().await;
    app.root().await;
    let body = r#"{"subject": {"country": "Korea", "colour": "red"}, "names": ["ok.example.com", "a b"],
        "keyAlgorithm": "DSA", "validity": {"duration": "P1Y"}}"#;
    let reply = app.ask("POST", ISSUE).header("content-type", "application/json").body(body).send().await;
    let problem = reply.problem(400, "invalid_request");
    let expected = ["/subject/country", "/subject/colour", "/names/1", "/keyAlgorithm", "/validity/duration"];
    assert_eq!(pointers(&problem), expected);
    assert!(problem["errors"][1]["hint"].as_str().unwrap().contains("organizationalUnit"));
}

#[tokio::test]
async fn wildcards_without_leave() {
    let app = TestApp::new().await;
    app.root().await;
    let before = app.count().await;
    let problem = app.post(ISSUE, wish("*.example.com")).await.is(422).json();
    assert!(!problem["errors"][0]["hint"].as_str().unwrap().is_empty());
    sign(&app, include_str!("../data/wildcard.csr.pem")).await.is(422);
    app.post(ISSUE, wish("a.*.example.com")).await.is(400);
    assert_eq!(app.count().await, before);
}

#[tokio::test]
async fn names_outside_the_constraints() {
    let app = TestApp::new().await;
    app.root_with(json!({"nameConstraints": {"permitted": {"dns": ["example.com"], "ip": ["10.0.0.0/8"]}}})).await;
    let before = app.count().await;
    let body =
        json!({"subject": {"commonName": "a.example.com"}, "names": ["a.example.com", "192.0.2.1", "b.example.org"]});
    let problem = app.post(ISSUE, body).await.is(422).json();
    assert!(rules(&problem).iter().all(|rule| *rule == "nameConstraints"), "{problem}");
    let pointers = pointers(&problem);
    assert!(pointers.contains(&"/names/1") && pointers.contains(&"/names/2"), "{problem}");
    assert_eq!(app.count().await, before);
    app.issue("a.example.com").await;
}

#[tokio::test]
async fn lifetimes_that_are_too_long_negative_or_beyond_the_issuer() {
    let app = TestApp::new().await;
    app.root().await;
    app.ca("short", json!({"type": "SUBORDINATE", "issuer": "root", "validity": {"duration": "P30D"}})).await.is(201);
    let before = app.count().await;
    let ninety_days_and_seventeen_hours = json!({"validity": {"duration": "P90DT17H"}});
    let problem = app.post(ISSUE, wish_with("a.example.com", ninety_days_and_seventeen_hours)).await.is(422).json();
    let sentence = "The validity period 7837200000 exceeds the maximum validity period allowed 7776000000.";
    let error = problem["errors"].as_array().unwrap().iter().find(|error| error["rule"] == "leafMaxValidity").unwrap();
    assert!(error["detail"].as_str().unwrap().starts_with(sentence), "{problem}");
    assert_eq!(error["limit"], "P90D");

    let negative =
        json!({"validity": {"notBefore": app.at(Span::from_days(9)), "notAfter": app.at(Span::from_days(1))}});
    app.post(ISSUE, wish_with("a.example.com", negative)).await.problem(400, "invalid_validity");
    app.post(ISSUE, wish_with("a.example.com", json!({"validity": {"duration": "-P1D"}})))
        .await
        .problem(400, "invalid_duration");
    let twice = json!({"validity": {"duration": "P1D", "notAfter": app.at(Span::from_days(1))}});
    let problem = app.post(ISSUE, wish_with("a.example.com", twice)).await.problem(400, "contradicting_fields");
    assert_eq!(pointers(&problem), ["/validity/duration"]);

    let beyond = wish_with("a.example.com", json!({"validity": {"duration": "P60D"}}));
    let problem = app.post("/v1/certificate-authorities/short/issue", beyond).await.is(422).json();
    assert!(!rules(&problem).is_empty(), "{problem}");
    assert_eq!(app.count().await, before);
}

#[tokio::test]
async fn a_path_length_that_is_exhausted() {
    let app = TestApp::new().await;
    app.root_with(json!({"pathLength": 0})).await;
    let before = app.count().await;
    let reply = app.ca("deep", json!({"type": "SUBORDINATE", "issuer": "root"})).await;
    let problem = reply.is(422).json();
    assert!(rules(&problem).contains(&"pathLength"), "{problem}");
    app.get("/v1/certificate-authorities/deep").await.problem(404, "not_found");
    assert_eq!(app.count().await, before);
}

#[tokio::test]
async fn cas_that_are_unknown_disabled_expired_or_going() {
    let app = TestApp::new().await;
    app.root().await;
    app.post("/v1/certificate-authorities/none/issue", wish("a.example.com")).await.problem(404, "not_found");
    app.post("/v1/certificate-authorities/ca_01JD8XK4M2W7Z3T5V9YQ6B1C0D/issue", wish("a.example.com"))
        .await
        .problem(404, "not_found");

    let path = "/v1/certificate-authorities/root";
    let off = app.ask("PATCH", path).header("if-match", "*").json(&json!({"enabled": false})).send().await.is(200);
    let reply = app.post(ISSUE, wish("a.example.com")).await;
    assert!([409, 422].contains(&reply.status.as_u16()), "{reply:?}");
    let on = app.ask("PATCH", path).header("if-match", off.header("etag")).json(&json!({"enabled": true}));
    on.send().await.is(200);
    app.issue("a.example.com").await;

    app.wait(Span::from_days(3660));
    let reply = app.post(ISSUE, wish("a.example.com")).await;
    assert!([409, 422].contains(&reply.status.as_u16()), "{reply:?}");
    assert!(!reply.json()["hint"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn names_that_are_taken() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        app.post("/v1/vaults", json!({"name": "default"})).await.problem(409, "name_taken");
        app.post("/v1/vaults/default/keys", json!({"name": "root-key", "algorithm": "AES"}))
            .await
            .problem(409, "name_taken");
        let profile = json!({"name": "tls-server", "usages": ["serverAuth"]});
        app.post("/v1/profiles", profile).await.is(409);
    }
}

#[tokio::test]
async fn keys_that_cannot_sign_for_a_ca() {
    let app = TestApp::new().await;
    app.root().await;
    app.post("/v1/vaults/default/keys", json!({"name": "aes", "algorithm": "AES"})).await.is(201);
    app.post("/v1/vaults/default/keys", json!({"name": "off", "algorithm": "ECDSA"})).await.is(201);
    app.ask("POST", "/v1/vaults/default/keys/off/disable").send().await.is(200);
    for key in ["aes", "off", "root-key"] {
        let body =
            json!({"name": "other", "type": "ROOT", "vault": "default", "key": key, "subject": {"commonName": "x"}});
        app.post("/v1/certificate-authorities", body).await.is(409);
        app.get("/v1/certificate-authorities/other").await.problem(404, "not_found");
    }
    let hsm = json!({"name": "hsm", "algorithm": "RSA", "protection": "HSM"});
    let problem = app.post("/v1/vaults/default/keys", hsm).await.is(409).json();
    assert!(problem.to_string().contains("pkcs11"), "{problem}");
}

#[tokio::test]
async fn a_stale_if_match() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let path = "/v1/certificate-authorities/root";
        let etag = app.get(path).await.header("etag").to_owned();
        let change = json!({"rules": {"leafMaxValidity": "P30D"}});
        let missing = app.ask("PATCH", path).json(&change).send().await;
        assert_eq!(missing.header("etag"), etag);
        missing.problem(428, "precondition_required");
        for stale in ["\"999\"", "\"other\"", &format!("W/{etag}")] {
            let reply = app.ask("PATCH", path).header("if-match", stale).json(&change).send().await;
            assert_eq!(reply.header("etag"), etag, "{stale}");
            reply.problem(412, "precondition_failed");
        }
        app.ask("PATCH", path).header("if-match", "3").json(&change).send().await.problem(400, "invalid_if_match");
        assert_eq!(app.get(path).await.json()["rules"]["leafMaxValidity"], "P90D");
        let changed = app.ask("PATCH", path).header("if-match", &etag).json(&change).send().await.is(200);
        assert_ne!(changed.header("etag"), etag);
        assert_eq!(changed.json()["rules"]["leafMaxValidity"], "P30D");
        app.ask("PATCH", path).header("if-match", &etag).json(&change).send().await.problem(412, "precondition_failed");
    }
}

#[tokio::test]
async fn fixed_rules_and_foreign_fields() {
    let app = TestApp::new().await;
    app.root().await;
    let patch = app.ask("PATCH", "/v1/certificate-authorities/root").header("if-match", "*");
    let problem = patch.json(&json!({"rules": {"pathLength": 3}})).send().await.problem(400, "unknown_field");
    assert_eq!(pointers(&problem), ["/rules/pathLength"]);
    let reply = app.ca("odd", json!({"type": "ROOT", "issuer": "root", "certificate": "x"})).await;
    let problem = reply.problem(400, "field_not_applicable");
    assert_eq!(pointers(&problem), ["/issuer", "/certificate"]);
}

#[tokio::test]
async fn subjects_with_repeated_keys() {
    let app = TestApp::new().await;
    app.root().await;
    let body = r#"{"subject":{"commonName":"a","commonName":"b"},"names":["a.example.com"]}"#;
    let reply = app.ask("POST", ISSUE).header("content-type", "application/json").body(body).send().await;
    let problem = reply.problem(400, "duplicate_field");
    assert_eq!(pointers(&problem), ["/subject/commonName"]);
}

#[tokio::test]
async fn a_database_that_is_away() {
    use certwright_testkit::postgres::fresh_database;
    use certwright_testkit::proxy::Proxy;
    let (url, guard) = tokio::task::spawn_blocking(fresh_database).await.unwrap();
    let (before, rest) = url.split_once("@").map_or(("", url.as_str()), |(user, rest)| (user, rest));
    let (target, path) = rest.trim_start_matches("postgres://").split_once('/').unwrap();
    let mut proxy = Proxy::start(target).await.unwrap();
    let through = match before {
        "" => format!("postgres://{}/{path}", proxy.address()),
        user => format!("{user}@{}/{path}", proxy.address()),
    };
    let app = TestApp::postgres(through, guard).await;
    app.root().await;
    let before = app.count().await;
    // Signing needs nothing from the database until it records: let it fail there as well.
    app.issue("warm.example.com").await;
    proxy.cut().await;
    for reply in [
        app.get("/v1/issued-certificates").await,
        app.get("/v1/issued-certificates?format=csv").await,
        app.post(ISSUE, wish("away.example.com")).await,
        app.post("/v1/vaults", json!({"name": "away"})).await,
        app.get("/readyz").await,
        app.ask("GET", "/pki/root/ca.crt").send().await,
    ] {
        assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
        assert!(!reply.text().contains("127.0.0.1"));
        assert_eq!(reply.problem(503, "unavailable")["retryable"], true);
    }
    app.get("/healthz").await.is(200);
    proxy.restore().await.unwrap();
    app.get("/v1/vaults/away").await.problem(404, "not_found");
    assert_eq!(app.count().await, before + 1);
}

#[tokio::test]
async fn a_commit_that_fails_leaves_nothing() {
    use certwright_testkit::faults::When;
    let app = TestApp::new().await;
    app.root().await;
    app.faults.arm("vault.create", When::Before);
    let reply = app.post("/v1/vaults", json!({"name": "lost"})).await;
    assert!(!reply.header("retry-after").is_empty());
    reply.problem(503, "unavailable");
    assert!(app.faults.is_spent());
    app.get("/v1/vaults/lost").await.problem(404, "not_found");
    app.post("/v1/vaults", json!({"name": "lost"})).await.is(201);
}
