//! Reasons for revocation (RFC 5280 section 5.3.1).

use crate::algorithm::named_enum;

named_enum! {
    /// Why a certificate was revoked. `removeFromCRL` is not a reason to ask for.
    RevocationReason, "invalid_revocation_reason", "revocation reason" {
        /// No reason given (0).
        Unspecified = "unspecified",
        /// The private key is known to others (1).
        KeyCompromise = "keyCompromise",
        /// The issuer's key is known to others (2).
        CaCompromise = "cACompromise",
        /// The subject's affiliation changed (3).
        AffiliationChanged = "affiliationChanged",
        /// Replaced by another certificate (4).
        Superseded = "superseded",
        /// No longer needed (5).
        CessationOfOperation = "cessationOfOperation",
        /// A privilege was withdrawn (9).
        PrivilegeWithdrawn = "privilegeWithdrawn",
        /// The attribute authority's key is known to others (10).
        AaCompromise = "aACompromise",
    }
}

/// A revocation that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: crate::time::Timestamp,
    /// Why.
    pub reason: RevocationReason,
}
