//! Keys of CAs as they are opened for signing, and what says whether they may sign.

use crate::change::{by_id, stale};
use crate::{App, Error};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::ca::{Ca, CaVersion, IssuerStanding};
use certwright_domain::id::{KeyId, VaultId};
use certwright_domain::key::{Key, KeyState, Protection, SealedBlob, VaultState};
use certwright_keystore::{KeyPlace, Signer, VaultKey};
use certwright_pki::{Certificate, read_certificate};
use certwright_store::Queries;
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
        vault_id: &VaultId,
        key_id: &KeyId,
        key_version: u32,
    ) -> Result<Arc<dyn Signer>, Error> {
        let key = self.sealed_key(read, vault_id, key_id, key_version).await?;
        Ok(self.inner.keys.signer(&key.vault_key, &key.place, &key.sealed).await?)
    }

    /// One version of a key that may be used, still sealed; disabled keys and vaults refuse.
    pub(crate) async fn sealed_key(
        &self,
        read: &mut certwright_store::Reader<'_>,
        vault_id: &VaultId,
        key_id: &KeyId,
        key_version: u32,
    ) -> Result<SealedKey, Error> {
        let missing = |what: &str| Error::Internal(format!("{what} of {key_id} version {key_version} is missing"));
        let key = usable(&mut **read, vault_id, key_id).await?;
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

impl App {
    /// Asked again when a CA's key has signed: may it still, and does the CA's certificate still stand as it was judged?
    /// Keys, vaults and certificates above it may have been disabled or revoked meanwhile without its row being touched.
    pub(crate) async fn still_signs(
        &self,
        queries: &mut dyn Queries,
        ca: &Ca,
        version: &CaVersion,
        judged: IssuerStanding,
    ) -> Result<(), Error> {
        self.still_uses_key(queries, ca).await?;
        let (_, standing) = standing(queries, version).await?;
        if standing == judged { Ok(()) } else { Err(stale("ca_versions")) }
    }

    /// The same of its key alone.
    pub(crate) async fn still_uses_key(&self, queries: &mut dyn Queries, ca: &Ca) -> Result<(), Error> {
        let Some((vault, key)) = &ca.key else { return Ok(()) };
        self.ca_may_use_key(queries, ca, vault, key).await?;
        usable(queries, vault, key).await.map(drop)
    }
}

/// A key that may be used; disabled keys and vaults refuse.
pub(crate) async fn usable(queries: &mut dyn Queries, vault: &VaultId, key: &KeyId) -> Result<Key, Error> {
    let missing = |what: &str| Error::Internal(format!("{what} of {key} is missing"));
    let found = queries.key_by_id(key).await?.ok_or_else(|| missing("row"))?;
    if found.state != KeyState::Enabled {
        return Err(Error::conflict(
            "key_not_enabled",
            format!("Key {} is {} and cannot sign.", found.name, found.state),
            "Enable the key, or cancel its deletion.",
        ));
    }
    let holder = queries.vault(&by_id(vault.as_str())?).await?.ok_or_else(|| missing("vault"))?;
    if holder.state != VaultState::Active {
        return Err(Error::conflict(
            "vault_not_active",
            format!("Vault {} is {}; its keys cannot sign.", holder.name, holder.state),
            "Cancel the deletion of the vault.",
        ));
    }
    Ok(found)
}

/// The certificates above a version of a CA, nearest first, and what revocations say of it and them.
pub(crate) async fn standing(
    queries: &mut dyn Queries,
    version: &CaVersion,
) -> Result<(Vec<Certificate>, IssuerStanding), Error> {
    let mut above = Vec::new();
    let mut revoked = version.revocation.is_some();
    // A key may have more certificates than the one that was revoked for it.
    let mut compromised = match &version.spki_sha256 {
        Some(spki) => queries.key_is_blocked(spki).await?,
        None => false,
    };
    for der in &version.chain {
        let certificate = read_certificate(der)?;
        let row = queries.issued_by_fingerprint(&certificate.fingerprint).await?;
        revoked |= row.is_some_and(|row| row.revocation.is_some());
        compromised |= queries.key_is_blocked(&certificate.public_key.spki_sha256).await?;
        above.push(certificate);
    }
    Ok((above, IssuerStanding::of(revoked, compromised)))
}
