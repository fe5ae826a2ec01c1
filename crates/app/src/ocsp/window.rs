//! For how long an answer may be given again without looking at anything else.

use crate::App;
use certwright_domain::time::{Span, Timestamp};

/// From when until when (not included) something may be used without looking again. A clock that was set back ends it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    from: Timestamp,
    until: Timestamp,
}

impl Window {
    pub(super) const fn new(from: Timestamp, until: Timestamp) -> Self {
        Self { from, until }
    }

    /// What was looked at then is trusted for so long.
    pub(super) fn since(looked_at: Timestamp, trusted: Span) -> Self {
        Self::new(looked_at, looked_at.plus(trusted))
    }

    pub(super) fn contains(self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now)
    }

    /// While both last.
    pub(super) fn and(self, other: Self) -> Self {
        Self::new(self.from.max(other.from), self.until.min(other.until))
    }
}

/// All that a kept answer rests on, at the moment at which it was found to be right for a request: the epoch (CA, settings,
/// keys), the count of changes of such serials on this node, and the time at which the first of the looks into the
/// database is due again, or a new signature.
///
/// **Invariant.** While it holds, the long way would give the same bytes for the same request under the same URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcspHold {
    pub(super) epoch: i64,
    pub(super) stripe: Stripe,
    pub(super) window: Window,
}

/// A last octet of serials, and its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stripe {
    pub(super) octet: u8,
    pub(super) count: u64,
}

impl App {
    /// May the answer be given again for the very same request?
    pub fn ocsp_holds(&self, hold: &OcspHold) -> bool {
        hold.epoch == self.inner.context.epoch()
            && self.inner.ocsp.standings.is_current(hold.stripe)
            && hold.window.contains(self.now())
    }
}
