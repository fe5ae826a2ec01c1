//! Groups and who is in them.

use super::{find_group, find_user, last_administrator, refuse_without_administrator};
use crate::audit::Target;
use crate::change::{check_if_match, name_conflict, too_many};
use crate::{App, Call, Error, Permission};
use certwright_domain::access::{Group, MAX_GROUPS, MAX_MEMBERSHIPS, PrincipalReference, User};
use certwright_domain::id::GroupId;
use certwright_domain::principal::PrincipalName;
use certwright_store::{Page, PageRequest};

/// A group to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Name.
    pub name: PrincipalName,
    /// For people.
    pub description: String,
}

/// Changes to a group; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateGroup {
    /// For people.
    pub description: Option<String>,
}

impl App {
    /// Makes a group without members.
    pub async fn create_group(&self, call: &Call, new: NewGroup) -> Result<Group, Error> {
        self.may(call, Permission::GroupManage, "group")?;
        let now = self.now();
        let NewGroup { name, description } = new;
        let id = GroupId::new(now, self.inner.id_entropy());
        let group = Group { id, name, description, created_at: now, revision: 1 };
        let mut change = self.inner.begin_access_change(call, "group.create").await?;
        if change.count_groups().await? >= u64::from(MAX_GROUPS) {
            return Err(too_many("too_many_groups", "groups", MAX_GROUPS));
        }
        change.insert_group(&group).await.map_err(|error| name_conflict(error, "group", &group.name))?;
        change.insert_audit(&self.inner.audit(call, "group.create", target(&group), &[])).await?;
        change.commit().await?;
        Ok(group)
    }

    /// Groups by name.
    pub async fn groups(&self, call: &Call, page: &PageRequest) -> Result<Page<Group>, Error> {
        self.may(call, Permission::GroupList, "group")?;
        Ok(self.inner.store.read().await?.groups(page).await?)
    }

    /// One group.
    pub async fn group(&self, call: &Call, group: &PrincipalReference) -> Result<Group, Error> {
        self.may(call, Permission::GroupRead, "group")?;
        find_group(&mut *self.inner.store.read().await?, group).await
    }

    /// Members of a group, by name.
    pub async fn members(
        &self,
        call: &Call,
        group: &PrincipalReference,
        page: &PageRequest,
    ) -> Result<Page<User>, Error> {
        self.may(call, Permission::GroupRead, "group")?;
        let mut read = self.inner.store.read().await?;
        let group = find_group(&mut *read, group).await?;
        Ok(read.members(&group.id, page).await?)
    }

    /// Changes a group. `if_match` is checked when given.
    pub async fn update_group(
        &self,
        call: &Call,
        group: &PrincipalReference,
        update: UpdateGroup,
        if_match: Option<i64>,
    ) -> Result<Group, Error> {
        self.may(call, Permission::GroupManage, "group")?;
        let mut change = self.inner.begin_access_change(call, "group.update").await?;
        let before = find_group(&mut **change, group).await?;
        check_if_match(if_match, before.revision)?;
        let mut group = before.clone();
        group.description = update.description.unwrap_or(group.description);
        if group == before {
            change.undo().await?;
            return Ok(before);
        }
        change.update_group(&group).await?;
        change.insert_audit(&self.inner.audit(call, "group.update", target(&group), &[])).await?;
        change.commit().await?;
        group.revision = group.revision.saturating_add(1);
        Ok(group)
    }

    /// Deletes a group with its memberships; `administrators` stays. `if_match` is checked when given.
    pub async fn delete_group(
        &self,
        call: &Call,
        group: &PrincipalReference,
        if_match: Option<i64>,
    ) -> Result<(), Error> {
        self.may(call, Permission::GroupManage, "group")?;
        let mut change = self.inner.begin_access_change(call, "group.delete").await?;
        let group = find_group(&mut **change, group).await?;
        check_if_match(if_match, group.revision)?;
        if group.id == GroupId::administrators() {
            return Err(last_administrator("The group `administrators` cannot be deleted."));
        }
        change.delete_group(&group.id, group.revision).await?;
        change.insert_audit(&self.inner.audit(call, "group.delete", target(&group), &[])).await?;
        change.commit().await
    }

    /// Has a user in a group, or not in it; doing so twice changes nothing more.
    pub async fn set_membership(
        &self,
        call: &Call,
        group: &PrincipalReference,
        user: &PrincipalReference,
        is_member: bool,
    ) -> Result<(Group, User), Error> {
        self.may(call, Permission::GroupManage, "group")?;
        let action = if is_member { "group.add-member" } else { "group.remove-member" };
        let mut change = self.inner.begin_access_change(call, action).await?;
        let group = find_group(&mut **change, group).await?;
        let user = find_user(&mut **change, user).await?;
        if is_member {
            self.may_join(&mut **change, call, &group, &user).await?;
        }
        let changed = match is_member {
            true => change.add_member(&group.id, &user.id).await?,
            false => change.remove_member(&group.id, &user.id).await?,
        };
        if !changed {
            change.undo().await?;
            return Ok((group, user));
        }
        if is_member && change.count_memberships().await? > u64::from(MAX_MEMBERSHIPS) {
            return Err(too_many("too_many_memberships", "memberships", MAX_MEMBERSHIPS));
        }
        refuse_without_administrator(&mut **change).await?;
        let details = [("user", user.name.as_str()), ("userId", user.id.as_str())];
        change.insert_audit(&self.inner.audit(call, action, target(&group), &details)).await?;
        change.commit().await?;
        Ok((group, user))
    }
}

fn target(group: &Group) -> Target<'_> {
    Target { kind: "group", id: group.id.as_str(), name: group.name.as_str() }
}
