//! Deletion: scheduled, cancelled, and final.

use super::CertificateView;
use super::keys::destroy_keys;
use super::make::target;
use super::read::{find, shown_version};
use crate::change::{deletion_not_scheduled, deletion_scheduled_already, refuse_final_deletion};
use crate::{App, Call, Error, Permission};
use certwright_domain::event::EventKind;
use certwright_domain::managed::{CertificateState, ManagedCertificate, deletion_time};
use certwright_domain::name::Reference;
use certwright_domain::time::Timestamp;

impl App {
    /// Schedules deletion (1 to 30 days from now, default 30). The name stays taken until it is final; nothing is renewed.
    pub async fn schedule_certificate_deletion(
        &self,
        call: &Call,
        reference: &Reference,
        at: Option<Timestamp>,
    ) -> Result<CertificateView, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateManage, reference).await?;
        let mut tx = self.inner.store.begin("certificate.schedule-deletion").await?;
        let mut certificate = find(&mut *tx, reference).await?;
        if certificate.state == CertificateState::PendingDeletion {
            return match at {
                Some(at) if Some(at) != certificate.deletion_at => {
                    Err(deletion_scheduled_already("certificate", certificate.deletion_at))
                }
                _ => self.view(&mut *tx, certificate).await,
            };
        }
        let at = deletion_time(self.now(), at).map_err(|invalid| Error::invalid("/deletionAt", invalid))?;
        certificate.state_before_deletion = Some(certificate.state);
        certificate.state = CertificateState::PendingDeletion;
        certificate.deletion_at = Some(at);
        certificate.next_attempt_at = None;
        certificate.overdue_at = None;
        let text = at.to_string();
        let details = [("deletionAt", text.as_str())];
        self.write(call, &mut tx, &mut certificate, "managed-certificate.schedule-deletion", &details).await?;
        let event = self.inner.event(call, EventKind::CertificateDeletionScheduled, target(&certificate), &details);
        tx.insert_event(&event).await?;
        self.end_certificate(call, tx, certificate).await
    }

    /// Cancels a scheduled deletion; the certificate goes back to the state it had.
    pub async fn cancel_certificate_deletion(
        &self,
        call: &Call,
        reference: &Reference,
    ) -> Result<CertificateView, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateManage, reference).await?;
        let mut tx = self.inner.store.begin("certificate.cancel-deletion").await?;
        let mut certificate = find(&mut *tx, reference).await?;
        if certificate.state != CertificateState::PendingDeletion {
            return Err(deletion_not_scheduled("certificate", certificate.state.as_str()));
        }
        refuse_final_deletion("certificate", certificate.deletion_at, self.now())?;
        certificate.state = certificate.state_before_deletion.take().unwrap_or(CertificateState::Disabled);
        certificate.deletion_at = None;
        let current = shown_version(&mut *tx, &certificate).await?;
        self.schedule(&mut certificate, current.as_ref());
        self.write(call, &mut tx, &mut certificate, "managed-certificate.cancel-deletion", &[]).await?;
        let event = self.inner.event(call, EventKind::CertificateDeletionCancelled, target(&certificate), &[]);
        tx.insert_event(&event).await?;
        self.end_certificate(call, tx, certificate).await
    }

    /// Makes a deletion final: the name is free, the private keys are destroyed; the inventory keeps what was issued.
    pub(crate) async fn delete_certificate(
        &self,
        call: &Call,
        mut certificate: ManagedCertificate,
    ) -> Result<bool, Error> {
        let mut tx = self.inner.store.begin("certificate.delete").await?;
        // Nobody moves it to another compartment meanwhile.
        tx.hold_epoch().await?;
        destroy_keys(&mut tx, &certificate.id).await?;
        tx.unplace(certificate.id.as_str()).await?;
        certificate.state = CertificateState::Deleted;
        self.write(call, &mut tx, &mut certificate, "managed-certificate.delete", &[]).await?;
        let event = self.inner.event(call, EventKind::CertificateDeleted, target(&certificate), &[]);
        tx.insert_event(&event).await?;
        tx.commit().await?;
        Ok(true)
    }
}
