//! A database from before there were revocation lists, and users, comes along with everything that was revoked in it, and
//! with those who had tokens.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::type_complexity,
    reason = "tests"
)]

use certwright_domain::ca::expiry_warning_at;
use certwright_domain::crl::{CrlCounters, Place, RevokedSerial};
use certwright_domain::id::CaId;
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::validity::Validity;
use certwright_store::{Location, NoFaults, PageRequest, Store};
use certwright_testkit::postgres::fresh_database;
use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The newest migration of the program that wrote the database.
const OLD: i64 = 6;
/// A CA of ours, one below it with three versions, one that was brought along, and one without anything revoked.
const CAS: [&str; 4] = [
    "ca_00000000000000000000000001",
    "ca_00000000000000000000000002",
    "ca_00000000000000000000000003",
    "ca_00000000000000000000000004",
];

/// The database without the program.
enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Raw {
    async fn open(location: &Location) -> Self {
        match location {
            Location::Sqlite(path) => {
                let url = format!("sqlite://{}?mode=rwc", path.display());
                Self::Sqlite(SqliteConnection::connect(&url).await.unwrap())
            }
            Location::Postgres(url) => Self::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }

    fn folder(&self) -> PathBuf {
        let name = if matches!(self, Self::Sqlite(_)) { "sqlite" } else { "postgres" };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(name)
    }

    fn blob(&self, hex: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("x'{hex}'"),
            Self::Postgres(_) => format!("decode('{hex}', 'hex')"),
        }
    }

    async fn run(&mut self, sql: String) {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Sqlite(connection) => drop(statement.execute(connection).await.unwrap()),
            Self::Postgres(connection) => drop(statement.execute(connection).await.unwrap()),
        }
    }

    async fn numbers(&mut self, sql: &'static str) -> Vec<(i64, Option<i64>)> {
        match self {
            Self::Sqlite(connection) => sqlx::query_as(sql).fetch_all(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_as(sql).fetch_all(connection).await.unwrap(),
        }
    }

    /// The files up to [`OLD`], in their order, with what the program writes down of each.
    async fn migrate_as_then(&mut self) {
        let (number, bytes) = match self {
            Self::Sqlite(_) => ("INTEGER", "BLOB"),
            Self::Postgres(_) => ("BIGINT", "BYTEA"),
        };
        let (strict, collation) = match self {
            Self::Sqlite(_) => ("STRICT", ""),
            Self::Postgres(_) => ("", "COLLATE \"C\""),
        };
        self.run(format!(
            "CREATE TABLE schema_migrations (number {number} NOT NULL PRIMARY KEY, name TEXT {collation} NOT NULL, \
             checksum {bytes} NOT NULL) {strict}"
        ))
        .await;
        let mut files: Vec<PathBuf> = fs::read_dir(self.folder()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut applied = 0;
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let number: i64 = name.split_once('_').unwrap().0.parse().unwrap();
            if number > OLD {
                continue;
            }
            let sql = fs::read_to_string(&file).unwrap();
            self.run(sql.clone()).await;
            let kept = AssertSqlSafe(sql).into_sql_str();
            let step = Migration::new(number, name.clone().into(), MigrationType::Simple, kept, false);
            let hex: String = step.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
            let checksum = self.blob(&hex);
            self.run(format!("INSERT INTO schema_migrations VALUES ({number}, '{name}', {checksum})")).await;
            applied += 1;
        }
        assert_eq!(applied, 5);
    }

    async fn ca(&mut self, id: &str, kind: &str, issuer: Option<&str>, crl_number: Option<i64>) {
        let issuer = issuer.map_or("NULL".to_owned(), |issuer| format!("'{issuer}'"));
        let crl_number = crl_number.map_or("NULL".to_owned(), |number| number.to_string());
        self.run(format!(
            "INSERT INTO certificate_authorities (id, ca_type, system, issuer_id, subject, created_at, name, state, \
             leaf_max_validity, subordinate_max_validity, crl_enabled, crl_lifetime, ocsp_enabled, latest_version, revision, \
             crl_number) VALUES ('{id}', '{kind}', 0, {issuer}, '[]', 1, '{id}', 'ACTIVE', 1, 1, 1, 604800000, 1, 1, 1, \
             {crl_number})"
        ))
        .await;
    }

    async fn version(&mut self, ca: &str, number: u32, validity: Option<(i64, i64)>, revoked: Option<(i64, &str)>) {
        let (from, to) = validity.unzip();
        let (at, reason) = revocation(revoked);
        self.run(format!(
            "INSERT INTO ca_versions (ca_id, number, failed, created_at, chain, not_before, not_after, revoked_at, \
             revocation_reason) VALUES ('{ca}', {number}, 0, 1, '[]', {}, {}, {at}, {reason})",
            or_null(from),
            or_null(to),
        ))
        .await;
    }

    async fn issued(&mut self, ca: &str, kind: &str, serial: &str, expires_at: i64, revoked: Option<(i64, &str)>) {
        let (at, reason) = revocation(revoked);
        let (bytes, fingerprint) = (self.blob(serial), self.blob(&format!("{serial:0>62}{}", &ca[ca.len() - 2..])));
        self.run(format!(
            "INSERT INTO issued_certificates (id, kind, ca_id, ca_name, ca_version, serial, fingerprint, spki_sha256, subject, \
             common_name, common_name_lower, names, profile, key_algorithm, not_before, not_after, renew_at, requester, \
             requester_name, request_id, issued_at, revoked_at, revocation_reason, certificate) VALUES ('issued_{ca}_{serial}', \
             '{kind}', '{ca}', '{ca}', 1, {bytes}, {fingerprint}, {fingerprint}, '', 'Old Host', 'old host', '[]', '', 'ECDSA_P256', 1, \
             {expires_at}, 1, '', '', '', 1, {at}, {reason}, {bytes})"
        ))
        .await;
    }

    async fn known(&mut self, ca: &str, serial: &str, expires_at: Option<i64>, revoked: Option<(i64, &str)>) {
        let (at, reason) = revocation(revoked);
        let bytes = self.blob(serial);
        let expires_at = or_null(expires_at);
        self.run(format!("INSERT INTO ca_known_serials VALUES ('{ca}', {bytes}, {expires_at}, {at}, {reason})")).await;
    }
}

/// A database with tokens of users whose names differ by case alone.
#[tokio::test]
async fn users_of_old_tokens_become_administrators() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _guard) = fresh_database();
    for location in [Location::Sqlite(folder.path().join("old.db")), Location::Postgres(url)] {
        let mut raw = Raw::open(&location).await;
        raw.migrate_as_then().await;
        let users = ["Ops", "ops", "OPS", "admin", "Admin", "deployer@Example.com", "."];
        for (number, user) in (1..).zip(users) {
            let (hash, revoked) = (raw.blob(&"ab".repeat(32)), if number == 6 { "7" } else { "NULL" });
            raw.run(format!(
                "INSERT INTO tokens (id, name, user_name, secret_sha256, created_at, revoked_at) \
                 VALUES ('token_0000000000000000000000000{number}', 't{number}', '{user}', {hash}, 1, {revoked})"
            ))
            .await;
        }
        drop(raw);
        let store = Store::open(&location, Arc::new(NoFaults)).await.unwrap();
        store.migrate().await.unwrap();
        let mut read = store.read().await.unwrap();
        let snapshot = read.access_snapshot().await.unwrap();
        let names: Vec<&str> = snapshot.users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["admin", "deployer@example.com", "ops"]);
        let administrators = &snapshot.groups.first().unwrap().id;
        for user in &snapshot.users {
            assert!(user.enabled && snapshot.members.contains(&(administrators.clone(), user.id.clone())), "{user:?}");
        }
        assert_eq!(snapshot.members.len(), 3);
        let page = PageRequest { limit: 500, after: None };
        let tokens = read.tokens(&page).await.unwrap().items;
        let kept: Vec<&str> = tokens.iter().rev().map(|token| token.user.as_str()).collect();
        assert_eq!(kept, ["ops", "ops", "ops", "admin", "admin", "deployer@example.com", "."]);
        drop(read);
        store.close().await;
    }
}

fn or_null(number: Option<i64>) -> String {
    number.map_or("NULL".to_owned(), |number| number.to_string())
}

fn revocation(revoked: Option<(i64, &str)>) -> (String, String) {
    match revoked {
        Some((at, reason)) => (at.to_string(), format!("'{reason}'")),
        None => ("NULL".to_owned(), "NULL".to_owned()),
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

/// Serials of 1, 2, 19 and 20 octets, with zeros and letters where a place is read.
const SERIALS: [&str; 8] = [
    "07",
    "a000",
    "0bcd",
    "010203040506070809101112131415161718ff",
    "7f02030405060708091011121314151617180a0b",
    "7f020304050607080910111213141516171800f0",
    "7f02030405060708091011121314151617184000",
    "60",
];

#[tokio::test]
async fn what_was_revoked_before_there_were_lists_is_carried_over() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _guard) = fresh_database();
    for location in [Location::Sqlite(folder.path().join("old.db")), Location::Postgres(url)] {
        let [root, sub, brought, empty] = CAS;
        let mut raw = Raw::open(&location).await;
        raw.migrate_as_then().await;
        raw.ca(root, "ROOT", None, None).await;
        raw.ca(sub, "SUBORDINATE", Some(root), None).await;
        raw.ca(brought, "IMPORTED", None, Some(65)).await;
        raw.ca(empty, "ROOT", None, None).await;
        let mut expected: BTreeMap<&str, BTreeSet<(String, Option<i64>, i64, &str)>> = BTreeMap::new();
        let mut expect = |ca: &'static str, serial: &str, expires_at: Option<i64>, revoked: (i64, &'static str)| {
            expected.entry(ca).or_default().insert((serial.to_owned(), expires_at, revoked.0, revoked.1));
        };

        // Leaves: revoked at odd places, live at even ones, of two CAs with the same serials.
        for (number, serial) in (0_i64..).zip(SERIALS) {
            let revoked = (1_000 + number, "superseded");
            let live = number % 2 == 0;
            raw.issued(root, "LEAF", serial, 9_000 + number, (!live).then_some(revoked)).await;
            raw.issued(sub, "LEAF", serial, 8_000 + number, live.then_some(revoked)).await;
            if live {
                expect(sub, serial, Some(8_000 + number), revoked);
            } else {
                expect(root, serial, Some(9_000 + number), revoked);
            }
        }
        // A version of a CA: its row in the inventory of the root is what counts.
        raw.issued(root, "CA", "5ca1ab1e", 7_000, Some((2_000, "cACompromise"))).await;
        expect(root, "5ca1ab1e", Some(7_000), (2_000, "cACompromise"));
        // Serials that were given away before the CA came: revoked or not, with and without an expiry.
        for (number, serial) in (0_i64..).zip(SERIALS) {
            let expires_at = (number % 2 == 0).then_some(6_000 + number);
            let revoked = (3_000 + number, if number % 3 == 0 { "unspecified" } else { "keyCompromise" });
            let is_revoked = number != 4;
            raw.known(brought, serial, expires_at, is_revoked.then_some(revoked)).await;
            if is_revoked {
                expect(brought, serial, expires_at, revoked);
            }
        }
        // Of a certificate that came along as a file too, the inventory's row counts, where it is revoked.
        raw.issued(brought, "LEAF", SERIALS[1], 5_000, Some((4_000, "affiliationChanged"))).await;
        let before = (SERIALS[1].to_owned(), None, 3_001, "keyCompromise");
        let kept = expected.get_mut(brought).unwrap();
        assert!(kept.remove(&before));
        kept.insert((SERIALS[1].to_owned(), Some(5_000), 4_000, "affiliationChanged"));
        raw.issued(brought, "LEAF", SERIALS[2], 5_000, None).await;

        let day = Span::from_days(1).ms();
        let lives = [(0, 3_650 * day), (day, 31 * day - 1000), (5_000, 1_006_000)];
        raw.version(root, 1, Some(lives[0]), None).await;
        raw.version(sub, 1, Some(lives[1]), Some((2_000, "cACompromise"))).await;
        raw.version(sub, 2, Some(lives[2]), None).await;
        raw.version(sub, 3, None, None).await;
        drop(raw);

        let store = Store::open(&location, Arc::new(NoFaults)).await.unwrap();
        assert!(store.pending_migrations().await.unwrap().iter().any(|name| name == "0008_revocation"));
        store.migrate().await.unwrap();
        let mut read = store.read().await.unwrap();
        for ca in CAS {
            let id = CaId::parse(ca).unwrap();
            let rows = read.revocations_since(&id, 0, 100).await.unwrap();
            let wanted: BTreeSet<_> = expected.remove(ca).unwrap_or_default();
            let carried: Vec<RevokedSerial> = wanted.iter().map(entry).collect();
            assert_eq!(rows.len(), carried.len(), "{ca}");
            for row in carried {
                // Reading one by its serial looks at the place that the program works out.
                assert_eq!(read.revocation(&id, &row.serial).await.unwrap(), Some(row));
            }
            let number = if ca == brought { 65 } else { 0 };
            assert_eq!(read.crl_counters(&id).await.unwrap(), CrlCounters { change: 1, number, orders: 0 });
        }
        drop(read);
        store.close().await;

        let mut raw = Raw::open(&location).await;
        let mut places: Vec<(i64, Option<i64>)> = SERIALS
            .iter()
            .enumerate()
            .filter(|(number, _)| number % 2 == 1)
            .map(|(_, serial)| (i64::from(Place::of(&Serial::parse(serial).unwrap()).number()), Some(1)))
            .chain([(0xab1e, Some(1))])
            .collect();
        places.sort_unstable();
        let stored = raw.numbers(
            "SELECT place, change FROM revocations WHERE ca_id = 'ca_00000000000000000000000001' ORDER BY place",
        );
        assert_eq!(stored.await, places);
        let partitions = raw.numbers("SELECT shards, retires_at FROM crl_partitions").await;
        assert_eq!(partitions, [(1, None); 4], "one whole list each");
        // The inventory moves to a new table (migration 11), and common names among the names.
        let moved = raw
            .numbers(
                "SELECT COUNT(*), (SELECT COUNT(*) FROM issued_names n JOIN issued_certificates c ON c.id = n.issued_id \
                 WHERE n.kind = 'cn' AND n.value = c.common_name_lower AND n.value = 'old host') FROM issued_certificates",
            )
            .await;
        let [(rows, Some(named))] = moved[..] else { panic!("{moved:?}") };
        assert!(rows == named && rows > 4, "{moved:?}");
        let warnings = raw.numbers("SELECT number, expiry_warning_at FROM ca_versions ORDER BY ca_id, number").await;
        let warn = |(from, to)| Some(expiry_warning_at(&Validity::new(at(from), at(to)).unwrap()).unix_ms());
        assert_eq!(warnings, [(1, warn(lives[0])), (1, warn(lives[1])), (2, warn(lives[2])), (3, None)]);
    }
}

fn entry((serial, expires_at, revoked_at, reason): &(String, Option<i64>, i64, &str)) -> RevokedSerial {
    RevokedSerial {
        serial: Serial::parse(serial).unwrap(),
        expires_at: expires_at.map(at),
        revocation: Revocation { at: at(*revoked_at), reason: RevocationReason::parse(reason).unwrap() },
        released: false,
    }
}
