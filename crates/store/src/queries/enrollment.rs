//! Enrolment tokens.

use super::page::{id_after, one_more};
use super::{Error, Reading, Result, Row, Session, clamp, name_page, sql, swapped};
use crate::documents::{read_names, write_names};
use crate::{EnrollmentQueries, Page, PageRequest, cursor};
use async_trait::async_trait;
use certwright_domain::enrollment::{EnrollmentTerms, EnrollmentToken};
use certwright_domain::id::{CaId, EnrollmentTokenId, looks_like_id};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;

const TABLE: &str = "enrollment_tokens";
/// Sorts after every id.
const ABOVE_EVERY_ID: &str = "~";

macro_rules! select_token {
    ($rest:literal) => {
        concat!(
            "SELECT id, created_at, name, ca_id, profile, names, uses, secret_sha256, expires_at, uses_left \
             FROM enrollment_tokens ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<EnrollmentToken> {
    let row = Reading::of(row, TABLE, "id")?;
    let count = |column: &'static str| u32::try_from(row.get::<i64>(column)?).map_err(|_| row.corrupt(column));
    let terms = EnrollmentTerms::stored(row.document("names", read_names)?, count("uses")?, row.time("expires_at")?);
    Ok(EnrollmentToken {
        id: row.parse("id", EnrollmentTokenId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        ca: row.parse("ca_id", CaId::parse)?,
        profile: row.parse("profile", ResourceName::parse)?,
        terms: terms.ok_or_else(|| row.corrupt("names"))?,
        uses_left: count("uses_left")?,
        secret_sha256: row.sha256("secret_sha256")?,
        created_at: row.time("created_at")?,
    })
}

#[async_trait]
impl EnrollmentQueries for Session {
    async fn insert_enrollment_token(&mut self, token: &EnrollmentToken) -> Result<()> {
        self.execute(
            sql("INSERT INTO enrollment_tokens \
                 (id, created_at, name, ca_id, profile, names, uses, secret_sha256, expires_at, uses_left) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
            .bind(token.id.as_str())
            .bind(token.created_at.unix_ms())
            .bind(token.name.as_str())
            .bind(token.ca.as_str())
            .bind(token.profile.as_str())
            .bind(write_names(token.terms.names()))
            .bind(i64::from(token.terms.uses()))
            .bind(token.secret_sha256.0.as_slice())
            .bind(token.terms.expires_at().unix_ms())
            .bind(i64::from(token.uses_left)),
        )
        .await
        .map(drop)
    }

    async fn enrollment_token(&mut self, reference: &Reference) -> Result<Option<EnrollmentToken>> {
        let by = if looks_like_id(reference.as_str()) {
            select_token!("WHERE id = $1")
        } else {
            select_token!("WHERE name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read).transpose()
    }

    async fn enrollment_tokens(&mut self, page: &PageRequest) -> Result<Page<EnrollmentToken>> {
        let after = id_after(TABLE, page)?.unwrap_or_else(|| ABOVE_EVERY_ID.to_owned());
        let rows = self
            .all(sql(select_token!("WHERE id < $1 ORDER BY id DESC LIMIT $2")).bind(after).bind(one_more(clamp(page))))
            .await?;
        let tokens = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(name_page(tokens, page, |token: &EnrollmentToken| cursor::encode(TABLE, &[token.id.as_str()])))
    }

    async fn count_enrollment_tokens(&mut self) -> Result<u64> {
        let statement = sql("SELECT 'enrollment_tokens' AS id, COUNT(*) AS found FROM enrollment_tokens");
        let row = self.optional(statement).await?;
        let row = row.as_ref().ok_or_else(|| Error::Corrupt { table: TABLE, column: "found", row: String::new() })?;
        let row = Reading::of(row, TABLE, "id")?;
        u64::try_from(row.get::<i64>("found")?).map_err(|_| row.corrupt("found"))
    }

    async fn use_enrollment_token(&mut self, id: &EnrollmentTokenId, now: Timestamp) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE enrollment_tokens SET uses_left = uses_left - 1 \
                     WHERE id = $1 AND uses_left > 0 AND expires_at > $2")
                .bind(id.as_str())
                .bind(now.unix_ms()),
            )
            .await?;
        swapped(rows, TABLE)
    }

    async fn delete_enrollment_token(&mut self, id: &EnrollmentTokenId) -> Result<()> {
        let rows = self.execute(sql("DELETE FROM enrollment_tokens WHERE id = $1").bind(id.as_str())).await?;
        swapped(rows, TABLE)
    }

    async fn free_enrollment_name(&mut self, name: &ResourceName, now: Timestamp) -> Result<()> {
        self.execute(
            sql("DELETE FROM enrollment_tokens WHERE name = $1 AND (uses_left = 0 OR expires_at <= $2)")
                .bind(name.as_str())
                .bind(now.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn purge_enrollment_tokens(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        self.execute(
            sql("DELETE FROM enrollment_tokens WHERE id IN \
                 (SELECT id FROM enrollment_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)")
            .bind(before.unix_ms())
            .bind(i64::from(limit)),
        )
        .await
    }
}
