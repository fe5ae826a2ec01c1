//! When a certificate is due for renewal: one function, one truth.

use crate::time::{Span, Timestamp};
use crate::validity::Validity;
use crate::violation::Invalid;

/// A renewal rule: at least one of the two is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenewalRule {
    interval: Option<Span>,
    advance_period: Option<Span>,
}

impl RenewalRule {
    /// Shortest interval.
    pub const MIN_INTERVAL: Span = Span::from_minutes(5);

    /// Makes a rule for certificates of `lifetime`: interval ≥ 5 minutes and shorter than the lifetime, advance period
    /// shorter than the lifetime, one of the two must be there.
    pub fn new(interval: Option<Span>, advance_period: Option<Span>, lifetime: Span) -> Result<Self, Invalid> {
        let wrong = |detail: String, hint: String| Err(Invalid::new("invalid_renewal_rule", detail, hint));
        if interval.is_none() && advance_period.is_none() {
            return wrong("The renewal rule is empty.".into(), "Give `interval`, `advancePeriod` or both.".into());
        }
        if let Some(interval) = interval {
            if interval < Self::MIN_INTERVAL {
                return wrong(
                    format!("The renewal interval {interval} is shorter than PT5M."),
                    "Use `PT5M` or more.".into(),
                );
            }
            if interval >= lifetime {
                return wrong(
                    format!("The renewal interval {interval} is not shorter than the lifetime {lifetime}."),
                    format!("Use less than {lifetime}."),
                );
            }
        }
        if let Some(advance) = advance_period {
            if advance >= lifetime {
                return wrong(
                    format!("The advance period {advance} is not shorter than the lifetime {lifetime}."),
                    format!("Use less than {lifetime}."),
                );
            }
        }
        Ok(Self { interval, advance_period })
    }

    /// Renew this long after notBefore.
    pub fn interval(&self) -> Option<Span> {
        self.interval
    }

    /// Renew this long before notAfter.
    pub fn advance_period(&self) -> Option<Span> {
        self.advance_period
    }
}

/// When a certificate is due: `min(notBefore + interval, notAfter − advancePeriod)`. Without a rule: after two thirds
/// of its lifetime, as ACME clients do.
pub fn renew_at(validity: &Validity, rule: Option<&RenewalRule>) -> Timestamp {
    let by_interval = rule.and_then(|r| r.interval).map(|interval| validity.not_before().plus(interval));
    let by_advance = rule.and_then(|r| r.advance_period).map(|advance| validity.not_after().minus(advance));
    match (by_interval, by_advance) {
        (Some(a), Some(b)) => a.min(b),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => {
            let two_thirds = Span::from_s(validity.length().s() / 3 * 2);
            validity.not_before().plus(two_thirds)
        }
    }
}
