//! Revoking what a CA gave away before it came here: of such a certificate nothing is known but its serial.

use super::{RevocationTarget, Revoke, Revoked, revoked_already};
use crate::access::Object;
use crate::audit::Target;
use crate::cas::find;
use crate::change::by_id;
use crate::{App, Call, Error, Permission};
use certwright_domain::ca::Ca;
use certwright_domain::crl::RevokedSerial;
use certwright_domain::event::EventKind;
use certwright_domain::known_serial::KnownSerial;
use certwright_domain::name::Reference;
use certwright_domain::revocation::{RevocationReason, RevocationVerdict, judge_revocation};
use certwright_domain::serial::Serial;
use certwright_domain::violation::Invalid;
use certwright_pki::read_certificate;
use certwright_store::Queries;

/// What was revoked by a name that may mean either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedNamed {
    /// A certificate of the inventory.
    Certificate(Box<Revoked>),
    /// One that the CA gave away before it came here.
    Known(Box<RevokedKnown>),
}

/// A serial that a CA brought along and that is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedKnown {
    /// The CA.
    pub ca: Ca,
    /// The serial as it stands now.
    pub known: KnownSerial,
}

impl App {
    /// Revokes what is named. By serial and CA that may also be a certificate that the CA gave away before it came here: lists and OCSP
    /// say so then as of any other. Its key is not known, so `keyCompromise` blocks none; it cannot be put on hold.
    pub async fn revoke_named(
        &self,
        call: &Call,
        target: &RevocationTarget,
        revoke: Revoke,
    ) -> Result<RevokedNamed, Error> {
        let missing = match self.revoke_issued_certificate(call, target, revoke).await {
            Ok(revoked) => return Ok(RevokedNamed::Certificate(Box::new(revoked))),
            Err(missing @ Error::NotFound { .. }) => missing,
            Err(error) => return Err(error),
        };
        let RevocationTarget::Serial(serial, ca) = target else { return Err(missing) };
        match self.revoke_known(call, serial, ca, revoke).await? {
            Some(revoked) => Ok(RevokedNamed::Known(Box::new(revoked))),
            None => Err(missing),
        }
    }

    /// `None`: the CA knows no such serial.
    async fn revoke_known(
        &self,
        call: &Call,
        serial: &Serial,
        ca: &Reference,
        revoke: Revoke,
    ) -> Result<Option<RevokedKnown>, Error> {
        let mut read = self.inner.store.read().await?;
        let Some(ca) = read.ca(ca).await? else { return Ok(None) };
        // Of nearly all CAs nothing is known: they are not changed for that.
        if read.known_serial(&ca.id, serial).await?.is_none() {
            return Ok(None);
        }
        let (text, compartment) = (serial.to_string(), read.compartment_of(ca.id.as_str()).await?);
        self.authorize(call, Permission::IssuedRevoke, &Object::known_serial(&ca, compartment).called_as(&text))?;
        refuse_what_needs_the_certificate(revoke)?;
        refuse_own(&mut *read, &ca, serial).await?;
        drop(read);
        let mut tx = self.inner.begin_change(call, "known-serial.revoke").await?;
        let ca = find(&mut **tx, &by_id(ca.id.as_str())?).await?;
        let Some(mut known) = tx.known_serial(&ca.id, serial).await? else { return Ok(None) };
        let (before, now) = (known.revocation, self.now());
        let after = match judge_revocation(before, revoke.reason, now) {
            RevocationVerdict::Unchanged => {
                tx.undo().await?;
                return Ok(Some(RevokedKnown { ca, known }));
            }
            RevocationVerdict::Refused(before) => {
                return Err(revoked_already(&format!("The certificate {serial} of CA {}", ca.name), before));
            }
            RevocationVerdict::Write(after) => after,
        };
        known.revocation = Some(after);
        tx.revoke_known_serial(&ca.id, serial, &after).await?;
        let entries: Vec<RevokedSerial> = RevokedSerial::of_known(&known).into_iter().collect();
        tx.note_revocations(&ca.id, &entries, now).await?;
        let mut details = vec![("reason", after.reason.as_str())];
        details.extend(before.as_ref().map(|before| ("before", before.reason.as_str())));
        details.extend([("ca", ca.name.as_str()), ("issuedBy", "the CA before it came here")]);
        let target = Target { kind: "issued-certificate", id: &text, name: "" };
        tx.insert_audit(&self.inner.audit(call, "issued-certificate.revoke", target, &details)).await?;
        tx.insert_event(&self.inner.event(call, EventKind::CertificateRevoked, target, &details)).await?;
        // The lists are woken with it.
        tx.commit().await?;
        self.forget_ocsp(Some(serial));
        Ok(Some(RevokedKnown { ca, known }))
    }
}

fn refuse_what_needs_the_certificate(revoke: Revoke) -> Result<(), Error> {
    if revoke.siblings {
        let detail = "The CA gave the certificate away before it came here; its key is not known, nor who shares it.";
        let hint = "Leave `siblings` out.";
        return Err(Error::invalid("/siblings", Invalid::new("siblings_not_known", detail, hint)));
    }
    if revoke.reason == RevocationReason::CertificateHold {
        return Err(Error::conflict(
            "hold_of_a_known_serial",
            "What a CA gave away before it came here cannot be put on hold: nothing ends that here.",
            "Give another reason.",
        ));
    }
    Ok(())
}

/// A root that came along knows the serial of its own certificate.
async fn refuse_own(queries: &mut dyn Queries, ca: &Ca, serial: &Serial) -> Result<(), Error> {
    for version in queries.ca_versions(&ca.id).await?.iter().filter(|version| version.serial.as_ref() == Some(serial)) {
        let Some(der) = version.certificate.as_deref() else { continue };
        if read_certificate(der)?.is_self_issued() {
            return Err(Error::conflict(
                "not_revocable",
                format!("{serial} is the serial of CA {} itself, which is a root.", ca.name),
                "A root is distrusted where it is trusted.",
            ));
        }
    }
    Ok(())
}
