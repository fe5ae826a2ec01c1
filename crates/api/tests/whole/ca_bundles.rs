//! CA bundles: made, read in every format, replaced, deleted; and what is refused.

use crate::common::{Reply, TestApp};
use certwright_domain::time::Span;
use serde_json::{Value, json};

const BUNDLES: &str = "/v1/ca-bundles";
const PARTNERS: &str = "/v1/ca-bundles/partners";

/// The certificates of two roots, PEM; that of the first ends after a year.
async fn two_roots(app: &TestApp) -> [String; 2] {
    app.root().await;
    app.ca("short", json!({"type": "ROOT", "validity": {"duration": "P365D"}})).await.is(201);
    let roots = app.get("/v1/trust").await.is(200).json()["items"].take();
    ["short", "root"].map(|name| {
        let found = roots.as_array().unwrap().iter().find(|root| root["name"] == name).unwrap();
        found["certificate"].as_str().unwrap().to_owned()
    })
}

fn body(name: &str, certificates: impl Into<String>) -> Value {
    json!({"name": name, "description": "Roots of our partners", "certificates": certificates.into()})
}

fn texts(bundle: &Value) -> Vec<&str> {
    let certificates = bundle["certificates"].as_array().unwrap();
    certificates.iter().map(|certificate| certificate["certificate"].as_str().unwrap()).collect()
}

async fn put(app: &TestApp, tag: &str, body: &Value) -> Reply {
    let ask = app.ask("PUT", PARTNERS).json(body);
    if tag.is_empty() { ask.send().await } else { ask.header("if-match", tag).send().await }
}

#[tokio::test]
async fn a_bundle_is_made_read_replaced_and_deleted() {
    for app in TestApp::on_every_database().await {
        let [short, root] = two_roots(&app).await;
        let made = app.post(BUNDLES, body("partners", format!("{short}a remark\n{root}{short}"))).await.is(201);
        assert_eq!((made.header("location"), made.header("etag")), (PARTNERS, "\"1\""));
        let bundle = made.json();
        assert!(bundle["id"].as_str().unwrap().starts_with("cabundle_"), "{bundle}");
        assert_eq!(texts(&bundle), [&short, &root], "in their order, each once");
        assert_eq!(bundle["certificateCount"], 2);
        let first = &bundle["certificates"][0];
        assert_eq!(first["subject"], json!({"organization": "DDIM", "commonName": "short"}));
        assert_eq!((&first["subjectText"], &first["expired"]), (&json!("CN=short, O=DDIM"), &json!(false)));
        assert_eq!(first["fingerprint"].as_str().unwrap().len(), 64);
        assert!(first["notBefore"].as_str().unwrap() < first["notAfter"].as_str().unwrap());
        for reference in ["partners", bundle["id"].as_str().unwrap()] {
            let read = app.get(&format!("{BUNDLES}/{reference}")).await.is(200);
            assert_eq!((read.json(), read.header("etag")), (bundle.clone(), "\"1\""));
        }
        app.post(BUNDLES, body("partners", root.as_str())).await.problem(409, "name_taken");

        let other = body("partners", root.as_str());
        put(&app, "", &other).await.problem(428, "precondition_required");
        put(&app, "\"7\"", &other).await.problem(412, "precondition_failed");
        let replaced = put(&app, "\"1\"", &other).await.is(200);
        assert_eq!((replaced.header("etag"), texts(&replaced.json())), ("\"2\"", vec![root.as_str()]));
        assert_eq!(put(&app, "\"2\"", &other).await.is(200).header("etag"), "\"2\"", "nothing changed");
        let renamed = put(&app, "*", &json!({"name": "friends", "certificates": root})).await.is(200).json();
        assert_eq!((&renamed["name"], &renamed["description"]), (&json!("friends"), &json!("")));
        assert_eq!(renamed["id"], bundle["id"]);
        app.get(PARTNERS).await.problem(404, "not_found");

        let friends = "/v1/ca-bundles/friends";
        let stale = app.ask("DELETE", friends).header("if-match", "\"1\"").send().await;
        stale.problem(412, "precondition_failed");
        app.ask("DELETE", friends).header("if-match", "\"3\"").send().await.is(204);
        app.ask("DELETE", friends).send().await.problem(404, "not_found");
        let audit = app.get("/v1/audit-events").await.is(200).json();
        // The clock stands still: events of one millisecond have no order among themselves.
        let mut actions: Vec<&str> = audit["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|event| event["action"].as_str().unwrap().strip_prefix("ca-bundle."))
            .collect();
        actions.sort_unstable();
        assert_eq!(actions, ["create", "delete", "replace", "replace"]);
    }
}

#[tokio::test]
async fn a_bundle_is_read_in_every_format() {
    let app = TestApp::new().await;
    let [short, root] = two_roots(&app).await;
    let bundle = app.post(BUNDLES, body("partners", format!("{short}{root}"))).await.is(201).json();
    for (short_name, media) in [
        ("json", "application/json"),
        ("pem", "application/x-pem-file"),
        ("p7", "application/pkcs7-mime"),
        ("", "application/pem-certificate-chain"),
    ] {
        let mut replies = vec![app.ask("GET", PARTNERS).header("accept", media).send().await];
        if !short_name.is_empty() {
            replies.push(app.get(&format!("{PARTNERS}?format={short_name}")).await);
        }
        for reply in replies {
            let reply = reply.is(200);
            let seen = (reply.header("content-type"), reply.header("vary"), reply.header("etag"));
            assert_eq!(seen, (media, "Accept", "\"1\""));
            match short_name {
                "json" => assert_eq!(reply.json(), bundle),
                "p7" => {
                    assert_eq!(reply.body.first(), Some(&0x30));
                    assert_eq!(reply.header("content-disposition"), "attachment; filename=\"partners.p7\"");
                }
                _ => {
                    assert_eq!(reply.text(), format!("{short}{root}"));
                    assert_eq!(reply.header("content-disposition"), "attachment; filename=\"partners.pem\"");
                }
            }
        }
        let known = app.ask("GET", PARTNERS).header("accept", media).header("if-none-match", "\"1\"");
        let known = known.send().await.is(304);
        assert!(known.body.is_empty());
        assert_eq!((known.header("etag"), known.header("vary")), ("\"1\"", "Accept"));
    }
    app.get(&format!("{PARTNERS}?format=der")).await.problem(406, "not_acceptable");
    app.get(&format!("{PARTNERS}?format=docx")).await.problem(400, "invalid_format");
    app.get("/v1/ca-bundles/none?format=pem").await.problem(404, "not_found");
}

#[tokio::test]
async fn what_is_no_ca_certificate_is_named() {
    let app = TestApp::new().await;
    let [short, root] = two_roots(&app).await;
    let leaf = app.issue("a.example.com").await["certificate"].as_str().unwrap().to_owned();
    let garbage = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let refused = app.post(BUNDLES, body("partners", format!("{short}{leaf}{root}{garbage}"))).await.is(400).json();
    let errors = refused["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{refused}");
    assert!(errors.iter().all(|error| error["pointer"] == "/certificates"), "{refused}");
    assert_eq!(errors[0]["code"], "not_a_ca_certificate");
    let detail = errors[0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("Certificate 2 (`CN=a.example.com`): The certificate is not a CA"), "{detail}");
    assert!(errors[1]["detail"].as_str().unwrap().starts_with("Certificate 4: "), "{refused}");

    let all = app.post(BUNDLES, json!({"name": "a b", "description": "\u{7}", "certificates": leaf}));
    let all = all.await.is(400).json();
    let pointers: Vec<&str> =
        all["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/name", "/description", "/certificates"]);
    let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    for (certificates, code) in [
        (String::new(), "invalid_pem"),
        (key.to_owned(), "invalid_pem"),
        (format!("{root}{key}"), "invalid_pem"),
        (root.replace("-----END", "-----NO"), "invalid_pem"),
        (root.repeat(101), "invalid_certificate"),
    ] {
        let problem = app.post(BUNDLES, body("partners", certificates)).await.problem(400, code);
        assert_eq!(problem["errors"][0]["pointer"], "/certificates");
    }
    app.post(BUNDLES, json!({"name": "partners"})).await.is(400);
    let unknown = json!({"name": "partners", "certificates": root, "x": 1});
    app.post(BUNDLES, unknown).await.problem(400, "unknown_field");
    assert_eq!(app.get(BUNDLES).await.is(200).json()["items"], json!([]));
    let most = app.post(BUNDLES, body("partners", root.repeat(100))).await.is(201).json();
    assert_eq!(most["certificateCount"], 1);
}

#[tokio::test]
async fn expired_certificates_are_let_in_and_shown_as_such() {
    let app = TestApp::new().await;
    let [short, root] = two_roots(&app).await;
    app.wait(Span::from_days(366));
    let made = app.post(BUNDLES, body("partners", format!("{short}{root}"))).await.is(201).json();
    assert_eq!(
        (&made["certificates"][0]["expired"], &made["certificates"][1]["expired"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn trials_change_nothing() {
    for app in TestApp::on_every_database().await {
        let [short, root] = two_roots(&app).await;
        let trial = |method: &'static str, path: &str| app.ask(method, &format!("{path}?dryRun=true"));
        let made = trial("POST", BUNDLES).json(&body("partners", short.as_str())).send().await.is(200).json();
        assert_eq!((&made["dryRun"], &made["wouldBe"]["name"]), (&json!(true), &json!("partners")));
        app.get(PARTNERS).await.problem(404, "not_found");

        let before = app.post(BUNDLES, body("partners", short.as_str())).await.is(201).json();
        trial("POST", BUNDLES).json(&body("partners", root.as_str())).send().await.problem(409, "name_taken");
        let other = trial("PUT", PARTNERS).header("if-match", "\"1\"").json(&body("friends", root.as_str()));
        assert_eq!(other.send().await.is(200).json()["wouldBe"]["name"], "friends");
        let gone = trial("DELETE", PARTNERS).send().await.is(200).json();
        assert_eq!((&gone["dryRun"], &gone["wouldBe"]), (&json!(true), &Value::Null));
        let read = app.get(PARTNERS).await.is(200);
        assert_eq!((read.json(), read.header("etag")), (before, "\"1\""));
    }
}

#[tokio::test]
async fn lists_go_by_name_without_the_certificates() {
    for app in TestApp::on_every_database().await {
        let [short, root] = two_roots(&app).await;
        for name in ["c", "a", "b"] {
            app.post(BUNDLES, body(name, format!("{short}{root}"))).await.is(201);
        }
        let one = app.get(&format!("{BUNDLES}?limit=2")).await.is(200);
        assert!(one.header("link").contains("rel=\"next\""));
        let one = one.json();
        let two = app.get(&format!("{BUNDLES}?limit=2&cursor={}", one["nextCursor"].as_str().unwrap())).await;
        let two = two.is(200).json();
        let items = one["items"].as_array().unwrap().iter().chain(two["items"].as_array().unwrap());
        let seen: Vec<(&str, u64)> = items
            .inspect(|item| assert!(item.get("certificates").is_none(), "{item}"))
            .map(|item| (item["name"].as_str().unwrap(), item["certificateCount"].as_u64().unwrap()))
            .collect();
        assert_eq!(seen, [("a", 2), ("b", 2), ("c", 2)]);
        assert_eq!(two["nextCursor"], Value::Null);
        app.get(&format!("{BUNDLES}?cursor=x")).await.problem(400, "invalid_cursor");
    }
}
