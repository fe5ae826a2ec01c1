//! How many certificates one name gets in an hour, on this node.

use crate::{App, Error};
use certwright_domain::rate::Pace;
use certwright_domain::san::San;
use moka::sync::Cache;
use std::sync::{Arc, Mutex, PoisonError};

/// Most names whose pace is remembered.
const NAMES: u64 = 100_000;

/// Where each name stands.
pub(crate) struct NamePaces(Cache<String, Arc<Mutex<Pace>>>);

impl NamePaces {
    pub(crate) fn new() -> Self {
        Self(Cache::new(NAMES))
    }
}

impl App {
    /// Counts a certificate for each of these names, or refuses it for the first that had too many.
    pub(crate) fn count_names(&self, names: &[San]) -> Result<(), Error> {
        let Some(rate) = self.inner.settings.name_rate else { return Ok(()) };
        let now = self.now();
        let pace_of = |name: &San| self.inner.name_paces.0.get_with(name.to_string(), Arc::default);
        // All are asked before one is counted: a name that had its share does not use up that of others.
        for count in [false, true] {
            for name in names {
                let pace = pace_of(name);
                let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
                let after = rate.take(*pace, now).map_err(|wait_ms| refusal(name, wait_ms))?;
                if count {
                    *pace = after;
                }
            }
        }
        Ok(())
    }
}

fn refusal(name: &San, wait_ms: i64) -> Error {
    metrics::counter!("certwright_rate_limited_total", "party" => "name").increment(1);
    let seconds = wait_ms.saturating_add(999).div_euclid(1_000);
    Error::RateLimited {
        detail: format!(
            "The name {name} had as many certificates as `limits.certificates_per_name_and_hour` allows; the next \
                         one is possible in {seconds} s."
        ),
        retry_after_s: u32::try_from(seconds).unwrap_or(u32::MAX),
    }
}
