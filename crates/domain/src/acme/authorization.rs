//! Authorizations and their challenges (RFC 8555 sections 7.1.4, 7.5, 8).

use super::{Failure, Identifier, Method};
use crate::algorithm::named_enum;
use crate::id::{AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId};
use crate::time::{Span, Timestamp};

/// How often a proof is looked at before its challenge has failed.
pub const MAX_ATTEMPTS: u32 = 3;
/// The pauses between the attempts: a record may be on its way through a name server's replicas.
const PAUSES: [Span; 2] = [Span::from_s(2), Span::from_s(5)];

named_enum! {
    /// What an authorization is (RFC 8555 section 7.1.6).
    AuthorizationState, "invalid_authorization_status", "authorization status" {
        /// Nothing is proven yet.
        Pending = "pending",
        /// Proven.
        Valid = "valid",
        /// A proof failed.
        Invalid = "invalid",
        /// Given up by the account.
        Deactivated = "deactivated",
        /// Its time is over.
        Expired = "expired",
        /// Taken back by an operator.
        Revoked = "revoked",
    }
}

named_enum! {
    /// What a challenge is (RFC 8555 section 7.1.6).
    ChallengeState, "invalid_challenge_status", "challenge status" {
        /// The client has not said that it is ready.
        Pending = "pending",
        /// We are looking.
        Processing = "processing",
        /// Control is proven.
        Valid = "valid",
        /// It is not.
        Invalid = "invalid",
    }
}

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The way.
    pub method: Method,
    /// 32 random bytes, base64url (RFC 8555 section 8.1 asks for 128 bits).
    pub token: String,
    /// State.
    pub state: ChallengeState,
    /// When control was proven.
    pub validated_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub failure: Option<Failure>,
    /// How often has been looked.
    pub attempts: u32,
    /// Nodes that have seen the proof, where several are to see it.
    pub seen_by: Vec<String>,
}

/// An authorization: one account, one name, one certificate's kind of it (wildcard or not).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Id; the last part of its URL.
    pub id: AcmeAuthorizationId,
    /// The account.
    pub account: AcmeAccountId,
    /// The directory of the account.
    pub directory: AcmeDirectoryId,
    /// The name as ordered, with `*.` where it is a wildcard.
    pub identifier: Identifier,
    /// Stored state; [`Self::state_at`] knows the time as well.
    pub state: AuthorizationState,
    /// Until when it can be used; for a pending one: until when it can become valid.
    pub expires_at: Timestamp,
    /// The ways of proving control; empty where nobody has to.
    pub challenges: Vec<Challenge>,
    /// When somebody is to look at a challenge next.
    pub due_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change.
    pub revision: i64,
}

/// What looking at a challenge came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The challenge.
    pub method: Method,
    /// The node that looked.
    pub node: String,
    /// Proven, or why not.
    pub outcome: Result<(), Failure>,
}

impl Authorization {
    /// State at a time.
    pub fn state_at(&self, now: Timestamp) -> AuthorizationState {
        match self.state {
            AuthorizationState::Pending | AuthorizationState::Valid if self.expires_at <= now => {
                AuthorizationState::Expired
            }
            state => state,
        }
    }

    /// Is control proven?
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.state_at(now) == AuthorizationState::Valid
    }

    /// One of its challenges.
    pub fn challenge(&self, method: Method) -> Option<&Challenge> {
        self.challenges.iter().find(|challenge| challenge.method == method)
    }

    /// The way by which control was proven.
    pub fn proven_by(&self) -> Option<Method> {
        let valid = |challenge: &&Challenge| challenge.state == ChallengeState::Valid;
        self.challenges.iter().find(valid).map(|challenge| challenge.method)
    }

    /// The challenge that is being looked at.
    pub fn processing(&self) -> Option<&Challenge> {
        self.challenges.iter().find(|challenge| challenge.state == ChallengeState::Processing)
    }

    /// The account says that it is ready: somebody is to look by `due`. `None`: there is nothing to do, because the
    /// authorization has come to an end, or somebody is looking already (RFC 8555 section 7.5.1).
    #[must_use]
    pub fn answered(&self, method: Method, due: Timestamp, now: Timestamp) -> Option<Self> {
        let open = self.state_at(now) == AuthorizationState::Pending && self.processing().is_none();
        let pending = self.challenge(method).is_some_and(|challenge| challenge.state == ChallengeState::Pending);
        if !open || !pending {
            return None;
        }
        let mut answered = self.clone();
        answered.change(method, |challenge| challenge.state = ChallengeState::Processing);
        answered.due_at = Some(due);
        Some(answered)
    }

    /// After an attempt. A proof that `nodes` have seen makes it valid until `valid_until`; a failure is tried again after a
    /// pause, by all of them, and the last one makes the authorization invalid (RFC 8555 section 7.1.6). `None`: the attempt came
    /// too late to matter.
    #[must_use]
    pub fn attempted(&self, attempt: &Attempt, nodes: usize, valid_until: Timestamp, now: Timestamp) -> Option<Self> {
        let processing = self.processing().is_some_and(|challenge| challenge.method == attempt.method);
        if self.state != AuthorizationState::Pending || !processing {
            return None;
        }
        let attempts = self.challenge(attempt.method).map_or(0, |challenge| challenge.attempts).saturating_add(1);
        let mut after = self.clone();
        let mut seen_by = self.challenge(attempt.method).map(|it| it.seen_by.clone()).unwrap_or_default();
        match &attempt.outcome {
            Ok(()) => {
                if !seen_by.contains(&attempt.node) {
                    seen_by.push(attempt.node.clone());
                }
                if seen_by.len() < nodes {
                    // Another node looks next, at once.
                    after.change(attempt.method, |challenge| challenge.seen_by = seen_by);
                    after.due_at = Some(now);
                    return Some(after);
                }
                after.change(attempt.method, |challenge| {
                    challenge.state = ChallengeState::Valid;
                    challenge.validated_at = Some(now);
                    challenge.failure = None;
                    challenge.attempts = attempts;
                    challenge.seen_by = seen_by;
                });
                after.state = AuthorizationState::Valid;
                after.expires_at = valid_until;
                after.due_at = None;
            }
            Err(failure) => {
                let pause = usize::try_from(attempts).ok().and_then(|tried| PAUSES.get(tried.checked_sub(1)?));
                // Its time is over: nobody waits for another attempt.
                let pause = pause.filter(|pause| now.plus(**pause) < self.expires_at);
                after.change(attempt.method, |challenge| {
                    challenge.failure = Some(failure.clone());
                    challenge.attempts = attempts;
                    challenge.seen_by = Vec::new();
                    if pause.is_none() {
                        challenge.state = ChallengeState::Invalid;
                    }
                });
                after.due_at = pause.map(|pause| now.plus(*pause));
                if pause.is_none() {
                    after.state = AuthorizationState::Invalid;
                }
            }
        }
        Some(after)
    }

    /// Has this node seen the proof already, and is it another's turn?
    pub fn is_seen_by(&self, node: &str) -> bool {
        self.processing().is_some_and(|challenge| challenge.seen_by.iter().any(|seen| seen == node))
    }

    /// Somebody took it upon himself to look, until `until`.
    #[must_use]
    pub fn claimed(&self, until: Timestamp) -> Self {
        Self { due_at: Some(until), ..self.clone() }
    }

    /// Given up by its account (RFC 8555 section 7.5.2); `None`: it has come to another end.
    #[must_use]
    pub fn deactivated(&self, now: Timestamp) -> Option<Self> {
        match self.state_at(now) {
            AuthorizationState::Pending | AuthorizationState::Valid => {
                Some(Self { state: AuthorizationState::Deactivated, due_at: None, ..self.clone() })
            }
            _ => None,
        }
    }

    fn change(&mut self, method: Method, change: impl FnOnce(&mut Challenge)) {
        if let Some(challenge) = self.challenges.iter_mut().find(|challenge| challenge.method == method) {
            change(challenge);
        }
    }
}
