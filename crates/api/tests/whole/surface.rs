//! What the API cannot be asked to do: touch files (A41), reach out to addresses for those who do not administer it, show a
//! secret once more (A11).

use crate::matrix::{Role, Side, World};
use crate::routes::routes;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Properties and parameters of the document, each cut into its words.
fn names() -> BTreeSet<String> {
    let document = certwright_api::openapi_yaml();
    // A property stands as `name:`, a parameter as `- name: name`. Schemas are written with a capital.
    let names = document.lines().filter_map(|line| {
        let text = line.trim();
        text.strip_prefix("- name: ").or_else(|| text.strip_suffix(':'))
    });
    let is_plain = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    names.filter(is_plain).map(str::to_owned).collect()
}

/// `pathLength` is `path` and `length`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for symbol in name.chars() {
        if symbol.is_ascii_uppercase() {
            words.push(String::new());
        }
        words.last_mut().unwrap().push(symbol.to_ascii_lowercase());
    }
    words
}

#[test]
fn no_operation_takes_a_path_or_a_command() {
    let banned = [
        "path",
        "paths",
        "file",
        "files",
        "filename",
        "folder",
        "dir",
        "directory",
        "socket",
        "pipe",
        "device",
        "mount",
        "command",
        "exec",
        "execute",
        "run",
        "script",
        "shell",
        "program",
        "binary",
        "plugin",
        "module",
        "library",
        "template",
        "environment",
        "env",
    ];
    // The document's own part, the length of a chain of CAs, an ACME directory by its name or id, and a trial.
    let harmless = ["paths", "pathLength", "directory", "acmeDirectory", "dryRun"];
    let names = names();
    assert!(names.len() > 300, "{}", names.len());
    for known in ["keyAlgorithm", "dryRun", "pathLength"] {
        assert!(names.contains(known), "{known} is found");
    }
    let asks = |name: &&String| words(name).iter().any(|word| banned.contains(&word.as_str()));
    let found: Vec<&String> = names.iter().filter(|name| !harmless.contains(&name.as_str())).filter(asks).collect();
    assert!(found.is_empty(), "{found:?}");
}

fn publication(target: &str, format: &str) -> Value {
    let urls = ["http://cdn.example.com/x-{}.crl"];
    json!({"revocation": {"publication": {"target": target, "objectNameFormat": format, "customUrlFormats": urls}}})
}

#[tokio::test]
async fn what_is_a_path_in_disguise_is_refused() {
    let world = World::new().await;
    let app = &world.app;
    for target in ["/etc/cron.d/x", "../../etc/cron.d/x", "file:///etc/cron.d/x", "cdn/../x", "C:\\x", "cdn\u{0}"] {
        let patch = app.ask("PATCH", "/v1/certificate-authorities/own-ca").header("if-match", "*");
        let reply = patch.json(&publication(target, "x-{}.crl")).send().await;
        assert!([400, 409, 422].contains(&reply.status.as_u16()), "{target}: {reply:?}");
    }
    for format in ["../x-{}.crl", "/etc/cron.d/x-{}", "a/../../x-{}.crl", "a//x-{}.crl", "x\u{0}-{}.crl", ".x-{}.crl"] {
        let patch = app.ask("PATCH", "/v1/certificate-authorities/own-ca").header("if-match", "*");
        patch.json(&publication("cdn", format)).send().await.is(400);
    }
    for url in ["file:///etc/passwd", "/etc/passwd", "unix:/run/x.sock", "gopher://x/", "http+unix://x/", "exec:id"] {
        app.post("/v1/webhooks", json!({"name": "x", "url": url})).await.is(400);
        let provider = |more: Value| {
            let mut body = json!({"name": "x", "issuer": "https://idp.example.com", "audiences": ["x"],
                "rules": [{"claims": {"sub": ["job"]}}]});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        app.post("/v1/identity-providers", provider(json!({"issuer": url}))).await.is(400);
        app.post("/v1/identity-providers", provider(json!({"jwksUri": url}))).await.is(400);
    }
    for key in ["file:/etc/passwd", "/etc/shadow", "@/etc/shadow"] {
        app.post("/v1/certificate-authorities/own-ca/sign", json!({"csr": key})).await.is(400);
        let import = json!({"name": "x", "certificate": key, "privateKey": key});
        let reply = app.post("/v1/certificates", import).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(!reply.text().contains("root:"), "{key}");
    }
}

/// Everything that names an address to reach out to, or a place where a secret lies: for administrators of the tenancy.
#[tokio::test]
async fn nobody_else_says_where_the_server_reaches_out() {
    let world = World::new().await;
    let mut refused = 0_u32;
    for route in routes().into_iter().filter(|route| route.method != "GET") {
        let outbound = ["/v1/webhooks", "/v1/identity-providers"].iter().any(|prefix| route.path.starts_with(prefix));
        if !outbound {
            continue;
        }
        for role in [Role::Reader, Role::Issuer, Role::Manager] {
            for side in [Side::Own, Side::Other] {
                let reply = world.ask(&route, side, world.bearer(role)).await;
                assert_eq!(reply.status, 403, "{role:?} {} {}", route.method, route.path);
                refused = refused.saturating_add(1);
            }
        }
    }
    assert!(refused >= 60, "{refused}");
    // Where a CA publishes is for those who manage that CA, and among the targets of the configuration.
    let publication = publication("cdn", "x-{}.crl");
    for (role, ca, status) in [
        (Role::Reader, "own", 403),
        (Role::Issuer, "own", 404),
        (Role::Reader, "other", 404),
        (Role::Manager, "other", 404),
        (Role::Manager, "own", 200),
    ] {
        let ask = world.app.ask("PATCH", &format!("/v1/certificate-authorities/{ca}-ca")).header("if-match", "*");
        let reply = ask.authorization(Some(world.bearer(role))).json(&publication).send().await;
        assert_eq!(reply.status, status, "{role:?} {ca}: {}", reply.text());
    }
}

/// Secrets that were made stand in the one answer that made them, and in none that comes later.
#[tokio::test]
async fn a_secret_is_shown_once() {
    let world = World::new().await;
    let app = &world.app;
    let mut secrets: Vec<(&str, String)> = Vec::new();
    let mut shown = |what, document: &Value, field: &str| {
        secrets.push((what, document[field].as_str().unwrap().to_owned()));
    };
    // Named so that the walk below finds them.
    let webhook = json!({"name": "webhook", "url": "https://hooks.example.com/"});
    shown("webhook", &app.post("/v1/webhooks", webhook).await.is(201).json(), "secret");
    let token = json!({"name": "token"});
    shown("token", &app.post("/v1/tokens", token).await.is(201).json(), "token");
    let key = json!({"name": "eab", "directory": "own-directory"});
    shown("binding", &app.post("/v1/acme-eab-keys", key).await.is(201).json(), "hmacKey");
    let enrollment = json!({"name": "again", "ca": "own-ca", "names": ["a.example.com"]});
    shown("enrolment", &app.post("/v1/enrollment-tokens", enrollment).await.is(201).json(), "token");
    let issued = app.post("/v1/certificate-authorities/own-ca/issue", json!({"names": ["k.example.com"]})).await;
    let issued = issued.is(201).json();
    let private_key = issued["privateKey"].as_str().unwrap().lines().nth(1).unwrap().to_owned();
    secrets.push(("private key", private_key));
    let rotated = app.post("/v1/webhooks/webhook/rotate-secret", json!({})).await;
    if rotated.status.is_success() {
        secrets.push(("webhook again", rotated.json()["secret"].as_str().unwrap().to_owned()));
    }
    app.post("/v1/users", json!({"name": "user"})).await.is(201);
    app.post("/v1/groups", json!({"name": "group"})).await.is(201);
    let provider = json!({"name": "provider", "issuer": "https://idp.example.com", "audiences": ["x"],
        "rules": [{"claims": {"sub": ["job"]}}]});
    app.post("/v1/identity-providers", provider).await.is(201);
    let mut read = 0_u32;
    for route in routes().into_iter().filter(|route| route.method == "GET") {
        for side in [Side::Own, Side::Other] {
            let reply = world.ask(&route, side, world.bearer(Role::Administrator)).await;
            if reply.status == 200 {
                read = read.saturating_add(1);
            }
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            for (what, secret) in &secrets {
                assert!(!text.contains(secret.as_str()), "{what} in {}", route.path);
            }
        }
    }
    assert!(read >= 80, "{read}");
    // Changes and refusals that name the thing do not show it either.
    for (method, path, body) in [
        ("PATCH", "/v1/webhooks/webhook", json!({"description": "x"})),
        ("POST", "/v1/webhooks", json!({"name": "webhook", "url": "https://hooks.example.com/"})),
        ("POST", "/v1/tokens", json!({"name": "token"})),
        ("POST", "/v1/enrollment-tokens", json!({"name": "again", "ca": "own-ca", "names": ["a.example.com"]})),
    ] {
        let reply = app.ask(method, path).header("if-match", "*").json(&body).send().await;
        for (what, secret) in &secrets {
            assert!(!reply.text().contains(secret.as_str()), "{what} in {method} {path}");
        }
    }
}
