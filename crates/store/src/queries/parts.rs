//! Several statements in one turn of the connection, within a transaction.

use super::super::{begin_part, end_parts};
use super::{Driver, Error, Result, Row};
use sqlx::{QueryBuilder, Row as _};

/// Statements that run in one turn. What one of them returns for others to count is a column `what`, with the part's own name.
pub(super) struct Parts {
    statement: QueryBuilder<Driver>,
    is_empty: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self { statement: QueryBuilder::new(""), is_empty: true }
    }
}

impl Parts {
    /// Begins the next one. Names differ within a turn.
    pub(super) fn part(&mut self, name: &'static str) -> &mut QueryBuilder<Driver> {
        begin_part(&mut self.statement, self.is_empty, name);
        self.is_empty = false;
        &mut self.statement
    }

    /// The whole, with the rows of those parts that are named.
    pub(super) fn returning(mut self, names: &[&'static str]) -> QueryBuilder<Driver> {
        end_parts(&mut self.statement, names);
        self.statement
    }
}

/// How many rows a part has returned.
pub(super) fn told(rows: &[Row], name: &str) -> Result<usize> {
    let mut count = 0_usize;
    for row in rows {
        // A counter comes without a name, where every part's rows come by themselves.
        if row.try_get_raw("what").is_ok() && row.try_get::<&str, _>("what").map_err(Error::from_driver)? == name {
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}
