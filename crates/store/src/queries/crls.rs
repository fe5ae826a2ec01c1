//! Revocation lists: counters, series, lists and their bytes.

use super::crl_rows::{read_counters, read_crl, read_health, read_scope, read_series};
use super::page::one_more;
use super::{Error, Reading, Result, Session, clamp, name_page, sql, swapped};
use crate::{CrlHealth, CrlQueries, Page, PageRequest, cursor};
use async_trait::async_trait;
use certwright_domain::crl::{Crl, CrlCounters, CrlScope, CrlSeries, Shards};
use certwright_domain::id::{CaId, CrlId};
use certwright_domain::time::Timestamp;

/// The list of series, in cursors.
const LIST: &str = "crls";

macro_rules! series_columns {
    () => {
        "s.ca_id, s.ca_version, s.shards, s.shard, s.kind, s.crl_id, s.due_at, s.earliest_at, s.overdue_at, s.failures, \
         s.last_attempt_at, s.last_error"
    };
}

macro_rules! crl_columns {
    () => {
        "c.id, c.ca_id, c.ca_version, c.shards, c.shard, c.kind, c.number, c.base_number, c.change, c.uploaded, \
         c.this_update, c.next_update, c.entries, c.size, c.sha256, c.created_at"
    };
}

macro_rules! select_series {
    ($rest:literal) => {
        concat!("SELECT ", series_columns!(), " FROM crl_series s ", $rest)
    };
}

/// The five values that name a series, bound in this order.
macro_rules! by_scope {
    ($text:expr, $scope:expr) => {
        sql($text)
            .bind($scope.ca_id.as_str())
            .bind(i64::from($scope.ca_version))
            .bind(i64::from($scope.shards.number()))
            .bind(i64::from($scope.shard))
            .bind($scope.kind.as_str())
    };
}

#[async_trait]
impl CrlQueries for Session {
    async fn crl_counters(&mut self, ca_id: &CaId) -> Result<CrlCounters> {
        let row = self
            .optional(sql("SELECT change, number, orders FROM crl_counters WHERE ca_id = $1").bind(ca_id.as_str()))
            .await?;
        read_counters(row.as_ref(), ca_id)
    }

    async fn take_crl_number(&mut self, ca_id: &CaId, seen: &CrlCounters) -> Result<CrlCounters> {
        let row = self
            .optional(
                sql("UPDATE crl_counters SET number = number + 1 WHERE ca_id = $1 AND number = $2 AND orders = $3 \
                     RETURNING change, number, orders")
                .bind(ca_id.as_str())
                .bind(seen.number)
                .bind(seen.orders),
            )
            .await?;
        match row {
            Some(row) => read_counters(Some(&row), ca_id),
            None => Err(Error::Stale { what: "crl_counters" }),
        }
    }

    async fn raise_crl_number(&mut self, ca_id: &CaId, at_least: i64) -> Result<()> {
        self.execute(
            sql("UPDATE crl_counters SET number = $2 WHERE ca_id = $1 AND number < $2")
                .bind(ca_id.as_str())
                .bind(at_least),
        )
        .await
        .map(drop)
    }

    async fn cut_crls(&mut self, ca_id: &CaId, shards: Shards, retires_at: Timestamp) -> Result<()> {
        self.execute(
            sql("UPDATE crl_partitions SET retires_at = $3 WHERE ca_id = $1 AND shards <> $2 AND retires_at IS NULL")
                .bind(ca_id.as_str())
                .bind(i64::from(shards.number()))
                .bind(retires_at.unix_ms()),
        )
        .await?;
        self.execute(
            sql("INSERT INTO crl_partitions (ca_id, shards, retires_at) VALUES ($1, $2, NULL) \
                 ON CONFLICT (ca_id, shards) DO UPDATE SET retires_at = NULL")
            .bind(ca_id.as_str())
            .bind(i64::from(shards.number())),
        )
        .await
        .map(drop)
    }

    async fn missing_crl_series(&mut self, now: Timestamp, limit: u32) -> Result<Vec<CrlScope>> {
        let rows = self
            .all(
                sql("SELECT v.ca_id AS ca_id, v.number AS ca_version, p.shards AS shards, CAST(0 AS BIGINT) AS shard, k.kind AS kind \
                     FROM ca_versions v JOIN certificate_authorities a ON a.id = v.ca_id \
                     JOIN crl_partitions p ON p.ca_id = a.id \
                     CROSS JOIN (SELECT 'FULL' AS kind UNION ALL SELECT 'DELTA' AS kind) k \
                     WHERE a.crl_enabled = 1 AND a.state IN ('ACTIVE', 'DISABLED', 'PENDING_DELETION') \
                     AND v.key_version IS NOT NULL AND v.not_after >= $1 \
                     AND (p.retires_at IS NULL OR p.retires_at >= $1) \
                     AND (k.kind = 'FULL' OR a.delta_lifetime IS NOT NULL) \
                     AND NOT EXISTS (SELECT 1 FROM crl_series s WHERE s.ca_id = v.ca_id AND s.ca_version = v.number \
                     AND s.shards = p.shards AND s.shard = 0 AND s.kind = k.kind AND s.due_at IS NOT NULL) \
                     ORDER BY v.ca_id, v.number, p.shards, k.kind DESC LIMIT $2")
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(|row| read_scope(&Reading::of(row, "ca_versions", "ca_id")?)).collect()
    }

    async fn wants_crl_series(&mut self, scope: &CrlScope, now: Timestamp) -> Result<bool> {
        let row = self
            .optional(
                sql("SELECT 1 AS one FROM ca_versions v JOIN certificate_authorities a ON a.id = v.ca_id \
                     JOIN crl_partitions p ON p.ca_id = a.id \
                     WHERE v.ca_id = $1 AND v.number = $2 AND p.shards = $3 AND a.crl_enabled = 1 \
                     AND a.state IN ('ACTIVE', 'DISABLED', 'PENDING_DELETION') \
                     AND v.key_version IS NOT NULL AND v.not_after >= $4 \
                     AND (p.retires_at IS NULL OR p.retires_at >= $4) \
                     AND ($5 = 'FULL' OR a.delta_lifetime IS NOT NULL)")
                .bind(scope.ca_id.as_str())
                .bind(i64::from(scope.ca_version))
                .bind(i64::from(scope.shards.number()))
                .bind(now.unix_ms())
                .bind(scope.kind.as_str()),
            )
            .await?;
        Ok(row.is_some())
    }

    async fn begin_crl_series(&mut self, series: &CrlSeries) -> Result<()> {
        self.execute(
            by_scope!(
                "INSERT INTO crl_series (ca_id, ca_version, shards, shard, kind, due_at, earliest_at, overdue_at, failures) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) \
                 ON CONFLICT (ca_id, ca_version, shards, shard, kind) DO UPDATE SET due_at = excluded.due_at, \
                 earliest_at = excluded.earliest_at, overdue_at = excluded.overdue_at, failures = 0",
                series.scope
            )
            .bind(series.due_at.map(Timestamp::unix_ms))
            .bind(series.earliest_at.unix_ms())
            .bind(series.overdue_at.map(Timestamp::unix_ms)),
        )
        .await
        .map(drop)
    }

    async fn crl_series(&mut self, scope: &CrlScope) -> Result<Option<CrlSeries>> {
        let row = self
            .optional(by_scope!(
                select_series!(
                    "WHERE s.ca_id = $1 AND s.ca_version = $2 AND s.shards = $3 AND s.shard = $4 AND s.kind = $5"
                ),
                scope
            ))
            .await?;
        row.as_ref().map(read_series).transpose()
    }

    async fn crl_series_of(&mut self, ca_id: &CaId, page: &PageRequest) -> Result<Page<(CrlSeries, Option<Crl>)>> {
        let [version, shards, shard, kind] = match &page.after {
            Some(after) => cursor::decode(LIST, after)?,
            None => ["0", "0", "0", ""].map(str::to_owned),
        };
        let number = |text: &str| text.parse::<i64>().map_err(|_| Error::BadCursor);
        let rows = self
            .all(
                sql(select_series!(
                    "WHERE s.ca_id = $1 AND (s.ca_version, s.shards, s.shard, s.kind) > ($2, $3, $4, $5) \
                     ORDER BY s.ca_version, s.shards, s.shard, s.kind LIMIT $6"
                ))
                .bind(ca_id.as_str())
                .bind(number(&version)?)
                .bind(number(&shards)?)
                .bind(number(&shard)?)
                .bind(kind)
                .bind(one_more(clamp(page))),
            )
            .await?;
        let mut found = Vec::new();
        for row in &rows {
            let series = read_series(row)?;
            let crl = self.current_crl(&series.scope).await?;
            found.push((series, crl));
        }
        Ok(name_page(found, page, |(series, _)| {
            let CrlScope { ca_version, shards, shard, kind, .. } = &series.scope;
            let numbers = [u64::from(*ca_version), u64::from(shards.number()), u64::from(*shard)];
            let [version, shards, shard] = numbers.map(|number| number.to_string());
            cursor::encode(LIST, &[&version, &shards, &shard, kind.as_str()])
        }))
    }

    async fn due_crl_series(&mut self, now: Timestamp, limit: u32) -> Result<Vec<CrlSeries>> {
        let rows = self
            .all(
                sql(select_series!(
                    "WHERE s.due_at IS NOT NULL AND s.due_at <= $1 AND s.earliest_at <= $1 \
                     ORDER BY s.due_at, s.ca_id, s.ca_version, s.shards, s.shard, s.kind DESC LIMIT $2"
                ))
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_series).collect()
    }

    async fn overdue_crl_series(&mut self, now: Timestamp, limit: u32) -> Result<Vec<CrlSeries>> {
        let rows = self
            .all(
                sql(select_series!(
                    "WHERE s.overdue_at IS NOT NULL AND s.overdue_at <= $1 ORDER BY s.overdue_at LIMIT $2"
                ))
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_series).collect()
    }

    async fn told_crl_series(&mut self, scope: &CrlScope, now: Timestamp) -> Result<()> {
        let rows = self
            .execute(
                by_scope!(
                    "UPDATE crl_series SET overdue_at = NULL WHERE ca_id = $1 AND ca_version = $2 AND shards = $3 \
                 AND shard = $4 AND kind = $5 AND overdue_at <= $6",
                    scope
                )
                .bind(now.unix_ms()),
            )
            .await?;
        swapped(rows, "crl_series")
    }

    async fn fail_crl_series(
        &mut self,
        scope: &CrlScope,
        at: Timestamp,
        retry_at: Timestamp,
        error: &str,
    ) -> Result<()> {
        self.execute(
            by_scope!(
                "UPDATE crl_series SET failures = failures + 1, last_attempt_at = $6, earliest_at = $7, last_error = $8 \
                 WHERE ca_id = $1 AND ca_version = $2 AND shards = $3 AND shard = $4 AND kind = $5",
                scope
            )
            .bind(at.unix_ms())
            .bind(retry_at.unix_ms())
            .bind(error),
        )
        .await
        .map(drop)
    }

    async fn end_crl_series(&mut self, scope: &CrlScope) -> Result<()> {
        self.execute(by_scope!(
            "UPDATE crl_series SET due_at = NULL, overdue_at = NULL, failures = 0, last_error = NULL \
             WHERE ca_id = $1 AND ca_version = $2 AND shards = $3 AND shard = $4 AND kind = $5",
            scope
        ))
        .await
        .map(drop)
    }

    async fn hurry_crl_series(&mut self, ca_id: &CaId, now: Timestamp) -> Result<u64> {
        // Whoever publishes a list plans the next one, with the counters in the hand: the plan is ours after that. A list that is not so
        // far yet is made anew.
        self.execute(sql("UPDATE crl_counters SET orders = orders + 1 WHERE ca_id = $1").bind(ca_id.as_str())).await?;
        self.execute(
            sql("UPDATE crl_series SET due_at = $2, earliest_at = $2 WHERE ca_id = $1 AND due_at IS NOT NULL")
                .bind(ca_id.as_str())
                .bind(now.unix_ms()),
        )
        .await
    }

    async fn insert_crl(&mut self, crl: &Crl) -> Result<()> {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.execute(
            by_scope!(
                "INSERT INTO crls (ca_id, ca_version, shards, shard, kind, id, number, base_number, change, uploaded, \
                 this_update, next_update, entries, size, sha256, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
                crl.scope
            )
            .bind(crl.id.as_str())
            .bind(crl.number)
            .bind(crl.base_number)
            .bind(crl.change)
            .bind(i64::from(crl.uploaded))
            .bind(crl.this_update.unix_ms())
            .bind(crl.next_update.unix_ms())
            .bind(whole(crl.entries))
            .bind(whole(crl.size))
            .bind(crl.sha256.0.as_slice())
            .bind(crl.created_at.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn insert_crl_chunk(&mut self, id: &CrlId, position: u32, bytes: &[u8]) -> Result<()> {
        self.execute(
            sql("INSERT INTO crl_chunks (crl_id, position, bytes) VALUES ($1, $2, $3)")
                .bind(id.as_str())
                .bind(i64::from(position))
                .bind(bytes),
        )
        .await
        .map(drop)
    }

    async fn publish_crl(&mut self, series: &CrlSeries, id: &CrlId, at: Timestamp) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE crls SET published_at = $2 WHERE id = $1 AND published_at IS NULL")
                    .bind(id.as_str())
                    .bind(at.unix_ms()),
            )
            .await?;
        swapped(rows, "crls")?;
        self.execute(
            by_scope!(
                "INSERT INTO crl_series (ca_id, ca_version, shards, shard, kind, crl_id, due_at, earliest_at, overdue_at, \
                 failures, last_attempt_at, last_error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, NULL) \
                 ON CONFLICT (ca_id, ca_version, shards, shard, kind) DO UPDATE SET crl_id = excluded.crl_id, \
                 due_at = excluded.due_at, earliest_at = excluded.earliest_at, overdue_at = excluded.overdue_at, \
                 failures = 0, last_attempt_at = excluded.last_attempt_at, last_error = NULL",
                series.scope
            )
            .bind(id.as_str())
            .bind(series.due_at.map(Timestamp::unix_ms))
            .bind(series.earliest_at.unix_ms())
            .bind(series.overdue_at.map(Timestamp::unix_ms))
            .bind(at.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn current_crl(&mut self, scope: &CrlScope) -> Result<Option<Crl>> {
        let row = self
            .optional(by_scope!(
                concat!(
                    "SELECT ",
                    crl_columns!(),
                    " FROM crl_series s JOIN crls c ON c.id = s.crl_id WHERE s.ca_id = $1 AND s.ca_version = $2 \
                     AND s.shards = $3 AND s.shard = $4 AND s.kind = $5"
                ),
                scope
            ))
            .await?;
        row.as_ref().map(read_crl).transpose()
    }

    async fn crl_bytes(&mut self, crl: &Crl) -> Result<Option<Vec<u8>>> {
        let size = usize::try_from(crl.size).unwrap_or(0);
        let mut bytes = Vec::with_capacity(size);
        for position in 0_i64.. {
            let row = self
                .optional(
                    sql("SELECT crl_id, bytes FROM crl_chunks WHERE crl_id = $1 AND position = $2")
                        .bind(crl.id.as_str())
                        .bind(position),
                )
                .await?;
            let Some(row) = row else { break };
            bytes.extend_from_slice(Reading::of(&row, "crl_chunks", "crl_id")?.get("bytes")?);
        }
        Ok((bytes.len() == size).then_some(bytes))
    }

    async fn obsolete_crls(&mut self, before: Timestamp, limit: u32) -> Result<Vec<CrlId>> {
        let rows = self
            .all(
                sql("SELECT c.id FROM crls c WHERE c.created_at < $1 \
                     AND NOT EXISTS (SELECT 1 FROM crl_series s WHERE s.crl_id = c.id) ORDER BY c.created_at, c.id LIMIT $2")
                .bind(before.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(|row| Reading::of(row, "crls", "id")?.parse("id", CrlId::parse)).collect()
    }

    async fn delete_crl_chunks(&mut self, id: &CrlId, limit: u32) -> Result<bool> {
        let rows = self
            .execute(
                sql("DELETE FROM crl_chunks WHERE crl_id = $1 AND position IN \
                     (SELECT position FROM crl_chunks WHERE crl_id = $1 ORDER BY position DESC LIMIT $2)")
                .bind(id.as_str())
                .bind(i64::from(limit)),
            )
            .await?;
        if rows >= u64::from(limit) {
            return Ok(false);
        }
        self.execute(
            sql("DELETE FROM crls WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM crl_series s WHERE s.crl_id = $1)")
                .bind(id.as_str()),
        )
        .await?;
        Ok(true)
    }

    async fn crl_health(&mut self, now: Timestamp) -> Result<Vec<CrlHealth>> {
        let rows = self
            .all(
                sql("SELECT s.ca_id AS ca_id, a.name AS name, COUNT(*) AS lists, \
                     CAST(SUM(CASE WHEN s.failures > 0 THEN 1 ELSE 0 END) AS BIGINT) AS failing, \
                     CAST(SUM(CASE WHEN c.next_update > $1 THEN 0 ELSE 1 END) AS BIGINT) AS lapsed, \
                     MIN(c.this_update) AS oldest_this_update, MIN(c.next_update) AS first_next_update, \
                     CAST(COALESCE(SUM(c.entries), 0) AS BIGINT) AS entries, \
                     CAST(COALESCE(SUM(c.size), 0) AS BIGINT) AS size \
                     FROM crl_series s JOIN certificate_authorities a ON a.id = s.ca_id \
                     LEFT JOIN crls c ON c.id = s.crl_id WHERE (s.due_at IS NOT NULL OR c.uploaded = 1) \
                     AND a.state <> 'DELETED' GROUP BY s.ca_id, a.name ORDER BY a.name, s.ca_id")
                .bind(now.unix_ms()),
            )
            .await?;
        rows.iter().map(read_health).collect()
    }
}
