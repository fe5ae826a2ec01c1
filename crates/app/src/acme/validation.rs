//! Looking at proofs: what was answered on this node at once, what other nodes left behind when its time has come.
//!
//! Whoever looks has claimed the challenge (its `due_at` lies ahead); an outcome is written by compare-and-swap, into whatever
//! became of the other challenges of its authorization meanwhile: they are looked at side by side. A node that dies in between
//! leaves a challenge that is due again when the claim ends.

use super::{AcmeCall, CaaCheck, ChallengeCheck};
use crate::change::by_id;
use crate::{App, Error};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::acme::{
    Account, AccountState, Attempt, Authorization, AuthorizationState, Challenge, ChallengeState, Directory, Failure,
    FailureKind, Method,
};
use certwright_domain::id::AcmeAuthorizationId;
use certwright_domain::san::San;
use certwright_domain::time::Span;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// How long a claim lasts: longer than an attempt can take.
pub(super) const LOOKING: Span = Span::from_s(90);
/// How long a node that has seen a proof waits for the others.
const OTHERS: Span = Span::from_s(15);
/// Most that wait in memory; the others are found in the database when their claim ends.
const QUEUE: usize = 10_000;

/// How often an outcome is written anew because the other challenges of its authorization changed meanwhile: each of them may be
/// answered, and be looked at a few times.
pub(super) const WRITES: usize = 16;

/// First looks at a time.
const FIRST_LOOKS: usize = 64;

/// A challenge that somebody is to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AcmeProof {
    /// Its authorization.
    pub authorization: AcmeAuthorizationId,
    /// Which of its challenges.
    pub method: Method,
}

/// What was answered on this node and has not been looked at.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<AcmeProof>>,
    more: Notify,
    /// What the requests that answer look at themselves.
    first: Mutex<HashSet<AcmeProof>>,
}

/// Somebody takes the first look at a proof; dropped, he has stopped.
pub(super) struct FirstLook<'a> {
    queue: &'a Queue,
    proof: AcmeProof,
}

impl Drop for FirstLook<'_> {
    fn drop(&mut self) {
        self.queue.first.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.proof);
    }
}

impl Queue {
    pub(super) fn push(&self, proof: AcmeProof) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < QUEUE {
            waiting.push_back(proof);
            self.more.notify_one();
        }
    }

    /// A first look; `None`: somebody takes one at this proof, or too many are being taken.
    pub(super) fn first_look(&self, proof: AcmeProof) -> Option<FirstLook<'_>> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let free = first.len() < FIRST_LOOKS && first.insert(proof.clone());
        free.then_some(FirstLook { queue: self, proof })
    }

    fn pop(&self) -> Option<AcmeProof> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl App {
    /// Waits for the next proof to look at that was answered on this node. For one waiter.
    pub async fn next_acme_proof(&self) -> AcmeProof {
        loop {
            if let Some(proof) = self.inner.acme.queue.pop() {
                return proof;
            }
            self.inner.acme.queue.more.notified().await;
        }
    }

    /// The next proof that waits on this node, if there is one.
    pub fn waiting_acme_proof(&self) -> Option<AcmeProof> {
        self.inner.acme.queue.pop()
    }

    /// Claims proofs whose time has come: second attempts, and what was left behind. `limit`: of so many authorizations.
    pub async fn due_acme_proofs(&self, limit: u32) -> Result<Vec<AcmeProof>, Error> {
        let now = self.now();
        let due = self.inner.store.read().await?.due_acme_authorizations(now, limit).await?;
        let mut claimed = Vec::with_capacity(due.len());
        for authorization in due {
            let ours = |challenge: &&Challenge| {
                // Another node's turn, unless there is none: then this one says so.
                let waited = challenge.due_at.is_some_and(|due| due.plus(OTHERS) <= now);
                waited || !challenge.is_seen_by(&self.inner.settings.node)
            };
            let methods: Vec<Method> = authorization.due(now).filter(ours).map(|challenge| challenge.method).collect();
            if methods.is_empty() {
                continue;
            }
            let claim = authorization.claimed(&methods, now.plus(LOOKING));
            match self.inner.store.write_acme_authorization("acme.claim-proof", &claim).await {
                Ok(()) => {
                    let proof = |method| AcmeProof { authorization: claim.id.clone(), method };
                    claimed.extend(methods.into_iter().map(proof));
                }
                // Another node was faster, or another of its challenges has changed: it is looked for again.
                Err(certwright_store::Error::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(claimed)
    }

    /// Looks at a proof once and writes down what came of it.
    pub async fn look_at_acme_proof(&self, proof: &AcmeProof) -> Result<(), Error> {
        let mut read = self.inner.store.glance().await?;
        let Some(mut authorization) = read.acme_authorization(&proof.authorization).await? else { return Ok(()) };
        let account = read.acme_account(&authorization.account).await?;
        let directory = read.acme_directory(&by_id(authorization.directory.as_str())?).await?;
        drop(read);
        let (Some(account), Some(directory)) = (account, directory) else { return Ok(()) };
        if account.state != AccountState::Valid {
            return self.let_proof_die(&authorization).await;
        }
        let Some(looked_at) = authorization.challenge(proof.method).cloned() else { return Ok(()) };
        let Some(outcome) = self.attempt(&authorization, proof.method, &account, &directory).await else {
            return Ok(());
        };
        for _ in 0..WRITES {
            let now = self.now();
            let valid_until = now.plus(directory.settings.authorization_lifetime());
            let nodes = directory.settings.vantage_points();
            let Some(after) = authorization.attempted(&outcome, nodes, valid_until, now) else { return Ok(()) };
            match self.inner.store.write_acme_authorization("acme.proof", &after).await {
                Ok(()) => {
                    self.tell_of_attempt(&account, &directory, &after, &outcome);
                    return Ok(());
                }
                Err(certwright_store::Error::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let found = self.inner.store.glance().await?.acme_authorization(&proof.authorization).await?;
            // Another node looked at this very challenge meanwhile, after our claim: its outcome counts.
            let same = |found: &Authorization| found.challenge(proof.method) == Some(&looked_at);
            let Some(found) = found.filter(same) else { return Ok(()) };
            authorization = found;
        }
        // Looked at again when the claim ends.
        Ok(())
    }

    /// What an account that has ended left pending ends with it; nobody is connected to for it any more.
    async fn let_proof_die(&self, authorization: &Authorization) -> Result<(), Error> {
        let Some(after) = authorization.deactivated(self.now()) else { return Ok(()) };
        match self.inner.store.write_acme_authorization("acme.proof", &after).await {
            Ok(()) | Err(certwright_store::Error::Stale { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at a proof that was answered just now, if that does not take long; `None`: it is to be looked at from the queue.
    /// Most clients show their proof to a neighbour: answer, look and outcome are one commit then instead of two.
    pub(super) async fn look_first(
        &self,
        call: &AcmeCall,
        answered: &Authorization,
        method: Method,
    ) -> Option<Attempt> {
        let patience = self.inner.settings.acme.first_look;
        if patience.is_zero() {
            return None;
        }
        let _looking = self.inner.acme.queue.first_look(AcmeProof { authorization: answered.id.clone(), method })?;
        let look = self.attempt(answered, method, &call.account, &call.door.directory);
        tokio::time::timeout(patience, look).await.ok()?
    }

    /// Log, limits and metrics, once it is written down.
    pub(super) fn tell_of_attempt(
        &self,
        account: &Account,
        directory: &Directory,
        after: &Authorization,
        outcome: &Attempt,
    ) {
        if let Err(failure) = &outcome.outcome {
            let challenge = after.challenge(outcome.method);
            tracing::info!(
                acme.directory = %directory.settings.name(),
                acme.account = %account.id,
                name = %after.identifier,
                challenge = outcome.method.as_str(),
                failure = failure.kind.as_str(),
                detail = failure.detail,
                final_attempt = challenge.is_some_and(|challenge| challenge.state == ChallengeState::Invalid),
                "a proof of control failed"
            );
            // Not while another challenge may still prove the name.
            if after.state == AuthorizationState::Invalid {
                self.note_failed_proof(account.id.as_str(), &after.identifier.to_string());
            }
        }
        let result = if outcome.outcome.is_ok() { "proven" } else { "failed" };
        metrics::counter!("certwright_acme_proofs_total", "challenge" => outcome.method.as_str(), "result" => result)
            .increment(1);
    }

    async fn attempt(
        &self,
        authorization: &Authorization,
        method: Method,
        account: &Account,
        directory: &Directory,
    ) -> Option<Attempt> {
        let challenge = authorization.processing().find(|challenge| challenge.method == method)?;
        let node = self.inner.settings.node.clone();
        if challenge.is_seen_by(&node) {
            let (seen, nodes) = (challenge.seen_by.len(), directory.settings.vantage_points());
            let detail = format!("{seen} of {nodes} nodes have seen the proof, and no other looked in time.");
            let outcome = Err(Failure::new(FailureKind::Connection, detail));
            return Some(Attempt { method, node, outcome });
        }
        let base = authorization.identifier.base();
        let thumbprint = URL_SAFE_NO_PAD.encode(account.thumbprint.0);
        let key_authorization = format!("{}.{thumbprint}", challenge.token);
        let check = ChallengeCheck {
            method,
            identifier: base.san(),
            token: &challenge.token,
            key_authorization: &key_authorization,
            allowed: directory.settings.allowed_private_ranges(),
        };
        // At once: most proofs are there, and then both are needed.
        let (proof, heeded) = tokio::join!(
            self.inner.validator.validate(&check),
            self.heed_caa(authorization, Some(method), account, directory)
        );
        Some(Attempt { method, node, outcome: proof.and(heeded) })
    }

    /// CAA records, where the directory heeds them (RFC 8659, RFC 8657). `method`: by which the name is proven, if it is.
    pub(super) async fn heed_caa(
        &self,
        authorization: &Authorization,
        method: Option<Method>,
        account: &Account,
        directory: &Directory,
    ) -> Result<(), Failure> {
        let settings = &directory.settings;
        if !settings.check_caa() {
            return Ok(());
        }
        let base = authorization.identifier.base();
        // Addresses have no CAA records (RFC 8738 section 6).
        let San::Dns(name) = base.san() else { return Ok(()) };
        let Some(method) = method else {
            let text = format!("{base} was not proven by any challenge, so its CAA records cannot be heeded.");
            // Names that an operator vouches for are certified without asking their owner's DNS.
            return match authorization.challenges.is_empty() {
                true => Ok(()),
                false => Err(Failure::new(FailureKind::Caa, text)),
            };
        };
        let issuers: Vec<String> = settings.caa_identities().iter().map(|it| it.as_str().to_owned()).collect();
        let account_url = self.inner.settings.acme.account_url(settings.name().as_str(), &account.id);
        let wildcard = authorization.identifier.is_wildcard();
        let check = CaaCheck { name, wildcard, method, account_url: &account_url, issuers: &issuers };
        self.inner.validator.caa(&check).await
    }
}
