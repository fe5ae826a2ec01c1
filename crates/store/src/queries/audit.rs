//! The audit trail.

use super::super::{EACH_AUDIT, insert_audit};
use super::page::id_after;
use super::walk::{Position, Walk, page};
use super::{Driver, Reading, Result, Row, Session, clamp};
use crate::{AuditFilter, AuditQueries, Page, PageRequest, cursor};
use async_trait::async_trait;
use certwright_domain::audit::{AuditEvent, StoredAuditEvent};
use certwright_domain::id::AuditId;
use sqlx::QueryBuilder;

const LIST: &str = "audit-events";

/// The wanted columns with their values, the most selective first: that one drives.
struct AuditWalk<'f>(Vec<(&'static str, &'f str)>);

impl<'f> AuditWalk<'f> {
    fn new(filter: &'f AuditFilter) -> Self {
        let columns = [
            ("request_id", &filter.request_id),
            ("target_id", &filter.target_id),
            ("actor", &filter.actor),
            ("action", &filter.action),
        ];
        Self(columns.into_iter().filter_map(|(column, value)| Some((column, value.as_deref()?))).collect())
    }
}

impl Walk for AuditWalk<'_> {
    type Item = StoredAuditEvent;

    fn drive(&self, query: &mut QueryBuilder<Driver>, after: Option<&Position>) {
        query.push("SELECT id FROM audit_events WHERE ");
        if let Some((column, value)) = self.0.first() {
            query.push(column).push(" = ").push_bind((*value).to_owned()).push(" AND ");
        }
        query
            .push("id < ")
            .push_bind(after.map_or("~", |after| after.id.as_str()).to_owned())
            .push(" ORDER BY id DESC");
    }

    fn rows(&self, query: &mut QueryBuilder<Driver>, drive: &mut dyn FnMut(&mut QueryBuilder<Driver>)) {
        query.push(
            "SELECT t.id, t.at, t.actor, t.actor_name, t.action, t.target_kind, t.target_id, t.target_name, \
             t.request_id, t.details FROM (",
        );
        drive(query);
        query.push(") AS w").push(EACH_AUDIT);
        for (column, value) in self.0.iter().skip(1) {
            query.push(" AND t.").push(column).push(" = ").push_bind((*value).to_owned());
        }
        query.push(" ORDER BY t.id DESC");
    }

    fn read(&self, row: &Row) -> Result<StoredAuditEvent> {
        let row = Reading::of(row, "audit_events", "id")?;
        Ok(StoredAuditEvent {
            id: row.parse("id", AuditId::parse)?,
            at: row.time("at")?,
            actor: row.text("actor")?,
            actor_name: row.text("actor_name")?,
            action: row.text("action")?,
            target_kind: row.text("target_kind")?,
            target_id: row.text("target_id")?,
            target_name: row.text("target_name")?,
            request_id: row.text("request_id")?,
            details: row.text("details")?,
        })
    }

    fn position(&self, item: &StoredAuditEvent) -> Position {
        Position { at: None, id: item.id.as_str().to_owned() }
    }

    fn cursor(&self, position: &Position) -> String {
        cursor::encode(LIST, &[&position.id])
    }
}

#[async_trait]
impl AuditQueries for Session {
    async fn insert_audit(&mut self, event: &AuditEvent) -> Result<()> {
        self.bulk(async |connection| insert_audit(connection, &[event]).await).await
    }

    async fn audit_events(&mut self, filter: &AuditFilter, request: &PageRequest) -> Result<Page<StoredAuditEvent>> {
        let after = id_after(LIST, request)?.map(|id| Position { at: None, id });
        let list = AuditWalk::new(filter);
        // No row holds a NUL, and PostgreSQL would refuse the statement.
        if list.0.iter().any(|(_, value)| value.contains('\0')) {
            return Ok(Page { items: Vec::new(), next: None });
        }
        page(self, &list, clamp(request), after).await
    }
}
