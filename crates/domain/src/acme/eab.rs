//! External account bindings (RFC 8555 section 7.3.4): keys that an operator hands out, and what an account gets by one.

use crate::id::{AcmeDirectoryId, EabKeyId};
use crate::identity::AllowedNames;
use crate::name::ResourceName;
use crate::san::San;
use crate::time::Timestamp;

/// The names that an account may order certificates for, beyond what directory and profile say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameGrant {
    /// Patterns; `None`: directory and profile alone decide.
    pub names: Option<AllowedNames>,
}

impl NameGrant {
    /// Does it let this name through?
    pub fn allows(&self, name: &San) -> bool {
        self.names.as_ref().is_none_or(|names| names.allows(name))
    }

    /// Does it name it? What is named may do without a challenge where the directory says so; what is only not forbidden may
    /// not.
    pub fn vouches_for(&self, name: &San) -> bool {
        self.names.as_ref().is_some_and(|names| names.allows(name))
    }
}

/// A key for external account bindings. The secret itself is derived from its id and never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EabKey {
    /// Id: the `kid` of clients.
    pub id: EabKeyId,
    /// The directory whose accounts it binds.
    pub directory: AcmeDirectoryId,
    /// Name, unique in its directory among keys that are not revoked.
    pub name: ResourceName,
    /// What accounts that are bound by it may have.
    pub grant: NameGrant,
    /// How many accounts it may still bind; `None`: any number.
    pub uses_left: Option<u32>,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last bound an account.
    pub last_used_at: Option<Timestamp>,
    /// Grows with every change.
    pub revision: i64,
}
