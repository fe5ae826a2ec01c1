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
