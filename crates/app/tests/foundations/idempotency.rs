use crate::common::{TestApp, call, conflict};
use certwright_app::{Call, Error, IdempotencyStart, NewToken, StoredResponse, TakenKey};
use certwright_domain::name::ResourceName;
use certwright_domain::secret::SecretBytes;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Span;
use certwright_testkit::faults::When;

const REQUEST: Sha256 = Sha256([1; 32]);
const OTHER_REQUEST: Sha256 = Sha256([2; 32]);

fn response() -> StoredResponse {
    StoredResponse {
        status: 201,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: SecretBytes::new(b"{\"privateKey\":\"do not find me\"}".to_vec()),
    }
}

fn ran(start: IdempotencyStart) -> TakenKey {
    match start {
        IdempotencyStart::Run(taken) => taken,
        IdempotencyStart::Replay(_) => panic!("the call was to run"),
    }
}

fn replayed(start: IdempotencyStart) {
    match start {
        IdempotencyStart::Replay(found) => {
            let expected = response();
            assert_eq!((found.status, &found.headers), (expected.status, &expected.headers));
            assert_eq!(found.body.expose(), expected.body.expose());
        }
        IdempotencyStart::Run(_) => panic!("the answer was to be repeated"),
    }
}

async fn begin(app: &TestApp, key: &str, request: Sha256) -> Result<IdempotencyStart, Error> {
    app.app.begin_idempotent(&call(), key, request).await
}

#[tokio::test]
async fn the_first_answer_is_repeated_as_it_was() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        let taken = ran(begin(&one, "k", REQUEST).await.unwrap());
        one.app.finish_idempotent(&taken, &response()).await.unwrap();
        for app in [&one, &other, &one.restarted(9).await] {
            replayed(begin(app, "k", REQUEST).await.unwrap());
        }
        assert_eq!(conflict(begin(&one, "k", OTHER_REQUEST).await), "idempotency_key_reused");
        one.clock.advance(Span::from_ms(Span::from_hours(24).ms() - 1));
        replayed(begin(&other, "k", REQUEST).await.unwrap());
    }
}

#[tokio::test]
async fn a_key_belongs_to_its_caller() {
    let app = TestApp::sqlite().await;
    let new = NewToken {
        name: ResourceName::parse("t").unwrap(),
        user: None,
        expires_at: None,
        scopes: Vec::new(),
        bound_to: None,
    };
    let (_, text) = app.app.create_token(&call(), new).await.unwrap();
    let another = Call { caller: app.app.authenticate(text.expose()).await.unwrap(), ..call() };
    let taken = ran(begin(&app, "k", REQUEST).await.unwrap());
    ran(app.app.begin_idempotent(&another, "k", OTHER_REQUEST).await.unwrap());
    app.app.finish_idempotent(&taken, &response()).await.unwrap();
    let unfinished = app.app.begin_idempotent(&another, "k", OTHER_REQUEST).await;
    assert_eq!(conflict(unfinished), "idempotency_in_flight");
}

#[tokio::test]
async fn while_the_first_call_runs_a_second_one_waits_and_after_a_crash_takes_over() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        let slow = ran(begin(&one, "k", REQUEST).await.unwrap());
        assert_eq!(conflict(begin(&other, "k", REQUEST).await), "idempotency_in_flight");
        assert_eq!(conflict(begin(&other, "k", OTHER_REQUEST).await), "idempotency_key_reused");
        // The node dies here.
        let restarted = one.restarted(9).await;
        one.clock.advance(Span::from_s(60));
        assert_eq!(conflict(begin(&restarted, "k", REQUEST).await), "idempotency_in_flight");
        one.clock.advance(Span::from_ms(1));
        let taken = ran(begin(&restarted, "k", REQUEST).await.unwrap());
        assert_eq!(conflict(begin(&other, "k", REQUEST).await), "idempotency_in_flight", "only one takes over");
        one.app.abandon_idempotent(&slow).await.unwrap();
        assert_eq!(conflict(begin(&other, "k", REQUEST).await), "idempotency_in_flight", "the key is another call's");
        restarted.app.finish_idempotent(&taken, &response()).await.unwrap();
        // The first one was only slow; its end does not disturb.
        let late = StoredResponse { status: 409, ..response() };
        one.app.finish_idempotent(&slow, &late).await.unwrap();
        replayed(begin(&other, "k", REQUEST).await.unwrap());
    }
}

#[tokio::test]
async fn of_many_at_once_one_runs() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        let mut running = Vec::new();
        for number in 0..20 {
            let app = if number % 2 == 0 { one.app.clone() } else { other.app.clone() };
            running.push(tokio::spawn(async move { app.begin_idempotent(&call(), "k", REQUEST).await }));
        }
        let mut runs = 0_u32;
        for outcome in running {
            match outcome.await.unwrap() {
                Ok(start) => {
                    ran(start);
                    runs = runs.saturating_add(1);
                }
                refused => assert_eq!(conflict(refused), "idempotency_in_flight"),
            }
        }
        assert_eq!(runs, 1);
    }
}

#[tokio::test]
async fn an_abandoned_key_is_free_and_a_finished_one_cannot_be_abandoned() {
    for app in TestApp::on_every_database().await {
        let taken = ran(begin(&app, "k", REQUEST).await.unwrap());
        app.app.abandon_idempotent(&taken).await.unwrap();
        let taken = ran(begin(&app, "k", OTHER_REQUEST).await.unwrap());
        app.app.finish_idempotent(&taken, &response()).await.unwrap();
        app.app.abandon_idempotent(&taken).await.unwrap();
        replayed(begin(&app, "k", OTHER_REQUEST).await.unwrap());
    }
}

#[tokio::test]
async fn what_has_outlived_its_time_counts_no_more_and_the_job_forgets_it() {
    for app in TestApp::on_every_database().await {
        for key in ["k", "k2"] {
            let taken = ran(begin(&app, key, REQUEST).await.unwrap());
            app.app.finish_idempotent(&taken, &response()).await.unwrap();
        }
        app.clock.advance(Span::from_hours(24));
        ran(begin(&app, "k", OTHER_REQUEST).await.unwrap());
        app.clock.advance(Span::from_ms(1));
        assert_eq!(app.app.run_jobs().await.unwrap().idempotency_forgotten, 1, "the other one is new");
        assert_eq!(conflict(begin(&app, "k", OTHER_REQUEST).await), "idempotency_in_flight");
        let mut read = app.store.read().await.unwrap();
        assert!(read.idempotency("system", "k2").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn the_answer_is_sealed_at_rest_and_bound_to_its_row() {
    let app = TestApp::sqlite().await;
    for key in ["k", "other"] {
        let taken = ran(begin(&app, key, REQUEST).await.unwrap());
        app.app.finish_idempotent(&taken, &response()).await.unwrap();
    }
    let bytes = app.bytes_on_disk();
    for secret in ["do not find me", "privateKey", "application/json"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    assert!(bytes.windows(5).any(|window| window == b"other"), "the search can find what is there");

    let stored = app.store.read().await.unwrap().idempotency("system", "k").await.unwrap().unwrap().response.unwrap();
    let mut tx = app.store.begin("test").await.unwrap();
    tx.forget_idempotency("system", "other").await.unwrap();
    let record = app.store.read().await.unwrap().idempotency("system", "k").await.unwrap().unwrap();
    let moved = certwright_store::IdempotencyRecord { key: "other".to_owned(), response: None, ..record };
    tx.begin_idempotency(&moved).await.unwrap();
    tx.complete_idempotency("system", "other", &stored).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(begin(&app, "other", REQUEST).await, Err(Error::Internal(_))), "a moved answer does not open");
    replayed(begin(&app, "k", REQUEST).await.unwrap());
}

#[tokio::test]
async fn keys_are_visible_ascii_of_a_bounded_length() {
    let app = TestApp::sqlite().await;
    for wrong in ["", "a b", "ä", "a\n", &"x".repeat(256)] {
        match begin(&app, wrong, REQUEST).await {
            Err(Error::Invalid(faults)) => assert_eq!(faults[0].invalid.code, "invalid_idempotency_key"),
            _ => panic!("{wrong:?} was taken"),
        }
    }
    ran(begin(&app, &"x".repeat(255), REQUEST).await.unwrap());
    ran(begin(&app, "~!/'\"%", REQUEST).await.unwrap());
}

#[tokio::test]
async fn a_broken_commit_is_told_and_leaves_the_key_as_it_was() {
    for app in TestApp::on_every_database().await {
        app.faults.arm("idempotency.begin", When::Before);
        assert!(matches!(begin(&app, "k", REQUEST).await, Err(Error::Unavailable { .. })));
        let taken = ran(begin(&app, "k", REQUEST).await.unwrap());
        app.faults.arm("idempotency.finish", When::Before);
        assert!(app.app.finish_idempotent(&taken, &response()).await.is_err());
        assert_eq!(conflict(begin(&app, "k", REQUEST).await), "idempotency_in_flight");
        app.faults.arm("idempotency.finish", When::After);
        assert!(app.app.finish_idempotent(&taken, &response()).await.is_err());
        replayed(begin(&app, "k", REQUEST).await.unwrap());
    }
}
