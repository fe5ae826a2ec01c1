//! Times and durations as people write them.

use super::*;
use proptest::prelude::*;

#[test]
fn times() {
    for (text, shown) in [
        ("2026-12-31T00:00:00Z", "2026-12-31T00:00:00Z"),
        ("2026-12-31t00:00:00z", "2026-12-31T00:00:00Z"),
        ("2026-12-31T09:00:00+09:00", "2026-12-31T00:00:00Z"),
        ("2026-12-31T00:00:00.123456789Z", "2026-12-31T00:00:00.123Z"),
        ("2026-12-31T00:00:00.1Z", "2026-12-31T00:00:00.100Z"),
        ("1950-01-01T00:00:00Z", "1950-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
    ] {
        assert_eq!(Timestamp::parse(text).map(|at| at.to_string()).as_deref(), Ok(shown), "{text}");
    }
    for text in [
        "",
        "now",
        "2026-12-31",
        "2026-12-31T00:00:00",
        "2026-12-31 00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-12-31T24:00:00Z",
        "2026-12-31T00:00:00.Z",
        "2026-12-31T00:00:00.1234567890Z",
        "1949-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "-2026-12-31T00:00:00Z",
        "1798675200",
        " 2026-12-31T00:00:00Z",
    ] {
        assert!(Timestamp::parse(text).is_err(), "{text}");
    }
}

#[test]
fn instants_stop_at_their_bounds() {
    assert_eq!(Timestamp::from_unix_ms(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    assert_eq!(Timestamp::from_unix_s(i64::MIN).to_string(), "1950-01-01T00:00:00Z");
    assert_eq!(Timestamp::from_unix_s(0).minus(Span::from_days(i64::MAX)).to_string(), "1950-01-01T00:00:00Z");
    assert_eq!(Timestamp::from_unix_ms(-1).floor_to_second().unix_ms(), -1000);
}

#[test]
fn durations() {
    for (text, seconds, shown) in [
        ("P90D", 7_776_000, "P90D"),
        ("90d", 7_776_000, "P90D"),
        ("90D", 7_776_000, "P90D"),
        ("PT12H", 43_200, "PT12H"),
        ("12h", 43_200, "PT12H"),
        ("30m", 1_800, "PT30M"),
        ("PT30M", 1_800, "PT30M"),
        ("45s", 45, "PT45S"),
        ("PT24H", 86_400, "P1D"),
        ("P2W", 1_209_600, "P14D"),
        ("P1DT12H30M5S", 131_405, "P1DT12H30M5S"),
        ("PT90M", 5_400, "PT1H30M"),
        ("P0D", 0, "PT0S"),
        ("PT0S", 0, "PT0S"),
        ("P3650000D", 315_360_000_000, "P3650000D"),
    ] {
        let span = Span::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((span.s(), span.to_string().as_str()), (seconds, shown), "{text}");
    }
    for text in [
        "",
        "P",
        "PT",
        "P1DT",
        "1",
        "90",
        "d",
        "-P1D",
        "-1d",
        "+1d",
        "P1Y",
        "P1M",
        "1y",
        "1w",
        "P1D1D",
        "PT1H1D",
        "PT1M1H",
        "1d12h",
        "P1.5D",
        "PT1,5H",
        "1 d",
        "p1d",
        "P1DT12H ",
        "P١D",
        "P3650001D",
        "99999999999999999999d",
        "PT1T1H",
        "T1H",
    ] {
        assert!(Span::parse(text).is_err(), "{text}");
    }
}

#[test]
fn in_words() {
    for (span, words) in [
        (Span::from_days(90), "90 days"),
        (Span::from_ms(7_839_114_782), "90 days 17 hours 31 minutes 54 seconds"),
        (Span::from_s(90_061), "1 day 1 hour 1 minute 1 second"),
        (Span::ZERO, "0 seconds"),
    ] {
        assert_eq!(span.in_words(), words);
    }
}

proptest! {
    #[test]
    fn instants_read_as_they_are_shown(ms in MIN_MS..=MAX_MS) {
        let at = Timestamp::from_unix_ms(ms);
        prop_assert_eq!(Timestamp::parse(&at.to_string()), Ok(at));
        prop_assert!(at.floor_to_second() <= at && at.ms_since(at.floor_to_second()) < 1000);
    }

    #[test]
    fn instants_are_shown_as_the_formatter_would(ms in MIN_MS..=MAX_MS) {
        let (at, shown) = (Timestamp::from_unix_ms(ms).to_utc(), Timestamp::from_unix_ms(ms).to_string());
        prop_assert_eq!(at.unix_timestamp_nanos(), i128::from(ms).saturating_mul(1_000_000));
        let (date, ms) = (format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day()), at.millisecond());
        let time = format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
        let fraction = if ms == 0 { String::new() } else { format!(".{ms:03}") };
        prop_assert_eq!(shown, format!("{date}T{time}{fraction}Z"));
    }

    #[test]
    fn spans_read_as_they_are_shown(seconds in 0..=Span::MAX_MS / 1000) {
        let span = Span::from_s(seconds);
        prop_assert_eq!(Span::parse(&span.to_string()), Ok(span));
    }

    #[test]
    fn odd_text_never_panics(text in ".{0,30}") {
        let _ = (Span::parse(&text), Timestamp::parse(&text));
    }

    #[test]
    fn there_and_back(ms in 0..=MAX_MS / 2, span in 0..=MAX_MS / 4) {
        let (at, span) = (Timestamp::from_unix_ms(ms), Span::from_ms(span));
        prop_assert_eq!(at.plus(span).minus(span), at);
        prop_assert_eq!(at.plus(span).ms_since(at), span.ms());
    }
}
