//! Managed certificates as JSON.

use super::{subject, text};
use crate::content::pem_chain;
use certwright_app::{Bundle, CertificateVersionView, CertificateView, Ensured, to_pem};
use certwright_domain::managed::{RenewalAttempt, RenewalOutlook};
use certwright_domain::secret::SecretBytes;
use certwright_domain::time::Span;
use certwright_domain::validity::{RequestedEnd, RequestedValidity};
use certwright_wire as wire;

/// A certificate.
pub(crate) fn certificate(view: &CertificateView) -> wire::Certificate {
    let certificate = &view.certificate;
    let wish = certificate.wish.as_ref();
    wire::Certificate {
        id: certificate.id.to_string(),
        name: certificate.name.to_string(),
        kind: certificate.kind.to_string(),
        state: certificate.state.to_string(),
        ca: view.ca_name.clone(),
        profile: wish.map(|wish| wish.profile.to_string()),
        subject: wish.and_then(|wish| wish.subject.as_ref()).map(subject),
        names: wish.and_then(|wish| wish.names.as_ref()).map(|names| names.iter().map(ToString::to_string).collect()),
        key_algorithm: wish.and_then(|wish| wish.key_algorithm).map(|algorithm| algorithm.to_string()),
        validity: wish.map(|wish| validity(&wish.validity)),
        renewal: renewal(view),
        exportable: certificate.exportable,
        current_version: certificate.versions.current,
        latest_version: certificate.versions.latest,
        version: view.version.as_ref().map(certificate_version),
        would_last: view.would_last.map(|validity| wire::Validity {
            not_before: Some(validity.not_before().to_string()),
            not_after: Some(validity.not_after().to_string()),
            duration: None,
        }),
        created_at: certificate.created_at.to_string(),
        deletion_at: text(certificate.deletion_at),
        ensured: None,
    }
}

/// A certificate with what an ensure did.
pub(crate) fn ensured(ensured: &Ensured) -> wire::Certificate {
    let outcome = wire::Ensured { outcome: ensured.outcome.as_str().to_owned(), reason: ensured.reason.clone() };
    wire::Certificate { ensured: Some(outcome), ..certificate(&ensured.view) }
}

/// A version.
pub(crate) fn certificate_version(view: &CertificateVersionView) -> wire::CertificateVersion {
    let version = &view.version;
    wire::CertificateVersion {
        number: version.number,
        name: version.name.as_ref().map(ToString::to_string),
        stages: view.stages.iter().map(ToString::to_string).collect(),
        serial: version.serial.to_string(),
        fingerprint: version.fingerprint.to_string(),
        subject_text: version.subject.clone(),
        names: version.names.iter().map(ToString::to_string).collect(),
        key_algorithm: version.key_algorithm.clone(),
        not_before: version.validity.not_before().to_string(),
        not_after: version.validity.not_after().to_string(),
        renew_at: view.renew_at.to_string(),
        reason: version.reason.to_string(),
        exportable: version.exportable,
        certificate: to_pem("CERTIFICATE", &version.certificate),
        created_at: version.created_at.to_string(),
        revoked_at: version.revocation.map(|revocation| revocation.at.to_string()),
        revocation_reason: version.revocation.map(|revocation| revocation.reason.to_string()),
    }
}

/// An attempt to renew.
pub(crate) fn attempt(attempt: &RenewalAttempt) -> wire::RenewalAttempt {
    wire::RenewalAttempt {
        id: attempt.id.to_string(),
        at: attempt.at.to_string(),
        outcome: attempt.outcome.to_string(),
        version: attempt.version,
        reason: attempt.reason.clone(),
    }
}

/// A version for its users.
pub(crate) fn bundle(bundle: &Bundle, key: Option<&SecretBytes>) -> wire::Bundle {
    let version = &bundle.version;
    let rule = bundle.certificate.renewal.rule;
    wire::Bundle {
        name: bundle.certificate.name.to_string(),
        version: version.number,
        stages: bundle.stages.iter().map(ToString::to_string).collect(),
        serial: version.serial.to_string(),
        fingerprint: version.fingerprint.to_string(),
        not_before: version.validity.not_before().to_string(),
        not_after: version.validity.not_after().to_string(),
        renew_at: version.renew_at(rule.as_ref()).to_string(),
        certificate: to_pem("CERTIFICATE", &version.certificate),
        chain: pem_chain(bundle.chain()),
        ca_chain: pem_chain(&version.chain),
        private_key: key.map(|key| wire::SecretText::new(to_pem("PRIVATE KEY", key.expose()))),
    }
}

fn renewal(view: &CertificateView) -> wire::RenewalStatus {
    let certificate = &view.certificate;
    let rule = certificate.renewal.rule;
    let span = |span: Option<Span>| span.map(|span| span.to_string());
    let (outlook, reason) = match view.outlook {
        RenewalOutlook::Due => ("DUE", None),
        RenewalOutlook::At(_) => ("SCHEDULED", None),
        RenewalOutlook::Never(why) => ("NEVER", Some(why.to_owned())),
    };
    let current = view.version.as_ref().filter(|one| certificate.versions.current == Some(one.version.number));
    wire::RenewalStatus {
        interval: span(rule.and_then(|rule| rule.interval())),
        advance_period: span(rule.and_then(|rule| rule.advance_period())),
        automatic: certificate.renewal.automatic,
        key: certificate.renewal.key.to_string(),
        renew_at: text(current.map(|one| one.renew_at)),
        outlook: outlook.to_owned(),
        reason,
        next_attempt_at: text(certificate.next_attempt_at),
        failures: certificate.failures,
        last_attempt: view.last_attempt.as_ref().map(attempt),
    }
}

fn validity(asked: &RequestedValidity) -> wire::Validity {
    let (not_after, duration) = match asked.end {
        RequestedEnd::Longest => (None, None),
        RequestedEnd::NotAfter(end) => (Some(end.to_string()), None),
        RequestedEnd::Duration(span) => (None, Some(span.to_string())),
    };
    wire::Validity { not_before: text(asked.not_before), not_after, duration }
}
