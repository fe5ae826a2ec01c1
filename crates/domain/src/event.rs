//! Events: what happened to a resource, for the operators' own programs. Written in the transaction of the change (the
//! outbox) and delivered to webhooks afterwards. The audit trail tells who did what; an event tells what is so now.

use crate::algorithm::named_enum;
use crate::id::EventId;
use crate::time::Timestamp;

named_enum! {
    /// What happened.
    EventKind, "invalid_event_kind", "kind of event" {
        /// A certificate got its first version.
        CertificateIssued = "certificate.issued",
        /// A certificate got another version.
        CertificateRenewed = "certificate.renewed",
        /// An attempt to renew a certificate failed.
        CertificateRenewalFailed = "certificate.renewal-failed",
        /// A certificate nears its end and its renewal should have happened.
        CertificateRenewalOverdue = "certificate.renewal-overdue",
        /// A certificate (a version of one, or a row of the inventory) was revoked.
        CertificateRevoked = "certificate.revoked",
        /// The hold of a certificate was ended.
        CertificateReleased = "certificate.released",
        /// A certificate made elsewhere was brought along.
        CertificateImported = "certificate.imported",
        /// The deletion of a certificate was scheduled.
        CertificateDeletionScheduled = "certificate.deletion-scheduled",
        /// A scheduled deletion was cancelled.
        CertificateDeletionCancelled = "certificate.deletion-cancelled",
        /// The deletion of a certificate became final.
        CertificateDeleted = "certificate.deleted",
        /// A version of a certificate was taken into use.
        CertificateVersionMadeCurrent = "certificate.version-made-current",
        /// A CA got its first certificate: signed here, installed, or brought along.
        CaIssued = "ca.issued",
        /// A CA got another certificate.
        CaRenewed = "ca.renewed",
        /// An attempt to renew a CA failed.
        CaRenewalFailed = "ca.renewal-failed",
        /// A version of a CA was taken into use.
        CaVersionMadeCurrent = "ca.version-made-current",
        /// A version of a CA was revoked.
        CaRevoked = "ca.revoked",
        /// The certificate in use of a CA nears its end: a third of its life is left, or 90 days.
        CaExpiring = "ca.expiring",
        /// Half of the life of a CA's revocation list has passed and there is no new one.
        CrlOverdue = "crl.overdue",
        /// A CA's lists or certificates could not be published elsewhere, several times.
        CrlPublicationFailed = "crl.publication-failed",
        /// The deletion of a CA became final.
        CaDeleted = "ca.deleted",
        /// An operator tries a webhook; it goes to that one alone.
        WebhookTest = "webhook.test",
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Id; events are listed by it, and receivers tell repeats by it.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When it was written.
    pub at: Timestamp,
    /// Kind of the resource, for example `ca`.
    pub subject_kind: String,
    /// Id of the resource; a serial for issued certificates.
    pub subject_id: String,
    /// Name of the resource, for people.
    pub subject_name: String,
    /// Id of the request that caused it.
    pub request_id: String,
    /// Facts as pairs, in order; never a secret.
    pub details: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DeliveryId;

    #[test]
    fn kinds_are_read_as_written() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Ok(*kind));
        }
        assert!(EventKind::parse("Certificate.Issued").is_err());
    }

    #[test]
    fn a_delivery_has_the_number_of_its_event() {
        let event = EventId::new(Timestamp::from_unix_s(1_800_000_000), [7; 10]);
        let delivery = DeliveryId::of(&event);
        assert_eq!(DeliveryId::parse(delivery.as_str()), Ok(delivery.clone()));
        assert_eq!(delivery.event(), event);
    }
}
