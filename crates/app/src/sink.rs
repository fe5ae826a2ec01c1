//! Sinks of the audit trail: files and syslog receivers that the operator has set up. The server brings the real ones; tests
//! bring one that fails when they want.

use async_trait::async_trait;
use certwright_domain::name::ResourceName;
use certwright_domain::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An audit event as sinks get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkEvent {
    /// When it was written.
    pub at: Timestamp,
    /// What was done, for example `certificate.issue`.
    pub action: String,
    /// Was it done? False: it was refused, or it failed.
    pub succeeded: bool,
    /// The event as one line of JSON, as it stands in an export, without a line feed.
    pub line: String,
    /// The same without `details`, for receivers that do not take the whole; it cannot be verified any more.
    pub short: String,
}

/// Why events were not taken. The texts are ours; nothing of what the other side said is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// Nobody takes connections or datagrams there.
    #[error("no connection to the receiver")]
    Unreachable,
    /// The way there is not trusted.
    #[error("no TLS connection: {0}")]
    Tls(&'static str),
    /// They were not taken in time.
    #[error("not taken in time")]
    Timeout,
    /// The connection broke before the receiver had read everything.
    #[error("the connection broke before the receiver had read everything")]
    Broken,
    /// The receiver said something; those of syslog do not.
    #[error("the receiver answered, which receivers of syslog do not")]
    Answered,
    /// A write from before has not come back yet.
    #[error("an earlier write to the file has not come back yet")]
    Busy,
    /// It is no plain file.
    #[error("it is not a regular file")]
    NotAFile,
    /// The file system refused.
    #[error("the file could not be written: {0}")]
    File(std::io::ErrorKind),
}

/// A place that the audit trail is shipped to.
///
/// **Contract.** When [`AuditSink::ship`] returns without error, the place has taken every event, as durably as it can tell
/// us. After an error, or when the future is dropped, any of them may or may not have arrived; all are shipped again. Calls
/// are made one after the other, with events in the order of their chains.
#[async_trait]
pub trait AuditSink: Send + Sync {
    /// Hands events over.
    async fn ship(&self, events: &[SinkEvent]) -> Result<(), SinkError>;
}

/// A sink of the configuration.
#[derive(Clone)]
pub struct ConfiguredSink {
    /// The place.
    pub sink: Arc<dyn AuditSink>,
    /// Does it get only what is written after it was set up? Otherwise everything from the first link of each chain.
    pub from_now: bool,
}

/// The sinks by name.
#[derive(Clone, Default)]
pub struct Sinks(Arc<BTreeMap<ResourceName, ConfiguredSink>>);

impl Sinks {
    /// These.
    pub fn new(sinks: impl IntoIterator<Item = (ResourceName, ConfiguredSink)>) -> Self {
        Self(Arc::new(sinks.into_iter().collect()))
    }

    /// The names, in the order of the alphabet.
    pub(crate) fn names(&self) -> Vec<ResourceName> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn get(&self, name: &ResourceName) -> Option<&ConfiguredSink> {
        self.0.get(name)
    }
}
