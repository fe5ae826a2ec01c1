use crate::common::{TestApp, call, conflict, name, start, to, trial};
use certwright_app::{Call, Error, NewKey, NewToken};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::key::{Protection, VaultState};
use certwright_domain::time::Span;
use certwright_store::{AuditFilter, KeyFilter, PageRequest};
use certwright_testkit::faults::When;

const ALL: PageRequest = PageRequest { limit: 500, after: None };

fn new_key(text: &str) -> NewKey {
    NewKey { name: name(text), algorithm: KeyAlgorithm::Ed25519, protection: Protection::Software }
}

#[tokio::test]
async fn a_vault_is_made_found_listed_renamed_and_audited() {
    for app in TestApp::on_every_database().await {
        let made = app.app.create_vault(&call(), name("v1")).await.unwrap();
        assert_eq!((made.state, made.created_at, made.revision), (VaultState::Active, start(), 1));
        for reference in ["v1", made.id.as_str()] {
            assert_eq!(app.app.vault(&call(), &to(reference)).await.unwrap(), made);
        }
        assert_eq!(conflict(app.app.create_vault(&call(), name("v1")).await), "name_taken");
        app.app.create_vault(&call(), name("v0")).await.unwrap();
        assert_eq!(conflict(app.app.rename_vault(&call(), &to("v1"), name("v0"), None).await), "name_taken");

        let renamed = app.app.rename_vault(&call(), &to("v1"), name("v2"), Some(1)).await.unwrap();
        assert_eq!((renamed.name.as_str(), renamed.revision), ("v2", 2));
        assert_eq!(app.app.vault(&call(), &to("v2")).await.unwrap(), renamed);
        assert!(matches!(app.app.vault(&call(), &to("v1")).await, Err(Error::NotFound { kind: "vault", .. })));
        let late = app.app.rename_vault(&call(), &to("v2"), name("v3"), Some(1)).await;
        assert!(matches!(late, Err(Error::PreconditionFailed { current: 2 })));
        let same = app.app.rename_vault(&call(), &to("v2"), name("v2"), Some(2)).await.unwrap();
        assert_eq!(same, renamed, "nothing to do is no change");

        let names: Vec<String> =
            app.app.vaults(&call(), &ALL).await.unwrap().items.into_iter().map(|v| v.name.to_string()).collect();
        assert_eq!(names, ["v0", "v2"]);
        assert_eq!(app.audited().await, ["root-key.observe", "vault.create", "vault.create", "vault.rename"]);
    }
}

#[tokio::test]
async fn audit_events_say_who_did_what_to_what_in_which_request() {
    let app = TestApp::sqlite().await;
    let made = app.app.create_vault(&Call::system("request \"7\""), name("v")).await.unwrap();
    app.clock.advance(Span::from_ms(1));
    app.app.rename_vault(&call(), &to("v"), name("w"), None).await.unwrap();
    let filter = AuditFilter { target_id: Some(made.id.to_string()), ..AuditFilter::default() };
    let events = app.app.audit_events(&call(), &filter, &ALL).await.unwrap().items;
    let [renamed, created] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((created.actor.as_str(), created.actor_name.as_str()), ("system", "system"));
    assert_eq!((created.target_kind.as_str(), created.target_name.as_str()), ("vault", "v"));
    assert_eq!((created.request_id.as_str(), created.at), ("request \"7\"", start()));
    assert_eq!((renamed.details.as_str(), renamed.target_name.as_str()), (r#"{"oldName":"v"}"#, "w"));
}

#[tokio::test]
async fn a_trial_changes_nothing() {
    for app in TestApp::on_every_database().await {
        let shown = app.app.create_vault(&trial(), name("v")).await.unwrap();
        assert_eq!(shown.name.as_str(), "v");
        assert!(matches!(app.app.vault(&call(), &to("v")).await, Err(Error::NotFound { .. })));
        assert!(app.audited().await.is_empty());

        let made = app.app.create_vault(&call(), name("v")).await.unwrap();
        assert_eq!(conflict(app.app.create_vault(&trial(), name("v")).await), "name_taken", "a trial judges");
        let audited = app.audited().await;
        app.app.rename_vault(&trial(), &to("v"), name("w"), None).await.unwrap();
        app.app.rotate_vault(&trial(), &to("v")).await.unwrap();
        app.app.schedule_vault_deletion(&trial(), &to("v"), None).await.unwrap();
        assert_eq!(app.app.vault(&call(), &to("v")).await.unwrap(), made);
        let keys = app.store.read().await.unwrap().vault_keys(&made.id).await.unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(app.audited().await, audited);
    }
}

#[tokio::test]
async fn a_change_and_its_audit_event_are_stored_together_or_not_at_all() {
    for app in TestApp::on_every_database().await {
        app.faults.arm("vault.create", When::Before);
        let failed = app.app.create_vault(&call(), name("v")).await;
        assert!(matches!(failed, Err(Error::Unavailable { .. })));
        assert!(matches!(app.app.vault(&call(), &to("v")).await, Err(Error::NotFound { .. })));
        assert!(app.audited().await.is_empty());

        app.faults.arm("vault.create", When::After);
        let unknown = app.app.create_vault(&call(), name("v")).await;
        assert!(matches!(unknown, Err(Error::Unavailable { .. })));
        let made = app.app.vault(&call(), &to("v")).await.unwrap();
        assert_eq!(app.audited().await, ["root-key.observe", "vault.create"]);

        for transaction in ["vault.rename", "vault.schedule-deletion", "vault.rotate"] {
            app.faults.arm(transaction, When::Before);
        }
        assert!(app.app.rename_vault(&call(), &to("v"), name("w"), None).await.is_err());
        assert!(app.app.schedule_vault_deletion(&call(), &to("v"), None).await.is_err());
        assert!(app.app.rotate_vault(&call(), &to("v")).await.is_err());
        assert_eq!(app.app.vault(&call(), &to("v")).await.unwrap(), made);
        assert_eq!(app.audited().await.len(), 2);
        assert!(app.faults.is_spent());
    }
}

#[tokio::test]
async fn a_vault_with_live_keys_stays() {
    for app in TestApp::on_every_database().await {
        app.app.create_vault(&call(), name("v")).await.unwrap();
        app.app.create_key(&call(), &to("v"), new_key("k")).await.unwrap();
        let schedule = async || app.app.schedule_vault_deletion(&call(), &to("v"), None).await;
        assert_eq!(conflict(schedule().await), "vault_not_empty");
        app.app.disable_key(&call(), &to("v"), &to("k")).await.unwrap();
        assert_eq!(conflict(schedule().await), "vault_not_empty", "a disabled key may be enabled again");
        app.app.schedule_key_deletion(&call(), &to("v"), &to("k"), None).await.unwrap();
        let pending = schedule().await.unwrap();
        assert_eq!(pending.state, VaultState::PendingDeletion);
        assert_eq!(schedule().await.unwrap(), pending, "asking twice answers the same");

        assert_eq!(conflict(app.app.create_key(&call(), &to("v"), new_key("k2")).await), "vault_not_active");
        assert_eq!(conflict(app.app.rotate_vault(&call(), &to("v")).await), "vault_not_active");
        assert_eq!(conflict(app.app.cancel_key_deletion(&call(), &to("v"), &to("k")).await), "vault_not_active");
        assert_eq!(conflict(app.app.create_vault(&call(), name("v")).await), "name_taken", "until deletion is final");

        let back = app.app.cancel_vault_deletion(&call(), &to("v")).await.unwrap();
        assert_eq!((back.state, back.deletion_at), (VaultState::Active, None));
        assert_eq!(conflict(app.app.cancel_vault_deletion(&call(), &to("v")).await), "deletion_not_scheduled");
        app.app.cancel_key_deletion(&call(), &to("v"), &to("k")).await.unwrap();
    }
}

#[tokio::test]
async fn the_time_of_a_deletion_lies_between_7_and_30_days() {
    let app = TestApp::sqlite().await;
    app.app.create_vault(&call(), name("v")).await.unwrap();
    for days in [0, 6, 31] {
        let at = Some(start().plus(Span::from_days(days)));
        let refused = app.app.schedule_vault_deletion(&call(), &to("v"), at).await;
        let Err(Error::Invalid(faults)) = refused else { panic!("{days} days: {refused:?}") };
        assert_eq!((faults[0].pointer.as_str(), faults[0].invalid.code), ("/deletionAt", "invalid_deletion_time"));
    }
    let at = start().plus(Span::from_days(7));
    let pending = app.app.schedule_vault_deletion(&call(), &to("v"), Some(at)).await.unwrap();
    assert_eq!(pending.deletion_at, Some(at));
    let other = Some(start().plus(Span::from_days(8)));
    let moved = app.app.schedule_vault_deletion(&call(), &to("v"), other).await;
    assert_eq!(conflict(moved), "deletion_scheduled");
}

#[tokio::test]
async fn of_two_rotations_at_once_both_count() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        let vault = one.app.create_vault(&call(), name("v")).await.unwrap();
        let (call, reference) = (call(), to("v"));
        let (first, second) =
            tokio::join!(one.app.rotate_vault(&call, &reference), other.app.rotate_vault(&call, &reference));
        first.unwrap();
        second.unwrap();
        let keys = one.store.read().await.unwrap().vault_keys(&vault.id).await.unwrap();
        let numbers: Vec<u32> = keys.iter().map(|key| key.number).collect();
        assert_eq!(numbers, [3, 2, 1]);
    }
}

#[tokio::test]
async fn the_servers_own_vault_is_neither_listed_nor_changed_by_operators() {
    let app = TestApp::sqlite().await;
    app.app.server_certificate(&["localhost".to_owned()]).await.unwrap();
    let own = app.store.read().await.unwrap().vaults(&ALL, true).await.unwrap().items;
    let [own] = own.as_slice() else { panic!("{own:?}") };
    assert!(own.system && app.app.vaults(&call(), &ALL).await.unwrap().items.is_empty());

    let new = NewToken { name: name("ops"), user: None, expires_at: None, scopes: Vec::new(), bound_to: None };
    let (_, text) = app.app.create_token(&call(), new).await.unwrap();
    let operator = Call { caller: app.app.authenticate(text.expose()).await.unwrap(), ..call() };
    let vault = to(own.id.as_str());
    let keys = app.store.read().await.unwrap().keys(&own.id, &KeyFilter::default(), &ALL).await.unwrap().items;
    let key = to(keys[0].id.as_str());
    for refused in [
        conflict(app.app.rename_vault(&operator, &vault, name("mine"), None).await),
        conflict(app.app.rotate_vault(&operator, &vault).await),
        conflict(app.app.schedule_vault_deletion(&operator, &vault, None).await),
        conflict(app.app.create_key(&operator, &vault, new_key("k")).await),
        conflict(app.app.rotate_key(&operator, &vault, &key).await),
        conflict(app.app.disable_key(&operator, &vault, &key).await),
    ] {
        assert_eq!(refused, "system_resource");
    }
}
