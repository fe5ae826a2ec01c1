//! The inventory: everything but the search.

use super::super::{EACH_ISSUED, insert_issued, push_ids_by_digest};
use super::{Driver, Error, Reading, Result, Row, Session, search, sql, swapped};
use crate::documents;
use crate::rows::{Digest, issued_rows};
use crate::{IssuedFilter, IssuedQueries, Page, PageRequest, RevocationQueries as _};
use async_trait::async_trait;
use certwright_domain::id::{CaId, IssuedId};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::revocation::Revocation;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::time::Timestamp;
use sqlx::QueryBuilder;

/// The columns that make an [`IssuedCertificate`], of the table `t`.
macro_rules! issued_columns {
    () => {
        "t.id, t.kind, t.ca_id, t.ca_name, t.ca_version, t.serial, t.fingerprint, t.spki_sha256, t.subject, t.common_name, \
         t.names, t.profile, t.key_algorithm, t.not_before, t.not_after, t.renew_at, t.requester, t.requester_name, \
         t.request_id, t.issued_at, t.revoked_at, t.revocation_reason, t.certificate"
    };
}
pub(super) use issued_columns;

macro_rules! select_issued {
    ($rest:literal) => {
        concat!("SELECT ", issued_columns!(), " FROM issued_certificates t ", $rest)
    };
}

pub(super) fn push_issued(query: &mut QueryBuilder<Driver>, id: &IssuedId) {
    query.push(select_issued!("WHERE t.id = ")).push_bind(id.as_str());
}

pub(super) fn first_issued(rows: &[Row]) -> Result<Option<IssuedCertificate>> {
    rows.first().map(read_issued).transpose()
}

/// Reads a row of [`issued_columns!`].
pub(super) fn read_issued(row: &Row) -> Result<IssuedCertificate> {
    let row = Reading::of(row, "issued_certificates", "id")?;
    Ok(IssuedCertificate {
        id: row.parse("id", IssuedId::parse)?,
        kind: row.parse("kind", IssuedKind::parse)?,
        ca_id: row.parse("ca_id", CaId::parse)?,
        ca_name: row.text("ca_name")?,
        ca_version: row.number("ca_version")?,
        serial: row.serial("serial")?,
        fingerprint: row.sha256("fingerprint")?,
        spki_sha256: row.sha256("spki_sha256")?,
        subject: row.text("subject")?,
        common_name: row.text("common_name")?,
        names: row.document("names", documents::read_names)?,
        profile: row.text("profile")?,
        key_algorithm: row.text("key_algorithm")?,
        validity: row.validity()?,
        renew_at: row.time("renew_at")?,
        requester: row.text("requester")?,
        requester_name: row.text("requester_name")?,
        request_id: row.text("request_id")?,
        certificate: row.blob("certificate")?,
        issued_at: row.time("issued_at")?,
        revocation: row.revocation()?,
    })
}

/// The certificates with this digest; conditions on `t` may follow.
fn with_digest(column: Digest, digest: &Sha256) -> QueryBuilder<Driver> {
    let mut query = QueryBuilder::new(concat!("SELECT ", issued_columns!(), " FROM ("));
    push_ids_by_digest(&mut query, column, digest);
    query.push(") AS w").push(EACH_ISSUED);
    query
}

#[async_trait]
impl IssuedQueries for Session {
    async fn insert_issued(&mut self, certificates: &[IssuedCertificate]) -> Result<()> {
        let (rows, names) = issued_rows(certificates.iter());
        self.bulk(async |connection| insert_issued(connection, &rows, &names).await).await
    }

    async fn issued(&mut self, id: &IssuedId) -> Result<Option<IssuedCertificate>> {
        let mut query = QueryBuilder::new("");
        push_issued(&mut query, id);
        first_issued(&self.built(query).await?)
    }

    async fn issued_by_fingerprint(&mut self, fingerprint: &Sha256) -> Result<Option<IssuedCertificate>> {
        let rows = self.built(with_digest(Digest::Fingerprint, fingerprint)).await?;
        rows.first().map(read_issued).transpose()
    }

    async fn issued_by_serial(&mut self, serial: &Serial) -> Result<Vec<IssuedCertificate>> {
        let rows =
            self.all(sql(select_issued!("WHERE t.serial = $1 ORDER BY t.id LIMIT 10")).bind(serial.as_bytes())).await?;
        rows.iter().map(read_issued).collect()
    }

    async fn search_issued(&mut self, filter: &IssuedFilter, page: &PageRequest) -> Result<Page<IssuedCertificate>> {
        search::run(self, filter, page).await
    }

    async fn issued_with_key(
        &mut self,
        spki: &Sha256,
        live_at: Timestamp,
        limit: u32,
    ) -> Result<Vec<IssuedCertificate>> {
        let mut query = with_digest(Digest::Key, spki);
        query.push(" AND t.not_after >= ").push_bind(live_at.floor_to_second().unix_ms());
        query.push(" AND t.kind = 'LEAF' ORDER BY t.id LIMIT ").push_bind(i64::from(limit));
        let rows = self.built(query).await?;
        rows.iter().map(read_issued).collect()
    }

    async fn last_expiry(&mut self, ca_id: &CaId) -> Result<Option<Timestamp>> {
        let row = self
            .optional(
                sql("SELECT t.not_after FROM issued_certificates t WHERE t.ca_id = $1 AND NOT EXISTS \
                     (SELECT 1 FROM ca_versions v WHERE v.ca_id = $1 AND v.issued_id = t.id) \
                     ORDER BY t.not_after DESC LIMIT 1")
                .bind(ca_id.as_str()),
            )
            .await?;
        let ms: Option<i64> =
            row.map(|row| sqlx::Row::try_get(&row, "not_after").map_err(Error::from_driver)).transpose()?;
        Ok(ms.map(Timestamp::from_unix_ms))
    }

    async fn change_revocation(
        &mut self,
        id: &IssuedId,
        before: Option<&Revocation>,
        after: Option<&Revocation>,
    ) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE issued_certificates SET revoked_at = $2, revocation_reason = $3 WHERE id = $1 \
                     AND ((revoked_at IS NULL AND $4 IS NULL) OR (revoked_at = $4 AND revocation_reason = $5))")
                .bind(id.as_str())
                .bind(after.map(|revocation| revocation.at.unix_ms()))
                .bind(after.map(|revocation| revocation.reason.as_str()))
                .bind(before.map(|revocation| revocation.at.unix_ms()))
                .bind(before.map(|revocation| revocation.reason.as_str())),
            )
            .await?;
        swapped(rows, "issued_certificates")
    }

    async fn block_key(&mut self, spki: &Sha256, epoch: i64, at: Timestamp) -> Result<()> {
        self.execute(
            sql("INSERT INTO compromised_keys (spki_sha256, epoch, at) VALUES ($1, $2, $3) \
                 ON CONFLICT (spki_sha256) DO NOTHING")
            .bind(spki.0.as_slice())
            .bind(epoch)
            .bind(at.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn key_is_blocked(&mut self, spki: &Sha256) -> Result<bool> {
        let row = self
            .optional(sql("SELECT 1 AS one FROM compromised_keys WHERE spki_sha256 = $1").bind(spki.0.as_slice()))
            .await?;
        Ok(row.is_some())
    }

    async fn compromised_keys(&mut self, since: i64) -> Result<Vec<Sha256>> {
        let rows = self
            .all(
                sql("SELECT spki_sha256 FROM compromised_keys WHERE epoch > $1 ORDER BY epoch, spki_sha256")
                    .bind(since),
            )
            .await?;
        rows.iter()
            .map(|row| {
                let hash: &[u8] = sqlx::Row::try_get(row, "spki_sha256").map_err(Error::from_driver)?;
                Sha256::from_slice(hash).ok_or_else(|| Error::Corrupt {
                    table: "compromised_keys",
                    column: "spki_sha256",
                    row: String::new(),
                })
            })
            .collect()
    }

    async fn purge_expired(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        let rows = self
            .all(
                sql("SELECT id, ca_id, serial, common_name_lower, names, revoked_at FROM issued_certificates \
                     WHERE not_after < $1 AND kind = 'LEAF' ORDER BY not_after, id LIMIT $2")
                .bind(before.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        let mut purged = 0_u64;
        for row in &rows {
            let row = Reading::of(row, "issued_certificates", "id")?;
            let (id, serial) = (row.text("id")?, row.serial("serial")?);
            let revoked_at = row.get::<Option<i64>>("revoked_at")?;
            let ca_id = row.parse("ca_id", CaId::parse)?;
            if revoked_at.is_some() && self.revocation(&ca_id, &serial).await?.is_some() {
                continue;
            }
            let names = row.document("names", documents::read_names)?.into_iter().map(|name| name.to_string());
            for name in names.chain([row.text("common_name_lower")?]) {
                self.execute(
                    sql("DELETE FROM issued_names WHERE value = $1 AND issued_id = $2").bind(name).bind(id.as_str()),
                )
                .await?;
            }
            self.execute(sql("DELETE FROM moved_renewals WHERE issued_id = $1").bind(&id)).await?;
            // Revoked or released meanwhile: it stays, and so do its names, because the whole transaction would be undone.
            let deleted = self
                .execute(
                    sql("DELETE FROM issued_certificates WHERE id = $1 \
                         AND ((revoked_at IS NULL AND $2 IS NULL) OR revoked_at = $2)")
                    .bind(&id)
                    .bind(revoked_at),
                )
                .await?;
            swapped(deleted, "issued_certificates")?;
            purged = purged.saturating_add(deleted);
        }
        Ok(purged)
    }
}
