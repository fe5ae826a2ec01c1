//! Revoking versions of CAs, on the lists of the CA that issued them.

use super::{entry, revoked_already};
use crate::cas::{CaView, find, find_version, schedule, view};
use crate::change::by_id;
use crate::{App, Call, Error, Permission};
use certwright_domain::event::EventKind;
use certwright_domain::name::Reference;
use certwright_domain::revocation::{RevocationReason, RevocationVerdict, judge_revocation};

impl App {
    /// Revokes a version's certificate; roots and certificates that we did not sign are refused. Twice with the same
    /// reason answers the same; a second reason only upgrades to a compromise, which blocks the key for ever.
    pub async fn revoke_ca_version(
        &self,
        call: &Call,
        ca: &Reference,
        number: u32,
        reason: RevocationReason,
    ) -> Result<CaView, Error> {
        let ca = &self.may_ca(call, Permission::CaManage, ca).await?;
        if reason == RevocationReason::CertificateHold {
            return Err(Error::conflict(
                "hold_of_a_ca",
                "A CA cannot be put on hold: everything below it would come and go with it.",
                "Disable the CA (PATCH with {\"enabled\":false}), or give another reason.",
            ));
        }
        let mut tx = self.inner.begin_change(call, "ca.revoke").await?;
        let mut ca = find(&mut **tx, ca).await?;
        let version = find_version(&mut **tx, &ca, number).await?;
        let row = match (&ca.issuer_id, &version.issued_id) {
            (Some(_), Some(issued)) => tx.issued(issued).await?,
            _ => None,
        };
        let Some(row) = row else {
            return Err(Error::conflict(
                "not_revocable",
                format!("Version {number} of CA {} was not issued by another CA of ours.", ca.name),
                "A root is distrusted where it is trusted; a foreign certificate is revoked by its issuer.",
            ));
        };
        let now = self.now();
        let after = match judge_revocation(version.revocation, reason, now) {
            RevocationVerdict::Unchanged => {
                tx.undo().await?;
                return view(&mut self.inner.store.read().await?, ca, Some(number)).await;
            }
            RevocationVerdict::Refused(before) => {
                return Err(revoked_already(&format!("Version {number} of CA {}", ca.name), before));
            }
            RevocationVerdict::Write(after) => after,
        };
        tx.revoke_ca_version(&ca.id, number, version.revocation.as_ref(), &after).await?;
        tx.change_revocation(&row.id, row.revocation.as_ref(), Some(&after)).await?;
        // The job leaves a revoked CA alone, and whoever is renewing it right now finds it changed.
        schedule(&mut **tx, &mut ca).await?;
        tx.update_ca(&ca).await?;
        if reason.is_compromise() {
            let epoch = tx.epoch();
            tx.block_key(&row.spki_sha256, epoch, now).await?;
        }
        tx.note_revocations(&row.ca_id, &[entry(&row, after, false)], now).await?;
        let (kind, why) = (EventKind::CaRevoked, [("reason", reason.as_str())]);
        self.inner.tell_of_ca(&mut **tx, call, kind, &ca, Some(&version), &why).await?;
        let facts = [("version", number.to_string()), ("reason", reason.to_string())];
        let facts: Vec<(&str, &str)> = facts.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.finish_ca(call, "ca.revoke", tx, &ca, &facts).await?;
        self.forget_ocsp(Some(&row.serial));
        self.inner.crls.wake();
        let mut read = self.inner.store.read().await?;
        let ca = find(&mut *read, &by_id(ca.id.as_str())?).await?;
        view(&mut read, ca, Some(number)).await
    }
}
