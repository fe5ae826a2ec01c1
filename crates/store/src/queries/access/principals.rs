//! Users, groups, dynamic groups.

use super::super::page::{by_name, name_after, one_more};
use super::super::{Reading, Result, Row, Session, clamp, sql, swapped};
use super::groups::{read_dynamic_group, read_group, select_dynamic_group, select_group};
use super::read_count;
use crate::{Page, PageRequest, PrincipalQueries};
use async_trait::async_trait;
use certwright_domain::access::{DynamicGroup, Group, MAX_GROUPS, PrincipalReference, User};
use certwright_domain::id::{DynamicGroupId, GroupId, UserId, looks_like_id};
use certwright_domain::principal::PrincipalName;

const USERS: &str = "users";
const GROUPS: &str = "user_groups";
const DYNAMIC_GROUPS: &str = "dynamic_groups";
const MEMBERS: &str = "group_members";

macro_rules! select_user {
    ($rest:literal) => {
        concat!("SELECT u.id, u.name, u.description, u.enabled, u.created_at, u.revision FROM users u ", $rest)
    };
}

/// All of them.
pub(super) const ALL_USERS: &str = select_user!("ORDER BY u.name LIMIT $1");

pub(super) fn read_user(row: &Row) -> Result<User> {
    let row = Reading::of(row, USERS, "id")?;
    Ok(User {
        id: row.parse("id", UserId::parse)?,
        name: row.parse("name", PrincipalName::parse)?,
        description: row.text("description")?,
        enabled: row.flag("enabled")?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

#[async_trait]
impl PrincipalQueries for Session {
    async fn insert_user(&mut self, user: &User) -> Result<()> {
        self.execute(
            sql("INSERT INTO users (id, name, description, enabled, created_at, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(user.id.as_str())
            .bind(user.name.as_str())
            .bind(&user.description)
            .bind(i64::from(user.enabled))
            .bind(user.created_at.unix_ms())
            .bind(user.revision),
        )
        .await
        .map(drop)
    }

    async fn user(&mut self, reference: &PrincipalReference) -> Result<Option<User>> {
        let by = if looks_like_id(reference.as_str()) {
            select_user!("WHERE u.id = $1")
        } else {
            select_user!("WHERE u.name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_user).transpose()
    }

    async fn users(&mut self, page: &PageRequest) -> Result<Page<User>> {
        let query = sql(select_user!("WHERE u.name > $1 ORDER BY u.name LIMIT $2"))
            .bind(name_after(USERS, page)?)
            .bind(one_more(clamp(page)));
        let items = self.all(query).await?.iter().map(read_user).collect::<Result<_>>()?;
        Ok(by_name(USERS, items, page, |it: &User| it.name.as_str()))
    }

    async fn count_users(&mut self) -> Result<u64> {
        let row = self.optional(sql("SELECT 'users' AS id, COUNT(*) AS found FROM users")).await?;
        read_count(row.as_ref(), USERS)
    }

    async fn update_user(&mut self, user: &User) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE users SET description = $3, enabled = $4, revision = revision + 1 \
                     WHERE id = $1 AND revision = $2")
                .bind(user.id.as_str())
                .bind(user.revision)
                .bind(&user.description)
                .bind(i64::from(user.enabled)),
            )
            .await?;
        swapped(rows, USERS)
    }

    async fn delete_user(&mut self, id: &UserId, revision: i64) -> Result<()> {
        self.execute(
            sql("DELETE FROM group_members WHERE user_id = $1 \
                 AND EXISTS (SELECT 1 FROM users WHERE id = $1 AND revision = $2)")
            .bind(id.as_str())
            .bind(revision),
        )
        .await?;
        let rows = self
            .execute(sql("DELETE FROM users WHERE id = $1 AND revision = $2").bind(id.as_str()).bind(revision))
            .await?;
        swapped(rows, USERS)
    }

    async fn insert_group(&mut self, group: &Group) -> Result<()> {
        self.execute(
            sql("INSERT INTO user_groups (id, name, description, created_at, revision) VALUES ($1, $2, $3, $4, $5)")
                .bind(group.id.as_str())
                .bind(group.name.as_str())
                .bind(&group.description)
                .bind(group.created_at.unix_ms())
                .bind(group.revision),
        )
        .await
        .map(drop)
    }

    async fn group(&mut self, reference: &PrincipalReference) -> Result<Option<Group>> {
        let by = if looks_like_id(reference.as_str()) {
            select_group!("WHERE g.id = $1")
        } else {
            select_group!("WHERE g.name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_group).transpose()
    }

    async fn groups(&mut self, page: &PageRequest) -> Result<Page<Group>> {
        let query = sql(select_group!("WHERE g.name > $1 ORDER BY g.name LIMIT $2"))
            .bind(name_after(GROUPS, page)?)
            .bind(one_more(clamp(page)));
        let items = self.all(query).await?.iter().map(read_group).collect::<Result<_>>()?;
        Ok(by_name(GROUPS, items, page, |it: &Group| it.name.as_str()))
    }

    async fn count_groups(&mut self) -> Result<u64> {
        let row = self.optional(sql("SELECT 'user_groups' AS id, COUNT(*) AS found FROM user_groups")).await?;
        read_count(row.as_ref(), GROUPS)
    }

    async fn update_group(&mut self, group: &Group) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE user_groups SET name = $3, description = $4, revision = revision + 1 \
                     WHERE id = $1 AND revision = $2")
                .bind(group.id.as_str())
                .bind(group.revision)
                .bind(group.name.as_str())
                .bind(&group.description),
            )
            .await?;
        swapped(rows, GROUPS)
    }

    async fn delete_group(&mut self, id: &GroupId, revision: i64) -> Result<()> {
        self.execute(
            sql("DELETE FROM group_members WHERE group_id = $1 \
                 AND EXISTS (SELECT 1 FROM user_groups WHERE id = $1 AND revision = $2)")
            .bind(id.as_str())
            .bind(revision),
        )
        .await?;
        let rows = self
            .execute(sql("DELETE FROM user_groups WHERE id = $1 AND revision = $2").bind(id.as_str()).bind(revision))
            .await?;
        swapped(rows, GROUPS)
    }

    async fn add_member(&mut self, group: &GroupId, user: &UserId) -> Result<bool> {
        let rows = self
            .execute(
                sql("INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) \
                     ON CONFLICT (group_id, user_id) DO NOTHING")
                .bind(group.as_str())
                .bind(user.as_str()),
            )
            .await?;
        Ok(rows > 0)
    }

    async fn remove_member(&mut self, group: &GroupId, user: &UserId) -> Result<bool> {
        let rows = self
            .execute(
                sql("DELETE FROM group_members WHERE group_id = $1 AND user_id = $2")
                    .bind(group.as_str())
                    .bind(user.as_str()),
            )
            .await?;
        Ok(rows > 0)
    }

    async fn members(&mut self, group: &GroupId, page: &PageRequest) -> Result<Page<User>> {
        let rows = self
            .all(
                sql(select_user!(
                    "JOIN group_members m ON m.user_id = u.id WHERE m.group_id = $1 AND u.name > $2 ORDER BY u.name LIMIT $3"
                ))
                .bind(group.as_str())
                .bind(name_after(MEMBERS, page)?)
                .bind(one_more(clamp(page))),
            )
            .await?;
        let items = rows.iter().map(read_user).collect::<Result<_>>()?;
        Ok(by_name(MEMBERS, items, page, |it: &User| it.name.as_str()))
    }

    async fn enabled_members(&mut self, group: &GroupId) -> Result<u64> {
        let query = sql("SELECT 'group_members' AS id, COUNT(*) AS found FROM group_members m \
                         JOIN users u ON u.id = m.user_id WHERE m.group_id = $1 AND u.enabled = 1");
        let row = self.optional(query.bind(group.as_str())).await?;
        read_count(row.as_ref(), MEMBERS)
    }

    async fn count_memberships(&mut self) -> Result<u64> {
        let row = self.optional(sql("SELECT 'group_members' AS id, COUNT(*) AS found FROM group_members")).await?;
        read_count(row.as_ref(), MEMBERS)
    }

    async fn groups_of(&mut self, user: &UserId) -> Result<Vec<Group>> {
        let rows = self
            .all(
                sql(select_group!(
                    "JOIN group_members m ON m.group_id = g.id WHERE m.user_id = $1 ORDER BY g.name LIMIT $2"
                ))
                .bind(user.as_str())
                .bind(i64::from(MAX_GROUPS)),
            )
            .await?;
        rows.iter().map(read_group).collect()
    }

    async fn insert_dynamic_group(&mut self, group: &DynamicGroup) -> Result<()> {
        self.execute(
            sql("INSERT INTO dynamic_groups (id, name, description, matching_rule, created_at, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(group.id.as_str())
            .bind(group.name.as_str())
            .bind(&group.description)
            .bind(&group.matching_rule)
            .bind(group.created_at.unix_ms())
            .bind(group.revision),
        )
        .await
        .map(drop)
    }

    async fn dynamic_group(&mut self, reference: &PrincipalReference) -> Result<Option<DynamicGroup>> {
        let by = if looks_like_id(reference.as_str()) {
            select_dynamic_group!("WHERE id = $1")
        } else {
            select_dynamic_group!("WHERE name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_dynamic_group).transpose()
    }

    async fn dynamic_groups(&mut self, page: &PageRequest) -> Result<Page<DynamicGroup>> {
        let query = sql(select_dynamic_group!("WHERE name > $1 ORDER BY name LIMIT $2"))
            .bind(name_after(DYNAMIC_GROUPS, page)?)
            .bind(one_more(clamp(page)));
        let items = self.all(query).await?.iter().map(read_dynamic_group).collect::<Result<_>>()?;
        Ok(by_name(DYNAMIC_GROUPS, items, page, |it: &DynamicGroup| it.name.as_str()))
    }

    async fn count_dynamic_groups(&mut self) -> Result<u64> {
        let row = self.optional(sql("SELECT 'dynamic_groups' AS id, COUNT(*) AS found FROM dynamic_groups")).await?;
        read_count(row.as_ref(), DYNAMIC_GROUPS)
    }

    async fn update_dynamic_group(&mut self, group: &DynamicGroup) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE dynamic_groups SET name = $3, description = $4, matching_rule = $5, revision = revision + 1 \
                     WHERE id = $1 AND revision = $2")
                .bind(group.id.as_str())
                .bind(group.revision)
                .bind(group.name.as_str())
                .bind(&group.description)
                .bind(&group.matching_rule),
            )
            .await?;
        swapped(rows, DYNAMIC_GROUPS)
    }

    async fn delete_dynamic_group(&mut self, id: &DynamicGroupId, revision: i64) -> Result<()> {
        let rows = self
            .execute(sql("DELETE FROM dynamic_groups WHERE id = $1 AND revision = $2").bind(id.as_str()).bind(revision))
            .await?;
        swapped(rows, DYNAMIC_GROUPS)
    }
}
