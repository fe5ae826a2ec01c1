//! How events reach their receivers, with receivers in memory and a clock moved by hand.

use crate::cas::root;
use crate::common::outbound::Post;
use crate::common::{TestApp, call, conflict, name, to};
use crate::webhooks::{deliveries, webhook};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certwright_app::{Error, OutboundError, PageRequest, UpdateWebhook};
use certwright_domain::event::EventKind;
use certwright_domain::id::{DeliveryId, EventId};
use certwright_domain::time::Span;
use certwright_domain::webhook::{Delivery, DeliveryState};
use certwright_testkit::faults::When;

/// Sends what is due, as the background work does; how many requests it made.
async fn deliver(app: &TestApp) -> u64 {
    let mut sent = 0_u64;
    for webhook in app.app.webhooks_due().await.unwrap() {
        sent = sent.saturating_add(app.app.deliver_to(&webhook).await.unwrap());
    }
    sent
}

/// A vault for CAs, a webhook called `hook` for everything, and one event for it; the webhook's secret.
async fn with_an_event(app: &TestApp) -> String {
    app.app.create_vault(&call(), name("v")).await.unwrap();
    let (_, secret) = webhook(app, "hook", &[]).await;
    root(app, "root").await;
    secret
}

async fn only(app: &TestApp) -> Delivery {
    let [delivery] = &deliveries(app, "hook").await[..] else { panic!("one delivery") };
    delivery.clone()
}

fn verify(post: &Post, secret: &str) {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signature = STANDARD.decode(post.header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    let mut signed = format!("{}.{}.", post.header("webhook-id"), post.header("webhook-timestamp")).into_bytes();
    signed.extend_from_slice(&post.body);
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed, &signature).unwrap();
}

#[tokio::test]
async fn a_receiver_that_fails_twice_gets_the_event_at_the_third_try() {
    for app in TestApp::on_every_database().await {
        let secret = with_an_event(&app).await;
        app.receivers.will_answer([Ok(500), Err(OutboundError::Timeout), Ok(204)]);
        assert_eq!(deliver(&app).await, 1);
        let failed = only(&app).await;
        assert_eq!((failed.state, failed.attempts, failed.last_status), (DeliveryState::Pending, 1, Some(500)));
        assert_eq!(failed.next_attempt_at, Some(app.app.now().plus(Span::from_s(10))));
        assert_eq!(deliver(&app).await, 0, "not before its time");
        app.clock.advance(Span::from_s(10));
        assert_eq!(deliver(&app).await, 1);
        assert_eq!(only(&app).await.last_error.as_deref(), Some("no answer in time"));
        app.clock.advance(Span::from_s(59));
        assert_eq!(deliver(&app).await, 0);
        app.clock.advance(Span::from_s(1));
        assert_eq!(deliver(&app).await, 1);
        let done = only(&app).await;
        assert_eq!((done.state, done.attempts, done.last_status), (DeliveryState::Delivered, 3, Some(204)));
        assert_eq!((done.last_error, done.next_attempt_at), (None, None));

        let posts = app.receivers.posts();
        assert_eq!(posts.len(), 3);
        for post in &posts {
            assert_eq!(
                (post.url.as_str(), post.header("webhook-id")),
                ("https://hook.example.com/hook", done.event_id.as_str())
            );
            assert_eq!(post.body, posts[0].body, "every attempt sends the same bytes");
            verify(post, &secret);
        }
        assert_eq!(posts[2].header("webhook-timestamp"), app.app.now().unix_s().to_string());
        app.clock.advance(Span::from_days(2));
        assert_eq!(deliver(&app).await, 0);
    }
}

#[tokio::test]
async fn a_node_that_dies_between_sending_and_recording_sends_again() {
    for app in TestApp::on_every_database().await {
        with_an_event(&app).await;
        app.faults.arm("webhook.record", When::Before);
        let [hook] = &app.app.webhooks_due().await.unwrap()[..] else { panic!("one webhook") };
        assert!(app.app.deliver_to(hook).await.is_err());
        let app = app.restarted(9).await;
        assert_eq!(deliver(&app).await, 0, "the claim stands");
        app.clock.advance(Span::from_s(60));
        assert_eq!(deliver(&app).await, 1);
        let posts = app.receivers.posts();
        assert_eq!(posts.len(), 2);
        assert_eq!(posts[0].header("webhook-id"), posts[1].header("webhook-id"));
        assert_eq!(posts[0].body, posts[1].body);
        assert_eq!((only(&app).await.state, only(&app).await.attempts), (DeliveryState::Delivered, 2));
    }
}

#[tokio::test]
async fn two_nodes_send_an_event_once() {
    for (one, two) in TestApp::two_nodes_on_every_database().await {
        one.app.create_vault(&call(), name("v")).await.unwrap();
        let (hook, _) = webhook(&one, "hook", &[]).await;
        for number in 0..10 {
            root(&one, &format!("root-{number}")).await;
        }
        let (first, second) = tokio::join!(one.app.deliver_to(&hook.id), two.app.deliver_to(&hook.id));
        assert_eq!(first.unwrap().saturating_add(second.unwrap()), 10);
        let mut ids: Vec<String> =
            one.receivers.posts().iter().map(|post| post.header("webhook-id").to_owned()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), one.receivers.posts().len()), (10, 10));
    }
}

#[tokio::test]
async fn a_slow_receiver_delays_nobody_else() {
    let app = TestApp::sqlite().await;
    app.app.create_vault(&call(), name("v")).await.unwrap();
    let (slow, _) = webhook(&app, "slow", &[]).await;
    let (fast, _) = webhook(&app, "fast", &[]).await;
    root(&app, "one").await;
    let waiting = tokio::spawn({
        let (app, slow) = (app.app.clone(), slow.id.clone());
        async move { app.deliver_to(&slow).await }
    });
    while app.receivers.posts().is_empty() {
        tokio::task::yield_now().await;
    }
    root(&app, "two").await;
    assert_eq!(
        app.app.webhooks_due().await.unwrap(),
        std::slice::from_ref(&fast.id),
        "the slow one is being worked on"
    );
    assert_eq!(app.app.deliver_to(&slow.id).await.unwrap(), 0);
    assert_eq!(app.app.deliver_to(&fast.id).await.unwrap(), 2);
    app.receivers.release();
    app.receivers.release();
    assert_eq!(waiting.await.unwrap().unwrap(), 2, "also what came meanwhile");
}

#[tokio::test]
async fn a_webhook_that_is_gone_gets_nothing_any_more() {
    for app in TestApp::on_every_database().await {
        with_an_event(&app).await;
        app.app.delete_webhook(&call(), &to("hook"), None).await.unwrap();
        assert_eq!(deliver(&app).await, 0);
        webhook(&app, "hook", &[]).await;
        assert!(deliveries(&app, "hook").await.is_empty(), "another webhook of the same name is another webhook");
        assert!(app.receivers.posts().is_empty());
    }
}

#[tokio::test]
async fn a_test_goes_to_one_webhook_and_a_change_of_secret_counts_at_once() {
    let app = TestApp::sqlite().await;
    webhook(&app, "hook", &[EventKind::CaIssued]).await;
    webhook(&app, "other", &[]).await;
    let (_, secret) = app.app.rotate_webhook_secret(&call(), &to("hook")).await.unwrap();
    let delivery = app.app.test_webhook(&call(), &to("hook")).await.unwrap();
    assert_eq!(deliver(&app).await, 1);
    let [post] = &app.receivers.posts()[..] else { panic!("one request") };
    assert_eq!(post.header("webhook-id"), delivery.event_id.as_str());
    assert!(String::from_utf8_lossy(&post.body).contains("dev.certwright.webhook.test"));
    verify(post, secret.expose());
}

#[tokio::test]
async fn what_was_sent_can_be_sent_again() {
    for app in TestApp::on_every_database().await {
        with_an_event(&app).await;
        deliver(&app).await;
        let done = only(&app).await;
        let again = app.app.resend_delivery(&call(), &to("hook"), &done.id).await.unwrap();
        assert_eq!((again.state, again.attempts), (DeliveryState::Pending, 0));
        assert_eq!(deliver(&app).await, 1);
        // To all, also those that came later; not to those that want other kinds or nothing at all.
        webhook(&app, "late", &[EventKind::CaIssued]).await;
        webhook(&app, "other", &[EventKind::CaRevoked]).await;
        webhook(&app, "off", &[]).await;
        let off = UpdateWebhook { enabled: Some(false), ..UpdateWebhook::default() };
        app.app.update_webhook(&call(), &to("off"), off, Some(1)).await.unwrap();
        let (event, sent) = app.app.resend_event(&call(), &done.event_id).await.unwrap();
        assert_eq!((event.kind, sent.len()), (EventKind::CaIssued, 2));
        assert_eq!(deliver(&app).await, 2);
        let posts = app.receivers.posts();
        assert_eq!(posts.len(), 4);
        assert!(posts.iter().all(|post| post.header("webhook-id") == done.event_id.as_str()));
        let absent = DeliveryId::of(&EventId::new(app.app.now(), [77; 10]));
        let unknown = app.app.resend_delivery(&call(), &to("late"), &absent).await;
        assert!(matches!(unknown, Err(Error::NotFound { kind: "delivery", .. })));
        let off = app.app.resend_delivery(&call(), &to("off"), &done.id).await;
        assert!(matches!(off, Err(Error::NotFound { .. })));
        let disable = UpdateWebhook { enabled: Some(false), ..UpdateWebhook::default() };
        app.app.update_webhook(&call(), &to("hook"), disable, Some(1)).await.unwrap();
        assert_eq!(conflict(app.app.resend_delivery(&call(), &to("hook"), &done.id).await), "webhook_disabled");
    }
}

#[tokio::test]
async fn old_events_are_forgotten() {
    for app in TestApp::on_every_database().await {
        with_an_event(&app).await;
        app.clock.advance(Span::from_days(60));
        root(&app, "later").await;
        app.clock.advance(Span::from_days(31));
        assert_eq!(app.app.run_jobs().await.unwrap().events_forgotten, 1);
        assert_eq!(only(&app).await.attempts, 0);
        let page = PageRequest { limit: 10, after: None };
        let events = app.app.events(&call(), &Default::default(), &page).await.unwrap();
        assert_eq!(events.items.iter().map(|it| it.subject_name.as_str()).collect::<Vec<_>>(), ["later"]);
    }
}
