//! CA bundles: named sets of foreign CA certificates.
use crate::audit::Target;
use crate::change::{check_if_match, name_conflict, require_if_match};
use crate::{App, Call, Error, Permission, Pointed};
use certwright_domain::access::PlacedKind;
use certwright_domain::ca_bundle::{CaBundle, MAX_CERTIFICATES, description, distinct};
use certwright_domain::id::{CaBundleId, CompartmentId};
use certwright_domain::name::{Reference, ResourceName};
use certwright_domain::violation::Invalid;
use certwright_pki::{Certificate, check_ca_certificate, read_certificates_each};
use certwright_store::{Page, PageRequest, Queries};

/// Most bundles of one page: each comes with all its certificates, and a page is held in memory.
const MAX_PAGE: u32 = 100;

/// A bundle as text, from a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawCaBundle {
    /// Name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Certificates, PEM.
    pub certificates: String,
}

/// What a caller decides about a bundle, checked.
struct Contents {
    name: ResourceName,
    description: String,
    certificates: Vec<Vec<u8>>,
}

impl App {
    /// Makes a bundle of 1 to [`MAX_CERTIFICATES`] CA certificates; those that have expired are let in.
    pub async fn create_ca_bundle(&self, call: &Call, raw: RawCaBundle) -> Result<CaBundle, Error> {
        let home = self.may_make(call, Permission::CaBundleManage, "CA bundle", CompartmentId::tenancy()).await?;
        let Contents { name, description, certificates } = parse(&raw)?;
        let created_at = self.now();
        let id = CaBundleId::new(created_at, self.inner.id_entropy());
        let bundle = CaBundle { id, name, description, certificates, created_at, revision: 1 };
        let mut change = self.inner.begin_change(call, "ca-bundle.create").await?;
        let inserted = change.insert_ca_bundle(&bundle).await;
        inserted.map_err(|error| name_conflict(error, "CA bundle", &bundle.name))?;
        change.settle_in(bundle.id.as_str(), PlacedKind::CaBundle, &home).await?;
        let count = bundle.certificates.len().to_string();
        let details = [("certificates", count.as_str())];
        change.insert_audit(&self.inner.audit(call, "ca-bundle.create", target(&bundle), &details)).await?;
        change.commit().await?;
        Ok(bundle)
    }

    /// Bundles by name. A page holds at most 100, whatever the limit.
    pub async fn ca_bundles(&self, call: &Call, page: &PageRequest) -> Result<Page<CaBundle>, Error> {
        let page = PageRequest { limit: page.limit.min(MAX_PAGE), after: page.after.clone() };
        let mut read = self.inner.store.read().await?;
        let page = read.ca_bundles(&page).await?;
        self.visible(&mut *read, call, Permission::CaBundleList, page).await
    }

    /// One bundle.
    pub async fn ca_bundle(&self, call: &Call, bundle: &Reference) -> Result<CaBundle, Error> {
        let bundle = self.may_ca_bundle(call, Permission::CaBundleRead, bundle).await?;
        find(&mut *self.inner.store.read().await?, &bundle).await
    }

    /// Replaces a bundle's name, description and certificates; `if_match` is required ([`Error::PreconditionRequired`]).
    /// Another name renames.
    pub async fn replace_ca_bundle(
        &self,
        call: &Call,
        bundle: &Reference,
        raw: RawCaBundle,
        if_match: Option<i64>,
    ) -> Result<CaBundle, Error> {
        let bundle = &self.may_ca_bundle(call, Permission::CaBundleManage, bundle).await?;
        let Contents { name, description, certificates } = parse(&raw)?;
        let mut change = self.inner.begin_change(call, "ca-bundle.replace").await?;
        let before = find(&mut **change, bundle).await?;
        require_if_match(if_match, before.revision)?;
        let mut after = CaBundle { name, description, certificates, ..before.clone() };
        if after == before {
            change.undo().await?;
            return Ok(before);
        }
        let updated = change.update_ca_bundle(&after).await;
        updated.map_err(|error| name_conflict(error, "CA bundle", &after.name))?;
        after.revision = after.revision.saturating_add(1);
        let count = after.certificates.len().to_string();
        let details = [("oldName", before.name.as_str()), ("certificates", count.as_str())];
        change.insert_audit(&self.inner.audit(call, "ca-bundle.replace", target(&after), &details)).await?;
        change.commit().await?;
        Ok(after)
    }

    /// Deletes a bundle; `if_match` is checked when given.
    pub async fn delete_ca_bundle(&self, call: &Call, bundle: &Reference, if_match: Option<i64>) -> Result<(), Error> {
        let bundle = &self.may_ca_bundle(call, Permission::CaBundleManage, bundle).await?;
        let mut change = self.inner.begin_change(call, "ca-bundle.delete").await?;
        let stored = find(&mut **change, bundle).await?;
        check_if_match(if_match, stored.revision)?;
        change.delete_ca_bundle(&stored.id, stored.revision).await?;
        change.unplace(stored.id.as_str()).await?;
        change.insert_audit(&self.inner.audit(call, "ca-bundle.delete", target(&stored), &[])).await?;
        change.commit().await
    }
}

pub(crate) async fn find(queries: &mut dyn Queries, reference: &Reference) -> Result<CaBundle, Error> {
    queries.ca_bundle(reference).await?.ok_or_else(|| Error::not_found("CA bundle", reference))
}

fn target(bundle: &CaBundle) -> Target<'_> {
    Target { kind: "ca-bundle", id: bundle.id.as_str(), name: bundle.name.as_str() }
}

/// Reads what the caller decides; every fault is listed.
fn parse(raw: &RawCaBundle) -> Result<Contents, Error> {
    let name = ResourceName::parse(&raw.name).map_err(|invalid| vec![Pointed::at("/name", invalid)]);
    let description = description(&raw.description).map_err(|invalid| vec![Pointed::at("/description", invalid)]);
    let certificates = match read_ca_certificates(&raw.certificates)? {
        Ok(certificates) => Ok(certificates),
        Err(faults) => Err(faults.into_iter().map(|invalid| Pointed::at("/certificates", invalid)).collect()),
    };
    match (name, description, certificates) {
        (Ok(name), Ok(description), Ok(certificates)) => Ok(Contents { name, description, certificates }),
        (name, description, certificates) => {
            let faults: [Vec<Pointed>; 3] = [
                name.err().unwrap_or_default(),
                description.err().unwrap_or_default(),
                certificates.err().unwrap_or_default(),
            ];
            Err(Error::Invalid(faults.into_iter().flatten().collect()))
        }
    }
}

/// The DER of CA certificates, each once, or what is wrong with every one that is none. Whether one has expired is not
/// asked: what was signed under it may still have to be verified.
fn read_ca_certificates(pem: &str) -> Result<Result<Vec<Vec<u8>>, Vec<Invalid>>, Error> {
    let read = match read_certificates_each(pem.as_bytes(), MAX_CERTIFICATES) {
        Ok(read) => read,
        Err(error) => return refusal(error).map(|invalid| Err(vec![invalid])),
    };
    let (mut certificates, mut faults) = (Vec::new(), Vec::new());
    for (number, one) in (1_usize..).zip(read) {
        match one {
            Ok(certificate) => match check_ca_certificate(&certificate) {
                Ok(()) => certificates.push(certificate.der),
                Err(invalid) => faults.push(naming(number, Some(&certificate), invalid)),
            },
            Err(error) => faults.push(naming(number, None, refusal(error)?)),
        }
    }
    Ok(if faults.is_empty() { Ok(distinct(certificates)) } else { Err(faults) })
}

/// The caller's fault, or ours.
fn refusal(error: certwright_pki::Error) -> Result<Invalid, Error> {
    match error {
        certwright_pki::Error::Invalid(invalid) => Ok(invalid),
        ours => Err(ours.into()),
    }
}

/// The refusal with the number of the certificate in the PEM, and its subject where it could be read.
fn naming(number: usize, certificate: Option<&Certificate>, invalid: Invalid) -> Invalid {
    let subject = certificate.map(|certificate| certificate.subject.to_string()).filter(|text| !text.is_empty());
    let which = subject.map_or_else(String::new, |subject| format!(" (`{}`)", subject.escape_debug()));
    let Invalid { code, detail, hint } = invalid;
    Invalid { code, detail: format!("Certificate {number}{which}: {detail}"), hint }
}
