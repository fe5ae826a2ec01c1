//! Master keys.
use crate::{App, Call, Error};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::key::{Key, KeyVersion, Protection, Vault};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Timestamp;
use certwright_store::{KeyFilter, Page, PageRequest};

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
    /// Makes a key. `HSM` protection is a conflict that names the setting it would need.
    pub async fn create_key(&self, call: &Call, vault: &Reference, new: NewKey) -> Result<KeyView, Error> {
        let _ = (call, vault, new);
        todo!()
    }
    /// Keys of a vault by name.
    pub async fn keys(
        &self,
        call: &Call,
        vault: &Reference,
        filter: &KeyFilter,
        page: &PageRequest,
    ) -> Result<(Vault, Page<Key>), Error> {
        let _ = (call, vault, filter, page);
        todo!()
    }
    /// One key, with its newest version.
    pub async fn key(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        let _ = (call, vault, key);
        todo!()
    }
    /// Versions, newest first.
    pub async fn key_versions(
        &self,
        call: &Call,
        vault: &Reference,
        key: &Reference,
    ) -> Result<(KeyView, Vec<KeyVersion>), Error> {
        let _ = (call, vault, key);
        todo!()
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
        let _ = (call, vault, key, name, if_match);
        todo!()
    }
    /// Makes a new version. CAs go on with the version they have until they are renewed with `ROTATE`.
    pub async fn rotate_key(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        let _ = (call, vault, key);
        todo!()
    }
    /// Enables a disabled key (enabled already: the same answer).
    pub async fn enable_key(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        let _ = (call, vault, key);
        todo!()
    }
    /// Disables a key: nothing signs with it until it is enabled.
    pub async fn disable_key(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        let _ = (call, vault, key);
        todo!()
    }
    /// Schedules deletion; refused while a CA that is not deleted or scheduled for deletion uses it.
    pub async fn schedule_key_deletion(
        &self,
        call: &Call,
        vault: &Reference,
        key: &Reference,
        at: Option<Timestamp>,
    ) -> Result<KeyView, Error> {
        let _ = (call, vault, key, at);
        todo!()
    }
    /// Cancels a scheduled deletion; the key goes back to the state it had.
    pub async fn cancel_key_deletion(&self, call: &Call, vault: &Reference, key: &Reference) -> Result<KeyView, Error> {
        let _ = (call, vault, key);
        todo!()
    }
}
