//! What CAs know of serials, kept for a few seconds.

use super::window::{Stripe, Window};
use crate::{App, Error};
use certwright_domain::id::CaId;
use certwright_domain::issued::SerialStanding;
use certwright_domain::serial::Serial;
use certwright_domain::time::Timestamp;
use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one entry takes, about.
const ENTRY_BYTES: u64 = 250;

#[derive(Clone, Copy)]
struct Entry {
    standing: Option<SerialStanding>,
    read_at: Timestamp,
    /// As it was before it was read.
    stripe: Stripe,
}

/// What is known of a serial, and until what it may be used.
pub(super) struct Seen {
    pub(super) standing: Option<SerialStanding>,
    pub(super) stripe: Stripe,
    pub(super) window: Window,
}

/// Standings with the time at which they were read, and a count for each last octet of a serial.
///
/// **Invariant.** A count is raised after a change of such a serial was committed on this node, and an entry is used only
/// while the count is what it was *before* the entry was read: so an entry that was read before the change is never used
/// after it, however the two raced.
pub(super) struct Standings {
    entries: Cache<Arc<[u8]>, Entry>,
    stripes: Vec<AtomicU64>,
}

impl Standings {
    pub(super) fn new(bytes: u64) -> Self {
        Self { entries: Cache::new(bytes / ENTRY_BYTES), stripes: (0..=u8::MAX).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn forget(&self, serial: &Serial) {
        if let Some(counter) = self.stripes.get(usize::from(octet(serial))) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Has nothing of the stripe been changed on this node?
    pub(super) fn is_current(&self, stripe: Stripe) -> bool {
        self.count(stripe.octet) == stripe.count
    }

    fn stripe(&self, serial: &Serial) -> Stripe {
        let octet = octet(serial);
        Stripe { octet, count: self.count(octet) }
    }

    fn count(&self, octet: u8) -> u64 {
        self.stripes.get(usize::from(octet)).map_or(0, |counter| counter.load(Ordering::SeqCst))
    }
}

fn octet(serial: &Serial) -> u8 {
    serial.as_bytes().last().copied().unwrap_or_default()
}

impl App {
    /// What the CA knows of the serial, no older than `recheck` and than the last change on this node.
    pub(super) async fn serial_standing(&self, ca: &CaId, serial: &Serial) -> Result<Seen, Error> {
        let standings = &self.inner.ocsp.standings;
        let place = [ca.as_str().as_bytes(), serial.as_bytes()].concat();
        let (now, stripe) = (self.now(), standings.stripe(serial));
        let recheck = self.inner.settings.ocsp.recheck;
        if let Some(Entry { standing, read_at, stripe: before }) = standings.entries.get(&place[..])
            && before == stripe
            && Window::since(read_at, recheck).contains(now)
        {
            return Ok(Seen { standing, stripe, window: Window::since(read_at, recheck) });
        }
        // Boxed, for the sake of the futures of those that need not look.
        let standing = Box::pin(async { self.inner.store.glance().await?.serial_standing(ca, serial).await }).await?;
        standings.entries.insert(place.into(), Entry { standing, read_at: now, stripe });
        Ok(Seen { standing, stripe, window: Window::since(now, recheck) })
    }
}
