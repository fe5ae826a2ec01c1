use super::{BACKEND, conflict, fresh, fresh_with};
use crate::fixtures::*;
use certwright_store::{Error, NoFaults, Store};
use certwright_testkit::faults::{Faults, When};
use std::sync::Arc;

#[tokio::test]
async fn dropping_or_rolling_back_undoes() {
    let store = fresh().await;
    assert_eq!(store.backend(), BACKEND);
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault(1, "dropped")).await.unwrap();
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault(2, "undone")).await.unwrap();
    tx.rollback().await.unwrap();
    // The next transaction gets a clean connection.
    let mut tx = store.begin("t").await.unwrap();
    assert!(tx.vaults(&first(10), true).await.unwrap().items.is_empty());
    tx.insert_vault(&vault(3, "kept")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.read().await.unwrap().vaults(&first(10), true).await.unwrap().items, [vault(3, "kept")]);
}

#[tokio::test]
async fn a_failed_statement_spoils_its_transaction() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault(1, "a")).await.unwrap();
    assert_eq!(tx.insert_vault(&vault(2, "a")).await, Err(conflict("vaults.name")));
    assert!(matches!(tx.commit().await, Err(Error::Driver(_))), "never a silent half");
    assert!(store.read().await.unwrap().vaults(&first(10), true).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_reader_sees_one_snapshot_and_cannot_write() {
    let store = fresh().await;
    let mut reader = store.read().await.unwrap();
    assert!(reader.vaults(&first(10), true).await.unwrap().items.is_empty());
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault(1, "a")).await.unwrap();
    assert!(reader.vaults(&first(10), true).await.unwrap().items.is_empty(), "not committed");
    tx.commit().await.unwrap();
    assert!(reader.vaults(&first(10), true).await.unwrap().items.is_empty(), "its snapshot is older");
    assert_eq!(store.read().await.unwrap().vaults(&first(10), true).await.unwrap().items.len(), 1);
    assert!(matches!(reader.insert_vault(&vault(2, "b")).await, Err(Error::Unavailable(_))));
    drop(reader);
    assert_eq!(store.read().await.unwrap().vaults(&first(10), true).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_glance_sees_what_is_committed_and_cannot_write() {
    let store = fresh().await;
    // More than there are connections: each is given back.
    for number in 0..40_u32 {
        let mut glance = store.glance().await.unwrap();
        let before = glance.vaults(&first(100), true).await.unwrap().items.len();
        let mut tx = store.begin("t").await.unwrap();
        tx.insert_vault(&vault(number, &format!("v{number}"))).await.unwrap();
        assert_eq!(glance.vaults(&first(100), true).await.unwrap().items.len(), before, "not committed");
        tx.commit().await.unwrap();
        assert_eq!(glance.vaults(&first(100), true).await.unwrap().items.len(), before + 1);
        assert!(glance.insert_vault(&vault(100, "no")).await.is_err());
        assert!(glance.vaults(&first(100), true).await.is_ok(), "and is of use still");
    }
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(store.glance().await.unwrap());
    }
    drop(open);
    assert_eq!(store.read().await.unwrap().vaults(&first(100), true).await.unwrap().items.len(), 40);
    store.close().await;
    assert!(matches!(store.glance().await.err(), Some(Error::Unavailable(_))));
}

#[tokio::test]
async fn commits_fail_on_command_before_and_after_they_took_effect() {
    let faults = Arc::new(Faults::default());
    let store = fresh_with(faults.clone()).await;
    for (number, when, stored) in [(1, When::Before, false), (2, When::After, true)] {
        faults.arm("vault.create", when);
        let mut tx = store.begin("vault.create").await.unwrap();
        tx.insert_vault(&vault(number, &format!("v{number}"))).await.unwrap();
        assert!(matches!(tx.commit().await, Err(Error::Unavailable(_))));
        let found = store.read().await.unwrap().vault(&reference(&format!("v{number}"))).await.unwrap();
        assert_eq!(found.is_some(), stored);
    }
    assert!(faults.is_spent());
    let mut tx = store.begin("vault.create").await.unwrap();
    tx.insert_vault(&vault(3, "v3")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(faults.committed(), ["vault.create", "vault.create"]);
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let store = fresh().await;
    let (ca, epoch) = with_ca(&store).await;
    store.recorder().record(recording(1, &ca, epoch)).await.unwrap();
    store.close().await;
    assert!(matches!(store.read().await.err(), Some(Error::Unavailable(_))));
    assert!(matches!(store.begin("t").await.err(), Some(Error::Unavailable(_))));
    assert!(matches!(store.recorder().record(recording(2, &ca, epoch)).await, Err(Error::Unavailable(_))));
    assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));

    let again = Store::open(&store.location, Arc::new(NoFaults)).await.unwrap();
    assert!(again.pending_migrations().await.unwrap().is_empty());
    again.migrate().await.unwrap();
    again.ping().await.unwrap();
    let mut reader = again.read().await.unwrap();
    assert_eq!(reader.ca(&reference("issuing-1")).await.unwrap(), Some(ca.clone()));
    assert_eq!(reader.issued(&issued(1, &ca).id).await.unwrap(), Some(issued(1, &ca)));
    assert_eq!(reader.issued(&issued(2, &ca).id).await.unwrap(), None);
    drop(reader);
    again.close().await;
}

#[tokio::test]
async fn several_stores_may_migrate_at_once() {
    let store = fresh().await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let other = Store::open(&store.location, Arc::new(NoFaults)).await.unwrap();
        tasks.push(tokio::spawn(async move { other.migrate().await }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn concurrent_transactions_lose_no_update() {
    let store = fresh().await;
    let before = store.read().await.unwrap().epoch().await.unwrap();
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let store = store.store.clone();
        tasks.push(tokio::spawn(async move {
            let mut tx = store.begin("bump").await.unwrap();
            tx.bump_epoch().await.unwrap();
            tx.commit().await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.read().await.unwrap().epoch().await.unwrap(), before + 20);
}
