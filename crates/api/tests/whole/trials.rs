//! Trials sign nothing (A10): no route, whatever it is asked, gives a certificate that was not stored.

use crate::common::TestApp;
use crate::matrix::{Role, Side, World};
use crate::routes::routes;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// Certificates in PEM that stand in a text of JSON.
fn certificates(text: &str) -> BTreeSet<String> {
    let text = text.replace("\\n", "\n");
    let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    blocks.filter_map(|rest| rest.split("-----END CERTIFICATE-----").next()).map(str::to_owned).collect()
}

/// Every certificate that the server says it has.
async fn stored(app: &TestApp) -> BTreeSet<String> {
    let rows = app.get("/v1/issued-certificates?limit=500&includeSystem=true").await.is(200).json();
    let mut found = BTreeSet::new();
    for row in rows["items"].as_array().unwrap() {
        let path = format!("/v1/issued-certificates/{}", row["fingerprint"].as_str().unwrap());
        found.extend(certificates(&app.get(&path).await.is(200).text()));
    }
    found
}

#[tokio::test]
async fn a_trial_of_any_operation_signs_nothing_and_gives_no_key() {
    let world = World::new().await;
    let app = &world.app;
    let bearer = world.bearer(Role::Administrator);
    let known = stored(app).await;
    assert!(known.len() >= 6, "{}", known.len());
    let signed = app.signatures.load(Ordering::SeqCst);
    assert!(signed >= 6, "the count counts: {signed}");
    let mut tried = BTreeSet::new();
    for route in routes().into_iter().filter(|route| route.method != "GET" && route.path.starts_with("/v1/")) {
        for side in [Side::Own, Side::Other] {
            let reply = world.ask(&route, side, bearer).await;
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert_eq!(app.signatures.load(Ordering::SeqCst), signed, "{} {}", route.method, route.path);
            assert!(certificates(&text).is_subset(&known), "{} {}: {text}", route.method, route.path);
            assert!(!text.contains("PRIVATE KEY"), "{} {}", route.method, route.path);
            if reply.status == 200 {
                tried.insert(route.id.clone());
            }
        }
    }
    for signing in ["issueCertificate", "signCertificate", "createCertificateAuthority", "createCertificate"] {
        assert!(tried.contains(signing), "{signing} of {tried:?}");
    }
    assert!(tried.len() >= 40, "{} {tried:?}", tried.len());
    assert_eq!(stored(app).await, known);
}

/// There is one way around no rule: nothing in the document is called like one.
#[test]
fn no_parameter_and_no_field_switches_a_rule_off() {
    let document = certwright_api::openapi_yaml();
    let mut names = 0_u32;
    for line in document.lines() {
        let text = line.trim();
        // A property stands as `name:`, a parameter as `- name: name`.
        let name = text.strip_prefix("- name: ").or_else(|| text.strip_suffix(':')).unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            continue;
        }
        names = names.saturating_add(1);
        let lower = name.to_ascii_lowercase();
        for word in ["skip", "force", "bypass", "insecure", "unsafe", "override", "noverify", "nocheck", "testmode"] {
            assert!(!lower.contains(word), "{name}");
        }
    }
    assert!(names > 1_000, "{names}");
}
