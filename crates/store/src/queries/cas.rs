//! Certificate authorities and their versions.

use super::page::one_more;
use super::vaults::count;
use super::{Reading, Result, Session, clamp, name_cursor, name_page, names_after, sql, swapped};
use crate::documents;
use crate::{CaFilter, CaQueries, Error, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::ca::{
    Ca, CaRenewal, CaRenewalKey, CaRules, CaState, CaType, CaVersion, DeltaSettings, OcspResponderKind,
    RevocationSettings, expiry_warning_at,
};
use certwright_domain::crl::Shards;
use certwright_domain::id::{CaId, IssuedId, KeyId, VaultId, looks_like_id};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::revocation::Revocation;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::stage::VersionPointers;
use certwright_domain::time::{Span, Timestamp};

macro_rules! select_ca {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, ca_type, state, state_before_deletion, system, issuer_id, vault_id, key_id, \
             signature_algorithm, subject, leaf_max_validity, subordinate_max_validity, path_length, name_constraints, \
             crl_enabled, crl_lifetime, ocsp_enabled, current_version, previous_version, latest_version, created_at, \
             deletion_at, revision, renewal_key, renewal_advance, renewal_activation, next_renewal_at, renewal_failures, \
             exportable, crl_number, crl_interval, crl_shards, delta_lifetime, delta_interval, hold_enabled, \
             ocsp_responder, publication FROM certificate_authorities ",
            $rest
        )
    };
}

macro_rules! select_version {
    ($rest:literal) => {
        concat!(
            "SELECT ca_id, number, key_version, certificate, csr, chain, serial, fingerprint, spki_sha256, not_before, \
             not_after, issued_id, revoked_at, revocation_reason, failed, created_at FROM ca_versions ",
            $rest
        )
    };
}

fn read_ca(row: &super::Row) -> Result<Ca> {
    let row = Reading::of(row, "certificate_authorities", "id")?;
    let vault = row.parse_optional("vault_id", VaultId::parse)?;
    let path_length = row.number_optional("path_length")?.map(u8::try_from).transpose();
    let name_constraints = row
        .get::<Option<&str>>("name_constraints")?
        .map(|text| documents::read_constraints(text).ok_or_else(|| row.corrupt("name_constraints")));
    Ok(Ca {
        id: row.parse("id", CaId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        ca_type: row.parse("ca_type", CaType::parse)?,
        state: row.parse("state", CaState::parse)?,
        state_before_deletion: row.parse_optional("state_before_deletion", CaState::parse)?,
        system: row.flag("system")?,
        issuer_id: row.parse_optional("issuer_id", CaId::parse)?,
        key: vault.zip(row.parse_optional("key_id", KeyId::parse)?),
        signature_algorithm: row.parse_optional("signature_algorithm", SignatureAlgorithm::parse)?,
        subject: row.document("subject", documents::read_subject)?,
        rules: CaRules {
            leaf_max_validity: row.span("leaf_max_validity")?,
            subordinate_max_validity: row.span("subordinate_max_validity")?,
            path_length: path_length.map_err(|_| row.corrupt("path_length"))?,
            name_constraints: name_constraints.transpose()?,
        },
        revocation: RevocationSettings {
            crl_enabled: row.flag("crl_enabled")?,
            crl_lifetime: row.span("crl_lifetime")?,
            crl_interval: row.span("crl_interval")?,
            crl_shards: Shards::new(row.number("crl_shards")?).map_err(|_| row.corrupt("crl_shards"))?,
            delta: read_delta(&row)?,
            hold_enabled: row.flag("hold_enabled")?,
            ocsp_enabled: row.flag("ocsp_enabled")?,
            ocsp_responder: row.parse("ocsp_responder", OcspResponderKind::parse)?,
        },
        versions: VersionPointers {
            current: row.number_optional("current_version")?,
            previous: row.number_optional("previous_version")?,
            latest: row.number("latest_version")?,
        },
        created_at: row.time("created_at")?,
        deletion_at: row.time_optional("deletion_at")?,
        revision: row.get("revision")?,
        renewal: read_renewal(&row)?,
        next_renewal_at: row.time_optional("next_renewal_at")?,
        renewal_failures: row.number("renewal_failures")?,
        exportable: row.flag("exportable")?,
        crl_number: row.get("crl_number")?,
        publication: row
            .get::<Option<&str>>("publication")?
            .map(|text| documents::read_publication(text).ok_or_else(|| row.corrupt("publication")))
            .transpose()?,
    })
}

fn read_delta(row: &Reading<'_>) -> Result<Option<DeltaSettings>> {
    let Some(lifetime) = row.get::<Option<i64>>("delta_lifetime")? else { return Ok(None) };
    Ok(Some(DeltaSettings { lifetime: Span::from_ms(lifetime), interval: row.span("delta_interval")? }))
}

fn read_renewal(row: &Reading<'_>) -> Result<Option<CaRenewal>> {
    let Some(key) = row.parse_optional("renewal_key", CaRenewalKey::parse)? else { return Ok(None) };
    Ok(Some(CaRenewal {
        key,
        advance_period: row.span("renewal_advance")?,
        make_current_after: row.get::<Option<i64>>("renewal_activation")?.map(Span::from_ms),
    }))
}

fn read_version(row: &super::Row) -> Result<CaVersion> {
    let row = Reading::of(row, "ca_versions", "ca_id")?;
    Ok(CaVersion {
        ca_id: row.parse("ca_id", CaId::parse)?,
        number: row.number("number")?,
        key_version: row.number_optional("key_version")?,
        certificate: row.get("certificate")?,
        csr: row.get("csr")?,
        chain: row.document("chain", documents::read_chain)?,
        serial: row.serial_optional("serial")?,
        fingerprint: row.sha256_optional("fingerprint")?,
        spki_sha256: row.sha256_optional("spki_sha256")?,
        validity: row.validity_optional()?,
        issued_id: row.parse_optional("issued_id", IssuedId::parse)?,
        revocation: row.revocation()?,
        failed: row.flag("failed")?,
        created_at: row.time("created_at")?,
    })
}

#[async_trait]
impl CaQueries for Session {
    async fn insert_ca(&mut self, ca: &Ca) -> Result<()> {
        self.execute(
            sql("INSERT INTO certificate_authorities (id, name, ca_type, state, state_before_deletion, system, issuer_id, \
                 vault_id, key_id, signature_algorithm, subject, leaf_max_validity, subordinate_max_validity, \
                 path_length, name_constraints, crl_enabled, crl_lifetime, ocsp_enabled, current_version, \
                 previous_version, latest_version, created_at, deletion_at, revision, renewal_key, renewal_advance, \
                 renewal_activation, next_renewal_at, renewal_failures, exportable, crl_number, crl_interval, crl_shards, \
                 delta_lifetime, delta_interval, hold_enabled, ocsp_responder, publication) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
                 $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38)")
            .bind(ca.id.as_str())
            .bind(ca.name.as_str())
            .bind(ca.ca_type.as_str())
            .bind(ca.state.as_str())
            .bind(ca.state_before_deletion.map(CaState::as_str))
            .bind(i64::from(ca.system))
            .bind(ca.issuer_id.as_ref().map(CaId::as_str))
            .bind(ca.key.as_ref().map(|(vault, _)| vault.as_str()))
            .bind(ca.key.as_ref().map(|(_, key)| key.as_str()))
            .bind(ca.signature_algorithm.map(SignatureAlgorithm::as_str))
            .bind(documents::write_subject(&ca.subject))
            .bind(ca.rules.leaf_max_validity.ms())
            .bind(ca.rules.subordinate_max_validity.ms())
            .bind(ca.rules.path_length.map(i64::from))
            .bind(ca.rules.name_constraints.as_ref().map(documents::write_constraints))
            .bind(i64::from(ca.revocation.crl_enabled))
            .bind(ca.revocation.crl_lifetime.ms())
            .bind(i64::from(ca.revocation.ocsp_enabled))
            .bind(ca.versions.current.map(i64::from))
            .bind(ca.versions.previous.map(i64::from))
            .bind(i64::from(ca.versions.latest))
            .bind(ca.created_at.unix_ms())
            .bind(ca.deletion_at.map(Timestamp::unix_ms))
            .bind(ca.revision)
            .bind(ca.renewal.map(|rule| rule.key.as_str()))
            .bind(ca.renewal.map(|rule| rule.advance_period.ms()))
            .bind(ca.renewal.and_then(|rule| rule.make_current_after).map(Span::ms))
            .bind(ca.next_renewal_at.map(Timestamp::unix_ms))
            .bind(i64::from(ca.renewal_failures))
            .bind(i64::from(ca.exportable))
            .bind(ca.crl_number)
            .bind(ca.revocation.crl_interval.ms())
            .bind(i64::from(ca.revocation.crl_shards.number()))
            .bind(ca.revocation.delta.map(|delta| delta.lifetime.ms()))
            .bind(ca.revocation.delta.unwrap_or(DeltaSettings::DEFAULT).interval.ms())
            .bind(i64::from(ca.revocation.hold_enabled))
            .bind(ca.revocation.ocsp_responder.as_str())
.bind(ca.publication.as_ref().map(documents::write_publication)),
        )
        .await?;
        self.execute(
            sql("INSERT INTO crl_partitions (ca_id, shards) VALUES ($1, $2)")
                .bind(ca.id.as_str())
                .bind(i64::from(ca.revocation.crl_shards.number())),
        )
        .await?;
        self.execute(
            sql("INSERT INTO crl_counters (ca_id, change, number) VALUES ($1, 0, $2)")
                .bind(ca.id.as_str())
                .bind(ca.crl_number.unwrap_or(0)),
        )
        .await
        .map(drop)
    }

    async fn ca(&mut self, reference: &Reference) -> Result<Option<Ca>> {
        let by = if looks_like_id(reference.as_str()) {
            select_ca!("WHERE id = $1")
        } else {
            select_ca!("WHERE name = $1 AND state <> 'DELETED'")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_ca).transpose()
    }

    async fn cas(&mut self, filter: &CaFilter, page: &PageRequest) -> Result<Page<Ca>> {
        let (name, id) = names_after("certificate-authorities", page)?;
        let rows = self
            .all(
                sql(select_ca!(
                    "WHERE (name, id) > ($1, $2) AND ($3 IS NULL OR ca_type = $3) \
                     AND (($4 IS NULL AND state <> 'DELETED') OR state = $4) \
                     AND ($5 IS NULL OR issuer_id = $5) AND system <= $6 ORDER BY name, id LIMIT $7"
                ))
                .bind(name)
                .bind(id)
                .bind(filter.ca_type.map(CaType::as_str))
                .bind(filter.state.map(CaState::as_str))
                .bind(filter.issuer_id.as_ref().map(CaId::as_str))
                .bind(i64::from(filter.include_system))
                .bind(one_more(clamp(page))),
            )
            .await?;
        let cas = rows.iter().map(read_ca).collect::<Result<_>>()?;
        Ok(name_page(cas, page, |ca: &Ca| name_cursor("certificate-authorities", ca.name.as_str(), ca.id.as_str())))
    }

    async fn update_ca(&mut self, ca: &Ca) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE certificate_authorities SET name = $3, state = $4, state_before_deletion = $5, \
                     leaf_max_validity = $6, subordinate_max_validity = $7, path_length = $8, name_constraints = $9, \
                     crl_enabled = $10, crl_lifetime = $11, ocsp_enabled = $12, current_version = $13, \
                     previous_version = $14, latest_version = $15, deletion_at = $16, renewal_key = $17, \
                     renewal_advance = $18, renewal_activation = $19, next_renewal_at = $20, renewal_failures = $21, \
                     crl_interval = $22, crl_shards = $23, delta_lifetime = $24, delta_interval = $25, hold_enabled = $26, \
                     ocsp_responder = $27, publication = $28, revision = revision + 1 WHERE id = $1 AND revision = $2")
                .bind(ca.id.as_str())
                .bind(ca.revision)
                .bind(ca.name.as_str())
                .bind(ca.state.as_str())
                .bind(ca.state_before_deletion.map(CaState::as_str))
                .bind(ca.rules.leaf_max_validity.ms())
                .bind(ca.rules.subordinate_max_validity.ms())
                .bind(ca.rules.path_length.map(i64::from))
                .bind(ca.rules.name_constraints.as_ref().map(documents::write_constraints))
                .bind(i64::from(ca.revocation.crl_enabled))
                .bind(ca.revocation.crl_lifetime.ms())
                .bind(i64::from(ca.revocation.ocsp_enabled))
                .bind(ca.versions.current.map(i64::from))
                .bind(ca.versions.previous.map(i64::from))
                .bind(i64::from(ca.versions.latest))
                .bind(ca.deletion_at.map(Timestamp::unix_ms))
                .bind(ca.renewal.map(|rule| rule.key.as_str()))
                .bind(ca.renewal.map(|rule| rule.advance_period.ms()))
                .bind(ca.renewal.and_then(|rule| rule.make_current_after).map(Span::ms))
                .bind(ca.next_renewal_at.map(Timestamp::unix_ms))
                .bind(i64::from(ca.renewal_failures))
                .bind(ca.revocation.crl_interval.ms())
                .bind(i64::from(ca.revocation.crl_shards.number()))
                .bind(ca.revocation.delta.map(|delta| delta.lifetime.ms()))
                .bind(ca.revocation.delta.unwrap_or(DeltaSettings::DEFAULT).interval.ms())
                .bind(i64::from(ca.revocation.hold_enabled))
                .bind(ca.revocation.ocsp_responder.as_str())
.bind(ca.publication.as_ref().map(documents::write_publication)),
            )
            .await?;
        swapped(rows, "certificate_authorities")
    }

    async fn cas_to_delete(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Ca>> {
        let rows = self
            .all(
                sql(select_ca!(
                    "WHERE state = 'PENDING_DELETION' AND deletion_at <= $1 ORDER BY deletion_at, id LIMIT $2"
                ))
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_ca).collect()
    }

    async fn cas_to_renew(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Ca>> {
        let rows = self
            .all(
                sql(select_ca!(
                    "WHERE next_renewal_at IS NOT NULL AND next_renewal_at <= $1 ORDER BY next_renewal_at, id LIMIT $2"
                ))
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_ca).collect()
    }

    async fn insert_ca_version(&mut self, version: &CaVersion) -> Result<()> {
        self.execute(
            sql("INSERT INTO ca_versions (ca_id, number, key_version, certificate, csr, chain, serial, fingerprint, \
                 spki_sha256, not_before, not_after, issued_id, revoked_at, revocation_reason, failed, created_at, \
                 expiry_warning_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)")
            .bind(version.ca_id.as_str())
            .bind(i64::from(version.number))
            .bind(version.key_version.map(i64::from))
            .bind(version.certificate.as_deref())
            .bind(version.csr.as_deref())
            .bind(documents::write_chain(&version.chain))
            .bind(version.serial.as_ref().map(Serial::as_bytes))
            .bind(version.fingerprint.as_ref().map(|hash| hash.0.as_slice()))
            .bind(version.spki_sha256.as_ref().map(|hash| hash.0.as_slice()))
            .bind(version.validity.map(|v| v.not_before().unix_ms()))
            .bind(version.validity.map(|v| v.not_after().unix_ms()))
            .bind(version.issued_id.as_ref().map(IssuedId::as_str))
            .bind(version.revocation.map(|r| r.at.unix_ms()))
            .bind(version.revocation.map(|r| r.reason.as_str()))
            .bind(i64::from(version.failed))
            .bind(version.created_at.unix_ms())
            .bind(version.validity.as_ref().map(|validity| expiry_warning_at(validity).unix_ms())),
        )
        .await
        .map(drop)
    }

    async fn ca_versions(&mut self, ca_id: &CaId) -> Result<Vec<CaVersion>> {
        let rows = self.all(sql(select_version!("WHERE ca_id = $1 ORDER BY number DESC")).bind(ca_id.as_str())).await?;
        rows.iter().map(read_version).collect()
    }

    async fn ca_version(&mut self, ca_id: &CaId, number: u32) -> Result<Option<CaVersion>> {
        let row = self
            .optional(
                sql(select_version!("WHERE ca_id = $1 AND number = $2")).bind(ca_id.as_str()).bind(i64::from(number)),
            )
            .await?;
        row.as_ref().map(read_version).transpose()
    }

    async fn install_ca_version(&mut self, version: &CaVersion) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE ca_versions SET certificate = $3, chain = $4, serial = $5, fingerprint = $6, not_before = $7, \
                     not_after = $8, issued_id = $9, expiry_warning_at = $10 WHERE ca_id = $1 AND number = $2 AND certificate IS NULL")
                .bind(version.ca_id.as_str())
                .bind(i64::from(version.number))
                .bind(version.certificate.as_deref())
                .bind(documents::write_chain(&version.chain))
                .bind(version.serial.as_ref().map(Serial::as_bytes))
                .bind(version.fingerprint.as_ref().map(|hash| hash.0.as_slice()))
                .bind(version.validity.map(|v| v.not_before().unix_ms()))
                .bind(version.validity.map(|v| v.not_after().unix_ms()))
                .bind(version.issued_id.as_ref().map(IssuedId::as_str))
                .bind(version.validity.as_ref().map(|validity| expiry_warning_at(validity).unix_ms())),
            )
            .await?;
        swapped(rows, "ca_versions")
    }

    async fn revoke_ca_version(
        &mut self,
        ca_id: &CaId,
        number: u32,
        before: Option<&Revocation>,
        after: &Revocation,
    ) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE ca_versions SET revoked_at = $3, revocation_reason = $4 WHERE ca_id = $1 AND number = $2 \
                     AND ((revoked_at IS NULL AND $5 IS NULL) OR (revoked_at = $5 AND revocation_reason = $6))")
                .bind(ca_id.as_str())
                .bind(i64::from(number))
                .bind(after.at.unix_ms())
                .bind(after.reason.as_str())
                .bind(before.map(|revocation| revocation.at.unix_ms()))
                .bind(before.map(|revocation| revocation.reason.as_str())),
            )
            .await?;
        swapped(rows, "ca_versions")
    }

    async fn ca_versions_to_warn_of(&mut self, now: Timestamp, limit: u32) -> Result<Vec<CaVersion>> {
        let rows = self
            .all(
                sql(select_version!(
                    "WHERE expiry_warning_at IS NOT NULL AND expiry_warning_at <= $1 \
                     ORDER BY expiry_warning_at, ca_id, number LIMIT $2"
                ))
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_version).collect()
    }

    async fn warned_of_ca_version(&mut self, ca_id: &CaId, number: u32) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE ca_versions SET expiry_warning_at = NULL \
                     WHERE ca_id = $1 AND number = $2 AND expiry_warning_at IS NOT NULL")
                .bind(ca_id.as_str())
                .bind(i64::from(number)),
            )
            .await?;
        swapped(rows, "ca_versions")
    }

    async fn live_children(&mut self, ca_id: &CaId) -> Result<u64> {
        let row = self
            .optional(
                sql(
                    "SELECT COUNT(*) AS found FROM certificate_authorities WHERE issuer_id = $1 AND state <> 'DELETED'",
                )
                .bind(ca_id.as_str()),
            )
            .await?;
        count(row.as_ref())
    }

    async fn live_leaves(&mut self, ca_id: &CaId, now: Timestamp, at_most: u32) -> Result<u64> {
        let row = self
            .optional(
                sql("SELECT COUNT(*) AS found FROM (SELECT 1 AS one FROM issued_certificates t WHERE ca_id = $1 \
                     AND not_after >= $2 AND revoked_at IS NULL AND kind = 'LEAF' \
                     AND NOT EXISTS (SELECT 1 FROM ocsp_responders r WHERE r.issued_id = t.id) LIMIT $3) AS live")
                .bind(ca_id.as_str())
                .bind(now.floor_to_second().unix_ms())
                .bind(i64::from(at_most)),
            )
            .await?;
        count(row.as_ref())
    }

    async fn ca_public_keys(&mut self) -> Result<Vec<Sha256>> {
        let rows = self
            .all(sql("SELECT DISTINCT spki_sha256 FROM ca_versions WHERE spki_sha256 IS NOT NULL ORDER BY spki_sha256"))
            .await?;
        rows.iter()
            .map(|row| {
                let bytes: &[u8] = sqlx::Row::try_get(row, "spki_sha256").map_err(Error::from_driver)?;
                let wrong = || Error::Corrupt { table: "ca_versions", column: "spki_sha256", row: String::new() };
                Sha256::from_slice(bytes).ok_or_else(wrong)
            })
            .collect()
    }
}
