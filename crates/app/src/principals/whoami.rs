//! Who a caller is.

use crate::{App, Call, Error};
use certwright_domain::access::{Group, PrincipalReference, User};
use certwright_domain::token::Token;

/// What is known of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Identity, as in the audit trail.
    pub principal: String,
    /// Name for people.
    pub name: String,
    /// The user it speaks for.
    pub user: Option<User>,
    /// Groups of the user, or of the machine.
    pub groups: Vec<Group>,
    /// The token it came with.
    pub token: Option<Token>,
}

impl App {
    /// Who calls? Everybody who was let in may ask.
    pub async fn whoami(&self, call: &Call) -> Result<Identity, Error> {
        let caller = &call.caller;
        let mut read = self.inner.store.read().await?;
        let user = match caller.user().map(PrincipalReference::parse) {
            Some(Ok(reference)) => read.user(&reference).await?,
            Some(Err(_)) | None => None,
        };
        let groups = match &user {
            Some(user) => read.groups_of(&user.id).await?,
            None => {
                let mut groups = Vec::new();
                for name in caller.as_workload().map(|workload| workload.groups.as_slice()).unwrap_or_default() {
                    if let Ok(reference) = PrincipalReference::parse(name) {
                        groups.extend(read.group(&reference).await?);
                    }
                }
                groups
            }
        };
        let token = match caller.token_id() {
            Some(id) => read.token(id).await?,
            None => None,
        };
        Ok(Identity { principal: caller.id(), name: caller.name().to_owned(), user, groups, token })
    }
}
