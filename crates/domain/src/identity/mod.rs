//! Whose tokens (JWT, RFC 7519), and which certificates of our own, let a machine in, and as what.
//!
//! A provider signs claims; a rule says which claims it wants to see and what follows from them: a subject, groups, and the
//! names that the machine may ask for. **Claims are data.** What is put into a pattern of names is one label of letters,
//! digits and hyphens, or the token is refused: no value makes a pattern let more through than its own label.

mod certificate;
mod claims;
mod glob;
mod judge;
mod names;
mod provider;
mod raw;
mod template;

pub use certificate::{
    CertificateIdentity, CertificateTrust, CertificateTrustSettings, MAX_CERTIFICATE_TRUSTS, RawCertificateTrust,
    TRUST_CLAIM,
};
pub use claims::{Claims, MAX_CLAIMS};
pub use glob::Glob;
pub use judge::{Identity, Judgement, Refusal, Registered, Verdict};
pub use names::AllowedNames;
pub use provider::{IdentityProvider, JwsAlgorithm, KeySource, ProviderKind, ProviderSettings, TrustRule};
pub use raw::{RawProvider, RawRule};
pub use template::{NameTemplate, SubjectTemplate};

/// Most identity providers.
pub const MAX_PROVIDERS: u64 = 100;
/// What the claims begin with that we make ourselves. What a token says under such a name is thrown away.
pub const OWN_CLAIMS: &str = "certwright_";
/// The claim that tells policies whose token it was: the provider's name.
pub const PROVIDER_CLAIM: &str = "certwright_provider";
/// Largest token, in bytes.
pub const MAX_TOKEN: usize = 16 << 10;
/// Largest set of keys (JWKS, RFC 7517), in bytes.
pub const MAX_KEY_SET: usize = 256 << 10;

#[cfg(test)]
mod tests;
