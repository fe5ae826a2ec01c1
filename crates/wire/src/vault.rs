//! Vaults.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A vault to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewVault {
    /// Name, unique among vaults: 1 to 255 letters, digits, dots, underscores and hyphens.
    #[schema(example = "oci-demo-vault")]
    pub name: String,
    /// The compartment it goes into (name or id); default: the tenancy.
    pub compartment: Option<String>,
}

/// A change to a vault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateVault {
    /// New name.
    #[schema(example = "demo-vault")]
    pub name: Option<String>,
}

/// A vault: holds master keys under one key-encryption key of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Vault {
    /// Id.
    #[schema(example = "vault_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "oci-demo-vault")]
    pub name: String,
    /// `ACTIVE`, `PENDING_DELETION` or `DELETED`.
    #[schema(example = "ACTIVE")]
    pub state: String,
    /// Made by the server for itself.
    pub system: bool,
    /// When it was made.
    #[schema(example = "2026-11-20T00:00:00Z")]
    pub created_at: String,
    /// When a scheduled deletion becomes final.
    pub deletion_at: Option<String>,
}
