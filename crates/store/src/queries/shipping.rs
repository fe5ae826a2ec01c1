//! How far the audit trail was shipped to sinks.

use super::{Reading, Result, Session, audit, sql, swapped};
use crate::{Shipped, ShippingLag, ShippingQueries};
use async_trait::async_trait;
use certwright_domain::audit::StoredAuditEvent;
use certwright_domain::time::Timestamp;

#[async_trait]
impl ShippingQueries for Session {
    async fn audit_shipped(&mut self, sink: &str) -> Result<Vec<Shipped>> {
        let rows = self
            .all(
                sql("SELECT s.chain AS chain, s.sequence AS sequence, c.sequence AS chain_end FROM audit_shipping s \
                     JOIN audit_chains c ON c.chain = s.chain WHERE s.sink = $1 ORDER BY s.chain")
                .bind(sink),
            )
            .await?;
        let read = |row| {
            let row = Reading::of(row, "audit_shipping", "chain")?;
            Ok(Shipped { chain: row.text("chain")?, sequence: row.get("sequence")?, end: row.get("chain_end")? })
        };
        rows.iter().map(read).collect()
    }

    async fn begin_audit_shipping(&mut self, sink: &str, from_now: bool, now: Timestamp) -> Result<()> {
        self.execute(
            sql("INSERT INTO audit_shipping (sink, chain, sequence, shipped_at) \
                 SELECT $1, c.chain, CASE WHEN $2 = 1 THEN c.sequence ELSE 0 END, $3 FROM audit_chains c WHERE 1 = 1 \
                 ON CONFLICT (sink, chain) DO NOTHING")
            .bind(sink)
            .bind(i64::from(from_now))
            .bind(now.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn note_audit_shipped(&mut self, sink: &str, chain: &str, from: i64, to: i64, now: Timestamp) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE audit_shipping SET sequence = $1, shipped_at = $2 \
                     WHERE sink = $3 AND chain = $4 AND sequence = $5")
                .bind(to)
                .bind(now.unix_ms())
                .bind(sink)
                .bind(chain)
                .bind(from),
            )
            .await?;
        swapped(rows, "audit_shipping")
    }

    async fn audit_chain_part(&mut self, chain: &str, after: i64, limit: u32) -> Result<Vec<StoredAuditEvent>> {
        audit::part(self, chain, after, limit).await
    }

    async fn audit_shipping_lag(&mut self) -> Result<Vec<ShippingLag>> {
        let rows = self
            .all(sql(
                "SELECT s.sink AS sink, \
                 CAST(SUM(CASE WHEN c.sequence > s.sequence THEN c.sequence - s.sequence ELSE 0 END) AS BIGINT) AS behind, \
                 MIN(e.at) AS oldest FROM audit_shipping s JOIN audit_chains c ON c.chain = s.chain \
                 LEFT JOIN audit_events e ON e.chain = s.chain AND e.sequence = s.sequence + 1 AND e.sequence > 0 \
                 GROUP BY s.sink ORDER BY s.sink",
            ))
            .await?;
        let read = |row| {
            let row = Reading::of(row, "audit_shipping", "sink")?;
            let behind: i64 = row.get("behind")?;
            Ok(ShippingLag {
                sink: row.text("sink")?,
                events: u64::try_from(behind).unwrap_or(0),
                oldest: row.time_optional("oldest")?,
            })
        };
        rows.iter().map(read).collect()
    }
}
