use super::{conflict, fresh, fresh_with};
use crate::fixtures::*;
use certwright_domain::audit::checkpoint::{Before, StoredCheckpoint};
use certwright_domain::audit::verify::{Crypto, Verifier};
use certwright_domain::serial::Sha256;
use certwright_store::{AuditFilter, Error, NoFaults, Page, Store};
use certwright_testkit::faults::{Faults, When};
use std::collections::BTreeSet;
use std::sync::Arc;

struct Hashing;

impl Crypto for Hashing {
    fn sha256(&self, bytes: &[u8]) -> Sha256 {
        Sha256::from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref()).unwrap()
    }
    fn is_signed(&self, _: u32, _: &[u8], _: &[u8]) -> bool {
        false
    }
}

/// The request ids of a trail whose chains hold, each row once.
async fn verified(store: &Store) -> BTreeSet<String> {
    let mut reader = store.read().await.unwrap();
    let mut verifier = Verifier::new(&Hashing);
    let mut found = BTreeSet::new();
    for head in reader.audit_heads().await.unwrap() {
        let mut after = 0;
        loop {
            let part = reader.audit_chain(&head.chain, after).await.unwrap();
            let Some(last) = part.last() else { break };
            after = last.sequence;
            for event in &part {
                verifier.event(event);
                assert!(found.insert(event.request_id.clone()), "{} stands in the chains twice", event.request_id);
            }
        }
        verifier.end(&head);
    }
    assert_eq!(verifier.faults(true), []);
    assert_eq!(verifier.events(), u64::try_from(found.len()).unwrap());
    found
}

fn requests(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<String> {
    numbers.into_iter().map(|number| format!("request-{number}")).collect()
}

#[tokio::test]
async fn what_is_committed_is_chained_and_nothing_else() {
    let faults = Arc::new(Faults::default());
    let store = fresh_with(faults.clone()).await;
    assert!(verified(&store).await.is_empty());
    let write = async |number: u32| {
        let mut tx = store.begin("t").await.unwrap();
        tx.insert_audit(&audit(number)).await.unwrap();
        tx.insert_audit(&audit(number + 100)).await.unwrap();
        tx
    };
    write(1).await.commit().await.unwrap();
    write(2).await.rollback().await.unwrap();
    drop(write(3).await);
    faults.arm("t", When::Before);
    assert!(write(4).await.commit().await.is_err());
    faults.arm("t", When::After);
    assert!(write(5).await.commit().await.is_err(), "stored all the same");
    write(6).await.commit().await.unwrap();
    // An id that exists undoes the whole transaction.
    let mut tx = write(7).await;
    tx.insert_audit(&audit(1)).await.unwrap();
    assert_eq!(tx.commit().await, Err(conflict("audit_events.id")));
    write(8).await.commit().await.unwrap();
    assert_eq!(verified(&store).await, requests([1, 101, 5, 105, 6, 106, 8, 108]));
}

#[tokio::test]
async fn chains_hold_under_lanes_and_transactions_at_once() {
    let faults = Arc::new(Faults::default());
    let store = fresh_with(faults.clone()).await;
    let (ca, epoch) = with_ca(&store).await;
    let second = Store::open(&store.location, Arc::new(NoFaults)).await.unwrap();
    faults.arm("record", When::Before);
    faults.arm("record", When::After);
    let mut tasks = Vec::new();
    for number in 0..400_u32 {
        let (store, ca) = (if number % 3 == 0 { second.clone() } else { store.store.clone() }, ca.clone());
        tasks.push(tokio::spawn(async move {
            match number % 8 {
                // A transaction beside the lanes; one that is undone; a certificate that exists.
                0 => {
                    let mut tx = store.begin("t").await.unwrap();
                    tx.insert_audit(&audit(number)).await.unwrap();
                    tx.commit().await
                }
                1 => {
                    let mut tx = store.begin("t").await.unwrap();
                    tx.insert_audit(&audit(number)).await.unwrap();
                    tx.rollback().await.unwrap();
                    Err(Error::BadCursor)
                }
                2 => {
                    let mut twin = recording(number, &ca, epoch);
                    twin.issued.serial = issued(3, &ca).serial;
                    store.recorder().record(twin).await.map(drop)
                }
                _ => store.recorder().record(recording(number, &ca, epoch)).await.map(drop),
            }
        }));
    }
    let mut acknowledged = BTreeSet::new();
    for (number, task) in (0..).zip(tasks) {
        if task.await.unwrap().is_ok() {
            acknowledged.insert(format!("request-{number}"));
        }
    }
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    let found = verified(&store).await;
    assert!(found.is_superset(&acknowledged));
    assert!((0..400).filter(|number| number % 8 == 1).all(|number| !found.contains(&format!("request-{number}"))));
    second.close().await;
}

#[tokio::test]
async fn checkpoints_come_back_in_order() {
    let store = fresh().await;
    let checkpoint = |number: i64| StoredCheckpoint {
        number,
        statement: format!("number {number}\n"),
        signature: vec![0, 255, u8::try_from(number).unwrap()],
    };
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.last_audit_checkpoint().await.unwrap(), None);
    for number in [1, 3, 2] {
        tx.insert_audit_checkpoint(&checkpoint(number)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.last_audit_checkpoint().await.unwrap(), Some(checkpoint(3)));
    assert_eq!(reader.audit_checkpoints(0).await.unwrap(), [1, 2, 3].map(checkpoint));
    assert_eq!(reader.audit_checkpoints(2).await.unwrap(), [checkpoint(3)]);
    assert_eq!(reader.audit_before_chains().await.unwrap(), Before::default());
    assert_eq!(reader.audit_events_before_chains("").await.unwrap(), []);
    drop(reader);
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_audit_checkpoint(&checkpoint(2)).await, Err(conflict("audit_checkpoints.number")));
}

fn ids(page: &Page<certwright_domain::audit::StoredAuditEvent>) -> Vec<String> {
    page.items.iter().map(|event| event.target_id.clone()).collect()
}

#[tokio::test]
async fn events_come_back_newest_first() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for number in 1..=5 {
        tx.insert_audit(&audit(number)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = store.read().await.unwrap();
    let one = tx.audit_events(&AuditFilter::default(), &first(2)).await.unwrap();
    assert_eq!(ids(&one), ["target-5", "target-4"]);
    let event = audit(5);
    let read = &one.items[0];
    assert_eq!((&read.id, read.at), (&event.id, event.at));
    assert_eq!((&read.actor, &read.actor_name), (&event.actor, &event.actor_name));
    assert_eq!((read.action.as_str(), read.target_kind.as_str()), (event.action, event.target_kind));
    assert_eq!((&read.target_name, &read.request_id), (&event.target_name, &event.request_id));
    assert_eq!(read.details, event.details);
    assert_eq!((read.door.as_str(), read.address.as_str()), ("token", "2001:db8::7"));
    assert_eq!((read.decided_by.as_str(), read.outcome.as_str()), ("", "SUCCEEDED"));
    let two = tx.audit_events(&AuditFilter::default(), &after(2, one.next)).await.unwrap();
    assert_eq!(ids(&two), ["target-3", "target-2"]);
    let three = tx.audit_events(&AuditFilter::default(), &after(2, two.next)).await.unwrap();
    assert_eq!((ids(&three), three.next), (vec!["target-1".to_owned()], None));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_audit(&audit(1)).await.unwrap();
    assert_eq!(tx.commit().await, Err(conflict("audit_events.id")));
}

#[tokio::test]
async fn every_filter_and_their_combination() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for number in 0..40 {
        let mut event = audit(number);
        event.actor = format!("token:{}", number % 2);
        event.action = if number % 4 < 2 { "certificate.issue" } else { "certificate.revoke" };
        tx.insert_audit(&event).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = store.read().await.unwrap();
    let some = |text: &str| Some(text.to_owned());
    let all = AuditFilter::default();
    for (filter, expected) in [
        (AuditFilter { target_id: some("target-7"), ..all.clone() }, 1),
        (AuditFilter { request_id: some("request-7"), ..all.clone() }, 1),
        (AuditFilter { actor: some("token:1"), ..all.clone() }, 20),
        (AuditFilter { action: some("certificate.revoke"), ..all.clone() }, 20),
        (AuditFilter { actor: some("token:1"), action: some("certificate.revoke"), ..all.clone() }, 10),
        (AuditFilter { actor: some("token:0"), target_id: some("target-7"), ..all.clone() }, 0),
        (AuditFilter { actor: some("nobody"), ..all.clone() }, 0),
        (AuditFilter { actor: some("nul\0"), ..all.clone() }, 0),
        (all.clone(), 40),
    ] {
        assert_eq!(tx.audit_events(&filter, &first(100)).await.unwrap().items.len(), expected, "{filter:?}");
    }
    // Pages of a combination: rows that fall out do not end a page early.
    let both = AuditFilter { actor: some("token:1"), action: some("certificate.revoke"), ..all };
    let mut seen = Vec::new();
    let mut page = tx.audit_events(&both, &first(3)).await.unwrap();
    seen.extend(ids(&page));
    while page.next.is_some() {
        page = tx.audit_events(&both, &after(3, page.next)).await.unwrap();
        seen.extend(ids(&page));
    }
    let expected: Vec<String> =
        (0..40).rev().filter(|n| n % 2 == 1 && n % 4 >= 2).map(|n| format!("target-{n}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(tx.audit_events(&both, &after(3, Some("x".into()))).await, Err(Error::BadCursor));
}
