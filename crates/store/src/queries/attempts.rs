//! Attempts to renew certificates and CAs.

use super::page::{id_after, one_more};
use super::{Reading, Result, Session, clamp, name_page, sql};
use crate::{AttemptQueries, Page, PageRequest, cursor};
use async_trait::async_trait;
use certwright_domain::id::AttemptId;
use certwright_domain::managed::{AttemptOutcome, RenewalAttempt};
use certwright_domain::time::Timestamp;

fn read_attempt(row: &super::Row) -> Result<RenewalAttempt> {
    let row = Reading::of(row, "renewal_attempts", "id")?;
    Ok(RenewalAttempt {
        id: row.parse("id", AttemptId::parse)?,
        subject_id: row.text("subject_id")?,
        at: row.time("at")?,
        outcome: row.parse("outcome", AttemptOutcome::parse)?,
        version: row.number_optional("version")?,
        reason: row.text("reason")?,
    })
}

#[async_trait]
impl AttemptQueries for Session {
    async fn insert_attempt(&mut self, attempt: &RenewalAttempt) -> Result<()> {
        self.execute(
            sql("INSERT INTO renewal_attempts (id, subject_id, at, outcome, version, reason) \
                 VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(attempt.id.as_str())
            .bind(attempt.subject_id.as_str())
            .bind(attempt.at.unix_ms())
            .bind(attempt.outcome.as_str())
            .bind(attempt.version.map(i64::from))
            .bind(attempt.reason.as_str()),
        )
        .await
        .map(drop)
    }

    async fn attempts(&mut self, subject_id: &str, page: &PageRequest) -> Result<Page<RenewalAttempt>> {
        let after = id_after("renewal-attempts", page)?;
        let rows = self
            .all(
                sql("SELECT id, subject_id, at, outcome, version, reason FROM renewal_attempts \
                     WHERE subject_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3")
                .bind(subject_id)
                .bind(after)
                .bind(one_more(clamp(page))),
            )
            .await?;
        let attempts = rows.iter().map(read_attempt).collect::<Result<_>>()?;
        Ok(name_page(attempts, page, |attempt: &RenewalAttempt| {
            cursor::encode("renewal-attempts", &[attempt.id.as_str()])
        }))
    }

    async fn purge_attempts(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        self.execute(
            sql("DELETE FROM renewal_attempts WHERE id IN \
                 (SELECT id FROM renewal_attempts WHERE at < $1 ORDER BY at, id LIMIT $2)")
            .bind(before.unix_ms())
            .bind(i64::from(limit)),
        )
        .await
    }
}
