//! Audit events: data, not logs. Written in the same transaction as the change they tell of.

use crate::id::AuditId;
use crate::time::Timestamp;

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
    /// Facts, as JSON text.
    pub details: String,
}
