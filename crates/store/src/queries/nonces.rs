//! Nonces that were used. They are the one thing that is committed without waiting for the disk (`Store::take_acme_nonces`).

use super::super::{RELAXED, RELAXED_ROWS};
use super::session::within;
use super::{Database, Driver, Error, Result};
use crate::AcmeNonce;
use sqlx::{QueryBuilder, Row as _};
use std::collections::HashSet;

/// Takes nonces, in one statement that is its own transaction; for each: was it taken?
pub(crate) async fn take(database: &Database, nonces: &[AcmeNonce]) -> Result<Vec<bool>> {
    if nonces.is_empty() {
        return Ok(Vec::new());
    }
    let mut insert = QueryBuilder::<Driver>::new(RELAXED);
    for (place, nonce) in nonces.iter().enumerate() {
        insert.push(if place == 0 { "(" } else { ", (" });
        insert.push_bind(nonce.body.as_slice()).push(", ").push_bind(nonce.expires_at.unix_ms()).push(")");
    }
    insert.push(RELAXED_ROWS).push(" ON CONFLICT (nonce) DO NOTHING RETURNING nonce");
    let mut held = database.keyed_writer().await?;
    let rows = within(&mut held, async |connection| insert.build().fetch_all(connection).await).await?;
    let mut taken = HashSet::with_capacity(rows.len());
    for row in &rows {
        taken.insert(row.try_get::<Vec<u8>, usize>(0).map_err(Error::from_driver)?);
    }
    // One that stands twice among these is taken once.
    Ok(nonces.iter().map(|nonce| taken.remove(nonce.body.as_slice())).collect())
}
