//! The batched insert of the issuing path on PostgreSQL: one statement over arrays, whatever the number of rows.

use super::Connection;
use crate::Error;
use crate::rows::{AUDIT_COLUMNS, ISSUED_COLUMNS, IssuedRow, NameRow};
use certwright_domain::audit::AuditEvent;
use certwright_domain::issued::IssuedCertificate;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};
use std::sync::{Arc, LazyLock};

fn unnest(table: &str, columns: &str, types: &[&str]) -> SqlStr {
    let arrays: Vec<String> = types.iter().zip(1..).map(|(kind, place)| format!("${place}::{kind}[]")).collect();
    let text = format!("INSERT INTO {table} ({columns}) SELECT * FROM UNNEST({})", arrays.join(", "));
    // Table, columns and types are literals of this crate.
    AssertSqlSafe(Arc::<str>::from(text)).into_sql_str()
}

static ISSUED: LazyLock<SqlStr> = LazyLock::new(|| {
    const T: &str = "text";
    const N: &str = "bigint";
    const B: &str = "bytea";
    unnest(
        "issued_certificates",
        ISSUED_COLUMNS,
        &[T, T, T, T, N, B, B, B, T, T, T, T, T, T, N, N, N, T, T, T, N, N, T, B],
    )
});
static NAMES: LazyLock<SqlStr> =
    LazyLock::new(|| unnest("issued_names", "value, issued_id, kind", &["text", "text", "text"]));
static AUDIT: LazyLock<SqlStr> = LazyLock::new(|| {
    const T: &str = "text";
    unnest("audit_events", AUDIT_COLUMNS, &[T, "bigint", T, T, T, T, T, T, T, T])
});

/// Stores rows of the inventory with their names.
pub(in super::super) async fn insert_issued(
    connection: &mut Connection,
    rows: &[IssuedRow<'_>],
    names: &[NameRow<'_>],
) -> Result<(), Error> {
    fn all<'r, T>(rows: &'r [IssuedRow<'_>], field: impl Fn(&'r IssuedCertificate) -> T) -> Vec<T> {
        rows.iter().map(|row| field(row.certificate)).collect()
    }
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(ISSUED.clone())
        .bind(all(rows, |c| c.id.as_str()))
        .bind(all(rows, |c| c.kind.as_str()))
        .bind(all(rows, |c| c.ca_id.as_str()))
        .bind(all(rows, |c| c.ca_name.as_str()))
        .bind(all(rows, |c| i64::from(c.ca_version)))
        .bind(all(rows, |c| c.serial.as_bytes()))
        .bind(all(rows, |c| c.fingerprint.0.as_slice()))
        .bind(all(rows, |c| c.spki_sha256.0.as_slice()))
        .bind(all(rows, |c| c.subject.as_str()))
        .bind(all(rows, |c| c.common_name.as_str()))
        .bind(rows.iter().map(|row| row.common_name_lower.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.names.as_str()).collect::<Vec<_>>())
        .bind(all(rows, |c| c.profile.as_str()))
        .bind(all(rows, |c| c.key_algorithm.as_str()))
        .bind(all(rows, |c| c.validity.not_before().unix_ms()))
        .bind(all(rows, |c| c.validity.not_after().unix_ms()))
        .bind(all(rows, |c| c.renew_at.unix_ms()))
        .bind(all(rows, |c| c.requester.as_str()))
        .bind(all(rows, |c| c.requester_name.as_str()))
        .bind(all(rows, |c| c.request_id.as_str()))
        .bind(all(rows, |c| c.issued_at.unix_ms()))
        .bind(all(rows, |c| c.revocation.map(|r| r.at.unix_ms())))
        .bind(all(rows, |c| c.revocation.map(|r| r.reason.as_str())))
        .bind(all(rows, |c| c.certificate.as_slice()))
        .execute(&mut *connection)
        .await
        .map_err(Error::from_driver)?;
    if names.is_empty() {
        return Ok(());
    }
    sqlx::query(NAMES.clone())
        .bind(names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>())
        .bind(names.iter().map(|name| name.issued_id).collect::<Vec<_>>())
        .bind(names.iter().map(|name| name.kind).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::from_driver)
}

/// Stores audit events.
pub(in super::super) async fn insert_audit(connection: &mut Connection, events: &[&AuditEvent]) -> Result<(), Error> {
    fn all<'r, T>(events: &[&'r AuditEvent], field: impl Fn(&'r AuditEvent) -> T) -> Vec<T> {
        events.iter().copied().map(field).collect()
    }
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query(AUDIT.clone())
        .bind(all(events, |e| e.id.as_str()))
        .bind(all(events, |e| e.at.unix_ms()))
        .bind(all(events, |e| e.actor.as_str()))
        .bind(all(events, |e| e.actor_name.as_str()))
        .bind(all(events, |e| e.action))
        .bind(all(events, |e| e.target_kind))
        .bind(all(events, |e| e.target_id.as_str()))
        .bind(all(events, |e| e.target_name.as_str()))
        .bind(all(events, |e| e.request_id.as_str()))
        .bind(all(events, |e| e.details.as_str()))
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::from_driver)
}
