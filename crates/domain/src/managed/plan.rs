//! What the renewal job does with a certificate, and when it looks at it again. Pure.

use super::{CertificateKind, CertificateState};
use crate::time::{Span, Timestamp};
use crate::validity::Validity;

/// What is known of a certificate when the question comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenewalFacts {
    /// Who holds the key.
    pub kind: CertificateKind,
    /// State.
    pub state: CertificateState,
    /// May the job renew it?
    pub automatic: bool,
    /// Validity of the current version; `None`: there is none.
    pub validity: Option<Validity>,
    /// When the current version is due.
    pub renew_at: Option<Timestamp>,
    /// The current version is revoked.
    pub revoked: bool,
    /// A version newer than the current one waits to be taken into use; one that is revoked does not.
    pub pending: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalOutlook {
    /// Now.
    Due,
    /// At this time.
    At(Timestamp),
    /// Not by the job, for this reason.
    Never(&'static str),
}

/// Is the certificate to be renewed, and when?
pub fn plan_renewal(facts: &RenewalFacts, now: Timestamp) -> RenewalOutlook {
    use RenewalOutlook as O;
    match (facts.kind, facts.state) {
        (_, CertificateState::PendingDeletion | CertificateState::Deleted) => {
            return O::Never("Its deletion is scheduled.");
        }
        (_, CertificateState::Disabled) => return O::Never("It is disabled."),
        (CertificateKind::Csr, _) => return O::Never("Its requester holds the key and sends a CSR."),
        (CertificateKind::Imported, _) => return O::Never("It was imported; import its successor."),
        (CertificateKind::Internal, CertificateState::Active) => {}
    }
    if !facts.automatic {
        return O::Never("Automatic renewal is switched off.");
    }
    if facts.revoked {
        return O::Never("Its current version is revoked.");
    }
    if facts.pending {
        return O::Never("A newer version waits to be made current.");
    }
    match facts.renew_at {
        None => O::Never("It has no current version."),
        Some(at) if at <= now => O::Due,
        Some(at) => O::At(at),
    }
}

/// Shortest wait after a failure.
const FIRST_RETRY: Span = Span::from_minutes(1);
/// Longest wait after a failure.
const LAST_RETRY: Span = Span::from_hours(1);

/// When to try again after the `failures`-th failure in a row: a minute, doubled each time up to an hour, and never more
/// than a sixteenth of what is left of the certificate's life, so that what can be renewed again is renewed in time.
pub fn retry_at(failures: u32, not_after: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let doubled = FIRST_RETRY.ms().saturating_mul(1_i64 << failures.saturating_sub(1).min(10));
    let left = not_after.map_or(i64::MAX, |end| end.ms_since(now) / 16);
    let wait = doubled.min(LAST_RETRY.ms()).min(left.max(FIRST_RETRY.ms()));
    now.plus(Span::from_ms(wait))
}

/// When an event says that a renewal is overdue: half-way between the time it was due and the end.
pub fn overdue_at(renew_at: Timestamp, validity: &Validity) -> Timestamp {
    renew_at.plus(Span::from_ms(validity.not_after().ms_since(renew_at) / 2))
}
