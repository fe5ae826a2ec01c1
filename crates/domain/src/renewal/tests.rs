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
        assert_eq!(renew_at(&ninety(), Some(&rule)).to_string(), due, "{interval:?} {advance:?}");
    }
    assert_eq!(renew_at(&ninety(), None).to_string(), "2026-03-02T00:00:00Z");
}

#[test]
fn a_rule_that_does_not_fit_a_shortened_certificate_is_left_out() {
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let nine_days = Validity::new(start, start.plus(Span::from_s(9 * 86_400 - 1))).unwrap();
    let two_thirds = "2026-01-07T00:00:00Z";
    for (interval, advance, due) in [
        (days(60), days(15), two_thirds),
        (days(60), days(1), "2026-01-08T23:59:59Z"),
        (days(5), days(15), "2026-01-06T00:00:00Z"),
    ] {
        let rule = RenewalRule::new(interval, advance, Span::from_days(90)).unwrap();
        assert_eq!(renew_at(&nine_days, Some(&rule)).to_string(), due);
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
        let due = renew_at(&validity, rule.as_ref().ok());
        prop_assert!(validity.not_before() <= due && due <= validity.not_after());
    }
}
