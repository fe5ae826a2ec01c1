//! Publication elsewhere: what CAs published before, and the objects of targets.

use super::{Reading, Result, Row, Session, sql, swapped};
use crate::{PublicationHealth, PublicationQueries, documents};
use async_trait::async_trait;
use certwright_domain::crl::{CrlKind, CrlScope, Shards};
use certwright_domain::id::CaId;
use certwright_domain::name::ResourceName;
use certwright_domain::publication::{ObjectKind, ObjectName, PastPublication, Publication, PublishedObject};
use certwright_domain::time::Timestamp;

macro_rules! select_objects {
    ($rest:literal) => {
        concat!(
            "SELECT p.target, p.object_name, p.ca_id, p.ca_version, p.kind, p.shards, p.shard, p.content, p.number, \
             p.published_at, p.failures, p.last_attempt_at, p.last_error, p.next_attempt_at, p.revision \
             FROM published_objects p ",
            $rest
        )
    };
}

/// What an object should hold: the list of its series, or the certificate of its version.
macro_rules! behind {
    ($before:literal, $rest:literal) => {
        concat!(
            $before,
            "LEFT JOIN crl_series s ON s.ca_id = p.ca_id AND s.ca_version = p.ca_version AND s.shards = p.shards \
             AND s.shard = p.shard AND s.kind = CASE p.kind WHEN 'LIST' THEN 'FULL' ELSE p.kind END \
             LEFT JOIN ca_versions v ON v.ca_id = p.ca_id AND v.number = p.ca_version AND p.kind = 'ISSUER' ",
            $rest
        )
    };
}

fn read_object(row: &Row) -> Result<PublishedObject> {
    let row = Reading::of(row, "published_objects", "object_name")?;
    Ok(PublishedObject {
        target: row.parse("target", ResourceName::parse)?,
        name: row.parse("object_name", ObjectName::parse)?,
        ca_id: row.parse("ca_id", CaId::parse)?,
        ca_version: row.number("ca_version")?,
        kind: row.parse("kind", ObjectKind::parse)?,
        shards: read_shards(&row)?,
        shard: read_shard(&row)?,
        content: row.get("content")?,
        number: row.get("number")?,
        published_at: row.time_optional("published_at")?,
        failures: row.number("failures")?,
        last_attempt_at: row.time_optional("last_attempt_at")?,
        last_error: row.get("last_error")?,
        next_attempt_at: row.time("next_attempt_at")?,
        revision: row.get("revision")?,
    })
}

fn read_shards(row: &Reading<'_>) -> Result<Shards> {
    Shards::new(row.number("shards")?).map_err(|_| row.corrupt("shards"))
}

fn read_shard(row: &Reading<'_>) -> Result<u16> {
    u16::try_from(row.number("shard")?).map_err(|_| row.corrupt("shard"))
}

fn read_past(row: &Row) -> Result<PastPublication> {
    let row = Reading::of(row, "past_publications", "ca_id")?;
    Ok(PastPublication {
        number: row.get("number")?,
        publication: row.document("publication", documents::read_publication)?,
        retires_at: row.time("retires_at")?,
    })
}

fn read_health(row: &Row) -> Result<PublicationHealth> {
    let row = Reading::of(row, "published_objects", "ca_id")?;
    let natural = |column| u64::try_from(row.get::<i64>(column)?).map_err(|_| row.corrupt(column));
    Ok(PublicationHealth {
        ca_id: row.parse("ca_id", CaId::parse)?,
        ca_name: row.text("name")?,
        target: row.parse("target", ResourceName::parse)?,
        objects: natural("objects")?,
        failing: natural("failing")?,
        waiting: natural("waiting")?,
        last_published_at: row.time_optional("last_published_at")?,
    })
}

#[async_trait]
impl PublicationQueries for Session {
    async fn past_publications(&mut self, ca_id: &CaId) -> Result<Vec<PastPublication>> {
        let rows = self
            .all(
                sql("SELECT ca_id, number, publication, retires_at FROM past_publications WHERE ca_id = $1 \
                     ORDER BY number DESC")
                .bind(ca_id.as_str()),
            )
            .await?;
        rows.iter().map(read_past).collect()
    }

    async fn retire_publication(&mut self, ca_id: &CaId, past: &PastPublication) -> Result<()> {
        self.execute(
            sql("INSERT INTO past_publications (ca_id, number, publication, retires_at) VALUES ($1, $2, $3, $4)")
                .bind(ca_id.as_str())
                .bind(past.number)
                .bind(documents::write_publication(&past.publication))
                .bind(past.retires_at.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn forget_publication(&mut self, ca_id: &CaId, number: i64) -> Result<()> {
        self.execute(
            sql("DELETE FROM past_publications WHERE ca_id = $1 AND number = $2").bind(ca_id.as_str()).bind(number),
        )
        .await
        .map(drop)
    }

    async fn purge_publications(&mut self, now: Timestamp) -> Result<u64> {
        self.execute(sql("DELETE FROM past_publications WHERE retires_at < $1").bind(now.unix_ms())).await
    }

    async fn publications(&mut self) -> Result<Vec<(CaId, String, Publication)>> {
        let rows = self
            .all(sql("SELECT a.id, a.name, a.publication FROM certificate_authorities a \
                     WHERE a.publication IS NOT NULL AND a.state <> 'DELETED' \
                     UNION ALL SELECT a.id, a.name, q.publication FROM past_publications q \
                     JOIN certificate_authorities a ON a.id = q.ca_id WHERE a.state <> 'DELETED'"))
            .await?;
        rows.iter()
            .map(|row| {
                let row = Reading::of(row, "certificate_authorities", "id")?;
                let publication = row.document("publication", documents::read_publication)?;
                Ok((row.parse("id", CaId::parse)?, row.text("name")?, publication))
            })
            .collect()
    }

    async fn publishing_cas(&mut self) -> Result<Vec<CaId>> {
        let rows = self
            .all(sql("SELECT id FROM certificate_authorities WHERE publication IS NOT NULL \
                     UNION SELECT ca_id AS id FROM past_publications UNION SELECT ca_id AS id FROM published_objects"))
            .await?;
        rows.iter().map(|row| Reading::of(row, "certificate_authorities", "id")?.parse("id", CaId::parse)).collect()
    }

    async fn crl_scopes(&mut self, ca_id: &CaId) -> Result<Vec<CrlScope>> {
        let rows = self
            .all(
                sql("SELECT ca_id, ca_version, shards, shard, kind FROM crl_series WHERE ca_id = $1 \
                     ORDER BY ca_version, shards, shard, kind")
                .bind(ca_id.as_str()),
            )
            .await?;
        rows.iter()
            .map(|row| {
                let row = Reading::of(row, "crl_series", "ca_id")?;
                Ok(CrlScope {
                    ca_id: row.parse("ca_id", CaId::parse)?,
                    ca_version: row.number("ca_version")?,
                    shards: read_shards(&row)?,
                    shard: read_shard(&row)?,
                    kind: row.parse("kind", CrlKind::parse)?,
                })
            })
            .collect()
    }

    async fn published_objects(&mut self, ca_id: &CaId) -> Result<Vec<PublishedObject>> {
        let rows = self
            .all(
                sql(select_objects!(
                    "WHERE p.ca_id = $1 ORDER BY p.ca_version, p.shards, p.shard, p.kind, p.target, p.object_name"
                ))
                .bind(ca_id.as_str()),
            )
            .await?;
        rows.iter().map(read_object).collect()
    }

    async fn published_lists(&mut self, scope: &CrlScope) -> Result<Vec<PublishedObject>> {
        let rows = self
            .all(
                sql(select_objects!(
                    "WHERE p.ca_id = $1 AND p.ca_version = $2 AND ((p.shards = $3 AND p.shard = $4 AND p.kind = $5) \
                     OR (p.kind = 'ISSUER' AND $4 = 0 AND $5 = 'LIST')) ORDER BY p.kind, p.target, p.object_name"
                ))
                .bind(scope.ca_id.as_str())
                .bind(i64::from(scope.ca_version))
                .bind(i64::from(scope.shards.number()))
                .bind(i64::from(scope.shard))
                .bind(ObjectKind::of_list(scope.kind).as_str()),
            )
            .await?;
        rows.iter().map(read_object).collect()
    }

    async fn published_object(&mut self, target: &ResourceName, name: &str) -> Result<Option<PublishedObject>> {
        let row = self
            .optional(
                sql(select_objects!("WHERE p.target = $1 AND p.object_name = $2")).bind(target.as_str()).bind(name),
            )
            .await?;
        row.as_ref().map(read_object).transpose()
    }

    async fn insert_published_object(&mut self, object: &PublishedObject) -> Result<bool> {
        let rows = self
            .execute(
                sql("INSERT INTO published_objects (target, object_name, ca_id, ca_version, kind, shards, shard, content, \
                     number, published_at, failures, last_attempt_at, last_error, next_attempt_at, revision) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
                     ON CONFLICT (target, object_name) DO NOTHING")
                .bind(object.target.as_str())
                .bind(object.name.as_str())
                .bind(object.ca_id.as_str())
                .bind(i64::from(object.ca_version))
                .bind(object.kind.as_str())
                .bind(i64::from(object.shards.number()))
                .bind(i64::from(object.shard))
                .bind(object.content.as_deref())
                .bind(object.number)
                .bind(object.published_at.map(Timestamp::unix_ms))
                .bind(i64::from(object.failures))
                .bind(object.last_attempt_at.map(Timestamp::unix_ms))
                .bind(object.last_error.as_deref())
                .bind(object.next_attempt_at.unix_ms())
                .bind(object.revision),
            )
            .await?;
        Ok(rows > 0)
    }

    async fn delete_published_object(&mut self, object: &PublishedObject) -> Result<()> {
        self.execute(
            sql("DELETE FROM published_objects WHERE target = $1 AND object_name = $2 AND ca_id = $3")
                .bind(object.target.as_str())
                .bind(object.name.as_str())
                .bind(object.ca_id.as_str()),
        )
        .await
        .map(drop)
    }

    async fn publication_targets_due(&mut self, now: Timestamp) -> Result<Vec<ResourceName>> {
        let rows = self
            .all(
                sql(behind!(
                    "SELECT DISTINCT p.target FROM published_objects p ",
                    "WHERE p.next_attempt_at <= $1 AND ((p.kind = 'ISSUER' AND p.content IS NULL AND v.certificate IS NOT NULL) \
                     OR (p.kind <> 'ISSUER' AND COALESCE(p.content, '') <> s.crl_id)) ORDER BY p.target"
                ))
                .bind(now.unix_ms()),
            )
            .await?;
        rows.iter()
            .map(|row| Reading::of(row, "published_objects", "target")?.parse("target", ResourceName::parse))
            .collect()
    }

    async fn published_objects_due(
        &mut self,
        target: &ResourceName,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<PublishedObject>> {
        let rows = self
            .all(
                sql(concat!(
                    select_objects!(""),
                    behind!(
                        "",
                        "WHERE p.target = $1 AND p.next_attempt_at <= $2 AND \
                         ((p.kind = 'ISSUER' AND p.content IS NULL AND v.certificate IS NOT NULL) \
                         OR (p.kind <> 'ISSUER' AND COALESCE(p.content, '') <> s.crl_id)) \
                         ORDER BY p.next_attempt_at, p.object_name LIMIT $3"
                    )
                ))
                .bind(target.as_str())
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_object).collect()
    }

    async fn update_published_object(&mut self, object: &PublishedObject) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE published_objects SET content = $4, number = $5, published_at = $6, failures = $7, \
                     last_attempt_at = $8, last_error = $9, next_attempt_at = $10, revision = revision + 1 \
                     WHERE target = $1 AND object_name = $2 AND revision = $3")
                .bind(object.target.as_str())
                .bind(object.name.as_str())
                .bind(object.revision)
                .bind(object.content.as_deref())
                .bind(object.number)
                .bind(object.published_at.map(Timestamp::unix_ms))
                .bind(i64::from(object.failures))
                .bind(object.last_attempt_at.map(Timestamp::unix_ms))
                .bind(object.last_error.as_deref())
                .bind(object.next_attempt_at.unix_ms()),
            )
            .await?;
        swapped(rows, "published_objects")
    }

    async fn rewrite_published_object(&mut self, object: &PublishedObject, now: Timestamp) -> Result<()> {
        self.execute(
            sql("UPDATE published_objects SET content = NULL, next_attempt_at = $3, revision = revision + 1 \
                 WHERE target = $1 AND object_name = $2")
            .bind(object.target.as_str())
            .bind(object.name.as_str())
            .bind(now.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn rewrite_published_objects(&mut self, ca_id: &CaId, now: Timestamp) -> Result<u64> {
        self.execute(
            sql("UPDATE published_objects SET content = NULL, next_attempt_at = $2, revision = revision + 1 \
                 WHERE ca_id = $1")
            .bind(ca_id.as_str())
            .bind(now.unix_ms()),
        )
        .await
    }

    async fn failing_objects(&mut self, ca_id: &CaId, target: &ResourceName, failures: u32) -> Result<u64> {
        // Changes nothing, but is held until the transaction ends: two that fail at once do not both see themselves alone.
        self.execute(sql("UPDATE crl_counters SET number = number WHERE ca_id = $1").bind(ca_id.as_str())).await?;
        let row = self
            .optional(
                sql("SELECT $1 AS ca_id, COUNT(*) AS failing FROM published_objects \
                     WHERE ca_id = $1 AND target = $2 AND failures >= $3")
                .bind(ca_id.as_str())
                .bind(target.as_str())
                .bind(i64::from(failures)),
            )
            .await?;
        let Some(row) = row else { return Ok(0) };
        let row = Reading::of(&row, "published_objects", "ca_id")?;
        u64::try_from(row.get::<i64>("failing")?).map_err(|_| row.corrupt("failures"))
    }

    async fn publication_health(&mut self) -> Result<Vec<PublicationHealth>> {
        let rows = self
            .all(sql(behind!(
                "SELECT p.ca_id AS ca_id, a.name AS name, p.target AS target, COUNT(*) AS objects, \
                 CAST(SUM(CASE WHEN p.failures > 0 THEN 1 ELSE 0 END) AS BIGINT) AS failing, \
                 CAST(SUM(CASE WHEN (p.kind = 'ISSUER' AND p.content IS NULL AND v.certificate IS NOT NULL) \
                 OR (p.kind <> 'ISSUER' AND COALESCE(p.content, '') <> s.crl_id) THEN 1 ELSE 0 END) AS BIGINT) AS waiting, \
                 MAX(p.published_at) AS last_published_at \
                 FROM published_objects p JOIN certificate_authorities a ON a.id = p.ca_id ",
                "GROUP BY p.ca_id, a.name, p.target ORDER BY a.name, p.ca_id, p.target"
            )))
            .await?;
        rows.iter().map(read_health).collect()
    }
}
