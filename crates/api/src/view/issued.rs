//! Issued certificates as JSON.

use super::text;
use crate::parse::subject_of_text;
use certwright_app::{Issued, Trial, to_pem};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::time::Timestamp;
use certwright_wire as wire;

/// What was just issued.
pub(crate) fn answer(issued: Issued) -> wire::IssuedAnswer {
    let row = issued.row;
    let certificate = to_pem("CERTIFICATE", &row.certificate);
    // The leaf stands first in the chain: encoded once.
    let chain = [certificate.as_str(), issued.above.pem_without_root()].concat();
    wire::IssuedAnswer {
        serial: row.serial.to_string(),
        fingerprint: row.fingerprint.to_string(),
        subject: subject(&row.subject),
        names: row.names.iter().map(ToString::to_string).collect(),
        not_before: row.validity.not_before().to_string(),
        not_after: row.validity.not_after().to_string(),
        renew_at: row.renew_at.to_string(),
        ca: row.ca_name,
        profile: row.profile,
        key_algorithm: row.key_algorithm,
        subject_text: row.subject,
        certificate,
        chain,
        ca_chain: issued.above.pem().to_owned(),
        private_key: issued.private_key.map(|key| wire::SecretText::new(to_pem("PRIVATE KEY", key.expose()))),
        ignored_extensions: issued.ignored_extensions,
    }
}

/// A row of the inventory, with its status at `now`.
pub(crate) fn inventory(row: IssuedCertificate, now: Timestamp) -> wire::IssuedCertificate {
    wire::IssuedCertificate {
        id: row.id.to_string(),
        kind: row.kind.to_string(),
        status: row.status(now).to_string(),
        serial: row.serial.to_string(),
        fingerprint: row.fingerprint.to_string(),
        ca_id: row.ca_id.to_string(),
        ca_version: row.ca_version,
        subject: subject(&row.subject),
        names: row.names.iter().map(ToString::to_string).collect(),
        not_before: row.validity.not_before().to_string(),
        not_after: row.validity.not_after().to_string(),
        renew_at: row.renew_at.to_string(),
        issued_at: row.issued_at.to_string(),
        revoked_at: text(row.revocation.map(|revocation| revocation.at)),
        revocation_reason: row.revocation.map(|revocation| revocation.reason.to_string()),
        certificate: to_pem("CERTIFICATE", &row.certificate),
        ca: row.ca_name,
        profile: Some(row.profile).filter(|profile| !profile.is_empty()),
        subject_text: row.subject,
        key_algorithm: row.key_algorithm,
        requester: row.requester,
        requester_name: row.requester_name,
        request_id: row.request_id,
    }
}

/// What a trial would have issued.
pub(crate) fn trial(trial: &Trial) -> wire::Trial {
    wire::Trial {
        ca: trial.ca.clone(),
        profile: trial.profile.clone(),
        subject_text: trial.subject.clone(),
        names: trial.names.iter().map(ToString::to_string).collect(),
        not_before: trial.validity.map(|validity| validity.not_before().to_string()),
        not_after: trial.validity.map(|validity| validity.not_after().to_string()),
        ignored_extensions: trial.ignored_extensions.clone(),
    }
}

/// The inventory keeps the subject as text, which we wrote ourselves.
fn subject(text: &str) -> wire::Subject {
    subject_of_text(text).unwrap_or_else(|| wire::Subject::from_attributes([]))
}
