//! Policies.

use super::super::page::{by_name, name_after, one_more};
use super::super::{Driver, Reading, Result, Row, Session, clamp, sql, swapped};
use super::read_count;
use crate::documents::{read_texts, write_texts};
use crate::{Page, PageRequest, PolicyQueries};
use async_trait::async_trait;
use certwright_domain::access::Policy;
use certwright_domain::id::{CompartmentId, PolicyId, looks_like_id};
use certwright_domain::name::{Reference, ResourceName};
use sqlx::QueryBuilder;

const POLICIES: &str = "policies";

macro_rules! select_policy {
    ($rest:literal) => {
        concat!("SELECT id, compartment_id, name, description, statements, created_at, revision FROM policies ", $rest)
    };
}

/// All of them.
pub(super) const ALL_POLICIES: &str = select_policy!("ORDER BY name LIMIT $1");

pub(super) fn read_policy(row: &Row) -> Result<Policy> {
    let row = Reading::of(row, POLICIES, "id")?;
    Ok(Policy {
        id: row.parse("id", PolicyId::parse)?,
        compartment: row.parse("compartment_id", CompartmentId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        description: row.text("description")?,
        statements: row.document("statements", read_texts)?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

#[async_trait]
impl PolicyQueries for Session {
    async fn insert_policy(&mut self, policy: &Policy) -> Result<()> {
        self.execute(
            sql("INSERT INTO policies (id, compartment_id, name, description, statements, created_at, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(policy.id.as_str())
            .bind(policy.compartment.as_str())
            .bind(policy.name.as_str())
            .bind(&policy.description)
            .bind(write_texts(&policy.statements))
            .bind(policy.created_at.unix_ms())
            .bind(policy.revision),
        )
        .await
        .map(drop)
    }

    async fn policy(&mut self, reference: &Reference) -> Result<Option<Policy>> {
        let by = if looks_like_id(reference.as_str()) {
            select_policy!("WHERE id = $1")
        } else {
            select_policy!("WHERE name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_policy).transpose()
    }

    async fn policies(&mut self, compartment: Option<&CompartmentId>, page: &PageRequest) -> Result<Page<Policy>> {
        let mut query = QueryBuilder::<Driver>::new(select_policy!("WHERE name > "));
        query.push_bind(name_after(POLICIES, page)?);
        if let Some(compartment) = compartment {
            query.push(" AND compartment_id = ").push_bind(compartment.as_str().to_owned());
        }
        query.push(" ORDER BY name LIMIT ").push_bind(one_more(clamp(page)));
        let items = self.built(query).await?.iter().map(read_policy).collect::<Result<_>>()?;
        Ok(by_name(POLICIES, items, page, |it: &Policy| it.name.as_str()))
    }

    async fn count_policies(&mut self) -> Result<u64> {
        let row = self.optional(sql("SELECT 'policies' AS id, COUNT(*) AS found FROM policies")).await?;
        read_count(row.as_ref(), POLICIES)
    }

    async fn policy_bytes(&mut self) -> Result<u64> {
        let row = self
            .optional(sql(
                "SELECT 'policies' AS id, CAST(COALESCE(SUM(OCTET_LENGTH(statements)), 0) AS BIGINT) AS found FROM policies",
            ))
            .await?;
        read_count(row.as_ref(), POLICIES)
    }

    async fn update_policy(&mut self, policy: &Policy) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE policies SET name = $3, description = $4, statements = $5, revision = revision + 1 \
                     WHERE id = $1 AND revision = $2")
                .bind(policy.id.as_str())
                .bind(policy.revision)
                .bind(policy.name.as_str())
                .bind(&policy.description)
                .bind(write_texts(&policy.statements)),
            )
            .await?;
        swapped(rows, POLICIES)
    }

    async fn delete_policy(&mut self, id: &PolicyId, revision: i64) -> Result<()> {
        let rows = self
            .execute(sql("DELETE FROM policies WHERE id = $1 AND revision = $2").bind(id.as_str()).bind(revision))
            .await?;
        swapped(rows, POLICIES)
    }
}
