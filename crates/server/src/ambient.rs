//! The real clock and the real randomness; the one place that looks at either.

use certwright_domain::ambient::{Clock, Entropy};
use certwright_domain::time::Timestamp;
use rustls::crypto::SecureRandom;
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one implementation that looks at the system's clock"
        )]
        let now = SystemTime::now();
        let ms = match now.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, i64::saturating_neg),
        };
        Timestamp::from_unix_ms(ms)
    }
}

/// The crypto library's generator, seeded by the system and safe after a fork; it takes no system call per draw.
#[derive(Debug, Clone, Copy)]
pub struct SystemEntropy {
    random: &'static dyn SecureRandom,
}

impl SystemEntropy {
    /// Takes the generator of the crypto library.
    pub fn new() -> Self {
        Self { random: rustls::crypto::aws_lc_rs::default_provider().secure_random }
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        #[expect(
            clippy::expect_used,
            reason = "the library seeds itself when it is loaded and aborts where the system has no randomness; going on \
                      without would be worse than stopping"
        )]
        self.random.fill(buffer).expect("the system gives randomness");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_fills_whole_buffers_and_does_not_repeat() {
        let entropy = SystemEntropy::new();
        let (mut a, mut b) = ([0_u8; 64], [0_u8; 64]);
        entropy.fill(&mut a);
        entropy.fill(&mut b);
        assert_ne!(a, b);
        assert_ne!(a[48..], [0; 16]);
    }

    #[test]
    fn the_clock_is_after_the_program_was_written() {
        assert!(SystemClock.now() > Timestamp::parse("2026-11-01T00:00:00Z").unwrap());
    }
}
