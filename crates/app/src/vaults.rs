//! Vaults.
use crate::audit::Target;
use crate::change::{
    Change, check_if_match, deletion_not_scheduled, deletion_scheduled_already, name_conflict, once_more_if_stale,
    refuse_final_deletion, stale,
};
use crate::{App, Call, Error, Permission};
use certwright_domain::access::PlacedKind;
use certwright_domain::id::{CompartmentId, VaultId};
use certwright_domain::key::{KeyState, Vault, VaultKeyVersion, VaultState, deletion_time};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;
use certwright_keystore::VaultKey;
use certwright_store::{KeyFilter, Page, PageRequest, Queries};

impl App {
    /// Makes a vault with its key-encryption key.
    pub async fn create_vault(&self, call: &Call, name: ResourceName) -> Result<Vault, Error> {
        let home = self.may_make(call, Permission::VaultManage, "vault", CompartmentId::tenancy()).await?;
        self.make_vault_in(call, name, false, home).await
    }

    /// Vaults by name.
    pub async fn vaults(&self, call: &Call, page: &PageRequest) -> Result<Page<Vault>, Error> {
        let mut read = self.inner.store.read().await?;
        let page = read.vaults(page, false).await?;
        self.visible(&mut *read, call, Permission::VaultList, page).await
    }

    /// One vault.
    pub async fn vault(&self, call: &Call, vault: &Reference) -> Result<Vault, Error> {
        let vault = self.may_vault(call, Permission::VaultRead, vault).await?;
        find_vault(&mut *self.inner.store.read().await?, &vault).await
    }

    /// Renames a vault. `if_match`: the revision the caller saw, checked when given.
    pub async fn rename_vault(
        &self,
        call: &Call,
        vault: &Reference,
        name: ResourceName,
        if_match: Option<i64>,
    ) -> Result<Vault, Error> {
        let vault = &self.may_vault(call, Permission::VaultManage, vault).await?;
        self.change_vault(call, vault, &VaultChange::Rename(name), if_match).await
    }

    /// Makes a new version of the vault's key; its master keys are re-wrapped in the background.
    pub async fn rotate_vault(&self, call: &Call, vault: &Reference) -> Result<Vault, Error> {
        let vault = &self.may_vault(call, Permission::VaultManage, vault).await?;
        once_more_if_stale!(self.try_rotate_vault(call, vault).await)
    }

    /// Schedules deletion (7 to 30 days); refused while keys in it are alive (not themselves scheduled for deletion).
    pub async fn schedule_vault_deletion(
        &self,
        call: &Call,
        vault: &Reference,
        at: Option<Timestamp>,
    ) -> Result<Vault, Error> {
        let vault = &self.may_vault(call, Permission::VaultManage, vault).await?;
        self.change_vault(call, vault, &VaultChange::ScheduleDeletion(at), None).await
    }

    /// Cancels a scheduled deletion.
    pub async fn cancel_vault_deletion(&self, call: &Call, vault: &Reference) -> Result<Vault, Error> {
        let vault = &self.may_vault(call, Permission::VaultManage, vault).await?;
        self.change_vault(call, vault, &VaultChange::CancelDeletion, None).await
    }

    /// Makes a vault; `system`: the server's own, which operators neither list nor change.
    pub(crate) async fn make_vault(&self, call: &Call, name: ResourceName, system: bool) -> Result<Vault, Error> {
        self.make_vault_in(call, name, system, CompartmentId::tenancy()).await
    }

    async fn make_vault_in(
        &self,
        call: &Call,
        name: ResourceName,
        system: bool,
        home: CompartmentId,
    ) -> Result<Vault, Error> {
        let now = self.now();
        let vault = Vault {
            id: VaultId::new(now, self.inner.id_entropy()),
            name,
            state: VaultState::Active,
            system,
            created_at: now,
            deletion_at: None,
            revision: 1,
        };
        let sealed = match call.dry_run {
            true => None,
            false => Some(self.inner.keys.create_vault_key(&vault.id, 1).await?),
        };
        let mut change = self.inner.begin_change(call, "vault.create").await?;
        change.insert_vault(&vault).await.map_err(|error| name_conflict(error, "vault", &vault.name))?;
        change.settle_in(vault.id.as_str(), PlacedKind::Vault, &home).await?;
        if let Some(key) = sealed {
            self.inner.observe_root_key(call, &mut change).await?;
            change.insert_vault_key(&stored_vault_key(key, now)).await?;
        }
        self.write_vault_audit(call, &mut change, "vault.create", &vault, &[]).await?;
        change.commit().await?;
        Ok(vault)
    }

    async fn try_rotate_vault(&self, call: &Call, reference: &Reference) -> Result<Vault, Error> {
        let (vault, newest) = {
            let mut read = self.inner.store.read().await?;
            let vault = find_vault(&mut *read, reference).await?;
            usable_vault(call, &vault)?;
            let newest = newest_vault_key(&mut *read, &vault.id).await?;
            (vault, newest)
        };
        let number = newest.number.saturating_add(1);
        let sealed = match call.dry_run {
            true => None,
            false => Some(self.inner.keys.create_vault_key(&vault.id, number).await?),
        };
        let mut change = self.inner.begin_change(call, "vault.rotate").await?;
        let mut vault = find_vault(&mut **change, reference).await?;
        usable_vault(call, &vault)?;
        still_newest(&mut **change, &newest).await?;
        write_vault(&mut **change, &mut vault).await?;
        if let Some(key) = sealed {
            self.inner.observe_root_key(call, &mut change).await?;
            change.insert_vault_key(&stored_vault_key(key, self.now())).await?;
        }
        let version = number.to_string();
        self.write_vault_audit(call, &mut change, "vault.rotate", &vault, &[("vaultKeyVersion", &version)]).await?;
        change.commit().await?;
        Ok(vault)
    }

    async fn change_vault(
        &self,
        call: &Call,
        reference: &Reference,
        wish: &VaultChange,
        if_match: Option<i64>,
    ) -> Result<Vault, Error> {
        let mut change = self.inner.begin_change(call, wish.action()).await?;
        let before = find_vault(&mut **change, reference).await?;
        not_the_servers_own(call, &before)?;
        check_if_match(if_match, before.revision)?;
        let has_live_keys =
            matches!(wish, VaultChange::ScheduleDeletion(_)) && has_live_keys(&mut **change, &before.id).await?;
        let Some(mut after) = plan(&before, wish, has_live_keys, self.now())? else {
            change.undo().await?;
            return Ok(before);
        };
        let written = write_vault(&mut **change, &mut after).await;
        written.map_err(|error| name_conflict(error, "vault", &after.name))?;
        let deletion_at = after.deletion_at.map(|at| at.to_string()).unwrap_or_default();
        let details: &[(&str, &str)] = match wish {
            VaultChange::Rename(_) => &[("oldName", before.name.as_str())],
            VaultChange::ScheduleDeletion(_) => &[("deletionAt", deletion_at.as_str())],
            VaultChange::CancelDeletion => &[],
        };
        self.write_vault_audit(call, &mut change, wish.action(), &after, details).await?;
        change.commit().await?;
        Ok(after)
    }

    async fn write_vault_audit(
        &self,
        call: &Call,
        change: &mut Change<'_>,
        action: &'static str,
        vault: &Vault,
        details: &[(&str, &str)],
    ) -> Result<(), Error> {
        let target = Target { kind: "vault", id: vault.id.as_str(), name: vault.name.as_str() };
        Ok(change.insert_audit(&self.inner.audit(call, action, target, details)).await?)
    }
}

/// What may be done to a vault's row alone.
enum VaultChange {
    Rename(ResourceName),
    ScheduleDeletion(Option<Timestamp>),
    CancelDeletion,
}

impl VaultChange {
    const fn action(&self) -> &'static str {
        match self {
            Self::Rename(_) => "vault.rename",
            Self::ScheduleDeletion(_) => "vault.schedule-deletion",
            Self::CancelDeletion => "vault.cancel-deletion",
        }
    }
}

/// The vault after the change; `None`: it is like that already. Pure.
fn plan(vault: &Vault, wish: &VaultChange, has_live_keys: bool, now: Timestamp) -> Result<Option<Vault>, Error> {
    let mut after = vault.clone();
    match wish {
        VaultChange::Rename(name) => after.name = name.clone(),
        VaultChange::ScheduleDeletion(at) if vault.state == VaultState::PendingDeletion => {
            return match at {
                Some(at) if Some(*at) != vault.deletion_at => {
                    Err(deletion_scheduled_already("vault", vault.deletion_at))
                }
                _ => Ok(None),
            };
        }
        VaultChange::ScheduleDeletion(_) if has_live_keys => {
            return Err(Error::conflict(
                "vault_not_empty",
                format!("Vault {} holds keys that are not scheduled for deletion.", vault.name),
                "Schedule the deletion of its keys first.",
            ));
        }
        VaultChange::ScheduleDeletion(at) => {
            let at = deletion_time(now, *at).map_err(|invalid| Error::invalid("/deletionAt", invalid))?;
            after.state = VaultState::PendingDeletion;
            after.deletion_at = Some(at);
        }
        VaultChange::CancelDeletion => {
            if vault.state != VaultState::PendingDeletion {
                return Err(deletion_not_scheduled("vault", vault.state.as_str()));
            }
            refuse_final_deletion("vault", vault.deletion_at, now)?;
            after.state = VaultState::Active;
            after.deletion_at = None;
        }
    }
    Ok((after != *vault).then_some(after))
}

/// A vault that is not deleted.
pub(crate) async fn find_vault(queries: &mut dyn Queries, reference: &Reference) -> Result<Vault, Error> {
    queries
        .vault(reference)
        .await?
        .filter(|vault| vault.state != VaultState::Deleted)
        .ok_or_else(|| Error::not_found("vault", reference))
}

/// Refuses operators' changes to the server's own vault.
pub(crate) fn not_the_servers_own(call: &Call, vault: &Vault) -> Result<(), Error> {
    if vault.system && !call.caller.is_system() {
        return Err(Error::conflict(
            "system_resource",
            format!("Vault {} belongs to the server itself.", vault.name),
            "Make a vault of your own.",
        ));
    }
    Ok(())
}

/// Refuses to make or change keys in a vault that is not in use, or that is the server's own.
pub(crate) fn usable_vault(call: &Call, vault: &Vault) -> Result<(), Error> {
    not_the_servers_own(call, vault)?;
    match vault.state {
        VaultState::Active => Ok(()),
        VaultState::PendingDeletion | VaultState::Deleted => Err(Error::conflict(
            "vault_not_active",
            format!("Vault {} is {}.", vault.name, vault.state),
            "Cancel the deletion of the vault, or choose another one.",
        )),
    }
}

/// The version of a vault's key that seals.
pub(crate) async fn newest_vault_key(queries: &mut dyn Queries, vault_id: &VaultId) -> Result<VaultKeyVersion, Error> {
    let versions = queries.vault_keys(vault_id).await?;
    versions.into_iter().next().ok_or_else(|| Error::Internal(format!("{vault_id} has no key of its own")))
}

/// Refuses (as stale) when the vault's key got a newer version, so that nothing new rests on an older one.
pub(crate) async fn still_newest(queries: &mut dyn Queries, sealing: &VaultKeyVersion) -> Result<(), Error> {
    match newest_vault_key(queries, &sealing.vault_id).await?.number == sealing.number {
        true => Ok(()),
        false => Err(stale("vault_keys")),
    }
}

/// As the key store wants it.
pub(crate) fn vault_key(version: &VaultKeyVersion) -> VaultKey {
    VaultKey {
        vault_id: version.vault_id.clone(),
        version: version.number,
        root_key_id: version.root_key_id.clone(),
        sealed: version.sealed.clone(),
    }
}

/// As storage wants it.
pub(crate) fn stored_vault_key(key: VaultKey, created_at: Timestamp) -> VaultKeyVersion {
    let VaultKey { vault_id, version, root_key_id, sealed } = key;
    VaultKeyVersion { vault_id, number: version, root_key_id, sealed, created_at }
}

/// Writes a vault back and follows its revision.
async fn write_vault(queries: &mut dyn Queries, vault: &mut Vault) -> Result<(), certwright_store::Error> {
    queries.update_vault(vault).await?;
    vault.revision = vault.revision.saturating_add(1);
    Ok(())
}

/// Are there keys in the vault that are neither deleted nor scheduled for deletion?
async fn has_live_keys(queries: &mut dyn Queries, vault_id: &VaultId) -> Result<bool, Error> {
    for state in [KeyState::Enabled, KeyState::Disabled] {
        let filter = KeyFilter { algorithm: None, state: Some(state) };
        let page = queries.keys(vault_id, &filter, &PageRequest { limit: 1, after: None }).await?;
        if !page.items.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
