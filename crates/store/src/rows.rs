//! Rows of the issuing path, ready to be bound by either driver.

use crate::documents;
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::san::San;
use std::collections::BTreeSet;

/// Columns of `issued_certificates` in the order in which both drivers bind them.
pub(crate) const ISSUED_COLUMNS: &str = "id, kind, ca_id, ca_name, ca_version, serial, fingerprint, spki_sha256, subject, \
     common_name, common_name_lower, names, profile, key_algorithm, not_before, not_after, renew_at, requester, \
     requester_name, request_id, issued_at, revoked_at, revocation_reason, certificate";
/// Columns of `audit_events`, likewise.
pub(crate) const AUDIT_COLUMNS: &str =
    "id, at, actor, actor_name, action, target_kind, target_id, target_name, request_id, details";

/// A row of the inventory with its derived columns.
pub(crate) struct IssuedRow<'c> {
    pub(crate) certificate: &'c IssuedCertificate,
    pub(crate) common_name_lower: String,
    pub(crate) names: String,
}

/// A row of `issued_names`.
pub(crate) struct NameRow<'c> {
    pub(crate) value: String,
    pub(crate) issued_id: &'c str,
    pub(crate) kind: &'static str,
}

/// The rows of these certificates. A name that a certificate repeats has one row.
pub(crate) fn issued_rows<'c>(
    certificates: impl Iterator<Item = &'c IssuedCertificate>,
) -> (Vec<IssuedRow<'c>>, Vec<NameRow<'c>>) {
    let mut names = Vec::new();
    let rows = certificates
        .map(|certificate| {
            let distinct: BTreeSet<&San> = certificate.names.iter().collect();
            names.extend(distinct.into_iter().map(|name| NameRow {
                value: name.to_string(),
                issued_id: certificate.id.as_str(),
                kind: name.kind(),
            }));
            IssuedRow {
                certificate,
                common_name_lower: certificate.common_name.to_lowercase(),
                names: documents::write_names(&certificate.names),
            }
        })
        .collect();
    (rows, names)
}
