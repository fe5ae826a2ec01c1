//! Which revocations are taken, and what they block.

use crate::support::*;
use certwright_app::{Error, RevocationTarget, Revoke, Revoked, SignRequest, Subject, to_pem};
use certwright_domain::event::EventKind;
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::revocation::{EntryKind, RevocationReason as R};
use certwright_domain::serial::Serial;
use certwright_domain::time::Span;
use certwright_store::{EventFilter, PageRequest};

/// A CSR for a key that is made once, so that several certificates share it.
fn csr() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    crate::kit::openssl(
        folder.path(),
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -outform DER -subj /CN=a.example.com \
         -addext subjectAltName=DNS:a.example.com",
    )
}

async fn sign(app: &TestApp, csr: &[u8]) -> Result<IssuedCertificate, Error> {
    let subject = Subject { subject: None, names: None };
    let request = SignRequest { csr: csr.to_vec(), subject, profile: None, validity: lasting(30) };
    app.app.sign(&call(), &to("root"), request).await.map(|issued| issued.row)
}

async fn compromise(app: &TestApp, row: &IssuedCertificate, siblings: bool) -> Revoked {
    let target = RevocationTarget::Reference(row.id.to_string());
    let revoke = Revoke { reason: R::KeyCompromise, siblings };
    app.app.revoke_issued_certificate(&call(), &target, revoke).await.unwrap()
}

#[tokio::test]
async fn a_second_reason_only_upgrades_to_a_compromise() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let row = leaf(&app, "root", "a.example.com").await;
        let first = revoke(&app, &row, R::Superseded).await.revocation.unwrap();
        app.clock.advance(Span::from_minutes(5));
        assert_eq!(conflict(app.revoke(&call(), row.id.as_str(), R::CessationOfOperation).await), "already_revoked");
        let upgraded = revoke(&app, &row, R::KeyCompromise).await.revocation.unwrap();
        assert_eq!((upgraded.at, upgraded.reason), (first.at, R::KeyCompromise), "the time stays that of the first");
        assert_eq!(revoke(&app, &row, R::KeyCompromise).await.revocation, Some(upgraded));
        assert_eq!(conflict(app.revoke(&call(), row.id.as_str(), R::Superseded).await), "already_revoked");
        publish(&app).await;
        assert_eq!(listed_for(&app, "root", &row.serial).await, Some(EntryKind::Revoked(R::KeyCompromise)));
    }
}

#[tokio::test]
async fn of_two_revocations_at_once_one_is_upgraded_or_refused() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        with_root(&one).await;
        let row = leaf(&one, "root", "a.example.com").await;
        let call = call();
        let (_, worse) = tokio::join!(
            one.revoke(&call, row.id.as_str(), R::Superseded),
            other.revoke(&call, row.id.as_str(), R::KeyCompromise),
        );
        // Whoever came first, nobody was told a lie: either the upgrade went through, or it must be sent again.
        let stored = one.app.issued_certificate(&call, row.id.as_str()).await.unwrap();
        match worse {
            Ok(row) => assert_eq!(stored.revocation.unwrap().reason, row.revocation.unwrap().reason),
            Err(error) => assert!(matches!(error, Error::Conflict { code: "changed_meanwhile", .. }), "{error:?}"),
        }
        publish(&one).await;
        let entry = EntryKind::Revoked(stored.revocation.unwrap().reason);
        assert_eq!(listed_for(&one, "root", &row.serial).await, Some(entry));
    }
}

/// More at once than a node has connections: none of them waits for one while it holds another.
#[tokio::test]
async fn many_revocations_at_once_do_not_starve_each_other() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let mut ids = Vec::new();
        for number in 0..40 {
            ids.push(leaf(&app, "root", &format!("n{number}.example.com")).await.id.to_string());
        }
        let call = call();
        let revoked = futures_util::future::join_all(ids.iter().map(|id| app.revoke(&call, id, R::Superseded))).await;
        assert!(revoked.iter().all(Result::is_ok), "{:?}", revoked.iter().find(|it| it.is_err()));
    }
}

#[tokio::test]
async fn a_compromise_blocks_the_key_and_offers_its_siblings() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let csr = csr();
        let (first, second, third) =
            (sign(&app, &csr).await.unwrap(), sign(&app, &csr).await.unwrap(), sign(&app, &csr).await.unwrap());
        let stranger = leaf(&app, "root", "b.example.com").await;
        revoke(&app, &third, R::Superseded).await;

        let Revoked { certificate, siblings, .. } = compromise(&app, &first, false).await;
        assert_eq!(certificate.id, first.id);
        let mut offered: Vec<_> =
            siblings.iter().map(|row| (row.id.clone(), row.revocation.map(|it| it.reason))).collect();
        offered.sort_by_key(|(_, reason)| reason.is_some());
        assert_eq!(offered, [(second.id.clone(), None), (third.id.clone(), Some(R::Superseded))]);
        assert!(matches!(sign(&app, &csr).await, Err(Error::Rejected(_))), "the key is blocked");

        let Revoked { siblings, .. } = compromise(&app, &first, true).await;
        let reasons: Vec<_> = siblings.iter().map(|row| row.revocation.unwrap().reason).collect();
        assert_eq!(reasons, [R::KeyCompromise; 2], "all of them, also the one that was revoked for less");
        assert_eq!(compromise(&app, &first, true).await.siblings, []);
        publish(&app).await;
        for row in [&first, &second, &third] {
            assert_eq!(listed_for(&app, "root", &row.serial).await, Some(EntryKind::Revoked(R::KeyCompromise)));
        }
        assert_eq!(listed_for(&app, "root", &stranger.serial).await, None);
        let audited = app.audited().await.iter().filter(|it| *it == "issued-certificate.revoke").count();
        assert_eq!(audited, 4, "one for each change");
    }
}

/// Whoever's key is named, a certificate that was issued to somebody who had it is not to be had again with the same key.
#[tokio::test]
async fn every_compromise_blocks_the_key_and_the_certificates_own_is_the_worst() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        for reason in [R::CaCompromise, R::AaCompromise] {
            let csr = csr();
            let (row, other) = (sign(&app, &csr).await.unwrap(), sign(&app, &csr).await.unwrap());
            let target = RevocationTarget::Reference(row.id.to_string());
            let revoked = app.app.revoke_issued_certificate(&call(), &target, Revoke::because(reason)).await.unwrap();
            let first = revoked.certificate.revocation.unwrap();
            assert_eq!(first.reason, reason);
            assert_eq!(revoked.siblings.iter().map(|row| &row.id).collect::<Vec<_>>(), [&other.id]);
            assert!(matches!(sign(&app, &csr).await, Err(Error::Rejected(_))), "the key is blocked");
            app.clock.advance(Span::from_minutes(5));
            assert_eq!(conflict(app.revoke(&call(), row.id.as_str(), R::Superseded).await), "already_revoked");
            let worst = revoke(&app, &row, R::KeyCompromise).await.revocation.unwrap();
            assert_eq!((worst.at, worst.reason), (first.at, R::KeyCompromise), "the time stays that of the first");
            assert_eq!(conflict(app.revoke(&call(), row.id.as_str(), reason).await), "already_revoked");
            publish(&app).await;
            assert_eq!(listed_for(&app, "root", &row.serial).await, Some(EntryKind::Revoked(R::KeyCompromise)));
        }
    }
}

#[tokio::test]
async fn siblings_are_a_matter_of_compromise() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    let row = leaf(&app, "root", "a.example.com").await;
    let target = RevocationTarget::Reference(row.id.to_string());
    let refused =
        app.app.revoke_issued_certificate(&call(), &target, Revoke { reason: R::Superseded, siblings: true }).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn a_certificate_is_revoked_by_its_body_or_its_serial_and_issuer() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let rows = [
            leaf(&app, "root", "a.example.com").await,
            leaf(&app, "root", "b.example.com").await,
            leaf(&app, "root", "c.example.com").await,
        ];
        let targets = [
            RevocationTarget::Certificate(rows[0].certificate.clone()),
            RevocationTarget::Certificate(to_pem("CERTIFICATE", &rows[1].certificate).into_bytes()),
            RevocationTarget::Serial(rows[2].serial.clone(), to("root")),
        ];
        for (row, target) in rows.iter().zip(&targets) {
            let revoke = Revoke::because(R::Superseded);
            let revoked = app.app.revoke_issued_certificate(&call(), target, revoke).await.unwrap();
            assert_eq!(revoked.certificate.id, row.id);
            assert!(revoked.certificate.revocation.is_some());
        }
        let elsewhere = TestApp::sqlite().await;
        with_root(&elsewhere).await;
        let foreign = leaf(&elsewhere, "root", "a.example.com").await.certificate;
        let unknown = Serial::parse("0102030405").unwrap();
        for target in [
            RevocationTarget::Certificate(foreign),
            RevocationTarget::Serial(unknown, to("root")),
            RevocationTarget::Serial(rows[0].serial.clone(), to("absent")),
        ] {
            let refused = app.app.revoke_issued_certificate(&call(), &target, Revoke::because(R::Superseded)).await;
            assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
        }
        let garbage = RevocationTarget::Certificate(b"no certificate".to_vec());
        let refused = app.app.revoke_issued_certificate(&call(), &garbage, Revoke::because(R::Superseded)).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_hold_must_be_enabled_and_can_be_ended() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let (held, kept) = (leaf(&app, "root", "a.example.com").await, leaf(&app, "root", "b.example.com").await);
        let target = RevocationTarget::Reference(held.id.to_string());
        assert_eq!(conflict(app.revoke(&call(), held.id.as_str(), R::CertificateHold).await), "hold_not_enabled");
        offer(&app, "root", |settings| settings.hold_enabled = true).await;
        revoke(&app, &held, R::CertificateHold).await;
        revoke(&app, &kept, R::CertificateHold).await;
        publish(&app).await;
        assert_eq!(listed_for(&app, "root", &held.serial).await, Some(EntryKind::Revoked(R::CertificateHold)));

        app.app.release_issued_certificate(&trial(), &target).await.unwrap();
        let stored = app.app.issued_certificate(&call(), held.id.as_str()).await.unwrap();
        assert!(stored.revocation.is_some(), "a trial changes nothing");
        let released = app.app.release_issued_certificate(&call(), &target).await.unwrap();
        assert_eq!(released, held);
        assert_eq!(app.app.release_issued_certificate(&call(), &target).await.unwrap(), held, "twice answers the same");
        revoke(&app, &kept, R::Superseded).await;
        publish(&app).await;
        assert_eq!(listed_for(&app, "root", &held.serial).await, None);
        assert_eq!(listed_for(&app, "root", &kept.serial).await, Some(EntryKind::Revoked(R::Superseded)));
        let gone = RevocationTarget::Reference(kept.id.to_string());
        assert_eq!(conflict(app.app.release_issued_certificate(&call(), &gone).await), "not_on_hold");

        let page = PageRequest { limit: 100, after: None };
        let events = app.app.events(&call(), &EventFilter::default(), &page).await.unwrap().items;
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::CertificateReleased).count(), 1);
        revoke(&app, &held, R::KeyCompromise).await;
        publish(&app).await;
        assert_eq!(listed_for(&app, "root", &held.serial).await, Some(EntryKind::Revoked(R::KeyCompromise)));
    }
}

/// Row A32: whatever is issued for the same names or key afterwards, the old serial stays on the list.
#[tokio::test]
async fn issuing_again_takes_no_entry_off_the_list() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let csr = csr();
        let old = sign(&app, &csr).await.unwrap();
        revoke(&app, &old, R::Superseded).await;
        let new = sign(&app, &csr).await.unwrap();
        assert_ne!(new.serial, old.serial);
        publish(&app).await;
        app.clock.advance(Span::from_days(4));
        publish(&app).await;
        assert!(listed_for(&app, "root", &old.serial).await.is_some());
        assert!(listed_for(&app, "root", &new.serial).await.is_none());
    }
}
