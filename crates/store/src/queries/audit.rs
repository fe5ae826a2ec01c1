//! The audit trail.

use super::super::{EACH_AUDIT, TAKE_CHAIN, WAIT_FOR_CHAIN};
use super::page::id_after;
use super::walk::{Position, Walk, page};
use super::{Connection, Driver, Error, Reading, Result, Row, Session, clamp, sql};
use crate::{AuditFilter, AuditQueries, Page, PageRequest, cursor};
use async_trait::async_trait;
use certwright_domain::audit::chain::Head;
use certwright_domain::audit::checkpoint::{Before, StoredCheckpoint};
use certwright_domain::audit::{AuditEvent, StoredAuditEvent};
use certwright_domain::id::AuditId;
use certwright_domain::serial::Sha256;
use sqlx::{QueryBuilder, Row as _};

const LIST: &str = "audit-events";

/// Most rows of a part of a chain.
const PART: u32 = 1000;

/// The columns that make a [`StoredAuditEvent`], of the table `t`.
macro_rules! audit_columns {
    () => {
        "t.id, t.at, t.actor, t.actor_name, t.action, t.target_kind, t.target_id, t.target_name, t.request_id, t.details, \
         t.door, t.address, t.decided_by, t.outcome, t.chain, t.sequence, t.previous_hash, t.hash"
    };
}

fn read_event(row: &Row) -> Result<StoredAuditEvent> {
    let row = Reading::of(row, "audit_events", "id")?;
    // A chain that was tampered with is for the verifier to judge: such a row must be readable.
    let hash = |column| Ok(Sha256::from_slice(row.get(column)?));
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
        door: row.text("door")?,
        address: row.text("address")?,
        decided_by: row.text("decided_by")?,
        outcome: row.text("outcome")?,
        chain: row.text("chain")?,
        sequence: row.get("sequence")?,
        previous_hash: hash("previous_hash")?,
        hash: hash("hash")?,
    })
}

fn read_head(row: &Row) -> Result<Head> {
    let row = Reading::of(row, "audit_chains", "chain")?;
    // Owned: a statement without parameters brings bytes as text, which cannot be borrowed.
    let hash = Sha256::from_slice(&row.blob("hash")?).ok_or_else(|| row.corrupt("hash"))?;
    Ok(Head { chain: row.text("chain")?, sequence: row.get("sequence")?, hash })
}

/// Takes a chain, until the transaction ends.
pub(super) async fn take_chain(connection: &mut Connection) -> Result<Head> {
    let free = sql(TAKE_CHAIN).fetch_optional(&mut *connection).await.map_err(Error::from_driver)?;
    let row = match free {
        Some(row) => row,
        None => sql(WAIT_FOR_CHAIN)
            .fetch_optional(connection)
            .await
            .map_err(Error::from_driver)?
            .ok_or_else(|| Error::Schema("The table audit_chains has no rows; restore a backup.".to_owned()))?,
    };
    read_head(&row)
}

/// The chain that was taken when a transaction of the group commit began, if one was free.
pub(super) fn taken_chain(rows: &[Row]) -> Result<Option<Head>> {
    let taken = rows.iter().find(|row| row.try_get_raw("chain").is_ok());
    taken.map(read_head).transpose()
}

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
        query.push(concat!("SELECT ", audit_columns!(), " FROM ("));
        drive(query);
        query.push(") AS w").push(EACH_AUDIT);
        for (column, value) in self.0.iter().skip(1) {
            query.push(" AND t.").push(column).push(" = ").push_bind((*value).to_owned());
        }
        query.push(" ORDER BY t.id DESC");
    }

    fn read(&self, row: &Row) -> Result<StoredAuditEvent> {
        read_event(row)
    }

    fn position(&self, item: &StoredAuditEvent) -> Position {
        Position { at: None, id: item.id.as_str().to_owned() }
    }

    fn cursor(&self, position: &Position) -> String {
        cursor::encode(LIST, &[&position.id])
    }
}

/// At most `limit` rows of a chain, in order.
pub(super) async fn part(session: &mut Session, chain: &str, after: i64, limit: u32) -> Result<Vec<StoredAuditEvent>> {
    let rows = session
        .all(
            sql(concat!(
                "SELECT ",
                audit_columns!(),
                " FROM audit_events t WHERE t.chain = $1 AND t.sequence > 0 AND t.sequence > $2 \
                 ORDER BY t.sequence LIMIT $3"
            ))
            .bind(chain)
            .bind(after)
            .bind(i64::from(limit)),
        )
        .await?;
    rows.iter().map(read_event).collect()
}

#[async_trait]
impl AuditQueries for Session {
    async fn insert_audit(&mut self, event: &AuditEvent) -> Result<()> {
        self.owes_audit(event.clone());
        Ok(())
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

    async fn audit_heads(&mut self) -> Result<Vec<Head>> {
        let rows = self.all(sql("SELECT chain, sequence, hash FROM audit_chains ORDER BY chain")).await?;
        rows.iter().map(read_head).collect()
    }

    async fn audit_chain(&mut self, chain: &str, after: i64) -> Result<Vec<StoredAuditEvent>> {
        part(self, chain, after, PART).await
    }

    async fn audit_before_chains(&mut self) -> Result<Before> {
        let row = self
            .optional(sql(
                "SELECT COUNT(*) AS events, COALESCE(MAX(id), '') AS last FROM audit_events WHERE sequence = 0",
            ))
            .await?;
        let Some(row) = row else { return Ok(Before::default()) };
        let row = Reading::of(&row, "audit_events", "last")?;
        Ok(Before { count: row.get("events")?, last: row.text("last")? })
    }

    async fn audit_events_before_chains(&mut self, after: &str) -> Result<Vec<StoredAuditEvent>> {
        let rows = self
            .all(
                sql(concat!(
                    "SELECT ",
                    audit_columns!(),
                    " FROM audit_events t WHERE t.sequence = 0 AND t.id > $1 ORDER BY t.id LIMIT $2"
                ))
                .bind(after)
                .bind(i64::from(PART)),
            )
            .await?;
        rows.iter().map(read_event).collect()
    }

    async fn insert_audit_checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> Result<()> {
        self.execute(
            sql("INSERT INTO audit_checkpoints (number, statement, signature) VALUES ($1, $2, $3)")
                .bind(checkpoint.number)
                .bind(&checkpoint.statement)
                .bind(&checkpoint.signature),
        )
        .await
        .map(drop)
    }

    async fn audit_checkpoints(&mut self, after: i64) -> Result<Vec<StoredCheckpoint>> {
        let rows = self
            .all(
                sql("SELECT number, statement, signature FROM audit_checkpoints WHERE number > $1 ORDER BY number LIMIT $2")
                    .bind(after)
                    .bind(i64::from(PART)),
            )
            .await?;
        rows.iter().map(read_checkpoint).collect()
    }

    async fn last_audit_checkpoint(&mut self) -> Result<Option<StoredCheckpoint>> {
        let row = self
            .optional(sql("SELECT number, statement, signature FROM audit_checkpoints ORDER BY number DESC LIMIT 1"))
            .await?;
        row.as_ref().map(read_checkpoint).transpose()
    }
}

fn read_checkpoint(row: &Row) -> Result<StoredCheckpoint> {
    let number = row.try_get("number").map_err(Error::from_driver)?;
    let row = Reading::of(row, "audit_checkpoints", "statement")?;
    Ok(StoredCheckpoint { number, statement: row.text("statement")?, signature: row.blob("signature")? })
}
