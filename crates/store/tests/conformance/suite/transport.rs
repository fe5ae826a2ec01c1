use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::ca_bundle::CaBundle;
use certwright_domain::id::CaBundleId;
use certwright_domain::known_serial::KnownSerial;
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::serial::Serial;

fn bundle(number: u32, called: &str) -> CaBundle {
    CaBundle {
        id: CaBundleId::new(now(), entropy(number)),
        name: name(called),
        description: "of others".into(),
        certificates: vec![vec![1, 2], vec![3]],
        created_at: now(),
        changed_at: now(),
        revision: 1,
    }
}

#[tokio::test]
async fn bundles_are_kept_changed_and_deleted_by_revision() {
    let store = fresh().await;
    let mut seen = bundle(1, "partners");
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca_bundle(&seen).await.unwrap();
    assert_eq!(tx.ca_bundle(&reference("partners")).await.unwrap(), Some(seen.clone()));
    assert_eq!(tx.ca_bundle(&reference(seen.id.as_str())).await.unwrap(), Some(seen.clone()));
    assert_eq!(tx.ca_bundle(&reference("none")).await.unwrap(), None);

    seen.name = name("others");
    seen.description = String::new();
    seen.certificates = vec![vec![9]];
    seen.changed_at = now().plus(days(1));
    tx.update_ca_bundle(&seen).await.unwrap();
    assert_eq!(tx.update_ca_bundle(&seen).await, Err(stale("ca_bundles")));
    seen.revision = 2;
    assert_eq!(tx.ca_bundle(&reference("others")).await.unwrap(), Some(seen));
    assert_eq!(tx.delete_ca_bundle(&name("others"), 1).await, Err(stale("ca_bundles")));
    tx.delete_ca_bundle(&name("others"), 2).await.unwrap();
    assert_eq!(tx.ca_bundle(&reference("others")).await.unwrap(), None);
    tx.insert_ca_bundle(&bundle(1, "partners")).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_ca_bundle(&bundle(2, "partners")).await, Err(conflict("ca_bundles.name")));
}

#[tokio::test]
async fn bundles_page_by_name() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for (number, called) in [(1, "c"), (2, "a"), (3, "b")] {
        tx.insert_ca_bundle(&bundle(number, called)).await.unwrap();
    }
    let one = tx.ca_bundles(&first(2)).await.unwrap();
    let two = tx.ca_bundles(&after(2, one.next.clone())).await.unwrap();
    let names: Vec<String> = one.items.iter().chain(&two.items).map(|one| one.name.to_string()).collect();
    assert_eq!((names, two.next), (vec!["a".into(), "b".into(), "c".into()], None));
}

#[tokio::test]
async fn known_serials_belong_to_their_ca() {
    let store = fresh().await;
    let (one, other) = (ca(1, "one"), ca(2, "other"));
    let serials: Vec<KnownSerial> = (1..=2500_u32)
        .map(|number| KnownSerial {
            serial: Serial::from_bytes(&number.to_be_bytes()).unwrap(),
            expires_at: (number % 2 == 0).then(now),
            revocation: (number % 3 == 0).then(|| Revocation { at: now(), reason: RevocationReason::Superseded }),
        })
        .collect();
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca(&one).await.unwrap();
    tx.insert_ca(&other).await.unwrap();
    tx.insert_known_serials(&one.id, &serials).await.unwrap();
    tx.insert_known_serials(&other.id, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let mut read = store.read().await.unwrap();
    let mut found = read.known_serials(&one.id).await.unwrap();
    found.sort_by(|a, b| a.serial.as_bytes().len().cmp(&b.serial.as_bytes().len()).then(a.serial.cmp(&b.serial)));
    assert_eq!(found, serials);
    assert_eq!(read.known_serials(&other.id).await.unwrap(), []);
    let mut tx = store.begin("t").await.unwrap();
    let again = tx.insert_known_serials(&one.id, &serials[..1]).await;
    assert_eq!(again, Err(conflict("ca_known_serials.serial")));
}
