//! When lists are made, by whom, and what becomes of them when something fails.

use crate::support::*;
use certwright_app::Error;
use certwright_domain::crl::{CrlKind, RevokedSerial};
use certwright_domain::event::EventKind;
use certwright_domain::revocation::{Revocation, RevocationReason as R};
use certwright_domain::serial::Serial;
use certwright_domain::time::Span;
use certwright_store::{EventFilter, PageRequest};
use certwright_testkit::faults::When;

async fn told(app: &TestApp, kind: EventKind) -> usize {
    let page = PageRequest { limit: 500, after: None };
    let events = app.app.events(&call(), &EventFilter::default(), &page).await.unwrap().items;
    events.iter().filter(|event| event.kind == kind).count()
}

#[tokio::test]
async fn lists_follow_revocations_at_the_interval() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        app.clock.advance(Span::from_s(10));
        for number in 0..3 {
            let row = leaf(&app, "root", &format!("h{number}.example.com")).await;
            revoke(&app, &row, R::Superseded).await;
            app.app.run_crls().await.unwrap();
        }
        assert_eq!(listed(&app, "root").await.len(), 1, "the first at once, the others wait");
        app.clock.advance(Span::from_s(5));
        app.app.run_crls().await.unwrap();
        assert_eq!(listed(&app, "root").await.len(), 3);
        assert_eq!(number(&app, "root", CrlKind::Full).await, 3);
    }
}

/// Row F12: for years, nobody ever sees a list that has lapsed, or one past half of its life.
#[tokio::test]
async fn a_list_never_lapses() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    for _ in 0..400 * 4 {
        app.clock.advance(Span::from_hours(6));
        app.app.run_crls().await.unwrap();
        let crl = served(&app, "root", CrlKind::Full, WHOLE).await.unwrap().crl;
        let half = crl.this_update.plus(Span::from_ms(crl.next_update.ms_since(crl.this_update) / 2));
        assert!(app.clock_now() <= half);
    }
    assert_eq!(told(&app, EventKind::CrlOverdue).await, 0);
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_told_and_the_last_list_is_served() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        let row = leaf(&app, "root", "a.example.com").await;
        revoke(&app, &row, R::Superseded).await;
        app.app.disable_key(&call(), &to("v"), &to("root-key")).await.unwrap();
        for _ in 0..10 {
            app.clock.advance(Span::from_hours(12));
            assert_eq!(app.app.run_crls().await.unwrap().failed, 1);
            app.app.run_jobs().await.unwrap();
        }
        assert_eq!(told(&app, EventKind::CrlOverdue).await, 1, "once, when half of its life had passed");
        let health = app.app.crl_health().await.unwrap();
        assert_eq!((health[0].failing, health[0].lapsed), (1, 0));
        assert_eq!(listed(&app, "root").await, [], "the last good one");
        app.app.enable_key(&call(), &to("v"), &to("root-key")).await.unwrap();
        app.clock.advance(Span::from_hours(1));
        assert_eq!(app.app.run_crls().await.unwrap().published, 1);
        assert_eq!(listed(&app, "root").await.len(), 1);
        assert_eq!(app.app.crl_health().await.unwrap()[0].failing, 0);
    }
}

/// Whatever commit of a build fails, before or after it took effect, the last good list is served and the next build makes
/// a whole one.
#[tokio::test]
async fn a_build_that_breaks_off_anywhere_leaves_the_last_list() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        for (round, (commit, when)) in [
            ("crl.lease", When::Before),
            ("crl.lease", When::After),
            ("crl.store", When::Before),
            ("crl.store", When::After),
            ("crl.release", When::Before),
        ]
        .into_iter()
        .enumerate()
        {
            let row = leaf(&app, "root", &format!("h{round}.example.com")).await;
            revoke(&app, &row, R::Superseded).await;
            app.clock.advance(Span::from_minutes(2));
            app.faults.arm(commit, when);
            let _ = app.app.run_crls().await;
            let seen = listed(&app, "root").await.len();
            assert!(seen == round || seen == round + 1, "{commit}: {seen}");
            app.clock.advance(Span::from_minutes(2));
            app.app.run_crls().await.unwrap();
            assert_eq!(listed(&app, "root").await.len(), round + 1, "{commit}");
        }
        app.clock.advance(Span::from_hours(1));
        app.app.run_jobs().await.unwrap();
        let read = app.store.read().await.unwrap();
        let mut read = read;
        assert_eq!(read.obsolete_crls(app.clock_now(), 10).await.unwrap(), [], "what was left over is tidied away");
    }
}

/// A list of megabytes is stored in parts. What breaks off among them is never seen, and is tidied away.
#[tokio::test]
async fn a_large_list_is_seen_whole_or_not_at_all() {
    const MANY: u32 = 30_000;
    for app in TestApp::on_every_database().await {
        let ca = with_root(&app).await.ca;
        let entry = |number: u32| {
            let digest = certwright_app::sha256(&[&number.to_be_bytes()]).0;
            RevokedSerial {
                serial: Serial::from_random(digest[..20].try_into().unwrap()),
                expires_at: None,
                revocation: Revocation { at: app.clock_now(), reason: R::Superseded },
                released: false,
            }
        };
        let mut tx = app.store.begin("t").await.unwrap();
        tx.note_revocations(&ca.id, &(0..MANY).map(entry).collect::<Vec<_>>(), app.clock_now()).await.unwrap();
        tx.commit().await.unwrap();
        for (commit, when) in [("crl.store", When::After), ("crl.publish", When::Before)] {
            app.clock.advance(Span::from_minutes(2));
            app.faults.arm(commit, when);
            assert!(app.app.run_crls().await.is_err(), "{commit}");
            assert!(app.faults.is_spent(), "{commit}: the list was stored in parts");
            assert_eq!(listed(&app, "root").await, [], "{commit}: the last good one");
        }
        app.clock.advance(Span::from_minutes(2));
        app.app.run_crls().await.unwrap();
        let seen = listed(&app, "root").await;
        assert_eq!(seen.len(), 30_000);
        assert_eq!(number(&app, "root", CrlKind::Full).await, 2, "what broke off took no number");
        app.clock.advance(Span::from_hours(1));
        app.app.run_jobs().await.unwrap();
        let mut read = app.store.read().await.unwrap();
        assert_eq!(read.obsolete_crls(app.clock_now(), 10).await.unwrap(), [], "what was left over is tidied away");
    }
}

/// Row F8: four nodes, many revocations: numbers rise, none is missing, every revocation is on the last list.
#[tokio::test]
async fn numbers_rise_without_gaps_whoever_builds() {
    for one in TestApp::on_every_database().await {
        with_root(&one).await;
        offer(&one, "root", |settings| settings.crl_interval = Span::from_ms(0)).await;
        publish(&one).await;
        let mut nodes = vec![one];
        for number in 2..=4 {
            let node = nodes[0].another_node(&format!("node-{number}"), number).await;
            nodes.push(node);
        }
        let mut rows = Vec::new();
        for number in 0..40 {
            rows.push(leaf(&nodes[0], "root", &format!("h{number}.example.com")).await);
        }
        let mut numbers = vec![number(&nodes[0], "root", CrlKind::Full).await];
        for batch in rows.chunks(8) {
            let work = nodes.iter().zip(batch.chunks(2)).map(|(node, rows)| async move {
                for row in rows {
                    revoke(node, row, R::Superseded).await;
                    node.app.run_crls().await.unwrap();
                }
            });
            futures_util::future::join_all(work).await;
            numbers.push(number(&nodes[0], "root", CrlKind::Full).await);
        }
        nodes[3].app.run_crls().await.unwrap();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        assert_eq!(listed(&nodes[1], "root").await.len(), 40);
        let last = number(&nodes[2], "root", CrlKind::Full).await;
        let page = PageRequest { limit: 500, after: None };
        let filter = certwright_store::AuditFilter { action: Some("crl.publish".to_owned()), ..Default::default() };
        let audit = nodes[0].app.audit_events(&call(), &filter, &page).await.unwrap().items;
        let mut published: Vec<i64> = audit.iter().map(|event| detail(&event.details, "number")).collect();
        published.sort_unstable();
        assert_eq!(published, (1..=last).collect::<Vec<_>>(), "each number once, none missing");
    }
}

fn detail(details: &str, name: &str) -> i64 {
    let value: serde_json::Value = serde_json::from_str(details).unwrap();
    value[name].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_clock_that_went_back_makes_no_list() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    let row = leaf(&app, "root", "a.example.com").await;
    let first = served(&app, "root", CrlKind::Full, WHOLE).await.unwrap().crl;
    app.clock.set(app.clock_now().minus(Span::from_days(90)));
    revoke(&app, &row, R::Superseded).await;
    app.app.run_crls().await.unwrap();
    assert_eq!(served(&app, "root", CrlKind::Full, WHOLE).await.unwrap().crl, first);
    app.clock.set(first.this_update.plus(Span::from_hours(1)));
    app.app.run_crls().await.unwrap();
    assert_eq!(listed(&app, "root").await.len(), 1);
}

#[tokio::test]
async fn the_coming_end_of_a_ca_is_told_once() {
    for app in TestApp::on_every_database().await {
        with_root(&app).await;
        app.clock.advance(Span::from_days(3650 - 91));
        app.app.run_jobs().await.unwrap();
        assert_eq!(told(&app, EventKind::CaExpiring).await, 0);
        app.clock.advance(Span::from_days(2));
        app.app.run_jobs().await.unwrap();
        app.app.run_jobs().await.unwrap();
        assert_eq!(told(&app, EventKind::CaExpiring).await, 1);
    }
}

#[tokio::test]
async fn the_database_away_is_no_failure_of_the_list() {
    let app = TestApp::sqlite().await;
    with_root(&app).await;
    let row = leaf(&app, "root", "a.example.com").await;
    revoke(&app, &row, R::Superseded).await;
    app.clock.advance(Span::from_minutes(1));
    app.faults.arm("crl.store", When::Before);
    let failed = app.app.run_crls().await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    assert_eq!(app.app.crl_health().await.unwrap()[0].failing, 0);
}
