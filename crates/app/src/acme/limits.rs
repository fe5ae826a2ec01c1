//! How much an account, an address and a name may ask for, on this node. Spent when it is asked for, given back when nothing
//! came of it.

use super::problem::{AcmeError, Problem, ProblemKind};
use crate::App;
use certwright_domain::rate::{Pace, Rate, client_of};
use moka::sync::Cache;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Most parties whose pace is remembered.
const PARTIES: u64 = 100_000;

/// Limits; `None`: there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeLimits {
    /// Orders of one account in an hour. Renewals in their window do not count.
    pub orders_per_account: Option<Rate>,
    /// Accounts made from one address (IPv6: one /64) in an hour.
    pub accounts_per_address: Option<Rate>,
    /// Failed proofs of one account for one name in an hour.
    pub failures_per_name: Option<Rate>,
    /// Proofs of one account that are pending at a time.
    pub pending_authorizations: u32,
}

impl Default for AcmeLimits {
    fn default() -> Self {
        Self {
            orders_per_account: Rate::per_hour(3_000),
            accounts_per_address: Rate::per_hour(500),
            failures_per_name: Rate::per_hour(60),
            pending_authorizations: 3_000,
        }
    }
}

/// Where each party stands.
pub(crate) struct Paces(Cache<String, Arc<Mutex<Pace>>>);

impl Paces {
    pub(super) fn new() -> Self {
        Self(Cache::new(PARTIES))
    }

    fn of(&self, party: String) -> Arc<Mutex<Pace>> {
        self.0.get_with(party, Arc::default)
    }

    /// Of a party that has spent something, as far as it is remembered.
    fn known(&self, party: &str) -> Option<Arc<Mutex<Pace>>> {
        self.0.get(party)
    }
}

/// What was spent; dropped without [`Spent::keep`], it is given back.
pub(super) struct Spent(Option<(Arc<Mutex<Pace>>, Rate)>);

impl Spent {
    /// Something came of it.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        if let Some((pace, rate)) = self.0.take() {
            let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
            *pace = rate.give_back(*pace);
        }
    }
}

impl App {
    /// One more order of an account.
    pub(super) fn spend_order(&self, account: &str) -> Result<Spent, AcmeError> {
        let limit = self.inner.settings.acme.limits.orders_per_account;
        self.spend(limit, format!("order {account}"), "This account has made as many orders as it may in an hour.")
    }

    /// One more account from an address.
    pub(super) fn spend_account(&self, address: Option<IpAddr>) -> Result<Spent, AcmeError> {
        let Some(address) = address else { return Ok(Spent(None)) };
        let limit = self.inner.settings.acme.limits.accounts_per_address;
        let party = format!("account {}", client_of(address));
        self.spend(limit, party, "As many accounts as may be were made from this address in an hour.")
    }

    /// A proof failed.
    pub(super) fn note_failed_proof(&self, account: &str, name: &str) {
        let Some(rate) = self.inner.settings.acme.limits.failures_per_name else { return };
        let pace = self.inner.acme.paces.of(format!("failure {account} {name}"));
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(after) = rate.take(*pace, self.now()) {
            *pace = after;
        }
    }

    /// May the account ask for another proof of this name, after those that failed?
    pub(super) fn may_try_again(&self, account: &str, name: &str) -> Result<(), AcmeError> {
        let Some(rate) = self.inner.settings.acme.limits.failures_per_name else { return Ok(()) };
        // Names of which no proof has failed, nearly all, leave nothing behind.
        let Some(pace) = self.inner.acme.paces.known(&format!("failure {account} {name}")) else { return Ok(()) };
        let text = "Too many proofs of this name have failed in an hour; mend what the last one names first.";
        // Asked and given back at once.
        self.spend_of(rate, pace, text).map(drop)
    }

    fn spend(&self, limit: Option<Rate>, party: String, text: &str) -> Result<Spent, AcmeError> {
        let Some(rate) = limit else { return Ok(Spent(None)) };
        self.spend_of(rate, self.inner.acme.paces.of(party), text)
    }

    fn spend_of(&self, rate: Rate, pace: Arc<Mutex<Pace>>, text: &str) -> Result<Spent, AcmeError> {
        let mut now = pace.lock().unwrap_or_else(PoisonError::into_inner);
        match rate.take(*now, self.now()) {
            Ok(after) => {
                *now = after;
                drop(now);
                Ok(Spent(Some((pace, rate))))
            }
            Err(wait_ms) => {
                metrics::counter!("certwright_rate_limited_total", "party" => "acme").increment(1);
                let seconds = u32::try_from(wait_ms.saturating_add(999).div_euclid(1_000)).unwrap_or(u32::MAX);
                let detail = format!("{text} The next is possible in {seconds} s.");
                Err(Problem { retry_after_s: Some(seconds), ..Problem::new(ProblemKind::RateLimited, detail) }.into())
            }
        }
    }
}
