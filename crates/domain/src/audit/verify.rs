//! Verifying a trail: the same code for the server and for an export that is verified elsewhere.
//!
//! Tell a [`Verifier`] the checkpoints in the order of their numbers, then the events of each chain in the order in which
//! they lie, then where the chains end. The first fault of every chain is kept: what comes after it in the chain proves
//! nothing.

use super::StoredAuditEvent;
use super::chain::{GENESIS, Head, hash_of};
use super::checkpoint::{Before, Checkpoint, StoredCheckpoint};
use crate::serial::Sha256;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What is wrong with a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A row does not say what it said when it was written.
    Modified,
    /// A row is not there, but later ones of its chain are.
    Missing,
    /// A row stands at a place that is not its own, or is there twice.
    Reordered,
    /// The end of a chain is not there.
    Truncated,
    /// A checkpoint was not made by us, was changed, or one before it is not there.
    ForgedCheckpoint,
}

impl FaultKind {
    /// As text, for the API and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Modified => "MODIFIED",
            Self::Missing => "MISSING",
            Self::Reordered => "REORDERED",
            Self::Truncated => "TRUNCATED",
            Self::ForgedCheckpoint => "FORGED_CHECKPOINT",
        }
    }
}

/// A fault, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The chain; empty for checkpoints and for events from before the chains.
    pub chain: String,
    /// The place in the chain, or the number of the checkpoint.
    pub sequence: i64,
    /// Id of the row, where one is there.
    pub event: Option<String>,
    /// A sentence for people.
    pub detail: String,
}

/// What is needed from outside: cryptography.
pub trait Crypto {
    /// SHA-256.
    fn sha256(&self, bytes: &[u8]) -> Sha256;
    /// Is the signature that of the key's version `key` over `message`?
    fn is_signed(&self, key: u32, message: &[u8], signature: &[u8]) -> bool;
}

/// A verification under way.
pub struct Verifier<'c, C: Crypto + ?Sized> {
    crypto: &'c C,
    chains: BTreeMap<String, Progress>,
    last: Option<(Checkpoint, Sha256)>,
    forged: Option<Fault>,
    events: u64,
    /// Rows that will be told, by chain; `None`: all.
    told: Option<BTreeMap<String, RangeInclusive<i64>>>,
}

/// Every row of a chain, and none: the first has number 1.
const ALL: RangeInclusive<i64> = 0..=i64::MAX;
const NONE: RangeInclusive<i64> = 0..=0;

/// How far a chain was followed.
struct Progress {
    sequence: i64,
    hash: Sha256,
    fault: Option<Fault>,
    /// What checkpoints say of rows that are yet to come.
    expected: BTreeMap<i64, (i64, Sha256)>,
}

impl Progress {
    fn new(sequence: i64, hash: Sha256) -> Self {
        Self { sequence, hash, fault: None, expected: BTreeMap::new() }
    }

    /// A checkpoint says this of a row; the first that does counts.
    fn expect(&mut self, sequence: i64, says: (i64, Sha256), told: &RangeInclusive<i64>) {
        if sequence < *told.start() {
            return;
        }
        if sequence > *told.end() {
            let beyond = self.expected.range(told.end().saturating_add(1)..).next().map(|(known, _)| *known);
            match beyond {
                Some(known) if known <= sequence => return,
                Some(known) => drop(self.expected.remove(&known)),
                None => {}
            }
        }
        self.expected.entry(sequence).or_insert(says);
    }
}

impl<'c, C: Crypto + ?Sized> Verifier<'c, C> {
    /// Begins.
    pub fn new(crypto: &'c C) -> Self {
        Self { crypto, chains: BTreeMap::new(), last: None, forged: None, events: 0, told: None }
    }

    /// Only these rows will be told. Of what checkpoints say of others, one row behind them is kept for each chain: it tells
    /// that the chain was cut off. So memory does not grow with the number of checkpoints. Before the first checkpoint.
    pub fn tell_only(&mut self, rows: BTreeMap<String, RangeInclusive<i64>>) {
        self.told = Some(rows);
    }

    /// How many rows of checkpoints are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.chains.values().map(|progress| progress.expected.len()).sum()
    }

    /// Goes on behind a row of a chain that an earlier verification has reached.
    pub fn resume(&mut self, head: Head) {
        let progress = self.chains.entry(head.chain).or_insert_with(|| Progress::new(0, GENESIS));
        (progress.sequence, progress.hash) = (head.sequence, head.hash);
    }

    /// How many events were found to be as they should be.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The newest checkpoint that holds.
    pub fn last_checkpoint(&self) -> Option<&Checkpoint> {
        self.last.as_ref().map(|(checkpoint, _)| checkpoint)
    }

    /// How far a chain was followed.
    pub fn reached(&self, chain: &str) -> Option<Head> {
        let progress = self.chains.get(chain)?;
        Some(Head { chain: chain.to_owned(), sequence: progress.sequence, hash: progress.hash })
    }

    /// The next checkpoint.
    pub fn checkpoint(&mut self, stored: &StoredCheckpoint) {
        if self.forged.is_some() {
            return;
        }
        let (number, previous) = match &self.last {
            Some((last, hash)) => (last.number.saturating_add(1), *hash),
            None => (1, GENESIS),
        };
        let statement = stored.statement.as_bytes();
        let read = Checkpoint::read(&stored.statement);
        let complaint = match &read {
            _ if stored.number > number => Some(format!("checkpoint {number} is not there")),
            None => Some("its text is not that of a checkpoint".to_owned()),
            Some(read) if !self.crypto.is_signed(read.key, statement, &stored.signature) => {
                Some("its signature is not ours".to_owned())
            }
            Some(read) if read.number != stored.number || read.number != number => {
                Some(format!("it says that its number is {}, {number} is next", read.number))
            }
            Some(read) if read.previous != previous => Some("it names another one before it".to_owned()),
            Some(_) => None,
        };
        match (complaint, read) {
            (None, Some(read)) => {
                for head in &read.heads {
                    let progress = self.chains.entry(head.chain.clone()).or_insert_with(|| Progress::new(0, GENESIS));
                    let told = match &self.told {
                        None => ALL,
                        Some(told) => told.get(&head.chain).cloned().unwrap_or(NONE),
                    };
                    progress.expect(head.sequence, (read.number, head.hash), &told);
                }
                self.last = Some((read, self.crypto.sha256(statement)));
            }
            (complaint, _) => {
                self.forged = Some(Fault {
                    kind: FaultKind::ForgedCheckpoint,
                    chain: String::new(),
                    sequence: stored.number,
                    event: None,
                    detail: format!("Checkpoint {}: {}.", stored.number, complaint.unwrap_or_default()),
                });
            }
        }
    }

    /// The next event of its chain. False: it, or one before it, is not as it should be.
    pub fn event(&mut self, event: &StoredAuditEvent) -> bool {
        let crypto = self.crypto;
        let progress = self.chains.entry(event.chain.clone()).or_insert_with(|| Progress::new(0, GENESIS));
        if let Some(fault) = &mut progress.fault {
            // What seemed to be missing stands elsewhere.
            if fault.kind == FaultKind::Missing && fault.sequence == event.sequence {
                *fault = fault_of(FaultKind::Reordered, event, "it does not stand at its place");
            }
            return false;
        }
        let next = progress.sequence.saturating_add(1);
        let complaint = if event.sequence > next {
            let (sequence, chain) = (next, event.chain.clone());
            let detail = format!("Row {next} of chain {chain} is not there; row {} is.", event.sequence);
            progress.fault = Some(Fault { kind: FaultKind::Missing, chain, sequence, event: None, detail });
            return false;
        } else if event.sequence < next {
            Some((FaultKind::Reordered, "it does not stand at its place, or is there twice"))
        } else if event.hash != Some(hash_of(event, |bytes| crypto.sha256(bytes))) {
            Some((FaultKind::Modified, "its hash is another than it says"))
        } else if event.previous_hash != Some(progress.hash) {
            Some((FaultKind::Reordered, "it does not follow the row before it"))
        } else if progress.expected.get(&next).is_some_and(|(_, hash)| event.hash != Some(*hash)) {
            Some((FaultKind::Modified, "a signed checkpoint says another hash"))
        } else {
            None
        };
        if let Some((kind, why)) = complaint {
            progress.fault = Some(fault_of(kind, event, why));
            return false;
        }
        progress.expected.remove(&next);
        (progress.sequence, progress.hash) = (next, event.hash.unwrap_or(GENESIS));
        self.events = self.events.saturating_add(1);
        true
    }

    /// All events of the chain were told: does it end where the database says? Also holds it against the checkpoints.
    pub fn end(&mut self, head: &Head) {
        let progress = self.chains.entry(head.chain.clone()).or_insert_with(|| Progress::new(0, GENESIS));
        if progress.fault.is_some() {
            return;
        }
        let reached = progress.sequence;
        let fault = |kind, sequence: i64, detail: String| {
            Some(Fault { kind, chain: head.chain.clone(), sequence, event: None, detail })
        };
        progress.fault = if head.sequence > reached {
            let first = reached.saturating_add(1);
            let detail = format!("Chain {} ends after row {reached}; it had {}.", head.chain, head.sequence);
            fault(FaultKind::Truncated, first, detail)
        } else if let Some((sequence, (number, _))) = progress.expected.range(reached.saturating_add(1)..).next() {
            let detail = format!(
                "Chain {} ends after row {reached}; checkpoint {number} has signed row {sequence}.",
                head.chain
            );
            fault(FaultKind::Truncated, reached.saturating_add(1), detail)
        } else if head.sequence < reached || head.hash != progress.hash {
            let detail = format!("Chain {} ends with row {reached}; its head says otherwise.", head.chain);
            fault(FaultKind::Modified, reached, detail)
        } else {
            None
        };
    }

    /// The events from before the chains, as they are now: are they those of the checkpoints?
    pub fn before(&mut self, before: &Before) {
        let Some((checkpoint, _)) = &self.last else { return };
        let signed = &checkpoint.before;
        if signed == before || self.chains.get("").is_some_and(|progress| progress.fault.is_some()) {
            return;
        }
        let kind = if before.count < signed.count { FaultKind::Missing } else { FaultKind::Modified };
        let mut progress = Progress::new(0, GENESIS);
        progress.fault = Some(Fault {
            kind,
            chain: String::new(),
            sequence: signed.count,
            event: Some(before.last.clone()).filter(|last| !last.is_empty()),
            detail: format!(
                "There are {} events from before the chains, the last is `{}`; a signed checkpoint says {} and `{}`.",
                before.count, before.last, signed.count, signed.last
            ),
        });
        self.chains.insert(String::new(), progress);
    }

    /// The faults: of the checkpoints first, then of the chains by name. `all`: every chain that is there was told, so one
    /// that only checkpoints know of is a fault as well.
    pub fn faults(&self, all: bool) -> Vec<Fault> {
        let beyond = |(chain, progress): (&String, &Progress)| {
            if progress.fault.is_some() || !all {
                return progress.fault.clone();
            }
            let from = progress.sequence.saturating_add(1);
            let (sequence, (number, _)) = progress.expected.range(from..).next()?;
            Some(Fault {
                kind: FaultKind::Truncated,
                chain: chain.clone(),
                sequence: from,
                event: None,
                detail: format!(
                    "Chain {chain} ends after row {}; checkpoint {number} has signed row {sequence}.",
                    progress.sequence
                ),
            })
        };
        self.forged.iter().cloned().chain(self.chains.iter().filter_map(beyond)).collect()
    }
}

fn fault_of(kind: FaultKind, event: &StoredAuditEvent, why: &str) -> Fault {
    Fault {
        kind,
        chain: event.chain.clone(),
        sequence: event.sequence,
        event: Some(event.id.as_str().to_owned()),
        detail: format!("Row {} of chain {} ({}): {why}.", event.sequence, event.chain, event.id),
    }
}
