use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::ca::{Ca, CaState, CaVersion, OcspResponderKind};
use certwright_domain::crl::RevokedSerial;
use certwright_domain::issued::{IssuedCertificate, SerialStanding};
use certwright_domain::key::Key;
use certwright_domain::known_serial::KnownSerial;
use certwright_domain::ocsp::OcspResponder;
use certwright_domain::serial::Serial;
use certwright_domain::validity::Validity;
use certwright_store::{Store, Tx};

fn responder(ca: &Ca, number: u32, row: &IssuedCertificate, key: &Key) -> OcspResponder {
    OcspResponder {
        ca_id: ca.id.clone(),
        ca_version: 1,
        number,
        issued_id: row.id.clone(),
        key_id: key.id.clone(),
        key_version: number,
        certificate: vec![0x30, 1, 2],
        validity: Validity::new(now(), now().plus(days(8))).unwrap(),
        renew_at: now().plus(days(4)),
        created_at: now(),
    }
}

/// A CA with a key of ours, its first version in its database.
async fn with_key(store: &Store, number: u32, called: &str, change: impl FnOnce(&mut Ca, &mut CaVersion)) -> (Ca, Key) {
    let vault = vault(number, called);
    let key = key(number, &vault, "k");
    let mut ca = ca(number, called);
    ca.key = Some((vault.id.clone(), key.id.clone()));
    let mut version = ca_version(&ca, 1);
    change(&mut ca, &mut version);
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_vault(&vault).await.unwrap();
    tx.insert_key(&key).await.unwrap();
    tx.insert_ca(&ca).await.unwrap();
    tx.insert_ca_version(&version).await.unwrap();
    tx.commit().await.unwrap();
    (ca, key)
}

async fn due(tx: &mut Tx<'_>, at_days: i64) -> usize {
    tx.ocsp_responders_due(now().plus(days(at_days)), None, 10).await.unwrap().len()
}

#[tokio::test]
async fn serials_are_known_by_their_own_ca() {
    let store = fresh().await;
    let (one, _) = with_key(&store, 1, "one", |_, _| {}).await;
    let (other, _) = with_key(&store, 2, "other", |_, _| {}).await;
    let good = issued(1, &one);
    let mut revoked = issued(2, &one);
    revoked.revocation = Some(revocation());
    let known = |number: u8, revocation| KnownSerial {
        serial: Serial::from_bytes(&[0x77, number]).unwrap(),
        expires_at: Some(now().plus(days(30))),
        revocation,
    };
    let brought = [known(1, None), known(2, Some(revocation()))];
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_issued(&[good.clone(), revoked.clone()]).await.unwrap();
    tx.insert_known_serials(&one.id, &brought).await.unwrap();
    tx.commit().await.unwrap();
    let mut read = store.read().await.unwrap();
    for (serial, ca_version, revocation) in [
        (&good.serial, Some(good.ca_version), None),
        (&revoked.serial, Some(revoked.ca_version), revoked.revocation),
        (&brought[0].serial, None, None),
        (&brought[1].serial, None, brought[1].revocation),
    ] {
        let standing = Some(SerialStanding { ca_version, revocation });
        assert_eq!(read.serial_standing(&one.id, serial).await.unwrap(), standing);
        assert_eq!(read.serial_standing(&other.id, serial).await.unwrap(), None);
    }
    let never = Serial::from_bytes(&[0x66]).unwrap();
    assert_eq!(read.serial_standing(&one.id, &never).await.unwrap(), None);
    drop(read);

    // What its old place has revoked since.
    let mut tx = store.begin("t").await.unwrap();
    let ends = tx.revoke_known_serial(&one.id, &brought[0].serial, &revocation()).await.unwrap();
    assert_eq!(ends, brought[0].expires_at);
    assert_eq!(tx.revoke_known_serial(&one.id, &never, &revocation()).await.unwrap(), None);
    tx.commit().await.unwrap();
    let standing = Some(SerialStanding { ca_version: None, revocation: Some(revocation()) });
    let mut read = store.read().await.unwrap();
    let now_known = KnownSerial { revocation: Some(revocation()), ..brought[0].clone() };
    assert_eq!(read.known_serial(&one.id, &brought[0].serial).await.unwrap(), Some(now_known));
    assert_eq!(read.known_serial(&other.id, &brought[0].serial).await.unwrap(), None);
    assert_eq!(read.known_serial(&one.id, &never).await.unwrap(), None);
    assert_eq!(read.serial_standing(&one.id, &brought[0].serial).await.unwrap(), standing);
    assert_eq!(read.serial_standing(&one.id, &never).await.unwrap(), None);
    drop(read);

    // What stands on the lists alone, because an old backup was put back, is revoked, until it is released.
    let lost = |released| RevokedSerial {
        serial: never.clone(),
        expires_at: Some(now().plus(days(30))),
        revocation: revocation(),
        released,
    };
    for (released, standing) in [(false, standing), (true, None)] {
        let mut tx = store.begin("t").await.unwrap();
        tx.note_revocations(&one.id, &[lost(released)], now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut read = store.read().await.unwrap();
        assert_eq!(read.serial_standing(&one.id, &never).await.unwrap(), standing);
        assert_eq!(read.serial_standing(&other.id, &never).await.unwrap(), None);
    }
    // The inventory's own word comes first.
    let mut tx = store.begin("t").await.unwrap();
    let listed = RevokedSerial { serial: good.serial.clone(), ..lost(false) };
    tx.note_revocations(&one.id, &[listed], now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut read = store.read().await.unwrap();
    let standing = Some(SerialStanding { ca_version: Some(good.ca_version), revocation: None });
    assert_eq!(read.serial_standing(&one.id, &good.serial).await.unwrap(), standing);
}

#[tokio::test]
async fn the_newest_responder_that_is_not_revoked_counts() {
    let store = fresh().await;
    let (ca, key) = with_key(&store, 1, "one", |_, _| {}).await;
    let rows = [issued(1, &ca), issued(2, &ca)];
    let (first, second) = (responder(&ca, 1, &rows[0], &key), responder(&ca, 2, &rows[1], &key));
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.ocsp_responder(&ca.id, 1).await.unwrap(), None);
    assert_eq!(tx.latest_ocsp_responder(&ca.id, 1).await.unwrap(), 0);
    assert_eq!(tx.live_leaves(&ca.id, now(), 10).await.unwrap(), 0);
    tx.insert_issued(&rows).await.unwrap();
    assert_eq!(tx.live_leaves(&ca.id, now(), 10).await.unwrap(), 2);
    tx.insert_ocsp_responder(&first).await.unwrap();
    tx.insert_ocsp_responder(&second).await.unwrap();
    assert_eq!(tx.ocsp_responder(&ca.id, 1).await.unwrap(), Some(second.clone()));
    assert_eq!(tx.ocsp_responder(&ca.id, 2).await.unwrap(), None);
    // They are the CA's own and do not keep it from being deleted.
    assert_eq!(tx.live_leaves(&ca.id, now(), 10).await.unwrap(), 0);
    tx.change_revocation(&rows[1].id, None, Some(&revocation())).await.unwrap();
    assert_eq!(tx.ocsp_responder(&ca.id, 1).await.unwrap(), Some(first.clone()));
    assert_eq!(tx.latest_ocsp_responder(&ca.id, 1).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_ocsp_responder(&second).await, Err(conflict("ocsp_responders.number")));
    drop(tx);
    let mut tx = store.begin("t").await.unwrap();
    tx.delete_ocsp_responder(&second).await.unwrap();
    assert_eq!(tx.delete_ocsp_responder(&second).await, Err(stale("ocsp_responders")));
}

#[tokio::test]
async fn responders_are_due_in_the_middle_of_their_life_or_when_revoked() {
    let store = fresh().await;
    let (ca, key) = with_key(&store, 1, "one", |_, _| {}).await;
    let mut others = Vec::new();
    others.push(with_key(&store, 2, "two", |ca, _| ca.state = CaState::Disabled).await);
    with_key(&store, 3, "unasked", |_, _| {}).await;
    others.push(with_key(&store, 4, "off", |ca, _| ca.revocation.ocsp_enabled = false).await);
    others.push(with_key(&store, 5, "itself", |ca, _| ca.revocation.ocsp_responder = OcspResponderKind::Ca).await);
    others.push(with_key(&store, 6, "deleted", |ca, _| ca.state = CaState::Deleted).await);
    let rows = [issued(1, &ca), issued(2, &ca)];
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_issued(&rows).await.unwrap();
    for (number, row) in [1, 2].into_iter().zip(&rows) {
        tx.insert_ocsp_responder(&responder(&ca, number, row, &key)).await.unwrap();
    }
    for (number, (ca, key)) in (11..).zip(&others) {
        let row = issued(number, ca);
        tx.insert_issued(std::slice::from_ref(&row)).await.unwrap();
        tx.insert_ocsp_responder(&responder(ca, 1, &row, key)).await.unwrap();
    }
    assert_eq!((due(&mut tx, 0).await, due(&mut tx, 3).await, due(&mut tx, 4).await), (0, 0, 2));
    let (two, at) = (&others[0].0, now().plus(days(4)));
    let all = tx.ocsp_responders_due(at, None, 10).await.unwrap();
    assert_eq!(all, [(ca.id.clone(), 1), (two.id.clone(), 1)]);
    assert_eq!(tx.ocsp_responders_due(at, Some((&ca.id, 1)), 10).await.unwrap(), [(two.id.clone(), 1)]);
    assert_eq!(tx.ocsp_responders_due(at, None, 1).await.unwrap(), [(ca.id.clone(), 1)]);
    // Both CAs have ended.
    assert_eq!(due(&mut tx, 366).await, 0);
    tx.change_revocation(&rows[1].id, None, Some(&revocation())).await.unwrap();
    assert_eq!(due(&mut tx, 0).await, 0);
    tx.change_revocation(&rows[0].id, None, Some(&revocation())).await.unwrap();
    assert_eq!(tx.ocsp_responders_due(now(), None, 10).await.unwrap(), [(ca.id.clone(), 1)]);
}

#[tokio::test]
async fn responders_retire_at_their_end_or_with_their_ca() {
    let store = fresh().await;
    let (mut ca, key) = with_key(&store, 1, "one", |_, _| {}).await;
    let row = issued(1, &ca);
    let first = responder(&ca, 1, &row, &key);
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_issued(std::slice::from_ref(&row)).await.unwrap();
    tx.insert_ocsp_responder(&first).await.unwrap();
    assert_eq!(tx.ocsp_responders_to_retire(now().plus(days(8)), 10).await.unwrap(), []);
    let later = now().plus(days(8)).plus(certwright_domain::time::Span::from_s(1));
    assert_eq!(tx.ocsp_responders_to_retire(later, 10).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(tx.ocsp_responders_to_retire(later, 0).await.unwrap(), []);
    ca.state = CaState::Deleted;
    tx.update_ca(&ca).await.unwrap();
    assert_eq!(tx.ocsp_responders_to_retire(now(), 10).await.unwrap(), [first]);
}
