//! Directories that are deleted while an account is made in them.

use super::acme::{account, directory};
use super::{fresh, stale};
use certwright_domain::acme::{Account, Directory};
use certwright_store::Store;
use std::sync::Arc;
use std::time::Duration;

/// Long enough for a statement to be waiting for another transaction.
const A_WHILE: Duration = Duration::from_millis(150);

async fn make(store: &Store, here: &Directory) {
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_acme_directory(here).await.unwrap();
    tx.commit().await.unwrap();
}

async fn is_there(store: &Store, holder: &Account) -> bool {
    store.read().await.unwrap().acme_account(&holder.id).await.unwrap().is_some()
}

#[tokio::test]
async fn an_account_is_made_in_a_directory_that_is_there() {
    let store = fresh().await;
    let here = directory(1, "a");
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_acme_account(&account(1, &here)).await, Err(stale("acme_directories")));
    drop(tx);
    make(&store, &here).await;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_acme_account(&account(1, &here)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(is_there(&store, &account(1, &here)).await);
}

/// The directory is being deleted when the account comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_waits_for_whoever_deletes_its_directory_and_is_not_made() {
    let store = Arc::new(fresh().await);
    let here = directory(1, "a");
    make(&store, &here).await;
    let mut deleting = store.begin("t").await.unwrap();
    deleting.delete_acme_directory(&here.id, here.revision).await.unwrap();
    let making = tokio::spawn({
        let (store, holder) = (Arc::clone(&store), account(1, &here));
        async move {
            let mut tx = store.begin("t").await.unwrap();
            let made = tx.insert_acme_account(&holder).await;
            if made.is_ok() {
                tx.commit().await.unwrap();
            }
            made
        }
    });
    tokio::time::sleep(A_WHILE).await;
    assert!(!deleting.has_acme_accounts(&here.id).await.unwrap());
    deleting.commit().await.unwrap();
    assert_eq!(making.await.unwrap(), Err(stale("acme_directories")));
    assert!(!is_there(&store, &account(1, &here)).await);
}

/// The account is being made when the directory is deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_deletes_a_directory_waits_for_an_account_and_sees_it() {
    let store = Arc::new(fresh().await);
    let here = directory(1, "a");
    make(&store, &here).await;
    let mut making = store.begin("t").await.unwrap();
    making.insert_acme_account(&account(1, &here)).await.unwrap();
    let deleting = tokio::spawn({
        let (store, here) = (Arc::clone(&store), here.clone());
        async move {
            let mut tx = store.begin("t").await.unwrap();
            tx.delete_acme_directory(&here.id, here.revision).await.unwrap();
            tx.has_acme_accounts(&here.id).await.unwrap()
        }
    });
    tokio::time::sleep(A_WHILE).await;
    making.commit().await.unwrap();
    assert!(deleting.await.unwrap(), "so it is undone");
    assert!(is_there(&store, &account(1, &here)).await);
}
