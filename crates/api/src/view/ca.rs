//! CAs and verdicts as JSON.

use super::{subject, text};
use certwright_app::{CaView, RefusedRenewal, VersionView, to_pem};
use certwright_domain::ca::{CaRenewal, CaRules, DeltaSettings, RevocationSettings};
use certwright_domain::constraints::{NameConstraints, RawSubtrees};
use certwright_domain::publication::Publication;
use certwright_domain::violation::Verdict;
use certwright_wire as wire;

/// A CA.
pub(crate) fn ca(view: &CaView) -> wire::Ca {
    let ca = &view.ca;
    wire::Ca {
        id: ca.id.to_string(),
        name: ca.name.to_string(),
        ca_type: ca.ca_type.to_string(),
        state: ca.state.to_string(),
        system: ca.system,
        issuer: view.issuer_name.clone(),
        issuer_id: ca.issuer_id.as_ref().map(ToString::to_string),
        vault: view.vault_name.clone(),
        key: view.key_name.clone(),
        signature_algorithm: ca.signature_algorithm.map(|algorithm| algorithm.to_string()),
        subject: subject(&ca.subject),
        subject_text: ca.subject.to_string(),
        rules: rules(&ca.rules),
        revocation: revocation(&ca.revocation, ca.publication.as_ref()),
        current_version: ca.versions.current,
        latest_version: ca.versions.latest,
        version: view.version.as_ref().map(ca_version),
        created_at: ca.created_at.to_string(),
        deletion_at: text(ca.deletion_at),
        renewal: ca.renewal.as_ref().map(renewal),
        next_renewal_at: text(ca.next_renewal_at),
        renewal_failures: ca.renewal_failures,
        exportable: ca.exportable,
        crl_number: ca.crl_number,
        verdicts: verdicts(&view.verdicts),
        refused_renewals: view.refused_renewals.iter().map(refused_renewal).collect(),
    }
}

fn renewal(rule: &CaRenewal) -> wire::CaRenewal {
    wire::CaRenewal {
        advance_period: Some(rule.advance_period.to_string()),
        key: Some(rule.key.to_string()),
        make_current_after: rule.make_current_after.map(|wait| wait.to_string()),
        enabled: None,
    }
}

fn refused_renewal(refused: &RefusedRenewal) -> wire::RefusedRenewal {
    wire::RefusedRenewal {
        name: refused.name.to_string(),
        id: refused.id.clone(),
        errors: refused.violations.iter().cloned().map(crate::problem::refusal).collect(),
    }
}

/// A version of a CA.
pub(crate) fn ca_version(view: &VersionView) -> wire::CaVersion {
    let version = &view.version;
    wire::CaVersion {
        number: version.number,
        stages: view.stages.iter().map(ToString::to_string).collect(),
        serial: version.serial.as_ref().map(ToString::to_string),
        fingerprint: version.fingerprint.as_ref().map(ToString::to_string),
        not_before: version.validity.map(|validity| validity.not_before().to_string()),
        not_after: version.validity.map(|validity| validity.not_after().to_string()),
        key_version: version.key_version,
        certificate: version.certificate.as_deref().map(|der| to_pem("CERTIFICATE", der)),
        awaits_certificate: version.csr.is_some() && version.certificate.is_none() && !version.failed,
        created_at: version.created_at.to_string(),
        revoked_at: version.revocation.map(|revocation| revocation.at.to_string()),
        revocation_reason: version.revocation.map(|revocation| revocation.reason.to_string()),
    }
}

/// Verdicts of rules.
pub(crate) fn verdicts(verdicts: &[Verdict]) -> Vec<wire::RuleVerdict> {
    let one = |verdict: &Verdict| wire::RuleVerdict {
        rule: verdict.rule.to_owned(),
        owner: verdict.owner.clone(),
        limit: verdict.limit.clone(),
        value: verdict.value.clone(),
        passed: verdict.passed(),
        errors: verdict.violations.iter().cloned().map(crate::problem::refusal).collect(),
    };
    verdicts.iter().map(one).collect()
}

fn rules(rules: &CaRules) -> wire::CaRules {
    wire::CaRules {
        leaf_max_validity: rules.leaf_max_validity.to_string(),
        subordinate_max_validity: rules.subordinate_max_validity.to_string(),
        path_length: rules.path_length,
        name_constraints: rules.name_constraints.as_ref().map(constraints),
    }
}

fn constraints(constraints: &NameConstraints) -> wire::NameConstraints {
    let (permitted, excluded) = constraints.to_raw();
    wire::NameConstraints { permitted: Some(subtrees(permitted)), excluded: Some(subtrees(excluded)) }
}

fn subtrees(raw: RawSubtrees) -> wire::Subtrees {
    let directory = raw.directory.iter().map(subject).collect();
    wire::Subtrees { dns: raw.dns, ip: raw.ip, email: raw.email, uri: raw.uri, directory }
}

fn revocation(settings: &RevocationSettings, elsewhere: Option<&Publication>) -> wire::Revocation {
    let delta = settings.delta.unwrap_or(DeltaSettings::DEFAULT);
    wire::Revocation {
        crl: wire::Crl {
            enabled: settings.crl_enabled,
            lifetime: settings.crl_lifetime.to_string(),
            interval: settings.crl_interval.to_string(),
            shards: u32::from(settings.crl_shards.number()),
            delta: wire::Delta {
                enabled: settings.delta.is_some(),
                lifetime: delta.lifetime.to_string(),
                interval: delta.interval.to_string(),
            },
        },
        ocsp: wire::Ocsp { enabled: settings.ocsp_enabled, responder: settings.ocsp_responder.to_string() },
        hold_enabled: settings.hold_enabled,
        publication: elsewhere.map(super::crl::publication),
    }
}
