//! Epoch, small values, leases, idempotency keys, signing intents.

use super::super::{HOLD_EPOCH, LOCK_EPOCH};
use super::{Error, Reading, Result, Session, sql, swapped};
use crate::{IdempotencyRecord, Intent, SystemQueries};
use async_trait::async_trait;
use certwright_domain::id::{CaId, IntentId};
use certwright_domain::key::SealedBlob;
use certwright_domain::time::Timestamp;
use sqlx::Row as _;

fn read_record(row: &super::Row) -> Result<IdempotencyRecord> {
    let row = Reading::of(row, "idempotency_keys", "idempotency_key")?;
    Ok(IdempotencyRecord {
        caller: row.text("caller")?,
        key: row.text("idempotency_key")?,
        request_sha256: row.sha256("request_sha256")?,
        response: row.get::<Option<Vec<u8>>>("response")?.map(SealedBlob),
        created_at: row.time("created_at")?,
        in_flight_until: row.time("in_flight_until")?,
    })
}

fn read_intent(row: &super::Row) -> Result<Intent> {
    let row = Reading::of(row, "signing_intents", "id")?;
    Ok(Intent {
        id: row.parse("id", IntentId::parse)?,
        ca_id: row.parse("ca_id", CaId::parse)?,
        serial: row.serial("serial")?,
        tbs: row.blob("tbs")?,
        requester: row.text("requester")?,
        request_id: row.text("request_id")?,
        created_at: row.time("created_at")?,
    })
}

/// The number of a row of `epoch`.
pub(super) fn read_epoch(row: Option<&super::Row>) -> Result<i64> {
    let row = row.ok_or_else(|| Error::Corrupt { table: "epoch", column: "id", row: "1".to_owned() })?;
    row.try_get("number").map_err(Error::from_driver)
}

#[async_trait]
impl SystemQueries for Session {
    async fn epoch(&mut self) -> Result<i64> {
        read_epoch(self.optional(sql("SELECT number FROM epoch WHERE id = 1")).await?.as_ref())
    }

    async fn bump_epoch(&mut self) -> Result<i64> {
        self.execute(sql(LOCK_EPOCH)).await?;
        let row = self.optional(sql("UPDATE epoch SET number = number + 1 WHERE id = 1 RETURNING number")).await?;
        read_epoch(row.as_ref())
    }

    async fn hold_epoch(&mut self) -> Result<i64> {
        self.execute(sql(HOLD_EPOCH)).await?;
        self.epoch().await
    }

    async fn meta(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let row = self.optional(sql("SELECT name, value FROM meta WHERE name = $1").bind(name)).await?;
        row.map(|row| Reading::of(&row, "meta", "name")?.blob("value")).transpose()
    }

    async fn put_meta(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.execute(
            sql("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
                .bind(name)
                .bind(value),
        )
        .await
        .map(drop)
    }

    async fn acquire_lease(&mut self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        let rows = self
            .execute(
                sql("INSERT INTO leases (name, holder, held_until) VALUES ($1, $2, $3) \
                     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until \
                     WHERE leases.holder = excluded.holder OR leases.held_until <= $4")
                .bind(name)
                .bind(holder)
                .bind(until.unix_ms())
                .bind(now.unix_ms()),
            )
            .await?;
        Ok(rows > 0)
    }

    async fn release_lease(&mut self, name: &str, holder: &str) -> Result<()> {
        self.execute(sql("DELETE FROM leases WHERE name = $1 AND holder = $2").bind(name).bind(holder)).await.map(drop)
    }

    async fn idempotency(&mut self, caller: &str, key: &str) -> Result<Option<IdempotencyRecord>> {
        let row = self
            .optional(
                sql("SELECT caller, idempotency_key, request_sha256, response, created_at, in_flight_until \
                     FROM idempotency_keys WHERE caller = $1 AND idempotency_key = $2")
                .bind(caller)
                .bind(key),
            )
            .await?;
        row.as_ref().map(read_record).transpose()
    }

    async fn begin_idempotency(&mut self, record: &IdempotencyRecord) -> Result<()> {
        let rows = self
            .execute(
                sql("INSERT INTO idempotency_keys \
                     (caller, idempotency_key, request_sha256, response, created_at, in_flight_until) \
                     VALUES ($1, $2, $3, $4, $5, $6) \
                     ON CONFLICT (caller, idempotency_key) DO UPDATE SET request_sha256 = excluded.request_sha256, \
                     created_at = excluded.created_at, in_flight_until = excluded.in_flight_until \
                     WHERE idempotency_keys.response IS NULL \
                     AND idempotency_keys.in_flight_until < excluded.created_at")
                .bind(&record.caller)
                .bind(&record.key)
                .bind(record.request_sha256.0.as_slice())
                .bind(record.response.as_ref().map(|response| response.0.as_slice()))
                .bind(record.created_at.unix_ms())
                .bind(record.in_flight_until.unix_ms()),
            )
            .await?;
        if rows == 0 {
            return Err(Error::Conflict { what: "idempotency_keys.idempotency_key".to_owned() });
        }
        Ok(())
    }

    async fn complete_idempotency(&mut self, caller: &str, key: &str, response: &SealedBlob) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE idempotency_keys SET response = $3 \
                     WHERE caller = $1 AND idempotency_key = $2 AND response IS NULL")
                .bind(caller)
                .bind(key)
                .bind(response.0.as_slice()),
            )
            .await?;
        swapped(rows, "idempotency_keys")
    }

    async fn abandon_idempotency(&mut self, caller: &str, key: &str, created_at: Timestamp) -> Result<()> {
        self.execute(
            sql("DELETE FROM idempotency_keys \
                 WHERE caller = $1 AND idempotency_key = $2 AND response IS NULL AND created_at = $3")
            .bind(caller)
            .bind(key)
            .bind(created_at.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn forget_idempotency(&mut self, caller: &str, key: &str) -> Result<()> {
        self.execute(
            sql("DELETE FROM idempotency_keys WHERE caller = $1 AND idempotency_key = $2").bind(caller).bind(key),
        )
        .await
        .map(drop)
    }

    async fn purge_idempotency(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        self.execute(
            sql("DELETE FROM idempotency_keys WHERE (caller, idempotency_key) IN \
                 (SELECT caller, idempotency_key FROM idempotency_keys WHERE created_at < $1 \
                 ORDER BY created_at LIMIT $2)")
            .bind(before.unix_ms())
            .bind(i64::from(limit)),
        )
        .await
    }

    async fn insert_intent(&mut self, intent: &Intent) -> Result<()> {
        self.execute(
            sql("INSERT INTO signing_intents (id, ca_id, serial, tbs, requester, request_id, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(intent.id.as_str())
            .bind(intent.ca_id.as_str())
            .bind(intent.serial.as_bytes())
            .bind(intent.tbs.as_slice())
            .bind(&intent.requester)
            .bind(&intent.request_id)
            .bind(intent.created_at.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn complete_intent(&mut self, id: &IntentId, at: Timestamp) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE signing_intents SET completed_at = $2 WHERE id = $1 AND completed_at IS NULL")
                    .bind(id.as_str())
                    .bind(at.unix_ms()),
            )
            .await?;
        swapped(rows, "signing_intents")
    }

    async fn open_intents(&mut self, before: Timestamp) -> Result<Vec<Intent>> {
        let rows = self
            .all(
                sql("SELECT id, ca_id, serial, tbs, requester, request_id, created_at FROM signing_intents \
                     WHERE completed_at IS NULL AND created_at < $1 ORDER BY created_at, id")
                .bind(before.unix_ms()),
            )
            .await?;
        rows.iter().map(read_intent).collect()
    }
}
