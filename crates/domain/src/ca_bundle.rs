//! CA bundles: named sets of foreign CA certificates, for those who must trust others than our own CAs.

use crate::id::CaBundleId;
use crate::name::ResourceName;
use crate::profile;
use crate::time::Timestamp;
use crate::violation::Invalid;

/// Most certificates of one bundle.
pub const MAX_CERTIFICATES: usize = 100;

/// A named set of foreign CA certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle {
    /// Id.
    pub id: CaBundleId,
    /// Name, unique among bundles.
    pub name: ResourceName,
    /// For people.
    pub description: String,
    /// Certificates, DER, each once ([`distinct`]), in the order they were given.
    pub certificates: Vec<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

/// Reads a bundle's description; the rule is that of profiles.
pub fn description(text: &str) -> Result<String, Invalid> {
    profile::description(text)
}

/// The certificates without repetitions, each at its first place.
pub fn distinct(certificates: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for der in certificates {
        // A list of at most [`MAX_CERTIFICATES`]: looking through it is cheaper than hashing.
        if !kept.contains(&der) {
            kept.push(der);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_go_and_the_order_stays() {
        let given = [vec![2], vec![1], vec![2], vec![3], vec![1]];
        assert_eq!(distinct(given), [vec![2], vec![1], vec![3]]);
        assert!(distinct([]).is_empty());
    }

    #[test]
    fn descriptions_are_bounded_text() {
        assert_eq!(description("of\npartners").unwrap(), "of\npartners");
        assert_eq!(description("").unwrap(), "");
        assert_eq!(description("\u{7}").unwrap_err().code, "invalid_description");
        assert_eq!(description(&"x".repeat(501)).unwrap_err().code, "invalid_description");
    }
}
