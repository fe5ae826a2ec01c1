//! What only SQLite can get wrong: the file, its settings, its schema in other hands.
#![expect(clippy::unwrap_used, reason = "tests")]

use certwright_store::{AuditFilter, Error, Location, NoFaults, PageRequest, Store};
use sqlx::{Connection as _, SqliteConnection};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

async fn open(path: &Path) -> Store {
    Store::open(&Location::Sqlite(path.to_owned()), Arc::new(NoFaults)).await.unwrap()
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("certwright.db");
    (folder, path)
}

#[tokio::test]
async fn the_file_and_its_companions_are_their_owners_alone() {
    let (folder, path) = place();
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(&path).await;
    store.migrate().await.unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        files += 1;
    }
    assert!(files >= 2, "the write-ahead log was looked at too");
    store.close().await;
}

#[tokio::test]
async fn the_log_is_a_write_ahead_log_and_the_file_is_sound() {
    let (_folder, path) = place();
    let store = open(&path).await;
    store.migrate().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    for number in 0..100_u32 {
        tx.put_meta(&format!("name-{number}"), &[0; 5000]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut connection = raw(&path).await;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap();
    assert_eq!(mode, "wal");
    let check: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(check, "ok");
    let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut connection).await.unwrap();
    assert!(broken.is_empty());
    store.close().await;
}

/// A process that dies without closing loses nothing that was committed: its log is read at the next start.
#[tokio::test]
async fn a_copy_taken_in_flight_holds_every_commit() {
    let (folder, path) = place();
    let store = open(&path).await;
    store.migrate().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    tx.put_meta("name", b"kept").await.unwrap();
    tx.commit().await.unwrap();
    let mut open_one = store.begin("t").await.unwrap();
    open_one.put_meta("name", b"never committed").await.unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
    drop(open_one);
    store.close().await;

    let again = open(&copy).await;
    assert_eq!(again.read().await.unwrap().meta("name").await.unwrap(), Some(b"kept".to_vec()));
    again.close().await;
}

#[tokio::test]
async fn newer_and_altered_schemas_are_refused_with_a_hint() {
    for (change, hint) in [
        ("INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, '9999_future', x'00')", "newer"),
        ("UPDATE schema_migrations SET checksum = x'00' WHERE number = 1", "another program"),
    ] {
        let (_folder, path) = place();
        let store = open(&path).await;
        store.migrate().await.unwrap();
        sqlx::query(change).execute(&mut raw(&path).await).await.unwrap();
        for outcome in [store.migrate().await, store.pending_migrations().await.map(drop)] {
            let Err(Error::Schema(text)) = outcome else { panic!("must be refused: {outcome:?}") };
            assert!(text.contains(hint), "{text}");
        }
        store.close().await;
    }
}

/// A migration that fails leaves nothing behind, and the next start tries again.
#[tokio::test]
async fn a_failed_migration_is_undone() {
    let (_folder, path) = place();
    let store = open(&path).await;
    let mut connection = raw(&path).await;
    // The step makes this table too, late, and stumbles.
    sqlx::query("CREATE TABLE tokens (x INTEGER) STRICT").execute(&mut connection).await.unwrap();
    assert!(matches!(store.migrate().await, Err(Error::Driver(_))));
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = 'vaults'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(tables, 0);
    sqlx::query("DROP TABLE tokens").execute(&mut connection).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told_apart_from_a_place_that_cannot_be_written() {
    let (folder, path) = place();
    std::fs::write(&path, "this is not a database, but long enough to be looked at as one. ".repeat(100)).unwrap();
    let no_database = Store::open(&Location::Sqlite(path), Arc::new(NoFaults)).await;
    assert!(matches!(no_database.err(), Some(Error::Driver(_))));
    let nowhere = folder.path().join("no/such/folder/x.db");
    let missing = Store::open(&Location::Sqlite(nowhere), Arc::new(NoFaults)).await;
    assert!(matches!(missing.err(), Some(Error::Unavailable(_))));
}

/// A row that no version of the program writes is named, not guessed at.
#[tokio::test]
async fn corrupt_rows_are_named() {
    let (_folder, path) = place();
    let store = open(&path).await;
    store.migrate().await.unwrap();
    let id = "profile_01JD8XK4M2W7Z3T5V9YQ6B1C0D";
    sqlx::query("INSERT INTO profiles (id, created_at, name, document, revision) VALUES ($1, 0, 'p', '{}', 1)")
        .bind(id)
        .execute(&mut raw(&path).await)
        .await
        .unwrap();
    let reference = certwright_domain::name::Reference::parse("p").unwrap();
    let outcome = store.read().await.unwrap().profile(&reference).await;
    assert_eq!(outcome, Err(Error::Corrupt { table: "profiles", column: "document", row: id.to_owned() }));
    store.close().await;
}

/// Rare rows in a large table: a page ends early and the next one goes on; nothing is lost or told twice.
#[tokio::test]
async fn a_search_for_rare_rows_goes_on_where_a_page_ended() {
    let (_folder, path) = place();
    let store = open(&path).await;
    store.migrate().await.unwrap();
    // The oldest, one in the middle and the newest are rare.
    sqlx::query(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 300000) \
         INSERT INTO audit_events (id, at, actor, actor_name, action, target_kind, target_id, target_name, request_id, details) \
         SELECT printf('audit_%026d', n), n, 'token:a', 'ci', iif(n % 150000 = 0, 'rare', 'common'), 'k', '', '', '', '{}' \
         FROM n",
    )
    .execute(&mut raw(&path).await)
    .await
    .unwrap();
    // Two common filters: neither index alone finds the rare rows.
    let filter = AuditFilter { actor: Some("token:a".into()), action: Some("rare".into()), ..AuditFilter::default() };
    let mut reader = store.read().await.unwrap();
    let mut found = Vec::new();
    let mut pages = 0;
    let mut request = PageRequest { limit: 50, after: None };
    loop {
        let page = reader.audit_events(&filter, &request).await.unwrap();
        found.extend(page.items.iter().map(|event| event.at.unix_ms()));
        pages += 1;
        match page.next {
            Some(next) => request.after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, [300_000, 150_000, 0]);
    assert!(pages > 1, "no page may look at the whole table");
}
