//! Which commits wait for the disk, whatever the transaction before was and however it ended.

use super::queries::{Session, nonces};
use super::{BEGIN_MIGRATION, BEGIN_RECORD, BEGIN_WRITE, Connection, Database, RELAXED, take_nonce_and_read};
use crate::AcmeNonce;
use certwright_domain::time::Timestamp;
use sqlx::Row as _;

async fn waits(connection: &mut Connection) -> String {
    sqlx::query_scalar("SHOW synchronous_commit").fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn nonces_are_relaxed_and_nothing_else_is() {
    let (url, _guard) = certwright_testkit::postgres::fresh_database();
    let database = Database::open(&url).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    let mut held = database.writer().await.unwrap();
    // The statement of nonces, asked what holds for it while it runs, and what is left when it has ended.
    for end in ["current_setting('synchronous_commit')", "CAST(1 / (1 - octet_length(nonce)) AS TEXT)"] {
        let text = format!(
            "{RELAXED}('\\x00'::bytea, 1)) AS v (nonce, expires_at) WHERE relaxed.level = 'off' \
                            ON CONFLICT (nonce) DO UPDATE SET expires_at = 2 RETURNING {end}"
        );
        let found = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(text)).fetch_one(&mut *held).await;
        match end.starts_with("current") {
            true => assert_eq!(found.unwrap(), "off"),
            false => drop(found.unwrap_err()),
        }
        assert_eq!(waits(&mut held).await, "on", "after {end}");
    }
    drop(held);
    let nonce = [AcmeNonce { body: vec![1; 16], expires_at: Timestamp::from_unix_s(1) }];
    assert_eq!(nonces::take(&database, &nonce).await.unwrap(), [true]);
    assert_eq!(nonces::take(&database, &nonce).await.unwrap(), [false]);
    // The same where something is read with it: the nonce's level holds for the transaction, and ends with it.
    for (number, level) in [(2, Some("off")), (2, None)] {
        let nonce = AcmeNonce { body: vec![number; 16], expires_at: Timestamp::from_unix_s(1) };
        let rows = take_nonce_and_read(&database, &nonce, |query| {
            query.push("SELECT current_setting('synchronous_commit') AS level FROM relaxed");
        });
        let rows = rows.await.unwrap();
        let found = rows.map(|rows| rows.iter().map(|row| row.get("level")).collect::<Vec<String>>());
        assert_eq!(found, level.map(|level| vec![level.to_owned()]));
        assert_eq!(waits(&mut database.keyed_writer().await.unwrap()).await, "on");
    }
    for begin in [BEGIN_WRITE, BEGIN_RECORD, BEGIN_MIGRATION] {
        let mut held = database.writer().await.unwrap();
        sqlx::raw_sql(begin).execute(&mut *held).await.unwrap();
        assert_eq!(waits(&mut held).await, "on", "{begin}");
        sqlx::raw_sql("ROLLBACK").execute(&mut *held).await.unwrap();
    }
    let mut next = Session::write(&database).await.unwrap();
    assert_eq!(next.ask("SHOW synchronous_commit").await.unwrap().get::<String, usize>(0), "on");
    next.rollback().await.unwrap();
    database.close().await;
}
