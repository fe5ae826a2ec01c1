//! Errors of storage.

/// What went wrong in storage.
#[derive(Debug, thiserror::Error)]
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
