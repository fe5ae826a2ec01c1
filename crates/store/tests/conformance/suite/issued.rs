use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::issued::IssuedKind;
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::san::San;
use certwright_domain::serial::Serial;
use certwright_store::{Error, IssuedFilter};

#[tokio::test]
async fn a_certificate_comes_back_with_everything() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let mut full = issued(1, &ca);
    full.names = ["b.example.com", "*.a.example.com", "10.0.0.5", "2001:db8::1", "x@example.com", "spiffe://corp/db"]
        .iter()
        .map(|name| San::parse(name).unwrap())
        .collect();
    full.revocation = Some(revocation());
    full.kind = IssuedKind::Ca;
    let mut bare = issued(2, &ca);
    bare.names.clear();
    bare.common_name.clear();
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_issued(&[full.clone(), bare.clone()]).await.unwrap();
    tx.insert_issued(&[]).await.unwrap();
    tx.commit().await.unwrap();
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.issued(&full.id).await.unwrap(), Some(full.clone()));
    assert_eq!(reader.issued(&bare.id).await.unwrap(), Some(bare));
    assert_eq!(reader.issued_by_fingerprint(&full.fingerprint).await.unwrap(), Some(full.clone()));
    assert_eq!(reader.issued_by_serial(&full.serial).await.unwrap(), [full]);
    assert_eq!(reader.issued(&issued(9, &ca).id).await.unwrap(), None);
    assert_eq!(reader.issued_by_fingerprint(&sha(9)).await.unwrap(), None);
    assert!(reader.issued_by_serial(&Serial::from_bytes(&[1]).unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn serials_are_unique_per_ca_and_ids_everywhere() {
    let store = fresh().await;
    let (ca_one, _) = with_ca(&store).await;
    let other = ca(2, "other");
    let one = issued(1, &ca_one);
    let mut same_serial = issued(2, &other);
    same_serial.serial = one.serial.clone();
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca(&other).await.unwrap();
    tx.insert_issued(&[one.clone(), same_serial.clone()]).await.unwrap();
    assert_eq!(tx.issued_by_serial(&one.serial).await.unwrap(), [one.clone(), same_serial]);
    tx.commit().await.unwrap();

    for (change, what) in [(0, "issued_certificates.serial"), (1, "issued_certificates.id")] {
        let mut second = issued(3, &ca_one);
        match change {
            0 => second.serial = one.serial.clone(),
            _ => second.id = one.id.clone(),
        }
        let mut tx = store.begin("t").await.unwrap();
        assert_eq!(tx.insert_issued(&[issued(4, &ca_one), second]).await, Err(conflict(what)));
        // The statement failed as a whole, and so did the transaction.
        assert!(matches!(tx.commit().await, Err(Error::Driver(_))));
    }
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.issued(&issued(4, &ca_one).id).await.unwrap(), None);
}

#[tokio::test]
async fn every_number_of_rows_can_be_inserted() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let mut number = 0;
    for count in [1, 2, 15, 16, 17, 31, 33, 63, 64, 65, 150] {
        let rows: Vec<_> = (number..number + count).map(|number| issued(number, &ca)).collect();
        number += count;
        let mut tx = store.begin("t").await.unwrap();
        tx.insert_issued(&rows).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut reader = store.read().await.unwrap();
    for number in 0..number {
        let expected = issued(number, &ca);
        assert_eq!(reader.issued(&expected.id).await.unwrap(), Some(expected));
    }
}

#[tokio::test]
async fn a_certificate_is_revoked_once() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let one = issued(1, &ca);
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_issued(std::slice::from_ref(&one)).await.unwrap();
    let (first, changed) = (revocation(), Revocation { reason: RevocationReason::Superseded, ..revocation() });
    tx.change_revocation(&one.id, None, Some(&first)).await.unwrap();
    assert_eq!(tx.change_revocation(&one.id, None, Some(&first)).await, Err(stale("issued_certificates")));
    assert_eq!(tx.change_revocation(&one.id, Some(&changed), None).await, Err(stale("issued_certificates")));
    let absent = issued(2, &ca).id;
    assert_eq!(tx.change_revocation(&absent, None, Some(&first)).await, Err(stale("issued_certificates")));
    assert_eq!(tx.issued(&one.id).await.unwrap().unwrap().revocation, Some(first));
    tx.change_revocation(&one.id, Some(&first), Some(&changed)).await.unwrap();
    assert_eq!(tx.issued(&one.id).await.unwrap().unwrap().revocation, Some(changed));
    tx.change_revocation(&one.id, Some(&changed), None).await.unwrap();
    assert_eq!(tx.issued(&one.id).await.unwrap(), Some(one.clone()));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn expired_leaves_age_out_with_their_names() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    // Lifetimes of 1 to 6 days.
    let mut rows: Vec<_> = (0..6).map(|number| issued(number, &ca)).collect();
    rows[1].revocation = Some(revocation());
    rows[2].kind = IssuedKind::Ca;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_issued(&rows).await.unwrap();
    tx.note_revocations(&ca.id, &[listed(&rows[1])], now()).await.unwrap();
    let before = now().plus(days(5));
    assert_eq!(tx.purge_expired(before, 1).await.unwrap(), 1);
    assert_eq!(tx.issued(&rows[0].id).await.unwrap(), None, "the longest expired goes first");
    assert_eq!(tx.purge_expired(before, 10).await.unwrap(), 1);
    assert_eq!(tx.purge_expired(before, 10).await.unwrap(), 0);
    let left = tx.search_issued(&IssuedFilter::default(), &first(10)).await.unwrap();
    let left: Vec<_> = left.items.iter().map(|row| row.id.clone()).collect();
    assert_eq!(left, [5, 4, 2, 1].map(|n| rows[n].id.clone()), "those on lists and CAs stay");
    // Once its entry is gone, a revoked row goes as well.
    assert_eq!(tx.purge_revocations(now().plus(days(30)), 10).await.unwrap(), 1);
    assert_eq!(tx.purge_expired(before, 10).await.unwrap(), 1);
    assert_eq!(tx.issued(&rows[1].id).await.unwrap(), None);
    // A purged certificate's names are free of it: the same row can be stored again.
    tx.insert_issued(&rows[..1]).await.unwrap();
    let san = IssuedFilter { san: Some("host-0.example.com".into()), ..IssuedFilter::default() };
    assert_eq!(tx.search_issued(&san, &first(10)).await.unwrap().items, rows[..1]);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn certificates_of_a_key_are_found() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let mut rows: Vec<_> = (0..6).map(|number| issued(number, &ca)).collect();
    for n in [0, 2, 4, 5] {
        rows[n].spki_sha256 = sha(77);
    }
    rows[5].kind = IssuedKind::Ca;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_issued(&rows).await.unwrap();
    assert_eq!(tx.issued_with_key(&sha(77), now(), 10).await.unwrap(), [0, 2, 4].map(|n| rows[n].clone()));
    assert_eq!(tx.issued_with_key(&sha(77), now().plus(days(2)), 10).await.unwrap(), [2, 4].map(|n| rows[n].clone()));
    assert_eq!(tx.issued_with_key(&sha(77), now(), 2).await.unwrap().len(), 2);
    assert_eq!(tx.issued_with_key(&sha(78), now(), 10).await.unwrap(), []);
    assert_eq!(tx.last_expiry(&ca.id).await.unwrap(), Some(rows[5].validity.not_after()));
    let other = ca_of(&mut *tx).await;
    assert_eq!(tx.last_expiry(&other).await.unwrap(), None);
}

async fn ca_of(queries: &mut dyn certwright_store::Queries) -> certwright_domain::id::CaId {
    let other = ca(2, "other");
    queries.insert_ca(&other).await.unwrap();
    other.id
}
