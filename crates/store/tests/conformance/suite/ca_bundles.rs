use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::ca_bundle::CaBundle;
use certwright_domain::id::CaBundleId;
use certwright_store::Error;

fn bundle(number: u32, called: &str) -> CaBundle {
    CaBundle {
        id: CaBundleId::new(now(), entropy(number)),
        name: name(called),
        description: format!("bundle {number}\nof partners"),
        certificates: vec![vec![0x30, 0x82, 0xff, number as u8], vec![0x30, 0x00]],
        created_at: now(),
        revision: 1,
    }
}

#[tokio::test]
async fn bundles_are_kept_changed_and_deleted_by_revision() {
    let store = fresh().await;
    let mut partners = bundle(1, "partners");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca_bundle(&partners).await.unwrap();
    assert_eq!(tx.ca_bundle(&reference("partners")).await.unwrap(), Some(partners.clone()));
    assert_eq!(tx.ca_bundle(&reference(partners.id.as_str())).await.unwrap(), Some(partners.clone()));
    assert_eq!(tx.ca_bundle(&reference("none")).await.unwrap(), None);

    partners.name = name("friends");
    partners.description = String::new();
    partners.certificates.reverse();
    tx.update_ca_bundle(&partners).await.unwrap();
    assert_eq!(tx.update_ca_bundle(&partners).await, Err(stale("ca_bundles")));
    partners.revision = 2;
    assert_eq!(tx.ca_bundle(&reference("friends")).await.unwrap(), Some(partners.clone()));
    assert_eq!(tx.ca_bundle(&reference("partners")).await.unwrap(), None);
    assert_eq!(tx.delete_ca_bundle(&partners.id, 1).await, Err(stale("ca_bundles")));
    tx.delete_ca_bundle(&partners.id, 2).await.unwrap();
    assert_eq!(tx.ca_bundle(&reference("friends")).await.unwrap(), None);
    assert_eq!(tx.update_ca_bundle(&partners).await, Err(stale("ca_bundles")));
    tx.insert_ca_bundle(&partners).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.read().await.unwrap().ca_bundle(&reference("friends")).await.unwrap(), Some(partners));
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca_bundle(&bundle(1, "one")).await.unwrap();
    tx.insert_ca_bundle(&bundle(2, "two")).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_ca_bundle(&bundle(3, "one")).await, Err(conflict("ca_bundles.name")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.update_ca_bundle(&bundle(2, "one")).await, Err(conflict("ca_bundles.name")));
}

#[tokio::test]
async fn lists_page_by_name() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for (number, called) in [(1, "c"), (2, "a"), (3, "b")] {
        tx.insert_ca_bundle(&bundle(number, called)).await.unwrap();
    }
    tx.insert_profile(&profile(1, "p")).await.unwrap();
    tx.insert_profile(&profile(2, "q")).await.unwrap();
    let one = tx.ca_bundles(&first(2)).await.unwrap();
    let two = tx.ca_bundles(&after(2, one.next.clone())).await.unwrap();
    let names: Vec<String> = one.items.iter().chain(&two.items).map(|bundle| bundle.name.to_string()).collect();
    assert_eq!((names, two.next), (vec!["a".into(), "b".into(), "c".into()], None));
    let foreign = tx.profiles(&first(1)).await.unwrap().next;
    assert_eq!(tx.ca_bundles(&after(1, foreign)).await, Err(Error::BadCursor));
}
