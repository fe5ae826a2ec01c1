//! Paths and methods that another reader might take for something else (A5): refused, on every route.

use crate::common::{Reply, TestApp};
use crate::routes::{Route, routes};
use serde_json::json;

/// A path of this route with plain words in it.
fn filled(route: &Route) -> String {
    route.path.replace("{version}", "1").replace("{shards}", "2").replace("{shard}", "1").replace(['{', '}'], "")
}

/// Every route but those below which everything is base64.
fn plain_routes() -> impl Iterator<Item = Route> {
    routes().into_iter().filter(|route| !route.path.contains("/ocsp"))
}

/// The path, written so that somebody in between might read it differently.
fn tricks(path: &str) -> Vec<String> {
    let rest = path.trim_start_matches('/');
    let (first, tail) = rest.split_once('/').map_or((rest, String::new()), |(first, tail)| (first, format!("/{tail}")));
    let mut tricks = vec![
        format!("/{path}"),
        format!("/.{path}"),
        format!("/..{path}"),
        format!("/x/..{path}"),
        format!("/healthz/..{path}"),
        format!("/pki/x/ca.crt/../../..{path}"),
        format!("/%2e{path}"),
        format!("/%2E%2e{path}"),
        format!("/%2e.{path}"),
        format!("/%2f{rest}"),
        format!("/%5c{rest}"),
        format!("/\\{rest}"),
        format!("/{first}/.{tail}"),
        format!("/{first}/x/..{tail}"),
        format!("/{first}%2F{}", tail.trim_start_matches('/')),
        format!("/{first}%5C{}", tail.trim_start_matches('/')),
        format!("{path}//"),
        format!("{path}//x"),
        format!("{path}/."),
        format!("{path}/.."),
        format!("{path}/../x"),
        format!("{path}/%2e%2e"),
        format!("{path}%2f"),
        format!("{path}%2F..%2Fx"),
        format!("{path}%00"),
        format!("{path}%00.crt"),
        format!("{path}\\..\\x"),
    ];
    if !tail.is_empty() {
        tricks.push(format!("/{first}/{tail}"));
    }
    // Once more in the way of those who decode twice.
    let twice: Vec<String> = tricks.iter().filter(|it| it.contains('%')).map(|it| it.replace('%', "%25")).collect();
    tricks.extend(twice);
    tricks
}

/// Not what stands there under the plain path.
#[track_caller]
fn is_turned_away(reply: &Reply, asked: &str) {
    assert!([400, 401, 404, 405].contains(&reply.status.as_u16()), "{asked}: {reply:?}");
}

#[tokio::test]
async fn tricks_with_paths_are_refused_on_every_route() {
    let app = TestApp::new().await;
    let (mut refused, before) = (0_u32, app.get("/v1/audit-events?limit=500").await.json());
    for route in plain_routes() {
        for trick in tricks(&filled(&route)) {
            let asked = format!("{} {trick}", route.method);
            let reply = app.ask(&route.method, &trick).json(&json!({})).send().await;
            // What is escaped twice is a name that nobody has, or none.
            if trick.contains("%25") {
                is_turned_away(&reply, &asked);
                continue;
            }
            assert_eq!(reply.status, 400, "{asked}: {reply:?}");
            reply.problem(400, "invalid_path");
            let stranger = app.ask(&route.method, &trick).authorization(None).json(&json!({})).send().await;
            stranger.problem(400, "invalid_path");
            refused = refused.saturating_add(1);
        }
    }
    assert!(refused > 3_000, "{refused}");
    assert_eq!(app.get("/v1/audit-events?limit=500").await.json(), before, "nothing came of any of them");
}

#[tokio::test]
async fn prefixes_have_one_spelling() {
    let app = TestApp::new().await;
    for route in plain_routes() {
        let path = filled(&route);
        let (first, tail) = match path.trim_start_matches('/').split_once('/') {
            Some((first, tail)) => (first.to_owned(), format!("/{tail}")),
            None => (path.trim_start_matches('/').to_owned(), String::new()),
        };
        for first in [first.to_uppercase(), format!("{first} ").replace(' ', "%20"), format!("{first};a=b")] {
            let path = format!("/{first}{tail}");
            let reply = app.ask(&route.method, &path).json(&json!({})).send().await;
            reply.problem(404, "not_found");
        }
        for path in [format!("{path}/"), format!("{path};a=b"), format!("{path}%09"), format!("{path}%20")] {
            let reply = app.ask(&route.method, &path).json(&json!({})).send().await;
            is_turned_away(&reply, &path);
            let stranger = app.ask(&route.method, &path).authorization(None).json(&json!({})).send().await;
            is_turned_away(&stranger, &path);
        }
    }
}

#[tokio::test]
async fn methods_that_are_none_get_nothing() {
    let app = TestApp::new().await;
    app.post("/v1/vaults", json!({"name": "vault"})).await.is(201);
    for route in plain_routes() {
        let path = filled(&route);
        for method in ["LIST", "list", "get", "Post", "PROPFIND", "SEARCH", "COPY", "MOVE", "TRACE", "OPTIONS"] {
            let reply = app.ask(method, &path).json(&json!({})).send().await;
            reply.problem(405, "method_not_allowed");
        }
    }
    // HEAD is GET, for those who may GET.
    app.ask("HEAD", "/v1/vaults").send().await.is(200);
}

/// `HEAD` without leave: its answer has no body, so the conventions of problems are looked at elsewhere.
#[tokio::test]
async fn no_header_takes_the_place_of_method_or_path() {
    let app = TestApp::new().await;
    app.post("/v1/vaults", json!({"name": "kept"})).await.is(201);
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        app.ask("GET", "/v1/vaults/kept").header(name, "DELETE").send().await.is(200);
        let posted = app.ask("POST", "/v1/vaults/kept").header(name, "PATCH").json(&json!({"name": "gone"}));
        posted.send().await.problem(405, "method_not_allowed");
    }
    let health = app.get("/healthz").await.is(200).text();
    for name in ["x-original-url", "x-rewrite-url", "x-forwarded-uri", "x-forwarded-prefix"] {
        let asked = app.ask("GET", "/healthz").header(name, "/v1/vaults").send().await.is(200);
        assert_eq!(asked.text(), health, "{name}");
        let stranger = app.ask("GET", "/v1/vaults").authorization(None).header(name, "/healthz").send().await;
        stranger.problem(401, "unauthenticated");
    }
    for name in ["x-forwarded-user", "x-remote-user", "x-ssl-client-cert", "x-client-cert", "x-forwarded-client-cert"] {
        let stranger = app.ask("GET", "/v1/vaults").authorization(None).header(name, "admin").send().await;
        stranger.problem(401, "unauthenticated");
    }
    app.get("/v1/vaults/kept").await.is(200);
}
