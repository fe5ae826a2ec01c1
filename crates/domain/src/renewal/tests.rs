//! When a certificate is due.

use super::*;
use proptest::prelude::*;

fn days(n: i64) -> Option<Span> {
    Some(Span::from_days(n))
}

fn ninety() -> Validity {
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    Validity::new(start, start.plus(Span::from_s(90 * 86_400 - 1))).unwrap()
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let lifetime = Span::from_days(90);
    for (interval, advance, fine) in [
        (None, None, false),
        (days(60), days(15), true),
        (days(60), None, true),
        (None, days(15), true),
        (days(90), None, false),
        (None, days(90), false),
        (Some(Span::from_s(299)), None, false),
        (Some(Span::from_s(300)), None, true),
        (days(60), days(100), false),
    ] {
        assert_eq!(RenewalRule::new(interval, advance, lifetime).is_ok(), fine, "{interval:?} {advance:?}");
    }
}

#[test]
fn the_earlier_of_both_counts() {
    for (interval, advance, due) in [
        (days(60), days(15), "2026-03-02T00:00:00Z"),
        (days(80), days(15), "2026-03-16T23:59:59Z"),
        (days(60), None, "2026-03-02T00:00:00Z"),
        (None, days(15), "2026-03-16T23:59:59Z"),
    ] {
        let rule = RenewalRule::new(interval, advance, Span::from_days(90)).unwrap();
        assert_eq!(due_by_rule(&ninety(), Some(&rule)).to_string(), due, "{interval:?} {advance:?}");
    }
    assert_eq!(due_by_rule(&ninety(), None).to_string(), "2026-03-02T00:00:00Z");
}

#[test]
fn a_rule_that_does_not_fit_a_shortened_certificate_is_left_out() {
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let nine_days = Validity::new(start, start.plus(Span::from_s(9 * 86_400 - 1))).unwrap();
    let half = "2026-01-05T12:00:00Z";
    for (interval, advance, due) in [
        (days(60), days(15), half),
        (days(60), days(1), "2026-01-08T23:59:59Z"),
        (days(5), days(15), "2026-01-06T00:00:00Z"),
    ] {
        let rule = RenewalRule::new(interval, advance, Span::from_days(90)).unwrap();
        assert_eq!(due_by_rule(&nine_days, Some(&rule)).to_string(), due);
    }
}

#[test]
fn i3_without_a_rule_two_thirds_of_the_lifetime_count_and_half_of_a_short_one() {
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    for (days, due) in [(90, "2026-03-02T00:00:00Z"), (15, "2026-01-11T00:00:00Z"), (6, "2026-01-04T00:00:00Z")] {
        let validity = Validity::new(start, start.plus(Span::from_s(days * 86_400 - 1))).unwrap();
        assert_eq!(due_by_rule(&validity, None).to_string(), due, "{days}");
    }
    // Ten days are no short life any more, a second less is one.
    for (seconds, share) in [(864_000, 576_000), (863_999, 431_999)] {
        let validity = Validity::new(start, start.plus(Span::from_s(seconds - 1))).unwrap();
        assert_eq!(due_by_rule(&validity, None), start.plus(Span::from_s(share)), "{seconds}");
    }
}

proptest! {
    #[test]
    fn due_within_the_validity(
        start in 0..4_000_000_000_i64,
        seconds in 0..400_000_000_i64,
        lifetime in 300_001..400_000_000_000_i64,
        interval in proptest::option::of(0..400_000_000_000_i64),
        advance in proptest::option::of(0..400_000_000_000_i64),
    ) {
        let start = Timestamp::from_unix_s(start);
        let validity = Validity::new(start, start.plus(Span::from_s(seconds))).unwrap();
        let rule = RenewalRule::new(interval.map(Span::from_ms), advance.map(Span::from_ms), Span::from_ms(lifetime));
        let due = due_by_rule(&validity, rule.as_ref().ok());
        prop_assert!(validity.not_before() <= due && due <= validity.not_after());
    }
}

fn serial(last: [u8; 4]) -> Serial {
    let mut bytes = [1; 20];
    bytes[16..].copy_from_slice(&last);
    Serial::from_bytes(&bytes).unwrap()
}

#[test]
fn the_spread_is_small_late_and_decided_by_the_serial() {
    let rule = RenewalRule::new(days(60), days(15), Span::from_days(90)).unwrap();
    let due = due_by_rule(&ninety(), Some(&rule));
    let spread = |last| renew_at(&ninety(), Some(&rule), &serial(last), None).ms_since(due);
    assert_eq!(spread([0; 4]), 0);
    // A hundredth of ninety days: 21 hours 36 minutes.
    let hundredth = 90 * 86_400 * 10;
    assert_eq!(spread([0, 0, 0, 0x80]), hundredth / 2);
    assert!((hundredth - 1000..hundredth).contains(&spread([0xff; 4])));
    // A tenth of what is left, where that is less.
    let late = RenewalRule::new(None, Some(Span::from_hours(1)), Span::from_days(90)).unwrap();
    let due = due_by_rule(&ninety(), Some(&late));
    let most = renew_at(&ninety(), Some(&late), &serial([0xff; 4]), None).ms_since(due);
    assert!((359_000..360_000).contains(&most), "{most}");
}

proptest! {
    #[test]
    fn never_before_the_rules_time_and_never_after_the_end(
        seconds in 1_i64..400 * 86_400, interval in 300_i64..400 * 86_400, advance in 0_i64..400 * 86_400, last: [u8; 4]
    ) {
        let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let validity = Validity::new(start, start.plus(Span::from_s(seconds.saturating_sub(1)))).unwrap();
        let rule = RenewalRule::new(Some(Span::from_s(interval)), Some(Span::from_s(advance)), Span::from_days(500));
        let rule = rule.ok();
        let (due, at) = (due_by_rule(&validity, rule.as_ref()), renew_at(&validity, rule.as_ref(), &serial(last), None));
        prop_assert!(due <= at && at <= validity.not_after());
    }
}

#[test]
fn i6_a_call_to_renew_early_makes_nothing_later() {
    let rule = RenewalRule::new(days(60), None, Span::from_days(90)).unwrap();
    let serial = Serial::from_bytes(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let usual = renew_at(&ninety(), Some(&rule), &serial, None);
    for (moved, expected) in [(-1, -1), (0, 0), (1, 0)] {
        let moved = usual.plus(Span::from_days(moved));
        assert_eq!(renew_at(&ninety(), Some(&rule), &serial, Some(moved)), usual.plus(Span::from_days(expected)));
    }
}

#[test]
fn i6_the_terms_of_a_call_are_bounded() {
    let now = ninety().not_before();
    let judge = |raw| EarlyRenewalTerms::judge(raw, now);
    let plain = judge(RawEarlyRenewal::default()).unwrap();
    assert_eq!((plain.from, plain.spread, plain.issued_before), (now, Span::from_days(1), now));
    // What begins in the past begins now: nobody renews in a time that is over.
    let past = RawEarlyRenewal { from: Some(now.minus(Span::from_days(9))), ..RawEarlyRenewal::default() };
    assert_eq!(judge(past).unwrap().from, now);
    let at = |span| Some(now.plus(span));
    for (from, spread, issued_before, faults) in [
        (at(Span::from_days(365)), days(365), None, vec![]),
        (at(Span::from_days(366)), days(366), at(Span::from_ms(1)), vec!["/from", "/within", "/issuedBefore"]),
        (None, Some(Span::from_ms(0)), at(Span::from_ms(0)), vec![]),
    ] {
        let raw = RawEarlyRenewal { from, spread, issued_before, ..RawEarlyRenewal::default() };
        let found: Vec<String> = judge(raw).err().unwrap_or_default().into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(found, faults);
    }
    let reason = RawEarlyRenewal { reason: "x".repeat(2_000), ..RawEarlyRenewal::default() };
    assert_eq!(judge(reason).unwrap_err().first().unwrap().0, "/reason");
}
