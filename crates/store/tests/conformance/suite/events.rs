use super::{conflict, fresh};
use crate::fixtures::*;
use certwright_domain::event::{Event, EventKind};
use certwright_store::{Error, EventFilter, Page};

fn ids(page: &Page<Event>) -> Vec<String> {
    page.items.iter().map(|event| event.subject_id.clone()).collect()
}

#[tokio::test]
async fn events_come_back_newest_first() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for number in 1..=5 {
        tx.insert_event(&event(number, EventKind::CaIssued)).await.unwrap();
    }
    let all = EventFilter::default();
    let one = tx.events(&all, &first(2)).await.unwrap();
    assert_eq!(one.items, [event(5, EventKind::CaIssued), event(4, EventKind::CaIssued)]);
    let two = tx.events(&all, &after(3, one.next)).await.unwrap();
    assert_eq!((ids(&two), two.next), (vec!["subject-3".into(), "subject-2".into(), "subject-1".into()], None));
    assert_eq!(tx.events(&all, &after(3, Some("x".into()))).await, Err(Error::BadCursor));
    let third = event(3, EventKind::CaIssued);
    assert_eq!(tx.event(&third.id).await.unwrap(), Some(third));
    assert_eq!(tx.event(&event(9, EventKind::CaIssued).id).await.unwrap(), None);
    tx.commit().await.unwrap();
    let mut tx = store.begin("t").await.unwrap();
    assert_eq!(tx.insert_event(&event(1, EventKind::CaIssued)).await, Err(conflict("events.id")));
}

#[tokio::test]
async fn events_are_filtered_by_kind_and_subject() {
    let store = fresh().await;
    let mut tx = store.begin("t").await.unwrap();
    for number in 0..12 {
        let kind = if number % 2 == 0 { EventKind::CaIssued } else { EventKind::CertificateRevoked };
        let subject_id = format!("subject-{}", number % 3);
        tx.insert_event(&Event { subject_id, ..event(number, kind) }).await.unwrap();
    }
    let subject = |id: &str| Some(id.to_owned());
    for (kind, subject_id, expected) in [
        (Some(EventKind::CaIssued), None, 6),
        (None, subject("subject-1"), 4),
        (Some(EventKind::CertificateRevoked), subject("subject-1"), 2),
        (Some(EventKind::CaRevoked), None, 0),
        (None, subject("nul\0"), 0),
    ] {
        let filter = EventFilter { kind, subject_id };
        assert_eq!(tx.events(&filter, &first(100)).await.unwrap().items.len(), expected, "{filter:?}");
    }
}
