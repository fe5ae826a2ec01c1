//! What only PostgreSQL can get wrong: the server goes away, comes back, waits, belongs to others too.
#![expect(clippy::unwrap_used, reason = "tests")]

use certwright_domain::id::CaId;
use certwright_domain::time::Timestamp;
use certwright_store::{Error, Location, NoFaults, Store};
use certwright_testkit::postgres::fresh_database;
use certwright_testkit::proxy::Proxy;
use sqlx::{Connection as _, PgConnection};
use std::sync::Arc;

async fn open(url: &str) -> Result<Store, Error> {
    Store::open(&Location::Postgres(url.to_owned()), Arc::new(NoFaults)).await
}

/// The URL with the proxy's address in place of the server's.
async fn behind_proxy(url: &str) -> (String, Proxy) {
    let (scheme_and_user, rest) = url.split_once('@').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    let proxy = Proxy::start(server).await.unwrap();
    (format!("{scheme_and_user}@{}/{database}", proxy.address()), proxy)
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_and_may_come_back() {
    let (url, _guard) = fresh_database();
    let (url, mut proxy) = behind_proxy(&url).await;
    let store = open(&url).await.unwrap();
    store.migrate().await.unwrap();

    let mut open_tx = store.begin("t").await.unwrap();
    open_tx.put_meta("name", b"lost").await.unwrap();
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.meta("name").await.unwrap(), None);
    proxy.cut().await;

    assert!(matches!(open_tx.commit().await, Err(Error::Unavailable(_))));
    assert!(matches!(reader.meta("name").await, Err(Error::Unavailable(_))));
    drop(reader);
    let unavailable = |outcome: Option<Error>| assert!(matches!(outcome, Some(Error::Unavailable(_))), "{outcome:?}");
    let (ping, begin, read, pending) =
        tokio::join!(store.ping(), store.begin("t"), store.read(), store.pending_migrations());
    unavailable(ping.err());
    unavailable(begin.err());
    unavailable(read.err());
    unavailable(pending.err());
    unavailable(open(&url).await.err());

    proxy.restore().await.unwrap();
    store.ping().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.meta("name").await.unwrap(), None, "what was not committed is not there");
    tx.put_meta("name", b"kept").await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn the_group_commit_survives_a_lost_server() {
    let (url, _guard) = fresh_database();
    let (url, mut proxy) = behind_proxy(&url).await;
    let store = open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let epoch = store.read().await.unwrap().epoch().await.unwrap();
    // Recordings of another epoch go through a whole transaction and need no CA.
    let recording = || stale_recording(epoch - 1);
    let stale = Err(Error::Stale { what: "epoch" });
    assert_eq!(store.recorder().record(recording()).await, stale);
    proxy.cut().await;
    assert!(matches!(store.recorder().record(recording()).await, Err(Error::Unavailable(_))));
    proxy.restore().await.unwrap();
    // Both lanes held a connection; each finds out for itself, and gets a new one.
    for _ in 0..6 {
        assert_eq!(store.recorder().record(recording()).await, stale);
    }
    store.close().await;
}

/// The answer to a commit gets lost: whether there was one is asked of the database, and the caller hears what is so.
#[tokio::test]
async fn a_recording_whose_answer_is_lost_is_looked_for() {
    let (direct, _guard) = fresh_database();
    let (url, mut proxy) = behind_proxy(&direct).await;
    let store = open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let epoch = store.read().await.unwrap().epoch().await.unwrap();
    let recorded = async |number| store.recorder().record(numbered_recording(epoch, number)).await.map(drop);
    for number in 1..5 {
        recorded(number).await.unwrap();
    }
    proxy.lose_answers();
    let waiting = {
        let recorder = store.recorder();
        tokio::spawn(async move { recorder.record(numbered_recording(epoch, 5)).await.map(drop) })
    };
    let mut asking = PgConnection::connect(&direct).await.unwrap();
    let stored = "SELECT COUNT(*) FROM issued_certificates";
    while sqlx::query_scalar::<_, i64>(stored).fetch_one(&mut asking).await.unwrap() < 5 {}
    // One thread runs all of this: the lane hears of it when the way is free again.
    proxy.cut().await;
    proxy.restore().await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(()));
    let events: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit_events").fetch_one(&mut asking).await.unwrap();
    assert_eq!(events, 5, "it is there once");
    recorded(6).await.unwrap();
    store.close().await;
}

/// The connection is cut while the server is at it: the batch is stored after the lane has looked, and it is not taken for another's.
#[tokio::test]
async fn a_recording_that_is_stored_later_than_it_was_looked_for_is_recognized() {
    let (direct, _guard) = fresh_database();
    let (url, mut proxy) = behind_proxy(&direct).await;
    let store = open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let epoch = store.read().await.unwrap().epoch().await.unwrap();
    for number in 1..5 {
        store.recorder().record(numbered_recording(epoch, number)).await.unwrap();
    }
    let mut holding = PgConnection::connect(&direct).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE issued_certificates IN EXCLUSIVE MODE").execute(&mut holding).await.unwrap();
    let waiting = {
        let recorder = store.recorder();
        tokio::spawn(async move { recorder.record(numbered_recording(epoch, 5)).await.map(drop) })
    };
    let mut asking = PgConnection::connect(&direct).await.unwrap();
    let waits = "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                 WHERE d.datname = current_database() AND l.relation = 'issued_certificates'::regclass AND NOT l.granted";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut asking).await.unwrap() < 1 {}
    proxy.cut().await;
    proxy.restore().await.unwrap();
    // The second one waits behind the first, which nobody listens to any more.
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut asking).await.unwrap() < 2 {}
    sqlx::raw_sql("COMMIT").execute(&mut holding).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(()));
    let events: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit_events").fetch_one(&mut asking).await.unwrap();
    assert_eq!(events, 5, "it is there once");
    store.close().await;
}

/// Whoever waits for a chain holds orders that the chain's holder may wait for: so nobody waits, and there are others.
#[tokio::test]
async fn a_lane_waits_for_no_chain_that_another_node_appends_to() {
    let (url, _guard) = fresh_database();
    let store = open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let epoch = store.read().await.unwrap().epoch().await.unwrap();
    // Every lane has a chain by then.
    for number in 1..5 {
        store.recorder().record(numbered_recording(epoch, number)).await.unwrap();
    }
    let mut other_node = PgConnection::connect(&url).await.unwrap();
    let hold = "BEGIN; SELECT chain FROM audit_chains WHERE sequence > 0 FOR UPDATE";
    assert!(!sqlx::raw_sql(hold).fetch_all(&mut other_node).await.unwrap().is_empty());
    for number in 5..9 {
        store.recorder().record(numbered_recording(epoch, number)).await.unwrap();
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other_node).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn an_operator_who_ends_our_connections_costs_one_answer_each() {
    let (url, _guard) = fresh_database();
    let store = open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    tx.put_meta("name", b"lost").await.unwrap();
    let mut operator = PgConnection::connect(&url).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'certwright' AND datname = current_database()")
        .execute(&mut operator)
        .await
        .unwrap();
    assert!(matches!(tx.commit().await, Err(Error::Unavailable(_))));
    // Connections that died while idle are found out at the latest by their first use.
    let mut answered = false;
    for _ in 0..20 {
        answered = answered || store.ping().await.is_ok();
    }
    assert!(answered);
    assert_eq!(store.read().await.unwrap().meta("name").await.unwrap(), None);
    store.close().await;
}

#[tokio::test]
async fn connections_have_the_settings_that_durability_rests_on() {
    let (url, _guard) = fresh_database();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    let database: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut admin).await.unwrap();
    // An operator's settings: one would lose acknowledged certificates, one has a batch see an epoch that is past.
    for setting in ["synchronous_commit = off", "default_transaction_isolation = 'repeatable read'"] {
        let lax = format!("ALTER DATABASE {database} SET {setting}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lax)).execute(&mut admin).await.unwrap();
    }
    let setting: String = sqlx::query_scalar("SHOW synchronous_commit")
        .fetch_one(&mut PgConnection::connect(&url).await.unwrap())
        .await
        .unwrap();
    assert_eq!(setting, "off", "the trap is set");

    let store = open(&url).await.unwrap();
    store.migrate().await.unwrap();
    // The database itself looks at the setting of whoever writes.
    sqlx::raw_sql(
        "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF current_setting('synchronous_commit') <> 'on' THEN RAISE EXCEPTION 'not durable'; END IF; \
         RETURN NEW; END $$; \
         CREATE TRIGGER look BEFORE INSERT ON meta FOR EACH ROW EXECUTE FUNCTION look(); \
         CREATE TABLE seen (id TEXT, settings TEXT); \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO seen VALUES (NEW.id, concat_ws(', ', current_setting('transaction_isolation'), \
         current_setting('synchronous_commit'))); RETURN NEW; END $$; \
         CREATE TRIGGER note BEFORE INSERT ON issued_certificates FOR EACH ROW EXECUTE FUNCTION note()",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    let lax = sqlx::query("INSERT INTO meta (name, value) VALUES ('lax', '')");
    assert!(lax.execute(&mut PgConnection::connect(&url).await.unwrap()).await.is_err(), "the trigger looks");
    let mut tx = store.begin("t").await.unwrap();
    tx.put_meta("name", b"x").await.unwrap();
    tx.commit().await.unwrap();
    // The long way, and a batch in one turn.
    let epoch = store.read().await.unwrap().epoch().await.unwrap();
    for number in 1..6 {
        store.recorder().record(numbered_recording(epoch, number)).await.unwrap();
    }
    let seen: Vec<String> = sqlx::query_scalar("SELECT settings FROM seen").fetch_all(&mut admin).await.unwrap();
    assert_eq!(seen, ["read committed, on"; 5]);
    store.close().await;
}

/// Two nodes: a lock that is held too long is an answer within seconds, not a hang.
#[tokio::test]
async fn a_row_locked_by_another_node_is_waited_for_only_so_long() {
    let (url, _guard) = fresh_database();
    let store = open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let mut other_node = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN; INSERT INTO meta (name, value) VALUES ('name', '')").execute(&mut other_node).await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert!(matches!(tx.put_meta("name", b"x").await, Err(Error::Unavailable(_))));
    assert!(matches!(tx.commit().await, Err(Error::Unavailable(_))));
    store.close().await;
}

#[tokio::test]
async fn a_wrong_url_is_refused_without_printing_it() {
    for url in ["postgres://user:secret@host:port/x", "mysql://user:secret@host/x"] {
        let error = open(url).await.err().unwrap();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let debug = format!("{:?}", Location::Postgres("postgres://user:secret@host/x".to_owned()));
    assert!(!debug.contains("secret"));
}

fn stale_recording(epoch: i64) -> certwright_store::Recording {
    numbered_recording(epoch, 1)
}

fn numbered_recording(epoch: i64, number: u8) -> certwright_store::Recording {
    use certwright_domain::audit::{AuditEvent, Outcome};
    use certwright_domain::id::{AuditId, IssuedId};
    use certwright_domain::issued::{IssuedCertificate, IssuedKind};
    use certwright_domain::serial::{Serial, Sha256};
    use certwright_domain::validity::Validity;
    let at = Timestamp::from_unix_s(1_795_176_000);
    let issued = IssuedCertificate {
        id: IssuedId::new(at, [number; 10]),
        kind: IssuedKind::Leaf,
        ca_id: CaId::new(at, [0; 10]),
        ca_name: String::new(),
        ca_version: 1,
        serial: Serial::from_bytes(&[number]).unwrap(),
        fingerprint: Sha256([number; 32]),
        spki_sha256: Sha256([0; 32]),
        subject: String::new(),
        common_name: String::new(),
        names: Vec::new(),
        profile: String::new(),
        key_algorithm: String::new(),
        validity: Validity::new(at, at).unwrap(),
        renew_at: at,
        requester: String::new(),
        requester_name: String::new(),
        request_id: String::new(),
        certificate: Vec::new(),
        issued_at: at,
        revocation: None,
    };
    let audit = AuditEvent {
        id: AuditId::new(at, [number; 10]),
        at,
        actor: String::new(),
        actor_name: String::new(),
        action: "certificate.issue",
        target_kind: "certificate",
        target_id: String::new(),
        target_name: String::new(),
        request_id: String::new(),
        door: "token",
        address: None,
        decided_by: String::new(),
        outcome: Outcome::Succeeded,
        details: "{}".to_owned(),
    };
    certwright_store::Recording { issued, audit, epoch, ending: None }
}

/// The role that docs/audit.md recommends serves, and cannot change what was written.
#[tokio::test]
async fn the_service_role_appends_to_the_audit_trail_and_changes_nothing_of_it() {
    use sqlx::Connection as _;
    let (url, _guard) = fresh_database();
    let owner = open(&url).await.unwrap();
    owner.migrate().await.unwrap();
    let mut admin = sqlx::PgConnection::connect(&url).await.unwrap();
    let role = format!("service_{}", std::process::id());
    let docs = include_str!("../../../docs/audit.md");
    let grants = docs.split("```sql").nth(1).unwrap().split("```").next().unwrap();
    let grants = format!("CREATE ROLE {role}; {}", grants.replace("certwright_service", &role));
    sqlx::raw_sql(sqlx::AssertSqlSafe(grants)).execute(&mut admin).await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    let service_url = format!("{url}{separator}options[role]={role}");
    let service = open(&service_url).await.unwrap();
    service.migrate().await.unwrap();
    let mut tx = service.begin("t").await.unwrap();
    let epoch = tx.bump_epoch().await.unwrap();
    tx.commit().await.unwrap();
    service.recorder().record(stale_recording(epoch)).await.unwrap();
    let mut tx = service.begin("t").await.unwrap();
    tx.insert_audit_checkpoint(&certwright_domain::audit::checkpoint::StoredCheckpoint {
        number: 1,
        statement: "x".to_owned(),
        signature: Vec::new(),
    })
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let statements = [
        "UPDATE audit_events SET actor = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_checkpoints SET statement = 'x'",
        "DELETE FROM audit_checkpoints",
    ];
    let mut as_service = sqlx::PgConnection::connect(&service_url).await.unwrap();
    for statement in statements {
        let refused = sqlx::raw_sql(statement).execute(&mut as_service).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{statement}: {refused}");
        // The second line: the triggers stop the owner, too.
        let refused = sqlx::raw_sql(statement).execute(&mut admin).await.unwrap_err().to_string();
        assert!(refused.contains("never changed or deleted"), "{statement}: {refused}");
    }
    service.close().await;
    let drop_role = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop_role)).execute(&mut admin).await.unwrap();
}
