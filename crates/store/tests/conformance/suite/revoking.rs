//! A revocation with all that goes with it.

use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::ca::Ca;
use certwright_domain::event::EventKind;
use certwright_domain::id::CaId;
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_store::{AuditFilter, Error, EventFilter, Revoking, Store};
use std::time::Duration;

/// Numbers of audit events and events of revocations: apart from those of recordings.
const TOLD: u32 = 10_000;

fn revoking(number: u32, ca: &Ca) -> Revoking {
    let row = issued(number, ca);
    Revoking {
        issued: row.id.clone(),
        ca: ca.id.clone(),
        before: None,
        entry: listed(&row),
        audit: audit(number + TOLD),
        event: event(number, EventKind::CertificateRevoked),
    }
}

async fn revoke(store: &Store, revoking: &Revoking) -> Result<(), Error> {
    let mut tx = store.begin_keyed("revoke").await?;
    tx.revoke(revoking).await?;
    tx.commit().await
}

async fn record(store: &Store, ca: &Ca, epoch: i64, numbers: std::ops::Range<u32>) {
    for number in numbers {
        store.recorder().record(recording(number, ca, epoch)).await.unwrap();
    }
}

/// The certificates that are revoked; each with its entry, its audit event and its event.
async fn revoked(store: &Store, ca: &Ca, numbers: std::ops::Range<u32>) -> Vec<u32> {
    let mut reader = store.read().await.unwrap();
    let mut found = Vec::new();
    for number in numbers {
        let row = reader.issued(&issued(number, ca).id).await.unwrap().unwrap();
        let entry = reader.revocation(&ca.id, &row.serial).await.unwrap();
        let filter = AuditFilter { request_id: Some(format!("request-{}", number + TOLD)), ..AuditFilter::default() };
        let audited = reader.audit_events(&filter, &first(10)).await.unwrap().items.len();
        let told = reader.event(&event(number, EventKind::CertificateRevoked).id).await.unwrap();
        let all = (entry.is_some(), audited, told.is_some());
        match row.revocation {
            Some(_) => {
                assert_eq!(all, (true, 1, true), "{number}");
                assert_eq!(entry, Some(listed(&row)));
                found.push(number);
            }
            None => assert_eq!(all, (false, 0, false), "{number}"),
        }
    }
    found
}

#[tokio::test]
async fn a_revocation_is_whole_and_stands_in_the_chain() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    record(&store, &ca, epoch, 0..5).await;
    for number in [1, 3] {
        revoke(&store, &revoking(number, &ca)).await.unwrap();
    }
    assert_eq!(revoked(&store, &ca, 0..5).await, [1, 3]);
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.crl_counters(&ca.id).await.unwrap().change, 2);
    let mut chained = 0;
    for head in reader.audit_heads().await.unwrap() {
        let rows = reader.audit_chain(&head.chain, 0).await.unwrap();
        assert!(rows.windows(2).all(|pair| pair[0].hash == pair[1].previous_hash), "{}", head.chain);
        chained += rows.len();
    }
    assert_eq!(chained, 5 + 2);
}

#[tokio::test]
async fn a_mark_that_was_changed_meanwhile_is_stale_and_stores_nothing() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    record(&store, &ca, epoch, 0..3).await;
    let held = Revocation { at: now(), reason: RevocationReason::CertificateHold };
    let mut tx = store.begin("t").await.unwrap();
    tx.change_revocation(&issued(1, &ca).id, None, Some(&held)).await.unwrap();
    tx.commit().await.unwrap();
    let other = Revocation { reason: RevocationReason::Superseded, ..held };
    for before in [None, Some(other), Some(Revocation { at: now().plus(days(1)), ..held })] {
        let refused = revoke(&store, &Revoking { before, ..revoking(1, &ca) }).await;
        assert_eq!(refused, Err(stale("issued_certificates")), "{before:?}");
    }
    let mut tx = store.begin_keyed("t").await.unwrap();
    assert_eq!(tx.revoke(&revoking(7, &ca)).await, Err(stale("issued_certificates")), "there is none");
    assert!(tx.commit().await.is_err(), "what was written beside it must not stay");
    revoke(&store, &Revoking { before: Some(held), ..revoking(1, &ca) }).await.unwrap();
    assert_eq!(revoked(&store, &ca, 0..3).await, [1]);
    assert_eq!(store.read().await.unwrap().crl_counters(&ca.id).await.unwrap().change, 1);
}

#[tokio::test]
async fn of_two_at_once_one_decides() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    record(&store, &ca, epoch, 0..1).await;
    let told = event(TOLD, EventKind::CertificateRevoked);
    let second = Revoking { audit: audit(2 * TOLD), event: told, ..revoking(0, &ca) };
    let this = revoking(0, &ca);
    let (one, two) = tokio::join!(revoke(&store, &this), revoke(&store, &second));
    let outcomes = [one, two];
    assert!(outcomes.contains(&Ok(())) && outcomes.contains(&Err(stale("issued_certificates"))), "{outcomes:?}");
    let told = store.read().await.unwrap().events(&EventFilter::default(), &first(10)).await.unwrap();
    assert_eq!(told.items.len(), 1);
}

#[tokio::test]
async fn what_goes_wrong_beside_it_takes_the_mark_along() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    record(&store, &ca, epoch, 0..2).await;
    revoke(&store, &revoking(0, &ca)).await.unwrap();
    let twice = Revoking { event: revoking(0, &ca).event, ..revoking(1, &ca) };
    assert_eq!(revoke(&store, &twice).await, Err(conflict("events.id")));
    let nobody = CaId::parse("ca_01JD8XK4M2W7Z3T5V9YQ6B1C0D").unwrap();
    let refused = revoke(&store, &Revoking { ca: nobody, ..revoking(1, &ca) }).await.unwrap_err();
    assert!(matches!(refused, Error::Corrupt { table: "crl_counters", .. }), "{refused:?}");
    assert_eq!(revoked(&store, &ca, 0..2).await, [0]);
}

#[tokio::test]
async fn those_who_wait_for_deliveries_are_woken() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    record(&store, &ca, epoch, 0..2).await;
    revoke(&store, &revoking(0, &ca)).await.unwrap();
    assert!(tokio::time::timeout(Duration::ZERO, store.delivery_stored()).await.is_err(), "nobody is to be told");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_webhook(&webhook(1, "all", &[])).await.unwrap();
    tx.insert_webhook(&webhook(2, "other", &[EventKind::CaIssued])).await.unwrap();
    tx.commit().await.unwrap();
    revoke(&store, &revoking(1, &ca)).await.unwrap();
    assert!(tokio::time::timeout(Duration::ZERO, store.delivery_stored()).await.is_ok());
    let told = event(1, EventKind::CertificateRevoked).id;
    assert_eq!(store.read().await.unwrap().event_deliveries(&told).await.unwrap().len(), 1);
}
