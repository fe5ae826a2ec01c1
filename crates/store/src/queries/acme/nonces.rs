//! Nonces: rows of those that were used.

use super::super::{Driver, Error, Result, Session};
use crate::AcmeNonce;
use sqlx::{QueryBuilder, Row as _};
use std::collections::HashSet;

impl Session {
    /// Takes nonces, in one statement; for each: was it taken?
    pub(crate) async fn take_acme_nonces(&mut self, nonces: &[AcmeNonce]) -> Result<Vec<bool>> {
        let mut insert = QueryBuilder::<Driver>::new("INSERT INTO acme_nonces (nonce, expires_at) ");
        insert.push_values(nonces, |mut row, nonce| {
            row.push_bind(nonce.body.as_slice()).push_bind(nonce.expires_at.unix_ms());
        });
        insert.push(" ON CONFLICT (nonce) DO NOTHING RETURNING nonce");
        let rows = self.built(insert).await?;
        let mut taken = HashSet::with_capacity(rows.len());
        for row in &rows {
            taken.insert(row.try_get::<Vec<u8>, usize>(0).map_err(Error::from_driver)?);
        }
        // One that stands twice among these is taken once.
        Ok(nonces.iter().map(|nonce| taken.remove(nonce.body.as_slice())).collect())
    }
}
