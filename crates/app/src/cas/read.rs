//! Reading CAs, and how their views are put together.

use super::{CaView, VersionView};
use crate::change::by_id;
use crate::{App, Call, Error, Permission};
use certwright_domain::ca::{Ca, CaVersion};
use certwright_domain::name::Reference;
use certwright_domain::violation::Verdict;
use certwright_store::{CaFilter, Page, PageRequest, Queries, Reader};

impl App {
    /// CAs by name.
    pub async fn cas(&self, call: &Call, filter: &CaFilter, page: &PageRequest) -> Result<Page<CaView>, Error> {
        let mut read = self.inner.store.read().await?;
        let page = read.cas(filter, page).await?;
        let found = self.visible(&mut *read, call, Permission::CaList, page).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for ca in found.items {
            items.push(view(&mut read, ca, None).await?);
        }
        Ok(Page { items, next: found.next })
    }

    /// One CA.
    pub async fn ca(&self, call: &Call, ca: &Reference) -> Result<CaView, Error> {
        let ca = &self.may_ca(call, Permission::CaRead, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, ca).await?;
        view(&mut read, ca, None).await
    }

    /// Versions, newest first.
    pub async fn ca_versions(&self, call: &Call, ca: &Reference) -> Result<(CaView, Vec<VersionView>), Error> {
        let ca = &self.may_ca(call, Permission::CaRead, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, ca).await?;
        let versions = read.ca_versions(&ca.id).await?.into_iter().map(|version| staged(&ca, version)).collect();
        Ok((view(&mut read, ca, None).await?, versions))
    }

    /// One version.
    pub async fn ca_version(&self, call: &Call, ca: &Reference, number: u32) -> Result<(CaView, VersionView), Error> {
        let ca = &self.may_ca(call, Permission::CaRead, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, ca).await?;
        let version = find_version(&mut *read, &ca, number).await?;
        let version = staged(&ca, version);
        Ok((view(&mut read, ca, Some(number)).await?, version))
    }

    /// Certificate chain of a version (default: current), DER, the CA first, the root last where it is known.
    pub async fn ca_chain(&self, call: &Call, ca: &Reference, number: Option<u32>) -> Result<Vec<Vec<u8>>, Error> {
        let ca = &self.may_ca(call, Permission::CaRead, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, ca).await?;
        let Some(number) = number.or(ca.versions.current) else { return Err(no_certificate(&ca)) };
        let version = find_version(&mut *read, &ca, number).await?;
        let own = version.certificate.ok_or_else(|| no_certificate(&ca))?;
        Ok(std::iter::once(own).chain(version.chain).collect())
    }

    /// DER CSR of a `SUBORDINATE_EXTERNAL`: the newest one made.
    pub async fn ca_csr(&self, call: &Call, ca: &Reference) -> Result<Vec<u8>, Error> {
        let ca = &self.may_ca(call, Permission::CaRead, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, ca).await?;
        let newest = read.ca_versions(&ca.id).await?.into_iter().find_map(|version| version.csr);
        newest.ok_or_else(|| {
            Error::conflict(
                "ca_without_csr",
                format!("CA {} is of type {} and has no CSR.", ca.name, ca.ca_type),
                "Only CAs of type SUBORDINATE_EXTERNAL have one.",
            )
        })
    }
}

pub(crate) async fn find(read: &mut dyn Queries, reference: &Reference) -> Result<Ca, Error> {
    read.ca(reference).await?.ok_or_else(|| Error::not_found("CA", reference))
}

pub(crate) async fn find_version(read: &mut dyn Queries, ca: &Ca, number: u32) -> Result<CaVersion, Error> {
    read.ca_version(&ca.id, number)
        .await?
        .ok_or_else(|| Error::not_found("CA version", format!("{} version {number}", ca.name)))
}

pub(super) fn staged(ca: &Ca, version: CaVersion) -> VersionView {
    let stages = ca.versions.stages(version.number, version.failed);
    VersionView { version, stages }
}

/// The view of a CA as stored, with version `number` (default: current, else newest).
pub(crate) async fn view(read: &mut Reader<'_>, ca: Ca, number: Option<u32>) -> Result<CaView, Error> {
    let number = number.or(ca.versions.current).unwrap_or(ca.versions.latest);
    let version = read.ca_version(&ca.id, number).await?;
    view_with(read, ca, version, Vec::new()).await
}

/// The view of a CA with this version, stored or (in a trial) not.
pub(super) async fn view_with(
    read: &mut Reader<'_>,
    ca: Ca,
    version: Option<CaVersion>,
    verdicts: Vec<Verdict>,
) -> Result<CaView, Error> {
    let mut names = (None, None, None);
    if let Some(issuer) = &ca.issuer_id {
        names.0 = read.ca(&by_id(issuer.as_str())?).await?.map(|issuer| issuer.name.to_string());
    }
    if let Some((vault, key)) = &ca.key {
        names.1 = read.vault(&by_id(vault.as_str())?).await?.map(|vault| vault.name.to_string());
        names.2 = read.key_by_id(key).await?.map(|key| key.name.to_string());
    }
    let (issuer_name, vault_name, key_name) = names;
    let version = version.map(|version| staged(&ca, version));
    Ok(CaView { ca, issuer_name, vault_name, key_name, version, verdicts, refused_renewals: Vec::new() })
}

fn no_certificate(ca: &Ca) -> Error {
    Error::conflict(
        "ca_without_certificate",
        format!("CA {} has no certificate yet.", ca.name),
        "Take its CSR from …/csr, have it signed, and install the certificate with …/install.",
    )
}
