//! Identity providers.

use certwright_app::{RuleOutcome, TokenTrial};
use certwright_domain::identity::{CertificateTrust, IdentityProvider, RawCertificateTrust, RawProvider, RawRule};
use certwright_domain::secret::SecretText;
use certwright_domain::token::Token;
use certwright_wire as wire;

/// An identity provider.
pub(crate) fn identity_provider(provider: &IdentityProvider) -> wire::IdentityProvider {
    let RawProvider {
        name,
        description,
        kind,
        issuer,
        audiences,
        jwks_uri,
        jwks,
        algorithms,
        rules,
        clock_skew,
        max_token_age,
        enabled,
    } = provider.settings.to_raw();
    let claims = provider.settings.kind().claims().iter();
    wire::IdentityProvider {
        id: provider.id.to_string(),
        name,
        description,
        kind: kind.unwrap_or_default(),
        issuer: issuer.unwrap_or_default(),
        audiences,
        jwks_uri,
        jwks: jwks.and_then(|text| serde_json::from_str(&text).ok()),
        algorithms,
        rules: rules.into_iter().map(trust_rule).collect(),
        clock_skew: clock_skew.unwrap_or_default(),
        max_token_age,
        enabled,
        known_claims: claims.map(|(claim, meaning)| ((*claim).to_owned(), (*meaning).to_owned())).collect(),
        created_at: provider.created_at.to_string(),
    }
}

fn trust_rule(rule: RawRule) -> wire::TrustRule {
    let RawRule { claims, subject, groups, names } = rule;
    wire::TrustRule { claims, subject, groups: Some(groups), names }
}

/// A trust for client certificates.
pub(crate) fn certificate_trust(trust: &CertificateTrust) -> wire::CertificateTrust {
    let RawCertificateTrust { name, description, certificate_names, groups, names, enabled } = trust.settings.to_raw();
    wire::CertificateTrust {
        id: trust.id.to_string(),
        name,
        description,
        ca: trust.ca.to_string(),
        certificate_names,
        groups,
        names,
        enabled,
        created_at: trust.created_at.to_string(),
    }
}

/// What an identity provider would say to a token.
pub(crate) fn token_trial(trial: TokenTrial) -> wire::TokenTrial {
    let TokenTrial { admitted, problems, rules, claims } = trial;
    let outcome = |outcome: RuleOutcome| {
        let RuleOutcome { rule, matches, reasons, subject, groups, names } = outcome;
        wire::RuleOutcome { rule, matches, reasons, subject, groups, names }
    };
    wire::TokenTrial { admitted, problems, rules: rules.into_iter().map(outcome).collect(), claims }
}

/// A token given in exchange.
pub(crate) fn exchanged_token(token: &Token, text: &SecretText) -> wire::ExchangedToken {
    wire::ExchangedToken {
        id: token.id.to_string(),
        identity: token.user.clone(),
        token: wire::SecretText::new(text.expose().clone()),
        expires_at: super::text(token.expires_at).unwrap_or_default(),
    }
}
