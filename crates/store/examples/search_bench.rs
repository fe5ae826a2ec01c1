//! How long a page of the inventory takes when it is large.
//!
//! `cargo run --release -p certwright-store --example search_bench [postgres://… | -] [rows]`: SQLite in a temporary folder
//! (`-`), or an empty PostgreSQL database; a million rows by default.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

#[path = "support/mod.rs"]
mod support;

use certwright_domain::ca::Ca;
use certwright_domain::issued::{IssuedKind, IssuedStatus};
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::time::Timestamp;
use certwright_store::{AuditFilter, IssuedFilter, IssuedSort, PageRequest, Store};
use std::error::Error;
use std::time::Instant;

const CHUNK: u64 = 20_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store = support::open(std::env::args().nth(1), folder.path()).await?;
    let rows: u64 = std::env::args().nth(2).map_or(Ok(1_000_000), |rows| rows.parse())?;
    let (ca, epoch) = support::stock(&store).await?;
    let begin = Instant::now();
    for from in (0..rows).step_by(usize::try_from(CHUNK)?) {
        fill(&store, &ca, epoch, from..rows.min(from.saturating_add(CHUNK))).await?;
    }
    println!("{:?}: {rows} rows in {:.1} s", store.backend(), begin.elapsed().as_secs_f64());
    let middle = support::recording(&ca, epoch, rows / 2)?.issued;
    search(&store, &ca, &middle).await?;
    store.close().await;
    Ok(())
}

async fn fill(store: &Store, ca: &Ca, epoch: i64, numbers: std::ops::Range<u64>) -> Result<(), Box<dyn Error>> {
    let mut tx = store.begin("fill").await?;
    let mut chunk = Vec::new();
    for number in numbers {
        let mut recording = support::recording(ca, epoch, number)?;
        // Every second one has expired at the time of the searches, a few are special.
        if number % 100_000 == 77 {
            recording.issued.profile = "rare".to_owned();
        }
        if number % 10_000 == 5 {
            recording.issued.kind = IssuedKind::Ca;
        }
        if number % 50 == 0 {
            let at = recording.issued.issued_at;
            recording.issued.revocation = Some(Revocation { at, reason: RevocationReason::Superseded });
        }
        tx.insert_audit(&recording.audit).await?;
        chunk.push(recording.issued);
        if chunk.len() == 64 {
            tx.insert_issued(&chunk).await?;
            chunk.clear();
        }
    }
    tx.insert_issued(&chunk).await?;
    Ok(tx.commit().await?)
}

async fn search(
    store: &Store,
    ca: &Ca,
    middle: &certwright_domain::issued::IssuedCertificate,
) -> Result<(), Box<dyn Error>> {
    let some = |text: &str| Some(text.to_owned());
    let half: Timestamp = middle.validity.not_after();
    let all = IssuedFilter::default();
    let filters = [
        ("everything", all.clone()),
        ("serial", IssuedFilter { serial: Some(middle.serial.clone()), ..all.clone() }),
        ("fingerprint", IssuedFilter { fingerprint: Some(middle.fingerprint), ..all.clone() }),
        ("SAN", IssuedFilter { san: Some(middle.common_name.clone()), ..all.clone() }),
        ("common name", IssuedFilter { name: Some(middle.common_name.clone()), ..all.clone() }),
        ("q: name", IssuedFilter { q: Some(middle.common_name.clone()), ..all.clone() }),
        ("q: short prefix", IssuedFilter { q: some("service-1"), ..all.clone() }),
        ("CA", IssuedFilter { ca_id: Some(ca.id.clone()), ..all.clone() }),
        ("rare profile", IssuedFilter { profile: some("rare"), ..all.clone() }),
        ("requester", IssuedFilter { requester: some("deployer"), ..all.clone() }),
        ("valid", IssuedFilter { status: Some((IssuedStatus::Valid, half)), ..all.clone() }),
        ("expired", IssuedFilter { status: Some((IssuedStatus::Expired, half)), ..all.clone() }),
        ("revoked", IssuedFilter { status: Some((IssuedStatus::Revoked, half)), ..all.clone() }),
        ("expires before", IssuedFilter { expires_before: Some(half), ..all.clone() }),
        ("renews before", IssuedFilter { renew_before: Some(half), ..all.clone() }),
        ("CA certificates", IssuedFilter { kind: Some(IssuedKind::Ca), ..all.clone() }),
        (
            "CA, requester, revoked, kind",
            IssuedFilter {
                ca_id: Some(ca.id.clone()),
                requester: some("deployer"),
                status: Some((IssuedStatus::Revoked, half)),
                kind: Some(IssuedKind::Ca),
                ..all
            },
        ),
    ];
    for (what, filter) in filters {
        for sort in [IssuedSort::NewestFirst, IssuedSort::ExpiresFirst] {
            let filter = IssuedFilter { sort, ..filter.clone() };
            let mut reader = store.read().await?;
            let begin = Instant::now();
            let one = reader.search_issued(&filter, &PageRequest { limit: 50, after: None }).await?;
            let first = begin.elapsed();
            let begin = Instant::now();
            let two = match one.next.clone() {
                Some(next) => {
                    reader.search_issued(&filter, &PageRequest { limit: 50, after: Some(next) }).await?.items.len()
                }
                None => 0,
            };
            println!(
                "{what:>30} {sort:?}: {:>3} rows in {:>8.2} ms, next {two:>3} in {:>8.2} ms",
                one.items.len(),
                first.as_secs_f64() * 1000.0,
                begin.elapsed().as_secs_f64() * 1000.0
            );
        }
    }
    let begin = Instant::now();
    let filter = AuditFilter {
        actor: some("token:token_01JD8XK4M2W7Z3T5V9YQ6B1C0D"),
        action: some("none"),
        ..AuditFilter::default()
    };
    let page = store.read().await?.audit_events(&filter, &PageRequest { limit: 50, after: None }).await?;
    println!("audit, nothing matches: {} rows in {:.2} ms", page.items.len(), begin.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}
