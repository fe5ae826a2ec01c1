//! Deletion.

use crate::kit::*;
use crate::support::*;
use certwright_app::VersionSelector;
use certwright_domain::managed::CertificateState;
use certwright_domain::time::Span;

#[tokio::test]
async fn a_deletion_waits_can_be_cancelled_and_destroys_the_keys_when_it_is_final() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        let made = web(&app).await;
        let key = made.version.as_ref().unwrap().version.key.clone().unwrap();
        let serial = made.version.unwrap().version.serial.to_string();
        let soon = Some(app.clock_now().plus(Span::from_hours(3)));
        let refused = app.app.schedule_certificate_deletion(&call(), &to("web"), soon).await;
        assert_eq!(invalid(refused), "invalid_deletion_time");
        let going = app.app.schedule_certificate_deletion(&call(), &to("web"), None).await.unwrap().certificate;
        assert_eq!(going.deletion_at, Some(app.clock_now().plus(Span::from_days(30))));
        let refused = app.app.ensure_certificate(&call(), request("web", wish(&["web.example.com"]))).await;
        assert_eq!(conflict(refused.map(drop)), "certificate_pending_deletion");
        let back = app.app.cancel_certificate_deletion(&call(), &to("web")).await.unwrap().certificate;
        assert_eq!((back.state, back.deletion_at), (CertificateState::Active, None));
        assert!(back.next_attempt_at.is_some());

        let day = Some(app.clock_now().plus(Span::from_days(1)));
        app.app.schedule_certificate_deletion(&call(), &to("web"), day).await.unwrap();
        app.app.certificate_bundle(&call(), &to("web"), &VersionSelector::Current).await.unwrap();
        later(&app, Span::from_days(1)).await;
        assert!(app.app.certificate(&call(), &to("web")).await.is_err());
        let stored = app.store.read().await.unwrap().key_version(&key.0, key.1).await.unwrap().unwrap();
        assert!(stored.sealed.0.is_empty(), "the key is destroyed");
        assert!(app.app.issued_certificate(&call(), &serial).await.is_ok(), "the inventory keeps the row");
        assert_eq!(
            told(&app).await,
            [
                "certificate.deleted",
                "certificate.deletion-cancelled",
                "certificate.deletion-scheduled",
                "certificate.deletion-scheduled",
                "certificate.issued"
            ]
        );
        assert_eq!(web(&app).await.certificate.versions.latest, 1, "the name is free");
    }
}

#[tokio::test]
async fn a_ca_with_managed_certificates_is_not_deleted() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    web(&app).await;
    let refused = app.app.schedule_ca_deletion(&call(), &to("issuing"), None).await;
    assert_eq!(conflict(refused), "ca_in_use");
}
