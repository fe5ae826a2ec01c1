//! Events: the outbox.

use super::page::{id_after, one_more};
use super::parts::{Parts, told};
use super::{Driver, Reading, Result, Row, Session, clamp, name_page, sql};
use crate::{EventFilter, EventQueries, Page, PageRequest, cursor, documents};
use async_trait::async_trait;
use certwright_domain::event::{Event, EventKind};
use certwright_domain::id::{DeliveryId, EventId};
use sqlx::QueryBuilder;

const LIST: &str = "events";
/// The part that stores deliveries.
pub(super) const OWED: &str = "owed";

macro_rules! select_event {
    ($rest:literal) => {
        concat!("SELECT id, kind, at, subject_kind, subject_id, subject_name, request_id, details FROM events ", $rest)
    };
}

fn read_event(row: &Row) -> Result<Event> {
    let row = Reading::of(row, "events", "id")?;
    Ok(Event {
        id: row.parse("id", EventId::parse)?,
        kind: row.parse("kind", EventKind::parse)?,
        at: row.time("at")?,
        subject_kind: row.text("subject_kind")?,
        subject_id: row.text("subject_id")?,
        subject_name: row.text("subject_name")?,
        request_id: row.text("request_id")?,
        details: row.document("details", documents::read_pairs)?,
    })
}

/// A part: the insert of an event.
pub(super) fn push_event(parts: &mut Parts, event: &Event) {
    let told = parts.part("told");
    told.push("INSERT INTO events (id, kind, at, subject_kind, subject_id, subject_name, request_id, details) ");
    told.push_values([event], |mut row, event| {
        row.push_bind(event.id.as_str().to_owned())
            .push_bind(event.kind.as_str())
            .push_bind(event.at.unix_ms())
            .push_bind(event.subject_kind.clone())
            .push_bind(event.subject_id.clone())
            .push_bind(event.subject_name.clone())
            .push_bind(event.request_id.clone())
            .push_bind(documents::write_pairs(&event.details));
    });
}

/// A part: the insert of a delivery to each webhook that wants the event; a row `owed` for each.
pub(super) fn push_deliveries(parts: &mut Parts, event: &Event) {
    let owed = parts.part(OWED);
    owed.push(
        "INSERT INTO webhook_deliveries \
         (webhook_id, id, event_id, created_at, state, attempts, next_attempt_at, revision) SELECT id, ",
    );
    owed.push_bind(DeliveryId::of(&event.id).as_str().to_owned()).push(", ");
    owed.push_bind(event.id.as_str().to_owned()).push(", ").push_bind(event.at.unix_ms());
    owed.push(", 'PENDING', 0, ").push_bind(event.at.unix_ms());
    owed.push(", 1 FROM webhooks WHERE enabled = 1 AND (kinds = '' OR kinds LIKE ");
    owed.push_bind(format!("%,{},%", event.kind)).push(") RETURNING 'owed' AS what");
}

#[async_trait]
impl EventQueries for Session {
    async fn insert_event(&mut self, event: &Event) -> Result<()> {
        let mut parts = Parts::default();
        push_event(&mut parts, event);
        let is_test = event.kind == EventKind::WebhookTest;
        if !is_test {
            push_deliveries(&mut parts, event);
        }
        let rows = self.written(parts.returning(if is_test { &[] } else { &[OWED] })).await?;
        if told(&rows, OWED)? > 0 {
            self.owes_deliveries();
        }
        Ok(())
    }

    async fn event(&mut self, id: &EventId) -> Result<Option<Event>> {
        let row = self.optional(sql(select_event!("WHERE id = $1")).bind(id.as_str())).await?;
        row.as_ref().map(read_event).transpose()
    }

    async fn events(&mut self, filter: &EventFilter, page: &PageRequest) -> Result<Page<Event>> {
        // No row holds a NUL, and PostgreSQL would refuse the statement.
        if filter.subject_id.as_ref().is_some_and(|id| id.contains('\0')) {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let after = id_after(LIST, page)?;
        let mut query = QueryBuilder::<Driver>::new(select_event!("WHERE "));
        if let Some(kind) = filter.kind {
            query.push("kind = ").push_bind(kind.as_str()).push(" AND ");
        }
        if let Some(subject) = &filter.subject_id {
            query.push("subject_id = ").push_bind(subject.clone()).push(" AND ");
        }
        // `~` sorts after every id.
        query.push("id < ").push_bind(after.unwrap_or_else(|| "~".to_owned()));
        query.push(" ORDER BY id DESC LIMIT ").push_bind(one_more(clamp(page)));
        let events = self.built(query).await?.iter().map(read_event).collect::<Result<_>>()?;
        Ok(name_page(events, page, |event: &Event| cursor::encode(LIST, &[event.id.as_str()])))
    }

    async fn purge_events(&mut self, before: &EventId, limit: u32) -> Result<u64> {
        self.execute(
            sql("DELETE FROM webhook_deliveries WHERE event_id IN \
                 (SELECT id FROM events WHERE id < $1 ORDER BY id LIMIT $2)")
            .bind(before.as_str())
            .bind(i64::from(limit)),
        )
        .await?;
        self.execute(
            sql("DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id < $1 ORDER BY id LIMIT $2)")
                .bind(before.as_str())
                .bind(i64::from(limit)),
        )
        .await
    }
}
