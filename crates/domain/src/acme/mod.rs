//! ACME (RFC 8555): what directories, accounts, orders, authorizations and challenges are, and which steps they may take.
//!
//! **Invariants.** What an order is (`ready`, `invalid`) follows from its authorizations and the time ([`Order::state`]):
//! stored are only the ends, so nothing has to be kept in step, and no crash leaves an order in between. Ends are final.
//! A name's proof belongs to one account, and a wildcard's proof is one of its own.

mod account;
mod authorization;
mod challenge;
mod contact;
mod directory;
mod eab;
mod identifier;
mod order;
mod window;

pub use account::{Account, AccountState};
pub use authorization::{Attempt, Authorization, AuthorizationState, Challenge, ChallengeState, MAX_ATTEMPTS};
pub use challenge::{Failure, FailureKind, Method};
pub use contact::Contact;
pub use directory::{Directory, DirectorySettings, RawDirectory};
pub use eab::{EabKey, NameGrant};
pub use identifier::{Identifier, IdentifierFault, MAX_IDENTIFIERS};
pub use order::{Order, OrderEnd, OrderError, OrderState};
pub use window::{RenewalWindow, renewal_window};

#[cfg(test)]
mod tests;
