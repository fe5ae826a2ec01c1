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
        for name in names {
            let pace = self.inner.name_paces.0.get_with(name.to_string(), Arc::default);
            let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
            *pace = rate.take(*pace, now).map_err(|wait_ms| {
                let seconds = wait_ms.saturating_add(999).div_euclid(1_000);
                Error::RateLimited {
                    detail: format!(
                        "The name {name} had as many certificates as `limits.certificates_per_name_and_hour` allows; the next \
                         one is possible in {seconds} s."
                    ),
                    retry_after_s: u32::try_from(seconds).unwrap_or(u32::MAX),
                }
            })?;
        }
        Ok(())
    }
}
