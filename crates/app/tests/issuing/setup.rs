//! First start, the server's own certificate, quickstart.

use crate::kit::*;
use certwright_app::{Error, Quickstart};
use certwright_domain::time::Span;
use certwright_pki::{check_issued_by, read_certificate};
use certwright_store::{CaFilter, PageRequest};
use certwright_testkit::faults::When;

fn all() -> PageRequest {
    PageRequest { limit: 100, after: None }
}

#[tokio::test]
async fn the_first_administrator_token_is_made_once_on_one_node() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        assert!(!one.app.is_initialised().await.unwrap());
        let (a, b) = tokio::join!(one.app.first_admin_token(), other.app.first_admin_token());
        let made: Vec<_> = [a.unwrap(), b.unwrap()].into_iter().flatten().collect();
        assert_eq!(made.len(), 1);
        let caller = other.app.authenticate(made[0].expose()).await.unwrap();
        assert_eq!(caller.name(), "admin");
        assert!(one.app.first_admin_token().await.unwrap().is_none());
        let next = one.app.rotate_admin_token().await.unwrap();
        one.app.authenticate(next.expose()).await.unwrap();
        let old = one.app.authenticate(made[0].expose()).await;
        assert!(matches!(old, Err(Error::Unauthenticated { .. })));
    }
}

#[tokio::test]
async fn the_servers_own_certificate_comes_from_a_ca_that_only_the_server_uses() {
    for app in TestApp::on_every_database().await {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let first = app.app.server_certificate(&names).await.unwrap();
        let root = read_certificate(first.root_pem.as_bytes()).unwrap();
        check_issued_by(&read_certificate(&first.chain[0]).unwrap(), &root).unwrap();
        assert!(first.renew_at > app.app.now());
        let second = app.app.server_certificate(&names).await.unwrap();
        assert_eq!(first.root_pem, second.root_pem, "the same root");
        assert!(app.app.cas(&call(), &CaFilter::default(), &all()).await.unwrap().items.is_empty(), "not listed");
        assert!(app.app.vaults(&call(), &all()).await.unwrap().items.is_empty());
        assert!(app.app.trusted_roots().await.unwrap().is_empty());

        let text = app.app.first_admin_token().await.unwrap().unwrap();
        let caller = app.app.authenticate(text.expose()).await.unwrap();
        let operator = certwright_app::Call::new(caller, "r");
        let stolen = app.app.issue(&operator, &to("certwright-service"), leaf(&["a.example.com"], lasting(1))).await;
        assert!(matches!(stolen, Err(Error::NotFound { .. })), "operators cannot have it sign");
        let deleted = app.app.schedule_ca_deletion(&operator, &to("certwright-service"), None).await;
        assert!(deleted.is_err());

        app.clock.advance(Span::from_days(3650 - 100));
        let renewed = app.app.server_certificate(&names).await.unwrap();
        let new_root = read_certificate(renewed.root_pem.as_bytes()).unwrap();
        assert!(new_root.validity.not_after() > root.validity.not_after(), "the service CA renews itself");
        assert_eq!(new_root.public_key.spki_sha256, root.public_key.spki_sha256);
        check_issued_by(&read_certificate(&renewed.chain[0]).unwrap(), &root).unwrap();
    }
}

#[tokio::test]
async fn two_nodes_that_start_at_once_share_one_service_ca() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        let names = ["localhost".to_owned()];
        let (a, b) = tokio::join!(one.app.server_certificate(&names), other.app.server_certificate(&names));
        assert_eq!(a.unwrap().root_pem, b.unwrap().root_pem);
    }
}

#[tokio::test]
async fn quickstart_makes_a_working_hierarchy_and_takes_up_where_it_was_cut() {
    for app in TestApp::on_every_database().await {
        let wish = Quickstart { organization: Some("Corp".into()), dns_name: "first.example.com".into() };
        app.faults.arm("ca.create", When::Before);
        assert!(app.app.quickstart(&wish).await.is_err(), "vault and keys are made, the root is not");
        app.faults.arm("record", When::Before);
        assert!(app.app.quickstart(&wish).await.is_err(), "the CAs are made, the first certificate is not");
        let report = app.app.quickstart(&wish).await.unwrap();
        assert_eq!(report.issuing_ca, "issuing-1");
        assert_eq!(app.app.cas(&call(), &CaFilter::default(), &all()).await.unwrap().items.len(), 2);
        let leaf = read_certificate(report.first_certificate.as_bytes());
        assert!(leaf.is_err(), "it is a chain, not one certificate");
        assert_eq!(app.app.trusted_roots().await.unwrap().len(), 1);
    }
}
