//! Publications of lists and what makes the next one due, when they meet.

use super::{fresh, stale};
use crate::fixtures::*;
use certwright_domain::ca::Ca;
use certwright_domain::crl::{Crl, CrlKind, CrlScope, CrlSeries, Place, RevokedSerial, Shards};
use certwright_domain::event::EventKind;
use certwright_domain::id::CrlId;
use certwright_store::{Error, NoFaults, Revoking, Store, Tx};
use std::sync::Arc;

/// The shard of a CA's four that carries the certificate.
fn shard_of(revoked: u32, ca: &Ca) -> CrlScope {
    let shards = Shards::new(4).unwrap();
    let place = Place::of(&issued(revoked, ca).serial);
    let carries = |shard: &u16| {
        let (from, to) = shards.places(*shard);
        (from..=to).contains(&place)
    };
    let shard = (0..4).find(carries).unwrap();
    CrlScope { ca_id: ca.id.clone(), ca_version: 1, shards, shard, kind: CrlKind::Full }
}

/// Publishes a list in a transaction that goes on; the next one is due in days.
async fn publish(tx: &mut Tx<'_>, scope: &CrlScope) {
    let known = tx.crl_counters(&scope.ca_id).await.unwrap();
    let taken = tx.take_crl_number(&scope.ca_id, &known).await.unwrap();
    let list = Crl {
        id: CrlId::new(now(), entropy(1)),
        scope: scope.clone(),
        number: Some(taken.number),
        base_number: None,
        change: 0,
        uploaded: false,
        this_update: now(),
        next_update: now().plus(days(7)),
        entries: 0,
        size: 0,
        sha256: sha(1),
        created_at: now(),
    };
    tx.insert_crl(&list).await.unwrap();
    let next = CrlSeries { due_at: Some(now().plus(days(3))), ..CrlSeries::new(scope.clone(), now()) };
    tx.publish_crl(&next, &list.id, now()).await.unwrap();
}

async fn is_due(store: &Store, scope: &CrlScope) -> bool {
    let series = store.read().await.unwrap().crl_series(scope).await.unwrap().unwrap();
    series.due_at.unwrap() <= now()
}

/// What may come while a list is published.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    /// One certificate is revoked.
    Revoked,
    /// Several are, in one change.
    Noted,
    /// An operator wants the next list.
    Hurried,
}

async fn comes(store: &Store, ca: &Ca, what: Meanwhile, number: u32) -> Result<(), Error> {
    match what {
        Meanwhile::Revoked => {
            let row = issued(number, ca);
            let revoking = Revoking {
                issued: row.id.clone(),
                ca: ca.id.clone(),
                before: None,
                entry: listed(&row),
                audit: audit(number + 1_000),
                event: event(number, EventKind::CertificateRevoked),
            };
            let mut tx = store.begin_keyed("revoke").await?;
            tx.revoke(&revoking).await?;
            tx.commit().await
        }
        Meanwhile::Noted => {
            let mut tx = store.begin("note").await?;
            tx.note_revocations(&ca.id, &[listed(&issued(number, ca))], now()).await?;
            tx.commit().await
        }
        Meanwhile::Hurried => {
            let mut tx = store.begin("hurry").await?;
            tx.hurry_crl_series(&ca.id, now()).await?;
            tx.commit().await
        }
    }
}

/// The list that is being published does not show what waits for it, whatever was due when the waiting began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_publication_has_the_next_list_made() {
    for what in [Meanwhile::Revoked, Meanwhile::Noted, Meanwhile::Hurried] {
        // Both: a series that was due when the waiting began, and one that was not there yet.
        for was_there in [true, false] {
            let store = fresh().await;
            let (ca, epoch) = with_ca(&store).await;
            store.recorder().record(recording(1, &ca, epoch)).await.unwrap();
            let scope = shard_of(1, &ca);
            if was_there {
                let mut tx = store.begin("plan").await.unwrap();
                tx.begin_crl_series(&CrlSeries::new(scope.clone(), now())).await.unwrap();
                tx.commit().await.unwrap();
            }
            let mut publishing = store.begin("publish").await.unwrap();
            publish(&mut publishing, &scope).await;
            let waiting = {
                let (other, ca) = (Store::open(&store.location, Arc::new(NoFaults)).await.unwrap(), ca.clone());
                tokio::spawn(async move { comes(&other, &ca, what, 1).await })
            };
            while !waiting.is_finished() && !store.one_waits().await {}
            assert!(!waiting.is_finished(), "{what:?}: nothing was waited for");
            publishing.commit().await.unwrap();
            waiting.await.unwrap().unwrap();
            assert!(is_due(&store, &scope).await, "{what:?}, was there: {was_there}");
        }
    }
}

/// It shows the settings of before, and would put off the list that shows those of now.
#[tokio::test]
async fn a_list_made_before_somebody_hurries_is_not_published() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let scope = shard_of(1, &ca);
    let mut tx = store.begin("publish").await.unwrap();
    publish(&mut tx, &scope).await;
    tx.commit().await.unwrap();
    assert!(!is_due(&store, &scope).await);
    let known = store.read().await.unwrap().crl_counters(&ca.id).await.unwrap();
    comes(&store, &ca, Meanwhile::Hurried, 1).await.unwrap();
    let mut tx = store.begin("publish").await.unwrap();
    assert_eq!(tx.take_crl_number(&ca.id, &known).await, Err(stale("crl_counters")));
    tx.rollback().await.unwrap();
    assert!(is_due(&store, &scope).await);
}

/// It was on hold, was released, and its entry is about to go: revoked at that moment, it stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_revoked_again_is_not_purged() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    store.recorder().record(recording(1, &ca, epoch)).await.unwrap();
    let entry = listed(&issued(1, &ca));
    let mut tx = store.begin("release").await.unwrap();
    let released = RevokedSerial { released: true, ..entry.clone() };
    tx.note_revocations(&ca.id, &[released], now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut revoking = store.begin("revoke").await.unwrap();
    revoking.note_revocations(&ca.id, std::slice::from_ref(&entry), now()).await.unwrap();
    let waiting = {
        let other = Store::open(&store.location, Arc::new(NoFaults)).await.unwrap();
        tokio::spawn(async move {
            let mut tx = other.begin("purge").await.unwrap();
            let purged = tx.purge_revocations(now(), 10).await.unwrap();
            tx.commit().await.unwrap();
            purged
        })
    };
    while !waiting.is_finished() && !store.one_waits().await {}
    assert!(!waiting.is_finished(), "nothing was waited for");
    revoking.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap(), 0);
    assert_eq!(store.read().await.unwrap().revocation(&ca.id, &entry.serial).await.unwrap(), Some(entry));
}
