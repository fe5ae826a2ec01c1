//! Both databases have the same tables with the same columns, and the same ones may be NULL.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use certwright_store::{Location, NoFaults, Store};
use certwright_testkit::postgres::fresh_database;
use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// By table and column: the type (in SQLite's words) and whether it may be NULL.
type Schema = BTreeMap<(String, String), (String, bool)>;

async fn migrated(location: &Location) {
    let store = Store::open(location, Arc::new(NoFaults)).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
}

async fn sqlite() -> Schema {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parity.db");
    migrated(&Location::Sqlite(path.clone())).await;
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let columns = sqlx::query(
        "SELECT t.name AS table_name, c.name AS column_name, c.type AS type, c.\"notnull\" AS required, t.sql \
         FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    columns
        .iter()
        .map(|row| {
            let table: String = row.get("table_name");
            assert!(row.get::<String, _>("sql").contains("STRICT"), "{table} must be STRICT");
            let nullable = row.get::<i64, _>("required") == 0;
            ((table, row.get("column_name")), (row.get("type"), nullable))
        })
        .collect()
}

async fn postgres() -> Schema {
    let (url, _guard) = fresh_database();
    migrated(&Location::Postgres(url.clone())).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let columns = sqlx::query(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, collation_name::text \
         FROM information_schema.columns WHERE table_schema = current_schema()",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    columns
        .iter()
        .map(|row| {
            let place: (String, String) = (row.get("table_name"), row.get("column_name"));
            let kind = match row.get::<String, _>("data_type").as_str() {
                "bigint" => "INTEGER",
                "bytea" => "BLOB",
                "text" => {
                    let collation: Option<String> = row.get("collation_name");
                    assert_eq!(collation.as_deref(), Some("C"), "{place:?} must compare by bytes");
                    "TEXT"
                }
                other => panic!("{place:?} has the type {other}, which SQLite has no twin of"),
            };
            (place, (kind.to_owned(), row.get::<String, _>("is_nullable") == "YES"))
        })
        .collect()
}

#[tokio::test]
async fn the_schemas_are_twins() {
    let (sqlite, postgres) = (sqlite().await, postgres().await);
    assert!(sqlite.len() > 100, "there are tables to compare");
    for (place, column) in &sqlite {
        // The blocks in which digests are looked up: migration 11 says why PostgreSQL has none.
        if *place == ("issued_certificates".to_owned(), "row_number".to_owned()) {
            continue;
        }
        assert_eq!(postgres.get(place), Some(column), "{place:?}");
    }
    for place in postgres.keys() {
        assert!(sqlite.contains_key(place), "{place:?} is in PostgreSQL alone");
    }
}

fn file_names(folder: &str) -> Vec<String> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(folder);
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file is embedded, under the same number on both sides, in the order of the numbers.
#[tokio::test]
async fn the_migrations_are_numbered_alike() {
    let files = file_names("sqlite");
    assert_eq!(files, file_names("postgres"));
    let numbers: Vec<u32> = files.iter().map(|file| file.split_once('_').unwrap().0.parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{files:?}");
    let folder = tempfile::tempdir().unwrap();
    let (url, _guard) = fresh_database();
    for location in [Location::Sqlite(folder.path().join("new.db")), Location::Postgres(url)] {
        let store = Store::open(&location, Arc::new(NoFaults)).await.unwrap();
        let pending: Vec<String> =
            store.pending_migrations().await.unwrap().into_iter().map(|name| format!("{name}.sql")).collect();
        assert_eq!(pending, files, "{location:?}");
        store.migrate().await.unwrap();
        assert!(store.pending_migrations().await.unwrap().is_empty());
    }
}
