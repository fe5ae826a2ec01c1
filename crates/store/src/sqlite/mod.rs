//! SQLite: one writer connection, readers apart, everything on disk before a commit returns.

mod checkpoint;
mod insert;
mod nonces;
#[cfg(test)]
mod plans;
#[path = "../queries/mod.rs"]
pub(crate) mod queries;
#[cfg(test)]
mod relaxed;

pub(super) use insert::{insert_audit_and_commit, insert_issued, insert_recordings, record_at_once};
pub(super) use nonces::take_nonce;
use nonces::take_nonce_and_read;

use crate::Error;
use crate::migrations::Step;
use crate::pool::{Plan, Pool, Taken};
use crate::rows::Digest;
use certwright_domain::serial::Sha256;
use checkpoint::{Checkpointer, WRITER_PAGES, Written};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, QueryBuilder};
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

/// The driver that the queries are mounted with.
pub(super) type Driver = sqlx::Sqlite;
/// Its connection.
pub(super) type Connection = sqlx::SqliteConnection;
/// Its row.
pub(super) type Row = sqlx::sqlite::SqliteRow;

/// Begins a write transaction. IMMEDIATE: a read that turns into a write later would fail at once when another process
/// writes. Every beginning says first how its commit is to be synced, which cannot be changed inside a transaction: so none
/// inherits it from the one before, however that ended.
pub(super) const BEGIN_WRITE: &str = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";
/// What an insert begins with that is a transaction of its own and whose commit nobody waits for on disk: the next commit
/// that is waited for syncs the same log. Between this and [`RELAXED_ROWS`] stand rows of values.
pub(super) const RELAXED: &str =
    "PRAGMA synchronous = NORMAL; INSERT INTO acme_nonces (nonce, expires_at) SELECT v.* FROM (VALUES ";
/// What comes behind them.
pub(super) const RELAXED_ROWS: &str = ") AS v WHERE true";
/// What a statement begins with that is a transaction of its own and durable when it returns.
pub(super) const DURABLE: &str = "PRAGMA synchronous = FULL; ";
/// How several inserts become one transaction in one turn: what stands before all, before the first, between them and behind all.
pub(super) struct Together {
    pub(super) begin: &'static str,
    pub(super) first: &'static str,
    pub(super) between: &'static str,
    pub(super) end: &'static str,
}
pub(super) const TOGETHER: Together =
    Together { begin: "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; ", first: "", between: "; ", end: "; COMMIT" };
/// The counter of a CA's changes as an earlier part of the same turn leaves it (see [`begin_part`]).
pub(super) const COUNTED: &str = "crl_counters AS counted";
/// Begins a part of a turn: one of several statements that run together, one after the other.
pub(super) fn begin_part(statement: &mut QueryBuilder<Driver>, is_first: bool, _name: &'static str) {
    statement.push(if is_first { "" } else { "; " });
}
/// Ends a turn of parts: what they return comes by itself.
pub(super) fn end_parts(_statement: &mut QueryBuilder<Driver>, _returning: &[&'static str]) {}
/// The authorizations of an order `o`: `e`, with `value` and `key` (their place).
pub(super) const EACH_PROOF: &str = "json_each(o.authorizations) e";
/// Whoever relies on a row `d` keeps it from being deleted until his transaction ends: there is one writer at a time.
pub(super) const KEEP: &str = "";
/// Begins a read transaction: one snapshot.
pub(super) const BEGIN_READ: &str = "BEGIN";
/// Begins a transaction of the group commit, reads the head of the audit chain and then the epoch, which the writer's lock keeps from moving until the end.
pub(super) const BEGIN_RECORD: &str = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; \
     SELECT chain, sequence, hash FROM audit_chains ORDER BY chain DESC LIMIT 1; SELECT number FROM epoch WHERE id = 1";
/// How long the end of the group commit's chain is taken for known without a question.
pub(super) const KNOWN_FOR: Duration = Duration::MAX;
/// Takes the chain that this transaction appends to, until its end: the writer's lock holds it.
pub(super) const TAKE_CHAIN: &str = "SELECT chain, sequence, hash FROM audit_chains ORDER BY chain LIMIT 1";
/// The same when nothing was free, which cannot be.
pub(super) const WAIT_FOR_CHAIN: &str = TAKE_CHAIN;
/// Begins a migration.
pub(super) const BEGIN_MIGRATION: &str = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";
/// Keeps recordings out before the epoch is raised: the writer's lock does so already.
pub(super) const LOCK_EPOCH: &str = "SELECT 1";
/// Keeps the epoch from moving until the transaction ends: the writer's lock does so already.
pub(super) const HOLD_EPOCH: &str = "SELECT 1";
/// Is there a table that remembers migrations?
pub(super) const HAS_MIGRATIONS: &str =
    "SELECT COUNT(*) AS found FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'";
/// The table that remembers migrations.
pub(super) const MAKE_MIGRATIONS: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER NOT NULL PRIMARY KEY, \
     name TEXT NOT NULL, checksum BLOB NOT NULL) STRICT";
/// Joins the rows of the inventory, as `t`, to ids `w`, one look-up each. SQLite keeps the order of a CROSS JOIN.
pub(super) const EACH_ISSUED: &str = " CROSS JOIN issued_certificates t WHERE t.id = w.id";
/// The same for audit events.
pub(super) const EACH_AUDIT: &str = " CROSS JOIN audit_events t WHERE t.id = w.id";
/// Pushes a statement that yields the ids of the certificates with this digest. Digests are indexed by blocks of rows
/// (migration 11); every block is entered once.
pub(super) fn push_ids_by_digest(query: &mut QueryBuilder<Driver>, column: Digest, digest: &Sha256) {
    query.push(
        "SELECT i.id FROM (WITH RECURSIVE blocks (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM blocks \
         WHERE number < (SELECT MAX(row_number) >> 11 FROM issued_certificates)) SELECT number FROM blocks) AS b \
         CROSS JOIN issued_certificates i WHERE i.row_number >> 11 = b.number AND i.",
    );
    query.push(column.as_str()).push(" = ").push_bind(digest.0.to_vec());
}

/// What full lists carry of a range of places, as one text.
pub(super) const LISTED: &str = "SELECT string_agg(hex(serial) || ' ' || CAST(revoked_at AS TEXT) || ' ' || revocation_reason, ',') \
     AS entries FROM revocations WHERE ca_id = $1 AND place >= $2 AND place <= $3 AND released = 0 \
     AND (expires_at IS NULL OR expires_at >= $4)";
/// A statement that takes longer is given up. (A local file has no network to lose: generous.)
pub(super) const STATEMENT_DEADLINE: Duration = Duration::from_secs(60);
/// Tasks of the group commit: there is one writer.
pub(super) const LANES: usize = 1;
/// The migrations.
pub(super) const MIGRATIONS: &[Step] = &[
    Step { number: 1, name: "0001_initial", sql: include_str!("../../../../migrations/sqlite/0001_initial.sql") },
    Step { number: 3, name: "0003_events", sql: include_str!("../../../../migrations/sqlite/0003_events.sql") },
    Step {
        number: 4,
        name: "0004_certificates",
        sql: include_str!("../../../../migrations/sqlite/0004_certificates.sql"),
    },
    Step { number: 5, name: "0005_ca_bundles", sql: include_str!("../../../../migrations/sqlite/0005_ca_bundles.sql") },
    Step { number: 6, name: "0006_transport", sql: include_str!("../../../../migrations/sqlite/0006_transport.sql") },
    Step { number: 8, name: "0008_revocation", sql: include_str!("../../../../migrations/sqlite/0008_revocation.sql") },
    Step { number: 9, name: "0009_ocsp", sql: include_str!("../../../../migrations/sqlite/0009_ocsp.sql") },
    Step {
        number: 10,
        name: "0010_publication",
        sql: include_str!("../../../../migrations/sqlite/0010_publication.sql"),
    },
    Step { number: 11, name: "0011_issuing", sql: include_str!("../../../../migrations/sqlite/0011_issuing.sql") },
    Step { number: 12, name: "0012_access", sql: include_str!("../../../../migrations/sqlite/0012_access.sql") },
    Step { number: 13, name: "0013_audit", sql: include_str!("../../../../migrations/sqlite/0013_audit.sql") },
    Step { number: 14, name: "0014_identity", sql: include_str!("../../../../migrations/sqlite/0014_identity.sql") },
    Step {
        number: 15,
        name: "0015_enrollment",
        sql: include_str!("../../../../migrations/sqlite/0015_enrollment.sql"),
    },
    Step {
        number: 16,
        name: "0016_audit_shipping",
        sql: include_str!("../../../../migrations/sqlite/0016_audit_shipping.sql"),
    },
    Step { number: 17, name: "0017_acme", sql: include_str!("../../../../migrations/sqlite/0017_acme.sql") },
    Step {
        number: 18,
        name: "0018_certificate_trusts",
        sql: include_str!("../../../../migrations/sqlite/0018_certificate_trusts.sql"),
    },
    Step {
        number: 19,
        name: "0019_early_renewals",
        sql: include_str!("../../../../migrations/sqlite/0019_early_renewals.sql"),
    },
    Step {
        number: 20,
        name: "0020_crl_storage",
        sql: include_str!("../../../../migrations/sqlite/0020_crl_storage.sql"),
    },
    Step {
        number: 21,
        name: "0021_acme_indexes",
        sql: include_str!("../../../../migrations/sqlite/0021_acme_indexes.sql"),
    },
    Step {
        number: 22,
        name: "0022_group_commit",
        sql: include_str!("../../../../migrations/sqlite/0022_group_commit.sql"),
    },
    Step {
        number: 23,
        name: "0023_crl_orders",
        sql: include_str!("../../../../migrations/sqlite/0023_crl_orders.sql"),
    },
];

/// Waiting for the writer or a reader longer than this is [`Error::Unavailable`].
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pages that the writer keeps, as text of a pragma (16 MiB). A commit may look at all of them once (balancing an index lends a page a
/// number far behind the others), so more of them cost every commit more than they spare reads.
const WRITER_CACHE: &str = "-16384";
/// Pages that a reader keeps, as text of a pragma (2 MiB). It forgets them with every commit of another connection; what lasts is
/// the operating system's memory of the file.
const READER_CACHE: &str = "-2048";
/// Most readers.
const READERS: usize = 8;
/// Waiting for another process' lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Older versions can corrupt a WAL file that several connections use (fixed in 3.51.3).
const OLDEST: (u32, u32, u32) = (3, 51, 3);

/// The SQLite file with its connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Database {
    options: Arc<SqliteConnectOptions>,
    writer: Arc<Mutex<Option<Connection>>>,
    /// The writer's connection failed in a way that may be cured by a new one.
    broken: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
    readers: Pool<Connection>,
    checkpointer: Arc<Checkpointer>,
    nonces: Arc<nonces::Queue>,
}

/// A connection with a transaction on it.
pub(crate) enum Held {
    Writer {
        connection: OwnedMappedMutexGuard<Option<Connection>, Connection>,
        broken: Arc<AtomicBool>,
        /// Dropped after the connection was given back.
        _written: Written,
    },
    Reader(Taken<Connection>),
}

impl Held {
    /// Not to be used again: what happened leaves its state unknown.
    pub(super) fn discard(&mut self) {
        match self {
            Self::Writer { broken, .. } => broken.store(true, Ordering::Release),
            Self::Reader(reader) => reader.discard(),
        }
    }

    /// A turn of the connection begins, or has ended. (The writer's own thread finishes what it has begun.)
    pub(super) fn settle(&mut self, is_settled: bool) {
        if let Self::Reader(reader) = self {
            reader.settle(is_settled);
        }
    }

    /// What a lane of the group commit keeps between two batches: nothing, transactions of others want the writer too.
    pub(super) fn keep(self) -> Option<Self> {
        None
    }
}

impl Deref for Held {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        match self {
            Self::Writer { connection, .. } => connection,
            Self::Reader(reader) => reader,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Connection {
        match self {
            Self::Writer { connection, .. } => connection,
            Self::Reader(reader) => reader,
        }
    }
}

impl Database {
    pub(crate) async fn open(path: &Path) -> Result<Self, Error> {
        private_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("cache_size", WRITER_CACHE)
            .pragma("temp_store", "MEMORY")
            .pragma("wal_autocheckpoint", WRITER_PAGES)
            .pragma("journal_size_limit", "67108864")
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let mut writer = options.connect().await.map_err(Error::from_driver)?;
        refuse_old(&mut writer).await?;
        let readers = {
            let options = options.clone().pragma("query_only", "ON").pragma("cache_size", READER_CACHE);
            let connect = move || -> Pin<Box<dyn Future<Output = _> + Send>> {
                let options = options.clone();
                Box::pin(async move { options.connect().await })
            };
            let connect = Box::new(connect);
            Pool::new(Plan { connect, most: READERS, patience: ACQUIRE_TIMEOUT, try_after: Duration::MAX })
        };
        let options = Arc::new(options);
        let checkpointer = Arc::new(Checkpointer::start(options.as_ref().clone().pragma("cache_size", READER_CACHE)));
        Ok(Self {
            options,
            writer: Arc::new(Mutex::new(Some(writer))),
            broken: Arc::default(),
            closed: Arc::default(),
            readers,
            checkpointer,
            nonces: Arc::default(),
        })
    }

    /// The writer, once everybody before us has finished.
    pub(super) async fn writer(&self) -> Result<Held, Error> {
        let mut guard = tokio::time::timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.writer).lock_owned())
            .await
            .map_err(|_| Error::Unavailable("the database's writer is busy".to_owned()))?;
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Unavailable("the store is closed".to_owned()));
        }
        if self.broken.swap(false, Ordering::AcqRel) || guard.is_none() {
            *guard = None;
            *guard = Some(self.options.connect().await.map_err(Error::from_driver)?);
        }
        OwnedMutexGuard::try_map(guard, Option::as_mut)
            .map(|connection| Held::Writer {
                connection,
                broken: Arc::clone(&self.broken),
                _written: self.checkpointer.written(),
            })
            .map_err(|_| Error::Unavailable("the writer has no connection".to_owned()))
    }

    /// A reader.
    pub(super) async fn reader(&self) -> Result<Held, Error> {
        self.readers.take().await.map(Held::Reader)
    }

    /// PostgreSQL has connections of their own for inserts and rows by their keys.
    pub(super) async fn keyed_writer(&self) -> Result<Held, Error> {
        self.writer().await
    }

    /// The same for reading.
    pub(super) async fn keyed_reader(&self) -> Result<Held, Error> {
        self.reader().await
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        // A real read: it fails when the file is gone or damaged.
        sqlx::query("SELECT COUNT(*) FROM sqlite_master")
            .fetch_one(&mut *self.reader().await?)
            .await
            .map(drop)
            .map_err(Error::from_driver)
    }

    pub(crate) async fn close(&self) {
        self.checkpointer.stop().await;
        self.readers.close().await;
        self.closed.store(true, Ordering::Release);
        if let Some(writer) = self.writer.lock().await.take()
            && let Err(error) = writer.close().await
        {
            tracing::warn!(%error, "the database file was not closed cleanly");
        }
    }
}

/// The file holds sealed keys: it is its owner's alone. SQLite gives its companions (`-wal`, `-shm`) the same mode.
fn private_file(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let unavailable = |error: std::io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(unavailable)?;
    let mode = file.metadata().map_err(unavailable)?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(unavailable)?;
        tracing::warn!(path = %path.display(), "the database file was open to other users; its mode is 0600 now");
    }
    Ok(())
}

async fn refuse_old(connection: &mut Connection) -> Result<(), Error> {
    let version: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await.map_err(Error::from_driver)?;
    match parse_version(&version) {
        Some(found) if found >= OLDEST => Ok(()),
        _ => Err(Error::Schema(format!(
            "SQLite {version} can damage its write-ahead log; 3.51.3 or newer is needed. Use a build of certwright that \
             brings its own SQLite."
        ))),
    }
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parse_version("3.51.3") >= Some(OLDEST));
        assert!(parse_version("3.100.0") >= Some(OLDEST));
        for old in ["3.51.2", "3.9.9", "2.99.99", "", "x", "3.51"] {
            assert!(parse_version(old).is_none_or(|found| found < OLDEST), "{old}");
        }
    }
}
