//! Master keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A master key to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "oci-demo-ms-key", "algorithm": "RSA", "length": 2048}))]
pub struct NewKey {
    /// Name, unique in the vault.
    pub name: String,
    /// `AES`, `RSA`, `ECDSA` or `ED25519`.
    pub algorithm: String,
    /// Bits: AES 128, 192, 256 (default); RSA 2048, 3072 (default), 4096; ECDSA 256 (default), 384, 521.
    pub length: Option<u32>,
    /// `SOFTWARE` (default) or `HSM`.
    pub protection: Option<String>,
    /// The compartment it goes into (name or id); default: its vault's.
    pub compartment: Option<String>,
}

/// A change to a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateKey {
    /// New name.
    #[schema(example = "demo-key")]
    pub name: Option<String>,
}

/// A master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Id.
    #[schema(example = "key_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "oci-demo-ms-key")]
    pub name: String,
    /// Name of the vault.
    #[schema(example = "oci-demo-vault")]
    pub vault: String,
    /// Id of the vault.
    #[schema(example = "vault_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub vault_id: String,
    /// `AES`, `RSA`, `ECDSA` or `ED25519`.
    #[schema(example = "RSA")]
    pub algorithm: String,
    /// Bits.
    #[schema(example = 2048)]
    pub length: u32,
    /// `SOFTWARE` or `HSM`.
    #[schema(example = "SOFTWARE")]
    pub protection: String,
    /// `ENABLED`, `DISABLED`, `PENDING_DELETION` or `DELETED`.
    #[schema(example = "ENABLED")]
    pub state: String,
    /// Id of the CA that it belongs to.
    pub used_by_ca: Option<String>,
    /// Number of the newest version.
    #[schema(example = 1)]
    pub latest_version: u32,
    /// Public key of the newest version, PEM; only where one key is shown, and not for AES.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// When it was made.
    #[schema(example = "2026-11-20T00:00:00Z")]
    pub created_at: String,
    /// When a scheduled deletion becomes final.
    pub deletion_at: Option<String>,
}

/// A version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyVersion {
    /// Number, from 1.
    #[schema(example = 1)]
    pub number: u32,
    /// Public key, PEM; `null` for AES.
    pub public_key: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// All versions of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyVersions {
    /// Versions, newest first.
    pub items: Vec<KeyVersion>,
}

/// The public key of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicKey {
    /// Name of the key.
    pub key: String,
    /// Version.
    #[schema(example = 1)]
    pub version: u32,
    /// `RSA`, `ECDSA` or `ED25519`.
    #[schema(example = "RSA")]
    pub algorithm: String,
    /// Bits.
    #[schema(example = 2048)]
    pub length: u32,
    /// SubjectPublicKeyInfo, PEM.
    pub public_key: String,
}
