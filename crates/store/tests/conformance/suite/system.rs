use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::key::SealedBlob;
use certwright_domain::time::Span;
use certwright_store::IdempotencyRecord;

#[tokio::test]
async fn the_epoch_only_grows() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let before = tx.epoch().await.unwrap();
    assert_eq!(tx.bump_epoch().await.unwrap(), before + 1);
    assert_eq!(tx.epoch().await.unwrap(), before + 1);
    tx.rollback().await.unwrap();
    assert_eq!(store.read().await.unwrap().epoch().await.unwrap(), before);
    let mut tx = store.begin("t").await.unwrap();
    tx.bump_epoch().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.read().await.unwrap().epoch().await.unwrap(), before + 1);
}

#[tokio::test]
async fn small_values_are_replaced() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.meta("seal").await.unwrap(), None);
    tx.put_meta("seal", &[0, 255]).await.unwrap();
    tx.put_meta("seal", &[1]).await.unwrap();
    tx.put_meta("other", &[]).await.unwrap();
    assert_eq!(tx.meta("seal").await.unwrap(), Some(vec![1]));
    assert_eq!(tx.meta("other").await.unwrap(), Some(vec![]));
}

#[tokio::test]
async fn a_lease_has_one_holder_at_a_time() {
    let store = fresh().await;
    let minute = Span::from_minutes(1);
    let mut tx = store.begin("t").await.unwrap();
    let (start, end) = (now(), now().plus(minute));
    assert!(tx.acquire_lease("jobs", "node-a", start, end).await.unwrap());
    assert!(!tx.acquire_lease("jobs", "node-b", start, end).await.unwrap());
    assert!(tx.acquire_lease("other", "node-b", start, end).await.unwrap());
    // The holder may keep it; another one gets it when it has ended.
    assert!(tx.acquire_lease("jobs", "node-a", start, end.plus(minute)).await.unwrap());
    assert!(!tx.acquire_lease("jobs", "node-b", end, end.plus(minute)).await.unwrap());
    assert!(tx.acquire_lease("jobs", "node-b", end.plus(minute), end.plus(minute).plus(minute)).await.unwrap());
    // Only the holder gives it back.
    tx.release_lease("jobs", "node-a").await.unwrap();
    assert!(!tx.acquire_lease("jobs", "node-a", end.plus(minute), end.plus(minute).plus(minute)).await.unwrap());
    tx.release_lease("jobs", "node-b").await.unwrap();
    assert!(tx.acquire_lease("jobs", "node-a", start, end).await.unwrap());
}

fn record(key: &str, at: certwright_domain::time::Timestamp) -> IdempotencyRecord {
    IdempotencyRecord {
        caller: "token:a".into(),
        key: key.into(),
        request_sha256: sha(1),
        response: None,
        created_at: at,
        in_flight_until: at.plus(Span::from_minutes(1)),
    }
}

#[tokio::test]
async fn an_idempotency_key_is_taken_over_when_its_first_call_was_given_up() {
    let store = fresh().await;
    let first_call = record("k", now());
    let mut tx = store.begin("t").await.unwrap();
    tx.begin_idempotency(&first_call).await.unwrap();
    assert_eq!(tx.idempotency("token:a", "k").await.unwrap(), Some(first_call));
    assert_eq!(tx.idempotency("token:b", "k").await.unwrap(), None);

    let taken = conflict("idempotency_keys.idempotency_key");
    let in_time = record("k", now().plus(Span::from_minutes(1)));
    assert_eq!(tx.begin_idempotency(&in_time).await, Err(taken.clone()));
    let mut later = record("k", now().plus(Span::from_minutes(2)));
    later.request_sha256 = sha(2);
    tx.begin_idempotency(&later).await.unwrap();
    assert_eq!(tx.idempotency("token:a", "k").await.unwrap(), Some(later.clone()));
    tx.abandon_idempotency("token:a", "k", now()).await.unwrap();
    assert_eq!(tx.idempotency("token:a", "k").await.unwrap(), Some(later.clone()), "the first call has lost its key");

    tx.complete_idempotency("token:a", "k", &SealedBlob(vec![1, 2])).await.unwrap();
    assert_eq!(
        tx.complete_idempotency("token:a", "k", &SealedBlob(vec![3])).await,
        Err(stale("idempotency_keys")),
        "a finished call keeps its answer"
    );
    assert_eq!(tx.complete_idempotency("token:a", "x", &SealedBlob(vec![3])).await, Err(stale("idempotency_keys")));
    later.response = Some(SealedBlob(vec![1, 2]));
    tx.abandon_idempotency("token:a", "k", later.created_at).await.unwrap();
    assert_eq!(tx.idempotency("token:a", "k").await.unwrap(), Some(later), "an answer stays");
    let much_later = record("k", now().plus(days(1)));
    assert_eq!(tx.begin_idempotency(&much_later).await, Err(taken));
    // All of these were answers: the transaction stands.
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn idempotency_keys_are_forgotten() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for (key, age) in [("a", 5), ("b", 4), ("c", 3), ("d", 1)] {
        tx.begin_idempotency(&record(key, now().minus(days(age)))).await.unwrap();
    }
    tx.forget_idempotency("token:a", "b").await.unwrap();
    assert_eq!(tx.idempotency("token:a", "b").await.unwrap(), None);
    tx.begin_idempotency(&record("e", now())).await.unwrap();
    tx.abandon_idempotency("token:a", "e", now()).await.unwrap();
    assert_eq!(tx.idempotency("token:a", "e").await.unwrap(), None);
    let before = now().minus(days(2));
    assert_eq!(tx.purge_idempotency(before, 1).await.unwrap(), 1);
    assert_eq!(tx.idempotency("token:a", "a").await.unwrap(), None, "the oldest goes first");
    assert_eq!(tx.purge_idempotency(before, 10).await.unwrap(), 1);
    assert_eq!(tx.purge_idempotency(before, 10).await.unwrap(), 0);
    assert!(tx.idempotency("token:a", "d").await.unwrap().is_some());
}

#[tokio::test]
async fn intents_stay_open_until_they_are_completed() {
    let store = fresh().await;
    let (one, two) = (intent(1), intent(2));
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_intent(&one).await.unwrap();
    tx.insert_intent(&two).await.unwrap();
    assert!(tx.open_intents(now()).await.unwrap().is_empty(), "not old enough");
    let later = now().plus(Span::from_s(1));
    assert_eq!(tx.open_intents(later).await.unwrap(), [one.clone(), two.clone()]);
    tx.complete_intent(&one.id, later).await.unwrap();
    assert_eq!(tx.complete_intent(&one.id, later).await, Err(stale("signing_intents")));
    assert_eq!(tx.open_intents(later).await.unwrap(), [two]);
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_intent(&one).await, Err(conflict("signing_intents.id")));
}
