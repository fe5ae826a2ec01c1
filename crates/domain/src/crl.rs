//! Certificate revocation lists as they are planned and kept (RFC 5280 section 5).
//!
//! A **series** is the lists that follow each other under one address: those of a CA's version, full or delta, whole or
//! one shard. Every list of a CA holds what was revoked of the whole CA (of its shard), whichever version signed it: the
//! versions share a name, and some verifiers look for a list by the name alone. Numbers come from one counter of the CA.

use crate::algorithm::named_enum;
use crate::id::{CaId, CrlId};
use crate::known_serial::KnownSerial;
use crate::revocation::Revocation;
use crate::serial::{Serial, Sha256};
use crate::time::{Span, Timestamp};
use crate::violation::Invalid;

mod schedule;

pub use schedule::{ClockBehind, Schedule, next_schedule, retry_after, this_update};

named_enum! {
    /// Full or delta.
    CrlKind, "invalid_crl_kind", "kind of revocation list" {
        /// Everything that is revoked.
        Full = "FULL",
        /// What changed since a full list (RFC 5280 section 5.2.4).
        Delta = "DELTA",
    }
}

/// Into how many shards a CA's lists are cut: 1 to 1,024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shards(u16);

impl Shards {
    /// One list of everything.
    pub const ONE: Self = Self(1);
    /// The most.
    pub const MAX: u16 = 1024;

    /// Checks the bounds.
    pub fn new(number: u32) -> Result<Self, Invalid> {
        match u16::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(Invalid::new(
                "invalid_shards",
                format!("Revocation lists cannot be cut into {number} shards."),
                "Choose 1 to 1024.",
            )),
        }
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The shard, from 0, that a place falls into.
    pub fn shard_of(self, place: Place) -> u16 {
        let shard = (u32::from(place.0).saturating_mul(u32::from(self.0))) >> 16;
        u16::try_from(shard).unwrap_or(u16::MAX)
    }

    /// The places that fall into a shard: from the first to the last, both included.
    pub fn places(self, shard: u16) -> (Place, Place) {
        let first = |shard: u32| (shard << 16).div_ceil(u32::from(self.0).max(1));
        let (from, beyond) = (first(u32::from(shard)), first(u32::from(shard).saturating_add(1)));
        let place = |number: u32| Place(u16::try_from(number).unwrap_or(u16::MAX));
        (place(from), place(beyond.saturating_sub(1)))
    }
}

/// Where a serial stands in a list that is cut into shards: its last two bytes, which are random where we drew it and
/// evenly spread where somebody counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u16);

impl Place {
    /// The place of a serial.
    pub fn of(serial: &Serial) -> Self {
        Self(serial.as_bytes().iter().fold(0_u16, |place, byte| (place << 8) | u16::from(*byte)))
    }

    /// As a number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The last of so many places from here on, but not beyond `end`.
    pub fn last_of(self, count: u16, end: Self) -> Self {
        Self(self.0.saturating_add(count.saturating_sub(1))).min(end)
    }

    /// The place after this one; `None` after the last.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// The address of a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrlScope {
    /// The CA.
    pub ca_id: CaId,
    /// The version whose key signs.
    pub ca_version: u32,
    /// Into how many shards it is cut.
    pub shards: Shards,
    /// Which shard, from 0.
    pub shard: u16,
    /// Full or delta.
    pub kind: CrlKind,
}

impl CrlScope {
    /// The series of the full lists that go with it.
    pub fn full(&self) -> Self {
        Self { kind: CrlKind::Full, ..self.clone() }
    }

    /// The path below `/pki/{ca}/{version}/` under which it is served.
    pub fn leaf(&self) -> String {
        let stem = match self.kind {
            CrlKind::Full => "crl",
            CrlKind::Delta => "delta.crl",
        };
        match self.shards {
            Shards::ONE => stem.to_owned(),
            Shards(shards) => format!("{stem}/{shards}/{}", self.shard),
        }
    }
}

/// A series as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlSeries {
    /// Which.
    pub scope: CrlScope,
    /// The list that is served; `None`: none was published yet.
    pub crl_id: Option<CrlId>,
    /// When the next one is wanted; `None`: no further one is made here.
    pub due_at: Option<Timestamp>,
    /// No list is made before.
    pub earliest_at: Timestamp,
    /// When it is to be told that no new list came; `None`: it was told, or there is nothing to wait for.
    pub overdue_at: Option<Timestamp>,
    /// Failed attempts since the last list.
    pub failures: u32,
    /// The last attempt.
    pub last_attempt_at: Option<Timestamp>,
    /// Why it failed.
    pub last_error: Option<String>,
}

impl CrlSeries {
    /// A series that is wanted from now on.
    pub fn new(scope: CrlScope, now: Timestamp) -> Self {
        Self {
            scope,
            crl_id: None,
            due_at: Some(now),
            earliest_at: now,
            overdue_at: Some(now.plus(Span::from_hours(1))),
            failures: 0,
            last_attempt_at: None,
            last_error: None,
        }
    }
}

/// What is known of a list; its bytes are kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crl {
    /// Id.
    pub id: CrlId,
    /// Its series.
    pub scope: CrlScope,
    /// Its number; `None`: an uploaded list without one, or with one beyond 63 bits.
    pub number: Option<i64>,
    /// Number of the full list that a delta list goes with.
    pub base_number: Option<i64>,
    /// The state of the CA's revocations that it shows.
    pub change: i64,
    /// Made elsewhere and uploaded.
    pub uploaded: bool,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// How many entries.
    pub entries: u64,
    /// Bytes of its DER.
    pub size: u64,
    /// SHA-256 of its DER.
    pub sha256: Sha256,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// A row of what lists carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedSerial {
    /// The serial.
    pub serial: Serial,
    /// When the certificate expires; `None`: not known.
    pub expires_at: Option<Timestamp>,
    /// When and why.
    pub revocation: Revocation,
    /// It was on hold and is not any more.
    pub released: bool,
}

impl RevokedSerial {
    /// Of a serial that a CA brought along, where it is revoked.
    pub fn of_known(known: &KnownSerial) -> Option<Self> {
        known.revocation.map(|revocation| Self {
            serial: known.serial.clone(),
            expires_at: known.expires_at,
            revocation,
            released: false,
        })
    }

    /// Does a full list carry it? An entry stays until it stood on one list that was issued after the certificate's expiry
    /// (RFC 5280 section 3.3); `previous`: thisUpdate of the list before.
    pub fn on_full_list(&self, previous: Option<Timestamp>) -> bool {
        let seen_expired = match (self.expires_at, previous) {
            (Some(expires_at), Some(previous)) => previous > expires_at,
            _ => false,
        };
        !self.released && !seen_expired
    }
}

/// The counters of a CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CrlCounters {
    /// Revocations, releases and changes of a reason so far.
    pub change: i64,
    /// Number of the newest list.
    pub number: i64,
    /// How often its lists were ordered anew, by a change of what they show or by hand.
    pub orders: i64,
}

#[cfg(test)]
mod tests;
