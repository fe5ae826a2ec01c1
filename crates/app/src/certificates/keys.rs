//! Private keys of managed certificates (and of OCSP responders): versions of keys in a vault of the server's own, sealed, re-wrapped and destroyed
//! like any master key.

use crate::access::Background;
use crate::change::by_id;
use crate::vaults::{newest_vault_key, still_newest, vault_key};
use crate::{App, Call, Error};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::id::{CertificateId, KeyId};
use certwright_domain::key::{Key, KeyState, KeyVersion, Protection, Vault, VaultKeyVersion};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::secret::SecretBytes;
use certwright_keystore::KeyPlace;
use certwright_store::Tx;

/// Name of the vault that holds them.
pub(crate) const KEY_VAULT: &str = "certwright-certificates";

/// A version of a key: made and sealed, not yet stored.
pub(crate) struct NewVersionKey {
    key: Key,
    is_new: bool,
    version: KeyVersion,
    sealing: VaultKeyVersion,
}

impl NewVersionKey {
    /// DER SubjectPublicKeyInfo.
    pub(crate) fn public_key(&self) -> Result<&[u8], Error> {
        self.version.public_key.as_deref().ok_or_else(|| Error::Internal("a key pair without public key".into()))
    }

    /// Key and version, as what rests on them refers to them.
    pub(crate) fn place(&self) -> (KeyId, u32) {
        (self.key.id.clone(), self.version.number)
    }

    /// Writes it.
    pub(crate) async fn record(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        still_newest(&mut **tx, &self.sealing).await?;
        match self.is_new {
            true => tx.insert_key(&self.key).await?,
            false => tx.update_key(&self.key).await?,
        }
        Ok(tx.insert_key_version(&self.version).await?)
    }
}

impl App {
    /// Makes a key for a certificate; `None` for `import`: a fresh one.
    pub(super) async fn new_version_key(
        &self,
        id: &CertificateId,
        algorithm: KeyAlgorithm,
        import: Option<&SecretBytes>,
    ) -> Result<NewVersionKey, Error> {
        self.new_key_named(key_name(id, algorithm)?, algorithm, import).await
    }

    /// Makes a version of the key of this name in the vault of the certificates' keys; the first one makes the key.
    pub(crate) async fn new_key_named(
        &self,
        name: ResourceName,
        algorithm: KeyAlgorithm,
        import: Option<&SecretBytes>,
    ) -> Result<NewVersionKey, Error> {
        let vault = self.key_vault().await?;
        let mut read = self.inner.store.read().await?;
        let known = read.key(&vault.id, &Reference::from(&name)).await?;
        let sealing = newest_vault_key(&mut *read, &vault.id).await?;
        drop(read);
        let now = self.now();
        let is_new = known.is_none();
        let mut key = known.unwrap_or_else(|| Key {
            id: KeyId::new(now, self.inner.id_entropy()),
            vault_id: vault.id.clone(),
            name,
            algorithm,
            protection: Protection::Software,
            state: KeyState::Enabled,
            state_before_deletion: None,
            used_by_ca: None,
            latest_version: 0,
            created_at: now,
            deletion_at: None,
            revision: 1,
        });
        key.latest_version = key.latest_version.saturating_add(1);
        let place = KeyPlace { vault_id: vault.id, key_id: key.id.clone(), version: key.latest_version, algorithm };
        let made = match import {
            None => self.inner.keys.create_key(&vault_key(&sealing), &place).await?,
            Some(der) => self.inner.keys.import_key(&vault_key(&sealing), &place, der).await?,
        };
        let version = KeyVersion {
            key_id: key.id.clone(),
            number: key.latest_version,
            vault_key_version: sealing.number,
            sealed: made.sealed,
            public_key: made.public_key,
            created_at: now,
        };
        Ok(NewVersionKey { key, is_new, version, sealing })
    }

    /// The public key of a version's key, DER.
    pub(super) async fn version_public_key(&self, (key, number): &(KeyId, u32)) -> Result<Vec<u8>, Error> {
        let stored = self.inner.store.read().await?.key_version(key, *number).await?;
        stored
            .filter(|version| !version.sealed.0.is_empty())
            .and_then(|version| version.public_key)
            .ok_or_else(|| Error::Internal(format!("{key} lacks version {number}")))
    }

    /// Opens the private key of a version, PKCS#8 DER.
    pub(super) async fn open_version_key(&self, (key_id, number): &(KeyId, u32)) -> Result<SecretBytes, Error> {
        let mut read = self.inner.store.read().await?;
        let key = read.key_by_id(key_id).await?.ok_or_else(|| Error::Internal(format!("{key_id} is missing")))?;
        let key = self.sealed_key(&mut read, &key.vault_id, key_id, *number).await?;
        drop(read);
        Ok(self.inner.keys.export_key(&key.vault_key, &key.place, &key.sealed).await?)
    }

    /// The vault of the certificates' keys, made when it is missing.
    async fn key_vault(&self) -> Result<Vault, Error> {
        let name = ResourceName::parse(KEY_VAULT).map_err(|invalid| Error::Internal(invalid.detail))?;
        let reference = Reference::from(&name);
        if let Some(vault) = self.inner.store.read().await?.vault(&reference).await? {
            return Ok(vault);
        }
        match self.make_vault(&Call::background(Background::CertificateKeys, "certificate-keys"), name, true).await {
            Ok(vault) => Ok(vault),
            // Another call or node was first.
            Err(error) => match self.inner.store.read().await?.vault(&reference).await? {
                Some(vault) => Ok(vault),
                None => Err(error),
            },
        }
    }
}

/// Destroys every key that the certificate's versions rest on.
pub(super) async fn destroy_keys(tx: &mut Tx<'_>, id: &CertificateId) -> Result<(), Error> {
    for key_id in tx.certificate_keys(id).await? {
        let Some(mut key) = tx.key_by_id(&key_id).await? else { continue };
        key.state = KeyState::Deleted;
        tx.update_key(&key).await?;
        tx.destroy_key_material(&key_id).await?;
    }
    Ok(())
}

/// A certificate has one key for each algorithm, with a version for each time that one was made.
fn key_name(id: &CertificateId, algorithm: KeyAlgorithm) -> Result<ResourceName, Error> {
    let wrong = |_| Error::Internal(format!("no name for the keys of {id}"));
    let ulid = by_id(id.as_str())?.as_str().trim_start_matches("certificate_").to_owned();
    ResourceName::parse(&format!("{ulid}.{algorithm}")).map_err(wrong)
}
