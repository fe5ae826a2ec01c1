use crate::common::{TestApp, call, conflict, name, to, trial};
use crate::keys::every_version_opens;
use certwright_app::{Error, IdempotencyStart, NewKey, StoredResponse};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::key::Protection;
use certwright_domain::secret::SecretBytes;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Span;
use certwright_keystore::KeyStore;
use certwright_testkit::faults::When;

async fn vault_with_key(app: &TestApp, vault: &str) {
    app.app.create_vault(&call(), name(vault)).await.unwrap();
    let new = NewKey { name: name("k"), algorithm: KeyAlgorithm::Ed25519, protection: Protection::Software };
    app.app.create_key(&call(), &to(vault), new).await.unwrap();
}

#[tokio::test]
async fn a_rotated_root_key_takes_everything_over_and_the_old_one_goes_when_nothing_needs_it() {
    for app in TestApp::on_every_database().await {
        for vault in ["a", "b", "c"] {
            vault_with_key(&app, vault).await;
        }
        let before = app.app.root_keys(&call()).await.unwrap();
        assert_eq!(before.keys, [(before.current.clone(), 3)]);
        let request = Sha256([5; 32]);
        let IdempotencyStart::Run(taken) = app.app.begin_idempotent(&call(), "k", request).await.unwrap() else {
            panic!("a key of nobody")
        };
        let body = SecretBytes::new(b"answer".to_vec());
        let response = StoredResponse { status: 200, headers: Vec::new(), body };
        app.app.finish_idempotent(&taken, &response).await.unwrap();

        assert_eq!(app.app.rotate_root_key(&trial()).await.unwrap(), before, "a trial makes no key");
        let rotated = app.app.rotate_root_key(&call()).await.unwrap();
        assert_ne!(rotated.current, before.current);
        assert_eq!(rotated.keys, [(rotated.current.clone(), 0), (before.current.clone(), 3)]);

        assert_eq!(app.app.run_jobs().await.unwrap().vault_keys_rewrapped, 3);
        let done = app.app.root_keys(&call()).await.unwrap();
        assert_eq!(done.keys, [(rotated.current.clone(), 3), (before.current.clone(), 0)]);
        assert_eq!(app.app.run_jobs().await.unwrap().vault_keys_rewrapped, 0, "once");

        app.clock.advance(Span::from_ms(Span::from_hours(24).ms() - 1));
        app.app.run_jobs().await.unwrap();
        assert_eq!(app.keys.root_key_ids().len(), 2, "a stored answer may still need the old one");
        let again = app.app.begin_idempotent(&call(), "k", request).await.unwrap();
        assert!(matches!(again, IdempotencyStart::Replay(_)), "and it does");

        app.clock.advance(Span::from_ms(1));
        app.app.run_jobs().await.unwrap();
        assert_eq!(app.keys.root_key_ids(), std::slice::from_ref(&rotated.current));
        let restarted = app.restarted(9).await;
        assert_eq!(restarted.keys.root_key_ids(), [rotated.current], "it is gone from the file as well");
        for vault in ["a", "b", "c"] {
            assert_eq!(every_version_opens(&restarted, vault, "k").await, 1);
        }
        let actions = app.audited().await;
        for action in ["root-key.observe", "root-key.rotate", "root-key.rewrap", "root-key.retire"] {
            assert_eq!(actions.iter().filter(|it| *it == action).count(), 1, "{action}: {actions:?}");
        }
    }
}

#[tokio::test]
async fn a_rotation_that_the_database_did_not_learn_of_is_noted_by_the_next_round() {
    for app in TestApp::on_every_database().await {
        vault_with_key(&app, "a").await;
        app.faults.arm("root-key.rotate", When::Before);
        assert!(app.app.rotate_root_key(&call()).await.is_err());
        let newest = app.keys.root_key_id();
        assert_eq!(app.app.run_jobs().await.unwrap().vault_keys_rewrapped, 1);
        assert_eq!(app.app.root_keys(&call()).await.unwrap().keys[0], (newest, 1));
        let actions = app.audited().await;
        assert_eq!(actions.iter().filter(|action| *action == "root-key.observe").count(), 2, "{actions:?}");
        app.clock.advance(Span::from_days(2));
        app.app.run_jobs().await.unwrap();
        assert_eq!(app.keys.root_key_ids().len(), 2, "what was not surely made here is not removed");
        assert_eq!(every_version_opens(&app, "a", "k").await, 1);
    }
}

#[tokio::test]
async fn a_node_that_has_not_loaded_the_newest_root_key_seals_nothing() {
    for (one, behind) in TestApp::two_nodes_on_every_database().await {
        vault_with_key(&one, "a").await;
        one.app.rotate_root_key(&call()).await.unwrap();
        let refused = behind.app.create_vault(&call(), name("b")).await;
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
        assert!(matches!(behind.app.rotate_vault(&call(), &to("a")).await, Err(Error::Unavailable { .. })));
        assert!(behind.app.run_jobs().await.is_err(), "its job does not take the keys back under the old one");
        behind.app.release_leases().await.unwrap();
        assert_eq!(one.app.run_jobs().await.unwrap().vault_keys_rewrapped, 1);

        let restarted = behind.another_node("two", 9).await;
        restarted.app.create_vault(&call(), name("b")).await.unwrap();
        assert_eq!(every_version_opens(&restarted, "a", "k").await, 1);
    }
}

#[tokio::test]
async fn an_answer_sealed_under_a_lost_root_key_is_a_conflict_that_says_so() {
    let app = TestApp::sqlite().await;
    let request = Sha256([5; 32]);
    let IdempotencyStart::Run(taken) = app.app.begin_idempotent(&call(), "k", request).await.unwrap() else {
        panic!("a key of nobody")
    };
    let response = StoredResponse { status: 200, headers: Vec::new(), body: SecretBytes::new(b"answer".to_vec()) };
    app.app.finish_idempotent(&taken, &response).await.unwrap();
    app.keys.rotate_root_key().unwrap();
    app.keys.retire_root_keys().unwrap();
    assert_eq!(conflict(app.app.begin_idempotent(&call(), "k", request).await), "idempotency_response_lost");
}
