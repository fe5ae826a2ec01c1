//! The batched insert of the issuing path on PostgreSQL: one statement over arrays, whatever the number of rows.

use super::queries::acme::endings::push_end;
use super::{BEGIN_WRITE, Connection, Driver};
use crate::Error;
use crate::rows::{AUDIT_COLUMNS, Appended, AuditRow, Batch, ISSUED_COLUMNS, IssuedRow, NameRow, Then};
use certwright_domain::audit::AuditEvent;
use certwright_domain::issued::IssuedCertificate;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Execute as _, QueryBuilder, SqlSafeStr as _, SqlStr};
use std::sync::{Arc, LazyLock};

type Statement<'q> = Query<'q, Driver, PgArguments>;

const TEXT: &str = "text";
const NUMBER: &str = "bigint";
const BYTES: &str = "bytea";

/// A table with its columns and their types.
struct Table {
    name: &'static str,
    columns: &'static str,
    types: &'static [&'static str],
}

const ISSUED: Table = Table {
    name: "issued_certificates",
    columns: ISSUED_COLUMNS,
    types: &[
        TEXT, TEXT, TEXT, TEXT, NUMBER, BYTES, BYTES, BYTES, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, NUMBER, NUMBER,
        NUMBER, TEXT, TEXT, TEXT, NUMBER, NUMBER, TEXT, BYTES,
    ],
};
const NAMES: Table = Table { name: "issued_names", columns: "value, issued_id, kind", types: &[TEXT, TEXT, TEXT] };
const AUDIT: Table = Table {
    name: "audit_events",
    columns: AUDIT_COLUMNS,
    types: &[
        TEXT, NUMBER, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, NUMBER, BYTES,
        BYTES,
    ],
};

impl Table {
    /// The insert whose first array is parameter number `first`.
    fn insert(&self, first: usize) -> String {
        let arrays: Vec<String> =
            self.types.iter().zip(first..).map(|(kind, place)| format!("${place}::{kind}[]")).collect();
        format!("INSERT INTO {} ({}) SELECT * FROM UNNEST({})", self.name, self.columns, arrays.join(", "))
    }

    /// The same for arrays of one: a scan over two dozen arrays takes 0.1 ms to begin.
    fn insert_one(&self, first: usize) -> String {
        let values: Vec<String> =
            self.types.iter().zip(first..).map(|(kind, place)| format!("(${place}::{kind}[])[1]")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.name, self.columns, values.join(", "))
    }
}

/// Tables, columns and types are literals of this crate.
fn literal(text: String) -> SqlStr {
    AssertSqlSafe(Arc::<str>::from(text)).into_sql_str()
}

/// The certificates and their names.
static INSERT_ISSUED: LazyLock<SqlStr> = LazyLock::new(|| {
    let names = ISSUED.types.len().saturating_add(1);
    // The main statement comes first: a conflict is told of the certificate, not of its names.
    literal(format!("WITH names AS ({}) {}", NAMES.insert(names), ISSUED.insert(1)))
});
/// The audit events and where their chain ends now; nothing is inserted when it has moved on meanwhile.
fn append_audit(first: usize) -> String {
    let head = first.saturating_add(AUDIT.types.len());
    let place = |number: usize| head.saturating_add(number);
    format!(
        "head AS (UPDATE audit_chains SET sequence = ${}, hash = ${} WHERE chain = ${} AND sequence = ${} RETURNING 1) \
         {} WHERE EXISTS (SELECT 1 FROM head)",
        place(0),
        place(1),
        place(2),
        place(3),
        AUDIT.insert(first)
    )
}
static INSERT_AUDIT: LazyLock<SqlStr> = LazyLock::new(|| literal(format!("WITH {}", append_audit(1))));
/// All three in one round trip.
static INSERT_RECORDINGS: LazyLock<SqlStr> = LazyLock::new(|| {
    let (issued, names, audit) = (ISSUED.insert(1), NAMES.insert(FIRST_NAME), append_audit(FIRST_EVENT));
    literal(format!("WITH issued AS ({issued}), names AS ({names}), {audit}"))
});
/// The same as parts of a longer statement.
static RECORDINGS: LazyLock<String> = LazyLock::new(|| {
    let (issued, names, audit) = (ISSUED.insert(1), NAMES.insert(FIRST_NAME), AUDIT.insert(FIRST_EVENT));
    format!("WITH issued AS ({issued}), names AS ({names}), told AS ({audit})")
});
/// The same for a batch of one.
static RECORDING: LazyLock<String> = LazyLock::new(|| {
    let (issued, names, audit) = (ISSUED.insert_one(1), NAMES.insert(FIRST_NAME), AUDIT.insert_one(FIRST_EVENT));
    format!("WITH issued AS ({issued}), names AS ({names}), told AS ({audit})")
});
/// Where the arrays of the names and of the events begin.
const FIRST_NAME: usize = ISSUED.types.len().saturating_add(1);
const FIRST_EVENT: usize = FIRST_NAME.saturating_add(NAMES.types.len());

fn bind_issued<'q>(statement: Statement<'q>, rows: &'q [IssuedRow<'_>]) -> Statement<'q> {
    fn all<'r, T>(rows: &'r [IssuedRow<'_>], field: impl Fn(&'r IssuedCertificate) -> T) -> Vec<T> {
        rows.iter().map(|row| field(row.certificate)).collect()
    }
    statement
        .bind(all(rows, |c| c.id.as_str()))
        .bind(all(rows, |c| c.kind.as_str()))
        .bind(all(rows, |c| c.ca_id.as_str()))
        .bind(all(rows, |c| c.ca_name.as_str()))
        .bind(all(rows, |c| i64::from(c.ca_version)))
        .bind(all(rows, |c| c.serial.as_bytes()))
        .bind(all(rows, |c| c.fingerprint.0.as_slice()))
        .bind(all(rows, |c| c.spki_sha256.0.as_slice()))
        .bind(all(rows, |c| c.subject.as_str()))
        .bind(all(rows, |c| c.common_name.as_str()))
        .bind(rows.iter().map(|row| row.common_name_lower.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.names.as_str()).collect::<Vec<_>>())
        .bind(all(rows, |c| c.profile.as_str()))
        .bind(all(rows, |c| c.key_algorithm.as_str()))
        .bind(all(rows, |c| c.validity.not_before().unix_ms()))
        .bind(all(rows, |c| c.validity.not_after().unix_ms()))
        .bind(all(rows, |c| c.renew_at.unix_ms()))
        .bind(all(rows, |c| c.requester.as_str()))
        .bind(all(rows, |c| c.requester_name.as_str()))
        .bind(all(rows, |c| c.request_id.as_str()))
        .bind(all(rows, |c| c.issued_at.unix_ms()))
        .bind(all(rows, |c| c.revocation.map(|r| r.at.unix_ms())))
        .bind(all(rows, |c| c.revocation.map(|r| r.reason.as_str())))
        .bind(all(rows, |c| c.certificate.as_slice()))
}

fn bind_names<'q>(statement: Statement<'q>, names: &'q [NameRow<'_>]) -> Statement<'q> {
    statement
        .bind(names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>())
        .bind(names.iter().map(|name| name.issued_id).collect::<Vec<_>>())
        .bind(names.iter().map(|name| name.kind).collect::<Vec<_>>())
}

fn bind_audit<'q>(statement: Statement<'q>, audit: &'q Appended<'_>) -> Statement<'q> {
    bind_events(statement, audit)
        .bind(audit.head.sequence)
        .bind(audit.head.hash.0.as_slice())
        .bind(audit.head.chain.as_str())
        .bind(audit.from)
}

fn bind_events<'q>(statement: Statement<'q>, audit: &'q Appended<'_>) -> Statement<'q> {
    fn all<'r, 'e, T>(rows: &'r [AuditRow<'e>], field: impl Fn(&'r AuditEvent) -> T) -> Vec<T> {
        rows.iter().map(|row| field(row.event)).collect()
    }
    let (events, head) = (audit.rows.as_slice(), &audit.head);
    statement
        .bind(all(events, |e| e.id.as_str()))
        .bind(all(events, |e| e.at.unix_ms()))
        .bind(all(events, |e| e.actor.as_str()))
        .bind(all(events, |e| e.actor_name.as_str()))
        .bind(all(events, |e| e.action))
        .bind(all(events, |e| e.target_kind))
        .bind(all(events, |e| e.target_id.as_str()))
        .bind(all(events, |e| e.target_name.as_str()))
        .bind(all(events, |e| e.request_id.as_str()))
        .bind(all(events, |e| e.details.as_str()))
        .bind(all(events, |e| e.door))
        .bind(events.iter().map(|row| row.address.as_str()).collect::<Vec<_>>())
        .bind(all(events, |e| e.decided_by.as_str()))
        .bind(all(events, |e| e.outcome.as_str()))
        .bind(vec![head.chain.as_str(); events.len()])
        .bind(events.iter().map(|row| row.link.sequence).collect::<Vec<_>>())
        .bind(events.iter().map(|row| row.link.previous.0.as_slice()).collect::<Vec<_>>())
        .bind(events.iter().map(|row| row.link.hash.0.as_slice()).collect::<Vec<_>>())
}

async fn execute(connection: &mut Connection, statement: Statement<'_>) -> Result<(), Error> {
    statement.execute(connection).await.map(drop).map_err(Error::from_driver)
}

/// Stores rows of the inventory with their names.
pub(in super::super) async fn insert_issued(
    connection: &mut Connection,
    rows: &[IssuedRow<'_>],
    names: &[NameRow<'_>],
) -> Result<(), Error> {
    execute(connection, bind_names(bind_issued(sqlx::query(INSERT_ISSUED.clone()), rows), names)).await
}

/// Stores audit events at the end of their chain, and commits.
pub(in super::super) async fn insert_audit_and_commit(
    connection: &mut Connection,
    audit: &Appended<'_>,
) -> Result<(), Error> {
    execute_appending(connection, bind_audit(sqlx::query(INSERT_AUDIT.clone()), audit), audit).await?;
    commit(connection).await
}

async fn commit(connection: &mut Connection) -> Result<(), Error> {
    sqlx::raw_sql("COMMIT").execute(connection).await.map(drop).map_err(Error::from_driver)
}

/// Executes a statement that puts these events at the end of their chain.
async fn execute_appending(
    connection: &mut Connection,
    statement: Statement<'_>,
    audit: &Appended<'_>,
) -> Result<(), Error> {
    let done = statement.execute(connection).await.map_err(Error::from_driver)?;
    let all = u64::try_from(audit.rows.len()).unwrap_or(u64::MAX);
    if done.rows_affected() == all { Ok(()) } else { Err(Error::Stale { what: "audit_chains" }) }
}

/// Stores recordings: rows of the inventory, their names, their audit events at the end of their chain. Then commits, if asked to.
pub(in super::super) async fn insert_recordings(
    connection: &mut Connection,
    rows: &[IssuedRow<'_>],
    names: &[NameRow<'_>],
    audit: &Appended<'_>,
    then: Then,
) -> Result<(), Error> {
    let statement = bind_issued(sqlx::query(INSERT_RECORDINGS.clone()), rows);
    execute_appending(connection, bind_audit(bind_names(statement, names), audit), audit).await?;
    match then {
        Then::Commit => commit(connection).await,
        Then::Nothing => Ok(()),
    }
}

/// A batch of so many is one statement that is a whole transaction: one turn in place of three. With more, the turns matter less than that
/// the next batch is taken as soon as this one waits for the disk, and when it does is known of a commit alone.
const FEW: usize = 8;

/// Stores a batch, durable when this returns. It fails, with nothing stored, unless the epoch is the batch's, the chain ends where its events
/// begin and every order of it can end. `committing` comes when nothing but the commit is left, where that is known.
pub(in super::super) async fn record_at_once(
    connection: &mut Connection,
    batch: &Batch<'_>,
    committing: impl FnOnce(),
) -> Result<(), Error> {
    if batch.rows.len() <= FEW {
        committing();
        return record(connection, batch).await;
    }
    sqlx::raw_sql(BEGIN_WRITE).execute(&mut *connection).await.map_err(Error::from_driver)?;
    match record(connection, batch).await {
        Ok(()) => {
            committing();
            commit(connection).await
        }
        Err(error @ Error::Unavailable(_)) => Err(error),
        Err(error) => {
            sqlx::raw_sql("ROLLBACK").execute(connection).await.map_err(Error::from_driver)?;
            Err(error)
        }
    }
}

async fn record(connection: &mut Connection, batch: &Batch<'_>) -> Result<(), Error> {
    let (head, count) = (&batch.audit.head, i64::try_from(batch.endings.len()).unwrap_or(i64::MAX));
    let arrays = bind_names(bind_issued(sqlx::query(""), batch.rows), batch.names);
    let arrays = bind_events(arrays, batch.audit).take_arguments();
    let arrays = arrays.map_err(|error| Error::Driver(error.to_string()))?.unwrap_or_default();
    let inserts = match (batch.rows.len(), batch.audit.rows.len()) {
        (1, 1) => RECORDING.as_str(),
        _ => RECORDINGS.as_str(),
    };
    let mut query = QueryBuilder::<Driver>::with_arguments(inserts, arrays);
    if count > 0 {
        query.push(", ended AS (");
        push_end(&mut query, batch.endings);
        query.push(")");
    }
    query.push(", moved AS (UPDATE audit_chains SET sequence = ").push_bind(head.sequence);
    query.push(", hash = ").push_bind(head.hash.0.as_slice());
    // The epoch first, then the chain, the orders last. Nobody waits for a chain: who holds one may wait for the orders of whoever would.
    query.push(" WHERE chain = (SELECT c.chain FROM audit_chains c WHERE c.chain = ").push_bind(head.chain.as_str());
    query.push(" AND c.sequence = ").push_bind(batch.audit.from).push(" AND held_epoch() = ").push_bind(batch.epoch);
    query.push(" FOR UPDATE SKIP LOCKED)");
    if count > 0 {
        // It asks for the chain, so that the orders are not looked at before there is one.
        query.push(" AND CASE audit_chains.chain WHEN ").push_bind(head.chain.as_str());
        query.push(" THEN (SELECT COUNT(*) FROM ended) = ").push_bind(count).push(" END");
    }
    query.push(" RETURNING 1) SELECT CASE COUNT(*) WHEN 1 THEN 1 ELSE begin_again() END FROM moved");
    execute(connection, query.build()).await
}

#[cfg(test)]
mod tests {
    use super::super::{Database, queries::migrate};
    use super::*;
    use crate::OrderEnding;
    use crate::rows::append;
    use certwright_domain::audit::chain::Head;
    use certwright_domain::id::{AcmeAccountId, AcmeDirectoryId, AcmeOrderId, IssuedId};
    use certwright_domain::time::Timestamp;

    /// Another node holds chain and order. Who waited for the order would have no chain to wait with: the batch begins again at once.
    #[tokio::test]
    async fn orders_are_not_waited_for_without_a_chain() {
        let (url, _guard) = certwright_testkit::postgres::fresh_database();
        let database = Database::open(&url).await.unwrap();
        migrate::run(&database).await.unwrap();
        let at = Timestamp::from_unix_s(1_795_176_000);
        let (order, issued) = (AcmeOrderId::new(at, [0; 10]), IssuedId::new(at, [0; 10]));
        let (account, directory) = (AcmeAccountId::new(at, [0; 10]), AcmeDirectoryId::new(at, [0; 10]));
        let mut other_node = database.writer().await.unwrap();
        for text in [
            "INSERT INTO acme_directories (id, ca_id, created_at, name, settings, enabled, revision) \
             VALUES ($3, $1 || $2, 0, 'a', '{}', 1, 1)",
            "INSERT INTO acme_accounts (id, directory_id, created_at, jwk, thumbprint, state, contacts, revision) \
             VALUES ($2, $3, 0, $1, '', 'valid', '[]', 1)",
            "INSERT INTO acme_orders (id, account_id, directory_id, created_at, identifiers, authorizations, profile, expires_at, \
             revision) VALUES ($1, $2, $3, 0, '[]', '[]', 'web', 0, 1)",
        ] {
            let insert = sqlx::query(text).bind(order.as_str()).bind(account.as_str()).bind(directory.as_str());
            insert.execute(&mut *other_node).await.unwrap();
        }
        let hold = "BEGIN; SELECT id FROM acme_orders FOR UPDATE; SELECT chain FROM audit_chains WHERE chain = '01' FOR UPDATE";
        sqlx::raw_sql(hold).execute(&mut *other_node).await.unwrap();
        let epoch: i64 = sqlx::query_scalar("SELECT number FROM epoch").fetch_one(&mut *other_node).await.unwrap();
        let ending = OrderEnding {
            order,
            revision: 1,
            account: (account, 1),
            directory: (directory, 1),
            authorizations: Vec::new(),
            key: None,
        };
        let audit = append(&Head::new("01"), []);
        let batch = Batch { rows: &[], names: &[], audit: &audit, epoch, endings: &[(&ending, &issued)] };
        let mut held = database.keyed_writer().await.unwrap();
        let refused = record_at_once(&mut held, &batch, || ()).await.unwrap_err();
        assert!(matches!(&refused, Error::Driver(said) if said.contains("begins again")), "{refused}");
        // Alone it would be waited for.
        sqlx::raw_sql("ROLLBACK; BEGIN; SELECT id FROM acme_orders FOR UPDATE")
            .execute(&mut *other_node)
            .await
            .unwrap();
        let refused = record_at_once(&mut held, &batch, || ()).await.unwrap_err();
        assert!(matches!(&refused, Error::Unavailable(said) if said.contains("lock timeout")), "{refused}");
        drop((held, other_node));
        database.close().await;
    }
}
