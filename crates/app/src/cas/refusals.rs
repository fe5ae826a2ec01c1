//! Which managed certificates a changed CA would not renew: what a trial of the change lists.

use crate::certificates::wish_reference;
use crate::change::by_id;
use crate::{App, Error};
use certwright_domain::ca::{Ca, CaState};
use certwright_domain::managed::{CertificateState, ManagedCertificate};
use certwright_domain::name::ResourceName;
use certwright_domain::public_key::PublicKey;
use certwright_domain::rules::key_strength;
use certwright_domain::serial::Sha256;
use certwright_domain::violation::{Verdict, Violation};
use certwright_store::{CertificateFilter, PageRequest, Queries, VersionSelector};

/// A certificate whose next renewal would be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRenewal {
    /// Its name.
    pub name: ResourceName,
    /// Its id.
    pub id: String,
    /// Every rule that refuses.
    pub violations: Vec<Violation>,
}

/// Refuses a key that is too weak to be certified; the verdicts on it.
pub(super) fn strong_enough(public_key: &PublicKey) -> Result<Vec<Verdict>, Error> {
    let verdicts = key_strength(public_key);
    match verdicts.iter().all(Verdict::passed) {
        true => Ok(verdicts),
        false => Err(Error::Rejected(verdicts.into_iter().flat_map(|verdict| verdict.violations).collect())),
    }
}

/// Refuses a key that is known to others: no CA may certify it or rest on it.
pub(super) async fn refuse_blocked_key(queries: &mut dyn Queries, spki: Option<&Sha256>) -> Result<(), Error> {
    match spki {
        Some(spki) if queries.key_is_blocked(spki).await? => Err(Error::conflict(
            "key_compromised",
            "The public key was reported as compromised and is blocked for ever.",
            "Use a new key: renew with {\"key\":\"ROTATE\"}, or make a new master key.",
        )),
        _ => Ok(()),
    }
}

/// Certificates on the list at most.
const MOST: usize = 1_000;

impl App {
    /// The certificates of this CA whose renewal it would refuse with these rules and this state.
    pub(super) async fn refused_renewals(&self, changed: &Ca) -> Result<Vec<RefusedRenewal>, Error> {
        if !matches!(changed.state, CaState::Active | CaState::Disabled) || changed.versions.current.is_none() {
            return Ok(Vec::new());
        }
        // What the CA is today, with what would change. One that cannot sign today refuses everything already.
        let Ok(issuer) = self.issuer(&by_id(changed.id.as_str())?).await else { return Ok(Vec::new()) };
        let mut facts = issuer.facts.clone();
        facts.rules = changed.rules.clone();
        facts.state = changed.state;
        let filter = CertificateFilter { ca_id: Some(changed.id.clone()), ..CertificateFilter::default() };
        let mut page = PageRequest { limit: 500, after: None };
        let mut refused = Vec::new();
        loop {
            let found = self.inner.store.read().await?.certificates(&filter, &page).await?;
            for certificate in found.items {
                let violations = self.refusal_of(&facts, &certificate).await?;
                if !violations.is_empty() {
                    let ManagedCertificate { name, id, .. } = certificate;
                    refused.push(RefusedRenewal { name, id: id.to_string(), violations });
                }
            }
            page.after = found.next;
            if page.after.is_none() || refused.len() >= MOST {
                refused.truncate(MOST);
                return Ok(refused);
            }
        }
    }

    async fn refusal_of(
        &self,
        facts: &certwright_domain::ca::IssuerFacts,
        certificate: &ManagedCertificate,
    ) -> Result<Vec<Violation>, Error> {
        let Some(wish) = certificate.wish.as_ref().filter(|_| certificate.state == CertificateState::Active) else {
            return Ok(Vec::new());
        };
        let (_, profile) = wish_reference(wish)?;
        let reference = by_id(certificate.id.as_str())?;
        let current = self.inner.store.read().await?.certificate_version(&reference, &VersionSelector::Current).await?;
        let so_far = current.map(|(_, version)| version.validity);
        let leaf = self.sample_leaf(wish, wish.renewed_validity(so_far.as_ref())).await?;
        match self.judge_leaf_under(facts, &profile, leaf).await {
            // A profile that is gone refuses whatever the CA says: the certificate shows it.
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            outcome => outcome,
        }
    }
}
