//! Vaults and their key-encryption keys.

use super::page::one_more;
use super::{Reading, Result, Session, clamp, name_cursor, name_page, names_after, sql, swapped};
use crate::{Page, PageRequest, VaultQueries};
use async_trait::async_trait;
use certwright_domain::id::{VaultId, looks_like_id};
use certwright_domain::key::{SealedBlob, Vault, VaultKeyVersion, VaultState};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;
use sqlx::Row as _;

macro_rules! select_vault {
    ($rest:literal) => {
        concat!("SELECT id, name, state, system, created_at, deletion_at, revision FROM vaults ", $rest)
    };
}

macro_rules! select_vault_key {
    ($rest:literal) => {
        concat!("SELECT vault_id, number, root_key_id, sealed, created_at FROM vault_keys ", $rest)
    };
}

fn read_vault(row: &super::Row) -> Result<Vault> {
    let row = Reading::of(row, "vaults", "id")?;
    Ok(Vault {
        id: row.parse("id", VaultId::parse)?,
        name: row.parse("name", ResourceName::parse)?,
        state: row.parse("state", VaultState::parse)?,
        system: row.flag("system")?,
        created_at: row.time("created_at")?,
        deletion_at: row.time_optional("deletion_at")?,
        revision: row.get("revision")?,
    })
}

fn read_vault_key(row: &super::Row) -> Result<VaultKeyVersion> {
    let row = Reading::of(row, "vault_keys", "vault_id")?;
    Ok(VaultKeyVersion {
        vault_id: row.parse("vault_id", VaultId::parse)?,
        number: row.number("number")?,
        root_key_id: row.text("root_key_id")?,
        sealed: SealedBlob(row.blob("sealed")?),
        created_at: row.time("created_at")?,
    })
}

#[async_trait]
impl VaultQueries for Session {
    async fn insert_vault(&mut self, vault: &Vault) -> Result<()> {
        self.execute(
            sql("INSERT INTO vaults (id, name, state, system, created_at, deletion_at, revision) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(vault.id.as_str())
            .bind(vault.name.as_str())
            .bind(vault.state.as_str())
            .bind(i64::from(vault.system))
            .bind(vault.created_at.unix_ms())
            .bind(vault.deletion_at.map(Timestamp::unix_ms))
            .bind(vault.revision),
        )
        .await
        .map(drop)
    }

    async fn vault(&mut self, reference: &Reference) -> Result<Option<Vault>> {
        let by = if looks_like_id(reference.as_str()) {
            select_vault!("WHERE id = $1")
        } else {
            select_vault!("WHERE name = $1 AND state <> 'DELETED'")
        };
        self.optional(sql(by).bind(reference.as_str())).await?.as_ref().map(read_vault).transpose()
    }

    async fn vaults(&mut self, page: &PageRequest, include_system: bool) -> Result<Page<Vault>> {
        let (name, id) = names_after("vaults", page)?;
        let rows = self
            .all(
                sql(select_vault!(
                    "WHERE (name, id) > ($1, $2) AND state <> 'DELETED' AND system <= $3 ORDER BY name, id LIMIT $4"
                ))
                .bind(name)
                .bind(id)
                .bind(i64::from(include_system))
                .bind(one_more(clamp(page))),
            )
            .await?;
        let vaults = rows.iter().map(read_vault).collect::<Result<_>>()?;
        Ok(name_page(vaults, page, |vault: &Vault| name_cursor("vaults", vault.name.as_str(), vault.id.as_str())))
    }

    async fn update_vault(&mut self, vault: &Vault) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE vaults SET name = $3, state = $4, deletion_at = $5, revision = revision + 1 \
                     WHERE id = $1 AND revision = $2")
                .bind(vault.id.as_str())
                .bind(vault.revision)
                .bind(vault.name.as_str())
                .bind(vault.state.as_str())
                .bind(vault.deletion_at.map(Timestamp::unix_ms)),
            )
            .await?;
        swapped(rows, "vaults")
    }

    async fn vaults_to_delete(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Vault>> {
        let rows = self
            .all(
                sql(select_vault!(
                    "WHERE state = 'PENDING_DELETION' AND deletion_at <= $1 ORDER BY deletion_at, id LIMIT $2"
                ))
                .bind(now.unix_ms())
                .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_vault).collect()
    }

    async fn live_keys(&mut self, vault_id: &VaultId) -> Result<u64> {
        let row = self
            .optional(
                sql("SELECT COUNT(*) AS found FROM keys WHERE vault_id = $1 AND state <> 'DELETED'")
                    .bind(vault_id.as_str()),
            )
            .await?;
        count(row.as_ref())
    }

    async fn insert_vault_key(&mut self, version: &VaultKeyVersion) -> Result<()> {
        self.execute(
            sql("INSERT INTO vault_keys (vault_id, number, root_key_id, sealed, created_at) VALUES ($1, $2, $3, $4, $5)")
                .bind(version.vault_id.as_str())
                .bind(i64::from(version.number))
                .bind(&version.root_key_id)
                .bind(version.sealed.0.as_slice())
                .bind(version.created_at.unix_ms()),
        )
        .await
        .map(drop)
    }

    async fn vault_keys(&mut self, vault_id: &VaultId) -> Result<Vec<VaultKeyVersion>> {
        let rows = self
            .all(sql(select_vault_key!("WHERE vault_id = $1 ORDER BY number DESC")).bind(vault_id.as_str()))
            .await?;
        rows.iter().map(read_vault_key).collect()
    }

    async fn vault_keys_not_under(&mut self, root_key_id: &str, limit: u32) -> Result<Vec<VaultKeyVersion>> {
        // Two ranges of the index instead of `<>`, which could not use it.
        let rows = self
            .all(
                sql(select_vault_key!("WHERE root_key_id < $1 OR root_key_id > $1 ORDER BY vault_id, number LIMIT $2"))
                    .bind(root_key_id)
                    .bind(i64::from(limit)),
            )
            .await?;
        rows.iter().map(read_vault_key).collect()
    }

    async fn rewrap_vault_key(&mut self, version: &VaultKeyVersion, old_root_key_id: &str) -> Result<()> {
        let rows = self
            .execute(
                sql("UPDATE vault_keys SET sealed = $4, root_key_id = $5 \
                     WHERE vault_id = $1 AND number = $2 AND root_key_id = $3")
                .bind(version.vault_id.as_str())
                .bind(i64::from(version.number))
                .bind(old_root_key_id)
                .bind(version.sealed.0.as_slice())
                .bind(&version.root_key_id),
            )
            .await?;
        swapped(rows, "vault_keys")
    }

    async fn root_key_usage(&mut self) -> Result<Vec<(String, u64)>> {
        let rows = self
            .all(sql("SELECT root_key_id, COUNT(*) AS found FROM (SELECT root_key_id FROM vault_keys \
                      UNION ALL SELECT root_key_id FROM webhooks UNION ALL SELECT root_key_id FROM acme_secrets) AS sealed GROUP BY root_key_id ORDER BY root_key_id"))
            .await?;
        rows.iter()
            .map(|row| Ok((Reading::of(row, "vault_keys", "root_key_id")?.text("root_key_id")?, count(Some(row))?)))
            .collect()
    }

    async fn destroy_vault_keys(&mut self, vault_id: &VaultId) -> Result<()> {
        self.execute(sql("DELETE FROM vault_keys WHERE vault_id = $1").bind(vault_id.as_str())).await.map(drop)
    }

    async fn drop_unused_vault_keys(&mut self, vault_id: &VaultId, newest: u32) -> Result<u64> {
        self.execute(
            sql("DELETE FROM vault_keys WHERE vault_id = $1 AND number < $2 AND NOT EXISTS \
                 (SELECT 1 FROM key_versions v WHERE v.vault_id = $1 AND v.vault_key_version = vault_keys.number \
                 AND length(v.sealed) > 0)")
            .bind(vault_id.as_str())
            .bind(i64::from(newest)),
        )
        .await
    }
}

/// The column `found` of a counting statement.
pub(super) fn count(row: Option<&super::Row>) -> Result<u64> {
    let found: i64 = row.map_or(Ok(0), |row| row.try_get("found")).map_err(super::Error::from_driver)?;
    Ok(u64::try_from(found).unwrap_or_default())
}
