//! A new version on request.

use super::ensure::refuse_unless_open;
use super::make::{Making, wish_of};
use super::read::{find, shown_version};
use super::{CertificateView, RenewCertificate};
use crate::issuance::read_csr;
use crate::{App, Call, Error, Permission};
use certwright_domain::id::CompartmentId;
use certwright_domain::managed::{CertificateKind, ManagedCertificate, RenewalKey, VersionReason};
use certwright_domain::name::Reference;

impl App {
    /// Makes a new version, due or not; also of a certificate whose version was revoked or that is disabled.
    pub async fn renew_certificate(
        &self,
        call: &Call,
        reference: &Reference,
        renew: RenewCertificate,
    ) -> Result<CertificateView, Error> {
        let renewed = self.renew_unaudited(call, reference, renew).await;
        let name = reference.to_string();
        self.note_if_refused(call, "managed-certificate.renew", ("certificate", &name), renewed)
    }

    async fn renew_unaudited(
        &self,
        call: &Call,
        reference: &Reference,
        renew: RenewCertificate,
    ) -> Result<CertificateView, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateUse, reference).await?;
        let name = find(&mut *self.inner.store.read().await?, reference).await?.name;
        let _turn = self.inner.locks.turn(name.as_str()).await;
        let mut read = self.inner.store.read().await?;
        let mut certificate = find(&mut *read, reference).await?;
        refuse_unless_open(&certificate)?;
        wish_of(&certificate)?;
        let current = shown_version(&mut *read, &certificate).await?;
        drop(read);
        take_csr(&mut certificate, &renew)?;
        let key = renew.key.unwrap_or(certificate.renewal.key);
        let same_key = match key {
            RenewalKey::Same => current.as_ref().and_then(|version| version.key.clone()),
            RenewalKey::New => None,
        };
        let validity = wish_of(&certificate)?.renewed_validity(current.as_ref().map(|version| &version.validity));
        let mut making = Making {
            certificate,
            is_new: false,
            home: CompartmentId::tenancy(),
            reason: VersionReason::Requested,
            version_name: renew.version_name,
            pending: renew.pending,
            validity,
            same_key,
            renewal: None,
        };
        if call.dry_run {
            return self.would_be(call, &mut making).await;
        }
        let (certificate, _) = self.make_certificate_version(call, making).await?;
        self.view(&mut *self.inner.store.read().await?, certificate).await
    }
}

/// The CSR of the new version, where the requester holds the key.
fn take_csr(certificate: &mut ManagedCertificate, renew: &RenewCertificate) -> Result<(), Error> {
    let name = certificate.name.clone();
    let refuse =
        |code, detail: &str, hint: &str| Err(Error::conflict(code, format!("Certificate {name} {detail}"), hint));
    match (certificate.kind, &renew.csr) {
        (CertificateKind::Csr, Some(_)) if renew.reuse_csr => {
            refuse("csr_twice", "is given a CSR and told to use its last one.", "Send one of `csr` and `reuseCsr`.")
        }
        (CertificateKind::Csr, Some(csr)) => {
            let csr = read_csr(csr)?;
            if let Some(wish) = certificate.wish.as_mut() {
                wish.csr = Some(csr.der);
            }
            Ok(())
        }
        (CertificateKind::Csr, None) if renew.reuse_csr => Ok(()),
        (CertificateKind::Csr, None) => refuse(
            "csr_needed",
            "answers a CSR of its requester.",
            "Send a new CSR as `csr`, or `\"reuseCsr\":true` to certify the same key again.",
        ),
        (_, Some(_)) => refuse("csr_not_taken", "has a key of ours and takes no CSR.", "Leave `csr` out."),
        (_, None) if renew.reuse_csr => refuse("csr_not_taken", "has no CSR.", "Leave `reuseCsr` out."),
        (_, None) => Ok(()),
    }
}
