//! CAs brought along and taken away, through the door.

use crate::common::TestApp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const CAS: &str = "/v1/certificate-authorities";
const EXPORT: &str = "/v1/certificate-authorities/away/export";

fn import(more: Value) -> Value {
    let mut body = json!({"name": "back", "type": "IMPORTED", "vault": "default", "key": "back-key"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_ca_goes_away_and_comes_back() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let made = app.ca("away", json!({"type": "ROOT", "exportable": true})).await.is(201).json();
        assert_eq!((&made["exportable"], &made["crlNumber"]), (&json!(true), &Value::Null));

        let file = app.post(EXPORT, json!({"password": "golden"})).await.is(200);
        assert_eq!(file.header("content-type"), "application/pkcs12");
        assert_eq!(file.header("cache-control"), "no-store");
        assert_eq!(file.header("content-disposition"), "attachment; filename=\"away.p12\"");
        let pem = app.post(EXPORT, json!({"password": "golden", "format": "pem"})).await.is(200);
        let pem = String::from_utf8(pem.body).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{pem}");
        let audit = app.get("/v1/audit-events?action=ca.export").await.is(200).json();
        assert_eq!(audit["items"].as_array().unwrap().len(), 2);

        let body = import(json!({"pkcs12": STANDARD.encode(&file.body), "password": "golden", "crlNumber": 41,
            "usedSerials": ["0A"], "opensslIndex": "V\t270101000000Z\t\t1000\tunknown\t/CN=a\n"}));
        let back = app.post(CAS, body).await.is(201).json();
        assert_eq!(
            (&back["type"], &back["crlNumber"], &back["exportable"]),
            (&json!("IMPORTED"), &json!(41), &json!(false))
        );
        assert_eq!(back["version"]["fingerprint"], made["version"]["fingerprint"]);
        app.post("/v1/certificate-authorities/back/export", json!({"password": "golden"}))
            .await
            .problem(409, "ca_not_exportable");
        let names = json!({"names": ["a.example.com"]});
        app.post("/v1/certificate-authorities/back/issue", names).await.is(201);
        // What it gave away before is revoked by serial and CA.
        let old = json!({"serial": "10:00", "ca": "back", "reason": "superseded"});
        let revoked = app.post("/v1/issued-certificates/revoke", old).await.is(200).json();
        assert_eq!((&revoked["serial"], &revoked["ca"]), (&json!("1000"), &json!("back")));
        assert_eq!(
            (&revoked["notAfter"], &revoked["revocationReason"]),
            (&json!("2027-01-01T00:00:00Z"), &json!("superseded"))
        );
        let unknown = json!({"serial": "1001", "ca": "back"});
        app.post("/v1/issued-certificates/revoke", unknown).await.problem(404, "not_found");
        // The certificate, the chain and the key in one text.
        let again = import(json!({"certificate": pem, "passphrase": "golden", "name": "again", "key": "again-key"}));
        app.ask("POST", &format!("{CAS}?dryRun=true")).json(&again).send().await.is(200);
    }
}

#[tokio::test]
async fn faults_of_an_import_are_listed_at_their_places() {
    let app = TestApp::new().await;
    app.root().await;
    app.ca("away", json!({"type": "ROOT", "exportable": true})).await.is(201);
    let file = app.post(EXPORT, json!({"password": "golden", "compat": true})).await.is(200);
    let pkcs12 = STANDARD.encode(&file.body);
    let body = import(json!({"pkcs12": pkcs12, "password": "silver", "crlNumber": u64::MAX,
        "opensslIndex": "V\t270101000000Z\t\t1000\tunknown\t/CN=a\nbroken", "issuer": "root"}));
    let problem = app.post(CAS, body).await.problem(400, "invalid_request");
    let found: Vec<(&str, &str)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("/issuer", "field_not_applicable"),
            ("/password", "wrong_password"),
            ("/opensslIndex", "invalid_index"),
            ("/crlNumber", "invalid_crl_number"),
        ]
    );
    let serials = import(json!({"pkcs12": pkcs12, "password": "golden", "usedSerials": ["1", "x"]}));
    assert_eq!(app.post(CAS, serials).await.is(400).json()["errors"][0]["pointer"], "/usedSerials/1");
    let root = json!({"name": "r", "type": "ROOT", "usedSerials": [], "pkcs12": ""});
    let problem = app.post(CAS, root).await.is(400).json();
    assert_eq!(problem["errors"][0]["code"], "field_not_applicable");
    for (body, code) in [
        (json!({"password": "golden", "format": "jks"}), "invalid_format"),
        (json!({"password": ""}), "unsuitable_password"),
    ] {
        assert_eq!(app.post(EXPORT, body).await.is(400).json()["errors"][0]["code"], code);
    }
    app.post(EXPORT, json!({})).await.is(400);
    app.post("/v1/certificate-authorities/none/export", json!({"password": "golden"})).await.is(404);
}
