//! When lists are made. Pure.

use crate::time::{Span, Timestamp};

/// The clock may be this far behind the list before: nodes differ by that much.
const SKEW: Span = Span::from_minutes(5);
/// The longest pause after failures.
const LONGEST_RETRY: Span = Span::from_minutes(10);

/// When the next list of a series is made, once one was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// When it is wanted.
    pub due_at: Timestamp,
    /// No list is made before.
    pub earliest_at: Timestamp,
    /// Without a new list by then, somebody must be told: half of the lifetime has passed.
    pub overdue_at: Timestamp,
}

/// The schedule after a list of this thisUpdate was published at `now`. `stale`: something was revoked that it does not
/// show yet. A successor is made when two fifths of the lifetime have passed, so that there is one before half of it has.
pub fn next_schedule(now: Timestamp, this_update: Timestamp, lifetime: Span, interval: Span, stale: bool) -> Schedule {
    let after = |numerator: i64, denominator: i64| {
        let ms = lifetime.ms().saturating_mul(numerator).checked_div(denominator).unwrap_or(0);
        this_update.plus(Span::from_ms(ms))
    };
    let earliest_at = now.plus(interval);
    let regular = after(2, 5);
    // A pause that is longer than the lifetime allows must not let the list lapse.
    let earliest_at = earliest_at.min(regular.max(now));
    let due_at = if stale { earliest_at } else { regular };
    Schedule { due_at, earliest_at, overdue_at: after(1, 2) }
}

/// The clock is behind the list before by more than nodes may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock shows {now}, the list before was made at {previous}: a list must not go back in time")]
pub struct ClockBehind {
    /// What the clock shows.
    pub now: Timestamp,
    /// thisUpdate of the list before.
    pub previous: Timestamp,
}

/// thisUpdate of the next list: the time in whole seconds, never before the list it follows. `forced`: a person says that
/// the clock is right and the list before was wrong.
pub fn this_update(now: Timestamp, previous: Option<Timestamp>, forced: bool) -> Result<Timestamp, ClockBehind> {
    let now = now.floor_to_second();
    match previous {
        Some(previous) if previous > now.plus(SKEW) && !forced => Err(ClockBehind { now, previous }),
        Some(previous) if previous > now && !forced => Ok(previous),
        _ => Ok(now),
    }
}

/// The pause after so many failures: five seconds, doubled with each, up to ten minutes.
pub fn retry_after(failures: u32) -> Span {
    let doubled = 5_000_i64.saturating_mul(1_i64.checked_shl(failures.saturating_sub(1).min(10)).unwrap_or(1));
    Span::from_ms(doubled.min(LONGEST_RETRY.ms()))
}
