//! Whatever is done to a row of a trail is found, and the right row is named.

use super::chain::Head;
use super::checkpoint::{Before, Checkpoint};
use super::verify::{Crypto, Fault, FaultKind, Verifier};
use super::*;
use proptest::prelude::*;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// No cryptography in this crate: a hash that is good enough to tell texts apart.
struct Toy;

fn toy(bytes: &[u8]) -> Sha256 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    Sha256(hash)
}

impl Crypto for Toy {
    fn sha256(&self, bytes: &[u8]) -> Sha256 {
        toy(bytes)
    }
    fn is_signed(&self, _: u32, message: &[u8], signature: &[u8]) -> bool {
        toy(message).0 == signature
    }
}

fn trail(count: u8) -> (Vec<StoredAuditEvent>, Head) {
    let mut head = Head::new("01");
    let rows = (0..count)
        .map(|number| {
            let at = Timestamp::from_unix_s(i64::from(number));
            let event = AuditEvent {
                id: AuditId::new(at, [number; 10]),
                at,
                actor: "token:a".into(),
                actor_name: "ci".into(),
                action: "certificate.issue",
                target_kind: "ca",
                target_id: "ca_1".into(),
                target_name: "issuing".into(),
                request_id: format!("r{number}"),
                door: "token",
                address: Some("192.0.2.1".parse().unwrap()),
                decided_by: "rule".into(),
                outcome: Outcome::Succeeded,
                details: "{}".into(),
            };
            let link = head.append(&event, toy);
            StoredAuditEvent {
                id: event.id,
                at,
                actor: event.actor,
                actor_name: event.actor_name,
                action: event.action.into(),
                target_kind: event.target_kind.into(),
                target_id: event.target_id,
                target_name: event.target_name,
                request_id: event.request_id,
                door: event.door.into(),
                address: "192.0.2.1".into(),
                decided_by: event.decided_by,
                outcome: "SUCCEEDED".into(),
                details: event.details,
                chain: "01".into(),
                sequence: link.sequence,
                previous_hash: Some(link.previous),
                hash: Some(link.hash),
            }
        })
        .collect();
    (rows, head)
}

fn faults(rows: &[StoredAuditEvent], head: &Head) -> Vec<Fault> {
    let mut verifier = Verifier::new(&Toy);
    for row in rows {
        let _ = verifier.event(row);
    }
    verifier.end(head);
    verifier.faults(true)
}

/// Changes one field.
fn change(row: &mut StoredAuditEvent, field: usize) {
    let texts = [
        &mut row.actor,
        &mut row.actor_name,
        &mut row.action,
        &mut row.target_kind,
        &mut row.target_id,
        &mut row.target_name,
        &mut row.request_id,
        &mut row.door,
        &mut row.address,
        &mut row.decided_by,
        &mut row.outcome,
        &mut row.details,
    ];
    match texts.into_iter().nth(field) {
        Some(text) => text.push('x'),
        None if field == 12 => row.at = row.at.plus(crate::time::Span::from_ms(1)),
        None if field == 13 => row.hash = Some(toy(b"x")),
        None if field == 14 => row.previous_hash = Some(toy(b"x")),
        None => row.id = AuditId::new(row.at, [255; 10]),
    }
}

proptest! {
    #[test]
    fn any_field_of_any_row(count in 1..20_u8, place in any::<proptest::sample::Index>(), field in 0..16_usize) {
        let (mut rows, head) = trail(count);
        prop_assert_eq!(faults(&rows, &head), vec![]);
        let place = place.index(rows.len());
        change(&mut rows[place], field);
        let found = faults(&rows, &head);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].kind, FaultKind::Modified);
        prop_assert_eq!(found[0].event.as_deref(), Some(rows[place].id.as_str()));
    }

    #[test]
    fn rows_that_are_dropped_swapped_or_cut_off(count in 2..20_u8, place in any::<proptest::sample::Index>()) {
        let (rows, head) = trail(count);
        let place = place.index(rows.len().saturating_sub(1));
        let mut dropped = rows.clone();
        dropped.remove(place);
        let found = faults(&dropped, &head).remove(0);
        prop_assert_eq!((found.kind, found.sequence), (FaultKind::Missing, rows[place].sequence));
        let mut swapped = rows.clone();
        swapped.swap(place, place.saturating_add(1));
        let found = faults(&swapped, &head).remove(0);
        prop_assert_eq!((found.kind, found.event.as_deref()), (FaultKind::Reordered, Some(rows[place].id.as_str())));
        let found = faults(&rows[..=place], &head).remove(0);
        prop_assert_eq!((found.kind, found.sequence), (FaultKind::Truncated, rows[place].sequence.saturating_add(1)));
    }
}

/// Whoever can write a row can make its hash anew, too: the row behind it tells, and behind the last one the head.
#[test]
fn a_row_that_was_made_anew_with_its_hash_is_told_by_the_next() {
    let (rows, head) = trail(5);
    let forged = |place: usize| {
        let mut rows = rows.clone();
        rows[place].actor.push('x');
        rows[place].hash = Some(chain::hash_of(&rows[place], toy));
        faults(&rows, &head).remove(0)
    };
    for place in 0..4 {
        let found = forged(place);
        assert_eq!((found.kind, found.sequence), (FaultKind::Reordered, rows[place + 1].sequence), "{found:?}");
    }
    assert_eq!(forged(4).sequence, rows[4].sequence);
}

#[test]
fn a_checkpoint_knows_what_a_head_was_made_to_forget() {
    let (rows, head) = trail(5);
    let statement = Checkpoint {
        number: 1,
        at: Timestamp::from_unix_s(1),
        previous: Sha256([0; 32]),
        key: 1,
        before: Before::default(),
        heads: vec![head],
    }
    .statement();
    let signature = toy(statement.as_bytes()).0.to_vec();
    let mut stored = checkpoint::StoredCheckpoint { number: 1, statement, signature };
    let short = Head { chain: "01".into(), sequence: 3, hash: rows[2].hash.unwrap() };
    let judge = |stored: &checkpoint::StoredCheckpoint| {
        let mut verifier = Verifier::new(&Toy);
        verifier.checkpoint(stored);
        rows[..3].iter().for_each(|row| assert!(verifier.event(row)));
        verifier.end(&short);
        verifier.faults(true).remove(0)
    };
    assert_eq!((judge(&stored).kind, judge(&stored).sequence), (FaultKind::Truncated, 4));
    stored.statement = stored.statement.replace(" 5 ", " 3 ");
    assert_eq!(judge(&stored).kind, FaultKind::ForgedCheckpoint);
}

#[test]
fn of_many_checkpoints_only_what_is_needed_is_remembered() {
    let (rows, _) = trail(200);
    let (mut previous, mut checkpoints) = (chain::GENESIS, Vec::new());
    for (number, row) in (1..).zip(&rows) {
        let head = Head { chain: "01".into(), sequence: row.sequence, hash: row.hash.unwrap() };
        let (at, before) = (Timestamp::from_unix_s(number), Before::default());
        let statement = Checkpoint { number, at, previous, key: 1, before, heads: vec![head] }.statement();
        previous = toy(statement.as_bytes());
        let signature = toy(statement.as_bytes()).0.to_vec();
        checkpoints.push(checkpoint::StoredCheckpoint { number, statement, signature });
    }
    let begun = || {
        let mut verifier = Verifier::new(&Toy);
        verifier.tell_only([("01".to_owned(), 50..=60)].into());
        checkpoints.iter().for_each(|checkpoint| verifier.checkpoint(checkpoint));
        assert_eq!(verifier.remembered(), 12, "eleven rows and the first behind them");
        verifier.resume(Head { chain: "01".into(), sequence: 49, hash: rows[48].hash.unwrap() });
        verifier
    };
    let mut fine = begun();
    rows[49..60].iter().for_each(|row| assert!(fine.event(row)));
    assert_eq!(fine.faults(false), []);
    assert_eq!(fine.last_checkpoint().map(|checkpoint| checkpoint.number), Some(200));
    // Whoever can write hashes anew cannot write checkpoints.
    let mut forged = begun();
    let mut row = rows[54].clone();
    row.actor.push('x');
    row.hash = Some(chain::hash_of(&row, toy));
    rows[49..54].iter().for_each(|row| assert!(forged.event(row)));
    assert!(!forged.event(&row));
    let found = forged.faults(false).remove(0);
    assert_eq!((found.kind, found.sequence), (FaultKind::Modified, 55));
    let mut cut = begun();
    rows[49..60].iter().for_each(|row| assert!(cut.event(row)));
    cut.end(&Head { chain: "01".into(), sequence: 60, hash: rows[59].hash.unwrap() });
    let found = cut.faults(true).remove(0);
    assert_eq!((found.kind, found.sequence), (FaultKind::Truncated, 61));
}
