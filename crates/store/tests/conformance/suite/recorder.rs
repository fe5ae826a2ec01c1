use super::{conflict, fresh, fresh_with, stale};
use crate::fixtures::*;
use certwright_domain::audit::chain::GENESIS;
use certwright_domain::ca::Ca;
use certwright_domain::san::San;
use certwright_store::{AuditFilter, Error, IssuedFilter, NoFaults, Recording, Store};
use certwright_testkit::faults::{Faults, When};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records all of them at once; the outcomes in the order given.
async fn record_all(store: &Store, recordings: Vec<Recording>) -> Vec<Result<(), Error>> {
    let tasks: Vec<_> = recordings
        .into_iter()
        .map(|recording| {
            let recorder = store.recorder();
            tokio::spawn(async move {
                let row = recording.issued.clone();
                recorder.record(recording).await.map(|stored| assert_eq!(stored, row))
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// Numbers of the certificates that are stored; each has its audit event.
async fn stored(store: &Store, ca: &Ca, numbers: std::ops::Range<u32>) -> BTreeSet<u32> {
    let mut reader = store.read().await.unwrap();
    let mut found = BTreeSet::new();
    for number in numbers {
        let certificate = reader.issued(&issued(number, ca).id).await.unwrap();
        let filter = AuditFilter { request_id: Some(format!("request-{number}")), ..AuditFilter::default() };
        let events = reader.audit_events(&filter, &first(10)).await.unwrap().items.len();
        assert_eq!(events, usize::from(certificate.is_some()), "certificate {number} and its event go together");
        if certificate.is_some() {
            found.insert(number);
        }
    }
    found
}

#[tokio::test]
async fn two_hundred_callers_share_commits_and_lose_nothing() {
    let faults = Arc::new(Faults::default());
    let store = fresh_with(faults.clone()).await;
    let (ca, epoch) = with_ca(&store).await;
    let outcomes = record_all(&store, (0..200).map(|number| recording(number, &ca, epoch)).collect()).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(stored(&store, &ca, 0..200).await.len(), 200);
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.issued(&issued(7, &ca).id).await.unwrap(), Some(issued(7, &ca)));
    let san = IssuedFilter { san: Some("host-7.example.com".into()), ..IssuedFilter::default() };
    assert_eq!(reader.search_issued(&san, &first(10)).await.unwrap().items, [issued(7, &ca)]);
    let commits = faults.committed().iter().filter(|name| **name == "record").count();
    assert!((1..200).contains(&commits), "{commits} commits for 200 recordings");
}

#[tokio::test]
async fn another_epoch_is_stale_and_stores_nothing() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    let newer = tx.bump_epoch().await.unwrap();
    tx.commit().await.unwrap();
    let mixed = (0..40).map(|n| recording(n, &ca, if n % 2 == 0 { epoch } else { newer })).collect();
    let outcomes = record_all(&store, mixed).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        let expected = if number % 2 == 0 { Err(stale("epoch")) } else { Ok(()) };
        assert_eq!(*outcome, expected);
    }
    assert_eq!(stored(&store, &ca, 0..40).await, (0..40).filter(|n| n % 2 == 1).collect());
    assert_eq!(store.recorder().record(recording(50, &ca, newer + 1)).await, Err(stale("epoch")));

    // The same in a batch that could be one turn, by what its first recording says.
    warm_up(&store, &ca, newer).await;
    let mixed = (60..100).map(|n| recording(n, &ca, if n % 2 == 0 { newer } else { epoch })).collect();
    for (number, outcome) in (60..).zip(record_all(&store, mixed).await) {
        assert_eq!(outcome, if number % 2 == 0 { Ok(()) } else { Err(stale("epoch")) }, "{number}");
    }
    assert_eq!(stored(&store, &ca, 60..100).await, (60..100).filter(|n| n % 2 == 0).collect());
}

#[tokio::test]
async fn a_conflict_fails_its_own_recording_alone() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    store.recorder().record(recording(1000, &ca, epoch)).await.unwrap();
    let mut all: Vec<Recording> = (0..60).map(|number| recording(number, &ca, epoch)).collect();
    all[10].issued.serial = issued(1000, &ca).serial;
    // Twins within the batch: one of them is stored.
    all[31].issued.serial = all[30].issued.serial.clone();
    // What goes wrong in another table is told as well, and takes the certificate with it.
    all[40].audit.id = recording(1000, &ca, epoch).audit.id;
    all[50].epoch = epoch - 1;
    let outcomes = record_all(&store, all).await;
    assert_eq!(outcomes[10], Err(conflict("issued_certificates.serial")));
    assert_eq!([&outcomes[30], &outcomes[31]].iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes[40], Err(conflict("audit_events.id")));
    assert_eq!(outcomes[50], Err(stale("epoch")));
    let good: BTreeSet<u32> = (0..60).filter(|n| ![10, 30, 31, 40, 50].contains(n)).collect();
    assert!(good.iter().all(|n| outcomes[*n as usize].is_ok()), "{outcomes:?}");
    let mut found = stored(&store, &ca, 0..60).await;
    assert!(found.remove(&30) ^ found.remove(&31));
    assert_eq!(found, good);
}

#[tokio::test]
async fn a_single_conflict_is_told() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    store.recorder().record(recording(1, &ca, epoch)).await.unwrap();
    assert!(matches!(store.recorder().record(recording(1, &ca, epoch)).await, Err(Error::Conflict { .. })));
    store.recorder().record(recording(2, &ca, epoch)).await.unwrap();
}

#[tokio::test]
async fn faults_of_the_shared_commit_reach_its_callers() {
    let faults = Arc::new(Faults::default());
    let store = fresh_with(faults.clone()).await;
    let (ca, epoch) = with_ca(&store).await;
    faults.arm("record", When::Before);
    assert!(matches!(store.recorder().record(recording(1, &ca, epoch)).await, Err(Error::Unavailable(_))));
    faults.arm("record", When::After);
    assert!(matches!(store.recorder().record(recording(2, &ca, epoch)).await, Err(Error::Unavailable(_))));
    assert_eq!(stored(&store, &ca, 0..3).await, [2].into());
    store.recorder().record(recording(3, &ca, epoch)).await.unwrap();
}

/// What makes a CA unfit to issue raises the epoch in the same transaction. Once that is committed, nothing that was
/// decided before may be recorded, whatever the timing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_recording_slips_past_a_change_of_epoch() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    let recording_all = {
        let (store, ca) = (store.store.clone(), ca.clone());
        tokio::spawn(async move { record_all(&store, (0..300).map(|n| recording(n, &ca, epoch)).collect()).await })
    };
    let mut tx = store.begin("disable").await.unwrap();
    tx.bump_epoch().await.unwrap();
    tx.commit().await.unwrap();
    // One snapshot taken after the change: nothing may be added to it.
    let found_then = {
        let mut reader = store.read().await.unwrap();
        reader.search_issued(&IssuedFilter::default(), &first(500)).await.unwrap().items.len()
    };
    let outcomes = recording_all.await.unwrap();
    let recorded = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(Error::Stale { what: "epoch" }))));
    assert_eq!(recorded, found_then);
}

/// The same for a recording that waits already when the change is committed: it sees the epoch as it is then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_waits_for_a_change_of_epoch_is_stale() {
    let store = fresh().await;
    let (ca, mut epoch) = with_ca(&store).await;
    for round in 0..4 {
        for number in 0..4 {
            store.recorder().record(recording(100 * (round + 1) + number, &ca, epoch)).await.unwrap();
        }
        let mut tx = store.begin("disable").await.unwrap();
        let newer = tx.bump_epoch().await.unwrap();
        let waiting = {
            let (recorder, recording) = (store.recorder(), recording(round, &ca, epoch));
            tokio::spawn(async move { recorder.record(recording).await.map(drop) })
        };
        while !waiting.is_finished() && !store.one_waits().await {}
        tx.commit().await.unwrap();
        assert_eq!(waiting.await.unwrap(), Err(stale("epoch")));
        epoch = newer;
    }
}

/// Whoever else commits moves the ends of chains: what is known of them is looked at again, and no chain branches.
#[tokio::test]
async fn two_nodes_that_record_in_turns_lose_nothing_and_keep_the_chains() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    let other = Store::open(&store.location, Arc::new(NoFaults)).await.unwrap();
    for number in (0..60).step_by(3) {
        store.recorder().record(recording(number, &ca, epoch)).await.unwrap();
        other.recorder().record(recording(number + 1, &ca, epoch)).await.unwrap();
        let mut tx = other.begin("audited").await.unwrap();
        tx.insert_audit(&audit(number + 1_000)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let recorded: BTreeSet<u32> = (0..60).filter(|number| number % 3 != 2).collect();
    let numbers = stored(&store, &ca, 0..60).await;
    assert_eq!(numbers, recorded);
    let events = store.read().await.unwrap().audit_events(&AuditFilter::default(), &first(500)).await.unwrap().items;
    assert_eq!(events.len(), 60);
    let mut chains: BTreeMap<String, BTreeMap<i64, _>> = BTreeMap::new();
    for event in events {
        let twin = chains.entry(event.chain.clone()).or_default().insert(event.sequence, event);
        assert!(twin.is_none(), "{twin:?}");
    }
    for chain in chains.values() {
        let mut last = (0, GENESIS);
        for (sequence, event) in chain {
            assert_eq!((*sequence, event.previous_hash), (last.0 + 1, Some(last.1)));
            last = (*sequence, event.hash.unwrap());
        }
    }
    other.close().await;
}

/// More rows than one statement takes: it goes the longer way.
#[tokio::test]
async fn a_batch_with_very_many_names_is_stored_whole() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    warm_up(&store, &ca, epoch).await;
    let with_names = |number: u32| {
        let mut recording = recording(number, &ca, epoch);
        recording.issued.names =
            (0..300).map(|name| San::parse(&format!("host-{name}.of-{number}.example.com")).unwrap()).collect();
        recording
    };
    for number in 0..3 {
        store.recorder().record(with_names(number)).await.unwrap();
    }
    let outcomes = record_all(&store, (3..9).map(with_names).collect()).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let mut reader = store.read().await.unwrap();
    for number in 0..9 {
        let last = Some(format!("host-299.of-{number}.example.com"));
        let san = IssuedFilter { san: last, ..IssuedFilter::default() };
        assert_eq!(reader.search_issued(&san, &first(10)).await.unwrap().items.len(), 1, "{number}");
    }
}

#[tokio::test]
async fn closing_finishes_what_has_queued_up() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    let recording_all = {
        let (store, ca) = (store.store.clone(), ca.clone());
        tokio::spawn(async move { record_all(&store, (0..100).map(|n| recording(n, &ca, epoch)).collect()).await })
    };
    tokio::task::yield_now().await;
    store.close().await;
    let outcomes = recording_all.await.unwrap();
    let again = Store::open(&store.location, Arc::new(NoFaults)).await.unwrap();
    let acknowledged: BTreeSet<u32> = (0_u32..).zip(&outcomes).filter(|(_, o)| o.is_ok()).map(|(n, _)| n).collect();
    assert_eq!(stored(&again, &ca, 0..100).await, acknowledged);
}
