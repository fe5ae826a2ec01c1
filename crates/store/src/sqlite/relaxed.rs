//! How each kind of transaction is synced, whatever the one before it was and however it ended.

use super::queries::{Session, nonces};
use super::{BEGIN_MIGRATION, BEGIN_RECORD, BEGIN_WRITE, Connection, DURABLE, Database, TOGETHER, Together};
use crate::AcmeNonce;
use certwright_domain::time::Timestamp;
use sqlx::{QueryBuilder, Row as _};
use std::task::Poll;

const NORMAL: i64 = 1;
const FULL: i64 = 2;

async fn database() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("relaxed.db")).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    (folder, database)
}

async fn level(connection: &mut Connection) -> i64 {
    sqlx::query_scalar("PRAGMA synchronous").fetch_one(connection).await.unwrap()
}

fn nonce(number: u8) -> [AcmeNonce; 1] {
    [AcmeNonce { body: vec![number; 16], expires_at: Timestamp::from_unix_s(1) }]
}

#[tokio::test]
async fn nonces_are_relaxed_and_nothing_else_is() {
    let (_folder, database) = database().await;
    for begin in [BEGIN_WRITE, BEGIN_RECORD, BEGIN_MIGRATION] {
        for end in ["ROLLBACK", "COMMIT"] {
            nonces::take(&database, &nonce(1)).await.unwrap();
            let mut held = database.writer().await.unwrap();
            assert_eq!(level(&mut held).await, NORMAL, "so the nonce was");
            sqlx::raw_sql(begin).execute(&mut *held).await.unwrap();
            assert_eq!(level(&mut held).await, FULL, "{begin}");
            sqlx::raw_sql(end).execute(&mut *held).await.unwrap();
        }
    }
    let Together { begin, end, .. } = TOGETHER;
    for (first, last) in [(DURABLE, ""), (begin, end)] {
        nonces::take(&database, &nonce(1)).await.unwrap();
        let mut statement = QueryBuilder::new(first);
        statement.push("DELETE FROM acme_nonces WHERE nonce = ").push_bind(vec![9_u8; 16]).push(last);
        Session::at_once(&database, statement).await.unwrap();
        assert_eq!(level(&mut database.writer().await.unwrap()).await, FULL, "{first}");
    }
    database.close().await;
}

#[tokio::test]
async fn a_relaxed_transaction_leaves_no_other_relaxed_however_it_ended() {
    let (_folder, database) = database().await;
    for ending in ["committed", "taken before", "failed", "given up"] {
        match ending {
            "committed" => assert_eq!(nonces::take(&database, &nonce(2)).await.unwrap(), [true]),
            "taken before" => assert_eq!(nonces::take(&database, &nonce(2)).await.unwrap(), [false]),
            "failed" => {
                let mut held = database.writer().await.unwrap();
                sqlx::raw_sql("PRAGMA query_only = ON").execute(&mut *held).await.unwrap();
                drop(held);
                nonces::take(&database, &nonce(3)).await.unwrap_err();
                let mut held = database.writer().await.unwrap();
                sqlx::raw_sql("PRAGMA query_only = OFF").execute(&mut *held).await.unwrap();
            }
            _ => {
                let nonce = nonce(4);
                let mut taking = Box::pin(nonces::take(&database, &nonce));
                // The future ends in the middle, wherever the connection's own thread is by then.
                std::future::poll_fn(|context| Poll::Ready(taking.as_mut().poll(context).is_ready())).await;
            }
        }
        let mut next = Session::write(&database).await.unwrap();
        let found: i64 = next.ask("PRAGMA synchronous").await.unwrap().get(0);
        assert_eq!(found, FULL, "after one that was {ending}");
        next.rollback().await.unwrap();
    }
    database.close().await;
}
