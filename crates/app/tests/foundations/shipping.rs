use crate::common::*;
use certwright_app::{App, ShippingReport, SinkError};
use certwright_domain::name::ResourceName;
use certwright_domain::time::Span;
use std::collections::BTreeMap;
use std::time::Duration;

fn log() -> ResourceName {
    ResourceName::parse("log").unwrap()
}

/// Ships until nothing is left, or it fails.
async fn ship(app: &App) -> ShippingReport {
    loop {
        match app.ship_audit(&log()).await.unwrap() {
            ShippingReport::Shipped { .. } => {}
            other => return other,
        }
    }
}

async fn note(app: &TestApp, count: usize) {
    for number in 0..count {
        app.app.note_refusal(&call(), "certificate.issue", ("ca", &format!("issuing-{number}")), "names.dns");
        if number % 1000 == 999 {
            app.app.write_refusals(false).await.unwrap();
        }
    }
    app.app.settle().await;
}

/// Sequences by chain, in the order in which they came.
fn chains(lines: &[String]) -> BTreeMap<String, Vec<i64>> {
    let mut chains: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in lines {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let chain = line.get("chain").unwrap().as_str().unwrap().to_owned();
        chains.entry(chain).or_default().push(line.get("sequence").unwrap().as_i64().unwrap());
    }
    chains
}

/// The same without repetitions: the first time that each came.
fn first_times(sequences: &[i64]) -> Vec<i64> {
    let mut seen = Vec::new();
    sequences.iter().for_each(|one| {
        if !seen.contains(one) {
            seen.push(*one)
        }
    });
    seen
}

async fn ends(app: &TestApp) -> BTreeMap<String, i64> {
    let heads = app.store.read().await.unwrap().audit_heads().await.unwrap();
    heads.into_iter().filter(|head| head.sequence > 0).map(|head| (head.chain, head.sequence)).collect()
}

async fn is_whole(app: &TestApp) {
    let chains = chains(&app.receiver.lines());
    let ends = ends(app).await;
    assert_eq!(chains.keys().collect::<Vec<_>>(), ends.keys().collect::<Vec<_>>());
    for (chain, sequences) in chains {
        assert_eq!(first_times(&sequences), (1..=*ends.get(&chain).unwrap()).collect::<Vec<_>>(), "{chain}");
    }
}

#[tokio::test]
async fn everything_is_shipped_once_in_order_and_in_bounded_batches() {
    for app in TestApp::on_every_database().await {
        app.app.first_admin_token().await.unwrap();
        note(&app, 1300).await;
        assert_eq!(ship(&app.app).await, ShippingReport::Idle);
        is_whole(&app).await;
        let lines = app.receiver.lines();
        assert_eq!(i64::try_from(lines.len()).unwrap(), ends(&app).await.values().sum::<i64>(), "each of them once");
        assert!(app.receiver.largest() <= 500, "{}", app.receiver.largest());
        assert!(lines.iter().all(|line| !line.contains('\n') && line.contains("\"type\":\"event\"")));
        // Shipping itself is no event: it would never end.
        assert_eq!(ship(&app.app).await, ShippingReport::Idle);
        assert_eq!(app.receiver.lines().len(), lines.len());
        // After a new start it goes on where it was.
        note(&app, 3).await;
        let again = app.restarted(9).await;
        again.clock.advance(Span::from_minutes(5));
        ship(&again.app).await;
        assert_eq!(app.receiver.lines().len(), lines.len() + 3);
        is_whole(&again).await;
    }
}

#[tokio::test]
async fn what_failed_comes_again_and_is_told() {
    for app in TestApp::on_every_database().await {
        note(&app, 40).await;
        app.receiver.will_fail([SinkError::Timeout, SinkError::Broken, SinkError::Unreachable]);
        for (error, times) in [(SinkError::Timeout, 1), (SinkError::Broken, 2), (SinkError::Unreachable, 3)] {
            assert_eq!(app.app.audit_sinks_behind().await.unwrap(), 0);
            assert_eq!(app.app.ship_audit(&log()).await.unwrap(), ShippingReport::Failed(error, times));
        }
        assert_eq!(app.app.audit_sinks_behind().await.unwrap(), 1, "three failures in a row");
        let [lag] = &app.app.audit_shipping_lag().await.unwrap()[..] else { panic!("one sink") };
        assert_eq!((lag.sink.as_str(), lag.events, lag.oldest), ("log", 40, Some(app.clock_now())));
        // The commit that notes how far it came fails: the events come again.
        app.faults.arm("audit.shipped", certwright_testkit::faults::When::Before);
        app.app.ship_audit(&log()).await.unwrap_err();
        ship(&app.app).await;
        is_whole(&app).await;
        assert_eq!(app.app.audit_sinks_behind().await.unwrap(), 0);
        let [lag] = &app.app.audit_shipping_lag().await.unwrap()[..] else { panic!("one sink") };
        assert_eq!((lag.events, lag.oldest), (0, None));
        note(&app, 1).await;
        app.clock.advance(Span::from_minutes(6));
        assert_eq!(app.app.audit_sinks_behind().await.unwrap(), 1, "nobody has shipped for long");
    }
}

#[tokio::test]
async fn one_node_at_a_time_ships() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        note(&one, 5).await;
        ship(&one.app).await;
        assert_eq!(one.receiver.lines().len(), 5);
        note(&one, 5).await;
        assert_eq!(ship(&two.app).await, ShippingReport::Idle, "the other one has the lease");
        assert_eq!(one.receiver.lines().len(), 5);
        // A node that stops gives it back, one that dies leaves one that ends.
        one.app.release_leases().await.unwrap();
        ship(&two.app).await;
        assert_eq!(one.receiver.lines().len(), 10);
        note(&one, 5).await;
        one.clock.advance(Span::from_minutes(5));
        ship(&one.app).await;
        is_whole(&one).await;
        assert_eq!(one.receiver.lines().len(), 15, "none of them came twice");
    }
}

/// A receiver that hangs stops nobody: everything else goes on, and after fifteen seconds it has failed.
#[tokio::test]
async fn a_receiver_that_never_answers_blocks_nothing_and_has_its_time() {
    let app = TestApp::sqlite().await;
    note(&app, 3).await;
    app.receiver.hang_next();
    let node = app.app.clone();
    let shipping = tokio::spawn(async move { node.ship_audit(&log()).await });
    app.receiver.hung().await;
    // Changes, with their audit events, are made meanwhile.
    app.app.create_vault(&call(), name("meanwhile")).await.unwrap();
    note(&app, 2).await;
    assert!(!shipping.is_finished());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(16)).await;
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
    tokio::time::resume();
    assert!(shipping.is_finished(), "its time is up");
    assert_eq!(shipping.await.unwrap().unwrap(), ShippingReport::Failed(SinkError::Timeout, 1));
    // Nothing of it was noted as taken: it comes again, whole and in order.
    assert_eq!(ship(&app.app).await, ShippingReport::Idle);
    is_whole(&app).await;
}
