//! The filter of the inventory in the form of the columns.

use super::Builder;
use super::source::Source;
use crate::IssuedFilter;
use certwright_domain::issued::IssuedStatus;
use certwright_domain::san::San;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::time::Timestamp;

/// What `q` may mean: the text is tried as each.
pub(super) struct Anything {
    pub(super) prefix: String,
    pub(super) name: String,
    pub(super) serial: Option<Serial>,
    pub(super) fingerprint: Option<Sha256>,
}

/// The filter, brought into the form of the columns.
pub(super) struct Wanted<'f> {
    pub(super) filter: &'f IssuedFilter,
    pub(super) anything: Option<Anything>,
    pub(super) common_name: Option<String>,
    /// Column and value.
    pub(super) requester: Option<(&'static str, &'f str)>,
}

impl<'f> Wanted<'f> {
    pub(super) fn of(filter: &'f IssuedFilter) -> Self {
        let anything = filter.q.as_deref().map(str::trim).filter(|q| !q.is_empty()).map(|q| Anything {
            prefix: q.to_lowercase(),
            name: San::parse(q).map_or_else(|_| q.to_owned(), |name| name.to_string()),
            serial: Serial::parse(q).ok(),
            fingerprint: Sha256::parse(q).ok(),
        });
        // Ids have a colon, names of tokens cannot have one; the server itself is `system`.
        let requester = filter.requester.as_deref().map(|requester| {
            let by_id = requester.contains(':') || requester == "system";
            (if by_id { "requester" } else { "requester_name" }, requester)
        });
        Self { filter, anything, common_name: filter.name.as_deref().map(str::to_lowercase), requester }
    }

    /// The filters that an index answers, the most selective kinds first.
    pub(super) fn sources(&self) -> Vec<Source<'_>> {
        let f = self.filter;
        [
            f.fingerprint.as_ref().map(Source::Fingerprint),
            f.serial.as_ref().map(Source::Serial),
            self.anything.as_ref().map(Source::Anything),
            f.san.as_deref().map(Source::Name),
            self.common_name.as_deref().map(Source::Name),
            self.requester.map(|(column, value)| Source::Column(column, value)),
            self.is_revoked().then_some(Source::Revoked),
            f.ca_id.as_ref().map(|id| Source::Column("ca_id", id.as_str())),
            f.profile.as_deref().map(|profile| Source::Column("profile", profile)),
            (f.expires_before.is_some() || f.expires_after.is_some()).then_some(Source::Range(
                "not_after",
                f.expires_after.map(|at| at.unix_ms()),
                f.expires_before.map(|at| at.unix_ms()),
            )),
            f.renew_before.map(|at| Source::Range("renew_at", None, Some(at.unix_ms()))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Sources without an order of their own, which may still drive an order by id when they are not too large: their ids
    /// are sorted.
    pub(super) fn sortable_sources(&self) -> Vec<Source<'_>> {
        let f = self.filter;
        let ms = |at: Timestamp| at.unix_ms();
        let expired = match f.status {
            Some((IssuedStatus::Expired, now)) => Some(ms(now.floor_to_second())),
            _ => None,
        };
        let before = f.expires_before.map(ms).into_iter().chain(expired).min();
        let by_expiry = before.is_some() || f.expires_after.is_some();
        [
            self.anything.as_ref().map(Source::Anything),
            by_expiry.then_some(Source::Range("not_after", f.expires_after.map(ms), before)),
            f.renew_before.map(|at| Source::Range("renew_at", None, Some(ms(at)))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Only certificates that were revoked?
    pub(super) fn is_revoked(&self) -> bool {
        matches!(self.filter.status, Some((IssuedStatus::Revoked, _)))
    }

    /// Pushes every filter as a condition on `t`, each with a leading AND.
    pub(super) fn push_conditions(&self, query: &mut Builder) {
        let f = self.filter;
        if let Some(fingerprint) = &f.fingerprint {
            query.push(" AND t.fingerprint = ").push_bind(fingerprint.0.to_vec());
        }
        if let Some(serial) = &f.serial {
            query.push(" AND t.serial = ").push_bind(serial.as_bytes().to_vec());
        }
        if let Some(anything) = &self.anything {
            push_anything(query, anything);
        }
        if let Some(san) = &f.san {
            query.push(" AND EXISTS (SELECT 1 FROM issued_names n WHERE n.issued_id = t.id AND n.value = ");
            query.push_bind(san.clone()).push(" AND n.kind <> 'cn')");
        }
        if let Some(name) = &self.common_name {
            query.push(" AND t.common_name_lower = ").push_bind(name.clone());
        }
        if let Some((column, value)) = self.requester {
            query.push(" AND t.").push(column).push(" = ").push_bind(value.to_owned());
        }
        if let Some(ca) = &f.ca_id {
            query.push(" AND t.ca_id = ").push_bind(ca.as_str().to_owned());
        }
        if let Some(profile) = &f.profile {
            query.push(" AND t.profile = ").push_bind(profile.clone());
        }
        if let Some(kind) = f.kind {
            query.push(" AND t.kind = ").push_bind(kind.as_str());
        }
        if let Some((status, now)) = f.status {
            // As `IssuedCertificate::status`: the last second belongs to the validity.
            let now = now.floor_to_second().unix_ms();
            match status {
                IssuedStatus::Revoked => query.push(" AND t.revoked_at IS NOT NULL"),
                IssuedStatus::Valid => query.push(" AND t.revoked_at IS NULL AND t.not_after >= ").push_bind(now),
                IssuedStatus::Expired => query.push(" AND t.revoked_at IS NULL AND t.not_after < ").push_bind(now),
            };
        }
        push_range(
            query,
            " AND t.not_after",
            f.expires_after.map(|t| t.unix_ms()),
            f.expires_before.map(|t| t.unix_ms()),
        );
        push_range(query, " AND t.renew_at", None, f.renew_before.map(|t| t.unix_ms()));
        if !f.include_system {
            query.push(" AND t.ca_id NOT IN (SELECT id FROM certificate_authorities WHERE system = 1)");
        }
    }
}

fn push_anything(query: &mut Builder, anything: &Anything) {
    query.push(" AND (EXISTS (SELECT 1 FROM issued_names n WHERE n.issued_id = t.id AND n.value >= ");
    query.push_bind(anything.prefix.clone()).push(" AND n.value < ").push_bind(beyond(&anything.prefix)).push(")");
    query.push(" OR EXISTS (SELECT 1 FROM issued_names n WHERE n.issued_id = t.id AND n.value = ");
    query.push_bind(anything.name.clone()).push(")");
    if let Some(serial) = &anything.serial {
        query.push(" OR t.serial = ").push_bind(serial.as_bytes().to_vec());
    }
    if let Some(fingerprint) = &anything.fingerprint {
        query.push(" OR t.fingerprint = ").push_bind(fingerprint.0.to_vec());
    }
    query.push(")");
}

/// Sorts after everything that begins with `prefix` (by bytes, as both databases compare here).
pub(super) fn beyond(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
}

pub(super) fn push_range(query: &mut Builder, column: &'static str, from: Option<i64>, before: Option<i64>) {
    if let Some(from) = from {
        query.push(column).push(" >= ").push_bind(from);
    }
    if let Some(before) = before {
        query.push(column).push(" < ").push_bind(before);
    }
}
