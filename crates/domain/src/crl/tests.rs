#![expect(clippy::arithmetic_side_effects, reason = "tests")]

use super::*;
use crate::revocation::RevocationReason;
use proptest::prelude::*;

fn at(s: i64) -> Timestamp {
    Timestamp::from_unix_s(s)
}

#[test]
fn a_place_is_the_last_two_bytes() {
    for (serial, place) in [("01", 1), ("ff", 0xff), ("0100", 0x100), ("7fffffabcd", 0xabcd), ("010000", 0)] {
        assert_eq!(Place::of(&Serial::parse(serial).unwrap()).number(), place, "{serial}");
    }
}

#[test]
fn ranges_of_places_end_where_they_should() {
    let place = Place;
    assert_eq!(place(10).last_of(5, place(100)), place(14));
    assert_eq!(place(10).last_of(500, place(100)), place(100));
    assert_eq!(place(10).last_of(0, place(100)), place(10), "never nothing");
    assert_eq!(place(65_530).last_of(100, place(u16::MAX)), place(u16::MAX));
    assert_eq!((place(1).next(), place(u16::MAX).next()), (Some(place(2)), None));
}

#[test]
fn shards_have_bounds() {
    for number in [0, 1025, u32::MAX] {
        assert_eq!(Shards::new(number).unwrap_err().code, "invalid_shards");
    }
    assert_eq!(Shards::new(1).unwrap(), Shards::ONE);
}

proptest! {
    #[test]
    fn every_place_falls_into_the_shard_that_names_it(shards in 1_u32..=1024, place: u16) {
        let shards = Shards::new(shards).unwrap();
        let place = Place(place);
        let shard = shards.shard_of(place);
        prop_assert!(shard < shards.number());
        let (first, last) = shards.places(shard);
        prop_assert!(first <= place && place <= last);
        prop_assert_eq!(shards.shard_of(first), shard);
        prop_assert_eq!(shards.shard_of(last), shard);
    }

    #[test]
    fn shards_leave_no_gap(shards in 1_u32..=1024) {
        let shards = Shards::new(shards).unwrap();
        let mut next = 0_u32;
        for shard in 0..shards.number() {
            let (first, last) = shards.places(shard);
            prop_assert_eq!(u32::from(first.number()), next);
            next = u32::from(last.number()) + 1;
        }
        prop_assert_eq!(next, 65_536);
    }

    /// Row F22: whatever happens when, an entry leaves no list before one was issued after its certificate's expiry.
    #[test]
    fn an_entry_stays_until_one_list_after_expiry(
        revoked in 0_i64..1_000,
        lives in 0_i64..1_000,
        pauses in prop::collection::vec(1_i64..400, 1..40),
    ) {
        let row = RevokedSerial {
            serial: Serial::parse("01").unwrap(),
            expires_at: Some(at(revoked + lives)),
            revocation: Revocation { at: at(revoked), reason: RevocationReason::Superseded },
            released: false,
        };
        let (mut now, mut previous, mut after_expiry) = (revoked, None, 0);
        for pause in pauses {
            now += pause;
            let listed = row.on_full_list(previous);
            if now > revoked + lives {
                after_expiry += 1;
                prop_assert_eq!(listed, after_expiry == 1, "the first list after expiry has it, the next has not");
            } else {
                prop_assert!(listed);
            }
            previous = Some(at(now));
        }
    }

    #[test]
    fn a_successor_is_due_before_half_of_the_life(now in 0_i64..1_000_000, life in 600_i64..10_000_000, pause in 0_i64..100_000_000) {
        for stale in [false, true] {
            let plan = next_schedule(at(now), at(now), Span::from_s(life), Span::from_s(pause), stale);
            prop_assert!(plan.due_at < plan.overdue_at);
            prop_assert!(plan.earliest_at <= plan.due_at);
            prop_assert!(plan.overdue_at.ms_since(at(now)) <= life * 500);
        }
    }
}

#[test]
fn what_was_revoked_meanwhile_waits_for_the_pause() {
    let (life, pause) = (Span::from_days(7), Span::from_s(5));
    assert_eq!(next_schedule(at(100), at(90), life, pause, true).due_at, at(105));
    assert_eq!(next_schedule(at(100), at(90), life, pause, false).due_at, at(90 + 7 * 86_400 * 2 / 5));
}

#[test]
fn released_entries_leave_full_lists() {
    let row = RevokedSerial {
        serial: Serial::parse("01").unwrap(),
        expires_at: None,
        revocation: Revocation { at: at(1), reason: RevocationReason::Unspecified },
        released: false,
    };
    assert!(row.on_full_list(Some(at(1_000_000))), "a certificate of unknown expiry stays");
    assert!(!RevokedSerial { released: true, ..row }.on_full_list(None));
}

#[test]
fn a_list_never_goes_back_in_time() {
    let second = Timestamp::from_unix_ms(1_000_900);
    assert_eq!(this_update(second, None, false), Ok(at(1_000)));
    assert_eq!(this_update(second, Some(at(1_000)), false), Ok(at(1_000)));
    assert_eq!(this_update(second, Some(at(1_200)), false), Ok(at(1_200)), "another node's clock is ahead");
    let behind = ClockBehind { now: at(1_000), previous: at(90_000) };
    assert_eq!(this_update(second, Some(at(90_000)), false), Err(behind));
    assert_eq!(this_update(second, Some(at(90_000)), true), Ok(at(1_000)), "an operator says so");
}

#[test]
fn pauses_after_failures_grow_to_ten_minutes() {
    let seconds: Vec<i64> = [1, 2, 3, 8, 100].into_iter().map(|failures| retry_after(failures).s()).collect();
    assert_eq!(seconds, [5, 10, 20, 600, 600]);
}

#[test]
fn series_have_addresses_of_their_own() {
    let scope = |shards, shard, kind| CrlScope {
        ca_id: CaId::new(at(0), [0; 10]),
        ca_version: 1,
        shards: Shards::new(shards).unwrap(),
        shard,
        kind,
    };
    assert_eq!(scope(1, 0, CrlKind::Full).leaf(), "crl");
    assert_eq!(scope(1, 0, CrlKind::Delta).leaf(), "delta.crl");
    assert_eq!(scope(16, 3, CrlKind::Full).leaf(), "crl/16/3");
    assert_eq!(scope(16, 3, CrlKind::Delta).leaf(), "delta.crl/16/3");
}
