//! Vaults.
use crate::{App, Call, Error};
use certwright_domain::key::Vault;
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;
use certwright_store::{Page, PageRequest};

impl App {
    /// Makes a vault with its key-encryption key.
    pub async fn create_vault(&self, call: &Call, name: ResourceName) -> Result<Vault, Error> {
        let _ = (call, name);
        todo!()
    }
    /// Vaults by name.
    pub async fn vaults(&self, call: &Call, page: &PageRequest) -> Result<Page<Vault>, Error> {
        let _ = (call, page);
        todo!()
    }
    /// One vault.
    pub async fn vault(&self, call: &Call, vault: &Reference) -> Result<Vault, Error> {
        let _ = (call, vault);
        todo!()
    }
    /// Renames a vault. `if_match`: the revision the caller saw, checked when given.
    pub async fn rename_vault(
        &self,
        call: &Call,
        vault: &Reference,
        name: ResourceName,
        if_match: Option<i64>,
    ) -> Result<Vault, Error> {
        let _ = (call, vault, name, if_match);
        todo!()
    }
    /// Makes a new version of the vault's key; its master keys are re-wrapped in the background.
    pub async fn rotate_vault(&self, call: &Call, vault: &Reference) -> Result<Vault, Error> {
        let _ = (call, vault);
        todo!()
    }
    /// Schedules deletion (7 to 30 days); refused while keys in it are alive (not themselves scheduled for deletion).
    pub async fn schedule_vault_deletion(
        &self,
        call: &Call,
        vault: &Reference,
        at: Option<Timestamp>,
    ) -> Result<Vault, Error> {
        let _ = (call, vault, at);
        todo!()
    }
    /// Cancels a scheduled deletion.
    pub async fn cancel_vault_deletion(&self, call: &Call, vault: &Reference) -> Result<Vault, Error> {
        let _ = (call, vault);
        todo!()
    }
}
