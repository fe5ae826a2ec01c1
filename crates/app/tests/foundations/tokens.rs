use crate::common::{TestApp, call, conflict, name, start, to, trial};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_app::{Call, Caller, Error, NewToken, NewUser, UpdateUser};
use certwright_domain::access::PrincipalReference;
use certwright_domain::principal::PrincipalName;
use certwright_domain::time::Span;
use certwright_store::PageRequest;
use certwright_testkit::faults::When;

const ALL: PageRequest = PageRequest { limit: 500, after: None };

fn new_token(text: &str) -> NewToken {
    NewToken { name: name(text), user: None, expires_at: None, scopes: Vec::new(), bound_to: None }
}

async fn user(app: &TestApp, called: &str) {
    let name = PrincipalName::parse(called).unwrap();
    let new = NewUser { name, description: String::new(), enabled: true };
    app.app.create_user(&call(), new).await.unwrap();
}

/// The sentence of a 401.
async fn refusal(app: &TestApp, bearer: &str) -> String {
    match app.app.authenticate(bearer).await {
        Err(Error::Unauthenticated { detail }) => detail,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_token_lets_its_bearer_in_until_it_ends() {
    for app in TestApp::on_every_database().await {
        user(&app, "deployer").await;
        let end = start().plus(Span::from_hours(1));
        let new = NewToken { user: Some("Deployer".to_owned()), expires_at: Some(end), ..new_token("ci") };
        let (token, text) = app.app.create_token(&call(), new).await.unwrap();
        let caller = app.app.authenticate(text.expose()).await.unwrap();
        assert_eq!((caller.name(), caller.user()), ("ci", Some("deployer")));
        assert_eq!((caller.token_id(), caller.id()), (Some(&token.id), format!("token:{}", token.id)));

        app.clock.advance(Span::from_ms(Span::from_hours(1).ms() - 1));
        app.app.authenticate(text.expose()).await.unwrap();
        app.clock.advance(Span::from_ms(1));
        refusal(&app, text.expose()).await;
        app.app.settle().await;
    }
}

#[tokio::test]
async fn a_clock_that_stands_still_does_not_keep_an_ended_token_alive() {
    let app = TestApp::sqlite().await;
    let end = start().plus(Span::from_ms(500));
    let new = NewToken { expires_at: Some(end), ..new_token("short") };
    let (_, text) = app.app.create_token(&call(), new).await.unwrap();
    app.app.authenticate(text.expose()).await.unwrap();
    app.clock.advance(Span::from_ms(500));
    refusal(&app, text.expose()).await;
}

#[tokio::test]
async fn a_revoked_token_ends_at_once_and_its_name_is_free() {
    for app in TestApp::on_every_database().await {
        let (token, text) = app.app.create_token(&call(), new_token("ci")).await.unwrap();
        app.app.authenticate(text.expose()).await.unwrap();
        assert_eq!(conflict(app.app.create_token(&call(), new_token("ci")).await), "name_taken");
        let revoked = app.app.revoke_token(&call(), &to("ci")).await.unwrap();
        assert_eq!(revoked.revoked_at, Some(start()));
        refusal(&app, text.expose()).await;
        app.clock.advance(Span::from_s(5));
        let again = app.app.revoke_token(&call(), &to(token.id.as_str())).await.unwrap();
        assert_eq!(again.revoked_at, Some(start()), "twice answers the same");

        let (_, second) = app.app.create_token(&call(), new_token("ci")).await.unwrap();
        app.app.authenticate(second.expose()).await.unwrap();
        refusal(&app, text.expose()).await;
        let states: Vec<bool> =
            app.app.tokens(&call(), &ALL).await.unwrap().items.iter().map(|one| one.revoked_at.is_some()).collect();
        assert_eq!(states, [false, true], "newest first, revoked ones included");
        assert_eq!(app.audited().await, ["token.create", "token.create", "token.revoke"]);
    }
}

#[tokio::test]
async fn another_node_forgets_a_revoked_token_within_a_second() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        let (_, text) = one.app.create_token(&call(), new_token("ci")).await.unwrap();
        other.app.authenticate(text.expose()).await.unwrap();
        one.app.revoke_token(&call(), &to("ci")).await.unwrap();
        one.clock.advance(Span::from_ms(1001));
        refusal(&other, text.expose()).await;
    }
}

#[tokio::test]
async fn a_token_is_forgotten_even_when_the_outcome_of_its_revocation_is_unknown() {
    for app in TestApp::on_every_database().await {
        let (_, text) = app.app.create_token(&call(), new_token("ci")).await.unwrap();
        app.app.authenticate(text.expose()).await.unwrap();
        app.faults.arm("token.revoke", When::After);
        assert!(app.app.revoke_token(&call(), &to("ci")).await.is_err());
        refusal(&app, text.expose()).await;
    }
}

#[tokio::test]
async fn every_refusal_says_the_same() {
    let app = TestApp::sqlite().await;
    let (_, good) = app.app.create_token(&call(), new_token("good")).await.unwrap();
    let (gone, revoked) = app.app.create_token(&call(), new_token("gone")).await.unwrap();
    app.app.revoke_token(&call(), &to(gone.id.as_str())).await.unwrap();
    // A well-formed token of another server: unknown here.
    let foreign = TestApp::sqlite().await.another_node("foreign", 77).await;
    let (_, unknown) = foreign.app.create_token(&call(), new_token("good")).await.unwrap();
    let mut answers = Vec::new();
    for bearer in ["", "x", "cwt_", revoked.expose(), unknown.expose(), &good.expose().replace('c', "d")] {
        answers.push(refusal(&app, bearer).await);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    app.app.authenticate(good.expose()).await.unwrap();
}

#[tokio::test]
async fn the_secret_of_another_token_does_not_fit() {
    // The checksum is made anew as anyone could: only the comparison of the secret can refuse it.
    let app = TestApp::sqlite().await;
    let (one, text_of_one) = app.app.create_token(&call(), new_token("one")).await.unwrap();
    let (two, text_of_two) = app.app.create_token(&call(), new_token("two")).await.unwrap();
    let ulid = |id: &str| id.split_once('_').unwrap().1.to_owned();
    let with_checksum = |body: &str| {
        let digest = digest(&SHA256, body.as_bytes());
        format!("{body}{}", &URL_SAFE_NO_PAD.encode(digest)[..6])
    };
    let body = &text_of_one.expose()[..74];
    assert_eq!(with_checksum(body), *text_of_one.expose(), "this is how checksums are made");
    let crossed = body.replace(&ulid(one.id.as_str()), &ulid(two.id.as_str()));
    refusal(&app, &with_checksum(&crossed)).await;
    app.app.authenticate(text_of_two.expose()).await.unwrap();
}

#[tokio::test]
async fn only_the_hash_is_stored() {
    let app = TestApp::sqlite().await;
    let (_, text) = app.app.create_token(&call(), new_token("ci")).await.unwrap();
    // `cwt_`, 26 characters of the id, `_`, and then 43 of the secret.
    let secret = &text.expose()[31..74];
    let bytes = app.bytes_on_disk();
    assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    assert!(bytes.windows(9).any(|window| window == b"token.cre"), "the search can find what is there");
}

#[tokio::test]
async fn tokens_that_make_no_sense_are_refused() {
    let app = TestApp::sqlite().await;
    let ended = NewToken { expires_at: Some(start()), ..new_token("t") };
    let nobody = NewToken { user: Some(String::new()), ..new_token("t") };
    let odd = NewToken { user: Some("a b".to_owned()), ..new_token("t") };
    for (new, pointer) in [(ended, "/expiresAt"), (nobody, "/user"), (odd, "/user")] {
        match app.app.create_token(&call(), new).await {
            Err(Error::Invalid(faults)) => assert_eq!(faults[0].pointer, pointer),
            _ => panic!("{pointer} was not refused"),
        }
    }
    assert!(matches!(app.app.token(&call(), &to("t")).await, Err(Error::NotFound { kind: "token", .. })));
    assert!(matches!(app.app.revoke_token(&call(), &to("t")).await, Err(Error::NotFound { kind: "token", .. })));
}

#[tokio::test]
async fn a_token_speaks_for_the_user_of_the_one_who_made_it() {
    let app = TestApp::sqlite().await;
    let (first, text) = app.app.create_token(&call(), new_token("first")).await.unwrap();
    assert_eq!(first.user, "admin", "the server's own tokens are the administrator's");
    user(&app, "ops@example.com").await;
    let named = NewToken { user: Some("ops@example.com".to_owned()), ..new_token("named") };
    let (_, ops) = app.app.create_token(&as_caller(&app, text.expose()).await, named).await.unwrap();
    let refused = app.app.create_token(&as_caller(&app, ops.expose()).await, new_token("third")).await;
    assert!(matches!(refused, Err(Error::Forbidden { permission: "tokens:manage", .. })));
    let (group, user) = ("administrators", "ops@example.com");
    let of = |text| PrincipalReference::parse(text).unwrap();
    app.app.set_membership(&call(), &of(group), &of(user), true).await.unwrap();
    let (third, _) = app.app.create_token(&as_caller(&app, ops.expose()).await, new_token("third")).await.unwrap();
    assert_eq!(third.user, "ops@example.com");
}

async fn as_caller(app: &TestApp, bearer: &str) -> Call {
    Call { caller: app.app.authenticate(bearer).await.unwrap(), ..call() }
}

#[tokio::test]
async fn the_last_use_is_noted_at_most_once_a_minute() {
    for app in TestApp::on_every_database().await {
        let (token, text) = app.app.create_token(&call(), new_token("ci")).await.unwrap();
        let mut noted = Vec::new();
        for pause in [0, 30, 29, 1, 59] {
            app.clock.advance(Span::from_s(pause));
            app.app.authenticate(text.expose()).await.unwrap();
            app.app.settle().await;
            noted.push(app.app.token(&call(), &to(token.id.as_str())).await.unwrap().last_used_at);
        }
        let minute = start().plus(Span::from_minutes(1));
        assert_eq!(noted, [Some(start()), Some(start()), Some(start()), Some(minute), Some(minute)]);
    }
}

#[tokio::test]
async fn a_use_that_cannot_be_noted_does_not_refuse_the_token() {
    let app = TestApp::sqlite().await;
    let (_, text) = app.app.create_token(&call(), new_token("ci")).await.unwrap();
    app.faults.arm("token.touch", When::Before);
    app.app.authenticate(text.expose()).await.unwrap();
    app.app.settle().await;
    assert!(app.faults.is_spent());
    app.app.authenticate(text.expose()).await.unwrap();
}

#[tokio::test]
async fn a_trial_makes_and_revokes_nothing() {
    for app in TestApp::on_every_database().await {
        let (_, shown) = app.app.create_token(&trial(), new_token("ci")).await.unwrap();
        assert_eq!(shown.expose(), "", "there is no token to show");
        assert!(app.app.tokens(&call(), &ALL).await.unwrap().items.is_empty());
        let (_, text) = app.app.create_token(&call(), new_token("ci")).await.unwrap();
        app.app.revoke_token(&trial(), &to("ci")).await.unwrap();
        assert_ne!(app.app.authenticate(text.expose()).await.unwrap(), Caller::system());
        assert_eq!(app.audited().await, ["token.create"]);
    }
}

#[tokio::test]
async fn a_broken_commit_leaves_neither_token_nor_event() {
    for app in TestApp::on_every_database().await {
        app.faults.arm("token.create", When::Before);
        assert!(app.app.create_token(&call(), new_token("ci")).await.is_err());
        assert!(app.app.tokens(&call(), &ALL).await.unwrap().items.is_empty());
        assert!(app.audited().await.is_empty());
        let (_, text) = app.app.create_token(&call(), new_token("ci")).await.unwrap();
        app.faults.arm("token.revoke", When::Before);
        assert!(app.app.revoke_token(&call(), &to("ci")).await.is_err());
        app.app.authenticate(text.expose()).await.unwrap();
        assert_eq!(app.audited().await, ["token.create"]);
    }
}

#[tokio::test]
async fn a_user_who_is_disabled_on_one_node_is_let_in_by_the_other_for_a_second_at_most() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        user(&one, "ops").await;
        let new = NewToken { user: Some("ops".to_owned()), ..new_token("ci") };
        let (_, text) = one.app.create_token(&call(), new).await.unwrap();
        other.app.authenticate(text.expose()).await.unwrap();
        let ops = PrincipalReference::parse("ops").unwrap();
        let disable = UpdateUser { enabled: Some(false), ..UpdateUser::default() };
        one.app.update_user(&call(), &ops, disable, None).await.unwrap();
        refusal(&one, text.expose()).await;
        other.clock.advance(Span::from_ms(1_001));
        refusal(&other, text.expose()).await;
    }
}
