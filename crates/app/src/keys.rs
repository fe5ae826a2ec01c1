//! Master keys.
use crate::access::KeyIn;
use crate::audit::Target;
use crate::change::{
    Change, by_id, check_if_match, deletion_not_scheduled, deletion_scheduled_already, name_conflict, name_taken,
    once_more_if_stale, refuse_final_deletion, stale,
};
use crate::vaults::{find_vault, newest_vault_key, not_the_servers_own, still_newest, usable_vault, vault_key};
use crate::{App, Call, Error, Permission};
use certwright_domain::access::PlacedKind;
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::{Ca, CaState};
use certwright_domain::id::KeyId;
use certwright_domain::key::{
    Key, KeyState, KeyVersion, Protection, Vault, VaultKeyVersion, VaultState, deletion_time,
};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;
use certwright_keystore::KeyPlace;
use certwright_store::{KeyFilter, Page, PageRequest, Queries};

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Name, unique in the vault.
    pub name: ResourceName,
    /// Algorithm and size.
    pub algorithm: KeyAlgorithm,
    /// Where it shall live.
    pub protection: Protection,
}

/// A key with its vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// The vault.
    pub vault: Vault,
    /// The key.
    pub key: Key,
    /// Its newest version, where one was read along.
    pub latest: Option<KeyVersion>,
}

impl App {
    /// Makes a key. `HSM` protection is a conflict that names the setting it would need. As a trial no key material is
    /// made: the view has no version.
    pub async fn create_key(&self, call: &Call, vault: &Reference, new: NewKey) -> Result<KeyView, Error> {
        refuse_hsm(new.protection)?;
        let vault = &self.may_vault(call, Permission::VaultList, vault).await?;
        once_more_if_stale!(self.try_create_key(call, vault, &new).await)
    }

    /// Keys of a vault by name.
    pub async fn keys(
        &self,
        call: &Call,
        vault: &Reference,
        filter: &KeyFilter,
        page: &PageRequest,
    ) -> Result<(Vault, Page<Key>), Error> {
        let vault = self.may_vault(call, Permission::VaultList, vault).await?;
        let mut read = self.inner.store.read().await?;
        let vault = find_vault(&mut *read, &vault).await?;
        let page = read.keys(&vault.id, filter, page).await?;
        let items = page.items.into_iter().map(|key| KeyIn { vault: &vault, key }).collect();
        let page = Page { items, next: page.next };
        let Page { items, next } = self.visible(&mut *read, call, Permission::KeyList, page).await?;
        let items = items.into_iter().map(|KeyIn { key, .. }| key).collect();
        Ok((vault, Page { items, next }))
    }

    /// One key, with its newest version.
    pub async fn key(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        let (vault, key) = self.may_key(call, Permission::KeyRead, vault, key).await?;
        let mut read = self.inner.store.read().await?;
        let (vault, key) = find_key(&mut *read, &vault, &key).await?;
        view(&mut *read, vault, key).await
    }

    /// Versions, newest first.
    pub async fn key_versions(
        &self,
        call: &Call,
        vault: &Reference,
        key: &Reference,
    ) -> Result<(KeyView, Vec<KeyVersion>), Error> {
        let (vault, key) = self.may_key(call, Permission::KeyRead, vault, key).await?;
        let mut read = self.inner.store.read().await?;
        let (vault, key) = find_key(&mut *read, &vault, &key).await?;
        let versions = read.key_versions(&key.id).await?;
        let latest = versions.iter().find(|version| version.number == key.latest_version).cloned();
        Ok((KeyView { vault, key, latest }, versions))
    }

    /// Renames a key.
    pub async fn rename_key(
        &self,
        call: &Call,
        vault: &Reference,
        key: &Reference,
        name: ResourceName,
        if_match: Option<i64>,
    ) -> Result<KeyView, Error> {
        self.change_key(call, vault, key, &KeyChange::Rename(name), if_match).await
    }

    /// Makes a new version. CAs go on with the version they have until they are renewed with `ROTATE`.
    pub async fn rotate_key(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        let (vault, key) = &self.may_key(call, Permission::KeyManage, vault, key).await?;
        once_more_if_stale!(self.try_rotate_key(call, vault, key).await)
    }

    /// Enables a disabled key (enabled already: the same answer).
    pub async fn enable_key(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        self.change_key(call, vault, key, &KeyChange::Enable, None).await
    }

    /// Disables a key: nothing signs with it until it is enabled.
    pub async fn disable_key(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        self.change_key(call, vault, key, &KeyChange::Disable, None).await
    }

    /// Schedules deletion; refused while a CA that is not deleted or scheduled for deletion uses it.
    pub async fn schedule_key_deletion(
        &self,
        call: &Call,
        vault: &Reference,
        key: &Reference,
        at: Option<Timestamp>,
    ) -> Result<KeyView, Error> {
        self.change_key(call, vault, key, &KeyChange::ScheduleDeletion(at), None).await
    }

    /// Cancels a scheduled deletion; the key goes back to the state it had.
    pub async fn cancel_key_deletion(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        self.change_key(call, vault, key, &KeyChange::CancelDeletion, None).await
    }

    async fn try_create_key(&self, call: &Call, reference: &Reference, new: &NewKey) -> Result<KeyView, Error> {
        let now = self.now();
        let (vault, sealing, home) = {
            let mut read = self.inner.store.read().await?;
            let vault = find_vault(&mut *read, reference).await?;
            // A key goes where its vault lies, unless the call says otherwise.
            let home = read.compartment_of(vault.id.as_str()).await?;
            usable_vault(call, &vault)?;
            // The unique key decides; this spares the making of a large key for nothing.
            if read.key(&vault.id, &Reference::from(&new.name)).await?.is_some() {
                return Err(name_taken("key", &new.name));
            }
            let sealing = newest_vault_key(&mut *read, &vault.id).await?;
            (vault, sealing, home)
        };
        let home = self.may_make(call, Permission::KeyManage, "key", home).await?;
        let key = Key {
            id: KeyId::new(now, self.inner.id_entropy()),
            vault_id: vault.id.clone(),
            name: new.name.clone(),
            algorithm: new.algorithm,
            protection: new.protection,
            state: KeyState::Enabled,
            state_before_deletion: None,
            used_by_ca: None,
            latest_version: 1,
            created_at: now,
            deletion_at: None,
            revision: 1,
        };
        let latest = self.make_version(call, &key, 1, &sealing).await?;
        let mut change = self.inner.begin_change(call, "key.create").await?;
        let vault = find_vault(&mut **change, reference).await?;
        if vault.id != key.vault_id {
            return Err(stale("vaults"));
        }
        usable_vault(call, &vault)?;
        still_newest(&mut **change, &sealing).await?;
        change.insert_key(&key).await.map_err(|error| name_conflict(error, "key", &key.name))?;
        change.settle_in(key.id.as_str(), PlacedKind::Key, &home).await?;
        if let Some(version) = &latest {
            change.insert_key_version(version).await?;
        }
        let details = [("vault", vault.name.as_str()), ("algorithm", key.algorithm.as_str())];
        self.write_key_audit(call, &mut change, "key.create", &key, &details).await?;
        change.commit().await?;
        Ok(KeyView { vault, key, latest })
    }

    async fn try_rotate_key(&self, call: &Call, vault: &Reference, reference: &Reference) -> Result<KeyView, Error> {
        let (key, sealing) = {
            let mut read = self.inner.store.read().await?;
            let (vault, key) = find_key(&mut *read, vault, reference).await?;
            may_rotate(call, &vault, &key)?;
            let sealing = newest_vault_key(&mut *read, &vault.id).await?;
            (key, sealing)
        };
        let number = key.latest_version.saturating_add(1);
        let latest = self.make_version(call, &key, number, &sealing).await?;
        let mut change = self.inner.begin_change(call, "key.rotate").await?;
        let (vault, mut now_stored) = find_key(&mut **change, vault, reference).await?;
        may_rotate(call, &vault, &now_stored)?;
        if now_stored.id != key.id || now_stored.latest_version != key.latest_version {
            return Err(stale("keys"));
        }
        still_newest(&mut **change, &sealing).await?;
        now_stored.latest_version = number;
        write_key(&mut **change, &mut now_stored).await?;
        if let Some(version) = &latest {
            change.insert_key_version(version).await?;
        }
        let version = number.to_string();
        let details = [("vault", vault.name.as_str()), ("version", version.as_str())];
        self.write_key_audit(call, &mut change, "key.rotate", &now_stored, &details).await?;
        change.commit().await?;
        Ok(KeyView { vault, key: now_stored, latest })
    }

    /// Makes the material of a version; as a trial none is made.
    async fn make_version(
        &self,
        call: &Call,
        key: &Key,
        number: u32,
        sealing: &VaultKeyVersion,
    ) -> Result<Option<KeyVersion>, Error> {
        if call.dry_run {
            return Ok(None);
        }
        let place = key_place(key, number);
        let made = self.inner.keys.create_key(&vault_key(sealing), &place).await?;
        Ok(Some(KeyVersion {
            key_id: key.id.clone(),
            number,
            vault_key_version: sealing.number,
            sealed: made.sealed,
            public_key: made.public_key,
            created_at: self.now(),
        }))
    }

    async fn change_key(
        &self,
        call: &Call,
        vault: &Reference,
        key: &Reference,
        wish: &KeyChange,
        if_match: Option<i64>,
    ) -> Result<KeyView, Error> {
        let (vault, key) = self.may_key(call, Permission::KeyManage, vault, key).await?;
        let mut change = self.inner.begin_change(call, wish.action()).await?;
        let (vault, before) = find_key(&mut **change, &vault, &key).await?;
        not_the_servers_own(call, &vault)?;
        check_if_match(if_match, before.revision)?;
        let user = match (&before.used_by_ca, wish) {
            (Some(ca), KeyChange::ScheduleDeletion(_)) => change.ca(&by_id(ca.as_str())?).await?,
            _ => None,
        };
        let Some(mut after) = plan(&vault, &before, wish, user.as_ref(), self.now())? else {
            let view = view(&mut **change, vault, before).await?;
            change.undo().await?;
            return Ok(view);
        };
        let written = write_key(&mut **change, &mut after).await;
        written.map_err(|error| name_conflict(error, "key", &after.name))?;
        let deletion_at = after.deletion_at.map(|at| at.to_string()).unwrap_or_default();
        let mut details = vec![("vault", vault.name.as_str())];
        match wish {
            KeyChange::Rename(_) => details.push(("oldName", before.name.as_str())),
            KeyChange::ScheduleDeletion(_) => details.push(("deletionAt", deletion_at.as_str())),
            KeyChange::Enable | KeyChange::Disable | KeyChange::CancelDeletion => {}
        }
        self.write_key_audit(call, &mut change, wish.action(), &after, &details).await?;
        let view = view(&mut **change, vault.clone(), after).await?;
        change.commit().await?;
        Ok(view)
    }

    async fn write_key_audit(
        &self,
        call: &Call,
        change: &mut Change<'_>,
        action: &'static str,
        key: &Key,
        details: &[(&str, &str)],
    ) -> Result<(), Error> {
        let target = Target { kind: "key", id: key.id.as_str(), name: key.name.as_str() };
        Ok(change.insert_audit(&self.inner.audit(call, action, target, details)).await?)
    }
}

/// What may be done to a key's row alone.
enum KeyChange {
    Rename(ResourceName),
    Enable,
    Disable,
    ScheduleDeletion(Option<Timestamp>),
    CancelDeletion,
}

impl KeyChange {
    const fn action(&self) -> &'static str {
        match self {
            Self::Rename(_) => "key.rename",
            Self::Enable => "key.enable",
            Self::Disable => "key.disable",
            Self::ScheduleDeletion(_) => "key.schedule-deletion",
            Self::CancelDeletion => "key.cancel-deletion",
        }
    }
}

/// The key after the change; `None`: it is like that already. `user`: the CA that the key belongs to. Pure.
fn plan(vault: &Vault, key: &Key, wish: &KeyChange, user: Option<&Ca>, now: Timestamp) -> Result<Option<Key>, Error> {
    let mut after = key.clone();
    match wish {
        KeyChange::Rename(name) => after.name = name.clone(),
        KeyChange::Enable | KeyChange::Disable if key.state == KeyState::PendingDeletion => {
            return Err(pending_deletion(key));
        }
        KeyChange::Enable => after.state = KeyState::Enabled,
        KeyChange::Disable => after.state = KeyState::Disabled,
        KeyChange::ScheduleDeletion(at) if key.state == KeyState::PendingDeletion => {
            return match at {
                Some(at) if Some(*at) != key.deletion_at => Err(deletion_scheduled_already("key", key.deletion_at)),
                _ => Ok(None),
            };
        }
        KeyChange::ScheduleDeletion(at) => {
            refuse_while_used(key, user)?;
            let at = deletion_time(now, *at).map_err(|invalid| Error::invalid("/deletionAt", invalid))?;
            after.state_before_deletion = Some(key.state);
            after.state = KeyState::PendingDeletion;
            after.deletion_at = Some(at);
        }
        KeyChange::CancelDeletion => {
            if key.state != KeyState::PendingDeletion {
                return Err(deletion_not_scheduled("key", key.state.as_str()));
            }
            refuse_final_deletion("key", key.deletion_at, now)?;
            if vault.state != VaultState::Active {
                return Err(Error::conflict(
                    "vault_not_active",
                    format!("Vault {} is {}; a key in it cannot come back.", vault.name, vault.state),
                    "Cancel the deletion of the vault first.",
                ));
            }
            after.state = key.state_before_deletion.unwrap_or(KeyState::Disabled);
            after.state_before_deletion = None;
            after.deletion_at = None;
        }
    }
    Ok((after != *key).then_some(after))
}

fn refuse_while_used(key: &Key, user: Option<&Ca>) -> Result<(), Error> {
    match user {
        Some(ca) if !matches!(ca.state, CaState::PendingDeletion | CaState::Deleted) => Err(Error::conflict(
            "key_in_use",
            format!("Key {} belongs to CA {}, which is {}.", key.name, ca.name, ca.state),
            "Schedule the deletion of the CA first, or disable the key.",
        )),
        _ => Ok(()),
    }
}

fn pending_deletion(key: &Key) -> Error {
    Error::conflict(
        "key_pending_deletion",
        format!("Key {} is scheduled for deletion.", key.name),
        "Cancel its deletion first.",
    )
}

fn may_rotate(call: &Call, vault: &Vault, key: &Key) -> Result<(), Error> {
    usable_vault(call, vault)?;
    match key.state {
        KeyState::Enabled => Ok(()),
        KeyState::Disabled => Err(Error::conflict(
            "key_disabled",
            format!("Key {} is disabled and cannot be rotated.", key.name),
            "Enable it first.",
        )),
        KeyState::PendingDeletion | KeyState::Deleted => Err(pending_deletion(key)),
    }
}

/// Refuses protection that this server cannot give.
pub(crate) fn refuse_hsm(protection: Protection) -> Result<(), Error> {
    match protection {
        Protection::Software => Ok(()),
        Protection::Hsm => Err(Error::conflict(
            "hsm_not_configured",
            "Protection HSM needs a PKCS#11 token, and none is configured.",
            "Set `keystore.pkcs11` in the configuration file, or ask for protection SOFTWARE.",
        )),
    }
}

/// A vault and a key in it, neither of them deleted.
pub(crate) async fn find_key(
    queries: &mut dyn Queries,
    vault: &Reference,
    key: &Reference,
) -> Result<(Vault, Key), Error> {
    let vault = find_vault(queries, vault).await?;
    let found = queries.key(&vault.id, key).await?.filter(|key| key.state != KeyState::Deleted);
    let key = found.ok_or_else(|| Error::not_found("key", key))?;
    Ok((vault, key))
}

/// Where a version of a key lives: what its sealed bytes are bound to.
pub(crate) fn key_place(key: &Key, version: u32) -> KeyPlace {
    KeyPlace { vault_id: key.vault_id.clone(), key_id: key.id.clone(), version, algorithm: key.algorithm }
}

/// Writes a key back and follows its revision.
pub(crate) async fn write_key(queries: &mut dyn Queries, key: &mut Key) -> Result<(), certwright_store::Error> {
    queries.update_key(key).await?;
    key.revision = key.revision.saturating_add(1);
    Ok(())
}

async fn view(queries: &mut dyn Queries, vault: Vault, key: Key) -> Result<KeyView, Error> {
    let latest = queries.key_version(&key.id, key.latest_version).await?;
    Ok(KeyView { vault, key, latest })
}

#[cfg(test)]
mod tests;
