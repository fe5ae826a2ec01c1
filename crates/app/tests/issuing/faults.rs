//! Commits that fail, before and after they took effect: nothing is acknowledged that is not stored.

use crate::kit::*;
use certwright_app::{Error, NewCaKind, NewRules};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::time::Span;
use certwright_store::{IssuedFilter, PageRequest};
use certwright_testkit::faults::When;

async fn leaves(app: &TestApp) -> usize {
    let all = PageRequest { limit: 100, after: None };
    let filter = IssuedFilter { profile: Some("tls-server-or-client".into()), ..IssuedFilter::default() };
    app.app.issued_certificates(&call(), &filter, &all).await.unwrap().items.len()
}

#[tokio::test]
async fn a_leaf_whose_commit_fails_is_not_released() {
    for app in TestApp::on_every_database().await {
        root(&app, NewRules::default()).await;
        app.faults.arm("record", When::Before);
        let lost = app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await;
        assert!(matches!(lost, Err(Error::Unavailable { .. })));
        assert_eq!(leaves(&app).await, 0);
        app.faults.arm("record", When::After);
        let unknown = app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await;
        assert!(matches!(unknown, Err(Error::Unavailable { .. })));
        assert_eq!(leaves(&app).await, 1, "stored though not acknowledged: it can be found and revoked");
        app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
        assert_eq!(leaves(&app).await, 2);
        assert!(app.faults.is_spent());
        let events = app.audited().await.into_iter().filter(|action| action == "certificate.issue").count();
        assert_eq!(events, 2, "an audit event for each stored certificate, none for the other");
    }
}

#[tokio::test]
async fn a_ca_is_there_whole_or_not_at_all_and_its_intent_is_known() {
    for app in TestApp::on_every_database().await {
        app.app.create_vault(&call(), name("v")).await.unwrap();
        key(&app, "key", KeyAlgorithm::EcdsaP256).await;
        let make = async || {
            let kind = NewCaKind::Root(own("key", "Root"), lasting(365));
            app.app.create_ca(&call(), ca("root", kind, NewRules::default())).await
        };
        app.faults.arm("ca.intent", When::Before);
        assert!(matches!(make().await, Err(Error::Unavailable { .. })));
        let later = app.app.now().plus(Span::from_days(1));
        assert!(app.store.read().await.unwrap().open_intents(later).await.unwrap().is_empty());

        app.faults.arm("ca.create", When::Before);
        assert!(matches!(make().await, Err(Error::Unavailable { .. })));
        assert!(matches!(app.app.ca(&call(), &to("root")).await, Err(Error::NotFound { .. })));
        let open = app.store.read().await.unwrap().open_intents(later).await.unwrap();
        assert_eq!(open.len(), 1, "a certificate may exist: its serial and bytes are on disk");

        app.faults.arm("ca.create", When::After);
        assert!(matches!(make().await, Err(Error::Unavailable { .. })));
        let made = app.app.ca(&call(), &to("root")).await.unwrap();
        assert!(made.version.unwrap().version.certificate.is_some());
        assert_eq!(conflict(make().await), "name_taken");
        assert!(app.faults.is_spent());
        app.app.issue(&call(), &to("root"), leaf(&["a.example.com"], lasting(1))).await.unwrap();
    }
}
