//! Publication elsewhere over HTTP.

use crate::common::{Reply, TestApp};
use certwright_domain::time::Span;
use serde_json::{Value, json};

impl TestApp {
    async fn publish_elsewhere(&self, ca: &str, publication: Value) -> Reply {
        let path = format!("/v1/certificate-authorities/{ca}");
        let etag = self.get(&path).await.is(200).header("etag").to_owned();
        let change = json!({ "revocation": { "publication": publication } });
        self.ask("PATCH", &path).header("if-match", &etag).json(&change).send().await
    }

    async fn objects(&self) -> Vec<Value> {
        let lists = self.get("/v1/certificate-authorities/root/crl").await.is(200).json();
        lists["items"][0]["objects"].as_array().cloned().unwrap_or_default()
    }
}

fn whole(target: &str) -> Value {
    json!({
        "target": target,
        "objectNameFormat": "root-{}.crl",
        "customUrlFormats": ["http://crl.example.com/root-{}.crl"],
        "issuerNameFormat": "root-{}.crt",
    })
}

#[tokio::test]
async fn a_ca_says_where_its_lists_are_published() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let changed = app.publish_elsewhere("root", whole("cdn")).await.is(200).json();
        let mut shown = whole("cdn");
        shown["deltaNameFormat"] = Value::Null;
        shown["deltaUrlFormats"] = json!([]);
        shown["issuerUrlFormats"] = json!([]);
        assert_eq!(changed["revocation"]["publication"], shown);
        app.app.run_crls().await.unwrap();
        app.app.run_publications().await.unwrap();
        let objects = app.objects().await;
        let [certificate, list] = objects.as_slice() else { panic!("{objects:?}") };
        assert_eq!((&certificate["name"], &certificate["kind"]), (&json!("root-1.crt"), &json!("ISSUER")));
        assert_eq!(
            (&list["name"], &list["number"], &list["upToDate"]),
            (&json!("root-1.crl"), &json!(1), &json!(true))
        );
        assert_eq!((&list["nextAttemptAt"], &list["failures"]), (&Value::Null, &json!(0)));
        assert!(list["lastPublishedAt"].is_string());

        // What else is changed leaves it alone.
        let etag = app.get("/v1/certificate-authorities/root").await.is(200).header("etag").to_owned();
        let change = json!({ "revocation": { "holdEnabled": true } });
        let ask = app.ask("PATCH", "/v1/certificate-authorities/root").header("if-match", &etag).json(&change);
        assert_eq!(ask.send().await.is(200).json()["revocation"]["publication"], shown);
        let off = app.publish_elsewhere("root", json!({ "enabled": false })).await.is(200).json();
        assert_eq!(off["revocation"]["publication"], Value::Null);
        app.app.run_publications().await.unwrap();
        assert_eq!(app.objects().await, [Value::Null; 0]);
    }
}

#[tokio::test]
async fn failures_are_shown() {
    let app = TestApp::new().await;
    app.root().await;
    app.publish_elsewhere("root", whole("away")).await.is(200);
    app.app.run_crls().await.unwrap();
    for _ in 0..3 {
        assert_eq!(app.app.run_publications().await.unwrap().failed, 2);
        app.clock.advance(Span::from_minutes(10));
    }
    for object in app.objects().await {
        assert_eq!((&object["failures"], &object["upToDate"]), (&json!(3), &json!(false)));
        assert_eq!((&object["lastPublishedAt"], &object["number"]), (&Value::Null, &Value::Null));
        assert_eq!(object["lastError"], "no connection to the bucket's server");
        assert!(object["nextAttemptAt"].is_string());
    }
    let ready = app.ask("GET", "/readyz").plain().authorization(None).send().await.is(200).json();
    let warnings = ready["warnings"].as_array().unwrap();
    let warning = warnings.iter().find(|warning| warning["code"] == "publication_failing").unwrap();
    assert_eq!(warning["count"], 2);
    assert!(!ready.to_string().contains("away"), "anybody may ask");
    let events = app.get("/v1/events?kind=crl.publication-failed").await.is(200).json();
    assert_eq!(events["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nonsense_is_refused_with_its_place() {
    let app = TestApp::new().await;
    app.root().await;
    let mut refused = whole("nowhere");
    let problem = app.publish_elsewhere("root", refused.clone()).await.is(400).json();
    assert_eq!(problem["errors"][0]["code"], "unknown_publication_target");
    assert_eq!(problem["errors"][0]["hint"], "Choose one of: away, cdn.");
    refused["target"] = json!("cdn");
    for (field, value, code) in [
        ("objectNameFormat", json!("root.crl"), "invalid_object_name_format"),
        ("objectNameFormat", json!("../{}.crl"), "invalid_object_name_format"),
        ("objectNameFormat", json!("/etc/{}"), "invalid_object_name_format"),
        ("objectNameFormat", json!("a".repeat(5_000) + "{}"), "invalid_object_name_format"),
        ("objectNameFormat", json!("root-{}\u{0}"), "invalid_object_name_format"),
        ("issuerNameFormat", json!("root-{}.crl"), "object_name_taken"),
        ("customUrlFormats", json!(["http://crl.example.com/root.crl"]), "invalid_url_format"),
        ("customUrlFormats", json!(["crl.example.com/{}"]), "invalid_url"),
        ("customUrlFormats", json!(vec!["http://crl.example.com/{}"; 5]), "too_many_urls"),
        ("unknown", json!("x"), "unknown_field"),
    ] {
        let mut body = refused.clone();
        body[field] = value.clone();
        let problem = app.publish_elsewhere("root", body).await.is(400).json();
        assert_eq!(problem["errors"][0]["code"], code, "{field} {value}");
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with(&format!("/revocation/publication/{field}")), "{pointer}");
    }
    app.publish_elsewhere("root", refused.clone()).await.is(200);
    let other = json!({
        "type": "SUBORDINATE", "issuer": "root", "validity": {"duration": "P300D"},
        "revocation": {"publication": {"target": "cdn", "objectNameFormat": "root-1{}.crl"}},
    });
    let problem = app.ca("sub", other).await.problem(409, "object_name_taken");
    assert!(problem["detail"].as_str().unwrap().contains("CA root"), "{problem}");
}
