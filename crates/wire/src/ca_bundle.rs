//! CA bundles.

use crate::{SecretText, Subject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A named set of foreign CA certificates, to be made or to take the place of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "partners", "description": "Roots of our partners",
    "certificates": "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n"
}))]
pub struct NewCaBundle {
    /// Name, unique among bundles.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// 1 to 100 CA certificates, PEM, one after the other. Repetitions are dropped; those that have expired are let in.
    pub certificates: String,
    /// The compartment it goes into (name or id); default: the tenancy.
    pub compartment: Option<String>,
}

/// A named set of foreign CA certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaBundle {
    /// Id.
    #[schema(example = "cabundle_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "partners")]
    pub name: String,
    /// For people.
    pub description: String,
    /// How many certificates there are.
    #[schema(example = 1)]
    pub certificate_count: u32,
    /// The certificates in their order; only where one bundle is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Vec<BundledCertificate>>,
    /// When it was made.
    pub created_at: String,
}

/// A certificate of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BundledCertificate {
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
    /// Had it expired when the answer was made?
    pub expired: bool,
    /// The certificate, PEM.
    pub certificate: String,
}

/// A trust store whose password must not stand in a URL.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"format": "p12", "password": "changeit"}))]
pub struct TrustStoreRequest {
    /// `p12` or `jks`; default: what `Accept` says.
    pub format: Option<String>,
    /// Password; at least 6 characters for `jks`.
    #[schema(value_type = String)]
    pub password: SecretText,
    /// `p12` as old readers want it (3DES and SHA-1); default `false`.
    pub compat: Option<bool>,
}
