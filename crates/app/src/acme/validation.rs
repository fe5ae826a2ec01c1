//! Looking at proofs: what was answered on this node at once, what other nodes left behind when its time has come.
//!
//! Whoever looks has claimed the row (`due_at` lies ahead); an outcome is written by compare-and-swap. A node that dies in
//! between leaves a row that is due again when the claim ends.

use super::{AcmeCall, CaaCheck, ChallengeCheck};
use crate::change::by_id;
use crate::{App, Error};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::acme::{Account, AccountState, Attempt, Authorization, Directory, Failure, FailureKind};
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

/// First looks at a time.
const FIRST_LOOKS: usize = 64;

/// What was answered on this node and has not been looked at.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<AcmeAuthorizationId>>,
    more: Notify,
    /// What the requests that answer look at themselves.
    first: Mutex<HashSet<AcmeAuthorizationId>>,
}

/// Somebody takes the first look at a proof; dropped, he has stopped.
pub(super) struct FirstLook<'a> {
    queue: &'a Queue,
    id: AcmeAuthorizationId,
}

impl Drop for FirstLook<'_> {
    fn drop(&mut self) {
        self.queue.first.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Queue {
    pub(super) fn push(&self, id: AcmeAuthorizationId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < QUEUE {
            waiting.push_back(id);
            self.more.notify_one();
        }
    }

    /// A first look; `None`: somebody takes one at this proof, or too many are being taken.
    pub(super) fn first_look(&self, id: &AcmeAuthorizationId) -> Option<FirstLook<'_>> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let free = first.len() < FIRST_LOOKS && first.insert(id.clone());
        free.then(|| FirstLook { queue: self, id: id.clone() })
    }

    fn pop(&self) -> Option<AcmeAuthorizationId> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl App {
    /// Waits for the next proof to look at that was answered on this node. For one waiter.
    pub async fn next_acme_proof(&self) -> AcmeAuthorizationId {
        loop {
            if let Some(id) = self.inner.acme.queue.pop() {
                return id;
            }
            self.inner.acme.queue.more.notified().await;
        }
    }

    /// The next proof that waits on this node, if there is one.
    pub fn waiting_acme_proof(&self) -> Option<AcmeAuthorizationId> {
        self.inner.acme.queue.pop()
    }

    /// Claims proofs whose time has come: second attempts, and what was left behind.
    pub async fn due_acme_proofs(&self, limit: u32) -> Result<Vec<AcmeAuthorizationId>, Error> {
        let now = self.now();
        let due = self.inner.store.read().await?.due_acme_authorizations(now, limit).await?;
        let mut claimed = Vec::with_capacity(due.len());
        for authorization in due {
            // Another node's turn, unless there is none: then this one says so.
            let waited = authorization.due_at.is_some_and(|due| due.plus(OTHERS) <= now);
            if authorization.is_seen_by(&self.inner.settings.node) && !waited {
                continue;
            }
            let claim = authorization.claimed(now.plus(LOOKING));
            match self.inner.store.write_acme_authorization("acme.claim-proof", &claim).await {
                Ok(()) => claimed.push(authorization.id),
                // Another node was faster.
                Err(certwright_store::Error::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(claimed)
    }

    /// Looks at a proof once and writes down what came of it.
    pub async fn look_at_acme_proof(&self, id: &AcmeAuthorizationId) -> Result<(), Error> {
        let mut read = self.inner.store.glance().await?;
        let Some(authorization) = read.acme_authorization(id).await? else { return Ok(()) };
        let account = read.acme_account(&authorization.account).await?;
        let directory = read.acme_directory(&by_id(authorization.directory.as_str())?).await?;
        drop(read);
        let (Some(account), Some(directory)) = (account, directory) else { return Ok(()) };
        if account.state != AccountState::Valid {
            return self.let_proof_die(&authorization).await;
        }
        let Some(outcome) = self.attempt(&authorization, &account, &directory).await else { return Ok(()) };
        let now = self.now();
        let valid_until = now.plus(directory.settings.authorization_lifetime());
        let nodes = directory.settings.vantage_points();
        let Some(after) = authorization.attempted(&outcome, nodes, valid_until, now) else { return Ok(()) };
        match self.inner.store.write_acme_authorization("acme.proof", &after).await {
            Ok(()) => {}
            // Given up meanwhile, or looked at by another node.
            Err(certwright_store::Error::Stale { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        self.tell_of_attempt(&account, &directory, &after, &outcome);
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
    ) -> Option<(Attempt, Authorization)> {
        let patience = self.inner.settings.acme.first_look;
        if patience.is_zero() {
            return None;
        }
        let _looking = self.inner.acme.queue.first_look(&answered.id)?;
        let directory = &call.door.directory;
        let look = self.attempt(answered, &call.account, directory);
        let outcome = tokio::time::timeout(patience, look).await.ok()??;
        let now = self.now();
        let valid_until = now.plus(directory.settings.authorization_lifetime());
        let after = answered.attempted(&outcome, directory.settings.vantage_points(), valid_until, now)?;
        Some((outcome, after))
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
            tracing::info!(
                acme.directory = %directory.settings.name(),
                acme.account = %account.id,
                name = %after.identifier,
                challenge = outcome.method.as_str(),
                failure = failure.kind.as_str(),
                detail = failure.detail,
                final_attempt = after.due_at.is_none(),
                "a proof of control failed"
            );
            if after.due_at.is_none() {
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
        account: &Account,
        directory: &Directory,
    ) -> Option<Attempt> {
        let challenge = authorization.processing()?;
        let node = self.inner.settings.node.clone();
        if authorization.is_seen_by(&node) {
            let (seen, nodes) = (challenge.seen_by.len(), directory.settings.vantage_points());
            let detail = format!("{seen} of {nodes} nodes have seen the proof, and no other looked in time.");
            let outcome = Err(Failure::new(FailureKind::Connection, detail));
            return Some(Attempt { method: challenge.method, node, outcome });
        }
        let base = authorization.identifier.base();
        let thumbprint = URL_SAFE_NO_PAD.encode(account.thumbprint.0);
        let key_authorization = format!("{}.{thumbprint}", challenge.token);
        let check = ChallengeCheck {
            method: challenge.method,
            identifier: base.san(),
            token: &challenge.token,
            key_authorization: &key_authorization,
            allowed: directory.settings.allowed_private_ranges(),
        };
        // At once: most proofs are there, and then both are needed.
        let (proof, heeded) =
            tokio::join!(self.inner.validator.validate(&check), self.heed_caa(authorization, account, directory));
        Some(Attempt { method: challenge.method, node, outcome: proof.and(heeded) })
    }

    /// CAA records, where the directory heeds them (RFC 8659, RFC 8657).
    pub(super) async fn heed_caa(
        &self,
        authorization: &Authorization,
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
        let method = authorization.proven_by().or_else(|| authorization.processing().map(|it| it.method));
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
