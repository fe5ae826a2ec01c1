//! Profiles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A profile to be made: what a certificate may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "web", "usages": ["serverAuth"], "maxValidity": "P30D",
    "names": {"dns": ["*.example.com"], "required": true, "subject": ["commonName"]}
}))]
pub struct NewProfile {
    /// Name, unique among profiles; the names of built-in ones are taken.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Extended key usages: `serverAuth`, `clientAuth`, `codeSigning`, `emailProtection`; at least one.
    pub usages: Vec<String>,
    /// Key algorithms, for example `ECDSA_P256`; missing or empty: every asymmetric one.
    pub key_algorithms: Option<Vec<String>>,
    /// Longest lifetime; missing: only the CA limits it.
    pub max_validity: Option<String>,
    /// Who may hold the private key: `REQUESTER` (`sign`), `SERVICE` (`issue`); missing or empty: both.
    pub key_holders: Option<Vec<String>>,
    /// Limits on names; missing: those of `tls-server-or-client`.
    pub names: Option<NameLimits>,
    /// The compartment it goes into (name or id); default: the tenancy.
    pub compartment: Option<String>,
}

/// A profile that takes the place of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplaceProfile {
    /// Name; missing: stays as it is.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Extended key usages: `serverAuth`, `clientAuth`, `codeSigning`, `emailProtection`; at least one.
    #[schema(example = json!(["serverAuth"]))]
    pub usages: Vec<String>,
    /// Key algorithms, for example `ECDSA_P256`; missing or empty: every asymmetric one.
    pub key_algorithms: Option<Vec<String>>,
    /// Longest lifetime; missing: only the CA limits it.
    pub max_validity: Option<String>,
    /// Who may hold the private key: `REQUESTER` (`sign`), `SERVICE` (`issue`); missing or empty: both.
    pub key_holders: Option<Vec<String>>,
    /// Limits on names; missing: those of `tls-server-or-client`.
    pub names: Option<NameLimits>,
}

/// Limits on names. For each kind: missing: none of this kind; `["*"]`: any; else patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"dns": ["*.example.com"], "required": true, "subject": ["commonName", "organization"]}))]
pub struct NameLimits {
    /// DNS patterns: `a.example.com`, `*.example.com` (everything below).
    pub dns: Option<Vec<String>>,
    /// May DNS names be wildcards? Default `false`.
    pub wildcards: Option<bool>,
    /// IP ranges as CIDR.
    pub ip: Option<Vec<String>>,
    /// E-mail patterns: `a@example.com`, `*@example.com`, `*@*.example.com`.
    pub email: Option<Vec<String>>,
    /// URI patterns: exact, or with a trailing `*`.
    pub uri: Option<Vec<String>>,
    /// Must there be at least one name? Default `false`.
    pub required: Option<bool>,
    /// Must a commonName that looks like a DNS name or IP address stand among the names? Default `true`.
    pub common_name_in_names: Option<bool>,
    /// Subject attributes that may be asked for, for example `commonName`.
    pub subject: Option<Vec<String>>,
}

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Id; `null` for built-in profiles.
    pub id: Option<String>,
    /// Name.
    #[schema(example = "tls-server")]
    pub name: String,
    /// For people.
    pub description: String,
    /// Comes with Certwright and cannot be changed.
    pub built_in: bool,
    /// Extended key usages.
    #[schema(example = json!(["serverAuth"]))]
    pub usages: Vec<String>,
    /// Key algorithms that it lets through; empty: every asymmetric one.
    pub key_algorithms: Vec<String>,
    /// Longest lifetime; `null`: only the CA limits it.
    pub max_validity: Option<String>,
    /// Who may hold the private key; empty: both.
    pub key_holders: Vec<String>,
    /// Limits on names.
    pub names: NameLimits,
    /// When it was made; `null` for built-in profiles.
    pub created_at: Option<String>,
}
