//! Events, webhooks and deliveries.

use crate::common::TestApp;
use serde_json::json;

async fn deliver(app: &TestApp) {
    for webhook in app.app.webhooks_due().await.unwrap() {
        app.app.deliver_to(&webhook).await.unwrap();
    }
}

#[tokio::test]
async fn webhooks() {
    for app in TestApp::on_every_database().await {
        let wish =
            json!({"name": "deploy", "url": "https://hooks.example.com/x", "events": ["ca.issued", "ca.revoked"]});
        let tried = app.post("/v1/webhooks?dryRun=true", wish.clone()).await.is(200).json();
        assert_eq!((&tried["wouldBe"]["name"], &tried["wouldBe"]["secret"]), (&json!("deploy"), &json!(null)));
        let made = app.post("/v1/webhooks", wish.clone()).await.is(201);
        assert_eq!((made.header("location"), made.header("etag")), ("/v1/webhooks/deploy", "\"1\""));
        let secret = made.json()["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("whsec_"), "{secret}");
        app.post("/v1/webhooks", wish).await.problem(409, "name_taken");
        let read = app.get("/v1/webhooks/deploy").await.is(200);
        assert_eq!(
            (&read.json()["enabled"], &read.json()["events"]),
            (&json!(true), &json!(["ca.issued", "ca.revoked"]))
        );
        assert_eq!(read.json()["secret"], json!(null), "shown once");
        assert_eq!(app.get("/v1/webhooks").await.is(200).json()["items"], json!([read.json()]));

        let patch = |tag: &'static str, body: serde_json::Value| {
            app.ask("PATCH", "/v1/webhooks/deploy").header("if-match", tag).json(&body).send()
        };
        let bare = app.ask("PATCH", "/v1/webhooks/deploy").json(&json!({"enabled": false})).send().await;
        bare.problem(428, "precondition_required");
        let changed = patch("\"1\"", json!({"enabled": false, "events": []})).await.is(200);
        assert_eq!((changed.header("etag"), &changed.json()["events"]), ("\"2\"", &json!([])));
        patch("\"1\"", json!({"enabled": true})).await.problem(412, "precondition_failed");
        app.ask("POST", "/v1/webhooks/deploy/test").send().await.problem(409, "webhook_disabled");
        let rotated = app.ask("POST", "/v1/webhooks/deploy/rotate-secret").send().await.is(200);
        assert_ne!(rotated.json()["secret"], json!(secret));
        app.ask("DELETE", "/v1/webhooks/deploy?dryRun=true").send().await.is(200);
        app.ask("DELETE", "/v1/webhooks/deploy").send().await.is(204);
        app.get("/v1/webhooks/deploy").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn events_and_deliveries() {
    for app in TestApp::on_every_database().await {
        app.post("/v1/webhooks", json!({"name": "all", "url": "https://hooks.example.com/"})).await.is(201);
        let ca = app.root().await;
        let id = ca["id"].as_str().unwrap();
        let events = app.get(&format!("/v1/events?kind=ca.issued&subject={id}")).await.is(200).json();
        let event = &events["items"][0];
        assert_eq!((&event["subject"]["name"], &event["details"]["type"]), (&json!("root"), &json!("ROOT")));
        assert_eq!(app.get("/v1/events?kind=ca.revoked").await.is(200).json()["items"], json!([]));
        let path = format!("/v1/events/{}", event["id"].as_str().unwrap());
        let waiting = app.get(&path).await.is(200).json();
        assert_eq!((&waiting["event"], &waiting["deliveries"][0]["state"]), (event, &json!("PENDING")));
        deliver(&app).await;
        let done = app.get("/v1/webhooks/all/deliveries?state=DELIVERED").await.is(200).json();
        let delivery = &done["items"][0];
        assert_eq!((&delivery["eventId"], &delivery["lastStatus"]), (&event["id"], &json!(204)));
        assert_eq!((&delivery["attempts"], &delivery["nextAttemptAt"]), (&json!(1), &json!(null)));

        let resend = format!("/v1/webhooks/all/deliveries/{}/resend", delivery["id"].as_str().unwrap());
        let tried = app.ask("POST", &format!("{resend}?dryRun=true")).send().await.is(200).json();
        assert_eq!(tried["wouldBe"]["eventId"], event["id"]);
        assert_eq!(app.app.webhooks_due().await.unwrap().len(), 0);
        assert_eq!(app.ask("POST", &resend).send().await.is(200).json()["state"], "PENDING");
        deliver(&app).await;
        let again = app.ask("POST", &format!("{path}/resend")).send().await.is(200).json();
        assert_eq!(again["deliveries"][0]["state"], "PENDING");
        let test = app.ask("POST", "/v1/webhooks/all/test").send().await.is(201);
        assert!(test.header("location").starts_with("/v1/events/event_"));
        deliver(&app).await;
        assert_eq!(app.get(test.header("location")).await.is(200).json()["deliveries"][0]["state"], "DELIVERED");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_place() {
    let app = TestApp::new().await;
    let wrong = json!({"name": "a b", "url": "ftp://x", "events": ["ca.issued", "ca.exploded"]});
    let problem = app.post("/v1/webhooks", wrong).await.is(400).json();
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/name", "/url", "/events/1"]);
    let inside = json!({"name": "inside", "url": "http://169.254.169.254/latest/meta-data"});
    let problem = app.post("/v1/webhooks", inside).await.problem(400, "address_not_allowed");
    assert!(problem["errors"][0]["hint"].as_str().unwrap().contains("allowed_ranges"), "{problem}");
    app.get("/v1/events?kind=nonsense").await.problem(400, "invalid_event_kind");
    app.get("/v1/events/root").await.problem(400, "invalid_id");
    app.get("/v1/events/event_01JD8XK4M2W7Z3T5V9YQ6B1C0D").await.problem(404, "not_found");
    app.get("/v1/webhooks/none/deliveries").await.problem(404, "not_found");
    app.post("/v1/webhooks", json!({"name": "all", "url": "https://hooks.example.com/"})).await.is(201);
    app.get("/v1/webhooks/all/deliveries?state=LOST").await.problem(400, "invalid_delivery_state");
    let absent = "/v1/webhooks/all/deliveries/delivery_01JD8XK4M2W7Z3T5V9YQ6B1C0D/resend";
    app.ask("POST", absent).send().await.problem(404, "not_found");
}
