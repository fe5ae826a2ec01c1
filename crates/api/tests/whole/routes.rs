//! The router and `openapi.yaml` know the same operations, and every operation but the open ones asks who calls.

use crate::common::TestApp;
use std::collections::BTreeMap;

/// Open to all.
const OPEN: [&str; 5] = ["/healthz", "/readyz", "/openapi.yaml", "/v1/trust", "/v1/auth/oidc"];

/// Open to all: these, and what certificates point to.
fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.starts_with("/pki/")
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// An operation of the document.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) id: String,
}

/// Every operation of the document, with its id.
pub(crate) fn routes() -> Vec<Route> {
    let (mut found, mut path, mut method) = (Vec::new(), String::new(), String::new());
    for line in certwright_api::openapi_yaml().lines() {
        if let Some(name) = line.strip_prefix("  /") {
            path = format!("/{}", name.trim_end_matches(':'));
        } else if let Some(word) = line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')) {
            method = word.trim_end_matches(':').to_ascii_uppercase();
        } else if let Some(id) = line.strip_prefix("      operationId: ") {
            found.push(Route { method: method.clone(), path: path.clone(), id: id.to_owned() });
        }
    }
    found
}

/// Paths with their methods, read from the document as text: a path stands at two blanks, a method at four.
fn operations() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut in_paths, mut path) = (false, String::new());
    for line in certwright_api::openapi_yaml().lines() {
        if !line.starts_with(' ') {
            in_paths = line == "paths:";
        } else if let Some(name) = line.strip_prefix("  /").filter(|_| in_paths) {
            path = format!("/{}", name.trim_end_matches(':'));
        } else if let Some(word) = line.strip_prefix("    ").filter(|rest| in_paths && !rest.starts_with(' ')) {
            let method = word.trim_end_matches(':').to_ascii_uppercase();
            if METHODS.contains(&method.as_str()) {
                found.entry(path.clone()).or_default().push(method);
            }
        }
    }
    found
}

fn filled(path: &str) -> String {
    path.replace("{version}", "1").replace("{shards}", "2").replace("{shard}", "1").replace(['{', '}'], "")
}

#[tokio::test]
async fn the_router_knows_exactly_the_documented_operations() {
    let app = TestApp::new().await;
    let operations = operations();
    assert!(operations.len() >= 45, "{}", operations.len());
    for (path, methods) in &operations {
        let reply = app.ask("TRACE", &filled(path)).send().await;
        let mut allowed: Vec<&str> = reply.header("allow").split(',').filter(|method| *method != "HEAD").collect();
        allowed.sort_unstable();
        let mut documented: Vec<&str> = methods.iter().map(String::as_str).collect();
        documented.sort_unstable();
        assert_eq!(allowed, documented, "{path}");
        reply.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn every_operation_but_the_open_ones_asks_who_calls() {
    let app = TestApp::new().await;
    let wrong = format!("Bearer {}x", app.token);
    for (path, methods) in &operations() {
        for method in methods {
            for authorization in [None, Some("Bearer wrong"), Some(wrong.as_str()), Some("Basic YTpi")] {
                let path = filled(path);
                // A body that nobody would take: it must not be looked at before the caller is known.
                let reply = app.ask(method, &path).authorization(authorization).body("{").send().await;
                if is_open(&path) {
                    assert_ne!(reply.status, 401, "{method} {path}");
                } else {
                    assert!(reply.header("www-authenticate").starts_with("Bearer"), "{method} {path}: {reply:?}");
                    reply.problem(401, "unauthenticated");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_open_routes_are_the_documented_ones() {
    let document = certwright_api::openapi_yaml();
    let without_token = document.lines().filter(|line| line.trim() == "security: []").count();
    let open: Vec<(String, Vec<String>)> = operations().into_iter().filter(|(path, _)| is_open(path)).collect();
    assert_eq!(without_token, open.iter().map(|(_, methods)| methods.len()).sum::<usize>());
    assert!(OPEN.iter().all(|path| operations().contains_key(*path)));
}

#[tokio::test]
async fn the_plain_listener_has_health_and_issuers_only() {
    let app = TestApp::new().await;
    app.root().await;
    app.ask("GET", "/healthz").plain().send().await.is(200);
    app.ask("GET", "/readyz").plain().send().await.is(200);
    let certificate = app.ask("GET", "/pki/root/ca.crt").authorization(None).plain().send().await.is(200);
    assert_eq!(certificate.header("content-type"), "application/pkix-cert");
    assert!(certificate.header("cache-control").starts_with("public"));
    let version = app.ask("GET", "/pki/root/1/ca.crt").authorization(None).plain().send().await.is(200);
    assert_eq!(certificate.body, version.body);
    for path in ["/v1/vaults", "/v1/trust", "/v1/whoami", "/openapi.yaml"] {
        app.ask("GET", path).plain().send().await.problem(404, "not_found");
    }
    app.ask("GET", "/pki/none/ca.crt").plain().send().await.problem(404, "not_found");
    app.ask("GET", "/pki/root/x/ca.crt").plain().send().await.problem(400, "invalid_version");
}

#[tokio::test]
async fn every_operation_describes_its_problems() {
    let document = certwright_api::openapi_yaml();
    let operations: usize = operations().values().map(Vec::len).sum();
    let count = |text: &str| document.lines().filter(|line| line.trim() == text).count();
    assert_eq!(count("$ref: '#/components/responses/Malformed'"), operations);
    let open: usize =
        self::operations().iter().filter(|(path, _)| is_open(path)).map(|(_, methods)| methods.len()).sum();
    assert_eq!(count("$ref: '#/components/responses/Unauthenticated'"), operations - open);
}
