//! Rates: how often something may happen (the generic cell rate algorithm, as in ITU-T I.371).
//!
//! One number is kept for each party: the time at which its next event would be due if it came at an even pace. It may run ahead
//! of the clock by as much as a burst takes.

use crate::time::Timestamp;
use std::net::{IpAddr, Ipv6Addr};

const US_OF_A_MS: i64 = 1_000;
const US_OF_A_SECOND: i64 = 1_000_000;

/// Who counts as one client: an IPv4 address, or an IPv6 /64, which one subscriber has to itself.
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// A rate with a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds between two events at an even pace.
    interval: i64,
    /// How far ahead of the clock one may be, in microseconds.
    ahead: i64,
}

/// Where a party stands. Microseconds since 1970; small enough for an atomic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace(pub i64);

impl Rate {
    /// So many a second, and at most `burst` at once; `None` for 0 a second: there is no limit.
    pub fn per_second(events: u32, burst: u32) -> Option<Self> {
        Self::per(US_OF_A_SECOND, events, burst)
    }

    /// So many an hour, all of them at once if need be; `None` for 0.
    pub fn per_hour(events: u32) -> Option<Self> {
        Self::per(US_OF_A_SECOND.saturating_mul(3_600), events, events)
    }

    fn per(span: i64, events: u32, burst: u32) -> Option<Self> {
        let interval = span.checked_div(i64::from(events)).filter(|_| events > 0)?.max(1);
        let ahead = interval.saturating_mul(i64::from(burst.max(1)));
        Some(Self { interval, ahead })
    }

    /// One event is taken back: nothing came of it.
    pub fn give_back(self, pace: Pace) -> Pace {
        Pace(pace.0.saturating_sub(self.interval))
    }

    /// One more event at `now`: where the party stands after it, or in how many milliseconds it may come again.
    pub fn take(self, pace: Pace, now: Timestamp) -> Result<Pace, i64> {
        let now = now.unix_ms().saturating_mul(US_OF_A_MS);
        // A clock that was set back far does not lock anybody out: nobody is further ahead than a burst.
        let start = pace.0.clamp(now, now.saturating_add(self.ahead));
        let next = start.saturating_add(self.interval);
        let over = next.saturating_sub(now).saturating_sub(self.ahead);
        match over > 0 {
            false => Ok(Pace(next)),
            true => Err(over.saturating_add(US_OF_A_MS.saturating_sub(1)).div_euclid(US_OF_A_MS).max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_790_000_000_000_i64.saturating_add(ms))
    }

    #[test]
    fn a_burst_comes_at_once_and_the_rest_at_its_pace() {
        let rate = Rate::per_second(10, 3).unwrap();
        let mut pace = Pace::default();
        for _ in 0..3 {
            pace = rate.take(pace, at(0)).unwrap();
        }
        assert_eq!(rate.take(pace, at(0)), Err(100));
        assert_eq!(rate.take(pace, at(99)), Err(1));
        pace = rate.take(pace, at(100)).unwrap();
        assert_eq!(rate.take(pace, at(100)), Err(100));
        assert_eq!(Rate::per_second(0, 3), None);
    }

    #[test]
    fn what_is_given_back_can_be_spent_again() {
        let rate = Rate::per_hour(1).unwrap();
        let spent = rate.take(Pace::default(), at(0)).unwrap();
        assert!(rate.take(spent, at(0)).is_err());
        assert_eq!(rate.take(rate.give_back(spent), at(0)), Ok(spent));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out_for_long() {
        let rate = Rate::per_hour(2).unwrap();
        let pace = rate.take(Pace::default(), at(86_400_000)).unwrap();
        let wait = rate.take(pace, at(0)).unwrap_err();
        assert!(wait <= 3_600_000, "{wait}");
    }

    proptest! {
        /// In any span no more than the burst and what the span gives; whoever waits as told is let in.
        #[test]
        fn never_more_than_the_rate(
            events in 1_u32..200, burst in 1_u32..50, steps in prop::collection::vec(0_i64..2_000, 1..200),
        ) {
            let rate = Rate::per_second(events, burst).unwrap();
            let (mut pace, mut now, mut let_in) = (Pace::default(), 0_i64, 0_i64);
            for step in steps {
                now = now.saturating_add(step);
                match rate.take(pace, at(now)) {
                    Ok(after) => { pace = after; let_in = let_in.saturating_add(1); }
                    Err(wait) => {
                        prop_assert!(wait > 0);
                        prop_assert!(rate.take(pace, at(now.saturating_add(wait))).is_ok());
                        prop_assert!(wait == 1 || rate.take(pace, at(now.saturating_add(wait).saturating_sub(2))).is_err());
                    }
                }
                let given = i64::from(burst).saturating_add(now.saturating_mul(i64::from(events)).div_euclid(1_000)).saturating_add(1);
                prop_assert!(let_in <= given, "{let_in} of {given}");
            }
        }
    }
}
