//! Certificates and their revocation (C, R).

use crate::client::{Client, Signer, b64, leaf};
use crate::csr::Csr;
use crate::server::{Server, call};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::body::Body;
use axum::http::Request;
use certwright_domain::revocation::RevocationReason as Reason;
use certwright_domain::time::Span;
use serde_json::json;

async fn reason(server: &Server, der: &[u8]) -> Option<Reason> {
    let row = server.app.issued_certificate(&call(), &certwright_app::sha256(&[der]).to_string()).await.unwrap();
    row.revocation.map(|revocation| revocation.reason)
}

#[tokio::test]
async fn c1_to_c5_a_certificate_is_its_accounts_with_its_chain() {
    let server = Server::new().await;
    let (client, other) = (Client::new(&server).await, Client::new(&server).await);
    let (url, pem) = client.certificate(&["a.example.com"]).await;
    let reply = client.fetch(&url).await.is(200);
    assert_eq!(reply.header("content-type"), Some("application/pem-certificate-chain"));
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2, "the leaf and its CA, without the root");
    assert_eq!(reply.text(), pem, "C3");
    other.fetch(&url).await.refused(404, "malformed");
    client.fetch(&format!("{url}x")).await.refused(404, "malformed");
    client.fetch(&format!("{url}/1")).await.refused(404, "malformed");
    client.fetch(&format!("{url}/0")).await.refused(404, "malformed");
    let header = client.header(&url).await;
    let body = client.key.jws(&header, b"").to_string();
    let request = Request::post(crate::client::path_of(&url)).header("content-type", "application/jose+json");
    let request = request.header("accept", "application/pkix-cert").body(Body::from(body)).unwrap();
    let der = client.send(request).await.is(200);
    assert_eq!(der.body, leaf(&pem), "C4");
    // Up leads to the issuer, at the address that the certificate itself names.
    let up = der.links().into_iter().find_map(|link| link.strip_suffix(">;rel=\"up\"")).unwrap();
    let path = up.strip_prefix("<http://pki.example.com/pki/").unwrap();
    let [ca, version, "ca.crt"] = path.split('/').collect::<Vec<_>>()[..] else { panic!("{up}") };
    let ca = certwright_domain::name::Reference::parse(ca).unwrap();
    let issuer = server.app.ca_certificate(&ca, version.parse().ok()).await.unwrap();
    assert_eq!(issuer, leaf(pem.split_once("-----END CERTIFICATE-----\n").unwrap().1));
    assert!(der.body.windows(up.len() - 1).any(|part| part == &up.as_bytes()[1..]));
}

/// The CA is renewed with the same key: certificates of before have another chain as well.
#[tokio::test]
async fn c1_other_chains_are_linked() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let (url, pem) = client.certificate(&["a.example.com"]).await;
    let ca = certwright_domain::name::Reference::parse("issuing-1").unwrap();
    server.clock.advance(Span::from_days(1));
    let validity = certwright_domain::validity::RequestedValidity::DEFAULT;
    let renew = certwright_app::RenewCa { validity, rotate_key: false, make_current: true };
    server.app.renew_ca(&call(), &ca, renew).await.unwrap();
    let reply = client.fetch(&url).await.is(200);
    assert_eq!(reply.text(), pem, "C3: the one it was issued with is the first");
    let links = reply.links();
    let alternate = links.iter().find(|link| link.ends_with("rel=\"alternate\"")).unwrap();
    let alternate = alternate.trim_start_matches('<').split('>').next().unwrap();
    let second = client.fetch(alternate).await.is(200);
    assert_ne!(second.text(), pem);
    assert_eq!(leaf(&second.text()), leaf(&pem));
    assert!(second.links().contains(&format!("<{url}>;rel=\"alternate\"").as_str()));
}

#[tokio::test]
async fn r1_r4_r5_r6_an_account_revokes_its_own() {
    for server in Server::on_every_database().await {
        let (client, other) = (Client::new(&server).await, Client::new(&server).await);
        let (_, pem) = client.certificate(&["a.example.com"]).await;
        let der = leaf(&pem);
        let url = client.url("revoke-cert");
        let revoke = |reason: serde_json::Value| json!({"certificate": b64(&der), "reason": reason});
        for wrong in [2, 6, 7, 8, 10, 11, -1, 300] {
            client.post(&url, revoke(json!(wrong))).await.refused(400, "badRevocationReason");
        }
        client.post(&url, revoke(json!("x"))).await.refused(400, "malformed");
        client.post(&url, json!({"certificate": "§"})).await.refused(400, "malformed");
        client.post(&url, json!({"certificate": b64(b"x")})).await.refused(400, "malformed");
        client.post(&url, json!({"certificate": b64([der.as_slice(), &[0]].concat())})).await.refused(400, "malformed");
        other.post(&url, revoke(json!(1))).await.refused(403, "unauthorized");
        other.post_by_key(&url, revoke(json!(1))).await.refused(403, "unauthorized");
        assert_eq!(reason(&server, &der).await, None);
        assert!(client.post(&url, revoke(json!(4))).await.is(200).body.is_empty());
        assert_eq!(reason(&server, &der).await, Some(Reason::Superseded));
        client.post(&url, revoke(json!(4))).await.refused(400, "alreadyRevoked");
        client.post(&url, revoke(json!(1))).await.refused(400, "alreadyRevoked");
    }
}

#[tokio::test]
async fn r2_r5_whoever_has_the_key_revokes_and_the_key_is_blocked() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let asn1 = &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let pair = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
    let csr = Csr::new(&["a.example.com"]).with_key(pair(asn1));
    let (_, pem) = client.certificate_with(&["a.example.com"], json!({}), &csr).await;
    let der = leaf(&pem);
    let url = client.url("revoke-cert");
    client.post(&url, json!({"certificate": b64(&der), "reason": 4})).await.is(200);
    let thief = Client::stranger(&server, "default", Signer::Ec("ES256", pair(&ECDSA_P256_SHA256_FIXED_SIGNING)));
    thief.post_by_key(&url, json!({"certificate": b64(&der)})).await.is(200);
    assert_eq!(reason(&server, &der).await, Some(Reason::KeyCompromise), "R5: it only gets worse");
    thief.post_by_key(&url, json!({"certificate": b64(&der)})).await.refused(400, "alreadyRevoked");
    let order = client.ready(&["a.example.com"]).await;
    client.finalize(&order, &csr.der()).await.refused(400, "badCSR");
}

/// An operator who thought of a CA's key hinders nobody who has the certificate's own.
#[tokio::test]
async fn r5_the_key_of_a_certificate_is_worse_than_that_of_a_ca() {
    let server = Server::new().await;
    let client = Client::new(&server).await;
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let pair = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
    let csr = Csr::new(&["a.example.com"]).with_key(pair(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING));
    let (_, pem) = client.certificate_with(&["a.example.com"], json!({}), &csr).await;
    let der = leaf(&pem);
    let target = certwright_app::RevocationTarget::Certificate(der.clone());
    let because = certwright_app::Revoke::because(Reason::CaCompromise);
    server.app.revoke_issued_certificate(&call(), &target, because).await.unwrap();
    let thief = Client::stranger(&server, "default", Signer::Ec("ES256", pair(&ECDSA_P256_SHA256_FIXED_SIGNING)));
    let url = client.url("revoke-cert");
    thief.post_by_key(&url, json!({"certificate": b64(&der)})).await.is(200);
    assert_eq!(reason(&server, &der).await, Some(Reason::KeyCompromise));
    thief.post_by_key(&url, json!({"certificate": b64(&der)})).await.refused(400, "alreadyRevoked");
}

#[tokio::test]
async fn r3_r7_r9_who_has_proven_the_names_revokes_too() {
    let server = Server::new().await;
    let (client, other) = (Client::new(&server).await, Client::new(&server).await);
    let (_, pem) = client.certificate(&["a.example.com", "b.example.com"]).await;
    let der = leaf(&pem);
    let url = client.url("revoke-cert");
    other.ready(&["a.example.com"]).await;
    other.post(&url, json!({"certificate": b64(&der)})).await.refused(403, "unauthorized");
    other.ready(&["b.example.com"]).await;
    other.post(&url, json!({"certificate": b64(&der), "reason": 1})).await.is(200);
    assert_eq!(reason(&server, &der).await, Some(Reason::CessationOfOperation), "R3");
    // R7: not of this CA.
    let ca = certwright_domain::name::Reference::parse("issuing-1").unwrap();
    let issuing = server.app.ca_certificate(&ca, None).await.unwrap();
    client.post(&url, json!({"certificate": b64(&issuing)})).await.refused(404, "malformed");
    // R9
    let (_, pem) = client.certificate(&["c.example.com"]).await;
    server.clock.advance(Span::from_days(120));
    client.post(&url, json!({"certificate": b64(leaf(&pem))})).await.refused(403, "unauthorized");
    assert_eq!(reason(&server, &leaf(&pem)).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r10_of_two_revocations_one_is_the_first() {
    for server in Server::on_every_database().await {
        let client = Client::new(&server).await;
        let (_, pem) = client.certificate(&["a.example.com"]).await;
        let payload = json!({"certificate": b64(leaf(&pem)), "reason": 4});
        let url = client.url("revoke-cert");
        let (one, two) = tokio::join!(client.post(&url, payload.clone()), client.post(&url, payload.clone()));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{one:?} {two:?}");
    }
}
