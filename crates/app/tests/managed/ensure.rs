//! `ensure`: made, left, or made anew, and never twice.

use crate::kit::*;
use crate::support::*;
use certwright_app::{CertificateRequest, EnsureOutcome, RenewalRequest, UpdateCertificate};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::managed::{CertificateKind, RenewalKey, VersionReason};
use certwright_domain::stage::Stage;
use certwright_domain::time::Span;

#[tokio::test]
async fn made_left_and_made_anew() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        let first = ensure(&app, request("web", wish(&["b.example.com", "a.example.com"]))).await;
        assert_eq!(first.outcome, EnsureOutcome::Created);
        let version = first.view.version.clone().unwrap();
        assert_eq!((version.version.number, version.stages), (1, vec![Stage::Current, Stage::Latest]));
        assert_eq!(first.view.certificate.kind, CertificateKind::Internal);
        assert_eq!(first.view.ca_name.as_deref(), Some("issuing"));

        let same = ensure(&app, request("web", wish(&["a.example.com", "b.example.com"]))).await;
        assert_eq!((same.outcome, number(&same.view)), (EnsureOutcome::Unchanged, 1), "{}", same.reason);
        assert_eq!(same.view.certificate.revision, first.view.certificate.revision);

        let more = ensure(&app, request("web", wish(&["a.example.com", "c.example.com"]))).await;
        assert_eq!((more.outcome, number(&more.view)), (EnsureOutcome::NewVersion, 2));
        assert_eq!(more.reason, "The wish changed: names.");
        assert_eq!(more.view.version.unwrap().version.reason, VersionReason::WishChanged);

        let mut other = wish(&["a.example.com", "c.example.com"]);
        other.key_algorithm = Some(KeyAlgorithm::EcdsaP256);
        other.validity = lasting(30);
        let other = ensure(&app, request("web", other)).await;
        assert_eq!(other.reason, "The wish changed: keyAlgorithm, validity.");
        assert_eq!(other.view.version.unwrap().version.key_algorithm, "ECDSA_P256");
    }
}

#[tokio::test]
async fn a_hundred_identical_calls_on_two_nodes_make_one_version() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        ready(&one).await;
        let calls = (0..100).map(|index| {
            let node = if index % 2 == 0 { one.app.clone() } else { two.app.clone() };
            tokio::spawn(async move {
                node.ensure_certificate(&call(), request("web", wish(&["web.example.com"]))).await.unwrap().outcome
            })
        });
        let mut created = 0;
        for outcome in calls.collect::<Vec<_>>() {
            created += usize::from(outcome.await.unwrap() == EnsureOutcome::Created);
        }
        assert_eq!(created, 1);
        assert_eq!(view(&one, "web").await.certificate.versions.latest, 1);
        // The same once more with a changed wish, which all of them bring at once.
        let calls = (0..40).map(|index| {
            let node = if index % 2 == 0 { one.app.clone() } else { two.app.clone() };
            tokio::spawn(async move {
                node.ensure_certificate(&call(), request("web", wish(&["www.example.com"]))).await.unwrap().outcome
            })
        });
        for outcome in calls.collect::<Vec<_>>() {
            outcome.await.unwrap();
        }
        assert_eq!(view(&two, "web").await.certificate.versions.latest, 2);
    }
}

#[tokio::test]
async fn a_renewal_that_is_due_is_made_by_the_call() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let due = web(&app).await.version.unwrap().renew_at;
    app.clock.set(due.minus(Span::from_s(1)));
    let early = ensure(&app, request("web", wish(&["web.example.com"]))).await;
    assert_eq!(early.outcome, EnsureOutcome::Unchanged);
    assert!(early.reason.contains(&due.to_string()), "{}", early.reason);
    app.clock.set(due);
    let renewed = ensure(&app, request("web", wish(&["web.example.com"]))).await;
    assert_eq!((renewed.outcome, number(&renewed.view)), (EnsureOutcome::NewVersion, 2));
    assert_eq!(renewed.view.version.unwrap().version.reason, VersionReason::RenewalDue);
}

#[tokio::test]
async fn settings_take_effect_at_once_and_without_a_new_version() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let first = web(&app).await;
    let rule = RenewalRequest {
        interval: Some(Span::from_days(60)),
        advance_period: Some(Span::from_days(15)),
        automatic: None,
        key: Some(RenewalKey::Same),
    };
    let changed = CertificateRequest { renewal: rule, ..request("web", wish(&["web.example.com"])) };
    let changed = ensure(&app, changed).await;
    assert_eq!((changed.outcome, number(&changed.view)), (EnsureOutcome::Changed, 1), "{}", changed.reason);
    let due = changed.view.version.unwrap().renew_at;
    let start = first.version.unwrap().version.validity.not_before();
    let after = due.ms_since(start);
    let sixty = Span::from_days(60).ms();
    assert!((sixty..sixty + Span::from_hours(22).ms()).contains(&after), "{after}");
    assert_eq!(changed.view.certificate.next_attempt_at, Some(due));
    // The whole rule is what the request says: without one, the default comes back.
    let back = ensure(&app, request("web", wish(&["web.example.com"]))).await;
    assert_eq!(back.outcome, EnsureOutcome::Changed);
    assert_eq!(back.view.certificate.renewal.rule, None);
}

#[tokio::test]
async fn rules_that_make_no_sense_are_refused_and_leave_nothing() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    for (interval, advance) in [(None, Some(Span::from_days(91))), (Some(Span::from_s(1)), None)] {
        let rule = RenewalRequest { interval, advance_period: advance, ..RenewalRequest::default() };
        let wrong = CertificateRequest { renewal: rule, ..request("web", wish(&["web.example.com"])) };
        assert_eq!(invalid(app.app.ensure_certificate(&call(), wrong).await), "invalid_renewal_rule");
    }
    let mut long = wish(&["web.example.com"]);
    long.validity = lasting(91);
    let refused = violations(app.app.ensure_certificate(&call(), request("web", long)).await);
    assert_eq!(refused[0].code, "lifetime_too_long");
    assert!(matches!(
        app.app.certificate(&call(), &to("web")).await,
        Err(certwright_app::Error::NotFound { kind: "certificate", .. })
    ));
    let page = certwright_app::PageRequest { limit: 10, after: None };
    let issued = app.app.issued_certificates(&call(), &Default::default(), &page).await.unwrap();
    assert!(issued.items.iter().all(|row| row.kind == certwright_domain::issued::IssuedKind::Ca), "nothing was signed");
}

#[tokio::test]
async fn a_trial_changes_nothing_and_lists_the_rules() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let would = app.app.ensure_certificate(&trial(), request("web", wish(&["web.example.com"]))).await.unwrap();
    assert_eq!(would.outcome, EnsureOutcome::Created);
    assert!(would.view.version.is_none() && would.view.would_last.is_some());
    assert!(would.view.verdicts.iter().any(|verdict| verdict.rule == "leafMaxValidity"));
    assert!(app.app.certificate(&call(), &to("web")).await.is_err());
}

#[tokio::test]
async fn what_is_to_be_is_changed_now_by_ensure_and_at_the_next_version_by_update() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let first = web(&app).await;
    let update = UpdateCertificate {
        names: Some(vec![certwright_domain::san::San::parse("next.example.com").unwrap()]),
        ..UpdateCertificate::default()
    };
    let missing = app.app.update_certificate(&call(), &to("web"), update.clone(), None).await;
    assert!(matches!(missing, Err(certwright_app::Error::PreconditionRequired { .. })));
    let revision = Some(first.certificate.revision);
    let patched = app.app.update_certificate(&call(), &to("web"), update, revision).await.unwrap();
    assert_eq!(number(&patched), 1);
    assert_eq!(patched.version.unwrap().version.names[0].to_string(), "web.example.com");
    let stale = app.app.update_certificate(&call(), &to("web"), UpdateCertificate::default(), revision).await;
    assert!(matches!(stale, Err(certwright_app::Error::PreconditionFailed { .. })));
    let due = first.version.unwrap().renew_at;
    app.clock.set(due);
    app.app.run_jobs().await.unwrap();
    let renewed = view(&app, "web").await;
    assert_eq!(number(&renewed), 2);
    assert_eq!(renewed.version.unwrap().version.names[0].to_string(), "next.example.com");
}

#[tokio::test]
async fn a_name_is_taken_once_and_a_kind_is_fixed() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    web(&app).await;
    let again = app.app.create_certificate(&call(), request("web", wish(&["web.example.com"]))).await;
    assert_eq!(conflict(again.map(drop)), "name_taken");
    let folder = tempfile::TempDir::new().unwrap();
    let mut csr = wish(&["web.example.com"]);
    csr.key_algorithm = None;
    csr.csr = Some(openssl(
        folder.path(),
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -subj /CN=web.example.com",
    ));
    let other = app.app.ensure_certificate(&call(), request("web", csr)).await;
    assert_eq!(conflict(other.map(drop)), "certificate_kind_fixed");
}
