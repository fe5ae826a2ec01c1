//! Revoking: end-entity certificates, and versions of CAs.
//!
//! One transaction holds the mark in the inventory, the entry for the lists, the blocked key, the audit event and the event
//! for webhooks. The lists themselves are made afterwards ([`crate::crls`]), by whichever node comes first.

mod ca;
mod known;

pub use known::{RevokedKnown, RevokedNamed};

use crate::audit::Target;
use crate::change::{by_id, once_more_if_stale};
use crate::{App, Call, Error, Permission};
use certwright_domain::audit::AuditEvent;
use certwright_domain::ca::{Ca, CaVersion};
use certwright_domain::crl::RevokedSerial;
use certwright_domain::event::{Event, EventKind};
use certwright_domain::id::CaId;
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::managed::ManagedCertificate;
use certwright_domain::name::Reference;
use certwright_domain::revocation::{Revocation, RevocationReason, RevocationVerdict, judge_revocation};
use certwright_domain::serial::Serial;
use certwright_domain::violation::Invalid;
use certwright_pki::read_certificates;
use certwright_store::{CaFilter, PageRequest, Queries, Revoking};
use std::collections::BTreeMap;
use tracing::Instrument as _;

/// Most certificates with one key that are revoked in one call.
const MAX_SIBLINGS: u32 = 1000;

/// What is to be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationTarget {
    /// By serial in any spelling, SHA-256 fingerprint or id.
    Reference(String),
    /// By serial and issuer, where several CAs used the serial.
    Serial(Serial, Reference),
    /// The certificate itself: PEM or DER.
    Certificate(Vec<u8>),
}

/// How it is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoke {
    /// Why.
    pub reason: RevocationReason,
    /// With `keyCompromise`: everything else that is live and carries the same key, too.
    pub siblings: bool,
}

impl Revoke {
    /// The one certificate, for this reason.
    pub fn because(reason: RevocationReason) -> Self {
        Self { reason, siblings: false }
    }
}

/// What was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// The certificate as it stands now.
    pub certificate: IssuedCertificate,
    /// After a compromise: other live certificates with the same key. Revoked as well, or still to be revoked.
    pub siblings: Vec<IssuedCertificate>,
    /// It was revoked so already.
    pub unchanged: bool,
}

impl App {
    /// Revokes a certificate. Twice with the same reason answers the same; a second reason only upgrades to a compromise
    /// (or ends a hold), and `keyCompromise` takes the place of the other compromises; any other is a conflict. Every
    /// compromise blocks the public key for ever.
    pub async fn revoke_issued_certificate(
        &self,
        call: &Call,
        target: &RevocationTarget,
        revoke: Revoke,
    ) -> Result<Revoked, Error> {
        once_more_if_stale!(self.try_revoke(call, target, revoke).await)
    }

    async fn try_revoke(&self, call: &Call, target: &RevocationTarget, revoke: Revoke) -> Result<Revoked, Error> {
        if revoke.siblings && revoke.reason != RevocationReason::KeyCompromise {
            return Err(Error::invalid(
                "/siblings",
                Invalid::new(
                    "siblings_without_compromise",
                    "Certificates share a key; only `keyCompromise` concerns them all.",
                    "Leave `siblings` out, or give the reason `keyCompromise`.",
                ),
            ));
        }
        // Read before anything is written, which happens only if the row is as it was: writers do not wait for it.
        let mut read = self.inner.store.glance().await?;
        let row = self.find_target(&mut *read, call, target).await?;
        if row.kind == IssuedKind::Ca {
            return Err(points_to_the_ca(&mut *read, &row).await?);
        }
        let managed = read.certificate_of(&row.id).await?;
        if revoke.reason.is_compromise() {
            drop(read);
            return self.revoke_compromised(call, row, managed, revoke).await;
        }
        let judged = self.judge(&mut *read, &row, revoke.reason).await?;
        drop(read);
        let Some((before, after)) = judged else { return Ok(Revoked { unchanged: true, ..split(vec![row], vec![]) }) };
        let row = IssuedCertificate { revocation: Some(after), ..row };
        if !call.dry_run {
            let is_managed = managed.is_some();
            let (audit, event) = self.told(call, &row, before, managed);
            let (issued, ca) = (row.id.clone(), row.ca_id.clone());
            let revoking = Revoking { issued, ca, before, entry: entry(&row, after, false), audit, event };
            self.mark_revoked(revoking, is_managed).await?;
        }
        Ok(split(vec![row], vec![]))
    }

    /// Marks a certificate. What has to happen afterwards happens even if the caller goes away: the mark may be stored all the same.
    /// `is_managed`: it is a version of a managed certificate.
    async fn mark_revoked(&self, revoking: Revoking, is_managed: bool) -> Result<(), Error> {
        let app = self.clone();
        let marking = async move {
            let serial = revoking.entry.serial.clone();
            let marked = async {
                let mut tx = app.inner.store.begin_keyed("issued-certificate.revoke").await?;
                tx.revoke(&revoking).await?;
                if is_managed {
                    app.look_again_at(&mut tx, &revoking.issued).await?;
                }
                Ok::<_, Error>(tx.commit().await?)
            };
            let marked = marked.await;
            // After a failure it may be stored as well.
            app.forget_ocsp(Some(&serial));
            app.after_revocation(None);
            marked
        };
        match tokio::spawn(marking.in_current_span()).await {
            Ok(marked) => marked,
            Err(error) => Err(Error::Internal(format!("a revocation was not finished: {error}"))),
        }
    }

    /// Revokes because of a compromise: the key is blocked on every node, and what carries it is revoked too, or told.
    async fn revoke_compromised(
        &self,
        call: &Call,
        row: IssuedCertificate,
        managed: Option<(ManagedCertificate, u32)>,
        revoke: Revoke,
    ) -> Result<Revoked, Error> {
        let mut tx = self.inner.store.begin("issued-certificate.revoke").await?;
        // What blocks a key is a change of configuration: every node must know before it signs again. First in the
        // transaction, as every raising of the epoch.
        let epoch = tx.bump_epoch().await?;
        let now = self.now();
        let mut siblings = tx.issued_with_key(&row.spki_sha256, now, MAX_SIBLINGS.saturating_add(1)).await?;
        siblings.retain(|sibling| sibling.id != row.id && !is_compromised(sibling));
        siblings = self.may_revoke_all(&mut *tx, call, siblings, revoke.siblings).await?;
        if siblings.len() > usize::try_from(MAX_SIBLINGS).unwrap_or(usize::MAX) {
            return Err(too_many_siblings(&row));
        }
        let mut managed = Some((row.id.clone(), managed));
        let spki = row.spki_sha256;
        let mut chosen = vec![row];
        if revoke.siblings {
            chosen.append(&mut siblings);
        }
        let mut entries: BTreeMap<CaId, Vec<RevokedSerial>> = BTreeMap::new();
        let mut changed = Vec::new();
        for row in &mut chosen {
            if let Some((before, after)) = self.judge(&mut *tx, row, revoke.reason).await? {
                row.revocation = Some(after);
                entries.entry(row.ca_id.clone()).or_default().push(entry(row, after, false));
                changed.push((row.clone(), before));
            }
        }
        if changed.is_empty() {
            tx.rollback().await?;
            return Ok(Revoked { unchanged: true, ..split(chosen, siblings) });
        }
        for (row, before) in &changed {
            tx.change_revocation(&row.id, before.as_ref(), row.revocation.as_ref()).await?;
        }
        tx.block_key(&spki, epoch, now).await?;
        for (ca_id, entries) in &entries {
            tx.note_revocations(ca_id, entries, now).await?;
        }
        for (row, before) in &changed {
            let managed = match managed.take_if(|(id, _)| *id == row.id) {
                Some((_, known)) => known,
                None => tx.certificate_of(&row.id).await?,
            };
            if managed.is_some() {
                self.look_again_at(&mut tx, &row.id).await?;
            }
            let (audit, event) = self.told(call, row, *before, managed);
            tx.insert_audit(&audit).await?;
            tx.insert_event(&event).await?;
        }
        match call.dry_run {
            true => tx.rollback().await?,
            false => {
                tx.commit().await?;
                changed.iter().for_each(|(row, _)| self.forget_ocsp(Some(&row.serial)));
                self.after_revocation(Some(epoch));
            }
        }
        Ok(split(chosen, siblings))
    }

    /// Ends the hold of a certificate; only `certificateHold` can be taken back. Not on hold any more: the same answer.
    pub async fn release_issued_certificate(
        &self,
        call: &Call,
        target: &RevocationTarget,
    ) -> Result<IssuedCertificate, Error> {
        once_more_if_stale!(self.try_release(call, target).await)
    }

    async fn try_release(&self, call: &Call, target: &RevocationTarget) -> Result<IssuedCertificate, Error> {
        let mut tx = self.inner.store.begin("issued-certificate.release").await?;
        let mut row = self.find_target(&mut *tx, call, target).await?;
        let Some(before) = row.revocation else { return Ok(row) };
        if before.reason != RevocationReason::CertificateHold {
            return Err(Error::conflict(
                "not_on_hold",
                format!("Certificate {} was revoked at {} with the reason {}.", row.serial, before.at, before.reason),
                "Only certificateHold can be taken back; issue a new certificate.",
            ));
        }
        tx.change_revocation(&row.id, Some(&before), None).await?;
        tx.note_revocations(&row.ca_id, &[entry(&row, before, true)], self.now()).await?;
        row.revocation = None;
        let managed = tx.certificate_of(&row.id).await?;
        if managed.is_some() {
            self.look_again_at(&mut tx, &row.id).await?;
        }
        let what = ("issued-certificate.release", EventKind::CertificateReleased);
        let (audit, event) = self.told_of_row(call, &row, managed, what, &[]);
        tx.insert_audit(&audit).await?;
        tx.insert_event(&event).await?;
        match call.dry_run {
            true => tx.rollback().await?,
            false => {
                tx.commit().await?;
                self.forget_ocsp(Some(&row.serial));
                self.after_revocation(None);
            }
        }
        Ok(row)
    }

    /// The certificate that is meant, when the caller may revoke it.
    async fn find_target(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        target: &RevocationTarget,
    ) -> Result<IssuedCertificate, Error> {
        let (row, called) = find_target(self, queries, call, target).await?;
        self.may_issued(queries, call, Permission::IssuedRevoke, &row, &called).await?;
        Ok(row)
    }

    /// Those siblings that the caller may see; if they are to be revoked, it must be allowed to revoke every one of them.
    async fn may_revoke_all(
        &self,
        queries: &mut dyn Queries,
        call: &Call,
        rows: Vec<IssuedCertificate>,
        revoke: bool,
    ) -> Result<Vec<IssuedCertificate>, Error> {
        let mut seen = Vec::with_capacity(rows.len());
        for row in rows {
            let serial = row.serial.to_string();
            match self.may_issued(queries, call, Permission::IssuedRevoke, &row, &serial).await {
                Ok(()) => seen.push(row),
                Err(Error::Forbidden { .. }) if !revoke => seen.push(row),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(seen)
    }

    /// What is to be written; `None`: nothing, it is so already.
    async fn judge(
        &self,
        queries: &mut dyn Queries,
        row: &IssuedCertificate,
        reason: RevocationReason,
    ) -> Result<Option<(Option<Revocation>, Revocation)>, Error> {
        if reason == RevocationReason::CertificateHold {
            require_hold(queries, row).await?;
        }
        match judge_revocation(row.revocation, reason, self.now()) {
            RevocationVerdict::Unchanged => Ok(None),
            RevocationVerdict::Write(after) => Ok(Some((row.revocation, after))),
            RevocationVerdict::Refused(before) => {
                let what = format!("Certificate {}", row.serial);
                Err(revoked_already(&what, before))
            }
        }
    }

    /// Tells the node that lists are due and keys are blocked.
    fn after_revocation(&self, epoch: Option<i64>) {
        if let Some(epoch) = epoch {
            self.inner.context.note_epoch(epoch);
        }
        self.inner.crls.wake();
    }

    /// The audit event and the event of a revocation.
    fn told(
        &self,
        call: &Call,
        row: &IssuedCertificate,
        before: Option<Revocation>,
        managed: Option<(ManagedCertificate, u32)>,
    ) -> (AuditEvent, Event) {
        let reason = row.revocation.map_or("", |revocation| revocation.reason.as_str());
        let mut details = vec![("reason", reason)];
        details.extend(before.as_ref().map(|before| ("before", before.reason.as_str())));
        let what = ("issued-certificate.revoke", EventKind::CertificateRevoked);
        self.told_of_row(call, row, managed, what, &details)
    }

    /// The audit event, and the event: about the managed certificate, where the row is a version of one.
    fn told_of_row(
        &self,
        call: &Call,
        row: &IssuedCertificate,
        managed: Option<(ManagedCertificate, u32)>,
        (action, kind): (&'static str, EventKind),
        more: &[(&str, &str)],
    ) -> (AuditEvent, Event) {
        let (serial, fingerprint) = (row.serial.to_string(), row.fingerprint.to_string());
        let mut details = more.to_vec();
        details.extend([
            ("ca", row.ca_name.as_str()),
            ("fingerprint", fingerprint.as_str()),
            ("subject", row.subject.as_str()),
        ]);
        let target = Target { kind: "issued-certificate", id: &serial, name: &row.common_name };
        let audit = self.inner.audit(call, action, target, &details);
        let Some((certificate, number)) = managed else {
            return (audit, self.inner.event(call, kind, target, &details));
        };
        let number = number.to_string();
        details.extend([("version", number.as_str()), ("serial", serial.as_str())]);
        let target = Target { kind: "certificate", id: certificate.id.as_str(), name: certificate.name.as_str() };
        (audit, self.inner.event(call, kind, target, &details))
    }
}

fn is_compromised(row: &IssuedCertificate) -> bool {
    row.revocation.is_some_and(|revocation| revocation.reason.is_compromise())
}

/// The first was asked for; those after it were revoked with it.
fn split(mut chosen: Vec<IssuedCertificate>, offered: Vec<IssuedCertificate>) -> Revoked {
    let certificate = chosen.remove(0);
    chosen.extend(offered);
    Revoked { certificate, siblings: chosen, unchanged: false }
}

/// What lists carry of a row.
pub(crate) fn entry(row: &IssuedCertificate, revocation: Revocation, released: bool) -> RevokedSerial {
    RevokedSerial { serial: row.serial.clone(), expires_at: Some(row.validity.not_after()), revocation, released }
}

/// The certificate that is meant, and how the caller called it.
async fn find_target(
    app: &App,
    queries: &mut dyn Queries,
    call: &Call,
    target: &RevocationTarget,
) -> Result<(IssuedCertificate, String), Error> {
    match target {
        RevocationTarget::Reference(reference) => {
            Ok((app.find_issued(queries, call, reference).await?, reference.clone()))
        }
        RevocationTarget::Serial(serial, ca) => {
            let ca = queries.ca(ca).await?.ok_or_else(|| Error::not_found("CA", ca))?;
            let rows = queries.issued_by_serial(serial).await?;
            let row = rows.into_iter().find(|row| row.ca_id == ca.id);
            Ok((row.ok_or_else(|| Error::not_found("issued certificate", serial))?, serial.to_string()))
        }
        RevocationTarget::Certificate(bytes) => {
            let certificates = read_certificates(bytes).map_err(|error| match error {
                certwright_pki::Error::Invalid(invalid) => Error::invalid("/certificate", invalid),
                other => other.into(),
            })?;
            // Of a whole chain, the first is meant: files begin with the certificate itself.
            let fingerprint = certificates.first().map(|certificate| certificate.fingerprint);
            let row = match &fingerprint {
                Some(fingerprint) => queries.issued_by_fingerprint(fingerprint).await?,
                None => None,
            };
            let called = fingerprint.map_or(String::new(), |hash| hash.to_string());
            Ok((row.ok_or_else(|| Error::not_found("issued certificate", &called))?, called))
        }
    }
}

/// Refuses a hold where the CA does not have it.
async fn require_hold(queries: &mut dyn Queries, row: &IssuedCertificate) -> Result<(), Error> {
    let ca = queries.ca(&by_id(row.ca_id.as_str())?).await?;
    if ca.as_ref().is_some_and(|ca| ca.revocation.hold_enabled) {
        return Ok(());
    }
    Err(Error::conflict(
        "hold_not_enabled",
        format!("CA {} does not put certificates on hold.", row.ca_name),
        "Give another reason, or PATCH the CA with {\"revocation\":{\"holdEnabled\":true}}.",
    ))
}

pub(super) fn revoked_already(what: &str, before: Revocation) -> Error {
    Error::conflict(
        "already_revoked",
        format!("{what} was revoked at {} with the reason {}.", before.at, before.reason),
        "A second reason only makes it worse: a compromise takes the place of another reason, keyCompromise of any.",
    )
}

fn too_many_siblings(row: &IssuedCertificate) -> Error {
    Error::conflict(
        "too_many_siblings",
        format!("More than {MAX_SIBLINGS} live certificates carry the key of certificate {}.", row.serial),
        "Revoke them in parts: GET /v1/issued-certificates lists them, each can be revoked by its serial.",
    )
}

/// The refusal of revoking a CA certificate here, with the request that does it.
async fn points_to_the_ca(queries: &mut dyn Queries, row: &IssuedCertificate) -> Result<Error, Error> {
    let place = find_ca_version(queries, row).await?;
    let (ca, version) = match place {
        Some((ca, version)) => (ca.name.to_string(), version.number.to_string()),
        None => ("{ca}".to_owned(), "{version}".to_owned()),
    };
    Ok(Error::conflict(
        "ca_certificate",
        format!("Certificate {} is the certificate of a CA.", row.serial),
        format!("Revoke the CA's version: POST /v1/certificate-authorities/{ca}/versions/{version}/revoke"),
    ))
}

/// Which CA's which version carries this certificate? The signer itself (a root) or one that it issued.
pub(crate) async fn find_ca_version(
    queries: &mut dyn Queries,
    row: &IssuedCertificate,
) -> Result<Option<(Ca, CaVersion)>, Error> {
    let filter = CaFilter { issuer_id: Some(row.ca_id.clone()), include_system: true, ..CaFilter::default() };
    let mut candidates = queries.cas(&filter, &PageRequest { limit: 500, after: None }).await?.items;
    candidates.extend(queries.ca(&by_id(row.ca_id.as_str())?).await?);
    for ca in candidates {
        let versions = queries.ca_versions(&ca.id).await?;
        if let Some(version) = versions.into_iter().find(|version| version.issued_id.as_ref() == Some(&row.id)) {
            return Ok(Some((ca, version)));
        }
    }
    Ok(None)
}
