//! Keys of CAs as they are opened for signing, and what says whether they may sign.

use crate::{App, Error};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::ca::{Ca, CaVersion};
use certwright_domain::key::{KeyState, Protection, SealedBlob, VaultState};
use certwright_domain::name::Reference;
use certwright_keystore::{KeyPlace, Signer, VaultKey};
use std::sync::Arc;

/// One version of a key, sealed.
pub(crate) struct SealedKey {
    pub(crate) vault_key: VaultKey,
    pub(crate) place: KeyPlace,
    pub(crate) sealed: SealedBlob,
    pub(crate) protection: Protection,
}

impl App {
    /// Opens the key of a CA's version for signing; disabled keys and vaults refuse.
    pub(crate) async fn ca_signer(
        &self,
        read: &mut certwright_store::Reader<'_>,
        ca: &Ca,
        version: &CaVersion,
    ) -> Result<(Arc<dyn Signer>, SignatureAlgorithm), Error> {
        let no_key = || {
            Error::conflict(
                "ca_has_no_key",
                format!("CA {} is a trust anchor without a key of ours and cannot sign.", ca.name),
                "Choose a CA whose key lies in one of our vaults.",
            )
        };
        let (Some((vault_id, key_id)), Some(algorithm), Some(key_version)) =
            (&ca.key, ca.signature_algorithm, version.key_version)
        else {
            return Err(no_key());
        };
        self.ca_may_use_key(&mut **read, ca, vault_id, key_id).await?;
        let signer = self.open_signer(read, vault_id, key_id, key_version).await?;
        Ok((signer, algorithm))
    }

    /// Opens one version of a key for signing.
    pub(crate) async fn open_signer(
        &self,
        read: &mut certwright_store::Reader<'_>,
        vault_id: &certwright_domain::id::VaultId,
        key_id: &certwright_domain::id::KeyId,
        key_version: u32,
    ) -> Result<Arc<dyn Signer>, Error> {
        let key = self.sealed_key(read, vault_id, key_id, key_version).await?;
        Ok(self.inner.keys.signer(&key.vault_key, &key.place, &key.sealed).await?)
    }

    /// One version of a key that may be used, still sealed; disabled keys and vaults refuse.
    pub(crate) async fn sealed_key(
        &self,
        read: &mut certwright_store::Reader<'_>,
        vault_id: &certwright_domain::id::VaultId,
        key_id: &certwright_domain::id::KeyId,
        key_version: u32,
    ) -> Result<SealedKey, Error> {
        let missing = |what: &str| Error::Internal(format!("{what} of {key_id} version {key_version} is missing"));
        let key = read.key_by_id(key_id).await?.ok_or_else(|| missing("row"))?;
        if key.state != KeyState::Enabled {
            return Err(Error::conflict(
                "key_not_enabled",
                format!("Key {} is {} and cannot sign.", key.name, key.state),
                "Enable the key, or cancel its deletion.",
            ));
        }
        let vault_reference = Reference::parse(vault_id.as_str()).map_err(|_| missing("vault id"))?;
        let vault = read.vault(&vault_reference).await?.ok_or_else(|| missing("vault"))?;
        if vault.state != VaultState::Active {
            return Err(Error::conflict(
                "vault_not_active",
                format!("Vault {} is {}; its keys cannot sign.", vault.name, vault.state),
                "Cancel the deletion of the vault.",
            ));
        }
        let stored = read.key_version(key_id, key_version).await?.ok_or_else(|| missing("version"))?;
        let vault_key = read
            .vault_keys(vault_id)
            .await?
            .into_iter()
            .find(|candidate| candidate.number == stored.vault_key_version)
            .ok_or_else(|| missing("vault key"))?;
        let vault_key = VaultKey {
            vault_id: vault_key.vault_id,
            version: vault_key.number,
            root_key_id: vault_key.root_key_id,
            sealed: vault_key.sealed,
        };
        let place = KeyPlace {
            vault_id: vault_id.clone(),
            key_id: key_id.clone(),
            version: key_version,
            algorithm: key.algorithm,
        };
        Ok(SealedKey { vault_key, place, sealed: stored.sealed, protection: key.protection })
    }
}
