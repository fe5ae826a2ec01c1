//! PostgreSQL: a pool, READ COMMITTED, `synchronous_commit=on`.

mod insert;
#[cfg(test)]
mod plans;
#[path = "../queries/mod.rs"]
pub(crate) mod queries;
#[cfg(test)]
mod relaxed;

pub(super) use insert::{insert_audit, insert_issued, insert_recordings};

use crate::Error;
use crate::migrations::Step;
use crate::rows::Digest;
use certwright_domain::serial::Sha256;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _, QueryBuilder};
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::time::Duration;

/// The driver that the queries are mounted with.
pub(super) type Driver = sqlx::Postgres;
/// Its connection.
pub(super) type Connection = sqlx::PgConnection;
/// Its row.
pub(super) type Row = sqlx::postgres::PgRow;

/// Begins a write transaction.
pub(super) const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// What an insert begins with that is a transaction of its own and whose commit nobody waits for on disk: the setting ends with
/// it. The next commit that is waited for flushes the log up to its own end, and so this one with it. Between this and
/// [`RELAXED_ROWS`] stand rows of values.
pub(super) const RELAXED: &str = "WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS level) \
     INSERT INTO acme_nonces (nonce, expires_at) SELECT v.* FROM relaxed, (VALUES ";
/// What comes behind them.
pub(super) const RELAXED_ROWS: &str = ") AS v WHERE relaxed.level = 'off'";
/// Begins a read transaction: one snapshot.
pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Begins a transaction of the group commit, takes a chain of the audit trail and reads the epoch, in one round trip. Its shared lock keeps the epoch from
/// moving until the end; who raises it takes the exclusive one ([`LOCK_EPOCH`]). Advisory locks queue fairly, so that a
/// stream of recordings cannot starve a change of configuration, as row locks could. The epoch is a statement of its own:
/// its snapshot is taken after the lock was granted.
pub(super) const BEGIN_RECORD: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SELECT pg_advisory_xact_lock_shared(4832901770155213); \
     SELECT chain, sequence, hash FROM audit_chains ORDER BY chain LIMIT 1 FOR UPDATE SKIP LOCKED; \
     SELECT number FROM epoch WHERE id = 1";
/// Takes a chain that nobody else appends to now, until the end of the transaction. The last lock that it takes: whoever
/// holds a chain waits for nobody.
pub(super) const TAKE_CHAIN: &str =
    "SELECT chain, sequence, hash FROM audit_chains ORDER BY chain LIMIT 1 FOR UPDATE SKIP LOCKED";
/// The same when none is free: waits for one of them.
pub(super) const WAIT_FOR_CHAIN: &str =
    "SELECT chain, sequence, hash FROM audit_chains ORDER BY random() LIMIT 1 FOR UPDATE";
/// Begins a migration; one node at a time.
pub(super) const BEGIN_MIGRATION: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = 0; \
     SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(4832901770155214)";
/// Keeps recordings out before the epoch is raised, until the transaction ends.
pub(super) const LOCK_EPOCH: &str = "SELECT pg_advisory_xact_lock(4832901770155213)";
/// Keeps the epoch from moving until the transaction ends: others may record beside us, nobody may raise it.
pub(super) const HOLD_EPOCH: &str = "SELECT pg_advisory_xact_lock_shared(4832901770155213)";
/// Is there a table that remembers migrations?
pub(super) const HAS_MIGRATIONS: &str = "SELECT COUNT(*) AS found FROM information_schema.tables \
     WHERE table_schema = current_schema() AND table_name = 'schema_migrations'";
/// The table that remembers migrations.
pub(super) const MAKE_MIGRATIONS: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT NOT NULL PRIMARY KEY, \
     name TEXT COLLATE \"C\" NOT NULL, checksum BYTEA NOT NULL)";
/// Joins the rows of the inventory, as `t`, to ids `w`, one look-up each. OFFSET 0 keeps the planner from moving the other
/// conditions inside, where it might answer them by another index, once for every id.
pub(super) const EACH_ISSUED: &str =
    " CROSS JOIN LATERAL (SELECT * FROM issued_certificates WHERE id = w.id OFFSET 0) AS t WHERE 1 = 1";
/// The same for audit events.
pub(super) const EACH_AUDIT: &str =
    " CROSS JOIN LATERAL (SELECT * FROM audit_events WHERE id = w.id OFFSET 0) AS t WHERE 1 = 1";
/// Pushes a statement that yields the ids of the certificates with this digest.
pub(super) fn push_ids_by_digest(query: &mut QueryBuilder<Driver>, column: Digest, digest: &Sha256) {
    query.push("SELECT id FROM issued_certificates WHERE ").push(column.as_str()).push(" = ");
    query.push_bind(digest.0.to_vec());
}

/// What full lists carry of a range of places, as one text.
pub(super) const LISTED: &str = "SELECT string_agg(encode(serial, 'hex') || ' ' || CAST(revoked_at AS TEXT) || ' ' || revocation_reason, ',') \
     AS entries FROM revocations WHERE ca_id = $1 AND place >= $2 AND place <= $3 AND released = 0 \
     AND (expires_at IS NULL OR expires_at >= $4)";
/// A statement that takes longer is given up; the server's own limit (see `SETTINGS`) comes first when it is there at all.
pub(super) const STATEMENT_DEADLINE: Duration = Duration::from_secs(6);
/// Tasks of the group commit: while one waits for the disk, the other sends.
pub(super) const LANES: usize = 2;
/// The migrations.
pub(super) const MIGRATIONS: &[Step] = &[
    Step { number: 1, name: "0001_initial", sql: include_str!("../../../../migrations/postgres/0001_initial.sql") },
    Step { number: 3, name: "0003_events", sql: include_str!("../../../../migrations/postgres/0003_events.sql") },
    Step {
        number: 4,
        name: "0004_certificates",
        sql: include_str!("../../../../migrations/postgres/0004_certificates.sql"),
    },
    Step {
        number: 5,
        name: "0005_ca_bundles",
        sql: include_str!("../../../../migrations/postgres/0005_ca_bundles.sql"),
    },
    Step { number: 6, name: "0006_transport", sql: include_str!("../../../../migrations/postgres/0006_transport.sql") },
    Step {
        number: 8,
        name: "0008_revocation",
        sql: include_str!("../../../../migrations/postgres/0008_revocation.sql"),
    },
    Step { number: 9, name: "0009_ocsp", sql: include_str!("../../../../migrations/postgres/0009_ocsp.sql") },
    Step {
        number: 10,
        name: "0010_publication",
        sql: include_str!("../../../../migrations/postgres/0010_publication.sql"),
    },
    Step { number: 11, name: "0011_issuing", sql: include_str!("../../../../migrations/postgres/0011_issuing.sql") },
    Step { number: 12, name: "0012_access", sql: include_str!("../../../../migrations/postgres/0012_access.sql") },
    Step { number: 13, name: "0013_audit", sql: include_str!("../../../../migrations/postgres/0013_audit.sql") },
    Step { number: 14, name: "0014_identity", sql: include_str!("../../../../migrations/postgres/0014_identity.sql") },
    Step {
        number: 15,
        name: "0015_enrollment",
        sql: include_str!("../../../../migrations/postgres/0015_enrollment.sql"),
    },
    Step {
        number: 16,
        name: "0016_audit_shipping",
        sql: include_str!("../../../../migrations/postgres/0016_audit_shipping.sql"),
    },
    Step { number: 17, name: "0017_acme", sql: include_str!("../../../../migrations/postgres/0017_acme.sql") },
    Step {
        number: 18,
        name: "0018_certificate_trusts",
        sql: include_str!("../../../../migrations/postgres/0018_certificate_trusts.sql"),
    },
    Step {
        number: 19,
        name: "0019_early_renewals",
        sql: include_str!("../../../../migrations/postgres/0019_early_renewals.sql"),
    },
    Step {
        number: 20,
        name: "0020_crl_storage",
        sql: include_str!("../../../../migrations/postgres/0020_crl_storage.sql"),
    },
];

/// Getting a connection longer than this is [`Error::Unavailable`].
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections of one node, the lanes' among them.
const CONNECTIONS: u32 = 16;
/// A connection that was idle for longer is tried before use: the server may have gone meanwhile.
const TRY_AFTER: Duration = Duration::from_millis(500);
/// Settings of every connection. Statements are planned for the values at hand and by index: a plan made for a common
/// value is a full scan for a rare one, and at ten million rows that is the difference between flat and not.
const SETTINGS: &str = "SET synchronous_commit = on; SET statement_timeout = 5000; SET lock_timeout = 4000; \
     SET idle_in_transaction_session_timeout = 60000; SET plan_cache_mode = force_custom_plan; SET enable_seqscan = off; \
     SET client_min_messages = warning";

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Database {
    pool: PgPool,
}

/// A connection with a transaction on it.
pub(crate) struct Held(PoolConnection<Driver>);

impl Held {
    /// Not to be used again: what happened leaves its state unknown.
    pub(super) fn discard(&mut self) {
        self.0.close_on_drop();
    }

    /// What a lane of the group commit keeps between two batches: its connection.
    pub(super) fn keep(self) -> Option<Self> {
        Some(self)
    }
}

impl Deref for Held {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

impl Database {
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| Error::Driver("the database URL is not a valid postgres:// URL".to_owned()))?
            .application_name("certwright")
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop) })
            })
            .before_acquire(|connection, state| {
                Box::pin(async move { Ok(state.idle_for < TRY_AFTER || connection.ping().await.is_ok()) })
            })
            .connect_lazy_with(options);
        let database = Self { pool };
        database.ping().await?;
        Ok(database)
    }

    /// A connection for a write transaction.
    pub(super) async fn writer(&self) -> Result<Held, Error> {
        self.pool.acquire().await.map(Held).map_err(Error::from_driver)
    }

    /// A connection for a read transaction.
    pub(super) async fn reader(&self) -> Result<Held, Error> {
        self.writer().await
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        let mut connection = self.reader().await?;
        match tokio::time::timeout(STATEMENT_DEADLINE, connection.0.ping()).await {
            Ok(result) => result.map_err(Error::from_driver),
            Err(_) => {
                connection.discard();
                Err(Error::Unavailable("the database does not answer".to_owned()))
            }
        }
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}
