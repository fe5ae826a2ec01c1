//! Users and groups, and whom they let in.

use crate::common::TestApp;
use serde_json::{Value, json};

/// Names that people would take for the same as `ops`, and whether they are.
const VARIANTS: [(&str, bool); 10] = [
    ("Ops", true),
    ("OPS", true),
    (" ops", false),
    ("ops ", false),
    ("o ps", false),
    ("\u{ff4f}\u{ff50}\u{ff53}", false),
    ("o\u{301}ps", false),
    ("op\u{17f}", false),
    ("o\u{200b}ps", false),
    ("\u{43e}ps", false),
];

async fn names(app: &TestApp, path: &str) -> Vec<String> {
    let list = app.get(path).await.is(200).json();
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn users_are_made_read_changed_and_deleted() {
    for app in TestApp::on_every_database().await {
        let made = app.post("/v1/users", json!({"name": "Ops@Example.com", "description": "On call"})).await.is(201);
        let user = made.json();
        assert_eq!((&user["name"], &user["enabled"]), (&json!("ops@example.com"), &json!(true)));
        assert_eq!(made.header("location"), format!("/v1/users/{}", user["id"].as_str().unwrap()));
        let read = app.get("/v1/users/OPS@example.com").await.is(200);
        assert_eq!((read.json(), read.header("etag")), (user, "\"1\""));
        assert_eq!(names(&app, "/v1/users").await, ["admin", "ops@example.com"]);
        let stale = app.ask("PATCH", "/v1/users/ops@example.com").header("if-match", "\"9\"");
        stale.json(&json!({"enabled": false})).send().await.problem(412, "precondition_failed");
        let stale = app.ask("DELETE", "/v1/users/ops@example.com").header("if-match", "\"9\"");
        stale.send().await.problem(412, "precondition_failed");
        let changed = app.ask("PATCH", "/v1/users/ops@example.com").header("if-match", "\"1\"");
        let changed = changed.json(&json!({"description": "Nights"})).send().await.is(200);
        assert_eq!((&changed.json()["description"], changed.header("etag")), (&json!("Nights"), "\"2\""));
        app.ask("DELETE", "/v1/users/ops@example.com").send().await.is(204);
        app.get("/v1/users/ops@example.com").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn names_that_look_alike_are_one_or_none() {
    for app in TestApp::on_every_database().await {
        for path in ["/v1/users", "/v1/groups", "/v1/dynamic-groups"] {
            let body = |name: &str| match path {
                "/v1/dynamic-groups" => {
                    json!({"name": name, "matchingRule": "All {request.principal.type = 'user'}"})
                }
                _ => json!({"name": name}),
            };
            app.post(path, body("ops")).await.is(201);
            for (name, same) in VARIANTS {
                let reply = app.post(path, body(name)).await;
                match same {
                    true => reply.problem(409, "name_taken"),
                    false => reply.problem(400, "invalid_principal_name"),
                };
            }
            assert!(names(&app, path).await.contains(&"ops".to_owned()));
        }
        for (name, same) in VARIANTS {
            let reply = app.post("/v1/tokens", json!({"name": "t", "user": name})).await;
            match same {
                true => assert_eq!(reply.is(201).json()["user"], "ops"),
                false => drop(reply.problem(400, "invalid_principal_name")),
            }
            app.ask("DELETE", "/v1/tokens/t").send().await;
        }
    }
}

#[tokio::test]
async fn a_user_is_let_in_while_enabled_and_there() {
    for app in TestApp::on_every_database().await {
        let bearer = app.bearer_of("ops").await;
        let me = || app.ask("GET", "/v1/whoami").authorization(Some(&bearer)).send();
        assert_eq!(me().await.is(200).json()["user"], "ops");
        let switch = async |enabled: bool| {
            let body = json!({"enabled": enabled});
            app.ask("PATCH", "/v1/users/ops").json(&body).send().await.is(200).json()
        };
        assert_eq!(switch(false).await["enabled"], false);
        me().await.problem(401, "unauthenticated");
        switch(true).await;
        me().await.is(200);
        app.ask("PUT", "/v1/groups/administrators/members/ops").send().await.is(200);
        app.ask("DELETE", "/v1/users/ops").send().await.is(204);
        me().await.problem(401, "unauthenticated");
        // Another user of the same name is another user.
        app.post("/v1/users", json!({"name": "ops"})).await.is(201);
        me().await.problem(401, "unauthenticated");
        assert_eq!(names(&app, "/v1/groups/administrators/members").await, ["admin"]);
        assert!(app.get("/v1/tokens/of-ops").await.status == 404, "revoked with its user");
    }
}

#[tokio::test]
async fn groups_have_members() {
    for app in TestApp::on_every_database().await {
        app.post("/v1/users", json!({"name": "b"})).await.is(201);
        app.post("/v1/users", json!({"name": "a"})).await.is(201);
        let group = app.post("/v1/groups", json!({"name": "NetAdmins"})).await.is(201).json();
        assert_eq!(group["name"], "netadmins");
        for user in ["b", "A", "a"] {
            let reply = app.ask("PUT", &format!("/v1/groups/netadmins/members/{user}")).send().await.is(200).json();
            assert_eq!(reply, json!({"group": "netadmins", "user": user.to_lowercase()}));
        }
        assert_eq!(names(&app, "/v1/groups/netadmins/members").await, ["a", "b"]);
        assert_eq!(app.get("/v1/users/a").await.json()["groups"], json!(["netadmins"]));
        let one = app.get("/v1/groups/netadmins/members?limit=1").await.is(200).json();
        let next = one["nextCursor"].as_str().unwrap();
        assert_eq!(names(&app, &format!("/v1/groups/netadmins/members?limit=1&cursor={next}")).await, ["b"]);
        app.get(&format!("/v1/users?cursor={next}")).await.problem(400, "invalid_cursor");
        for _ in 0..2 {
            app.ask("DELETE", "/v1/groups/netadmins/members/a").send().await.is(204);
        }
        assert_eq!(names(&app, "/v1/groups/netadmins/members").await, ["b"]);
        app.ask("PUT", "/v1/groups/netadmins/members/nobody").send().await.problem(404, "not_found");
        app.ask("PUT", "/v1/groups/none/members/a").send().await.problem(404, "not_found");
        let patch = app.ask("PATCH", "/v1/groups/netadmins").json(&json!({"description": "x"})).send().await.is(200);
        assert_eq!((patch.header("etag"), &patch.json()["description"]), ("\"2\"", &json!("x")));
        app.ask("DELETE", "/v1/groups/netadmins").send().await.is(204);
        assert_eq!(app.get("/v1/users/b").await.json()["groups"], json!([]));
    }
}

#[tokio::test]
async fn somebody_stays_who_can_let_others_in() {
    for app in TestApp::on_every_database().await {
        let last = |reply: crate::common::Reply| drop(reply.problem(409, "last_administrator"));
        let disable = async |user: &str| {
            app.ask("PATCH", &format!("/v1/users/{user}")).json(&json!({"enabled": false})).send().await
        };
        last(disable("admin").await);
        last(app.ask("DELETE", "/v1/users/admin").send().await);
        last(app.ask("DELETE", "/v1/groups/administrators/members/admin").send().await);
        last(app.ask("DELETE", "/v1/groups/administrators").send().await);
        // Another administrator who is disabled does not count; one who is not does.
        app.post("/v1/users", json!({"name": "second"})).await.is(201);
        app.ask("PUT", "/v1/groups/administrators/members/second").send().await.is(200);
        disable("second").await.is(200);
        last(disable("admin").await);
        app.ask("PATCH", "/v1/users/second").json(&json!({"enabled": true})).send().await.is(200);
        app.ask("DELETE", "/v1/groups/administrators/members/admin?dryRun=true").send().await.is(200);
        let token = app.post("/v1/tokens", json!({"name": "second", "user": "second"})).await.is(201).json();
        app.ask("DELETE", "/v1/groups/administrators/members/admin").send().await.is(204);
        app.ask("DELETE", "/v1/users/second").send().await.problem(403, "forbidden");
        let second = format!("Bearer {}", token["token"].as_str().unwrap());
        last(app.ask("DELETE", "/v1/users/second").authorization(Some(&second)).send().await);
        // The door that opens when every other is shut.
        let bearer = format!("Bearer {}", app.app.rotate_admin_token().await.unwrap().expose());
        let me = app.ask("GET", "/v1/whoami").authorization(Some(&bearer)).send().await.is(200).json();
        assert_eq!(me["groups"], json!(["administrators"]));
    }
}

#[tokio::test]
async fn the_door_of_last_resort_makes_its_user_anew() {
    for app in TestApp::on_every_database().await {
        app.post("/v1/users", json!({"name": "second"})).await.is(201);
        app.ask("PUT", "/v1/groups/administrators/members/second").send().await.is(200);
        for lock_out in ["DELETE", "PATCH"] {
            let ask = app.ask(lock_out, "/v1/users/admin").json(&json!({"enabled": false}));
            let bearer = format!("Bearer {}", app.app.rotate_admin_token().await.unwrap().expose());
            let reply = ask.authorization(Some(&bearer)).send().await;
            assert!(reply.status.is_success(), "{reply:?}");
            app.ask("GET", "/v1/whoami").authorization(Some(&bearer)).send().await.problem(401, "unauthenticated");
            let bearer = format!("Bearer {}", app.app.rotate_admin_token().await.unwrap().expose());
            app.ask("GET", "/v1/users/admin").authorization(Some(&bearer)).send().await.is(200);
        }
    }
}

#[tokio::test]
async fn dynamic_groups_have_a_rule() {
    for app in TestApp::on_every_database().await {
        let rule = "All {request.principal.type = 'certificateauthority'}";
        let made = app.post("/v1/dynamic-groups", json!({"name": "CAs", "matchingRule": rule})).await.is(201).json();
        assert_eq!((&made["name"], &made["matchingRule"]), (&json!("cas"), &json!(rule)));
        let other = "Any {request.principal.type = 'user'}";
        let patch = app.ask("PATCH", "/v1/dynamic-groups/cas").json(&json!({"matchingRule": other}));
        assert_eq!(patch.send().await.is(200).json()["matchingRule"], other);
        for bad in ["", "  ", "All {request.principal.type 'user'}", &"x".repeat(4097)] {
            let body = json!({"name": "bad", "matchingRule": bad});
            let problem = app.post("/v1/dynamic-groups", body).await.problem(400, "invalid_matching_rule");
            assert_eq!(problem["errors"][0]["pointer"], "/matchingRule");
        }
        app.ask("DELETE", "/v1/dynamic-groups/CAS").send().await.is(204);
        app.get("/v1/dynamic-groups/cas").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn unknown_fields_and_trials_change_nothing() {
    for app in TestApp::on_every_database().await {
        let bodies: [(&str, Value); 5] = [
            ("/v1/users", json!({"name": "x"})),
            ("/v1/groups", json!({"name": "x"})),
            ("/v1/dynamic-groups", json!({"name": "x", "matchingRule": "All {request.principal.type = 'user'}"})),
            ("/v1/compartments", json!({"name": "x"})),
            ("/v1/policies", json!({"name": "x", "statements": ["Allow group administrators to use keys in tenancy"]})),
        ];
        for (path, body) in bodies {
            let mut odd = body.clone();
            odd["admin"] = json!(true);
            app.post(path, odd).await.problem(400, "unknown_field");
            let trial = app.ask("POST", &format!("{path}?dryRun=true")).json(&body).send().await.is(200).json();
            assert_eq!((&trial["dryRun"], &trial["wouldBe"]["name"]), (&json!(true), &json!("x")));
            app.get(&format!("{path}/x")).await.problem(404, "not_found");
            let mut long = body.clone();
            long["description"] = json!("d".repeat(501));
            app.post(path, long).await.problem(400, "invalid_description");
            app.post(path, body).await.is(201);
            let gone = app.ask("DELETE", &format!("{path}/x?dryRun=true")).send().await.is(200).json();
            assert_eq!((&gone["dryRun"], &gone["wouldBe"]), (&json!(true), &Value::Null));
            app.get(&format!("{path}/x")).await.is(200);
        }
        let events = app.get("/v1/audit-events?limit=500").await.json();
        let mut seen: Vec<&str> =
            events["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
        seen.sort_unstable();
        let expected = [
            "compartment.create",
            "dynamic-group.create",
            "group.create",
            "policy.create",
            "token.create",
            "user.create",
        ];
        assert_eq!(seen, expected);
    }
}
