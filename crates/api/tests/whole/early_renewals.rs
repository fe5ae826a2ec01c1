//! Calls to renew early by the doors of HTTP (I6).

use crate::common::TestApp;
use serde_json::json;

const PATH: &str = "/v1/certificate-authorities/root/early-renewals";

#[tokio::test]
async fn i6_a_call_is_made_read_listed_and_taken_back() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let issued =
            app.post("/v1/certificate-authorities/root/issue", json!({"names": ["a.example.com"]})).await.is(201);
        let (serial, usual) = (issued.json()["serial"].clone(), issued.json()["renewAt"].clone());
        let inventory = format!("/v1/issued-certificates/{}", serial.as_str().unwrap());
        let certificate = json!({"ca": "root", "names": ["web.example.com"]});
        app.ask("PUT", "/v1/certificates/web").json(&certificate).send().await.is(201);
        app.clock.advance(certwright_domain::time::Span::from_minutes(1));
        let body =
            json!({"within": "PT12H", "reason": "the key leaked", "explanationUrl": "https://status.example.com/7"});
        let trial = app.post(&format!("{PATH}?dryRun=true"), body.clone()).await.is(200).json();
        assert_eq!(trial["dryRun"], true);
        assert_eq!(app.get(&inventory).await.is(200).json()["renewAt"], usual);
        let made = app.post(PATH, body).await.is(201);
        let shown = made.json();
        assert_eq!((&shown["moved"], &shown["state"]), (&json!(2), &json!("MOVING")));
        assert_eq!(shown["explanationUrl"], "https://status.example.com/7");
        assert!(shown["profile"].is_null() && shown["acmeDirectory"].is_null());
        let moved = app.get(&inventory).await.is(200).json()["renewAt"].clone();
        assert!(moved.as_str().unwrap() < usual.as_str().unwrap());
        assert!(moved.as_str().unwrap() <= shown["until"].as_str().unwrap());
        // The search finds it where it is due now.
        let found = app.get(&format!("/v1/issued-certificates?renewBefore={}", shown["until"].as_str().unwrap())).await;
        let found = found.is(200).json();
        assert!(found["items"].as_array().unwrap().iter().any(|item| item["serial"] == serial));
        let managed = app.get("/v1/certificates/web").await.is(200).json();
        assert!(managed["renewal"]["renewAt"].as_str().unwrap() <= shown["until"].as_str().unwrap());
        assert_eq!(managed["renewal"]["renewAt"], managed["version"]["renewAt"]);
        let bundle = app.get("/v1/certificates/web/bundle").await.is(200).json();
        assert_eq!(bundle["renewAt"], managed["renewal"]["renewAt"]);

        let one = made.header("location").to_owned();
        assert_eq!(app.get(&one).await.is(200).json(), shown);
        assert_eq!(app.get(PATH).await.is(200).json()["items"], json!([shown]));
        app.clock.advance(certwright_domain::time::Span::from_minutes(3));
        app.app.run_jobs().await.unwrap();
        assert_eq!(app.get(&one).await.is(200).json()["state"], "MOVED");
        app.ask("DELETE", &format!("{one}?dryRun=true")).send().await.is(200);
        app.ask("DELETE", &one).send().await.is(204);
        app.get(&one).await.is(404);
        app.ask("DELETE", &one).send().await.is(404);
        assert_eq!(app.get(&inventory).await.is(200).json()["renewAt"], usual);
        let audit = app.get("/v1/audit-events?limit=100").await.is(200).text();
        assert!(audit.contains("early-renewal.create") && audit.contains("early-renewal.delete"));
    }
}

#[tokio::test]
async fn i6_a_call_that_makes_no_sense_is_refused_with_every_fault() {
    let app = TestApp::new().await;
    app.root().await;
    let wrong = json!({"from": "soon", "within": "a while", "issuedBefore": "then", "explanationUrl": "x"});
    let faults = app.post(PATH, wrong).await.is(400).json();
    let pointers: Vec<&str> =
        faults["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/from", "/within", "/issuedBefore", "/explanationUrl"]);
    app.post(PATH, json!({"within": "P366D"})).await.is(400);
    app.post(PATH, json!({"profile": "nobody"})).await.is(404);
    app.post(PATH, json!({"acmeDirectory": "nowhere"})).await.is(404);
    app.post("/v1/certificate-authorities/nowhere/early-renewals", json!({})).await.is(404);
    app.get(&format!("{PATH}/earlyrenewal_01JD8XK4M2W7Z3T5V9YQ6B1C0D")).await.is(404);
    app.get(&format!("{PATH}/x")).await.is(404);
}
