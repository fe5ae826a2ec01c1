//! The inventory: everything but the search.

use super::super::insert_issued;
use super::{Error, Reading, Result, Row, Session, search, sql, swapped};
use crate::documents;
use crate::rows::issued_rows;
use crate::{IssuedFilter, IssuedQueries, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::id::{CaId, IssuedId};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::revocation::Revocation;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::time::Timestamp;

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

#[async_trait]
impl IssuedQueries for Session {
    async fn insert_issued(&mut self, certificates: &[IssuedCertificate]) -> Result<()> {
        let (rows, names) = issued_rows(certificates.iter());
        self.bulk(async |connection| insert_issued(connection, &rows, &names).await).await
    }

    async fn issued(&mut self, id: &IssuedId) -> Result<Option<IssuedCertificate>> {
        let row = self.optional(sql(select_issued!("WHERE t.id = $1")).bind(id.as_str())).await?;
        row.as_ref().map(read_issued).transpose()
    }

    async fn issued_by_fingerprint(&mut self, fingerprint: &Sha256) -> Result<Option<IssuedCertificate>> {
        let row = self.optional(sql(select_issued!("WHERE t.fingerprint = $1")).bind(fingerprint.0.as_slice())).await?;
        row.as_ref().map(read_issued).transpose()
    }

    async fn issued_by_serial(&mut self, serial: &Serial) -> Result<Vec<IssuedCertificate>> {
        let rows =
            self.all(sql(select_issued!("WHERE t.serial = $1 ORDER BY t.id LIMIT 10")).bind(serial.as_bytes())).await?;
        rows.iter().map(read_issued).collect()
    }

    async fn search_issued(&mut self, filter: &IssuedFilter, page: &PageRequest) -> Result<Page<IssuedCertificate>> {
        search::run(self, filter, page).await
    }

    async fn revoke_issued(&mut self, id: &IssuedId, revocation: &Revocation) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE issued_certificates SET revoked_at = $2, revocation_reason = $3 \
                     WHERE id = $1 AND revoked_at IS NULL")
                .bind(id.as_str())
                .bind(revocation.at.unix_ms())
                .bind(revocation.reason.as_str()),
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
                sql("SELECT id, names FROM issued_certificates WHERE not_after < $1 AND revoked_at IS NULL \
                     AND kind = 'LEAF' ORDER BY not_after, id LIMIT $2")
                .bind(before.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        let mut purged = 0_u64;
        for row in &rows {
            let row = Reading::of(row, "issued_certificates", "id")?;
            let id = row.text("id")?;
            for name in row.document("names", documents::read_names)? {
                self.execute(
                    sql("DELETE FROM issued_names WHERE value = $1 AND issued_id = $2")
                        .bind(name.to_string())
                        .bind(id.as_str()),
                )
                .await?;
            }
            // Revoked meanwhile: it stays, and so do its names, because the whole transaction would be undone.
            let deleted = self
                .execute(sql("DELETE FROM issued_certificates WHERE id = $1 AND revoked_at IS NULL").bind(&id))
                .await?;
            swapped(deleted, "issued_certificates")?;
            purged = purged.saturating_add(deleted);
        }
        Ok(purged)
    }
}
