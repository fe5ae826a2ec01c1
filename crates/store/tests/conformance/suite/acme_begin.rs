//! Nonces, and what requests begin with.

use super::acme::{account, authorization, directory, order};
use super::{fresh, fresh_with};
use crate::fixtures::*;
use certwright_domain::id::{AcmeAuthorizationId, AcmeOrderId, IssuedId};
use certwright_domain::time::Timestamp;
use certwright_store::{AcmeNonce, Error, KnownProofs, ProofSearch, Store};
use certwright_testkit::faults::{Faults, When};
use std::sync::Arc;

fn nonce(body: u8, expires_at: Timestamp) -> AcmeNonce {
    AcmeNonce { body: vec![body; 24], expires_at }
}

async fn take(store: &Store, nonce: AcmeNonce) -> bool {
    store.take_acme_nonce("t", &nonce).await.unwrap()
}

#[tokio::test]
async fn n3_n4_a_nonce_is_used_once() {
    let store = fresh().await;
    let (soon, later) = (now(), now().plus(days(1)));
    for (body, expires_at, taken) in [(1, soon, true), (1, soon, false), (2, later, true), (1, soon, false)] {
        assert_eq!(take(&store, nonce(body, expires_at)).await, taken, "{body}");
    }
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.purge_acme(now().plus(days(1)), now(), 10).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(!take(&store, nonce(2, later)).await);
    assert!(take(&store, nonce(1, soon)).await, "forgotten");
}

/// More than one turn takes, each three times.
#[tokio::test]
async fn n4_of_many_at_once_each_is_taken_once() {
    let store = fresh().await;
    let mut tasks = tokio::task::JoinSet::new();
    for body in (0..200).chain(0..200).chain(0..200) {
        let store = store.clone();
        tasks.spawn(async move { (body, take(&store, nonce(body, now().plus(days(1)))).await) });
    }
    let mut taken: Vec<u8> =
        tasks.join_all().await.into_iter().filter(|(_, taken)| *taken).map(|(body, _)| body).collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..200).collect::<Vec<u8>>());
}

#[tokio::test]
async fn n3_a_nonce_whose_commit_failed_was_not_taken() {
    let faults = Arc::new(Faults::default());
    let store = fresh_with(faults.clone()).await;
    let nonce = nonce(7, now().plus(days(1)));
    faults.arm("acme.use-nonces", When::Before);
    let refused = store.take_acme_nonce("acme.use-nonces", &nonce).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    assert!(faults.is_spent());
    assert_eq!(store.take_acme_nonce("acme.use-nonces", &nonce).await, Ok(true));
}

/// What is asked with a nonce is what is asked without one; and nothing comes out for a nonce that was used before.
#[tokio::test]
async fn a_beginning_takes_its_nonce_and_reads() {
    let store = fresh().await;
    let holder = account(1, &directory(1, "a"));
    let (one, other) = (authorization(1, &holder, "a.example"), authorization(2, &holder, "b.example"));
    // In another order than their ids.
    let made = order(1, &holder, &[&other, &one], None);
    let bare = order(2, &holder, &[], None);
    store.place_acme_order("t", &made, &[&one, &other]).await.unwrap();
    store.place_acme_order("t", &bare, &[]).await.unwrap();
    let row = issued(1, &ca(1, "root"));
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_issued(std::slice::from_ref(&row)).await.unwrap();
    tx.commit().await.unwrap();
    let names = ["b.example".to_owned()];
    let search = ProofSearch { account: &holder.id, names: &names, now: now(), most_pending: 10 };

    let mut bodies = 0..;
    let mut fresh = || nonce(bodies.next().unwrap(), now().plus(days(1)));
    let found = store.begin_with_acme_order("t", &fresh(), &made.id).await;
    assert_eq!(found, Ok(Some(Some((made.clone(), vec![other, one.clone()])))));
    assert_eq!(store.begin_with_acme_order("t", &fresh(), &bare.id).await, Ok(Some(None)), "no row for it");
    let absent = AcmeOrderId::new(now(), entropy(9));
    assert_eq!(store.begin_with_acme_order("t", &fresh(), &absent).await, Ok(Some(None)));
    let found = store.begin_with_acme_authorization("t", &fresh(), &one.id).await;
    assert_eq!(found, Ok(Some(Some(one.clone()))));
    let absent = AcmeAuthorizationId::new(now(), entropy(9));
    assert_eq!(store.begin_with_acme_authorization("t", &fresh(), &absent).await, Ok(Some(None)));
    let found = store.begin_with_issued("t", &fresh(), &row.id).await;
    assert_eq!(found, Ok(Some(Some(row.clone()))));
    let absent = IssuedId::new(now(), entropy(9));
    assert_eq!(store.begin_with_issued("t", &fresh(), &absent).await, Ok(Some(None)));
    let found = store.begin_with_acme_search("t", &fresh(), &search).await;
    assert_eq!(found, Ok(Some(KnownProofs { valid: vec![None], pending: 2 })));

    // Every one of these nonces is used up, whatever was found with it.
    let used: Vec<AcmeNonce> = (0..8).map(|body| nonce(body, now().plus(days(1)))).collect();
    for used in &used {
        assert_eq!(store.take_acme_nonce("t", used).await, Ok(false));
        assert_eq!(store.begin_with_acme_order("t", used, &made.id).await, Ok(None));
        assert_eq!(store.begin_with_acme_authorization("t", used, &one.id).await, Ok(None));
        assert_eq!(store.begin_with_issued("t", used, &row.id).await, Ok(None));
        assert_eq!(store.begin_with_acme_search("t", used, &search).await, Ok(None));
    }
    assert_eq!(store.take_acme_nonce("t", &fresh()).await, Ok(true));
}
