use super::{conflict, fresh, stale};
use crate::fixtures::*;
use certwright_domain::event::EventKind;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::id::{DeliveryId, EventId};
use certwright_domain::key::SealedBlob;
use certwright_domain::time::Span;
use certwright_domain::webhook::{Delivery, DeliveryState, Outcome, Schedule, Webhook};
use certwright_store::{Error, Tx};
use std::time::Duration;

async fn reads_back(tx: &mut Tx<'_>, webhook: &Webhook) {
    assert_eq!(tx.webhook(&reference(webhook.id.as_str())).await.unwrap().as_ref(), Some(webhook));
    assert_eq!(tx.webhook(&reference(webhook.name.as_str())).await.unwrap().as_ref(), Some(webhook));
}

/// The numbers of the webhooks that an event of this kind is to be delivered to.
async fn wanted_by(tx: &mut Tx<'_>, number: u32, kind: EventKind) -> Vec<String> {
    let event = event(number, kind);
    tx.insert_event(&event).await.unwrap();
    let mut names = Vec::new();
    for delivery in tx.event_deliveries(&event.id).await.unwrap() {
        assert_eq!(delivery, Delivery::new(delivery.webhook_id.clone(), &event.id, event.at));
        let webhook = tx.webhook(&reference(delivery.webhook_id.as_str())).await.unwrap().unwrap();
        names.push(webhook.name.to_string());
    }
    names
}

#[tokio::test]
async fn a_webhook_is_read_as_written_and_changed_by_compare_and_swap() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let mut one = webhook(1, "one", &[]);
    let two = webhook(2, "two", &[EventKind::CaIssued, EventKind::WebhookTest]);
    tx.insert_webhook(&one).await.unwrap();
    tx.insert_webhook(&two).await.unwrap();
    reads_back(&mut tx, &one).await;
    reads_back(&mut tx, &two).await;
    assert_eq!(tx.count_webhooks().await.unwrap(), 2);
    let page = tx.webhooks(&first(1)).await.unwrap();
    assert_eq!(page.items, std::slice::from_ref(&one));
    let page = tx.webhooks(&after(1, page.next)).await.unwrap();
    assert_eq!((page.items, page.next), (vec![two.clone()], None));

    one.name = name("uno");
    one.url = HttpUrl::parse("http://10.0.0.1:81/x?y").unwrap();
    one.enabled = false;
    one.kinds = vec![EventKind::CertificateRevoked];
    one.secret = SealedBlob(vec![9]);
    tx.update_webhook(&one).await.unwrap();
    assert_eq!(tx.update_webhook(&one).await, Err(stale("webhooks")));
    one.revision = 2;
    reads_back(&mut tx, &one).await;
    assert_eq!(tx.delete_webhook(&one.id, 1).await, Err(stale("webhooks")));
    tx.delete_webhook(&one.id, 2).await.unwrap();
    assert_eq!(tx.webhook(&reference("uno")).await.unwrap(), None);
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_webhook(&webhook(3, "two", &[])).await, Err(conflict("webhooks.name")));
}

#[tokio::test]
async fn secrets_are_re_wrapped_and_keep_their_root_key() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let old = webhook(1, "one", &[]);
    tx.insert_webhook(&old).await.unwrap();
    assert_eq!(tx.root_key_usage().await.unwrap(), [("root-1".to_owned(), 1)]);
    assert_eq!(tx.webhooks_not_under("root-2", 10).await.unwrap(), std::slice::from_ref(&old));
    let new = Webhook { secret: SealedBlob(vec![2, 2]), root_key_id: "root-2".to_owned(), ..old.clone() };
    tx.rewrap_webhook(&old, &new).await.unwrap();
    reads_back(&mut tx, &new).await;
    assert_eq!(tx.rewrap_webhook(&old, &new).await, Err(stale("webhooks")));
    assert!(tx.webhooks_not_under("root-2", 10).await.unwrap().is_empty());
    assert_eq!(tx.root_key_usage().await.unwrap(), [("root-2".to_owned(), 1)]);
}

#[tokio::test]
async fn an_event_goes_to_the_webhooks_that_want_it() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    assert!(wanted_by(&mut tx, 1, EventKind::CaIssued).await.is_empty());
    tx.insert_webhook(&webhook(1, "all", &[])).await.unwrap();
    tx.insert_webhook(&webhook(2, "some", &[EventKind::CertificateRenewed, EventKind::CaIssued])).await.unwrap();
    tx.insert_webhook(&webhook(3, "other", &[EventKind::CaRevoked])).await.unwrap();
    tx.insert_webhook(&Webhook { enabled: false, ..webhook(4, "disabled", &[]) }).await.unwrap();
    assert_eq!(wanted_by(&mut tx, 2, EventKind::CaIssued).await, ["all", "some"]);
    assert_eq!(wanted_by(&mut tx, 3, EventKind::CertificateRenewed).await, ["all", "some"]);
    assert_eq!(wanted_by(&mut tx, 4, EventKind::CaRevoked).await, ["all", "other"]);
    assert_eq!(wanted_by(&mut tx, 5, EventKind::CertificateRenewalFailed).await, ["all"]);
    assert!(wanted_by(&mut tx, 6, EventKind::WebhookTest).await.is_empty());
}

#[tokio::test]
async fn due_deliveries_are_found_by_webhook_until_they_are_settled() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let (one, two) = (webhook(1, "one", &[]), webhook(2, "two", &[EventKind::CaRevoked]));
    tx.insert_webhook(&one).await.unwrap();
    tx.insert_webhook(&two).await.unwrap();
    for number in 1..=3 {
        tx.insert_event(&event(number, EventKind::CaIssued)).await.unwrap();
    }
    let before = now().minus(Span::from_s(1));
    assert!(tx.webhooks_due(before, 10).await.unwrap().is_empty());
    assert_eq!(tx.webhooks_due(now(), 10).await.unwrap(), std::slice::from_ref(&one.id));
    let due = tx.deliveries_due(&one.id, now(), 2).await.unwrap();
    let ids: Vec<DeliveryId> = (1..=2).map(|n| DeliveryId::of(&event(n, EventKind::CaIssued).id)).collect();
    assert_eq!(due.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), ids);

    let claimed = due[0].clone().claimed(now(), now().plus(Span::from_s(60)));
    tx.update_delivery(&claimed).await.unwrap();
    assert_eq!(tx.update_delivery(&claimed).await, Err(stale("webhook_deliveries")), "another node has it");
    let claimed = Delivery { revision: 2, ..claimed };
    assert_eq!(tx.delivery(&one.id, &claimed.id).await.unwrap(), Some(claimed.clone()));
    assert_eq!(tx.deliveries_due(&one.id, now(), 10).await.unwrap().len(), 2);
    let outcome = Outcome::Answered { status: 204, retry_after: None };
    tx.update_delivery(&claimed.settled(&outcome, Schedule::default(), now())).await.unwrap();
    let done = tx.deliveries(&one.id, Some(DeliveryState::Delivered), &first(10)).await.unwrap();
    assert_eq!(done.items.iter().map(|it| (it.attempts, it.last_status)).collect::<Vec<_>>(), [(1, Some(204))]);
    let newest = tx.deliveries(&one.id, None, &first(2)).await.unwrap();
    assert_eq!(newest.items[0].event_id, event(3, EventKind::CaIssued).id);
    let oldest = tx.deliveries(&one.id, None, &after(2, newest.next)).await.unwrap();
    assert_eq!((oldest.items.len(), oldest.next), (1, None));
    assert_eq!(tx.deliveries(&one.id, None, &after(2, Some("x".into()))).await, Err(Error::BadCursor));

    tx.update_webhook(&Webhook { enabled: false, ..one.clone() }).await.unwrap();
    assert!(tx.webhooks_due(now(), 10).await.unwrap().is_empty(), "what waits for a disabled webhook goes on waiting");
    tx.delete_webhook(&one.id, 2).await.unwrap();
    assert!(tx.webhooks_due(now(), 10).await.unwrap().is_empty());
    assert!(tx.event_deliveries(&event(1, EventKind::CaIssued).id).await.unwrap().is_empty());
}

#[tokio::test]
async fn old_events_go_with_their_deliveries() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    let one = webhook(1, "one", &[]);
    tx.insert_webhook(&one).await.unwrap();
    for number in 1..=5 {
        tx.insert_event(&event(number, EventKind::CaIssued)).await.unwrap();
    }
    let before = event(4, EventKind::CaIssued).id;
    assert_eq!(tx.purge_events(&before, 2).await.unwrap(), 2);
    assert_eq!(tx.purge_events(&before, 2).await.unwrap(), 1);
    assert_eq!(tx.purge_events(&before, 2).await.unwrap(), 0);
    let left = tx.deliveries(&one.id, None, &first(10)).await.unwrap().items;
    let ids = |number| event(number, EventKind::CaIssued).id;
    assert_eq!(left.into_iter().map(|it| it.event_id).collect::<Vec<EventId>>(), [ids(5), ids(4)]);
    assert_eq!(tx.events(&Default::default(), &first(10)).await.unwrap().items.len(), 2);
}

/// Would the delivering job be woken?
async fn woken(store: &certwright_store::Store) -> bool {
    tokio::time::timeout(Duration::ZERO, store.delivery_stored()).await.is_ok()
}

#[tokio::test]
async fn whoever_delivers_is_woken_by_commits_that_leave_something_to_deliver() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    tx.insert_webhook(&webhook(1, "one", &[EventKind::CaIssued])).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!woken(&store).await);
    for (kind, commit, expected) in
        [(EventKind::CaIssued, true, true), (EventKind::CaIssued, false, false), (EventKind::CaRevoked, true, false)]
    {
        let mut tx = store.begin("t").await.unwrap();
        let number = 10 + u32::from(commit) + 2 * u32::from(kind == EventKind::CaIssued);
        tx.insert_event(&event(number, kind)).await.unwrap();
        match commit {
            true => tx.commit().await.unwrap(),
            false => tx.rollback().await.unwrap(),
        }
        assert_eq!(woken(&store).await, expected, "{kind} {commit}");
    }
}
