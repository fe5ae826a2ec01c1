//! Ten years of a thousand certificates with mixed rules: no gap, nothing early, nothing twice.

use crate::kit::*;
use crate::support::*;
use certwright_app::{CertificateRequest, NewCaKind, NewRules, PageRequest, RenewalRequest};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::{CaRenewal, CaRenewalKey};
use certwright_domain::managed::VersionReason;
use certwright_domain::time::{Span, Timestamp};

/// How many certificates there are of a kind, how long they last, and their rule, in days.
const MIX: [(usize, i64, Option<i64>, Option<i64>); 7] = [
    (2, 10, None, Some(4)),
    (10, 30, Some(20), None),
    (50, 90, None, None),
    (50, 90, Some(75), Some(7)),
    (150, 180, None, Some(30)),
    (400, 365, Some(300), Some(30)),
    (338, 700, None, None),
];
const YEARS: i64 = 10;
/// Between two rounds of the jobs: more than the server's half minute by far, so that margins are tried and time is spared.
const ROUND: Span = Span::from_hours(24);

/// When the jobs do not run.
#[derive(Clone, Copy)]
enum Outage {
    Never,
    /// A fifth of the time: whole days, drawn by the round's number.
    AFifth,
}

impl Outage {
    fn dead(self, round: i64) -> bool {
        // Knuth's multiplicative hash spreads the days; up to two in a row are among them.
        let drawn = (round as u32).wrapping_mul(2_654_435_761) >> 16;
        matches!(self, Self::AFifth) && drawn.is_multiple_of(5)
    }
}

async fn authorities(app: &TestApp) {
    app.app.create_vault(&call(), name("v")).await.unwrap();
    key(app, "root-key", KeyAlgorithm::Ed25519).await;
    let longest = Some(Span::from_days(800));
    let kind = NewCaKind::Root(own("root-key", "Root"), lasting(9_000));
    app.app.create_ca(&call(), ca("root", kind, NewRules::default())).await.unwrap();
    key(app, "sub-key", KeyAlgorithm::Ed25519).await;
    let kind = NewCaKind::Subordinate(own("sub-key", "Issuing"), lasting(1_825), to("root"));
    let renewal = CaRenewal {
        key: CaRenewalKey::Rotate,
        advance_period: Span::from_days(30),
        make_current_after: Some(Span::from_days(7)),
    };
    let rules =
        NewRules { path_length: Some(0), leaf_max_validity: longest, renewal: Some(renewal), ..NewRules::default() };
    app.app.create_ca(&call(), ca("issuing", kind, rules)).await.unwrap();
}

fn wished(index: usize, lifetime: i64, interval: Option<i64>, advance: Option<i64>) -> CertificateRequest {
    let mut wish = wish(&["web.example.com"]);
    wish.validity = lasting(lifetime);
    CertificateRequest {
        renewal: RenewalRequest {
            interval: interval.map(Span::from_days),
            advance_period: advance.map(Span::from_days),
            ..RenewalRequest::default()
        },
        ..request(&format!("web-{index}"), wish)
    }
}

async fn live_for_ten_years(nodes: &[&TestApp], outage: Outage) {
    let app = nodes[0];
    authorities(app).await;
    let mut index = 0;
    for (count, lifetime, interval, advance) in MIX {
        for _ in 0..count {
            ensure(app, wished(index, lifetime, interval, advance)).await;
            index += 1;
        }
    }
    let end = app.clock_now().plus(Span::from_days(365 * YEARS));
    let mut round = 0;
    while app.clock_now() < end {
        app.clock.advance(ROUND);
        round += 1;
        if outage.dead(round) {
            continue;
        }
        let runs = nodes.iter().map(|node| {
            let node = node.app.clone();
            tokio::spawn(async move { node.run_jobs().await.unwrap() })
        });
        for run in runs.collect::<Vec<_>>() {
            assert_eq!(run.await.unwrap().renewals_failed, 0);
        }
    }
    let mut renewals = 0;
    for index in 0..index {
        renewals += check(app, index, end).await;
    }
    assert!(renewals > 10_000, "{renewals}");
    let issuing = app.app.ca(&call(), &to("issuing")).await.unwrap().ca;
    assert!(issuing.versions.latest >= 3, "the CA was renewed on the way");
}

/// Checks every version of a certificate against the one before; how often it was renewed.
async fn check(app: &TestApp, index: usize, end: Timestamp) -> u32 {
    let reference = to(&format!("web-{index}"));
    let mut page = PageRequest { limit: 500, after: None };
    let mut versions = Vec::new();
    loop {
        let found = app.app.certificate_versions(&call(), &reference, &page).await.unwrap();
        versions.extend(found.items);
        page.after = found.next;
        if page.after.is_none() {
            break;
        }
    }
    versions.reverse();
    for (place, pair) in versions.windows(2).enumerate() {
        let [before, after] = pair else { unreachable!() };
        assert_eq!(after.version.number as usize, place + 2, "{reference}: no number twice, none left out");
        assert_eq!(after.version.reason, VersionReason::RenewalDue);
        assert!(after.version.created_at >= before.renew_at, "{reference}: renewed before its time");
        assert!(
            after.version.created_at <= before.version.validity.not_after(),
            "{reference} version {}: expired at {}, renewed at {}",
            before.version.number,
            before.version.validity.not_after(),
            after.version.created_at
        );
        assert_eq!(after.version.validity.length(), before.version.validity.length(), "{reference}: cut short");
    }
    let last = versions.last().unwrap();
    assert!(last.version.validity.not_after() >= end, "{reference}: expired at the end");
    last.version.number - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_years_without_a_gap() {
    let app = TestApp::sqlite().await;
    live_for_ten_years(&[&app], Outage::Never).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_years_with_the_job_dead_a_fifth_of_the_time_and_two_nodes_racing() {
    let one = TestApp::sqlite().await;
    let two = one.another_node("two", 2).await;
    live_for_ten_years(&[&one, &two], Outage::AFifth).await;
}
