//! Moving pages from the write-ahead log into the database file, beside the writer.
//!
//! Left to itself SQLite does that in the commit that makes the log long, and every caller of the group commit waits for
//! megabytes to be written and synced. A connection of its own does it meanwhile; a passive checkpoint keeps nobody out.
//! Under a load without a pause the log is never wholly moved and so never starts anew: then the writer's own checkpoint
//! ([`WRITER_PAGES`]) moves what little is left. Durability does not depend on any of this: a commit is in the log.

use super::{Connection, Error};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Pages in the log that are worth a checkpoint (at 4 KiB: 8 MiB).
const PAGES: i64 = 2_000;
/// Pages at which the writer takes part, as text of a pragma (at 4 KiB: 64 MiB).
pub(super) const WRITER_PAGES: &str = "16000";

/// The pause after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Uses of the writer's connection between two looks at the log. A look is a turn of a thread, and no use writes so many pages
/// that this many would make the log long.
const LOOK_EVERY: u32 = 8;

/// Wakes the checkpointer now and then when it is dropped: the writer's connection was given back.
pub(crate) struct Written {
    wake: Arc<Notify>,
    uses: Arc<AtomicU32>,
}

impl Drop for Written {
    fn drop(&mut self) {
        let uses = self.uses.fetch_add(1, Ordering::Relaxed);
        if uses.is_multiple_of(LOOK_EVERY) {
            self.wake.notify_one();
        }
    }
}

/// The task and how to reach it.
pub(super) struct Checkpointer {
    wake: Arc<Notify>,
    uses: Arc<AtomicU32>,
    closing: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        // A store that is dropped without being closed leaves nothing running.
        if let Some(task) = self.take() {
            task.abort();
        }
    }
}

impl Checkpointer {
    /// Starts it on the runtime that calls.
    pub(super) fn start(options: SqliteConnectOptions) -> Self {
        let (wake, (closing, closed)) = (Arc::new(Notify::new()), watch::channel(false));
        let task = tokio::spawn(run(options, Arc::clone(&wake), closed));
        Self { wake, uses: Arc::default(), closing, task: Mutex::new(Some(task)) }
    }

    fn take(&self) -> Option<JoinHandle<()>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// To be held while the writer's connection is in use.
    pub(super) fn written(&self) -> Written {
        Written { wake: Arc::clone(&self.wake), uses: Arc::clone(&self.uses) }
    }

    /// Ends it, and waits until its connection is closed.
    pub(super) async fn stop(&self) {
        self.closing.send_replace(true);
        if let Some(task) = self.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "checkpoints ended badly");
        }
    }
}

async fn run(options: SqliteConnectOptions, wake: Arc<Notify>, mut closing: watch::Receiver<bool>) {
    let mut connection = None;
    loop {
        tokio::select! {
            biased;
            // An error means that the store is gone.
            _ = closing.wait_for(|closing| *closing) => break,
            () = wake.notified() => {}
        }
        if let Err(error) = move_pages(&options, &mut connection).await {
            // Nothing is lost: the pages stay in the log, and the writer moves them when it has become long.
            tracing::warn!(%error, "the write-ahead log was not moved into the database file");
            connection = None;
            // A full disk is told once in a while, not at every commit.
            if tokio::time::timeout(AFTER_FAILURE, closing.wait_for(|closing| *closing)).await.is_ok() {
                break;
            }
        }
    }
    if let Some(connection) = connection
        && let Err(error) = connection.close().await
    {
        tracing::warn!(%error, "a connection to the database file was not closed cleanly");
    }
}

/// Moves what the log has, if that is worth it.
async fn move_pages(options: &SqliteConnectOptions, connection: &mut Option<Connection>) -> Result<(), Error> {
    let connection = match connection {
        Some(open) => open,
        none => none.insert(options.connect().await.map_err(Error::from_driver)?),
    };
    if left(connection, "PRAGMA wal_checkpoint(NOOP)").await? >= PAGES {
        left(connection, "PRAGMA wal_checkpoint(PASSIVE)").await?;
    }
    Ok(())
}

/// Runs a checkpoint; pages that are in the log and not yet in the file.
async fn left(connection: &mut Connection, pragma: &'static str) -> Result<i64, Error> {
    let row = sqlx::query(pragma).fetch_one(connection).await.map_err(Error::from_driver)?;
    let count = |column| row.try_get::<i64, usize>(column).map_err(Error::from_driver);
    Ok(count(1)?.saturating_sub(count(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_log_is_moved_and_a_short_one_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .pragma("wal_autocheckpoint", "0");
        let mut writer = options.connect().await.unwrap();
        sqlx::raw_sql("CREATE TABLE pages (page BLOB)").execute(&mut writer).await.unwrap();
        let mut connection = None;
        let noop = "PRAGMA wal_checkpoint(NOOP)";
        for (rows, moved) in [(100, false), (PAGES, true)] {
            let insert = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
                          INSERT INTO pages SELECT zeroblob(4000) FROM n";
            sqlx::query(insert).bind(rows).execute(&mut writer).await.unwrap();
            let before = left(&mut writer, noop).await.unwrap();
            assert!(before >= rows, "{before} pages of {rows} rows");
            move_pages(&options, &mut connection).await.unwrap();
            let after = left(&mut writer, noop).await.unwrap();
            assert_eq!(after, if moved { 0 } else { before });
        }
    }
}
