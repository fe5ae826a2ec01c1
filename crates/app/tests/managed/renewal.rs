//! The renewal job.

use crate::kit::*;
use crate::support::*;
use certwright_app::{
    CertificateRequest, EnsureOutcome, PageRequest, RenewCertificate, RenewalRequest, RevocationTarget, Revoke,
    UpdateCa, UpdateCertificate,
};
use certwright_domain::ca::RevocationSettings;
use certwright_domain::managed::{AttemptOutcome, RenewalKey, RenewalOutlook, VersionReason};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::time::Span;
use certwright_testkit::faults::When;

async fn disable_ca(app: &TestApp, enabled: bool) {
    let seen = app.app.ca(&call(), &to("issuing")).await.unwrap().ca.revision;
    let update = UpdateCa { enabled: Some(enabled), ..UpdateCa::default() };
    app.app.update_ca(&call(), &to("issuing"), update, Some(seen)).await.unwrap();
}

async fn attempts(app: &TestApp) -> Vec<(AttemptOutcome, String)> {
    let page = PageRequest { limit: 50, after: None };
    let found = app.app.certificate_attempts(&call(), &to("web"), &page).await.unwrap();
    found.items.into_iter().map(|one| (one.outcome, one.reason)).collect()
}

#[tokio::test]
async fn what_is_due_is_renewed_once_with_a_fresh_key() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        ready(&one).await;
        let first = web(&one).await.version.unwrap();
        one.clock.set(first.renew_at.minus(Span::from_s(1)));
        one.app.run_jobs().await.unwrap();
        assert_eq!(number(&view(&one, "web").await), 1, "not before its time");
        one.clock.set(first.renew_at);
        let (left, right) = tokio::join!(one.app.run_jobs(), two.app.run_jobs());
        assert_eq!(left.unwrap().renewed + right.unwrap().renewed, 1);
        let second = view(&two, "web").await;
        assert_eq!((number(&second), second.certificate.versions.previous), (2, Some(1)));
        let version = second.version.unwrap();
        assert_eq!(version.version.reason, VersionReason::RenewalDue);
        assert_ne!(version.version.spki_sha256, first.version.spki_sha256);
        assert_eq!(second.outlook, RenewalOutlook::At(version.renew_at));
        assert_eq!(attempts(&one).await, [(AttemptOutcome::Renewed, "RENEWAL_DUE".to_owned())]);
        assert_eq!(told(&one).await, ["certificate.issued", "certificate.renewed"]);
    }
}

#[tokio::test]
async fn the_same_key_by_choice() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let rule = RenewalRequest { key: Some(RenewalKey::Same), ..RenewalRequest::default() };
    let made = ensure(&app, CertificateRequest { renewal: rule, ..request("web", wish(&["web.example.com"])) }).await;
    let first = made.view.version.unwrap();
    app.clock.set(first.renew_at);
    app.app.run_jobs().await.unwrap();
    let second = view(&app, "web").await.version.unwrap().version;
    assert_eq!((second.number, second.spki_sha256), (2, first.version.spki_sha256));
    assert_eq!(second.key, first.version.key);
}

#[tokio::test]
async fn what_fails_is_noted_tried_again_and_woken_when_its_ca_changes() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        let first = web(&app).await.version.unwrap();
        disable_ca(&app, false).await;
        app.clock.set(first.renew_at);
        let report = app.app.run_jobs().await.unwrap();
        assert_eq!((report.renewed, report.renewals_failed), (0, 1));
        let failing = view(&app, "web").await;
        assert_eq!((failing.certificate.failures, number(&failing)), (1, 1));
        assert_eq!(failing.certificate.next_attempt_at, Some(first.renew_at.plus(Span::from_minutes(1))));
        assert!(failing.last_attempt.unwrap().reason.contains("DISABLED"));
        // Not at once again; then twice as late.
        assert_eq!(app.app.run_jobs().await.unwrap().renewals_failed, 0);
        later(&app, Span::from_minutes(1)).await;
        let failing = view(&app, "web").await.certificate;
        assert_eq!(failing.next_attempt_at, Some(app.clock_now().plus(Span::from_minutes(2))));
        for _ in 0..8 {
            later(&app, Span::from_hours(1)).await;
        }
        assert_eq!(view(&app, "web").await.certificate.failures, 10);
        disable_ca(&app, true).await;
        app.app.run_jobs().await.unwrap();
        let renewed = view(&app, "web").await;
        assert_eq!((number(&renewed), renewed.certificate.failures), (2, 0), "woken by the change of its CA");
        let kinds = told(&app).await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "certificate.renewal-failed").count(), 10);
        assert!(kinds.contains(&"certificate.renewed".to_owned()));
    }
}

#[tokio::test]
async fn a_refused_renewal_says_which_rule() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let first = web(&app).await.version.unwrap();
    let seen = app.app.ca(&call(), &to("issuing")).await.unwrap().ca.revision;
    let update = UpdateCa { leaf_max_validity: Some(Span::from_days(30)), ..UpdateCa::default() };
    let would = app.app.update_ca(&trial(), &to("issuing"), update.clone(), Some(seen)).await.unwrap();
    assert_eq!(would.refused_renewals.len(), 1);
    assert_eq!(would.refused_renewals[0].name.as_str(), "web");
    assert_eq!(would.refused_renewals[0].violations[0].rule, "leafMaxValidity");
    app.app.update_ca(&call(), &to("issuing"), update, Some(seen)).await.unwrap();
    let untouched = view(&app, "web").await.version.unwrap();
    assert_eq!(untouched, first, "a rule change never touches what was issued");
    app.clock.set(first.renew_at);
    app.app.run_jobs().await.unwrap();
    let reason = &attempts(&app).await[0].1;
    assert!(
        reason.starts_with("The validity period 7776000000 exceeds the maximum validity period allowed 2592000000.")
    );
}

#[tokio::test]
async fn what_is_switched_off_disabled_or_going_is_left_alone() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let seen = web(&app).await.certificate.revision;
    let off = RenewalRequest { automatic: Some(false), ..RenewalRequest::default() };
    let update = UpdateCertificate { renewal: Some(off), ..UpdateCertificate::default() };
    let off = app.app.update_certificate(&call(), &to("web"), update, Some(seen)).await.unwrap();
    assert_eq!(off.outlook, RenewalOutlook::Never("Automatic renewal is switched off."));
    for (certificate, enabled) in [("sleeping", false), ("going", true)] {
        let made = ensure(&app, request(certificate, wish(&["x.example.com"]))).await.view.certificate;
        let update = UpdateCertificate { enabled: Some(enabled), ..UpdateCertificate::default() };
        app.app.update_certificate(&call(), &to(certificate), update, Some(made.revision)).await.unwrap();
    }
    app.app.schedule_certificate_deletion(&call(), &to("going"), None).await.unwrap();
    app.clock.advance(Span::from_days(70));
    assert_eq!(app.app.run_jobs().await.unwrap().renewed, 0);
    let seen = view(&app, "sleeping").await.certificate.revision;
    let update = UpdateCertificate { enabled: Some(true), ..UpdateCertificate::default() };
    app.app.update_certificate(&call(), &to("sleeping"), update, Some(seen)).await.unwrap();
    assert_eq!(app.app.run_jobs().await.unwrap().renewed, 1, "enabled, it is due at once");
}

#[tokio::test]
async fn an_overdue_renewal_is_told_once() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    web(&app).await;
    disable_ca(&app, false).await;
    app.clock.advance(Span::from_days(76));
    for _ in 0..3 {
        later(&app, Span::from_hours(2)).await;
    }
    let kinds = told(&app).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "certificate.renewal-overdue").count(), 1, "{kinds:?}");
}

#[tokio::test]
async fn a_crash_around_the_commit_loses_nothing_and_doubles_nothing() {
    for when in [When::Before, When::After] {
        for app in TestApp::on_every_database().await {
            ready(&app).await;
            let due = web(&app).await.version.unwrap().renew_at;
            app.clock.set(due);
            app.faults.arm("certificate.version", when);
            assert!(app.app.run_jobs().await.is_err());
            app.clock.advance(Span::from_minutes(2));
            let after = app.restarted(7).await;
            after.app.run_jobs().await.unwrap();
            let renewed = view(&after, "web").await;
            assert_eq!(number(&renewed), 2, "{when:?}");
            assert!(app.faults.is_spent());
        }
    }
}

#[tokio::test]
async fn a_thousand_of_one_minute_are_not_due_in_one_minute() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let mut minutes = std::collections::BTreeMap::<i64, u32>::new();
    for index in 0..100 {
        let made = ensure(&app, request(&format!("web-{index}"), wish(&["web.example.com"]))).await;
        let due = made.view.version.unwrap().renew_at;
        *minutes.entry(due.unix_s() / 60).or_default() += 1;
    }
    assert!(minutes.values().all(|count| *count <= 5), "{minutes:?}");
}

#[tokio::test]
async fn what_another_node_has_just_ruled_out_is_not_signed_from_memory() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        ready(&one).await;
        let due = web(&two).await.version.unwrap().renew_at;
        // Node two has the CA in memory and is not told.
        disable_ca(&one, false).await;
        let refused = two.app.ensure_certificate(&call(), request("other", wish(&["x.example.com"]))).await;
        assert_eq!(conflict(refused.map(drop)), "ca_disabled");
        disable_ca(&one, true).await;
        ensure(&two, request("other", wish(&["x.example.com"]))).await;
        disable_ca(&one, false).await;
        two.clock.set(due);
        assert_eq!(two.app.run_jobs().await.unwrap().renewed, 0);
        assert_eq!(number(&view(&one, "web").await), 1);
    }
}

/// Certificates of the CA may be put on hold from now on.
async fn allow_holds(app: &TestApp) {
    let issuing = app.app.ca(&call(), &to("issuing")).await.unwrap().ca;
    let revocation = Some(RevocationSettings { hold_enabled: true, ..issuing.revocation });
    let update = UpdateCa { revocation, ..UpdateCa::default() };
    app.app.update_ca(&call(), &to("issuing"), update, Some(issuing.revision)).await.unwrap();
}

/// What is not renewed while it is on hold is renewed when the hold ends.
#[tokio::test]
async fn a_hold_that_ends_is_not_the_end_of_renewals() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        let first = web(&app).await.version.unwrap();
        allow_holds(&app).await;
        app.clock.set(first.renew_at.minus(Span::from_days(1)));
        let issued = first.version.issued_id.as_ref().unwrap().to_string();
        app.revoke(&call(), &issued, RevocationReason::CertificateHold).await.unwrap();
        later(&app, Span::from_days(2)).await;
        assert_eq!(number(&view(&app, "web").await), 1, "it is on hold");
        app.app.release_issued_certificate(&call(), &RevocationTarget::Reference(issued)).await.unwrap();
        app.app.run_jobs().await.unwrap();
        assert_eq!(number(&view(&app, "web").await), 2);
    }
}

/// Whoever goes back does not get the next version at once, but gets it in time.
#[tokio::test]
async fn after_going_back_half_of_what_is_left_is_waited_for() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let first = web(&app).await.version.unwrap();
    app.clock.set(first.renew_at);
    app.app.run_jobs().await.unwrap();
    app.app.make_certificate_version_current(&call(), &to("web"), 1).await.unwrap();
    app.app.run_jobs().await.unwrap();
    let back = view(&app, "web").await;
    assert_eq!(number(&back), 1);
    let left = first.version.validity.not_after().ms_since(first.renew_at);
    let then = first.renew_at.plus(Span::from_ms(left / 2));
    assert_eq!(back.outlook, RenewalOutlook::At(then));
    app.clock.set(then);
    app.app.run_jobs().await.unwrap();
    let third = view(&app, "web").await;
    assert_eq!((number(&third), third.certificate.versions.previous), (3, Some(1)));
}

/// What was revoked while it waited is no renewal that was made already.
#[tokio::test]
async fn a_revoked_version_that_waited_holds_up_no_renewal() {
    for reason in [RevocationReason::Superseded, RevocationReason::KeyCompromise] {
        for app in TestApp::on_every_database().await {
            ready(&app).await;
            let first = web(&app).await.version.unwrap();
            let pending = RenewCertificate { pending: true, ..RenewCertificate::default() };
            for number in [2, 3] {
                app.app.renew_certificate(&call(), &to("web"), pending.clone()).await.unwrap();
                assert_eq!(view(&app, "web").await.certificate.waiting, Some(number));
            }
            let held = view(&app, "web").await;
            assert_eq!(held.outlook, RenewalOutlook::Never("A newer version waits to be made current."));
            app.app.revoke_certificate_version(&call(), &to("web"), 3, Revoke::because(reason)).await.unwrap();
            later(&app, Span::from_s(1)).await;
            assert_eq!(view(&app, "web").await.certificate.next_attempt_at, None, "there is another one that waits");
            app.app.revoke_certificate_version(&call(), &to("web"), 2, Revoke::because(reason)).await.unwrap();
            let free = view(&app, "web").await;
            assert_eq!(free.certificate.next_attempt_at, Some(first.renew_at));
            assert_eq!((number(&free), free.outlook), (1, RenewalOutlook::At(first.renew_at)));
            let refused = app.app.make_certificate_version_current(&call(), &to("web"), 3).await;
            assert_eq!(conflict(refused), "version_revoked");
            app.clock.set(first.renew_at);
            assert_eq!(app.app.run_jobs().await.unwrap().renewed, 1);
            let renewed = view(&app, "web").await;
            assert_eq!((number(&renewed), renewed.certificate.versions.previous), (4, Some(1)));
        }
    }
}

/// A caller's wish is no other than the job's: what is due is made, whatever was revoked while it waited.
#[tokio::test]
async fn a_put_of_what_is_due_makes_it_although_a_revoked_version_waited() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let first = web(&app).await.version.unwrap();
    let pending = RenewCertificate { pending: true, ..RenewCertificate::default() };
    app.app.renew_certificate(&call(), &to("web"), pending).await.unwrap();
    app.clock.set(first.renew_at);
    assert_eq!(ensure(&app, request("web", wish(&["web.example.com"]))).await.outcome, EnsureOutcome::Unchanged);
    let why = Revoke::because(RevocationReason::Superseded);
    app.app.revoke_certificate_version(&call(), &to("web"), 2, why).await.unwrap();
    assert_eq!(ensure(&app, request("web", wish(&["web.example.com"]))).await.outcome, EnsureOutcome::NewVersion);
}

/// While it is on hold it keeps nobody waiting; afterwards it does again.
#[tokio::test]
async fn a_waiting_version_counts_again_when_its_hold_ends() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        let first = web(&app).await.version.unwrap();
        allow_holds(&app).await;
        let pending = RenewCertificate { pending: true, ..RenewCertificate::default() };
        app.app.renew_certificate(&call(), &to("web"), pending).await.unwrap();
        let second = app.app.certificate_version(&call(), &to("web"), 2).await.unwrap().version;
        let issued = second.issued_id.unwrap().to_string();
        app.revoke(&call(), &issued, RevocationReason::CertificateHold).await.unwrap();
        assert_eq!(view(&app, "web").await.certificate.next_attempt_at, Some(first.renew_at));
        app.app.release_issued_certificate(&call(), &RevocationTarget::Reference(issued)).await.unwrap();
        assert_eq!(view(&app, "web").await.certificate.next_attempt_at, None);
        app.clock.set(first.renew_at);
        assert_eq!(app.app.run_jobs().await.unwrap().renewed, 0);
    }
}
