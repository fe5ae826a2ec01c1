//! Runs migrations: one transaction per step, which also checks what is there and remembers the step.

use super::super::{BEGIN_MIGRATION, HAS_MIGRATIONS, MAKE_MIGRATIONS, MIGRATIONS};
use super::session::roll_back;
use super::{Connection, Database, Error, Reading, Result};
use crate::migrations::{Applied, Step, missing};
use sqlx::Row as _;

/// Applies what is missing. Other nodes wait at the beginning of the transaction and then find nothing missing.
pub(crate) async fn run(database: &Database) -> Result<()> {
    // A role that may only serve cannot even ask for the table of migrations to be made.
    if pending(database).await?.is_empty() {
        return Ok(());
    }
    // No deadline here: a step may take as long as it needs.
    while let Some(step) = apply_next(database).await? {
        tracing::info!(migration = step.name, "applied a migration");
    }
    Ok(())
}

/// Names of the missing steps. Changes nothing.
pub(crate) async fn pending(database: &Database) -> Result<Vec<String>> {
    let mut held = database.reader().await?;
    let found: i64 = sqlx::query_scalar(HAS_MIGRATIONS).fetch_one(&mut *held).await.map_err(Error::from_driver)?;
    let applied = if found == 0 { Vec::new() } else { applied(&mut held).await? };
    Ok(missing(MIGRATIONS, &applied)?.iter().map(|step| step.name.to_owned()).collect())
}

async fn apply_next(database: &Database) -> Result<Option<&'static Step>> {
    let mut held = database.writer().await?;
    let outcome = apply_next_on(&mut held).await;
    if outcome.is_err() {
        roll_back(held).await;
    }
    outcome
}

async fn apply_next_on(connection: &mut Connection) -> Result<Option<&'static Step>> {
    execute(connection, BEGIN_MIGRATION).await?;
    execute(connection, MAKE_MIGRATIONS).await?;
    let next = missing(MIGRATIONS, &applied(connection).await?)?.first();
    if let Some(step) = next {
        execute(connection, step.sql).await?;
        sqlx::query("INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)")
            .bind(step.number)
            .bind(step.name)
            .bind(step.checksum())
            .execute(&mut *connection)
            .await
            .map_err(Error::from_driver)?;
    }
    execute(connection, "COMMIT").await?;
    Ok(next)
}

async fn execute(connection: &mut Connection, statements: &'static str) -> Result<()> {
    sqlx::raw_sql(statements).execute(connection).await.map(drop).map_err(Error::from_driver)
}

async fn applied(connection: &mut Connection) -> Result<Vec<Applied>> {
    let rows = sqlx::query("SELECT number, name, checksum FROM schema_migrations ORDER BY number")
        .fetch_all(connection)
        .await
        .map_err(Error::from_driver)?;
    rows.iter()
        .map(|row| {
            let number = row.try_get("number").map_err(Error::from_driver)?;
            let row = Reading::of(row, "schema_migrations", "name")?;
            Ok(Applied { number, name: row.text("name")?, checksum: row.blob("checksum")? })
        })
        .collect()
}
