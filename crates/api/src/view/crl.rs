//! Revocations and revocation lists as JSON.

use super::{inventory, text};
use certwright_app::{CrlView, Revoked, RevokedKnown, RevokedNamed};
use certwright_domain::crl::Crl;
use certwright_domain::publication::{ObjectKind, Placed, Publication, PublishedObject};
use certwright_domain::time::Timestamp;
use certwright_wire as wire;

/// A certificate that was revoked, with those of the same key.
pub(crate) fn revoked(revoked: Revoked, now: Timestamp) -> wire::RevokedCertificate {
    wire::RevokedCertificate {
        certificate: inventory(revoked.certificate, now),
        siblings: revoked.siblings.into_iter().map(|row| inventory(row, now)).collect(),
    }
}

/// What was revoked by serial and issuer.
pub(crate) fn revoked_named(revoked: RevokedNamed, now: Timestamp) -> wire::RevokedNamed {
    match revoked {
        RevokedNamed::Certificate(certificate) => {
            wire::RevokedNamed::Certificate(Box::new(self::revoked(*certificate, now)))
        }
        RevokedNamed::Known(revoked) => {
            let RevokedKnown { ca, known } = *revoked;
            wire::RevokedNamed::KnownSerial(wire::RevokedSerial {
                serial: known.serial.to_string(),
                ca: ca.name.to_string(),
                ca_id: ca.id.to_string(),
                not_after: text(known.expires_at),
                revoked_at: text(known.revocation.map(|revocation| revocation.at)),
                revocation_reason: known.revocation.map(|revocation| revocation.reason.to_string()),
            })
        }
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
        objects: view.objects.iter().map(|one| object(one, view)).collect(),
        current: view.crl.as_ref().map(|crl| published(crl, now)),
        due_at: text(series.due_at),
        failures: series.failures,
        last_attempt_at: text(series.last_attempt_at),
        last_error: series.last_error.clone(),
    }
}

/// What a CA publishes elsewhere.
pub(crate) fn publication(publication: &Publication) -> wire::Publication {
    let name = |placed: &Placed| placed.name().to_string();
    let urls = |placed: Option<&Placed>| {
        placed.map(Placed::urls).unwrap_or_default().iter().map(ToString::to_string).collect()
    };
    wire::Publication {
        target: publication.target().to_string(),
        object_name_format: name(publication.list()),
        custom_url_formats: urls(Some(publication.list())),
        delta_name_format: publication.delta().map(name),
        delta_url_formats: urls(publication.delta()),
        issuer_name_format: publication.issuer().map(name),
        issuer_url_formats: urls(publication.issuer()),
    }
}

/// An object elsewhere, of the series of `view`.
fn object(object: &PublishedObject, view: &CrlView) -> wire::PublishedObject {
    let crl = view.crl.as_ref();
    let lost = view.lost_targets.get(&object.target);
    let newest = match object.kind {
        ObjectKind::Issuer => object.content.is_some(),
        ObjectKind::List | ObjectKind::Delta => {
            crl.is_none_or(|crl| object.content.as_deref() == Some(crl.id.as_str()))
        }
    };
    wire::PublishedObject {
        target: object.target.to_string(),
        name: object.name.to_string(),
        kind: object.kind.to_string(),
        number: object.number,
        last_published_at: text(object.published_at),
        up_to_date: newest,
        failures: object.failures,
        last_attempt_at: text(object.last_attempt_at),
        last_error: lost.map(|lost| lost.detail.clone()).or_else(|| object.last_error.clone()),
        last_error_code: lost.map(|lost| lost.code.to_owned()),
        last_error_hint: lost.map(|lost| lost.hint.clone()),
        next_attempt_at: text(Some(object.next_attempt_at).filter(|_| !newest)),
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
