//! Webhooks: where events go. (The events themselves: [`crate::events`]; sending: [`deliver`].)

mod deliver;
mod message;
mod rewrap;

pub(crate) use deliver::Delivering;

use crate::audit::Target;
use crate::change::{Change, check_if_match, name_conflict, require_if_match};
use crate::{App, Call, Error, Inner, OutboundError, Permission};
use certwright_domain::event::EventKind;
use certwright_domain::http_url::HttpUrl;
use certwright_domain::id::WebhookId;
use certwright_domain::key::SealedBlob;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_domain::violation::Invalid;
use certwright_domain::webhook::{Delivery, Webhook};
use certwright_store::{Page, PageRequest, Queries};

/// Most webhooks: every event is looked at once for each.
const MOST: u64 = 100;
/// Bytes of a secret.
const SECRET_LEN: usize = 32;

/// A webhook to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// Name.
    pub name: ResourceName,
    /// The receiver.
    pub url: HttpUrl,
    /// Kinds of events it gets; empty: all.
    pub kinds: Vec<EventKind>,
    /// Does it get any?
    pub enabled: bool,
}

/// Changes to a webhook; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateWebhook {
    /// Name.
    pub name: Option<ResourceName>,
    /// The receiver.
    pub url: Option<HttpUrl>,
    /// Kinds of events it gets; empty: all.
    pub kinds: Option<Vec<EventKind>>,
    /// Does it get any?
    pub enabled: Option<bool>,
}

impl App {
    /// Makes a webhook; it gets the events from now on. The text of its secret is returned once; as a trial it is empty.
    pub async fn create_webhook(&self, call: &Call, new: NewWebhook) -> Result<(Webhook, SecretText), Error> {
        self.may(call, Permission::WebhookManage, "webhook")?;
        self.check_url(&new.url)?;
        let now = self.now();
        let id = WebhookId::new(now, self.inner.id_entropy());
        let (secret, root_key_id, text) = self.inner.new_secret(&id)?;
        let NewWebhook { name, url, kinds, enabled } = new;
        let webhook = Webhook {
            id,
            name,
            url,
            kinds: distinct(kinds),
            enabled,
            secret,
            root_key_id,
            created_at: now,
            revision: 1,
        };
        let mut change = self.inner.begin_change(call, "webhook.create").await?;
        self.inner.observe_root_key(call, &mut change).await?;
        if change.count_webhooks().await? >= MOST {
            return Err(Error::conflict(
                "too_many_webhooks",
                format!("There are {MOST} webhooks already."),
                "Delete one, or let a receiver of your own pass the events on.",
            ));
        }
        change.insert_webhook(&webhook).await.map_err(|error| name_conflict(error, "webhook", &webhook.name))?;
        self.finish_webhook(call, "webhook.create", change, &webhook).await?;
        Ok((webhook, shown(call, text)))
    }

    /// Webhooks by name.
    pub async fn webhooks(&self, call: &Call, page: &PageRequest) -> Result<Page<Webhook>, Error> {
        self.may(call, Permission::WebhookRead, "webhook")?;
        Ok(self.inner.store.read().await?.webhooks(page).await?)
    }

    /// One webhook.
    pub async fn webhook(&self, call: &Call, webhook: &Reference) -> Result<Webhook, Error> {
        self.may(call, Permission::WebhookRead, "webhook")?;
        find(&mut *self.inner.store.read().await?, webhook).await
    }

    /// Changes a webhook; `if_match` is required. One that is enabled again gets what waited for it, and the events from
    /// now on.
    pub async fn update_webhook(
        &self,
        call: &Call,
        webhook: &Reference,
        update: UpdateWebhook,
        if_match: Option<i64>,
    ) -> Result<Webhook, Error> {
        self.may(call, Permission::WebhookManage, "webhook")?;
        if let Some(url) = &update.url {
            self.check_url(url)?;
        }
        let mut change = self.inner.begin_change(call, "webhook.update").await?;
        let mut webhook = find(&mut **change, webhook).await?;
        require_if_match(if_match, webhook.revision)?;
        let UpdateWebhook { name, url, kinds, enabled } = update;
        webhook.name = name.unwrap_or(webhook.name);
        webhook.url = url.unwrap_or(webhook.url);
        webhook.kinds = kinds.map(distinct).unwrap_or(webhook.kinds);
        webhook.enabled = enabled.unwrap_or(webhook.enabled);
        change.update_webhook(&webhook).await.map_err(|error| name_conflict(error, "webhook", &webhook.name))?;
        self.finish_webhook(call, "webhook.update", change, &webhook).await?;
        webhook.revision = webhook.revision.saturating_add(1);
        Ok(webhook)
    }

    /// Deletes a webhook at once. What was still to be delivered to it is not.
    pub async fn delete_webhook(&self, call: &Call, webhook: &Reference, if_match: Option<i64>) -> Result<(), Error> {
        self.may(call, Permission::WebhookManage, "webhook")?;
        let mut change = self.inner.begin_change(call, "webhook.delete").await?;
        let webhook = find(&mut **change, webhook).await?;
        check_if_match(if_match, webhook.revision)?;
        change.delete_webhook(&webhook.id, webhook.revision).await?;
        self.finish_webhook(call, "webhook.delete", change, &webhook).await
    }

    /// Gives a webhook another secret; the old one signs nothing from now on. Its text is returned once; as a trial it is
    /// empty.
    pub async fn rotate_webhook_secret(
        &self,
        call: &Call,
        webhook: &Reference,
    ) -> Result<(Webhook, SecretText), Error> {
        self.may(call, Permission::WebhookManage, "webhook")?;
        let mut change = self.inner.begin_change(call, "webhook.rotate-secret").await?;
        self.inner.observe_root_key(call, &mut change).await?;
        let mut webhook = find(&mut **change, webhook).await?;
        let (secret, root_key_id, text) = self.inner.new_secret(&webhook.id)?;
        webhook.secret = secret;
        webhook.root_key_id = root_key_id;
        change.update_webhook(&webhook).await?;
        self.finish_webhook(call, "webhook.rotate-secret", change, &webhook).await?;
        webhook.revision = webhook.revision.saturating_add(1);
        Ok((webhook, shown(call, text)))
    }

    /// Sends a `webhook.test` event to this webhook alone.
    pub async fn test_webhook(&self, call: &Call, webhook: &Reference) -> Result<Delivery, Error> {
        self.may(call, Permission::WebhookManage, "webhook")?;
        let mut tx = self.inner.store.begin("webhook.test").await?;
        let webhook = find(&mut *tx, webhook).await?;
        refuse_unless_enabled(&webhook)?;
        let event = self.inner.event(call, EventKind::WebhookTest, target(&webhook), &[]);
        let delivery = Delivery::new(webhook.id.clone(), &event.id, event.at);
        tx.insert_event(&event).await?;
        tx.insert_delivery(&delivery).await?;
        tx.insert_audit(&self.inner.audit(call, "webhook.test", target(&webhook), &[])).await?;
        match call.dry_run {
            true => tx.rollback().await?,
            false => tx.commit().await?,
        }
        Ok(delivery)
    }

    async fn finish_webhook(
        &self,
        call: &Call,
        action: &'static str,
        mut change: Change<'_>,
        webhook: &Webhook,
    ) -> Result<(), Error> {
        let kinds = webhook.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" ");
        // The path may be a secret of the receiver's: it stays out of the audit trail.
        let (receiver, enabled) = (webhook.url.authority(), webhook.enabled.to_string());
        let details = [("receiver", receiver.as_str()), ("events", kinds.as_str()), ("enabled", enabled.as_str())];
        change.insert_audit(&self.inner.audit(call, action, target(webhook), &details)).await?;
        change.commit().await
    }

    fn check_url(&self, url: &HttpUrl) -> Result<(), Error> {
        match self.inner.outbound.check(url) {
            Ok(()) => Ok(()),
            Err(OutboundError::Denied(denied)) => Err(Error::invalid(
                "/url",
                Invalid::new(
                    "address_not_allowed",
                    format!("Webhooks do not go to {}: {denied}.", url.host()),
                    "Use a public address, or have its range added to `allowed_ranges` under `[egress]`.",
                ),
            )),
            Err(other) => {
                Err(Error::invalid("/url", Invalid::new("invalid_url", other.to_string(), "Use another URL.")))
            }
        }
    }
}

impl Inner {
    /// A new secret: sealed, the root key that sealed it, and its text.
    fn new_secret(&self, id: &WebhookId) -> Result<(SealedBlob, String, SecretText), Error> {
        let mut bytes = vec![0; SECRET_LEN];
        self.entropy.fill(&mut bytes);
        let secret = SecretBytes::new(bytes);
        let (sealed, root_key_id) = self.seal_secret(id, &secret)?;
        Ok((sealed, root_key_id, message::secret_text(&secret)))
    }

    /// Seals a secret under the newest root key; says which that is.
    fn seal_secret(&self, id: &WebhookId, secret: &SecretBytes) -> Result<(SealedBlob, String), Error> {
        loop {
            let root_key_id = self.keys.root_key_id();
            let sealed = self.keys.seal(&place(id), secret.expose())?;
            // Rotated in between: it is not known which of the two sealed.
            if self.keys.root_key_id() == root_key_id {
                return Ok((sealed, root_key_id));
            }
        }
    }

    /// Opens the secret of a webhook.
    fn open_secret(&self, webhook: &Webhook) -> Result<SecretBytes, Error> {
        Ok(self.keys.open(&place(&webhook.id), &webhook.secret)?)
    }
}

/// Associated data of a sealed secret: a row that is moved to another webhook does not open.
fn place(id: &WebhookId) -> String {
    format!("webhook/{id}")
}

fn shown(call: &Call, text: SecretText) -> SecretText {
    if call.dry_run { SecretText::new(String::new()) } else { text }
}

fn distinct(mut kinds: Vec<EventKind>) -> Vec<EventKind> {
    kinds.sort();
    kinds.dedup();
    kinds
}

pub(crate) fn target(webhook: &Webhook) -> Target<'_> {
    Target { kind: "webhook", id: webhook.id.as_str(), name: webhook.name.as_str() }
}

pub(crate) async fn find(queries: &mut dyn Queries, webhook: &Reference) -> Result<Webhook, Error> {
    queries.webhook(webhook).await?.ok_or_else(|| Error::not_found("webhook", webhook))
}

/// Nothing is sent to a webhook that is disabled.
pub(crate) fn refuse_unless_enabled(webhook: &Webhook) -> Result<(), Error> {
    if webhook.enabled {
        return Ok(());
    }
    Err(Error::conflict(
        "webhook_disabled",
        format!("Webhook {} is disabled.", webhook.name),
        "Enable it first: PATCH it with `{\"enabled\": true}`.",
    ))
}
