//! Enrolment tokens.

use crate::{Name, SecretText, Validity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An enrolment token to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "web-7", "ca": "issuing-1", "profile": "tls-server", "names": ["web-7.example.com"]}))]
pub struct NewEnrollmentToken {
    /// Name, unique among tokens that are good for something.
    pub name: String,
    /// The CA that is to sign (name or id).
    pub ca: String,
    /// The profile that it is to sign with (name or id); default `tls-server-or-client`.
    pub profile: Option<String>,
    /// The exact names that its holder may ask for, all or some of them; at least one.
    pub names: Vec<Name>,
    /// How many certificates it gives, 1 to 10000; default 1.
    pub uses: Option<u32>,
    /// When it ends, at most 24 hours ahead.
    pub expires_at: Option<String>,
    /// How long it lives, instead of `expiresAt`: at most 24 hours; default 15 minutes.
    #[schema(example = "PT15M")]
    pub lifetime: Option<String>,
}

/// An enrolment token's record; its text is never shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentToken {
    /// Id.
    #[schema(example = "enrollment_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "web-7")]
    pub name: String,
    /// Id of the CA that signs.
    pub ca: String,
    /// Name of the profile.
    pub profile: String,
    /// The exact names that its holder may ask for.
    pub names: Vec<String>,
    /// How many certificates it was made for.
    pub uses: u32,
    /// How many it may still give.
    pub uses_left: u32,
    /// When it ends.
    pub expires_at: String,
    /// When it was made.
    pub created_at: String,
}

/// An enrolment token that was just made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewEnrollmentTokenAnswer {
    /// Its record.
    #[serde(flatten)]
    pub record: EnrollmentToken,
    /// Its text, `cwe_…`; shown once.
    #[schema(value_type = String)]
    pub token: SecretText,
}

/// What the holder of an enrolment token asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"csr": "-----BEGIN CERTIFICATE REQUEST-----\n…", "validity": {"duration": "PT24H"}}))]
pub struct Enroll {
    /// PKCS#10, PEM. Its names must be among the token's.
    pub csr: String,
    /// Validity.
    pub validity: Option<Validity>,
}
