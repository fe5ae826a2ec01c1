//! Trusts for client certificates.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A trust to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "builders", "ca": "issuing-1", "certificateNames": ["*.build.corp.example"], "groups": ["pipelines"],
    "names": ["${claim.name:dots}", "*.apps.corp.example"]
}))]
pub struct NewCertificateTrust {
    /// Name, unique among trusts.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The CA of ours whose certificates it means (name or id).
    pub ca: String,
    /// Patterns of names, as in profiles; a certificate needs a subject alternative name that one of them lets through. At
    /// least one.
    pub certificate_names: Vec<String>,
    /// Names of groups that the machine is in.
    pub groups: Option<Vec<String>>,
    /// Patterns of names that the machine may ask for, claims in them as `${claim.NAME}` (`${claim.name:dots}`: its own name);
    /// missing: policies alone decide.
    pub names: Option<Vec<String>>,
    /// Does it let anybody in? Default `true`.
    pub enabled: Option<bool>,
}

/// What a trust is to be. Its CA cannot be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplaceCertificateTrust {
    /// Name; missing: as it is.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Patterns of names, one of which a certificate must have.
    pub certificate_names: Vec<String>,
    /// Names of groups that the machine is in.
    pub groups: Option<Vec<String>>,
    /// Patterns of names that the machine may ask for; missing: policies alone decide.
    pub names: Option<Vec<String>>,
    /// Does it let anybody in? Default `true`.
    pub enabled: Option<bool>,
}

/// A trust: which certificates of a CA let a machine in, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateTrust {
    /// Id.
    #[schema(example = "certtrust_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "builders")]
    pub name: String,
    /// For people.
    pub description: String,
    /// Id of the CA.
    pub ca: String,
    /// Patterns of names, one of which a certificate must have.
    pub certificate_names: Vec<String>,
    /// Names of groups that the machine is in.
    pub groups: Vec<String>,
    /// Patterns of names that the machine may ask for; `null`: policies alone decide.
    pub names: Option<Vec<String>>,
    /// Does it let anybody in?
    pub enabled: bool,
    /// When it was made.
    pub created_at: String,
}
