//! Serials that CAs gave away before they came here.

use super::{Driver, Reading, Result, Row, Session, sql};
use crate::KnownSerialQueries;
use async_trait::async_trait;
use certwright_domain::id::CaId;
use certwright_domain::known_serial::KnownSerial;
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_domain::time::Timestamp;
use sqlx::QueryBuilder;

/// Rows of one statement; each binds five values, and SQLite takes 32,766.
const BATCH: usize = 1000;

fn read(row: &Row) -> Result<KnownSerial> {
    let row = Reading::of(row, "ca_known_serials", "ca_id")?;
    Ok(KnownSerial {
        serial: row.serial("serial")?,
        expires_at: row.time_optional("expires_at")?,
        revocation: row.revocation()?,
    })
}

#[async_trait]
impl KnownSerialQueries for Session {
    async fn insert_known_serials(&mut self, ca_id: &CaId, serials: &[KnownSerial]) -> Result<()> {
        for batch in serials.chunks(BATCH) {
            let mut statement = QueryBuilder::<Driver>::new(
                "INSERT INTO ca_known_serials (ca_id, serial, expires_at, revoked_at, revocation_reason) ",
            );
            statement.push_values(batch, |mut row, known| {
                row.push_bind(ca_id.as_str().to_owned())
                    .push_bind(known.serial.as_bytes().to_vec())
                    .push_bind(known.expires_at.map(Timestamp::unix_ms))
                    .push_bind(known.revocation.map(|revocation| revocation.at.unix_ms()))
                    .push_bind(known.revocation.map(|revocation| RevocationReason::as_str(revocation.reason)));
            });
            self.execute(statement.build()).await?;
        }
        Ok(())
    }

    async fn known_serials(&mut self, ca_id: &CaId) -> Result<Vec<KnownSerial>> {
        let rows = self
            .all(
                sql("SELECT ca_id, serial, expires_at, revoked_at, revocation_reason FROM ca_known_serials \
                     WHERE ca_id = $1 ORDER BY serial")
                .bind(ca_id.as_str()),
            )
            .await?;
        rows.iter().map(read).collect()
    }

    async fn known_serial(&mut self, ca_id: &CaId, serial: &Serial) -> Result<Option<KnownSerial>> {
        let row = self
            .optional(
                sql("SELECT ca_id, serial, expires_at, revoked_at, revocation_reason FROM ca_known_serials \
                     WHERE ca_id = $1 AND serial = $2")
                .bind(ca_id.as_str())
                .bind(serial.as_bytes()),
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    async fn revoke_known_serial(
        &mut self,
        ca_id: &CaId,
        serial: &Serial,
        revocation: &Revocation,
    ) -> Result<Option<Timestamp>> {
        let row = self
            .optional(
                sql("UPDATE ca_known_serials SET revoked_at = $3, revocation_reason = $4 WHERE ca_id = $1 AND serial = $2 \
                     RETURNING ca_id, expires_at")
                .bind(ca_id.as_str())
                .bind(serial.as_bytes())
                .bind(revocation.at.unix_ms())
                .bind(revocation.reason.as_str()),
            )
            .await?;
        match row {
            Some(row) => Reading::of(&row, "ca_known_serials", "ca_id")?.time_optional("expires_at"),
            None => Ok(None),
        }
    }
}
