use crate::common::{TestApp, call, name, start, to};
use crate::keys::every_version_opens;
use certwright_app::{JobReport, NewKey};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::id::{CaId, IntentId};
use certwright_domain::key::Protection;
use certwright_domain::serial::Serial;
use certwright_domain::time::Span;
use certwright_store::{AuditFilter, Intent, PageRequest};
use certwright_testkit::faults::When;

/// A vault with more key versions than one batch takes.
const MANY: u32 = 120;

async fn vault_with_keys(app: &TestApp, vault: &str, keys: u32) {
    app.app.create_vault(&call(), name(vault)).await.unwrap();
    for number in 0..keys {
        let new = NewKey {
            name: name(&format!("k{number}")),
            algorithm: KeyAlgorithm::Ed25519,
            protection: Protection::Software,
        };
        app.app.create_key(&call(), &to(vault), new).await.unwrap();
    }
}

async fn every_key_opens(app: &TestApp, vault: &str, keys: u32) {
    for number in 0..keys {
        assert_eq!(every_version_opens(app, vault, &format!("k{number}")).await, 1);
    }
}

/// The numbers of the versions of a vault's key.
async fn vault_key_numbers(app: &TestApp, vault: &str) -> Vec<u32> {
    let vault = app.app.vault(&call(), &to(vault)).await.unwrap();
    let keys = app.store.read().await.unwrap().vault_keys(&vault.id).await.unwrap();
    keys.iter().map(|key| key.number).collect()
}

#[tokio::test]
async fn keys_follow_the_rotation_of_their_vault_and_the_old_vault_key_goes() {
    for app in TestApp::on_every_database().await {
        vault_with_keys(&app, "v", MANY).await;
        vault_with_keys(&app, "still", 2).await;
        app.app.rotate_vault(&call(), &to("v")).await.unwrap();
        every_key_opens(&app, "v", MANY).await;
        let report = app.app.run_jobs().await.unwrap();
        assert_eq!(report, JobReport { keys_rewrapped: u64::from(MANY), ..JobReport::default() });
        assert_eq!(vault_key_numbers(&app, "v").await, [2]);
        assert_eq!(vault_key_numbers(&app, "still").await, [1]);
        every_key_opens(&app, "v", MANY).await;
        every_key_opens(&app, "still", 2).await;
        assert_eq!(app.app.run_jobs().await.unwrap(), JobReport::default(), "nothing is left to do");
        let actions = app.audited().await;
        assert_eq!(actions.iter().filter(|action| *action == "vault.rewrap").count(), 2, "one for each batch");
        assert_eq!(actions.iter().filter(|action| *action == "vault.drop-old-keys").count(), 1);
    }
}

#[tokio::test]
async fn an_interrupted_round_is_taken_up_where_it_ended() {
    for app in TestApp::on_every_database().await {
        vault_with_keys(&app, "v", MANY).await;
        app.app.rotate_vault(&call(), &to("v")).await.unwrap();
        app.faults.arm("job.rewrap-keys", When::After);
        assert!(app.app.run_jobs().await.is_err(), "the first batch is stored, but it did not learn so");
        assert_eq!(vault_key_numbers(&app, "v").await, [2, 1], "the old one is still needed");
        every_key_opens(&app, "v", MANY).await;

        // The process died here; another one goes on.
        let restarted = app.restarted(9).await;
        restarted.faults.arm("job.rewrap-keys", When::Before);
        assert!(restarted.app.run_jobs().await.is_err(), "the second batch is not stored");
        assert_eq!(vault_key_numbers(&app, "v").await, [2, 1]);
        every_key_opens(&restarted, "v", MANY).await;
        let report = restarted.app.run_jobs().await.unwrap();
        assert_eq!(report.keys_rewrapped, u64::from(MANY.saturating_sub(100)), "what the first batch left");
        assert_eq!(vault_key_numbers(&app, "v").await, [2]);
        every_key_opens(&restarted, "v", MANY).await;
    }
}

#[tokio::test]
async fn an_interrupted_root_key_rotation_is_taken_up() {
    for app in TestApp::on_every_database().await {
        vault_with_keys(&app, "v", 1).await;
        app.app.rotate_root_key(&call()).await.unwrap();
        app.faults.arm("job.rewrap-vault-keys", When::Before);
        assert!(app.app.run_jobs().await.is_err());
        every_key_opens(&app, "v", 1).await;
        app.faults.arm("job.rewrap-vault-keys", When::After);
        assert!(app.app.run_jobs().await.is_err());
        assert!(app.faults.is_spent());
        let restarted = app.restarted(9).await;
        every_key_opens(&restarted, "v", 1).await;
        let status = restarted.app.root_keys(&call()).await.unwrap();
        assert_eq!(status.keys[0], (status.current.clone(), 1));
    }
}

#[tokio::test]
async fn of_two_nodes_one_works() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        vault_with_keys(&one, "v", 3).await;
        one.app.rotate_vault(&call(), &to("v")).await.unwrap();
        let (first, second) = tokio::join!(one.app.run_jobs(), other.app.run_jobs());
        let done = [first.unwrap().keys_rewrapped, second.unwrap().keys_rewrapped];
        assert!(done == [3, 0] || done == [0, 3], "{done:?}");
        every_key_opens(&one, "v", 3).await;
    }
}

#[tokio::test]
async fn the_lease_ends_with_its_time_or_when_it_is_given_back() {
    for (one, other) in TestApp::two_nodes_on_every_database().await {
        vault_with_keys(&one, "v", 1).await;
        one.app.run_jobs().await.unwrap();
        one.app.rotate_vault(&call(), &to("v")).await.unwrap();
        assert_eq!(other.app.run_jobs().await.unwrap(), JobReport::default(), "the other node has the lease");
        one.app.release_leases().await.unwrap();
        assert_eq!(other.app.run_jobs().await.unwrap().keys_rewrapped, 1);

        one.app.rotate_vault(&call(), &to("v")).await.unwrap();
        assert_eq!(one.app.run_jobs().await.unwrap(), JobReport::default());
        one.app.release_leases().await.unwrap();
        assert_eq!(one.app.run_jobs().await.unwrap(), JobReport::default(), "nobody gives back what is not theirs");
        one.clock.advance(Span::from_s(60));
        assert_eq!(one.app.run_jobs().await.unwrap().keys_rewrapped, 1);
    }
}

#[tokio::test]
async fn two_nodes_that_both_believe_they_have_the_lease_do_no_harm() {
    for app in TestApp::on_every_database().await {
        // The same name: both get the lease.
        let twin = app.another_node("one", 9).await;
        vault_with_keys(&app, "v", 30).await;
        for _ in 0..3 {
            app.app.rotate_vault(&call(), &to("v")).await.unwrap();
            let (first, second) = tokio::join!(app.app.run_jobs(), twin.app.run_jobs());
            assert_eq!(first.unwrap().keys_rewrapped.saturating_add(second.unwrap().keys_rewrapped), 30);
        }
        every_key_opens(&app, "v", 30).await;
        assert_eq!(vault_key_numbers(&app, "v").await, [4]);
    }
}

#[tokio::test]
async fn a_deletion_that_broke_is_done_in_the_next_round() {
    for app in TestApp::on_every_database().await {
        vault_with_keys(&app, "v", 1).await;
        app.app.schedule_key_deletion(&call(), &to("v"), &to("k0"), None).await.unwrap();
        app.clock.advance(Span::from_days(30));
        app.faults.arm("key.delete", When::Before);
        assert!(app.app.run_jobs().await.is_err());
        every_key_opens(&app, "v", 1).await;
        assert!(!app.audited().await.contains(&"key.delete".to_owned()));
        app.faults.arm("key.delete", When::After);
        assert!(app.app.run_jobs().await.is_err());
        assert_eq!(app.app.run_jobs().await.unwrap().deleted, 0, "it was done");
        assert_eq!(app.audited().await.iter().filter(|action| *action == "key.delete").count(), 1);
    }
}

#[tokio::test]
async fn a_ca_certificate_that_was_never_recorded_is_told_of_once() {
    for app in TestApp::on_every_database().await {
        let ca_id = CaId::new(start(), [3; 10]);
        let intent = Intent {
            id: IntentId::new(start(), [4; 10]),
            ca_id: ca_id.clone(),
            serial: Serial::parse("0a0b").unwrap(),
            tbs: vec![1, 2, 3],
            requester: "token:t".to_owned(),
            request_id: "request-1".to_owned(),
            created_at: start(),
        };
        let mut tx = app.store.begin("test").await.unwrap();
        tx.insert_intent(&intent).await.unwrap();
        tx.commit().await.unwrap();
        app.clock.advance(Span::from_minutes(10));
        app.app.run_jobs().await.unwrap();
        let filter = AuditFilter { action: Some("ca.intent-abandoned".to_owned()), ..AuditFilter::default() };
        let page = PageRequest { limit: 10, after: None };
        let events = || async { app.app.audit_events(&call(), &filter, &page).await.unwrap().items };
        assert!(events().await.is_empty(), "it may still be under way");
        app.clock.advance(Span::from_ms(1));
        for _ in 0..2 {
            app.app.run_jobs().await.unwrap();
            let told = events().await;
            assert_eq!(told.len(), 1);
            assert_eq!(told[0].target_id, ca_id.to_string());
            assert!(told[0].details.contains("0a0b") && told[0].details.contains("request-1"), "{}", told[0].details);
        }
        let mut tx = app.store.begin("test").await.unwrap();
        let late = tx.complete_intent(&intent.id, app.app.now()).await;
        assert!(matches!(late, Err(certwright_store::Error::Stale { .. })), "a late signer finds it closed");
    }
}
