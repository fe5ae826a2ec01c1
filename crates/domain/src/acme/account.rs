//! Accounts (RFC 8555 section 7.1.2).

use super::{Contact, NameGrant};
use crate::algorithm::named_enum;
use crate::id::{AcmeAccountId, AcmeDirectoryId, EabKeyId};
use crate::serial::Sha256;
use crate::time::Timestamp;

named_enum! {
    /// What an account is (RFC 8555 section 7.1.6).
    AccountState, "invalid_account_status", "account status" {
        /// In use.
        Valid = "valid",
        /// Ended by its holder.
        Deactivated = "deactivated",
        /// Ended by an operator.
        Revoked = "revoked",
    }
}

/// An account: a key, in one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Id; the last part of its URL.
    pub id: AcmeAccountId,
    /// Its directory.
    pub directory: AcmeDirectoryId,
    /// Its public key: the JWK with its required members alone, in the order of RFC 7638.
    pub key: String,
    /// SHA-256 of that (RFC 7638).
    pub thumbprint: Sha256,
    /// State.
    pub state: AccountState,
    /// Contacts.
    pub contacts: Vec<Contact>,
    /// When its holder agreed to the terms.
    pub terms_agreed_at: Option<Timestamp>,
    /// The key of its external account binding.
    pub eab_key: Option<EabKeyId>,
    /// What that key lets it have; copied when it was bound.
    pub grant: NameGrant,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change.
    pub revision: i64,
}
