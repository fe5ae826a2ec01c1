//! Ways around what somebody lacks: a compartment's name, a resource's place, a key that stands for a proof.

use crate::common::{Reply, TestApp};
use serde_json::{Value, json};

/// Somebody who has this and nothing else.
struct Somebody<'a> {
    app: &'a TestApp,
    bearer: String,
}

impl<'a> Somebody<'a> {
    async fn with(app: &'a TestApp, name: &str, statements: &[&str]) -> Self {
        let bearer = app.bearer_of(name).await;
        let policy = json!({"name": name, "statements": statements});
        app.post("/v1/policies", policy).await.is(201);
        Self { app, bearer }
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Reply {
        self.app.ask(method, path).authorization(Some(&self.bearer)).json(&body).send().await
    }
}

async fn compartments(app: &TestApp, names: &[&str]) {
    for name in names {
        app.post("/v1/compartments", json!({"name": name})).await.is(201);
    }
}

#[tokio::test]
async fn another_name_for_a_compartment_needs_all_that_is_in_it() {
    let app = TestApp::new().await;
    compartments(&app, &["prod", "sandbox", "left-behind"]).await;
    let dev = Somebody::with(
        &app,
        "dev",
        &[
            "Allow user dev to manage all-resources in compartment sandbox",
            "Allow user dev to manage all-resources in compartment left-behind",
            "Allow user dev to manage compartments in compartment prod",
        ],
    )
    .await;
    let rename =
        async |from: &str, to: &str| dev.send("PATCH", &format!("/v1/compartments/{from}"), json!({"name": to})).await;
    // All of the sandbox is its own, so it may give it away; the name leads nowhere else.
    rename("sandbox", "x").await.is(200);
    for waiting in ["sandbox", "left-behind", "Sandbox", "anything"] {
        let problem = rename("prod", waiting).await.problem(403, "cannot_grant");
        assert!(problem["detail"].as_str().unwrap().contains("renaming"), "{problem}");
    }
    dev.send("PATCH", "/v1/compartments/prod", json!({"name": "prod", "description": "ours"})).await.is(200);
    // The administrator has all of it.
    app.ask("PATCH", "/v1/compartments/prod").json(&json!({"name": "production"})).send().await.is(200);
}
