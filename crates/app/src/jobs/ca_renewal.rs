//! Renewal of CAs whose rule says so: a new version in time, taken into use after the wait that the rule names.

use super::{BATCH, JobReport};
use crate::audit::Target;
use crate::cas::schedule;
use crate::certificates::reason_of;
use crate::change::by_id;
use crate::{App, Call, Error, RenewCa};
use certwright_domain::ca::{Ca, CaRenewalKey};
use certwright_domain::event::EventKind;
use certwright_domain::managed::{AttemptOutcome, retry_at};
use certwright_domain::stage::Stage;
use certwright_domain::time::Span;
use certwright_domain::validity::{RequestedEnd, RequestedValidity};

impl App {
    /// Renews CAs that are due, and takes into use what has waited long enough.
    pub(super) async fn renew_due_cas(&self, call: &Call, report: &mut JobReport) -> Result<(), Error> {
        let due = self.inner.store.read().await?.cas_to_renew(self.now(), BATCH).await?;
        for ca in due {
            match self.renew_due_ca(call, &ca).await {
                Ok(renewed) => report.cas_renewed = report.cas_renewed.saturating_add(u64::from(renewed)),
                // Changed meanwhile: the next round sees what it is now.
                Err(error) if crate::change::is_stale(&error) => {}
                Err(error @ Error::Unavailable { .. }) => return Err(error),
                Err(error) => {
                    report.renewals_failed = report.renewals_failed.saturating_add(1);
                    self.note_ca_failure(call, ca, &error).await?;
                }
            }
            if !self.keep_lease().await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False: it is left alone from now on.
    async fn renew_due_ca(&self, call: &Call, ca: &Ca) -> Result<bool, Error> {
        let reference = by_id(ca.id.as_str())?;
        let latest = ca.versions.latest;
        if ca.versions.stages(latest, false).contains(&Stage::Pending) {
            return self.make_ca_version_current(call, &reference, latest).await.map(|_| true);
        }
        let current = match ca.versions.current {
            Some(number) => self.inner.store.read().await?.ca_version(&ca.id, number).await?,
            None => None,
        };
        if current.as_ref().is_some_and(|version| version.revocation.is_some()) {
            return self.leave_revoked_ca(ca.clone()).await.map(|()| false);
        }
        let length = current.and_then(|version| version.validity).map(|validity| validity.length());
        let end = length.map_or(RequestedEnd::Longest, RequestedEnd::Duration);
        let rule = ca.renewal.ok_or_else(|| Error::Internal(format!("{} is due without a rule", ca.id)))?;
        let renew = RenewCa {
            validity: RequestedValidity { not_before: None, end },
            rotate_key: rule.key == CaRenewalKey::Rotate,
            make_current: rule.make_current_after == Some(Span::ZERO),
        };
        self.renew_ca(call, &reference, renew).await.map(|_| true)
    }

    /// Revoked before the job was told to leave it alone: from now on it does.
    async fn leave_revoked_ca(&self, mut ca: Ca) -> Result<(), Error> {
        let mut tx = self.inner.store.begin("ca.left").await?;
        schedule(&mut *tx, &mut ca).await?;
        tx.update_ca(&ca).await?;
        Ok(tx.commit().await?)
    }

    async fn note_ca_failure(&self, call: &Call, mut ca: Ca, error: &Error) -> Result<(), Error> {
        let reason = reason_of(error);
        ca.renewal_failures = ca.renewal_failures.saturating_add(1);
        let next = retry_at(ca.renewal_failures, None, self.now());
        ca.next_renewal_at = Some(next);
        let next = next.to_string();
        let details = [("reason", reason.as_str()), ("nextAttemptAt", next.as_str())];
        let mut tx = self.inner.begin_change(call, "ca.renewal-failed").await?;
        match tx.update_ca(&ca).await {
            Ok(()) => {}
            Err(certwright_store::Error::Stale { .. }) => return tx.undo().await,
            Err(error) => return Err(error.into()),
        }
        tx.insert_attempt(&self.renewal_attempt(ca.id.as_str(), AttemptOutcome::Failed, None, reason.clone())).await?;
        let target = Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() };
        tx.insert_audit(&self.inner.audit(call, "ca.renewal-failed", target, &details)).await?;
        self.inner.tell_of_ca(&mut **tx, call, EventKind::CaRenewalFailed, &ca, None, &details).await?;
        tx.commit().await?;
        tracing::warn!(ca.id = %ca.id, ca.name = %ca.name, %reason, "a CA could not be renewed");
        Ok(())
    }
}
