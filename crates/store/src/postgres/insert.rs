//! The batched insert of the issuing path on PostgreSQL: one statement over arrays, whatever the number of rows.

use super::{Connection, Driver};
use crate::Error;
use crate::rows::{AUDIT_COLUMNS, ISSUED_COLUMNS, IssuedRow, NameRow};
use certwright_domain::audit::AuditEvent;
use certwright_domain::issued::IssuedCertificate;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};
use std::sync::{Arc, LazyLock};

type Statement<'q> = Query<'q, Driver, PgArguments>;

const TEXT: &str = "text";
const NUMBER: &str = "bigint";
const BYTES: &str = "bytea";

/// A table with its columns and their types.
struct Table {
    name: &'static str,
    columns: &'static str,
    types: &'static [&'static str],
}

const ISSUED: Table = Table {
    name: "issued_certificates",
    columns: ISSUED_COLUMNS,
    types: &[
        TEXT, TEXT, TEXT, TEXT, NUMBER, BYTES, BYTES, BYTES, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, NUMBER, NUMBER,
        NUMBER, TEXT, TEXT, TEXT, NUMBER, NUMBER, TEXT, BYTES,
    ],
};
const NAMES: Table = Table { name: "issued_names", columns: "value, issued_id, kind", types: &[TEXT, TEXT, TEXT] };
const AUDIT: Table = Table {
    name: "audit_events",
    columns: AUDIT_COLUMNS,
    types: &[TEXT, NUMBER, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT],
};

impl Table {
    /// The insert whose first array is parameter number `first`.
    fn insert(&self, first: usize) -> String {
        let arrays: Vec<String> =
            self.types.iter().zip(first..).map(|(kind, place)| format!("${place}::{kind}[]")).collect();
        format!("INSERT INTO {} ({}) SELECT * FROM UNNEST({})", self.name, self.columns, arrays.join(", "))
    }
}

/// Tables, columns and types are literals of this crate.
fn literal(text: String) -> SqlStr {
    AssertSqlSafe(Arc::<str>::from(text)).into_sql_str()
}

/// The certificates and their names.
static INSERT_ISSUED: LazyLock<SqlStr> = LazyLock::new(|| {
    let names = ISSUED.types.len().saturating_add(1);
    // The main statement comes first: a conflict is told of the certificate, not of its names.
    literal(format!("WITH names AS ({}) {}", NAMES.insert(names), ISSUED.insert(1)))
});
static INSERT_AUDIT: LazyLock<SqlStr> = LazyLock::new(|| literal(AUDIT.insert(1)));
/// All three in one round trip.
static INSERT_RECORDINGS: LazyLock<SqlStr> = LazyLock::new(|| {
    let names = ISSUED.types.len().saturating_add(1);
    let audit = names.saturating_add(NAMES.types.len());
    let (issued, names, audit) = (ISSUED.insert(1), NAMES.insert(names), AUDIT.insert(audit));
    literal(format!("WITH issued AS ({issued}), names AS ({names}) {audit}"))
});

fn bind_issued<'q>(statement: Statement<'q>, rows: &'q [IssuedRow<'_>]) -> Statement<'q> {
    fn all<'r, T>(rows: &'r [IssuedRow<'_>], field: impl Fn(&'r IssuedCertificate) -> T) -> Vec<T> {
        rows.iter().map(|row| field(row.certificate)).collect()
    }
    statement
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
}

fn bind_names<'q>(statement: Statement<'q>, names: &'q [NameRow<'_>]) -> Statement<'q> {
    statement
        .bind(names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>())
        .bind(names.iter().map(|name| name.issued_id).collect::<Vec<_>>())
        .bind(names.iter().map(|name| name.kind).collect::<Vec<_>>())
}

fn bind_audit<'q>(statement: Statement<'q>, events: &'q [&AuditEvent]) -> Statement<'q> {
    fn all<'r, T>(events: &'r [&AuditEvent], field: impl Fn(&'r AuditEvent) -> T) -> Vec<T> {
        events.iter().map(|event| field(event)).collect()
    }
    statement
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
}

async fn execute(connection: &mut Connection, statement: Statement<'_>) -> Result<(), Error> {
    statement.execute(connection).await.map(drop).map_err(Error::from_driver)
}

/// Stores rows of the inventory with their names.
pub(in super::super) async fn insert_issued(
    connection: &mut Connection,
    rows: &[IssuedRow<'_>],
    names: &[NameRow<'_>],
) -> Result<(), Error> {
    execute(connection, bind_names(bind_issued(sqlx::query(INSERT_ISSUED.clone()), rows), names)).await
}

/// Stores audit events.
pub(in super::super) async fn insert_audit(connection: &mut Connection, events: &[&AuditEvent]) -> Result<(), Error> {
    execute(connection, bind_audit(sqlx::query(INSERT_AUDIT.clone()), events)).await
}

/// Stores recordings: rows of the inventory, their names, their audit events.
pub(in super::super) async fn insert_recordings(
    connection: &mut Connection,
    rows: &[IssuedRow<'_>],
    names: &[NameRow<'_>],
    events: &[&AuditEvent],
) -> Result<(), Error> {
    let statement = bind_issued(sqlx::query(INSERT_RECORDINGS.clone()), rows);
    execute(connection, bind_audit(bind_names(statement, names), events)).await
}
