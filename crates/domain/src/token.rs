//! API tokens as they are stored: never the token itself, only its hash.

use crate::id::{CertificateTrustId, IdentityProviderId, TokenId};
use crate::name::ResourceName;
use crate::serial::Sha256;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// A token's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Id; part of the token's text, so that it can be found without a scan.
    pub id: TokenId,
    /// Name, unique among tokens that are not revoked.
    pub name: ResourceName,
    /// Whom it speaks for: a user, or what the audit trail calls a machine, which is never a name of a user.
    pub user: String,
    /// The machine that it speaks for; `None`: it is a user's.
    pub workload: Option<Workload>,
    /// What it is narrowed to, as written; empty: all that its user may do.
    pub scopes: Vec<String>,
    /// SHA-256 of the DER of the client certificate that it is good with alone (RFC 8705 section 3); `None`: it is a bearer
    /// token.
    pub bound_to: Option<Sha256>,
    /// SHA-256 of the secret part.
    pub secret_sha256: Sha256,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<Timestamp>,
}

/// A machine, as the one that vouches for it tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Who vouches for it.
    pub voucher: Voucher,
    /// What it is called, for people.
    pub subject: String,
    /// Canonical names of the groups that the trust puts it into.
    pub groups: Vec<String>,
    /// What is known of it, for `request.claim.*`.
    pub claims: BTreeMap<String, Vec<String>>,
    /// Patterns of the names that it may ask for, on top of all policies; `None`: policies alone decide.
    pub names: Option<Vec<String>>,
}

/// Who vouches for a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voucher {
    /// An identity provider.
    Provider(IdentityProviderId),
    /// A certificate of ours, by a trust.
    Certificate {
        /// The trust.
        trust: CertificateTrustId,
        /// SHA-256 of the certificate's DER.
        fingerprint: Sha256,
    },
}

impl Token {
    /// May it be used at `now`?
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_until_its_end_or_its_revocation() {
        let at = Timestamp::from_unix_s;
        let token = Token {
            id: TokenId::new(at(0), [0; 10]),
            name: ResourceName::parse("ci").unwrap(),
            user: "deployer".into(),
            workload: None,
            scopes: Vec::new(),
            bound_to: None,
            secret_sha256: Sha256([0; 32]),
            created_at: at(0),
            expires_at: Some(at(100)),
            revoked_at: None,
            last_used_at: None,
        };
        assert!(token.is_live(at(99)));
        assert!(!token.is_live(at(100)));
        assert!(Token { expires_at: None, ..token.clone() }.is_live(at(1_000_000)));
        assert!(
            !Token { revoked_at: Some(at(50)), ..token }.is_live(at(40)),
            "revoked is revoked, whatever the clock says"
        );
    }
}
