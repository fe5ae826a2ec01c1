//! The statements: one body for both databases, mounted twice (see the crate's documentation). `super` is the mount: it
//! brings the driver, its connection and the named constants in which the databases differ.

mod access;
pub(crate) mod acme;
mod attempts;
mod audit;
mod ca_bundles;
mod cas;
mod certificate_trusts;
pub(crate) mod certificates;
mod crl_rows;
mod crls;
mod early_renewals;
mod enrollment;
mod events;
mod identity;
mod issued;
mod keys;
mod known_serials;
pub(crate) mod lane;
pub(crate) mod migrate;
pub(crate) mod nonces;
pub(crate) mod ocsp;
mod page;
mod parts;
mod profiles;
mod publications;
mod reading;
mod revocations;
pub(crate) mod search;
mod session;
mod shipping;
mod system;
mod tokens;
mod vaults;
mod walk;
mod webhooks;

pub(crate) use session::Session;

use super::{Connection, Database, Driver, Held, Row};
use crate::Error;
use page::{clamp, name_cursor, name_page, names_after};
use reading::Reading;

type Result<T> = std::result::Result<T, Error>;
/// A statement with its bound values.
type Statement<'q> = sqlx::query::Query<'q, Driver, <Driver as sqlx::Database>::Arguments>;

/// A statement from its text.
fn sql<'q>(text: &'static str) -> Statement<'q> {
    sqlx::query(text)
}

/// Zero rows changed: the row was not as the caller thought.
fn swapped(rows: u64, table: &'static str) -> Result<()> {
    if rows == 0 { Err(Error::Stale { what: table }) } else { Ok(()) }
}
