//! Rows of the issuing path, ready to be bound by either driver.

use crate::{OrderEnding, documents};
use certwright_domain::audit::AuditEvent;
use certwright_domain::audit::chain::{Head, Link};
use certwright_domain::id::IssuedId;
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::san::San;
use certwright_domain::serial::Sha256;
use std::collections::BTreeSet;

/// Columns of `issued_certificates` in the order in which both drivers bind them.
pub(crate) const ISSUED_COLUMNS: &str = "id, kind, ca_id, ca_name, ca_version, serial, fingerprint, spki_sha256, subject, \
     common_name, common_name_lower, names, profile, key_algorithm, not_before, not_after, renew_at, requester, \
     requester_name, request_id, issued_at, revoked_at, revocation_reason, certificate";
/// Columns of `audit_events`, likewise.
pub(crate) const AUDIT_COLUMNS: &str = "id, at, actor, actor_name, action, target_kind, target_id, target_name, request_id, details, \
     door, address, decided_by, outcome, chain, sequence, previous_hash, hash";

/// An audit event with its place in the chain.
pub(crate) struct AuditRow<'e> {
    pub(crate) event: &'e AuditEvent,
    pub(crate) address: String,
    pub(crate) link: Link,
}

/// The chain that a transaction appends to: where it stands, and the row with which it was read.
pub(crate) struct Appended<'e> {
    /// The rows, in order.
    pub(crate) rows: Vec<AuditRow<'e>>,
    /// Where the chain ended before.
    pub(crate) from: i64,
    /// Where it ends now.
    pub(crate) head: Head,
}

/// Puts events at the end of a chain.
pub(crate) fn append<'e>(head: &Head, events: impl IntoIterator<Item = &'e AuditEvent>) -> Appended<'e> {
    let mut end = head.clone();
    let rows = events
        .into_iter()
        .map(|event| {
            let address = event.address.map_or_else(String::new, |address| address.to_string());
            AuditRow { event, address, link: end.append(event, sha256) }
        })
        .collect();
    Appended { rows, from: head.sequence, head: end }
}

/// SHA-256.
fn sha256(bytes: &[u8]) -> Sha256 {
    let mut hash = [0; 32];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    Sha256(hash)
}

/// A row of the inventory with its derived columns.
pub(crate) struct IssuedRow<'c> {
    pub(crate) certificate: &'c IssuedCertificate,
    pub(crate) common_name_lower: String,
    pub(crate) names: String,
}

/// A digest by which the inventory is looked up.
#[derive(Clone, Copy)]
pub(crate) enum Digest {
    /// Of the certificate.
    Fingerprint,
    /// Of its public key.
    Key,
}

impl Digest {
    /// The column.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::Key => "spki_sha256",
        }
    }
}

/// A row of `issued_names`.
pub(crate) struct NameRow<'c> {
    pub(crate) value: String,
    pub(crate) issued_id: &'c str,
    pub(crate) kind: &'static str,
}

/// The kind of a common name that no alternative name repeats.
pub(crate) const COMMON_NAME: &str = "cn";

/// The rows of these certificates. A name that a certificate repeats has one row.
pub(crate) fn issued_rows<'c>(
    certificates: impl Iterator<Item = &'c IssuedCertificate>,
) -> (Vec<IssuedRow<'c>>, Vec<NameRow<'c>>) {
    let mut names = Vec::new();
    let rows = certificates
        .map(|certificate| {
            let issued_id = certificate.id.as_str();
            let common_name_lower = certificate.common_name.to_lowercase();
            let distinct: BTreeSet<&San> = certificate.names.iter().collect();
            let mut is_among_them = common_name_lower.is_empty();
            names.extend(distinct.into_iter().map(|name| {
                let value = name.to_string();
                is_among_them |= value == common_name_lower;
                NameRow { value, issued_id, kind: name.kind() }
            }));
            if !is_among_them {
                names.push(NameRow { value: common_name_lower.clone(), issued_id, kind: COMMON_NAME });
            }
            IssuedRow { certificate, common_name_lower, names: documents::write_names(&certificate.names) }
        })
        .collect();
    (rows, names)
}

/// A batch of recordings that is to be a transaction in one turn.
pub(crate) struct Batch<'b> {
    pub(crate) rows: &'b [IssuedRow<'b>],
    pub(crate) names: &'b [NameRow<'b>],
    pub(crate) audit: &'b Appended<'b>,
    /// The epoch that all of them were decided under.
    pub(crate) epoch: i64,
    /// The orders that end with them.
    pub(crate) endings: &'b [(&'b OrderEnding, &'b IssuedId)],
}

/// What follows the batched insert, in the same turn where the driver allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The transaction goes on.
    Nothing,
    /// It ends.
    Commit,
}
