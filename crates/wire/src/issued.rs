//! The inventory.

use crate::Subject;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A certificate that one of our CAs signed, whoever asked and by whichever door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCertificate {
    /// Id.
    #[schema(example = "issued_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// `LEAF` or `CA`.
    #[schema(example = "LEAF")]
    pub kind: String,
    /// `VALID`, `EXPIRED` or `REVOKED`, now.
    #[schema(example = "VALID")]
    pub status: String,
    /// Serial, lower-case hex.
    #[schema(example = "5f0c9a7b31d24e6f8091a2b3c4d5e6f708192a3b")]
    pub serial: String,
    /// SHA-256 of the DER, lower-case hex.
    pub fingerprint: String,
    /// Name of the CA when it signed.
    #[schema(example = "issuing-1")]
    pub ca: String,
    /// Id of the CA.
    pub ca_id: String,
    /// Version of the CA that signed.
    pub ca_version: u32,
    /// Name of the profile; `null` for CA certificates.
    pub profile: Option<String>,
    /// Subject.
    pub subject: Subject,
    /// Subject in one line, in its own order.
    #[schema(example = "CN=service-a.example.com")]
    pub subject_text: String,
    /// Subject alternative names.
    #[schema(example = json!(["service-a.example.com", "10.0.0.5"]))]
    pub names: Vec<String>,
    /// Key algorithm.
    #[schema(example = "ECDSA_P256")]
    pub key_algorithm: String,
    /// First second.
    pub not_before: String,
    /// Last second.
    pub not_after: String,
    /// When it should be renewed.
    pub renew_at: String,
    /// When it was signed.
    pub issued_at: String,
    /// Who asked: `token:<id>` or `system`.
    pub requester: String,
    /// Name of the requester.
    pub requester_name: String,
    /// Id of the request that asked for it.
    pub request_id: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Why it was revoked.
    pub revocation_reason: Option<String>,
    /// The certificate, PEM.
    pub certificate: String,
}
