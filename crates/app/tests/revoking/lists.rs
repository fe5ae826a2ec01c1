//! What lists hold, full, delta and cut into shards.

use crate::support::*;
use certwright_app::Error;
use certwright_domain::ca::DeltaSettings;
use certwright_domain::crl::{CrlKind, Place, Shards};
use certwright_domain::revocation::{EntryKind, RevocationReason as R};
use certwright_domain::time::Span;

#[tokio::test]
async fn a_ca_has_an_empty_list_from_the_beginning() {
    for app in TestApp::on_every_database().await {
        crate::kit::root(&app, Default::default()).await;
        let early = served(&app, "root", CrlKind::Full, WHOLE).await;
        assert!(matches!(early, Err(Error::NotFound { .. } | Error::Unavailable { .. })), "{early:?}");
        let report = app.app.run_crls().await.unwrap();
        assert_eq!((report.published, report.failed), (1, 0));
        let crl = read(&app, "root", CrlKind::Full, WHOLE).await;
        assert_eq!(crl.entry_count(), 0);
        assert_eq!(crl.this_update(), app.clock_now().floor_to_second());
        assert_eq!(crl.next_update().ms_since(crl.this_update()), Span::from_days(7).ms());
        assert!(crl.scope().is_none() && crl.base().is_none());
        assert_eq!(app.app.run_crls().await.unwrap().published, 0, "nothing is due");
        assert!(matches!(served(&app, "absent", CrlKind::Full, WHOLE).await, Err(Error::NotFound { .. })));
        assert!(matches!(served(&app, "root", CrlKind::Delta, WHOLE).await, Err(Error::NotFound { .. })));
    }
}

#[tokio::test]
async fn a_delta_list_tells_what_changed_since_the_full_one() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        offer(&app, "root", |settings| {
            settings.hold_enabled = true;
            settings.delta = Some(DeltaSettings { interval: Span::from_s(5), lifetime: Span::from_days(1) });
            settings.crl_interval = Span::from_hours(6);
        })
        .await;
        let rows = [
            leaf(&app, "root", "a.example.com").await,
            leaf(&app, "root", "b.example.com").await,
            leaf(&app, "root", "c.example.com").await,
        ];
        revoke(&app, &rows[0], R::CertificateHold).await;
        app.clock.advance(Span::from_s(10));
        app.app.run_crls().await.unwrap();
        let full = served(&app, "root", CrlKind::Full, WHOLE).await.unwrap().crl;
        let first = read(&app, "root", CrlKind::Delta, WHOLE).await;
        assert_eq!(first.base().unwrap().to_i64(), full.number);

        app.clock.advance(Span::from_s(10));
        revoke(&app, &rows[1], R::Superseded).await;
        let target = certwright_app::RevocationTarget::Reference(rows[0].id.to_string());
        app.app.release_issued_certificate(&call(), &target).await.unwrap();
        app.app.run_crls().await.unwrap();
        assert_eq!(served(&app, "root", CrlKind::Full, WHOLE).await.unwrap().crl, full, "it waits for its interval");
        let delta = read(&app, "root", CrlKind::Delta, WHOLE).await;
        assert_eq!(delta.base().unwrap().to_i64(), full.number);
        assert!(delta.number().unwrap().to_i64() > first.number().unwrap().to_i64());
        let mut said: Vec<_> = delta.entries().map(|entry| (entry.serial, entry.kind)).collect();
        said.sort_by(|a, b| a.0.cmp(&b.0));
        let mut expected = vec![
            (rows[0].serial.clone(), EntryKind::Removed),
            (rows[1].serial.clone(), EntryKind::Revoked(R::Superseded)),
        ];
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(said, expected);

        app.clock.advance(Span::from_hours(7));
        app.app.run_crls().await.unwrap();
        let next = listed(&app, "root").await;
        assert_eq!(next.len(), 1, "the full list has both by now");
        assert!(number(&app, "root", CrlKind::Full).await > full.number.unwrap());
    }
}

#[tokio::test]
async fn shards_divide_what_is_revoked_and_certificates_name_theirs() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let before = leaf(&app, "root", "before.example.com").await;
        let shards = Shards::new(4).unwrap();
        offer(&app, "root", |settings| settings.crl_shards = shards).await;
        let mut rows = Vec::new();
        for number in 0..12 {
            rows.push(leaf(&app, "root", &format!("host-{number}.example.com")).await);
        }
        for row in rows.iter().chain([&before]) {
            revoke(&app, row, R::Superseded).await;
        }
        app.clock.advance(Span::from_s(10));
        app.app.run_crls().await.unwrap();
        let ca = app.app.ca(&call(), &to("root")).await.unwrap().ca;
        let mut found = 0;
        for shard in 0..4 {
            let crl = read(&app, "root", CrlKind::Full, (shards, shard)).await;
            let url = format!("http://pki.example.com/pki/{}/1/crl/4/{shard}", ca.id);
            assert_eq!(crl.scope().unwrap().uris, std::slice::from_ref(&url));
            for entry in crl.entries() {
                found += 1;
                assert_eq!(shards.shard_of(Place::of(&entry.serial)), shard);
                if let Some(row) = rows.iter().find(|row| row.serial == entry.serial) {
                    let text = String::from_utf8_lossy(&row.certificate).into_owned();
                    assert!(text.contains(&url), "the certificate names its shard");
                }
            }
        }
        assert_eq!(found, 13);
        let whole = listed(&app, "root").await;
        assert_eq!(whole.len(), 13, "older certificates name the whole list, which goes on");
        assert!(String::from_utf8_lossy(&before.certificate).contains(&format!("/pki/{}/1/crl", ca.id)));

        // Once the last certificate that names it has expired, the whole list ends and stays as it was.
        app.clock.advance(Span::from_days(31));
        app.app.run_crls().await.unwrap();
        let last = number(&app, "root", CrlKind::Full).await;
        app.clock.advance(Span::from_days(10));
        app.app.run_crls().await.unwrap();
        assert_eq!(number(&app, "root", CrlKind::Full).await, last);
        assert!(app.app.crl(&to("root"), None, CrlKind::Full, shards, 4).await.is_err());
    }
}

#[tokio::test]
async fn lists_end_when_they_are_switched_off_and_begin_again() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        offer(&app, "root", |settings| settings.crl_enabled = false).await;
        app.clock.advance(Span::from_days(6));
        app.app.run_crls().await.unwrap();
        assert_eq!(number(&app, "root", CrlKind::Full).await, 1, "the last one stays");
        offer(&app, "root", |settings| settings.crl_enabled = true).await;
        app.app.run_crls().await.unwrap();
        assert_eq!(number(&app, "root", CrlKind::Full).await, 2);
    }
}

#[tokio::test]
async fn entries_of_expired_certificates_leave_after_one_more_list() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let row = leaf(&app, "root", "a.example.com").await;
        revoke(&app, &row, R::Superseded).await;
        let mut after_expiry = 0;
        for _ in 0..20 {
            app.clock.advance(Span::from_days(3));
            app.app.run_jobs().await.unwrap();
            let report = app.app.run_crls().await.unwrap();
            assert_eq!(report.published, 1);
            let is_listed = listed_for(&app, "root", &row.serial).await.is_some();
            if app.clock_now() > row.validity.not_after() {
                after_expiry += 1;
                assert_eq!(is_listed, after_expiry == 1);
            } else {
                assert!(is_listed);
            }
        }
        assert!(after_expiry > 2);
    }
}
