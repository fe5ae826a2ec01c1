//! How each kind of transaction is synced, whatever the one before it was and however it ended.

use super::queries::Session;
use super::{BEGIN_MIGRATION, BEGIN_RECORD, BEGIN_RELAXED, BEGIN_WRITE, Database};
use crate::AcmeNonce;
use certwright_domain::time::Timestamp;
use sqlx::Row as _;

const NORMAL: i64 = 1;
const FULL: i64 = 2;

async fn database() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("relaxed.db")).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    (folder, database)
}

async fn level(session: &mut Session) -> i64 {
    session.ask("PRAGMA synchronous").await.unwrap().get(0)
}

fn nonce() -> [AcmeNonce; 1] {
    [AcmeNonce { body: vec![1; 16], expires_at: Timestamp::from_unix_s(1) }]
}

#[tokio::test]
async fn every_beginning_says_how_its_commit_is_synced() {
    let (_folder, database) = database().await;
    for (begin, wanted) in [(BEGIN_WRITE, FULL), (BEGIN_RECORD, FULL), (BEGIN_MIGRATION, FULL), (BEGIN_RELAXED, NORMAL)]
    {
        for before in [BEGIN_RELAXED, BEGIN_WRITE] {
            for end in ["ROLLBACK", "COMMIT"] {
                let mut held = database.writer().await.unwrap();
                for text in [before, end, begin] {
                    sqlx::raw_sql(text).execute(&mut *held).await.unwrap();
                }
                let found: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *held).await.unwrap();
                assert_eq!(found, wanted, "{before}; {end}; {begin}");
                sqlx::raw_sql("ROLLBACK").execute(&mut *held).await.unwrap();
            }
        }
    }
    database.close().await;
}

#[tokio::test]
async fn a_relaxed_transaction_leaves_no_other_relaxed() {
    let (_folder, database) = database().await;
    for ending in ["committed", "rolled back", "dropped", "failed", "given up"] {
        let mut relaxed = Session::relaxed(&database).await.unwrap();
        assert_eq!(level(&mut relaxed).await, NORMAL);
        match ending {
            "committed" => {
                relaxed.take_acme_nonces(&nonce()).await.unwrap();
                relaxed.commit().await.unwrap();
            }
            "rolled back" => relaxed.rollback().await.unwrap(),
            "failed" => {
                assert!(relaxed.ask("SELECT * FROM nowhere").await.is_err());
                assert!(relaxed.commit().await.is_err());
            }
            "given up" => {
                // The future ends in the middle of the statement.
                let nonce = nonce();
                assert!(polled_once(relaxed.take_acme_nonces(&nonce)).await.is_none());
                drop(relaxed);
            }
            _ => drop(relaxed),
        }
        let mut next = Session::write(&database).await.unwrap();
        assert_eq!(level(&mut next).await, FULL, "after one that was {ending}");
        next.rollback().await.unwrap();
    }
    database.close().await;
}

/// Polls a future once and drops it.
async fn polled_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
