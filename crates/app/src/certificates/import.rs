//! Certificates brought along with their keys.

use super::make::Making;
use super::read::{find, shown_version};
use super::wish::settings_for;
use super::{CertificateRequest, EnsureOutcome, Ensured, ImportedCertificate};
use crate::{App, Call, Error};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::id::CompartmentId;
use certwright_domain::managed::{CertificateKind, CertificateVersion, ManagedCertificate, VersionReason};
use certwright_domain::name::Reference;
use certwright_domain::validity::RequestedValidity;
use certwright_domain::violation::Invalid;
use certwright_pki::{Certificate, order_chain, read_certificate};

/// A leaf with its chain, each link checked.
struct Brought {
    leaf: Certificate,
    chain: Vec<Vec<u8>>,
    algorithm: KeyAlgorithm,
}

impl App {
    /// Takes what was brought along: a new certificate, a new version, or nothing where it is there already.
    pub(super) async fn ensure_import(
        &self,
        call: &Call,
        request: &CertificateRequest,
        import: &ImportedCertificate,
        known: Option<ManagedCertificate>,
        home: CompartmentId,
    ) -> Result<Ensured, Error> {
        let brought = self.check_brought(import)?;
        let mut read = self.inner.store.read().await?;
        if let Some(known) = &known {
            let current = shown_version(&mut *read, known).await?;
            if current.as_ref().is_some_and(|version| version.fingerprint == brought.leaf.fingerprint) {
                let mut after = known.clone();
                after.exportable = request.exportable;
                let (view, outcome, reason) = match self.plan_settings_of(request, known, after, current.as_ref())? {
                    Some(after) => {
                        drop(read);
                        let view = self.write_settings(call, after, "managed-certificate.update", &[]).await?;
                        (view, EnsureOutcome::Changed, "Its settings changed; the certificate is the same.")
                    }
                    None => {
                        let view = self.view(&mut *read, known.clone()).await?;
                        (view, EnsureOutcome::Unchanged, "This certificate is there already.")
                    }
                };
                return Ok(Ensured { view, outcome, reason: reason.to_owned() });
            }
        }
        drop(read);
        let is_new = known.is_none();
        let mut certificate = known.unwrap_or_else(|| self.blank_certificate(request, CertificateKind::Imported, None));
        certificate.exportable = request.exportable;
        certificate.renewal = settings_for(&request.renewal, brought.leaf.validity.length())?;
        let making = Making {
            certificate,
            is_new,
            home,
            reason: VersionReason::Imported,
            version_name: request.version_name.clone(),
            pending: request.pending,
            validity: RequestedValidity::DEFAULT,
            same_key: None,
            renewal: None,
        };
        let (outcome, reason) = match is_new {
            true => (EnsureOutcome::Created, "There was no certificate of this name."),
            false => (EnsureOutcome::NewVersion, "Another certificate was brought along."),
        };
        let view = self.store_brought(call, making, brought, import).await?;
        Ok(Ensured { view, outcome, reason: reason.to_owned() })
    }

    async fn store_brought(
        &self,
        call: &Call,
        making: Making,
        brought: Brought,
        import: &ImportedCertificate,
    ) -> Result<super::CertificateView, Error> {
        if call.dry_run {
            let mut view = self.view(&mut *self.inner.store.read().await?, making.certificate).await?;
            view.would_last = Some(brought.leaf.validity);
            return Ok(view);
        }
        let key = self.new_version_key(&making.certificate.id, brought.algorithm, Some(&import.private_key)).await?;
        if key.public_key()? != brought.leaf.public_key.spki.as_slice() {
            return Err(Error::invalid("/import/privateKey", mismatch()));
        }
        let leaf = brought.leaf;
        let version = CertificateVersion {
            certificate_id: making.certificate.id.clone(),
            number: making.certificate.versions.latest.saturating_add(1),
            name: making.version_name.clone(),
            key: Some(key.place()),
            csr: None,
            issued_id: None,
            certificate: leaf.der.clone(),
            chain: brought.chain,
            serial: leaf.serial.clone(),
            fingerprint: leaf.fingerprint,
            spki_sha256: leaf.public_key.spki_sha256,
            subject: leaf.subject.to_string(),
            names: leaf.names.clone(),
            key_algorithm: brought.algorithm.to_string(),
            validity: leaf.validity,
            exportable: making.certificate.exportable,
            reason: VersionReason::Imported,
            created_at: self.now(),
            revocation: None,
            moved: None,
        };
        let mut tx = self.inner.store.begin("certificate.import").await?;
        // The vault's key must not move while a new key comes to rest on it.
        tx.hold_epoch().await?;
        key.record(&mut tx).await?;
        let certificate = self.write_version(call, &mut tx, &making, &version).await?;
        tx.commit().await?;
        let mut read = self.inner.store.read().await?;
        let certificate = find(&mut *read, &Reference::from(&certificate.name)).await?;
        self.view(&mut *read, certificate).await
    }

    /// Which of the certificates belongs to the key, what stands above it, and whether all of it is sound.
    fn check_brought(&self, import: &ImportedCertificate) -> Result<Brought, Error> {
        let at = |pointer: &'static str, invalid: Invalid| Error::invalid(pointer, invalid);
        let algorithm = self.inner.keys.inspect_private_key(&import.private_key).map_err(|error| {
            at(
                "/import/privateKey",
                Invalid::new(
                    "invalid_private_key",
                    error.to_string(),
                    "Give the private key of the certificate: PKCS#8, PKCS#1 or SEC1.",
                ),
            )
        })?;
        let public_key = self.inner.keys.public_key_of(&import.private_key)?;
        let certificates = import
            .certificates
            .iter()
            .map(|der| read_certificate(der))
            .collect::<Result<Vec<Certificate>, _>>()
            .map_err(|error| match error {
                certwright_pki::Error::Invalid(invalid) => at("/import/certificate", invalid),
                other => other.into(),
            })?;
        let place = certificates.iter().position(|one| one.public_key.spki == public_key);
        let Some(place) = place else { return Err(at("/import/privateKey", mismatch())) };
        let mut pool = certificates;
        let leaf = pool.swap_remove(place);
        if leaf.ca.is_some() {
            return Err(at(
                "/import/certificate",
                Invalid::new(
                    "ca_certificate",
                    format!("The key belongs to a CA certificate, `{}`.", leaf.subject),
                    "Bring a CA along as a CA: POST /v1/certificate-authorities with type IMPORTED.",
                ),
            ));
        }
        if self.now().floor_to_second() > leaf.validity.not_after() {
            return Err(at(
                "/import/certificate",
                Invalid::new(
                    "certificate_expired",
                    format!("The certificate expired at {}.", leaf.validity.not_after()),
                    "Bring one along that is still valid.",
                ),
            ));
        }
        let chain = order_chain(&leaf, pool).map_err(|invalid| at("/import/chain", invalid))?;
        Ok(Brought { leaf, chain: chain.into_iter().map(|one| one.der).collect(), algorithm })
    }
}

fn mismatch() -> Invalid {
    Invalid::new(
        "key_mismatch",
        "The private key belongs to none of the certificates.",
        "Give the private key whose public key the certificate carries.",
    )
}
