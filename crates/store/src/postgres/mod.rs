//! PostgreSQL: a pool, READ COMMITTED, `synchronous_commit=on`.

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
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection as _, QueryBuilder};
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
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
macro_rules! relaxed_level {
    () => {
        "WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS level)"
    };
}
macro_rules! relaxed_nonce {
    () => {
        "INSERT INTO acme_nonces (nonce, expires_at) SELECT v.* FROM relaxed, (VALUES "
    };
}
/// What a statement begins with that is a transaction of its own and whose commit nobody waits for on disk: the setting ends with
/// it. The next commit that is waited for flushes the log up to its own end, and so this one with it.
pub(super) const RELAXED_LEVEL: &str = relaxed_level!();
/// The insert of nonces in such a statement. Between this and [`RELAXED_ROWS`] stand rows of values.
pub(super) const RELAXED_NONCE: &str = relaxed_nonce!();
/// Both, for a statement that does nothing else.
pub(super) const RELAXED: &str = concat!(relaxed_level!(), " ", relaxed_nonce!());
/// What comes behind them.
pub(super) const RELAXED_ROWS: &str = ") AS v WHERE relaxed.level = 'off'";
/// What a statement begins with that is a transaction of its own and durable when it returns.
pub(super) const DURABLE: &str = "";
/// How several inserts become one transaction in one turn: what stands before all, before the first, between them and behind all.
pub(super) struct Together {
    pub(super) begin: &'static str,
    pub(super) first: &'static str,
    pub(super) between: &'static str,
    pub(super) end: &'static str,
}
pub(super) const TOGETHER: Together = Together { begin: "", first: "WITH made AS (", between: ") ", end: "" };
/// The counter of a CA's changes as the part `counted` of the same turn leaves it (see [`begin_part`]).
pub(super) const COUNTED: &str = "counted";
/// Begins a part of a turn: one of several statements that run together, in an order that is nobody's business.
pub(super) fn begin_part(statement: &mut QueryBuilder<Driver>, is_first: bool, name: &'static str) {
    statement.push(if is_first { "WITH " } else { "), " }).push(name).push(" AS (");
}
/// Ends a turn of parts; the rows that those return which are named.
pub(super) fn end_parts(statement: &mut QueryBuilder<Driver>, returning: &[&'static str]) {
    statement.push(") ");
    for (place, name) in returning.iter().enumerate() {
        statement.push(if place == 0 { "" } else { " UNION ALL " }).push("SELECT what FROM ").push(*name);
    }
    if returning.is_empty() {
        statement.push("SELECT '' AS what WHERE 1 = 0");
    }
}
/// The authorizations of an order `o`: `e`, with `value` and `key` (their place).
pub(super) const EACH_PROOF: &str =
    "json_array_elements_text(CAST(o.authorizations AS json)) WITH ORDINALITY AS e (value, key)";
/// Whoever relies on a row `d` keeps it from being deleted until his transaction ends, and waits for whoever deletes it now.
pub(super) const KEEP: &str = " FOR KEY SHARE OF d";
/// Begins a read transaction: one snapshot.
pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Begins a transaction of the group commit, takes a chain of the audit trail and reads the epoch, in one round trip. Its shared lock keeps the epoch from
/// moving until the end; who raises it takes the exclusive one ([`LOCK_EPOCH`]). Advisory locks queue fairly, so that a
/// stream of recordings cannot starve a change of configuration, as row locks could. The epoch is a statement of its own:
/// its snapshot is taken after the lock was granted.
pub(super) const BEGIN_RECORD: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SELECT pg_advisory_xact_lock_shared(4832901770155213); \
     SELECT chain, sequence, hash FROM audit_chains ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED; \
     SELECT number FROM epoch WHERE id = 1";
/// How long the end of a chain is taken for known without a question, and its connection for alive.
pub(super) const KNOWN_FOR: Duration = TRY_AFTER;
/// Takes a chain that nobody else appends to now, until the end of the transaction. The last lock that it takes, but in the group commit,
/// which may wait for orders while it holds one: so nobody waits for a chain while there is another.
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
/// Tasks of the group commit: while one waits for the disk, the other takes and sends.
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
    Step {
        number: 21,
        name: "0021_acme_indexes",
        sql: include_str!("../../../../migrations/postgres/0021_acme_indexes.sql"),
    },
    Step {
        number: 22,
        name: "0022_group_commit",
        sql: include_str!("../../../../migrations/postgres/0022_group_commit.sql"),
    },
    Step {
        number: 23,
        name: "0023_crl_orders",
        sql: include_str!("../../../../migrations/postgres/0023_crl_orders.sql"),
    },
];

/// Getting a connection longer than this is [`Error::Unavailable`].
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections of one node for everything but what [`KEYED_CONNECTIONS`] do.
const CONNECTIONS: usize = 10;
/// Connections of one node for statements that have one good plan, whatever the values: inserts, and rows by their keys. The lanes
/// keep one each.
const KEYED_CONNECTIONS: usize = 10;
/// A connection that was idle for longer is tried before use: the server may have gone meanwhile.
const TRY_AFTER: Duration = Duration::from_millis(500);
/// Settings of every connection. Statements are planned for the values at hand and by index: a plan made for a common
/// value is a full scan for a rare one, and at ten million rows that is the difference between flat and not. Planning costs as
/// much as a look-up by key, though, and the insert of a batch more than that: see [`KEYED`]. Nothing is compiled: a scan of a
/// table of three rows (webhooks) counts as expensive here, and compiling a statement for it takes 0.2 s of a core, each time.
const SETTINGS: &str = "SET synchronous_commit = on; SET default_transaction_isolation = 'read committed'; \
     SET default_transaction_read_only = off; SET statement_timeout = 5000; SET lock_timeout = 4000; \
     SET idle_in_transaction_session_timeout = 60000; SET plan_cache_mode = force_custom_plan; SET enable_seqscan = off; \
     SET jit = off; SET client_min_messages = warning";
/// What the connections for keyed statements are told besides: each is planned once, and enters every table by a key. (A plan that was
/// made while a table was nearly empty would read all of it otherwise, for as long as it is kept: an order with its proofs took 6 ms
/// among 20,000 of them, and takes 0.07.)
const KEYED: &str = "SET plan_cache_mode = force_generic_plan; SET enable_hashjoin = off; SET enable_mergejoin = off; \
     SET enable_material = off; SET enable_memoize = off";

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool<Connection>,
    keyed: Pool<Connection>,
}

/// A connection with a transaction on it.
pub(crate) struct Held(Taken<Connection>);

impl Held {
    /// Not to be used again: what happened leaves its state unknown.
    pub(super) fn discard(&mut self) {
        self.0.discard();
    }

    /// A turn of the connection begins, or has ended.
    pub(super) fn settle(&mut self, is_settled: bool) {
        self.0.settle(is_settled);
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
        let pool = pool_of(&options, "", CONNECTIONS);
        let keyed = pool_of(&options, KEYED, KEYED_CONNECTIONS);
        let database = Self { pool, keyed };
        database.ping().await?;
        Ok(database)
    }

    /// A connection for a write transaction.
    pub(super) async fn writer(&self) -> Result<Held, Error> {
        self.pool.take().await.map(Held)
    }

    /// A connection for a read transaction.
    pub(super) async fn reader(&self) -> Result<Held, Error> {
        self.writer().await
    }

    /// A connection for inserts and rows by their keys, with or without a transaction.
    pub(super) async fn keyed_writer(&self) -> Result<Held, Error> {
        self.keyed.take().await.map(Held)
    }

    /// The same for reading.
    pub(super) async fn keyed_reader(&self) -> Result<Held, Error> {
        self.keyed_writer().await
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
        self.keyed.close().await;
    }
}

/// `more`: settings besides those of all.
fn pool_of(options: &PgConnectOptions, more: &'static str, most: usize) -> Pool<Connection> {
    let options = options.clone();
    let connect = move || -> Pin<Box<dyn Future<Output = _> + Send>> {
        let options = options.clone();
        Box::pin(async move {
            let mut connection = options.connect().await?;
            sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
            sqlx::raw_sql(more).execute(&mut connection).await?;
            Ok(connection)
        })
    };
    Pool::new(Plan { connect: Box::new(connect), most, patience: ACQUIRE_TIMEOUT, try_after: TRY_AFTER })
}
