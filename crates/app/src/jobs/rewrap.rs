//! Putting sealed keys under newer keys: vault keys under the newest root key, master keys under their vault's newest key;
//! and removing what seals nothing any more.

use super::{BATCH, JobReport};
use crate::audit::Target;
use crate::seal::RootKeyNote;
use crate::vaults::{stored_vault_key, vault_key};
use crate::{App, Call, Error};
use certwright_domain::key::{KeyVersion, Vault, VaultKeyVersion};
use certwright_keystore::KeyPlace;
use certwright_store::{KeyVersionToRewrap, PageRequest, Queries};

impl App {
    /// Puts vault keys under the newest root key.
    pub(super) async fn rewrap_vault_keys(&self, call: &Call, report: &mut JobReport) -> Result<(), Error> {
        self.note_root_key(call).await?;
        let newest = self.inner.keys.root_key_id();
        loop {
            let rows = self.inner.store.read().await?.vault_keys_not_under(&newest, BATCH).await?;
            if rows.is_empty() || !self.keep_lease().await? {
                return Ok(());
            }
            let mut rewrapped = Vec::new();
            for row in &rows {
                match self.inner.keys.rewrap_vault_key(&vault_key(row)).await {
                    Ok(key) => rewrapped.push((row, stored_vault_key(key, row.created_at))),
                    // One row that does not open must not keep the others waiting.
                    Err(error) => {
                        tracing::error!(vault.id = %row.vault_id, version = row.number, %error, "a vault key cannot be re-wrapped");
                    }
                }
            }
            let count = self.store_vault_keys(call, &newest, &rewrapped).await?;
            report.vault_keys_rewrapped = report.vault_keys_rewrapped.saturating_add(count);
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// Puts master keys under the newest key of their vault, and removes older vault keys that seal nothing any more.
    pub(super) async fn rewrap_keys(&self, call: &Call, report: &mut JobReport) -> Result<(), Error> {
        let mut page = PageRequest { limit: BATCH, after: None };
        loop {
            let vaults = self.inner.store.read().await?.vaults(&page, true).await?;
            for vault in &vaults.items {
                let versions = self.inner.store.read().await?.vault_keys(&vault.id).await?;
                if let [newest, _, ..] = versions.as_slice() {
                    self.rewrap_keys_of(call, vault, &versions, newest, report).await?;
                }
            }
            if vaults.next.is_none() {
                return Ok(());
            }
            page.after = vaults.next;
        }
    }

    /// Removes root keys from the source that this program made and that nothing is sealed under any more.
    pub(super) async fn retire_root_keys(&self, call: &Call) -> Result<(), Error> {
        if !self.may_retire_root_keys(&mut *self.inner.store.read().await?).await? {
            return Ok(());
        }
        let newest = self.inner.keys.root_key_id();
        let others: Vec<String> = self.inner.keys.root_key_ids().into_iter().filter(|id| *id != newest).collect();
        let mut change = self.inner.begin_change(call, "root-key.retire").await?;
        if !self.may_retire_root_keys(&mut **change).await? {
            return change.undo().await;
        }
        let target = Target { kind: "root-key", id: &newest, name: "" };
        let retired = others.join(" ");
        change.insert_audit(&self.inner.audit(call, "root-key.retire", target, &[("retired", &retired)])).await?;
        change.commit().await?;
        // After the event: a crash in between tells of it twice, never not at all.
        Ok(self.inner.keys.retire_root_keys()?)
    }

    /// Learns of a root key that came from outside.
    async fn note_root_key(&self, call: &Call) -> Result<(), Error> {
        let noted = RootKeyNote::read(&mut *self.inner.store.read().await?).await?;
        if noted.is_some_and(|note| note.id == self.inner.keys.root_key_id()) {
            return Ok(());
        }
        let mut change = self.inner.begin_change(call, "root-key.observe").await?;
        self.inner.observe_root_key(call, &mut change).await?;
        change.commit().await
    }

    async fn may_retire_root_keys(&self, queries: &mut dyn Queries) -> Result<bool, Error> {
        let Some(note) = RootKeyNote::read(queries).await? else {
            return Ok(false);
        };
        let usage = queries.root_key_usage().await?;
        let keys = &self.inner.keys;
        let lifetime = self.inner.settings.idempotency_lifetime;
        Ok(note.may_retire_others(&keys.root_key_id(), &keys.root_key_ids(), &usage, lifetime, self.now()))
    }

    async fn store_vault_keys(
        &self,
        call: &Call,
        root_key_id: &str,
        rewrapped: &[(&VaultKeyVersion, VaultKeyVersion)],
    ) -> Result<u64, Error> {
        let mut change = self.inner.begin_change(call, "job.rewrap-vault-keys").await?;
        // Also refuses a node that is out of date.
        self.inner.observe_root_key(call, &mut change).await?;
        let mut count = 0_u64;
        for (old, new) in rewrapped {
            match change.rewrap_vault_key(new, &old.root_key_id).await {
                Ok(()) => count = count.saturating_add(1),
                // Done by another node.
                Err(certwright_store::Error::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if count == 0 {
            change.undo().await?;
            return Ok(0);
        }
        let target = Target { kind: "root-key", id: root_key_id, name: "" };
        let details = count.to_string();
        let event = self.inner.audit(call, "root-key.rewrap", target, &[("vaultKeys", &details)]);
        change.insert_audit(&event).await?;
        change.commit().await?;
        Ok(count)
    }

    async fn rewrap_keys_of(
        &self,
        call: &Call,
        vault: &Vault,
        versions: &[VaultKeyVersion],
        newest: &VaultKeyVersion,
        report: &mut JobReport,
    ) -> Result<(), Error> {
        loop {
            let mut read = self.inner.store.read().await?;
            let rows = read.key_versions_to_rewrap(&vault.id, newest.number, BATCH).await?;
            drop(read);
            if !self.keep_lease().await? {
                return Ok(());
            }
            if rows.is_empty() {
                return self.drop_old_vault_keys(call, vault, newest).await;
            }
            let mut rewrapped = Vec::new();
            for row in &rows {
                match self.rewrap_key(versions, newest, row).await {
                    Ok(version) => rewrapped.push((row, version)),
                    Err(error) => {
                        let (key, version) = (&row.version.key_id, row.version.number);
                        tracing::error!(key.id = %key, version, %error, "a key cannot be re-wrapped");
                    }
                }
            }
            let count = self.store_keys(call, vault, newest, &rewrapped).await?;
            report.keys_rewrapped = report.keys_rewrapped.saturating_add(count);
            if count == 0 {
                return Ok(());
            }
        }
    }

    async fn rewrap_key(
        &self,
        versions: &[VaultKeyVersion],
        newest: &VaultKeyVersion,
        row: &KeyVersionToRewrap,
    ) -> Result<KeyVersion, Error> {
        let old = versions.iter().find(|version| version.number == row.version.vault_key_version);
        let old = old.ok_or_else(|| {
            Error::Internal(format!("{} rests on a version of its vault's key that is missing", row.version.key_id))
        })?;
        let place = KeyPlace {
            vault_id: row.vault_id.clone(),
            key_id: row.version.key_id.clone(),
            version: row.version.number,
            algorithm: row.algorithm,
        };
        let (from, to) = (vault_key(old), vault_key(newest));
        let sealed = self.inner.keys.rewrap_key(&from, &to, &place, &row.version.sealed).await?;
        Ok(KeyVersion { sealed, vault_key_version: newest.number, ..row.version.clone() })
    }

    async fn store_keys(
        &self,
        call: &Call,
        vault: &Vault,
        newest: &VaultKeyVersion,
        rewrapped: &[(&KeyVersionToRewrap, KeyVersion)],
    ) -> Result<u64, Error> {
        let mut change = self.inner.begin_change(call, "job.rewrap-keys").await?;
        // The version that now seals them must still be there: a round on another node that saw a newer one may have
        // removed it. Changes take turns, so what is seen here holds until the commit.
        if change.vault_keys(&vault.id).await?.iter().all(|version| version.number != newest.number) {
            change.undo().await?;
            return Ok(0);
        }
        let mut count = 0_u64;
        for (old, new) in rewrapped {
            match change.rewrap_key_version(new, old.version.vault_key_version).await {
                Ok(()) => count = count.saturating_add(1),
                Err(certwright_store::Error::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if count == 0 {
            change.undo().await?;
            return Ok(0);
        }
        let (keys, number) = (count.to_string(), newest.number.to_string());
        let target = Target { kind: "vault", id: vault.id.as_str(), name: vault.name.as_str() };
        let details = [("keyVersions", keys.as_str()), ("vaultKeyVersion", number.as_str())];
        change.insert_audit(&self.inner.audit(call, "vault.rewrap", target, &details)).await?;
        change.commit().await?;
        Ok(count)
    }

    async fn drop_old_vault_keys(&self, call: &Call, vault: &Vault, newest: &VaultKeyVersion) -> Result<(), Error> {
        let mut change = self.inner.begin_change(call, "job.drop-vault-keys").await?;
        let dropped = change.drop_unused_vault_keys(&vault.id, newest.number).await?;
        if dropped == 0 {
            return change.undo().await;
        }
        let (count, number) = (dropped.to_string(), newest.number.to_string());
        let target = Target { kind: "vault", id: vault.id.as_str(), name: vault.name.as_str() };
        let details = [("dropped", count.as_str()), ("vaultKeyVersion", number.as_str())];
        change.insert_audit(&self.inner.audit(call, "vault.drop-old-keys", target, &details)).await?;
        change.commit().await
    }
}
