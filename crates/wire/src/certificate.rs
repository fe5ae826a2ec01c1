//! Managed certificates.

use crate::{Name, SecretText, Subject, Validity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A managed certificate as it is to be. Without `csr` and `import` we make and keep the key (`INTERNAL`); with `csr` the
/// requester holds it (`CSR`); with `import` certificate and key are brought along (`IMPORTED`), and of the other fields
/// only `renewal`, `exportable`, `versionName` and `stage` apply.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "ca": "oci-demo-int-cert-auth", "profile": "tls-server-or-client", "subject": {"commonName": "oci-demo-certificate"},
    "names": ["service-a.example.com", "10.0.0.5", "spiffe://corp/db"], "keyAlgorithm": "ECDSA_P256",
    "validity": {"duration": "P89D"}, "renewal": {"interval": "P60D", "advancePeriod": "P15D"}, "exportable": true
}))]
pub struct CertificateSpec {
    /// Name, unique among managed certificates. Needed with `POST`; with `PUT` the path says it.
    pub name: Option<String>,
    /// The CA that issues it (name or id); needed unless it is imported.
    pub ca: Option<String>,
    /// Profile (name or id); default `tls-server-or-client`.
    pub profile: Option<String>,
    /// Subject; with a CSR default the CSR's.
    pub subject: Option<Subject>,
    /// Subject alternative names; with a CSR default the CSR's.
    pub names: Option<Vec<Name>>,
    /// Algorithm of the key we make; default `ECDSA_P256`, or the first that the profile allows.
    #[schema(example = "ECDSA_P256")]
    pub key_algorithm: Option<String>,
    /// Validity. Renewals ask for the same length.
    pub validity: Option<Validity>,
    /// CSR, PEM: the requester holds the key.
    pub csr: Option<String>,
    /// A certificate with its key, made elsewhere.
    pub import: Option<ImportCertificate>,
    /// How it is renewed; default after two thirds of its lifetime, half of one under ten days.
    pub renewal: Option<Renewal>,
    /// May the private key be read again? Default `false`.
    pub exportable: Option<bool>,
    /// Name of the version, should one be made.
    pub version_name: Option<String>,
    /// `CURRENT` (default): a new version is taken into use at once; `PENDING`: it waits to be made current.
    pub stage: Option<String>,
    /// The compartment it goes into (name or id); default: its CA's, or the tenancy where it is imported. Looked at when the certificate is made.
    pub compartment: Option<String>,
}

/// A certificate with its key, made elsewhere: as PEM, or as PKCS#12.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportCertificate {
    /// The certificate, PEM; the chain and the key may stand in the same text, in any order.
    #[schema(value_type = Option<String>)]
    pub certificate: Option<SecretText>,
    /// Certificates above it, PEM, in any order; the root may be missing.
    pub chain: Option<String>,
    /// Private key, PEM: PKCS#8, PKCS#1 or SEC1, encrypted or not.
    #[schema(value_type = Option<String>)]
    pub private_key: Option<SecretText>,
    /// Passphrase of an encrypted private key.
    #[schema(value_type = Option<String>)]
    pub passphrase: Option<SecretText>,
    /// PKCS#12, base64; instead of the others.
    #[schema(value_type = Option<String>)]
    pub pkcs12: Option<SecretText>,
    /// Password of the PKCS#12.
    #[schema(value_type = Option<String>)]
    pub password: Option<SecretText>,
}

/// How a certificate is renewed. Due at `min(notBefore + interval, notAfter − advancePeriod)`, and a little later by a share
/// that its serial decides (below a hundredth of the lifetime). One of the two must be there, unless the others say all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"interval": "P60D", "advancePeriod": "P15D"}))]
pub struct Renewal {
    /// Renew this long after notBefore; `PT5M` or more and shorter than the lifetime.
    #[schema(example = "P60D")]
    pub interval: Option<String>,
    /// Renew this long before notAfter; shorter than the lifetime.
    #[schema(example = "P15D")]
    pub advance_period: Option<String>,
    /// Renewed by the server; default `true`. (Kinds `CSR` and `IMPORTED` never are.)
    pub automatic: Option<bool>,
    /// `NEW` (default): a fresh key each time; `SAME`: the key of the version before.
    #[schema(example = "NEW")]
    pub key: Option<String>,
}

/// A change to a certificate; missing fields stay as they are. `name`, `enabled`, `exportable` and `renewal` take effect at
/// once, the others at the next version. Needs `If-Match`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"renewal": {"advancePeriod": "P20D"}}))]
pub struct UpdateCertificate {
    /// New name.
    pub name: Option<String>,
    /// Renewed at all? `false` leaves everything as it is until enabled again.
    pub enabled: Option<bool>,
    /// May the private key be read again? Taking it back works at once, giving it from the next version on.
    pub exportable: Option<bool>,
    /// How it is renewed; replaces the whole rule.
    pub renewal: Option<Renewal>,
    /// The CA that issues the next version.
    pub ca: Option<String>,
    /// Profile of the next version.
    pub profile: Option<String>,
    /// Subject of the next version.
    pub subject: Option<Subject>,
    /// Names of the next version.
    pub names: Option<Vec<Name>>,
    /// Key algorithm of the next version.
    pub key_algorithm: Option<String>,
    /// Validity of the next version.
    pub validity: Option<Validity>,
}

/// A new version on request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenewCertificate {
    /// Kind `CSR`: the new CSR, PEM.
    pub csr: Option<String>,
    /// Kind `CSR`: certify the key of the last CSR again.
    pub reuse_csr: Option<bool>,
    /// Kind `INTERNAL`: `NEW` or `SAME`; default as the certificate's renewal says.
    pub key: Option<String>,
    /// Name of the version.
    pub version_name: Option<String>,
    /// `CURRENT` (default) or `PENDING`.
    pub stage: Option<String>,
}

/// A managed certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Id.
    #[schema(example = "certificate_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    pub name: String,
    /// `INTERNAL`, `CSR` or `IMPORTED`.
    pub kind: String,
    /// `ACTIVE`, `DISABLED`, `PENDING_DELETION` or `DELETED`.
    pub state: String,
    /// Name of the CA that issues it; `null` for imported ones.
    pub ca: Option<String>,
    /// Name of the profile.
    pub profile: Option<String>,
    /// Subject of the next version, where the wish names one.
    pub subject: Option<Subject>,
    /// Names of the next version, where the wish names them.
    pub names: Option<Vec<String>>,
    /// Key algorithm of the next version.
    pub key_algorithm: Option<String>,
    /// Validity that the wish asks for.
    pub validity: Option<Validity>,
    /// How it is renewed, and what becomes of it next.
    pub renewal: RenewalStatus,
    /// May the private key be read again?
    pub exportable: bool,
    /// Number of the version in use.
    pub current_version: Option<u32>,
    /// Highest number ever given.
    pub latest_version: u32,
    /// The current version, or the newest where none is current; `null` in a trial of a new one.
    pub version: Option<CertificateVersion>,
    /// First and last second that a trial would give; missing otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_last: Option<Validity>,
    /// When it was made.
    pub created_at: String,
    /// When deletion becomes final.
    pub deletion_at: Option<String>,
    /// What `PUT` or `POST` did; missing in other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensured: Option<Ensured>,
}

/// What an ensure did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ensured {
    /// `CREATED`, `NEW_VERSION`, `CHANGED` (settings alone) or `UNCHANGED`.
    #[schema(example = "UNCHANGED")]
    pub outcome: String,
    /// Why.
    #[schema(example = "It is as wished; renewal is due at 2027-01-20T11:00:00Z.")]
    pub reason: String,
}

/// How a certificate is renewed, and what becomes of it next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewalStatus {
    /// Renew this long after notBefore.
    pub interval: Option<String>,
    /// Renew this long before notAfter.
    pub advance_period: Option<String>,
    /// Renewed by the server.
    pub automatic: bool,
    /// `NEW` or `SAME`.
    pub key: String,
    /// When the version in use is due.
    pub renew_at: Option<String>,
    /// `SCHEDULED`, `DUE`, or `NEVER`.
    pub outlook: String,
    /// Why the server does not renew it; missing where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the server looks at it next.
    pub next_attempt_at: Option<String>,
    /// Failed attempts since the last success.
    pub failures: u32,
    /// The last attempt; missing where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<RenewalAttempt>,
}

/// An attempt to renew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewalAttempt {
    /// Id.
    pub id: String,
    /// When.
    pub at: String,
    /// `RENEWED` or `FAILED`.
    pub outcome: String,
    /// The version that was made.
    pub version: Option<u32>,
    /// Why it was tried, or why it failed.
    pub reason: String,
}

/// A version of a managed certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateVersion {
    /// Number, from 1.
    pub number: u32,
    /// Name.
    pub name: Option<String>,
    /// `CURRENT`, `PENDING`, `LATEST`, `PREVIOUS`, `DEPRECATED`.
    #[schema(example = json!(["CURRENT", "LATEST"]))]
    pub stages: Vec<String>,
    /// Serial.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// Subject in one line.
    pub subject_text: String,
    /// Subject alternative names.
    pub names: Vec<String>,
    /// Key algorithm.
    pub key_algorithm: String,
    /// First second.
    pub not_before: String,
    /// Last second.
    pub not_after: String,
    /// When it is due.
    pub renew_at: String,
    /// Why it was made: `CREATED`, `WISH_CHANGED`, `RENEWAL_DUE`, `REQUESTED` or `IMPORTED`.
    pub reason: String,
    /// May its private key be read again?
    pub exportable: bool,
    /// The certificate, PEM.
    pub certificate: String,
    /// When it was made.
    pub created_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Why it was revoked.
    pub revocation_reason: Option<String>,
}

/// A version for its users.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// Name of the certificate.
    pub name: String,
    /// Number of the version.
    pub version: u32,
    /// Its stages.
    pub stages: Vec<String>,
    /// Serial.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// First second.
    pub not_before: String,
    /// Last second.
    pub not_after: String,
    /// When it is due.
    pub renew_at: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// Leaf first, without the root, PEM: what a server sends.
    pub chain: String,
    /// The issuing CA first, with the root where it is known, PEM: what a client trusts.
    pub ca_chain: String,
    /// The private key, PKCS#8 PEM, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub private_key: Option<SecretText>,
}

/// A bundle whose password must not stand in a URL.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"format": "p12", "password": "correct horse"}))]
pub struct BundleRequest {
    /// `p12`, `jks`, `json`, `pem`, `der`, `p7` or `tar`; default: what `Accept` says.
    pub format: Option<String>,
    /// Version number; default: the current one.
    pub version: Option<u32>,
    /// Name of the version.
    pub version_name: Option<String>,
    /// Stage, instead of a number: `CURRENT`, `PREVIOUS`, `PENDING` or `LATEST`.
    pub stage: Option<String>,
    /// Password of `p12` and `jks` (at least 6 characters for `jks`); in `pem` and `tar` it encrypts the private key.
    #[schema(value_type = Option<String>)]
    pub password: Option<SecretText>,
    /// Alias of the entry in `p12` and `jks`; default: the certificate's name.
    pub alias: Option<String>,
    /// `p12` as old readers want it (3DES and SHA-1); default `false`.
    pub compat: Option<bool>,
    /// With the private key? Default `true` for `p12` and `jks`, else `false`.
    pub include_key: Option<bool>,
}
