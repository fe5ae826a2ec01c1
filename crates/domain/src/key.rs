//! Vaults and master keys as they are stored.

use crate::algorithm::{KeyAlgorithm, named_enum};
use crate::id::{KeyId, VaultId};
use crate::name::ResourceName;
use crate::time::{Span, Timestamp};
use crate::violation::Invalid;

named_enum! {
    /// State of a vault.
    VaultState, "invalid_state", "vault state" {
        /// In use.
        Active = "ACTIVE",
        /// Deletion is scheduled.
        PendingDeletion = "PENDING_DELETION",
        /// Gone; key material destroyed.
        Deleted = "DELETED",
    }
}

named_enum! {
    /// State of a master key.
    KeyState, "invalid_state", "key state" {
        /// May be used.
        Enabled = "ENABLED",
        /// May not be used until enabled again.
        Disabled = "DISABLED",
        /// Deletion is scheduled; may not be used.
        PendingDeletion = "PENDING_DELETION",
        /// Gone; key material destroyed.
        Deleted = "DELETED",
    }
}

named_enum! {
    /// Where a master key lives.
    Protection, "invalid_protection", "protection" {
        /// Sealed at rest, used in process.
        Software = "SOFTWARE",
        /// Made in a PKCS#11 token and never leaving it.
        Hsm = "HSM",
    }
}

/// Days that may lie between asking for a deletion and its end, for vaults, keys and CAs.
pub const DELETION_DAYS: (i64, i64) = (7, 30);

/// When a deletion that was asked for at `now` becomes final. `at`: the wish; `None` means the longest wait.
pub fn deletion_time(now: Timestamp, at: Option<Timestamp>) -> Result<Timestamp, Invalid> {
    deletion_between(now, at, DELETION_DAYS)
}

/// The same between any two numbers of days.
pub(crate) fn deletion_between(
    now: Timestamp,
    at: Option<Timestamp>,
    (shortest, longest): (i64, i64),
) -> Result<Timestamp, Invalid> {
    let (min, max) = (now.plus(Span::from_days(shortest)), now.plus(Span::from_days(longest)));
    match at {
        None => Ok(max),
        // A minute of grace at both ends: callers compute "7 days from now" on their own clocks.
        Some(at) if at.plus(Span::from_minutes(1)) >= min && at <= max.plus(Span::from_minutes(1)) => Ok(at),
        Some(at) => Err(Invalid::new(
            "invalid_deletion_time",
            format!("The deletion time {at} is not between {shortest} and {longest} days from now."),
            format!("Choose a time between {min} and {max}."),
        )),
    }
}

/// A sealed secret as storage keeps it: opaque bytes that name the sealing key they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBlob(pub Vec<u8>);

/// A vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// Id.
    pub id: VaultId,
    /// Name, unique among vaults until deletion is final.
    pub name: ResourceName,
    /// State.
    pub state: VaultState,
    /// Made by the server for its own TLS; not listed unless asked for.
    pub system: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When deletion becomes final.
    pub deletion_at: Option<Timestamp>,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

/// One version of a vault's key-encryption key, sealed under the root key. The highest number seals; all open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKeyVersion {
    /// The vault.
    pub vault_id: VaultId,
    /// Number, from 1.
    pub number: u32,
    /// Which root key sealed it.
    pub root_key_id: String,
    /// The sealed key.
    pub sealed: SealedBlob,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Id.
    pub id: KeyId,
    /// The vault it lies in.
    pub vault_id: VaultId,
    /// Name, unique in its vault until deletion is final.
    pub name: ResourceName,
    /// Algorithm and size.
    pub algorithm: KeyAlgorithm,
    /// Where it lives.
    pub protection: Protection,
    /// State.
    pub state: KeyState,
    /// State to go back to when a deletion is cancelled.
    pub state_before_deletion: Option<KeyState>,
    /// The CA that it belongs to; a key serves one CA only.
    pub used_by_ca: Option<crate::id::CaId>,
    /// Number of the newest version; that one is used for new work.
    pub latest_version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When deletion becomes final.
    pub deletion_at: Option<Timestamp>,
    /// Grows with every change; the ETag.
    pub revision: i64,
}

/// One version of a master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersion {
    /// The key.
    pub key_id: KeyId,
    /// Number, from 1.
    pub number: u32,
    /// Which version of the vault's key sealed it.
    pub vault_key_version: u32,
    /// The sealed private (or symmetric) key; empty once destroyed.
    pub sealed: SealedBlob,
    /// DER SubjectPublicKeyInfo; `None` for AES.
    pub public_key: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletions_wait_seven_to_thirty_days() {
        let now = Timestamp::from_unix_s(1_800_000_000);
        assert_eq!(deletion_time(now, None), Ok(now.plus(Span::from_days(30))));
        let day = Span::from_days(1).s();
        for (seconds, fine) in [
            (7 * day, true),
            (7 * day - 60, true),
            (7 * day - 61, false),
            (30 * day + 60, true),
            (30 * day + 61, false),
            (0, false),
        ] {
            let at = now.plus(Span::from_s(seconds));
            assert_eq!(deletion_time(now, Some(at)).is_ok(), fine, "{seconds}");
        }
    }
}
