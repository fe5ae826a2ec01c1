//! What is done to one version: taking it into use, revoking it, deleting it.

use super::ensure::refuse_unless_open;
use super::make::target;
use super::read::{find, find_version, shown_version};
use super::{CertificateVersionView, CertificateView};
use crate::revocation::{RevocationTarget, Revoke};
use crate::{App, Call, Error, Permission};
use certwright_domain::event::EventKind;
use certwright_domain::managed::{CertificateVersion, ManagedCertificate};
use certwright_domain::name::Reference;
use certwright_domain::stage::Stage;
use certwright_store::Tx;

impl App {
    /// Takes a version into use. Going back to the one before is allowed; deprecated, revoked and expired ones are not.
    pub async fn make_certificate_version_current(
        &self,
        call: &Call,
        reference: &Reference,
        number: u32,
    ) -> Result<CertificateView, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateUse, reference).await?;
        let mut tx = self.inner.store.begin("certificate.make-current").await?;
        let (mut certificate, version) = find_version(&mut *tx, reference, number).await?;
        refuse_unless_open(&certificate)?;
        if certificate.versions.current == Some(number) {
            return self.view(&mut *tx, certificate).await;
        }
        let name = &certificate.name;
        let refuse = |code, why: &str| {
            Err(Error::conflict(
                code,
                format!("Version {number} of certificate {name} {why}."),
                "Renew the certificate to get a new version.",
            ))
        };
        let expired = self.now().floor_to_second() > version.validity.not_after();
        match certificate.versions.make_current(number) {
            _ if version.revocation.is_some() => return refuse("version_revoked", "is revoked"),
            _ if expired => return refuse("version_expired", "has expired"),
            None => return refuse("version_deprecated", "is deprecated"),
            Some(pointers) => certificate.versions = pointers,
        }
        self.schedule(&mut certificate, Some(&version));
        // The rule may have changed while this version was not in use.
        follow_rule(&mut tx, &certificate, &version).await?;
        let text = number.to_string();
        let details = [("version", text.as_str())];
        self.write(call, &mut tx, &mut certificate, "managed-certificate.make-current", &details).await?;
        let event = self.inner.event(call, EventKind::CertificateVersionMadeCurrent, target(&certificate), &details);
        tx.insert_event(&event).await?;
        self.end_certificate(call, tx, certificate).await
    }

    /// Revokes a version's certificate; imported ones are their issuer's to revoke.
    pub async fn revoke_certificate_version(
        &self,
        call: &Call,
        reference: &Reference,
        number: u32,
        revoke: Revoke,
    ) -> Result<CertificateVersionView, Error> {
        let reference = &self.may_certificate(call, Permission::CertificateManage, reference).await?;
        let (certificate, version) = find_version(&mut *self.inner.store.read().await?, reference, number).await?;
        let Some(issued) = &version.issued_id else {
            return Err(Error::conflict(
                "not_revocable",
                format!("Version {number} of certificate {} was not issued by a CA of ours.", certificate.name),
                "Ask its issuer to revoke it.",
            ));
        };
        let target = RevocationTarget::Reference(issued.to_string());
        let revoked = self.revoke_issued_certificate(call, &target, revoke).await?;
        let mut version = version;
        version.revocation = revoked.certificate.revocation;
        Ok(super::read::staged(&certificate, version))
    }

    /// Deletes a version that is deprecated, with its key unless another version uses it. Its row in the inventory stays.
    pub async fn delete_certificate_version(
        &self,
        call: &Call,
        reference: &Reference,
        number: u32,
    ) -> Result<(), Error> {
        let reference = &self.may_certificate(call, Permission::CertificateManage, reference).await?;
        let mut tx = self.inner.store.begin("certificate.delete-version").await?;
        let (mut certificate, version) = find_version(&mut *tx, reference, number).await?;
        refuse_unless_open(&certificate)?;
        refuse_unless_deprecated(&certificate, number)?;
        tx.delete_certificate_version(&certificate.id, number).await?;
        destroy_unused_key(&mut tx, &version).await?;
        let (text, fingerprint) = (number.to_string(), version.fingerprint.to_string());
        let details = [("version", text.as_str()), ("fingerprint", fingerprint.as_str())];
        self.write(call, &mut tx, &mut certificate, "managed-certificate.delete-version", &details).await?;
        match call.dry_run {
            true => Ok(tx.rollback().await?),
            false => Ok(tx.commit().await?),
        }
    }

    /// Writes a changed certificate (compare-and-swap on its revision) with its audit event.
    pub(super) async fn write(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        certificate: &mut ManagedCertificate,
        action: &'static str,
        details: &[(&str, &str)],
    ) -> Result<(), Error> {
        tx.update_certificate(certificate)
            .await
            .map_err(|error| crate::change::name_conflict(error, "certificate", &certificate.name))?;
        certificate.revision = certificate.revision.saturating_add(1);
        tx.insert_audit(&self.inner.audit(call, action, target(certificate), details)).await?;
        Ok(())
    }

    /// Makes the change durable (or, as a trial, undoes it) and shows what is there.
    pub(super) async fn end_certificate(
        &self,
        call: &Call,
        mut tx: Tx<'_>,
        certificate: ManagedCertificate,
    ) -> Result<CertificateView, Error> {
        let view = self.view(&mut *tx, certificate).await?;
        match call.dry_run {
            true => tx.rollback().await?,
            false => tx.commit().await?,
        }
        Ok(view)
    }

    /// Writes changed settings in a transaction of their own.
    pub(super) async fn write_settings(
        &self,
        call: &Call,
        mut certificate: ManagedCertificate,
        action: &'static str,
        details: &[(&str, &str)],
    ) -> Result<CertificateView, Error> {
        let mut tx = self.inner.store.begin("certificate.update").await?;
        let stored = find(&mut *tx, &crate::change::by_id(certificate.id.as_str())?).await?;
        if stored.revision != certificate.revision {
            return Err(crate::change::stale("certificates"));
        }
        if stored.renewal.rule != certificate.renewal.rule {
            follow_rule_in_use(&mut tx, &certificate).await?;
        }
        self.write(call, &mut tx, &mut certificate, action, details).await?;
        self.end_certificate(call, tx, certificate).await
    }
}

/// The inventory shows of the version in use when it is due under the certificate's rule, as everything else does: the search by
/// `renewBefore`, ACME's renewal information and calls to renew early read it there.
pub(super) async fn follow_rule_in_use(tx: &mut Tx<'_>, certificate: &ManagedCertificate) -> Result<(), Error> {
    match shown_version(&mut **tx, certificate).await? {
        Some(version) => follow_rule(tx, certificate, &version).await,
        None => Ok(()),
    }
}

/// The same for a version that is known. Before the certificate's row is written: whoever moves renewals touches the inventory
/// first, too.
async fn follow_rule(
    tx: &mut Tx<'_>,
    certificate: &ManagedCertificate,
    version: &CertificateVersion,
) -> Result<(), Error> {
    let Some(issued) = &version.issued_id else { return Ok(()) };
    Ok(tx.set_usual_renewal(issued, version.usual_renew_at(certificate.renewal.rule.as_ref())).await?)
}

fn refuse_unless_deprecated(certificate: &ManagedCertificate, number: u32) -> Result<(), Error> {
    let stages = certificate.versions.stages(number, false);
    if stages == [Stage::Deprecated] {
        return Ok(());
    }
    let stages: Vec<&str> = stages.iter().map(|stage| stage.as_str()).collect();
    Err(Error::conflict(
        "version_in_use",
        format!("Version {number} of certificate {} is {}.", certificate.name, stages.join(", ")),
        "Only a DEPRECATED version can be deleted: one that is neither current, previous, pending nor the latest.",
    ))
}

async fn destroy_unused_key(tx: &mut Tx<'_>, version: &CertificateVersion) -> Result<(), Error> {
    if let Some((key, number)) = &version.key
        && tx.certificate_key_uses(key, *number).await? == 0
    {
        tx.destroy_key_version(key, *number).await?;
    }
    Ok(())
}
