//! What anyone may read: roots, issuer certificates. Open to all, so nothing here asks for leave.
use crate::{App, Error};
use certwright_domain::ca::{Ca, CaState, CaType, CaVersion};
use certwright_domain::name::Reference;
use certwright_domain::serial::Sha256;
use certwright_pki::{Certificate, read_certificate};
use certwright_store::{CaFilter, PageRequest};
use std::collections::HashSet;

/// A root that relying parties may trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedRoot {
    /// Name of the CA.
    pub name: String,
    /// Its certificate.
    pub certificate: Certificate,
}

impl App {
    /// Current certificates of roots (`ROOT`, `EXTERNAL_ROOT`, self-signed `IMPORTED`, and the topmost certificate of
    /// other CAs' chains), without the server's own service CA; active or disabled, not deleted. Each certificate once, by
    /// name; roots that only stand in a chain bear the name of the CA below them.
    pub async fn trusted_roots(&self) -> Result<Vec<TrustedRoot>, Error> {
        let mut read = self.inner.store.read().await?;
        let mut candidates = Vec::new();
        let mut page = PageRequest { limit: 500, after: None };
        loop {
            let cas = read.cas(&CaFilter::default(), &page).await?;
            for ca in cas.items.into_iter().filter(is_in_use) {
                let Some(number) = ca.versions.current else { continue };
                if let Some(version) = read.ca_version(&ca.id, number).await? {
                    candidates.push((ca, version));
                }
            }
            page.after = cas.next;
            if page.after.is_none() {
                break;
            }
        }
        drop(read);
        // A root's own entry goes before those of the CAs below it, so that it bears its own name.
        candidates.sort_by_key(|(ca, _)| !matches!(ca.ca_type, CaType::Root | CaType::ExternalRoot));
        let mut known: HashSet<Sha256> = HashSet::new();
        let mut roots = Vec::new();
        for (ca, version) in candidates {
            let Some(certificate) = root_of(&version)? else { continue };
            if known.insert(certificate.fingerprint) {
                roots.push(TrustedRoot { name: ca.name.to_string(), certificate });
            }
        }
        roots.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(roots)
    }

    /// The certificate of a CA, of one version or the current one, DER; for `/pki/{ca}/ca.crt`. CAs that are deleted are
    /// still found by their id: certificates that point here may outlive them.
    pub async fn ca_certificate(&self, ca: &Reference, version: Option<u32>) -> Result<Vec<u8>, Error> {
        let mut read = self.inner.store.read().await?;
        let found = read.ca(ca).await?.ok_or_else(|| Error::not_found("CA", ca))?;
        let absent = || Error::not_found("CA certificate", ca);
        let number = version.or(found.versions.current).ok_or_else(absent)?;
        let version = read.ca_version(&found.id, number).await?.ok_or_else(absent)?;
        version.certificate.ok_or_else(absent)
    }
}

impl App {
    /// The chain of a CA's version (default: the current one), DER: the CA first, the root last where it is known.
    pub async fn issuer_chain(&self, ca: &Reference, version: Option<u32>) -> Result<Vec<Vec<u8>>, Error> {
        let mut read = self.inner.store.read().await?;
        let found = read.ca(ca).await?.ok_or_else(|| Error::not_found("CA", ca))?;
        let absent = || Error::not_found("CA certificate", ca);
        let number = version.or(found.versions.current).ok_or_else(absent)?;
        let version = read.ca_version(&found.id, number).await?.ok_or_else(absent)?;
        let certificate = version.certificate.ok_or_else(absent)?;
        Ok(std::iter::once(certificate).chain(version.chain).collect())
    }
}

fn is_in_use(ca: &Ca) -> bool {
    matches!(ca.state, CaState::Active | CaState::Disabled)
}

/// The self-issued certificate at the top of a version's chain; `None`: it is not known.
fn root_of(version: &CaVersion) -> Result<Option<Certificate>, Error> {
    if version.revocation.is_some() {
        return Ok(None);
    }
    let Some(top) = version.chain.last().or(version.certificate.as_ref()) else {
        return Ok(None);
    };
    let certificate = read_certificate(top)?;
    Ok((certificate.issuer_der == certificate.subject_der).then_some(certificate))
}
