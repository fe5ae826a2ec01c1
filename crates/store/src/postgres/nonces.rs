//! Nonces on PostgreSQL. Each turn wakes a process of the server, and a nonce costs little: so it is taken by the statement that reads
//! what the request is about.

use super::queries::{Session, nonces};
use super::{Database, Driver, RELAXED_LEVEL, RELAXED_NONCE, RELAXED_ROWS, Row};
use crate::{AcmeNonce, Error};
use sqlx::{QueryBuilder, Row as _};

/// Takes a nonce; false: it was used before.
pub(crate) async fn take_nonce(database: &Database, nonce: &AcmeNonce) -> Result<bool, Error> {
    Ok(nonces::take(database, std::slice::from_ref(nonce)).await? == [true])
}

/// Takes a nonce and reads what `push` asks for, in one statement. `None`: the nonce was used before.
pub(super) async fn take_nonce_and_read(
    database: &Database,
    nonce: &AcmeNonce,
    push: impl FnOnce(&mut QueryBuilder<Driver>),
) -> Result<Option<Vec<Row>>, Error> {
    let mut statement = QueryBuilder::new(RELAXED_LEVEL);
    statement.push(", taken AS (").push(RELAXED_NONCE).push("(").push_bind(nonce.body.as_slice()).push(", ");
    statement.push_bind(nonce.expires_at.unix_ms()).push(")").push(RELAXED_ROWS);
    // There is a row, whatever is read, to say whether it was taken.
    statement.push(
        " ON CONFLICT (nonce) DO NOTHING RETURNING 1) SELECT (SELECT COUNT(*) FROM taken) AS nonces_taken, found.* \
         FROM (VALUES (1)) AS one LEFT JOIN LATERAL (SELECT 1 AS is_found, asked.* FROM (",
    );
    push(&mut statement);
    statement.push(") AS asked) AS found ON true");
    let rows = Session::at_once(database, statement).await?;
    let (mut is_taken, mut found) = (false, Vec::with_capacity(rows.len()));
    for row in rows {
        is_taken = row.try_get::<i64, _>("nonces_taken").map_err(Error::from_driver)? == 1;
        if row.try_get::<Option<i32>, _>("is_found").map_err(Error::from_driver)?.is_some() {
            found.push(row);
        }
    }
    Ok(is_taken.then_some(found))
}
