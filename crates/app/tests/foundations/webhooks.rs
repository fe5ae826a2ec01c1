//! Webhooks as operators see them; how events reach them: [`crate::deliveries`].

use crate::cas::root;
use crate::common::{TestApp, call, conflict, name, to, trial};
use certwright_app::{Error, NewWebhook, PageRequest, UpdateWebhook};
use certwright_domain::event::EventKind;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::webhook::{Delivery, Webhook};

pub(crate) fn url(text: &str) -> HttpUrl {
    HttpUrl::parse(text).unwrap()
}

pub(crate) fn new(called: &str, kinds: &[EventKind]) -> NewWebhook {
    let url = url(&format!("https://{called}.example.com/hook"));
    NewWebhook { name: name(called), url, kinds: kinds.to_vec(), enabled: true }
}

/// A webhook and the text of its secret.
pub(crate) async fn webhook(app: &TestApp, called: &str, kinds: &[EventKind]) -> (Webhook, String) {
    let (webhook, secret) = app.app.create_webhook(&call(), new(called, kinds)).await.unwrap();
    (webhook, secret.expose().clone())
}

/// The deliveries to a webhook, newest first.
pub(crate) async fn deliveries(app: &TestApp, webhook: &str) -> Vec<Delivery> {
    let page = PageRequest { limit: 500, after: None };
    app.app.deliveries(&call(), &to(webhook), None, &page).await.unwrap().items
}

#[tokio::test]
async fn a_webhook_is_made_changed_and_deleted() {
    for app in TestApp::on_every_database().await {
        let (shown, secret) = app.app.create_webhook(&trial(), new("hook", &[])).await.unwrap();
        assert_eq!((shown.name.as_str(), secret.expose().as_str()), ("hook", ""), "a trial shows no secret");
        let kinds = [EventKind::CaRevoked, EventKind::CaIssued, EventKind::CaRevoked];
        let (made, secret) = webhook(&app, "hook", &kinds).await;
        assert_eq!(made.kinds, [EventKind::CaIssued, EventKind::CaRevoked]);
        assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
        assert_eq!(app.app.webhook(&call(), &to("hook")).await.unwrap(), made);
        assert_eq!(conflict(app.app.create_webhook(&call(), new("hook", &[])).await), "name_taken");

        let update = UpdateWebhook { enabled: Some(false), kinds: Some(vec![]), ..UpdateWebhook::default() };
        let change = async |if_match| app.app.update_webhook(&call(), &to("hook"), update.clone(), if_match).await;
        assert!(matches!(change(None).await, Err(Error::PreconditionRequired { current: 1 })));
        assert!(matches!(change(Some(7)).await, Err(Error::PreconditionFailed { current: 1 })));
        let changed = change(Some(1)).await.unwrap();
        assert_eq!(changed, Webhook { enabled: false, kinds: vec![], revision: 2, ..made.clone() });
        assert_eq!(app.app.webhook(&call(), &to(made.id.as_str())).await.unwrap(), changed);

        let (rotated, other) = app.app.rotate_webhook_secret(&call(), &to("hook")).await.unwrap();
        assert!(rotated.secret != changed.secret && *other.expose() != secret && rotated.revision == 3);
        app.app.delete_webhook(&call(), &to("hook"), None).await.unwrap();
        assert!(matches!(app.app.webhook(&call(), &to("hook")).await, Err(Error::NotFound { kind: "webhook", .. })));
        let told: Vec<String> = app.audited().await.into_iter().filter(|it| it.starts_with("webhook")).collect();
        assert_eq!(told, ["webhook.create", "webhook.delete", "webhook.rotate-secret", "webhook.update"]);
    }
}

#[tokio::test]
async fn a_private_address_is_refused_at_once() {
    let app = TestApp::sqlite().await;
    for address in ["http://127.0.0.1:1/x", "https://[::1]/", "http://169.254.169.254/latest", "https://10.0.0.1/"] {
        let wish = NewWebhook { url: url(address), ..new("hook", &[]) };
        match app.app.create_webhook(&call(), wish).await {
            Err(Error::Invalid(faults)) => {
                assert_eq!((faults[0].pointer.as_str(), faults[0].invalid.code), ("/url", "address_not_allowed"));
            }
            other => panic!("{address}: {:?}", other.map(|(webhook, _)| webhook)),
        }
    }
}

#[tokio::test]
async fn secrets_are_sealed_and_follow_the_root_key() {
    let app = TestApp::sqlite().await;
    let (made, secret) = webhook(&app, "hook", &[]).await;
    assert!(!app.bytes_on_disk().windows(secret.len() - 6).any(|bytes| bytes == &secret.as_bytes()[6..]));
    app.app.rotate_root_key(&call()).await.unwrap();
    assert_eq!(app.app.run_jobs().await.unwrap().webhooks_rewrapped, 1);
    let after = app.app.webhook(&call(), &to("hook")).await.unwrap();
    assert!(after.secret != made.secret && after.root_key_id != made.root_key_id);
    assert_eq!(after.revision, made.revision, "nothing that an operator sees has changed");
    let status = app.app.root_keys(&call()).await.unwrap();
    assert_eq!(status.keys.iter().find(|(id, _)| *id == after.root_key_id).map(|(_, count)| *count), Some(1));
    assert_eq!(app.app.run_jobs().await.unwrap().webhooks_rewrapped, 0);
}

#[tokio::test]
async fn a_webhook_gets_the_events_from_its_creation_on() {
    for app in TestApp::on_every_database().await {
        app.app.create_vault(&call(), name("v")).await.unwrap();
        root(&app, "before").await;
        webhook(&app, "all", &[]).await;
        webhook(&app, "other", &[EventKind::CaRevoked]).await;
        assert!(deliveries(&app, "all").await.is_empty());
        root(&app, "after").await;
        assert_eq!(deliveries(&app, "all").await.len(), 1);
        assert!(deliveries(&app, "other").await.is_empty());

        let off = UpdateWebhook { enabled: Some(false), ..UpdateWebhook::default() };
        app.app.update_webhook(&call(), &to("all"), off, Some(1)).await.unwrap();
        assert_eq!(conflict(app.app.test_webhook(&call(), &to("all")).await), "webhook_disabled");
        root(&app, "unseen").await;
        assert_eq!(deliveries(&app, "all").await.len(), 1);
        assert!(app.app.webhooks_due().await.unwrap().is_empty(), "what waits goes on waiting");
        let on = UpdateWebhook { enabled: Some(true), ..UpdateWebhook::default() };
        app.app.update_webhook(&call(), &to("all"), on, Some(2)).await.unwrap();
        assert_eq!(app.app.webhooks_due().await.unwrap().len(), 1);
    }
}
