//! What the renewal job does with one certificate.

use super::make::{Making, target, wish_of};
use super::read::{find, outlook, shown_version};
use crate::change::{by_id, is_stale};
use crate::{App, Call, Error};
use certwright_domain::event::EventKind;
use certwright_domain::id::{CompartmentId, IssuedId};
use certwright_domain::managed::{
    AttemptOutcome, CertificateState, CertificateVersion, ManagedCertificate, RenewalKey, RenewalOutlook,
    VersionReason, retry_at,
};
use certwright_domain::stage::Stage;

impl App {
    /// Renews a certificate if it is due when its turn comes. `Some(true)`: renewed; `Some(false)`: tried and failed, noted
    /// with its reason, to be tried again; `None`: nothing to do. An error: the database, nothing is known to be noted.
    pub(crate) async fn renew_if_due(&self, call: &Call, seen: ManagedCertificate) -> Result<Option<bool>, Error> {
        let _turn = self.inner.locks.turn(seen.name.as_str()).await;
        let mut read = self.inner.store.read().await?;
        let Some(certificate) = read.certificate(&by_id(seen.id.as_str())?).await? else { return Ok(None) };
        if certificate.revision != seen.revision {
            return Ok(None);
        }
        let current = shown_version(&mut *read, &certificate).await?;
        drop(read);
        match outlook(&certificate, current.as_ref(), self.now()) {
            RenewalOutlook::Due => {}
            RenewalOutlook::At(_) | RenewalOutlook::Never(_) => {
                return self.leave(certificate, current.as_ref()).await.map(|()| None);
            }
        }
        let making = renewal_of(&certificate, current.as_ref())?;
        match self.make_certificate_version(call, making).await {
            Ok(_) => Ok(Some(true)),
            // Another node was faster.
            Err(error) if is_stale(&error) => Ok(None),
            Err(error @ Error::Unavailable { .. }) => Err(error),
            Err(error) => self.note_failure(call, certificate, current.as_ref(), &error).await.map(Some),
        }
    }

    /// Not the job's to renew, or not yet: the row says when to look again.
    async fn leave(
        &self,
        mut certificate: ManagedCertificate,
        current: Option<&CertificateVersion>,
    ) -> Result<(), Error> {
        let overdue_at = certificate.overdue_at;
        self.schedule(&mut certificate, current);
        // What was told is not told again.
        certificate.overdue_at = overdue_at;
        let mut tx = self.inner.store.begin("certificate.leave").await?;
        match tx.update_certificate(&certificate).await {
            Ok(()) => Ok(tx.commit().await?),
            Err(certwright_store::Error::Stale { .. }) => Ok(tx.rollback().await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this certificate is revoked has changed in the transaction. If it is a version of a managed certificate that is in
    /// use or waits to be, the job is told anew when to come: it may never come back otherwise, or wait for what will not be.
    /// The certificate's revision grows, so that nobody takes into use what was seen before.
    pub(crate) async fn look_again_at(
        &self,
        tx: &mut certwright_store::Tx<'_>,
        issued: &IssuedId,
    ) -> Result<(), Error> {
        let Some((mut certificate, number)) = tx.certificate_of(issued).await? else { return Ok(()) };
        let is_current = certificate.versions.current == Some(number);
        if !is_current && !certificate.versions.stages(number, false).contains(&Stage::Pending) {
            return Ok(());
        }
        let current = shown_version(&mut **tx, &certificate).await?;
        let overdue_at = certificate.overdue_at;
        self.schedule(&mut certificate, current.as_ref());
        if !is_current {
            // What was told of the version in use is not told again.
            certificate.overdue_at = overdue_at;
        }
        Ok(tx.update_certificate(&certificate).await?)
    }

    async fn note_failure(
        &self,
        call: &Call,
        mut certificate: ManagedCertificate,
        current: Option<&CertificateVersion>,
        error: &Error,
    ) -> Result<bool, Error> {
        let reason = reason_of(error);
        let now = self.now();
        certificate.failures = certificate.failures.saturating_add(1);
        let end = current.map(|version| version.validity.not_after());
        certificate.next_attempt_at = Some(retry_at(certificate.failures, end, now));
        let (failures, next) = (
            certificate.failures.to_string(),
            certificate.next_attempt_at.map(|at| at.to_string()).unwrap_or_default(),
        );
        let details = [("reason", reason.as_str()), ("failures", failures.as_str()), ("nextAttemptAt", next.as_str())];
        let mut tx = self.inner.store.begin("certificate.renewal-failed").await?;
        match tx.update_certificate(&certificate).await {
            Ok(()) => {}
            Err(certwright_store::Error::Stale { .. }) => {
                tx.rollback().await?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        let attempt = self.renewal_attempt(certificate.id.as_str(), AttemptOutcome::Failed, None, reason.clone());
        tx.insert_attempt(&attempt).await?;
        let action = "managed-certificate.renewal-failed";
        tx.insert_audit(&self.inner.audit(call, action, target(&certificate), &details)).await?;
        let event = self.inner.event(call, EventKind::CertificateRenewalFailed, target(&certificate), &details);
        tx.insert_event(&event).await?;
        tx.commit().await?;
        metrics::counter!("certwright_renewals_failed_total").increment(1);
        tracing::warn!(certificate.id = %certificate.id, certificate.name = %certificate.name, %reason, "a renewal failed");
        Ok(false)
    }

    /// Tells once that a certificate should have been renewed and nears its end.
    pub(crate) async fn tell_overdue(&self, call: &Call, seen: ManagedCertificate) -> Result<(), Error> {
        let mut tx = self.inner.store.begin("certificate.overdue").await?;
        let mut certificate = find(&mut *tx, &by_id(seen.id.as_str())?).await?;
        let current = shown_version(&mut *tx, &certificate).await?;
        let Some(version) = current.filter(|_| certificate.overdue_at.is_some_and(|at| at <= self.now())) else {
            return Ok(tx.rollback().await?);
        };
        certificate.overdue_at = None;
        let not_after = version.validity.not_after().to_string();
        let why = match outlook(&certificate, Some(&version), self.now()) {
            RenewalOutlook::Never(why) => why.to_owned(),
            RenewalOutlook::Due | RenewalOutlook::At(_) => "Its renewal is due.".to_owned(),
        };
        let details = [("notAfter", not_after.as_str()), ("reason", why.as_str())];
        match tx.update_certificate(&certificate).await {
            Ok(()) => {}
            Err(certwright_store::Error::Stale { .. }) => return Ok(tx.rollback().await?),
            Err(error) => return Err(error.into()),
        }
        // A certificate that is revoked or put out of use on purpose needs no reminder.
        if version.revocation.is_none() && certificate.state == CertificateState::Active {
            let event = self.inner.event(call, EventKind::CertificateRenewalOverdue, target(&certificate), &details);
            tx.insert_event(&event).await?;
        }
        Ok(tx.commit().await?)
    }
}

fn renewal_of(certificate: &ManagedCertificate, current: Option<&CertificateVersion>) -> Result<Making, Error> {
    let validity = wish_of(certificate)?.renewed_validity(current.map(|version| &version.validity));
    let same_key = match certificate.renewal.key {
        RenewalKey::Same => current.and_then(|version| version.key.clone()),
        RenewalKey::New => None,
    };
    Ok(Making {
        certificate: certificate.clone(),
        is_new: false,
        home: CompartmentId::tenancy(),
        reason: VersionReason::RenewalDue,
        version_name: None,
        pending: false,
        validity,
        same_key,
        renewal: None,
    })
}

/// Why something failed, in words that may be shown: details of our own faults go to the log only.
pub(crate) fn reason_of(error: &Error) -> String {
    match error {
        Error::Rejected(violations) => {
            violations.iter().map(|violation| violation.detail.as_str()).collect::<Vec<_>>().join(" ")
        }
        Error::Invalid(faults) => {
            faults.iter().map(|fault| fault.invalid.detail.as_str()).collect::<Vec<_>>().join(" ")
        }
        Error::Internal(detail) => {
            tracing::error!(%detail, "a renewal failed by our own fault");
            "An internal error; the server's log has the details.".to_owned()
        }
        other => other.to_string(),
    }
}
