//! What revocation lists carry.

use super::super::{COUNTED, LISTED};
use super::events::{OWED, push_deliveries, push_event};
use super::parts::{Parts, told};
use super::{Error, Reading, Result, Row, Session, sql};
use crate::{ListedEntries, RevocationQueries, Revoking};
use async_trait::async_trait;
use certwright_domain::crl::{Place, RevokedSerial};
use certwright_domain::id::CaId;
use certwright_domain::serial::Serial;
use certwright_domain::time::Timestamp;
use sqlx::Row as _;

/// Rows of one statement; each binds six values, and SQLite takes 32,766.
const BATCH: usize = 1000;
/// More entries than this: all lists of the CA are made anew, instead of those that carry one of them.
const FEW: usize = 8;
/// The counters of a CA as an earlier statement of the transaction has left them; in the same turn: [`COUNTED`].
const SETTLED: &str = "crl_counters AS counted";
/// The part that stores entries.
const NOTED: &str = "noted";
/// The part that says that a list was numbered while this waited for the counters.
const OUTPACED: &str = "outpaced";
/// The part that marks a certificate.
const MARKED: &str = "marked";

macro_rules! select_revocation {
    ($rest:literal) => {
        concat!("SELECT ca_id, serial, expires_at, revoked_at, revocation_reason, released FROM revocations ", $rest)
    };
}

fn read_revocation(row: &Row) -> Result<RevokedSerial> {
    let row = Reading::of(row, "revocations", "ca_id")?;
    Ok(RevokedSerial {
        serial: row.serial("serial")?,
        expires_at: row.time_optional("expires_at")?,
        revocation: row.revocation()?.ok_or_else(|| row.corrupt("revoked_at"))?,
        released: row.flag("released")?,
    })
}

/// Parts: store a batch of entries under the number of the change, a row `noted` for each. The first batch of a change counts it.
fn push_note(parts: &mut Parts, ca_id: &CaId, batch: &[RevokedSerial], is_first: bool) {
    if is_first {
        // The row of the counters is held until the transaction ends: changes are numbered in the order of their commits, and
        // whoever reads the counter and the entries in one snapshot knows just what it has seen.
        let counted = parts.part("counted");
        counted.push("UPDATE crl_counters SET change = change + 1 WHERE ca_id = ").push_bind(ca_id.as_str().to_owned());
        counted.push(" RETURNING ca_id, change, number");
        // A statement sees what was there when it began, even if it has waited since: on PostgreSQL this row is another one than
        // that, if a list was published meanwhile.
        let outpaced = parts.part(OUTPACED);
        outpaced
            .push("SELECT 'outpaced' AS what FROM ")
            .push(COUNTED)
            .push(", crl_counters AS seen WHERE counted.ca_id = ");
        outpaced.push_bind(ca_id.as_str().to_owned());
        outpaced.push(" AND seen.ca_id = counted.ca_id AND seen.number <> counted.number");
    }
    let noted = parts.part(NOTED);
    noted.push(
        "INSERT INTO revocations (ca_id, change, place, serial, expires_at, revoked_at, revocation_reason, released) \
         SELECT counted.ca_id, counted.change, v.* FROM ",
    );
    noted.push(if is_first { COUNTED } else { SETTLED }).push(", (");
    noted.push_values(batch, |mut row, entry| {
        row.push_bind(i64::from(Place::of(&entry.serial).number()))
            .push_bind(entry.serial.as_bytes().to_vec())
            .push_bind(entry.expires_at.map(Timestamp::unix_ms))
            .push_bind(entry.revocation.at.unix_ms())
            .push_bind(entry.revocation.reason.as_str())
            .push_bind(i64::from(entry.released));
    });
    noted.push(") AS v WHERE counted.ca_id = ").push_bind(ca_id.as_str().to_owned());
    noted.push(
        " ON CONFLICT (ca_id, place, serial) DO UPDATE SET expires_at = excluded.expires_at, \
         revoked_at = excluded.revoked_at, revocation_reason = excluded.revocation_reason, \
         released = excluded.released, change = excluded.change RETURNING 'noted' AS what",
    );
}

/// A part: the lists that carry these entries are due. `counted`: the counters of the CA, which are held by then, as they are
/// when a list is published; nobody waits for them with a series in the hand.
fn push_due(parts: &mut Parts, counted: &str, ca_id: &CaId, entries: &[RevokedSerial], now: Timestamp) {
    let due = parts.part("due");
    due.push("UPDATE crl_series SET due_at = ").push_bind(now.unix_ms());
    due.push(" FROM ").push(counted).push(" WHERE counted.ca_id = ").push_bind(ca_id.as_str().to_owned());
    due.push(" AND crl_series.ca_id = ").push_bind(ca_id.as_str().to_owned());
    due.push(" AND due_at IS NOT NULL AND due_at > ").push_bind(now.unix_ms());
    if entries.len() <= FEW {
        due.push(" AND (1 = 0");
        for entry in entries {
            let place = i64::from(Place::of(&entry.serial).number());
            due.push(" OR shard = (").push_bind(place).push(" * shards) / 65536");
        }
        due.push(")");
    }
}

/// A part: marks the certificate, if it is marked still as it was when this was decided; a row `marked` if it was.
fn push_mark(parts: &mut Parts, revoking: &Revoking) {
    let (before, after) = (revoking.before.as_ref(), &revoking.entry.revocation);
    let mark = parts.part(MARKED);
    mark.push("UPDATE issued_certificates SET revoked_at = ").push_bind(after.at.unix_ms());
    mark.push(", revocation_reason = ").push_bind(after.reason.as_str());
    mark.push(" WHERE id = ").push_bind(revoking.issued.as_str().to_owned());
    match before {
        None => mark.push(" AND revoked_at IS NULL"),
        Some(before) => {
            mark.push(" AND revoked_at = ").push_bind(before.at.unix_ms());
            mark.push(" AND revocation_reason = ").push_bind(before.reason.as_str())
        }
    };
    mark.push(" RETURNING 'marked' AS what");
}

impl Session {
    /// What a statement has done that stored entries of a change: were all stored, and do the lists know that they are due?
    async fn check_noted(
        &mut self,
        rows: &[Row],
        batch: &[RevokedSerial],
        ca_id: &CaId,
        entries: &[RevokedSerial],
        now: Timestamp,
    ) -> Result<()> {
        if told(rows, NOTED)? < batch.len() {
            // The counters of a CA are made with it.
            return Err(Error::Corrupt { table: "crl_counters", column: "ca_id", row: ca_id.as_str().to_owned() });
        }
        if told(rows, OUTPACED)? > 0 {
            // The list that was published meanwhile was due when the statement began, and is not any more; or its series was not there
            // yet. The counters are ours now, and this statement sees what they kept waiting.
            let mut parts = Parts::default();
            push_due(&mut parts, SETTLED, ca_id, entries, now);
            self.written(parts.returning(&[])).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl RevocationQueries for Session {
    async fn revoke(&mut self, revoking: &Revoking) -> Result<()> {
        let entries = std::slice::from_ref(&revoking.entry);
        let mut parts = Parts::default();
        push_mark(&mut parts, revoking);
        push_note(&mut parts, &revoking.ca, entries, true);
        push_due(&mut parts, COUNTED, &revoking.ca, entries, revoking.audit.at);
        push_event(&mut parts, &revoking.event);
        push_deliveries(&mut parts, &revoking.event);
        let rows = self.written(parts.returning(&[MARKED, NOTED, OUTPACED, OWED])).await?;
        if told(&rows, MARKED)? == 0 {
            return Err(self.spoil(Error::Stale { what: "issued_certificates" }));
        }
        self.check_noted(&rows, entries, &revoking.ca, entries, revoking.audit.at).await?;
        if told(&rows, OWED)? > 0 {
            self.owes_deliveries();
        }
        self.owes_audit(revoking.audit.clone());
        Ok(())
    }

    async fn note_revocations(&mut self, ca_id: &CaId, entries: &[RevokedSerial], now: Timestamp) -> Result<()> {
        for (number, batch) in entries.chunks(BATCH).enumerate() {
            let mut parts = Parts::default();
            push_note(&mut parts, ca_id, batch, number == 0);
            let rows = if number == 0 {
                push_due(&mut parts, COUNTED, ca_id, entries, now);
                self.written(parts.returning(&[NOTED, OUTPACED])).await?
            } else {
                self.written(parts.returning(&[NOTED])).await?
            };
            self.check_noted(&rows, batch, ca_id, entries, now).await?;
        }
        Ok(())
    }

    async fn listed(
        &mut self,
        ca_id: &CaId,
        places: (Place, Place),
        previous: Option<Timestamp>,
    ) -> Result<ListedEntries> {
        let (from, to) = places;
        let row = self
            .optional(
                sql(LISTED)
                    .bind(ca_id.as_str())
                    .bind(i64::from(from.number()))
                    .bind(i64::from(to.number()))
                    .bind(previous.map_or(i64::MIN, Timestamp::unix_ms)),
            )
            .await?;
        let packed: Option<String> =
            row.map(|row| row.try_get("entries").map_err(Error::from_driver)).transpose()?.flatten();
        Ok(ListedEntries::new(packed, ca_id))
    }

    async fn revocation(&mut self, ca_id: &CaId, serial: &Serial) -> Result<Option<RevokedSerial>> {
        let row = self
            .optional(
                sql(select_revocation!("WHERE ca_id = $1 AND place = $2 AND serial = $3"))
                    .bind(ca_id.as_str())
                    .bind(i64::from(Place::of(serial).number()))
                    .bind(serial.as_bytes()),
            )
            .await?;
        row.as_ref().map(read_revocation).transpose()
    }

    async fn revocations_since(&mut self, ca_id: &CaId, change: i64, limit: u32) -> Result<Vec<RevokedSerial>> {
        let rows = self
            .all(
                sql(select_revocation!("WHERE ca_id = $1 AND change > $2 ORDER BY change LIMIT $3"))
                    .bind(ca_id.as_str())
                    .bind(change)
                    .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_revocation).collect()
    }

    async fn purge_revocations(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        // With the number of the change: on PostgreSQL a statement that waits for a row asks only what ties it to the row deleted,
        // once more, and an entry may be another one by then.
        let expired = self
            .execute(
                sql("DELETE FROM revocations WHERE (ca_id, place, serial, change) IN \
                     (SELECT r.ca_id, r.place, r.serial, r.change FROM revocations r WHERE r.expires_at < $1 AND NOT EXISTS \
                     (SELECT 1 FROM crl_series s LEFT JOIN crls c ON c.id = s.crl_id WHERE s.ca_id = r.ca_id \
                     AND s.kind = 'FULL' AND s.due_at IS NOT NULL \
                     AND (c.this_update IS NULL OR c.this_update <= r.expires_at)) \
                     ORDER BY r.expires_at LIMIT $2)")
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        let released = self
            .execute(
                sql("DELETE FROM revocations WHERE (ca_id, place, serial, change) IN \
                     (SELECT r.ca_id, r.place, r.serial, r.change FROM revocations r WHERE r.released = 1 AND NOT EXISTS \
                     (SELECT 1 FROM crl_series s LEFT JOIN crls c ON c.id = s.crl_id WHERE s.ca_id = r.ca_id \
                     AND s.kind = 'FULL' AND s.due_at IS NOT NULL AND (c.change IS NULL OR c.change < r.change)) \
                     LIMIT $1)")
                .bind(i64::from(limit)),
            )
            .await?;
        Ok(expired.saturating_add(released))
    }
}
