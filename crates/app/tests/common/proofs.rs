//! A validator that knows what it sees: tests tell it, and it remembers what it was asked.

use async_trait::async_trait;
use certwright_app::{CaaCheck, ChallengeCheck, Validator};
use certwright_domain::acme::{Failure, FailureKind, Method};
use certwright_domain::san::{DnsName, San};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What can be seen. Nobody has shown anything at first, and no CAA record stands anywhere.
#[derive(Default)]
pub(crate) struct KnownProofs {
    shown: Mutex<HashMap<(Method, String), Result<String, Failure>>>,
    caa: Mutex<HashMap<String, Failure>>,
    asked: Mutex<Vec<(Method, String)>>,
}

impl KnownProofs {
    /// From now on this name shows this key authorization in this way.
    pub(crate) fn show(&self, method: Method, name: &str, key_authorization: &str) {
        lock(&self.shown).insert((method, name.to_owned()), Ok(key_authorization.to_owned()));
    }

    /// From now on looking at the name in this way fails.
    pub(crate) fn fail(&self, method: Method, name: &str, failure: Failure) {
        lock(&self.shown).insert((method, name.to_owned()), Err(failure));
    }

    /// From now on CAA records forbid certificates for the name (and its wildcard); `None`: no longer.
    pub(crate) fn forbid(&self, name: &str, failure: Option<Failure>) {
        match failure {
            Some(failure) => lock(&self.caa).insert(name.to_owned(), failure),
            None => lock(&self.caa).remove(name),
        };
    }

    /// What was looked at so far.
    pub(crate) fn asked(&self) -> Vec<(Method, String)> {
        lock(&self.asked).clone()
    }
}

#[async_trait]
impl Validator for KnownProofs {
    async fn validate(&self, check: &ChallengeCheck<'_>) -> Result<(), Failure> {
        let place = (check.method, check.identifier.to_string());
        lock(&self.asked).push(place.clone());
        match lock(&self.shown).get(&place) {
            Some(Ok(shown)) if shown == check.key_authorization => Ok(()),
            Some(Err(failure)) => Err(failure.clone()),
            _ => Err(Failure::new(FailureKind::Unauthorized, format!("{} shows nothing of the sort.", place.1))),
        }
    }

    async fn caa(&self, check: &CaaCheck<'_>) -> Result<(), Failure> {
        lock(&self.caa).get(check.name.base()).cloned().map_or(Ok(()), Err)
    }
}

#[tokio::test]
async fn the_validator_of_tests_sees_what_it_was_told() {
    let proofs = KnownProofs::default();
    let identifier = San::parse("www.example.com").unwrap();
    let look = async |key_authorization| {
        let method = Method::Http01;
        let identifier = &identifier;
        proofs.validate(&ChallengeCheck { method, identifier, token: "t", key_authorization, allowed: &[] }).await
    };
    assert_eq!(look("t.one").await.unwrap_err().kind, FailureKind::Unauthorized);
    proofs.show(Method::Http01, "www.example.com", "t.one");
    assert_eq!(look("t.one").await, Ok(()));
    assert_eq!(look("t.two").await.unwrap_err().kind, FailureKind::Unauthorized);
    proofs.fail(Method::Http01, "www.example.com", Failure::new(FailureKind::Dns, "no name"));
    assert_eq!(look("t.one").await.unwrap_err().kind, FailureKind::Dns);
    assert_eq!(proofs.asked().len(), 4);

    let name = DnsName::parse("www.example.com").unwrap();
    let issuers = ["ca.example.net".to_owned()];
    let check = CaaCheck { name: &name, wildcard: false, method: Method::Http01, account_url: "", issuers: &issuers };
    assert_eq!(proofs.caa(&check).await, Ok(()));
    proofs.forbid("www.example.com", Some(Failure::new(FailureKind::Caa, "not us")));
    assert_eq!(proofs.caa(&check).await.unwrap_err().kind, FailureKind::Caa);
    proofs.forbid("www.example.com", None);
    assert_eq!(proofs.caa(&check).await, Ok(()));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
