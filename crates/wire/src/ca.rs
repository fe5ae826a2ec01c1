//! Certificate authorities.

use crate::{RuleVerdict, SecretText, Subject, Validity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A CA to be made. Which fields are needed depends on the type: `ROOT` and `SUBORDINATE_EXTERNAL` want `vault`, `key` and
/// `subject`; `SUBORDINATE` wants `issuer` as well; `EXTERNAL_ROOT` wants `certificate`; `IMPORTED` wants `vault`, `key`
/// (the name it gets), and `certificate` with `privateKey`, or `pkcs12`. A field that does not belong to the type is refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "oci-demo-int-cert-auth", "type": "ROOT", "vault": "oci-demo-vault", "key": "oci-demo-ms-key",
    "subject": {"commonName": "oci-demo-int-cert-auth", "organization": "DDIM", "country": "KR"},
    "validity": {"duration": "P3650D"},
    "rules": {"leafMaxValidity": "P90D", "subordinateMaxValidity": "P1825D", "pathLength": 1}
}))]
pub struct NewCa {
    /// Name, unique among CAs.
    pub name: String,
    /// `ROOT`, `SUBORDINATE`, `SUBORDINATE_EXTERNAL`, `EXTERNAL_ROOT` or `IMPORTED`.
    #[serde(rename = "type")]
    pub ca_type: String,
    /// Vault (name or id).
    pub vault: Option<String>,
    /// Key in the vault (name or id); for `IMPORTED` the name that the key gets.
    pub key: Option<String>,
    /// The CA of ours that signs (name or id); `SUBORDINATE` only.
    pub issuer: Option<String>,
    /// Subject.
    pub subject: Option<Subject>,
    /// Validity; default one year.
    pub validity: Option<Validity>,
    /// `SHA256_WITH_RSA`, `SHA384_WITH_RSA`, `SHA512_WITH_RSA`, `SHA256_WITH_ECDSA`, `SHA384_WITH_ECDSA`,
    /// `SHA512_WITH_ECDSA` or `ED25519`; default: the key's own.
    pub signature_algorithm: Option<String>,
    /// Rules.
    pub rules: Option<NewCaRules>,
    /// How revocation is offered.
    pub revocation: Option<UpdateRevocation>,
    /// Certificate, PEM; `EXTERNAL_ROOT` and `IMPORTED`. For `IMPORTED`, the chain and the key may stand in the same text,
    /// in any order.
    #[schema(value_type = Option<String>)]
    pub certificate: Option<SecretText>,
    /// Certificates above it, PEM, in any order; the root may be missing; `IMPORTED`.
    pub chain: Option<String>,
    /// How it is renewed without being asked; `ROOT` and `SUBORDINATE`. Default: it is not.
    pub renewal: Option<CaRenewal>,
    /// Private key, PEM: PKCS#8, PKCS#1 or SEC1, encrypted or not; `IMPORTED`.
    #[schema(value_type = Option<String>)]
    pub private_key: Option<SecretText>,
    /// Passphrase of an encrypted private key; `IMPORTED`.
    #[schema(value_type = Option<String>)]
    pub passphrase: Option<SecretText>,
    /// PKCS#12, base64, in place of `certificate`, `chain` and `privateKey`; `IMPORTED`.
    #[schema(value_type = Option<String>)]
    pub pkcs12: Option<SecretText>,
    /// Password of the PKCS#12; `IMPORTED`.
    #[schema(value_type = Option<String>)]
    pub password: Option<SecretText>,
    /// Serials that it gave away before, hex: never given again; `IMPORTED`.
    pub used_serials: Option<Vec<String>>,
    /// The `index.txt` of `openssl ca`, as text: its serials are never given again, its revocations are kept; `IMPORTED`.
    pub openssl_index: Option<String>,
    /// Number of the last revocation list that it issued before, decimal; the next one is higher; `IMPORTED`.
    #[schema(example = 41)]
    pub crl_number: Option<u64>,
    /// May the CA be taken away with its key (`…/export`)? Fixed once made; default `false`.
    pub exportable: Option<bool>,
    /// The compartment it goes into (name or id); default: the tenancy.
    pub compartment: Option<String>,
}

/// Rules of a CA to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewCaRules {
    /// Longest lifetime of an end-entity certificate; default `P90D`.
    #[schema(example = "P90D")]
    pub leaf_max_validity: Option<String>,
    /// Longest lifetime of a subordinate CA; default `P1825D`.
    #[schema(example = "P1825D")]
    pub subordinate_max_validity: Option<String>,
    /// How many CAs may follow below; missing: any number, or what the issuer leaves. Fixed once made.
    #[schema(example = 1)]
    pub path_length: Option<u8>,
    /// Names that may occur below. Fixed once made.
    pub name_constraints: Option<NameConstraints>,
}

/// How a CA is renewed without being asked: as long before its end as the longest certificate that it may issue lasts,
/// earlier by `advancePeriod` and by `makeCurrentAfter`, so that nothing it issues is cut short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"advancePeriod": "P30D", "key": "SAME", "makeCurrentAfter": "P7D"}))]
pub struct CaRenewal {
    /// How much earlier than needed; default none.
    #[schema(example = "P30D")]
    pub advance_period: Option<String>,
    /// `SAME` (default) or `ROTATE`: a new version of the master key.
    #[schema(example = "SAME")]
    pub key: Option<String>,
    /// The new version is taken into use this long after it was made (`PT0S`: at once); missing: when someone says so.
    #[schema(example = "P7D")]
    pub make_current_after: Option<String>,
    /// `false` ends renewal by rule; the other fields are then left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A managed certificate whose next renewal a change of its CA would refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRenewal {
    /// Name of the certificate.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Every rule that would refuse.
    pub errors: Vec<crate::ProblemError>,
}

/// Name constraints (RFC 5280 section 4.2.1.10).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"permitted": {"dns": ["example.com"], "ip": ["10.0.0.0/8"]}, "excluded": {}}))]
pub struct NameConstraints {
    /// Names must lie in one of these, for each kind that occurs here.
    pub permitted: Option<Subtrees>,
    /// Names must lie in none of these.
    pub excluded: Option<Subtrees>,
}

/// Subtrees of names, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subtrees {
    /// DNS names: the name itself and everything below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    /// IP ranges as CIDR.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip: Vec<String>,
    /// E-mail: a host (`example.com`; excluded: and every host below), hosts below a domain (`.example.com`) or one address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email: Vec<String>,
    /// URI hosts: a host (excluded: and every host below), or hosts below a domain with a leading dot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uri: Vec<String>,
    /// Directory names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directory: Vec<Subject>,
}

/// How revocation is offered; missing parts take their default or stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateRevocation {
    /// Certificate revocation lists.
    pub crl: Option<UpdateCrl>,
    /// OCSP.
    pub ocsp: Option<UpdateOcsp>,
    /// May certificates be put on hold (`certificateHold`) and released again? Default `false`.
    pub hold_enabled: Option<bool>,
    /// Where lists and certificates are published elsewhere; replaces what was there before.
    pub publication: Option<crate::UpdatePublication>,
}

/// Certificate revocation lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateCrl {
    /// Are CRL distribution points written into certificates? Default `true`.
    pub enabled: Option<bool>,
    /// Lifetime of a list; default `P7D`. A new one is made before half of it has passed.
    #[schema(example = "P7D")]
    pub lifetime: Option<String>,
    /// The shortest pause between two lists; default `PT5S`. A revocation is on the list after that long.
    #[schema(example = "PT5S")]
    pub interval: Option<String>,
    /// Into how many lists those revoked are cut, 1 to 1024; default 1. Beyond 1 each list has a critical
    /// issuingDistributionPoint, which old clients do not know.
    #[schema(example = 1)]
    pub shards: Option<u32>,
    /// Delta lists.
    pub delta: Option<UpdateDelta>,
}

/// Delta revocation lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateDelta {
    /// Are there any? Default `false`.
    pub enabled: Option<bool>,
    /// Lifetime of a delta list; default `P1D`.
    #[schema(example = "P1D")]
    pub lifetime: Option<String>,
    /// The shortest pause between two; default `PT5S`.
    #[schema(example = "PT5S")]
    pub interval: Option<String>,
}

/// OCSP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateOcsp {
    /// Is OCSP offered, and its URL written into certificates? Default `true`.
    pub enabled: Option<bool>,
    /// Who signs the answers: `DELEGATED` (a key of its own with a short-lived certificate, the default) or `CA`.
    pub responder: Option<String>,
}

/// A change to a CA; missing fields stay as they are. Needs `If-Match`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"rules": {"leafMaxValidity": "P30D"}}))]
pub struct UpdateCa {
    /// New name.
    pub name: Option<String>,
    /// Enable or disable.
    pub enabled: Option<bool>,
    /// Rules. `pathLength` and `nameConstraints` stand in the certificate and are fixed.
    pub rules: Option<UpdateCaRules>,
    /// How it is renewed without being asked; replaces the whole rule.
    pub renewal: Option<CaRenewal>,
    /// How revocation is offered.
    pub revocation: Option<UpdateRevocation>,
}

/// A change to the rules of a CA.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateCaRules {
    /// Longest lifetime of an end-entity certificate.
    #[schema(example = "P30D")]
    pub leaf_max_validity: Option<String>,
    /// Longest lifetime of a subordinate CA.
    #[schema(example = "P1825D")]
    pub subordinate_max_validity: Option<String>,
}

/// A certificate that was signed elsewhere for the CA's CSR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstallCa {
    /// The certificate, PEM; the chain may follow it.
    #[schema(example = "-----BEGIN CERTIFICATE-----\n…")]
    pub certificate: String,
    /// Certificates above it, PEM.
    pub chain: Option<String>,
}

/// A renewal of a CA.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"validity": {"duration": "P1825D"}, "key": "KEEP"}))]
pub struct RenewCa {
    /// Validity of the new version; default one year.
    pub validity: Option<Validity>,
    /// `KEEP` (default): the same key version. `ROTATE`: make a new version of the master key first.
    pub key: Option<String>,
    /// Take the new version into use at once (default `true`); otherwise it is `PENDING`.
    pub make_current: Option<bool>,
}

/// A certificate authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ca {
    /// Id.
    #[schema(example = "ca_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    #[schema(example = "oci-demo-int-cert-auth")]
    pub name: String,
    /// `ROOT`, `SUBORDINATE`, `SUBORDINATE_EXTERNAL`, `EXTERNAL_ROOT` or `IMPORTED`.
    #[serde(rename = "type")]
    #[schema(example = "ROOT")]
    pub ca_type: String,
    /// `PENDING_ACTIVATION`, `ACTIVE`, `DISABLED`, `PENDING_DELETION` or `DELETED`.
    #[schema(example = "ACTIVE")]
    pub state: String,
    /// Made by the server for its own TLS.
    pub system: bool,
    /// Name of the CA of ours that issued it.
    pub issuer: Option<String>,
    /// Id of the CA of ours that issued it.
    pub issuer_id: Option<String>,
    /// Name of the vault.
    pub vault: Option<String>,
    /// Name of the key.
    pub key: Option<String>,
    /// What it signs with.
    #[schema(example = "SHA256_WITH_RSA")]
    pub signature_algorithm: Option<String>,
    /// Subject.
    pub subject: Subject,
    /// Subject in one line, in its own order.
    #[schema(example = "CN=oci-demo-int-cert-auth, O=DDIM, C=KR")]
    pub subject_text: String,
    /// Rules.
    pub rules: CaRules,
    /// How revocation is offered.
    pub revocation: Revocation,
    /// Number of the version in use.
    pub current_version: Option<u32>,
    /// Number of the newest version.
    pub latest_version: u32,
    /// The version in use, or the newest where none is; after `renew` the new one.
    pub version: Option<CaVersion>,
    /// When it was made.
    pub created_at: String,
    /// When a scheduled deletion becomes final.
    pub deletion_at: Option<String>,
    /// How it is renewed without being asked; `null`: it is not.
    pub renewal: Option<CaRenewal>,
    /// When the server looks at it next, to renew it or to take a new version into use.
    pub next_renewal_at: Option<String>,
    /// Failed attempts to renew it since the last success.
    pub renewal_failures: u32,
    /// May it be taken away with its key?
    pub exportable: bool,
    /// Number of the last revocation list that it issued before it came here; `null`: none is known.
    pub crl_number: Option<i64>,
    /// Verdicts of the rules that were asked when it was made or renewed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<RuleVerdict>,
    /// In the trial of a change: the managed certificates whose next renewal it would refuse, at most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_renewals: Vec<RefusedRenewal>,
}

/// Rules of a CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaRules {
    /// Longest lifetime of an end-entity certificate.
    #[schema(example = "P90D")]
    pub leaf_max_validity: String,
    /// Longest lifetime of a subordinate CA.
    #[schema(example = "P1825D")]
    pub subordinate_max_validity: String,
    /// How many CAs may follow below; `null`: any number.
    pub path_length: Option<u8>,
    /// Names that may occur below; `null`: any.
    pub name_constraints: Option<NameConstraints>,
}

/// How revocation is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// Certificate revocation lists.
    pub crl: Crl,
    /// OCSP.
    pub ocsp: Ocsp,
    /// May certificates be put on hold?
    pub hold_enabled: bool,
    /// Where lists and certificates are published elsewhere; `null`: nowhere.
    pub publication: Option<crate::Publication>,
}

/// Certificate revocation lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Crl {
    /// Are lists published, and CRL distribution points written into certificates?
    pub enabled: bool,
    /// Lifetime of a list.
    #[schema(example = "P7D")]
    pub lifetime: String,
    /// The shortest pause between two lists.
    #[schema(example = "PT5S")]
    pub interval: String,
    /// Into how many lists those revoked are cut.
    #[schema(example = 1)]
    pub shards: u32,
    /// Delta lists.
    pub delta: Delta,
}

/// Delta revocation lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delta {
    /// Are there any?
    pub enabled: bool,
    /// Lifetime of a delta list.
    #[schema(example = "P1D")]
    pub lifetime: String,
    /// The shortest pause between two.
    #[schema(example = "PT5S")]
    pub interval: String,
}

/// OCSP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ocsp {
    /// Is OCSP offered, and its URL written into certificates?
    pub enabled: bool,
    /// Who signs the answers: `DELEGATED` or `CA`.
    #[schema(example = "DELEGATED")]
    pub responder: String,
}

/// One version of a CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaVersion {
    /// Number, from 1.
    #[schema(example = 1)]
    pub number: u32,
    /// `CURRENT`, `PENDING`, `LATEST`, `PREVIOUS`, `DEPRECATED`, `FAILED`; several may apply.
    #[schema(example = json!(["CURRENT", "LATEST"]))]
    pub stages: Vec<String>,
    /// Serial of the certificate; `null` while a CSR waits.
    pub serial: Option<String>,
    /// SHA-256 of the certificate.
    pub fingerprint: Option<String>,
    /// First second.
    pub not_before: Option<String>,
    /// Last second.
    pub not_after: Option<String>,
    /// Version of the master key that it certifies.
    pub key_version: Option<u32>,
    /// The certificate, PEM.
    pub certificate: Option<String>,
    /// Does a CSR wait for its certificate?
    pub awaits_certificate: bool,
    /// When it was made.
    pub created_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Why it was revoked.
    pub revocation_reason: Option<String>,
}

/// All versions of a CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaVersions {
    /// Versions, newest first.
    pub items: Vec<CaVersion>,
}

/// A CA's certificate chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaChain {
    /// The CA's own certificate, PEM.
    pub certificate: String,
    /// The CA first, the root last where it is known, PEM.
    pub chain: String,
}

/// A CA's CSR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaCsr {
    /// PKCS#10, PEM.
    #[schema(example = "-----BEGIN CERTIFICATE REQUEST-----\n…")]
    pub csr: String,
}

/// How a CA is taken away with its key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportCa {
    /// `pkcs12` or `pem` (the encrypted key, the CA's certificate, those above it); default `pkcs12`.
    #[schema(example = "pkcs12")]
    pub format: Option<String>,
    /// Password of the file.
    #[schema(value_type = String)]
    pub password: SecretText,
    /// PKCS#12 as old readers want it (3DES and SHA-1); default `false`.
    pub compat: Option<bool>,
}
