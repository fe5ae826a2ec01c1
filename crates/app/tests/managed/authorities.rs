//! CAs that renew by rule.

use crate::kit::*;
use crate::support::*;
use certwright_app::{CaView, NewCaKind, NewRules, RenewCa, UpdateCa};
use certwright_domain::ca::{Ca, CaRenewal, CaRenewalKey};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::stage::Stage;
use certwright_domain::time::{Span, Timestamp};

fn rule(key: CaRenewalKey, make_current_after: Option<Span>) -> CaRenewal {
    CaRenewal { key, advance_period: Span::from_days(30), make_current_after }
}

async fn short_lived(app: &TestApp, renewal: CaRenewal) -> CaView {
    root(app, NewRules::default()).await;
    key(app, "sub-key", certwright_domain::algorithm::KeyAlgorithm::EcdsaP256).await;
    let kind = NewCaKind::Subordinate(own("sub-key", "Issuing"), lasting(365), to("root"));
    let rules = NewRules { path_length: Some(0), renewal: Some(renewal), ..NewRules::default() };
    app.app.create_ca(&call(), ca("issuing", kind, rules)).await.unwrap()
}

async fn issuing(app: &TestApp) -> CaView {
    app.app.ca(&call(), &to("issuing")).await.unwrap()
}

fn end(view: &CaView) -> Timestamp {
    view.version.as_ref().unwrap().version.validity.unwrap().not_after()
}

#[tokio::test]
async fn a_ca_is_renewed_early_enough_and_taken_into_use_after_its_wait() {
    for app in TestApp::on_every_database().await {
        short_lived(&app, rule(CaRenewalKey::Rotate, Some(Span::from_days(7)))).await;
        let first = issuing(&app).await;
        let due = first.ca.next_renewal_at.unwrap();
        // 90 days of a leaf, 30 ahead, 7 of waiting.
        assert_eq!(end(&first).ms_since(due), Span::from_days(127).ms());
        app.clock.set(due.minus(Span::from_s(1)));
        assert_eq!(app.app.run_jobs().await.unwrap().cas_renewed, 0);
        app.clock.set(due);
        assert_eq!(app.app.run_jobs().await.unwrap().cas_renewed, 1);
        let (waiting, versions) = app.app.ca_versions(&call(), &to("issuing")).await.unwrap();
        assert_eq!(waiting.ca.versions.current, Some(1));
        assert_eq!(versions[0].stages, [Stage::Pending, Stage::Latest]);
        assert_eq!(waiting.ca.next_renewal_at, Some(due.plus(Span::from_days(7))));
        later(&app, Span::from_days(7)).await;
        let second = issuing(&app).await;
        assert_eq!(second.ca.versions.current, Some(2));
        assert_ne!(versions[0].version.spki_sha256, versions[1].version.spki_sha256, "the rule asks for a new key");
        assert_eq!(app.app.run_jobs().await.unwrap().cas_renewed, 0);
        // A leaf made just before the change lasted to the end of its ninety days, and so does one made after.
        let made = ensure(&app, request("web", wish(&["web.example.com"]))).await.view.version.unwrap();
        assert_eq!(made.version.validity.length(), Span::from_days(90));
    }
}

#[tokio::test]
async fn by_hand_it_waits_and_going_back_stays() {
    let app = TestApp::sqlite().await;
    short_lived(&app, rule(CaRenewalKey::Same, None)).await;
    let due = issuing(&app).await.ca.next_renewal_at.unwrap();
    app.clock.set(due);
    app.app.run_jobs().await.unwrap();
    later(&app, Span::from_days(20)).await;
    let waiting = issuing(&app).await.ca;
    assert_eq!((waiting.versions.current, waiting.versions.latest, waiting.next_renewal_at), (Some(1), 2, None));
    app.app.make_ca_version_current(&call(), &to("issuing"), 2).await.unwrap();
    assert!(issuing(&app).await.ca.next_renewal_at.is_some());
    app.app.make_ca_version_current(&call(), &to("issuing"), 1).await.unwrap();
    let back = issuing(&app).await.ca;
    assert_eq!((back.versions.current, back.versions.previous), (Some(1), Some(2)));
}

/// Row A32: what somebody revoked is not brought back by a job.
#[tokio::test]
async fn a_revoked_ca_is_not_renewed_by_rule() {
    for app in TestApp::on_every_database().await {
        short_lived(&app, rule(CaRenewalKey::Rotate, Some(Span::ZERO))).await;
        let before = issuing(&app).await.ca;
        let due = before.next_renewal_at.unwrap();
        app.app.revoke_ca_version(&call(), &to("issuing"), 1, RevocationReason::CessationOfOperation).await.unwrap();
        let revoked = issuing(&app).await.ca;
        assert_eq!(revoked.next_renewal_at, None);
        assert_ne!(revoked.revision, before.revision, "the tag of its answers changes");
        // As a database says that is older than this.
        let mut tx = app.store.begin("t").await.unwrap();
        tx.update_ca(&Ca { next_renewal_at: Some(due), ..revoked }).await.unwrap();
        tx.commit().await.unwrap();
        app.clock.set(due);
        let report = app.app.run_jobs().await.unwrap();
        assert_eq!((report.cas_renewed, report.renewals_failed), (0, 0));
        let left = issuing(&app).await.ca;
        assert_eq!((left.versions.latest, left.next_renewal_at), (1, None));
        // Somebody may decide so.
        let renew = RenewCa { rotate_key: true, validity: lasting(365), make_current: true };
        app.app.renew_ca(&call(), &to("issuing"), renew).await.unwrap();
        assert!(issuing(&app).await.ca.next_renewal_at.is_some());
    }
}

#[tokio::test]
async fn what_its_issuer_refuses_is_noted_and_tried_again() {
    let app = TestApp::sqlite().await;
    short_lived(&app, rule(CaRenewalKey::Same, Some(Span::ZERO))).await;
    let due = issuing(&app).await.ca.next_renewal_at.unwrap();
    let seen = app.app.ca(&call(), &to("root")).await.unwrap().ca.revision;
    let update = UpdateCa { enabled: Some(false), ..UpdateCa::default() };
    app.app.update_ca(&call(), &to("root"), update, Some(seen)).await.unwrap();
    app.clock.set(due);
    let report = app.app.run_jobs().await.unwrap();
    assert_eq!((report.cas_renewed, report.renewals_failed), (0, 1));
    let failing = issuing(&app).await.ca;
    assert_eq!(failing.renewal_failures, 1);
    assert_eq!(failing.next_renewal_at, Some(due.plus(Span::from_minutes(1))));
    let seen = app.app.ca(&call(), &to("root")).await.unwrap().ca.revision;
    let update = UpdateCa { enabled: Some(true), ..UpdateCa::default() };
    app.app.update_ca(&call(), &to("root"), update, Some(seen)).await.unwrap();
    later(&app, Span::from_minutes(1)).await;
    let renewed = issuing(&app).await.ca;
    assert_eq!((renewed.versions.current, renewed.renewal_failures), (Some(2), 0), "at once, as the rule says");
}

#[tokio::test]
async fn foreign_cas_have_no_rule() {
    let app = TestApp::sqlite().await;
    let rules = NewRules { renewal: Some(rule(CaRenewalKey::Same, None)), ..NewRules::default() };
    let foreign = ca("foreign", NewCaKind::ExternalRoot(Vec::new()), rules);
    assert_eq!(invalid(app.app.create_ca(&call(), foreign).await), "ca_not_renewable");
}
