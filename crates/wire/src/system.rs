//! Trust, root keys and health.

use crate::Subject;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The roots that relying parties may trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trust {
    /// Roots by name.
    pub items: Vec<TrustedRoot>,
}

/// A root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustedRoot {
    /// Name of the CA.
    #[schema(example = "root")]
    pub name: String,
    /// Subject.
    pub subject: Subject,
    /// Subject in one line, in its own order.
    #[schema(example = "CN=root")]
    pub subject_text: String,
    /// SHA-256 of the DER, lower-case hex.
    pub fingerprint: String,
    /// First second.
    pub not_before: String,
    /// Last second.
    pub not_after: String,
    /// The certificate, PEM.
    pub certificate: String,
}

/// Root keys: what wraps the vaults' keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootKeys {
    /// Id of the key that seals.
    pub current: String,
    /// Every key that is loaded or still needed, newest first.
    pub keys: Vec<RootKey>,
}

/// One root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootKey {
    /// Id.
    pub id: String,
    /// How many versions of vaults' keys and secrets of webhooks are sealed under it.
    pub sealed_vault_keys: u64,
}

/// State of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    pub status: String,
    /// What needs somebody's attention, though requests are served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<HealthWarning>,
}

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthWarning {
    /// Stable word: `crl_failing`, `crl_lapsed`, `publication_failing`.
    #[schema(example = "crl_failing")]
    pub code: String,
    /// How many.
    #[schema(example = 1)]
    pub count: u64,
    /// For people; names nothing, because anybody may ask.
    #[schema(example = "Revocation lists could not be made.")]
    pub detail: String,
}
