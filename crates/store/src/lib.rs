//! Storage: SQLite and PostgreSQL behind one set of statements.
//!
//! **Contract.** A [`Tx`] that has been committed is on disk (SQLite WAL with `synchronous=FULL`, PostgreSQL with
//! `synchronous_commit=on`); dropping it rolls back. The one exception are nonces ([`Store::take_acme_nonce`]): they are
//! committed *relaxed*, by a function of their own that writes nothing else. Nothing is retried in here. State changes are compare-and-swap:
//! zero rows is [`Error::Stale`]. A unique key that already exists is [`Error::Conflict`]. "Not found" is `None`.
//! Only this crate uses sqlx; rows never leave it.
//!
//! A statement that fails spoils its transaction on both databases: nothing can be committed after it.
//! ([`Error::Stale`], and [`Error::Conflict`] of an idempotency key, are answers, not failures.)
//!
//! **How it is built.** `queries` is one body of SQL and Rust that is mounted twice, as `sqlite::queries` and
//! `postgres::queries`, each time with a concrete driver. What differs stands as named constants, types and functions
//! in `sqlite` and `postgres`.
#![expect(clippy::duplicate_mod, reason = "one body of queries with two concrete drivers")]

mod access_queries;
mod acme_begin;
mod acme_queries;
mod certificate_trust_queries;
mod crl_queries;
mod cursor;
mod documents;
mod early_renewal_queries;
mod enrollment_queries;
mod error;
mod faults;
mod identity_queries;
mod migrations;
mod model;
#[cfg(test)]
mod plans;
mod pool;
mod postgres;
mod publication_queries;
mod queries_trait;
mod recorder;
mod rows;
mod session;
mod shipping_queries;
mod sqlite;

pub use access_queries::{AccessQueries, AccessSnapshot, CompartmentQueries, PolicyQueries, PrincipalQueries};
pub use acme_queries::{AcmeFilter, AcmeNonce, AcmeQueries, KnownProofs, ProofSearch};
pub use certificate_trust_queries::CertificateTrustQueries;
pub use crl_queries::{CrlQueries, ListedEntries, RevocationQueries};
pub use early_renewal_queries::EarlyRenewalQueries;
pub use enrollment_queries::EnrollmentQueries;
pub use error::Error;
pub use faults::{CommitFaults, NoFaults};
pub use identity_queries::IdentityQueries;
pub use model::*;
pub use publication_queries::PublicationQueries;
pub use queries_trait::*;
pub use recorder::Recorder;
pub use session::{Reader, Tx};
pub use shipping_queries::{Shipped, ShippingLag, ShippingQueries};

use certwright_domain::acme::{Authorization, Order};
use session::Session;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file; made when it is missing.
    Sqlite(PathBuf),
    /// A `postgres://` URL. May hold a password: never print it.
    Postgres(String),
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

/// Which database answers; for logs, metrics and `/readyz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    faults: Arc<dyn CommitFaults>,
    deliveries: Arc<Notify>,
    recorder: Recorder,
    closing: watch::Sender<bool>,
    lanes: Mutex<Vec<JoinHandle<()>>>,
}

/// The database behind a store.
enum Engine {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

impl Store {
    /// Opens the database without touching its schema. SQLite older than 3.51.3 is refused.
    ///
    /// Must be called on a tokio runtime: the group commit runs on it until the store is closed or dropped.
    pub async fn open(location: &Location, faults: Arc<dyn CommitFaults>) -> Result<Self, Error> {
        let (recorder, intake, closing) = Recorder::new();
        let intake = Arc::new(tokio::sync::Mutex::new(intake));
        let (engine, lanes) = match location {
            Location::Sqlite(path) => {
                let database = sqlite::Database::open(path).await?;
                let lanes = sqlite::queries::lane::spawn(&database, &intake, &faults);
                (Engine::Sqlite(database), lanes)
            }
            Location::Postgres(url) => {
                let database = postgres::Database::open(url).await?;
                let lanes = postgres::queries::lane::spawn(&database, &intake, &faults);
                (Engine::Postgres(database), lanes)
            }
        };
        let (deliveries, lanes) = (Arc::new(Notify::new()), Mutex::new(lanes));
        Ok(Self { shared: Arc::new(Shared { engine, faults, deliveries, recorder, closing, lanes }) })
    }

    /// Applies missing migrations. A schema newer than this program is [`Error::Schema`].
    /// Several nodes may call it at once: one works, the others wait for it.
    pub async fn migrate(&self) -> Result<(), Error> {
        match &self.shared.engine {
            Engine::Sqlite(database) => sqlite::queries::migrate::run(database).await,
            Engine::Postgres(database) => postgres::queries::migrate::run(database).await,
        }
    }

    /// Migrations that are not applied yet, by name. Changes nothing.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, Error> {
        match &self.shared.engine {
            Engine::Sqlite(database) => sqlite::queries::migrate::pending(database).await,
            Engine::Postgres(database) => postgres::queries::migrate::pending(database).await,
        }
    }

    /// Which database.
    pub fn backend(&self) -> Backend {
        match &self.shared.engine {
            Engine::Sqlite(_) => Backend::Sqlite,
            Engine::Postgres(_) => Backend::Postgres,
        }
    }

    /// Begins a write transaction; `name` labels logs, metrics and faults.
    pub async fn begin(&self, name: &'static str) -> Result<Tx<'static>, Error> {
        let session = match &self.shared.engine {
            Engine::Sqlite(database) => Session::Sqlite(sqlite::queries::Session::write(database).await?),
            Engine::Postgres(database) => Session::Postgres(postgres::queries::Session::write(database).await?),
        };
        Ok(Tx::new(session, name, Arc::clone(&self.shared.faults), Arc::clone(&self.shared.deliveries)))
    }

    /// The same for a transaction that only inserts and finds rows by their keys: PostgreSQL plans its statements once,
    /// whatever the values, which costs less than planning them and is as good for these.
    pub async fn begin_keyed(&self, name: &'static str) -> Result<Tx<'static>, Error> {
        let session = match &self.shared.engine {
            Engine::Sqlite(database) => Session::Sqlite(sqlite::queries::Session::keyed_write(database).await?),
            Engine::Postgres(database) => Session::Postgres(postgres::queries::Session::keyed_write(database).await?),
        };
        Ok(Tx::new(session, name, Arc::clone(&self.shared.faults), Arc::clone(&self.shared.deliveries)))
    }

    /// Stores an ACME order with those of its authorizations that are new, durably; `name` labels faults.
    pub async fn place_acme_order(
        &self,
        name: &'static str,
        order: &Order,
        authorizations: &[&Authorization],
    ) -> Result<(), Error> {
        self.shared.faults.before(name)?;
        match &self.shared.engine {
            Engine::Sqlite(database) => sqlite::queries::acme::at_once::place(database, order, authorizations).await?,
            Engine::Postgres(database) => {
                postgres::queries::acme::at_once::place(database, order, authorizations).await?;
            }
        }
        self.shared.faults.after(name)
    }

    /// Writes what changes of the authorization that still has `authorization.revision`, durably, and raises the revision;
    /// [`Error::Stale`]: it has another one.
    pub async fn write_acme_authorization(
        &self,
        name: &'static str,
        authorization: &Authorization,
    ) -> Result<(), Error> {
        self.shared.faults.before(name)?;
        match &self.shared.engine {
            Engine::Sqlite(database) => {
                sqlite::queries::acme::at_once::write_authorization(database, authorization).await?;
            }
            Engine::Postgres(database) => {
                postgres::queries::acme::at_once::write_authorization(database, authorization).await?;
            }
        }
        self.shared.faults.after(name)
    }

    /// Waits until a transaction of this node has stored a delivery that waits to be sent; what was stored since the last
    /// wait counts. For one waiter.
    pub async fn delivery_stored(&self) {
        self.shared.deliveries.notified().await;
    }

    /// Takes a read connection. All its reads see one snapshot.
    pub async fn read(&self) -> Result<Reader<'static>, Error> {
        let session = match &self.shared.engine {
            Engine::Sqlite(database) => Session::Sqlite(sqlite::queries::Session::read(database).await?),
            Engine::Postgres(database) => Session::Postgres(postgres::queries::Session::read(database).await?),
        };
        Ok(Reader::new(session))
    }

    /// Takes a read connection without a transaction: each read sees what is committed when it begins. For single reads by keys, or
    /// for such that need not agree (PostgreSQL plans each once, whatever the values): begin and end of a snapshot cost as much as a read each.
    pub async fn glance(&self) -> Result<Reader<'static>, Error> {
        let session = match &self.shared.engine {
            Engine::Sqlite(database) => Session::Sqlite(sqlite::queries::Session::glance(database).await?),
            Engine::Postgres(database) => Session::Postgres(postgres::queries::Session::glance(database).await?),
        };
        Ok(Reader::new(session))
    }

    /// The group commit.
    pub fn recorder(&self) -> Recorder {
        self.shared.recorder.clone()
    }

    /// Is the database there? Used by `/readyz`.
    pub async fn ping(&self) -> Result<(), Error> {
        match &self.shared.engine {
            Engine::Sqlite(database) => database.ping().await,
            Engine::Postgres(database) => database.ping().await,
        }
    }

    /// Finishes the group commit's queue and closes the connections. Open transactions are waited for.
    pub async fn close(&self) {
        self.shared.closing.send_replace(true);
        let lanes = std::mem::take(&mut *self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner));
        for lane in lanes {
            if let Err(error) = lane.await {
                tracing::error!(%error, "the group commit ended badly");
            }
        }
        match &self.shared.engine {
            Engine::Sqlite(database) => database.close().await,
            Engine::Postgres(database) => database.close().await,
        }
    }
}
