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
    /// When somebody is to look next; where somebody looks now: when another one does if he does not come back.
    pub due_at: Option<Timestamp>,
}

impl Challenge {
    /// Has this node seen the proof already, and is it another's turn?
    pub fn is_seen_by(&self, node: &str) -> bool {
        self.seen_by.iter().any(|seen| seen == node)
    }
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
    /// When somebody is to look at one of the challenges next: the earliest of theirs.
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

    /// The challenges that are being looked at: as many as the account has answered.
    pub fn processing(&self) -> impl Iterator<Item = &Challenge> {
        self.challenges.iter().filter(|challenge| challenge.state == ChallengeState::Processing)
    }

    /// Will a client that asks again soon hear something else? Not once it has come to an end, whatever was still looked at then.
    pub fn is_looked_at(&self, now: Timestamp) -> bool {
        self.state_at(now) == AuthorizationState::Pending && self.processing().next().is_some()
    }

    /// Seconds after which it is worth asking again; `None`: nobody looks at it. That is after the next look (RFC 8555 section
    /// 8.2): a second after the pause that a failure is followed by, else in a second.
    pub fn ask_again_s(&self, now: Timestamp) -> Option<u32> {
        if !self.is_looked_at(now) {
            return None;
        }
        // What is further away than any pause is a claim: somebody looks at this moment.
        let pause_ms = |due: Timestamp| due.unix_ms().saturating_sub(now.unix_ms());
        let longest = PAUSES.iter().map(|pause| pause_ms(now.plus(*pause))).max().unwrap_or_default();
        let waits = |due: Timestamp| match pause_ms(due) {
            pause if pause <= longest => pause.max(0).saturating_add(999).div_euclid(1_000).saturating_add(1),
            _ => 1,
        };
        let soonest = self.processing().filter_map(|challenge| challenge.due_at).map(waits).min();
        Some(soonest.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(1))
    }

    /// The account says that it is ready: somebody is to look by `due`, beside what else is being looked at. `None`: there is
    /// nothing to do, because the authorization or the challenge has come to an end, or somebody is looking at it already
    /// (RFC 8555 section 7.5.1).
    #[must_use]
    pub fn answered(&self, method: Method, due: Timestamp, now: Timestamp) -> Option<Self> {
        let open = self.state_at(now) == AuthorizationState::Pending;
        let pending = self.challenge(method).is_some_and(|challenge| challenge.state == ChallengeState::Pending);
        if !open || !pending {
            return None;
        }
        let mut answered = self.clone();
        answered.change(method, |challenge| {
            challenge.state = ChallengeState::Processing;
            challenge.due_at = Some(due);
        });
        Some(answered.scheduled())
    }

    /// After an attempt. A proof that `nodes` have seen makes it valid until `valid_until`; a failure is tried again after a
    /// pause, by all of them. The last failure ends its challenge, and the authorization where no other challenge is being looked
    /// at: one success is enough (RFC 8555 section 7.1.6). `None`: the attempt came too late to matter.
    #[must_use]
    pub fn attempted(&self, attempt: &Attempt, nodes: usize, valid_until: Timestamp, now: Timestamp) -> Option<Self> {
        let challenge = self.processing().find(|challenge| challenge.method == attempt.method);
        let challenge = challenge.filter(|_| self.state == AuthorizationState::Pending)?;
        let attempts = challenge.attempts.saturating_add(1);
        let mut after = self.clone();
        match &attempt.outcome {
            Ok(()) => {
                let mut seen_by = challenge.seen_by.clone();
                if !challenge.is_seen_by(&attempt.node) {
                    seen_by.push(attempt.node.clone());
                }
                if seen_by.len() < nodes {
                    // Another node looks next, at once.
                    after.change(attempt.method, |challenge| {
                        challenge.seen_by = seen_by;
                        challenge.due_at = Some(now);
                    });
                    return Some(after.scheduled());
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
                after.stop_looking();
            }
            Err(failure) => {
                let pause = usize::try_from(attempts).ok().and_then(|tried| PAUSES.get(tried.checked_sub(1)?));
                // Its time is over: nobody waits for another attempt.
                let pause = pause.filter(|pause| now.plus(**pause) < self.expires_at);
                after.change(attempt.method, |challenge| {
                    challenge.failure = Some(failure.clone());
                    challenge.attempts = attempts;
                    challenge.seen_by = Vec::new();
                    challenge.due_at = pause.map(|pause| now.plus(*pause));
                    if pause.is_none() {
                        challenge.state = ChallengeState::Invalid;
                    }
                });
                if after.processing().next().is_none() {
                    after.state = AuthorizationState::Invalid;
                }
            }
        }
        Some(after.scheduled())
    }

    /// The challenges whose time to be looked at has come.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = &Challenge> {
        self.processing().filter(move |challenge| challenge.due_at.is_some_and(|due| due <= now))
    }

    /// Somebody took it upon himself to look at these challenges, until `until`.
    #[must_use]
    pub fn claimed(&self, methods: &[Method], until: Timestamp) -> Self {
        let mut claimed = self.clone();
        for method in methods {
            claimed.change(*method, |challenge| challenge.due_at = Some(until));
        }
        claimed.scheduled()
    }

    /// Given up by its account (RFC 8555 section 7.5.2); `None`: it has come to another end.
    #[must_use]
    pub fn deactivated(&self, now: Timestamp) -> Option<Self> {
        match self.state_at(now) {
            AuthorizationState::Pending | AuthorizationState::Valid => {
                let mut after = Self { state: AuthorizationState::Deactivated, ..self.clone() };
                after.stop_looking();
                Some(after.scheduled())
            }
            _ => None,
        }
    }

    /// It has come to an end: nothing will come any more of what was looked at (there is no way back to `pending`).
    fn stop_looking(&mut self) {
        for challenge in &mut self.challenges {
            challenge.due_at = None;
            if challenge.state == ChallengeState::Processing {
                challenge.state = ChallengeState::Invalid;
            }
        }
    }

    fn scheduled(self) -> Self {
        let due_at = self.processing().filter_map(|challenge| challenge.due_at).min();
        Self { due_at, ..self }
    }

    fn change(&mut self, method: Method, change: impl FnOnce(&mut Challenge)) {
        if let Some(challenge) = self.challenges.iter_mut().find(|challenge| challenge.method == method) {
            change(challenge);
        }
    }
}
