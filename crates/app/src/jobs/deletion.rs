//! Deletions whose time has come.

use super::{BATCH, JobReport};
use crate::audit::Target;
use crate::{App, Call, Error};
use certwright_domain::ca::{Ca, CaState};
use certwright_domain::event::EventKind;
use certwright_domain::key::{Key, KeyState, Vault, VaultState};

/// The outcome of one deletion: false when the row was changed meanwhile (its deletion was cancelled, or another node
/// was faster) or something still rests on it.
type Done = bool;

impl App {
    /// Makes deletions final: certificates, then CAs, then keys, then vaults, so that what rests on another goes first.
    pub(super) async fn finish_deletions(&self, call: &Call, report: &mut JobReport) -> Result<(), Error> {
        let certificates = self.inner.store.read().await?.certificates_to_delete(self.now(), BATCH).await?;
        for certificate in certificates {
            let done = unless_changed(self.delete_certificate(call, certificate).await)?;
            report.deleted = report.deleted.saturating_add(u64::from(done));
        }
        if !self.keep_lease().await? {
            return Ok(());
        }
        let cas = self.inner.store.read().await?.cas_to_delete(self.now(), BATCH).await?;
        for ca in cas {
            let done = unless_changed(self.delete_ca(call, ca).await)?;
            report.deleted = report.deleted.saturating_add(u64::from(done));
        }
        if !self.keep_lease().await? {
            return Ok(());
        }
        let keys = self.inner.store.read().await?.keys_to_delete(self.now(), BATCH).await?;
        for key in keys {
            let done = unless_changed(self.delete_key(call, key).await)?;
            report.deleted = report.deleted.saturating_add(u64::from(done));
        }
        if !self.keep_lease().await? {
            return Ok(());
        }
        let vaults = self.inner.store.read().await?.vaults_to_delete(self.now(), BATCH).await?;
        for vault in vaults {
            let done = unless_changed(self.delete_vault(call, vault).await)?;
            report.deleted = report.deleted.saturating_add(u64::from(done));
        }
        Ok(())
    }

    /// A CA waits for what rests on it, should there be something after all. Its key keeps the mark of the CA it served: a key never serves two.
    async fn delete_ca(&self, call: &Call, mut ca: Ca) -> Result<Done, Error> {
        let mut change = self.inner.begin_change(call, "ca.delete").await?;
        if change.live_children(&ca.id).await? > 0 || change.live_certificates(&ca.id).await? > 0 {
            change.undo().await?;
            return Ok(false);
        }
        ca.state = CaState::Deleted;
        change.update_ca(&ca).await?;
        change.unplace(ca.id.as_str()).await?;
        let target = Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() };
        change.insert_audit(&self.inner.audit(call, "ca.delete", target, &[])).await?;
        self.inner.tell_of_ca(&mut **change, call, EventKind::CaDeleted, &ca, None, &[]).await?;
        change.commit().await?;
        Ok(true)
    }

    async fn delete_key(&self, call: &Call, mut key: Key) -> Result<Done, Error> {
        let mut change = self.inner.begin_change(call, "key.delete").await?;
        key.state = KeyState::Deleted;
        change.update_key(&key).await?;
        change.unplace(key.id.as_str()).await?;
        change.destroy_key_material(&key.id).await?;
        let target = Target { kind: "key", id: key.id.as_str(), name: key.name.as_str() };
        change.insert_audit(&self.inner.audit(call, "key.delete", target, &[])).await?;
        change.commit().await?;
        Ok(true)
    }

    /// A vault waits for its keys: their own deletion may end later than the vault's.
    async fn delete_vault(&self, call: &Call, mut vault: Vault) -> Result<Done, Error> {
        let mut change = self.inner.begin_change(call, "vault.delete").await?;
        if change.live_keys(&vault.id).await? > 0 {
            change.undo().await?;
            return Ok(false);
        }
        vault.state = VaultState::Deleted;
        change.update_vault(&vault).await?;
        change.unplace(vault.id.as_str()).await?;
        change.destroy_vault_keys(&vault.id).await?;
        let target = Target { kind: "vault", id: vault.id.as_str(), name: vault.name.as_str() };
        change.insert_audit(&self.inner.audit(call, "vault.delete", target, &[])).await?;
        change.commit().await?;
        Ok(true)
    }
}

fn unless_changed(outcome: Result<Done, Error>) -> Result<Done, Error> {
    match outcome {
        Err(error) if crate::change::is_stale(&error) => Ok(false),
        outcome => outcome,
    }
}
