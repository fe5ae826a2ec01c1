//! Revocations and revocation lists as JSON.

use super::{inventory, text};
use certwright_app::{CrlView, Revoked};
use certwright_domain::crl::Crl;
use certwright_domain::time::Timestamp;
use certwright_wire as wire;

/// A certificate that was revoked, with those of the same key.
pub(crate) fn revoked(revoked: Revoked, now: Timestamp) -> wire::RevokedCertificate {
    wire::RevokedCertificate {
        certificate: inventory(revoked.certificate, now),
        siblings: revoked.siblings.into_iter().map(|row| inventory(row, now)).collect(),
    }
}

/// A list of a CA.
pub(crate) fn revocation_list(view: &CrlView, now: Timestamp) -> wire::RevocationList {
    let series = &view.series;
    wire::RevocationList {
        version: series.scope.ca_version,
        kind: series.scope.kind.to_string(),
        shards: u32::from(series.scope.shards.number()),
        shard: u32::from(series.scope.shard),
        urls: view.urls.clone(),
        current: view.crl.as_ref().map(|crl| published(crl, now)),
        due_at: text(series.due_at),
        failures: series.failures,
        last_attempt_at: text(series.last_attempt_at),
        last_error: series.last_error.clone(),
    }
}

fn published(crl: &Crl, now: Timestamp) -> wire::PublishedList {
    wire::PublishedList {
        number: crl.number,
        base_number: crl.base_number,
        this_update: crl.this_update.to_string(),
        next_update: crl.next_update.to_string(),
        age_seconds: now.ms_since(crl.this_update).max(0) / 1000,
        entries: crl.entries,
        size: crl.size,
        sha256: crl.sha256.to_string(),
        uploaded: crl.uploaded,
    }
}
