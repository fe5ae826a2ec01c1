//! The batched insert of the issuing path on SQLite: multi-row VALUES. A few fixed row counts, so that every statement is
//! prepared once.

use super::{Connection, Driver};
use crate::Error;
use crate::rows::{IssuedRow, NameRow};
use certwright_domain::audit::AuditEvent;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Row counts that have a statement, besides every count up to the smallest of them.
const CHUNKS: [usize; 3] = [64, 32, 16];

/// The statements of one table, by row count.
struct Bulk(BTreeMap<usize, SqlStr>);

impl Bulk {
    fn new(table: &'static str, columns: &'static str) -> Self {
        let width = columns.split(',').count();
        let row = format!("({})", vec!["?"; width].join(","));
        let statement = |rows: usize| {
            let text = format!("INSERT INTO {table} ({columns}) VALUES {}", vec![row.as_str(); rows].join(","));
            // Table and columns are literals of this file.
            (rows, AssertSqlSafe(std::sync::Arc::<str>::from(text)).into_sql_str())
        };
        Self((1..=16).chain(CHUNKS).map(statement).collect())
    }

    /// Inserts the rows, the largest chunks first.
    async fn insert<T>(
        &self,
        connection: &mut Connection,
        mut rows: &[T],
        bind: impl for<'q> Fn(Query<'q, Driver, SqliteArguments>, &'q T) -> Query<'q, Driver, SqliteArguments>,
    ) -> Result<(), Error> {
        while !rows.is_empty() {
            let size = CHUNKS.into_iter().find(|chunk| *chunk <= rows.len()).unwrap_or(rows.len());
            let (Some(statement), Some((now, later))) = (self.0.get(&size), rows.split_at_checked(size)) else {
                return Err(Error::Driver(format!("no statement for {size} rows")));
            };
            let query = now.iter().fold(sqlx::query(statement.clone()), &bind);
            query.execute(&mut *connection).await.map_err(Error::from_driver)?;
            rows = later;
        }
        Ok(())
    }
}

static ISSUED: LazyLock<Bulk> = LazyLock::new(|| Bulk::new("issued_certificates", crate::rows::ISSUED_COLUMNS));
static NAMES: LazyLock<Bulk> = LazyLock::new(|| Bulk::new("issued_names", "value, issued_id, kind"));
static AUDIT: LazyLock<Bulk> = LazyLock::new(|| Bulk::new("audit_events", crate::rows::AUDIT_COLUMNS));

/// Stores rows of the inventory with their names.
pub(in super::super) async fn insert_issued(
    connection: &mut Connection,
    rows: &[IssuedRow<'_>],
    names: &[NameRow<'_>],
) -> Result<(), Error> {
    ISSUED
        .insert(connection, rows, |query, row| {
            let c = row.certificate;
            query
                .bind(c.id.as_str())
                .bind(c.kind.as_str())
                .bind(c.ca_id.as_str())
                .bind(c.ca_name.as_str())
                .bind(i64::from(c.ca_version))
                .bind(c.serial.as_bytes())
                .bind(c.fingerprint.0.as_slice())
                .bind(c.spki_sha256.0.as_slice())
                .bind(c.subject.as_str())
                .bind(c.common_name.as_str())
                .bind(row.common_name_lower.as_str())
                .bind(row.names.as_str())
                .bind(c.profile.as_str())
                .bind(c.key_algorithm.as_str())
                .bind(c.validity.not_before().unix_ms())
                .bind(c.validity.not_after().unix_ms())
                .bind(c.renew_at.unix_ms())
                .bind(c.requester.as_str())
                .bind(c.requester_name.as_str())
                .bind(c.request_id.as_str())
                .bind(c.issued_at.unix_ms())
                .bind(c.revocation.map(|r| r.at.unix_ms()))
                .bind(c.revocation.map(|r| r.reason.as_str()))
                .bind(c.certificate.as_slice())
        })
        .await?;
    NAMES
        .insert(connection, names, |query, name| query.bind(name.value.as_str()).bind(name.issued_id).bind(name.kind))
        .await
}

/// Stores audit events.
pub(in super::super) async fn insert_audit(connection: &mut Connection, events: &[&AuditEvent]) -> Result<(), Error> {
    AUDIT
        .insert(connection, events, |query, event| {
            query
                .bind(event.id.as_str())
                .bind(event.at.unix_ms())
                .bind(event.actor.as_str())
                .bind(event.actor_name.as_str())
                .bind(event.action)
                .bind(event.target_kind)
                .bind(event.target_id.as_str())
                .bind(event.target_name.as_str())
                .bind(event.request_id.as_str())
                .bind(event.details.as_str())
        })
        .await
}

/// Stores recordings: rows of the inventory, their names, their audit events.
pub(in super::super) async fn insert_recordings(
    connection: &mut Connection,
    rows: &[IssuedRow<'_>],
    names: &[NameRow<'_>],
    events: &[&AuditEvent],
) -> Result<(), Error> {
    insert_issued(connection, rows, names).await?;
    insert_audit(connection, events).await
}
