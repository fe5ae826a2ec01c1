//! Section 3 of the design: ids, paths, queries, idempotency keys, ETags, trials, pages.

use crate::common::{CSR, ISSUE, SIGN, TestApp, wish, wish_with};
use serde_json::json;

#[tokio::test]
async fn ids_of_a_call() {
    let app = TestApp::new().await;
    let made = app.get("/v1/whoami").await.is(200);
    assert!(made.header("x-request-id").starts_with("made-"));
    let given = app.ask("GET", "/v1/vaults/none").header("x-request-id", "my.id_1-2").send().await;
    assert_eq!(given.header("x-request-id"), "my.id_1-2");
    assert_eq!(given.problem(404, "not_found")["requestId"], "my.id_1-2");
    for evil in ["a b", "x\ty", "<script>", &"a".repeat(65)] {
        let reply = app.ask("GET", "/v1/whoami").header("x-request-id", evil).send().await.is(200);
        assert!(reply.header("x-request-id").starts_with("made-"), "{evil}");
    }
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = app.ask("GET", "/v1/whoami").header("traceparent", trace).send().await;
    assert_eq!(traced.header("traceparent"), trace);
    let untraced = app.ask("GET", "/v1/whoami").header("traceparent", "nonsense").send().await;
    assert_eq!(untraced.header("traceparent"), "");
}

#[tokio::test]
async fn the_id_of_a_call_stands_in_the_audit_trail() {
    let app = TestApp::new().await;
    app.post("/v1/vaults", json!({"name": "first"})).await.is(201);
    app.ask("POST", "/v1/vaults")
        .header("x-request-id", "audit-me")
        .json(&json!({"name": "seen"}))
        .send()
        .await
        .is(201);
    let events = app.get("/v1/audit-events?requestId=audit-me").await.is(200).json();
    assert_eq!(events["items"].as_array().unwrap().len(), 1, "{events}");
    let event = &events["items"][0];
    assert_eq!((&event["action"], &event["target"]["name"]), (&json!("vault.create"), &json!("seen")));
    assert!(event["details"].is_object(), "{event}");
}

#[tokio::test]
async fn paths_are_plain() {
    let app = TestApp::new().await;
    for path in ["//v1/vaults", "/v1//vaults", "/v1/./vaults", "/v1/../vaults", "/v1/vaults/a%2fb", "/v1/%2e%2e/x"] {
        app.get(path).await.problem(400, "invalid_path");
    }
    for path in ["/v1/nothing", "/nothing", "/", "/v1/vaults/", "/v1/vaults/a/b/c"] {
        app.get(path).await.problem(404, "not_found");
    }
    app.get("/v1/vaults/%ff").await.problem(400, "invalid_path");
    app.get("/v1/vaults/a%20b").await.problem(400, "invalid_name");
    let reply = app.ask("DELETE", "/v1/vaults").send().await;
    assert_eq!(reply.header("allow"), "GET,HEAD,POST");
    reply.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn queries_are_strict() {
    let app = TestApp::new().await;
    let problem = app.get("/v1/vaults?limt=3").await.problem(400, "unknown_parameter");
    assert_eq!(problem["errors"][0]["pointer"], "/limt");
    // A typing error in `dryRun` must not change anything.
    app.post("/v1/vaults?dryrun=true", json!({"name": "a"})).await.problem(400, "unknown_parameter");
    app.get("/v1/vaults/a").await.problem(404, "not_found");
    for query in ["limit=0", "limit=501", "limit=x", "cursor=garbage!", "cursor="] {
        app.get(&format!("/v1/vaults?{query}")).await.is(400);
    }
    app.get("/v1/issued-certificates?status=GONE&sort=size&serial=xyz").await.problem(400, "invalid_request");
    app.get("/v1/audit-events?action=a&action=b").await.problem(400, "duplicate_parameter");
}

#[tokio::test]
async fn answers_of_v1_are_never_stored() {
    let app = TestApp::new().await;
    app.root().await;
    for path in ["/v1/vaults", "/v1/trust", "/v1/certificate-authorities/root", "/v1/none"] {
        assert_eq!(app.get(path).await.header("cache-control"), "no-store", "{path}");
    }
    assert_eq!(app.post(ISSUE, wish("a.example.com")).await.is(201).header("cache-control"), "no-store");
}

#[tokio::test]
async fn etags_save_bodies() {
    let app = TestApp::new().await;
    app.root().await;
    let serial = app.issue("a.example.com").await["serial"].as_str().unwrap().to_owned();
    for path in [
        "/v1/vaults/default".to_owned(),
        "/v1/vaults/default/keys/root-key".to_owned(),
        "/v1/vaults/default/keys/root-key/versions".to_owned(),
        "/v1/vaults/default/keys/root-key/public-key?format=pem".to_owned(),
        "/v1/certificate-authorities/root".to_owned(),
        "/v1/certificate-authorities/root/chain".to_owned(),
        "/v1/certificate-authorities/root/versions/1".to_owned(),
        "/v1/profiles/tls-server".to_owned(),
        "/v1/trust".to_owned(),
        "/pki/root/ca.crt".to_owned(),
        format!("/v1/issued-certificates/{serial}"),
    ] {
        let first = app.get(&path).await.is(200);
        let etag = first.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{path}: {etag}");
        let again = app.ask("GET", &path).header("if-none-match", &etag).send().await.is(304);
        assert!(again.body.is_empty(), "{path}");
        assert_eq!(again.header("etag"), etag);
        app.ask("GET", &path).header("if-none-match", "\"other\"").send().await.is(200);
    }
}

#[tokio::test]
async fn an_idempotency_key_answers_again() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let ask =
            |name: &str, key: &str| app.ask("POST", ISSUE).header("idempotency-key", key).json(&wish(name)).send();
        let first = ask("once.example.com", "k1").await.is(201);
        assert_eq!(first.header("idempotency-replayed"), "");
        let again = ask("once.example.com", "k1").await.is(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(first.body, again.body);
        for header in ["location", "content-type", "cache-control", "vary"] {
            assert_eq!(first.header(header), again.header(header), "{header}");
        }
        let found = app.get("/v1/issued-certificates?name=once.example.com").await.json();
        assert_eq!(found["items"].as_array().unwrap().len(), 1);

        ask("twice.example.com", "k1").await.problem(409, "idempotency_key_reused");
        let elsewhere = app.ask("POST", "/v1/vaults").header("idempotency-key", "k1").json(&json!({"name": "x"}));
        elsewhere.send().await.problem(409, "idempotency_key_reused");
        let other_format = app.ask("POST", ISSUE).header("idempotency-key", "k1").header("accept", "application/x-tar");
        other_format.json(&wish("once.example.com")).send().await.problem(409, "idempotency_key_reused");

        // A refused call leaves its key free.
        let refused = wish_with("no.example.com", json!({"validity": {"duration": "P91D"}}));
        let post = |body| app.ask("POST", ISSUE).header("idempotency-key", "k2").json(body).send();
        post(&refused).await.is(422);
        post(&wish("yes.example.com")).await.is(201);

        // A trial neither takes a key nor answers under one.
        let trial = format!("{ISSUE}?dryRun=true");
        let tried = app.ask("POST", &trial).header("idempotency-key", "k3").json(&wish("a.example.com")).send().await;
        assert_eq!(tried.is(200).json()["dryRun"], true);
        ask("b.example.com", "k3").await.is(201);
    }
}

#[tokio::test]
async fn idempotency_keys_are_checked_and_belong_to_their_caller() {
    let app = TestApp::new().await;
    for key in ["a b", "", &"k".repeat(256)] {
        let reply =
            app.ask("POST", "/v1/vaults").header("idempotency-key", key).json(&json!({"name": "a"})).send().await;
        reply.problem(400, "invalid_idempotency_key");
    }
    let token = app.post("/v1/tokens", json!({"name": "other"})).await.is(201).json();
    let other = format!("Bearer {}", token["token"].as_str().unwrap());
    app.ask("POST", "/v1/vaults").header("idempotency-key", "k").json(&json!({"name": "a"})).send().await.is(201);
    let mine = app.ask("POST", "/v1/vaults").header("idempotency-key", "k").json(&json!({"name": "b"}));
    mine.authorization(Some(&other)).send().await.is(201);
}

#[tokio::test]
async fn many_callers_under_one_key_make_one_certificate() {
    let app = TestApp::new().await;
    app.root().await;
    let asks =
        (0..8).map(|_| app.ask("POST", ISSUE).header("idempotency-key", "k").json(&wish("race.example.com")).send());
    let replies = futures_util::future::join_all(asks).await;
    let made: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert!(!made.is_empty());
    assert!(made.iter().all(|reply| reply.body == made[0].body));
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(reply.json()["code"], "idempotency_in_flight");
        assert!(!reply.header("retry-after").is_empty());
    }
    let found = app.get("/v1/issued-certificates?name=race.example.com").await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn trials_judge_everything_and_change_nothing() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let before = (app.count().await, events(&app).await);
        let trial = app.post(&format!("{ISSUE}?dryRun=true"), wish("t.example.com")).await.is(200).json();
        assert_eq!(trial["dryRun"], true);
        assert_eq!(trial["wouldBe"]["names"], json!(["t.example.com"]));
        assert_eq!(trial["wouldBe"]["ca"], "root");
        assert!(trial["wouldBe"]["notAfter"].is_string());
        let rules = trial["rules"].as_array().unwrap();
        assert!(rules.iter().any(|rule| rule["rule"] == "leafMaxValidity" && rule["passed"] == true), "{trial}");
        assert!(!trial.to_string().contains("PRIVATE"));
        let signed = app.post(&format!("{SIGN}?dryRun=true"), json!({"csr": CSR})).await.is(200).json();
        assert_eq!(signed["wouldBe"]["names"][0], "service-a.example.com");

        // A refused trial is the problem of the real call, with every verdict.
        let body = wish_with("t.example.com", json!({"validity": {"duration": "P91D"}}));
        let tried = app.post(&format!("{ISSUE}?dryRun=true"), body.clone()).await.is(422).json();
        let real = app.post(ISSUE, body).await.is(422).json();
        assert_eq!(tried["errors"], real["errors"]);
        assert!(tried["rules"].as_array().unwrap().iter().any(|rule| rule["passed"] == true));
        assert!(real.get("rules").is_none());

        for (path, body) in [
            ("/v1/vaults", json!({"name": "trial"})),
            ("/v1/vaults/default/keys", json!({"name": "trial", "algorithm": "RSA"})),
            ("/v1/profiles", json!({"name": "trial", "usages": ["serverAuth"]})),
            ("/v1/tokens", json!({"name": "trial"})),
            ("/v1/vaults/default/keys/root-key/rotate", json!({})),
            ("/v1/vaults/default/rotate", json!({})),
            ("/v1/certificate-authorities/root/renew", json!({})),
        ] {
            let reply = app.post(&format!("{path}?dryRun=true"), body).await.is(200);
            let trial = reply.json();
            assert_eq!(trial["dryRun"], true, "{path}");
            assert!(trial["wouldBe"].is_object() && trial["rules"].is_array(), "{path}");
            assert!(trial["wouldBe"].get("token").is_none());
        }
        app.post("/v1/vaults?dryRun=true", json!({"name": "default"})).await.problem(409, "name_taken");
        assert_eq!((app.count().await, events(&app).await), before);
        app.get("/v1/vaults/trial").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn lists_have_pages_and_links() {
    for app in TestApp::on_every_database().await {
        for number in 0..7 {
            app.post("/v1/vaults", json!({"name": format!("v{number}")})).await.is(201);
        }
        let (mut seen, mut next) = (Vec::new(), Some("/v1/vaults?limit=3".to_owned()));
        let mut pages = 0;
        while let Some(path) = next {
            let page = app.get(&path).await.is(200);
            let document = page.json();
            let items = document["items"].as_array().unwrap();
            assert!(items.len() <= 3);
            seen.extend(items.iter().map(|vault| vault["name"].as_str().unwrap().to_owned()));
            pages += 1;
            let link = page.header("link");
            assert_eq!(link.is_empty(), document["nextCursor"].is_null());
            next = link.strip_prefix('<').map(|rest| rest.split_once('>').unwrap().0.to_owned());
        }
        let expected: Vec<String> = (0..7).map(|number| format!("v{number}")).collect();
        assert_eq!((seen, pages), (expected, 3));
    }
}

/// How many audit events there are.
async fn events(app: &TestApp) -> usize {
    app.get("/v1/audit-events?limit=500").await.is(200).json()["items"].as_array().unwrap().len()
}
