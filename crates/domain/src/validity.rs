//! Validity periods: whole seconds, both ends included (RFC 5280 section 4.1.2.5).

use crate::time::{Span, Timestamp};
use crate::violation::Invalid;

/// The validity of a certificate: whole seconds, `not_before <= not_after`, both seconds included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Validity {
    /// Makes a validity; fractions of a second are dropped from both ends.
    pub fn new(not_before: Timestamp, not_after: Timestamp) -> Result<Self, Invalid> {
        let (not_before, not_after) = (not_before.floor_to_second(), not_after.floor_to_second());
        if not_after < not_before {
            return Err(Invalid::new(
                "invalid_validity",
                format!("The end {not_after} lies before the start {not_before}."),
                "Give an end after the start.",
            ));
        }
        Ok(Self { not_before, not_after })
    }

    /// The first second.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The length, both end seconds counted.
    pub fn length(&self) -> Span {
        Span::from_ms(self.not_after.ms_since(self.not_before).saturating_add(1000))
    }

    /// Does `now` lie inside?
    pub fn contains(&self, now: Timestamp) -> bool {
        let now = now.floor_to_second();
        self.not_before <= now && now <= self.not_after
    }
}

/// The end that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestedEnd {
    /// The longest that every rule allows.
    Longest,
    /// The last second of validity.
    NotAfter(Timestamp),
    /// A length counted from notBefore, both end seconds included.
    Duration(Span),
}

/// The validity that a request names; what is missing, the rules choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestedValidity {
    /// The first second; `None`: now, backdated by the configured minute where that fits.
    pub not_before: Option<Timestamp>,
    /// The end.
    pub end: RequestedEnd,
}

impl RequestedValidity {
    /// Nothing asked: starts now, as long as allowed.
    pub const DEFAULT: Self = Self { not_before: None, end: RequestedEnd::Longest };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn both_end_seconds_count() {
        let validity = Validity::new(at("2026-01-01T00:00:00.9Z"), at("2026-01-01T00:00:09.9Z")).unwrap();
        assert_eq!(
            (validity.not_before(), validity.not_after()),
            (at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:09Z"))
        );
        assert_eq!(validity.length(), Span::from_s(10));
        for (instant, inside) in [
            ("2025-12-31T23:59:59.999Z", false),
            ("2026-01-01T00:00:00Z", true),
            ("2026-01-01T00:00:09.999Z", true),
            ("2026-01-01T00:00:10Z", false),
        ] {
            assert_eq!(validity.contains(at(instant)), inside, "{instant}");
        }
    }

    #[test]
    fn never_empty() {
        let start = at("2026-01-01T00:00:00Z");
        assert_eq!(Validity::new(start, start).map(|one| one.length()), Ok(Span::from_s(1)));
        assert!(Validity::new(start, start.minus(Span::from_s(1))).is_err());
    }
}
