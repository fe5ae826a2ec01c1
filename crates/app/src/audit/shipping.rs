//! Shipping the audit trail: committed events → sink → note how far.
//!
//! Nothing waits for it: it reads what is committed, beside all requests. Each chain is shipped in its order. What was taken
//! is noted after the sink took it, so after a crash events may come twice, and none is left out.
//!
//! One node at a time ships to a sink, under a lease that lasts longer than a batch may take. A node that outlasts it finds
//! that another one noted more than it knows, and stops.

use super::export;
use crate::sink::{SinkError, SinkEvent};
use crate::{App, Error};
use certwright_domain::name::ResourceName;
use certwright_domain::time::{Span, Timestamp};
use certwright_store::{Shipped, ShippingLag};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// Most events of a batch, which is what is held in memory for a sink at a time.
const BATCH: u32 = 500;
/// Events that are read at a time, and bytes after which no more are: an event may take hundreds of kilobytes.
const READ: u32 = 50;
const BYTES: usize = 1 << 20;
/// How long a sink may take for a batch.
const DEADLINE: Duration = Duration::from_secs(15);
/// How long the lease lasts, and how much of it must be left when a batch begins: more than it may take.
const LEASE_FOR: Span = Span::from_s(40);
const LEASE_LEFT: Span = Span::from_s(20);
/// A sink is told to be behind when the oldest event that it lacks is as old as this, or after so many failures.
const BEHIND: Span = Span::from_minutes(5);
const FAILING: u32 = 3;

/// How a batch went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShippingReport {
    /// Nothing is to be shipped, or another node is at it.
    Idle,
    /// Events were taken.
    Shipped {
        /// How many.
        events: u64,
        /// Were there more when the batch was put together?
        more: bool,
    },
    /// They were not taken, for the so-many-th time in a row.
    Failed(SinkError, u32),
}

/// What the node remembers of the sinks.
#[derive(Default)]
pub(crate) struct Shipping(Mutex<BTreeMap<ResourceName, State>>);

#[derive(Clone, Copy, Default)]
struct State {
    /// Until when this node has the lease.
    leased_until: Option<Timestamp>,
    /// Failures in a row.
    failures: u32,
}

impl Shipping {
    fn state(&self, sink: &ResourceName) -> State {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sink).copied().unwrap_or_default()
    }

    fn change(&self, sink: &ResourceName, change: impl FnOnce(&mut State)) -> State {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(sink.clone()).or_default();
        change(state);
        *state
    }
}

/// A part of a chain that is to be noted as shipped.
struct Part {
    chain: String,
    from: i64,
    to: i64,
}

impl App {
    /// The sinks of this node's configuration.
    pub fn audit_sinks(&self) -> Vec<ResourceName> {
        self.inner.sinks.names()
    }

    /// Ships the next batch to a sink. For one caller at a time and sink. An error is one of the database.
    pub async fn ship_audit(&self, name: &ResourceName) -> Result<ShippingReport, Error> {
        let Some(configured) = self.inner.sinks.get(name) else { return Ok(ShippingReport::Idle) };
        let shipped = match self.shipped_to(name, configured.from_now).await? {
            shipped if shipped.iter().any(|one| one.end > one.sequence) => shipped,
            _ => return Ok(ShippingReport::Idle),
        };
        // Only now: a trail that stands still costs no writes.
        let shipped = match self.keep_shipping_lease(name).await? {
            // Whoever had it before may have shipped more than was read above.
            Lease::New => self.shipped_to(name, configured.from_now).await?,
            Lease::Kept => shipped,
            Lease::Taken => return Ok(ShippingReport::Idle),
        };
        let behind: i64 = shipped.iter().map(|one| one.end.saturating_sub(one.sequence).max(0)).sum();
        let (events, parts) = self.next_batch(shipped).await?;
        if events.is_empty() {
            return Ok(ShippingReport::Idle);
        }
        let outcome = timeout(DEADLINE, configured.sink.ship(&events)).await.unwrap_or(Err(SinkError::Timeout));
        if let Err(error) = outcome {
            metrics::counter!("certwright_audit_shipping_failures_total", "sink" => name.to_string()).increment(1);
            let state = self.inner.shipping.change(name, |state| state.failures = state.failures.saturating_add(1));
            return Ok(ShippingReport::Failed(error, state.failures));
        }
        self.inner.shipping.change(name, |state| state.failures = 0);
        let mut tx = self.inner.store.begin("audit.shipped").await?;
        for part in &parts {
            match tx.note_audit_shipped(name.as_str(), &part.chain, part.from, part.to, self.now()).await {
                Ok(()) => {}
                // Another node shipped them as well: it had the lease meanwhile.
                Err(certwright_store::Error::Stale { .. }) => {
                    self.inner.shipping.change(name, |state| state.leased_until = None);
                    tx.rollback().await?;
                    return Ok(ShippingReport::Idle);
                }
                Err(error) => return Err(error.into()),
            }
        }
        tx.commit().await?;
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        metrics::counter!("certwright_audit_shipped_events_total", "sink" => name.to_string()).increment(count);
        Ok(ShippingReport::Shipped { events: count, more: u64::try_from(behind).unwrap_or(0) > count })
    }

    /// How far the sinks of this node's configuration are behind, for metrics.
    pub async fn audit_shipping_lag(&self) -> Result<Vec<ShippingLag>, Error> {
        let known = self.inner.sinks.names();
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let mut lag = self.inner.store.read().await?.audit_shipping_lag().await?;
        lag.retain(|one| known.iter().any(|name| name.as_str() == one.sink));
        Ok(lag)
    }

    /// How many sinks do not take the trail: those that fail here, and those that have been behind for long.
    pub async fn audit_sinks_behind(&self) -> Result<u64, Error> {
        let now = self.now();
        let lag = self.audit_shipping_lag().await?;
        let is_late = |name: &ResourceName| {
            let lag = lag.iter().find(|one| one.sink == name.as_str());
            lag.and_then(|one| one.oldest).is_some_and(|oldest| now.ms_since(oldest) > BEHIND.ms())
        };
        let names = self.inner.sinks.names();
        let behind =
            names.iter().filter(|name| self.inner.shipping.state(name).failures >= FAILING || is_late(name)).count();
        Ok(u64::try_from(behind).unwrap_or(u64::MAX))
    }

    /// Gives the leases of shipping back, at shutdown.
    pub(crate) async fn release_shipping(&self) -> Result<(), Error> {
        for name in self.inner.sinks.names() {
            if self.inner.shipping.state(&name).leased_until.is_some() {
                let mut tx = self.inner.store.begin("audit.shipping.release").await?;
                tx.release_lease(&lease(&name), &self.inner.settings.node).await?;
                tx.commit().await?;
                self.inner.shipping.change(&name, |state| state.leased_until = None);
            }
        }
        Ok(())
    }

    async fn shipped_to(&self, name: &ResourceName, from_now: bool) -> Result<Vec<Shipped>, Error> {
        let mut read = self.inner.store.read().await?;
        let shipped = read.audit_shipped(name.as_str()).await?;
        if !shipped.is_empty() {
            return Ok(shipped);
        }
        drop(read);
        let mut tx = self.inner.store.begin("audit.shipping").await?;
        tx.begin_audit_shipping(name.as_str(), from_now, self.now()).await?;
        tx.commit().await?;
        Ok(self.inner.store.read().await?.audit_shipped(name.as_str()).await?)
    }

    async fn keep_shipping_lease(&self, name: &ResourceName) -> Result<Lease, Error> {
        let now = self.now();
        let held = self.inner.shipping.state(name).leased_until.filter(|until| *until > now);
        if held.is_some_and(|until| until.ms_since(now) > LEASE_LEFT.ms()) {
            return Ok(Lease::Kept);
        }
        let until = now.plus(LEASE_FOR);
        let mut tx = self.inner.store.begin("audit.shipping.lease").await?;
        let ours = tx.acquire_lease(&lease(name), &self.inner.settings.node, now, until).await?;
        tx.commit().await?;
        self.inner.shipping.change(name, |state| state.leased_until = ours.then_some(until));
        Ok(match (ours, held) {
            (false, _) => Lease::Taken,
            (true, Some(_)) => Lease::Kept,
            (true, None) => Lease::New,
        })
    }

    /// The next events, chain by chain. Every chain gets its share, so none waits until another one is done.
    async fn next_batch(&self, mut shipped: Vec<Shipped>) -> Result<(Vec<SinkEvent>, Vec<Part>), Error> {
        shipped.retain(|one| one.end > one.sequence);
        let chains = u32::try_from(shipped.len()).unwrap_or(BATCH);
        let share = BATCH.checked_div(chains).unwrap_or(BATCH).max(1);
        let (mut events, mut parts) = (Vec::<SinkEvent>::new(), Vec::new());
        let mut bytes = 0_usize;
        let mut read = self.inner.store.read().await?;
        for Shipped { chain, sequence, .. } in shipped {
            let (mut to, mut left) = (sequence, share);
            while left > 0 && bytes < BYTES {
                let part = read.audit_chain_part(&chain, to, left.min(READ)).await?;
                let Some(last) = part.last() else { break };
                to = last.sequence;
                left = left.saturating_sub(u32::try_from(part.len()).unwrap_or(left));
                for event in part.iter().map(export::for_sink) {
                    bytes = bytes.saturating_add(event.line.len());
                    events.push(event);
                }
            }
            if to > sequence {
                parts.push(Part { chain, from: sequence, to });
            }
        }
        Ok((events, parts))
    }
}

enum Lease {
    /// It was ours already.
    Kept,
    /// It is ours now.
    New,
    /// Another node has it.
    Taken,
}

fn lease(sink: &ResourceName) -> String {
    format!("audit-shipping/{sink}")
}
