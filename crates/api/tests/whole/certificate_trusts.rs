//! Coming in with a client certificate of our own, by the doors of HTTP.

use crate::common::{ISSUE, Reply, TestApp};
use certwright_domain::time::Span;
use serde_json::{Value, json};

const TRUSTS: &str = "/v1/certificate-trusts";

fn trust(more: Value) -> Value {
    let mut body = json!({"name": "builders", "ca": "root", "certificateNames": ["*.build.example.com", "spiffe://corp/*"],
        "groups": ["pipelines"], "names": ["${claim.name:dots}", "*.apps.example.com"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// A CA, a group that may have it sign, and the trust.
async fn set_up(app: &TestApp) {
    app.root().await;
    app.post("/v1/groups", json!({"name": "pipelines"})).await.is(201);
    let sign =
        "Allow group pipelines to use certificate-authority-delegates in tenancy where request.door = 'certificate'";
    app.post("/v1/policies", json!({"name": "pipelines", "statements": [sign]})).await.is(201);
    app.post(TRUSTS, trust(json!({}))).await.is(201);
}

/// The fingerprint of a new certificate of this CA.
async fn certificate(app: &TestApp, ca: &str, profile: &str, names: &[&str]) -> String {
    let path = ISSUE.replace("/root/", &format!("/{ca}/"));
    let made = app.post(&path, json!({"names": names, "profile": profile})).await.is(201).json();
    made["fingerprint"].as_str().unwrap().to_owned()
}

async fn whoami(app: &TestApp, fingerprint: &str) -> Reply {
    app.ask("GET", "/v1/whoami").showing(fingerprint).send().await
}

async fn issue(app: &TestApp, fingerprint: &str, name: &str) -> Reply {
    app.ask("POST", ISSUE).showing(fingerprint).json(&json!({"names": [name]})).send().await
}

/// The answer without what is new in each.
fn sentence(reply: &Reply) -> (u16, String, Value) {
    let mut body = reply.json();
    body.as_object_mut().unwrap().remove("requestId");
    (reply.status.as_u16(), reply.header("www-authenticate").to_owned(), body)
}

#[tokio::test]
async fn trusts_are_made_read_replaced_and_deleted() {
    for app in TestApp::on_every_database().await {
        set_up(&app).await;
        let shown = app.get("/v1/certificate-trusts/builders").await.is(200).json();
        assert!(shown["id"].as_str().unwrap().starts_with("certtrust_"));
        assert_eq!(shown["certificateNames"], trust(json!({}))["certificateNames"]);
        assert_eq!((&shown["groups"], &shown["enabled"]), (&json!(["pipelines"]), &json!(true)));
        assert_eq!(app.get(TRUSTS).await.is(200).json()["items"], json!([shown]));
        app.post(TRUSTS, trust(json!({}))).await.problem(409, "name_taken");
        let body = json!({"certificateNames": ["ci.example.com"], "enabled": false});
        let ask = || app.ask("PUT", "/v1/certificate-trusts/builders").json(&body);
        ask().send().await.problem(428, "precondition_required");
        ask().header("if-match", "\"9\"").send().await.problem(412, "precondition_failed");
        let changed = ask().header("if-match", "\"1\"").send().await.is(200).json();
        assert_eq!((&changed["certificateNames"], &changed["names"]), (&json!(["ci.example.com"]), &Value::Null));
        assert_eq!((&changed["ca"], &changed["name"]), (&shown["ca"], &json!("builders")));
        app.ask("DELETE", "/v1/certificate-trusts/builders").send().await.is(204);
        app.get("/v1/certificate-trusts/builders").await.problem(404, "not_found");
        let trail = app.get("/v1/audit-events?limit=500").await.is(200).text();
        for action in ["certificate-trust.create", "certificate-trust.replace", "certificate-trust.delete"] {
            assert!(trail.contains(action), "{action}");
        }
    }
}

#[tokio::test]
async fn every_fault_of_a_trust_is_pointed_at() {
    let app = TestApp::new().await;
    set_up(&app).await;
    for (more, pointer, code) in [
        (json!({"certificateNames": []}), "/certificateNames", "pattern_required"),
        (json!({"certificateNames": ["a.example.com", "no name"]}), "/certificateNames/1", "invalid_name_template"),
        (json!({"certificateNames": ["${claim.name}.example.com"]}), "/certificateNames/0", "invalid_name_pattern"),
        (json!({"names": ["*.${claim.name:dots}"]}), "/names/0", "invalid_name_template"),
        (json!({"groups": ["a b"]}), "/groups/0", "invalid_principal_name"),
        (json!({"groups": ["nobody"]}), "/groups/0", "unknown_group"),
        (json!({"name": "a b"}), "/name", "invalid_name"),
    ] {
        let refused = app.post(TRUSTS, trust(more)).await.is(400).json();
        assert_eq!((&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]), (&json!(pointer), &json!(code)));
    }
    app.post(TRUSTS, trust(json!({"name": "t", "ca": "other"}))).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_machine_comes_in_with_its_certificate_and_may_do_what_its_groups_may() {
    for app in TestApp::on_every_database().await {
        set_up(&app).await;
        let shown = certificate(&app, "root", "tls-client", &["other.example.com", "a.build.example.com"]).await;
        let me = whoami(&app, &shown).await.is(200).json();
        assert_eq!(
            (&me["id"], &me["name"]),
            (&json!("mtls:builders:a.build.example.com"), &json!("a.build.example.com"))
        );
        assert_eq!((&me["groups"], &me["user"]), (&json!(["pipelines"]), &Value::Null));
        // Its own name and those of the trust, and no others, whatever the policies say.
        for name in ["a.build.example.com", "x.apps.example.com"] {
            issue(&app, &shown, name).await.is(201);
        }
        for name in ["b.build.example.com", "other.example.com", "apps.example.com"] {
            let refused = issue(&app, &shown, name).await.is(422).json();
            assert_eq!(refused["errors"][0]["code"], "name_not_of_identity", "{name}");
        }
        // Of the subject, names of its own alone: what else stands there, some service takes for a role.
        for (subject, status) in [
            (json!({"commonName": "x.apps.example.com"}), 201),
            (json!({"commonName": "X.apps.example.com"}), 201),
            (json!({"organization": "system:masters", "commonName": "x.apps.example.com"}), 422),
            (json!({"commonName": "x.apps.example.com", "organizationalUnit": "x.apps.example.com"}), 422),
            (json!({"commonName": "dns:x.apps.example.com"}), 422),
            (json!({"userId": "root"}), 422),
        ] {
            let body = json!({"names": ["x.apps.example.com"], "subject": subject});
            let ask = app.ask("POST", "/v1/certificate-authorities/root/issue").showing(&shown);
            let refused = ask.json(&body).send().await.is(status).json();
            if status == 422 {
                assert_eq!(refused["errors"][0]["rule"], "identityNames", "{refused}");
                assert!(refused["errors"][0]["pointer"].as_str().unwrap().starts_with("/subject/"), "{refused}");
            }
        }
        // What its groups may not do, it may not do; and what it had signed does not renew itself.
        app.ask("GET", "/v1/tokens").showing(&shown).send().await.is(403);
        app.ask("POST", "/v1/vaults").showing(&shown).json(&json!({"name": "v"})).send().await.is(403);
        let row = app.get("/v1/issued-certificates?san=x.apps.example.com").await.is(200).json()["items"][0].clone();
        assert_eq!(row["requester"], "mtls:builders:a.build.example.com");
        let trail = app.get("/v1/audit-events?limit=500").await.is(200).text();
        assert!(trail.contains("mtls:builders:a.build.example.com") && trail.contains("\"door\":\"certificate\""));
        // A URI names somebody, too; a wildcard nobody.
        let spiffe = certificate(&app, "root", "tls-client", &["spiffe://corp/ns/a"]).await;
        app.post(TRUSTS, trust(json!({"name": "uris", "certificateNames": ["spiffe://corp/*"], "names": null})))
            .await
            .is(201);
        whoami(&app, &spiffe).await.is(401); // the first trust means it, and has a name for it that no URI can be
        app.ask("DELETE", "/v1/certificate-trusts/builders").send().await.is(204);
        assert_eq!(whoami(&app, &spiffe).await.is(200).json()["id"], "mtls:uris:spiffe://corp/ns/a");
        whoami(&app, &shown).await.is(401);
    }
}

#[tokio::test]
async fn certificates_that_do_not_stand_or_that_no_trust_means_get_one_answer() {
    for app in TestApp::on_every_database().await {
        set_up(&app).await;
        app.ca("second", json!({"type": "ROOT"})).await.is(201);
        let expected = sentence(&whoami(&app, &"ab".repeat(32)).await.is(401));
        let turned_away = async |fingerprint: &str, why: &str| {
            assert_eq!(sentence(&whoami(&app, fingerprint).await), expected, "{why}");
        };
        let name = "a.build.example.com";
        turned_away(&certificate(&app, "second", "tls-client", &[name]).await, "another CA").await;
        turned_away(&certificate(&app, "root", "tls-server", &[name]).await, "not for clients").await;
        turned_away(&certificate(&app, "root", "tls-client", &["build.example.com"]).await, "no pattern").await;
        let wild = json!({"name": "wild", "usages": ["clientAuth"], "names": {"dns": ["*"], "wildcards": true}});
        app.post("/v1/profiles", wild).await.is(201);
        let plain = json!({"name": "wilds", "certificateNames": ["*.wild.example.com"], "names": null});
        app.post(TRUSTS, trust(plain)).await.is(201);
        turned_away(&certificate(&app, "root", "wild", &["*.wild.example.com"]).await, "a wildcard").await;
        let good = certificate(&app, "root", "tls-client", &[name]).await;
        whoami(&app, &good).await.is(200);
        // Whoever sends a token means the token.
        let wrong = app.ask("GET", "/v1/whoami").showing(&good).authorization(Some("Bearer x"));
        wrong.send().await.is(401);
        let bearer = format!("Bearer {}", app.token);
        let both = app.ask("GET", "/v1/whoami").showing(&good).authorization(Some(&bearer)).send().await.is(200);
        assert_eq!(both.json()["user"], "admin");
        // The answer changes with the very next request.
        let put = |enabled: bool| {
            let body = json!({"certificateNames": ["*.build.example.com"], "enabled": enabled});
            app.ask("PUT", "/v1/certificate-trusts/builders").header("if-match", "*").json(&body)
        };
        put(false).send().await.is(200);
        turned_away(&good, "the trust is out of use").await;
        put(true).send().await.is(200);
        whoami(&app, &good).await.is(200);
        let off = |enabled: bool| {
            let ask = app.ask("PATCH", "/v1/certificate-authorities/root").header("if-match", "*");
            ask.json(&json!({"enabled": enabled}))
        };
        off(false).send().await.is(200);
        turned_away(&good, "the CA is out of use").await;
        off(true).send().await.is(200);
        let other = certificate(&app, "root", "tls-client", &[name]).await;
        app.post(&format!("/v1/issued-certificates/{good}/revoke"), json!({"reason": "superseded"})).await.is(200);
        turned_away(&good, "revoked").await;
        whoami(&app, &other).await.is(200);
        app.wait(Span::from_days(91));
        turned_away(&other, "after its end").await;
        app.app.settle().await;
        let failed = app.get("/v1/audit-events?action=login").await.is(200).json();
        assert_eq!(failed["items"].as_array().unwrap().last().unwrap()["door"], "certificate", "{failed}");
    }
}

#[tokio::test]
async fn nobody_puts_machines_into_groups_that_have_more_than_they() {
    let app = TestApp::new().await;
    set_up(&app).await;
    app.post("/v1/groups", json!({"name": "clerks"})).await.is(201);
    let may = ["manage identity-providers", "inspect certificate-authorities"];
    let statements: Vec<String> = may.iter().map(|may| format!("Allow group clerks to {may} in tenancy")).collect();
    app.post("/v1/policies", json!({"name": "clerks", "statements": statements})).await.is(201);
    let clerk = app.bearer_of("clerk").await;
    app.ask("PUT", "/v1/groups/clerks/members/clerk").send().await.is(200);
    let make = async |name: &str, groups: Value| {
        let body = trust(json!({"name": name, "groups": groups}));
        app.ask("POST", TRUSTS).authorization(Some(&clerk)).json(&body).send().await
    };
    make("a", json!(["administrators"])).await.is(403);
    make("b", json!(["pipelines"])).await.is(403);
    make("c", json!(["clerks"])).await.is(201);
}

/// A33: a token that is bound to a certificate is of no use with another one, or without.
#[tokio::test]
async fn a_bound_token_is_good_with_its_certificate_alone() {
    for app in TestApp::on_every_database().await {
        set_up(&app).await;
        let (one, two) = (
            certificate(&app, "root", "tls-client", &["one.example.com"]).await,
            certificate(&app, "root", "tls-client", &["two.example.com"]).await,
        );
        let server = certificate(&app, "root", "tls-server", &["one.example.com"]).await;
        for (bound, code) in [
            ("xyz".to_owned(), "invalid_fingerprint"),
            ("ab".repeat(32), "certificate_not_usable"),
            (server, "certificate_not_usable"),
        ] {
            let refused = app.post("/v1/tokens", json!({"name": "t", "boundTo": bound})).await.is(400).json();
            assert_eq!(
                (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
                (&json!("/boundTo"), &json!(code))
            );
        }
        let made = app.post("/v1/tokens", json!({"name": "bound", "boundTo": one})).await.is(201).json();
        let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
        assert_eq!(app.get("/v1/tokens/bound").await.json()["boundTo"], one);
        let ask = |shown: Option<&str>| {
            let ask = app.ask("GET", "/v1/whoami");
            shown.map_or(app.ask("GET", "/v1/whoami"), |shown| ask.showing(shown)).authorization(Some(&bearer))
        };
        assert_eq!(ask(Some(&one)).send().await.is(200).json()["token"], "bound");
        let expected = sentence(&app.ask("GET", "/v1/whoami").authorization(Some("Bearer x")).send().await.is(401));
        assert_eq!(sentence(&ask(Some(&two)).send().await), expected);
        assert_eq!(sentence(&ask(None).send().await), expected);
        // Also where an answer lies under an idempotency key, and for the doors that take certificates alone.
        let put = |shown: Option<&str>| {
            let ask = app.ask("POST", "/v1/vaults").header("idempotency-key", "k").json(&json!({"name": "swap"}));
            match shown {
                Some(shown) => ask.showing(shown).authorization(Some(&bearer)),
                None => ask.authorization(Some(&bearer)),
            }
        };
        put(Some(&one)).send().await.is(201);
        for shown in [None, Some(two.as_str())] {
            put(shown).send().await.is(401);
        }
        app.post(&format!("/v1/issued-certificates/{one}/revoke"), json!({"reason": "keyCompromise"})).await.is(200);
        assert_eq!(sentence(&ask(Some(&one)).send().await), expected);
    }
}

#[tokio::test]
async fn policies_see_what_the_certificate_says() {
    let app = TestApp::new().await;
    set_up(&app).await;
    let statement = "Allow any-user to inspect vaults in tenancy where all {request.principal.type = 'workload', \
                     request.claim.dns = /a.*/, request.claim.certwright_trust = 'builders'}";
    app.post("/v1/policies", json!({"name": "claims", "statements": [statement]})).await.is(201);
    app.post(TRUSTS, trust(json!({"name": "z", "certificateNames": ["*.other.example.com"]}))).await.is(201);
    for (name, status) in [("a.build.example.com", 1), ("b.build.example.com", 0), ("a.other.example.com", 0)] {
        let shown = certificate(&app, "root", "tls-client", &[name]).await;
        let seen = app.ask("GET", "/v1/vaults").showing(&shown).send().await;
        let seen = if seen.status == 200 { seen.json()["items"].as_array().unwrap().len() } else { 0 };
        assert_eq!(seen, status, "{name}");
    }
}
