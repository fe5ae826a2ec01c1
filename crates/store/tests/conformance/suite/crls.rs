use super::{fresh, stale};
use crate::fixtures::*;
use certwright_domain::ca::{Ca, CaState, DeltaSettings};
use certwright_domain::crl::{Crl, CrlCounters, CrlKind, CrlScope, CrlSeries, RevokedSerial, Shards};
use certwright_domain::id::CrlId;
use certwright_domain::time::{Span, Timestamp};
use certwright_store::{CrlHealth, Queries};

fn scope(ca: &Ca, shards: u32, shard: u16, kind: CrlKind) -> CrlScope {
    CrlScope { ca_id: ca.id.clone(), ca_version: 1, shards: Shards::new(shards).unwrap(), shard, kind }
}

fn whole(ca: &Ca) -> CrlScope {
    scope(ca, 1, 0, CrlKind::Full)
}

fn crl(number: u32, scope: CrlScope) -> Crl {
    Crl {
        id: CrlId::new(now(), entropy(number)),
        scope,
        number: Some(i64::from(number)),
        base_number: number.is_multiple_of(2).then_some(40),
        change: 3,
        uploaded: number.is_multiple_of(3),
        this_update: now(),
        next_update: now().plus(days(7)),
        entries: 5,
        size: 6,
        sha256: sha(number),
        created_at: now(),
    }
}

fn after_publication(scope: CrlScope, now: Timestamp) -> CrlSeries {
    CrlSeries { due_at: Some(now.plus(days(2))), ..CrlSeries::new(scope, now) }
}

async fn publish(tx: &mut dyn Queries, crl: &Crl) {
    tx.insert_crl(crl).await.unwrap();
    tx.insert_crl_chunk(&crl.id, 0, &[1, 2, 3]).await.unwrap();
    tx.insert_crl_chunk(&crl.id, 1, &[4, 5, 6]).await.unwrap();
    tx.publish_crl(&after_publication(crl.scope.clone(), now()), &crl.id, now()).await.unwrap();
}

#[tokio::test]
async fn numbers_are_taken_once_and_never_go_back() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    let counters = |number, orders| CrlCounters { change: 0, number, orders };
    assert_eq!(tx.take_crl_number(&ca.id, &counters(41, 0)).await.unwrap(), counters(42, 0));
    assert_eq!(tx.take_crl_number(&ca.id, &counters(41, 0)).await, Err(stale("crl_counters")));
    tx.raise_crl_number(&ca.id, 40).await.unwrap();
    assert_eq!(tx.crl_counters(&ca.id).await.unwrap().number, 42);
    tx.raise_crl_number(&ca.id, 1000).await.unwrap();
    assert_eq!(tx.take_crl_number(&ca.id, &counters(1000, 0)).await.unwrap().number, 1001);
    tx.hurry_crl_series(&ca.id, now()).await.unwrap();
    assert_eq!(tx.take_crl_number(&ca.id, &counters(1001, 0)).await, Err(stale("crl_counters")));
    assert_eq!(tx.take_crl_number(&ca.id, &counters(1001, 1)).await.unwrap(), counters(1002, 1));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_list_is_served_once_it_is_published() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let (first, second) = (crl(1, whole(&ca)), crl(2, whole(&ca)));
    let mut tx = store.begin("t").await.unwrap();
    tx.begin_crl_series(&CrlSeries::new(whole(&ca), now())).await.unwrap();
    tx.insert_crl(&first).await.unwrap();
    tx.insert_crl_chunk(&first.id, 0, &[1, 2, 3]).await.unwrap();
    assert_eq!(tx.current_crl(&whole(&ca)).await.unwrap(), None, "it is not published");
    assert_eq!(tx.crl_bytes(&first).await.unwrap(), None, "it is not whole");
    tx.insert_crl_chunk(&first.id, 1, &[4, 5, 6]).await.unwrap();
    let series = after_publication(whole(&ca), now());
    tx.publish_crl(&series, &first.id, now()).await.unwrap();
    assert_eq!(tx.publish_crl(&series, &first.id, now()).await, Err(stale("crls")));
    assert_eq!(tx.current_crl(&whole(&ca)).await.unwrap(), Some(first.clone()));
    assert_eq!(tx.crl_bytes(&first).await.unwrap(), Some(vec![1, 2, 3, 4, 5, 6]));
    let stored = CrlSeries { crl_id: Some(first.id.clone()), last_attempt_at: Some(now()), ..series };
    assert_eq!(tx.crl_series(&whole(&ca)).await.unwrap(), Some(stored.clone()));
    let other = CrlSeries::new(scope(&ca, 2, 1, CrlKind::Delta), now());
    tx.begin_crl_series(&other).await.unwrap();
    let page = tx.crl_series_of(&ca.id, &crate::fixtures::first(1)).await.unwrap();
    assert_eq!(page.items, [(stored.clone(), Some(first.clone()))]);
    let page = tx.crl_series_of(&ca.id, &after(10, page.next)).await.unwrap();
    assert_eq!((page.items, page.next), (vec![(other.clone(), None)], None));
    tx.end_crl_series(&other.scope).await.unwrap();

    publish(&mut *tx, &second).await;
    assert_eq!(tx.current_crl(&whole(&ca)).await.unwrap(), Some(second.clone()));
    assert_eq!(tx.obsolete_crls(now(), 10).await.unwrap(), []);
    assert_eq!(tx.obsolete_crls(now().plus(days(1)), 10).await.unwrap(), std::slice::from_ref(&first.id));
    assert!(!tx.delete_crl_chunks(&first.id, 1).await.unwrap());
    assert!(!tx.delete_crl_chunks(&first.id, 1).await.unwrap());
    assert!(tx.delete_crl_chunks(&first.id, 1).await.unwrap());
    assert_eq!(tx.obsolete_crls(now().plus(days(1)), 10).await.unwrap(), []);
    assert_eq!(tx.crl_bytes(&second).await.unwrap().map(|bytes| bytes.len()), Some(6));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn attempts_and_what_was_told_are_remembered() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let minute = Span::from_minutes(1);
    let mut tx = store.begin("t").await.unwrap();
    tx.begin_crl_series(&CrlSeries { overdue_at: Some(now()), ..CrlSeries::new(whole(&ca), now()) }).await.unwrap();
    assert_eq!(tx.due_crl_series(now(), 10).await.unwrap().len(), 1);
    tx.fail_crl_series(&whole(&ca), now(), now().plus(minute), "the key is disabled").await.unwrap();
    tx.fail_crl_series(&whole(&ca), now(), now().plus(minute), "the key is still disabled").await.unwrap();
    assert_eq!(tx.due_crl_series(now(), 10).await.unwrap(), []);
    let due = tx.due_crl_series(now().plus(minute), 10).await.unwrap();
    assert_eq!((due[0].failures, due[0].last_error.as_deref()), (2, Some("the key is still disabled")));
    assert_eq!(tx.overdue_crl_series(now(), 10).await.unwrap(), due);
    // Read as overdue, but a list was made since.
    let before = now().minus(minute);
    assert_eq!(tx.told_crl_series(&whole(&ca), before).await, Err(stale("crl_series")));
    tx.told_crl_series(&whole(&ca), now()).await.unwrap();
    assert_eq!(tx.told_crl_series(&whole(&ca), now()).await, Err(stale("crl_series")));
    assert_eq!(tx.overdue_crl_series(now(), 10).await.unwrap(), []);
    assert_eq!(tx.hurry_crl_series(&ca.id, now()).await.unwrap(), 1);
    assert_eq!(tx.due_crl_series(now(), 10).await.unwrap().len(), 1);
    tx.end_crl_series(&whole(&ca)).await.unwrap();
    assert_eq!(tx.hurry_crl_series(&ca.id, now()).await.unwrap(), 0);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn series_follow_the_settings() {
    let store = fresh().await;
    let (mut ca, _) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.missing_crl_series(now(), 10).await.unwrap(), [], "there is no certificate");
    tx.insert_ca_version(&ca_version(&ca, 1)).await.unwrap();
    let mut foreign = ca_version(&ca, 2);
    foreign.key_version = None;
    tx.insert_ca_version(&foreign).await.unwrap();
    assert_eq!(tx.missing_crl_series(now(), 10).await.unwrap(), [whole(&ca)]);
    assert!(tx.wants_crl_series(&whole(&ca), now()).await.unwrap());
    tx.begin_crl_series(&CrlSeries::new(whole(&ca), now())).await.unwrap();
    assert_eq!(tx.missing_crl_series(now(), 10).await.unwrap(), []);
    assert_eq!(tx.missing_crl_series(now().plus(days(366)), 10).await.unwrap(), []);
    assert!(!tx.wants_crl_series(&whole(&ca), now().plus(days(366))).await.unwrap(), "its certificate has expired");

    ca.revocation.delta = Some(DeltaSettings::DEFAULT);
    ca.revocation.crl_shards = Shards::new(4).unwrap();
    tx.update_ca(&ca).await.unwrap();
    tx.cut_crls(&ca.id, ca.revocation.crl_shards, now().plus(days(90))).await.unwrap();
    let expected =
        [scope(&ca, 1, 0, CrlKind::Delta), scope(&ca, 4, 0, CrlKind::Full), scope(&ca, 4, 0, CrlKind::Delta)];
    assert_eq!(tx.missing_crl_series(now(), 10).await.unwrap(), expected);
    let later = now().plus(days(91));
    assert!(!tx.wants_crl_series(&whole(&ca), later).await.unwrap(), "nothing names it any more");
    assert!(tx.wants_crl_series(&scope(&ca, 4, 3, CrlKind::Delta), later).await.unwrap());
    tx.cut_crls(&ca.id, Shards::ONE, now().plus(days(90))).await.unwrap();
    assert!(tx.wants_crl_series(&whole(&ca), later).await.unwrap());

    let mut stored = tx.ca(&reference(ca.id.as_str())).await.unwrap().unwrap();
    stored.state = CaState::Deleted;
    tx.update_ca(&stored).await.unwrap();
    assert_eq!(tx.missing_crl_series(now(), 10).await.unwrap(), []);
    assert!(!tx.wants_crl_series(&whole(&ca), now()).await.unwrap());
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn entries_stay_until_every_list_has_done_with_them() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let expired = RevokedSerial { expires_at: Some(now()), ..listed(&issued(1, &ca)) };
    let released = RevokedSerial { released: true, expires_at: None, ..listed(&issued(2, &ca)) };
    let lives = listed(&issued(3, &ca));
    let later = now().plus(days(1));
    let mut tx = store.begin("t").await.unwrap();
    tx.begin_crl_series(&CrlSeries::new(whole(&ca), now())).await.unwrap();
    tx.note_revocations(&ca.id, &[expired, released, lives.clone()], now()).await.unwrap();
    assert_eq!(tx.purge_revocations(later, 10).await.unwrap(), 0, "no list was published yet");
    publish(&mut *tx, &Crl { change: 0, ..crl(1, whole(&ca)) }).await;
    assert_eq!(tx.purge_revocations(later, 10).await.unwrap(), 0, "the list is of the time of the expiry");
    publish(&mut *tx, &Crl { change: 1, this_update: later, ..crl(2, whole(&ca)) }).await;
    assert_eq!(tx.purge_revocations(later, 10).await.unwrap(), 2);
    let left = tx.revocations_since(&ca.id, 0, 10).await.unwrap();
    assert_eq!(left, [lives]);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_health_of_lists_is_summed_up_by_ca() {
    let store = fresh().await;
    let (one, _) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.crl_health(now()).await.unwrap(), []);
    publish(&mut *tx, &crl(1, whole(&one))).await;
    let waiting = scope(&one, 2, 1, CrlKind::Full);
    tx.begin_crl_series(&CrlSeries::new(waiting.clone(), now())).await.unwrap();
    tx.fail_crl_series(&waiting, now(), now(), "no key").await.unwrap();
    let expected = CrlHealth {
        ca_id: one.id.clone(),
        ca_name: "issuing-1".to_owned(),
        lists: 2,
        failing: 1,
        lapsed: 1,
        oldest_this_update: Some(now()),
        first_next_update: Some(now().plus(days(7))),
        entries: 5,
        size: 6,
    };
    assert_eq!(tx.crl_health(now()).await.unwrap(), std::slice::from_ref(&expected));
    assert_eq!(tx.crl_health(now().plus(days(7))).await.unwrap(), [CrlHealth { lapsed: 2, ..expected }]);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_coming_end_is_told_once() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca_version(&ca_version(&ca, 1)).await.unwrap();
    // 365 days, a third is more than 90 days.
    assert_eq!(tx.ca_versions_to_warn_of(now().plus(days(274)), 10).await.unwrap(), []);
    assert_eq!(tx.ca_versions_to_warn_of(now().plus(days(275)), 10).await.unwrap(), [ca_version(&ca, 1)]);
    tx.warned_of_ca_version(&ca.id, 1).await.unwrap();
    assert_eq!(tx.warned_of_ca_version(&ca.id, 1).await, Err(stale("ca_versions")));
    assert_eq!(tx.ca_versions_to_warn_of(now().plus(days(300)), 10).await.unwrap(), []);
    tx.commit().await.unwrap();
}
