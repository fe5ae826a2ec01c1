//! A connection with an open transaction, and how statements run on it.

use super::super::{BEGIN_READ, BEGIN_WRITE, STATEMENT_DEADLINE, insert_audit_and_commit};
use super::audit::take_chain;
use super::{Connection, Database, Driver, Error, Held, Result, Row, Statement};
use crate::rows::append;
use certwright_domain::audit::AuditEvent;
use std::future::Future;

/// An open transaction. Dropping it rolls back.
pub(crate) struct Session {
    /// `None` once the transaction has ended.
    held: Option<Held>,
    /// There is no transaction: nothing is written, and nothing to be undone.
    is_glance: bool,
    /// The statement that spoiled it. PostgreSQL would answer COMMIT with a silent rollback, SQLite would commit the rest:
    /// neither is wanted.
    spoiled: Option<Error>,
    /// Was a delivery stored that waits to be sent?
    owes: bool,
    /// Audit events: written as the last statement before the commit, so that a chain is held for no longer.
    audit: Vec<AuditEvent>,
}

impl Session {
    /// Begins a write transaction.
    pub(crate) async fn write(database: &Database) -> Result<Self> {
        Self::begin(database.writer().await?, BEGIN_WRITE).await
    }

    /// The same where rows are found by their keys alone.
    pub(crate) async fn keyed_write(database: &Database) -> Result<Self> {
        Self::begin(database.keyed_writer().await?, BEGIN_WRITE).await
    }

    /// Begins a read transaction.
    pub(crate) async fn read(database: &Database) -> Result<Self> {
        Self::begin(database.reader().await?, BEGIN_READ).await
    }

    /// Takes a connection for reading without a transaction: each statement sees what is committed when it begins.
    pub(crate) async fn glance(database: &Database) -> Result<Self> {
        let held = Some(database.keyed_reader().await?);
        Ok(Self { held, is_glance: true, spoiled: None, owes: false, audit: Vec::new() })
    }

    async fn begin(held: Held, statement: &'static str) -> Result<Self> {
        let mut session = Self { held: Some(held), is_glance: false, spoiled: None, owes: false, audit: Vec::new() };
        session.run(async |connection| sqlx::raw_sql(statement).execute(connection).await.map(drop)).await?;
        Ok(session)
    }

    /// Runs a statement that is a whole transaction. Whatever ends it early undoes it.
    pub(crate) async fn at_once(database: &Database, statement: sqlx::QueryBuilder<Driver>) -> Result<Vec<Row>> {
        let held = Some(database.keyed_writer().await?);
        let mut session = Self { held, is_glance: false, spoiled: None, owes: false, audit: Vec::new() };
        let rows = session.built(statement).await;
        match rows {
            Ok(_) => session.held = None,
            Err(_) => session.rollback().await?,
        }
        rows
    }

    /// Notes that a delivery was stored that waits to be sent.
    pub(super) fn owes_deliveries(&mut self) {
        self.owes = true;
    }

    /// Was a delivery stored that waits to be sent?
    pub(crate) fn delivery_is_due(&self) -> bool {
        self.owes
    }

    /// Has an audit event written when the transaction commits.
    pub(super) fn owes_audit(&mut self, event: AuditEvent) {
        self.audit.push(event);
    }

    /// Makes the transaction durable.
    pub(crate) async fn commit(mut self) -> Result<()> {
        if let Some(error) = self.spoiled.take() {
            self.rollback().await?;
            return Err(match error {
                Error::Unavailable(_) => error,
                other => Error::Driver(format!("a statement of this transaction failed before its commit: {other}")),
            });
        }
        let events = std::mem::take(&mut self.audit);
        if !events.is_empty() {
            let written = self
                .bulk(async |connection| {
                    let head = take_chain(connection).await?;
                    insert_audit_and_commit(connection, &append(&head, &events)).await
                })
                .await;
            match written {
                Ok(()) => self.held = None,
                // Nobody waits for a server that may not answer: what is dropped rolls back.
                Err(Error::Unavailable(_)) => {}
                Err(_) => self.rollback_now().await,
            }
            return written;
        }
        self.run(async |connection| sqlx::raw_sql("COMMIT").execute(connection).await.map(drop)).await?;
        self.held = None;
        Ok(())
    }

    /// Undoes it.
    pub(crate) async fn rollback(mut self) -> Result<()> {
        self.rollback_now().await;
        Ok(())
    }

    async fn rollback_now(&mut self) {
        // After a lost connection there is nothing left to undo.
        if let Some(held) = self.held.take() {
            roll_back(held).await;
        }
    }

    /// Runs something on the connection, within the deadline. Every failure spoils the transaction.
    async fn run<T>(&mut self, work: impl AsyncFnOnce(&mut Connection) -> sqlx::Result<T>) -> Result<T> {
        let Some(held) = self.held.as_mut() else {
            return Err(Error::Driver("the transaction has ended".to_owned()));
        };
        let outcome = within(held, work).await;
        if let Err(error) = &outcome {
            self.spoiled.get_or_insert_with(|| error.clone());
        }
        outcome
    }

    /// Nothing that was written before `error` may be committed.
    pub(super) fn spoil(&mut self, error: Error) -> Error {
        self.spoiled.get_or_insert(error).clone()
    }

    /// Runs one of the batched inserts, which speak in our errors.
    pub(super) async fn bulk(&mut self, work: impl AsyncFnOnce(&mut Connection) -> Result<()>) -> Result<()> {
        self.refuse_a_glance()?;
        let mut failure = None;
        self.run(async |connection| {
            failure = work(connection).await.err();
            Ok(())
        })
        .await?;
        match failure {
            Some(error) => Err(self.spoil(error)),
            None => Ok(()),
        }
    }

    /// Outside of a transaction nothing is written.
    fn refuse_a_glance(&self) -> Result<()> {
        match self.is_glance {
            true => Err(Error::Driver("a glance cannot write".to_owned())),
            false => Ok(()),
        }
    }

    /// Executes the statement; how many rows it changed.
    pub(super) async fn execute(&mut self, statement: Statement<'_>) -> Result<u64> {
        self.refuse_a_glance()?;
        self.run(async |connection| statement.execute(connection).await.map(|done| done.rows_affected())).await
    }

    /// The only row, or none.
    pub(super) async fn optional(&mut self, statement: Statement<'_>) -> Result<Option<Row>> {
        self.run(async |connection| statement.fetch_optional(connection).await).await
    }

    /// All rows; the statement bounds them.
    pub(super) async fn all(&mut self, statement: Statement<'_>) -> Result<Vec<Row>> {
        self.run(async |connection| statement.fetch_all(connection).await).await
    }

    /// What a test wants to know of the connection: one row.
    #[cfg(test)]
    pub(crate) async fn ask(&mut self, question: &'static str) -> Result<Row> {
        self.run(async |connection| sqlx::query(question).fetch_one(connection).await).await
    }

    /// The rows that a statement returns which was put together from literals and writes.
    pub(super) async fn written(&mut self, builder: sqlx::QueryBuilder<Driver>) -> Result<Vec<Row>> {
        self.refuse_a_glance()?;
        self.built(builder).await
    }

    /// The rows of a statement that was put together from literals; values are bound.
    pub(crate) async fn built(&mut self, mut builder: sqlx::QueryBuilder<Driver>) -> Result<Vec<Row>> {
        self.run(async |connection| builder.build().fetch_all(connection).await).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(mut held) = self.held.take().filter(|_| !self.is_glance) {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(roll_back(held))),
                // Nobody can wait for a rollback: the connection's own end is one.
                Err(_) => held.discard(),
            }
        }
    }
}

/// Rolls back; a connection on which even that fails is not used again.
pub(super) async fn roll_back(mut held: Held) {
    let undone = within(&mut held, async |connection| sqlx::raw_sql("ROLLBACK").execute(connection).await).await;
    if let Err(error) = undone {
        tracing::debug!(%error, "a rollback failed; its connection is given up");
        held.discard();
    }
}

/// Runs something on the connection, within the deadline. After a failure of the connection itself it is given up.
pub(super) async fn within<T>(
    held: &mut Held,
    work: impl AsyncFnOnce(&mut Connection) -> sqlx::Result<T>,
) -> Result<T> {
    held.settle(false);
    let outcome = deadline(work(held)).await;
    held.settle(true);
    if let Err(Error::Unavailable(_)) = &outcome {
        held.discard();
    }
    outcome
}

async fn deadline<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(STATEMENT_DEADLINE, work).await {
        Ok(outcome) => outcome.map_err(Error::from_driver),
        Err(_) => Err(Error::Unavailable("the database did not answer in time".to_owned())),
    }
}
