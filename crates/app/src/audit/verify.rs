//! Verifying the trail in the database.

use super::checkpoints::{PublicKeys, is_signed};
use crate::{App, Call, Error, Permission, sha256};
use certwright_domain::audit::chain::Head;
use certwright_domain::audit::verify::{Crypto, Fault, Verifier};
use certwright_domain::serial::Sha256;
use certwright_domain::violation::Invalid;
use certwright_store::{Queries, Reader};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Rows that one call follows; the next call goes on behind them.
const MOST_ROWS: i64 = 100_000;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerification {
    /// The faults; empty: none so far.
    pub faults: Vec<Fault>,
    /// Events that are as they should be.
    pub events: u64,
    /// Events from before the chains, which nothing protects but the count and the last id in the checkpoints.
    pub before_chains: i64,
    /// Where the chains end.
    pub heads: Vec<Head>,
    /// Number of the newest checkpoint that holds.
    pub checkpoint: Option<i64>,
    /// The public keys that checkpoints are signed with, by version; DER SubjectPublicKeyInfo.
    pub public_keys: Vec<(u32, Vec<u8>)>,
    /// Where to go on: chain and sequence. `None`: everything was looked at.
    pub next: Option<(String, i64)>,
}

/// The cryptography of a verification.
pub(super) struct Keys(pub(super) PublicKeys);

impl Crypto for Keys {
    fn sha256(&self, bytes: &[u8]) -> Sha256 {
        sha256(&[bytes])
    }

    fn is_signed(&self, key: u32, message: &[u8], signature: &[u8]) -> bool {
        is_signed(&self.0, key, message, signature)
    }
}

impl App {
    /// Verifies the trail, or the part of it that begins with row `from` of `chain`, as far as one call goes.
    pub async fn verify_audit(&self, call: &Call, chain: Option<&str>, from: i64) -> Result<AuditVerification, Error> {
        self.may(call, Permission::AuditRead, "audit event")?;
        let keys = Keys(self.checkpoint_public_keys().await?);
        let mut verifier = Verifier::new(&keys);
        // One snapshot: what is written meanwhile is not part of it.
        let mut read = self.inner.store.read().await?;
        let heads = read.audit_heads().await?;
        let begin = chain.unwrap_or_default();
        let plan = rows_to_follow(&heads, begin, from);
        verifier.tell_only(plan.clone());
        let mut number = 0;
        loop {
            let part = read.audit_checkpoints(number).await?;
            let Some(last) = part.last() else { break };
            number = last.number;
            part.iter().for_each(|checkpoint| verifier.checkpoint(checkpoint));
        }
        let before = read.audit_before_chains().await?;
        verifier.before(&before);
        if from > 1 {
            verifier.resume(row_before(&mut *read, begin, from).await?);
        }
        let mut next = None;
        for head in &heads {
            let Some(rows) = plan.get(&head.chain) else { continue };
            next = follow(&mut read, &mut verifier, head, rows).await?;
            if next.is_some() {
                break;
            }
        }
        let all = next.is_none() && begin.is_empty();
        Ok(AuditVerification {
            faults: verifier.faults(all),
            events: verifier.events(),
            before_chains: before.count,
            checkpoint: verifier.last_checkpoint().map(|checkpoint| checkpoint.number),
            heads: heads.into_iter().filter(|head| head.sequence > 0).collect(),
            next,
            public_keys: keys.0.clone().into_iter().collect(),
        })
    }
}

/// The rows of each chain that one call follows, from row `from` of chain `begin` on.
fn rows_to_follow(heads: &[Head], begin: &str, from: i64) -> BTreeMap<String, RangeInclusive<i64>> {
    let mut left = MOST_ROWS;
    let chains = heads.iter().filter(|head| head.chain.as_str() >= begin);
    chains
        .map(|head| {
            let first = if head.chain == begin { from.max(1) } else { 1 };
            let last = head.sequence.min(first.saturating_sub(1).saturating_add(left));
            left = left.saturating_sub(last.saturating_sub(first).saturating_add(1).max(0));
            (head.chain.clone(), first..=last)
        })
        .collect()
}

/// Follows these rows of a chain; where to go on, when it has more.
async fn follow(
    read: &mut Reader<'_>,
    verifier: &mut Verifier<'_, Keys>,
    head: &Head,
    rows: &RangeInclusive<i64>,
) -> Result<Option<(String, i64)>, Error> {
    let mut after = rows.start().saturating_sub(1);
    let is_part = *rows.end() < head.sequence;
    loop {
        if is_part && after >= *rows.end() {
            return Ok(Some((head.chain.clone(), after.saturating_add(1))));
        }
        let mut part = read.audit_chain(&head.chain, after).await?;
        if is_part {
            part.retain(|event| event.sequence <= *rows.end());
        }
        let Some(last) = part.last() else { break };
        after = last.sequence;
        if part.iter().map(|event| verifier.event(event)).any(|fine| !fine) {
            // What comes after a fault proves nothing.
            return Ok(None);
        }
    }
    verifier.end(head);
    Ok(None)
}

/// The row before the one to begin with, as it says that it is.
async fn row_before(read: &mut dyn Queries, chain: &str, from: i64) -> Result<Head, Error> {
    let before = from.saturating_sub(1);
    let part = read.audit_chain(chain, before.saturating_sub(1)).await?;
    let row = part.into_iter().next().filter(|row| row.sequence == before);
    let (row, hash) = row.and_then(|row| Some((row.chain, row.hash?))).ok_or_else(|| {
        Error::invalid(
            "/from",
            Invalid::new(
                "invalid_from",
                format!("There is no row {before} of chain `{}` to go on behind.", chain.escape_debug()),
                "Give `chain` and `from` as an earlier answer names them, or leave both out.",
            ),
        )
    })?;
    Ok(Head { chain: row, sequence: before, hash })
}

#[cfg(test)]
mod tests {
    use super::*;
    use certwright_domain::audit::chain::GENESIS;

    #[test]
    fn a_call_follows_so_many_rows_of_all_chains_together() {
        let heads = [("01", 70_000), ("02", 0), ("03", 50_000), ("04", 7)];
        let heads = heads.map(|(chain, sequence)| Head { chain: chain.to_owned(), sequence, hash: GENESIS });
        let plan = |begin, from| {
            let plan = rows_to_follow(&heads, begin, from);
            plan.into_iter().map(|(chain, rows)| (chain, *rows.start(), *rows.end())).collect::<Vec<_>>()
        };
        let row = |chain: &str, first, last| (chain.to_owned(), first, last);
        let whole = [row("01", 1, 70_000), row("02", 1, 0), row("03", 1, 30_000), row("04", 1, 0)];
        assert_eq!(plan("", 1), whole);
        assert_eq!(plan("03", 30_001), [row("03", 30_001, 50_000), row("04", 1, 7)]);
    }
}
