//! Enrolment tokens by the doors of HTTP.

use crate::common::{Reply, SIGN, TestApp};
use certwright_domain::time::Span;
use serde_json::{Value, json};

/// commonName web-1.example.com; names web-1.example.com and 10.0.0.5.
const CSR: &str = include_str!("../data/web-1.csr.pem");
/// No subject; the name web-1.example.com.
const SUBSET: &str = include_str!("../data/web-1-subset.csr.pem");
/// Names web-1.example.com and web-2.example.com.
const WIDER: &str = include_str!("../data/web-2.csr.pem");
/// commonName web-2.example.com; the name web-1.example.com.
const OTHER_CN: &str = include_str!("../data/web-other-cn.csr.pem");
/// Organization `system:masters`, commonName and name web-1.example.com.
const ORGANIZATION: &str = include_str!("../data/web-organization.csr.pem");

/// Names of [`CSR`] with another key, and `O=system:masters` before the same commonName.
const SAME_NAMES_ORGANIZATION: &str = include_str!("../data/web-1-organization.csr.pem");
/// Names of [`CSR`] with another key, and no subject.
const SAME_NAMES_NO_SUBJECT: &str = include_str!("../data/web-1-nameless.csr.pem");
/// Names of [`CSR`] with another key.
const RENEWAL: &str = include_str!("../data/web-1-renewal.csr.pem");
/// The same with yet another one.
const NEXT: &str = include_str!("../data/web-1-next.csr.pem");

const RENEW: &str = "/v1/certificate-authorities/root/renew-certificate";
const PATH: &str = "/v1/enrollment-tokens";
const ENROLL: &str = "/v1/auth/enroll";

fn wish(more: Value) -> Value {
    let mut wish = json!({"name": "web-1", "ca": "root", "profile": "tls-server",
        "names": ["web-1.example.com", "10.0.0.5"]});
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    wish
}

/// Makes a token; its text.
async fn token(app: &TestApp, more: Value) -> String {
    let made = app.post(PATH, wish(more)).await.is(201).json();
    made["token"].as_str().unwrap().to_owned()
}

async fn enroll(app: &TestApp, token: &str, csr: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    app.ask("POST", ENROLL).authorization(Some(&bearer)).json(&json!({"csr": csr})).send().await
}

/// The answer without what is new in each.
fn sentence(reply: &Reply) -> (u16, String, Value) {
    let mut body = reply.json();
    body.as_object_mut().unwrap().remove("requestId");
    (reply.status.as_u16(), reply.header("www-authenticate").to_owned(), body)
}

#[tokio::test]
async fn a_token_gives_one_certificate_as_sign_does() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let made = app.post(PATH, wish(json!({}))).await.is(201);
        let shown = made.json();
        let text = shown["token"].as_str().unwrap().to_owned();
        assert!(text.starts_with("cwe_"));
        assert_eq!((&shown["uses"], &shown["usesLeft"]), (&json!(1), &json!(1)));
        assert_eq!(shown["expiresAt"], app.at(Span::from_minutes(15)));
        assert_eq!(made.header("location"), format!("{PATH}/{}", shown["id"].as_str().unwrap()));

        let answer = enroll(&app, &text, CSR).await.is(201);
        let signed = app.post(SIGN, json!({"csr": CSR, "profile": "tls-server"})).await.is(201);
        let fields = |reply: &Reply| reply.json().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(fields(&answer), fields(&signed));
        let body = answer.json();
        assert_eq!((&body["ca"], &body["profile"]), (&json!("root"), &json!("tls-server")));
        assert_eq!(body["names"], json!(["web-1.example.com", "10.0.0.5"]));

        let record = app.get(&format!("{PATH}/web-1")).await.is(200);
        assert_eq!(record.json()["usesLeft"], 0);
        assert!(!record.text().contains("cwe_"), "its text is never shown again");
        assert!(!app.get(PATH).await.is(200).text().contains("cwe_"));
        let row = app.get(&format!("/v1/issued-certificates/{}", body["serial"].as_str().unwrap())).await.is(200);
        assert!(row.text().contains("enrollment:"), "the inventory says how it came: {}", row.text());
        let trail = app.get("/v1/audit-events?limit=500").await.is(200).text();
        for said in ["enrollment-token.create", "enrollment/web-1", "enrollment-token:enrollment_"] {
            assert!(trail.contains(said), "{said}");
        }
        assert!(!trail.contains(&text));
    }
}

#[tokio::test]
async fn unknown_ended_used_up_and_deleted_tokens_get_one_answer() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let used = token(&app, json!({"name": "used"})).await;
        enroll(&app, &used, CSR).await.is(201);
        let deleted = token(&app, json!({"name": "deleted"})).await;
        app.ask("DELETE", &format!("{PATH}/deleted")).send().await.is(204);
        let short = token(&app, json!({"name": "short", "lifetime": "PT1M"})).await;
        let live = token(&app, json!({"name": "live"})).await;
        app.wait(Span::from_minutes(1));
        let unknown = live.replacen("cwe_", "cwt_", 1);
        let admin = app.token.clone();
        let expected = sentence(&enroll(&app, "cwe_x", CSR).await.is(401));
        let mut broken = live.clone();
        broken.pop();
        for turned_away in [&used, &deleted, &short, &unknown, &admin, &broken, &format!("{live}A")] {
            assert_eq!(sentence(&enroll(&app, turned_away, CSR).await), expected);
            // A trial, which takes no use, is no way to ask either.
            let bearer = format!("Bearer {turned_away}");
            let trial = app.ask("POST", &format!("{ENROLL}?dryRun=true")).authorization(Some(&bearer));
            assert_eq!(sentence(&trial.json(&json!({"csr": CSR})).send().await), expected);
        }
        // An enrolment token opens no other door.
        let bearer = format!("Bearer {live}");
        for (method, path) in [("GET", "/v1/whoami"), ("GET", PATH), ("POST", SIGN), ("POST", "/v1/tokens")] {
            app.ask(method, path).authorization(Some(&bearer)).json(&json!({})).send().await.is(401);
        }
        enroll(&app, &live, CSR).await.is(201);
    }
}

#[tokio::test]
async fn nothing_but_the_names_of_the_token_is_given() {
    let app = TestApp::new().await;
    app.root().await;
    let text = token(&app, json!({"uses": 2})).await;
    for (csr, pointers) in
        [(WIDER, &["/names/1"][..]), (OTHER_CN, &["/subject/commonName"]), (ORGANIZATION, &["/subject/organization"])]
    {
        let refused = enroll(&app, &text, csr).await.is(422).json();
        let errors = refused["errors"].as_array().unwrap();
        assert_eq!(errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect::<Vec<_>>(), pointers);
        assert_eq!(errors[0]["code"], "name_not_of_token");
    }
    // Refusals and trials take no use; fewer names may be asked for.
    let bearer = format!("Bearer {text}");
    let trial = app.ask("POST", &format!("{ENROLL}?dryRun=true")).authorization(Some(&bearer));
    trial.json(&json!({"csr": CSR})).send().await.is(200);
    let wider = app.ask("POST", &format!("{ENROLL}?dryRun=true")).authorization(Some(&bearer));
    wider.json(&json!({"csr": WIDER})).send().await.is(422);
    assert_eq!(app.get(&format!("{PATH}/web-1")).await.json()["usesLeft"], 2);
    let given = enroll(&app, &text, SUBSET).await.is(201).json();
    assert_eq!(given["names"], json!(["web-1.example.com"]));
    // The rules of CA and profile hold as for anybody.
    let long = json!({"csr": CSR, "validity": {"duration": "P91D"}});
    let refused = app.ask("POST", ENROLL).authorization(Some(&bearer)).json(&long).send().await;
    refused.problem(422, "lifetime_too_long");
    assert_eq!(app.get(&format!("{PATH}/web-1")).await.json()["usesLeft"], 1);
}

#[tokio::test]
async fn a_lost_answer_is_found_again_under_its_idempotency_key() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let bearer = format!("Bearer {}", token(&app, json!({})).await);
        let ask = async |key: &str, csr: &str| {
            let ask = app.ask("POST", ENROLL).authorization(Some(&bearer)).header("idempotency-key", key);
            ask.json(&json!({"csr": csr})).send().await
        };
        let first = ask("boot-1", CSR).await.is(201);
        let again = ask("boot-1", CSR).await.is(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(first.json()["serial"], again.json()["serial"]);
        ask("boot-2", CSR).await.is(401);
        assert_ne!(ask("boot-1", SUBSET).await.status, 201, "another request under the same key");
        assert_eq!(app.count().await, 2, "the root's and one");
        app.wait(Span::from_minutes(15));
        ask("boot-1", CSR).await.is(401);
    }
}

#[tokio::test]
async fn nobody_gives_away_what_they_lack() {
    let app = TestApp::new().await;
    app.root().await;
    let anna = app.bearer_of("anna").await;
    app.post("/v1/groups", json!({"name": "team"})).await.is(201);
    app.ask("PUT", "/v1/groups/team/members/anna").send().await.is(200);
    let statements = json!([
        "Allow group team to manage enrollment-tokens in tenancy",
        "Allow group team to use certificate-authority-delegates in tenancy where all {target.names = \
         /*.team.example.com/, target.profile.name = 'tls-server'}",
    ]);
    app.post("/v1/policies", json!({"name": "team", "statements": statements})).await.is(201);
    let ask = async |more: Value| {
        let ask = app.ask("POST", PATH).authorization(Some(&anna));
        ask.json(&wish(more)).send().await
    };
    ask(json!({"names": ["a.team.example.com"]})).await.is(201);
    ask(json!({"name": "b", "names": ["a.team.example.com", "b.other.example.com"]})).await.is(403);
    ask(json!({"name": "b", "names": ["b.other.example.com"]})).await.is(403);
    ask(json!({"name": "b", "profile": "tls-client", "names": ["b.team.example.com"]})).await.is(403);
    ask(json!({"name": "b", "ca": "nowhere", "names": ["b.team.example.com"]})).await.is(404);
    assert_eq!(app.get(PATH).await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn faults_of_a_token_are_all_pointed_at_and_what_no_rule_lets_through_is_not_made() {
    let app = TestApp::new().await;
    app.root_with(json!({"nameConstraints": {"permitted": {"dns": ["example.com"]}}})).await;
    let faults = json!({"names": [], "uses": 0, "expiresAt": app.at(Span::from_hours(25))});
    let refused = app.post(PATH, wish(faults)).await.is(400).json();
    let pointers: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/names", "/uses", "/expiresAt"]);
    app.post(PATH, wish(json!({"names": ["web.example.org"]}))).await.is(422);
    app.post(PATH, wish(json!({"names": ["web.example.com"]}))).await.is(201);
    app.post(PATH, wish(json!({"names": ["web.example.com"]}))).await.problem(409, "name_taken");
    let trial = app.post(&format!("{PATH}?dryRun=true"), wish(json!({"name": "x", "names": ["x.example.com"]}))).await;
    assert!(!trial.is(200).text().contains("cwe_"), "a trial makes no token");
    app.get(&format!("{PATH}/x")).await.is(404);
}

/// Enrols with [`CSR`]; the answer.
async fn enrolled(app: &TestApp, more: Value) -> Value {
    let text = token(app, more).await;
    enroll(app, &text, CSR).await.is(201).json()
}

async fn renew(app: &TestApp, shown: &Value, csr: &str) -> Reply {
    let shown = shown["fingerprint"].as_str().unwrap();
    app.ask("POST", RENEW).showing(shown).json(&json!({"csr": csr})).send().await
}

#[tokio::test]
async fn an_enrolled_certificate_renews_itself_again_and_again() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        let first = enrolled(&app, json!({"profile": "tls-client"})).await;
        app.wait(Span::from_hours(24));
        let second = renew(&app, &first, RENEWAL).await.is(201).json();
        for same in ["names", "subjectText", "profile", "ca"] {
            assert_eq!(first[same], second[same], "{same}");
        }
        assert_ne!(first["serial"], second["serial"]);
        let third = renew(&app, &second, NEXT).await.is(201).json();
        let trail = app.get("/v1/audit-events?action=certificate.renew-itself").await.is(200).json();
        let details: Vec<_> = trail["items"].as_array().unwrap().iter().map(|event| event["details"].clone()).collect();
        assert_eq!(details.len(), 2);
        for (old, new) in [(&first, &second), (&second, &third)] {
            let both = |it: &&Value| it["previousSerial"] == old["serial"] && it["serial"] == new["serial"];
            assert!(details.iter().any(|it| both(&it)), "{details:?}");
        }
    }
}

#[tokio::test]
async fn a_renewal_gives_the_same_for_a_fresh_key_and_nothing_else() {
    let app = TestApp::new().await;
    app.root().await;
    let first = enrolled(&app, json!({"profile": "tls-client"})).await;
    let code = async |csr: &str| renew(&app, &first, csr).await.is(422).json()["errors"][0]["code"].clone();
    assert_eq!(code(CSR).await, "key_not_fresh");
    assert_eq!(code(SUBSET).await, "not_the_same_names", "fewer are not the same");
    assert_eq!(code(WIDER).await, "not_the_same_names");
    assert_eq!(code(OTHER_CN).await, "not_the_same_names");
    assert_eq!(code(ORGANIZATION).await, "not_the_same_names");
    // With the very names, another subject is another subject.
    for csr in [SAME_NAMES_ORGANIZATION, SAME_NAMES_NO_SUBJECT] {
        let refused = renew(&app, &first, csr).await.is(422).json();
        let pointers: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
        assert_eq!(pointers, ["/subject"], "{refused}");
    }
    let shown = first["fingerprint"].as_str().unwrap();
    let trial = app.ask("POST", &format!("{RENEW}?dryRun=true")).showing(shown).json(&json!({"csr": RENEWAL}));
    trial.send().await.is(200);
    let second = renew(&app, &first, RENEWAL).await.is(201).json();
    // The key of the first one is no fresh key for the third.
    let old_key = renew(&app, &second, CSR).await.is(422).json();
    assert_eq!(old_key["errors"][0]["code"], "key_not_fresh");
    assert_eq!(app.count().await, 3, "the root's and two");
}

#[tokio::test]
async fn certificates_that_do_not_stand_renew_nothing() {
    for app in TestApp::on_every_database().await {
        app.root().await;
        app.ca("second", json!({"type": "ROOT"})).await.is(201);
        let first = enrolled(&app, json!({"profile": "tls-client"})).await;
        // Of another CA; unknown; without a certificate; with a token beside it.
        let elsewhere = RENEW.replace("/root/", "/second/");
        let shown = first["fingerprint"].as_str().unwrap().to_owned();
        app.ask("POST", &elsewhere).showing(&shown).json(&json!({"csr": RENEWAL})).send().await.is(404);
        let unknown = sentence(&renew(&app, &json!({"fingerprint": "ab".repeat(32)}), RENEWAL).await.is(401));
        app.ask("POST", RENEW).authorization(None).json(&json!({"csr": RENEWAL})).send().await.is(401);
        let bearer = format!("Bearer {}", app.token);
        let both = app.ask("POST", RENEW).showing(&shown).authorization(Some(&bearer));
        both.json(&json!({"csr": RENEWAL})).send().await.is(401);
        // A certificate opens no other door.
        app.ask("GET", "/v1/whoami").showing(&shown).send().await.is(401);
        // Not for clients.
        let server = token(&app, json!({"name": "server", "profile": "tls-server"})).await;
        let server = enroll(&app, &server, CSR).await.is(201).json();
        assert_eq!(sentence(&renew(&app, &server, RENEWAL).await), unknown);
        // Not from an enrolment token.
        let signed = app.post(SIGN, json!({"csr": CSR, "profile": "tls-client"})).await.is(201).json();
        renew(&app, &signed, RENEWAL).await.problem(409, "not_enrolled");
        // Revoked.
        let revoke = format!("/v1/issued-certificates/{shown}/revoke");
        let second = renew(&app, &first, RENEWAL).await.is(201).json();
        app.post(&revoke, json!({"reason": "superseded"})).await.is(200);
        assert_eq!(sentence(&renew(&app, &first, NEXT).await), unknown);
        // After its end.
        app.wait(Span::from_days(91));
        assert_eq!(sentence(&renew(&app, &second, NEXT).await), unknown);
    }
}

#[tokio::test]
async fn a_disabled_ca_renews_nothing() {
    let app = TestApp::new().await;
    app.root().await;
    let first = enrolled(&app, json!({"profile": "tls-client"})).await;
    let off = app.ask("PATCH", "/v1/certificate-authorities/root").header("if-match", "*");
    off.json(&json!({"enabled": false})).send().await.is(200);
    renew(&app, &first, RENEWAL).await.is(401);
}
