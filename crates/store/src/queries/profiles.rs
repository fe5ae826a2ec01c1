//! Operators' own profiles.

use super::page::one_more;
use super::{Error, Reading, Result, Session, clamp, name_cursor, name_page, names_after, sql, swapped};
use crate::documents;
use crate::{Page, PageRequest, ProfileQueries};
use async_trait::async_trait;
use certwright_domain::id::{ProfileId, looks_like_id};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::profile::StoredProfile;

macro_rules! select_profile {
    ($rest:literal) => {
        concat!("SELECT id, name, document, created_at, revision FROM profiles ", $rest)
    };
}

fn read_profile(row: &super::Row) -> Result<StoredProfile> {
    let row = Reading::of(row, "profiles", "id")?;
    let name = row.text("name")?;
    Ok(StoredProfile {
        id: Some(row.parse("id", ProfileId::parse)?),
        profile: row.document("document", |text| documents::read_profile(name, text))?,
        created_at: Some(row.time("created_at")?),
        revision: row.get("revision")?,
    })
}

/// Built-in profiles have no id, and no row.
fn id_of(profile: &StoredProfile) -> Result<&ProfileId> {
    profile.id.as_ref().ok_or_else(|| Error::Driver("a built-in profile cannot be stored".to_owned()))
}

#[async_trait]
impl ProfileQueries for Session {
    async fn insert_profile(&mut self, profile: &StoredProfile) -> Result<()> {
        let id = id_of(profile)?;
        self.execute(
            sql("INSERT INTO profiles (id, name, document, created_at, revision) VALUES ($1, $2, $3, $4, $5)")
                .bind(id.as_str())
                .bind(profile.profile.name().as_str())
                .bind(documents::write_profile(&profile.profile))
                .bind(profile.created_at.map_or(0, |at| at.unix_ms()))
                .bind(profile.revision),
        )
        .await
        .map(drop)
    }

    async fn profile(&mut self, reference: &Reference) -> Result<Option<StoredProfile>> {
        let by = if looks_like_id(reference.as_str()) {
            select_profile!("WHERE id = $1")
        } else {
            select_profile!("WHERE name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_profile).transpose()
    }

    async fn profiles(&mut self, page: &PageRequest) -> Result<Page<StoredProfile>> {
        let (name, id) = names_after("profiles", page)?;
        let rows = self
            .all(
                sql(select_profile!("WHERE (name, id) > ($1, $2) ORDER BY name, id LIMIT $3"))
                    .bind(name)
                    .bind(id)
                    .bind(one_more(clamp(page))),
            )
            .await?;
        let profiles = rows.iter().map(read_profile).collect::<Result<_>>()?;
        Ok(name_page(profiles, page, |stored: &StoredProfile| {
            let id = stored.id.as_ref().map_or("", ProfileId::as_str);
            name_cursor("profiles", stored.profile.name().as_str(), id)
        }))
    }

    async fn update_profile(&mut self, profile: &StoredProfile) -> Result<()> {
        let id = id_of(profile)?;
        let rows = self
            .execute(
                sql("UPDATE profiles SET name = $3, document = $4, revision = revision + 1 \
                     WHERE id = $1 AND revision = $2")
                .bind(id.as_str())
                .bind(profile.revision)
                .bind(profile.profile.name().as_str())
                .bind(documents::write_profile(&profile.profile)),
            )
            .await?;
        swapped(rows, "profiles")
    }

    async fn delete_profile(&mut self, name: &ResourceName, revision: i64) -> Result<()> {
        let rows = self
            .execute(sql("DELETE FROM profiles WHERE name = $1 AND revision = $2").bind(name.as_str()).bind(revision))
            .await?;
        swapped(rows, "profiles")
    }
}
