//! Identity providers.

use super::page::{by_name, name_after, one_more};
use super::{Error, Reading, Result, Row, Session, clamp, sql, swapped};
use crate::documents::{read_provider, write_provider};
use crate::{IdentityQueries, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::id::{IdentityProviderId, looks_like_id};
use certwright_domain::identity::{IdentityProvider, MAX_PROVIDERS};
use certwright_domain::name::Reference;
use certwright_domain::time::Timestamp;

const PROVIDERS: &str = "identity_providers";

macro_rules! select_provider {
    ($rest:literal) => {
        concat!("SELECT id, created_at, name, settings, enabled, revision FROM identity_providers ", $rest)
    };
}

fn read(row: &Row) -> Result<IdentityProvider> {
    let row = Reading::of(row, PROVIDERS, "id")?;
    let (name, enabled): (String, bool) = (row.text("name")?, row.flag("enabled")?);
    Ok(IdentityProvider {
        id: row.parse("id", IdentityProviderId::parse)?,
        settings: row.document("settings", |text| read_provider(name, enabled, text))?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

#[async_trait]
impl IdentityQueries for Session {
    async fn insert_identity_provider(&mut self, provider: &IdentityProvider) -> Result<()> {
        self.execute(
            sql("INSERT INTO identity_providers (id, created_at, name, settings, enabled, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(provider.id.as_str())
            .bind(provider.created_at.unix_ms())
            .bind(provider.settings.name().as_str())
            .bind(write_provider(&provider.settings))
            .bind(i64::from(provider.settings.enabled()))
            .bind(provider.revision),
        )
        .await
        .map(drop)
    }

    async fn identity_provider(&mut self, reference: &Reference) -> Result<Option<IdentityProvider>> {
        let by = if looks_like_id(reference.as_str()) {
            select_provider!("WHERE id = $1")
        } else {
            select_provider!("WHERE name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read).transpose()
    }

    async fn identity_providers(&mut self, page: &PageRequest) -> Result<Page<IdentityProvider>> {
        let after = name_after(PROVIDERS, page)?;
        let rows =
            sql(select_provider!("WHERE name > $1 ORDER BY name LIMIT $2")).bind(after).bind(one_more(clamp(page)));
        let items = self.all(rows).await?.iter().map(read).collect::<Result<_>>()?;
        Ok(by_name(PROVIDERS, items, page, |it: &IdentityProvider| it.settings.name().as_str()))
    }

    async fn enabled_identity_providers(&mut self) -> Result<Vec<IdentityProvider>> {
        let most = i64::try_from(MAX_PROVIDERS).unwrap_or(i64::MAX);
        let rows = self.all(sql(select_provider!("WHERE enabled = 1 ORDER BY name LIMIT $1")).bind(most)).await?;
        rows.iter().map(read).collect()
    }

    async fn count_identity_providers(&mut self) -> Result<u64> {
        let row = self.optional(sql("SELECT 'identity_providers' AS id, COUNT(*) AS found FROM identity_providers"));
        let row = row.await?;
        let row =
            row.as_ref().ok_or_else(|| Error::Corrupt { table: PROVIDERS, column: "found", row: String::new() })?;
        let row = Reading::of(row, PROVIDERS, "id")?;
        u64::try_from(row.get::<i64>("found")?).map_err(|_| row.corrupt("found"))
    }

    async fn update_identity_provider(&mut self, provider: &IdentityProvider) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE identity_providers SET name = $3, settings = $4, enabled = $5, revision = revision + 1 \
                     WHERE id = $1 AND revision = $2")
                .bind(provider.id.as_str())
                .bind(provider.revision)
                .bind(provider.settings.name().as_str())
                .bind(write_provider(&provider.settings))
                .bind(i64::from(provider.settings.enabled())),
            )
            .await?;
        swapped(rows, PROVIDERS)
    }

    async fn delete_identity_provider(&mut self, id: &IdentityProviderId, revision: i64) -> Result<()> {
        let rows = self
            .execute(
                sql("DELETE FROM identity_providers WHERE id = $1 AND revision = $2").bind(id.as_str()).bind(revision),
            )
            .await?;
        swapped(rows, PROVIDERS)
    }

    async fn delete_workload_tokens(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        self.execute(
            sql("DELETE FROM tokens WHERE id IN \
                 (SELECT id FROM tokens WHERE workload IS NOT NULL AND expires_at < $1 ORDER BY expires_at LIMIT $2)")
            .bind(before.unix_ms())
            .bind(i64::from(limit)),
        )
        .await
    }
}
