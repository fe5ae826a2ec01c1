//! Checkpoints of the audit trail: signed with a key of ours, after a while and at the end, when something has changed.

use super::Target;
use crate::certificates::KEY_VAULT;
use crate::{App, Call, Error, sha256};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::audit::chain::{GENESIS, Head};
use certwright_domain::audit::checkpoint::{Checkpoint, StoredCheckpoint};
use certwright_domain::id::{KeyId, VaultId};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::time::Span;
use certwright_pki::verify_signature;
use std::collections::BTreeMap;

/// Name of the key that signs them; it lies in the vault of the server's own keys.
const KEY: &str = "audit-checkpoints";
/// How they are signed.
const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::Sha256WithEcdsa;

/// Public keys by version, DER SubjectPublicKeyInfo.
pub(crate) type PublicKeys = BTreeMap<u32, Vec<u8>>;

/// Is this the signature of a checkpoint's text?
pub(crate) fn is_signed(keys: &PublicKeys, key: u32, message: &[u8], signature: &[u8]) -> bool {
    keys.get(&key).is_some_and(|public_key| verify_signature(public_key, ALGORITHM, message, signature).is_ok())
}

impl App {
    /// A checkpoint, when the last one is old enough.
    pub(crate) async fn checkpoint_if_due(&self) -> Result<(), Error> {
        match self.inner.settings.checkpoint_interval {
            Some(interval) => self.checkpoint_after(interval).await,
            None => Ok(()),
        }
    }

    /// A checkpoint, unless nothing has changed or another node is at it. For shutdown.
    pub async fn last_checkpoint(&self) -> Result<(), Error> {
        match self.keep_lease().await? {
            true => self.checkpoint_after(Span::ZERO).await,
            false => Ok(()),
        }
    }

    async fn checkpoint_after(&self, pause: Span) -> Result<(), Error> {
        let now = self.now();
        let mut read = self.inner.store.read().await?;
        let last = read.last_audit_checkpoint().await?;
        let known = last.as_ref().and_then(|last| Checkpoint::read(&last.statement));
        if known.as_ref().is_some_and(|known| now.ms_since(known.at) < pause.ms()) {
            return Ok(());
        }
        let heads: Vec<Head> = read.audit_heads().await?.into_iter().filter(|head| head.sequence > 0).collect();
        let before = read.audit_before_chains().await?;
        drop(read);
        let is_old = known.as_ref().is_some_and(|known| known.heads == heads && known.before == before);
        if is_old || (heads.is_empty() && before.count == 0) {
            return Ok(());
        }
        // One that was tampered with is not repaired by going on: the verifier names it.
        let (number, previous) = match &last {
            Some(last) => (last.number.saturating_add(1), sha256(&[last.statement.as_bytes()])),
            None => (1, GENESIS),
        };
        let (vault, id, key) = match self.checkpoint_key().await {
            // Another node made the key at the same time.
            Err(Error::Conflict { .. }) => self.checkpoint_key().await?,
            other => other?,
        };
        let statement = Checkpoint { number, at: now, previous, key, before, heads }.statement();
        let mut read = self.inner.store.read().await?;
        let sealed = self.sealed_key(&mut read, &vault, &id, key).await?;
        drop(read);
        let signer = self.inner.keys.signer(&sealed.vault_key, &sealed.place, &sealed.sealed).await?;
        let signature = signer.sign(ALGORITHM, statement.as_bytes()).await?;
        verify_signature(signer.public_key(), ALGORITHM, statement.as_bytes(), &signature)?;
        let mut tx = self.inner.store.begin("audit.checkpoint").await?;
        match tx.insert_audit_checkpoint(&StoredCheckpoint { number, statement, signature }).await {
            // Another node was faster.
            Err(certwright_store::Error::Conflict { .. }) => Ok(tx.rollback().await?),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(tx.commit().await?),
        }
    }

    /// Every version of the key that signs checkpoints.
    pub(crate) async fn checkpoint_public_keys(&self) -> Result<PublicKeys, Error> {
        let mut read = self.inner.store.read().await?;
        let mut keys = PublicKeys::new();
        let Some(vault) = read.vault(&Reference::from(&name(KEY_VAULT)?)).await? else { return Ok(keys) };
        let Some(key) = read.key(&vault.id, &Reference::from(&name(KEY)?)).await? else { return Ok(keys) };
        for number in 1..=key.latest_version {
            if let Some(public_key) = read.key_version(&key.id, number).await?.and_then(|version| version.public_key) {
                keys.insert(number, public_key);
            }
        }
        Ok(keys)
    }

    /// The key that signs checkpoints; the first one makes it.
    async fn checkpoint_key(&self) -> Result<(VaultId, KeyId, u32), Error> {
        let mut read = self.inner.store.read().await?;
        if let Some(vault) = read.vault(&Reference::from(&name(KEY_VAULT)?)).await?
            && let Some(key) = read.key(&vault.id, &Reference::from(&name(KEY)?)).await?
        {
            return Ok((vault.id, key.id, key.latest_version));
        }
        drop(read);
        let new = self.new_key_named(name(KEY)?, KeyAlgorithm::EcdsaP256, None).await?;
        let (id, version) = new.place();
        let call = Call::system("audit-checkpoints");
        let mut change = self.inner.begin_change(&call, "audit.key").await?;
        new.record(&mut change).await?;
        let target = Target { kind: "key", id: id.as_str(), name: KEY };
        change.insert_audit(&self.inner.audit(&call, "key.create", target, &[])).await?;
        change.commit().await?;
        let vault = self.inner.store.read().await?.vault(&Reference::from(&name(KEY_VAULT)?)).await?;
        let vault = vault.ok_or_else(|| Error::Internal(format!("the vault {KEY_VAULT} is missing")))?;
        Ok((vault.id, id, version))
    }
}

fn name(text: &str) -> Result<ResourceName, Error> {
    ResourceName::parse(text).map_err(|invalid| Error::Internal(invalid.detail))
}
