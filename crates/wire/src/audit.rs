//! The audit trail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One audit event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Id.
    #[schema(example = "audit_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// When it was written.
    pub at: String,
    /// Who: `token:<id>`, `system`.
    pub actor: String,
    /// Name of the actor.
    pub actor_name: String,
    /// What was done.
    #[schema(example = "certificate.issue")]
    pub action: String,
    /// What it was done to.
    pub target: AuditTarget,
    /// Id of the request that caused it.
    pub request_id: String,
    /// The door that the actor came through: `token`, `system`; empty where nobody was known.
    pub door: String,
    /// The address that the request came from; absent for the server's own work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The rules or the statement that decided; absent where there is none to name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// `SUCCEEDED`, `REFUSED` or `FAILED`.
    #[schema(example = "SUCCEEDED")]
    pub outcome: String,
    /// The chain that the event is a link of; absent for events from before there were chains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// Its place in the chain, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// Its hash, SHA-256 in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Facts about the change.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
}

/// What an audit event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditTarget {
    /// Kind.
    #[schema(example = "ca")]
    pub kind: String,
    /// Id.
    pub id: String,
    /// Name; empty where it has none.
    pub name: String,
}

/// What a verification of the audit trail found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditVerification {
    /// `VERIFIED`; `INCOMPLETE`: no fault so far, go on with `next`; `BROKEN`.
    #[schema(example = "VERIFIED")]
    pub status: String,
    /// Events that are as they should be.
    pub events: u64,
    /// Events from before there were chains: protected by their count and last id alone.
    pub events_before_chains: i64,
    /// Where the chains end.
    pub chains: Vec<AuditHead>,
    /// Number of the newest checkpoint that holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<i64>,
    /// The keys that checkpoints are signed with. Keep a copy elsewhere.
    pub public_keys: Vec<AuditKey>,
    /// What is wrong: the first fault of every chain.
    pub faults: Vec<AuditFault>,
    /// Where to go on: call again with these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<AuditPlace>,
}

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditHead {
    /// The chain.
    #[schema(example = "01")]
    pub chain: String,
    /// Sequence of its last event.
    pub sequence: i64,
    /// Hash of its last event, SHA-256 in hex.
    pub hash: String,
}

/// A place in a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPlace {
    /// The chain.
    pub chain: String,
    /// Sequence of the event to begin with.
    pub from: i64,
}

/// A key that checkpoints are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditKey {
    /// Version.
    pub version: u32,
    /// PEM SubjectPublicKeyInfo.
    pub public_key: String,
}

/// What is wrong with the trail, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditFault {
    /// `MODIFIED`, `MISSING`, `REORDERED`, `TRUNCATED` or `FORGED_CHECKPOINT`.
    #[schema(example = "MODIFIED")]
    pub kind: String,
    /// The chain; empty for checkpoints and for events from before the chains.
    pub chain: String,
    /// The place in the chain, or the number of the checkpoint.
    pub sequence: i64,
    /// The event, where one is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// A sentence for people.
    pub detail: String,
}
