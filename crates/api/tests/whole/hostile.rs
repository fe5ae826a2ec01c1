//! Bodies made to cost memory or time (A44): nothing of a body is read before the caller is known, and what is read is bounded.

use crate::common::TestApp;
use crate::routes::routes;
use certwright_app::{Needs, OPERATIONS};
use serde_json::json;

/// Whoever sends no credential, or a wrong one, is told so, whatever the body is: it is not looked at, also under an idempotency
/// key.
#[tokio::test]
async fn nobodys_body_is_looked_at() {
    let app = TestApp::new().await;
    let wrong = format!("Bearer {}x", app.token);
    let (mut asked, body) = (0_u32, format!("{{\"a\":{}", "[".repeat(100_000)));
    for route in routes() {
        let operation = OPERATIONS.iter().find(|operation| operation.id == route.id).unwrap();
        if route.method == "GET" || operation.needs == Needs::Nothing {
            continue;
        }
        let path = route.path.replace(['{', '}'], "");
        for authorization in [None, Some(wrong.as_str())] {
            let ask = || app.ask(&route.method, &path).authorization(authorization).body(body.as_str());
            for ask in [ask(), ask().header("idempotency-key", "k")] {
                let reply = ask.header("content-type", "application/json").send().await;
                reply.problem(401, "unauthenticated");
                asked = asked.saturating_add(1);
            }
        }
    }
    assert!(asked >= 300, "{asked}");
}

/// A body of so many bytes with as many strings as fit into it.
fn many_strings(bytes: usize) -> String {
    let mut body = String::from("{\"a\":[\"\"");
    while body.len() < bytes.saturating_sub(8) {
        body.push_str(",\"\"");
    }
    body.push_str("]}");
    body
}

/// With as many fields.
fn many_fields(bytes: usize) -> String {
    let mut body = String::from("{\"f\":0");
    let mut number = 0_u32;
    while body.len() < bytes.saturating_sub(16) {
        body.push_str(&format!(",\"f{number}\":0"));
        number = number.saturating_add(1);
    }
    body.push('}');
    body
}

#[tokio::test]
async fn deep_bodies_are_refused_on_every_route_that_takes_one() {
    let app = TestApp::new().await;
    app.root().await;
    let deep = [
        format!("{}{}", "[".repeat(33), "]".repeat(33)),
        format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40)),
        "[".repeat(20_000),
        "{\"a\":".repeat(10_000),
        format!("{{\"name\":{}", "[{\"a\":".repeat(5_000)),
    ];
    let mut refused = 0_u32;
    for route in routes() {
        if route.method == "GET" || route.path.starts_with("/pki/") {
            continue;
        }
        // A resource that is not there is told first on some routes; what may not be is a success, or our own fault.
        let path = route.path.replace("{ca}", "root").replace("{version}", "1").replace(['{', '}'], "");
        for body in &deep {
            let ask = app.ask(&route.method, &path).header("content-type", "application/json");
            let ask = if ["PATCH", "PUT"].contains(&route.method.as_str()) { ask.header("if-match", "*") } else { ask };
            let reply = ask.body(body.as_str()).send().await;
            let (status, shown) = (reply.status.as_u16(), format!("{} {path}: {}", route.method, reply.text()));
            assert!((400..500).contains(&status) || status == 204, "{shown}");
            if reply.status == 400 && reply.json()["code"] == "json_too_deep" {
                refused = refused.saturating_add(1);
            }
        }
    }
    assert!(refused >= 200, "{refused}");
}

#[tokio::test]
async fn what_is_open_to_all_takes_little() {
    let app = TestApp::new().await;
    let exchange = async |body: String| {
        let ask = app.ask("POST", "/v1/auth/oidc").authorization(None).header("content-type", "application/json");
        ask.body(body).send().await
    };
    exchange(format!("{{\"token\":{}", "[".repeat(20_000))).await.problem(400, "json_too_deep");
    exchange(format!("{{\"token\":\"{}\"}}", "x".repeat(40_000))).await.problem(413, "body_too_large");
    exchange(many_strings(30_000)).await.is(400);
    exchange(many_fields(30_000)).await.is(400);
    for body in [many_strings(40_000), many_fields(40_000)] {
        exchange(body).await.problem(413, "body_too_large");
    }
    // The claims of a token are bounded before a provider is looked for.
    exchange(json!({"token": format!("a.{}.c", "b".repeat(20_000))}).to_string()).await.problem(401, "unauthenticated");
    let ocsp =
        app.ask("POST", "/pki/root/1/ocsp").authorization(None).header("content-type", "application/ocsp-request");
    ocsp.body(vec![0x30; 70_000]).send().await.is(413);
}
