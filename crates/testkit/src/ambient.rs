//! Time and randomness that tests steer.

use certwright_domain::ambient::{Clock, Entropy};
use certwright_domain::time::{Span, Timestamp};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A clock that stands still until it is moved by hand.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.unix_ms()))
    }

    /// Moves it on.
    pub fn advance(&self, span: Span) {
        self.set(self.now().plus(span));
    }

    /// Sets it, back as well.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.unix_ms(), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// 2026-11-20T12:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp::from_unix_s(1_795_176_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.load(Ordering::SeqCst))
    }
}

/// Random bytes that are the same in every run with the same seed (ChaCha20).
#[derive(Debug)]
pub struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_by_hand_alone() {
        let clock = ManualClock::default();
        let start = clock.now();
        assert_eq!(start.to_string(), "2026-11-20T12:00:00Z");
        assert_eq!(clock.now(), start);
        clock.advance(Span::from_days(1));
        assert_eq!(clock.now(), start.plus(Span::from_days(1)));
        clock.set(start);
        assert_eq!(clock.now(), start);
    }

    #[test]
    fn a_seed_gives_its_own_stream() {
        let draw = |seed| {
            let (mut a, mut b) = ([0; 8], [0; 8]);
            let entropy = SeededEntropy::new(seed);
            entropy.fill(&mut a);
            entropy.fill(&mut b);
            (a, b)
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(draw(1).0, draw(1).1);
    }
}
