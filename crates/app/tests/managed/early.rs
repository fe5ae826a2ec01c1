//! Calls to renew early (I6).

use crate::common::start;
use crate::kit::*;
use crate::support::*;
use certwright_app::{
    CertificateRequest, Error, IssuedFilter, NewEarlyRenewal, PageRequest, RenewalRequest, UpdateCertificate,
};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::managed::RenewalOutlook;
use certwright_domain::renewal::RawEarlyRenewal;
use certwright_domain::time::{Span, Timestamp};
use certwright_testkit::faults::When;

fn asking(terms: RawEarlyRenewal) -> NewEarlyRenewal {
    NewEarlyRenewal { terms, ..NewEarlyRenewal::default() }
}

fn within(spread: Span) -> NewEarlyRenewal {
    asking(RawEarlyRenewal { spread: Some(spread), reason: "the key leaked".to_owned(), ..RawEarlyRenewal::default() })
}

/// The inventory's row of one-shot certificates with these names, made now.
async fn issue(app: &TestApp, names: &[&str]) -> IssuedCertificate {
    app.app.issue(&call(), &to("issuing"), leaf(names, lasting(30))).await.unwrap().row
}

async fn due(app: &TestApp, row: &IssuedCertificate) -> Timestamp {
    app.app.issued_certificate(&call(), &row.fingerprint.to_string()).await.unwrap().renew_at
}

#[tokio::test]
async fn i6_one_call_moves_the_renewal_of_everything_that_a_ca_has_signed() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        let usual = web(&app).await.version.unwrap().renew_at;
        let mut rows = Vec::new();
        for number in 0..20 {
            rows.push(issue(&app, &[format!("n{number}.example.com").as_str()]).await);
        }
        app.clock.advance(Span::from_minutes(1));
        let (spread, from) = (Span::from_hours(12), app.clock_now());
        let made = app.app.create_early_renewal(&call(), &to("issuing"), within(spread)).await.unwrap();
        assert_eq!(made.moved, 21);
        let mut times = Vec::new();
        for row in &rows {
            let at = due(&app, row).await;
            assert!(at >= from && at <= from.plus(spread) && at < row.renew_at, "{at}");
            times.push(at);
        }
        times.sort();
        times.dedup();
        assert!(times.len() > 15, "spread, not a spike: {times:?}");
        // The managed one: by the same function, and the job acts on it.
        let moved = view(&app, "web").await;
        let at = moved.version.as_ref().unwrap().renew_at;
        assert!(at < usual && at <= from.plus(spread));
        assert_eq!((moved.outlook, moved.certificate.next_attempt_at), (RenewalOutlook::At(at), Some(at)));
        let fingerprint = moved.version.unwrap().version.fingerprint.to_string();
        assert_eq!(app.app.issued_certificate(&call(), &fingerprint).await.unwrap().renew_at, at);
        // What is issued afterwards is not touched, by the job neither, and a second round moves nothing.
        let later = issue(&app, &["later.example.com"]).await;
        for minutes in [1, 5] {
            app.clock.advance(Span::from_minutes(minutes));
            app.app.run_jobs().await.unwrap();
        }
        assert_eq!(due(&app, &later).await, later.renew_at);
        let settled = app.app.early_renewal(&call(), &to("issuing"), made.id.as_str()).await.unwrap();
        assert_eq!((settled.moved, settled.settled_at.is_some()), (21, true));
        app.clock.set(at.minus(Span::from_s(1)).max(app.clock_now()));
        app.clock.set(at.max(app.clock_now()));
        assert_eq!(app.app.run_jobs().await.unwrap().renewed, 1);
        let renewed = view(&app, "web").await;
        assert_eq!(number(&renewed), 2);
        assert!(renewed.version.unwrap().renew_at > from.plus(Span::from_days(7)), "the new one has its usual time");
        let audited = app.audited().await;
        assert!(audited.iter().any(|action| action == "early-renewal.create"), "{audited:?}");
    }
}

#[tokio::test]
async fn i6_a_call_can_be_taken_back_and_another_one_stays() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        web(&app).await;
        let usual = view(&app, "web").await.version.unwrap().renew_at;
        let row = issue(&app, &["a.example.com"]).await;
        app.clock.advance(Span::from_minutes(1));
        let ca = to("issuing");
        let late = app.app.create_early_renewal(&call(), &ca, within(Span::from_days(5))).await.unwrap();
        let by_late = due(&app, &row).await;
        // The same once more moves nothing; a stronger one does.
        let again = app.app.create_early_renewal(&call(), &ca, within(Span::from_days(5))).await.unwrap();
        assert_eq!((again.moved, due(&app, &row).await), (0, by_late));
        let soon = app.app.create_early_renewal(&call(), &ca, within(Span::from_s(60))).await.unwrap();
        assert_eq!(soon.moved, 2);
        let by_soon = due(&app, &row).await;
        assert!(by_soon < by_late);
        app.app.delete_early_renewal(&call(), &ca, soon.id.as_str()).await.unwrap();
        assert_eq!(due(&app, &row).await, by_late, "the other call wants it still");
        assert!(matches!(app.app.early_renewal(&call(), &ca, soon.id.as_str()).await, Err(Error::NotFound { .. })));
        app.app.delete_early_renewal(&call(), &ca, late.id.as_str()).await.unwrap();
        app.app.delete_early_renewal(&call(), &ca, again.id.as_str()).await.unwrap();
        assert_eq!(due(&app, &row).await, row.renew_at);
        let page = PageRequest { limit: 10, after: None };
        assert!(app.app.early_renewals(&call(), &ca, &page).await.unwrap().items.is_empty());
        assert_eq!(view(&app, "web").await.version.unwrap().renew_at, usual);
        // The job comes by at the time that the call had set, and goes on waiting.
        app.clock.set(by_soon.plus(Span::from_hours(1)));
        assert_eq!(app.app.run_jobs().await.unwrap().renewed, 0);
        assert_eq!(view(&app, "web").await.certificate.next_attempt_at, Some(usual));
        assert_eq!(app.audited().await.iter().filter(|action| *action == "early-renewal.delete").count(), 3);
    }
}

#[tokio::test]
async fn i6_only_what_a_call_is_for_is_moved_and_never_to_a_later_time() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        let old = issue(&app, &["old.example.com"]).await;
        app.clock.advance(Span::from_hours(1));
        let between = app.clock_now();
        let new = issue(&app, &["new.example.com"]).await;
        app.clock.advance(Span::from_hours(1));
        let ca = to("issuing");
        let before = RawEarlyRenewal {
            issued_before: Some(between),
            spread: Some(Span::from_ms(0)),
            ..RawEarlyRenewal::default()
        };
        let by_profile = NewEarlyRenewal { profile: Some(to("tls-client")), ..within(Span::from_ms(0)) };
        assert_eq!(app.app.create_early_renewal(&call(), &ca, by_profile).await.unwrap().moved, 0);
        // Later than their time: nothing is moved.
        let from = Some(new.renew_at.plus(Span::from_days(1)));
        let late = asking(RawEarlyRenewal { from, spread: Some(Span::from_days(1)), ..RawEarlyRenewal::default() });
        assert_eq!(app.app.create_early_renewal(&call(), &ca, late).await.unwrap().moved, 0);
        assert_eq!(
            app.app.create_early_renewal(&call(), &to("root"), within(Span::from_ms(0))).await.unwrap().moved,
            0
        );
        // A trial moves nothing.
        app.app.create_early_renewal(&trial(), &ca, within(Span::from_ms(0))).await.unwrap();
        assert_eq!(due(&app, &old).await, old.renew_at);
        let made = app.app.create_early_renewal(&call(), &ca, asking(before)).await.unwrap();
        assert_eq!((made.moved, due(&app, &old).await, due(&app, &new).await), (1, app.clock_now(), new.renew_at));
        let ahead = RawEarlyRenewal {
            issued_before: Some(app.clock_now().plus(Span::from_s(1))),
            from: Some(app.clock_now().plus(Span::from_days(366))),
            spread: Some(Span::from_days(366)),
            ..RawEarlyRenewal::default()
        };
        match app.app.create_early_renewal(&call(), &ca, asking(ahead)).await {
            Err(Error::Invalid(faults)) => {
                let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
                assert_eq!(pointers, ["/from", "/within", "/issuedBefore"]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn i6_many_are_moved_in_batches_and_a_failure_in_the_middle_loses_nothing() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        ready(&one).await;
        let mut rows = Vec::new();
        for number in 0..230 {
            rows.push(issue(&one, &[format!("n{number}.example.com").as_str()]).await);
        }
        one.clock.advance(Span::from_minutes(1));
        one.faults.arm("early-renewal.move", When::After);
        assert!(one.app.create_early_renewal(&call(), &to("issuing"), within(Span::from_hours(1))).await.is_err());
        // It was made, and is finished by whoever comes by; both nodes at once do it once.
        one.clock.advance(Span::from_minutes(3));
        let (left, right) = tokio::join!(one.app.run_jobs(), two.app.run_jobs());
        left.unwrap();
        right.unwrap();
        one.app.run_jobs().await.unwrap();
        let page = PageRequest { limit: 10, after: None };
        let calls = two.app.early_renewals(&call(), &to("issuing"), &page).await.unwrap().items;
        assert_eq!((calls[0].moved, calls[0].settled_at.is_some()), (230, true));
        for row in &rows {
            assert!(due(&two, row).await < row.renew_at);
        }
        two.app.delete_early_renewal(&call(), &to("issuing"), calls[0].id.as_str()).await.unwrap();
        for row in &rows {
            assert_eq!(due(&one, row).await, row.renew_at);
        }
    }
}

#[tokio::test]
async fn i6_a_rule_of_a_managed_certificate_that_is_earlier_stays() {
    let app = TestApp::sqlite().await;
    ready(&app).await;
    let rule = RenewalRequest { interval: Some(Span::from_hours(2)), ..RenewalRequest::default() };
    let made = ensure(&app, CertificateRequest { renewal: rule, ..request("web", wish(&["web.example.com"])) }).await;
    let usual = made.view.version.unwrap().renew_at;
    let from = Some(app.clock_now().plus(Span::from_days(2)));
    let terms = RawEarlyRenewal { from, issued_before: None, ..RawEarlyRenewal::default() };
    app.clock.advance(Span::from_s(1));
    app.app.create_early_renewal(&call(), &to("issuing"), asking(terms)).await.unwrap();
    assert_eq!(view(&app, "web").await.version.unwrap().renew_at, usual);
}

/// What the inventory says of the version in use, and what the certificate itself says.
async fn both_say(app: &TestApp) -> Timestamp {
    let version = view(app, "web").await.version.unwrap();
    let row = app.app.issued_certificate(&call(), &version.version.fingerprint.to_string()).await.unwrap();
    assert_eq!(row.renew_at, version.renew_at);
    for (later, found) in [(0, 0), (1, 1)] {
        let renew_before = Some(row.renew_at.plus(Span::from_ms(later)));
        let filter = IssuedFilter { renew_before, serial: Some(row.serial.clone()), ..IssuedFilter::default() };
        let page = PageRequest { limit: 10, after: None };
        let items = app.app.issued_certificates(&call(), &filter, &page).await.unwrap().items;
        assert_eq!(items.len(), found, "{later} ms later");
    }
    row.renew_at
}

fn every(days: i64) -> RenewalRequest {
    RenewalRequest { interval: Some(Span::from_days(days)), ..RenewalRequest::default() }
}

async fn patch(app: &TestApp, renewal: RenewalRequest) {
    let seen = view(app, "web").await.certificate.revision;
    let update = UpdateCertificate { renewal: Some(renewal), ..UpdateCertificate::default() };
    app.app.update_certificate(&call(), &to("web"), update, Some(seen)).await.unwrap();
}

#[tokio::test]
async fn a_changed_renewal_rule_reaches_the_inventory_with_the_change() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        web(&app).await;
        let usual = both_say(&app).await;
        patch(&app, every(10)).await;
        let by_patch = both_say(&app).await;
        assert!(by_patch < usual);
        let put =
            |renewal, pending| CertificateRequest { renewal, pending, ..request("web", wish(&["web.example.com"])) };
        ensure(&app, put(every(20), false)).await;
        assert!(both_say(&app).await > by_patch);
        ensure(&app, put(RenewalRequest::default(), false)).await;
        assert_eq!(both_say(&app).await, usual);
        // With a new version that waits, the rule is that of the version in use, too; and of the one that is taken into use.
        let other = wish(&["web.example.com", "www.example.com"]);
        ensure(&app, CertificateRequest { renewal: every(30), pending: true, ..request("web", other) }).await;
        assert!(both_say(&app).await < usual);
        patch(&app, every(40)).await;
        for version in [2, 1] {
            app.app.make_certificate_version_current(&call(), &to("web"), version).await.unwrap();
            assert_eq!(number(&view(&app, "web").await), version);
            assert!(both_say(&app).await >= start().plus(Span::from_days(39)));
        }
    }
}

#[tokio::test]
async fn i6_a_changed_rule_moves_no_renewal_to_a_later_time_than_a_call_wants() {
    for app in TestApp::on_every_database().await {
        ready(&app).await;
        web(&app).await;
        app.clock.advance(Span::from_minutes(1));
        let from = Some(app.clock_now().plus(Span::from_days(20)));
        let terms = RawEarlyRenewal { from, spread: Some(Span::from_ms(0)), ..RawEarlyRenewal::default() };
        let made = app.app.create_early_renewal(&call(), &to("issuing"), asking(terms)).await.unwrap();
        let moved = both_say(&app).await;
        assert_eq!(Some(moved), from);
        patch(&app, every(10)).await;
        assert!(both_say(&app).await < moved);
        patch(&app, every(30)).await;
        assert_eq!(both_say(&app).await, moved);
        app.app.delete_early_renewal(&call(), &to("issuing"), made.id.as_str()).await.unwrap();
        let back = both_say(&app).await;
        assert!(back > start().plus(Span::from_days(29)) && back < start().plus(Span::from_days(31)), "{back}");
    }
}
