//! The list of orders that an account is shown.

use super::acme::{account, authorization, directory, order};
use super::fresh;
use crate::fixtures::*;
use certwright_domain::acme::{Account, Authorization, AuthorizationState, Order, OrderState};
use certwright_store::{Error, PageRequest};

/// Orders of all kinds with their proofs: whatever has come to nothing is left out, and pages are full all the same.
#[tokio::test]
async fn a8_orders_that_have_come_to_nothing_are_not_listed() {
    let store = fresh().await;
    let here = directory(1, "a");
    let (holder, other) = (account(1, &here), account(2, &here));
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_acme_directory(&here).await.unwrap();
    tx.insert_acme_account(&holder).await.unwrap();
    tx.insert_acme_account(&other).await.unwrap();
    tx.commit().await.unwrap();
    let later = now().plus(days(1));
    let proof = |number: u32, of: &Account, state, expires_at| Authorization {
        state,
        expires_at,
        ..authorization(number, of, &format!("a{number}.example"))
    };
    let mut placed: Vec<(Order, Vec<Authorization>)> = Vec::new();
    for state in AuthorizationState::ALL.iter().copied().cycle().take(24) {
        let number = u32::try_from(placed.len()).unwrap();
        let whole = number % 3 != 0;
        let proofs = vec![
            proof(100 + 2 * number, &holder, AuthorizationState::Valid, now().plus(days(9))),
            proof(101 + 2 * number, &holder, state, if whole { now().plus(days(9)) } else { later }),
        ];
        let mut made = order(number, &holder, &proofs.iter().collect::<Vec<_>>(), None);
        made.expires_at = if number % 5 == 0 { later } else { now().plus(days(7)) };
        store.place_acme_order("t", &made, &proofs.iter().collect::<Vec<_>>()).await.unwrap();
        placed.push((made, proofs));
    }
    // One whose authorization is gone, and one that is another's.
    let gone = proof(90, &holder, AuthorizationState::Valid, now().plus(days(9)));
    let lost = order(91, &holder, &[&gone], None);
    store.place_acme_order("t", &lost, &[]).await.unwrap();
    let theirs = proof(92, &other, AuthorizationState::Valid, now().plus(days(9)));
    store.place_acme_order("t", &order(93, &other, &[&theirs], None), &[&theirs]).await.unwrap();
    placed.push((lost, Vec::new()));
    let mut read = store.read().await.unwrap();
    for at in [now(), later, now().plus(days(8))] {
        let mut expected: Vec<&str> = placed
            .iter()
            .filter(|(order, proofs)| order.state(proofs, at).0 != OrderState::Invalid)
            .map(|(order, _)| order.id.as_str())
            .collect();
        expected.sort_by(|a, b| b.cmp(a));
        let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = PageRequest { limit: 2, after };
            let found = read.acme_orders_of_use(&holder.id, at, &page).await.unwrap();
            pages += 1;
            assert!(found.next.is_none() || found.items.len() == 2, "a page is full where there is more");
            listed.extend(found.items.into_iter().map(|order| order.id));
            after = found.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(listed.iter().map(|id| id.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(pages, expected.len().div_ceil(2).max(1));
    }
    let wrong = PageRequest { limit: 2, after: Some("x".to_owned()) };
    assert_eq!(read.acme_orders_of_use(&holder.id, now(), &wrong).await.unwrap_err(), Error::BadCursor);
}
