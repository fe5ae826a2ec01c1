//! Orders and finalizing (O, F, P).

use crate::client::{Client, Signer, b64};
use crate::csr::{Csr, new_key};
use crate::server::{Server, call};
use certwright_domain::acme::{Failure, FailureKind, RawDirectory};
use certwright_domain::name::Reference;
use certwright_domain::time::Span;
use certwright_testkit::faults::When;
use serde_json::json;

#[tokio::test]
async fn o1_o5_o6_an_order_is_what_was_asked_for() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let reply =
        client.new_order(&["B.example.com.", "a.example.com", "b.example.com", "*.a.example.com"]).await.is(201);
    let order = reply.json();
    assert_eq!(order["status"], "pending");
    let names: Vec<&str> =
        order["identifiers"].as_array().unwrap().iter().map(|it| it["value"].as_str().unwrap()).collect();
    assert_eq!(names, ["b.example.com", "a.example.com", "*.a.example.com"]);
    assert_eq!(order["authorizations"].as_array().unwrap().len(), 3);
    assert_eq!(order["finalize"], format!("{}/finalize", reply.location()));
    assert_eq!(order["profile"], "acme", "P2");
    assert!(order["expires"].as_str().unwrap().ends_with('Z'));
    assert!(order.get("certificate").is_none() && order.get("error").is_none());
    assert_eq!(client.fetch(&reply.location()).await.is(200).json(), order);
}

#[tokio::test]
async fn o2_o3_o4_o7_names_that_are_none_are_refused_one_by_one() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let order = async |identifiers: serde_json::Value| {
        client.post(&client.url("new-order"), json!({"identifiers": identifiers})).await
    };
    for identifiers in
        [json!([]), json!(null), json!("x"), json!([1]), json!([{"type": "dns"}]), json!([{"value": "a"}])]
    {
        order(identifiers).await.refused(400, "malformed");
    }
    let many: Vec<_> = (0..101).map(|n| json!({"type": "dns", "value": format!("a{n}.example.com")})).collect();
    order(json!(many)).await.refused(400, "malformed");
    let long = "a.".repeat(500);
    order(json!([{"type": "dns", "value": long}])).await.refused(400, "malformed");
    order(json!([{"type": "email", "value": "a@example.com"}])).await.refused(400, "unsupportedIdentifier");
    let mixed = json!([
        {"type": "dns", "value": "good.example.com"},
        {"type": "dns", "value": "10.0.0.1"},
        {"type": "dns", "value": "a_b.example.com"},
        {"type": "ip", "value": "2001:DB8::1"},
    ]);
    let refused = order(mixed).await.refused(400, "rejectedIdentifier").json();
    let values: Vec<&str> = refused["subproblems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["identifier"]["value"].as_str().unwrap())
        .collect();
    assert_eq!(values, ["10.0.0.1", "a_b.example.com", "2001:DB8::1"]);
    // O7: what the directory does not certify.
    server
        .directory(RawDirectory {
            name: "corp".to_owned(),
            names: Some(vec!["*.corp.example".to_owned()]),
            ..Default::default()
        })
        .await;
    let corp = Client::within(&server, "corp").await;
    let refused = corp.new_order(&["a.corp.example", "b.example.com", "corp.example"]).await;
    let refused = refused.refused(400, "rejectedIdentifier").json();
    assert_eq!(refused["subproblems"].as_array().unwrap().len(), 2);
    assert!(client.fetch(&format!("{}/orders", client.kid)).await.json()["orders"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn o8_the_validity_is_what_was_asked_for_or_refused() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let now = server.app.now();
    let (from, to) = (now.plus(Span::from_minutes(5)), now.plus(Span::from_days(3)));
    let wish = json!({"notBefore": from.to_string(), "notAfter": to.to_string()});
    let (_, pem) = client.certificate_with(&["a.example.com"], wish, &Csr::new(&["a.example.com"])).await;
    let der = crate::client::leaf(&pem);
    let row = server.app.issued_certificate(&call(), &certwright_app::sha256(&[&der]).to_string()).await.unwrap();
    assert_eq!((row.validity.not_before(), row.validity.not_after()), (from, to));
    for wish in [
        json!({"notAfter": now.plus(Span::from_days(91)).to_string()}),
        json!({"notAfter": now.minus(Span::from_days(1)).to_string()}),
        json!({"notBefore": now.minus(Span::from_days(30)).to_string()}),
        json!({"notBefore": "yesterday"}),
        json!({"notAfter": 5}),
    ] {
        client.order_with(&["a.example.com"], wish).await.refused(400, "malformed");
    }
}

#[tokio::test]
async fn o10_a_proof_serves_later_orders_of_the_same_account_and_name() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    client.ready(&["a.example.com"]).await;
    assert_eq!(client.new_order(&["a.example.com"]).await.is(201).json()["status"], "ready");
    assert_eq!(client.new_order(&["*.a.example.com"]).await.is(201).json()["status"], "pending");
    assert_eq!(client.new_order(&["b.a.example.com"]).await.is(201).json()["status"], "pending");
    let other = Client::new(&server).await;
    assert_eq!(other.new_order(&["a.example.com"]).await.is(201).json()["status"], "pending");
    server.clock.advance(Span::from_days(2));
    assert_eq!(client.new_order(&["a.example.com"]).await.is(201).json()["status"], "pending");
}

#[tokio::test]
async fn o11_o13_o14_f1_orders_end_and_are_nobody_elses() {
    let server = Server::new().await;
    let (client, other) = (Client::new(&server).await, Client::new(&server).await);
    let order = client.new_order(&["a.example.com", "b.example.com"]).await.is(201);
    other.fetch(&order.location()).await.refused(404, "malformed");
    other.fetch(order.json()["authorizations"][0].as_str().unwrap()).await.refused(404, "malformed");
    let csr = Csr::new(&["a.example.com", "b.example.com"]).der();
    other.finalize(&order.location(), &csr).await.refused(404, "malformed");
    client.finalize(&order.location(), &csr).await.refused(403, "orderNotReady");
    client.finalize(&order.location(), b"no CSR").await.refused(403, "orderNotReady");
    client.post(order.json()["authorizations"][1].as_str().unwrap(), json!({"status": "deactivated"})).await.is(200);
    let ended = client.fetch(&order.location()).await.json();
    assert_eq!(ended["status"], "invalid");
    assert_eq!(ended["error"]["type"], "urn:ietf:params:acme:error:unauthorized");
    client.finalize(&order.location(), &csr).await.refused(403, "orderNotReady");
    let late = client.ready(&["c.example.com"]).await;
    server.clock.advance(Span::from_days(8));
    client.finalize(&late, &Csr::new(&["c.example.com"]).der()).await.refused(403, "orderNotReady");
}

#[tokio::test]
async fn f2_f3_f4_f5_f6_a_csr_that_is_wrong_leaves_the_order_ready() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let names = ["a.example.com", "b.example.com"];
    let order = client.ready(&names).await;
    let url = format!("{order}/finalize");
    for payload in [json!({}), json!({"csr": 1}), json!({"csr": "§"}), json!({"csr": format!("{}==", b64([1]))})] {
        client.post(&url, payload).await.refused(400, "malformed");
    }
    let whole = Csr::new(&names).der();
    let mut trailing = whole.clone();
    trailing.push(0);
    let pem = format!("-----BEGIN CERTIFICATE REQUEST-----\n{}", b64(&whole));
    let forged = Csr { forged: true, ..Csr::new(&names) }.der();
    let issuing = server.app.ca_certificate(&Reference::parse("issuing-1").unwrap(), None).await.unwrap();
    for (what, csr) in [
        ("nothing", Vec::new()),
        ("text", b"hello".to_vec()),
        ("PEM", pem.into_bytes()),
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("trailing", trailing),
        ("forged", forged),
        ("a certificate", issuing),
        ("fewer names", Csr::new(&["a.example.com"]).der()),
        ("more names", Csr::new(&["a.example.com", "b.example.com", "c.example.com"]).der()),
        ("no names", Csr::new(&[]).der()),
        ("other commonName", Csr::new(&names).common_name("c.example.com").der()),
        ("commonName of another kind", Csr::new(&names).common_name("Ops Team").der()),
        ("an address in commonName", Csr::new(&names).common_name("10.0.0.1").der()),
        ("a commonName that says its kind", Csr::new(&names).common_name("dns:a.example.com").der()),
        ("a commonName in capitals that says its kind", Csr::new(&names).common_name("DNS:a.example.com").der()),
        ("e-mail", Csr::new(&names).email("a@example.com").der()),
        ("a CA", Csr::new(&names).asking_for_ca().der()),
    ] {
        let reply = client.post(&url, json!({"csr": b64(&csr)})).await;
        assert_eq!(reply.json()["type"], "urn:ietf:params:acme:error:badCSR", "{what}");
        assert_eq!(reply.status.as_u16(), 400, "{what}");
        assert_eq!(client.fetch(&order).await.json()["status"], "ready", "{what}");
    }
    // F6: the account's own key.
    let document = aws_lc_rs::signature::EcdsaKeyPair::generate_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        &aws_lc_rs::rand::SystemRandom::new(),
    )
    .unwrap();
    let fixed = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let asn1 = &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let pair = |algorithm| aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
    let mut own = Client::stranger(&server, "default", Signer::Ec("ES256", pair(fixed)));
    own.kid = own.new_account(json!({})).await.is(201).location();
    let ready = own.ready(&["own.example.com"]).await;
    let csr = Csr::new(&["own.example.com"]).with_key(pair(asn1)).der();
    let refused = own.finalize(&ready, &csr).await.refused(400, "badCSR");
    assert!(refused.json()["detail"].as_str().unwrap().contains("account's key"));
    // And anybody's, also when the account has ended; in another directory it is nobody's.
    let csr = Csr::new(&names).with_key(pair(asn1)).der();
    own.post(&own.kid, json!({"status": "deactivated"})).await.is(200);
    client.finalize(&order, &csr).await.refused(400, "badCSR");
    assert_eq!(client.fetch(&order).await.json()["status"], "ready");
    server.directory(RawDirectory { name: "other".to_owned(), ..Default::default() }).await;
    let elsewhere = Client::within(&server, "other").await;
    let ready = elsewhere.ready(&names).await;
    elsewhere.finalize(&ready, &csr).await.is(200);
    // F7: and then it goes well; a commonName that is among the names is kept.
    let csr = Csr::new(&names).common_name("b.example.com");
    let done = client.finalize(&order, &csr.der()).await.is(200);
    assert_eq!((done.json()["status"].as_str(), done.location()), (Some("valid"), order.clone()));
    assert!(done.json()["certificate"].as_str().is_some());
    // Once more with the same key: the same certificate. With another: no.
    assert_eq!(client.finalize(&order, &csr.der()).await.is(200).json(), done.json());
    client.finalize(&order, &Csr::new(&names).der()).await.refused(403, "orderNotReady");
    client.finalize(&order, b"no CSR").await.refused(403, "orderNotReady");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f8_of_many_calls_at_once_on_two_nodes_one_makes_the_certificate() {
    for server in Server::on_every_database().await {
        let other = server.another(8).await;
        let client = Client::new(&server).await;
        let order = client.ready(&["a.example.com"]).await;
        let csr = Csr::new(&["a.example.com"]).der();
        let url = format!("{order}/finalize");
        let mut bodies = Vec::new();
        for _ in 0..12 {
            let header = client.header(&url).await;
            let payload = json!({"csr": b64(&csr)}).to_string();
            bodies.push(client.key.jws(&header, payload.as_bytes()).to_string());
        }
        let there = Client::stranger(&other, "default", Signer::es256());
        let calls = bodies.into_iter().enumerate().map(|(index, body)| {
            let at = if index % 2 == 0 { &client } else { &there };
            at.post_raw(&url, body)
        });
        let mut certificates = std::collections::BTreeSet::new();
        for reply in futures(calls).await {
            certificates.insert(reply.is(200).json()["certificate"].as_str().unwrap().to_owned());
        }
        assert_eq!(certificates.len(), 1);
        let filter = certwright_app::IssuedFilter { san: Some("a.example.com".to_owned()), ..Default::default() };
        let page = certwright_app::PageRequest { limit: 100, after: None };
        let issued = server.app.issued_certificates(&call(), &filter, &page).await.unwrap();
        assert_eq!(issued.items.len(), 1);
    }
}

async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, slot) in pending.iter_mut().zip(done.iter_mut()) {
            if slot.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(output) => *slot = Some(output),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    done.into_iter().map(Option::unwrap).collect()
}

/// The commit of the certificate fails, before or after it took effect: the order is ready, or has its certificate.
#[tokio::test]
async fn f9_a_commit_that_fails_leaves_no_order_in_between() {
    let server = Server::new().await;
    for outcome in ["before", "after"] {
        let client = Client::new(&server).await;
        let name = format!("{outcome}.example.com");
        let order = client.ready(&[&name]).await;
        let csr = Csr::new(&[&name]).der();
        let when = if outcome == "before" { When::Before } else { When::After };
        server.faults.arm("record", when);
        let failed = client.finalize(&order, &csr).await;
        assert!(failed.status.is_server_error(), "{failed:?}");
        // The node dies; another takes over.
        let next = server.another(if outcome == "before" { 20 } else { 21 }).await;
        let there = Client { kid: client.kid.clone(), ..Client::stranger(&next, "default", Signer::es256()) };
        let there = Client { key: client.key, ..there };
        let status = there.fetch(&order).await.is(200).json()["status"].clone();
        assert_eq!(status, if outcome == "before" { "ready" } else { "valid" });
        assert_eq!(there.finalize(&order, &csr).await.is(200).json()["status"], "valid");
    }
}

#[tokio::test]
async fn f10_what_changed_between_ready_and_finalize_counts() {
    let server = Server::new().await;
    let raw = RawDirectory {
        name: "caa".to_owned(),
        caa_identities: vec!["ca.example.com".to_owned()],
        check_caa: true,
        ..Default::default()
    };
    server.directory(raw).await;
    let client = Client::within(&server, "caa").await;
    let order = client.ready(&["a.example.com"]).await;
    let csr = Csr::new(&["a.example.com"]).der();
    let failure = Failure::new(FailureKind::Caa, "a CAA record names another CA");
    server.world.caa.lock().unwrap().insert("a.example.com".to_owned(), failure);
    client.finalize(&order, &csr).await.refused(403, "caa");
    server.world.caa.lock().unwrap().clear();
    let authorization = client.fetch(&order).await.json()["authorizations"][0].as_str().unwrap().to_owned();
    client.post(&authorization, json!({"status": "deactivated"})).await.is(200);
    client.finalize(&order, &csr).await.refused(403, "orderNotReady");
}

#[tokio::test]
async fn p1_p2_p3_profiles_are_the_directorys() {
    let server = Server::new().await;
    let raw = |profiles: &[&str]| RawDirectory {
        name: "profiles".to_owned(),
        profiles: profiles.iter().map(|name| (*name).to_owned()).collect(),
        reuse_authorizations: true,
        enabled: true,
        ..Default::default()
    };
    server.directory(raw(&["tls-server", "tls-server-or-client"])).await;
    let client = Client::within(&server, "profiles").await;
    assert_eq!(client.new_order(&["a.example.com"]).await.is(201).json()["profile"], "tls-server");
    for unknown in ["tls-client", "x", ""] {
        client.order_with(&["a.example.com"], json!({"profile": unknown})).await.refused(400, "invalidProfile");
    }
    let wish = json!({"profile": "tls-server-or-client"});
    let order = client.ready_with(&["a.example.com"], wish).await;
    assert_eq!(client.fetch(&order).await.json()["profile"], "tls-server-or-client");
    let reference = Reference::parse("profiles").unwrap();
    server.app.replace_acme_directory(&call(), &reference, raw(&["tls-server"]), Some(1)).await.unwrap();
    let csr = Csr::new(&["a.example.com"]).with_key(new_key()).der();
    client.finalize(&order, &csr).await.refused(400, "invalidProfile");
    assert_eq!(client.fetch(&order).await.json()["status"], "ready", "not another profile in silence");
}
