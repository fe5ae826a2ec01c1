//! Renewal information (I).

use crate::client::{Client, b64, leaf};
use crate::csr::Csr;
use crate::server::{Server, call};
use certwright_app::NewEarlyRenewal;
use certwright_domain::acme::RawDirectory;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::name::Reference;
use certwright_domain::renewal::RawEarlyRenewal;
use certwright_domain::time::{Span, Timestamp};
use serde_json::json;

/// The identifier of a certificate (RFC 9773 section 4.1).
async fn id(server: &Server, pem: &str) -> (String, certwright_domain::issued::IssuedCertificate) {
    let der = leaf(pem);
    let row = server.app.issued_certificate(&call(), &certwright_app::sha256(&[&der]).to_string()).await.unwrap();
    let authority = certwright_app::read_certificate(&der).unwrap().authority_key_id.unwrap();
    (format!("{}.{}", b64(authority), b64(row.serial.as_bytes())), row)
}

async fn window(client: &Client<'_>, id: &str) -> (Timestamp, Timestamp) {
    let info = client.get(&client.url(&format!("renewal-info/{id}"))).await.is(200).json();
    let time = |name: &str| Timestamp::parse(info["suggestedWindow"][name].as_str().unwrap()).unwrap();
    (time("start"), time("end"))
}

#[tokio::test]
async fn i1_i2_i3_the_window_is_where_the_inventory_says_it_is_due() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let (_, pem) = client.certificate(&["a.example.com"]).await;
    let (id, row) = id(&server, &pem).await;
    let url = client.url(&format!("renewal-info/{id}"));
    let reply = client.get(&url).await.is(200);
    assert_eq!(reply.header("retry-after"), Some("21600"));
    assert!(reply.json().get("explanationURL").is_none());
    let (start, end) = window(&client, &id).await;
    assert_eq!(start, row.renew_at.floor_to_second());
    assert!(start < end && end <= row.validity.not_after());
    for malformed in ["AA", "AA.", ".AA", "AA=.AQ=", "AA.AQ.AQ", "AA.%2B"] {
        client.get(&client.url(&format!("renewal-info/{malformed}"))).await.refused(400, "malformed");
    }
    let other = id.split('.').next().unwrap();
    client.get(&client.url(&format!("renewal-info/{other}.AQ"))).await.refused(404, "malformed");
    let serial = id.split('.').nth(1).unwrap();
    client.get(&client.url(&format!("renewal-info/AAAA.{serial}"))).await.refused(404, "malformed");
    // Revoked: the window is over.
    let payload = json!({"certificate": b64(leaf(&pem)), "reason": 4});
    client.post(&client.url("revoke-cert"), payload).await.is(200);
    let (start, end) = window(&client, &id).await;
    assert!(start < end && end <= server.app.now());
}

#[tokio::test]
async fn i3_a_call_explains_itself_and_the_website_explains_revocations_alone() {
    let server = Server::new().await;
    let website = Some("https://corp.example.com/ca".to_owned());
    server.directory(RawDirectory { name: "site".to_owned(), website, ..RawDirectory::default() }).await;
    let client = Client::within(&server, "site").await;
    let (_, called_for) = client.certificate(&["a.example.com"]).await;
    let (called_for_id, _) = id(&server, &called_for).await;
    server.clock.advance(Span::from_s(1));
    let terms = RawEarlyRenewal {
        spread: Some(Span::from_hours(1)),
        explanation_url: HttpUrl::parse("https://status.example.com/7").ok(),
        ..RawEarlyRenewal::default()
    };
    let ca = Reference::parse("issuing-1").unwrap();
    let new = NewEarlyRenewal { terms, directory: None, profile: None };
    server.app.create_early_renewal(&call(), &ca, new).await.unwrap();
    let (_, pem) = client.certificate(&["b.example.com"]).await;
    let (id, _) = id(&server, &pem).await;
    let explained = async |id: &str| {
        let info = client.get(&client.url(&format!("renewal-info/{id}"))).await.is(200).json();
        info.get("explanationURL").map(|url| url.as_str().unwrap().to_owned())
    };
    // Their windows end, first that of the call: overdue is no reason of its own.
    for id in [&called_for_id, &id] {
        let end = window(&client, id).await.1;
        server.clock.advance(Span::from_ms(end.ms_since(server.app.now()) + 1_000));
    }
    assert_eq!(explained(&called_for_id).await.as_deref(), Some("https://status.example.com/7"));
    assert_eq!(explained(&id).await, None);
    for pem in [&called_for, &pem] {
        client.post(&client.url("revoke-cert"), json!({"certificate": b64(leaf(pem)), "reason": 4})).await.is(200);
    }
    assert_eq!(explained(&called_for_id).await.as_deref(), Some("https://status.example.com/7"));
    assert_eq!(explained(&id).await.as_deref(), Some("https://corp.example.com/ca"));
}

#[tokio::test]
async fn i4_i5_an_order_replaces_a_certificate_once() {
    let server = Server::new().await;
    let (client, other) = (Client::new(&server).await, Client::new(&server).await);
    let names = ["a.example.com", "b.example.com"];
    let (_, pem) = client.certificate(&names).await;
    let (id, _) = id(&server, &pem).await;
    let replaces = json!({"replaces": id});
    other.order_with(&["a.example.com"], replaces.clone()).await.refused(403, "unauthorized");
    client.order_with(&["c.example.com"], replaces.clone()).await.refused(400, "malformed");
    client.order_with(&["a.example.com"], json!({"replaces": "x"})).await.refused(400, "malformed");
    let first = client.ready_with(&["b.example.com"], replaces.clone()).await;
    let second = client.ready_with(&["a.example.com"], replaces.clone()).await;
    assert_eq!(client.fetch(&first).await.json()["replaces"], id.as_str());
    client.finalize(&first, &Csr::new(&["b.example.com"]).der()).await.is(200);
    client.finalize(&second, &Csr::new(&["a.example.com"]).der()).await.refused(409, "alreadyReplaced");
    client.order_with(&["a.example.com"], replaces).await.refused(409, "alreadyReplaced");
    client.new_order(&["a.example.com"]).await.is(201);
    server.clock.advance(Span::from_s(1));
}

#[tokio::test]
async fn i6_one_call_moves_the_windows_of_a_directory_and_says_why() {
    for server in Server::on_every_database().await {
        server.directory(RawDirectory { name: "two".to_owned(), ..RawDirectory::default() }).await;
        let (client, other) = (Client::new(&server).await, Client::within(&server, "two").await);
        let (_, pem) = client.certificate(&["a.example.com"]).await;
        let (_, untouched) = other.certificate(&["b.example.com"]).await;
        let (id, row) = id(&server, &pem).await;
        let (other_id, other_row) = super::renewal::id(&server, &untouched).await;
        server.clock.advance(Span::from_s(1));
        let terms = RawEarlyRenewal {
            spread: Some(Span::from_hours(1)),
            explanation_url: HttpUrl::parse("https://status.example.com/7").ok(),
            ..RawEarlyRenewal::default()
        };
        let directory = Reference::parse(&client.directory).ok();
        let new = NewEarlyRenewal { terms, directory, profile: None };
        let ca = Reference::parse("issuing-1").unwrap();
        let made = server.app.create_early_renewal(&call(), &ca, new).await.unwrap();
        assert_eq!(made.moved, 1);
        let (start, end) = window(&client, &id).await;
        let moved = server.app.issued_certificate(&call(), &row.fingerprint.to_string()).await.unwrap();
        assert_eq!(start, moved.renew_at.floor_to_second(), "one truth");
        assert!(start < row.renew_at && start <= server.app.now().plus(Span::from_hours(1)) && start < end);
        let info = client.get(&client.url(&format!("renewal-info/{id}"))).await.is(200).json();
        assert_eq!(info["explanationURL"], "https://status.example.com/7");
        let (start, _) = window(&other, &other_id).await;
        assert_eq!(start, other_row.renew_at.floor_to_second());
        let info = other.get(&other.url(&format!("renewal-info/{other_id}"))).await.is(200).json();
        assert!(info.get("explanationURL").is_none());
        // The renewal that was asked for is in its window and is not counted.
        server.clock.advance(Span::from_hours(1));
        let csr = Csr::new(&["a.example.com"]);
        client.certificate_with(&["a.example.com"], json!({"replaces": id}), &csr).await;
        server.app.delete_early_renewal(&call(), &ca, made.id.as_str()).await.unwrap();
        assert_eq!(window(&client, &id).await.0, row.renew_at.floor_to_second());
        let info = client.get(&client.url(&format!("renewal-info/{id}"))).await.is(200).json();
        assert!(info.get("explanationURL").is_none());
    }
}
