//! Webhooks and deliveries.

use super::page::{id_after, one_more};
use super::{Driver, Reading, Result, Row, Session, clamp, name_cursor, name_page, names_after, sql, swapped};
use crate::{Page, PageRequest, WebhookQueries, cursor};
use async_trait::async_trait;
use certwright_domain::event::EventKind;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::id::{DeliveryId, EventId, WebhookId, looks_like_id};
use certwright_domain::key::SealedBlob;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;
use certwright_domain::webhook::{Delivery, DeliveryState, Webhook};
use sqlx::QueryBuilder;

const DELIVERIES: &str = "deliveries";

macro_rules! select_webhook {
    ($rest:literal) => {
        concat!("SELECT id, name, url, enabled, kinds, secret, root_key_id, created_at, revision FROM webhooks ", $rest)
    };
}

macro_rules! select_delivery {
    ($rest:literal) => {
        concat!(
            "SELECT webhook_id, id, event_id, created_at, state, attempts, next_attempt_at, last_attempt_at, \
             last_status, last_error, revision FROM webhook_deliveries ",
            $rest
        )
    };
}

/// Kinds between commas, with one at each end; nothing for all. A kind is looked for with its commas.
fn write_kinds(kinds: &[EventKind]) -> String {
    let texts: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    if texts.is_empty() { String::new() } else { format!(",{},", texts.join(",")) }
}

fn read_kinds(text: &str) -> Option<Vec<EventKind>> {
    text.split(',').filter(|kind| !kind.is_empty()).map(|kind| EventKind::parse(kind).ok()).collect()
}

fn read_webhook(row: &Row) -> Result<Webhook> {
    let row = Reading::of(row, "webhooks", "id")?;
    Ok(Webhook {
        id: row.parse("id", WebhookId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        url: row.parse("url", HttpUrl::parse)?,
        kinds: row.document("kinds", read_kinds)?,
        enabled: row.flag("enabled")?,
        secret: SealedBlob(row.blob("secret")?),
        root_key_id: row.text("root_key_id")?,
        created_at: row.time("created_at")?,
        revision: row.get("revision")?,
    })
}

fn read_delivery(row: &Row) -> Result<Delivery> {
    let row = Reading::of(row, "webhook_deliveries", "id")?;
    let status: Option<i64> = row.get("last_status")?;
    Ok(Delivery {
        webhook_id: row.parse("webhook_id", WebhookId::parse)?,
        id: row.parse("id", DeliveryId::parse)?,
        event_id: row.parse("event_id", EventId::parse)?,
        created_at: row.time("created_at")?,
        state: row.parse("state", DeliveryState::parse)?,
        attempts: row.number("attempts")?,
        next_attempt_at: row.time_optional("next_attempt_at")?,
        last_attempt_at: row.time_optional("last_attempt_at")?,
        last_status: status.map(u16::try_from).transpose().map_err(|_| row.corrupt("last_status"))?,
        last_error: row.get("last_error")?,
        revision: row.get("revision")?,
    })
}

fn read_webhook_id(row: &Row) -> Result<WebhookId> {
    Reading::of(row, "webhooks", "id")?.parse("id", WebhookId::parse)
}

#[async_trait]
impl WebhookQueries for Session {
    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<()> {
        self.execute(
            sql("INSERT INTO webhooks (id, name, url, enabled, kinds, secret, root_key_id, created_at, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(webhook.id.as_str())
            .bind(webhook.name.as_str())
            .bind(webhook.url.to_string())
            .bind(i64::from(webhook.enabled))
            .bind(write_kinds(&webhook.kinds))
            .bind(webhook.secret.0.as_slice())
            .bind(&webhook.root_key_id)
            .bind(webhook.created_at.unix_ms())
            .bind(webhook.revision),
        )
        .await
        .map(drop)
    }

    async fn webhook(&mut self, reference: &Reference) -> Result<Option<Webhook>> {
        let by = if looks_like_id(reference.as_str()) {
            select_webhook!("WHERE id = $1")
        } else {
            select_webhook!("WHERE name = $1")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_webhook).transpose()
    }

    async fn webhooks(&mut self, page: &PageRequest) -> Result<Page<Webhook>> {
        let (name, id) = names_after("webhooks", page)?;
        let rows = self
            .all(
                sql(select_webhook!("WHERE (name, id) > ($1, $2) ORDER BY name, id LIMIT $3"))
                    .bind(name)
                    .bind(id)
                    .bind(one_more(clamp(page))),
            )
            .await?;
        let webhooks = rows.iter().map(read_webhook).collect::<Result<_>>()?;
        let cursor_of = |it: &Webhook| name_cursor("webhooks", it.name.as_str(), it.id.as_str());
        Ok(name_page(webhooks, page, cursor_of))
    }

    async fn count_webhooks(&mut self) -> Result<u64> {
        let row = self.optional(sql("SELECT 'webhooks' AS id, COUNT(*) AS found FROM webhooks")).await?;
        let Some(row) = row else { return Ok(0) };
        let row = Reading::of(&row, "webhooks", "id")?;
        u64::try_from(row.get::<i64>("found")?).map_err(|_| row.corrupt("found"))
    }

    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<()> {
        let rows = self
            .execute(
                sql(
                    "UPDATE webhooks SET name = $3, url = $4, enabled = $5, kinds = $6, secret = $7, root_key_id = $8, \
                     revision = revision + 1 WHERE id = $1 AND revision = $2",
                )
                .bind(webhook.id.as_str())
                .bind(webhook.revision)
                .bind(webhook.name.as_str())
                .bind(webhook.url.to_string())
                .bind(i64::from(webhook.enabled))
                .bind(write_kinds(&webhook.kinds))
                .bind(webhook.secret.0.as_slice())
                .bind(&webhook.root_key_id),
            )
            .await?;
        swapped(rows, "webhooks")?;
        // What waited while it was disabled may be due.
        self.owes_deliveries();
        Ok(())
    }

    async fn delete_webhook(&mut self, id: &WebhookId, revision: i64) -> Result<()> {
        let rows = self
            .execute(sql("DELETE FROM webhooks WHERE id = $1 AND revision = $2").bind(id.as_str()).bind(revision))
            .await?;
        swapped(rows, "webhooks")
    }

    async fn webhooks_not_under(&mut self, root_key_id: &str, limit: u32) -> Result<Vec<Webhook>> {
        let rows = self
            .all(
                sql(select_webhook!("WHERE root_key_id <> $1 ORDER BY id LIMIT $2"))
                    .bind(root_key_id)
                    .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_webhook).collect()
    }

    async fn rewrap_webhook(&mut self, old: &Webhook, new: &Webhook) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE webhooks SET secret = $3, root_key_id = $4 WHERE id = $1 AND secret = $2")
                    .bind(old.id.as_str())
                    .bind(old.secret.0.as_slice())
                    .bind(new.secret.0.as_slice())
                    .bind(&new.root_key_id),
            )
            .await?;
        swapped(rows, "webhooks")
    }

    async fn insert_delivery(&mut self, delivery: &Delivery) -> Result<()> {
        self.execute(
            sql("INSERT INTO webhook_deliveries (webhook_id, id, event_id, created_at, state, attempts, \
                 next_attempt_at, last_attempt_at, last_status, last_error, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
            .bind(delivery.webhook_id.as_str())
            .bind(delivery.id.as_str())
            .bind(delivery.event_id.as_str())
            .bind(delivery.created_at.unix_ms())
            .bind(delivery.state.as_str())
            .bind(i64::from(delivery.attempts))
            .bind(delivery.next_attempt_at.map(Timestamp::unix_ms))
            .bind(delivery.last_attempt_at.map(Timestamp::unix_ms))
            .bind(delivery.last_status.map(i64::from))
            .bind(&delivery.last_error)
            .bind(delivery.revision),
        )
        .await?;
        self.owes_deliveries();
        Ok(())
    }

    async fn delivery(&mut self, webhook_id: &WebhookId, id: &DeliveryId) -> Result<Option<Delivery>> {
        let query =
            sql(select_delivery!("WHERE webhook_id = $1 AND id = $2")).bind(webhook_id.as_str()).bind(id.as_str());
        self.optional(query).await?.as_ref().map(read_delivery).transpose()
    }

    async fn deliveries(
        &mut self,
        webhook_id: &WebhookId,
        state: Option<DeliveryState>,
        page: &PageRequest,
    ) -> Result<Page<Delivery>> {
        let after = id_after(DELIVERIES, page)?;
        let mut query = QueryBuilder::<Driver>::new(select_delivery!("WHERE webhook_id = "));
        query.push_bind(webhook_id.as_str().to_owned());
        if let Some(state) = state {
            query.push(" AND state = ").push_bind(state.as_str());
        }
        // `~` sorts after every id.
        query.push(" AND id < ").push_bind(after.unwrap_or_else(|| "~".to_owned()));
        query.push(" ORDER BY id DESC LIMIT ").push_bind(one_more(clamp(page)));
        let deliveries = self.built(query).await?.iter().map(read_delivery).collect::<Result<_>>()?;
        Ok(name_page(deliveries, page, |it: &Delivery| cursor::encode(DELIVERIES, &[it.id.as_str()])))
    }

    async fn event_deliveries(&mut self, event_id: &EventId) -> Result<Vec<Delivery>> {
        let rows = self
            .all(
                sql(select_delivery!(
                    "WHERE event_id = $1 AND webhook_id IN (SELECT id FROM webhooks) ORDER BY webhook_id LIMIT 500"
                ))
                .bind(event_id.as_str()),
            )
            .await?;
        rows.iter().map(read_delivery).collect()
    }

    async fn webhooks_due(&mut self, now: Timestamp, limit: u32) -> Result<Vec<WebhookId>> {
        let rows = self
            .all(
                sql("SELECT id FROM webhooks w WHERE enabled = 1 AND EXISTS (SELECT 1 FROM webhook_deliveries d \
                     WHERE d.webhook_id = w.id AND d.state = 'PENDING' AND d.next_attempt_at <= $1) \
                     ORDER BY id LIMIT $2")
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_webhook_id).collect()
    }

    async fn deliveries_due(&mut self, webhook_id: &WebhookId, now: Timestamp, limit: u32) -> Result<Vec<Delivery>> {
        let rows = self
            .all(
                sql(select_delivery!(
                    "WHERE webhook_id = $1 AND state = 'PENDING' AND next_attempt_at <= $2 \
                     ORDER BY next_attempt_at, id LIMIT $3"
                ))
                .bind(webhook_id.as_str())
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_delivery).collect()
    }

    async fn update_delivery(&mut self, delivery: &Delivery) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE webhook_deliveries SET state = $4, attempts = $5, next_attempt_at = $6, \
                     last_attempt_at = $7, last_status = $8, last_error = $9, revision = revision + 1 \
                     WHERE webhook_id = $1 AND id = $2 AND revision = $3")
                .bind(delivery.webhook_id.as_str())
                .bind(delivery.id.as_str())
                .bind(delivery.revision)
                .bind(delivery.state.as_str())
                .bind(i64::from(delivery.attempts))
                .bind(delivery.next_attempt_at.map(Timestamp::unix_ms))
                .bind(delivery.last_attempt_at.map(Timestamp::unix_ms))
                .bind(delivery.last_status.map(i64::from))
                .bind(&delivery.last_error),
            )
            .await?;
        swapped(rows, "webhook_deliveries")?;
        if delivery.state == DeliveryState::Pending && delivery.attempts == 0 {
            self.owes_deliveries();
        }
        Ok(())
    }
}
