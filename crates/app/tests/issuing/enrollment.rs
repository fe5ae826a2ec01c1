//! Enrolment tokens over several nodes, and when things go wrong in the middle.

use crate::kit::*;
use certwright_app::{Call, EnrollRequest, Error, NewEnrollmentToken, NewRules};
use certwright_domain::revocation::RevocationReason;
use certwright_domain::san::San;
use certwright_domain::time::Span;
use certwright_domain::validity::RequestedValidity;
use certwright_store::{IssuedFilter, PageRequest};
use certwright_testkit::faults::When;

const ALL: PageRequest = PageRequest { limit: 500, after: None };

/// A CSR of openssl for one name.
fn csr() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    openssl(
        folder.path(),
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=web.example.com \
         -addext subjectAltName=DNS:web.example.com -out csr.pem",
    );
    std::fs::read(folder.path().join("csr.pem")).unwrap()
}

/// A token for `web.example.com`; its text.
async fn token(app: &TestApp, called: &str, uses: u32) -> String {
    let new = NewEnrollmentToken {
        name: name(called),
        ca: to("root"),
        profile: None,
        names: vec![San::parse("web.example.com").unwrap()],
        uses: Some(uses),
        expires_at: None,
        lifetime: None,
    };
    app.app.create_enrollment_token(&call(), new).await.unwrap().1.expose().clone()
}

async fn enroll(app: &certwright_app::App, token: &str, csr: &[u8]) -> Result<String, Error> {
    let caller = app.authenticate_enrollment(token).await?;
    let request = EnrollRequest { csr: csr.to_vec(), validity: RequestedValidity::DEFAULT };
    app.enroll(&Call::new(caller, "enroll"), request).await.map(|issued| issued.row.serial.to_string())
}

/// Certificates that tokens gave.
async fn given(app: &TestApp) -> usize {
    let rows = app.app.issued_certificates(&call(), &IssuedFilter::default(), &ALL).await.unwrap().items;
    rows.iter().filter(|row| row.requester.starts_with("enrollment:")).count()
}

async fn left(app: &TestApp, called: &str) -> u32 {
    app.app.enrollment_token(&call(), &to(called)).await.unwrap().uses_left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_race_on_two_nodes_exactly_as_many_win_as_there_are_uses() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        root(&one, NewRules::default()).await;
        let csr = csr();
        for (called, uses, callers) in [("single", 1, 12), ("counted", 7, 20)] {
            let before = given(&one).await;
            let text = token(&one, called, uses).await;
            let calls = (0..callers).map(|index| {
                let node = if index % 2 == 0 { one.app.clone() } else { two.app.clone() };
                let (text, csr) = (text.clone(), csr.clone());
                tokio::spawn(async move { enroll(&node, &text, &csr).await })
            });
            let mut won = 0_u32;
            for outcome in calls.collect::<Vec<_>>() {
                match outcome.await.unwrap() {
                    Ok(_) => won = won.saturating_add(1),
                    Err(Error::Unauthenticated { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            assert_eq!((won, left(&two, called).await), (uses, 0));
            assert_eq!(given(&two).await.saturating_sub(before), usize::try_from(uses).unwrap());
        }
    }
}

#[tokio::test]
async fn a_token_that_is_deleted_on_one_node_gives_nothing_on_the_other() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        root(&one, NewRules::default()).await;
        let csr = csr();
        let text = token(&one, "web", 2).await;
        enroll(&two.app, &text, &csr).await.unwrap();
        let caller = two.app.authenticate_enrollment(&text).await.unwrap();
        one.app.delete_enrollment_token(&call(), &to("web")).await.unwrap();
        assert!(matches!(enroll(&two.app, &text, &csr).await, Err(Error::Unauthenticated { .. })));
        // Also where it was let in before the deletion, and asks after it.
        let request = EnrollRequest { csr: csr.clone(), validity: RequestedValidity::DEFAULT };
        let late = two.app.enroll(&Call::new(caller, "late"), request).await;
        assert!(matches!(late, Err(Error::Unauthenticated { .. })));
        assert_eq!(given(&one).await, 1);
    }
}

/// Whoever was let in before the end, and asks after it, comes too late: the transaction looks once more.
#[tokio::test]
async fn a_token_that_ends_while_it_is_used_gives_nothing() {
    for app in TestApp::on_every_database().await {
        root(&app, NewRules::default()).await;
        let (csr, text) = (csr(), token(&app, "web", 1).await);
        let caller = app.app.authenticate_enrollment(&text).await.unwrap();
        app.clock.advance(Span::from_minutes(15));
        let request = EnrollRequest { csr, validity: RequestedValidity::DEFAULT };
        let late = app.app.enroll(&Call::new(caller, "late"), request).await;
        assert!(matches!(late, Err(Error::Unauthenticated { .. })));
        assert_eq!((left(&app, "web").await, given(&app).await), (1, 0));
    }
}

/// The same for a certificate that is revoked on another node while it renews itself.
#[tokio::test]
async fn a_certificate_that_is_revoked_while_it_renews_gets_no_successor() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        root(&one, NewRules::default()).await;
        let text = token(&one, "web", 1).await;
        let caller = two.app.authenticate_enrollment(&text).await.unwrap();
        let request = || EnrollRequest { csr: csr(), validity: RequestedValidity::DEFAULT };
        let first = two.app.enroll(&Call::new(caller, "first"), request()).await.unwrap();
        let holder = two.app.authenticate_certificate(&first.row.fingerprint).await.unwrap();
        let serial = first.row.serial.to_string();
        one.revoke(&call(), &serial, RevocationReason::Superseded).await.unwrap();
        let late = two.app.renew_by_certificate(&Call::new(holder, "late"), &to("root"), request()).await;
        assert!(matches!(late, Err(Error::Unauthenticated { .. })));
        assert_eq!(given(&one).await, 1);
    }
}

#[tokio::test]
async fn no_use_is_lost_to_a_failure_and_no_certificate_comes_without_one() {
    for app in TestApp::on_every_database().await {
        root(&app, NewRules::default()).await;
        let csr = csr();
        let text = token(&app, "web", 1).await;
        app.faults.arm("certificate.enroll", When::Before);
        assert!(enroll(&app.app, &text, &csr).await.is_err());
        assert_eq!((left(&app, "web").await, given(&app).await), (1, 0));
        enroll(&app.app, &text, &csr).await.unwrap();
        assert_eq!((left(&app, "web").await, given(&app).await), (0, 1));
    }
}

#[tokio::test]
async fn ended_tokens_are_cleaned_away_a_day_later() {
    for app in TestApp::on_every_database().await {
        root(&app, NewRules::default()).await;
        token(&app, "web", 1).await;
        app.clock.advance(Span::from_hours(24));
        app.app.run_jobs().await.unwrap();
        assert_eq!(left(&app, "web").await, 1, "it can still be looked up");
        app.clock.advance(Span::from_hours(1));
        app.app.run_jobs().await.unwrap();
        assert!(matches!(app.app.enrollment_token(&call(), &to("web")).await, Err(Error::NotFound { .. })));
    }
}

#[tokio::test]
async fn the_secret_is_stored_nowhere() {
    let app = TestApp::sqlite().await;
    root(&app, NewRules::default()).await;
    let text = token(&app, "web", 1).await;
    enroll(&app.app, &text, &csr()).await.unwrap();
    app.app.settle().await;
    let secret = text.rsplit('_').next().unwrap().as_bytes().to_vec();
    let secret = text.split_once('_').and_then(|(_, rest)| rest.split_once('_')).map_or(secret, |(_, it)| it.into());
    let on_disk = app.bytes_on_disk();
    assert!(!on_disk.windows(43).any(|window| secret.starts_with(window)));
}
