//! Managed certificates through the door.

use crate::common::{CSR, Reply, TestApp};
use certwright_domain::time::Span;
use serde_json::{Value, json};

const WEB: &str = "/v1/certificates/web";

async fn put(app: &TestApp, path: &str, body: Value) -> Reply {
    app.ask("PUT", path).json(&body).send().await
}

fn spec() -> Value {
    json!({"ca": "root", "names": ["web.example.com"], "exportable": true,
        "renewal": {"interval": "P60D", "advancePeriod": "P15D"}})
}

fn spec_with(more: Value) -> Value {
    let mut body = spec();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn made_unchanged_and_made_anew_say_so() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let made = put(&app, WEB, spec()).await.is(201);
        assert_eq!(made.header("location"), "/v1/certificates/web");
        let (tag, body) = (made.header("etag").to_owned(), made.json());
        assert_eq!(body["ensured"]["outcome"], "CREATED");
        assert_eq!(body["renewal"]["outlook"], "SCHEDULED");
        assert_eq!(body["version"]["stages"], json!(["CURRENT", "LATEST"]));
        let same = put(&app, WEB, spec()).await.is(200);
        assert_eq!(
            (same.json()["ensured"]["outcome"].clone(), same.header("etag")),
            (json!("UNCHANGED"), tag.as_str())
        );
        let other = put(&app, WEB, spec_with(json!({"names": ["other.example.com"]}))).await.is(200);
        assert_eq!(other.header("etag"), app.get(WEB).await.is(200).header("etag"), "the same document, the same tag");
        let other = other.json();
        assert_eq!((&other["ensured"]["outcome"], &other["currentVersion"]), (&json!("NEW_VERSION"), &json!(2)));
        let tag = app.get(WEB).await.is(200).header("etag").to_owned();
        app.ask("GET", WEB).header("if-none-match", &tag).send().await.is(304);
        let list = app.get("/v1/certificates?ca=root&kind=INTERNAL&state=ACTIVE").await.is(200).json();
        assert_eq!(list["items"][0]["name"], "web");
        app.post("/v1/certificates", spec_with(json!({"name": "web"}))).await.problem(409, "name_taken");
        app.post("/v1/certificates", spec_with(json!({"name": "two"}))).await.is(201);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_listed_whole() {
    let app = TestApp::new().await;
    app.root().await;
    let body = json!({"name": "other", "names": ["a b"], "keyAlgorithm": "DSA", "stage": "LATEST",
        "renewal": {"interval": "often", "key": "OLD"}, "validity": {"duration": "soon"}});
    let problem = put(&app, WEB, body).await.problem(400, "invalid_request");
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        pointers,
        [
            "/name",
            "/ca",
            "/names/0",
            "/keyAlgorithm",
            "/validity/duration",
            "/renewal/interval",
            "/renewal/key",
            "/stage"
        ]
    );
    for (renewal, code) in [
        (json!({}), "invalid_renewal_rule"),
        (json!({"interval": "PT1S"}), "invalid_renewal_rule"),
        (json!({"advancePeriod": "P91D"}), "invalid_renewal_rule"),
    ] {
        let problem = put(&app, WEB, spec_with(json!({"renewal": renewal}))).await.is(400).json();
        assert_eq!(problem["errors"][0]["code"], code);
    }
    put(&app, WEB, spec_with(json!({"unknown": 1}))).await.is(400);
    put(&app, WEB, spec_with(json!({"ca": "none"}))).await.is(404);
    put(&app, WEB, spec_with(json!({"validity": {"duration": "P91D"}}))).await.is(422);
    put(&app, WEB, spec_with(json!({"csr": "garbage"}))).await.is(400);
    put(&app, WEB, spec_with(json!({"import": {"certificate": "garbage"}}))).await.is(400);
    app.get(WEB).await.problem(404, "not_found");
}

#[tokio::test]
async fn changes_need_the_etag_and_say_what_takes_effect() {
    let app = TestApp::new().await;
    app.root().await;
    let tag = put(&app, WEB, spec()).await.is(201).header("etag").to_owned();
    let patch = |tag: Option<String>, body: Value| {
        let mut ask = app.ask("PATCH", WEB).json(&body);
        if let Some(tag) = &tag {
            ask = ask.header("if-match", tag);
        }
        ask.send()
    };
    patch(None, json!({"exportable": false})).await.problem(428, "precondition_required");
    let changed = patch(Some(tag.clone()), json!({"names": ["next.example.com"]})).await.is(200).json();
    assert_eq!((&changed["names"], &changed["currentVersion"]), (&json!(["next.example.com"]), &json!(1)));
    assert_eq!(changed["version"]["names"], json!(["web.example.com"]));
    patch(Some(tag), json!({"enabled": false})).await.problem(412, "precondition_failed");
    let would =
        app.ask("PATCH", &format!("{WEB}?dryRun=true")).header("if-match", "*").json(&json!({"enabled": false}));
    assert_eq!(would.send().await.is(200).json()["wouldBe"]["state"], "DISABLED");
    assert_eq!(app.get(WEB).await.json()["state"], "ACTIVE");
}

/// What another door has changed of a document makes it another one.
#[tokio::test]
async fn a_tag_ends_with_what_the_document_shows_also_where_other_rows_say_it() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let made = put(&app, WEB, spec()).await.is(201);
        let inventory = format!("/v1/issued-certificates/{}", made.json()["version"]["serial"].as_str().unwrap());
        let (bundle, version) = (format!("{WEB}/bundle"), format!("{WEB}/versions/1"));
        let pem = format!("{bundle}?format=pem");
        let read = async |path: &str| app.get(path).await.is(200).header("etag").to_owned();
        let known = async |path: &str, tag: &str| app.ask("GET", path).header("if-none-match", tag).send().await;
        let mut tags = Vec::new();
        for path in [WEB, inventory.as_str(), version.as_str(), bundle.as_str(), pem.as_str()] {
            tags.push(read(path).await);
            known(path, tags.last().unwrap()).await.is(304);
        }
        assert_eq!(tags[0], made.header("etag"));

        // When it is due is moved.
        app.clock.advance(Span::from_minutes(1));
        let early = json!({"within": "PT1H", "reason": "a drill"});
        app.post("/v1/certificate-authorities/root/early-renewals", early).await.is(201);
        for (path, tag) in [WEB, inventory.as_str(), version.as_str(), bundle.as_str()].iter().zip(&tags) {
            let other = known(path, tag).await.is(200);
            assert_ne!(other.header("etag"), tag, "{path}");
        }
        known(&pem, &tags[4]).await.is(304);

        // It is revoked, in the inventory.
        let seen = read(WEB).await;
        let of_inventory = read(&inventory).await;
        app.post(&format!("{inventory}/revoke"), json!({"reason": "superseded"})).await.is(200);
        let revoked = known(WEB, &seen).await.is(200);
        assert_ne!(revoked.header("etag"), seen);
        assert!(revoked.json()["version"]["revokedAt"].is_string());
        known(&inventory, &of_inventory).await.is(200);

        // Nobody changes what they have not seen; whoever has may.
        let patch = async |tag: &str| {
            app.ask("PATCH", WEB).header("if-match", tag).json(&json!({"exportable": false})).send().await
        };
        let stale = patch(&seen).await;
        let now = stale.header("etag").to_owned();
        stale.problem(412, "precondition_failed");
        assert_eq!(now, revoked.header("etag"));
        known(WEB, &now).await.is(304);
        let changed = patch(&now).await.is(200);
        assert_eq!(changed.header("etag"), read(WEB).await);
        let required = app.ask("PATCH", WEB).json(&json!({"exportable": true})).send().await;
        assert_eq!(required.header("etag"), read(WEB).await);
        required.problem(428, "precondition_required");
    }
}

/// Time alone makes what is scheduled due: the same revision, and another document.
#[tokio::test]
async fn a_tag_ends_when_renewal_comes_due() {
    let app = TestApp::new().await;
    app.root().await;
    let made = put(&app, WEB, spec()).await.is(201);
    app.wait(Span::from_days(61));
    let due = app.ask("GET", WEB).header("if-none-match", made.header("etag")).send().await.is(200);
    assert_eq!(due.json()["renewal"]["outlook"], "DUE");
}

#[tokio::test]
async fn a_trial_of_an_ensure_lists_the_rules_and_makes_nothing() {
    let app = TestApp::new().await;
    app.root().await;
    let would = put(&app, &format!("{WEB}?dryRun=true"), spec()).await.is(200).json();
    assert_eq!(would["dryRun"], true);
    assert!(would["rules"].as_array().unwrap().iter().any(|rule| rule["rule"] == "leafMaxValidity"));
    assert!(would["wouldBe"]["wouldLast"]["notAfter"].is_string());
    app.get(WEB).await.is(404);
}

#[tokio::test]
async fn bundles_by_stage_number_name_and_format() {
    let app = TestApp::new().await;
    app.root().await;
    put(&app, WEB, spec()).await.is(201);
    app.post(&format!("{WEB}/renew"), json!({"stage": "PENDING", "versionName": "next"})).await.is(200);
    let bundle = |query: &str| app.get_owned(format!("{WEB}/bundle{query}"));
    for (query, version) in [
        ("", 1),
        ("?stage=CURRENT", 1),
        ("?stage=PENDING", 2),
        ("?stage=LATEST", 2),
        ("?version=1", 1),
        ("?versionName=next", 2),
    ] {
        assert_eq!(bundle(query).await.is(200).json()["version"], version, "{query}");
    }
    for (query, status, code) in [
        ("?stage=PREVIOUS", 404, "not_found"),
        ("?version=3", 404, "not_found"),
        ("?stage=DEPRECATED", 400, "invalid_stage"),
        ("?stage=CURRENT&version=1", 400, "contradicting_fields"),
        ("?format=p12", 406, "not_acceptable"),
        ("?format=der&includeKey=true", 406, "not_acceptable"),
    ] {
        let problem = bundle(query).await.is(status).json();
        let found = if problem["errors"].is_array() && status == 400 {
            &problem["errors"][0]["code"]
        } else {
            &problem["code"]
        };
        assert_eq!(found, code, "{query}");
    }
    for (format, media) in [
        ("json", "application/json"),
        ("pem", "application/pem-certificate-chain"),
        ("der", "application/pkix-cert"),
        ("p7", "application/pkcs7-mime"),
        ("tar", "application/x-tar"),
    ] {
        let first = bundle(&format!("?format={format}")).await.is(200);
        assert_eq!((first.header("content-type"), first.header("cache-control")), (media, "no-store"));
        let path = format!("{WEB}/bundle?format={format}");
        let again = app.ask("GET", &path).header("if-none-match", first.header("etag")).send().await.is(304);
        assert!(again.body.is_empty());
    }
    let with_key = bundle("?format=pem&includeKey=true").await.is(200);
    assert!(with_key.text().starts_with("-----BEGIN PRIVATE KEY-----"));
    assert_eq!(with_key.header("cache-control"), "no-store");
    for (format, media) in [("p12", "application/pkcs12"), ("jks", "application/x-java-keystore")] {
        let file = app.post(&format!("{WEB}/bundle"), json!({"format": format, "password": "secret-1"})).await.is(200);
        assert_eq!((file.header("content-type"), file.header("cache-control")), (media, "no-store"));
    }
    let short = app.post(&format!("{WEB}/bundle"), json!({"format": "jks", "password": "x"})).await.is(400).json();
    assert_eq!(short["errors"][0]["pointer"], "/password");
}

#[tokio::test]
async fn polling_without_news_reads_no_key_and_writes_nothing() {
    let app = TestApp::new().await;
    app.root().await;
    put(&app, WEB, spec()).await.is(201);
    let path = format!("{WEB}/bundle?format=pem&includeKey=true");
    let first = app.get(&path).await.is(200);
    let before = app.faults.committed().len();
    for _ in 0..10 {
        app.ask("GET", &path).header("if-none-match", first.header("etag")).send().await.is(304);
    }
    assert_eq!(app.faults.committed().len(), before);
    app.wait(Span::from_days(1));
    app.get(&path).await.is(200);
    assert_eq!(app.faults.committed().last(), Some(&"certificate.read-key"));
}

#[tokio::test]
async fn a_csr_of_the_requester_and_its_versions() {
    let app = TestApp::new().await;
    app.root().await;
    let made = put(&app, WEB, json!({"ca": "root", "csr": CSR})).await.is(201).json();
    assert_eq!((&made["kind"], &made["renewal"]["outlook"]), (&json!("CSR"), &json!("NEVER")));
    app.post(&format!("{WEB}/renew"), json!({})).await.problem(409, "csr_needed");
    app.post(&format!("{WEB}/renew"), json!({"reuseCsr": true})).await.is(200);
    app.post(&format!("{WEB}/renew"), json!({"csr": CSR})).await.is(200);
    app.get(&format!("{WEB}/bundle?includeKey=true")).await.problem(409, "certificate_without_key");
    let page = app.get(&format!("{WEB}/versions?limit=2")).await.is(200);
    assert!(page.header("link").contains("rel=\"next\""));
    assert_eq!(page.json()["items"][0]["number"], 3);
    app.ask("DELETE", &format!("{WEB}/versions/3")).send().await.problem(409, "version_in_use");
    app.ask("DELETE", &format!("{WEB}/versions/1")).send().await.is(204);
    app.get(&format!("{WEB}/versions/1")).await.is(404);
    app.post(&format!("{WEB}/versions/2/revoke"), json!({"reason": "superseded"})).await.is(200);
    app.post(&format!("{WEB}/versions/2/make-current"), json!({})).await.problem(409, "version_revoked");
    let attempts = app.get(&format!("{WEB}/attempts")).await.is(200).json();
    assert_eq!(attempts["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_ca_shows_its_renewal_rule_and_a_trial_whom_a_change_refuses() {
    let app = TestApp::new().await;
    app.root().await;
    put(&app, WEB, spec_with(json!({"validity": {"duration": "P89D"}}))).await.is(201);
    let path = "/v1/certificate-authorities/root";
    let rule = json!({"renewal": {"advancePeriod": "P30D", "makeCurrentAfter": "P7D"}});
    let changed = app.ask("PATCH", path).header("if-match", "*").json(&rule).send().await.is(200).json();
    assert_eq!(changed["renewal"], json!({"advancePeriod": "P30D", "key": "SAME", "makeCurrentAfter": "P7D"}));
    assert!(changed["nextRenewalAt"].is_string());
    let shorter = json!({"rules": {"leafMaxValidity": "P30D"}});
    let would = app.ask("PATCH", &format!("{path}?dryRun=true")).header("if-match", "*").json(&shorter).send().await;
    assert_eq!(would.is(200).json()["wouldBe"]["refusedRenewals"][0]["name"], "web");
    let off = json!({"renewal": {"enabled": false}});
    let off = app.ask("PATCH", path).header("if-match", "*").json(&off).send().await.is(200).json();
    assert!(off["renewal"].is_null() && off["nextRenewalAt"].is_null());
}
