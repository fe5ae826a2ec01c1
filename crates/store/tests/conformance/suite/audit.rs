use super::{conflict, fresh};
use crate::fixtures::*;
use certwright_store::{AuditFilter, Error, Page};

fn ids(page: &Page<certwright_domain::audit::StoredAuditEvent>) -> Vec<String> {
    page.items.iter().map(|event| event.target_id.clone()).collect()
}

#[tokio::test]
async fn events_come_back_newest_first() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for number in 1..=5 {
        tx.insert_audit(&audit(number)).await.unwrap();
    }
    let one = tx.audit_events(&AuditFilter::default(), &first(2)).await.unwrap();
    assert_eq!(ids(&one), ["target-5", "target-4"]);
    let event = audit(5);
    let read = &one.items[0];
    assert_eq!((&read.id, read.at), (&event.id, event.at));
    assert_eq!((&read.actor, &read.actor_name), (&event.actor, &event.actor_name));
    assert_eq!((read.action.as_str(), read.target_kind.as_str()), (event.action, event.target_kind));
    assert_eq!((&read.target_name, &read.request_id), (&event.target_name, &event.request_id));
    assert_eq!(read.details, event.details);
    let two = tx.audit_events(&AuditFilter::default(), &after(2, one.next)).await.unwrap();
    assert_eq!(ids(&two), ["target-3", "target-2"]);
    let three = tx.audit_events(&AuditFilter::default(), &after(2, two.next)).await.unwrap();
    assert_eq!((ids(&three), three.next), (vec!["target-1".to_owned()], None));
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_audit(&audit(1)).await, Err(conflict("audit_events.id")));
}

#[tokio::test]
async fn every_filter_and_their_combination() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for number in 0..40 {
        let mut event = audit(number);
        event.actor = format!("token:{}", number % 2);
        event.action = if number % 4 < 2 { "certificate.issue" } else { "certificate.revoke" };
        tx.insert_audit(&event).await.unwrap();
    }
    let some = |text: &str| Some(text.to_owned());
    let all = AuditFilter::default();
    for (filter, expected) in [
        (AuditFilter { target_id: some("target-7"), ..all.clone() }, 1),
        (AuditFilter { request_id: some("request-7"), ..all.clone() }, 1),
        (AuditFilter { actor: some("token:1"), ..all.clone() }, 20),
        (AuditFilter { action: some("certificate.revoke"), ..all.clone() }, 20),
        (AuditFilter { actor: some("token:1"), action: some("certificate.revoke"), ..all.clone() }, 10),
        (AuditFilter { actor: some("token:0"), target_id: some("target-7"), ..all.clone() }, 0),
        (AuditFilter { actor: some("nobody"), ..all.clone() }, 0),
        (AuditFilter { actor: some("nul\0"), ..all.clone() }, 0),
        (all.clone(), 40),
    ] {
        assert_eq!(tx.audit_events(&filter, &first(100)).await.unwrap().items.len(), expected, "{filter:?}");
    }
    // Pages of a combination: rows that fall out do not end a page early.
    let both = AuditFilter { actor: some("token:1"), action: some("certificate.revoke"), ..all };
    let mut seen = Vec::new();
    let mut page = tx.audit_events(&both, &first(3)).await.unwrap();
    seen.extend(ids(&page));
    while page.next.is_some() {
        page = tx.audit_events(&both, &after(3, page.next)).await.unwrap();
        seen.extend(ids(&page));
    }
    let expected: Vec<String> =
        (0..40).rev().filter(|n| n % 2 == 1 && n % 4 >= 2).map(|n| format!("target-{n}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(tx.audit_events(&both, &after(3, Some("x".into()))).await, Err(Error::BadCursor));
}
