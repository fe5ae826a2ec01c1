//! Errors of storage, and what the drivers' errors mean in these terms.

use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// What went wrong in storage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A unique key exists already; `what` names it, for example `vaults.name`.
    #[error("{what} exists already")]
    Conflict {
        /// Table and column of the unique key.
        what: String,
    },
    /// A compare-and-swap found another state than the one it was to change.
    #[error("{what} was changed by someone else")]
    Stale {
        /// Table of the row.
        what: &'static str,
    },
    /// A row holds something that no version of this program writes.
    #[error("corrupt data in {table}.{column} of row {row}")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Primary key of the row.
        row: String,
    },
    /// The cursor was not made by this list.
    #[error("the cursor does not belong to this list")]
    BadCursor,
    /// The database cannot be reached, is full or refuses to write for now. Whether a commit took effect is unknown.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The schema is newer or other than this program knows.
    #[error("{0}")]
    Schema(String),
    /// Anything else the driver said.
    #[error("database driver: {0}")]
    Driver(String),
}

impl Error {
    /// What a driver's error means.
    pub(crate) fn from_driver(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Database(database) => {
                if let Some(error) = database.try_downcast_ref::<PgDatabaseError>() {
                    return from_postgres(error);
                }
                if let Some(error) = database.try_downcast_ref::<SqliteError>() {
                    return from_sqlite(error);
                }
                Self::Driver(error.to_string())
            }
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Driver(error.to_string()),
        }
    }
}

/// SQLSTATEs (PostgreSQL manual, appendix A).
fn from_postgres(error: &PgDatabaseError) -> Error {
    let code = error.code();
    let message = format!("{} (SQLSTATE {code})", error.message());
    match code {
        "23505" => Error::Conflict { what: unique_key(error.table(), error.constraint()) },
        // Too slow (statement_timeout, lock_timeout), not writable for now (a standby), deadlock, serialization.
        "57014" | "55P03" | "25006" | "40P01" | "40001" => Error::Unavailable(message),
        // Connection lost; wrong credentials; no such database; out of resources (disk full, memory, connections);
        // the operator stops the server; system errors.
        _ if ["08", "28", "3D", "53", "57P", "58"].iter().any(|class| code.starts_with(class)) => {
            Error::Unavailable(message)
        }
        _ => Error::Driver(message),
    }
}

/// The migrations name every unique constraint `<table>_<column>`.
fn unique_key(table: Option<&str>, constraint: Option<&str>) -> String {
    let table = table.unwrap_or_default();
    let constraint = constraint.unwrap_or_default();
    let column = constraint.strip_prefix(table).and_then(|rest| rest.strip_prefix('_')).unwrap_or(constraint);
    format!("{table}.{column}")
}

/// Result codes (<https://www.sqlite.org/rescode.html>): the low byte is the primary one.
fn from_sqlite(error: &SqliteError) -> Error {
    use sqlx::error::DatabaseError as _;
    if error.is_unique_violation() {
        return Error::Conflict { what: unique_columns(error.message()) };
    }
    let primary = error.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
    match primary {
        // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN
        Some(5 | 6 | 7 | 8 | 9 | 10 | 13 | 14) => Error::Unavailable(error.to_string()),
        _ => Error::Driver(error.to_string()),
    }
}

/// From `UNIQUE constraint failed: keys.vault_id, keys.name`: the last column that is not the id of an owner.
fn unique_columns(message: &str) -> String {
    let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
    let mut backwards = columns.rsplit(',').map(str::trim);
    let last = backwards.clone().next().unwrap_or(columns);
    backwards.find(|column| !column.ends_with("_id")).unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_key_is_named_by_table_and_column() {
        assert_eq!(unique_columns("UNIQUE constraint failed: vaults.name"), "vaults.name");
        assert_eq!(unique_columns("UNIQUE constraint failed: keys.vault_id, keys.name"), "keys.name");
        assert_eq!(
            unique_columns("UNIQUE constraint failed: issued_certificates.serial, issued_certificates.ca_id"),
            "issued_certificates.serial"
        );
        assert_eq!(unique_columns("UNIQUE constraint failed: a.b_id, a.c_id"), "a.c_id");
        assert_eq!(unique_key(Some("keys"), Some("keys_name")), "keys.name");
        assert_eq!(
            unique_key(Some("issued_certificates"), Some("issued_certificates_serial")),
            "issued_certificates.serial"
        );
    }

    #[test]
    fn lost_connections_are_unavailable_and_bugs_are_not() {
        let io = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(matches!(Error::from_driver(io), Error::Unavailable(_)));
        assert!(matches!(Error::from_driver(sqlx::Error::PoolTimedOut), Error::Unavailable(_)));
        assert!(matches!(Error::from_driver(sqlx::Error::RowNotFound), Error::Driver(_)));
    }
}
