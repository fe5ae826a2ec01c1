//! Master keys and their versions.

use super::page::one_more;
use super::{Reading, Result, Session, clamp, name_cursor, name_page, names_after, sql, swapped};
use crate::{KeyFilter, KeyQueries, KeyVersionToRewrap, Page, PageRequest};
use async_trait::async_trait;
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::id::{CaId, KeyId, VaultId, looks_like_id};
use certwright_domain::key::{Key, KeyState, KeyVersion, Protection, SealedBlob};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;

macro_rules! select_key {
    ($rest:literal) => {
        concat!(
            "SELECT id, vault_id, name, algorithm, protection, state, state_before_deletion, used_by_ca, latest_version, \
             created_at, deletion_at, revision FROM keys ",
            $rest
        )
    };
}

macro_rules! select_version {
    ($rest:literal) => {
        concat!("SELECT key_id, number, vault_key_version, sealed, public_key, created_at FROM key_versions ", $rest)
    };
}

fn read_key(row: &super::Row) -> Result<Key> {
    let row = Reading::of(row, "keys", "id")?;
    Ok(Key {
        id: row.parse("id", KeyId::parse)?,
        vault_id: row.parse("vault_id", VaultId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        algorithm: row.parse("algorithm", KeyAlgorithm::parse)?,
        protection: row.parse("protection", Protection::parse)?,
        state: row.parse("state", KeyState::parse)?,
        state_before_deletion: row.parse_optional("state_before_deletion", KeyState::parse)?,
        used_by_ca: row.parse_optional("used_by_ca", CaId::parse)?,
        latest_version: row.number("latest_version")?,
        created_at: row.time("created_at")?,
        deletion_at: row.time_optional("deletion_at")?,
        revision: row.get("revision")?,
    })
}

fn read_version(row: &super::Row) -> Result<KeyVersion> {
    let row = Reading::of(row, "key_versions", "key_id")?;
    Ok(KeyVersion {
        key_id: row.parse("key_id", KeyId::parse)?,
        number: row.number("number")?,
        vault_key_version: row.number("vault_key_version")?,
        sealed: SealedBlob(row.blob("sealed")?),
        public_key: row.get("public_key")?,
        created_at: row.time("created_at")?,
    })
}

#[async_trait]
impl KeyQueries for Session {
    async fn insert_key(&mut self, key: &Key) -> Result<()> {
        self.execute(
            sql("INSERT INTO keys (id, vault_id, name, algorithm, protection, state, state_before_deletion, used_by_ca, \
                 latest_version, created_at, deletion_at, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
            .bind(key.id.as_str())
            .bind(key.vault_id.as_str())
            .bind(key.name.as_str())
            .bind(key.algorithm.as_str())
            .bind(key.protection.as_str())
            .bind(key.state.as_str())
            .bind(key.state_before_deletion.map(KeyState::as_str))
            .bind(key.used_by_ca.as_ref().map(CaId::as_str))
            .bind(i64::from(key.latest_version))
            .bind(key.created_at.unix_ms())
            .bind(key.deletion_at.map(Timestamp::unix_ms))
            .bind(key.revision),
        )
        .await
        .map(drop)
    }

    async fn key(&mut self, vault_id: &VaultId, reference: &Reference) -> Result<Option<Key>> {
        let by = if looks_like_id(reference.as_str()) {
            select_key!("WHERE vault_id = $1 AND id = $2")
        } else {
            select_key!("WHERE vault_id = $1 AND name = $2 AND state <> 'DELETED'")
        };
        let row = self.optional(sql(by).bind(vault_id.as_str()).bind(reference.as_str())).await?;
        row.as_ref().map(read_key).transpose()
    }

    async fn key_by_id(&mut self, id: &KeyId) -> Result<Option<Key>> {
        let row = self.optional(sql(select_key!("WHERE id = $1")).bind(id.as_str())).await?;
        row.as_ref().map(read_key).transpose()
    }

    async fn keys(&mut self, vault_id: &VaultId, filter: &KeyFilter, page: &PageRequest) -> Result<Page<Key>> {
        let (name, id) = names_after("keys", page)?;
        let rows = self
            .all(
                sql(select_key!(
                    "WHERE vault_id = $1 AND (name, id) > ($2, $3) \
                     AND ($4 IS NULL OR algorithm = $4) \
                     AND (($5 IS NULL AND state <> 'DELETED') OR state = $5) ORDER BY name, id LIMIT $6"
                ))
                .bind(vault_id.as_str())
                .bind(name)
                .bind(id)
                .bind(filter.algorithm.map(KeyAlgorithm::as_str))
                .bind(filter.state.map(KeyState::as_str))
                .bind(one_more(clamp(page))),
            )
            .await?;
        let keys = rows.iter().map(read_key).collect::<Result<_>>()?;
        Ok(name_page(keys, page, |key: &Key| name_cursor("keys", key.name.as_str(), key.id.as_str())))
    }

    async fn update_key(&mut self, key: &Key) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE keys SET name = $3, state = $4, state_before_deletion = $5, used_by_ca = $6, \
                     latest_version = $7, deletion_at = $8, revision = revision + 1 WHERE id = $1 AND revision = $2")
                .bind(key.id.as_str())
                .bind(key.revision)
                .bind(key.name.as_str())
                .bind(key.state.as_str())
                .bind(key.state_before_deletion.map(KeyState::as_str))
                .bind(key.used_by_ca.as_ref().map(CaId::as_str))
                .bind(i64::from(key.latest_version))
                .bind(key.deletion_at.map(Timestamp::unix_ms)),
            )
            .await?;
        swapped(rows, "keys")
    }

    async fn keys_to_delete(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Key>> {
        let rows = self
            .all(
                sql(select_key!(
                    "WHERE state = 'PENDING_DELETION' AND deletion_at <= $1 ORDER BY deletion_at, id LIMIT $2"
                ))
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_key).collect()
    }

    async fn insert_key_version(&mut self, version: &KeyVersion) -> Result<()> {
        let rows = self
            .execute(
                sql("INSERT INTO key_versions (key_id, number, vault_id, vault_key_version, sealed, public_key, created_at) \
                     SELECT id, $2, vault_id, $3, $4, $5, $6 FROM keys WHERE id = $1")
                .bind(version.key_id.as_str())
                .bind(i64::from(version.number))
                .bind(i64::from(version.vault_key_version))
                .bind(version.sealed.0.as_slice())
                .bind(version.public_key.as_deref())
                .bind(version.created_at.unix_ms()),
            )
            .await?;
        // The key that it belongs to is not there.
        swapped(rows, "keys")
    }

    async fn key_versions(&mut self, key_id: &KeyId) -> Result<Vec<KeyVersion>> {
        let rows =
            self.all(sql(select_version!("WHERE key_id = $1 ORDER BY number DESC")).bind(key_id.as_str())).await?;
        rows.iter().map(read_version).collect()
    }

    async fn key_version(&mut self, key_id: &KeyId, number: u32) -> Result<Option<KeyVersion>> {
        let row = self
            .optional(
                sql(select_version!("WHERE key_id = $1 AND number = $2")).bind(key_id.as_str()).bind(i64::from(number)),
            )
            .await?;
        row.as_ref().map(read_version).transpose()
    }

    async fn key_versions_to_rewrap(
        &mut self,
        vault_id: &VaultId,
        newest: u32,
        limit: u32,
    ) -> Result<Vec<KeyVersionToRewrap>> {
        let rows = self
            .all(
                sql(
                    "SELECT v.key_id, v.number, v.vault_key_version, v.sealed, v.public_key, v.created_at, k.algorithm \
                     FROM key_versions v JOIN keys k ON k.id = v.key_id \
                     WHERE v.vault_id = $1 AND v.vault_key_version < $2 AND length(v.sealed) > 0 \
                     ORDER BY v.vault_key_version, v.key_id, v.number LIMIT $3",
                )
                .bind(vault_id.as_str())
                .bind(i64::from(newest))
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(KeyVersionToRewrap {
                    vault_id: vault_id.clone(),
                    version: read_version(row)?,
                    algorithm: Reading::of(row, "keys", "key_id")?.parse("algorithm", KeyAlgorithm::parse)?,
                })
            })
            .collect()
    }

    async fn rewrap_key_version(&mut self, version: &KeyVersion, old_vault_key_version: u32) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE key_versions SET sealed = $4, vault_key_version = $5 \
                     WHERE key_id = $1 AND number = $2 AND vault_key_version = $3 AND length(sealed) > 0")
                .bind(version.key_id.as_str())
                .bind(i64::from(version.number))
                .bind(i64::from(old_vault_key_version))
                .bind(version.sealed.0.as_slice())
                .bind(i64::from(version.vault_key_version)),
            )
            .await?;
        swapped(rows, "key_versions")
    }

    async fn destroy_key_version(&mut self, key_id: &KeyId, number: u32) -> Result<()> {
        let empty: &[u8] = &[];
        self.execute(
            sql("UPDATE key_versions SET sealed = $3 WHERE key_id = $1 AND number = $2")
                .bind(key_id.as_str())
                .bind(i64::from(number))
                .bind(empty),
        )
        .await
        .map(drop)
    }

    async fn destroy_key_material(&mut self, key_id: &KeyId) -> Result<()> {
        let empty: &[u8] = &[];
        self.execute(sql("UPDATE key_versions SET sealed = $2 WHERE key_id = $1").bind(key_id.as_str()).bind(empty))
            .await
            .map(drop)
    }
}
