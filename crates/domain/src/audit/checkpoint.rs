//! Checkpoints: signed statements of where the chains stood.
//!
//! What is signed is a text of lines, each ended by a line feed:
//!
//! ```text
//! certwright audit checkpoint 1
//! number 7
//! at 1795176000000
//! previous <hash of the checkpoint before, 64 hex digits; zeros for the first>
//! key 1
//! before 12 audit_01JD8XK4M2W7Z3T5V9YQ6B1C0D
//! head 01 1234 <hash of that row, 64 hex digits>
//! ```
//!
//! `before` counts the events that were written before there were chains and names the last one (`-`: there is none).
//! There is one `head` for each chain that has rows, in order of their names. The hash of a checkpoint is the SHA-256 of
//! its text.

use super::chain::Head;
use crate::serial::Sha256;
use crate::time::Timestamp;

const BEGINNING: &str = "certwright audit checkpoint 1";

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number, from 1.
    pub number: i64,
    /// When it was made.
    pub at: Timestamp,
    /// Hash of the checkpoint before; zeros for the first.
    pub previous: Sha256,
    /// Version of the key that signs it.
    pub key: u32,
    /// Events from before there were chains, and the id of the last one.
    pub before: Before,
    /// Where the chains stood, by name.
    pub heads: Vec<Head>,
}

/// The events that were written before there were chains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Before {
    /// How many.
    pub count: i64,
    /// Id of the last one; empty: there is none.
    pub last: String,
}

/// A checkpoint as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Number, as its text says.
    pub number: i64,
    /// The text that was signed.
    pub statement: String,
    /// The signature over it: ECDSA P-256 with SHA-256, DER.
    pub signature: Vec<u8>,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn statement(&self) -> String {
        let Self { number, at, previous, key, before, heads } = self;
        let last = if before.last.is_empty() { "-" } else { &before.last };
        let heads: String =
            heads.iter().map(|Head { chain, sequence, hash }| format!("head {chain} {sequence} {hash}\n")).collect();
        format!(
            "{BEGINNING}\nnumber {number}\nat {}\nprevious {previous}\nkey {key}\nbefore {} {last}\n{heads}",
            at.unix_ms(),
            before.count
        )
    }

    /// Reads a text; `None` for any other than [`Checkpoint::statement`] writes.
    pub fn read(statement: &str) -> Option<Self> {
        let mut lines = statement.lines();
        lines.next().filter(|line| *line == BEGINNING)?;
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let number = value("number")?.parse().ok()?;
        let at = Timestamp::from_unix_ms(value("at")?.parse().ok()?);
        let previous = Sha256::parse(value("previous")?).ok()?;
        let key = value("key")?.parse().ok()?;
        let (count, last) = value("before")?.split_once(' ')?;
        let last = if last == "-" { String::new() } else { last.to_owned() };
        let before = Before { count: count.parse().ok()?, last };
        let heads = lines.map(read_head).collect::<Option<_>>()?;
        let read = Self { number, at, previous, key, before, heads };
        // One text for one meaning.
        (read.statement() == statement).then_some(read)
    }
}

fn read_head(line: &str) -> Option<Head> {
    let mut parts = line.strip_prefix("head ")?.split(' ');
    let (chain, sequence, hash) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Head { chain: chain.to_owned(), sequence: sequence.parse().ok()?, hash: Sha256::parse(hash).ok()? })
}
