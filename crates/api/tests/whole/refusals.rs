//! What the rules refuse stands in the audit trail, whatever was asked for.

use crate::common::*;
use serde_json::{Value, json};

async fn refused(app: &TestApp, action: &str) -> Vec<Value> {
    app.app.settle().await;
    let path = format!("/v1/audit-events?action={action}");
    let events = app.get_owned(path).await.is(200).json();
    let is_refused = |event: &&Value| event["outcome"] == "REFUSED";
    events["items"].as_array().unwrap().iter().filter(is_refused).cloned().collect()
}

#[tokio::test]
async fn refused_cas_and_managed_certificates_are_told() {
    let app = TestApp::new().await;
    app.root().await;
    let century = json!({"validity": {"duration": "P36500D"}});
    app.ca("too-long", json!({"type": "ROOT", "validity": {"duration": "P36500D"}})).await.is(422);
    let mut wish = json!({"name": "too-long", "ca": "root", "names": ["a.example.com"]});
    wish.as_object_mut().unwrap().extend(century.as_object().unwrap().clone());
    // A trial leaves no trace.
    app.post("/v1/certificates?dryRun=true", wish.clone()).await;
    assert_eq!(refused(&app, "managed-certificate.create").await.len(), 0);
    app.post("/v1/certificates", wish).await.is(422);
    app.post("/v1/certificates", json!({"name": "fine", "ca": "root", "names": ["a.example.com"]})).await.is(201);
    let change = app.ask("PATCH", "/v1/certificates/fine").header("if-match", "*").json(&century).send().await;
    change.is(422);
    for (action, kind, name) in [
        ("ca.create", "ca", "too-long"),
        ("managed-certificate.create", "certificate", "too-long"),
        ("managed-certificate.update", "certificate", "fine"),
    ] {
        let events = refused(&app, action).await;
        let [event] = &events[..] else { panic!("{action}: {events:?}") };
        assert_eq!((&event["target"]["kind"], &event["target"]["id"]), (&json!(kind), &json!(name)), "{event}");
        assert!(event["decidedBy"].as_str().unwrap().to_lowercase().contains("validity"), "{event}");
    }
}
