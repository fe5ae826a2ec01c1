//! The search is compared with a plain filter in memory, for every filter, order and page size.

use super::fresh;
use crate::fixtures::*;
use certwright_domain::ca::Ca;
use certwright_domain::issued::{IssuedCertificate, IssuedKind, IssuedStatus};
use certwright_domain::san::San;
use certwright_domain::time::Timestamp;
use certwright_store::{Error, IssuedFilter, IssuedSort, Store};

const SORTS: [IssuedSort; 4] =
    [IssuedSort::NewestFirst, IssuedSort::OldestFirst, IssuedSort::ExpiresFirst, IssuedSort::RenewsFirst];

/// Two CAs of operators and the server's own, with `count` certificates that differ in everything.
async fn stocked(store: &Store, count: u32) -> (Vec<IssuedCertificate>, [Ca; 3]) {
    let cas = [ca(1, "one"), ca(2, "two"), {
        let mut own = ca(3, "service");
        own.system = true;
        own
    }];
    let rows: Vec<IssuedCertificate> = (0..count)
        .map(|number| {
            let mut row = issued(number, &cas[if number % 11 == 0 { 2 } else { (number % 2) as usize }]);
            row.profile = if number % 3 == 0 { "tls-client" } else { "tls-server" }.to_owned();
            row.requester = format!("token:{}", number % 5);
            row.requester_name = format!("robot-{}", number % 5);
            if number % 13 == 0 {
                row.requester = "system".into();
            }
            if number % 7 == 0 {
                row.revocation = Some(revocation());
            }
            if number % 17 == 0 {
                row.kind = IssuedKind::Ca;
            }
            if number % 4 == 0 {
                row.names.push(San::parse("shared.example.com").unwrap());
            }
            if number % 6 == 0 {
                row.common_name = "Same Name".to_owned();
            }
            row
        })
        .collect();
    let mut tx = store.begin("t").await.unwrap();
    for ca in &cas {
        tx.insert_ca(ca).await.unwrap();
    }
    for chunk in rows.chunks(500) {
        tx.insert_issued(chunk).await.unwrap();
    }
    tx.commit().await.unwrap();
    (rows, cas)
}

/// What the search must find, by the words of [`IssuedFilter`].
fn expected(rows: &[IssuedCertificate], cas: &[Ca; 3], filter: &IssuedFilter) -> Vec<IssuedCertificate> {
    let q_matches = |row: &IssuedCertificate, q: &str| {
        let serial = certwright_domain::serial::Serial::parse(q).ok();
        let fingerprint = certwright_domain::serial::Sha256::parse(q).ok();
        let names = row.names.iter().map(ToString::to_string).chain([row.common_name.to_lowercase()]);
        names.into_iter().any(|name| name.starts_with(&q.to_lowercase()))
            || San::parse(q).is_ok_and(|name| row.names.contains(&name))
            || serial.is_some_and(|serial| row.serial == serial)
            || fingerprint.is_some_and(|fingerprint| row.fingerprint == fingerprint)
    };
    let mut found: Vec<IssuedCertificate> = rows
        .iter()
        .filter(|row| filter.include_system || row.ca_id != cas[2].id)
        .filter(|row| filter.q.as_ref().is_none_or(|q| q_matches(row, q)))
        .filter(|row| filter.serial.as_ref().is_none_or(|serial| *serial == row.serial))
        .filter(|row| filter.name.as_ref().is_none_or(|name| name.to_lowercase() == row.common_name.to_lowercase()))
        .filter(|row| filter.san.as_ref().is_none_or(|san| row.names.iter().any(|name| name.to_string() == *san)))
        .filter(|row| filter.ca_id.as_ref().is_none_or(|id| *id == row.ca_id))
        .filter(|row| filter.profile.as_ref().is_none_or(|profile| *profile == row.profile))
        .filter(|row| {
            filter.requester.as_ref().is_none_or(|requester| {
                if requester.contains(':') || requester == "system" {
                    *requester == row.requester
                } else {
                    *requester == row.requester_name
                }
            })
        })
        .filter(|row| filter.status.is_none_or(|(status, now)| row.status(now) == status))
        .filter(|row| filter.expires_before.is_none_or(|at| row.validity.not_after() < at))
        .filter(|row| filter.expires_after.is_none_or(|at| row.validity.not_after() >= at))
        .filter(|row| filter.renew_before.is_none_or(|at| row.renew_at < at))
        .filter(|row| filter.fingerprint.is_none_or(|fingerprint| fingerprint == row.fingerprint))
        .filter(|row| filter.kind.is_none_or(|kind| kind == row.kind))
        .cloned()
        .collect();
    match filter.sort {
        IssuedSort::NewestFirst => found.sort_by(|a, b| b.id.cmp(&a.id)),
        IssuedSort::OldestFirst => found.sort_by(|a, b| a.id.cmp(&b.id)),
        IssuedSort::ExpiresFirst => found.sort_by_key(|row| (row.validity.not_after(), row.id.clone())),
        IssuedSort::RenewsFirst => found.sort_by_key(|row| (row.renew_at, row.id.clone())),
    }
    found
}

/// Every page of the search, put together. Pages may be shorter than asked, never longer.
async fn all_pages(store: &Store, filter: &IssuedFilter, limit: u32) -> Vec<IssuedCertificate> {
    let mut reader = store.read().await.unwrap();
    let mut found = Vec::new();
    let mut page = reader.search_issued(filter, &first(limit)).await.unwrap();
    loop {
        assert!(page.items.len() <= limit as usize);
        found.append(&mut page.items);
        if page.next.is_none() {
            return found;
        }
        page = reader.search_issued(filter, &after(limit, page.next)).await.unwrap();
    }
}

fn at(day: i64) -> Timestamp {
    now().plus(days(day))
}

fn filters(rows: &[IssuedCertificate], cas: &[Ca; 3]) -> Vec<IssuedFilter> {
    let all = IssuedFilter::default();
    let some = |text: &str| Some(text.to_owned());
    let row = &rows[8];
    vec![
        all.clone(),
        IssuedFilter { include_system: true, ..all.clone() },
        IssuedFilter { serial: Some(row.serial.clone()), ..all.clone() },
        IssuedFilter { fingerprint: Some(row.fingerprint), ..all.clone() },
        IssuedFilter { fingerprint: Some(sha(999_999)), ..all.clone() },
        IssuedFilter { name: some("HOST-8.Example.com"), ..all.clone() },
        IssuedFilter { name: some("same name"), ..all.clone() },
        IssuedFilter { san: some("shared.example.com"), ..all.clone() },
        IssuedFilter { san: some("10.0.0.5"), include_system: true, ..all.clone() },
        IssuedFilter { san: some("nothing.example.com"), ..all.clone() },
        IssuedFilter { ca_id: Some(cas[0].id.clone()), ..all.clone() },
        IssuedFilter { ca_id: Some(cas[2].id.clone()), ..all.clone() },
        IssuedFilter { ca_id: Some(cas[2].id.clone()), include_system: true, ..all.clone() },
        IssuedFilter { profile: some("tls-client"), ..all.clone() },
        IssuedFilter { requester: some("token:3"), ..all.clone() },
        IssuedFilter { requester: some("robot-3"), ..all.clone() },
        IssuedFilter { requester: some("system"), ..all.clone() },
        IssuedFilter { status: Some((IssuedStatus::Valid, at(30))), ..all.clone() },
        IssuedFilter { status: Some((IssuedStatus::Expired, at(30))), ..all.clone() },
        IssuedFilter { status: Some((IssuedStatus::Revoked, at(30))), ..all.clone() },
        IssuedFilter { expires_before: Some(at(40)), ..all.clone() },
        IssuedFilter { expires_after: Some(at(40)), ..all.clone() },
        IssuedFilter { expires_after: Some(at(20)), expires_before: Some(at(22)), ..all.clone() },
        IssuedFilter { renew_before: Some(at(5)), ..all.clone() },
        IssuedFilter { kind: Some(IssuedKind::Ca), ..all.clone() },
        IssuedFilter { q: some("shared.example.com"), ..all.clone() },
        IssuedFilter { q: some("host-1"), ..all.clone() },
        IssuedFilter { q: some("  HOST-12.EXAMPLE.com "), ..all.clone() },
        IssuedFilter { q: some(&row.serial.to_string().to_uppercase()), ..all.clone() },
        IssuedFilter { q: some(&row.fingerprint.to_string()), ..all.clone() },
        IssuedFilter { q: some("no such thing"), ..all.clone() },
        IssuedFilter { q: some("%"), ..all.clone() },
        IssuedFilter { q: some("nul\0"), ..all.clone() },
        IssuedFilter {
            ca_id: Some(cas[1].id.clone()),
            profile: some("tls-server"),
            requester: some("robot-1"),
            status: Some((IssuedStatus::Valid, at(10))),
            kind: Some(IssuedKind::Leaf),
            ..all.clone()
        },
        IssuedFilter { san: some("shared.example.com"), profile: some("tls-client"), ..all.clone() },
        IssuedFilter { name: some("same name"), status: Some((IssuedStatus::Revoked, at(1))), ..all.clone() },
        IssuedFilter {
            status: Some((IssuedStatus::Valid, at(10))),
            expires_before: Some(at(20)),
            renew_before: Some(at(15)),
            q: some("host"),
            ..all
        },
    ]
}

async fn compare(store: &Store, rows: &[IssuedCertificate], cas: &[Ca; 3], sorts: &[IssuedSort], limits: &[u32]) {
    for filter in filters(rows, cas) {
        for sort in sorts {
            let mut filter = filter.clone();
            filter.sort = *sort;
            let mut wanted = expected(rows, cas, &filter);
            if filter.q.as_deref().is_some_and(|q| q.contains('\0')) {
                wanted.clear();
            }
            // `q` is trimmed by the search; the plain filter knows nothing of that.
            if let Some(q) = &filter.q {
                let mut trimmed = filter.clone();
                trimmed.q = Some(q.trim().to_owned());
                wanted = expected(rows, cas, &trimmed);
            }
            for limit in limits {
                let found = all_pages(store, &filter, *limit).await;
                let ids = |rows: &[IssuedCertificate]| rows.iter().map(|r| r.common_name.clone()).collect::<Vec<_>>();
                assert_eq!(ids(&found), ids(&wanted), "{filter:?} in pages of {limit}");
                assert_eq!(found, wanted, "{filter:?} in pages of {limit}");
            }
        }
    }
}

#[tokio::test]
async fn small_inventories_are_searched_right() {
    let store = fresh().await;
    let (rows, cas) = stocked(&store, 120).await;
    compare(&store, &rows, &cas, &SORTS, &[7, 500]).await;
}

/// So many rows that no source is small any more and lists are walked in windows.
#[tokio::test]
async fn large_inventories_are_searched_right() {
    let store = fresh().await;
    let (rows, cas) = stocked(&store, 12_000).await;
    compare(&store, &rows, &cas, &[IssuedSort::NewestFirst, IssuedSort::ExpiresFirst], &[500]).await;
    // Small pages make small windows that must grow.
    let rare = IssuedFilter {
        san: Some("shared.example.com".into()),
        status: Some((IssuedStatus::Revoked, now())),
        kind: Some(IssuedKind::Ca),
        ..IssuedFilter::default()
    };
    for sort in SORTS {
        let filter = IssuedFilter { sort, ..rare.clone() };
        assert_eq!(all_pages(&store, &filter, 3).await, expected(&rows, &cas, &filter));
    }
}

#[tokio::test]
async fn cursors_belong_to_their_order() {
    let store = fresh().await;
    let (_, _) = stocked(&store, 10).await;
    let mut reader = store.read().await.unwrap();
    for sort in SORTS {
        let filter = IssuedFilter { sort, ..IssuedFilter::default() };
        let cursor = reader.search_issued(&filter, &first(1)).await.unwrap().next;
        for other in SORTS {
            let filter = IssuedFilter { sort: other, ..IssuedFilter::default() };
            let outcome = reader.search_issued(&filter, &after(1, cursor.clone())).await;
            assert_eq!(outcome.is_ok(), sort == other, "{sort:?} {other:?}");
            assert!(matches!(outcome, Ok(_) | Err(Error::BadCursor)));
        }
    }
}
