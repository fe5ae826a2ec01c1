//! Targets of publication: folders and buckets that the operator has set up. The server brings the real ones; tests bring
//! one that fails when they want.

use async_trait::async_trait;
use bytes::Bytes;
use certwright_domain::name::ResourceName;
use certwright_domain::publication::ObjectName;
use certwright_domain::time::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetObject {
    /// Its name.
    pub name: ObjectName,
    /// Its media type.
    pub content_type: &'static str,
    /// How long readers may keep a copy (`Cache-Control: max-age`).
    pub keep_for: Span,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Why an object was not written. The texts are ours; nothing of what the other side said is in them, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The configuration has no such target (any more).
    #[error("there is no target `{0}` in the configuration")]
    Unknown(ResourceName),
    /// No policy lets the CA write there.
    #[error("no policy lets the CA manage objects: its statement is in the policy `service` from the start")]
    NotAllowed,
    /// Nobody accepts connections there.
    #[error("no connection to the bucket's server")]
    Unreachable,
    /// The way there is not trusted.
    #[error("no TLS connection: {0}")]
    Tls(&'static str),
    /// The object was not written in time.
    #[error("not written in time")]
    Timeout,
    /// The server wants other credentials, or does not let us write.
    #[error("the bucket's server refused our credentials or our right to write")]
    Refused,
    /// There is no such bucket, or no such folder.
    #[error("the bucket or folder does not exist")]
    Missing,
    /// The server answered something else.
    #[error("the bucket's server answered with status {0}")]
    Status(u16),
    /// Something that is not an answer came back.
    #[error("the bucket's server answered something that is not understood")]
    Malformed,
    /// The file system refused.
    #[error("the file could not be written: {0}")]
    File(std::io::ErrorKind),
}

/// A place for objects.
///
/// **Contract.** Readers see the object before or the new one, never a part. When [`Target::put`] returns without error, the
/// object is there as durably as the place can make it. A call whose future is dropped may or may not take effect. Calls may
/// be made at the same time, for one name one after the other. Names never lead out of the place.
#[async_trait]
pub trait Target: Send + Sync {
    /// Writes an object in place of the one before.
    async fn put(&self, object: &TargetObject) -> Result<(), TargetError>;
}

/// The targets by name.
#[derive(Clone, Default)]
pub struct Targets(Arc<BTreeMap<ResourceName, Arc<dyn Target>>>);

impl Targets {
    /// These.
    pub fn new(targets: impl IntoIterator<Item = (ResourceName, Arc<dyn Target>)>) -> Self {
        Self(Arc::new(targets.into_iter().collect()))
    }

    /// The names, in the order of the alphabet.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(ResourceName::as_str).collect()
    }

    pub(crate) fn get(&self, name: &ResourceName) -> Result<&dyn Target, TargetError> {
        self.0.get(name).map(|target| &**target).ok_or_else(|| TargetError::Unknown(name.clone()))
    }
}
