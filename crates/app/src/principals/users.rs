//! Users.

use super::{find_user, refuse_without_administrator};
use crate::audit::Target;
use crate::change::{check_if_match, name_conflict, too_many};
use crate::{App, Call, Error, Permission};
use certwright_domain::access::{Group, MAX_USERS, PrincipalReference, User};
use certwright_domain::id::UserId;
use certwright_domain::principal::PrincipalName;
use certwright_store::{Page, PageRequest};

/// A user to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Name.
    pub name: PrincipalName,
    /// For people.
    pub description: String,
    /// Is it let in?
    pub enabled: bool,
}

/// Changes to a user; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateUser {
    /// For people.
    pub description: Option<String>,
    /// Is it let in?
    pub enabled: Option<bool>,
}

impl App {
    /// Makes a user, who is in no group yet.
    pub async fn create_user(&self, call: &Call, new: NewUser) -> Result<User, Error> {
        self.may(call, Permission::UserManage, "user")?;
        let now = self.now();
        let NewUser { name, description, enabled } = new;
        let id = UserId::new(now, self.inner.id_entropy());
        let user = User { id, name, description, enabled, created_at: now, revision: 1 };
        let mut change = self.inner.begin_access_change(call, "user.create").await?;
        if change.count_users().await? >= u64::from(MAX_USERS) {
            return Err(too_many("too_many_users", "users", MAX_USERS));
        }
        change.insert_user(&user).await.map_err(|error| name_conflict(error, "user", &user.name))?;
        let enabled = user.enabled.to_string();
        let details = [("enabled", enabled.as_str())];
        change.insert_audit(&self.inner.audit(call, "user.create", target(&user), &details)).await?;
        change.commit().await?;
        Ok(user)
    }

    /// Users by name.
    pub async fn users(&self, call: &Call, page: &PageRequest) -> Result<Page<User>, Error> {
        self.may(call, Permission::UserList, "user")?;
        Ok(self.inner.store.read().await?.users(page).await?)
    }

    /// One user with its groups.
    pub async fn user(&self, call: &Call, user: &PrincipalReference) -> Result<(User, Vec<Group>), Error> {
        self.may(call, Permission::UserRead, "user")?;
        let mut read = self.inner.store.read().await?;
        let user = find_user(&mut *read, user).await?;
        let groups = read.groups_of(&user.id).await?;
        Ok((user, groups))
    }

    /// Changes a user; one that is disabled is let in no more from now on. `if_match` is checked when given.
    pub async fn update_user(
        &self,
        call: &Call,
        user: &PrincipalReference,
        update: UpdateUser,
        if_match: Option<i64>,
    ) -> Result<(User, Vec<Group>), Error> {
        self.may(call, Permission::UserManage, "user")?;
        let mut change = self.inner.begin_access_change(call, "user.update").await?;
        let before = find_user(&mut **change, user).await?;
        check_if_match(if_match, before.revision)?;
        let groups = change.groups_of(&before.id).await?;
        let UpdateUser { description, enabled } = update;
        let mut user = before.clone();
        user.description = description.unwrap_or(user.description);
        user.enabled = enabled.unwrap_or(user.enabled);
        if user == before {
            change.undo().await?;
            return Ok((before, groups));
        }
        change.update_user(&user).await?;
        refuse_without_administrator(&mut **change).await?;
        let enabled = user.enabled.to_string();
        let details = [("enabled", enabled.as_str())];
        change.insert_audit(&self.inner.audit(call, "user.update", target(&user), &details)).await?;
        change.commit().await?;
        user.revision = user.revision.saturating_add(1);
        Ok((user, groups))
    }

    /// Deletes a user: its tokens are revoked and its memberships end in the same transaction. `if_match` is checked when
    /// given.
    pub async fn delete_user(
        &self,
        call: &Call,
        user: &PrincipalReference,
        if_match: Option<i64>,
    ) -> Result<(), Error> {
        self.may(call, Permission::UserManage, "user")?;
        let mut change = self.inner.begin_access_change(call, "user.delete").await?;
        let user = find_user(&mut **change, user).await?;
        check_if_match(if_match, user.revision)?;
        let revoked = change.revoke_tokens_of(&user.name, self.now()).await?;
        change.delete_user(&user.id, user.revision).await?;
        refuse_without_administrator(&mut **change).await?;
        let tokens = revoked.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ");
        let details = [("revokedTokens", tokens.as_str())];
        change.insert_audit(&self.inner.audit(call, "user.delete", target(&user), &details)).await?;
        change.commit().await
    }
}

fn target(user: &User) -> Target<'_> {
    Target { kind: "user", id: user.id.as_str(), name: user.name.as_str() }
}
