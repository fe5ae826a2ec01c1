//! Every resource from its making to its end, by both names and ids.

use crate::common::{ISSUE, TestApp, wish};
use certwright_domain::time::Span;
use serde_json::{Value, json};

#[tokio::test]
async fn vaults() {
    for app in TestApp::on_every_database().await {
        let made = app.post("/v1/vaults", json!({"name": "oci-demo-vault"})).await.is(201);
        assert_eq!(made.header("location"), "/v1/vaults/oci-demo-vault");
        let vault = made.json();
        assert_eq!((&vault["state"], &vault["deletionAt"]), (&json!("ACTIVE"), &Value::Null));
        let by_id = app.get(&format!("/v1/vaults/{}", vault["id"].as_str().unwrap())).await.is(200);
        assert_eq!(by_id.json(), vault);
        let etag = by_id.header("etag").to_owned();
        assert_eq!(made.header("etag"), etag);

        let patch = |tag: &str, body: Value| {
            app.ask("PATCH", "/v1/vaults/oci-demo-vault").header("if-match", tag).json(&body).send()
        };
        patch("\"99\"", json!({"name": "demo"})).await.problem(412, "precondition_failed");
        patch(&etag, json!({})).await.problem(400, "missing_field");
        let renamed = patch(&etag, json!({"name": "demo"})).await.is(200);
        assert_eq!(renamed.json()["name"], "demo");
        app.ask("POST", "/v1/vaults/demo/rotate").send().await.is(200);
        let problem =
            app.post("/v1/vaults/demo/schedule-deletion", json!({"deletionAt": app.at(Span::from_days(1))})).await;
        problem.is(400);
        let scheduled = app.ask("POST", "/v1/vaults/demo/schedule-deletion").send().await.is(200).json();
        assert_eq!(scheduled["state"], "PENDING_DELETION");
        assert!(scheduled["deletionAt"].is_string());
        app.post("/v1/vaults/demo/keys", json!({"name": "k", "algorithm": "AES"})).await.is(409);
        let cancelled = app.ask("POST", "/v1/vaults/demo/cancel-deletion").send().await.is(200).json();
        assert_eq!(cancelled["state"], "ACTIVE");
        app.ask("POST", "/v1/vaults/demo/rotate")
            .header("content-type", "application/json")
            .body(r#"{"now":true}"#)
            .send()
            .await
            .problem(400, "unknown_field");
    }
}

#[tokio::test]
async fn keys() {
    for app in TestApp::on_every_database().await {
        app.post("/v1/vaults", json!({"name": "v"})).await.is(201);
        let made = app.post(
            "/v1/vaults/v/keys",
            json!({"name": "k", "algorithm": "RSA", "length": 2048, "protection": "SOFTWARE"}),
        );
        let made = made.await.is(201);
        assert_eq!(made.header("location"), "/v1/vaults/v/keys/k");
        let key = made.json();
        assert_eq!(
            (&key["algorithm"], &key["length"], &key["state"]),
            (&json!("RSA"), &json!(2048), &json!("ENABLED"))
        );
        assert!(key["publicKey"].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
        let problem = app.post("/v1/vaults/v/keys", json!({"name": "a b", "algorithm": "DSA"})).await.is(400).json();
        assert_eq!(problem["errors"].as_array().unwrap().len(), 2);
        app.post("/v1/vaults/v/keys", json!({"name": "x", "algorithm": "RSA", "length": 1024}))
            .await
            .problem(400, "invalid_key_length");
        app.post("/v1/vaults/none/keys", json!({"name": "x", "algorithm": "RSA"})).await.problem(404, "not_found");

        let rotated = app.ask("POST", "/v1/vaults/v/keys/k/rotate").send().await.is(200).json();
        assert_eq!(rotated["latestVersion"], 2);
        let versions = app.get("/v1/vaults/v/keys/k/versions").await.is(200).json();
        assert_eq!(versions["items"].as_array().unwrap().len(), 2);
        assert_eq!(app.ask("POST", "/v1/vaults/v/keys/k/disable").send().await.is(200).json()["state"], "DISABLED");
        assert_eq!(app.ask("POST", "/v1/vaults/v/keys/k/enable").send().await.is(200).json()["state"], "ENABLED");
        let renamed = app.ask("PATCH", "/v1/vaults/v/keys/k").json(&json!({"name": "l"})).send().await.is(200);
        assert_eq!(renamed.json()["name"], "l");
        assert_eq!(
            app.ask("POST", "/v1/vaults/v/keys/l/schedule-deletion").send().await.is(200).json()["state"],
            "PENDING_DELETION"
        );
        assert_eq!(
            app.ask("POST", "/v1/vaults/v/keys/l/cancel-deletion").send().await.is(200).json()["state"],
            "ENABLED"
        );
        app.post("/v1/vaults/v/keys", json!({"name": "aes", "algorithm": "AES", "length": 128})).await.is(201);
        let found = app.get("/v1/vaults/v/keys?algorithm=RSA_2048&state=ENABLED").await.is(200).json();
        let names: Vec<&str> =
            found["items"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["l"]);
    }
}

#[tokio::test]
async fn cas() {
    for app in TestApp::on_every_database().await {
        let root = app
            .root_with(json!({"leafMaxValidity": "P30D", "pathLength": 1,
            "nameConstraints": {"permitted": {"dns": ["example.com"]}}}))
            .await;
        assert_eq!((&root["type"], &root["state"], &root["issuer"]), (&json!("ROOT"), &json!("ACTIVE"), &Value::Null));
        assert_eq!(root["rules"]["nameConstraints"]["permitted"]["dns"], json!(["example.com"]));
        assert_eq!(root["subject"], json!({"organization": "DDIM", "commonName": "root"}));
        assert_eq!(root["version"]["stages"], json!(["CURRENT", "LATEST"]));
        let sub = app
            .ca(
                "sub",
                json!({"type": "SUBORDINATE", "issuer": root["id"], "validity": {"duration": "P300D"},
            "signatureAlgorithm": "SHA256_WITH_ECDSA", "revocation": {"crl": {"lifetime": "P3D"}}}),
            )
            .await
            .is(201);
        assert_eq!(sub.header("location"), "/v1/certificate-authorities/sub");
        let sub = sub.json();
        assert_eq!(
            (&sub["issuer"], &sub["revocation"]["crl"]["enabled"], &sub["revocation"]["crl"]["lifetime"]),
            (&json!("root"), &json!(true), &json!("P3D"))
        );

        let found = app.get("/v1/certificate-authorities?type=SUBORDINATE&issuer=root").await.is(200).json();
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
        let path = "/v1/certificate-authorities/sub";
        let patch = app
            .ask("PATCH", path)
            .header("if-match", "*")
            .json(&json!({"name": "issuing", "revocation": {"ocsp": {"responder": "CA"}}}));
        let patched = patch.send().await.is(200).json();
        let revocation = &patched["revocation"];
        let ocsp = json!({"enabled": true, "responder": "CA"});
        assert_eq!((&revocation["crl"]["lifetime"], &revocation["ocsp"]), (&json!("P3D"), &ocsp));
        let path = "/v1/certificate-authorities/issuing";
        let renewed =
            app.post(&format!("{path}/renew"), json!({"key": "ROTATE", "makeCurrent": false})).await.is(200).json();
        assert_eq!((&renewed["currentVersion"], &renewed["latestVersion"]), (&json!(1), &json!(2)));
        assert!(renewed["version"]["stages"].as_array().unwrap().contains(&json!("PENDING")), "{renewed}");
        let current = app.ask("POST", &format!("{path}/versions/2/make-current")).send().await.is(200).json();
        assert_eq!(current["currentVersion"], 2);
        let versions = app.get(&format!("{path}/versions")).await.is(200).json();
        let numbers: Vec<&Value> =
            versions["items"].as_array().unwrap().iter().map(|version| &version["number"]).collect();
        assert_eq!(numbers, [&json!(2), &json!(1)]);
        assert_eq!(app.get(&format!("{path}/versions/1")).await.is(200).json()["stages"], json!(["PREVIOUS"]));
        app.get(&format!("{path}/versions/9")).await.problem(404, "not_found");
        app.get(&format!("{path}/versions/zero")).await.problem(400, "invalid_version");
        let revoked = app.post(&format!("{path}/versions/1/revoke"), json!({"reason": "superseded"})).await.is(200);
        drop(revoked);
        assert_eq!(app.get(&format!("{path}/versions/1")).await.json()["revocationReason"], "superseded");
        let chain = app.get(&format!("{path}/chain")).await.is(200).json();
        assert_eq!(chain["chain"].as_str().unwrap().matches("BEGIN CERTIFICATE").count(), 2);

        app.ask("POST", "/v1/certificate-authorities/root/schedule-deletion").send().await.is(409);
        let going = app.ask("POST", &format!("{path}/schedule-deletion")).send().await.is(200).json();
        assert_eq!(going["state"], "PENDING_DELETION");
        assert_eq!(app.ask("POST", &format!("{path}/cancel-deletion")).send().await.is(200).json()["state"], "ACTIVE");
    }
}

#[tokio::test]
async fn cas_from_outside() {
    let app = TestApp::new().await;
    app.root().await;
    let made = app.ca("outside", json!({"type": "SUBORDINATE_EXTERNAL"})).await.is(201).json();
    assert_eq!((&made["state"], &made["version"]["awaitsCertificate"]), (&json!("PENDING_ACTIVATION"), &json!(true)));
    let certificate = app.get("/v1/certificate-authorities/root").await.json()["version"]["certificate"].clone();
    let install = "/v1/certificate-authorities/outside/install";
    app.post(install, json!({"certificate": certificate})).await.is(400);
    app.post(install, json!({"certificate": "garbage"})).await.is(400);
    let anchor = json!({"name": "anchor", "type": "EXTERNAL_ROOT", "certificate": certificate});
    let reply = app.post("/v1/certificate-authorities", anchor).await;
    assert!([201, 409].contains(&reply.status.as_u16()), "{reply:?}");
    let import = json!({"name": "imported", "type": "IMPORTED", "vault": "default", "key": "imported-key",
        "certificate": certificate, "privateKey": "no key"});
    let problem = app.post("/v1/certificate-authorities", import).await.is(400).json();
    assert_eq!(problem["errors"][0]["pointer"], "/privateKey");
    assert!(!problem.to_string().contains("no key"), "{problem}");
}

#[tokio::test]
async fn issued_certificates() {
    for app in TestApp::on_every_database().await {
        let root = app.root().await;
        let body = json!({"subject": {"commonName": "find.example.com"}, "names": ["find.example.com", "10.1.2.3"], "profile": "tls-server"});
        let made = app.post(ISSUE, body).await.is(201).json();
        app.issue("other.example.com").await;
        let (serial, fingerprint) = (made["serial"].as_str().unwrap(), made["fingerprint"].as_str().unwrap());
        let ca_id = root["id"].as_str().unwrap();
        for query in [
            "name=find.example.com".to_owned(),
            "san=10.1.2.3".to_owned(),
            "q=find".to_owned(),
            format!("serial={}", serial.to_ascii_uppercase()),
            format!("fingerprint={fingerprint}"),
            "ca=root&profile=tls-server&kind=LEAF".to_owned(),
            format!("ca={ca_id}&profile=tls-server"),
            "status=VALID&name=find.example.com&expiresBefore=2099-01-01T00:00:00Z&sort=notAfter".to_owned(),
            "requester=admin&name=find.example.com".to_owned(),
            "renewBefore=2099-01-01T00:00:00Z&expiresAfter=2000-01-01T00:00:00Z&profile=tls-server&sort=renewAt"
                .to_owned(),
        ] {
            let found = app.get(&format!("/v1/issued-certificates?{query}")).await.is(200).json();
            let serials: Vec<&str> =
                found["items"].as_array().unwrap().iter().map(|row| row["serial"].as_str().unwrap()).collect();
            assert_eq!(serials, [serial], "{query}");
        }
        for query in ["san=10.1.2.4", "status=REVOKED", "profile=code-sign", "expiresBefore=2000-01-01T00:00:00Z"] {
            let found = app.get(&format!("/v1/issued-certificates?{query}")).await.is(200).json();
            assert_eq!(found["items"], json!([]), "{query}");
        }
        app.get("/v1/issued-certificates?ca=none").await.problem(404, "not_found");
        let spelled: Vec<String> =
            serial.as_bytes().chunks(2).map(|pair| String::from_utf8(pair.to_vec()).unwrap()).collect();
        for reference in [spelled.join(":").to_ascii_uppercase(), fingerprint.to_owned()] {
            let found = app.get(&format!("/v1/issued-certificates/{reference}")).await.is(200).json();
            assert_eq!((&found["serial"], &found["certificate"]), (&made["serial"], &made["certificate"]));
        }
        app.get("/v1/issued-certificates/00ff").await.problem(404, "not_found");
        let revoke = format!("/v1/issued-certificates/{serial}/revoke");
        app.post(&revoke, json!({"reason": "nonsense"})).await.problem(400, "invalid_revocation_reason");
        app.post(&revoke, json!({"reason": "certificateHold"})).await.problem(409, "hold_not_enabled");
        let tried = app.post(&format!("{revoke}?dryRun=true"), json!({})).await.is(200).json();
        assert_eq!((&tried["dryRun"], &tried["wouldBe"]["status"]), (&json!(true), &json!("REVOKED")));
        let revoked = app.post(&revoke, json!({"reason": "keyCompromise"})).await.is(200).json();
        assert_eq!((&revoked["status"], &revoked["revocationReason"]), (&json!("REVOKED"), &json!("keyCompromise")));
        let again = app.post(&revoke, json!({"reason": "keyCompromise"})).await.is(200).json();
        assert_eq!(again["revokedAt"], revoked["revokedAt"]);
        app.post(&revoke, json!({"reason": "superseded"})).await.is(409);
    }
}

#[tokio::test]
async fn profiles() {
    for app in TestApp::on_every_database().await {
        let list = app.get("/v1/profiles").await.is(200).json();
        let built_in: Vec<&str> =
            list["items"].as_array().unwrap().iter().map(|profile| profile["name"].as_str().unwrap()).collect();
        assert_eq!(built_in, ["tls-server-or-client", "tls-server", "tls-client", "code-sign"]);
        let web = json!({"name": "web", "usages": ["serverAuth"], "maxValidity": "P7D",
            "names": {"dns": ["*.example.com"], "required": true, "subject": ["commonName"]}});
        let made = app.post("/v1/profiles", web.clone()).await.is(201);
        assert_eq!(made.header("location"), "/v1/profiles/web");
        assert_eq!((&made.json()["maxValidity"], &made.json()["builtIn"]), (&json!("P7D"), &json!(false)));
        assert_eq!(made.json()["names"]["commonNameInNames"], true);
        let problem = app
            .post("/v1/profiles", json!({"name": "x", "usages": ["flying"], "maxValidity": "soon"}))
            .await
            .is(400)
            .json();
        assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");

        app.root().await;
        let mut outside = wish("a.example.org");
        outside["profile"] = json!("web");
        app.post(ISSUE, outside).await.is(422);
        let mut inside = wish("a.example.com");
        inside["profile"] = json!("web");
        app.post(ISSUE, inside).await.is(201);

        let etag = made.header("etag").to_owned();
        let put = |tag: Option<&str>| {
            let ask = app.ask("PUT", "/v1/profiles/web").json(&json!({"usages": ["serverAuth", "clientAuth"]}));
            match tag {
                Some(tag) => ask.header("if-match", tag).send(),
                None => ask.send(),
            }
        };
        put(None).await.problem(428, "precondition_required");
        let replaced = put(Some(&etag)).await.is(200).json();
        assert_eq!((&replaced["name"], &replaced["usages"]), (&json!("web"), &json!(["serverAuth", "clientAuth"])));
        put(Some(&etag)).await.problem(412, "precondition_failed");
        let tried = app.ask("DELETE", "/v1/profiles/web?dryRun=true").send().await.is(200).json();
        assert_eq!(tried["wouldBe"], Value::Null);
        app.ask("DELETE", "/v1/profiles/web")
            .header("if-match", &etag)
            .send()
            .await
            .problem(412, "precondition_failed");
        app.ask("DELETE", "/v1/profiles/web").send().await.is(204);
        app.get("/v1/profiles/web").await.problem(404, "not_found");
        app.ask("DELETE", "/v1/profiles/tls-server").send().await.is(409);
    }
}

#[tokio::test]
async fn root_keys() {
    let app = TestApp::new().await;
    app.post("/v1/vaults", json!({"name": "v"})).await.is(201);
    let before = app.get("/v1/root-key").await.is(200).json();
    assert_eq!(before["keys"].as_array().unwrap().len(), 1, "{before}");
    let tried = app.ask("POST", "/v1/root-key/rotate?dryRun=true").send().await.is(200).json();
    assert_eq!(tried["dryRun"], true);
    let after = app.ask("POST", "/v1/root-key/rotate").send().await.is(200).json();
    assert_ne!(after["current"], before["current"]);
    app.app.run_jobs().await.unwrap();
    let done = app.get("/v1/root-key").await.is(200).json();
    let current = done["keys"].as_array().unwrap().iter().find(|key| key["id"] == after["current"]).unwrap();
    assert!(current["sealedVaultKeys"].as_u64().unwrap() >= 1, "{done}");
}
