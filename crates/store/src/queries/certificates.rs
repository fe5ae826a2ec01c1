//! Managed certificates, their versions, and attempts to renew.

use super::page::one_more;
use super::vaults::count;
use super::{Error, Reading, Result, Session, Statement, clamp, name_cursor, name_page, names_after, sql, swapped};
use crate::{CertificateFilter, CertificateQueries, Page, PageRequest, VersionSelector, cursor, documents};
use async_trait::async_trait;
use certwright_domain::id::{CaId, CertificateId, IssuedId, KeyId, looks_like_id};
use certwright_domain::managed::{
    CertificateKind, CertificateState, CertificateVersion, ManagedCertificate, RenewalKey, RenewalSettings,
    VersionReason, rule_for,
};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::serial::Serial;
use certwright_domain::stage::VersionPointers;
use certwright_domain::time::{Span, Timestamp};

macro_rules! certificate_columns {
    () => {
        "c.id, c.name, c.kind, c.state, c.state_before_deletion, c.wish, c.renewal_interval, c.renewal_advance, \
         c.renewal_automatic, c.renewal_key, c.exportable, c.current_version, c.previous_version, c.latest_version, \
         c.next_attempt_at, c.overdue_at, c.failures, c.created_at, c.deletion_at, c.revision, \
         CASE WHEN c.latest_version > c.current_version THEN (SELECT MAX(w.number) FROM certificate_versions w \
         LEFT JOIN issued_certificates x ON x.id = w.issued_id WHERE w.certificate_id = c.id \
         AND w.number > c.current_version AND (c.previous_version IS NULL OR w.number <> c.previous_version) \
         AND x.revoked_at IS NULL) END AS waiting"
    };
}

macro_rules! version_columns {
    () => {
        "v.certificate_id, v.number, v.version_name, v.key_id, v.key_version, v.csr, v.issued_id, v.certificate, v.chain, \
         v.serial, v.fingerprint, v.spki_sha256, v.subject, v.names, v.key_algorithm, v.not_before, v.not_after, \
         v.exportable AS version_exportable, v.reason, v.created_at AS version_created_at, i.revoked_at, \
         i.revocation_reason, m.renew_at AS moved"
    };
}

macro_rules! select_certificate {
    ($rest:literal) => {
        concat!("SELECT ", certificate_columns!(), " FROM certificates c ", $rest)
    };
}

macro_rules! select_both {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            certificate_columns!(),
            ", ",
            version_columns!(),
            " FROM certificates c JOIN certificate_versions v ON v.certificate_id = c.id \
             LEFT JOIN issued_certificates i ON i.id = v.issued_id \
             LEFT JOIN moved_renewals m ON m.issued_id = v.issued_id ",
            $rest
        )
    };
}

/// A version by the number that its stage (`$2`) points to, or by the number itself (`$3`).
macro_rules! by_number {
    () => {
        " AND c.state <> 'DELETED' AND v.number = CASE $2 WHEN 'CURRENT' THEN c.current_version \
          WHEN 'PREVIOUS' THEN c.previous_version WHEN 'LATEST' THEN c.latest_version \
          WHEN 'PENDING' THEN CASE WHEN c.latest_version > c.current_version THEN c.latest_version END \
          ELSE $3 END"
    };
}

/// What a bundle costs: one statement, each of its tables entered by an index.
pub(crate) const VERSION_BY_NAME: &str = concat!(select_both!("WHERE c.name = $1"), by_number!());

fn read_certificate(row: &super::Row) -> Result<ManagedCertificate> {
    let row = Reading::of(row, "certificates", "id")?;
    let span = |column| Ok::<_, Error>(row.get::<Option<i64>>(column)?.map(Span::from_ms));
    // The rule was made for the lifetime of then; any lifetime will do to read it.
    let rule = rule_for(span("renewal_interval")?, span("renewal_advance")?, Span::from_ms(i64::MAX));
    let wish = row
        .get::<Option<&str>>("wish")?
        .map(|text| documents::read_wish(text).ok_or_else(|| row.corrupt("wish")))
        .transpose()?;
    Ok(ManagedCertificate {
        id: row.parse("id", CertificateId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        kind: row.parse("kind", CertificateKind::parse)?,
        state: row.parse("state", CertificateState::parse)?,
        state_before_deletion: row.parse_optional("state_before_deletion", CertificateState::parse)?,
        wish,
        renewal: RenewalSettings {
            rule: rule.map_err(|_| row.corrupt("renewal_interval"))?,
            automatic: row.flag("renewal_automatic")?,
            key: row.parse("renewal_key", RenewalKey::parse)?,
        },
        exportable: row.flag("exportable")?,
        versions: VersionPointers {
            current: row.number_optional("current_version")?,
            previous: row.number_optional("previous_version")?,
            latest: row.number("latest_version")?,
        },
        waiting: row.number_optional("waiting")?,
        next_attempt_at: row.time_optional("next_attempt_at")?,
        overdue_at: row.time_optional("overdue_at")?,
        failures: row.number("failures")?,
        created_at: row.time("created_at")?,
        deletion_at: row.time_optional("deletion_at")?,
        revision: row.get("revision")?,
    })
}

fn read_version(row: &super::Row) -> Result<CertificateVersion> {
    let row = Reading::of(row, "certificate_versions", "certificate_id")?;
    let key = row.parse_optional("key_id", KeyId::parse)?;
    Ok(CertificateVersion {
        certificate_id: row.parse("certificate_id", CertificateId::parse)?,
        number: row.number("number")?,
        name: row.parse_optional("version_name", ResourceName::parse)?,
        key: key.zip(row.number_optional("key_version")?),
        csr: row.get("csr")?,
        issued_id: row.parse_optional("issued_id", IssuedId::parse)?,
        certificate: row.blob("certificate")?,
        chain: row.document("chain", documents::read_chain)?,
        serial: row.serial("serial")?,
        fingerprint: row.sha256("fingerprint")?,
        spki_sha256: row.sha256("spki_sha256")?,
        subject: row.text("subject")?,
        names: row.document("names", documents::read_names)?,
        key_algorithm: row.text("key_algorithm")?,
        validity: row.validity()?,
        exportable: row.flag("version_exportable")?,
        reason: row.parse("reason", VersionReason::parse)?,
        created_at: row.time("version_created_at")?,
        revocation: row.revocation()?,
        moved: row.time_optional("moved")?,
    })
}

/// Binds what is mutable, in the order of both statements: `$3` to `$19`.
fn bind_mutable<'q>(statement: Statement<'q>, certificate: &ManagedCertificate) -> Statement<'q> {
    let rule = certificate.renewal.rule;
    statement
        .bind(certificate.name.to_string())
        .bind(certificate.state.as_str())
        .bind(certificate.state_before_deletion.map(CertificateState::as_str))
        .bind(certificate.wish.as_ref().map(|wish| wish.ca.to_string()))
        .bind(certificate.wish.as_ref().map(documents::write_wish))
        .bind(rule.and_then(|rule| rule.interval()).map(Span::ms))
        .bind(rule.and_then(|rule| rule.advance_period()).map(Span::ms))
        .bind(i64::from(certificate.renewal.automatic))
        .bind(certificate.renewal.key.as_str())
        .bind(i64::from(certificate.exportable))
        .bind(certificate.versions.current.map(i64::from))
        .bind(certificate.versions.previous.map(i64::from))
        .bind(i64::from(certificate.versions.latest))
        .bind(certificate.next_attempt_at.map(Timestamp::unix_ms))
        .bind(certificate.overdue_at.map(Timestamp::unix_ms))
        .bind(i64::from(certificate.failures))
        .bind(certificate.deletion_at.map(Timestamp::unix_ms))
}

impl Session {
    /// Certificates of a list whose statement takes a time and a limit.
    async fn certificates_at(
        &mut self,
        statement: &'static str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ManagedCertificate>> {
        let rows = self.all(sql(statement).bind(now.unix_ms()).bind(i64::from(limit))).await?;
        rows.iter().map(read_certificate).collect()
    }
}

#[async_trait]
impl CertificateQueries for Session {
    async fn insert_certificate(&mut self, certificate: &ManagedCertificate) -> Result<()> {
        let statement =
            sql("INSERT INTO certificates (id, revision, name, state, state_before_deletion, ca_id, wish, \
             renewal_interval, renewal_advance, renewal_automatic, renewal_key, exportable, current_version, \
             previous_version, latest_version, next_attempt_at, overdue_at, failures, deletion_at, kind, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)")
            .bind(certificate.id.as_str())
            .bind(certificate.revision);
        let statement =
            bind_mutable(statement, certificate).bind(certificate.kind.as_str()).bind(certificate.created_at.unix_ms());
        self.execute(statement).await.map(drop)
    }

    async fn certificate(&mut self, reference: &Reference) -> Result<Option<ManagedCertificate>> {
        let by = if looks_like_id(reference.as_str()) {
            select_certificate!("WHERE c.id = $1")
        } else {
            select_certificate!("WHERE c.name = $1 AND c.state <> 'DELETED'")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_certificate).transpose()
    }

    async fn certificates(
        &mut self,
        filter: &CertificateFilter,
        page: &PageRequest,
    ) -> Result<Page<ManagedCertificate>> {
        let (name, id) = names_after("certificates", page)?;
        let rows = self
            .all(
                sql(select_certificate!(
                    "WHERE (c.name, c.id) > ($1, $2) AND ($3 IS NULL OR c.kind = $3) \
                     AND (($4 IS NULL AND c.state <> 'DELETED') OR c.state = $4) AND ($5 IS NULL OR c.ca_id = $5) \
                     ORDER BY c.name, c.id LIMIT $6"
                ))
                .bind(name)
                .bind(id)
                .bind(filter.kind.map(CertificateKind::as_str))
                .bind(filter.state.map(CertificateState::as_str))
                .bind(filter.ca_id.as_ref().map(CaId::as_str))
                .bind(one_more(clamp(page))),
            )
            .await?;
        let certificates = rows.iter().map(read_certificate).collect::<Result<_>>()?;
        Ok(name_page(certificates, page, |certificate: &ManagedCertificate| {
            name_cursor("certificates", certificate.name.as_str(), certificate.id.as_str())
        }))
    }

    async fn update_certificate(&mut self, certificate: &ManagedCertificate) -> Result<()> {
        let statement = sql("UPDATE certificates SET name = $3, state = $4, state_before_deletion = $5, ca_id = $6, \
             wish = $7, renewal_interval = $8, renewal_advance = $9, renewal_automatic = $10, renewal_key = $11, \
             exportable = $12, current_version = $13, previous_version = $14, latest_version = $15, \
             next_attempt_at = $16, overdue_at = $17, failures = $18, deletion_at = $19, revision = revision + 1 \
             WHERE id = $1 AND revision = $2")
        .bind(certificate.id.as_str())
        .bind(certificate.revision);
        let rows = self.execute(bind_mutable(statement, certificate)).await?;
        swapped(rows, "certificates")
    }

    async fn due_certificates(&mut self, now: Timestamp, limit: u32) -> Result<Vec<ManagedCertificate>> {
        let statement = select_certificate!(
            "WHERE c.next_attempt_at IS NOT NULL AND c.next_attempt_at <= $1 ORDER BY c.next_attempt_at, c.id LIMIT $2"
        );
        self.certificates_at(statement, now, limit).await
    }

    async fn overdue_certificates(&mut self, now: Timestamp, limit: u32) -> Result<Vec<ManagedCertificate>> {
        let statement = select_certificate!(
            "WHERE c.overdue_at IS NOT NULL AND c.overdue_at <= $1 ORDER BY c.overdue_at, c.id LIMIT $2"
        );
        self.certificates_at(statement, now, limit).await
    }

    async fn certificates_to_delete(&mut self, now: Timestamp, limit: u32) -> Result<Vec<ManagedCertificate>> {
        let statement = select_certificate!(
            "WHERE c.state = 'PENDING_DELETION' AND c.deletion_at <= $1 ORDER BY c.deletion_at, c.id LIMIT $2"
        );
        self.certificates_at(statement, now, limit).await
    }

    async fn wake_certificates(&mut self, ca_id: &CaId, now: Timestamp) -> Result<u64> {
        self.execute(
            // Those that are due as well: one that is being tried now, under what was so before, notes no failure over this.
            sql("UPDATE certificates SET next_attempt_at = CASE WHEN next_attempt_at > $2 THEN $2 ELSE next_attempt_at END, \
                 revision = revision + 1 WHERE ca_id = $1 AND next_attempt_at IS NOT NULL \
                 AND (failures > 0 OR next_attempt_at <= $2)")
            .bind(ca_id.as_str())
            .bind(now.unix_ms()),
        )
        .await
    }

    async fn live_certificates(&mut self, ca_id: &CaId) -> Result<u64> {
        let row = self
            .optional(
                sql("SELECT COUNT(*) AS found FROM certificates WHERE ca_id = $1 AND state IN ('ACTIVE', 'DISABLED')")
                    .bind(ca_id.as_str()),
            )
            .await?;
        count(row.as_ref())
    }

    async fn insert_certificate_version(&mut self, version: &CertificateVersion) -> Result<()> {
        self.execute(
            sql("INSERT INTO certificate_versions (certificate_id, number, version_name, key_id, key_version, csr, \
                 issued_id, certificate, chain, serial, fingerprint, spki_sha256, subject, names, key_algorithm, \
                 not_before, not_after, exportable, reason, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)")
            .bind(version.certificate_id.as_str())
            .bind(i64::from(version.number))
            .bind(version.name.as_ref().map(ResourceName::as_str))
            .bind(version.key.as_ref().map(|(key, _)| key.as_str()))
            .bind(version.key.as_ref().map(|(_, number)| i64::from(*number)))
            .bind(version.csr.as_deref())
            .bind(version.issued_id.as_ref().map(IssuedId::as_str))
            .bind(version.certificate.as_slice())
            .bind(documents::write_chain(&version.chain))
            .bind(Serial::as_bytes(&version.serial))
            .bind(version.fingerprint.0.as_slice())
            .bind(version.spki_sha256.0.as_slice())
            .bind(version.subject.as_str())
            .bind(documents::write_names(&version.names))
            .bind(version.key_algorithm.as_str())
            .bind(version.validity.not_before().unix_ms())
            .bind(version.validity.not_after().unix_ms())
            .bind(i64::from(version.exportable))
            .bind(version.reason.as_str())
            .bind(version.created_at.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn certificate_versions(
        &mut self,
        id: &CertificateId,
        page: &PageRequest,
    ) -> Result<Page<CertificateVersion>> {
        let before = match &page.after {
            None => i64::MAX,
            Some(after) => {
                let [number] = cursor::decode("certificate-versions", after)?;
                number.parse().map_err(|_| Error::BadCursor)?
            }
        };
        let rows = self
            .all(
                sql(concat!(
                    "SELECT ",
                    version_columns!(),
                    " FROM certificate_versions v LEFT JOIN issued_certificates i ON i.id = v.issued_id \
                     LEFT JOIN moved_renewals m ON m.issued_id = v.issued_id \
                     WHERE v.certificate_id = $1 AND v.number < $2 ORDER BY v.number DESC LIMIT $3"
                ))
                .bind(id.as_str())
                .bind(before)
                .bind(one_more(clamp(page))),
            )
            .await?;
        let versions = rows.iter().map(read_version).collect::<Result<_>>()?;
        Ok(name_page(versions, page, |version: &CertificateVersion| {
            cursor::encode("certificate-versions", &[&version.number.to_string()])
        }))
    }

    async fn certificate_version(
        &mut self,
        reference: &Reference,
        selector: &VersionSelector,
    ) -> Result<Option<(ManagedCertificate, CertificateVersion)>> {
        let by_id = looks_like_id(reference.as_str());
        let (stage, number) = match selector {
            VersionSelector::Named(name) => {
                let by = if by_id {
                    select_both!("WHERE c.id = $1 AND c.state <> 'DELETED' AND v.version_name = $2")
                } else {
                    select_both!("WHERE c.name = $1 AND c.state <> 'DELETED' AND v.version_name = $2")
                };
                let row = self.optional(sql(by).bind(reference.as_str()).bind(name.as_str())).await?;
                return row.map(|row| Ok((read_certificate(&row)?, read_version(&row)?))).transpose();
            }
            VersionSelector::Current => ("CURRENT", None),
            VersionSelector::Previous => ("PREVIOUS", None),
            VersionSelector::Latest => ("LATEST", None),
            VersionSelector::Pending => ("PENDING", None),
            VersionSelector::Number(number) => ("NUMBER", Some(i64::from(*number))),
        };
        let by = if by_id { concat!(select_both!("WHERE c.id = $1"), by_number!()) } else { VERSION_BY_NAME };
        let row = self.optional(sql(by).bind(reference.as_str()).bind(stage).bind(number)).await?;
        row.map(|row| Ok((read_certificate(&row)?, read_version(&row)?))).transpose()
    }

    async fn certificate_of(&mut self, issued_id: &IssuedId) -> Result<Option<(ManagedCertificate, u32)>> {
        let by_row = concat!(
            "SELECT ",
            certificate_columns!(),
            ", v.number FROM certificate_versions v JOIN certificates c ON c.id = v.certificate_id \
             WHERE v.issued_id = $1 AND c.state <> 'DELETED'"
        );
        let row = self.optional(sql(by_row).bind(issued_id.as_str())).await?;
        row.map(|row| {
            let number = Reading::of(&row, "certificate_versions", "id")?.number("number")?;
            Ok((read_certificate(&row)?, number))
        })
        .transpose()
    }

    async fn delete_certificate_version(&mut self, id: &CertificateId, number: u32) -> Result<()> {
        let rows = self
            .execute(
                sql("DELETE FROM certificate_versions WHERE certificate_id = $1 AND number = $2")
                    .bind(id.as_str())
                    .bind(i64::from(number)),
            )
            .await?;
        swapped(rows, "certificate_versions")
    }

    async fn certificate_key_uses(&mut self, key_id: &KeyId, key_version: u32) -> Result<u64> {
        let row = self
            .optional(
                sql("SELECT COUNT(*) AS found FROM certificate_versions WHERE key_id = $1 AND key_version = $2")
                    .bind(key_id.as_str())
                    .bind(i64::from(key_version)),
            )
            .await?;
        count(row.as_ref())
    }

    async fn certificate_keys(&mut self, id: &CertificateId) -> Result<Vec<KeyId>> {
        let rows = self
            .all(
                sql(
                    "SELECT DISTINCT key_id FROM certificate_versions WHERE certificate_id = $1 AND key_id IS NOT NULL",
                )
                .bind(id.as_str()),
            )
            .await?;
        rows.iter()
            .map(|row| Reading::of(row, "certificate_versions", "key_id")?.parse("key_id", KeyId::parse))
            .collect()
    }
}
