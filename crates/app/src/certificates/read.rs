//! Reading certificates, their versions, bundles and keys.

use super::make::target;
use super::{Bundle, CertificateVersionView, CertificateView};
use crate::change::by_id;
use crate::{App, Call, Error, Permission};
use certwright_domain::id::CaId;
use certwright_domain::managed::{
    CertificateState, CertificateVersion, ManagedCertificate, RenewalAttempt, RenewalFacts, RenewalOutlook, overdue_at,
    plan_renewal,
};
use certwright_domain::name::Reference;
use certwright_domain::secret::SecretBytes;
use certwright_domain::stage::VersionPointers;
use certwright_domain::time::Timestamp;
use certwright_pki::read_certificate;
use certwright_store::{CertificateFilter, Page, PageRequest, Queries, VersionSelector};
use std::collections::HashMap;

impl App {
    /// Certificates by name.
    pub async fn certificates(
        &self,
        call: &Call,
        filter: &CertificateFilter,
        page: &PageRequest,
    ) -> Result<Page<CertificateView>, Error> {
        let mut read = self.inner.store.read().await?;
        let page = read.certificates(filter, page).await?;
        let found = self.visible(&mut *read, call, Permission::CertificateList, page).await?;
        let mut names: HashMap<CaId, Option<String>> = HashMap::new();
        let mut items = Vec::with_capacity(found.items.len());
        for certificate in found.items {
            let ca_name = match certificate.wish.as_ref().map(|wish| &wish.ca) {
                None => None,
                Some(ca) => match names.get(ca) {
                    Some(known) => known.clone(),
                    None => {
                        let name = ca_name(&mut *read, ca).await?;
                        names.insert(ca.clone(), name.clone());
                        name
                    }
                },
            };
            let version = shown_version(&mut *read, &certificate).await?;
            items.push(self.view_of(certificate, ca_name, version, None));
        }
        Ok(Page { items, next: found.next })
    }

    /// One certificate.
    pub async fn certificate(&self, call: &Call, reference: &Reference) -> Result<CertificateView, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateRead, reference).await?;
        let mut read = self.inner.store.read().await?;
        let certificate = find(&mut *read, reference).await?;
        self.view(&mut *read, certificate).await
    }

    /// Versions, newest first.
    pub async fn certificate_versions(
        &self,
        call: &Call,
        reference: &Reference,
        page: &PageRequest,
    ) -> Result<Page<CertificateVersionView>, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateRead, reference).await?;
        let mut read = self.inner.store.read().await?;
        let certificate = find(&mut *read, reference).await?;
        let found = read.certificate_versions(&certificate.id, page).await?;
        let items = found.items.into_iter().map(|version| staged(&certificate, version)).collect();
        Ok(Page { items, next: found.next })
    }

    /// One version.
    pub async fn certificate_version(
        &self,
        call: &Call,
        reference: &Reference,
        number: u32,
    ) -> Result<CertificateVersionView, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateRead, reference).await?;
        let mut read = self.inner.store.read().await?;
        let (certificate, version) = find_version(&mut *read, reference, number).await?;
        Ok(staged(&certificate, version))
    }

    /// Attempts to renew, newest first.
    pub async fn certificate_attempts(
        &self,
        call: &Call,
        reference: &Reference,
        page: &PageRequest,
    ) -> Result<Page<RenewalAttempt>, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateRead, reference).await?;
        let mut read = self.inner.store.read().await?;
        let certificate = find(&mut *read, reference).await?;
        Ok(read.attempts(certificate.id.as_str(), page).await?)
    }

    /// A version for its users, in one indexed read.
    pub async fn certificate_bundle(
        &self,
        call: &Call,
        reference: &Reference,
        selector: &VersionSelector,
    ) -> Result<Bundle, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateRead, reference).await?;
        let mut read = self.inner.store.read().await?;
        let Some((certificate, version)) = read.certificate_version(reference, selector).await? else {
            // Which of the two is missing is worth a second look.
            let known = find(&mut *read, reference).await?;
            return Err(Error::not_found("certificate version", format!("{}, {}", known.name, selected(selector))));
        };
        let stages = certificate.versions.stages(version.number, false);
        Ok(Bundle { certificate, version, stages })
    }

    /// The private key of a version, PKCS#8 DER: a right of its own, and every read leaves an audit event. Only what was
    /// made exportable, and still is.
    pub async fn certificate_key(&self, call: &Call, bundle: &Bundle) -> Result<SecretBytes, Error> {
        let reference = by_id(bundle.certificate.id.as_str())?;
        self.may_certificate(call, Permission::CertificateKeyRead, &reference).await?;
        let Bundle { certificate, version, .. } = bundle;
        let Some(place) = &version.key else {
            return Err(Error::conflict(
                "certificate_without_key",
                format!("The private key of certificate {} is with its requester.", certificate.name),
                "Ask for a format without the key, or put the key in at your side.",
            ));
        };
        if !(certificate.exportable && version.exportable) {
            let which = if version.exportable { "is not" } else { "was not when this version was made" };
            return Err(Error::conflict(
                "key_not_exportable",
                format!("Certificate {} {which} exportable: its private key is not handed out.", certificate.name),
                "Set `\"exportable\":true` and renew the certificate; versions made from then on can be read.",
            ));
        }
        let key = self.open_version_key(place).await?;
        let mut tx = self.inner.store.begin("certificate.read-key").await?;
        let (number, fingerprint) = (version.number.to_string(), version.fingerprint.to_string());
        let details = [("version", number.as_str()), ("fingerprint", fingerprint.as_str())];
        let event = self.inner.audit(call, "managed-certificate.read-key", target(certificate), &details);
        tx.insert_audit(&event).await?;
        // Before the key leaves: who read it is on disk.
        tx.commit().await?;
        Ok(key)
    }

    /// The view of a certificate as stored.
    pub(super) async fn view(
        &self,
        queries: &mut dyn Queries,
        certificate: ManagedCertificate,
    ) -> Result<CertificateView, Error> {
        let ca_name = match &certificate.wish {
            Some(wish) => ca_name(queries, &wish.ca).await?,
            None => None,
        };
        let version = shown_version(queries, &certificate).await?;
        let attempts = queries.attempts(certificate.id.as_str(), &PageRequest { limit: 1, after: None }).await?;
        Ok(self.view_of(certificate, ca_name, version, attempts.items.into_iter().next()))
    }

    pub(super) fn view_of(
        &self,
        certificate: ManagedCertificate,
        ca_name: Option<String>,
        version: Option<CertificateVersion>,
        last_attempt: Option<RenewalAttempt>,
    ) -> CertificateView {
        let outlook = outlook(&certificate, version.as_ref(), self.now());
        let version = version.map(|version| staged(&certificate, version));
        CertificateView { certificate, ca_name, version, outlook, last_attempt, verdicts: Vec::new(), would_last: None }
    }
}

/// A certificate that is not deleted.
pub(crate) async fn find(queries: &mut dyn Queries, reference: &Reference) -> Result<ManagedCertificate, Error> {
    queries
        .certificate(reference)
        .await?
        .filter(|certificate| certificate.state != CertificateState::Deleted)
        .ok_or_else(|| Error::not_found("certificate", reference))
}

/// One version of a certificate that is not deleted.
pub(super) async fn find_version(
    queries: &mut dyn Queries,
    reference: &Reference,
    number: u32,
) -> Result<(ManagedCertificate, CertificateVersion), Error> {
    if let Some(found) = queries.certificate_version(reference, &VersionSelector::Number(number)).await? {
        return Ok(found);
    }
    let known = find(queries, reference).await?;
    Err(Error::not_found("certificate version", format!("{}, version {number}", known.name)))
}

/// The current version, or the newest where none is current.
pub(super) async fn shown_version(
    queries: &mut dyn Queries,
    certificate: &ManagedCertificate,
) -> Result<Option<CertificateVersion>, Error> {
    let number = certificate.versions.current.unwrap_or(certificate.versions.latest);
    let reference = by_id(certificate.id.as_str())?;
    let found = queries.certificate_version(&reference, &VersionSelector::Number(number)).await?;
    Ok(found.map(|(_, version)| version))
}

pub(super) fn staged(certificate: &ManagedCertificate, version: CertificateVersion) -> CertificateVersionView {
    let stages = certificate.versions.stages(version.number, false);
    let renew_at = version.renew_at(certificate.renewal.rule.as_ref());
    CertificateVersionView { version, stages, renew_at }
}

/// What becomes of the certificate next. `version`: its current one, where it has one.
pub(super) fn outlook(
    certificate: &ManagedCertificate,
    version: Option<&CertificateVersion>,
    now: Timestamp,
) -> RenewalOutlook {
    let current = version.filter(|version| certificate.versions.current == Some(version.number));
    let rule = certificate.renewal.rule.as_ref();
    let facts = RenewalFacts {
        kind: certificate.kind,
        state: certificate.state,
        automatic: certificate.renewal.automatic,
        validity: current.map(|version| version.validity),
        renew_at: current.map(|version| match went_back(&certificate.versions) {
            false => version.renew_at(rule),
            // Somebody has to put right what was wrong with the newer one: half of what is left is theirs.
            true => overdue_at(version.renew_at(rule), &version.validity),
        }),
        revoked: current.is_some_and(|version| version.revocation.is_some()),
        pending: certificate.has_waiting_version(),
    };
    plan_renewal(&facts, now)
}

/// Was the newest version in use, and the one before taken back into use?
fn went_back(versions: &VersionPointers) -> bool {
    versions.previous == Some(versions.latest)
}

/// Is this the certificate of a root?
pub(super) fn is_root(der: &[u8]) -> bool {
    read_certificate(der).is_ok_and(|certificate| certificate.is_self_issued())
}

async fn ca_name(queries: &mut dyn Queries, ca: &CaId) -> Result<Option<String>, Error> {
    Ok(queries.ca(&by_id(ca.as_str())?).await?.map(|ca| ca.name.to_string()))
}

fn selected(selector: &VersionSelector) -> String {
    match selector {
        VersionSelector::Current => "in stage CURRENT".to_owned(),
        VersionSelector::Previous => "in stage PREVIOUS".to_owned(),
        VersionSelector::Latest => "in stage LATEST".to_owned(),
        VersionSelector::Pending => "in stage PENDING".to_owned(),
        VersionSelector::Number(number) => format!("version {number}"),
        VersionSelector::Named(name) => format!("version {name}"),
    }
}
