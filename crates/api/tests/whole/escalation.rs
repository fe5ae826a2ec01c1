//! Ways around what somebody lacks: a compartment's name, a resource's place, a key that stands for a proof.

use crate::common::{Reply, TestApp};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
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

/// A root CA `root` and a certificate `c` of it, both in `prod`.
async fn in_prod(app: &TestApp) {
    compartments(app, &["prod", "sandbox"]).await;
    app.root().await;
    app.post("/v1/certificates", json!({"name": "c", "ca": "root", "names": ["a.example.com"], "exportable": true}))
        .await
        .is(201);
    for (kind, resource) in [("certificate-authority", "root"), ("certificate", "c")] {
        let body = json!({"kind": kind, "resource": resource});
        app.post("/v1/compartments/prod/resources", body).await.is(200);
    }
}

#[tokio::test]
async fn what_is_moved_brings_nobody_what_was_withheld_where_it_lay() {
    let app = TestApp::new().await;
    in_prod(&app).await;
    let kinds = [
        ("certificate", "c", "leaf-certificates", &["read leaf-certificate-bundles"][..]),
        (
            "certificate-authority",
            "root",
            "certificate-authorities",
            &[
                "use certificate-authority-delegates",
                "manage certificate-authority-bundles",
                "manage issued-certificates",
                "manage acme-directories",
                "manage acme-accounts",
                "manage enrollment-tokens",
            ],
        ),
    ];
    for (kind, resource, managed, withheld) in kinds {
        for missing in (0..withheld.len()).map(Some).chain([None]) {
            let name = format!("{kind}-{}", missing.map_or_else(|| "all".to_owned(), |missing| missing.to_string()));
            let given = withheld.iter().enumerate().filter(|(index, _)| Some(*index) != missing);
            let mut statements: Vec<String> =
                given.map(|(_, given)| format!("Allow user {name} to {given} in compartment prod")).collect();
            statements.push(format!("Allow user {name} to manage {managed} in compartment prod"));
            statements.push(format!("Allow user {name} to manage all-resources in compartment sandbox"));
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            let mover = Somebody::with(&app, &name, &statements).await;
            let body = json!({"kind": kind, "resource": resource});
            let moved = mover.send("POST", "/v1/compartments/sandbox/resources", body).await;
            let Some(missing) = missing else {
                moved.is(200);
                continue;
            };
            let (verb, resource) = withheld[missing].split_once(' ').unwrap();
            let problem = moved.problem(403, "forbidden");
            assert!(problem.to_string().contains(&format!("{resource}:{verb}")), "{problem}");
        }
    }
}

#[tokio::test]
async fn a_compartment_that_may_not_be_seen_is_as_absent_as_one_that_is_not_there() {
    let app = TestApp::new().await;
    in_prod(&app).await;
    app.post("/v1/vaults", json!({"name": "mine", "compartment": "sandbox"})).await.is(201);
    let dev = Somebody::with(&app, "dev", &["Allow user dev to manage all-resources in compartment sandbox"]).await;
    for compartment in ["prod", "gone"] {
        let list = dev.send("GET", &format!("/v1/policies?compartment={compartment}"), json!(null)).await;
        list.problem(404, "not_found");
    }
    dev.send("GET", "/v1/policies?compartment=sandbox", json!(null)).await.is(200);
    for resource in ["mine", "none"] {
        let mut answers = Vec::new();
        for compartment in ["prod", "gone"] {
            let path = format!("/v1/compartments/{compartment}/resources");
            let reply = dev.send("POST", &path, json!({"kind": "vault", "resource": resource})).await;
            let problem = reply.problem(404, "not_found");
            answers.push(problem["detail"].as_str().unwrap().replace(compartment, "there"));
        }
        assert_eq!(answers.first(), answers.last(), "{resource}");
    }
}

#[tokio::test]
async fn what_lies_in_a_compartment_is_listed_as_far_as_it_may_be_seen() {
    for app in TestApp::on_every_database().await {
        in_prod(&app).await;
        app.post("/v1/vaults", json!({"name": "hidden", "compartment": "prod"})).await.is(201);
        app.post("/v1/vaults/hidden/keys", json!({"name": "k", "algorithm": "ECDSA"})).await.is(201);
        let body = json!({"kind": "key", "resource": "k", "vault": "hidden"});
        app.post("/v1/compartments/prod/resources", body.clone()).await.is(200);
        let statements = [
            "Allow user dev to read compartments in tenancy",
            "Allow user dev to inspect leaf-certificates in compartment prod",
            "Allow user dev to inspect keys in compartment prod where target.key.name = 'other'",
            "Allow user dev to manage all-resources in compartment sandbox",
        ];
        let dev = Somebody::with(&app, "dev", &statements).await;
        let listed = dev.send("GET", "/v1/compartments/prod/resources", json!(null)).await.is(200).json();
        let listed: Vec<_> = listed["items"].as_array().unwrap().iter().map(|it| (&it["kind"], &it["name"])).collect();
        assert_eq!(listed, [(&json!("certificate"), &json!("c"))]);
        let all = app.get("/v1/compartments/prod/resources").await.is(200).json();
        assert_eq!(all["items"].as_array().unwrap().len(), 4, "{all}");

        // Nor does a move tell whether there is such a vault.
        let mut answers = Vec::new();
        for vault in ["hidden", "gone"] {
            for key in ["k", "none"] {
                let body = json!({"kind": "key", "resource": key, "vault": vault});
                let reply = dev.send("POST", "/v1/compartments/sandbox/resources", body).await;
                answers.push(reply.problem(404, "not_found")["detail"].as_str().unwrap().replace(vault, "v"));
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
}

/// Whoever brings a CA puts a key into a vault.
#[tokio::test]
async fn a_ca_that_is_brought_needs_leave_to_put_its_key_where_it_goes() {
    for app in TestApp::on_every_database().await {
        compartments(&app, &["prod", "team"]).await;
        app.root().await;
        app.ca("away", json!({"type": "ROOT", "exportable": true})).await.is(201);
        let away = app.post("/v1/certificate-authorities/away/export", json!({"password": "golden"})).await.is(200);
        app.post("/v1/vaults", json!({"name": "payments", "compartment": "prod"})).await.is(201);
        let mut body = json!({"name": "back", "type": "IMPORTED", "key": "k", "compartment": "team", "password": "golden",
            "pkcs12": STANDARD.encode(&away.body)});
        let mut bring = async |name: &str, vault: &str, more: &[&str]| {
            let own = format!("Allow user {name} to manage certificate-authorities in compartment team");
            let more = more.iter().map(|more| format!("Allow user {name} to {more} in compartment prod"));
            let statements: Vec<String> = std::iter::once(own).chain(more).collect();
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            let dev = Somebody::with(&app, name, &statements).await;
            body["vault"] = json!(vault);
            dev.send("POST", "/v1/certificate-authorities", body.clone()).await
        };
        let mut answers = Vec::new();
        for (name, vault) in [("one", "payments"), ("two", "none")] {
            let problem = bring(name, vault, &[]).await.problem(404, "not_found");
            answers.push(problem["detail"].as_str().unwrap().replace(vault, "v"));
        }
        assert_eq!(answers.first(), answers.last());
        let problem = bring("three", "payments", &["inspect vaults"]).await.problem(403, "forbidden");
        assert!(problem.to_string().contains("keys:manage"), "{problem}");
        assert_eq!(app.get("/v1/vaults/payments/keys").await.json()["items"], json!([]));
        bring("four", "payments", &["inspect vaults", "manage keys"]).await.is(201);
        let placed = app.get("/v1/compartments/prod/resources?kind=key").await.is(200).json();
        assert_eq!(placed["items"][0]["name"], "k", "it lies where its vault lies: {placed}");
    }
}

#[tokio::test]
async fn no_cursor_tells_of_what_may_not_be_seen() {
    for app in TestApp::on_every_database().await {
        compartments(&app, &["prod", "sandbox"]).await;
        let mut ids = Vec::new();
        for (name, compartment) in [("hidden-a", "prod"), ("mine", "sandbox"), ("secret-z", "prod")] {
            let made = app.post("/v1/vaults", json!({"name": name, "compartment": compartment})).await.is(201).json();
            ids.push(made["id"].as_str().unwrap().to_owned());
        }
        let dev = Somebody::with(&app, "dev", &["Allow user dev to inspect vaults in compartment sandbox"]).await;
        let (mut seen, mut told, mut path) = (Vec::new(), Vec::new(), "/v1/vaults?limit=1".to_owned());
        loop {
            let page = dev.send("GET", &path, json!(null)).await.is(200).json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            // Read once and once more: what is inside was base64 as well.
            let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
            let inner = URL_SAFE_NO_PAD.decode(&bytes).unwrap_or_default();
            told.extend([cursor.as_bytes().to_vec(), bytes, inner].map(|it| String::from_utf8_lossy(&it).into_owned()));
            path = format!("/v1/vaults?limit=1&cursor={cursor}");
        }
        assert_eq!(seen, ["mine"]);
        assert!(told.len() >= 6, "{told:?}");
        let known = ids.iter().map(String::as_str).chain(["hidden-a", "secret-z", "vaults"]);
        for secret in known {
            assert!(!told.iter().any(|text| text.contains(secret)), "{secret}: {told:?}");
        }
        // Plain ones are not taken any more, nor is one that was tampered with or belongs to another list.
        let plain = URL_SAFE_NO_PAD.encode(URL_SAFE_NO_PAD.encode("vaults\nmine\nvault_01JD8XK4M2W7Z3T5V9YQ6B1C0D"));
        let sealed = path.rsplit_once('=').unwrap().1.to_owned();
        let cut = sealed.get(..sealed.len() - 4).unwrap().to_owned();
        for wrong in [plain, cut, "A".repeat(2000)] {
            app.get(&format!("/v1/vaults?cursor={wrong}")).await.problem(400, "invalid_cursor");
        }
        app.get(&format!("/v1/users?cursor={sealed}")).await.problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn a_key_that_stands_for_a_challenge_needs_leave_to_sign() {
    let app = TestApp::new().await;
    app.root().await;
    for (name, without) in [("trusting", true), ("asking", false)] {
        let directory =
            json!({"name": name, "ca": "root", "externalAccountRequired": true, "withoutChallenge": without});
        app.post("/v1/acme-directories", directory).await.is(201);
    }
    let desk = Somebody::with(&app, "desk", &["Allow user desk to manage acme-accounts in tenancy"]).await;
    let narrow = [
        "Allow user narrow to manage acme-accounts in tenancy",
        "Allow user narrow to use certificate-authority-delegates in tenancy where target.names != 'b.example.com'",
    ];
    let narrow = Somebody::with(&app, "narrow", &narrow).await;
    let signer = [
        "Allow user signer to manage acme-accounts in tenancy",
        "Allow user signer to use certificate-authority-delegates in tenancy",
    ];
    let signer = Somebody::with(&app, "signer", &signer).await;
    let key = |name: &str, directory: &str, names: Value| json!({"name": name, "directory": directory, "names": names});
    for somebody in [&desk, &narrow] {
        let refused = somebody.send("POST", "/v1/acme-eab-keys", key("k", "trusting", json!(["*.example.com"]))).await;
        let problem = refused.problem(403, "cannot_grant");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("certificate-authority-delegates:use"), "{problem}");
    }
    signer.send("POST", "/v1/acme-eab-keys", key("k", "trusting", json!(["*.example.com"]))).await.is(201);
    // Without names it vouches for nothing, and where there are challenges names only narrow.
    desk.send("POST", "/v1/acme-eab-keys", key("plain", "trusting", Value::Null)).await.is(201);
    desk.send("POST", "/v1/acme-eab-keys", key("k", "asking", json!(["*.example.com"]))).await.is(201);
}
