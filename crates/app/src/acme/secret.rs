//! What nonces and the keys for external account bindings are derived from: 32 random bytes, one for all nodes, sealed
//! under the root key.

use crate::access::Background;
use crate::{App, Call, Error};
use aws_lc_rs::hmac;
use certwright_domain::id::EabKeyId;
use certwright_domain::key::SealedBlob;
use certwright_domain::secret::SecretBytes;

/// Associated data of the sealed secret.
const PLACE: &str = "acme-secret";
/// Bytes of a key for external account bindings. 48 are 64 characters of base64url: no padding, no question.
const BINDING_KEY: usize = 48;

/// The derived keys, opened.
pub(crate) struct AcmeKeys {
    nonces: hmac::Key,
    bindings: hmac::Key,
}

impl AcmeKeys {
    fn new(secret: &SecretBytes) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA512, secret.expose());
        let derive = |purpose: &[u8]| hmac::Key::new(hmac::HMAC_SHA512, hmac::sign(&master, purpose).as_ref());
        Self { nonces: derive(b"certwright acme nonces"), bindings: derive(b"certwright acme bindings") }
    }

    /// The authenticator of a nonce.
    pub(super) fn nonce_tag(&self, nonce: &[u8]) -> hmac::Tag {
        hmac::sign(&self.nonces, nonce)
    }

    /// The MAC key that belongs to a `kid` (RFC 8555 section 7.3.4).
    pub(super) fn binding_key(&self, id: &EabKeyId) -> SecretBytes {
        let tag = hmac::sign(&self.bindings, id.as_str().as_bytes());
        SecretBytes::new(tag.as_ref().iter().take(BINDING_KEY).copied().collect())
    }
}

impl App {
    /// The derived keys; the secret is made when it is first needed.
    pub(crate) async fn acme_keys(&self) -> Result<&AcmeKeys, Error> {
        self.inner.acme.keys.get_or_try_init(|| async { Ok(AcmeKeys::new(&self.acme_secret().await?)) }).await
    }

    async fn acme_secret(&self) -> Result<SecretBytes, Error> {
        if let Some(known) = self.read_acme_secret().await? {
            return Ok(known);
        }
        let call = Call::background(Background::Local, "acme/secret");
        let mut bytes = vec![0; 32];
        self.inner.entropy.fill(&mut bytes);
        let secret = SecretBytes::new(bytes);
        let mut change = self.inner.begin_change(&call, "acme.make-secret").await?;
        // Nodes take turns with changes: what another one made meanwhile is seen here.
        if change.acme_secret().await?.is_none() {
            self.inner.observe_root_key(&call, &mut change).await?;
            let (sealed, root_key_id) = self.seal_acme_secret(&secret)?;
            change.insert_acme_secret(&sealed, &root_key_id).await?;
        }
        change.commit().await?;
        let made = self.read_acme_secret().await?;
        made.ok_or_else(|| Error::Internal("the secret of ACME was made and is not there".into()))
    }

    async fn read_acme_secret(&self) -> Result<Option<SecretBytes>, Error> {
        let found = self.inner.store.read().await?.acme_secret().await?;
        Ok(found.map(|(sealed, _)| self.inner.keys.open(PLACE, &sealed)).transpose()?)
    }

    fn seal_acme_secret(&self, secret: &SecretBytes) -> Result<(SealedBlob, String), Error> {
        for _ in 0..3 {
            let root_key_id = self.inner.keys.root_key_id();
            let sealed = self.inner.keys.seal(PLACE, secret.expose())?;
            // Rotated in between: it is not known which of the two sealed.
            if self.inner.keys.root_key_id() == root_key_id {
                return Ok((sealed, root_key_id));
            }
        }
        Err(Error::Unavailable { detail: "the root key is being rotated".into(), retry_after_s: 1 })
    }

    /// Puts the secret under the newest root key.
    pub(crate) async fn rewrap_acme_secret(&self, call: &Call) -> Result<(), Error> {
        let newest = self.inner.keys.root_key_id();
        let found = self.inner.store.read().await?.acme_secret().await?;
        let Some((sealed, before)) = found.filter(|(_, root_key_id)| *root_key_id != newest) else { return Ok(()) };
        let secret = self.inner.keys.open(PLACE, &sealed)?;
        let mut change = self.inner.begin_change(call, "job.rewrap-acme-secret").await?;
        self.inner.observe_root_key(call, &mut change).await?;
        let (sealed, root_key_id) = self.seal_acme_secret(&secret)?;
        match change.rewrap_acme_secret(&before, &sealed, &root_key_id).await {
            // Done by another node.
            Ok(()) | Err(certwright_store::Error::Stale { .. }) => change.commit().await,
            Err(error) => Err(error.into()),
        }
    }
}
