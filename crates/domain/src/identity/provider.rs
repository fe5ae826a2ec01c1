//! What an identity provider is.

use super::{Glob, NameTemplate, SubjectTemplate};
use crate::algorithm::named_enum;
use crate::http_url::HttpUrl;
use crate::id::IdentityProviderId;
use crate::name::ResourceName;
use crate::principal::PrincipalName;
use crate::time::{Span, Timestamp};

named_enum! {
    /// Whose tokens they are. The kind fills in what is known of it; the checks are the same for all.
    ProviderKind, "invalid_identity_provider_kind", "kind of identity provider" {
        /// Any issuer of OpenID Connect or plain JWT.
        Oidc = "OIDC",
        /// GitHub Actions.
        GitHub = "GITHUB",
        /// GitLab CI.
        GitLab = "GITLAB",
        /// Service accounts of a Kubernetes cluster.
        Kubernetes = "KUBERNETES",
    }
}

impl ProviderKind {
    /// The issuer, where there is but one.
    pub const fn issuer(self) -> Option<&'static str> {
        match self {
            Self::GitHub => Some("https://token.actions.githubusercontent.com"),
            Self::Oidc | Self::GitLab | Self::Kubernetes => None,
        }
    }

    /// Claims that are worth knowing, and what they say.
    pub const fn claims(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Oidc => &[("sub", "the subject: what the issuer calls whoever bears the token")],
            Self::GitHub => &[
                ("sub", "`repo:OWNER/NAME:ref:refs/heads/BRANCH` or `repo:OWNER/NAME:environment:NAME`"),
                ("repository", "`OWNER/NAME`; in a name, `${claim.repository:last}` is NAME"),
                ("repository_owner", "the organization or user"),
                ("repository_id", "a number that stays when the repository is renamed"),
                ("ref", "`refs/heads/BRANCH` or `refs/tags/TAG`"),
                ("environment", "the deployment environment; absent without one"),
                ("job_workflow_ref", "the workflow file and its ref: `OWNER/NAME/.github/workflows/FILE@REF`"),
            ],
            Self::GitLab => &[
                ("sub", "`project_path:GROUP/PROJECT:ref_type:branch:ref:BRANCH`"),
                ("project_path", "`GROUP/PROJECT`; in a name, `${claim.project_path:last}` is PROJECT"),
                ("namespace_path", "the group"),
                ("project_id", "a number that stays when the project is renamed"),
                ("ref", "the branch or tag"),
                ("ref_protected", "`true` on protected branches and tags"),
                ("environment", "the deployment environment; absent without one"),
            ],
            Self::Kubernetes => &[
                ("sub", "`system:serviceaccount:NAMESPACE:NAME`"),
                ("kubernetes.io.namespace", "the namespace"),
                ("kubernetes.io.serviceaccount.name", "the service account"),
                ("kubernetes.io.pod.name", "the pod"),
            ],
        }
    }
}

named_enum! {
    /// Signatures of tokens (RFC 7518 section 3.1, RFC 8037). No `none`, and nothing with a shared secret: a public key
    /// must never serve as one.
    JwsAlgorithm, "invalid_signature_algorithm", "signature algorithm of tokens" {
        /// RSASSA-PKCS1-v1_5 with SHA-256
        Rs256 = "RS256",
        /// RSASSA-PKCS1-v1_5 with SHA-384
        Rs384 = "RS384",
        /// RSASSA-PKCS1-v1_5 with SHA-512
        Rs512 = "RS512",
        /// RSASSA-PSS with SHA-256
        Ps256 = "PS256",
        /// RSASSA-PSS with SHA-384
        Ps384 = "PS384",
        /// RSASSA-PSS with SHA-512
        Ps512 = "PS512",
        /// ECDSA on P-256 with SHA-256
        Es256 = "ES256",
        /// ECDSA on P-384 with SHA-384
        Es384 = "ES384",
        /// ECDSA on P-521 with SHA-512
        Es512 = "ES512",
        /// Ed25519
        EdDsa = "EdDSA",
    }
}

/// Where a provider's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The issuer's discovery document says it (OpenID Connect Discovery 1.0 section 4).
    Discovery(HttpUrl),
    /// This URL.
    Url(HttpUrl),
    /// They are written down here, as a JSON Web Key Set.
    Static(String),
}

/// Which tokens of a provider are let in, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRule {
    /// Claims that a token must have; one of the patterns must match one of the values. Never empty.
    pub claims: Vec<(String, Vec<Glob>)>,
    /// What the bearer is called.
    pub subject: SubjectTemplate,
    /// Groups that the bearer is in.
    pub groups: Vec<PrincipalName>,
    /// Names that the bearer may ask for; `None`: policies alone decide.
    pub names: Option<Vec<NameTemplate>>,
}

/// What somebody who makes a provider decides. Made by `ProviderSettings::new` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// Name, unique.
    pub(super) name: ResourceName,
    /// For people.
    pub(super) description: String,
    /// Kind.
    pub(super) kind: ProviderKind,
    /// `iss` of its tokens, to the letter.
    pub(super) issuer: String,
    /// Values of `aud`, one of which a token must have. Never empty: a token that was made for somebody else is no use here.
    pub(super) audiences: Vec<String>,
    /// Where its keys come from.
    pub(super) keys: KeySource,
    /// Signatures that are taken.
    pub(super) algorithms: Vec<JwsAlgorithm>,
    /// The first that matches counts.
    pub(super) rules: Vec<TrustRule>,
    /// How far its clock and ours may be apart.
    pub(super) clock_skew: Span,
    /// How old a token may be (by `iat`).
    pub(super) max_token_age: Option<Span>,
    /// One that is not lets nobody in.
    pub(super) enabled: bool,
}

impl ProviderSettings {
    /// Name.
    pub fn name(&self) -> &ResourceName {
        &self.name
    }
    /// For people.
    pub fn description(&self) -> &str {
        &self.description
    }
    /// Kind.
    pub fn kind(&self) -> ProviderKind {
        self.kind
    }
    /// `iss` of its tokens, to the letter.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
    /// Values of `aud`, one of which a token must have.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }
    /// Where its keys come from.
    pub fn keys(&self) -> &KeySource {
        &self.keys
    }
    /// Signatures that are taken.
    pub fn algorithms(&self) -> &[JwsAlgorithm] {
        &self.algorithms
    }
    /// The first that matches counts.
    pub fn rules(&self) -> &[TrustRule] {
        &self.rules
    }
    /// How far its clock and ours may be apart.
    pub fn clock_skew(&self) -> Span {
        self.clock_skew
    }
    /// How old a token may be (by `iat`).
    pub fn max_token_age(&self) -> Option<Span> {
        self.max_token_age
    }
    /// One that is not lets nobody in.
    pub fn enabled(&self) -> bool {
        self.enabled
    }
}

/// An identity provider as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Id.
    pub id: IdentityProviderId,
    /// What was decided.
    pub settings: ProviderSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}
