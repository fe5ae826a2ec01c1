//! What a refusal says: what is wrong, and what to do about it, so that whoever does it is let through.

use crate::common::{CSR, ISSUE, SIGN, TestApp, wish, wish_with};
use certwright_domain::policy::{Narrowing, Statement};
use serde_json::{Value, json};

fn text<'v>(problem: &'v Value, field: &str) -> &'v str {
    problem[field].as_str().unwrap()
}

/// What stands in the first pair of backticks.
fn quoted(problem: &Value) -> String {
    text(problem, "hint").split('`').nth(1).unwrap_or_else(|| panic!("{problem}")).to_owned()
}

#[tokio::test]
async fn the_hinted_statement_can_be_posted_and_lets_in() {
    let app = TestApp::new().await;
    app.root().await;
    let bearer = app.bearer_of("deployer").await;
    app.post("/v1/groups", json!({"name": "deployers"})).await.is(201);
    app.ask("PUT", "/v1/groups/deployers/members/deployer").send().await;
    let ask = async |method: &str, path: &str, body: Value| {
        app.ask(method, path).json(&body).authorization(Some(&bearer)).send().await
    };
    let add = async |name: &str, statement: &str| {
        let statement = statement.replace("GROUP", "deployers").replace("PROFILE", "tls-server");
        assert!(Statement::parse(&statement).is_ok(), "{statement}");
        app.post("/v1/policies", json!({"name": name, "statements": [statement]})).await.is(201);
    };

    let problem = ask("POST", "/v1/vaults", json!({"name": "v"})).await.problem(403, "forbidden");
    assert!(text(&problem, "detail").starts_with("You lack the permission `vaults:manage` in tenancy."), "{problem}");
    add("vaults", &quoted(&problem)).await;
    ask("POST", "/v1/vaults", json!({"name": "v"})).await.is(201);

    add(
        "shop",
        "Allow group GROUP to use certificate-authority-delegates in tenancy where target.names = /*.shop.example/",
    )
    .await;
    let wish = wish_with("a.example.com", json!({"profile": "tls-server"}));
    let problem = ask("POST", ISSUE, wish.clone()).await.problem(403, "forbidden");
    assert!(text(&problem, "detail").ends_with("in tenancy for these names with this profile."), "{problem}");
    add("profile", &quoted(&problem)).await;
    ask("POST", ISSUE, wish).await.is(201);
}

#[tokio::test]
async fn a_token_whose_scopes_are_in_the_way_is_told_so() {
    let app = TestApp::new().await;
    app.root().await;
    let token = async |name: &str, scope: &str| {
        assert!(Narrowing::parse(scope).is_ok(), "{scope}");
        let made = app.post("/v1/tokens", json!({"name": name, "scopes": [scope]})).await.is(201).json();
        format!("Bearer {}", made["token"].as_str().unwrap())
    };
    let make = async |bearer: &str| {
        app.ask("POST", "/v1/vaults").json(&json!({"name": "v"})).authorization(Some(bearer)).send().await
    };
    let narrow = token("narrow", "read vaults in tenancy").await;
    let problem = make(&narrow).await.problem(403, "forbidden");
    assert!(text(&problem, "detail").contains("the scopes of this token leave no room for it"), "{problem}");
    assert_eq!(text(&problem, "hint"), "Use a token without scopes, or one with the scope `manage vaults in tenancy`.");
    let wide = token("wide", &quoted(&problem)).await;
    make(&wide).await.is(201);
    // What may be seen through the scopes is refused with the reason, what may not is absent.
    let delete = app.ask("POST", "/v1/vaults/v/schedule-deletion").json(&json!({})).authorization(Some(&narrow));
    let problem = delete.send().await.problem(403, "forbidden");
    assert!(text(&problem, "detail").contains("the scopes of this token"), "{problem}");
    for path in ["/v1/certificate-authorities/root", "/v1/certificate-authorities/none"] {
        let reply = app.ask("GET", path).authorization(Some(&narrow)).send().await;
        assert!(!reply.problem(404, "not_found")["detail"].as_str().unwrap().contains("scopes"));
    }
    // Where the user may not either, it is the policies that say no.
    app.post("/v1/users", json!({"name": "other"})).await.is(201);
    let made = json!({"name": "others", "user": "other", "scopes": ["read vaults in tenancy"]});
    let made = app.post("/v1/tokens", made).await.is(201).json();
    let problem = make(&format!("Bearer {}", made["token"].as_str().unwrap())).await.problem(403, "forbidden");
    assert!(text(&problem, "detail").starts_with("You lack"), "{problem}");
}

#[tokio::test]
async fn names_in_a_body_that_mean_nothing_have_their_place() {
    let app = TestApp::new().await;
    app.root().await;
    app.post("/v1/vaults/default/keys", json!({"name": "k", "algorithm": "ECDSA"})).await.is(201);
    let ca = |more: Value| {
        let mut body = json!({"name": "sub", "type": "SUBORDINATE", "issuer": "root", "vault": "default", "key": "k",
            "subject": {"commonName": "sub"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let directory = json!({"name": "d", "ca": "nix"});
    let token =
        |ca: &str, profile: &str| json!({"name": "t", "ca": ca, "profile": profile, "names": ["a.example.com"]});
    for (path, body, pointer) in [
        (ISSUE, wish_with("a.example.com", json!({"profile": "nix"})), "/profile"),
        (SIGN, json!({"csr": CSR, "profile": "nix"}), "/profile"),
        ("/v1/certificates", json!({"name": "c", "ca": "nix", "names": ["a.example.com"]}), "/ca"),
        (
            "/v1/certificates",
            json!({"name": "c", "ca": "root", "names": ["a.example.com"], "profile": "nix"}),
            "/profile",
        ),
        ("/v1/certificate-authorities", ca(json!({"vault": "nix"})), "/vault"),
        ("/v1/certificate-authorities", ca(json!({"key": "nix"})), "/key"),
        ("/v1/certificate-authorities", ca(json!({"issuer": "nix"})), "/issuer"),
        ("/v1/enrollment-tokens", token("nix", "tls-server"), "/ca"),
        ("/v1/enrollment-tokens", token("root", "nix"), "/profile"),
        ("/v1/acme-directories", directory, "/ca"),
        ("/v1/vaults", json!({"name": "v", "compartment": "nix"}), "/compartment"),
    ] {
        let problem = app.post(path, body).await.problem(404, "not_found");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}: {problem}");
    }
    let problem =
        app.post("/v1/certificate-authorities/nix/issue", wish("a.example.com")).await.problem(404, "not_found");
    assert_eq!(problem["errors"], json!([]));
}

#[tokio::test]
async fn a_body_that_is_too_large_hears_by_how_much() {
    let app = TestApp::new().await;
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(256 * 1024));
    let ask = || app.ask("POST", "/v1/vaults").header("content-type", "application/json").body(large.clone());
    let problem = ask().header("content-length", &large.len().to_string()).send().await.problem(413, "body_too_large");
    assert_eq!(
        text(&problem, "detail"),
        format!("The body has {} bytes; at most 262144 are taken here (`limits.body`).", large.len())
    );
    assert!(text(&problem, "hint").contains("raise `limits.body`"), "{problem}");
    assert_eq!(problem["errors"][0]["limit"], "262144 bytes");
    let exchange = app.ask("POST", "/v1/auth/oidc").authorization(None).header("content-type", "application/json");
    let problem = exchange.body(format!("{{\"token\":\"{}\"}}", "x".repeat(40_000))).send().await;
    let problem = problem.problem(413, "body_too_large");
    assert_eq!(text(&problem, "hint"), "Send at most 32768 bytes.");
}

#[tokio::test]
async fn the_plain_listener_says_where_things_are() {
    let app = TestApp::with(|settings| settings.public_url = "https://ca.example.com".to_owned()).await;
    let ask = async |path: &str| app.ask("GET", path).plain().send().await.problem(404, "not_found");
    let problem = ask("/metrics").await;
    assert!(
        text(&problem, "detail") == "Metrics are switched off." && text(&problem, "hint").contains("metrics.enabled")
    );
    assert_eq!(text(&ask("/v1/vaults").await, "hint"), "It is at https://ca.example.com/v1/vaults.");
    assert!(text(&ask("/openapi.yaml").await, "hint").contains("https://ca.example.com/openapi.yaml"));
    assert!(text(&ask("/v12").await, "hint").contains("the API is at https://ca.example.com"));
    let problem = app.get("/metrics").await.problem(404, "not_found");
    assert!(text(&problem, "hint").contains("`http_listen`"), "{problem}");
}

#[tokio::test]
async fn whoever_has_the_wrong_credential_hears_which_one_is_asked_for() {
    let app = TestApp::new().await;
    app.root().await;
    let hint = async |path: &str, authorization: Option<&str>| {
        let body = json!({"csr": CSR, "token": "a.b.c"});
        let body = if path.ends_with("oidc") { json!({"token": "a.b.c"}) } else { body };
        let reply = app.ask("POST", path).json(&body).authorization(authorization).send().await;
        reply.problem(401, "unauthenticated")["hint"].as_str().unwrap().to_owned()
    };
    let enroll = hint("/v1/auth/enroll", None).await;
    assert!(enroll.contains("enrolment token (`cwe_…`)"), "{enroll}");
    assert_eq!(hint("/v1/auth/enroll", Some("Bearer cwe_nobody")).await, enroll);
    assert!(hint("/v1/auth/oidc", None).await.contains("(JWT) of an identity provider"));
    assert!(hint("/v1/certificate-authorities/root/renew-certificate", None).await.contains("--cert"));
    assert!(hint(SIGN, None).await.contains("Bearer <token>"));
}

#[tokio::test]
async fn what_is_absent_is_called_by_its_name() {
    let app = TestApp::new().await;
    app.root().await;
    app.ask("PUT", "/v1/certificates/web")
        .json(&json!({"ca": "root", "names": ["a.example.com"]}))
        .send()
        .await
        .is(201);
    for (path, status, detail, hint) in [
        ("/v1/certificates/%00", 400, "escaped slash, backslash, dot or NUL", "Write the path plainly"),
        ("/v1/issued-certificates/zzz", 400, "neither a serial nor a SHA-256 fingerprint nor an id", "`issued_…`"),
        ("/v1/issued-certificates/0a0b", 404, "no issued certificate `0a0b`", "serial, fingerprint or id"),
        ("/v1/certificates/web/bundle?version=7", 404, "no certificate version `web, version 7`", "/versions lists"),
        ("/v1/certificates/web/versions/7", 404, "no certificate version `web, version 7`", "/versions lists"),
        ("/v1/certificates/web/bundle?format=p12", 406, "not exist in the format", "`POST` and a password in the body"),
        ("/v1/certificates/web/bundle?format=csv", 406, "not exist in the format", "`?format=`"),
        ("/pki/root/delta.crl", 404, "no delta revocation list of CA `root`", "`revocation.crl.delta`"),
    ] {
        let problem = app.get(path).await.is(status).json();
        assert!(text(&problem, "detail").contains(detail), "{path}: {problem}");
        assert!(text(&problem, "hint").contains(hint), "{path}: {problem}");
    }
    let taken = app.post("/v1/acme-directories", json!({"name": "d", "ca": "root"})).await.is(201);
    drop(taken);
    let problem = app.post("/v1/acme-directories", json!({"name": "d", "ca": "root"})).await.problem(409, "name_taken");
    assert_eq!(text(&problem, "detail"), "The name d belongs to another ACME directory already.");
    let statement = json!({"name": "p", "statements": ["Allow grup a to read vaults in tenancy"]});
    let problem = app.post("/v1/policies", statement).await.problem(400, "invalid_statement");
    assert!(text(&problem, "detail").ends_with("did you mean `group`?"), "{problem}");
    let german = wish_with("a.example.com", json!({"subject": {"country": "Germany"}}));
    let problem = app.post(ISSUE, german).await.is(400).json();
    assert!(text(&problem, "hint").contains("two capital letters of ISO 3166"), "{problem}");
}
