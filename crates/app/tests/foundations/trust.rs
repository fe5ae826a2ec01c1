use crate::cas::{external_root, root, subordinate};
use crate::common::{TestApp, call, name, to};
use certwright_app::{Error, UpdateCa};
use certwright_domain::time::Span;

async fn trusted(app: &TestApp) -> Vec<(String, Vec<u8>)> {
    app.app.trusted_roots().await.unwrap().into_iter().map(|root| (root.name, root.certificate.der)).collect()
}

#[tokio::test]
async fn roots_are_trusted_while_they_are_in_use_each_once() {
    for app in TestApp::on_every_database().await {
        assert!(trusted(&app).await.is_empty());
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let b = root(&app, "b-root").await;
        subordinate(&app, "a-issuing", "b-root").await;
        let der = |view: &certwright_app::CaView| view.version.clone().unwrap().version.certificate.unwrap();
        assert_eq!(trusted(&app).await, [("b-root".to_owned(), der(&b))], "under its own name, not the one below");

        let elsewhere = TestApp::sqlite().await.another_node("elsewhere", 77).await;
        elsewhere.app.create_vault(&call(), name("v")).await.unwrap();
        let foreign = der(&root(&elsewhere, "foreign").await);
        external_root(&app, "a-partner", foreign.clone()).await;
        let both = [("a-partner".to_owned(), foreign), ("b-root".to_owned(), der(&b))];
        assert_eq!(trusted(&app).await, both, "by name");

        let off = UpdateCa { enabled: Some(false), ..UpdateCa::default() };
        app.app.update_ca(&call(), &to("b-root"), off, Some(b.ca.revision)).await.unwrap();
        assert_eq!(trusted(&app).await, both, "what it signed before is still good");
        app.app.schedule_ca_deletion(&call(), &to("a-partner"), None).await.unwrap();
        assert_eq!(trusted(&app).await, both[1..]);
    }
}

#[tokio::test]
async fn the_servers_own_ca_is_not_for_others_to_trust() {
    let app = TestApp::sqlite().await;
    app.app.server_certificate(&["localhost".to_owned()]).await.unwrap();
    assert!(trusted(&app).await.is_empty());
}

#[tokio::test]
async fn the_certificate_of_a_ca_is_handed_out_by_name_id_and_version_even_after_its_end() {
    for app in TestApp::on_every_database().await {
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let made = root(&app, "root").await;
        let der = made.version.unwrap().version.certificate.unwrap();
        let id = to(made.ca.id.as_str());
        for (reference, version) in [(to("root"), None), (to("root"), Some(1)), (id.clone(), None)] {
            assert_eq!(app.app.ca_certificate(&reference, version).await.unwrap(), der);
        }
        for (reference, version) in [(to("other"), None), (to("root"), Some(2)), (to("root"), Some(0))] {
            let missing = app.app.ca_certificate(&reference, version).await;
            assert!(matches!(missing, Err(Error::NotFound { .. })), "{reference} {version:?}");
        }
        app.app.schedule_ca_deletion(&call(), &to("root"), None).await.unwrap();
        app.clock.advance(Span::from_days(30));
        assert_eq!(app.app.run_jobs().await.unwrap().deleted, 1);
        assert!(app.app.ca_certificate(&to("root"), None).await.is_err(), "the name is free");
        assert_eq!(app.app.ca_certificate(&id, Some(1)).await.unwrap(), der, "certificates that name it live on");
        assert!(app.audited().await.contains(&"ca.delete".to_owned()));
    }
}
