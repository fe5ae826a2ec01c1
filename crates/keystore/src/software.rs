//! The software key store: keys are sealed at rest and used in this process.

use crate::generator::Generator;
use crate::material::{self, Material};
use crate::root::{RootKey, RootKeys};
use crate::seal::{self, Place, Sealed, SealingKey};
use crate::{Error, KeyPlace, KeyStore, LeafKey, NewKey, RootKeySource, Signer, VaultKey, source};
use async_trait::async_trait;
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::id::VaultId;
use certwright_domain::key::SealedBlob;
use certwright_domain::secret::SecretBytes;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use zeroize::Zeroizing;

/// The software key store.
pub struct SoftwareKeyStore {
    source: RootKeySource,
    roots: RwLock<Arc<RootKeys>>,
    /// Held while the source is rewritten: one change at a time.
    change: Mutex<()>,
    generator: Generator,
}

impl SoftwareKeyStore {
    /// Loads the root keys. Files that group or others can read are refused (files that someone else provides: the
    /// group may read them).
    ///
    /// # Errors
    /// [`Error::RootKey`] with what is wrong with the source, for the operator. A passphrase is derived here: 64 MiB and
    /// about a tenth of a second for each, so call this where blocking is fine.
    pub fn open(source: &RootKeySource) -> Result<Self, Error> {
        let roots = source::load(source)?;
        tracing::info!(root_key.id = roots.newest().id(), root_key.count = roots.iter().count(), "root keys loaded");
        Ok(Self {
            source: source.clone(),
            roots: RwLock::new(Arc::new(roots)),
            change: Mutex::new(()),
            generator: Generator::new(),
        })
    }

    fn roots(&self) -> Arc<RootKeys> {
        Arc::clone(&self.roots.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change_roots(&self, change: fn(&RootKeySource, &RootKeys) -> Result<RootKeys, Error>) -> Result<String, Error> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        // Durable in the source before anything is sealed with it.
        let changed = change(&self.source, &self.roots())?;
        let id = changed.newest().id().to_owned();
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(changed);
        Ok(id)
    }

    fn open_vault_key(&self, vault_key: &VaultKey) -> Result<SealingKey, Error> {
        let sealed = Sealed::parse(&vault_key.sealed)?;
        if sealed.key_id() != vault_key.root_key_id {
            return Err(Error::Unsealing(format!(
                "the row of {} names root key {}, its blob {}",
                vault_key.vault_id,
                vault_key.root_key_id,
                sealed.key_id()
            )));
        }
        let roots = self.roots();
        let place = vault_key_place(&vault_key.vault_id, vault_key.version);
        let key = sealed.open(roots.find(sealed.key_id())?.key(), &place)?;
        SealingKey::from_slice(key.expose())
            .ok_or_else(|| Error::Unsealing("what it holds is not a vault's key".to_owned()))
    }

    fn seal_vault_key(&self, vault_id: &VaultId, version: u32, key: &SealingKey) -> Result<VaultKey, Error> {
        let roots = self.roots();
        let newest: &RootKey = roots.newest();
        let sealed = seal::seal(newest.key(), newest.id(), &vault_key_place(vault_id, version), key.expose())?;
        Ok(VaultKey { vault_id: vault_id.clone(), version, root_key_id: newest.id().to_owned(), sealed })
    }

    fn seal_key(&self, vault_key: &VaultKey, place: &KeyPlace, secret: &[u8]) -> Result<SealedBlob, Error> {
        let key = self.open_vault_key(vault_key)?;
        seal::seal(&key, &vault_key_name(vault_key), &key_place(vault_key, place)?, secret)
    }

    fn open_key(&self, vault_key: &VaultKey, place: &KeyPlace, sealed: &SealedBlob) -> Result<SecretBytes, Error> {
        let sealed = Sealed::parse(sealed)?;
        if sealed.key_id() != vault_key_name(vault_key) {
            return Err(Error::Unsealing(format!(
                "version {} of {} is sealed under {}, but {} was given to open it",
                place.version,
                place.key_id,
                sealed.key_id().escape_debug(),
                vault_key_name(vault_key)
            )));
        }
        sealed.open(&self.open_vault_key(vault_key)?, &key_place(vault_key, place)?)
    }
}

/// The id of a vault's key in the blobs that it seals.
fn vault_key_name(vault_key: &VaultKey) -> String {
    format!("{}/{}", vault_key.vault_id, vault_key.version)
}

fn vault_key_place(vault_id: &VaultId, version: u32) -> Place {
    Place::new("certwright/vault-key/1").with(vault_id.as_str().as_bytes()).with(&version.to_be_bytes())
}

fn key_place(vault_key: &VaultKey, place: &KeyPlace) -> Result<Place, Error> {
    if vault_key.vault_id != place.vault_id {
        return Err(Error::Unsealing(format!(
            "{} lies in {}, not in {}",
            place.key_id, place.vault_id, vault_key.vault_id
        )));
    }
    Ok(Place::new("certwright/private-key/1")
        .with(place.vault_id.as_str().as_bytes())
        .with(place.key_id.as_str().as_bytes())
        .with(&place.version.to_be_bytes())
        .with(place.algorithm.as_str().as_bytes())
        .with(&vault_key.version.to_be_bytes()))
}

fn bytes_place(place: &str) -> Place {
    Place::new("certwright/sealed-bytes/1").with(place.as_bytes())
}

#[async_trait]
impl KeyStore for SoftwareKeyStore {
    fn root_key_id(&self) -> String {
        self.roots().newest().id().to_owned()
    }

    fn root_key_ids(&self) -> Vec<String> {
        self.roots().iter().map(|key| key.id().to_owned()).collect()
    }

    fn rotate_root_key(&self) -> Result<String, Error> {
        let id = self.change_roots(source::rotate)?;
        tracing::info!(root_key.id = id, "new root key");
        Ok(id)
    }

    fn retire_root_keys(&self) -> Result<(), Error> {
        let id = self.change_roots(source::retire)?;
        tracing::info!(root_key.id = id, "older root keys are gone");
        Ok(())
    }

    async fn create_vault_key(&self, vault_id: &VaultId, version: u32) -> Result<VaultKey, Error> {
        self.seal_vault_key(vault_id, version, &SealingKey::generate()?)
    }

    async fn rewrap_vault_key(&self, vault_key: &VaultKey) -> Result<VaultKey, Error> {
        let key = self.open_vault_key(vault_key)?;
        self.seal_vault_key(&vault_key.vault_id, vault_key.version, &key)
    }

    async fn create_key(&self, vault_key: &VaultKey, place: &KeyPlace) -> Result<NewKey, Error> {
        if let Some(length) = material::symmetric_bytes(place.algorithm) {
            let random = Zeroizing::new(seal::random::<32>()?);
            let bytes = random.get(..length).ok_or(Error::Crypto("key generation"))?;
            return Ok(NewKey { sealed: self.seal_key(vault_key, place, bytes)?, public_key: None });
        }
        let key = if material::generates_slowly(place.algorithm) {
            self.generator.fresh(place.algorithm).await?
        } else {
            Material::generate(place.algorithm)?
        };
        let sealed = self.seal_key(vault_key, place, key.pkcs8()?.expose())?;
        Ok(NewKey { sealed, public_key: Some(key.public_key().to_vec()) })
    }

    async fn import_key(&self, vault_key: &VaultKey, place: &KeyPlace, der: &SecretBytes) -> Result<NewKey, Error> {
        let der = der.clone();
        // Checking an RSA key takes milliseconds.
        let key = blocking(move || {
            let key = Material::import(der.expose())?;
            key.check_that_it_works()?;
            Ok(key)
        })
        .await?;
        if key.algorithm() != place.algorithm {
            return Err(Error::Unusable(format!(
                "The private key is of the kind {}, not {}.",
                key.algorithm(),
                place.algorithm
            )));
        }
        let sealed = self.seal_key(vault_key, place, key.pkcs8()?.expose())?;
        Ok(NewKey { sealed, public_key: Some(key.public_key().to_vec()) })
    }

    fn inspect_private_key(&self, der: &SecretBytes) -> Result<KeyAlgorithm, Error> {
        Ok(Material::import(der.expose())?.algorithm())
    }

    fn public_key_of(&self, der: &SecretBytes) -> Result<Vec<u8>, Error> {
        Ok(Material::import(der.expose())?.public_key().to_vec())
    }

    async fn signer(
        &self,
        vault_key: &VaultKey,
        place: &KeyPlace,
        sealed: &SealedBlob,
    ) -> Result<Arc<dyn Signer>, Error> {
        if !place.algorithm.is_asymmetric() {
            return Err(Error::Unusable(format!("A key of the kind {} cannot sign.", place.algorithm)));
        }
        let pkcs8 = self.open_key(vault_key, place, sealed)?;
        Ok(Arc::new(SoftwareSigner(Arc::new(Material::from_pkcs8(place.algorithm, pkcs8.expose())?))))
    }

    async fn export_key(
        &self,
        vault_key: &VaultKey,
        place: &KeyPlace,
        sealed: &SealedBlob,
    ) -> Result<SecretBytes, Error> {
        self.open_key(vault_key, place, sealed)
    }

    async fn rewrap_key(
        &self,
        from: &VaultKey,
        to: &VaultKey,
        place: &KeyPlace,
        sealed: &SealedBlob,
    ) -> Result<SealedBlob, Error> {
        let secret = self.open_key(from, place, sealed)?;
        self.seal_key(to, place, secret.expose())
    }

    async fn create_leaf_key(&self, algorithm: KeyAlgorithm) -> Result<LeafKey, Error> {
        let key = if material::generates_slowly(algorithm) {
            self.generator.leaf(algorithm).await?
        } else {
            Material::generate(algorithm)?
        };
        Ok(LeafKey { pkcs8: key.pkcs8()?, public_key: key.public_key().to_vec() })
    }

    fn seal(&self, place: &str, bytes: &[u8]) -> Result<SealedBlob, Error> {
        let roots = self.roots();
        let newest = roots.newest();
        seal::seal(newest.key(), newest.id(), &bytes_place(place), bytes)
    }

    fn open(&self, place: &str, sealed: &SealedBlob) -> Result<SecretBytes, Error> {
        let sealed = Sealed::parse(sealed)?;
        sealed.open(self.roots().find(sealed.key_id())?.key(), &bytes_place(place))
    }
}

struct SoftwareSigner(Arc<Material>);

#[async_trait]
impl Signer for SoftwareSigner {
    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        if !self.0.signs_slowly() {
            return self.0.sign(algorithm, message);
        }
        let (key, message) = (Arc::clone(&self.0), message.to_vec());
        blocking(move || key.sign(algorithm, &message)).await
    }
}

/// Runs what takes milliseconds away from the runtime's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Crypto("the blocking thread ended early")))
}
