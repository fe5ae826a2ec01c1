//! Accounts that do without a challenge because of the certificate that their connection shows.

use crate::client::{Client, Signer};
use crate::csr::Csr;
use crate::server::{Server, call};
use certwright_app::{IssueRequest, NewCertificateTrust, RevocationTarget, Revoke, Subject};
use certwright_domain::acme::RawDirectory;
use certwright_domain::identity::RawCertificateTrust;
use certwright_domain::name::Reference;
use certwright_domain::revocation::RevocationReason;
use certwright_domain::san::San;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Span;
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use serde_json::json;

fn raw() -> RawDirectory {
    RawDirectory {
        name: "machines".to_owned(),
        profiles: vec!["acme".to_owned()],
        external_account_required: true,
        client_certificates: true,
        reuse_authorizations: true,
        enabled: true,
        ..Default::default()
    }
}

fn trust(enabled: bool) -> RawCertificateTrust {
    RawCertificateTrust {
        name: "machines".to_owned(),
        certificate_names: vec!["*.machines.example.com".to_owned()],
        names: Some(vec!["${claim.name:dots}".to_owned(), "*.apps.example.com".to_owned()]),
        enabled,
        ..Default::default()
    }
}

async fn set_up(server: &Server) {
    server.directory(raw()).await;
    let new = NewCertificateTrust { ca: Reference::parse("issuing-1").unwrap(), settings: trust(true) };
    server.app.create_certificate_trust(&call(), new).await.unwrap();
}

/// The fingerprint of a new certificate for clients, good for a day.
async fn certificate(server: &Server, name: &str) -> Sha256 {
    let request = IssueRequest {
        subject: Subject { names: Some(vec![San::parse(name).unwrap()]), ..Subject::default() },
        profile: Some(Reference::parse("tls-client").unwrap()),
        key_algorithm: None,
        validity: RequestedValidity { not_before: None, end: RequestedEnd::Duration(Span::from_days(1)) },
    };
    let ca = Reference::parse("issuing-1").unwrap();
    server.app.issue(&call(), &ca, request).await.unwrap().row.fingerprint
}

#[tokio::test]
async fn a_machine_gets_the_names_of_its_trust_without_a_challenge_and_no_others() {
    for server in Server::on_every_database().await {
        set_up(&server).await;
        let shown = certificate(&server, "a.machines.example.com").await;
        let mut client = Client::stranger(&server, "machines", Signer::es256());
        // Without the certificate an external account is needed, as the directory says.
        client.new_account(json!({})).await.refused(403, "externalAccountRequired");
        client.show(Some(shown));
        client.kid = client.new_account(json!({})).await.is(201).location();
        let names = ["a.machines.example.com", "x.apps.example.com"];
        let order = client.new_order(&names).await.is(201);
        assert_eq!(order.json()["status"], "ready");
        let csr = Csr::new(&names).der();
        assert_eq!(client.finalize(&order.location(), &csr).await.is(200).json()["status"], "valid");
        assert_eq!(server.world.looked.load(std::sync::atomic::Ordering::Relaxed), 0, "nobody looked");
        for name in ["b.machines.example.com", "apps.example.com", "x.apps.example.com.evil.example"] {
            assert_eq!(client.new_order(&[name]).await.is(201).json()["status"], "pending", "{name}");
        }
    }
}

#[tokio::test]
async fn what_rests_on_the_certificate_is_worth_nothing_without_it() {
    for server in Server::on_every_database().await {
        set_up(&server).await;
        let shown = certificate(&server, "a.machines.example.com").await;
        let (other, stranger) =
            (certificate(&server, "b.machines.example.com").await, certificate(&server, "a.example.com").await);
        let mut client = Client::stranger(&server, "machines", Signer::es256());
        client.show(Some(shown));
        client.kid = client.new_account(json!({})).await.is(201).location();
        let ready = client.new_order(&["a.machines.example.com"]).await.is(201);
        assert_eq!(ready.json()["status"], "ready");
        let csr = Csr::new(&["a.machines.example.com"]).der();
        // Over another connection: with no certificate, another machine's, one that no trust means.
        for swapped in [None, Some(other), Some(stranger), Some(Sha256([7; 32]))] {
            client.show(swapped);
            client.finalize(&ready.location(), &csr).await.refused(403, "unauthorized");
            assert_eq!(client.new_order(&["a.machines.example.com"]).await.is(201).json()["status"], "pending");
        }
        // The trust is taken back, and given again; a directory that heeds no certificates.
        client.show(Some(shown));
        let reference = Reference::parse("machines").unwrap();
        server.app.replace_certificate_trust(&call(), &reference, trust(false), Some(1)).await.unwrap();
        client.finalize(&ready.location(), &csr).await.refused(403, "unauthorized");
        server.app.replace_certificate_trust(&call(), &reference, trust(true), Some(2)).await.unwrap();
        let heedless = RawDirectory { client_certificates: false, ..raw() };
        server.app.replace_acme_directory(&call(), &reference, heedless, Some(1)).await.unwrap();
        client.finalize(&ready.location(), &csr).await.refused(403, "unauthorized");
        server.app.replace_acme_directory(&call(), &reference, raw(), Some(2)).await.unwrap();
        assert_eq!(client.finalize(&ready.location(), &csr).await.is(200).json()["status"], "valid");
        // After its end it vouches for nothing.
        server.clock.advance(Span::from_days(2));
        assert_eq!(client.new_order(&["a.machines.example.com"]).await.is(201).json()["status"], "pending");
        let late = Client::stranger(&server, "machines", Signer::es256());
        late.show(Some(shown));
        late.new_account(json!({})).await.refused(403, "externalAccountRequired");
    }
}

#[tokio::test]
async fn a_trust_that_gives_no_names_vouches_for_none() {
    let server = Server::new().await;
    set_up(&server).await;
    let reference = Reference::parse("machines").unwrap();
    let silent = RawCertificateTrust { names: None, ..trust(true) };
    server.app.replace_certificate_trust(&call(), &reference, silent, Some(1)).await.unwrap();
    let mut client = Client::stranger(&server, "machines", Signer::es256());
    client.show(Some(certificate(&server, "a.machines.example.com").await));
    client.kid = client.new_account(json!({})).await.is(201).location();
    assert_eq!(client.new_order(&["a.machines.example.com"]).await.is(201).json()["status"], "pending");
}

#[tokio::test]
async fn a_revoked_certificate_vouches_for_nothing() {
    let server = Server::new().await;
    set_up(&server).await;
    let shown = certificate(&server, "a.machines.example.com").await;
    let mut client = Client::stranger(&server, "machines", Signer::es256());
    client.show(Some(shown));
    client.kid = client.new_account(json!({})).await.is(201).location();
    let ready = client.new_order(&["a.machines.example.com"]).await.is(201);
    let target = RevocationTarget::Reference(shown.to_string());
    let because = Revoke::because(RevocationReason::KeyCompromise);
    server.app.revoke_issued_certificate(&call(), &target, because).await.unwrap();
    let csr = Csr::new(&["a.machines.example.com"]).der();
    client.finalize(&ready.location(), &csr).await.refused(403, "unauthorized");
    assert_eq!(client.new_order(&["a.machines.example.com"]).await.is(201).json()["status"], "pending");
}
