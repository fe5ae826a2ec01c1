//! What a refusal says: what is wrong, and what to do about it, so that whoever does it is let through.

use crate::common::{ISSUE, TestApp, wish_with};
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
