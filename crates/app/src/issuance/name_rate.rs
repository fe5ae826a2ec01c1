//! How many certificates one name gets in an hour, on this node.

use crate::{App, Error};
use certwright_domain::ca::Ca;
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
    /// Counts a certificate of this CA for each of these names, or refuses it for the first that had too many. The service CA
    /// signs for our own listener alone: a server that is restarted often must not be kept from starting, nor use up what others
    /// may have of its name.
    pub(crate) fn count_names(&self, ca: &Ca, names: &[San]) -> Result<(), Error> {
        let Some(rate) = self.inner.settings.name_rate.filter(|_| !ca.system) else { return Ok(()) };
        let now = self.now();
        let pace_of = |name: &San| self.inner.name_paces.0.get_with(counted(name), Arc::default);
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

/// What a name is counted as: however it is spelled, it is one name. DNS names are in lower case and A-labels already.
fn counted(name: &San) -> String {
    match name {
        San::Ip(address) => San::Ip(address.to_canonical()).to_string(),
        San::Email(address) => address.as_str().to_ascii_lowercase(),
        San::Dns(_) | San::Uri(_) => name.to_string(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn spellings_of_one_name_are_counted_as_one() {
        for spellings in [
            &["a.example.com", "A.Example.COM", "DNS:a.EXAMPLE.com"][..],
            &["b\u{fc}cher.example", "B\u{dc}CHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE"],
            &["2001:db8::1", "2001:DB8:0:0::1", "2001:0db8:0000::0001", "ip:2001:db8:0:0:0:0:0:1"],
            &["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:0201"],
            &["team@example.com", "Team@EXAMPLE.com", "email:TEAM@example.com"],
        ] {
            let counted: BTreeSet<String> =
                spellings.iter().map(|spelling| counted(&San::parse(spelling).unwrap())).collect();
            assert_eq!(counted.len(), 1, "{counted:?}");
        }
        // With a trailing dot it is no name at all.
        assert!(San::parse("a.example.com.").is_err());
        assert_ne!(counted(&San::parse("*.example.com").unwrap()), counted(&San::parse("example.com").unwrap()));
    }
}
