//! The statements about how far the audit trail was shipped to sinks.

use crate::Error;
use async_trait::async_trait;
use certwright_domain::audit::StoredAuditEvent;
use certwright_domain::time::Timestamp;

type Result<T> = std::result::Result<T, Error>;

/// How far a sink has been given a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipped {
    /// The chain.
    pub chain: String,
    /// Sequence of the last link that was taken; 0: none yet.
    pub sequence: i64,
    /// Where the chain ends.
    pub end: i64,
}

/// How far a sink is behind the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShippingLag {
    /// The sink.
    pub sink: String,
    /// Events that it has not been given.
    pub events: u64,
    /// When the oldest of them was written.
    pub oldest: Option<Timestamp>,
}

/// How far the audit trail was shipped.
#[async_trait]
pub trait ShippingQueries: Send {
    /// How far a sink has been given each chain, by chain. Empty: nothing was begun.
    async fn audit_shipped(&mut self, sink: &str) -> Result<Vec<Shipped>>;
    /// Begins with every chain that the sink has not been given yet: at its first link, or behind what is there now.
    async fn begin_audit_shipping(&mut self, sink: &str, from_now: bool, now: Timestamp) -> Result<()>;
    /// Notes that a sink was given a chain from behind `from` up to `to`; [`Error::Stale`] when somebody else noted something
    /// meanwhile.
    async fn note_audit_shipped(&mut self, sink: &str, chain: &str, from: i64, to: i64, now: Timestamp) -> Result<()>;
    /// At most `limit` links of a chain behind this sequence, in order.
    async fn audit_chain_part(&mut self, chain: &str, after: i64, limit: u32) -> Result<Vec<StoredAuditEvent>>;
    /// How far every sink is behind, those included that are not in the configuration any more.
    async fn audit_shipping_lag(&mut self) -> Result<Vec<ShippingLag>>;
}
