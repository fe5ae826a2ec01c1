//! Named sets of foreign CA certificates.

use crate::id::CaBundleId;
use crate::name::ResourceName;
use crate::time::Timestamp;

/// Most certificates in one bundle; Mozilla's list has about 150.
pub const MAX_BUNDLE_CERTIFICATES: usize = 500;

/// A named set of foreign CA certificates, for those who must trust them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle {
    /// Id.
    pub id: CaBundleId,
    /// Name, unique among bundles.
    pub name: ResourceName,
    /// For people.
    pub description: String,
    /// DER, in the order given, each once.
    pub certificates: Vec<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}
