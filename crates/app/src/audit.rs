//! Audit events and events of the use cases, and the list of the former.

pub(crate) mod checkpoints;
mod export;
pub(crate) mod refusals;
pub(crate) mod shipping;
mod verify;

pub use export::{AuditExport, ExportVerdict, read_public_keys_pem, verify_export};
pub use shipping::ShippingReport;
pub use verify::AuditVerification;

use crate::{App, Call, Error, Permission};
use certwright_domain::audit::{AuditEvent, Outcome, StoredAuditEvent};
use certwright_domain::event::{Event, EventKind};
use certwright_domain::id::{AuditId, EventId};
use certwright_store::{AuditFilter, Page, PageRequest};
use std::collections::BTreeMap;

/// What was changed.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) kind: &'static str,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
}

impl crate::Inner {
    /// An audit event of `call`; `details` are facts as pairs, never a secret. Values are JSON-escaped here.
    pub(crate) fn audit(
        &self,
        call: &Call,
        action: &'static str,
        target: Target<'_>,
        details: &[(&str, &str)],
    ) -> AuditEvent {
        let at = self.clock.now();
        AuditEvent {
            id: AuditId::new(at, self.id_entropy()),
            at,
            actor: call.caller.id(),
            actor_name: call.caller.name().to_owned(),
            action,
            target_kind: target.kind,
            target_id: target.id.to_owned(),
            target_name: target.name.to_owned(),
            request_id: call.request_id.clone(),
            door: call.caller.door().as_str(),
            address: call.address,
            decided_by: call.decided.by(),
            outcome: Outcome::Succeeded,
            details: object_of(details),
        }
    }

    /// An event of `call` for the operators' webhooks, to be inserted in the transaction of the change; `details` are
    /// facts as pairs, never a secret.
    pub(crate) fn event(&self, call: &Call, kind: EventKind, target: Target<'_>, details: &[(&str, &str)]) -> Event {
        let at = self.clock.now();
        Event {
            id: EventId::new(at, self.id_entropy()),
            kind,
            at,
            subject_kind: target.kind.to_owned(),
            subject_id: target.id.to_owned(),
            subject_name: target.name.to_owned(),
            request_id: call.request_id.clone(),
            details: details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }
}

/// The pairs as a JSON object, in the order of their names.
fn object_of(pairs: &[(&str, &str)]) -> String {
    let pairs: BTreeMap<&str, &str> = pairs.iter().copied().collect();
    // Texts under texts: nothing of that can fail.
    serde_json::to_string(&pairs).unwrap_or_else(|_| "{}".to_owned())
}

impl App {
    /// Audit events, newest first.
    pub async fn audit_events(
        &self,
        call: &Call,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<StoredAuditEvent>, Error> {
        self.may(call, Permission::AuditRead, "audit event")?;
        Ok(self.inner.store.read().await?.audit_events(filter, page).await?)
    }
}
