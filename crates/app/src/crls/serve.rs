//! Lists for everybody: stored bytes, never a signature.

use crate::{App, Error};
use bytes::Bytes;
use certwright_domain::crl::{Crl, CrlKind, CrlScope, Shards};
use certwright_domain::id::CaId;
use certwright_domain::name::Reference;
use certwright_store::Reader;

/// A list with its bytes (DER).
#[derive(Debug, Clone)]
pub struct ServedCrl {
    /// What is known of it.
    pub crl: Crl,
    /// DER.
    pub der: Bytes,
}

/// What is absent where there is no such list.
const fn list_of(kind: CrlKind) -> &'static str {
    match kind {
        CrlKind::Full => "revocation list of CA",
        CrlKind::Delta => "delta revocation list of CA",
    }
}

impl App {
    /// The newest list of a CA's version (default: the current one): its shard of `shards`. CAs that are deleted are found
    /// by their id: certificates that point here may outlive them.
    pub async fn crl(
        &self,
        ca: &Reference,
        version: Option<u32>,
        kind: CrlKind,
        shards: Shards,
        shard: u16,
    ) -> Result<ServedCrl, Error> {
        let mut read = self.inner.store.read().await?;
        let scope = |ca_id, ca_version| CrlScope { ca_id, ca_version, shards, shard, kind };
        // The address that stands in certificates names id and version: one look-up.
        let direct = CaId::parse(ca.as_str()).ok().zip(version).map(|(ca_id, version)| scope(ca_id, version));
        let mut found = match &direct {
            Some(direct) => read.current_crl(direct).await?,
            None => None,
        };
        if found.is_none() {
            let named = read.ca(ca).await?.ok_or_else(|| Error::not_found("CA", ca))?;
            let absent = || Error::not_found(list_of(kind), ca);
            let scope = scope(named.id, version.or(named.versions.current).ok_or_else(absent)?);
            found = read.current_crl(&scope).await?;
            if found.is_none() {
                return Err(match read.crl_series(&scope).await?.and_then(|series| series.due_at) {
                    Some(_) => Error::Unavailable { detail: "the list is being made".into(), retry_after_s: 1 },
                    None => absent(),
                });
            }
        }
        let crl = found.ok_or_else(|| Error::not_found(list_of(kind), ca))?;
        let der = self.crl_der(&mut read, &crl).await?;
        Ok(ServedCrl { crl, der })
    }

    /// The bytes of a list, from memory or from the store.
    pub(crate) async fn crl_der(&self, read: &mut Reader<'_>, crl: &Crl) -> Result<Bytes, Error> {
        if let Some(der) = self.inner.crls.bytes.get(&crl.id) {
            return Ok(der);
        }
        let bytes = read.crl_bytes(crl).await?;
        let der = Bytes::from(bytes.ok_or_else(|| Error::Internal(format!("{} is not whole", crl.id)))?);
        self.inner.crls.bytes.insert(crl.id.clone(), der.clone());
        Ok(der)
    }
}
