//! Dynamic groups: their members are found by a rule.

use crate::audit::Target;
use crate::change::{check_if_match, name_conflict, too_many};
use crate::policies::unreadable;
use crate::{App, Call, Error, Permission};
use certwright_domain::access::{DynamicGroup, MAX_GROUPS, PrincipalReference};
use certwright_domain::id::DynamicGroupId;
use certwright_domain::policy::MatchingRule;
use certwright_domain::principal::PrincipalName;
use certwright_store::{Page, PageRequest, Queries};

/// A dynamic group to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDynamicGroup {
    /// Name.
    pub name: PrincipalName,
    /// For people.
    pub description: String,
    /// Which principals are in it.
    pub matching_rule: String,
}

/// Changes to a dynamic group; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateDynamicGroup {
    /// For people.
    pub description: Option<String>,
    /// Which principals are in it.
    pub matching_rule: Option<String>,
}

impl App {
    /// Makes a dynamic group.
    pub async fn create_dynamic_group(&self, call: &Call, new: NewDynamicGroup) -> Result<DynamicGroup, Error> {
        self.may(call, Permission::DynamicGroupManage, "dynamic group")?;
        check_rule(&new.matching_rule)?;
        let now = self.now();
        let NewDynamicGroup { name, description, matching_rule } = new;
        let id = DynamicGroupId::new(now, self.inner.id_entropy());
        let group = DynamicGroup { id, name, description, matching_rule, created_at: now, revision: 1 };
        let mut change = self.inner.begin_access_change(call, "dynamic-group.create").await?;
        if change.count_dynamic_groups().await? >= u64::from(MAX_GROUPS) {
            return Err(too_many("too_many_dynamic_groups", "dynamic groups", MAX_GROUPS));
        }
        self.may_shape(&mut **change, call, &group).await?;
        let inserted = change.insert_dynamic_group(&group).await;
        inserted.map_err(|error| name_conflict(error, "dynamic group", &group.name))?;
        let details = [("matchingRule", group.matching_rule.as_str())];
        change.insert_audit(&self.inner.audit(call, "dynamic-group.create", target(&group), &details)).await?;
        change.commit().await?;
        Ok(group)
    }

    /// Dynamic groups by name.
    pub async fn dynamic_groups(&self, call: &Call, page: &PageRequest) -> Result<Page<DynamicGroup>, Error> {
        self.may(call, Permission::DynamicGroupList, "dynamic group")?;
        Ok(self.inner.store.read().await?.dynamic_groups(page).await?)
    }

    /// One dynamic group.
    pub async fn dynamic_group(&self, call: &Call, group: &PrincipalReference) -> Result<DynamicGroup, Error> {
        self.may(call, Permission::DynamicGroupRead, "dynamic group")?;
        find(&mut *self.inner.store.read().await?, group).await
    }

    /// Changes a dynamic group. `if_match` is checked when given.
    pub async fn update_dynamic_group(
        &self,
        call: &Call,
        group: &PrincipalReference,
        update: UpdateDynamicGroup,
        if_match: Option<i64>,
    ) -> Result<DynamicGroup, Error> {
        self.may(call, Permission::DynamicGroupManage, "dynamic group")?;
        update.matching_rule.as_deref().map_or(Ok(()), check_rule)?;
        let mut change = self.inner.begin_access_change(call, "dynamic-group.update").await?;
        let before = find(&mut **change, group).await?;
        check_if_match(if_match, before.revision)?;
        let mut group = before.clone();
        let UpdateDynamicGroup { description, matching_rule } = update;
        group.description = description.unwrap_or(group.description);
        group.matching_rule = matching_rule.unwrap_or(group.matching_rule);
        if group == before {
            change.undo().await?;
            return Ok(before);
        }
        if group.matching_rule != before.matching_rule {
            self.may_shape(&mut **change, call, &group).await?;
        }
        change.update_dynamic_group(&group).await?;
        let details =
            [("matchingRule", group.matching_rule.as_str()), ("oldMatchingRule", before.matching_rule.as_str())];
        change.insert_audit(&self.inner.audit(call, "dynamic-group.update", target(&group), &details)).await?;
        change.commit().await?;
        group.revision = group.revision.saturating_add(1);
        Ok(group)
    }

    /// Deletes a dynamic group. `if_match` is checked when given.
    pub async fn delete_dynamic_group(
        &self,
        call: &Call,
        group: &PrincipalReference,
        if_match: Option<i64>,
    ) -> Result<(), Error> {
        self.may(call, Permission::DynamicGroupManage, "dynamic group")?;
        let mut change = self.inner.begin_access_change(call, "dynamic-group.delete").await?;
        let group = find(&mut **change, group).await?;
        check_if_match(if_match, group.revision)?;
        change.delete_dynamic_group(&group.id, group.revision).await?;
        change.insert_audit(&self.inner.audit(call, "dynamic-group.delete", target(&group), &[])).await?;
        change.commit().await
    }
}

async fn find(queries: &mut dyn Queries, reference: &PrincipalReference) -> Result<DynamicGroup, Error> {
    queries.dynamic_group(reference).await?.ok_or_else(|| Error::not_found("dynamic group", reference))
}

fn target(group: &DynamicGroup) -> Target<'_> {
    Target { kind: "dynamic-group", id: group.id.as_str(), name: group.name.as_str() }
}

fn check_rule(rule: &str) -> Result<(), Error> {
    MatchingRule::parse(rule)
        .map(drop)
        .map_err(|error| Error::invalid("/matchingRule", unreadable("invalid_matching_rule", &error)))
}
