//! Named sets of foreign CA certificates.

use super::page::one_more;
use super::{Reading, Result, Session, clamp, name_cursor, name_page, names_after, sql, swapped};
use crate::documents;
use crate::{CaBundleQueries, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::ca_bundle::CaBundle;
use certwright_domain::id::{CaBundleId, looks_like_id};
use certwright_domain::name::{Reference, ResourceName};

macro_rules! select_bundle {
    ($rest:literal) => {
        concat!("SELECT id, name, description, certificates, created_at, changed_at, revision FROM ca_bundles ", $rest)
    };
}

fn read_bundle(row: &super::Row) -> Result<CaBundle> {
    let row = Reading::of(row, "ca_bundles", "id")?;
    Ok(CaBundle {
        id: row.parse("id", CaBundleId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        description: row.text("description")?,
        certificates: row.document("certificates", documents::read_chain)?,
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
        revision: row.get("revision")?,
    })
}

#[async_trait]
impl CaBundleQueries for Session {
    async fn insert_ca_bundle(&mut self, bundle: &CaBundle) -> Result<()> {
        self.execute(
            sql("INSERT INTO ca_bundles (id, name, description, certificates, created_at, changed_at, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(bundle.id.as_str())
            .bind(bundle.name.as_str())
            .bind(bundle.description.as_str())
            .bind(documents::write_chain(&bundle.certificates))
            .bind(bundle.created_at.unix_ms())
            .bind(bundle.changed_at.unix_ms())
            .bind(bundle.revision),
        )
        .await
        .map(drop)
    }

    async fn ca_bundle(&mut self, reference: &Reference) -> Result<Option<CaBundle>> {
        let by = if looks_like_id(reference.as_str()) {
            select_bundle!("WHERE id = $1")
        } else {
            select_bundle!("WHERE name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_bundle).transpose()
    }

    async fn ca_bundles(&mut self, page: &PageRequest) -> Result<Page<CaBundle>> {
        let (name, id) = names_after("ca-bundles", page)?;
        let rows = self
            .all(
                sql(select_bundle!("WHERE (name, id) > ($1, $2) ORDER BY name, id LIMIT $3"))
                    .bind(name)
                    .bind(id)
                    .bind(one_more(clamp(page))),
            )
            .await?;
        let bundles = rows.iter().map(read_bundle).collect::<Result<_>>()?;
        Ok(name_page(bundles, page, |bundle: &CaBundle| {
            name_cursor("ca-bundles", bundle.name.as_str(), bundle.id.as_str())
        }))
    }

    async fn update_ca_bundle(&mut self, bundle: &CaBundle) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE ca_bundles SET name = $3, description = $4, certificates = $5, changed_at = $6, \
                     revision = revision + 1 WHERE id = $1 AND revision = $2")
                .bind(bundle.id.as_str())
                .bind(bundle.revision)
                .bind(bundle.name.as_str())
                .bind(bundle.description.as_str())
                .bind(documents::write_chain(&bundle.certificates))
                .bind(bundle.changed_at.unix_ms()),
            )
            .await?;
        swapped(rows, "ca_bundles")
    }

    async fn delete_ca_bundle(&mut self, name: &ResourceName, revision: i64) -> Result<()> {
        let rows = self
            .execute(sql("DELETE FROM ca_bundles WHERE name = $1 AND revision = $2").bind(name.as_str()).bind(revision))
            .await?;
        swapped(rows, "ca_bundles")
    }
}
