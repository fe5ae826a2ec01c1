//! Lists made elsewhere.

use crate::support::*;
use certwright_app::{Error, NewCaKind, NewRules, UploadedCrl};
use certwright_domain::ca::DeltaSettings;
use certwright_domain::crl::{CrlKind, RevokedSerial};
use certwright_domain::revocation::RevocationReason as R;
use certwright_domain::time::Span;

/// A CA elsewhere, and the same as a trust anchor without a key on `app`.
async fn anchored(app: &TestApp) -> TestApp {
    let elsewhere = TestApp::sqlite_with(|settings| settings.pki_url = "http://elsewhere.example.com".to_owned()).await;
    with_root(&elsewhere).await;
    let certificate = elsewhere.app.ca_certificate(&to("root"), None).await.unwrap();
    let kind = NewCaKind::ExternalRoot(certificate);
    app.app.create_ca(&call(), crate::kit::ca("anchor", kind, NewRules::default())).await.unwrap();
    elsewhere
}

async fn list_of(elsewhere: &TestApp) -> Vec<u8> {
    publish(elsewhere).await;
    served(elsewhere, "root", CrlKind::Full, WHOLE).await.unwrap().der.to_vec()
}

fn invalid(result: Result<UploadedCrl, Error>) -> String {
    match result {
        Err(Error::Invalid(faults)) => faults[0].invalid.code.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_list_of_a_foreign_root_is_verified_and_served() {
    for app in TestApp::on_every_database().await {
        let elsewhere = anchored(&app).await;
        let upload = async |bytes: &[u8]| app.app.upload_crl(&call(), &to("anchor"), bytes).await;
        assert!(matches!(served(&app, "anchor", CrlKind::Full, WHOLE).await, Err(Error::NotFound { .. })));
        assert_eq!(conflict(app.app.make_crls(&call(), &to("anchor")).await), "no_crl");
        let first = list_of(&elsewhere).await;
        app.app.upload_crl(&trial(), &to("anchor"), &first).await.unwrap();
        assert!(served(&app, "anchor", CrlKind::Full, WHOLE).await.is_err(), "a trial serves nothing");
        assert!(upload(&first).await.unwrap().served);
        assert_eq!(served(&app, "anchor", CrlKind::Full, WHOLE).await.unwrap().der, first);

        let row = leaf(&elsewhere, "root", "a.example.com").await;
        revoke(&elsewhere, &row, R::Superseded).await;
        elsewhere.clock.advance(Span::from_hours(1));
        app.clock.advance(Span::from_hours(2));
        let second = list_of(&elsewhere).await;
        let pem = certwright_app::to_pem("X509 CRL", &second);
        assert_eq!(upload(pem.as_bytes()).await.unwrap(), UploadedCrl { entries: 1, restored: 0, served: true });
        assert!(upload(&second).await.unwrap().served, "twice answers the same");
        assert_eq!(conflict(upload(&first).await), "crl_is_older");
        assert_eq!(served(&app, "anchor", CrlKind::Full, WHOLE).await.unwrap().der, second);
        assert_eq!(app.app.run_crls().await.unwrap().failed, 0, "none is made here");
        let health = app.app.crl_health().await.unwrap();
        assert_eq!((health[0].ca_name.as_str(), health[0].lapsed), ("anchor", 0));

        app.clock.advance(Span::from_days(8));
        assert_eq!(app.app.crl_health().await.unwrap()[0].lapsed, 1, "nobody sent the next one");
    }
}

#[tokio::test]
async fn lists_that_cannot_be_served_are_refused() {
    let app = TestApp::sqlite().await;
    let elsewhere = anchored(&app).await;
    let upload = async |bytes: &[u8]| app.app.upload_crl(&call(), &to("anchor"), bytes).await;
    let good = list_of(&elsewhere).await;
    for (at, length) in [(0, 0), (0, 10), (10, good.len())] {
        invalid(upload(&good[at..length]).await);
    }
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    invalid(upload(&forged).await);
    let stranger = TestApp::sqlite().await;
    with_root(&stranger).await;
    invalid(upload(&list_of(&stranger).await).await);

    offer(&elsewhere, "root", |settings| settings.delta = Some(DeltaSettings::DEFAULT)).await;
    publish(&elsewhere).await;
    let delta = served(&elsewhere, "root", CrlKind::Delta, WHOLE).await.unwrap().der;
    assert_eq!(invalid(upload(&delta).await), "crl_is_partial");
    app.clock.advance(Span::from_days(8));
    assert_eq!(invalid(upload(&good).await), "crl_lapsed");
    app.clock.set(elsewhere.clock_now().minus(Span::from_days(1)));
    assert_eq!(invalid(upload(&good).await), "crl_in_future");
}

/// Row F16: our own last list knows more than the database that was put back.
#[tokio::test]
async fn our_own_list_brings_back_what_was_lost() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let rows = [leaf(&app, "root", "a.example.com").await, leaf(&app, "root", "b.example.com").await];
        for row in &rows {
            revoke(&app, row, R::Superseded).await;
        }
        publish(&app).await;
        let last = served(&app, "root", CrlKind::Full, WHOLE).await.unwrap().der;
        let upload = async || app.app.upload_crl(&call(), &to("root"), &last).await.unwrap();
        assert_eq!(upload().await, UploadedCrl { entries: 2, restored: 0, served: false }, "nothing is lost");

        // The first one is forgotten as if it had never been revoked.
        let lost = app.app.issued_certificate(&call(), rows[0].id.as_str()).await.unwrap();
        let mut tx = app.store.begin("test").await.unwrap();
        tx.change_revocation(&lost.id, lost.revocation.as_ref(), None).await.unwrap();
        let entry = tx.revocation(&lost.ca_id, &lost.serial).await.unwrap().unwrap();
        let forgotten = RevokedSerial { released: true, ..entry };
        tx.note_revocations(&lost.ca_id, &[forgotten], app.clock_now()).await.unwrap();
        tx.commit().await.unwrap();
        publish(&app).await;
        app.app.run_jobs().await.unwrap();
        assert_eq!(listed(&app, "root").await.len(), 1);

        assert_eq!(upload().await, UploadedCrl { entries: 2, restored: 1, served: false });
        publish(&app).await;
        assert_eq!(listed(&app, "root").await.len(), 2);
        let found = app.app.issued_certificate(&call(), lost.id.as_str()).await.unwrap();
        assert_eq!(found.revocation, lost.revocation);
    }
}
