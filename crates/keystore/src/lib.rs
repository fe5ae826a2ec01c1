//! Private keys: sealed at rest, used in process. The only crate that sees them (and, later, PKCS#11).
//!
//! **Layers.** A *root key* (256 bits; from a file, a credential or a passphrase) seals each vault's *key-encryption key*;
//! that seals the *private keys* of the vault. Everything is AES-256-GCM with the row as associated data, so a blob that
//! is moved to another row does not open. Several root keys and vault-key versions may open, the newest seals.
//! This crate does no SQL: it takes and returns [`SealedBlob`]s.

pub mod container;
mod der;
mod files;
mod generator;
mod material;
mod root;
mod seal;
mod software;
mod source;

pub use software::SoftwareKeyStore;

use async_trait::async_trait;
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::id::{KeyId, VaultId};
use certwright_domain::key::SealedBlob;
use certwright_domain::secret::SecretBytes;
use std::sync::Arc;

/// What went wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root key that sealed the blob is not among those loaded.
    #[error("sealed under root key {0}, which is not loaded")]
    UnknownRootKey(String),
    /// A blob did not open: moved to another row, damaged, or another key.
    #[error("a sealed key did not open: {0}")]
    Unsealing(String),
    /// The key cannot do what was asked, or imported bytes are not a key of that algorithm. The caller's fault.
    #[error("{0}")]
    Unusable(String),
    /// The root key's source is missing, unreadable or malformed.
    #[error("{0}")]
    RootKey(String),
    /// The crypto library failed.
    #[error("crypto library: {0}")]
    Crypto(&'static str),
}

/// Where a private key lives: the associated data of its sealed blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// Vault.
    pub vault_id: VaultId,
    /// Key.
    pub key_id: KeyId,
    /// Version, from 1.
    pub version: u32,
    /// Algorithm.
    pub algorithm: KeyAlgorithm,
}

/// A vault's key-encryption key as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKey {
    /// Vault.
    pub vault_id: VaultId,
    /// Version, from 1.
    pub version: u32,
    /// Root key that sealed it.
    pub root_key_id: String,
    /// The sealed key.
    pub sealed: SealedBlob,
}

/// A key just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The sealed private (or symmetric) key.
    pub sealed: SealedBlob,
    /// DER SubjectPublicKeyInfo; `None` for AES.
    pub public_key: Option<Vec<u8>>,
}

/// A key made for a requester: handed out once, never stored.
pub struct LeafKey {
    /// PKCS#8 DER.
    pub pkcs8: SecretBytes,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
}

/// Signs with one key version. May take long (a token on the network): never hold a transaction while it runs.
#[async_trait]
pub trait Signer: Send + Sync {
    /// DER SubjectPublicKeyInfo.
    fn public_key(&self) -> &[u8];
    /// Signs `message` (not a digest); the signature is as X.509 wants it (ECDSA: DER).
    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, Error>;
}

/// A key store. Software today; PKCS#11 is another implementation of the same contract and the same tests.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Id of the newest root key, the one that seals.
    fn root_key_id(&self) -> String;
    /// Ids of all loaded root keys, newest first.
    fn root_key_ids(&self) -> Vec<String>;
    /// Makes a new root key where the source allows it (`file`): from now on it seals. Returns its id.
    fn rotate_root_key(&self) -> Result<String, Error>;
    /// Removes every root key but the newest from the source (`file`), once nothing is sealed under them.
    fn retire_root_keys(&self) -> Result<(), Error>;
    /// Makes a key-encryption key for a vault.
    async fn create_vault_key(&self, vault_id: &VaultId, version: u32) -> Result<VaultKey, Error>;
    /// The same key under the newest root key.
    async fn rewrap_vault_key(&self, vault_key: &VaultKey) -> Result<VaultKey, Error>;
    /// Makes a master key.
    async fn create_key(&self, vault_key: &VaultKey, place: &KeyPlace) -> Result<NewKey, Error>;
    /// Takes a private key (PKCS#8, PKCS#1 or SEC1 DER) that must be of `place.algorithm`.
    async fn import_key(&self, vault_key: &VaultKey, place: &KeyPlace, der: &SecretBytes) -> Result<NewKey, Error>;
    /// The algorithm of a private key in PKCS#8, PKCS#1 or SEC1 DER.
    fn inspect_private_key(&self, der: &SecretBytes) -> Result<KeyAlgorithm, Error>;
    /// The public key (DER SubjectPublicKeyInfo) of a private key in PKCS#8, PKCS#1 or SEC1 DER.
    fn public_key_of(&self, der: &SecretBytes) -> Result<Vec<u8>, Error>;
    /// Opens a key for signing.
    async fn signer(
        &self,
        vault_key: &VaultKey,
        place: &KeyPlace,
        sealed: &SealedBlob,
    ) -> Result<Arc<dyn Signer>, Error>;
    /// Opens a key for handing it out (PKCS#8 DER). Whether it may be handed out is for the caller to judge.
    async fn export_key(
        &self,
        vault_key: &VaultKey,
        place: &KeyPlace,
        sealed: &SealedBlob,
    ) -> Result<SecretBytes, Error>;
    /// The same key under another version of its vault's key.
    async fn rewrap_key(
        &self,
        from: &VaultKey,
        to: &VaultKey,
        place: &KeyPlace,
        sealed: &SealedBlob,
    ) -> Result<SealedBlob, Error>;
    /// Makes a key pair for a requester. RSA comes from a pool that is filled in the background where possible.
    async fn create_leaf_key(&self, algorithm: KeyAlgorithm) -> Result<LeafKey, Error>;
    /// Seals bytes that are not a key (a stored response) under the newest root key; `place` is the associated data.
    fn seal(&self, place: &str, bytes: &[u8]) -> Result<SealedBlob, Error>;
    /// Opens what [`KeyStore::seal`] made.
    fn open(&self, place: &str, sealed: &SealedBlob) -> Result<SecretBytes, Error>;
}

/// Where the root key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootKeySource {
    /// A file of ours, mode 0600; several keys, newest first. Made when missing and `create` is set.
    File {
        /// Path.
        path: std::path::PathBuf,
        /// Make it when it is missing (first start only).
        create: bool,
    },
    /// A file that someone else provides (systemd credential, mounted secret); read only. One line per key, newest first:
    /// 64 hex digits or base64 of 32 bytes.
    Credential {
        /// Path.
        path: std::path::PathBuf,
    },
    /// A passphrase (argon2id); `path` holds the passphrases, newest first, one per line; `salt_path` our salts.
    Passphrase {
        /// Path of the file with the passphrase.
        path: std::path::PathBuf,
        /// Path of our file with salt and parameters.
        salt_path: std::path::PathBuf,
        /// Make that file when it is missing (first start only): another salt makes another key.
        create: bool,
    },
}
