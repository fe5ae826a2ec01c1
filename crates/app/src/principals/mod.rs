//! Users, groups and dynamic groups, and who a caller is.
//!
//! **Invariant.** There is always an enabled user in the group `administrators`: nobody could let anybody in otherwise.
//! Names of users and groups stay as they were made: tokens and policies carry them.

mod dynamic_groups;
mod groups;
mod users;
mod whoami;

pub use dynamic_groups::{NewDynamicGroup, UpdateDynamicGroup};
pub use groups::{NewGroup, UpdateGroup};
pub use users::{NewUser, UpdateUser};
pub use whoami::Identity;

use crate::Error;
use certwright_domain::access::{ADMIN, ADMINISTRATORS, Group, PrincipalReference, User};
use certwright_domain::id::{GroupId, UserId};
use certwright_domain::principal::PrincipalName;
use certwright_domain::time::Timestamp;
use certwright_store::Queries;

pub(crate) async fn find_user(queries: &mut dyn Queries, reference: &PrincipalReference) -> Result<User, Error> {
    queries.user(reference).await?.ok_or_else(|| Error::not_found("user", reference))
}

async fn find_group(queries: &mut dyn Queries, reference: &PrincipalReference) -> Result<Group, Error> {
    queries.group(reference).await?.ok_or_else(|| Error::not_found("group", reference))
}

/// After a change, before its commit: is anybody left who can let others in?
async fn refuse_without_administrator(queries: &mut dyn Queries) -> Result<(), Error> {
    if queries.enabled_members(&GroupId::administrators()).await? > 0 {
        return Ok(());
    }
    Err(last_administrator("No enabled user would be left in the group `administrators`."))
}

/// What would lock everybody out.
pub(crate) fn last_administrator(detail: &str) -> Error {
    Error::conflict(
        "last_administrator",
        detail,
        "Put another enabled user into the group `administrators` first; its policy stays as it is.",
    )
}

/// Has the user `admin` as it was at the start: there, enabled, an administrator. For the door that opens when every
/// other one is shut.
pub(crate) async fn ensure_admin(queries: &mut dyn Queries, now: Timestamp) -> Result<(), Error> {
    let name = PrincipalName::parse(ADMIN).map_err(|invalid| Error::Internal(invalid.detail))?;
    let user = match queries.user(&PrincipalReference::from(&name)).await? {
        Some(user) if user.enabled => user,
        Some(user) => {
            let user = User { enabled: true, ..user };
            queries.update_user(&user).await?;
            user
        }
        None => {
            let description = "The first administrator".to_owned();
            let user = User { id: UserId::admin(), name, description, enabled: true, created_at: now, revision: 1 };
            queries.insert_user(&user).await?;
            user
        }
    };
    let administrators = GroupId::administrators();
    let group = PrincipalReference::parse(administrators.as_str()).map_err(|it| Error::Internal(it.detail))?;
    if queries.group(&group).await?.is_none() {
        return Err(Error::Internal(format!("the group {ADMINISTRATORS} is missing")));
    }
    queries.add_member(&administrators, &user.id).await?;
    Ok(())
}
