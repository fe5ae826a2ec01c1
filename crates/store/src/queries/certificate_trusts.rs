//! Trusts for client certificates.

use super::page::{by_name, name_after, one_more};
use super::{Error, Reading, Result, Row, Session, clamp, sql, swapped};
use crate::documents::{read_trust, write_trust};
use crate::{CertificateTrustQueries, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::id::{CaId, CertificateTrustId, looks_like_id};
use certwright_domain::identity::{CertificateTrust, MAX_CERTIFICATE_TRUSTS};
use certwright_domain::name::Reference;

const TRUSTS: &str = "certificate_trusts";

macro_rules! select_trust {
    ($rest:literal) => {
        concat!("SELECT id, created_at, ca_id, name, settings, enabled, revision FROM certificate_trusts ", $rest)
    };
}

fn read(row: &Row) -> Result<CertificateTrust> {
    let row = Reading::of(row, TRUSTS, "id")?;
    let (name, enabled): (String, bool) = (row.text("name")?, row.flag("enabled")?);
    Ok(CertificateTrust {
        id: row.parse("id", CertificateTrustId::parse)?,
        ca: row.parse("ca_id", CaId::parse)?,
        settings: row.document("settings", |text| read_trust(name, enabled, text))?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

#[async_trait]
impl CertificateTrustQueries for Session {
    async fn insert_certificate_trust(&mut self, trust: &CertificateTrust) -> Result<()> {
        self.execute(
            sql("INSERT INTO certificate_trusts (id, created_at, ca_id, name, settings, enabled, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(trust.id.as_str())
            .bind(trust.created_at.unix_ms())
            .bind(trust.ca.as_str())
            .bind(trust.settings.name().as_str())
            .bind(write_trust(&trust.settings))
            .bind(i64::from(trust.settings.enabled()))
            .bind(trust.revision),
        )
        .await
        .map(drop)
    }

    async fn certificate_trust(&mut self, reference: &Reference) -> Result<Option<CertificateTrust>> {
        let by = if looks_like_id(reference.as_str()) {
            select_trust!("WHERE id = $1")
        } else {
            select_trust!("WHERE name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read).transpose()
    }

    async fn certificate_trusts(&mut self, page: &PageRequest) -> Result<Page<CertificateTrust>> {
        let after = name_after(TRUSTS, page)?;
        let rows = sql(select_trust!("WHERE name > $1 ORDER BY name LIMIT $2")).bind(after).bind(one_more(clamp(page)));
        let items = self.all(rows).await?.iter().map(read).collect::<Result<_>>()?;
        Ok(by_name(TRUSTS, items, page, |it: &CertificateTrust| it.settings.name().as_str()))
    }

    async fn enabled_certificate_trusts(&mut self) -> Result<Vec<CertificateTrust>> {
        let most = i64::try_from(MAX_CERTIFICATE_TRUSTS).unwrap_or(i64::MAX);
        let rows = self.all(sql(select_trust!("WHERE enabled = 1 ORDER BY name LIMIT $1")).bind(most)).await?;
        rows.iter().map(read).collect()
    }

    async fn count_certificate_trusts(&mut self) -> Result<u64> {
        let statement = sql("SELECT 'certificate_trusts' AS id, COUNT(*) AS found FROM certificate_trusts");
        let row = self.optional(statement).await?;
        let row = row.as_ref().ok_or_else(|| Error::Corrupt { table: TRUSTS, column: "found", row: String::new() })?;
        let row = Reading::of(row, TRUSTS, "id")?;
        u64::try_from(row.get::<i64>("found")?).map_err(|_| row.corrupt("found"))
    }

    async fn update_certificate_trust(&mut self, trust: &CertificateTrust) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE certificate_trusts SET name = $3, settings = $4, enabled = $5, revision = revision + 1 \
                     WHERE id = $1 AND revision = $2")
                .bind(trust.id.as_str())
                .bind(trust.revision)
                .bind(trust.settings.name().as_str())
                .bind(write_trust(&trust.settings))
                .bind(i64::from(trust.settings.enabled())),
            )
            .await?;
        swapped(rows, TRUSTS)
    }

    async fn delete_certificate_trust(&mut self, id: &CertificateTrustId, revision: i64) -> Result<()> {
        let rows = self
            .execute(
                sql("DELETE FROM certificate_trusts WHERE id = $1 AND revision = $2").bind(id.as_str()).bind(revision),
            )
            .await?;
        swapped(rows, TRUSTS)
    }
}
