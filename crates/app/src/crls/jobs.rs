//! The work in the background: what is wanted and what is due.

use super::build::Outcome;
use crate::access::Background;
use crate::audit::Target;
use crate::change::by_id;
use crate::{App, Call, Error};
use certwright_domain::ca::Ca;
use certwright_domain::crl::{CrlScope, CrlSeries, retry_after};
use certwright_domain::event::EventKind;
use certwright_domain::id::CaId;
use certwright_domain::time::Span;
use certwright_store::CrlHealth;
use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// How long the lease on a CA's lists lasts; it is renewed while entries are read.
const LEASE_FOR: Span = Span::from_s(60);
/// Series that are looked at in one go.
const BATCH: u32 = 100;
/// Age at which a list that is not served is deleted: a reader may be at it.
const OBSOLETE_AFTER: Span = Span::from_minutes(10);
/// Parts of lists that are deleted in one transaction.
const CHUNKS: u32 = 8;

/// How old warnings may be.
const WARNINGS_FOR: Span = Span::from_s(5);

/// Lists that need attention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CrlWarnings {
    /// Those that could not be made since their last list.
    pub failing: u64,
    /// Those that are past their nextUpdate or were never made.
    pub lapsed: u64,
    /// Objects elsewhere that could not be written since they last were.
    pub unpublished: u64,
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CrlReport {
    /// Lists published.
    pub published: u64,
    /// Lists that could not be made.
    pub failed: u64,
}

impl App {
    /// Waits until this node has changed something that lists show.
    pub async fn crl_wanted(&self) {
        self.inner.crls.wake.notified().await;
    }

    /// Makes every list that is due. Lists of CAs that another node works for are left to it.
    pub async fn run_crls(&self) -> Result<CrlReport, Error> {
        let call =
            Call::background(Background::Crls, format!("crls/{}/{}", self.inner.settings.node, self.now().unix_ms()));
        self.plan_crls().await?;
        let mut report = CrlReport::default();
        let mut elsewhere: BTreeSet<CaId> = BTreeSet::new();
        loop {
            let due = self.inner.store.read().await?.due_crl_series(self.now(), BATCH).await?;
            let mut progress = false;
            let mut ours: BTreeSet<CaId> = BTreeSet::new();
            for series in due {
                let ca_id = &series.scope.ca_id;
                if elsewhere.contains(ca_id) {
                    continue;
                }
                if !self.lease_crls(ca_id).await? {
                    elsewhere.insert(ca_id.clone());
                    continue;
                }
                ours.insert(ca_id.clone());
                progress = true;
                self.make_due(&call, &series, &mut report).await?;
            }
            for ca_id in &ours {
                self.release_crls(ca_id).await?;
            }
            if !progress {
                return Ok(report);
            }
        }
    }

    async fn make_due(&self, call: &Call, series: &CrlSeries, report: &mut CrlReport) -> Result<(), Error> {
        match self.make_crl(call, &series.scope, false).await {
            Ok(Outcome::Published) => report.published = report.published.saturating_add(1),
            Ok(Outcome::NotWanted | Outcome::NotDue) => {}
            // Another node was faster, after all.
            Err(Error::Conflict { code: "changed_meanwhile", .. }) => {}
            // The database is away: nothing can be noted, and the next round will find it due.
            Err(error @ Error::Unavailable { .. }) => return Err(error),
            Err(error) => {
                report.failed = report.failed.saturating_add(1);
                let now = self.now();
                let retry_at = now.plus(retry_after(series.failures.saturating_add(1)));
                tracing::error!(
                    ca.id = %series.scope.ca_id, ca.version = series.scope.ca_version, crl.kind = %series.scope.kind,
                    %retry_at, %error, "a revocation list could not be made"
                );
                metrics::counter!("certwright_crl_failures_total").increment(1);
                let mut tx = self.inner.store.begin("crl.failed").await?;
                tx.fail_crl_series(&series.scope, now, retry_at, &error.to_string()).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// Begins the series that CAs want and do not have. Looks when the configuration has changed.
    pub(crate) async fn plan_crls(&self) -> Result<(), Error> {
        let mut read = self.inner.store.read().await?;
        let epoch = read.epoch().await?;
        if self.inner.crls.planned_epoch.load(Ordering::Acquire) == epoch {
            return Ok(());
        }
        drop(read);
        loop {
            let now = self.now();
            let missing = self.inner.store.read().await?.missing_crl_series(now, BATCH).await?;
            let more = missing.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
            for first in missing {
                let mut tx = self.inner.store.begin("crl.plan").await?;
                for shard in 0..first.shards.number() {
                    tx.begin_crl_series(&CrlSeries::new(CrlScope { shard, ..first.clone() }, now)).await?;
                }
                tx.commit().await?;
            }
            if !more {
                break;
            }
        }
        self.inner.crls.planned_epoch.store(epoch, Ordering::Release);
        Ok(())
    }

    /// Takes or renews the lease on a CA's lists; false: another node has it.
    pub(super) async fn lease_crls(&self, ca_id: &CaId) -> Result<bool, Error> {
        let now = self.now();
        let mut tx = self.inner.store.begin("crl.lease").await?;
        let ours = tx.acquire_lease(&lease(ca_id), &self.inner.settings.node, now, now.plus(LEASE_FOR)).await?;
        tx.commit().await?;
        Ok(ours)
    }

    pub(super) async fn release_crls(&self, ca_id: &CaId) -> Result<(), Error> {
        let mut tx = self.inner.store.begin("crl.release").await?;
        tx.release_lease(&lease(ca_id), &self.inner.settings.node).await?;
        Ok(tx.commit().await?)
    }

    /// Tells of lists that are overdue and of CAs whose end comes near, each once.
    pub(crate) async fn tell_of_ends(&self, call: &Call) -> Result<(), Error> {
        let now = self.now();
        for series in self.inner.store.read().await?.overdue_crl_series(now, BATCH).await? {
            let mut tx = self.inner.store.begin("crl.overdue").await?;
            let told = tx.told_crl_series(&series.scope, now).await;
            let Some(ca) = tx.ca(&by_id(series.scope.ca_id.as_str())?).await? else { continue };
            if told.is_err() {
                continue;
            }
            let crl = tx.current_crl(&series.scope).await?;
            let next = crl.map_or_else(|| "none".to_owned(), |crl| crl.next_update.to_string());
            let (version, leaf) = (series.scope.ca_version.to_string(), series.scope.leaf());
            let error = series.last_error.as_deref().unwrap_or("");
            let details = [
                ("version", version.as_str()),
                ("list", leaf.as_str()),
                ("nextUpdate", next.as_str()),
                ("error", error),
            ];
            let target = Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() };
            tx.insert_event(&self.inner.event(call, EventKind::CrlOverdue, target, &details)).await?;
            tx.commit().await?;
            tracing::warn!(ca.id = %ca.id, ca.version = series.scope.ca_version, "a revocation list is overdue");
        }
        let warnings = self.inner.store.read().await?.ca_versions_to_warn_of(now, BATCH).await?;
        for version in warnings {
            let mut tx = self.inner.store.begin("ca.expiring").await?;
            if tx.warned_of_ca_version(&version.ca_id, version.number).await.is_err() {
                continue;
            }
            let ca = tx.ca(&by_id(version.ca_id.as_str())?).await?;
            if let Some(ca) = ca.filter(|ca| is_worth_a_warning(ca, version.number)) {
                let kind = EventKind::CaExpiring;
                self.inner.tell_of_ca(&mut *tx, call, kind, &ca, Some(&version), &[]).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Deletes lists that nobody serves any more, and entries that no list has to carry.
    pub(crate) async fn tidy_crls(&self) -> Result<(), Error> {
        let before = self.now().minus(OBSOLETE_AFTER);
        for id in self.inner.store.read().await?.obsolete_crls(before, BATCH).await? {
            loop {
                let mut tx = self.inner.store.begin("crl.delete").await?;
                let gone = tx.delete_crl_chunks(&id, CHUNKS).await?;
                tx.commit().await?;
                if gone {
                    break;
                }
            }
        }
        loop {
            let mut tx = self.inner.store.begin("crl.purge").await?;
            let purged = tx.purge_revocations(self.now(), 500).await?;
            if purged == 0 {
                tx.rollback().await?;
                return Ok(());
            }
            tx.commit().await?;
        }
    }

    /// How the lists of each CA stand, for metrics.
    pub async fn crl_health(&self) -> Result<Vec<CrlHealth>, Error> {
        Ok(self.inner.store.read().await?.crl_health(self.now()).await?)
    }

    /// How many lists need attention, as of some seconds ago: anybody may ask.
    pub async fn crl_warnings(&self) -> Result<CrlWarnings, Error> {
        let now = self.now();
        let known = *self.inner.crls.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = known.filter(|(at, _)| (0..WARNINGS_FOR.ms()).contains(&now.ms_since(*at))) {
            return Ok(known);
        }
        let health = self.crl_health().await?;
        let sum = |of: fn(&CrlHealth) -> u64| health.iter().map(of).fold(0_u64, u64::saturating_add);
        let objects = self.publication_health().await?;
        let unpublished = objects.iter().map(|one| one.failing).fold(0_u64, u64::saturating_add);
        let warnings = CrlWarnings { failing: sum(|one| one.failing), lapsed: sum(|one| one.lapsed), unpublished };
        *self.inner.crls.warnings.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, warnings));
        Ok(warnings)
    }
}

fn lease(ca_id: &CaId) -> String {
    format!("crls/{ca_id}")
}

/// An old version's end is no news, nor that of a CA that is being deleted.
fn is_worth_a_warning(ca: &Ca, number: u32) -> bool {
    use certwright_domain::ca::CaState;
    ca.versions.current == Some(number) && matches!(ca.state, CaState::Active | CaState::Disabled)
}
