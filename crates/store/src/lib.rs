//! Storage: SQLite and PostgreSQL behind one set of statements.
//!
//! **Contract.** A [`Tx`] that has been committed is on disk (SQLite WAL with `synchronous=FULL`, PostgreSQL with
//! `synchronous_commit=on`); dropping it rolls back. Nothing is retried in here. State changes are compare-and-swap:
//! zero rows is [`Error::Stale`]. A unique key that already exists is [`Error::Conflict`]. "Not found" is `None`.
//! Only this crate uses sqlx; rows never leave it.

mod error;
mod model;
mod queries_trait;

pub use error::Error;
pub use model::*;
pub use queries_trait::*;

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file; made when it is missing.
    Sqlite(PathBuf),
    /// A `postgres://` URL. May hold a password: never print it.
    Postgres(String),
}

/// Which database answers; for logs, metrics and `/readyz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A seam for tests: told of every commit, may turn it into a failure before or after it took effect.
pub trait CommitFaults: Send + Sync {
    /// Called before the commit of the transaction `name`; an error means it was not stored.
    fn before(&self, name: &'static str) -> Result<(), Error>;
    /// Called after the commit; an error means it was stored but the caller does not learn so.
    fn after(&self, name: &'static str) -> Result<(), Error>;
}

/// Production: no faults.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;
impl CommitFaults for NoFaults {
    fn before(&self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }
    fn after(&self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    faults: Arc<dyn CommitFaults>,
}

/// An open write transaction. [`Tx::commit`] makes it durable; dropping it rolls back.
pub struct Tx<'s> {
    inner: Box<dyn Queries + 's>,
}

/// A read connection: sees committed data only; writing on it fails.
pub struct Reader<'s> {
    inner: Box<dyn Queries + 's>,
}

/// The group commit of the issuing path: concurrent [`Recorder::record`] calls share one durable transaction.
#[derive(Clone)]
pub struct Recorder {}

impl Store {
    /// Opens the database without touching its schema. SQLite older than 3.51.3 is refused.
    pub async fn open(location: &Location, faults: Arc<dyn CommitFaults>) -> Result<Self, Error> {
        let _ = (location, &faults);
        todo!()
    }
    /// Applies missing migrations. A schema newer than this program is [`Error::Schema`].
    pub async fn migrate(&self) -> Result<(), Error> {
        todo!()
    }
    /// Migrations that are not applied yet, by name.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, Error> {
        todo!()
    }
    /// Which database.
    pub fn backend(&self) -> Backend {
        let _ = &self.faults;
        todo!()
    }
    /// Begins a write transaction; `name` labels logs, metrics and faults.
    pub async fn begin(&self, name: &'static str) -> Result<Tx<'static>, Error> {
        let _ = name;
        todo!()
    }
    /// Takes a read connection.
    pub async fn read(&self) -> Result<Reader<'static>, Error> {
        todo!()
    }
    /// The group commit.
    pub fn recorder(&self) -> Recorder {
        todo!()
    }
    /// Is the database there? Used by `/readyz`.
    pub async fn ping(&self) -> Result<(), Error> {
        todo!()
    }
    /// Finishes the group commit's queue and closes the connections.
    pub async fn close(&self) {
        todo!()
    }
}

impl Tx<'_> {
    /// Makes the transaction durable.
    pub async fn commit(self) -> Result<(), Error> {
        todo!()
    }
    /// Undoes it.
    pub async fn rollback(self) -> Result<(), Error> {
        todo!()
    }
}

impl<'s> Deref for Tx<'s> {
    type Target = dyn Queries + 's;
    fn deref(&self) -> &Self::Target {
        &*self.inner
    }
}
impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.inner
    }
}
impl<'s> Deref for Reader<'s> {
    type Target = dyn Queries + 's;
    fn deref(&self) -> &Self::Target {
        &*self.inner
    }
}
impl DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.inner
    }
}

impl Recorder {
    /// Stores the certificate with its audit event. Returns once the row is on disk. [`Error::Stale`]: the epoch is not
    /// the recording's any more, nothing was stored. [`Error::Conflict`]: serial or fingerprint exist.
    /// One bad recording does not fail the others of its batch.
    pub async fn record(&self, recording: Recording) -> Result<(), Error> {
        let _ = recording;
        todo!()
    }
}
