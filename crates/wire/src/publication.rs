//! Publication of lists and certificates elsewhere.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a CA's lists and certificates are published elsewhere; replaces what was there before. In formats `{}` stands for
/// the number of the CA's version and must stand once; `{shard}` for `N-I`, where lists are cut into `N` shards and this is
/// the one with the index `I`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"target": "cdn", "objectNameFormat": "issuing-{}.crl",
    "customUrlFormats": ["http://crl.example.com/issuing-{}.crl"], "issuerNameFormat": "issuing-{}.crt"}))]
pub struct UpdatePublication {
    /// Name of a target of the server's configuration.
    pub target: Option<String>,
    /// How full lists are called there.
    pub object_name_format: Option<String>,
    /// Where others serve full lists, at most 4: these become the CRL distribution points of certificates, in place of our
    /// own address.
    pub custom_url_formats: Option<Vec<String>>,
    /// How delta lists are called; missing: they are not published there.
    pub delta_name_format: Option<String>,
    /// Where others serve delta lists, at most 4: these become the freshestCRL of full lists.
    pub delta_url_formats: Option<Vec<String>>,
    /// How the certificates of the CA's versions are called; missing: they are not published there.
    pub issuer_name_format: Option<String>,
    /// Where others serve them, at most 4: these become the caIssuers of certificates, in place of our own address.
    pub issuer_url_formats: Option<Vec<String>>,
    /// `false` ends publication elsewhere; the other fields are then left out.
    pub enabled: Option<bool>,
}

/// Where a CA's lists and certificates are published elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    /// Name of the target.
    #[schema(example = "cdn")]
    pub target: String,
    /// How full lists are called there.
    #[schema(example = "issuing-{}.crl")]
    pub object_name_format: String,
    /// Where others serve them; none: certificates name our own address.
    pub custom_url_formats: Vec<String>,
    /// How delta lists are called; `null`: they are not published there.
    pub delta_name_format: Option<String>,
    /// Where others serve them.
    pub delta_url_formats: Vec<String>,
    /// How the certificates of the CA's versions are called; `null`: they are not published there.
    pub issuer_name_format: Option<String>,
    /// Where others serve them.
    pub issuer_url_formats: Vec<String>,
}

/// An object of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedObject {
    /// Name of the target.
    #[schema(example = "cdn")]
    pub target: String,
    /// Name of the object.
    #[schema(example = "issuing-1.crl")]
    pub name: String,
    /// What it holds: `LIST`, `DELTA`, `ISSUER`.
    #[schema(example = "LIST")]
    pub kind: String,
    /// Number of the list that was last written.
    #[schema(example = 17)]
    pub number: Option<i64>,
    /// When it was last written; `null`: never.
    pub last_published_at: Option<String>,
    /// Is what was last written the newest?
    pub up_to_date: bool,
    /// Failed attempts since then.
    pub failures: u32,
    /// The last attempt.
    pub last_attempt_at: Option<String>,
    /// Why it failed.
    pub last_error: Option<String>,
    /// `unknown_publication_target`: the server's configuration does not have the target any more; `null` for what may pass
    /// by itself.
    #[schema(example = "unknown_publication_target")]
    pub last_error_code: Option<String>,
    /// What to do about it.
    pub last_error_hint: Option<String>,
    /// When the next attempt is made; `null`: nothing is to be written.
    pub next_attempt_at: Option<String>,
}
