//! Renewal information (RFC 9773): when a client is asked to renew.

use crate::time::{Span, Timestamp};
use crate::validity::Validity;

/// When a client is asked to renew: a time within it, drawn evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenewalWindow {
    /// From.
    pub start: Timestamp,
    /// To; later than `start`.
    pub end: Timestamp,
}

/// Ends two hundredths of the lifetime after `renew_at` begins it (RFC 9773 section 4.2 leaves it to the server), and always
/// before the certificate does. `at_once`: it is revoked, or its key is known to others: the window is over already, so
/// clients renew when they next ask.
pub fn renewal_window(validity: &Validity, renew_at: Timestamp, at_once: Option<Timestamp>) -> RenewalWindow {
    if let Some(since) = at_once {
        let start = since.minus(Span::from_days(1));
        return RenewalWindow { start, end: since.minus(Span::from_minutes(1)) };
    }
    let last = validity.not_after();
    let width = Span::from_ms(validity.length().ms().div_euclid(50).max(1_000));
    let start = renew_at.min(last.minus(Span::from_s(1)));
    RenewalWindow { start, end: start.plus(width).min(last).max(start.plus(Span::from_s(1))) }
}
