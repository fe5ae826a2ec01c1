//! Access: who there is, where things lie, what policies say.

mod compartments;
mod groups;
mod policies;
mod principals;

use super::super::LOCK_EPOCH;
use super::system::read_epoch;
use super::{Error, Reading, Result, Row, Session, sql};
use crate::{AccessQueries, AccessSnapshot};
use async_trait::async_trait;
use certwright_domain::access::{MAX_COMPARTMENTS, MAX_GROUPS, MAX_MEMBERSHIPS, MAX_POLICIES, MAX_USERS};
use certwright_domain::id::{GroupId, UserId};

/// The rows, if there are no more than there may be: leaving some out would change what is decided.
fn bounded(rows: Vec<Row>, most: u32, table: &str) -> Result<Vec<Row>> {
    if rows.len() > usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(Error::Driver(format!("{table} has more than {most} rows")));
    }
    Ok(rows)
}

/// One more than there may be, to see whether there are more.
fn beyond(most: u32) -> i64 {
    i64::from(most).saturating_add(1)
}

/// The only row of `SELECT 'table' AS id, COUNT(*) AS found FROM table …`.
fn read_count(row: Option<&Row>, table: &'static str) -> Result<u64> {
    let row = row.ok_or_else(|| Error::Corrupt { table, column: "found", row: String::new() })?;
    let row = Reading::of(row, table, "id")?;
    u64::try_from(row.get::<i64>("found")?).map_err(|_| row.corrupt("found"))
}

fn read_membership(row: &Row) -> Result<(GroupId, UserId)> {
    let row = Reading::of(row, "group_members", "group_id")?;
    Ok((row.parse("group_id", GroupId::parse)?, row.parse("user_id", UserId::parse)?))
}

#[async_trait]
impl AccessQueries for Session {
    async fn access_epoch(&mut self) -> Result<i64> {
        let row = self.optional(sql("SELECT access AS number FROM epoch WHERE id = 1")).await?;
        read_epoch(row.as_ref())
    }

    async fn bump_access(&mut self) -> Result<i64> {
        self.execute(sql(LOCK_EPOCH)).await?;
        let row = self
            .optional(sql("UPDATE epoch SET number = number + 1, access = access + 1 WHERE id = 1 RETURNING number"))
            .await?;
        read_epoch(row.as_ref())
    }

    async fn access_snapshot(&mut self) -> Result<AccessSnapshot> {
        use crate::{CompartmentQueries as _, SystemQueries as _};
        let epoch = self.epoch().await?;
        let access = self.access_epoch().await?;
        let compartments = self.all_compartments().await?;
        let users = self.all(sql(principals::ALL_USERS).bind(beyond(MAX_USERS))).await?;
        let groups = self.all(sql(groups::ALL_GROUPS).bind(beyond(MAX_GROUPS))).await?;
        let members = self
            .all(
                sql("SELECT group_id, user_id FROM group_members ORDER BY group_id, user_id LIMIT $1")
                    .bind(beyond(MAX_MEMBERSHIPS)),
            )
            .await?;
        let dynamic_groups = self.all(sql(groups::ALL_DYNAMIC_GROUPS).bind(beyond(MAX_GROUPS))).await?;
        let policies = self.all(sql(policies::ALL_POLICIES).bind(beyond(MAX_POLICIES))).await?;
        Ok(AccessSnapshot {
            epoch,
            access,
            compartments,
            users: read_all(users, MAX_USERS, "users", principals::read_user)?,
            groups: read_all(groups, MAX_GROUPS, "user_groups", groups::read_group)?,
            members: read_all(members, MAX_MEMBERSHIPS, "group_members", read_membership)?,
            dynamic_groups: read_all(dynamic_groups, MAX_GROUPS, "dynamic_groups", groups::read_dynamic_group)?,
            policies: read_all(policies, MAX_POLICIES, "policies", policies::read_policy)?,
        })
    }
}

/// Reads rows that were asked for with a limit [`beyond`] what there may be.
fn read_all<T>(rows: Vec<Row>, most: u32, table: &str, read: impl Fn(&Row) -> Result<T>) -> Result<Vec<T>> {
    bounded(rows, most, table)?.iter().map(read).collect()
}

/// The compartments, which are bounded too.
fn most_compartments() -> (i64, u32) {
    (beyond(MAX_COMPARTMENTS), MAX_COMPARTMENTS)
}
