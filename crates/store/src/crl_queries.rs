//! The statements about revocation lists.

use crate::{CrlHealth, Error, Page, PageRequest, Revoking};
use async_trait::async_trait;
use certwright_domain::crl::{Crl, CrlCounters, CrlScope, CrlSeries, Place, RevokedSerial, Shards};
use certwright_domain::id::{CaId, CrlId};
use certwright_domain::revocation::{CrlEntry, EntryKind, RevocationReason};
use certwright_domain::serial::Serial;
use certwright_domain::time::Timestamp;

type Result<T> = std::result::Result<T, Error>;

/// Entries as the database hands them out: many as one text, because a million rows would be a million trips through the
/// driver. Reading them takes its time: not on a thread that answers requests.
pub struct ListedEntries {
    packed: Option<String>,
    ca_id: CaId,
}

impl ListedEntries {
    pub(crate) fn new(packed: Option<String>, ca_id: &CaId) -> Self {
        Self { packed, ca_id: ca_id.clone() }
    }

    /// The entries, in no order. [`Error::Corrupt`] where one cannot be read.
    pub fn entries(&self) -> impl Iterator<Item = Result<CrlEntry>> {
        let corrupt = || Error::Corrupt { table: "revocations", column: "serial", row: self.ca_id.as_str().to_owned() };
        let texts = self.packed.iter().flat_map(|packed| packed.split(','));
        texts.map(move |text| unpack(text).ok_or_else(corrupt))
    }
}

/// An entry from hex serial, milliseconds and reason.
fn unpack(text: &str) -> Option<CrlEntry> {
    let mut parts = text.split(' ');
    let serial = unhex(parts.next()?)?;
    let revoked_at = Timestamp::from_unix_ms(parts.next()?.parse().ok()?);
    let kind = EntryKind::Revoked(RevocationReason::parse(parts.next()?).ok()?);
    parts.next().is_none().then_some(CrlEntry { serial, revoked_at, kind })
}

/// A serial from hex. A list takes a million of them, and random digits are what branches guess worst.
fn unhex(text: &str) -> Option<Serial> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut bytes = [0_u8; 20];
    let bytes = bytes.get_mut(..pairs.len())?;
    let mut highest = 0;
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let [high, low] = pair.map(nibble);
        highest = highest.max(high).max(low);
        *byte = (high << 4) | low;
    }
    if highest > 0xf { None } else { Serial::from_bytes(bytes).ok() }
}

/// The value of a hex digit; more than 15 for anything else.
const fn nibble(digit: u8) -> u8 {
    let number = digit.wrapping_sub(b'0');
    let letter = (digit | 0x20).wrapping_sub(b'a').saturating_add(10);
    if number < 10 { number } else { letter }
}

/// What revocation lists carry.
#[async_trait]
pub trait RevocationQueries: Send {
    /// Marks a certificate as revoked, with its entry, the lists that are due and its event for webhooks, in one turn; its audit
    /// event comes with the commit.
    /// [`crate::Error::Stale`]: the mark is not `before` any more, and nothing of this transaction can be committed.
    async fn revoke(&mut self, revoking: &Revoking) -> Result<()>;
    /// Writes entries of a CA, new ones or over those that are there, raises its counter of changes and has the lists that
    /// carry them made anew, in the transaction of the change. What is no plain revocation ([`Self::revoke`]) comes here: several certificates at once,
    /// releases, versions of CAs, uploaded lists.
    async fn note_revocations(&mut self, ca_id: &CaId, entries: &[RevokedSerial], now: Timestamp) -> Result<()>;
    /// What full lists carry ([`RevokedSerial::on_full_list`]) of the places `from` to `to`, in no order. `previous`:
    /// thisUpdate of the list before.
    async fn listed(
        &mut self,
        ca_id: &CaId,
        places: (Place, Place),
        previous: Option<Timestamp>,
    ) -> Result<ListedEntries>;
    /// The entry of a serial.
    async fn revocation(&mut self, ca_id: &CaId, serial: &Serial) -> Result<Option<RevokedSerial>>;
    /// Entries that changed after this state, in the order of the changes.
    async fn revocations_since(&mut self, ca_id: &CaId, change: i64, limit: u32) -> Result<Vec<RevokedSerial>>;
    /// Deletes entries that no list has to carry any more, at most `limit` of each kind: the certificate was expired when
    /// the newest list of each series was made, or it was released and every series has told. Returns how many.
    async fn purge_revocations(&mut self, now: Timestamp, limit: u32) -> Result<u64>;
}

/// Revocation lists.
#[async_trait]
pub trait CrlQueries: Send {
    /// The counters of a CA.
    async fn crl_counters(&mut self, ca_id: &CaId) -> Result<CrlCounters>;
    /// Takes the number after that of `seen`, if it still is the newest and no lists were ordered since; [`Error::Stale`] otherwise. Until
    /// the transaction ends, nothing of the CA can be revoked: the counters that come back are those that the list is published under.
    async fn take_crl_number(&mut self, ca_id: &CaId, seen: &CrlCounters) -> Result<CrlCounters>;
    /// Has the CA's numbers go on after this one, if they have not yet.
    async fn raise_crl_number(&mut self, ca_id: &CaId, at_least: i64) -> Result<()>;
    /// Cuts a CA's lists into so many shards from now on; lists cut otherwise go on until `retires_at`.
    async fn cut_crls(&mut self, ca_id: &CaId, shards: Shards, retires_at: Timestamp) -> Result<()>;
    /// Lists that CAs should publish and for which there is no series: the first shard of each stands for all.
    async fn missing_crl_series(&mut self, now: Timestamp, limit: u32) -> Result<Vec<CrlScope>>;
    /// Should the series (still) be made? Asked before each list.
    async fn wants_crl_series(&mut self, scope: &CrlScope, now: Timestamp) -> Result<bool>;
    /// Stores a series; one that is there begins anew with its times and keeps its list.
    async fn begin_crl_series(&mut self, series: &CrlSeries) -> Result<()>;
    /// One series.
    async fn crl_series(&mut self, scope: &CrlScope) -> Result<Option<CrlSeries>>;
    /// A CA's series with their newest lists, by version, shards, shard and kind.
    async fn crl_series_of(&mut self, ca_id: &CaId, page: &PageRequest) -> Result<Page<(CrlSeries, Option<Crl>)>>;
    /// Series of which a list is due, the longest waiting first.
    async fn due_crl_series(&mut self, now: Timestamp, limit: u32) -> Result<Vec<CrlSeries>>;
    /// Series whose missing list is to be told.
    async fn overdue_crl_series(&mut self, now: Timestamp, limit: u32) -> Result<Vec<CrlSeries>>;
    /// Notes that it was told; [`Error::Stale`] when it was already, or when a list has been made meanwhile.
    async fn told_crl_series(&mut self, scope: &CrlScope, now: Timestamp) -> Result<()>;
    /// Notes a failed attempt; the next one not before `retry_at`.
    async fn fail_crl_series(
        &mut self,
        scope: &CrlScope,
        at: Timestamp,
        retry_at: Timestamp,
        error: &str,
    ) -> Result<()>;
    /// No further list is made; the last one is still served.
    async fn end_crl_series(&mut self, scope: &CrlScope) -> Result<()>;
    /// Orders the next list of all of a CA's series, at once. One that somebody makes now, of what was there before, cannot be published any
    /// more ([`Self::take_crl_number`]).
    async fn hurry_crl_series(&mut self, ca_id: &CaId, now: Timestamp) -> Result<u64>;
    /// Stores a list that is not published yet, without its bytes.
    async fn insert_crl(&mut self, crl: &Crl) -> Result<()>;
    /// Stores a part of its bytes.
    async fn insert_crl_chunk(&mut self, id: &CrlId, position: u32, bytes: &[u8]) -> Result<()>;
    /// Publishes it: the series, as given, serves it from now on.
    async fn publish_crl(&mut self, series: &CrlSeries, id: &CrlId, at: Timestamp) -> Result<()>;
    /// The list that a series serves.
    async fn current_crl(&mut self, scope: &CrlScope) -> Result<Option<Crl>>;
    /// The bytes of a list; `None`: they are not there (any more).
    async fn crl_bytes(&mut self, crl: &Crl) -> Result<Option<Vec<u8>>>;
    /// Lists begun before `before` that no series serves.
    async fn obsolete_crls(&mut self, before: Timestamp, limit: u32) -> Result<Vec<CrlId>>;
    /// Deletes at most `limit` parts of a list's bytes, and the list with the last of them; true: it is gone.
    async fn delete_crl_chunks(&mut self, id: &CrlId, limit: u32) -> Result<bool>;
    /// How the lists of each CA stand, for metrics and readiness.
    async fn crl_health(&mut self, now: Timestamp) -> Result<Vec<CrlHealth>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_read_from_hex_of_either_case() {
        let serial = Serial::parse("0123456789ABCDEF").unwrap();
        assert_eq!(unhex("0123456789abcdef"), Some(serial.clone()));
        assert_eq!(unhex("0123456789ABCDEF"), Some(serial));
        assert!(unhex(&"7f".repeat(20)).is_some());
        for wrong in ["", "0", "012", "0g", "g0", "0/", "0:", "0@", "0`", "0 ", "+1", "é", &"7f".repeat(21)] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
        for digit in 0..=u8::MAX {
            let expected = char::from(digit).to_digit(16);
            assert_eq!(Some(u32::from(nibble(digit))).filter(|value| *value < 16), expected, "{digit}");
        }
    }
}
