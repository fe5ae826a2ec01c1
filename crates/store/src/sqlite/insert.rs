//! The batched insert of the issuing path on SQLite: multi-row VALUES.
//!
//! Every statement is a trip to the connection's thread and back, which costs more than a row. So a batch is one trip, and
//! the row counts are few, so that every text is prepared once: a batch is filled up with rows of NULLs, which the
//! statement leaves out. The end of the chain and the commit stand in the same statement.

use super::queries::acme::endings::push_end;
use super::{BEGIN_WRITE, Connection, Driver};
use crate::Error;
use crate::rows::{AUDIT_COLUMNS, Appended, AuditRow, Batch, ISSUED_COLUMNS, IssuedRow, NameRow, Then};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Execute as _, QueryBuilder, SqlSafeStr as _, SqlStr};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

type Statement<'q> = Query<'q, Driver, SqliteArguments>;

/// Row counts that have a statement.
const SIZES: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// Most rows of one statement.
const LARGEST: usize = 256;

/// A table with its columns.
struct Table {
    name: &'static str,
    columns: &'static str,
}

const ISSUED: Table = Table { name: "issued_certificates", columns: ISSUED_COLUMNS };
const NAMES: Table = Table { name: "issued_names", columns: "value, issued_id, kind" };
const AUDIT: Table = Table { name: "audit_events", columns: AUDIT_COLUMNS };

impl Table {
    fn width(&self) -> usize {
        self.columns.split(',').count()
    }

    /// The insert of up to so many rows; none of nothing. OR FAIL: who calls undoes more than this statement when it fails
    /// (a savepoint or the transaction), so it needs no journal of its own.
    fn insert(&self, rows: usize) -> String {
        if rows == 0 {
            return String::new();
        }
        let row = format!("({})", vec!["?"; self.width()].join(","));
        let values = vec![row.as_str(); rows].join(",");
        format!(
            "INSERT OR FAIL INTO {} ({}) SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL;",
            self.name, self.columns
        )
    }

    /// Fills a statement of `size` rows up.
    fn pad<'q>(&self, mut statement: Statement<'q>, rows: usize, size: usize) -> Statement<'q> {
        for _ in 0..size.saturating_sub(rows).saturating_mul(self.width()) {
            statement = statement.bind(None::<i64>);
        }
        statement
    }
}

/// Row counts of the three tables of one statement, and what stands behind them.
type Shape = (usize, usize, usize, Tail);

/// What stands behind the inserts of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tail {
    /// There is more to come.
    Nothing,
    /// The end of the chain.
    Head,
    /// The end of the chain, and the commit.
    HeadAndCommit,
}

impl Tail {
    /// A chain that does not end where the events begin is a NULL where none may be: the statement fails before the commit.
    fn text(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Head => {
                "UPDATE audit_chains SET sequence = CASE WHEN sequence = ? THEN ? END, hash = ? WHERE chain = ?;"
            }
            Self::HeadAndCommit => {
                "UPDATE audit_chains SET sequence = CASE WHEN sequence = ? THEN ? END, hash = ? WHERE chain = ?; COMMIT;"
            }
        }
    }
}

/// The smallest size that holds so many rows.
fn size(rows: usize) -> usize {
    if rows == 0 { 0 } else { SIZES.into_iter().find(|size| *size >= rows).unwrap_or(LARGEST) }
}

/// Every statement that is ever run: certificates with names, events, and both together.
static STATEMENTS: LazyLock<BTreeMap<Shape, SqlStr>> = LazyLock::new(|| {
    let none_or_some = || [0].into_iter().chain(SIZES);
    let ends = [Tail::Nothing, Tail::Head, Tail::HeadAndCommit];
    let mut shapes: Vec<Shape> = Vec::new();
    for names in none_or_some() {
        shapes.push((0, names, 0, Tail::Nothing));
        shapes.extend(SIZES.map(|rows| (rows, names, 0, Tail::Nothing)));
        shapes.extend(SIZES.into_iter().flat_map(|rows| ends.map(|end| (rows, names, rows, end))));
    }
    shapes.extend(SIZES.into_iter().flat_map(|events| ends.map(|end| (0, 0, events, end))));
    // What is left over of a batch whose names are more than a statement takes.
    shapes.extend(none_or_some().flat_map(|names| [Tail::Head, Tail::HeadAndCommit].map(|end| (0, names, 0, end))));
    shapes
        .into_iter()
        .map(|(rows, names, events, end)| {
            let text = [&ISSUED.insert(rows), &NAMES.insert(names), &AUDIT.insert(events), end.text()].concat();
            // Tables and columns are literals of this crate.
            ((rows, names, events, end), AssertSqlSafe(Arc::<str>::from(text)).into_sql_str())
        })
        .collect()
});

fn bind_issued<'q>(mut statement: Statement<'q>, rows: &'q [IssuedRow<'_>]) -> Statement<'q> {
    for row in rows {
        let c = row.certificate;
        statement = statement
            .bind(c.id.as_str())
            .bind(c.kind.as_str())
            .bind(c.ca_id.as_str())
            .bind(c.ca_name.as_str())
            .bind(i64::from(c.ca_version))
            .bind(c.serial.as_bytes())
            .bind(c.fingerprint.0.as_slice())
            .bind(c.spki_sha256.0.as_slice())
            .bind(c.subject.as_str())
            .bind(c.common_name.as_str())
            .bind(row.common_name_lower.as_str())
            .bind(row.names.as_str())
            .bind(c.profile.as_str())
            .bind(c.key_algorithm.as_str())
            .bind(c.validity.not_before().unix_ms())
            .bind(c.validity.not_after().unix_ms())
            .bind(c.renew_at.unix_ms())
            .bind(c.requester.as_str())
            .bind(c.requester_name.as_str())
            .bind(c.request_id.as_str())
            .bind(c.issued_at.unix_ms())
            .bind(c.revocation.map(|r| r.at.unix_ms()))
            .bind(c.revocation.map(|r| r.reason.as_str()))
            .bind(c.certificate.as_slice());
    }
    statement
}

fn bind_names<'q>(mut statement: Statement<'q>, names: &'q [NameRow<'_>]) -> Statement<'q> {
    for name in names {
        statement = statement.bind(name.value.as_str()).bind(name.issued_id).bind(name.kind);
    }
    statement
}

fn bind_audit<'q>(mut statement: Statement<'q>, chain: &'q str, rows: &'q [AuditRow<'_>]) -> Statement<'q> {
    for row in rows {
        let AuditRow { event, address, link } = row;
        statement = statement
            .bind(event.id.as_str())
            .bind(event.at.unix_ms())
            .bind(event.actor.as_str())
            .bind(event.actor_name.as_str())
            .bind(event.action)
            .bind(event.target_kind)
            .bind(event.target_id.as_str())
            .bind(event.target_name.as_str())
            .bind(event.request_id.as_str())
            .bind(event.details.as_str())
            .bind(event.door)
            .bind(address.as_str())
            .bind(event.decided_by.as_str())
            .bind(event.outcome.as_str())
            .bind(chain)
            .bind(link.sequence)
            .bind(link.previous.0.as_slice())
            .bind(link.hash.0.as_slice());
    }
    statement
}

/// Stores recordings: rows of the inventory, their names, their audit events at the end of their chain. Then commits, if asked to.
pub(in super::super) async fn insert_recordings(
    connection: &mut Connection,
    rows: &[IssuedRow<'_>],
    names: &[NameRow<'_>],
    audit: &Appended<'_>,
    then: Then,
) -> Result<(), Error> {
    insert_all(connection, rows, names, Some((audit, then))).await
}

async fn insert_all(
    connection: &mut Connection,
    mut rows: &[IssuedRow<'_>],
    mut names: &[NameRow<'_>],
    audit: Option<(&Appended<'_>, Then)>,
) -> Result<(), Error> {
    let head = audit.map(|(audit, _)| &audit.head);
    let chain = head.map_or("", |head| head.chain.as_str());
    let mut events = audit.map_or(&[][..], |(audit, _)| audit.rows.as_slice());
    while !(rows.is_empty() && names.is_empty() && events.is_empty()) {
        let (rows_now, rows_later) = rows.split_at(rows.len().min(LARGEST));
        let (names_now, names_later) = names.split_at(names.len().min(LARGEST));
        let (events_now, events_later) = events.split_at(events.len().min(LARGEST));
        let is_last = rows_later.is_empty() && names_later.is_empty() && events_later.is_empty();
        let tail = match audit.filter(|_| is_last) {
            None => Tail::Nothing,
            Some((_, Then::Nothing)) => Tail::Head,
            Some((_, Then::Commit)) => Tail::HeadAndCommit,
        };
        let shape = (size(rows_now.len()), size(names_now.len()), size(events_now.len()), tail);
        let Some(text) = STATEMENTS.get(&shape) else {
            return Err(Error::Driver(format!("no statement for {shape:?}")));
        };
        let statement = ISSUED.pad(bind_issued(sqlx::query(text.clone()), rows_now), rows_now.len(), shape.0);
        let statement = NAMES.pad(bind_names(statement, names_now), names_now.len(), shape.1);
        let mut statement = AUDIT.pad(bind_audit(statement, chain, events_now), events_now.len(), shape.2);
        if let Some((audit, _)) = audit.filter(|_| is_last) {
            statement = statement
                .bind(audit.from)
                .bind(audit.head.sequence)
                .bind(audit.head.hash.0.as_slice())
                .bind(audit.head.chain.as_str());
        }
        statement.execute(&mut *connection).await.map_err(Error::from_driver)?;
        (rows, names, events) = (rows_later, names_later, events_later);
    }
    Ok(())
}

/// Stores a batch as one turn that is a whole transaction, durable when it returns. It fails, with nothing stored, unless the epoch is
/// the batch's, the chain ends where its events begin and every order of it can end; and where it needs more than one statement for a table.
pub(in super::super) async fn record_at_once(
    connection: &mut Connection,
    batch: &Batch<'_>,
    committing: impl FnOnce(),
) -> Result<(), Error> {
    // The commit stands in the same turn; there is one lane, and nobody waits for it.
    committing();
    let events = batch.audit.rows.as_slice();
    let (rows, names, told) = (size(batch.rows.len()), size(batch.names.len()), size(events.len()));
    let inserts = STATEMENTS.get(&(rows, names, told, Tail::Nothing));
    let Some(inserts) = inserts.filter(|_| batch.rows.len() <= rows && batch.names.len() <= names) else {
        return Err(Error::Driver("more rows than one statement takes".to_owned()));
    };
    let values = ISSUED.pad(bind_issued(sqlx::query(""), batch.rows), batch.rows.len(), rows);
    let values = NAMES.pad(bind_names(values, batch.names), batch.names.len(), names);
    let mut values = AUDIT.pad(bind_audit(values, &batch.audit.head.chain, events), events.len(), told);
    let values = values.take_arguments().map_err(|error| Error::Driver(error.to_string()))?.unwrap_or_default();
    let mut turn = QueryBuilder::<Driver>::with_arguments([BEGIN_WRITE, "; ", inserts.as_str()].concat(), values);
    let (head, count) = (&batch.audit.head, i64::try_from(batch.endings.len()).unwrap_or(i64::MAX));
    if count > 0 {
        push_end(&mut turn, batch.endings);
        turn.push("; ");
    }
    // What is not as expected is a NULL where none may be.
    turn.push("UPDATE audit_chains SET sequence = CASE WHEN sequence = ").push_bind(batch.audit.from);
    turn.push(" AND (SELECT number FROM epoch WHERE id = 1) = ").push_bind(batch.epoch);
    if count > 0 {
        // Of the statement before: the orders that have ended.
        turn.push(" AND changes() = ").push_bind(count);
    }
    turn.push(" THEN ").push_bind(head.sequence).push(" END, hash = ").push_bind(head.hash.0.as_slice());
    turn.push(" WHERE chain = ").push_bind(head.chain.as_str()).push("; COMMIT");
    let done = turn.build().execute(&mut *connection).await.map_err(Error::from_driver);
    if let Err(error) = done {
        // Where it had not begun, there is nothing to be undone; where this fails otherwise, the next beginning does.
        let _ = sqlx::raw_sql("ROLLBACK").execute(connection).await;
        return Err(error);
    }
    Ok(())
}

/// Stores rows of the inventory with their names.
pub(in super::super) async fn insert_issued(
    connection: &mut Connection,
    rows: &[IssuedRow<'_>],
    names: &[NameRow<'_>],
) -> Result<(), Error> {
    insert_all(connection, rows, names, None).await
}

/// Stores audit events at the end of their chain, and commits.
pub(in super::super) async fn insert_audit_and_commit(
    connection: &mut Connection,
    audit: &Appended<'_>,
) -> Result<(), Error> {
    insert_all(connection, &[], &[], Some((audit, Then::Commit))).await
}

#[cfg(test)]
mod tests {
    use super::super::{BEGIN_WRITE, Database, queries::migrate};
    use super::*;

    /// The writer's lock keeps it from happening; if it did, nothing would be committed.
    #[tokio::test]
    async fn events_of_a_chain_that_ends_elsewhere_are_not_committed() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("chain.db")).await.unwrap();
        migrate::run(&database).await.unwrap();
        let mut held = database.writer().await.unwrap();
        for (from, is_right) in [(2_i64, false), (0, true)] {
            sqlx::raw_sql(BEGIN_WRITE).execute(&mut *held).await.unwrap();
            let moving = sqlx::query(Tail::HeadAndCommit.text()).bind(from).bind(3_i64).bind(vec![7_u8; 32]).bind("01");
            assert_eq!(moving.execute(&mut *held).await.is_ok(), is_right);
            let undone = sqlx::raw_sql("ROLLBACK").execute(&mut *held).await;
            assert_eq!(undone.is_err(), is_right, "there is a transaction until the commit");
        }
        drop(held);
        database.close().await;
    }
}
