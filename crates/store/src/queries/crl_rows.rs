//! What rows about revocation lists say.

use super::{Error, Reading, Result, Row};
use crate::CrlHealth;
use certwright_domain::crl::{Crl, CrlCounters, CrlKind, CrlScope, CrlSeries, Shards};
use certwright_domain::id::{CaId, CrlId};
use sqlx::Row as _;

pub(super) fn read_scope(row: &Reading<'_>) -> Result<CrlScope> {
    Ok(CrlScope {
        ca_id: row.parse("ca_id", CaId::parse)?,
        ca_version: row.number("ca_version")?,
        shards: Shards::new(row.number("shards")?).map_err(|_| row.corrupt("shards"))?,
        shard: u16::try_from(row.number("shard")?).map_err(|_| row.corrupt("shard"))?,
        kind: row.parse("kind", CrlKind::parse)?,
    })
}

pub(super) fn read_series(row: &Row) -> Result<CrlSeries> {
    let row = Reading::of(row, "crl_series", "ca_id")?;
    Ok(CrlSeries {
        scope: read_scope(&row)?,
        crl_id: row.parse_optional("crl_id", CrlId::parse)?,
        due_at: row.time_optional("due_at")?,
        earliest_at: row.time("earliest_at")?,
        overdue_at: row.time_optional("overdue_at")?,
        failures: row.number("failures")?,
        last_attempt_at: row.time_optional("last_attempt_at")?,
        last_error: row.get("last_error")?,
    })
}

pub(super) fn read_crl(row: &Row) -> Result<Crl> {
    let row = Reading::of(row, "crls", "id")?;
    let natural = |column| u64::try_from(row.get::<i64>(column)?).map_err(|_| row.corrupt(column));
    Ok(Crl {
        id: row.parse("id", CrlId::parse)?,
        scope: read_scope(&row)?,
        number: row.get("number")?,
        base_number: row.get("base_number")?,
        change: row.get("change")?,
        uploaded: row.flag("uploaded")?,
        this_update: row.time("this_update")?,
        next_update: row.time("next_update")?,
        entries: natural("entries")?,
        size: natural("size")?,
        sha256: row.sha256("sha256")?,
        created_at: row.time("created_at")?,
    })
}

pub(super) fn read_counters(row: Option<&Row>, ca_id: &CaId) -> Result<CrlCounters> {
    let row =
        row.ok_or_else(|| Error::Corrupt { table: "crl_counters", column: "ca_id", row: ca_id.as_str().to_owned() })?;
    Ok(CrlCounters {
        change: row.try_get("change").map_err(Error::from_driver)?,
        number: row.try_get("number").map_err(Error::from_driver)?,
        orders: row.try_get("orders").map_err(Error::from_driver)?,
    })
}

/// A count or a sum as the drivers have it.
fn natural(row: &Reading<'_>, column: &'static str) -> Result<u64> {
    u64::try_from(row.get::<i64>(column)?).map_err(|_| row.corrupt(column))
}

pub(super) fn read_health(row: &Row) -> Result<CrlHealth> {
    let row = Reading::of(row, "crl_series", "ca_id")?;
    Ok(CrlHealth {
        ca_id: row.parse("ca_id", CaId::parse)?,
        ca_name: row.text("name")?,
        lists: natural(&row, "lists")?,
        failing: natural(&row, "failing")?,
        lapsed: natural(&row, "lapsed")?,
        oldest_this_update: row.time_optional("oldest_this_update")?,
        first_next_update: row.time_optional("first_next_update")?,
        entries: natural(&row, "entries")?,
        size: natural(&row, "size")?,
    })
}
