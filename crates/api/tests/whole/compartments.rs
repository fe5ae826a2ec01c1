//! Compartments and what lies in them.

use crate::common::TestApp;
use serde_json::{Value, json};

const ROOT: &str = "compartment_00000000000000000000000000";

async fn make(app: &TestApp, name: &str, parent: &str) -> Value {
    app.post("/v1/compartments", json!({"name": name, "parent": parent})).await.is(201).json()
}

#[tokio::test]
async fn a_tree_grows_and_moves_without_circles() {
    for app in TestApp::on_every_database().await {
        let tenancy = app.get("/v1/compartments/tenancy").await.is(200).json();
        assert_eq!((&tenancy["id"], &tenancy["parentId"]), (&json!(ROOT), &Value::Null));
        let prod = app.post("/v1/compartments", json!({"name": "prod"})).await.is(201).json();
        assert_eq!(prod["parentId"], ROOT);
        make(&app, "web", "prod").await;
        make(&app, "shop", "web").await;
        for taken in ["web", "Web", "Tenancy"] {
            app.post("/v1/compartments", json!({"name": taken})).await.problem(409, "name_taken");
            let rename = app.ask("PATCH", "/v1/compartments/shop").json(&json!({"name": taken}));
            rename.send().await.problem(409, "name_taken");
        }
        app.post("/v1/compartments", json!({"name": "x", "parent": "none"})).await.problem(404, "not_found");
        let patch = async |name: &str, body: Value| {
            app.ask("PATCH", &format!("/v1/compartments/{name}")).json(&body).send().await
        };
        for below in ["prod", "web", "shop"] {
            patch("prod", json!({"parent": below})).await.problem(409, "compartment_cycle");
        }
        let moved = patch("web", json!({"parent": "tenancy", "name": "www"})).await.is(200);
        assert_eq!((&moved.json()["parentId"], moved.header("etag")), (&json!(ROOT), "\"2\""));
        patch("prod", json!({"parent": "shop"})).await.is(200);
        patch("www", json!({"parent": "prod"})).await.problem(409, "compartment_cycle");
        let stale = app.ask("PATCH", "/v1/compartments/www").header("if-match", "\"1\"");
        stale.json(&json!({"description": "x"})).send().await.problem(412, "precondition_failed");
        patch("tenancy", json!({"name": "root"})).await.problem(409, "tenancy_stays");
        patch("tenancy", json!({"parent": "prod"})).await.problem(409, "tenancy_stays");
        patch("tenancy", json!({"description": "All of it"})).await.is(200);
        app.ask("DELETE", "/v1/compartments/tenancy").send().await.problem(409, "tenancy_stays");
    }
}

#[tokio::test]
async fn six_levels_and_no_more() {
    let app = TestApp::new().await;
    let mut parent = "tenancy".to_owned();
    for level in 1..=6 {
        let name = format!("level-{level}");
        make(&app, &name, &parent).await;
        parent = name;
    }
    let deep = app.post("/v1/compartments", json!({"name": "level-7", "parent": parent})).await;
    deep.problem(409, "compartments_too_deep");
}

#[tokio::test]
async fn only_an_empty_compartment_goes() {
    for app in TestApp::on_every_database().await {
        make(&app, "prod", "tenancy").await;
        make(&app, "web", "prod").await;
        app.post("/v1/vaults", json!({"name": "v"})).await.is(201);
        let body = json!({"kind": "vault", "resource": "v"});
        app.post("/v1/compartments/prod/resources", body.clone()).await.is(200);
        let policy = json!({"name": "p", "compartment": "prod",
            "statements": ["Allow group administrators to read vaults in compartment prod"]});
        app.post("/v1/policies", policy).await.is(201);
        let refused = async |named: &str| {
            let problem = app.ask("DELETE", "/v1/compartments/prod").send().await.problem(409, "compartment_not_empty");
            assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
        };
        refused("compartment web").await;
        app.ask("DELETE", "/v1/compartments/web").send().await.is(204);
        refused("policy p").await;
        app.ask("DELETE", "/v1/policies/p").send().await.is(204);
        refused("vault vault_").await;
        app.post("/v1/compartments/tenancy/resources", body).await.is(200);
        app.ask("DELETE", "/v1/compartments/prod").send().await.is(204);
        app.get("/v1/compartments/prod").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn every_kind_of_resource_moves() {
    for app in TestApp::on_every_database().await {
        make(&app, "prod", "tenancy").await;
        app.root().await;
        let bundle = json!({"name": "b", "certificates": app.get("/v1/trust?format=pem").await.text()});
        app.post("/v1/ca-bundles", bundle).await.is(201);
        app.post("/v1/profiles", json!({"name": "p", "usages": ["serverAuth"]})).await.is(201);
        let spec = json!({"ca": "root", "names": ["a.example.com"], "subject": {"commonName": "a.example.com"},
            "renewal": {"advancePeriod": "P15D"}});
        app.ask("PUT", "/v1/certificates/c").json(&spec).send().await.is(201);
        let kinds = [
            ("vault", "default"),
            ("key", "root-key"),
            ("certificate-authority", "root"),
            ("certificate", "c"),
            ("profile", "p"),
            ("ca-bundle", "b"),
        ];
        for (kind, resource) in kinds {
            let mut body = json!({"kind": kind, "resource": resource});
            if kind == "key" {
                app.post("/v1/compartments/prod/resources", body.clone()).await.problem(400, "missing_field");
                body["vault"] = json!("default");
            }
            let trial = app.ask("POST", "/v1/compartments/prod/resources?dryRun=true").json(&body);
            trial.send().await.is(200);
            for _ in 0..2 {
                let moved = app.post("/v1/compartments/prod/resources", body.clone()).await.is(200).json();
                assert_eq!((&moved["name"], &moved["compartment"]), (&json!(resource), &json!("prod")));
            }
            let none = json!({"kind": kind, "resource": "none", "vault": body["vault"]});
            app.post("/v1/compartments/prod/resources", none).await.problem(404, "not_found");
        }
        let listed = app.get("/v1/compartments/prod/resources").await.is(200).json();
        let listed: Vec<&str> =
            listed["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
        assert_eq!(listed, ["ca-bundle", "certificate", "certificate-authority", "key", "profile", "vault"]);
        let vaults = app.get("/v1/compartments/prod/resources?kind=vault").await.is(200).json();
        assert_eq!(vaults["items"].as_array().unwrap().len(), 1);
        app.get("/v1/compartments/prod/resources?kind=user").await.problem(400, "invalid_resource_kind");
        let events = app.get("/v1/audit-events?action=resource.move").await.is(200).json();
        assert_eq!(events["items"].as_array().unwrap().len(), kinds.len(), "once each: {events}");

        // What is deleted lies nowhere.
        app.ask("DELETE", "/v1/profiles/p").send().await.is(204);
        app.ask("DELETE", "/v1/ca-bundles/b").send().await.is(204);
        let left = app.get("/v1/compartments/prod/resources").await.json();
        assert_eq!(left["items"].as_array().unwrap().len(), kinds.len() - 2);
    }
}

#[tokio::test]
async fn what_is_built_in_stays() {
    let app = TestApp::new().await;
    make(&app, "prod", "tenancy").await;
    let body = json!({"kind": "profile", "resource": "tls-server"});
    app.post("/v1/compartments/prod/resources", body).await.problem(409, "built_in_profile");
    app.app.server_certificate(&["localhost".to_owned()]).await.unwrap();
    for kind in ["vault", "certificate-authority"] {
        let body = json!({"kind": kind, "resource": "certwright-service"});
        app.post("/v1/compartments/prod/resources", body).await.problem(409, "system_resource");
    }
    let body = json!({"kind": "vault", "resource": "v", "vault": "x"});
    app.post("/v1/compartments/prod/resources", body).await.problem(400, "unexpected_field");
    app.post("/v1/compartments/prod/resources", json!({"kind": "user", "resource": "v"}))
        .await
        .problem(400, "invalid_resource_kind");
}

#[tokio::test]
async fn there_are_so_many_compartments_and_no_more() {
    let app = TestApp::new().await;
    // The tenancy is one of the 500.
    for number in 1..500 {
        make(&app, &format!("c{number}"), "tenancy").await;
    }
    app.post("/v1/compartments", json!({"name": "more"})).await.problem(409, "too_many_compartments");
    app.ask("DELETE", "/v1/compartments/c7").send().await.is(204);
    make(&app, "more", "tenancy").await;
}
