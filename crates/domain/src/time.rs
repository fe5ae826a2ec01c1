//! Instants and spans. Instants are milliseconds since 1970-01-01T00:00:00Z; certificates use whole seconds of them.

use crate::violation::Invalid;
use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use std::fmt;

/// An instant, in milliseconds since the Unix epoch, between the years 1950 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// 9999-12-31T23:59:59.999Z, the last instant X.509 can write (RFC 5280 section 4.1.2.5).
const MAX_MS: i64 = 253_402_300_799_999;
/// 1950-01-01T00:00:00Z, the first instant UTCTime can write.
const MIN_MS: i64 = -631_152_000_000;

impl Timestamp {
    /// From milliseconds since the epoch; values outside the years 1950 to 9999 are moved to the nearest bound.
    pub fn from_unix_ms(ms: i64) -> Self {
        Self(ms.clamp(MIN_MS, MAX_MS))
    }

    /// From whole seconds since the epoch.
    pub fn from_unix_s(s: i64) -> Self {
        Self::from_unix_ms(s.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub fn unix_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn unix_s(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The same instant without its fraction of a second.
    pub fn floor_to_second(self) -> Self {
        Self::from_unix_s(self.unix_s())
    }

    /// Later by `span`, stopping at the year 9999.
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self::from_unix_ms(self.0.saturating_add(span.0))
    }

    /// Earlier by `span`, stopping at the year 1950.
    #[must_use]
    pub fn minus(self, span: Span) -> Self {
        Self::from_unix_ms(self.0.saturating_sub(span.0))
    }

    /// The span from `earlier` to this instant, in milliseconds; negative when `earlier` is later.
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads RFC 3339 with 0 to 9 fractional digits and any offset.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(
                "invalid_time",
                format!("`{}` is not a time.", text.escape_debug()),
                "Write RFC 3339, for example `2026-12-31T00:00:00Z`.",
            )
        };
        // The parser takes any number of fractional digits and a blank in place of the `T`; we do not.
        let digits = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
        if text.len() > 40 || digits > 9 || !matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
            return Err(wrong());
        }
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong())?;
        let ms = i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|_| wrong())?;
        if !(MIN_MS..=MAX_MS).contains(&ms) {
            return Err(wrong());
        }
        Ok(Self(ms))
    }

    /// As a calendar time in UTC.
    pub fn to_utc(self) -> OffsetDateTime {
        // Neither can fail: the constructor keeps the value between 1950 and 9999, and a remainder of 1000 is below 1000.
        let ms = u16::try_from(self.0.rem_euclid(1000)).unwrap_or(0);
        OffsetDateTime::from_unix_timestamp(self.unix_s())
            .and_then(|at| at.replace_millisecond(ms))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, without a fraction when it is zero, else with three digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digit by digit: formatting these numbers was more than a hundredth of the server's time on the issuing path.
        let at = self.to_utc();
        let small = |part: i32| u8::try_from(part).unwrap_or(0);
        let ms = i32::from(at.millisecond());
        let [[y1, y2], [y3, y4]] = [at.year() / 100, at.year() % 100].map(|part| two_digits(small(part)));
        let [[m1, m2], [d1, d2]] = [u8::from(at.month()), at.day()].map(two_digits);
        let [[h1, h2], [n1, n2], [s1, s2]] = [at.hour(), at.minute(), at.second()].map(two_digits);
        let (f1, [f2, f3]) = (digit(small(ms / 100)), two_digits(small(ms % 100)));
        let exact = [
            y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', f1, f2, f3,
            b'Z',
        ];
        let whole = [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'Z'];
        f.write_str(std::str::from_utf8(if ms == 0 { &whole } else { &exact }).unwrap_or_default())
    }
}

/// The last decimal digit of a number, as a character.
fn digit(number: u8) -> u8 {
    b'0' | (number % 10)
}

/// A number below 100, in two digits.
fn two_digits(number: u8) -> [u8; 2] {
    [digit(number / 10), digit(number)]
}

/// A span of time, in milliseconds, never negative, at most 10,000 years.
/// Written as an ISO 8601 duration of days, hours, minutes and seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span(i64);

impl Span {
    const MAX_MS: i64 = 315_360_000_000_000;
    /// The empty span.
    pub const ZERO: Self = Self(0);

    /// From milliseconds; negative values become zero.
    pub const fn from_ms(ms: i64) -> Self {
        if ms < 0 {
            Self(0)
        } else if ms > Self::MAX_MS {
            Self(Self::MAX_MS)
        } else {
            Self(ms)
        }
    }

    /// From whole seconds.
    pub const fn from_s(s: i64) -> Self {
        Self::from_ms(s.saturating_mul(1000))
    }

    /// From whole minutes.
    pub const fn from_minutes(m: i64) -> Self {
        Self::from_s(m.saturating_mul(60))
    }

    /// From whole hours.
    pub const fn from_hours(h: i64) -> Self {
        Self::from_minutes(h.saturating_mul(60))
    }

    /// From days of 24 hours.
    pub const fn from_days(d: i64) -> Self {
        Self::from_hours(d.saturating_mul(24))
    }

    /// Milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down.
    pub const fn s(self) -> i64 {
        self.0 / 1000
    }

    /// Reads ISO 8601 (`P90D`, `PT12H`, `P1DT12H`, `P2W`) or the short forms `90d`, `12h`, `30m`, `45s`.
    /// Years and months are refused: their length is not fixed.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |hint: &str| {
            Invalid::new("invalid_duration", format!("`{}` is not a duration.", text.escape_debug()), hint)
        };
        const HINT: &str = "Write ISO 8601 such as `P90D`, `PT12H` or `PT30M`, or short `90d`, `12h`, `30m`.";
        if text.is_empty() || text.len() > 64 || !text.is_ascii() {
            return Err(wrong(HINT));
        }
        if text.starts_with('-') {
            return Err(wrong("A duration cannot be negative."));
        }
        let (body, iso) = match text.strip_prefix('P') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let mut total: i64 = 0;
        let mut digits: Option<i64> = None;
        let mut in_time = false;
        let mut last_rank = 0_u8;
        let mut parts = 0_u8;
        for symbol in body.chars() {
            if let Some(digit) = symbol.to_digit(10) {
                let so_far = digits.unwrap_or(0);
                digits = Some(
                    so_far.checked_mul(10).and_then(|n| n.checked_add(i64::from(digit))).ok_or_else(|| wrong(HINT))?,
                );
                continue;
            }
            if iso && symbol == 'T' && !in_time && digits.is_none() {
                in_time = true;
                continue;
            }
            let unit = if iso { symbol } else { symbol.to_ascii_uppercase() };
            let (rank, seconds) = match (unit, iso, in_time) {
                ('Y', ..) => return Err(wrong("Years have no fixed length; write days, for example `P365D`.")),
                ('M', true, false) => {
                    return Err(wrong("Months have no fixed length; write days (`P30D`), or minutes as `PT30M`."));
                }
                ('W', true, false) => (1, 604_800),
                ('D', true, false) | ('D', false, _) => (2, 86_400),
                ('H', true, true) | ('H', false, _) => (3, 3_600),
                ('M', true, true) | ('M', false, _) => (4, 60),
                ('S', true, true) | ('S', false, _) => (5, 1),
                _ => return Err(wrong(HINT)),
            };
            let count = digits.take().ok_or_else(|| wrong(HINT))?;
            if rank <= last_rank || (!iso && parts > 0) {
                return Err(wrong(HINT));
            }
            last_rank = rank;
            parts = parts.saturating_add(1);
            total = count
                .checked_mul(seconds)
                .and_then(|s| s.checked_mul(1000))
                .and_then(|ms| total.checked_add(ms))
                .filter(|ms| *ms <= Self::MAX_MS)
                .ok_or_else(|| wrong("The longest duration is 3,650,000 days."))?;
        }
        if digits.is_some() || parts == 0 || (in_time && last_rank < 3) {
            return Err(wrong(HINT));
        }
        Ok(Self(total))
    }

    /// In words, for people: `90 days`, `90 days 17 hours`.
    pub fn in_words(self) -> String {
        let mut rest = self.s();
        let mut words = Vec::new();
        for (unit, seconds) in [("day", 86_400_i64), ("hour", 3_600), ("minute", 60), ("second", 1)] {
            let count = rest.div_euclid(seconds);
            rest = rest.rem_euclid(seconds);
            if count > 0 {
                words.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
            }
        }
        if words.is_empty() { "0 seconds".to_owned() } else { words.join(" ") }
    }
}

impl fmt::Display for Span {
    /// ISO 8601: days, then hours, minutes, seconds (fractions of a second are dropped).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.s();
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let (hours, minutes, secs) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
        f.write_str("P")?;
        if days > 0 {
            write!(f, "{days}D")?;
        }
        if rest > 0 || days == 0 {
            f.write_str("T")?;
            if hours > 0 {
                write!(f, "{hours}H")?;
            }
            if minutes > 0 {
                write!(f, "{minutes}M")?;
            }
            if secs > 0 || rest == 0 {
                write!(f, "{secs}S")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
