//! Identity providers, and coming in with their tokens.

use crate::SecretText;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An identity provider to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "github", "kind": "GITHUB", "audiences": ["https://ca.example.com"],
    "rules": [{"claims": {"repository": ["org/app"], "ref": ["refs/heads/main"]}, "groups": ["pipelines"],
               "names": ["*.${claim.repository:last}.corp.example"]}]
}))]
pub struct NewIdentityProvider {
    /// Name, unique among identity providers.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// `OIDC` (default), `GITHUB`, `GITLAB` or `KUBERNETES`.
    pub kind: Option<String>,
    /// `iss` of its tokens, to the letter; `GITHUB` has one already.
    #[schema(example = "https://gitlab.example.com")]
    pub issuer: Option<String>,
    /// Values of `aud`, one of which a token must have; at least one.
    pub audiences: Vec<String>,
    /// Where its keys (JWKS) are; missing, and no `jwks` either: the issuer's discovery document says it.
    pub jwks_uri: Option<String>,
    /// Its keys themselves, a JSON Web Key Set.
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    /// Signatures that are taken: `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `ES512`, `EdDSA`;
    /// missing or empty: all of them.
    pub algorithms: Option<Vec<String>>,
    /// Which tokens come in, and as what; the first rule that matches counts.
    pub rules: Vec<TrustRule>,
    /// How far its clock and ours may be apart; default `PT1M`.
    pub clock_skew: Option<String>,
    /// How old a token may be by its `iat`; missing: until its end.
    pub max_token_age: Option<String>,
    /// Does it let anybody in? Default `true`.
    pub enabled: Option<bool>,
}

/// What an identity provider is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplaceIdentityProvider {
    /// Name; missing: as it is.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Cannot be changed.
    pub kind: Option<String>,
    /// Cannot be changed.
    pub issuer: Option<String>,
    /// Values of `aud`, one of which a token must have; at least one.
    pub audiences: Vec<String>,
    /// Cannot be changed.
    pub jwks_uri: Option<String>,
    /// The keys, where they were given so before; missing: as they are.
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    /// Signatures that are taken; missing or empty: all.
    pub algorithms: Option<Vec<String>>,
    /// Which tokens come in, and as what; the first rule that matches counts.
    pub rules: Vec<TrustRule>,
    /// How far its clock and ours may be apart; default `PT1M`.
    pub clock_skew: Option<String>,
    /// How old a token may be by its `iat`; missing: until its end.
    pub max_token_age: Option<String>,
    /// Does it let anybody in? Default `true`.
    pub enabled: Option<bool>,
}

/// Which tokens come in, and as what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustRule {
    /// Claims that a token must have, each with patterns one of which one of its values must match; `*` stands for any run of
    /// characters. Nested claims are named with dots: `kubernetes.io.namespace`.
    pub claims: BTreeMap<String, Vec<String>>,
    /// What the bearer is called; default `${claim.sub}`.
    pub subject: Option<String>,
    /// Names of groups that the bearer is in.
    pub groups: Option<Vec<String>>,
    /// Patterns of names that the bearer may ask for, claims in them as `${claim.NAME}`; missing: policies alone decide.
    pub names: Option<Vec<String>>,
}

/// An identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityProvider {
    /// Id.
    #[schema(example = "idp_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Kind.
    #[schema(example = "GITHUB")]
    pub kind: String,
    /// `iss` of its tokens.
    pub issuer: String,
    /// Values of `aud`, one of which a token must have.
    pub audiences: Vec<String>,
    /// Where its keys are; `null`: the discovery document says it, or they are in `jwks`.
    pub jwks_uri: Option<String>,
    /// Its keys, where they are written down.
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    /// Signatures that are taken.
    pub algorithms: Vec<String>,
    /// Which tokens come in, and as what.
    pub rules: Vec<TrustRule>,
    /// How far its clock and ours may be apart.
    pub clock_skew: String,
    /// How old a token may be; `null`: until its end.
    pub max_token_age: Option<String>,
    /// Does it let anybody in?
    pub enabled: bool,
    /// Claims of this kind of provider that are worth knowing, and what they say.
    pub known_claims: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: String,
}

/// A token to be tried.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestToken {
    /// The token (JWT).
    #[schema(value_type = String)]
    pub token: SecretText,
}

/// What an identity provider would say to a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenTrial {
    /// Would it let the token in now?
    pub admitted: bool,
    /// What is wrong with the token itself.
    pub problems: Vec<String>,
    /// What the rules say to its claims, up to the one that decides.
    pub rules: Vec<RuleOutcome>,
    /// Its claims, as rules see them.
    pub claims: BTreeMap<String, Vec<String>>,
}

/// What a rule says to a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleOutcome {
    /// Place of the rule, from 0.
    pub rule: usize,
    /// Does it match?
    pub matches: bool,
    /// Why it does not, by claim; or why it cannot be used.
    pub reasons: Vec<String>,
    /// Subject that it gives.
    pub subject: Option<String>,
    /// Groups that it gives.
    pub groups: Vec<String>,
    /// Names that it lets be asked for; `null`: policies alone decide.
    pub names: Option<Vec<String>>,
}

/// A token of an identity provider to be exchanged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExchangeToken {
    /// Name or id of the provider; missing: the token tells.
    pub provider: Option<String>,
    /// The token (JWT).
    #[schema(value_type = String)]
    pub token: SecretText,
}

/// A token given in exchange.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExchangedToken {
    /// Id.
    #[schema(example = "token_01JD8XK4M2W7Z3T5V9YQ6B1C0D")]
    pub id: String,
    /// Identity, as in the audit trail.
    #[schema(example = "oidc:github:repo:org/app:ref:refs/heads/main")]
    pub identity: String,
    /// The token itself, for `Authorization: Bearer`.
    #[schema(value_type = String)]
    pub token: SecretText,
    /// When it ends: in a quarter of an hour, or with the token that it was given for.
    pub expires_at: String,
}
