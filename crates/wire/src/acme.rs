//! ACME: directories, accounts, orders, keys for external account bindings.

use crate::SecretText;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An ACME directory to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "team-a", "ca": "issuing-1", "profiles": ["tls-server"], "challenges": ["http-01", "dns-01", "tls-alpn-01"],
    "externalAccountRequired": false, "allowedPrivateRanges": ["10.0.0.0/8"]
}))]
pub struct NewAcmeDirectory {
    /// Name, unique among ACME directories; part of the URL that clients are given: lower-case letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// Name or id of the CA that signs.
    pub ca: String,
    /// For people.
    pub description: Option<String>,
    /// Profiles that clients may choose; the first is the default. Default `["tls-server"]`.
    pub profiles: Option<Vec<String>>,
    /// Challenge types that are offered: `http-01`, `dns-01`, `tls-alpn-01`. Default: all.
    pub challenges: Option<Vec<String>>,
    /// Must accounts be bound to an external account? Default `false`.
    pub external_account_required: Option<bool>,
    /// Do accounts need no challenge for the names that their key for external account bindings names? Default `false`; needs
    /// `externalAccountRequired`.
    pub without_challenge: Option<bool>,
    /// Do requests over a connection with a client certificate that a trust (`/v1/certificate-trusts`) means need no external
    /// account, and no challenge for the `names` of that trust? Default `false`.
    pub client_certificates: Option<bool>,
    /// Patterns of names that may be ordered: `a.example.com`, `*.example.com` (everything below), `10.0.0.0/8`. Missing: the
    /// profile alone decides.
    pub names: Option<Vec<String>>,
    /// Special-purpose ranges that validation may connect to: private networks are refused otherwise.
    pub allowed_private_ranges: Option<Vec<String>>,
    /// Where the terms of service are; clients must agree to them then.
    pub terms_of_service: Option<String>,
    /// Where there is more to read.
    pub website: Option<String>,
    /// Domains that stand for this CA in CAA records.
    pub caa_identities: Option<Vec<String>>,
    /// Are CAA records heeded? Default `false`; needs `caaIdentities`.
    pub check_caa: Option<bool>,
    /// How long a proof of control lasts: `PT1H` to `P90D`, default `P1D`.
    pub authorization_lifetime: Option<String>,
    /// May a proof serve later orders of the same account? Default `true`.
    pub reuse_authorizations: Option<bool>,
    /// How many nodes must see a proof: 1 (default) to 8, each from its own place in the network.
    pub vantage_points: Option<u32>,
    /// Does it answer? Default `true`.
    pub enabled: Option<bool>,
}

/// What an ACME directory is to be; its CA stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplaceAcmeDirectory {
    /// Name; missing: as it is. Clients know the directory by its URL: another name is another URL.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Profiles that clients may choose; the first is the default.
    pub profiles: Option<Vec<String>>,
    /// Challenge types that are offered.
    pub challenges: Option<Vec<String>>,
    /// Must accounts be bound to an external account?
    pub external_account_required: Option<bool>,
    /// Do accounts need no challenge for the names that their key for external account bindings names?
    pub without_challenge: Option<bool>,
    /// Do requests over a connection with a client certificate that a trust (`/v1/certificate-trusts`) means need no external
    /// account, and no challenge for the `names` of that trust?
    pub client_certificates: Option<bool>,
    /// Patterns of names that may be ordered.
    pub names: Option<Vec<String>>,
    /// Special-purpose ranges that validation may connect to.
    pub allowed_private_ranges: Option<Vec<String>>,
    /// Where the terms of service are.
    pub terms_of_service: Option<String>,
    /// Where there is more to read.
    pub website: Option<String>,
    /// Domains that stand for this CA in CAA records.
    pub caa_identities: Option<Vec<String>>,
    /// Are CAA records heeded?
    pub check_caa: Option<bool>,
    /// How long a proof of control lasts.
    pub authorization_lifetime: Option<String>,
    /// May a proof serve later orders of the same account?
    pub reuse_authorizations: Option<bool>,
    /// How many nodes must see a proof.
    pub vantage_points: Option<u32>,
    /// Does it answer?
    pub enabled: Option<bool>,
}

/// An ACME directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcmeDirectory {
    /// Id.
    #[schema(example = "acmedirectory_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    pub name: String,
    /// What clients are given: the directory's URL.
    #[schema(example = "https://ca.example.com:8443/acme/team-a/directory")]
    pub url: String,
    /// Id of the CA that signs.
    pub ca: String,
    /// For people.
    pub description: String,
    /// Profiles that clients may choose; the first is the default.
    pub profiles: Vec<String>,
    /// Challenge types that are offered.
    pub challenges: Vec<String>,
    /// Must accounts be bound to an external account?
    pub external_account_required: bool,
    /// Do accounts need no challenge for the names that their key for external account bindings names?
    pub without_challenge: bool,
    /// Do requests over a connection with a client certificate that a trust (`/v1/certificate-trusts`) means need no external
    /// account, and no challenge for the `names` of that trust?
    pub client_certificates: bool,
    /// Patterns of names that may be ordered; `null`: the profile alone decides.
    pub names: Option<Vec<String>>,
    /// Special-purpose ranges that validation may connect to.
    pub allowed_private_ranges: Vec<String>,
    /// Where the terms of service are.
    pub terms_of_service: Option<String>,
    /// Where there is more to read.
    pub website: Option<String>,
    /// Domains that stand for this CA in CAA records.
    pub caa_identities: Vec<String>,
    /// Are CAA records heeded?
    pub check_caa: bool,
    /// How long a proof of control lasts.
    pub authorization_lifetime: String,
    /// May a proof serve later orders of the same account?
    pub reuse_authorizations: bool,
    /// How many nodes must see a proof.
    pub vantage_points: u32,
    /// Does it answer?
    pub enabled: bool,
    /// When it was made.
    pub created_at: String,
}

/// An ACME account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcmeAccount {
    /// Id; the last part of its URL.
    #[schema(example = "acmeaccount_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name of its directory.
    pub directory: String,
    /// `valid`, `deactivated` (by its holder) or `revoked` (by an operator).
    #[schema(example = "valid")]
    pub status: String,
    /// Contacts.
    pub contacts: Vec<String>,
    /// SHA-256 of its public key (RFC 7638), hex.
    pub key_thumbprint: String,
    /// When its holder agreed to the terms.
    pub terms_agreed_at: Option<String>,
    /// The key that bound it.
    pub eab_key: Option<String>,
    /// Patterns of names that its binding lets it order; `null`: directory and profile alone decide.
    pub names: Option<Vec<String>>,
    /// When it was made.
    pub created_at: String,
}

/// A key for external account bindings to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "web-team", "directory": "team-a", "names": ["*.web.example.com"], "uses": 1}))]
pub struct NewEabKey {
    /// Name, unique in its directory.
    pub name: String,
    /// Name or id of the directory.
    pub directory: String,
    /// Patterns of names that accounts bound by it may order; missing: directory and profile alone decide.
    pub names: Option<Vec<String>>,
    /// How many accounts it may bind; missing: any number.
    pub uses: Option<u32>,
    /// When it ends; missing: never.
    pub expires_at: Option<String>,
}

/// A key for external account bindings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EabKey {
    /// Id: what clients call `kid`.
    #[schema(example = "eabkey_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    pub name: String,
    /// Name of its directory.
    pub directory: String,
    /// Patterns of names that accounts bound by it may order; `null`: directory and profile alone decide.
    pub names: Option<Vec<String>>,
    /// How many accounts it may still bind; `null`: any number.
    pub uses_left: Option<u32>,
    /// When it ends; `null`: never.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it last bound an account.
    pub last_used_at: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// A key for external account bindings, with what is shown once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EabKeyWithSecret {
    /// The key.
    #[serde(flatten)]
    pub key: EabKey,
    /// The MAC key in base64url, as clients take it; shown once. `null` in a trial.
    #[schema(value_type = Option<String>)]
    pub hmac_key: Option<SecretText>,
}

/// An ACME order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcmeOrder {
    /// Id; the last part of its URL.
    #[schema(example = "acmeorder_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name of its directory.
    pub directory: String,
    /// Id of its account.
    pub account: String,
    /// `pending`, `ready`, `valid` or `invalid`.
    #[schema(example = "invalid")]
    pub status: String,
    /// Why it came to nothing.
    pub error: Option<String>,
    /// What is to be certified, and how far its proof is.
    pub names: Vec<AcmeProof>,
    /// The profile.
    pub profile: String,
    /// Id of the certificate in the inventory.
    pub certificate: Option<String>,
    /// Id of the certificate that it replaces.
    pub replaces: Option<String>,
    /// When it is given up.
    pub expires_at: String,
    /// When it was made.
    pub created_at: String,
}

/// A name of an order, and how far the proof of its control is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcmeProof {
    /// The name.
    pub name: String,
    /// `pending`, `valid`, `invalid`, `deactivated`, `expired` or `revoked`.
    pub status: String,
    /// What was tried, and what came of it.
    pub challenges: Vec<AcmeChallenge>,
}

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcmeChallenge {
    /// `http-01`, `dns-01` or `tls-alpn-01`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `pending`, `processing`, `valid` or `invalid`.
    pub status: String,
    /// How often was looked.
    pub attempts: u32,
    /// Why the last attempt failed, in a sentence.
    pub failure: Option<String>,
    /// When control was proven.
    pub validated_at: Option<String>,
}

/// Which accounts, keys or orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AcmeQuery {
    /// Name or id of a directory.
    pub directory: Option<String>,
    /// Items of a page: 1 to 500, default 100.
    pub limit: Option<u32>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// Which orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AcmeOrderQuery {
    /// Name or id of a directory.
    pub directory: Option<String>,
    /// Id of an account.
    pub account: Option<String>,
    /// Items of a page: 1 to 500, default 100.
    pub limit: Option<u32>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}
