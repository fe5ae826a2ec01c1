//! Filters of the search whose plans are looked at, for both databases.

use crate::{IssuedFilter, IssuedSort};
use certwright_domain::id::CaId;
use certwright_domain::issued::{IssuedKind, IssuedStatus};
use certwright_domain::time::Timestamp;

pub(crate) const SORTS: [IssuedSort; 4] =
    [IssuedSort::NewestFirst, IssuedSort::OldestFirst, IssuedSort::ExpiresFirst, IssuedSort::RenewsFirst];

/// Every filter that may be walked, and every pair of them.
pub(crate) fn filters() -> Vec<IssuedFilter> {
    let at = Timestamp::from_unix_s(1_795_176_000);
    let some = |text: &str| Some(text.to_owned());
    let all = IssuedFilter::default();
    let mut filters = vec![
        IssuedFilter { name: some("a"), ..all.clone() },
        IssuedFilter { san: some("a.example.com"), ..all.clone() },
        IssuedFilter { ca_id: Some(CaId::new(at, [0; 10])), ..all.clone() },
        IssuedFilter { profile: some("tls-server"), ..all.clone() },
        IssuedFilter { requester: some("token:a"), ..all.clone() },
        IssuedFilter { requester: some("ci"), ..all.clone() },
        IssuedFilter { status: Some((IssuedStatus::Valid, at)), ..all.clone() },
        IssuedFilter { status: Some((IssuedStatus::Expired, at)), ..all.clone() },
        IssuedFilter { status: Some((IssuedStatus::Revoked, at)), ..all.clone() },
        IssuedFilter { expires_after: Some(at), expires_before: Some(at), ..all.clone() },
        IssuedFilter { renew_before: Some(at), ..all.clone() },
        IssuedFilter { kind: Some(IssuedKind::Leaf), include_system: true, ..all.clone() },
        all,
    ];
    let pairs: Vec<IssuedFilter> = filters
        .iter()
        .flat_map(|a| filters.iter().map(move |b| (a, b)))
        .map(|(a, b)| IssuedFilter {
            name: a.name.clone().or(b.name.clone()),
            san: a.san.clone().or(b.san.clone()),
            ca_id: a.ca_id.clone().or(b.ca_id.clone()),
            profile: a.profile.clone().or(b.profile.clone()),
            requester: a.requester.clone().or(b.requester.clone()),
            status: a.status.or(b.status),
            expires_after: a.expires_after.or(b.expires_after),
            expires_before: a.expires_before.or(b.expires_before),
            renew_before: a.renew_before.or(b.renew_before),
            kind: a.kind.or(b.kind),
            ..IssuedFilter::default()
        })
        .collect();
    filters.extend(pairs);
    filters
}
