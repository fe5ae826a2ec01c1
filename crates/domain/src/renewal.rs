//! When a certificate is due for renewal: one function, one truth.

mod early;

pub use early::{EarlyRenewal, EarlyRenewalTerms, MovedRenewal, RawEarlyRenewal};

use crate::serial::Serial;
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
        if let Some(advance) = advance_period.filter(|advance| *advance >= lifetime) {
            return wrong(
                format!("The advance period {advance} is not shorter than the lifetime {lifetime}."),
                format!("Use less than {lifetime}."),
            );
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

/// When a certificate is due, wherever that is shown, acted upon or told to a client: the time that its rule names
/// ([`due_by_rule`]), and a little later by a share that its serial decides, so that a thousand certificates made in one
/// minute are not renewed in one minute. The share is below a hundredth of the lifetime and below a tenth of what is left
/// after the rule's time; a certificate is never due before its rule says so. `moved`: a call to renew early has moved it to then
/// ([`EarlyRenewal`]), which makes nothing later.
pub fn renew_at(
    validity: &Validity,
    rule: Option<&RenewalRule>,
    serial: &Serial,
    moved: Option<Timestamp>,
) -> Timestamp {
    let due = due_by_rule(validity, rule);
    let left = validity.not_after().ms_since(due);
    let most = (validity.length().ms() / 100).min(left / 10).max(0);
    let usual = due.plus(share_of(Span::from_ms(most), serial)).floor_to_second().max(due);
    moved.map_or(usual, |moved| usual.min(moved))
}

/// A part of `whole` that the serial decides: serials are random, their last four octets are an even share of the whole.
fn share_of(whole: Span, serial: &Serial) -> Span {
    let share = serial.as_bytes().iter().rev().take(4).fold(0_u32, |share, byte| (share << 8) | u32::from(*byte));
    let part = i128::from(whole.ms().max(0)).saturating_mul(i128::from(share)) >> 32;
    Span::from_ms(i64::try_from(part).unwrap_or(0))
}

/// Certificates that live less than this are renewed after half of their lifetime where no rule says otherwise: a third of it would leave
/// too little time to mend what keeps the renewal from going well.
const SHORT_LIFE: Span = Span::from_days(10);

/// The time that a rule names: `min(notBefore + interval, notAfter − advancePeriod)`. Without a rule: after two thirds of
/// the lifetime, half of it where that is under ten days, as ACME clients do.
///
/// The answer always lies inside the validity. A rule is made for a lifetime, but a certificate may turn out shorter (its
/// issuer ends first); a part of the rule that does not fit the certificate in hand is left out, because it would be due
/// only after the end, or at once and after each renewal again.
pub fn due_by_rule(validity: &Validity, rule: Option<&RenewalRule>) -> Timestamp {
    let fits = |span: &Span| *span < validity.length();
    let by_interval = rule.and_then(|r| r.interval).filter(fits).map(|interval| validity.not_before().plus(interval));
    let by_advance = rule.and_then(|r| r.advance_period).filter(fits).map(|ahead| validity.not_after().minus(ahead));
    let due = match (by_interval, by_advance) {
        (Some(a), Some(b)) => a.min(b),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => {
            let life = validity.length();
            let usual = if life < SHORT_LIFE { life.s() / 2 } else { (life.s() / 3).saturating_mul(2) };
            validity.not_before().plus(Span::from_s(usual))
        }
    };
    // Spans may carry fractions of a second, the ends of a validity do not.
    due.clamp(validity.not_before(), validity.not_after())
}

#[cfg(test)]
mod tests;
