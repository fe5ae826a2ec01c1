use crate::common::{TestApp, call, conflict, name, start, to, trial};
use certwright_app::{Error, NewKey};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::key::{KeyState, Protection};
use certwright_domain::time::Span;
use certwright_keystore::{KeyPlace, KeyStore, VaultKey};
use certwright_store::{KeyFilter, PageRequest};
use certwright_testkit::faults::When;

const ALL: PageRequest = PageRequest { limit: 500, after: None };

fn new_key(text: &str, algorithm: KeyAlgorithm) -> NewKey {
    NewKey { name: name(text), algorithm, protection: Protection::Software }
}

#[tokio::test]
async fn keys_of_every_kind_are_made_and_listed() {
    for app in TestApp::on_every_database().await {
        app.app.create_vault(&call(), name("v")).await.unwrap();
        for algorithm in KeyAlgorithm::ALL {
            let text = algorithm.as_str().to_lowercase();
            let made = app.app.create_key(&call(), &to("v"), new_key(&text, *algorithm)).await.unwrap();
            let latest = made.latest.clone().unwrap();
            assert_eq!(latest.public_key.is_some(), algorithm.is_asymmetric(), "{algorithm}");
            assert_eq!((made.key.state, made.key.latest_version, latest.number), (KeyState::Enabled, 1, 1));
            assert_eq!(app.app.key(&call(), &to("v"), &to(&text)).await.unwrap(), made);
            assert_eq!(app.app.key(&call(), &to("v"), &to(made.key.id.as_str())).await.unwrap(), made);
        }
        let (_, page) = app.app.keys(&call(), &to("v"), &KeyFilter::default(), &ALL).await.unwrap();
        assert_eq!(page.items.len(), KeyAlgorithm::ALL.len());
        let only = KeyFilter { algorithm: Some(KeyAlgorithm::EcdsaP384), state: None };
        let (_, page) = app.app.keys(&call(), &to("v"), &only, &ALL).await.unwrap();
        assert_eq!(page.items.len(), 1);
        let audited = app.audited().await;
        assert_eq!(audited.iter().filter(|action| *action == "key.create").count(), KeyAlgorithm::ALL.len());
    }
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_with_a_reason() {
    for app in TestApp::on_every_database().await {
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let hsm = NewKey { protection: Protection::Hsm, ..new_key("k", KeyAlgorithm::Rsa2048) };
        assert_eq!(conflict(app.app.create_key(&call(), &to("v"), hsm).await), "hsm_not_configured");
        app.app.create_key(&call(), &to("v"), new_key("k", KeyAlgorithm::Ed25519)).await.unwrap();
        let twice = app.app.create_key(&call(), &to("v"), new_key("k", KeyAlgorithm::Ed25519)).await;
        assert_eq!(conflict(twice), "name_taken");
        let nowhere = app.app.create_key(&call(), &to("w"), new_key("k", KeyAlgorithm::Ed25519)).await;
        assert!(matches!(nowhere, Err(Error::NotFound { kind: "vault", .. })));
        assert!(matches!(app.app.key(&call(), &to("v"), &to("x")).await, Err(Error::NotFound { kind: "key", .. })));

        app.app.create_vault(&call(), name("w")).await.unwrap();
        app.app.create_key(&call(), &to("w"), new_key("k", KeyAlgorithm::Ed25519)).await.unwrap();
        app.app.create_key(&call(), &to("w"), new_key("k2", KeyAlgorithm::Ed25519)).await.unwrap();
        let renamed = app.app.rename_key(&call(), &to("w"), &to("k2"), name("k"), None).await;
        assert_eq!(conflict(renamed), "name_taken", "names are unique in their vault");
    }
}

#[tokio::test]
async fn a_key_is_rotated_only_while_it_may_be_used() {
    for app in TestApp::on_every_database().await {
        let (v, k) = (to("v"), to("k"));
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let made = app.app.create_key(&call(), &v, new_key("k", KeyAlgorithm::EcdsaP256)).await.unwrap();
        let rotated = app.app.rotate_key(&call(), &v, &k).await.unwrap();
        assert_eq!((rotated.key.latest_version, rotated.key.revision), (2, 2));
        assert_ne!(rotated.latest.as_ref().unwrap().public_key, made.latest.unwrap().public_key);
        let (view, versions) = app.app.key_versions(&call(), &v, &k).await.unwrap();
        assert_eq!(view, rotated);
        assert_eq!(versions.iter().map(|version| version.number).collect::<Vec<_>>(), [2, 1]);

        let disabled = app.app.disable_key(&call(), &v, &k).await.unwrap();
        assert_eq!(app.app.disable_key(&call(), &v, &k).await.unwrap(), disabled, "asking twice answers the same");
        assert_eq!(conflict(app.app.rotate_key(&call(), &v, &k).await), "key_disabled");
        app.app.schedule_key_deletion(&call(), &v, &k, None).await.unwrap();
        assert_eq!(conflict(app.app.rotate_key(&call(), &v, &k).await), "key_pending_deletion");
        assert_eq!(conflict(app.app.enable_key(&call(), &v, &k).await), "key_pending_deletion");
        let back = app.app.cancel_key_deletion(&call(), &v, &k).await.unwrap();
        assert_eq!(back.key.state, KeyState::Disabled, "the state it had");
        app.app.enable_key(&call(), &v, &k).await.unwrap();
        app.app.rotate_key(&call(), &v, &k).await.unwrap();
        let actions = app.audited().await;
        let of_the_key: Vec<&str> = actions.iter().map(String::as_str).filter(|it| it.starts_with("key.")).collect();
        let expected = [
            "key.cancel-deletion",
            "key.create",
            "key.disable",
            "key.enable",
            "key.rotate",
            "key.rotate",
            "key.schedule-deletion",
        ];
        assert_eq!(of_the_key, expected);
    }
}

#[tokio::test]
async fn of_two_rotations_at_once_both_count_and_both_versions_sign() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        one.app.create_vault(&call(), name("v")).await.unwrap();
        one.app.create_key(&call(), &to("v"), new_key("k", KeyAlgorithm::Ed25519)).await.unwrap();
        let (call, v, k) = (call(), to("v"), to("k"));
        let (first, second) = tokio::join!(one.app.rotate_key(&call, &v, &k), other.app.rotate_key(&call, &v, &k));
        let mut numbers = [first.unwrap().key.latest_version, second.unwrap().key.latest_version];
        numbers.sort_unstable();
        assert_eq!(numbers, [2, 3]);
        assert_eq!(every_version_opens(&one, "v", "k").await, 3);
    }
}

#[tokio::test]
async fn a_key_made_while_its_vault_is_rotated_opens() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        one.app.create_vault(&call(), name("v")).await.unwrap();
        let (call, v) = (call(), to("v"));
        // Making the key takes long: the vault's key that it was to rest on is replaced and removed meanwhile.
        let meanwhile = async {
            for _ in 0..10 {
                other.app.vault(&call, &v).await.unwrap();
            }
            other.app.rotate_vault(&call, &v).await.unwrap();
            other.app.run_jobs().await.unwrap();
        };
        let (made, ()) = tokio::join!(one.app.create_key(&call, &v, new_key("k", KeyAlgorithm::Rsa3072)), meanwhile);
        made.unwrap();
        other.app.run_jobs().await.unwrap();
        assert_eq!(every_version_opens(&one, "v", "k").await, 1);

        let rotating = async {
            for _ in 0..10 {
                other.app.vault(&call, &v).await.unwrap();
            }
            other.app.rotate_vault(&call, &v).await.unwrap();
            other.app.run_jobs().await.unwrap();
        };
        let k = to("k");
        let (rotated, ()) = tokio::join!(one.app.rotate_key(&call, &v, &k), rotating);
        rotated.unwrap();
        assert_eq!(every_version_opens(&one, "v", "k").await, 2);
    }
}

#[tokio::test]
async fn a_trial_makes_no_key() {
    for app in TestApp::on_every_database().await {
        let (v, k) = (to("v"), to("k"));
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let shown = app.app.create_key(&trial(), &v, new_key("k", KeyAlgorithm::Rsa4096)).await.unwrap();
        assert_eq!((shown.key.name.as_str(), shown.latest), ("k", None));
        assert!(matches!(app.app.key(&call(), &v, &k).await, Err(Error::NotFound { .. })));

        let made = app.app.create_key(&call(), &v, new_key("k", KeyAlgorithm::Ed25519)).await.unwrap();
        let audited = app.audited().await;
        assert_eq!(app.app.rotate_key(&trial(), &v, &k).await.unwrap().key.latest_version, 2);
        app.app.disable_key(&trial(), &v, &k).await.unwrap();
        app.app.rename_key(&trial(), &v, &k, name("other"), Some(1)).await.unwrap();
        app.app.schedule_key_deletion(&trial(), &v, &k, None).await.unwrap();
        assert_eq!(app.app.key(&call(), &v, &k).await.unwrap(), made);
        assert_eq!(app.audited().await, audited);
        let stale = app.app.rename_key(&trial(), &v, &k, name("other"), Some(2)).await;
        assert!(matches!(stale, Err(Error::PreconditionFailed { current: 1 })));
    }
}

#[tokio::test]
async fn a_broken_commit_leaves_neither_key_nor_event() {
    for app in TestApp::on_every_database().await {
        let (v, k) = (to("v"), to("k"));
        app.app.create_vault(&call(), name("v")).await.unwrap();
        app.faults.arm("key.create", When::Before);
        assert!(app.app.create_key(&call(), &v, new_key("k", KeyAlgorithm::Ed25519)).await.is_err());
        assert!(matches!(app.app.key(&call(), &v, &k).await, Err(Error::NotFound { .. })));
        app.faults.arm("key.create", When::After);
        assert!(app.app.create_key(&call(), &v, new_key("k", KeyAlgorithm::Ed25519)).await.is_err());
        assert_eq!(every_version_opens(&app, "v", "k").await, 1);
        app.faults.arm("key.rotate", When::Before);
        assert!(app.app.rotate_key(&call(), &v, &k).await.is_err());
        assert_eq!(every_version_opens(&app, "v", "k").await, 1);
        let audited = app.audited().await;
        assert_eq!(audited.iter().filter(|action| action.starts_with("key.")).count(), 1, "{audited:?}");
        assert!(app.faults.is_spent());
    }
}

#[tokio::test]
async fn deletion_is_final_at_its_time_and_not_before_and_the_material_is_gone() {
    for app in TestApp::on_every_database().await {
        let (v, k) = (to("v"), to("k"));
        app.app.create_vault(&call(), name("v")).await.unwrap();
        let made = app.app.create_key(&call(), &v, new_key("k", KeyAlgorithm::EcdsaP256)).await.unwrap();
        app.app.rotate_key(&call(), &v, &k).await.unwrap();
        let at = start().plus(Span::from_days(7));
        app.app.schedule_key_deletion(&call(), &v, &k, Some(at)).await.unwrap();
        app.clock.advance(Span::from_ms(Span::from_days(7).ms() - 1));
        assert_eq!(app.app.run_jobs().await.unwrap().deleted, 0);
        assert_eq!(every_version_opens(&app, "v", "k").await, 2);

        app.clock.advance(Span::from_ms(1));
        assert_eq!(conflict(app.app.cancel_key_deletion(&call(), &v, &k).await), "deletion_final");
        assert_eq!(app.app.run_jobs().await.unwrap().deleted, 1);
        assert!(matches!(app.app.key(&call(), &v, &k).await, Err(Error::NotFound { kind: "key", .. })));
        let by_id = app.app.key(&call(), &v, &to(made.key.id.as_str())).await;
        assert!(matches!(by_id, Err(Error::NotFound { kind: "key", .. })));
        for version in app.store.read().await.unwrap().key_versions(&made.key.id).await.unwrap() {
            assert!(version.sealed.0.is_empty(), "version {} still has its key", version.number);
        }
        assert_eq!(app.app.run_jobs().await.unwrap().deleted, 0, "once");
        assert_eq!(app.audited().await.iter().filter(|action| *action == "key.delete").count(), 1);
        app.app.create_key(&call(), &v, new_key("k", KeyAlgorithm::Ed25519)).await.unwrap();
    }
}

#[tokio::test]
async fn a_vault_goes_after_its_keys() {
    for app in TestApp::on_every_database().await {
        let (v, k) = (to("v"), to("k"));
        let vault = app.app.create_vault(&call(), name("v")).await.unwrap();
        app.app.create_key(&call(), &v, new_key("k", KeyAlgorithm::Ed25519)).await.unwrap();
        let in_days = |days| Some(start().plus(Span::from_days(days)));
        app.app.schedule_key_deletion(&call(), &v, &k, in_days(20)).await.unwrap();
        app.app.schedule_vault_deletion(&call(), &v, in_days(10)).await.unwrap();
        app.clock.advance(Span::from_days(15));
        assert_eq!(app.app.run_jobs().await.unwrap().deleted, 0, "its key may still need it");
        app.clock.advance(Span::from_days(5));
        assert_eq!(app.app.run_jobs().await.unwrap().deleted, 2);
        assert!(matches!(app.app.vault(&call(), &v).await, Err(Error::NotFound { kind: "vault", .. })));
        let rows = app.store.read().await.unwrap().vault_keys(&vault.id).await.unwrap();
        assert!(rows.iter().all(|row| row.sealed.0.is_empty()), "the vault's own key is gone as well");
        app.app.create_vault(&call(), name("v")).await.unwrap();
    }
}

/// Opens every version of a key with what is stored; returns how many there are.
pub(crate) async fn every_version_opens(app: &TestApp, vault: &str, key: &str) -> usize {
    let (view, versions) = app.app.key_versions(&call(), &to(vault), &to(key)).await.unwrap();
    let vault_keys = app.store.read().await.unwrap().vault_keys(&view.vault.id).await.unwrap();
    for version in &versions {
        let sealing = vault_keys.iter().find(|sealing| sealing.number == version.vault_key_version);
        let sealing = sealing.expect("the version of the vault's key that it rests on is there");
        let vault_key = VaultKey {
            vault_id: view.vault.id.clone(),
            version: sealing.number,
            root_key_id: sealing.root_key_id.clone(),
            sealed: sealing.sealed.clone(),
        };
        let place = KeyPlace {
            vault_id: view.vault.id.clone(),
            key_id: view.key.id.clone(),
            version: version.number,
            algorithm: view.key.algorithm,
        };
        let signer = app.keys.signer(&vault_key, &place, &version.sealed).await.unwrap();
        assert_eq!(Some(signer.public_key()), version.public_key.as_deref());
    }
    versions.len()
}
