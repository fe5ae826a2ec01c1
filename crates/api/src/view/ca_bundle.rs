//! CA bundles.

use super::subject;
use crate::problem::Problem;
use certwright_app::{read_certificate, to_pem};
use certwright_domain::ca_bundle::CaBundle;
use certwright_domain::time::Timestamp;
use certwright_wire as wire;

/// A bundle of a list, without its certificates: a page of bundles may hold thousands.
pub(crate) fn ca_bundle_in_list(bundle: &CaBundle) -> wire::CaBundle {
    wire::CaBundle {
        id: bundle.id.to_string(),
        name: bundle.name.to_string(),
        description: bundle.description.clone(),
        certificate_count: u32::try_from(bundle.certificates.len()).unwrap_or(u32::MAX),
        certificates: None,
        created_at: bundle.created_at.to_string(),
    }
}

/// A bundle with what its certificates say.
pub(crate) fn ca_bundle(bundle: &CaBundle, now: Timestamp) -> Result<wire::CaBundle, Problem> {
    let certificates = bundle.certificates.iter().map(|der| bundled(der, now)).collect::<Result<_, _>>()?;
    Ok(wire::CaBundle { certificates: Some(certificates), ..ca_bundle_in_list(bundle) })
}

fn bundled(der: &[u8], now: Timestamp) -> Result<wire::BundledCertificate, Problem> {
    // It was read before it was stored: one that cannot be read any more is no fault of the caller.
    let certificate = read_certificate(der)
        .map_err(|error| Problem::internal(format!("a certificate of a CA bundle cannot be read: {error}")))?;
    Ok(wire::BundledCertificate {
        subject: subject(&certificate.subject),
        subject_text: certificate.subject.to_string(),
        fingerprint: certificate.fingerprint.to_string(),
        not_before: certificate.validity.not_before().to_string(),
        not_after: certificate.validity.not_after().to_string(),
        expired: certificate.validity.not_after() < now,
        certificate: to_pem("CERTIFICATE", der),
    })
}
