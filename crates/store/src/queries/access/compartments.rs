//! The tree of compartments, and where resources lie.

use super::super::page::{by_name, name_after, one_more};
use super::super::{Driver, Error, Reading, Result, Row, Session, clamp, name_page, sql, swapped};
use super::{most_compartments, read_all, read_count};
use crate::{CompartmentQueries, Page, PageRequest, cursor};
use async_trait::async_trait;
use certwright_domain::access::{Compartment, PlacedKind, Placement};
use certwright_domain::id::{CompartmentId, looks_like_id};
use certwright_domain::name::{Reference, ResourceName};
use sqlx::QueryBuilder;
use std::collections::BTreeMap;

const COMPARTMENTS: &str = "compartments";
const PLACEMENTS: &str = "placements";
/// Most resources that are looked up at once.
const MOST_LOOKED_UP: usize = 500;

macro_rules! select_compartment {
    ($rest:literal) => {
        concat!("SELECT id, parent_id, name, description, created_at, revision FROM compartments ", $rest)
    };
}

fn read_compartment(row: &Row) -> Result<Compartment> {
    let row = Reading::of(row, COMPARTMENTS, "id")?;
    Ok(Compartment {
        id: row.parse("id", CompartmentId::parse)?,
        parent: row.parse_optional("parent_id", CompartmentId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        description: row.text("description")?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

fn read_placement(row: &Row) -> Result<Placement> {
    let row = Reading::of(row, PLACEMENTS, "resource_id")?;
    Ok(Placement {
        resource_id: row.text("resource_id")?,
        kind: row.parse("kind", PlacedKind::parse)?,
        compartment: row.parse("compartment_id", CompartmentId::parse)?,
    })
}

/// Kind and id that a page of placements begins after.
fn placement_after(page: &PageRequest) -> Result<(String, String)> {
    let Some(after) = &page.after else { return Ok((String::new(), String::new())) };
    let [kind, id] = cursor::decode(PLACEMENTS, after)?;
    if PlacedKind::parse(&kind).is_err() || !looks_like_id(&id) {
        return Err(Error::BadCursor);
    }
    Ok((kind, id))
}

#[async_trait]
impl CompartmentQueries for Session {
    async fn insert_compartment(&mut self, compartment: &Compartment) -> Result<()> {
        self.execute(
            sql("INSERT INTO compartments (id, parent_id, name, description, created_at, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(compartment.id.as_str())
            .bind(compartment.parent.as_ref().map(CompartmentId::as_str))
            .bind(compartment.name.as_str())
            .bind(&compartment.description)
            .bind(compartment.created_at.unix_ms())
            .bind(compartment.revision),
        )
        .await
        .map(drop)
    }

    async fn compartment(&mut self, reference: &Reference) -> Result<Option<Compartment>> {
        let by = if looks_like_id(reference.as_str()) {
            select_compartment!("WHERE id = $1")
        } else {
            select_compartment!("WHERE name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_compartment).transpose()
    }

    async fn compartments(&mut self, page: &PageRequest) -> Result<Page<Compartment>> {
        let query = sql(select_compartment!("WHERE name > $1 ORDER BY name LIMIT $2"))
            .bind(name_after(COMPARTMENTS, page)?)
            .bind(one_more(clamp(page)));
        let items = self.all(query).await?.iter().map(read_compartment).collect::<Result<_>>()?;
        Ok(by_name(COMPARTMENTS, items, page, |it: &Compartment| it.name.as_str()))
    }

    async fn all_compartments(&mut self) -> Result<Vec<Compartment>> {
        let (limit, most) = most_compartments();
        let rows = self.all(sql(select_compartment!("ORDER BY name LIMIT $1")).bind(limit)).await?;
        read_all(rows, most, COMPARTMENTS, read_compartment)
    }

    async fn update_compartment(&mut self, compartment: &Compartment) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE compartments SET parent_id = $3, name = $4, description = $5, revision = revision + 1 \
                     WHERE id = $1 AND revision = $2")
                .bind(compartment.id.as_str())
                .bind(compartment.revision)
                .bind(compartment.parent.as_ref().map(CompartmentId::as_str))
                .bind(compartment.name.as_str())
                .bind(&compartment.description),
            )
            .await?;
        swapped(rows, COMPARTMENTS)
    }

    async fn delete_compartment(&mut self, id: &CompartmentId, revision: i64) -> Result<()> {
        let rows = self
            .execute(sql("DELETE FROM compartments WHERE id = $1 AND revision = $2").bind(id.as_str()).bind(revision))
            .await?;
        swapped(rows, COMPARTMENTS)
    }

    async fn place(&mut self, placement: &Placement) -> Result<()> {
        if placement.compartment.is_tenancy() {
            return self.unplace(&placement.resource_id).await;
        }
        self.execute(
            sql("INSERT INTO placements (resource_id, kind, compartment_id) VALUES ($1, $2, $3) \
                 ON CONFLICT (resource_id) DO UPDATE SET compartment_id = excluded.compartment_id")
            .bind(&placement.resource_id)
            .bind(placement.kind.as_str())
            .bind(placement.compartment.as_str()),
        )
        .await
        .map(drop)
    }

    async fn unplace(&mut self, resource_id: &str) -> Result<()> {
        self.execute(sql("DELETE FROM placements WHERE resource_id = $1").bind(resource_id)).await.map(drop)
    }

    async fn compartment_of(&mut self, resource_id: &str) -> Result<CompartmentId> {
        let query = sql("SELECT resource_id, kind, compartment_id FROM placements WHERE resource_id = $1");
        let row = self.optional(query.bind(resource_id)).await?;
        let placement = row.as_ref().map(read_placement).transpose()?;
        Ok(placement.map_or_else(CompartmentId::tenancy, |placement| placement.compartment))
    }

    async fn compartments_of(&mut self, resource_ids: &[&str]) -> Result<BTreeMap<String, CompartmentId>> {
        if resource_ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut query = QueryBuilder::<Driver>::new(
            "SELECT resource_id, kind, compartment_id FROM placements WHERE resource_id IN (",
        );
        let mut ids = query.separated(", ");
        resource_ids.iter().take(MOST_LOOKED_UP).for_each(|id| {
            ids.push_bind((*id).to_owned());
        });
        query.push(")");
        let rows = self.built(query).await?;
        rows.iter().map(|row| read_placement(row).map(|it| (it.resource_id, it.compartment))).collect()
    }

    async fn placed_in(
        &mut self,
        compartment: &CompartmentId,
        kind: Option<PlacedKind>,
        page: &PageRequest,
    ) -> Result<Page<Placement>> {
        let (after_kind, after_id) = placement_after(page)?;
        let mut query = QueryBuilder::<Driver>::new(
            "SELECT resource_id, kind, compartment_id FROM placements WHERE compartment_id = ",
        );
        query.push_bind(compartment.as_str().to_owned());
        if let Some(kind) = kind {
            query.push(" AND kind = ").push_bind(kind.as_str());
        }
        query.push(" AND (kind, resource_id) > (").push_bind(after_kind).push(", ").push_bind(after_id);
        query.push(") ORDER BY kind, resource_id LIMIT ").push_bind(one_more(clamp(page)));
        let items = self.built(query).await?.iter().map(read_placement).collect::<Result<_>>()?;
        Ok(name_page(items, page, |it: &Placement| cursor::encode(PLACEMENTS, &[it.kind.as_str(), &it.resource_id])))
    }

    async fn count_placed(&mut self, compartment: &CompartmentId) -> Result<u64> {
        let query = sql("SELECT 'placements' AS id, COUNT(*) AS found FROM placements WHERE compartment_id = $1");
        let row = self.optional(query.bind(compartment.as_str())).await?;
        read_count(row.as_ref(), PLACEMENTS)
    }
}
