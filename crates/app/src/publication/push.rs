//! Writing: what is behind → claim → put → record.
//!
//! One node at a time writes an object: it claims the row with a compare-and-swap, for longer than the put may take. It
//! reads after the claim what is newest, so an older list follows a newer one only when a put outlasts its claim; who
//! finds that its claim was taken has the object written again. So the newest list is what stays.
//!
//! Each target is worked on by itself: one that is slow or away delays no other.

use crate::access::{Background, CaPrincipal, Object, Permission};
use crate::audit::Target as Subject;
use crate::change::by_id;
use crate::target::{TargetError, TargetObject};
use crate::{App, Call, Error};
use bytes::Bytes;
use certwright_domain::event::EventKind;
use certwright_domain::name::ResourceName;
use certwright_domain::publication::{PublishedObject, keep_for};
use certwright_domain::time::Span;
use certwright_store::PublicationHealth;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a put may take, and how much longer for each mebibyte.
const DEADLINE: Span = Span::from_s(30);
const DEADLINE_PER_MIB: i64 = 4_000;
/// How much longer a claim lasts than the put.
const MARGIN: Span = Span::from_s(30);
/// Objects of a target that are written at a time, on one node.
const AT_ONCE: u32 = 4;
/// How long readers may keep the certificate of a CA: it never changes.
const CERTIFICATE_KEPT: Span = Span::from_days(1);

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublicationReport {
    /// Objects written.
    pub written: u64,
    /// Objects that could not be written.
    pub failed: u64,
}

/// What an object is to hold.
struct Content {
    id: String,
    number: Option<i64>,
    object: TargetObject,
}

impl App {
    /// Waits until a use case on this node has left something to write. For one waiter.
    pub async fn publication_wanted(&self) {
        self.inner.publications.wake.notified().await;
    }

    /// Targets to which something is to be written and to which this node is not writing yet.
    pub async fn publication_targets_due(&self) -> Result<Vec<ResourceName>, Error> {
        self.plan_publications().await?;
        let mut due = self.inner.store.read().await?.publication_targets_due(self.now()).await?;
        due.retain(|target| !self.inner.publications.is_busy(target));
        Ok(due)
    }

    /// Writes to a target until nothing is due there any more. Does nothing while this node is at it already.
    pub async fn publish_to(&self, target: &ResourceName) -> Result<PublicationReport, Error> {
        let mut report = PublicationReport::default();
        let Some(_turn) = self.inner.publications.turn(target) else { return Ok(report) };
        let call = Call::background(
            Background::Publication,
            format!("publication/{}/{}", self.inner.settings.node, self.now().unix_ms()),
        );
        loop {
            let mut read = self.inner.store.read().await?;
            let due = read.published_objects_due(target, self.now(), AT_ONCE).await?;
            drop(read);
            if due.is_empty() {
                return Ok(report);
            }
            let mut attempts = JoinSet::new();
            for object in due {
                let (app, call) = (self.clone(), call.clone());
                attempts.spawn(async move { app.write_one(&call, object).await });
            }
            let mut failure = None;
            while let Some(done) = attempts.join_next().await {
                match done.map_err(|error| Error::Internal(format!("an attempt to publish ended: {error}")))? {
                    Ok(Some(true)) => report.written = report.written.saturating_add(1),
                    Ok(Some(false)) => report.failed = report.failed.saturating_add(1),
                    Ok(None) => {}
                    // The others are waited for: what they did is recorded.
                    Err(error) => failure = Some(error),
                }
            }
            if let Some(error) = failure {
                return Err(error);
            }
        }
    }

    /// Writes whatever is due, target by target. For those who do not run them side by side.
    pub async fn run_publications(&self) -> Result<PublicationReport, Error> {
        let mut report = PublicationReport::default();
        for target in self.publication_targets_due().await? {
            let one = self.publish_to(&target).await?;
            report.written = report.written.saturating_add(one.written);
            report.failed = report.failed.saturating_add(one.failed);
        }
        Ok(report)
    }

    /// How the objects of each CA and target stand, for metrics.
    pub async fn publication_health(&self) -> Result<Vec<PublicationHealth>, Error> {
        Ok(self.inner.store.read().await?.publication_health().await?)
    }

    /// Forgets earlier publications that no certificate names any more.
    pub(crate) async fn tidy_publications(&self) -> Result<(), Error> {
        let mut tx = self.inner.store.begin("publication.retire").await?;
        if tx.purge_publications(self.now()).await? == 0 {
            return Ok(tx.rollback().await?);
        }
        tx.commit().await?;
        self.inner.publications.planned_epoch.store(0, Ordering::Release);
        Ok(())
    }

    /// One attempt. True: written; false: not; `None`: another node was faster, or there is nothing to write.
    async fn write_one(&self, call: &Call, object: PublishedObject) -> Result<Option<bool>, Error> {
        let allowed = self.time_for(&object).await?;
        let now = self.now();
        let mut claimed = object.claimed(now, now.plus(allowed).plus(MARGIN));
        let mut tx = self.inner.store.begin("publication.claim").await?;
        match tx.update_published_object(&claimed).await {
            Ok(()) => tx.commit().await?,
            Err(certwright_store::Error::Stale { .. }) => {
                tx.rollback().await?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        claimed.revision = claimed.revision.saturating_add(1);
        // After the claim: nobody else writes anything newer meanwhile.
        let Some(content) = self.content(&claimed).await? else { return Ok(None) };
        let outcome = match self.inner.targets.get(&claimed.target) {
            Ok(_) if !self.ca_may_publish(&claimed).await? => Err(TargetError::NotAllowed),
            Ok(target) => {
                let allowed = Duration::from_millis(u64::try_from(allowed.ms()).unwrap_or(0));
                let put = tokio::time::timeout(allowed, target.put(&content.object)).await;
                put.unwrap_or(Err(TargetError::Timeout))
            }
            Err(unknown) => Err(unknown),
        };
        self.record_put(call, claimed, content, outcome).await.map(Some)
    }

    /// May the CA itself write to the target? Targets lie in the tenancy.
    async fn ca_may_publish(&self, object: &PublishedObject) -> Result<bool, Error> {
        let mut read = self.inner.store.read().await?;
        let Some(ca) = read.ca(&by_id(object.ca_id.as_str())?).await? else { return Ok(false) };
        let home = read.compartment_of(ca.id.as_str()).await?;
        let principal = CaPrincipal { id: ca.id.as_str(), name: ca.name.as_str(), home: &home };
        let target = Some(("", object.target.as_str()));
        let place = Object { itself: target, ..Object::tenancy("target") };
        let snapshot = self.access_of(&mut *read).await?;
        Ok(snapshot.require_for_ca(&principal, Permission::ObjectManage, &place, self.now()).is_ok())
    }

    async fn time_for(&self, object: &PublishedObject) -> Result<Span, Error> {
        let Some(scope) = object.scope() else { return Ok(DEADLINE) };
        let crl = self.inner.store.read().await?.current_crl(&scope).await?;
        let mib = crl.map_or(0, |crl| i64::try_from(crl.size >> 20).unwrap_or(i64::MAX));
        Ok(Span::from_ms(DEADLINE.ms().saturating_add(mib.saturating_mul(DEADLINE_PER_MIB))))
    }

    async fn content(&self, object: &PublishedObject) -> Result<Option<Content>, Error> {
        let mut read = self.inner.store.read().await?;
        let name = object.name.clone();
        let Some(scope) = object.scope() else {
            let version = read.ca_version(&object.ca_id, object.ca_version).await?;
            return Ok(version.and_then(|version| version.fingerprint.zip(version.certificate)).map(|(id, der)| {
                Content {
                    id: id.to_string(),
                    number: None,
                    object: TargetObject {
                        name,
                        content_type: "application/pkix-cert",
                        keep_for: CERTIFICATE_KEPT,
                        bytes: Bytes::from(der),
                    },
                }
            }));
        };
        let Some(crl) = read.current_crl(&scope).await? else { return Ok(None) };
        let bytes = self.crl_der(&mut read, &crl).await?;
        Ok(Some(Content {
            id: crl.id.to_string(),
            number: crl.number,
            object: TargetObject {
                name,
                content_type: "application/pkix-crl",
                keep_for: keep_for(self.now(), crl.next_update),
                bytes,
            },
        }))
    }

    async fn record_put(
        &self,
        call: &Call,
        claimed: PublishedObject,
        content: Content,
        outcome: Result<(), TargetError>,
    ) -> Result<bool, Error> {
        let now = self.now();
        let written = outcome.is_ok();
        let result = if written { "written" } else { "failed" };
        metrics::counter!("certwright_publications_total", "target" => claimed.target.to_string(), "result" => result)
            .increment(1);
        let after = match &outcome {
            Ok(()) => claimed.written(content.id, content.number, now),
            Err(error) => claimed.failed(error.to_string(), now),
        };
        let mut tx = self.inner.store.begin("publication.record").await?;
        match tx.update_published_object(&after).await {
            Ok(()) if after.failures == PublishedObject::TOLD_AFTER => {
                self.tell_of_failure(call, &mut tx, &after).await?;
                tx.commit().await?;
            }
            Ok(()) => tx.commit().await?,
            // It outlasted its claim, or was told to be written again: what is there now may be older than what another
            // node wrote.
            Err(certwright_store::Error::Stale { .. }) => {
                tx.rewrite_published_object(&after, now).await?;
                tx.commit().await?;
            }
            Err(error) => return Err(error.into()),
        }
        match outcome {
            Ok(()) => tracing::info!(
                ca.id = %after.ca_id, ca.version = after.ca_version, target = %after.target, object.name = %after.name,
                crl.number = after.number, "an object was published"
            ),
            Err(error) => tracing::warn!(
                ca.id = %after.ca_id, target = %after.target, object.name = %after.name, failures = after.failures,
                next = %after.next_attempt_at, %error, "an object was not published"
            ),
        }
        Ok(written)
    }

    /// Once for each outage: of all the objects of a CA on a target, the first that fails so often speaks for the others.
    async fn tell_of_failure(
        &self,
        call: &Call,
        tx: &mut certwright_store::Tx<'_>,
        object: &PublishedObject,
    ) -> Result<(), Error> {
        let failing = tx.failing_objects(&object.ca_id, &object.target, PublishedObject::TOLD_AFTER).await?;
        let Some(ca) = tx.ca(&by_id(object.ca_id.as_str())?).await?.filter(|_| failing == 1) else { return Ok(()) };
        let (version, failures) = (object.ca_version.to_string(), object.failures.to_string());
        let last = object.published_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let details = [
            ("version", version.as_str()),
            ("target", object.target.as_str()),
            ("object", object.name.as_str()),
            ("lastPublishedAt", last.as_str()),
            ("failures", failures.as_str()),
            ("error", object.last_error.as_deref().unwrap_or("")),
        ];
        let subject = Subject { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() };
        let event = self.inner.event(call, EventKind::CrlPublicationFailed, subject, &details);
        Ok(tx.insert_event(&event).await?)
    }
}
