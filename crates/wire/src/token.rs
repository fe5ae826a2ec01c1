//! Tokens, and who one is.

use crate::SecretText;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "ci", "user": "deployer", "expiresAt": "2026-12-31T00:00:00Z"}))]
pub struct NewToken {
    /// Name, unique among tokens that are not revoked.
    pub name: String,
    /// The user it speaks for, who must be there; default: the caller's user.
    pub user: Option<String>,
    /// When it ends; missing: never.
    pub expires_at: Option<String>,
    /// What it is narrowed to, each a policy statement without its subject, for example
    /// `use certificate-authority-delegates in compartment prod where target.ca.name = 'issuing-1'`. Missing or empty: all
    /// that its user may do.
    pub scopes: Option<Vec<String>>,
}

/// A token's record; its text is never shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Id.
    #[schema(example = "token_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "ci")]
    pub name: String,
    /// Whom it speaks for.
    #[schema(example = "deployer")]
    pub user: String,
    /// What it is narrowed to; empty: all that its user may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// When it ends; `null`: never.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<String>,
}

/// A token just made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewTokenAnswer {
    /// Id.
    #[schema(example = "token_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "ci")]
    pub name: String,
    /// Whom it speaks for.
    #[schema(example = "deployer")]
    pub user: String,
    /// The token itself, for `Authorization: Bearer`. Shown once.
    #[schema(value_type = String)]
    pub token: SecretText,
    /// When it was made.
    pub created_at: String,
    /// When it ends; `null`: never.
    pub expires_at: Option<String>,
}

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Whoami {
    /// Identity, as in the audit trail: `token:<id>`.
    #[schema(example = "token:token_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name for people: that of the token.
    #[schema(example = "ci")]
    pub name: String,
    /// The user it speaks for.
    #[schema(example = "deployer")]
    pub user: Option<String>,
    /// Id of the user.
    #[schema(example = "user_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub user_id: Option<String>,
    /// Names of the user's groups.
    pub groups: Vec<String>,
    /// Name of the token it came with.
    #[schema(example = "ci")]
    pub token: Option<String>,
    /// When the token ends; `null`: never.
    pub expires_at: Option<String>,
}
