//! Revoking, and revocation lists.

use crate::{IssuedCertificate, PublishedObject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a certificate is revoked, and what else is revoked with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeCertificate {
    /// Reason by its name in RFC 5280: `unspecified` (default), `keyCompromise`, `affiliationChanged`, `superseded`,
    /// `cessationOfOperation`, `certificateHold` (where the CA has it enabled), `privilegeWithdrawn`, `cACompromise`,
    /// `aACompromise`.
    #[schema(example = "keyCompromise")]
    pub reason: Option<String>,
    /// With `keyCompromise`: revoke every other live certificate with the same key as well; default `false`.
    pub siblings: Option<bool>,
}

/// A certificate to be revoked, named by itself or by serial and issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeNamed {
    /// The certificate, PEM; of a chain the first is meant.
    pub certificate: Option<String>,
    /// Or its serial, in any spelling, together with `ca`.
    pub serial: Option<String>,
    /// Name or id of the CA that issued it.
    pub ca: Option<String>,
    /// Reason by its name in RFC 5280; default `unspecified`.
    #[schema(example = "superseded")]
    pub reason: Option<String>,
    /// With `keyCompromise`: revoke every other live certificate with the same key as well; default `false`.
    pub siblings: Option<bool>,
}

/// A certificate that was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokedCertificate {
    /// The certificate.
    #[serde(flatten)]
    pub certificate: IssuedCertificate,
    /// After a compromise: the other live certificates with the same key, revoked with it or still to be revoked
    /// (`"siblings": true` does that).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub siblings: Vec<IssuedCertificate>,
}

/// What was revoked: a certificate of the inventory, or one that the CA gave away before it came here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum RevokedNamed {
    /// A certificate of the inventory.
    Certificate(Box<RevokedCertificate>),
    /// One that the CA gave away before it came here.
    KnownSerial(RevokedSerial),
}

/// A certificate that its CA gave away before it came here: nothing is known of it but what came along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokedSerial {
    /// Serial, lower-case hex.
    #[schema(example = "1001")]
    pub serial: String,
    /// Name of the CA.
    #[schema(example = "old-ca")]
    pub ca: String,
    /// Id of the CA.
    pub ca_id: String,
    /// Last second, where that is known.
    pub not_after: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Why it was revoked.
    pub revocation_reason: Option<String>,
}

/// A revocation list of a CA: one address, under which one list follows the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationList {
    /// Version of the CA whose key signs it.
    #[schema(example = 1)]
    pub version: u32,
    /// `FULL` or `DELTA`.
    #[schema(example = "FULL")]
    pub kind: String,
    /// Into how many lists those revoked are cut.
    #[schema(example = 1)]
    pub shards: u32,
    /// Which of them, from 0.
    #[schema(example = 0)]
    pub shard: u32,
    /// Where it is served: here, and where others serve it.
    pub urls: Vec<String>,
    /// Its objects elsewhere; with a full list (of its first shard) also those of the version's certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<PublishedObject>,
    /// The list that is served; `null`: none was published yet.
    pub current: Option<PublishedList>,
    /// When the next one is made; `null`: none is made here.
    pub due_at: Option<String>,
    /// Failed attempts since the last list.
    pub failures: u32,
    /// The last attempt to make one.
    pub last_attempt_at: Option<String>,
    /// Why it failed.
    pub last_error: Option<String>,
}

/// A list as it is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedList {
    /// Its number.
    #[schema(example = 17)]
    pub number: Option<i64>,
    /// Number of the full list that a delta list goes with.
    pub base_number: Option<i64>,
    /// thisUpdate.
    pub this_update: String,
    /// nextUpdate.
    pub next_update: String,
    /// Seconds since thisUpdate.
    #[schema(example = 3600)]
    pub age_seconds: i64,
    /// How many entries.
    pub entries: u64,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its DER.
    pub sha256: String,
    /// Was it made elsewhere and uploaded?
    pub uploaded: bool,
}

/// What became of a list that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadedList {
    /// Its entries.
    pub entries: u64,
    /// Revocations in it that were not known before (for a list of our own, from before a backup was restored).
    pub restored: u64,
    /// Is it served as it came?
    pub served: bool,
}
