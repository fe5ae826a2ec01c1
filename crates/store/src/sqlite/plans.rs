//! The search stays flat only while every drive reads one index in the order of the list. Here SQLite says what it would do.

use super::{Connection, Database};
use crate::IssuedFilter;
use crate::plans::{SORTS, filters};
use crate::rows::Digest;
use certwright_domain::serial::Sha256;
use sqlx::Row as _;

/// The steps of the plan.
async fn plan(connection: &mut Connection, mut statement: sqlx::QueryBuilder<super::Driver>) -> Vec<String> {
    let rows = statement.build().fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}

#[tokio::test]
async fn every_drive_reads_one_index_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("plans.db")).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    let mut reader = database.reader().await.unwrap();
    for filter in filters() {
        for sort in SORTS {
            for is_first_page in [true, false] {
                let filter = IssuedFilter { sort, ..filter.clone() };
                let statement = super::queries::search::explain_drive("EXPLAIN QUERY PLAN ", &filter, is_first_page);
                let steps = plan(&mut reader, statement).await;
                let [step] = steps.as_slice() else { panic!("{filter:?}: {steps:?}") };
                assert!(step.contains("COVERING INDEX") || step.contains("PRIMARY KEY"), "{filter:?}: {step}");
                let ends_somewhere = step.starts_with("SEARCH");
                let is_the_whole_list = is_first_page && step.starts_with("SCAN");
                assert!(ends_somewhere || is_the_whole_list, "{filter:?}: {step}");
            }
        }
    }
    drop(reader);
    database.close().await;
}

#[tokio::test]
async fn a_bundle_is_one_indexed_read() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("plans.db")).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    let mut reader = database.reader().await.unwrap();
    let mut statement = sqlx::QueryBuilder::new("EXPLAIN QUERY PLAN ");
    statement.push(super::queries::certificates::VERSION_BY_NAME);
    let steps = plan(&mut reader, statement).await;
    let steps: Vec<String> = steps.into_iter().filter(|step| !step.starts_with("CORRELATED")).collect();
    // Six, because the versions that wait are looked for only behind the one in use, and there is none as a rule.
    assert_eq!(steps.len(), 6, "{steps:?}");
    assert!(
        steps
            .iter()
            .all(|step| step.starts_with("SEARCH") && (step.contains("USING INDEX") || step.contains("PRIMARY KEY"))),
        "{steps:?}"
    );
    drop(reader);
    database.close().await;
}

#[tokio::test]
async fn the_standing_of_a_serial_is_one_indexed_read() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("plans.db")).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    let mut reader = database.reader().await.unwrap();
    let mut statement = sqlx::QueryBuilder::new("EXPLAIN QUERY PLAN ");
    statement.push(super::queries::ocsp::STANDING);
    let steps: Vec<String> = plan(&mut reader, statement)
        .await
        .into_iter()
        .filter(|step| step.contains("SE") || step.contains("SCAN"))
        .collect();
    let searches = steps.iter().filter(|step| step.starts_with("SEARCH")).count();
    assert!(searches == 2 && !steps.iter().any(|step| step.contains("SCAN")), "{steps:?}");
    drop(reader);
    database.close().await;
}

#[tokio::test]
async fn a_digest_is_looked_up_in_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("plans.db")).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    let mut reader = database.reader().await.unwrap();
    for (digest, index) in
        [(Digest::Fingerprint, "issued_certificates_by_fingerprint"), (Digest::Key, "issued_certificates_by_key")]
    {
        let mut statement = sqlx::QueryBuilder::new("EXPLAIN QUERY PLAN ");
        super::push_ids_by_digest(&mut statement, digest, &Sha256([7; 32]));
        let steps = plan(&mut reader, statement).await;
        let wanted = format!("SEARCH i USING INDEX {index} (<expr>=? AND {}=?)", digest.as_str());
        assert!(steps.contains(&wanted), "{steps:?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN i")), "{steps:?}");
    }
    drop(reader);
    database.close().await;
}
