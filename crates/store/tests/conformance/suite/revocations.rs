use super::fresh;
use crate::fixtures::*;
use certwright_domain::crl::{CrlCounters, CrlKind, CrlScope, CrlSeries, Place, RevokedSerial, Shards};
use certwright_domain::id::CaId;
use certwright_domain::revocation::{CrlEntry, EntryKind, Revocation, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_store::{Error, Queries};

fn entry(place: u16, number: u8) -> RevokedSerial {
    let [high, low] = place.to_be_bytes();
    RevokedSerial {
        serial: Serial::from_bytes(&[0x51, number, high, low]).unwrap(),
        expires_at: number.is_multiple_of(2).then(|| now().plus(days(30))),
        revocation: revocation(),
        released: false,
    }
}

const ALL: (u16, u16) = (0, u16::MAX);

fn places(shards: u32, shard: u16) -> (Place, Place) {
    Shards::new(shards).unwrap().places(shard)
}

#[tokio::test]
async fn entries_come_by_place() {
    let store = fresh().await;
    let (one, _) = with_ca(&store).await;
    let other = ca(2, "other");
    let mut entries: Vec<_> =
        [0, 7, 0x7fff, 0x8000, 0xffff].into_iter().flat_map(|place| (0..3).map(move |n| entry(place, n))).collect();
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_ca(&other).await.unwrap();
    // The first serial of two bytes: the place alone.
    entries.insert(0, RevokedSerial { serial: Serial::from_bytes(&[1]).unwrap(), ..entries[0].clone() });
    let mixed: Vec<_> = entries.iter().rev().cloned().collect();
    tx.note_revocations(&one.id, &mixed, now()).await.unwrap();
    tx.note_revocations(&other.id, &[entry(3, 3)], now()).await.unwrap();
    tx.commit().await.unwrap();
    entries.sort_by_key(|entry| (Place::of(&entry.serial), entry.serial.as_bytes().to_vec()));
    let entries: Vec<_> = entries.iter().map(as_listed).collect();

    let mut read = store.read().await.unwrap();
    let whole = places(1, 0);
    assert_eq!((whole.0.number(), whole.1.number()), ALL);
    assert_eq!(listed(&mut *read, &one.id, whole).await, entries);
    let mut halves = Vec::new();
    for shard in [0, 1] {
        halves.push(listed(&mut *read, &one.id, places(2, shard)).await);
    }
    assert_eq!(halves.concat(), entries);
    assert_eq!(halves[1].len(), 6);
    assert_eq!(listed(&mut *read, &other.id, whole).await, [as_listed(&entry(3, 3))]);
}

fn read(page: &certwright_store::ListedEntries) -> Vec<CrlEntry> {
    page.entries().collect::<Result<_, _>>().unwrap()
}

async fn listed(queries: &mut dyn Queries, ca_id: &CaId, places: (Place, Place)) -> Vec<CrlEntry> {
    let mut found = read(&queries.listed(ca_id, places, None).await.unwrap());
    found.sort_by_key(|entry| (Place::of(&entry.serial), entry.serial.as_bytes().to_vec()));
    found
}

fn as_listed(row: &RevokedSerial) -> CrlEntry {
    let kind = EntryKind::Revoked(row.revocation.reason);
    CrlEntry { serial: row.serial.clone(), revoked_at: row.revocation.at, kind }
}

#[tokio::test]
async fn what_a_full_list_carries_is_what_the_rule_says() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let mut rows = Vec::new();
    for (number, reason) in (0..).zip(RevocationReason::ALL) {
        for (place, expires_at) in (0..).zip([None, Some(now().minus(days(1))), Some(now()), Some(now().plus(days(1)))])
        {
            for released in [false, true] {
                let revocation = Revocation { at: now().minus(days(i64::from(number))), reason: *reason };
                let serial = entry(place * 2 + u16::from(released), number).serial;
                rows.push(RevokedSerial { serial, expires_at, revocation, released });
            }
        }
    }
    let mut tx = store.begin("t").await.unwrap();
    tx.note_revocations(&ca.id, &rows, now()).await.unwrap();
    for previous in [None, Some(now().minus(days(2))), Some(now()), Some(now().plus(days(2)))] {
        let mut expected: Vec<_> = rows.iter().filter(|row| row.on_full_list(previous)).map(as_listed).collect();
        expected.sort_by_key(|entry| (Place::of(&entry.serial), entry.serial.as_bytes().to_vec()));
        let mut listed = read(&tx.listed(&ca.id, places(1, 0), previous).await.unwrap());
        listed.sort_by_key(|entry| (Place::of(&entry.serial), entry.serial.as_bytes().to_vec()));
        assert_eq!(listed, expected, "{previous:?}");
    }
}

#[tokio::test]
async fn every_change_is_counted_and_found() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.crl_counters(&ca.id).await.unwrap(), CrlCounters { change: 0, number: 41, orders: 0 });
    tx.note_revocations(&ca.id, &[entry(1, 1), entry(2, 2)], now()).await.unwrap();
    tx.note_revocations(&ca.id, &[entry(3, 3)], now()).await.unwrap();
    let worse =
        RevokedSerial { revocation: Revocation { at: now(), reason: RevocationReason::KeyCompromise }, ..entry(1, 1) };
    tx.note_revocations(&ca.id, std::slice::from_ref(&worse), now()).await.unwrap();
    assert_eq!(tx.crl_counters(&ca.id).await.unwrap().change, 3);
    assert_eq!(tx.revocation(&ca.id, &worse.serial).await.unwrap(), Some(worse.clone()));
    assert_eq!(tx.revocation(&ca.id, &entry(9, 9).serial).await.unwrap(), None);
    assert_eq!(tx.revocations_since(&ca.id, 0, 10).await.unwrap(), [entry(2, 2), entry(3, 3), worse.clone()]);
    assert_eq!(tx.revocations_since(&ca.id, 1, 10).await.unwrap(), [entry(3, 3), worse.clone()]);
    assert_eq!(tx.revocations_since(&ca.id, 1, 1).await.unwrap(), [entry(3, 3)]);
    assert_eq!(tx.revocations_since(&ca.id, 3, 10).await.unwrap(), []);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn thousands_of_entries_are_one_change() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let many: Vec<_> = (0..2_300_u16).map(|number| entry(number, 1)).collect();
    let mut tx = store.begin("t").await.unwrap();
    tx.note_revocations(&ca.id, &many, now()).await.unwrap();
    assert_eq!(tx.crl_counters(&ca.id).await.unwrap().change, 1);
    assert_eq!(tx.revocations_since(&ca.id, 0, 3_000).await.unwrap().len(), many.len());
    assert_eq!(tx.revocations_since(&ca.id, 1, 3_000).await.unwrap(), []);
    tx.commit().await.unwrap();
    // A CA that nobody counts for.
    let nobody = CaId::parse("ca_01JD8XK4M2W7Z3T5V9YQ6B1C0D").unwrap();
    let mut tx = store.begin("t").await.unwrap();
    let refused = tx.note_revocations(&nobody, &[entry(1, 1)], now()).await.unwrap_err();
    assert!(matches!(refused, Error::Corrupt { table: "crl_counters", .. }), "{refused:?}");
}

#[tokio::test]
async fn a_revocation_makes_the_lists_due_that_carry_it() {
    let store = fresh().await;
    let (ca, _) = with_ca(&store).await;
    let later = now().plus(days(3));
    let scope = |shards: u32, shard, kind| CrlScope {
        ca_id: ca.id.clone(),
        ca_version: 1,
        shards: Shards::new(shards).unwrap(),
        shard,
        kind,
    };
    let scopes = [
        scope(1, 0, CrlKind::Full),
        scope(2, 0, CrlKind::Full),
        scope(2, 1, CrlKind::Full),
        scope(2, 1, CrlKind::Delta),
    ];
    let mut tx = store.begin("t").await.unwrap();
    for scope in &scopes {
        tx.begin_crl_series(&CrlSeries { due_at: Some(later), ..CrlSeries::new(scope.clone(), now()) }).await.unwrap();
    }
    let ended = scope(4, 3, CrlKind::Full);
    tx.begin_crl_series(&CrlSeries::new(ended.clone(), now())).await.unwrap();
    tx.end_crl_series(&ended).await.unwrap();
    assert_eq!(tx.due_crl_series(now(), 10).await.unwrap(), []);
    tx.note_revocations(&ca.id, &[entry(0x9000, 1)], now()).await.unwrap();
    let due: Vec<_> = tx.due_crl_series(now(), 10).await.unwrap().into_iter().map(|series| series.scope).collect();
    assert_eq!(due, [scopes[0].clone(), scopes[2].clone(), scopes[3].clone()]);
    let many: Vec<_> = (0..20).map(|number| entry(1, number)).collect();
    tx.note_revocations(&ca.id, &many, now()).await.unwrap();
    assert_eq!(tx.due_crl_series(now(), 10).await.unwrap().len(), 4);
    tx.commit().await.unwrap();
}
