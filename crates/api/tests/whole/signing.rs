//! A key store that counts what is signed, and whose signers fall over or never end where a test wants it.

use async_trait::async_trait;
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::id::VaultId;
use certwright_domain::key::SealedBlob;
use certwright_domain::secret::SecretBytes;
use certwright_keystore::{Error, KeyPlace, KeyStore, LeafKey, NewKey, Signer, SoftwareKeyStore, VaultKey};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// How often something was signed.
pub(crate) type Signatures = Arc<AtomicU32>;

/// What goes wrong with whoever is to sign.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// It falls over.
    Panics,
    /// It never ends.
    Hangs,
}
/// Set by the test.
pub(crate) type Troubles = Arc<Mutex<Option<Trouble>>>;

/// The software key store, with a count and troubles.
pub(crate) struct CountingKeys {
    pub(crate) inner: SoftwareKeyStore,
    pub(crate) signatures: Signatures,
    pub(crate) troubles: Troubles,
}

struct CountingSigner {
    inner: Arc<dyn Signer>,
    signatures: Signatures,
    troubles: Troubles,
}

#[async_trait]
impl Signer for CountingSigner {
    fn public_key(&self) -> &[u8] {
        self.inner.public_key()
    }
    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.signatures.fetch_add(1, Ordering::SeqCst);
        let trouble = *self.troubles.lock().unwrap();
        match trouble {
            None => {}
            Some(Trouble::Panics) => panic!("the signer fell over"),
            Some(Trouble::Hangs) => std::future::pending().await,
        }
        self.inner.sign(algorithm, message).await
    }
}

#[async_trait]
impl KeyStore for CountingKeys {
    fn root_key_id(&self) -> String {
        self.inner.root_key_id()
    }
    fn root_key_ids(&self) -> Vec<String> {
        self.inner.root_key_ids()
    }
    fn rotate_root_key(&self) -> Result<String, Error> {
        self.inner.rotate_root_key()
    }
    fn retire_root_keys(&self) -> Result<(), Error> {
        self.inner.retire_root_keys()
    }
    async fn create_vault_key(&self, vault_id: &VaultId, version: u32) -> Result<VaultKey, Error> {
        self.inner.create_vault_key(vault_id, version).await
    }
    async fn rewrap_vault_key(&self, vault_key: &VaultKey) -> Result<VaultKey, Error> {
        self.inner.rewrap_vault_key(vault_key).await
    }
    async fn create_key(&self, vault_key: &VaultKey, place: &KeyPlace) -> Result<NewKey, Error> {
        self.inner.create_key(vault_key, place).await
    }
    async fn import_key(&self, vault_key: &VaultKey, place: &KeyPlace, der: &SecretBytes) -> Result<NewKey, Error> {
        self.inner.import_key(vault_key, place, der).await
    }
    fn inspect_private_key(&self, der: &SecretBytes) -> Result<KeyAlgorithm, Error> {
        self.inner.inspect_private_key(der)
    }
    fn public_key_of(&self, der: &SecretBytes) -> Result<Vec<u8>, Error> {
        self.inner.public_key_of(der)
    }
    async fn signer(&self, vault: &VaultKey, place: &KeyPlace, sealed: &SealedBlob) -> Result<Arc<dyn Signer>, Error> {
        let (inner, signatures) = (self.inner.signer(vault, place, sealed).await?, Arc::clone(&self.signatures));
        let troubles = Arc::clone(&self.troubles);
        Ok(Arc::new(CountingSigner { inner, signatures, troubles }))
    }
    async fn export_key(&self, vault: &VaultKey, place: &KeyPlace, sealed: &SealedBlob) -> Result<SecretBytes, Error> {
        self.inner.export_key(vault, place, sealed).await
    }
    async fn rewrap_key(
        &self,
        from: &VaultKey,
        to: &VaultKey,
        place: &KeyPlace,
        sealed: &SealedBlob,
    ) -> Result<SealedBlob, Error> {
        self.inner.rewrap_key(from, to, place, sealed).await
    }
    async fn create_leaf_key(&self, algorithm: KeyAlgorithm) -> Result<LeafKey, Error> {
        self.inner.create_leaf_key(algorithm).await
    }
    fn seal(&self, place: &str, bytes: &[u8]) -> Result<SealedBlob, Error> {
        self.inner.seal(place, bytes)
    }
    fn open(&self, place: &str, sealed: &SealedBlob) -> Result<SecretBytes, Error> {
        self.inner.open(place, sealed)
    }
}
