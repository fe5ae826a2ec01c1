//! Policies.

use crate::common::TestApp;
use serde_json::{Value, json};

const ONE: &str = "Allow group netadmins to manage certificate-authority-family in compartment prod";
const TWO: &str = "Allow group netadmins to use keys in compartment prod";
const ADMINISTRATORS: &str = "Allow group administrators to manage all-resources in tenancy";

async fn prod(app: &TestApp) {
    app.post("/v1/compartments", json!({"name": "prod"})).await.is(201);
    app.post("/v1/groups", json!({"name": "netadmins"})).await.is(201);
}

#[tokio::test]
async fn policies_are_made_read_changed_and_deleted() {
    for app in TestApp::on_every_database().await {
        prod(&app).await;
        let body = json!({"name": "net", "compartment": "prod", "statements": [ONE, TWO]});
        let made = app.post("/v1/policies", body.clone()).await.is(201);
        assert_eq!(made.header("location"), "/v1/policies/net");
        assert_eq!(made.json()["statements"], json!([ONE, TWO]));
        app.post("/v1/policies", body).await.problem(409, "name_taken");
        let list = app.get("/v1/policies?compartment=prod").await.is(200).json();
        assert_eq!(list["items"], json!([made.json()]));
        let all = app.get("/v1/policies").await.is(200).json();
        let names: Vec<&str> =
            all["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["administrators", "net", "service"]);
        app.get("/v1/policies?compartment=none").await.problem(404, "not_found");

        let patch = |if_match: Option<&str>| {
            let ask = app.ask("PATCH", "/v1/policies/net").json(&json!({"statements": [TWO]}));
            match if_match {
                Some(tag) => ask.header("if-match", tag),
                None => ask,
            }
        };
        patch(None).send().await.problem(428, "precondition_required");
        patch(Some("\"7\"")).send().await.problem(412, "precondition_failed");
        let changed = patch(Some("\"1\"")).send().await.is(200);
        assert_eq!((&changed.json()["statements"], changed.header("etag")), (&json!([TWO]), "\"2\""));
        patch(Some("\"1\"")).send().await.problem(412, "precondition_failed");
        app.ask("DELETE", "/v1/policies/net")
            .header("if-match", "\"1\"")
            .send()
            .await
            .problem(412, "precondition_failed");
        app.ask("DELETE", "/v1/policies/net").send().await.is(204);
        app.get("/v1/policies/net").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn statements_are_bounded_and_every_fault_is_listed() {
    let app = TestApp::new().await;
    let make = async |statements: Value| app.post("/v1/policies", json!({"name": "p", "statements": statements})).await;
    make(json!([])).await.problem(400, "invalid_statements");
    make(json!(vec![ADMINISTRATORS; 51])).await.problem(400, "invalid_statements");
    let problem =
        make(json!([ADMINISTRATORS, " ", format!("{ADMINISTRATORS}{}", " ".repeat(4096))])).await.is(400).json();
    let places: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(places, ["/statements/1", "/statements/2"]);
    make(json!(vec![ADMINISTRATORS; 50])).await.is(201);
}

#[tokio::test]
async fn faults_are_pointed_at() {
    for app in TestApp::on_every_database().await {
        prod(&app).await;
        app.post("/v1/compartments", json!({"name": "web", "parent": "prod"})).await.is(201);
        let make = async |compartment: &str, statements: Value| {
            app.post("/v1/policies", json!({"name": "p", "compartment": compartment, "statements": statements})).await
        };
        let faulty =
            json!([ONE, "Allow group ops to mange keys in tenancy", "", "Deny any-user to use keys in tenancy"]);
        let problem = make("tenancy", faulty).await.problem(400, "invalid_statement");
        let errors = problem["errors"].as_array().unwrap();
        let places: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(places, ["/statements/1", "/statements/2", "/statements/3"]);
        let detail = errors[0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("Column 20: expected ") && detail.contains("did you mean `manage`?"), "{detail}");
        assert!(errors[0]["hint"].as_str().unwrap().ends_with(&format!("\n{}^", " ".repeat(19))), "{problem}");

        let outside = json!([TWO, "Allow group netadmins to use keys in compartment none"]);
        let problem = make("web", outside).await.problem(400, "misplaced_statement");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
        let inside = json!(["Allow group netadmins to use keys in compartment prod:WEB"]);
        make("prod", inside).await.is(201);
        let patch = app.ask("PATCH", "/v1/policies/p").header("if-match", "\"1\"");
        let patch = patch.json(&json!({"statements": ["Allow any-user to use keys in tenancy"]})).send().await;
        patch.problem(400, "misplaced_statement");
    }
}

#[tokio::test]
async fn what_the_walk_through_writes_is_understood() {
    let app = TestApp::new().await;
    prod(&app).await;
    let statements = [
        "Allow group netadmins to manage key-family in compartment prod",
        "Allow group netadmins to manage secret-family in compartment prod",
        "Allow any-user to use keys in tenancy where request.principal.type='certificateauthority'",
        "Allow any-user to manage objects in tenancy where request.principal.type='certificateauthority'",
    ];
    let policy = app.post("/v1/policies", json!({"name": "p", "statements": statements})).await.is(201).json();
    assert_eq!(policy["notices"][0]["statement"], 1, "{policy}");
    assert_eq!(policy["notices"].as_array().unwrap().len(), 1, "{policy}");
    // What is there from the start is what this version understands.
    for (number, name) in ["administrators", "service"].iter().enumerate() {
        let stored = app.get(&format!("/v1/policies/{name}")).await.is(200).json();
        let again = json!({"name": format!("again-{number}"), "statements": stored["statements"]});
        app.post("/v1/policies", again).await.is(201);
    }
}

#[tokio::test]
async fn the_administrators_keep_their_policy() {
    for app in TestApp::on_every_database().await {
        app.ask("DELETE", "/v1/policies/administrators").send().await.problem(409, "last_administrator");
        let patch = async |body: Value| {
            app.ask("PATCH", "/v1/policies/administrators").header("if-match", "*").json(&body).send().await
        };
        for weaker in [
            "Allow group administrators to read all-resources in tenancy",
            "Allow group administrators to manage all-resources in tenancy where request.networkSource.ip = '10.0.0.0/8'",
        ] {
            patch(json!({"statements": [weaker]})).await.problem(409, "last_administrator");
        }
        let more = "allow  group Administrators to manage all-resources in tenancy";
        let extra = "Allow group administrators to read vaults in tenancy";
        patch(json!({"statements": [extra, more]})).await.is(200);
        patch(json!({"name": "renamed"})).await.is(200);
        app.ask("DELETE", "/v1/policies/renamed").send().await.problem(409, "last_administrator");
        // The other one from the start is the operators' to change.
        app.ask("DELETE", "/v1/policies/service").send().await.is(204);
    }
}
