//! Issued certificates: one row for every X.509 certificate that a CA of ours ever signed.

use crate::algorithm::named_enum;
use crate::id::{CaId, IssuedId};
use crate::revocation::Revocation;
use crate::san::San;
use crate::serial::{Serial, Sha256};
use crate::time::Timestamp;
use crate::validity::Validity;

named_enum! {
    /// What an issued certificate is.
    IssuedKind, "invalid_kind", "certificate kind" {
        /// End-entity certificate.
        Leaf = "LEAF",
        /// CA certificate.
        Ca = "CA",
    }
}

named_enum! {
    /// Status of an issued certificate at a given time.
    IssuedStatus, "invalid_status", "certificate status" {
        /// Within its validity and not revoked (or not yet valid).
        Valid = "VALID",
        /// Past notAfter, not revoked.
        Expired = "EXPIRED",
        /// Revoked.
        Revoked = "REVOKED",
    }
}

/// What a CA knows of one of its serials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SerialStanding {
    /// The version of the CA that signed; `None`: the CA gave the serial away before it came here.
    pub ca_version: Option<u32>,
    /// Revocation.
    pub revocation: Option<Revocation>,
}

/// What stands before the id of an enrolment token, as a requester.
pub const ENROLLED: &str = "enrollment:";
/// What stands before the id of a certificate that has itself renewed, as a requester.
pub const RENEWED: &str = "certificate:";

/// A row of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// Id; grows with time of issue, lists are ordered by it.
    pub id: IssuedId,
    /// Leaf or CA.
    pub kind: IssuedKind,
    /// The CA that signed.
    pub ca_id: CaId,
    /// Its name when it signed.
    pub ca_name: String,
    /// The version of the CA that signed.
    pub ca_version: u32,
    /// Serial; unique per CA.
    pub serial: Serial,
    /// SHA-256 of the DER; unique.
    pub fingerprint: Sha256,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: Sha256,
    /// The subject as text.
    pub subject: String,
    /// The first commonName, or empty.
    pub common_name: String,
    /// Subject alternative names.
    pub names: Vec<San>,
    /// Name of the profile; empty for CA certificates.
    pub profile: String,
    /// Name of the key algorithm.
    pub key_algorithm: String,
    /// Validity.
    pub validity: Validity,
    /// When it is due.
    pub renew_at: Timestamp,
    /// Who asked: `token:<id>`, `system`.
    pub requester: String,
    /// The requester's name.
    pub requester_name: String,
    /// Id of the request.
    pub request_id: String,
    /// DER.
    pub certificate: Vec<u8>,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// Revocation.
    pub revocation: Option<Revocation>,
}

impl IssuedCertificate {
    /// May its holder have it renewed? What began with an enrolment token may: whoever made that gave the names away. What was
    /// issued by leave of policies, or for proof of control, is issued anew in the same way or not at all.
    pub fn renews_itself(&self) -> bool {
        self.kind == IssuedKind::Leaf && [ENROLLED, RENEWED].iter().any(|prefix| self.requester.starts_with(prefix))
    }

    /// Status at `now`.
    pub fn status(&self, now: Timestamp) -> IssuedStatus {
        if self.revocation.is_some() {
            IssuedStatus::Revoked
        } else if now.floor_to_second() > self.validity.not_after() {
            IssuedStatus::Expired
        } else {
            IssuedStatus::Valid
        }
    }
}
