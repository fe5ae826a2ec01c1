//! What OCSP answers from: the standing of serials, and the delegated responders.

use super::{Reading, Result, Row, Session, sql, swapped};
use crate::{OcspQueries, RevocationQueries};
use async_trait::async_trait;
use certwright_domain::id::{CaId, IssuedId, KeyId};
use certwright_domain::issued::SerialStanding;
use certwright_domain::ocsp::OcspResponder;
use certwright_domain::serial::Serial;
use certwright_domain::time::Timestamp;

/// The standing of a serial. A CA's own rows and those that it brought along do not overlap: serials are drawn anew.
pub(crate) const STANDING: &str = "SELECT ca_id, ca_version, revoked_at, revocation_reason FROM issued_certificates \
     WHERE serial = $1 AND ca_id = $2 \
     UNION ALL SELECT ca_id, NULL AS ca_version, revoked_at, revocation_reason FROM ca_known_serials \
     WHERE ca_id = $2 AND serial = $1";

macro_rules! select_responder {
    ($rest:literal) => {
        concat!(
            "SELECT r.ca_id, r.ca_version, r.number, r.issued_id, r.key_id, r.key_version, r.certificate, r.not_before, \
             r.not_after, r.renew_at, r.created_at FROM ocsp_responders r ",
            $rest
        )
    };
}

fn read_responder(row: &Row) -> Result<OcspResponder> {
    let row = Reading::of(row, "ocsp_responders", "ca_id")?;
    Ok(OcspResponder {
        ca_id: row.parse("ca_id", CaId::parse)?,
        ca_version: row.number("ca_version")?,
        number: row.number("number")?,
        issued_id: row.parse("issued_id", IssuedId::parse)?,
        key_id: row.parse("key_id", KeyId::parse)?,
        key_version: row.number("key_version")?,
        certificate: row.blob("certificate")?,
        validity: row.validity()?,
        renew_at: row.time("renew_at")?,
        created_at: row.time("created_at")?,
    })
}

#[async_trait]
impl OcspQueries for Session {
    async fn serial_standing(&mut self, ca_id: &CaId, serial: &Serial) -> Result<Option<SerialStanding>> {
        let row = self.optional(sql(STANDING).bind(serial.as_bytes()).bind(ca_id.as_str())).await?;
        if let Some(row) = &row {
            let row = Reading::of(row, "issued_certificates", "ca_id")?;
            let standing =
                SerialStanding { ca_version: row.number_optional("ca_version")?, revocation: row.revocation()? };
            return Ok(Some(standing));
        }
        // After an old backup was put back, the lists know serials that the inventory lost. By its key, and only where
        // nothing else was found: usual serials cost no more for it.
        let listed = self.revocation(ca_id, serial).await?.filter(|listed| !listed.released);
        Ok(listed.map(|listed| SerialStanding { ca_version: None, revocation: Some(listed.revocation) }))
    }

    async fn insert_ocsp_responder(&mut self, responder: &OcspResponder) -> Result<()> {
        self.execute(
            sql(
                "INSERT INTO ocsp_responders (ca_id, ca_version, number, issued_id, key_id, key_version, certificate, \
                 not_before, not_after, renew_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(responder.ca_id.as_str())
            .bind(i64::from(responder.ca_version))
            .bind(i64::from(responder.number))
            .bind(responder.issued_id.as_str())
            .bind(responder.key_id.as_str())
            .bind(i64::from(responder.key_version))
            .bind(responder.certificate.as_slice())
            .bind(responder.validity.not_before().unix_ms())
            .bind(responder.validity.not_after().unix_ms())
            .bind(responder.renew_at.unix_ms())
            .bind(responder.created_at.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn ocsp_responder(&mut self, ca_id: &CaId, ca_version: u32) -> Result<Option<OcspResponder>> {
        let row = self
            .optional(
                sql(select_responder!(
                    "WHERE r.ca_id = $1 AND r.ca_version = $2 AND NOT EXISTS (SELECT 1 FROM issued_certificates i \
                     WHERE i.id = r.issued_id AND i.revoked_at IS NOT NULL) ORDER BY r.number DESC LIMIT 1"
                ))
                .bind(ca_id.as_str())
                .bind(i64::from(ca_version)),
            )
            .await?;
        row.as_ref().map(read_responder).transpose()
    }

    async fn latest_ocsp_responder(&mut self, ca_id: &CaId, ca_version: u32) -> Result<u32> {
        let row = self
            .optional(
                sql("SELECT ca_id, number FROM ocsp_responders WHERE ca_id = $1 AND ca_version = $2 \
                     ORDER BY number DESC LIMIT 1")
                .bind(ca_id.as_str())
                .bind(i64::from(ca_version)),
            )
            .await?;
        match row {
            Some(row) => Reading::of(&row, "ocsp_responders", "ca_id")?.number("number"),
            None => Ok(0),
        }
    }

    async fn ocsp_responders_due(
        &mut self,
        now: Timestamp,
        after: Option<(&CaId, u32)>,
        limit: u32,
    ) -> Result<Vec<(CaId, u32)>> {
        let (ca, version) = after.map_or(("", 0), |(ca, version)| (ca.as_str(), version));
        let rows = self
            .all(
                sql("SELECT DISTINCT v.ca_id, v.number FROM ocsp_responders o \
                     JOIN ca_versions v ON v.ca_id = o.ca_id AND v.number = o.ca_version \
                     JOIN certificate_authorities c ON c.id = v.ca_id \
                     WHERE (v.ca_id, v.number) > ($2, $3) AND c.ocsp_enabled = 1 AND c.ocsp_responder = 'DELEGATED' \
                     AND c.state IN ('ACTIVE', 'DISABLED', 'PENDING_DELETION') AND v.not_after >= $1 \
                     AND NOT EXISTS (SELECT 1 FROM ocsp_responders r WHERE r.ca_id = v.ca_id \
                     AND r.ca_version = v.number AND r.renew_at > $1 AND NOT EXISTS (SELECT 1 \
                     FROM issued_certificates i WHERE i.id = r.issued_id AND i.revoked_at IS NOT NULL)) \
                     ORDER BY v.ca_id, v.number LIMIT $4")
                .bind(now.unix_ms())
                .bind(ca)
                .bind(i64::from(version))
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter()
            .map(|row| {
                let row = Reading::of(row, "ca_versions", "ca_id")?;
                Ok((row.parse("ca_id", CaId::parse)?, row.number("number")?))
            })
            .collect()
    }

    async fn ocsp_responders_to_retire(&mut self, now: Timestamp, limit: u32) -> Result<Vec<OcspResponder>> {
        let rows = self
            .all(
                sql(select_responder!(
                    "JOIN certificate_authorities c ON c.id = r.ca_id WHERE r.not_after < $1 OR c.state = 'DELETED' \
                     ORDER BY r.ca_id, r.ca_version, r.number LIMIT $2"
                ))
                .bind(now.floor_to_second().unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_responder).collect()
    }

    async fn delete_ocsp_responder(&mut self, responder: &OcspResponder) -> Result<()> {
        let rows = self
            .execute(
                sql("DELETE FROM ocsp_responders WHERE ca_id = $1 AND ca_version = $2 AND number = $3")
                    .bind(responder.ca_id.as_str())
                    .bind(i64::from(responder.ca_version))
                    .bind(i64::from(responder.number)),
            )
            .await?;
        swapped(rows, "ocsp_responders")
    }
}
