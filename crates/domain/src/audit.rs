//! Audit events: data, not logs. Written in the same transaction as the change they tell of; what has none (a refusal) is
//! written soon after. How they are chained: [`chain`]; how a trail is verified: [`verify`].

pub mod chain;
pub mod checkpoint;
pub mod verify;

use crate::id::AuditId;
use crate::serial::Sha256;
use crate::time::Timestamp;
use std::net::IpAddr;

/// How what an event tells of ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Succeeded,
    /// It was not allowed, or a rule forbade it.
    Refused,
    /// It was tried and did not work.
    Failed,
}

impl Outcome {
    /// As text, for storage and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Refused => "REFUSED",
            Self::Failed => "FAILED",
        }
    }
}

/// One audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Id; events are listed by it.
    pub id: AuditId,
    /// When it was written.
    pub at: Timestamp,
    /// Who: `token:<id>`, `system`, `node:<name>`.
    pub actor: String,
    /// The actor's name, for people.
    pub actor_name: String,
    /// What was done, `<resource>.<verb>`, for example `certificate.issue`.
    pub action: &'static str,
    /// Kind and id of what it was done to, for example `ca` and `ca_01…`; a serial for issued certificates.
    pub target_kind: &'static str,
    /// Id of the target.
    pub target_id: String,
    /// The target's name, for people; empty where it has none.
    pub target_name: String,
    /// Id of the request that caused it.
    pub request_id: String,
    /// The door that the actor came through: `token`, `system`; empty where nobody was known.
    pub door: &'static str,
    /// The address that the request came from.
    pub address: Option<IpAddr>,
    /// The rule or the statement that decided; empty: none to name.
    pub decided_by: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Facts about the change, as JSON text of an object; never a secret.
    pub details: String,
}

/// An audit event as it is read back (action and kind as text).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAuditEvent {
    /// Id.
    pub id: AuditId,
    /// When it was written.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The actor's name.
    pub actor_name: String,
    /// What was done.
    pub action: String,
    /// Kind of the target.
    pub target_kind: String,
    /// Id of the target.
    pub target_id: String,
    /// The target's name.
    pub target_name: String,
    /// Id of the request.
    pub request_id: String,
    /// The door.
    pub door: String,
    /// The address, as text; empty: none.
    pub address: String,
    /// What decided; empty: nothing to name.
    pub decided_by: String,
    /// How it ended: one of [`Outcome`], as text.
    pub outcome: String,
    /// Facts, as JSON text.
    pub details: String,
    /// The chain that it is a link of; empty: it was written before there were chains.
    pub chain: String,
    /// Its place in the chain, from 1; 0 without a chain.
    pub sequence: i64,
    /// The hash of the link before; zeros at the beginning. `None` without a chain.
    pub previous_hash: Option<Sha256>,
    /// The hash of this one, see [`chain`]. `None` without a chain.
    pub hash: Option<Sha256>,
}

impl AuditEvent {
    /// The same event with what decided.
    #[must_use]
    pub fn decided_by(mut self, what: impl Into<String>) -> Self {
        self.decided_by = what.into();
        self
    }

    /// The same event with how it ended.
    #[must_use]
    pub fn ended(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }
}

#[cfg(test)]
mod tests;
