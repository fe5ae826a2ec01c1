//! Identifiers: `<kind>_<ULID>`, one type per kind, so that a vault's id cannot be passed as a key's.

use crate::time::Timestamp;
use crate::violation::Invalid;
use std::fmt;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Ten random bytes that make an id unique within its millisecond.
pub type IdEntropy = [u8; 10];

fn encode(at: Timestamp, entropy: IdEntropy) -> String {
    let ms = u128::from(at.unix_ms().max(0).unsigned_abs());
    let bits = entropy.iter().fold(ms, |bits, byte| (bits << 8) | u128::from(*byte));
    (0..130_u32)
        .step_by(5)
        .rev()
        .filter_map(|shift| CROCKFORD.get(usize::try_from((bits >> shift) & 31).ok()?))
        .map(|symbol| char::from(*symbol))
        .collect()
}

fn is_ulid(text: &str) -> bool {
    text.len() == 26
        // The symbols of `CROCKFORD`: all digits, and all letters but I, L, O and U.
        && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'H' | b'J' | b'K' | b'M' | b'N' | b'P'..=b'T' | b'V'..=b'Z'))
        && text.bytes().next().is_some_and(|first| first <= b'7')
}

/// Does the text look like an id of any kind? Such a text cannot be a resource name.
pub fn looks_like_id(text: &str) -> bool {
    text.split_once('_')
        .is_some_and(|(kind, ulid)| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase()) && is_ulid(ulid))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The kind that stands before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id from the time (milliseconds) and ten random bytes.
            pub fn new(at: Timestamp, entropy: IdEntropy) -> Self {
                Self([concat!($prefix, "_"), &encode(at, entropy)].concat())
            }

            /// Reads an id; the kind must be this one.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                match text.split_once('_') {
                    Some(($prefix, ulid)) if is_ulid(ulid) => Ok(Self(text.to_owned())),
                    _ => Err(Invalid::new(
                        "invalid_id",
                        format!("`{}` is not an id of the kind `{}`.", text.escape_debug(), $prefix),
                        concat!("An id looks like `", $prefix, "_01JD8XK4M2W7Z3T5V9YQ6B1C0D`."),
                    )),
                }
            }

            /// The id with this ULID; `None`: it is none.
            pub fn of_ulid(ulid: &str) -> Option<Self> {
                is_ulid(ulid).then(|| Self([concat!($prefix, "_"), ulid].concat()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(/// Id of a vault.
    VaultId, "vault");
id!(/// Id of a master key.
    KeyId, "key");
id!(/// Id of a certificate authority.
    CaId, "ca");
id!(/// Id of a profile.
    ProfileId, "profile");
id!(/// Id of a CA bundle.
    CaBundleId, "cabundle");
id!(/// Id of an issued-certificate row.
    IssuedId, "issued");
id!(/// Id of an API token.
    TokenId, "token");
id!(/// Id of an audit event.
    AuditId, "audit");
id!(/// Id of a signing intent (a CA certificate about to be signed).
    IntentId, "intent");
id!(/// Id of a managed certificate.
    CertificateId, "certificate");
id!(/// Id of an attempt to renew something.
    AttemptId, "attempt");
id!(/// Id of a certificate revocation list.
    CrlId, "crl");
id!(/// Id of an event.
    EventId, "event");
id!(/// Id of a webhook.
    WebhookId, "webhook");
id!(/// Id of the delivery of an event, unique within its webhook.
    DeliveryId, "delivery");
id!(/// Id of a compartment.
    CompartmentId, "compartment");
id!(/// Id of a policy.
    PolicyId, "policy");
id!(/// Id of a user.
    UserId, "user");
id!(/// Id of a group of users.
    GroupId, "group");
id!(/// Id of a dynamic group.
    DynamicGroupId, "dynamicgroup");
id!(/// Id of an identity provider.
    IdentityProviderId, "idp");
id!(/// Id of a trust for client certificates.
    CertificateTrustId, "certtrust");
id!(/// Id of an enrolment token.
    EnrollmentTokenId, "enrollment");
id!(/// Id of a call to renew early.
    EarlyRenewalId, "earlyrenewal");
id!(/// Id of an ACME directory.
    AcmeDirectoryId, "acmedirectory");
id!(/// Id of an ACME account.
    AcmeAccountId, "acmeaccount");
id!(/// Id of a key for external account bindings; the `kid` of ACME clients.
    EabKeyId, "eabkey");
id!(/// Id of an ACME order.
    AcmeOrderId, "acmeorder");
id!(/// Id of an ACME authorization.
    AcmeAuthorizationId, "acmeauthz");

impl CompartmentId {
    /// The id of the tenancy: the root of the tree, there from the start.
    pub fn tenancy() -> Self {
        Self(format!("{}_{:0>26}", Self::PREFIX, 0))
    }

    /// Is it the tenancy's?
    pub fn is_tenancy(&self) -> bool {
        *self == Self::tenancy()
    }
}

impl DeliveryId {
    /// The id of the delivery of an event: the same for every webhook, so that an event has one delivery to each.
    pub fn of(event: &EventId) -> Self {
        let ulid = event.0.strip_prefix(EventId::PREFIX).unwrap_or_default();
        Self(format!("{}{ulid}", Self::PREFIX))
    }

    /// The event that is delivered.
    pub fn event(&self) -> EventId {
        let ulid = self.0.strip_prefix(Self::PREFIX).unwrap_or_default();
        EventId(format!("{}{ulid}", EventId::PREFIX))
    }
}

impl UserId {
    /// The id of the user `admin`, which is there from the start.
    pub fn admin() -> Self {
        Self(format!("{}_{:0>26}", Self::PREFIX, 1))
    }
}

impl GroupId {
    /// The id of the group `administrators`, which is there from the start.
    pub fn administrators() -> Self {
        Self(format!("{}_{:0>26}", Self::PREFIX, 1))
    }
}

impl PolicyId {
    /// The id of the policy `administrators`, which is there from the start.
    pub fn administrators() -> Self {
        Self(format!("{}_{:0>26}", Self::PREFIX, 1))
    }
}

#[cfg(test)]
mod tests;
