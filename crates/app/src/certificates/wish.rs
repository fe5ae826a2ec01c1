//! From what a request says to a wish, and from a wish to what is judged.

use super::{CertificateRequest, Content, RenewalRequest, WishRequest};
use crate::issuance::{csr_leaf, read_csr};
use crate::{App, Call, Error, Subject};
use certwright_domain::managed::{CertificateKind, RenewalKey, RenewalSettings, Wish, rule_for};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::profile::KeyHolder;
use certwright_domain::public_key::PublicKey;
use certwright_domain::rules::LeafRequest;
use certwright_domain::san::San;
use certwright_domain::time::Span;
use certwright_domain::validity::RequestedValidity;
use certwright_domain::violation::Invalid;

impl App {
    /// The wish that a request comes to: CA, profile and key algorithm looked up, defaults filled in.
    pub(super) async fn resolve_wish(&self, call: &Call, asked: &WishRequest) -> Result<Wish, Error> {
        let issuer = self.issuer_for(call, &asked.ca).await?;
        let profile = self.issuing_profile(asked.profile.as_ref()).await?.1.name().clone();
        let csr = asked.csr.as_deref().map(read_csr).transpose()?;
        let key_algorithm = match (&csr, asked.key_algorithm) {
            (None, algorithm) => Some(self.key_algorithm_for(Some(&Reference::from(&profile)), algorithm).await?),
            (Some(_), None) => None,
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "/keyAlgorithm",
                    Invalid::new(
                        "misplaced_parameter",
                        "With a CSR the key is the requester's; its algorithm stands in the CSR.",
                        "Leave `keyAlgorithm` out.",
                    ),
                ));
            }
        };
        let ours = csr.is_none();
        Ok(Wish {
            ca: issuer.ca.id.clone(),
            profile,
            subject: asked.subject.clone().or_else(|| ours.then(Default::default)),
            names: asked.names.clone().map(sorted).or_else(|| ours.then(Vec::new)),
            key_algorithm,
            validity: asked.validity,
            csr: csr.map(|csr| csr.der),
        })
    }

    /// What the rules judge. `public_key`: the key that we made for it, or a sample; with a CSR the CSR's is taken.
    pub(super) fn leaf_of(
        &self,
        wish: &Wish,
        public_key: Option<PublicKey>,
        validity: RequestedValidity,
    ) -> Result<LeafRequest, Error> {
        if let Some(der) = &wish.csr {
            let wished = Subject { subject: wish.subject.clone(), names: wish.names.clone() };
            return Ok(csr_leaf(read_csr(der)?, wished, validity));
        }
        Ok(LeafRequest {
            subject: wish.subject.clone().unwrap_or_default(),
            names: wish.names.clone().unwrap_or_default(),
            public_key: public_key.ok_or_else(|| Error::Internal("a wish of ours without a key".into()))?,
            key_holder: KeyHolder::Service,
            validity,
            asks_for_ca: false,
        })
    }

    /// The same with a sample key where the key is not made yet.
    pub(crate) async fn sample_leaf(&self, wish: &Wish, validity: RequestedValidity) -> Result<LeafRequest, Error> {
        let sample = match wish.key_algorithm {
            Some(algorithm) => Some(self.sample_key(algorithm).await?),
            None => None,
        };
        self.leaf_of(wish, sample, validity)
    }
}

/// Two requests with the same names in another order wish the same.
fn sorted(mut names: Vec<San>) -> Vec<San> {
    names.sort();
    names.dedup();
    names
}

/// References to CA and profile of a wish.
pub(crate) fn wish_reference(wish: &Wish) -> Result<(Reference, Reference), Error> {
    Ok((crate::change::by_id(wish.ca.as_str())?, Reference::from(&wish.profile)))
}

/// The kind of certificate that a request describes.
pub(super) fn kind_of(request: &CertificateRequest) -> CertificateKind {
    match &request.content {
        Content::Imported(_) => CertificateKind::Imported,
        Content::Wished(wish) if wish.csr.is_some() => CertificateKind::Csr,
        Content::Wished(_) => CertificateKind::Internal,
    }
}

/// The settings of a renewal request, its rule judged against the lifetime.
pub(super) fn settings_for(asked: &RenewalRequest, lifetime: Span) -> Result<RenewalSettings, Error> {
    let rule = rule_for(asked.interval, asked.advance_period, lifetime)
        .map_err(|invalid| Error::invalid("/renewal", invalid))?;
    Ok(RenewalSettings { rule, automatic: asked.automatic.unwrap_or(true), key: asked.key.unwrap_or(RenewalKey::New) })
}

/// Is this setting what the request asks for? (The rule is compared by its parts: its lifetime may be another today.)
pub(super) fn same_settings(settings: &RenewalSettings, asked: &RenewalRequest) -> bool {
    let rule = settings.rule;
    rule.and_then(|rule| rule.interval()) == asked.interval
        && rule.and_then(|rule| rule.advance_period()) == asked.advance_period
        && settings.automatic == asked.automatic.unwrap_or(true)
        && settings.key == asked.key.unwrap_or(RenewalKey::New)
}

/// The refusal of a certificate whose kind would have to change.
pub(super) fn kind_fixed(name: &ResourceName, is: CertificateKind, asked: CertificateKind) -> Error {
    Error::conflict(
        "certificate_kind_fixed",
        format!("Certificate {name} is of kind {is}; the request describes one of kind {asked}."),
        "Choose another name, or delete the certificate first.",
    )
}
