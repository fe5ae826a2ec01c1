//! One URL, many formats.

use crate::common::{CSR, ISSUE, Reply, SIGN, TestApp, wish};
use serde_json::json;

async fn sign(app: &TestApp, query: &str, accept: &str) -> Reply {
    let ask = app.ask("POST", &format!("{SIGN}{query}")).header("content-type", "application/pkcs10").body(CSR);
    if accept.is_empty() { ask.send().await } else { ask.header("accept", accept).send().await }
}

/// Files of a tar archive: name, mode, text.
fn untar(bytes: &[u8]) -> Vec<(String, u32, String)> {
    let mut archive = tar::Archive::new(bytes);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), text)
    };
    archive.entries().unwrap().map(read).collect()
}

#[tokio::test]
async fn a_csr_is_answered_in_every_format() {
    let app = TestApp::new().await;
    app.root().await;
    let table = [
        ("json", "application/json"),
        ("pem", "application/pem-certificate-chain"),
        ("der", "application/pkix-cert"),
        ("p7", "application/pkcs7-mime"),
        ("tar", "application/x-tar"),
    ];
    for (short, media) in table {
        for reply in [sign(&app, &format!("?format={short}"), "").await, sign(&app, "", media).await] {
            let reply = reply.is(201);
            assert_eq!(reply.header("content-type"), media);
            assert_eq!(reply.header("vary"), "Accept");
            assert!(reply.header("location").starts_with("/v1/issued-certificates/"));
            assert_eq!(reply.header("content-disposition").is_empty(), short == "json", "{short}");
            let found = app.get(reply.header("location")).await.is(200);
            match short {
                "json" => assert_eq!(reply.json()["certificate"], found.json()["certificate"]),
                "pem" => assert!(reply.text().starts_with(found.json()["certificate"].as_str().unwrap())),
                "der" => {
                    let der = app.get(&format!("{}?format=der", reply.header("location"))).await.is(200);
                    assert_eq!(der.body, reply.body);
                }
                "p7" => assert_eq!(reply.body.first(), Some(&0x30)),
                _ => {
                    let files = untar(&reply.body);
                    let names: Vec<&str> = files.iter().map(|(name, ..)| name.as_str()).collect();
                    assert_eq!(names, ["cert.pem", "chain.pem", "ca.pem"]);
                }
            }
        }
    }
    sign(&app, "?format=docx", "").await.problem(400, "invalid_format");
    let problem = sign(&app, "", "image/png").await.problem(406, "not_acceptable");
    assert!(problem["errors"][0]["allowed"].as_str().unwrap().contains("application/x-tar"));
    sign(&app, "", "image/png, */*;q=0.1").await.is(201);
}

#[tokio::test]
async fn a_refused_format_signs_nothing() {
    let app = TestApp::new().await;
    app.root().await;
    let before = app.count().await;
    for reply in [
        app.post(&format!("{ISSUE}?format=der"), wish("a.example.com")).await,
        app.post(&format!("{ISSUE}?format=p7"), wish("a.example.com")).await,
        app.ask("POST", ISSUE).header("accept", "application/pkix-cert").json(&wish("a.example.com")).send().await,
    ] {
        reply.problem(406, "not_acceptable");
    }
    assert_eq!(app.count().await, before);
}

#[tokio::test]
async fn a_key_of_ours_is_in_every_answer_of_issue() {
    let app = TestApp::new().await;
    app.root().await;
    app.ca("issuing", json!({"type": "SUBORDINATE", "issuer": "root", "validity": {"duration": "P365D"}}))
        .await
        .is(201);
    let path = "/v1/certificate-authorities/issuing/issue";
    let json = app.post(path, wish("a.example.com")).await.is(201);
    let document = json.json();
    for (field, begin) in
        [("privateKey", "-----BEGIN PRIVATE KEY-----"), ("certificate", "-----BEGIN CERTIFICATE-----")]
    {
        assert!(document[field].as_str().unwrap().starts_with(begin), "{field}");
    }
    let count = |field: &str| document[field].as_str().unwrap().matches("BEGIN CERTIFICATE").count();
    assert_eq!((count("certificate"), count("chain"), count("caChain")), (1, 2, 2));
    let chain = document["chain"].as_str().unwrap();
    assert!(chain.starts_with(document["certificate"].as_str().unwrap()));
    let ca = app.get("/v1/certificate-authorities/issuing").await.json();
    assert!(chain.ends_with(ca["version"]["certificate"].as_str().unwrap()));
    let root = app.get("/v1/certificate-authorities/root").await.json();
    assert!(document["caChain"].as_str().unwrap().ends_with(root["version"]["certificate"].as_str().unwrap()));
    for field in ["serial", "fingerprint", "notBefore", "notAfter", "renewAt", "ca", "profile", "keyAlgorithm"] {
        assert!(document[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    assert_eq!(document["subject"], json!({"commonName": "a.example.com"}));
    assert_eq!(document["subjectText"], "CN=a.example.com");
    assert!(document.get("ignoredExtensions").is_none());

    let pem = app.post(&format!("{path}?format=pem"), wish("a.example.com")).await.is(201).text();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2);
    let tar = app.post(&format!("{path}?format=tar"), wish("a.example.com")).await.is(201);
    let files = untar(&tar.body);
    let modes: Vec<(&str, u32)> = files.iter().map(|(name, mode, _)| (name.as_str(), *mode)).collect();
    assert_eq!(modes, [("cert.pem", 0o644), ("chain.pem", 0o644), ("ca.pem", 0o644), ("key.pem", 0o600)]);
    // Nowhere else: neither the inventory nor the audit trail knows it.
    let key: String = document["privateKey"].as_str().unwrap().lines().nth(1).unwrap().to_owned();
    for path in ["/v1/issued-certificates", "/v1/audit-events"] {
        assert!(!app.get(path).await.is(200).text().contains(&key));
    }
}

#[tokio::test]
async fn csrs_come_in_pem_der_and_json() {
    let app = TestApp::new().await;
    app.root().await;
    let der = include_bytes!("../data/service-a.csr.der");
    let raw = app
        .ask("POST", &format!("{SIGN}?profile=tls-server&duration=PT24H"))
        .header("content-type", "application/pkcs10");
    let raw = raw.body(&der[..]).send().await.is(201).json();
    assert_eq!(raw["profile"], "tls-server");
    assert_eq!(raw["names"][0], "service-a.example.com");
    assert!(raw.get("privateKey").is_none());
    let expected = "C=KR, ST=Seongnam-si, L=Bundang-gu, O=DDIM, OU=Engineer, emailAddress=example@example.com, \
                    CN=service-a.example.com";
    assert_eq!(raw["subjectText"], expected);
    let body = json!({"csr": CSR, "profile": "tls-client", "subject": {"commonName": "other"}, "names": ["b.example.com"],
        "validity": {"duration": "12h"}});
    let signed = app.post(SIGN, body).await.is(201).json();
    assert_eq!((&signed["profile"], &signed["names"]), (&json!("tls-client"), &json!(["b.example.com"])));
    let staple = include_str!("../data/must-staple.csr.pem");
    let signed = app.post(SIGN, json!({"csr": staple})).await.is(201).json();
    assert_eq!(signed["ignoredExtensions"], json!(["1.3.6.1.5.5.7.1.24"]));
    let mixed = app.post(&format!("{SIGN}?profile=tls-server"), json!({"csr": CSR})).await;
    mixed.problem(400, "misplaced_parameter");
}

#[tokio::test]
async fn subjects_keep_their_order() {
    let app = TestApp::new().await;
    app.root().await;
    let body = r#"{"subject":{"country":"KR","organizationalUnit":["B","A"],"commonName":"a.example.com"},"names":["a.example.com"]}"#;
    let issue = app.ask("POST", ISSUE).header("content-type", "application/json").body(body).send().await.is(201);
    let subject = r#""subject":{"country":"KR","organizationalUnit":["B","A"],"commonName":"a.example.com"}"#;
    assert!(issue.text().contains(subject), "{}", issue.text());
    let found = app.get(issue.header("location")).await.is(200);
    assert!(found.text().contains(subject));
    let body = r#"{"subject":[{"type":"domainComponent","value":"a"},{"type":"country","value":"KR"},{"type":"domainComponent","value":"b"}],"names":["a.example.com"]}"#;
    let issue = app.ask("POST", ISSUE).header("content-type", "application/json").body(body).send().await.is(201);
    assert!(issue.text().contains(r#""subject":[{"type":"domainComponent","value":"a"},{"type":"country""#));
    assert_eq!(issue.json()["subjectText"], "DC=a, C=KR, DC=b");
    let typed = json!({"subject": {"commonName": "x.example.com"}, "names": [{"type": "DNS", "value": "x.example.com"}, {"type": "IP", "value": "10.0.0.5"}]});
    let issued = app.post(ISSUE, typed).await.is(201).json();
    assert_eq!(issued["names"], json!(["x.example.com", "10.0.0.5"]));
}

#[tokio::test]
async fn trust_in_every_format() {
    let app = TestApp::new().await;
    app.root().await;
    let ask = |path: &'static str| app.ask("GET", path).authorization(None).send();
    let trust = ask("/v1/trust").await.is(200).json();
    assert_eq!(trust["items"][0]["name"], "root");
    let pem = ask("/v1/trust?format=pem").await.is(200);
    assert_eq!(pem.text(), trust["items"][0]["certificate"].as_str().unwrap());
    let der = ask("/v1/trust?format=der").await.is(200);
    assert_eq!(der.header("content-type"), "application/pkix-cert");
    assert_eq!(ask("/pki/root/ca.crt").await.is(200).body, der.body);
    assert_eq!(ask("/v1/trust?format=p7").await.is(200).header("content-type"), "application/pkcs7-mime");
    app.ca("second", json!({"type": "ROOT"})).await.is(201);
    let problem = ask("/v1/trust?format=der").await.problem(406, "not_acceptable");
    assert!(problem["detail"].as_str().unwrap().contains("2 roots"), "{problem}");
    assert_eq!(ask("/v1/trust?format=pem").await.is(200).text().matches("BEGIN CERTIFICATE").count(), 2);
}

#[tokio::test]
async fn public_keys_chains_and_csrs() {
    let app = TestApp::new().await;
    app.root().await;
    let path = "/v1/vaults/default/keys/root-key/public-key";
    let json = app.get(path).await.is(200).json();
    assert_eq!((&json["algorithm"], &json["length"], &json["version"]), (&json!("ECDSA"), &json!(256), &json!(1)));
    let pem = app.get(&format!("{path}?format=pem&version=1")).await.is(200);
    assert_eq!(pem.text(), json["publicKey"].as_str().unwrap());
    let der = app.get(&format!("{path}?format=der")).await.is(200);
    assert_eq!(der.header("content-type"), "application/octet-stream");
    app.get(&format!("{path}?version=9")).await.problem(404, "not_found");
    app.post("/v1/vaults/default/keys", json!({"name": "aes", "algorithm": "AES"})).await.is(201);
    app.get("/v1/vaults/default/keys/aes/public-key").await.problem(409, "key_without_public_key");

    let chain = app.get("/v1/certificate-authorities/root/chain?format=pem").await.is(200);
    assert_eq!(chain.header("content-type"), "application/pem-certificate-chain");
    app.get("/v1/certificate-authorities/root/chain?format=p7").await.is(200);
    app.ca("outside", json!({"type": "SUBORDINATE_EXTERNAL"})).await.is(201);
    let path = "/v1/certificate-authorities/outside/csr";
    let json = app.get(path).await.is(200).json();
    assert!(json["csr"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
    assert_eq!(app.get(&format!("{path}?format=pem")).await.is(200).text(), json["csr"].as_str().unwrap());
    let der = app.ask("GET", path).header("accept", "application/pkcs10").send().await.is(200);
    assert_eq!(der.header("content-type"), "application/pkcs10");
    app.get("/v1/certificate-authorities/root/csr").await.is(409);
}

#[tokio::test]
async fn the_inventory_as_csv() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        for number in 0..12 {
            app.issue(&format!("n{number}.example.com")).await;
        }
        let evil = json!({"subject": {"commonName": "=1+1,\"x\""}, "names": ["evil.example.com"]});
        app.post(
            "/v1/profiles",
            json!({"name": "loose", "usages": ["serverAuth"],
            "names": {"dns": ["*"], "subject": ["*"], "commonNameInNames": false}}),
        )
        .await
        .is(201);
        let mut body = evil;
        body["profile"] = json!("loose");
        app.post(ISSUE, body).await.is(201);
        let csv = app.ask("GET", "/v1/issued-certificates").header("accept", "text/csv").send().await.is(200);
        assert!(csv.header("content-type").starts_with("text/csv"));
        assert!(csv.header("content-disposition").contains("issued-certificates.csv"));
        let mut reader = csv::Reader::from_reader(&csv.body[..]);
        let headers = reader.headers().unwrap().clone();
        assert_eq!(headers.get(0), Some("serial"));
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), app.count().await);
        assert!(rows.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@'])));
        assert!(rows.iter().flatten().any(|cell| cell == "'=1+1,\"x\""));
        let one = app.get("/v1/issued-certificates?format=csv&san=n3.example.com").await.is(200).text();
        assert_eq!(one.lines().count(), 2);
        app.get("/v1/issued-certificates?format=csv&limit=3").await.problem(400, "not_with_csv");
    }
}

#[tokio::test]
async fn csv_goes_on_over_many_pages() {
    let app = TestApp::new().await;
    app.root().await;
    for batch in 0..6 {
        let names: Vec<String> = (0..100).map(|number| format!("n{number}.b{batch}.example.com")).collect();
        futures_util::future::join_all(names.iter().map(|name| app.issue(name))).await;
    }
    let csv = app.get("/v1/issued-certificates?format=csv&kind=LEAF").await.is(200);
    let mut reader = csv::Reader::from_reader(&csv.body[..]);
    let serials: std::collections::BTreeSet<String> =
        reader.records().map(|row| row.unwrap().get(0).unwrap().to_owned()).collect();
    assert_eq!(serials.len(), 600);
}
