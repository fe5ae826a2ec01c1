//! The trail as JSON lines, and the verification of such a file without a server. docs/audit.md says what the lines are.

use super::checkpoints::PublicKeys;
use super::verify::Keys;
use crate::sink::SinkEvent;
use crate::{App, Call, Error, Permission};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certwright_domain::audit::chain::Head;
use certwright_domain::audit::checkpoint::{Before, StoredCheckpoint};
use certwright_domain::audit::verify::{Fault, FaultKind, Verifier};
use certwright_domain::audit::{Outcome, StoredAuditEvent};
use certwright_domain::id::AuditId;
use certwright_domain::serial::Sha256;
use certwright_domain::time::Timestamp;
use certwright_domain::violation::Invalid;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;

/// What the first line says.
const FORMAT: &str = "certwright audit export 1";
/// The longest line that is read.
const LONGEST: usize = 4 * 1024 * 1024;

/// An export under way: call [`AuditExport::next`] until it is `None`.
pub struct AuditExport {
    app: App,
    /// What is written before the events.
    first: Option<String>,
    /// Events from before the chains: behind this id. `None`: they are done.
    before: Option<String>,
    /// The chains that are still to come, each behind this row, up to the row of its head.
    chains: VecDeque<(Head, i64)>,
    events: u64,
    ended: bool,
}

impl App {
    /// Begins an export: everything, or what comes after row `after` (`<chain>:<sequence>`), as it is now.
    pub async fn export_audit(&self, call: &Call, after: Option<&str>) -> Result<AuditExport, Error> {
        self.may(call, Permission::AuditRead, "audit event")?;
        let keys = self.checkpoint_public_keys().await?;
        let mut read = self.inner.store.read().await?;
        let mut lines = Lines::default();
        lines.put(&json!({ "type": "export", "format": FORMAT, "complete": after.is_none() }));
        for (version, public_key) in &keys {
            lines.put(&json!({ "type": "key", "version": version, "publicKey": STANDARD.encode(public_key) }));
        }
        let heads: Vec<Head> = read.audit_heads().await?.into_iter().filter(|head| head.sequence > 0).collect();
        let mut number = 0;
        loop {
            let part = read.audit_checkpoints(number).await?;
            let Some(last) = part.last() else { break };
            number = last.number;
            for checkpoint in &part {
                lines.put(&json!({ "type": "checkpoint", "number": checkpoint.number,
                    "statement": checkpoint.statement, "signature": STANDARD.encode(&checkpoint.signature) }));
            }
        }
        for Head { chain, sequence, hash } in &heads {
            lines.put(&json!({ "type": "head", "chain": chain, "sequence": sequence, "hash": hash.to_string() }));
        }
        let mut chains: VecDeque<(Head, i64)> = heads.into_iter().map(|head| (head, 0)).collect();
        if let Some(after) = after {
            let row = position(after).ok_or_else(invalid_after)?;
            let before = read.audit_chain(&row.0, row.1.saturating_sub(1)).await?.into_iter().next();
            let hash = before.filter(|before| before.sequence == row.1).and_then(|before| before.hash);
            let hash = hash.ok_or_else(invalid_after)?;
            chains.retain(|(head, _)| head.chain >= row.0);
            chains.iter_mut().filter(|(head, _)| head.chain == row.0).for_each(|(_, from)| *from = row.1);
            lines.put(&json!({ "type": "resume", "chain": row.0, "sequence": row.1, "hash": hash.to_string() }));
        }
        let before = after.is_none().then(String::new);
        Ok(AuditExport { app: self.clone(), first: Some(lines.0), before, chains, events: 0, ended: false })
    }
}

/// `<chain>:<sequence>`.
fn position(after: &str) -> Option<(String, i64)> {
    let (chain, sequence) = after.split_once(':')?;
    let sequence = sequence.parse().ok().filter(|sequence| *sequence > 0)?;
    Some((chain.to_owned(), sequence)).filter(|(chain, _)| !chain.contains('\0'))
}

fn invalid_after() -> Error {
    let hint = "Give chain and sequence of the last event that you have, for example `01:1234`.";
    Error::invalid("/after", Invalid::new("invalid_after", "There is no such row to go on behind.", hint))
}

impl AuditExport {
    /// The next lines, each ended by a line feed; `None`: that was all.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if let Some(after) = &self.before {
            let part = self.app.inner.store.read().await?.audit_events_before_chains(after).await?;
            self.before = part.last().map(|last| last.id.as_str().to_owned());
            if self.before.is_some() {
                return Ok(Some(self.lines(&part)));
            }
        }
        while let Some((head, after)) = self.chains.front_mut() {
            let mut part = self.app.inner.store.read().await?.audit_chain(&head.chain, *after).await?;
            part.retain(|event| event.sequence <= head.sequence);
            if let Some(last) = part.last() {
                *after = last.sequence;
                return Ok(Some(self.lines(&part)));
            }
            self.chains.pop_front();
        }
        if std::mem::replace(&mut self.ended, true) {
            return Ok(None);
        }
        let mut lines = Lines::default();
        lines.put(&json!({ "type": "end", "events": self.events }));
        Ok(Some(lines.0))
    }

    fn lines(&mut self, part: &[StoredAuditEvent]) -> String {
        let mut lines = Lines::default();
        for event in part {
            lines.put(&write(event));
            self.events = self.events.saturating_add(1);
        }
        lines.0
    }
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn put(&mut self, value: &Value) {
        // serde_json escapes every control character: one event, one line.
        self.0.push_str(&value.to_string());
        self.0.push('\n');
    }
}

/// An event as a line. `details` is the text as it is stored, because the hash is over that.
fn write(event: &StoredAuditEvent) -> Value {
    let hash = |hash: Option<Sha256>| hash.map_or_else(String::new, |hash| hash.to_string());
    json!({
        "type": "event",
        "chain": event.chain,
        "sequence": event.sequence,
        "previousHash": hash(event.previous_hash),
        "hash": hash(event.hash),
        "id": event.id.as_str(),
        "at": event.at.unix_ms(),
        "actor": event.actor,
        "actorName": event.actor_name,
        "door": event.door,
        "address": event.address,
        "action": event.action,
        "targetKind": event.target_kind,
        "targetId": event.target_id,
        "targetName": event.target_name,
        "decidedBy": event.decided_by,
        "outcome": event.outcome,
        "requestId": event.request_id,
        "details": event.details,
    })
}

/// The event for a sink.
pub(super) fn for_sink(event: &StoredAuditEvent) -> SinkEvent {
    let line = write(event);
    let mut short = line.clone();
    if let Some(line) = short.as_object_mut() {
        line.insert("details".to_owned(), "".into());
        line.insert("shortened".to_owned(), true.into());
    }
    SinkEvent {
        at: event.at,
        action: event.action.clone(),
        succeeded: event.outcome == Outcome::Succeeded.as_str(),
        line: line.to_string(),
        short: short.to_string(),
    }
}

fn read(line: &Value) -> Option<StoredAuditEvent> {
    let text = |name: &str| Some(line.get(name)?.as_str()?.to_owned());
    let hash = |name: &str| Some(Sha256::parse(line.get(name)?.as_str()?).ok());
    Some(StoredAuditEvent {
        id: AuditId::parse(line.get("id")?.as_str()?).ok()?,
        at: Timestamp::from_unix_ms(line.get("at")?.as_i64()?),
        actor: text("actor")?,
        actor_name: text("actorName")?,
        action: text("action")?,
        target_kind: text("targetKind")?,
        target_id: text("targetId")?,
        target_name: text("targetName")?,
        request_id: text("requestId")?,
        door: text("door")?,
        address: text("address")?,
        decided_by: text("decidedBy")?,
        outcome: text("outcome")?,
        details: text("details")?,
        chain: text("chain")?,
        sequence: line.get("sequence")?.as_i64()?,
        previous_hash: hash("previousHash")?,
        hash: hash("hash")?,
    })
}

/// What the verification of an export found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportVerdict {
    /// The faults, each with the number of the line where it showed, where there is one.
    pub faults: Vec<(Option<usize>, Fault)>,
    /// Events that are as they should be.
    pub events: u64,
    /// Events from before the chains.
    pub before_chains: i64,
    /// Number of the newest checkpoint that holds.
    pub checkpoint: Option<i64>,
    /// Were the public keys given, and not taken from the file itself?
    pub pinned: bool,
}

/// Verifies an export. `pinned`: the public keys (DER SubjectPublicKeyInfo) that may have signed its checkpoints; without
/// any, those in the file are taken. `Err`: the file cannot be read, or is no export; the number of the line and why.
pub fn verify_export(mut file: impl BufRead, pinned: &[Vec<u8>]) -> Result<ExportVerdict, (usize, String)> {
    let mut lines = Source { file: &mut file, number: 0 };
    let mut next = lines.next()?;
    let first = next.as_ref().filter(|(_, line)| line.get("format").and_then(Value::as_str) == Some(FORMAT));
    let complete = first.and_then(|(_, line)| line.get("complete")?.as_bool());
    let Some(complete) = complete else {
        return Err((1, format!("it is no `{FORMAT}`")));
    };
    let mut keys = PublicKeys::new();
    next = lines.next()?;
    while let Some((number, line)) = next.as_ref().filter(|(_, line)| kind(line) == "key") {
        let key = line.get("version").and_then(Value::as_u64).and_then(|version| u32::try_from(version).ok());
        let public_key = line.get("publicKey").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
        let (Some(version), Some(public_key)) = (key, public_key) else {
            return Err((*number, "its key cannot be read".to_owned()));
        };
        if pinned.is_empty() || pinned.contains(&public_key) {
            keys.insert(version, public_key);
        }
        next = lines.next()?;
    }
    let keys = Keys(keys);
    let mut verifier = Verifier::new(&keys);
    let mut heads = Vec::new();
    let mut before = Before::default();
    let mut shown: BTreeMap<String, usize> = BTreeMap::new();
    let (mut count, mut end) = (0_u64, None);
    while let Some((number, line)) = next {
        let wrong = |what: &str| (number, format!("its {what} cannot be read"));
        match kind(&line) {
            "checkpoint" => verifier.checkpoint(&read_checkpoint(&line).ok_or_else(|| wrong("checkpoint"))?),
            "head" => heads.push(read_head(&line).ok_or_else(|| wrong("head"))?),
            "resume" => {
                let row = read_head(&line).ok_or_else(|| wrong("beginning"))?;
                heads.retain(|head| head.chain >= row.chain);
                verifier.resume(row);
            }
            "event" => {
                let event = read(&line).ok_or_else(|| wrong("event"))?;
                count = count.saturating_add(1);
                if event.chain.is_empty() {
                    before.count = before.count.saturating_add(1);
                    before.last = before.last.max(event.id.as_str().to_owned());
                } else if !verifier.event(&event) {
                    shown.entry(event.chain).or_insert(number);
                }
            }
            "end" => end = line.get("events").and_then(Value::as_u64),
            _ => return Err((number, "its type is unknown".to_owned())),
        }
        next = lines.next()?;
    }
    if complete {
        verifier.before(&before);
    }
    heads.iter().for_each(|head| verifier.end(head));
    let mut faults: Vec<(Option<usize>, Fault)> =
        verifier.faults(complete).into_iter().map(|fault| (shown.get(&fault.chain).copied(), fault)).collect();
    if faults.is_empty() && end != Some(count) {
        let detail = match end {
            None => "The file ends before its end: the line `end` is not there.".to_owned(),
            Some(end) => format!("The file has {count} events; its last line says {end}."),
        };
        let (chain, sequence) = (String::new(), i64::try_from(count).unwrap_or(i64::MAX));
        faults.push((None, Fault { kind: FaultKind::Truncated, chain, sequence, event: None, detail }));
    }
    Ok(ExportVerdict {
        faults,
        events: verifier.events(),
        before_chains: before.count,
        checkpoint: verifier.last_checkpoint().map(|checkpoint| checkpoint.number),
        pinned: !pinned.is_empty(),
    })
}

/// The public keys (DER) of all blocks `PUBLIC KEY` of a PEM file.
pub fn read_public_keys_pem(pem: &str) -> Vec<Vec<u8>> {
    let blocks = pem.split("-----BEGIN PUBLIC KEY-----").skip(1);
    blocks
        .filter_map(|block| block.split_once("-----END PUBLIC KEY-----"))
        .filter_map(|(body, _)| STANDARD.decode(body.split_whitespace().collect::<String>()).ok())
        .collect()
}

/// The lines of a file, with their numbers.
struct Source<'f, R> {
    file: &'f mut R,
    number: usize,
}

impl<R: BufRead> Source<'_, R> {
    fn next(&mut self) -> Result<Option<(usize, Value)>, (usize, String)> {
        use std::io::Read as _;
        self.number = self.number.saturating_add(1);
        let mut line = Vec::new();
        let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        let read = self.file.by_ref().take(most).read_until(b'\n', &mut line);
        match read {
            Err(error) => Err((self.number, error.to_string())),
            Ok(0) => Ok(None),
            Ok(length) if length >= LONGEST => Err((self.number, format!("it is longer than {LONGEST} bytes"))),
            Ok(_) => match serde_json::from_slice(&line) {
                Ok(value) => Ok(Some((self.number, value))),
                Err(_) => Err((self.number, "it is not JSON; the file was cut off or changed here".to_owned())),
            },
        }
    }
}

fn kind(line: &Value) -> &str {
    line.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn read_checkpoint(line: &Value) -> Option<StoredCheckpoint> {
    Some(StoredCheckpoint {
        number: line.get("number")?.as_i64()?,
        statement: line.get("statement")?.as_str()?.to_owned(),
        signature: STANDARD.decode(line.get("signature")?.as_str()?).ok()?,
    })
}

fn read_head(line: &Value) -> Option<Head> {
    Some(Head {
        chain: line.get("chain")?.as_str()?.to_owned(),
        sequence: line.get("sequence")?.as_i64()?,
        hash: Sha256::parse(line.get("hash")?.as_str()?).ok()?,
    })
}
