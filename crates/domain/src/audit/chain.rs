//! The hash chain of the audit trail.
//!
//! Every row names the hash of the row before it in its chain. The hash of a row is SHA-256 over its *encoding*: the text
//! `certwright audit event 1` and a line feed, then every field as four bytes of length (big-endian) and its bytes, in this
//! order: chain, sequence, previous hash, id, time, actor, actor's name, door, address, action, kind of target, id of
//! target, name of target, what decided, outcome, request id, details. Texts are UTF-8, exactly as stored; sequence and
//! time (milliseconds since 1970) are eight bytes, big-endian two's complement; the previous hash is 32 bytes, zeros for
//! the first row. Lengths stand before the fields, so no two rows have one encoding.

use super::{AuditEvent, StoredAuditEvent};
use crate::serial::Sha256;

/// What every encoding begins with.
const BEGINNING: &[u8] = b"certwright audit event 1\n";
/// The hash that the first row of a chain names.
pub const GENESIS: Sha256 = Sha256([0; 32]);

/// The last row of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The chain.
    pub chain: String,
    /// Sequence of its last row; 0: it has none yet.
    pub sequence: i64,
    /// Hash of its last row; [`GENESIS`] when it has none yet.
    pub hash: Sha256,
}

/// A row's place in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Sequence, from 1.
    pub sequence: i64,
    /// Hash of the row before.
    pub previous: Sha256,
    /// Hash of the row.
    pub hash: Sha256,
}

impl Head {
    /// The head of a chain without rows.
    pub fn new(chain: impl Into<String>) -> Self {
        Self { chain: chain.into(), sequence: 0, hash: GENESIS }
    }

    /// Puts an event at the end; `sha256` hashes.
    pub fn append(&mut self, event: &AuditEvent, sha256: impl Fn(&[u8]) -> Sha256) -> Link {
        let sequence = self.sequence.saturating_add(1);
        let address = event.address.map_or_else(String::new, |address| address.to_string());
        let texts = [
            event.actor.as_str(),
            &event.actor_name,
            event.door,
            &address,
            event.action,
            event.target_kind,
            &event.target_id,
            &event.target_name,
            &event.decided_by,
            event.outcome.as_str(),
            &event.request_id,
            &event.details,
        ];
        let place = (self.chain.as_str(), sequence, &self.hash);
        let hash = sha256(&encode(place, event.id.as_str(), event.at.unix_ms(), texts));
        let link = Link { sequence, previous: self.hash, hash };
        (self.sequence, self.hash) = (sequence, hash);
        link
    }
}

/// The hash that a stored event should have, by what it says.
pub fn hash_of(event: &StoredAuditEvent, sha256: impl Fn(&[u8]) -> Sha256) -> Sha256 {
    let texts = [
        event.actor.as_str(),
        &event.actor_name,
        &event.door,
        &event.address,
        &event.action,
        &event.target_kind,
        &event.target_id,
        &event.target_name,
        &event.decided_by,
        &event.outcome,
        &event.request_id,
        &event.details,
    ];
    let previous = event.previous_hash.unwrap_or(GENESIS);
    let place = (event.chain.as_str(), event.sequence, &previous);
    sha256(&encode(place, event.id.as_str(), event.at.unix_ms(), texts))
}

fn encode((chain, sequence, previous): (&str, i64, &Sha256), id: &str, at: i64, texts: [&str; 12]) -> Vec<u8> {
    let length: usize = texts.iter().map(|text| text.len()).fold(0, usize::saturating_add);
    let mut out = Vec::with_capacity(length.saturating_add(256));
    out.extend_from_slice(BEGINNING);
    let mut field = |bytes: &[u8]| {
        // No field comes near 4 GiB: bodies are bounded.
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    field(chain.as_bytes());
    field(&sequence.to_be_bytes());
    field(&previous.0);
    field(id.as_bytes());
    field(&at.to_be_bytes());
    texts.iter().for_each(|text| field(text.as_bytes()));
    out
}
