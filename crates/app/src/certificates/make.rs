//! Making a version: judge, make the key, sign, record.

use super::RenewalRequest;
use super::keys::NewVersionKey;
use super::version::follow_rule_in_use;
use super::wish::{settings_for, wish_reference};
use crate::audit::Target;
use crate::change::{name_conflict, settle_in};
use crate::issuance::{STALE_EPOCH, SignedLeaf};
use crate::{App, Call, Error};
use certwright_domain::access::PlacedKind;
use certwright_domain::event::EventKind;
use certwright_domain::id::{AttemptId, CompartmentId, KeyId};
use certwright_domain::managed::{
    AttemptOutcome, CertificateVersion, ManagedCertificate, RenewalAttempt, RenewalOutlook, VersionReason, Wish,
    overdue_at,
};
use certwright_domain::name::ResourceName;
use certwright_domain::validity::{RequestedValidity, Validity};
use certwright_domain::violation::Verdict;
use certwright_pki::read_public_key;
use certwright_store::Tx;

/// How often a decision is made anew because the configuration changed under it.
const MAX_ATTEMPTS: u32 = 5;

/// A version to be made.
pub(super) struct Making {
    /// The certificate with wish and settings as they will be; its pointers and times are moved here.
    pub(super) certificate: ManagedCertificate,
    /// It has no row yet.
    pub(super) is_new: bool,
    /// Where a new certificate goes.
    pub(super) home: CompartmentId,
    /// Why.
    pub(super) reason: VersionReason,
    /// Name of the version.
    pub(super) version_name: Option<ResourceName>,
    /// It waits to be made current.
    pub(super) pending: bool,
    /// Validity to ask for.
    pub(super) validity: RequestedValidity,
    /// Certify this key again.
    pub(super) same_key: Option<(KeyId, u32)>,
    /// A renewal rule that is judged against the lifetime; `None`: the certificate's own stays.
    pub(super) renewal: Option<RenewalRequest>,
}

/// A trial of it.
pub(super) struct Tried {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) validity: Validity,
}

impl App {
    /// Judges with a sample key, fills in the renewal rule. What a rule refuses is refused here.
    pub(super) async fn try_version(&self, call: &Call, making: &mut Making) -> Result<Tried, Error> {
        let wish = wish_of(&making.certificate)?;
        let (ca, profile) = wish_reference(wish)?;
        let leaf = self.sample_leaf(wish, making.validity).await?;
        let judged = self.judge_leaf(call, &ca, &profile, leaf).await?;
        let approved = judged.outcome.map_err(Error::Rejected)?;
        let validity = approved.validity();
        if let Some(asked) = &making.renewal {
            making.certificate.renewal = settings_for(asked, validity.length())?;
        }
        Ok(Tried { verdicts: judged.verdicts, validity })
    }

    /// Makes the version. Answers the certificate as stored and the version.
    pub(super) async fn make_certificate_version(
        &self,
        call: &Call,
        mut making: Making,
    ) -> Result<(ManagedCertificate, CertificateVersion), Error> {
        self.try_version(call, &mut making).await?;
        let wish = wish_of(&making.certificate)?.clone();
        let (ca, profile) = wish_reference(&wish)?;
        let (new_key, public_key) = self.key_of(&making, &wish).await?;
        for _ in 0..MAX_ATTEMPTS {
            let leaf = self.leaf_of(&wish, public_key.clone(), making.validity)?;
            let rule = making.certificate.renewal.rule;
            let signed = self.sign_leaf(call, &ca, &profile, leaf, rule.as_ref()).await?;
            let version = version_of(&making, &wish, &signed, new_key.as_ref(), self.now());
            match self.record_version(call, &making, &signed, new_key.as_ref(), &version).await {
                Err(Recording::Stale) => {
                    self.refresh_epoch().await?;
                }
                Err(Recording::Failed(error)) => return Err(error),
                Ok(certificate) => {
                    metrics::counter!("certwright_certificates_issued_total").increment(1);
                    return Ok((certificate, version));
                }
            }
        }
        Err(Error::Unavailable { detail: "the configuration kept changing".into(), retry_after_s: 1 })
    }

    /// The key that the version certifies: none of ours with a CSR, the one named, or a fresh one.
    async fn key_of(
        &self,
        making: &Making,
        wish: &Wish,
    ) -> Result<(Option<NewVersionKey>, Option<certwright_domain::public_key::PublicKey>), Error> {
        let Some(algorithm) = wish.key_algorithm else { return Ok((None, None)) };
        if let Some(place) = &making.same_key {
            let public_key = read_public_key(&self.version_public_key(place).await?)?;
            if public_key.algorithm() == Some(algorithm) {
                return Ok((None, Some(public_key)));
            }
        }
        let key = self.new_version_key(&making.certificate.id, algorithm, None).await?;
        let public_key = read_public_key(key.public_key()?)?;
        Ok((Some(key), Some(public_key)))
    }

    async fn record_version(
        &self,
        call: &Call,
        making: &Making,
        signed: &SignedLeaf,
        key: Option<&NewVersionKey>,
        version: &CertificateVersion,
    ) -> Result<ManagedCertificate, Recording> {
        let mut tx = self.inner.store.begin("certificate.version").await?;
        signed.record(self, call, &mut tx).await?;
        if let Some(key) = key {
            key.record(&mut tx).await?;
        }
        let certificate = self.write_version(call, &mut tx, making, version).await?;
        tx.commit().await?;
        Ok(certificate)
    }

    /// Writes certificate and version, with audit event, event and attempt.
    pub(super) async fn write_version(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        making: &Making,
        version: &CertificateVersion,
    ) -> Result<ManagedCertificate, Error> {
        let mut certificate = making.certificate.clone();
        certificate.versions.latest = version.number;
        certificate.waiting = Some(version.number);
        if !making.pending || certificate.versions.current.is_none() {
            certificate.versions.previous = certificate.versions.current;
            certificate.versions.current = Some(version.number);
        }
        certificate.failures = 0;
        self.schedule(&mut certificate, Some(version));
        match making.is_new {
            true => {
                let inserted = tx.insert_certificate(&certificate).await;
                inserted.map_err(|error| name_conflict(error, "certificate", &certificate.name))?;
                settle_in(&mut **tx, certificate.id.as_str(), PlacedKind::Certificate, &making.home).await?;
            }
            false => {
                if certificate.versions.current != Some(version.number) {
                    // The rule of the request holds for the version in use as well.
                    follow_rule_in_use(tx, &certificate).await?;
                }
                tx.update_certificate(&certificate).await?;
                certificate.revision = certificate.revision.saturating_add(1);
            }
        }
        tx.insert_certificate_version(version).await.map_err(|error| version_conflict(error, version))?;
        let number = version.number.to_string();
        let fingerprint = version.fingerprint.to_string();
        let not_after = version.validity.not_after().to_string();
        let details = [
            ("version", number.as_str()),
            ("reason", version.reason.as_str()),
            ("fingerprint", fingerprint.as_str()),
            ("notAfter", not_after.as_str()),
        ];
        let target = target(&certificate);
        let (action, kind) = match (making.is_new, version.reason) {
            (_, VersionReason::Imported) => ("managed-certificate.import", EventKind::CertificateImported),
            (true, _) => ("managed-certificate.create", EventKind::CertificateIssued),
            (false, _) => ("managed-certificate.renew", EventKind::CertificateRenewed),
        };
        tx.insert_audit(&self.inner.audit(call, action, target, &details)).await?;
        tx.insert_event(&self.inner.event(call, kind, target, &details)).await?;
        if !making.is_new && version.reason != VersionReason::Imported {
            tx.insert_attempt(&self.renewal_attempt(
                certificate.id.as_str(),
                AttemptOutcome::Renewed,
                Some(version.number),
                version.reason.as_str().to_owned(),
            ))
            .await?;
        }
        Ok(certificate)
    }

    /// When the job looks at the certificate next. `version`: the one just made, which may be the current one.
    pub(super) fn schedule(&self, certificate: &mut ManagedCertificate, version: Option<&CertificateVersion>) {
        let outlook = super::read::outlook(certificate, version, self.now());
        certificate.next_attempt_at = match outlook {
            RenewalOutlook::Due => Some(self.now()),
            RenewalOutlook::At(at) => Some(at),
            RenewalOutlook::Never(_) => None,
        };
        let current = version.filter(|version| certificate.versions.current == Some(version.number));
        if let Some(version) = current {
            let rule = certificate.renewal.rule;
            let due = version.renew_at(rule.as_ref());
            certificate.overdue_at = Some(overdue_at(due, &version.validity));
        }
    }

    pub(crate) fn renewal_attempt(
        &self,
        subject_id: &str,
        outcome: AttemptOutcome,
        version: Option<u32>,
        reason: String,
    ) -> RenewalAttempt {
        let at = self.now();
        let id = AttemptId::new(at, self.inner.id_entropy());
        RenewalAttempt { id, subject_id: subject_id.to_owned(), at, outcome, version, reason }
    }
}

/// Why a recording did not happen.
enum Recording {
    /// The configuration changed: decide anew.
    Stale,
    /// Anything else.
    Failed(Error),
}

impl From<certwright_store::Error> for Recording {
    fn from(error: certwright_store::Error) -> Self {
        match error {
            certwright_store::Error::Stale { what: STALE_EPOCH } => Self::Stale,
            other => Self::Failed(other.into()),
        }
    }
}

impl From<Error> for Recording {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A certificate, as audit events and events name it.
pub(super) fn target(certificate: &ManagedCertificate) -> Target<'_> {
    Target { kind: "certificate", id: certificate.id.as_str(), name: certificate.name.as_str() }
}

pub(super) fn wish_of(certificate: &ManagedCertificate) -> Result<&Wish, Error> {
    certificate.wish.as_ref().ok_or_else(|| {
        Error::conflict(
            "certificate_imported",
            format!("Certificate {} was imported; no CA of ours makes it anew.", certificate.name),
            "Import its successor under the same name.",
        )
    })
}

fn version_of(
    making: &Making,
    wish: &Wish,
    signed: &SignedLeaf,
    key: Option<&NewVersionKey>,
    now: certwright_domain::time::Timestamp,
) -> CertificateVersion {
    let row = signed.row();
    let kept = making.same_key.clone().filter(|_| wish.key_algorithm.is_some());
    CertificateVersion {
        certificate_id: making.certificate.id.clone(),
        number: making.certificate.versions.latest.saturating_add(1),
        name: making.version_name.clone(),
        key: key.map(NewVersionKey::place).or(kept),
        csr: wish.csr.clone(),
        issued_id: Some(row.id.clone()),
        certificate: row.certificate.clone(),
        chain: signed.above().to_vec(),
        serial: row.serial.clone(),
        fingerprint: row.fingerprint,
        spki_sha256: row.spki_sha256,
        subject: row.subject.clone(),
        names: row.names.clone(),
        key_algorithm: row.key_algorithm.clone(),
        validity: row.validity,
        exportable: making.certificate.exportable,
        reason: making.reason,
        created_at: now,
        revocation: None,
        moved: None,
    }
}

/// A version's name that is taken.
fn version_conflict(error: certwright_store::Error, version: &CertificateVersion) -> Error {
    match (error, &version.name) {
        (certwright_store::Error::Conflict { what }, Some(name)) if what.ends_with("version_name") => Error::conflict(
            "version_name_taken",
            format!("There is a version named {name} already."),
            "Choose another name for the version, or leave it out.",
        ),
        (other, _) => other.into(),
    }
}
