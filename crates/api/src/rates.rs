//! How often callers and addresses may ask. What is kept is bounded: one number for each of the parties seen lately.

use crate::problem::Problem;
use axum::http::StatusCode;
use certwright_domain::rate::{Pace, Rate};
use certwright_domain::time::Timestamp;
use moka::sync::Cache;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Most parties whose pace is remembered.
const PARTIES: u64 = 100_000;

/// A rate, and where each party stands.
pub(crate) struct Rates<K> {
    rate: Option<Rate>,
    /// Who is counted: `caller` or `address`.
    party: &'static str,
    /// As people read it: `100 requests a second (200 at once; limits.rate_per_caller)`.
    shown: String,
    paces: Cache<K, Arc<AtomicI64>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Rates<K> {
    /// So many requests a second and so many at once; 0 a second: no limit. `setting`: what the operator calls it.
    pub(crate) fn new(party: &'static str, setting: &str, (per_second, burst): (u32, u32)) -> Self {
        Self {
            rate: Rate::per_second(per_second, burst),
            party,
            shown: format!("{per_second} requests a second ({burst} at once; {setting})"),
            paces: Cache::new(PARTIES),
        }
    }

    /// One more request of a party.
    pub(crate) fn take(&self, party: K, now: Timestamp) -> Result<(), Problem> {
        let Some(rate) = self.rate else { return Ok(()) };
        let pace = self.paces.get_with(party, Arc::default);
        let mut known = pace.load(Ordering::Relaxed);
        loop {
            match rate.take(Pace(known), now) {
                Err(wait) => {
                    metrics::counter!("certwright_rate_limited_total", "party" => self.party).increment(1);
                    return Err(self.refusal(wait));
                }
                Ok(Pace(after)) => match pace.compare_exchange_weak(known, after, Ordering::Relaxed, Ordering::Relaxed)
                {
                    Ok(_) => return Ok(()),
                    Err(newer) => known = newer,
                },
            }
        }
    }

    fn refusal(&self, wait_ms: i64) -> Problem {
        let seconds = wait_ms.saturating_add(999).div_euclid(1_000);
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            format!("More than {} from one {}; one more is taken in {wait_ms} ms.", self.shown, self.party),
            "Wait for the time in `Retry-After`, then repeat the request.",
        )
        .retry_after(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}
