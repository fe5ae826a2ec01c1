//! Every drive of the search can be planned without a scan of the table. (That the right index is taken, SQLite's twin of
//! this test checks: PostgreSQL decides by statistics, and an empty table has none.)

use super::queries::Session;
use super::queries::acme::beginnings;
use super::{Database, record_at_once};
use crate::plans::{SORTS, filters};
use crate::rows::{Batch, append};
use crate::{
    AcmeNonce, AcmeQueries as _, IssuedFilter, IssuedQueries as _, OcspQueries as _, OrderEnding, ProofSearch,
    RevocationQueries as _,
};
use certwright_domain::audit::chain::Head;
use certwright_domain::crl::RevokedSerial;
use certwright_domain::id::{AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId, AcmeOrderId, CaId, IssuedId};
use certwright_domain::revocation::{Revocation, RevocationReason};
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::time::Timestamp;
use sqlx::{AssertSqlSafe, Row as _};

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

/// A plan is kept for as long as its connection, and may be made while the tables are empty: it must be as good when they are not.
#[tokio::test]
async fn keyed_statements_planned_on_empty_tables_enter_every_table_by_a_key() {
    let (url, _guard) = certwright_testkit::postgres::fresh_database();
    let database = Database::open(&url).await.unwrap();
    super::queries::migrate::run(&database).await.unwrap();
    let at = Timestamp::from_unix_s(1_795_176_000);
    let (ca, issued, serial) = (CaId::new(at, [0; 10]), IssuedId::new(at, [0; 10]), Serial::from_bytes(&[1]).unwrap());
    let (account, order) = (AcmeAccountId::new(at, [0; 10]), AcmeOrderId::new(at, [0; 10]));
    let proof = AcmeAuthorizationId::new(at, [0; 10]);

    let mut glance = Session::glance(&database).await.unwrap();
    assert_eq!(glance.acme_order_with_proofs(&order).await, Ok(None));
    assert_eq!(glance.acme_authorization(&proof).await, Ok(None));
    let names = ["a.example.com", "b.example.com", "c.example.com"].map(str::to_owned);
    let search = ProofSearch { account: &account, names: &names, now: at, most_pending: 10 };
    assert_eq!(glance.search_acme_authorizations(&search).await.unwrap().pending, 0);
    assert_eq!(glance.acme_order_replacing(&issued).await, Ok(None));
    assert_eq!(glance.issued(&issued).await, Ok(None));
    assert_eq!(glance.serial_standing(&ca, &serial).await, Ok(None));
    drop(glance);

    // What these read, and a nonce with it.
    let nonce = |number: u8| AcmeNonce { body: vec![number; 16], expires_at: at };
    assert_eq!(beginnings::order(&database, &nonce(1), &order).await, Ok(Some(None)));
    assert_eq!(beginnings::authorization(&database, &nonce(2), &proof).await, Ok(Some(None)));
    assert_eq!(beginnings::issued(&database, &nonce(3), &issued).await, Ok(Some(None)));
    assert!(beginnings::search(&database, &nonce(4), &search).await.unwrap().is_some());

    let mut session = Session::keyed_write(&database).await.unwrap();
    let revocation = Revocation { at, reason: RevocationReason::Superseded };
    let entry = RevokedSerial { serial, expires_at: None, revocation, released: false };
    session.note_revocations(&ca, &[entry], at).await.unwrap_err();
    session.rollback().await.unwrap();

    let mut held = database.keyed_writer().await.unwrap();
    let ending = OrderEnding {
        order,
        revision: 1,
        account: (account, 1),
        directory: (AcmeDirectoryId::new(at, [0; 10]), 1),
        authorizations: vec![(proof, 1)],
        key: Some(Sha256([0; 32])),
    };
    let audit = append(&Head::new("01"), []);
    for endings in [&[][..], &[(&ending, &issued)]] {
        let batch = Batch { rows: &[], names: &[], audit: &audit, epoch: 1, endings };
        drop(record_at_once(&mut held, &batch, || ()).await);
    }

    let prepared = "SELECT name, statement, array_length(parameter_types, 1) FROM pg_prepared_statements \
                    WHERE statement NOT LIKE '%pg_%' AND parameter_types <> '{}'";
    let prepared = sqlx::raw_sql(prepared).fetch_all(&mut *held).await.unwrap();
    assert!(prepared.len() >= 13, "{} statements", prepared.len());
    for row in prepared {
        let (name, text): (String, String) = (row.get(0), row.get(1));
        let nulls = vec!["NULL"; row.get::<i32, usize>(2).try_into().unwrap()].join(", ");
        let explain = format!("EXPLAIN EXECUTE {name} ({nulls})");
        let plan = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *held).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(!plan.iter().any(|step| step.contains("Seq Scan")), "{text}\n{plan:#?}");
        for (step, next) in plan.iter().zip(plan.iter().skip(1)).filter(|(step, _)| step.contains("Scan using")) {
            assert!(next.contains("Index Cond"), "{step}: {text}\n{plan:#?}");
        }
    }
    drop(held);
    database.close().await;
}
