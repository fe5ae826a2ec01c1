//! Every drive of the search can be planned without a scan of the table. (That the right index is taken, SQLite's twin of
//! this test checks: PostgreSQL decides by statistics, and an empty table has none.)

use super::Database;
use crate::IssuedFilter;
use crate::plans::{SORTS, filters};
use sqlx::Row as _;

#[tokio::test]
async fn no_drive_scans_the_table() {
    let (url, _guard) = certwright_testkit::postgres::fresh_database();
    let database = Database::open(&url).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    let mut reader = database.reader().await.unwrap();
    for filter in filters() {
        for sort in SORTS {
            for is_first_page in [true, false] {
                let filter = IssuedFilter { sort, ..filter.clone() };
                let mut statement = super::queries::search::explain_drive("EXPLAIN ", &filter, is_first_page);
                let rows = statement.build().fetch_all(&mut *reader).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
                assert!(plan.iter().any(|step| step.contains("Index")), "{filter:?}: {plan:?}");
                assert!(!plan.iter().any(|step| step.contains("Seq Scan")), "{filter:?}: {plan:?}");
            }
        }
    }
    drop(reader);
    database.close().await;
}

#[tokio::test]
async fn nothing_is_compiled() {
    let (url, _guard) = certwright_testkit::postgres::fresh_database();
    let database = Database::open(&url).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    for mut connection in [database.writer().await.unwrap(), database.keyed_writer().await.unwrap()] {
        // A scan of a small table, which is made to look expensive. (PostgreSQL without its compiler shows nothing either.)
        let rows =
            sqlx::query("EXPLAIN (ANALYZE) SELECT id FROM webhooks WHERE enabled = 1").fetch_all(&mut *connection);
        let plan: Vec<String> = rows.await.unwrap().iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|step| step.contains("Seq Scan")), "{plan:?}");
        assert!(!plan.iter().any(|step| step.contains("JIT")), "{plan:?}");
    }
    database.close().await;
}
