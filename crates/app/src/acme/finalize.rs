//! Finalizing an order (RFC 8555 section 7.4): CSR in, certificate signed and stored with the order's end in one
//! transaction of the group commit, if order, proofs, account and configuration are still those that were judged. Nothing lies in between: an order is ready until its certificate is on disk, and whoever comes second finds
//! it there.

use super::accounts::in_use;
use super::orders::{gone_profile, issuing_error, sentences};
use super::problem::{AcmeError, Problem, ProblemKind, absent, refuse};
use super::view::{AcmeCall, OrderView};
use crate::change::by_id;
use crate::issuance::{STALE_EPOCH, read_csr};
use crate::jose::Jwk;
use crate::{App, Error};
use certwright_domain::acme::Order;
use certwright_domain::acme::{Identifier, OrderEnd, OrderState};
use certwright_domain::dn::{AttributeType, DistinguishedName};
use certwright_domain::profile::KeyHolder;
use certwright_domain::rules::LeafRequest;
use certwright_domain::san::{DnsName, San};
use certwright_domain::serial::Sha256;
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_pki::Csr;
use certwright_store::{OrderEnding, REPLACED};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How often it is begun anew because the configuration changed under it.
const MAX_ATTEMPTS: u32 = 5;
/// A DER SEQUENCE.
const SEQUENCE: u8 = 0x30;

impl App {
    /// Finalizes an order with a CSR in DER. Whatever is wrong with the CSR, the order stays ready. An order that has its
    /// certificate already is answered as it is, to the same key.
    pub async fn finalize_acme_order(
        &self,
        call: &AcmeCall,
        found: OrderView,
        csr: &[u8],
    ) -> Result<OrderView, AcmeError> {
        if found.order.account != call.account.id {
            return Err(absent("order"));
        }
        let (mut now, mut view) = (call.clone(), found);
        for attempt in 0..MAX_ATTEMPTS {
            let call = &now;
            // What the order is comes first: one that is not ready says so whatever the CSR (RFC 8555 section 7.4).
            if let Some(issued) = view.order.certificate() {
                let row = self.inner.store.glance().await?.issued(issued).await?;
                let asked = read(csr).ok().map(|csr| csr.public_key.spki_sha256);
                return match row.is_some_and(|row| asked == Some(row.spki_sha256)) {
                    true => Ok(view),
                    false => refuse(ProblemKind::OrderNotReady, "The order has its certificate, for another key."),
                };
            }
            if view.state != OrderState::Ready {
                let why = view.error.map(|error| format!(": {}", error.detail)).unwrap_or_default();
                let problem = Problem::new(ProblemKind::OrderNotReady, format!("The order is {}{why}", view.state));
                let pending = view.state == OrderState::Pending;
                let retry_after_s = view.ask_again_s.filter(|_| pending);
                return Err(Problem { retry_after_s, ..problem }.into());
            }
            let csr = read(csr)?;
            check_names(&csr, &view.order.identifiers)?;
            let key = Jwk::of(&csr.public_key).map(|key| key.thumbprint());
            // Keys of other accounts are asked for with the commit, which needs no turn of its own, and here for the words once it has
            // failed.
            if key == Some(call.account.thumbprint) || attempt > 0 && self.is_account_key(call, key).await? {
                return refuse(ProblemKind::BadCsr, "The CSR's key is an account's key; make another one.");
            }
            // What was decided since the order was made counts (F10).
            self.judge_names(call, &view.order.identifiers)?;
            if !call.door.directory.settings.profiles().contains(&view.order.profile) {
                return Err(gone_profile(view.order.profile.as_str()));
            }
            for authorization in &view.authorizations {
                if !call.still_counts(authorization) {
                    let detail = format!("{} needs a proof by now: make a new order.", authorization.identifier);
                    return refuse(ProblemKind::Unauthorized, detail);
                }
                let heeded =
                    self.heed_caa(authorization, authorization.proven_by(), &call.account, &call.door.directory).await;
                heeded.map_err(|failure| Problem::new(ProblemKind::Caa, failure.detail))?;
            }
            if let Some(done) = self.sign_order(call, &view, csr, key).await? {
                return Ok(done);
            }
            now = self.account_as_it_is(call).await?;
            view = self.acme_order(&now, &view.order.id).await?;
        }
        Err(Error::Unavailable { detail: "the configuration kept changing".into(), retry_after_s: 1 }.into())
    }

    /// The call with its account as it is in the store; refused when it has ended, when it has another key by now, and for the moment when the
    /// directory was changed.
    async fn account_as_it_is(&self, call: &AcmeCall) -> Result<AcmeCall, AcmeError> {
        self.inner.acme.accounts.forget(&call.account.id);
        let account = self.acme_account(&call.door, call.account.id.as_str()).await?;
        in_use((*account).clone())?;
        if account.key != call.account.key {
            return refuse(ProblemKind::Unauthorized, "The key that signed this is not the account's any more.");
        }
        let directory = self.open_acme_directory(call.door.directory.settings.name().as_str()).await?;
        if directory.revision != call.door.directory.revision {
            return Err(Error::Unavailable { detail: "the directory was changed".into(), retry_after_s: 1 }.into());
        }
        Ok(AcmeCall { account, ..call.clone() })
    }

    /// Has any account of the directory this key, in use or not?
    async fn is_account_key(&self, call: &AcmeCall, key: Option<Sha256>) -> Result<bool, AcmeError> {
        let Some(key) = key else { return Ok(false) };
        let mut read = self.inner.store.glance().await?;
        Ok(read.acme_account_of(&call.door.directory.id, &key).await?.is_some())
    }

    /// Signs and stores; `None`: something changed meanwhile, and the decision is to be made anew.
    async fn sign_order(
        &self,
        call: &AcmeCall,
        view: &OrderView,
        csr: Csr,
        key: Option<Sha256>,
    ) -> Result<Option<OrderView>, AcmeError> {
        let order = &view.order;
        let request = LeafRequest {
            subject: subject(&csr),
            names: order.identifiers.iter().map(|identifier| identifier.san().clone()).collect(),
            public_key: csr.public_key,
            key_holder: KeyHolder::Requester,
            validity: RequestedValidity {
                not_before: order.not_before,
                end: order.not_after.map_or(RequestedEnd::Longest, RequestedEnd::NotAfter),
            },
            asks_for_ca: csr.asks_for_ca,
        };
        let (ca, profile) = (by_id(call.door.directory.ca.as_str())?, by_id(order.profile.as_str())?);
        let as_caller = call.call();
        let signed = match self.sign_leaf(&as_caller, &ca, &profile, request, None).await {
            Ok(signed) => signed,
            Err(Error::Rejected(violations)) => return refuse(ProblemKind::BadCsr, sentences(&violations)),
            Err(Error::NotFound { kind: "profile", .. }) => return Err(gone_profile(order.profile.as_str())),
            Err(error) => return Err(issuing_error(error)),
        };
        let issued = signed.row().id.clone();
        let ending = OrderEnding {
            order: order.id.clone(),
            revision: order.revision,
            account: (call.account.id.clone(), call.account.revision),
            directory: (call.door.directory.id.clone(), call.door.directory.revision),
            authorizations: view.authorizations.iter().map(|it| (it.id.clone(), it.revision)).collect(),
            key,
        };
        match signed.record_ending(self, &as_caller, ending).await {
            Ok(()) => {}
            Err(certwright_store::Error::Stale { what }) => {
                if what == STALE_EPOCH {
                    self.refresh_epoch().await?;
                }
                return Ok(None);
            }
            Err(certwright_store::Error::Conflict { what }) if what == REPLACED => {
                let detail = "The certificate that the order is to replace was replaced already.";
                return refuse(ProblemKind::AlreadyReplaced, detail);
            }
            Err(error) => return Err(error.into()),
        }
        let order =
            Order { end: Some(OrderEnd::Valid(issued)), revision: order.revision.saturating_add(1), ..order.clone() };
        Ok(Some(OrderView { order, state: OrderState::Valid, error: None, ..view.clone() }))
    }
}

fn read(bytes: &[u8]) -> Result<Csr, AcmeError> {
    if bytes.first() != Some(&SEQUENCE) {
        return refuse(ProblemKind::BadCsr, "`csr` is not a CSR in DER (base64url, without PEM's lines).");
    }
    read_csr(bytes).map_err(|error| match error {
        Error::Invalid(faults) => {
            let texts: Vec<String> =
                faults.iter().map(|it| format!("{} {}", it.invalid.detail, it.invalid.hint)).collect();
            Problem::new(ProblemKind::BadCsr, texts.join(" ")).into()
        }
        other => other.into(),
    })
}

/// The names of the CSR, its commonName among them, are those of the order: no fewer, no others.
fn check_names(csr: &Csr, identifiers: &[Identifier]) -> Result<(), AcmeError> {
    let mut names = BTreeSet::new();
    for name in &csr.names {
        match Identifier::of(name.clone()) {
            Some(identifier) => names.insert(identifier),
            None => {
                let detail = format!("The CSR asks for {name}; only DNS names and IP addresses are certified here.");
                return refuse(ProblemKind::BadCsr, detail);
            }
        };
    }
    let common_names = csr.subject.attributes().iter().filter(|it| it.kind() == AttributeType::CommonName);
    for attribute in common_names {
        match host_of(attribute.value()).and_then(Identifier::of) {
            Some(identifier) => names.insert(identifier),
            None => {
                let detail = format!("The CSR's commonName `{}` is none of its names.", attribute.value());
                return refuse(ProblemKind::BadCsr, detail);
            }
        };
    }
    let ordered: BTreeSet<Identifier> = identifiers.iter().cloned().collect();
    if names == ordered {
        return Ok(());
    }
    let texts = |of: BTreeSet<&Identifier>| of.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let missing = texts(ordered.difference(&names).collect());
    let extra = texts(names.difference(&ordered).collect());
    let mut detail = "The CSR's names are not those of the order.".to_owned();
    if !missing.is_empty() {
        detail = format!("{detail} It lacks {missing}.");
    }
    if !extra.is_empty() {
        detail = format!("{detail} It has {extra}, which the order does not.");
    }
    refuse(ProblemKind::BadCsr, detail)
}

/// Of the CSR's subject the first commonName alone, and that where it is a DNS name: everything else was never proven.
fn subject(csr: &Csr) -> DistinguishedName {
    let first = csr.subject.attributes().iter().find(|attribute| attribute.kind() == AttributeType::CommonName);
    let dns = first.filter(|it| matches!(host_of(it.value()), Some(San::Dns(_))));
    dns.and_then(|attribute| DistinguishedName::new(vec![attribute.clone()]).ok()).unwrap_or_default()
}

/// A commonName as verifiers that still look at it read it: a DNS name or an IP address and nothing around it. It is certified as
/// it was written, so the kinds that [`San::parse`] takes in front of a name (`dns:`) have no place here.
fn host_of(common_name: &str) -> Option<San> {
    match common_name.parse::<IpAddr>() {
        Ok(ip) => Some(San::Ip(ip)),
        Err(_) => DnsName::parse(common_name).ok().map(San::Dns),
    }
}
