use super::{fresh, stale};
use crate::fixtures::*;
use certwright_domain::time::Timestamp;
use certwright_store::Shipped;

#[tokio::test]
async fn a_sink_is_given_each_chain_in_order_and_once_it_is_noted() {
    let store = fresh().await;
    for number in 1..=5 {
        let mut tx = store.begin("t").await.unwrap();
        tx.insert_audit(&audit(number)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let now = Timestamp::from_unix_s(1_000);
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.audit_shipped("log").await.unwrap(), []);
    assert_eq!(tx.audit_shipping_lag().await.unwrap(), []);
    tx.begin_audit_shipping("log", false, now).await.unwrap();
    tx.begin_audit_shipping("late", true, now).await.unwrap();
    tx.commit().await.unwrap();
    let mut read = store.read().await.unwrap();
    let begun = read.audit_shipped("log").await.unwrap();
    assert_eq!(begun.len(), read.audit_heads().await.unwrap().len(), "every chain");
    assert!(begun.iter().all(|one| one.sequence == 0));
    assert_eq!(begun.iter().map(|one| one.end).sum::<i64>(), 5);
    let late = read.audit_shipped("late").await.unwrap();
    assert!(late.iter().all(|one| one.sequence == one.end));
    let lag = read.audit_shipping_lag().await.unwrap();
    let lag: Vec<_> = lag.iter().map(|one| (one.sink.as_str(), one.events, one.oldest.is_some())).collect();
    assert_eq!(lag, [("late", 0, false), ("log", 5, true)]);
    let Shipped { chain, end, .. } = begun.into_iter().max_by_key(|one| one.end).unwrap();
    let part = read.audit_chain_part(&chain, 0, 2).await.unwrap();
    assert_eq!(part.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=end.min(2)).collect::<Vec<_>>());
    assert_eq!(read.audit_chain_part(&chain, end, 2).await.unwrap(), []);
    drop(read);
    let mut tx = store.begin("t").await.unwrap();
    tx.note_audit_shipped("log", &chain, 0, 1, now).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.note_audit_shipped("log", &chain, 0, 1, now).await, Err(stale("audit_shipping")));
    // To begin again changes nothing.
    tx.begin_audit_shipping("log", true, now).await.unwrap();
    let shipped = tx.audit_shipped("log").await.unwrap();
    assert_eq!(shipped.iter().map(|one| one.sequence).sum::<i64>(), 1);
    assert_eq!(tx.audit_shipping_lag().await.unwrap().iter().map(|one| one.events).sum::<u64>(), 4);
}
