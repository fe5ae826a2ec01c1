//! Which commits wait for the disk, whatever the transaction before was and however it ended.

use super::queries::Session;
use super::{BEGIN_MIGRATION, BEGIN_RECORD, BEGIN_WRITE, Database};
use crate::AcmeNonce;
use certwright_domain::time::Timestamp;
use sqlx::Row as _;

async fn waits(session: &mut Session) -> String {
    session.ask("SHOW synchronous_commit").await.unwrap().get(0)
}

#[tokio::test]
async fn a_relaxed_transaction_leaves_no_other_relaxed() {
    let (url, _guard) = certwright_testkit::postgres::fresh_database();
    let database = Database::open(&url).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    for ending in ["committed", "rolled back", "dropped", "failed"] {
        let mut relaxed = Session::relaxed(&database).await.unwrap();
        assert_eq!(waits(&mut relaxed).await, "off");
        match ending {
            "committed" => {
                let nonce = AcmeNonce { body: vec![1; 16], expires_at: Timestamp::from_unix_s(1) };
                relaxed.take_acme_nonces(&[nonce]).await.unwrap();
                relaxed.commit().await.unwrap();
            }
            "rolled back" => relaxed.rollback().await.unwrap(),
            "failed" => {
                assert!(relaxed.ask("SELECT * FROM nowhere").await.is_err());
                assert!(relaxed.commit().await.is_err());
            }
            _ => drop(relaxed),
        }
        // Whichever connection comes next: the one that was relaxed is among them.
        let mut open = Vec::new();
        for _ in 0..3 {
            let mut next = Session::write(&database).await.unwrap();
            assert_eq!(waits(&mut next).await, "on", "after one that was {ending}");
            open.push(next);
        }
        for next in open {
            next.rollback().await.unwrap();
        }
    }
    for begin in [BEGIN_WRITE, BEGIN_RECORD, BEGIN_MIGRATION] {
        let mut held = database.writer().await.unwrap();
        sqlx::raw_sql(begin).execute(&mut *held).await.unwrap();
        let found: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *held).await.unwrap();
        assert_eq!(found, "on", "{begin}");
        sqlx::raw_sql("ROLLBACK").execute(&mut *held).await.unwrap();
    }
    database.close().await;
}
