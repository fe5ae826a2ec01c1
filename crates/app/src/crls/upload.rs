//! Lists made elsewhere: of a root that is not ours, or our own from before a backup was restored.

use crate::audit::Target;
use crate::cas::find;
use crate::change::Change;
use crate::revocation::{entry, find_ca_version};
use crate::{App, Call, Error, Permission};
use certwright_domain::ca::{Ca, CaVersion};
use certwright_domain::crl::{Crl, CrlKind, CrlScope, CrlSeries, RevokedSerial, Shards};
use certwright_domain::id::CrlId;
use certwright_domain::issued::IssuedKind;
use certwright_domain::name::Reference;
use certwright_domain::revocation::{CrlEntry, EntryKind, RevocationVerdict, judge_revocation};
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::violation::Invalid;
use certwright_pki::{ForeignCrl, read_certificate, read_crl};

/// Clocks differ by this much.
const SKEW: Span = Span::from_minutes(5);
/// Bytes of a list that are written in one row.
const CHUNK: usize = 1 << 20;

/// What an upload did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedCrl {
    /// Entries of the list.
    pub entries: u64,
    /// Revocations that were not known before; none for a CA without a key of ours, whose list is served as it is.
    pub restored: u64,
    /// The list is served as it came.
    pub served: bool,
}

impl App {
    /// Takes a list that was made elsewhere, PEM or DER, verified with one of the CA's certificates.
    ///
    /// For a version without a key of ours the list is served as it is: it must be complete, current and newer than the one
    /// before. For a version with a key of ours it is one of our own lists from before a backup was restored: what it
    /// revokes is revoked again, and the numbers of further lists go on after its number.
    pub async fn upload_crl(&self, call: &Call, ca: &Reference, bytes: &[u8]) -> Result<UploadedCrl, Error> {
        let ca = &self.may_ca(call, Permission::CaManage, ca).await?;
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, ca).await?;
        let versions = read.ca_versions(&ca.id).await?;
        drop(read);
        let (version, crl) = verify(&ca, versions, bytes)?;
        match version.key_version {
            // What a shard of ours revokes is as true as what a whole list does.
            Some(_) => {
                refuse_delta(&crl)?;
                self.restore_revocations(call, &ca, &version, &crl).await
            }
            None => {
                refuse_partial(&crl)?;
                self.serve_upload(call, &ca, &version, crl).await
            }
        }
    }

    async fn serve_upload(
        &self,
        call: &Call,
        ca: &Ca,
        version: &CaVersion,
        list: ForeignCrl,
    ) -> Result<UploadedCrl, Error> {
        let now = self.now();
        check_current(&list, now)?;
        let scope = CrlScope {
            ca_id: ca.id.clone(),
            ca_version: version.number,
            shards: Shards::ONE,
            shard: 0,
            kind: CrlKind::Full,
        };
        let entries = u64::try_from(list.entry_count()).unwrap_or(u64::MAX);
        let answer = UploadedCrl { entries, restored: 0, served: true };
        // The epoch makes uploads take turns: what is compared here stays so until the commit.
        let mut tx = self.inner.begin_change(call, "crl.upload").await?;
        if let Some(before) = tx.current_crl(&scope).await? {
            if before.sha256 == list.sha256() {
                tx.undo().await?;
                return Ok(answer);
            }
            refuse_older(&before, &list)?;
        }
        let crl = Crl {
            id: CrlId::new(now, self.inner.id_entropy()),
            scope: scope.clone(),
            number: list.number().and_then(|number| number.to_i64()),
            base_number: None,
            change: 0,
            uploaded: true,
            this_update: list.this_update(),
            next_update: list.next_update(),
            entries,
            size: u64::try_from(list.der().len()).unwrap_or(u64::MAX),
            sha256: list.sha256(),
            created_at: now,
        };
        let life = crl.next_update.ms_since(crl.this_update);
        let series = CrlSeries {
            due_at: None,
            overdue_at: Some(crl.next_update.minus(Span::from_ms(life / 4))),
            ..CrlSeries::new(scope, now)
        };
        tx.insert_crl(&crl).await?;
        for (position, chunk) in (0_u32..).zip(list.der().chunks(CHUNK)) {
            tx.insert_crl_chunk(&crl.id, position, chunk).await?;
        }
        tx.publish_crl(&series, &crl.id, now).await?;
        let (entries, sha256, next) = (entries.to_string(), crl.sha256.to_string(), crl.next_update.to_string());
        let details = [("entries", entries.as_str()), ("nextUpdate", next.as_str()), ("sha256", sha256.as_str())];
        let target = Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() };
        tx.insert_audit(&self.inner.audit(call, "crl.upload", target, &details)).await?;
        tx.commit().await?;
        Ok(answer)
    }

    /// Row F16: after an old backup was put back, the last published list knows more than the database.
    async fn restore_revocations(
        &self,
        call: &Call,
        ca: &Ca,
        version: &CaVersion,
        list: &ForeignCrl,
    ) -> Result<UploadedCrl, Error> {
        let mut tx = self.inner.begin_change(call, "crl.restore").await?;
        let mut restored = Vec::new();
        for listed in list.entries() {
            if let Some(revoked) = self.restore(&mut tx, ca, &listed).await? {
                restored.push(revoked);
            }
        }
        if !restored.is_empty() {
            tx.note_revocations(&ca.id, &restored, self.now()).await?;
        }
        if let Some(number) = list.number().and_then(|number| number.to_i64()) {
            tx.raise_crl_number(&ca.id, number).await?;
        }
        let answer = UploadedCrl {
            entries: u64::try_from(list.entry_count()).unwrap_or(u64::MAX),
            restored: u64::try_from(restored.len()).unwrap_or(u64::MAX),
            served: false,
        };
        let (number, entries, count) =
            (version.number.to_string(), answer.entries.to_string(), answer.restored.to_string());
        let details = [("version", number.as_str()), ("entries", entries.as_str()), ("restored", count.as_str())];
        let target = Target { kind: "ca", id: ca.id.as_str(), name: ca.name.as_str() };
        tx.insert_audit(&self.inner.audit(call, "crl.restore", target, &details)).await?;
        tx.commit().await?;
        restored.iter().for_each(|revoked| self.forget_ocsp(Some(&revoked.serial)));
        Ok(answer)
    }

    /// Marks what is listed and not known as revoked, as if it were revoked now: keys are blocked, versions of CAs are
    /// marked too. Serials that the inventory lost are listed all the same.
    async fn restore(
        &self,
        change: &mut Change<'_>,
        ca: &Ca,
        listed: &CrlEntry,
    ) -> Result<Option<RevokedSerial>, Error> {
        let EntryKind::Revoked(reason) = listed.kind else { return Ok(None) };
        let judge = |before| match judge_revocation(before, reason, listed.revoked_at) {
            RevocationVerdict::Write(after) => Some(after),
            RevocationVerdict::Unchanged | RevocationVerdict::Refused(_) => None,
        };
        let rows = change.issued_by_serial(&listed.serial).await?;
        let Some(row) = rows.into_iter().find(|row| row.ca_id == ca.id) else {
            let known = change.revocation(&ca.id, &listed.serial).await?;
            let expires_at = known.as_ref().and_then(|known| known.expires_at);
            let before = known.filter(|known| !known.released).map(|known| known.revocation);
            let Some(revocation) = judge(before) else { return Ok(None) };
            // Perhaps one that the CA gave away before it came here.
            let serial = listed.serial.clone();
            let its_end = change.revoke_known_serial(&ca.id, &serial, &revocation).await?;
            return Ok(Some(RevokedSerial { serial, expires_at: its_end.or(expires_at), revocation, released: false }));
        };
        let Some(after) = judge(row.revocation) else { return Ok(None) };
        change.change_revocation(&row.id, row.revocation.as_ref(), Some(&after)).await?;
        if row.kind == IssuedKind::Ca
            && let Some((below, version)) = find_ca_version(&mut ***change, &row).await?
        {
            change.revoke_ca_version(&below.id, version.number, version.revocation.as_ref(), &after).await?;
        }
        self.look_again_at(change, &row.id).await?;
        if reason.is_compromise() {
            let epoch = change.epoch();
            change.block_key(&row.spki_sha256, epoch, self.now()).await?;
        }
        Ok(Some(entry(&row, after, false)))
    }
}

/// The version whose certificate verifies the list.
fn verify(ca: &Ca, versions: Vec<CaVersion>, bytes: &[u8]) -> Result<(CaVersion, ForeignCrl), Error> {
    let mut refusal = None;
    for version in versions {
        let Some(der) = version.certificate.as_deref() else { continue };
        match read_crl(bytes, &read_certificate(der)?) {
            Ok(crl) => return Ok((version, crl)),
            Err(certwright_pki::Error::Invalid(invalid)) => refusal = refusal.or(Some(invalid)),
            Err(other) => return Err(other.into()),
        }
    }
    Err(match refusal {
        Some(invalid) => Error::invalid("", invalid),
        None => Error::conflict(
            "ca_without_certificate",
            format!("CA {} has no certificate that the list could be verified with.", ca.name),
            "Install it first.",
        ),
    })
}

fn refuse_partial(crl: &ForeignCrl) -> Result<(), Error> {
    if crl.base().is_none() && crl.scope().is_none() {
        return Ok(());
    }
    Err(Error::invalid(
        "",
        Invalid::new(
            "crl_is_partial",
            "The list covers a part of the CA's certificates only (a delta list, or one with an issuingDistributionPoint).",
            "Send the CA's complete list.",
        ),
    ))
}

fn refuse_delta(crl: &ForeignCrl) -> Result<(), Error> {
    if crl.base().is_none() {
        return Ok(());
    }
    Err(Error::invalid(
        "",
        Invalid::new(
            "crl_is_partial",
            "The list is a delta list: it tells what changed, not what is revoked.",
            "Send the CA's full list, or each of its shards.",
        ),
    ))
}

fn check_current(crl: &ForeignCrl, now: Timestamp) -> Result<(), Error> {
    let refuse = |code, detail: String, hint: &str| Err(Error::invalid("", Invalid::new(code, detail, hint)));
    if crl.next_update() <= now {
        let detail = format!("The list lapsed at {}.", crl.next_update());
        return refuse("crl_lapsed", detail, "Send the newest list of the CA.");
    }
    if crl.this_update() > now.plus(SKEW) {
        let detail = format!("The list is of {}, which is still to come.", crl.this_update());
        return refuse("crl_in_future", detail, "Set the clock of the CA, or ours, right.");
    }
    Ok(())
}

fn refuse_older(before: &Crl, list: &ForeignCrl) -> Result<(), Error> {
    let numbers = before.number.zip(list.number().and_then(|number| number.to_i64()));
    let older = match numbers {
        Some((before, new)) => new <= before,
        None => list.this_update() <= before.this_update,
    };
    if older || list.this_update() < before.this_update {
        return Err(Error::conflict(
            "crl_is_older",
            format!(
                "The list of {} is not newer than the one that is served, of {}.",
                list.this_update(),
                before.this_update
            ),
            "Send the newest list of the CA.",
        ));
    }
    Ok(())
}
