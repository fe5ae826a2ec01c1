//! Identity providers and what machines are, as JSON.

use super::json;
use certwright_domain::id::{CertificateTrustId, IdentityProviderId};
use certwright_domain::identity::{
    CertificateTrustSettings, ProviderSettings, RawCertificateTrust, RawProvider, RawRule,
};
use certwright_domain::serial::Sha256;
use certwright_domain::token::{Voucher, Workload};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderDocument {
    description: String,
    kind: Option<String>,
    issuer: Option<String>,
    audiences: Vec<String>,
    jwks_uri: Option<String>,
    jwks: Option<String>,
    algorithms: Vec<String>,
    rules: Vec<RuleDocument>,
    clock_skew: Option<String>,
    max_token_age: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleDocument {
    claims: BTreeMap<String, Vec<String>>,
    subject: Option<String>,
    groups: Vec<String>,
    names: Option<Vec<String>>,
}

/// An identity provider as text, without its name and whether it is enabled, which have columns of their own.
pub(crate) fn write_provider(settings: &ProviderSettings) -> String {
    let RawProvider {
        name: _,
        enabled: _,
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
    } = settings.to_raw();
    let rule = |RawRule { claims, subject, groups, names }| RuleDocument { claims, subject, groups, names };
    json(&ProviderDocument {
        description,
        kind,
        issuer,
        audiences,
        jwks_uri,
        jwks,
        algorithms,
        rules: rules.into_iter().map(rule).collect(),
        clock_skew,
        max_token_age,
    })
}

/// An identity provider from its columns.
pub(crate) fn read_provider(name: String, enabled: bool, text: &str) -> Option<ProviderSettings> {
    let document: ProviderDocument = serde_json::from_str(text).ok()?;
    let rule = |RuleDocument { claims, subject, groups, names }| RawRule { claims, subject, groups, names };
    let raw = RawProvider {
        name,
        enabled,
        description: document.description,
        kind: document.kind,
        issuer: document.issuer,
        audiences: document.audiences,
        jwks_uri: document.jwks_uri,
        jwks: document.jwks,
        algorithms: document.algorithms,
        rules: document.rules.into_iter().map(rule).collect(),
        clock_skew: document.clock_skew,
        max_token_age: document.max_token_age,
    };
    ProviderSettings::new(raw).ok()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustDocument {
    description: String,
    certificate_names: Vec<String>,
    groups: Vec<String>,
    names: Option<Vec<String>>,
}

/// A trust for client certificates as text, without its name and whether it is enabled, which have columns of their own.
pub(crate) fn write_trust(settings: &CertificateTrustSettings) -> String {
    let RawCertificateTrust { name: _, enabled: _, description, certificate_names, groups, names } = settings.to_raw();
    json(&TrustDocument { description, certificate_names, groups, names })
}

/// A trust for client certificates from its columns.
pub(crate) fn read_trust(name: String, enabled: bool, text: &str) -> Option<CertificateTrustSettings> {
    let TrustDocument { description, certificate_names, groups, names } = serde_json::from_str(text).ok()?;
    let raw = RawCertificateTrust { name, description, certificate_names, groups, names, enabled };
    CertificateTrustSettings::new(raw).ok()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadDocument {
    /// Id of the identity provider.
    provider: Option<String>,
    /// Id of the trust, and the fingerprint of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<(String, String)>,
    subject: String,
    groups: Vec<String>,
    claims: BTreeMap<String, Vec<String>>,
    names: Option<Vec<String>>,
}

/// What a machine is, as text.
pub(crate) fn write_workload(workload: &Workload) -> String {
    let Workload { voucher, subject, groups, claims, names } = workload.clone();
    let (provider, certificate) = match voucher {
        Voucher::Provider(provider) => (Some(provider.to_string()), None),
        Voucher::Certificate { trust, fingerprint } => (None, Some((trust.to_string(), fingerprint.to_string()))),
    };
    json(&WorkloadDocument { provider, certificate, subject, groups, claims, names })
}

/// What a machine is, from text.
pub(crate) fn read_workload(text: &str) -> Option<Workload> {
    let WorkloadDocument { provider, certificate, subject, groups, claims, names } = serde_json::from_str(text).ok()?;
    let voucher = match (provider, certificate) {
        (Some(provider), None) => Voucher::Provider(IdentityProviderId::parse(&provider).ok()?),
        (None, Some((trust, fingerprint))) => Voucher::Certificate {
            trust: CertificateTrustId::parse(&trust).ok()?,
            fingerprint: Sha256::parse(&fingerprint).ok()?,
        },
        (None, None) | (Some(_), Some(_)) => return None,
    };
    Some(Workload { voucher, subject, groups, claims, names })
}
