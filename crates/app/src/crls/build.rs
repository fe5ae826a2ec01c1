//! Making one list: gathering in one snapshot, signing, checking, publishing.

use super::aside::aside;
use crate::audit::Target;
use crate::change::by_id;
use crate::{App, Call, Error};
use bytes::Bytes;
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::ca::{Ca, RevocationSettings};
use certwright_domain::crl::{
    Crl, CrlCounters, CrlKind, CrlScope, CrlSeries, Place, RevokedSerial, next_schedule, this_update,
};
use certwright_domain::id::CrlId;
use certwright_domain::revocation::{CrlEntry, EntryKind};
use certwright_domain::time::{Span, Timestamp};
use certwright_keystore::Signer;
use certwright_pki::{CrlBuilder, CrlHeader, CrlKind as CrlContents, PreparedCrl, read_certificate};
use certwright_store::{Reader, Tx};
use std::sync::Arc;

/// Places whose entries are read at first, to see how full they are.
const FIRST_PLACES: u16 = 128;
/// Entries that a part should have: on PostgreSQL each part walks over most of the table's pages, so there should be few; but a
/// statement must not take longer than its time, and a thread that answers requests takes the rows in.
const PART: usize = 170_000;
/// A part has at most so many times the places of the part before.
const GROWTH: usize = 256;
/// Changes that are looked at when a list is published.
const CHANGES: u32 = 10_000;
/// Most entries of a delta list; beyond it, a full list is made first.
const MAX_DELTA: u32 = 100_000;
/// Bytes of a list that are written in one transaction: small, so that issuing is not held up.
const CHUNK: usize = 512 << 10;
/// The lease is renewed when this much of it has passed.
const RENEW_LEASE_AFTER: Span = Span::from_s(20);

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A list was published.
    Published,
    /// The series has ended: nothing names it any more.
    NotWanted,
    /// Another list must be made first; it stays due.
    NotDue,
}

/// A list that waits for its signature, and what it was made from.
struct Gathered {
    ca: Ca,
    counters: CrlCounters,
    base: Option<Crl>,
    prepared: PreparedCrl,
    algorithm: SignatureAlgorithm,
    signer: Arc<dyn Signer>,
    this_update: Timestamp,
    next_update: Timestamp,
}

impl App {
    /// Makes the next list of a series. `forced`: also when the clock is behind the list before.
    pub(super) async fn make_crl(&self, call: &Call, scope: &CrlScope, forced: bool) -> Result<Outcome, Error> {
        let begun_at = self.now();
        let gathered = match self.gather(scope, forced, begun_at).await? {
            Ok(gathered) => gathered,
            Err(Outcome::NotWanted) => {
                let mut tx = self.inner.store.begin("crl.end").await?;
                tx.end_crl_series(scope).await?;
                tx.commit().await?;
                return Ok(Outcome::NotWanted);
            }
            Err(_) => {
                // Too much has changed for a delta list, or it has nothing to go with yet.
                return match Box::pin(self.make_crl(call, &scope.full(), forced)).await? {
                    Outcome::Published => Ok(Outcome::NotDue),
                    other => Ok(other),
                };
            }
        };
        let Gathered { ca, counters, base, prepared, algorithm, signer, this_update, next_update } = gathered;
        let gathered_at = self.now();
        // To sign is to hash it all first.
        let runtime = tokio::runtime::Handle::current();
        let signed = aside(move || {
            let signature = runtime.block_on(signer.sign(algorithm, prepared.tbs()))?;
            Ok(prepared.finish(&signature)?)
        });
        let signed = signed.await?;
        let crl = Crl {
            id: CrlId::new(begun_at, self.inner.id_entropy()),
            scope: scope.clone(),
            number: Some(signed.number()),
            base_number: base.and_then(|base| base.number),
            change: counters.change,
            uploaded: false,
            this_update,
            next_update,
            entries: u64::try_from(signed.entry_count()).unwrap_or(u64::MAX),
            size: u64::try_from(signed.der().len()).unwrap_or(u64::MAX),
            sha256: signed.sha256(),
            created_at: begun_at,
        };
        let bytes = Bytes::from(signed.into_der());
        let signed_at = self.now();
        self.publish(call, &ca, &crl, &counters, &bytes).await?;
        self.inner.crls.bytes.insert(crl.id.clone(), bytes);
        self.inner.publications.wake();
        metrics::counter!("certwright_crls_published_total").increment(1);
        tracing::info!(
            ca.id = %ca.id, ca.version = scope.ca_version, crl.kind = %scope.kind, crl.number = crl.number,
            crl.shard = scope.shard, entries = crl.entries, bytes = crl.size, next_update = %crl.next_update,
            gathering_ms = gathered_at.ms_since(begun_at), signing_ms = signed_at.ms_since(gathered_at),
            storing_ms = self.now().ms_since(signed_at),
            "a revocation list was published"
        );
        Ok(Outcome::Published)
    }

    /// Reads everything in one snapshot, so that the counter says just what the entries show.
    async fn gather(&self, scope: &CrlScope, forced: bool, now: Timestamp) -> Result<Result<Gathered, Outcome>, Error> {
        let mut read = self.inner.store.read().await?;
        if !read.wants_crl_series(scope, now).await? {
            return Ok(Err(Outcome::NotWanted));
        }
        let counters = read.crl_counters(&scope.ca_id).await?;
        let ca = read.ca(&by_id(scope.ca_id.as_str())?).await?;
        let ca = ca.ok_or_else(|| Error::Internal(format!("{} is missing", scope.ca_id)))?;
        let version = read.ca_version(&ca.id, scope.ca_version).await?;
        let missing = || Error::Internal(format!("{} lacks version {}", ca.id, scope.ca_version));
        let version = version.ok_or_else(missing)?;
        let certificate = read_certificate(version.certificate.as_deref().ok_or_else(missing)?)?;
        if !certificate.may_sign_crls {
            // Certificates of such a CA name no list either.
            return Ok(Err(Outcome::NotWanted));
        }
        let (signer, algorithm) = self.ca_signer(&mut read, &ca, &version).await?;
        let previous = read.current_crl(scope).await?;
        let base = match scope.kind {
            CrlKind::Full => None,
            CrlKind::Delta => match read.current_crl(&scope.full()).await? {
                None => return Ok(Err(Outcome::NotDue)),
                base => base,
            },
        };
        let before = previous.as_ref().map(|crl| crl.this_update);
        let this_update = this_update(now, before, forced).map_err(|behind| {
            Error::conflict(
                "clock_behind",
                format!("{behind}."),
                "Set the clock right; if the list before was made under a wrong clock, POST …/crl makes one all the same.",
            )
        })?;
        let next_update = this_update.plus(lifetime(&ca.revocation, scope.kind));
        let header = CrlHeader {
            number: counters.number.saturating_add(1),
            this_update,
            next_update,
            kind: self.contents(&ca, scope, base.as_ref()),
            distribution_point: match scope.shards.number() {
                1 => Vec::new(),
                _ => self.own_names(&mut read, &ca, &scope.full()).await?,
            },
        };
        let mut builder = CrlBuilder::new(&certificate, algorithm, header)?;
        match &base {
            None => builder = self.push_all(&mut read, scope, before, builder).await?,
            Some(base) => {
                let changes = read.revocations_since(&ca.id, base.change, MAX_DELTA.saturating_add(1)).await?;
                if changes.len() > usize::try_from(MAX_DELTA).unwrap_or(usize::MAX) {
                    return Ok(Err(Outcome::NotDue));
                }
                let (from, to) = scope.shards.places(scope.shard);
                let own = |change: &&RevokedSerial| (from..=to).contains(&Place::of(&change.serial));
                for change in changes.iter().filter(own) {
                    builder.push(&delta_entry(change))?;
                }
            }
        }
        drop(read);
        let prepared = aside(move || Ok(builder.finish_tbs()?)).await?;
        Ok(Ok(Gathered { ca, counters, base, prepared, algorithm, signer, this_update, next_update }))
    }

    async fn push_all(
        &self,
        read: &mut Reader<'_>,
        scope: &CrlScope,
        before: Option<Timestamp>,
        mut builder: CrlBuilder,
    ) -> Result<CrlBuilder, Error> {
        let (mut from, end) = scope.shards.places(scope.shard);
        let mut count = FIRST_PLACES;
        let mut leased_at = self.now();
        loop {
            let last = from.last_of(count, end);
            let page = read.listed(&scope.ca_id, (from, last), before).await?;
            let pushed = aside(move || {
                let mut pushed = 0_usize;
                for entry in page.entries() {
                    builder.push(&entry?)?;
                    pushed = pushed.saturating_add(1);
                }
                Ok((builder, pushed))
            });
            let pushed_now;
            (builder, pushed_now) = pushed.await?;
            let Some(next) = last.next().filter(|_| last < end) else { return Ok(builder) };
            from = next;
            count = next_places(count, pushed_now);
            if self.now().ms_since(leased_at) > RENEW_LEASE_AFTER.ms() {
                // Lost to another node: the number decides who publishes.
                self.lease_crls(&scope.ca_id).await?;
                leased_at = self.now();
            }
        }
    }

    /// Stores the bytes and has the series serve them. Large lists are written in parts first; only the last transaction
    /// makes the list visible, and a list that never gets there is tidied away.
    async fn publish(&self, call: &Call, ca: &Ca, crl: &Crl, built: &CrlCounters, bytes: &[u8]) -> Result<(), Error> {
        let mut chunks = (0_u32..).zip(bytes.chunks(CHUNK)).peekable();
        let mut tx = self.inner.store.begin("crl.store").await?;
        let mut taken = None;
        if bytes.len() <= CHUNK {
            taken = Some(tx.take_crl_number(&ca.id, built).await?);
        }
        tx.insert_crl(crl).await?;
        while let Some((position, chunk)) = chunks.next() {
            tx.insert_crl_chunk(&crl.id, position, chunk).await?;
            if chunks.peek().is_some() {
                tx.commit().await?;
                tx = self.inner.store.begin("crl.store").await?;
            }
        }
        let counters = match taken {
            Some(counters) => counters,
            None => {
                tx.commit().await?;
                tx = self.inner.store.begin("crl.publish").await?;
                tx.take_crl_number(&ca.id, built).await?
            }
        };
        let stale = self.changed_since(&mut tx, crl, &counters).await?;
        let now = self.now();
        let settings = &ca.revocation;
        let (life, pause) = (lifetime(settings, crl.scope.kind), interval(settings, crl.scope.kind));
        let plan = next_schedule(now, crl.this_update, life, pause, stale);
        let series = CrlSeries {
            due_at: Some(plan.due_at),
            earliest_at: plan.earliest_at,
            overdue_at: Some(plan.overdue_at),
            ..CrlSeries::new(crl.scope.clone(), now)
        };
        tx.publish_crl(&series, &crl.id, now).await?;
        tx.insert_audit(&self.publication_event(call, ca, crl)).await?;
        Ok(tx.commit().await?)
    }

    /// Was something revoked in this shard while the list was being made?
    async fn changed_since(&self, tx: &mut Tx<'_>, crl: &Crl, now: &CrlCounters) -> Result<bool, Error> {
        if now.change == crl.change {
            return Ok(false);
        }
        let (from, to) = crl.scope.shards.places(crl.scope.shard);
        let changes = tx.revocations_since(&crl.scope.ca_id, crl.change, CHANGES).await?;
        // More than a page: some of it is surely of this shard, and if not, one more list does no harm.
        let many = changes.len() >= usize::try_from(CHANGES).unwrap_or(usize::MAX);
        Ok(many || changes.iter().any(|change| (from..=to).contains(&Place::of(&change.serial))))
    }

    fn publication_event(&self, call: &Call, ca: &Ca, crl: &Crl) -> certwright_domain::audit::AuditEvent {
        let number = crl.number.map_or_else(String::new, |number| number.to_string());
        let (version, entries) = (crl.scope.ca_version.to_string(), crl.entries.to_string());
        let (leaf, sha256, next) = (crl.scope.leaf(), crl.sha256.to_string(), crl.next_update.to_string());
        let details = [
            ("version", version.as_str()),
            ("list", leaf.as_str()),
            ("number", number.as_str()),
            ("entries", entries.as_str()),
            ("nextUpdate", next.as_str()),
            ("sha256", sha256.as_str()),
        ];
        let target = Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() };
        self.inner.audit(call, "crl.publish", target, &details)
    }

    fn contents(&self, ca: &Ca, scope: &CrlScope, base: Option<&Crl>) -> CrlContents {
        match base.and_then(|base| base.number) {
            Some(base) => CrlContents::Delta { base },
            None if ca.revocation.delta.is_some() => {
                let delta = CrlScope { kind: CrlKind::Delta, ..scope.clone() };
                CrlContents::Full { freshest: self.crl_urls(ca, &delta) }
            }
            None => CrlContents::Full { freshest: Vec::new() },
        }
    }
}

/// How many places to read next, after so many gave so many entries: serials are spread evenly over the places.
fn next_places(count: u16, entries: usize) -> u16 {
    let places = usize::from(count);
    let wanted = places.saturating_mul(PART).checked_div(entries).unwrap_or(usize::MAX);
    u16::try_from(wanted.clamp(1, places.saturating_mul(GROWTH))).unwrap_or(u16::MAX)
}

fn lifetime(settings: &RevocationSettings, kind: CrlKind) -> Span {
    match (kind, settings.delta) {
        (CrlKind::Delta, Some(delta)) => delta.lifetime,
        _ => settings.crl_lifetime,
    }
}

fn interval(settings: &RevocationSettings, kind: CrlKind) -> Span {
    match (kind, settings.delta) {
        (CrlKind::Delta, Some(delta)) => delta.interval,
        _ => settings.crl_interval,
    }
}

fn delta_entry(change: &RevokedSerial) -> CrlEntry {
    let kind = match change.released {
        true => EntryKind::Removed,
        false => EntryKind::Revoked(change.revocation.reason),
    };
    CrlEntry { serial: change.serial.clone(), revoked_at: change.revocation.at, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_large_as_those_before_say() {
        // A million entries: a sample, six parts.
        assert_eq!(next_places(128, 1_953), 11_141);
        assert_eq!(next_places(11_141, 170_000), 11_141);
        // Few or none: more places, but not all at once.
        assert_eq!((next_places(128, 0), next_places(128, 3)), (32_768, 32_768));
        assert_eq!(next_places(32_768, 10), u16::MAX);
        // Far more than expected: fewer places, and one at least.
        assert_eq!((next_places(128, 3_400_000), next_places(4, 10_000_000)), (6, 1));
    }
}
