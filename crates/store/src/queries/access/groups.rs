//! Rows of groups and dynamic groups.

use super::super::{Reading, Result, Row};
use certwright_domain::access::{DynamicGroup, Group};
use certwright_domain::id::{DynamicGroupId, GroupId};
use certwright_domain::principal::PrincipalName;

macro_rules! select_group {
    ($rest:literal) => {
        concat!("SELECT g.id, g.name, g.description, g.created_at, g.revision FROM user_groups g ", $rest)
    };
}
pub(super) use select_group;

macro_rules! select_dynamic_group {
    ($rest:literal) => {
        concat!("SELECT id, name, description, matching_rule, created_at, revision FROM dynamic_groups ", $rest)
    };
}
pub(super) use select_dynamic_group;

/// All groups.
pub(super) const ALL_GROUPS: &str = select_group!("ORDER BY g.name LIMIT $1");
/// All dynamic groups.
pub(super) const ALL_DYNAMIC_GROUPS: &str = select_dynamic_group!("ORDER BY name LIMIT $1");

pub(super) fn read_group(row: &Row) -> Result<Group> {
    let row = Reading::of(row, "user_groups", "id")?;
    Ok(Group {
        id: row.parse("id", GroupId::parse)?,
        name: row.parse("name", PrincipalName::parse)?,
        description: row.text("description")?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

pub(super) fn read_dynamic_group(row: &Row) -> Result<DynamicGroup> {
    let row = Reading::of(row, "dynamic_groups", "id")?;
    Ok(DynamicGroup {
        id: row.parse("id", DynamicGroupId::parse)?,
        name: row.parse("name", PrincipalName::parse)?,
        description: row.text("description")?,
        matching_rule: row.text("matching_rule")?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}
