//! One-shot issuing.

use crate::{Name, SecretText, Subject, Validity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A certificate whose key we make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "profile": "tls-server", "subject": {"commonName": "service-a.example.com"},
    "names": ["service-a.example.com", "10.0.0.5"], "keyAlgorithm": "ECDSA_P256", "validity": {"duration": "P30D"}
}))]
pub struct Issue {
    /// Profile (name or id); default `tls-server-or-client`.
    pub profile: Option<String>,
    /// Subject.
    pub subject: Option<Subject>,
    /// Subject alternative names.
    pub names: Option<Vec<Name>>,
    /// `RSA_2048`, `RSA_3072`, `RSA_4096`, `ECDSA_P256`, `ECDSA_P384`, `ECDSA_P521` or `ED25519`; default `ECDSA_P256`, or the
    /// first that the profile allows.
    pub key_algorithm: Option<String>,
    /// Validity.
    pub validity: Option<Validity>,
}

/// A certificate for a CSR.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "csr": "-----BEGIN CERTIFICATE REQUEST-----\n…", "profile": "tls-server", "validity": {"duration": "PT24H"}
}))]
pub struct Sign {
    /// PKCS#10, PEM.
    pub csr: String,
    /// Profile (name or id); default `tls-server-or-client`.
    pub profile: Option<String>,
    /// Subject, instead of the CSR's.
    pub subject: Option<Subject>,
    /// Subject alternative names, instead of the CSR's.
    pub names: Option<Vec<Name>>,
    /// Validity.
    pub validity: Option<Validity>,
}

/// A certificate that was issued.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedAnswer {
    /// Serial, lower-case hex.
    #[schema(example = "5f0c9a7b31d24e6f8091a2b3c4d5e6f708192a3b")]
    pub serial: String,
    /// SHA-256 of the DER, lower-case hex.
    pub fingerprint: String,
    /// Subject.
    pub subject: Subject,
    /// Subject in one line, in its own order.
    #[schema(example = "CN=service-a.example.com")]
    pub subject_text: String,
    /// Subject alternative names.
    #[schema(example = json!(["service-a.example.com", "10.0.0.5"]))]
    pub names: Vec<String>,
    /// First second.
    pub not_before: String,
    /// Last second.
    pub not_after: String,
    /// When it should be renewed.
    pub renew_at: String,
    /// Name of the CA.
    #[schema(example = "issuing-1")]
    pub ca: String,
    /// Name of the profile.
    #[schema(example = "tls-server")]
    pub profile: String,
    /// Key algorithm.
    #[schema(example = "ECDSA_P256")]
    pub key_algorithm: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// Leaf first, without the root, PEM: what a server sends.
    pub chain: String,
    /// The issuing CA first, with the root, PEM: what a client trusts.
    pub ca_chain: String,
    /// The private key (`issue` only), PKCS#8 PEM. Shown once, kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub private_key: Option<SecretText>,
    /// OIDs of extensions of the CSR that were not taken over; missing when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_extensions: Vec<String>,
}

/// A certificate as it would be issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// Name of the CA.
    #[schema(example = "issuing-1")]
    pub ca: String,
    /// Name of the profile.
    #[schema(example = "tls-server")]
    pub profile: String,
    /// Subject in one line.
    pub subject_text: String,
    /// Subject alternative names.
    pub names: Vec<String>,
    /// First second.
    pub not_before: Option<String>,
    /// Last second.
    pub not_after: Option<String>,
    /// OIDs of extensions of the CSR that would not be taken over; missing when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_extensions: Vec<String>,
}
