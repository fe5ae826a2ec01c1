//! A certificate that has itself renewed: its holder shows it on the connection, and gets the same for another key.
//!
//! What began with an enrolment token goes on in this way, without any secret but the key in use. The proof of possession is
//! the TLS handshake's; whether the certificate still stands is asked here, for every request, so that neither a
//! connection that stays open nor a resumed session outlives a revocation.

use super::enroll::EnrollRequest;
use crate::audit::Target;
use crate::change::by_id;
use crate::identity::stands;
use crate::issuance::{Issued, STALE_EPOCH, Subject, Trial, csr_leaf, read_csr};
use crate::{App, Call, Caller, Error, SignRequest};
use certwright_domain::issued::IssuedCertificate;
use certwright_domain::name::Reference;
use certwright_domain::rules::LeafRequest;
use certwright_domain::san::San;
use certwright_domain::serial::Sha256;
use certwright_domain::violation::Violation;
use std::collections::BTreeSet;

/// How often it is begun anew because the configuration changed under it.
const MAX_ATTEMPTS: u32 = 5;

impl App {
    /// Who holds the key of the certificate with this fingerprint (SHA-256 of its DER), as the connection has proven? It must be
    /// of the inventory, for clients, within its validity, not revoked, and of a CA that is in use; all others get the
    /// same answer.
    pub async fn authenticate_certificate(&self, fingerprint: &Sha256) -> Result<Caller, Error> {
        let (row, epoch) = self.standing_certificate(fingerprint).await?.ok_or_else(unauthenticated)?;
        self.access().await?;
        Ok(Caller::certificate(row, epoch))
    }

    /// Signs a CSR with a fresh key for the names of the certificate that the caller holds.
    pub async fn renew_by_certificate(
        &self,
        call: &Call,
        ca: &Reference,
        request: EnrollRequest,
    ) -> Result<Issued, Error> {
        let renewed = self.renewed_by_certificate(call, ca, request).await;
        self.note_if_refused(call, "certificate.issue", ("ca", ca.as_str()), renewed)
    }

    /// What [`App::renew_by_certificate`] would do; nothing is signed or stored.
    pub async fn try_renew_by_certificate(
        &self,
        call: &Call,
        ca: &Reference,
        request: EnrollRequest,
    ) -> Result<Trial, Error> {
        let before = self.renewable(call, ca).await?;
        let csr = read_csr(&request.csr)?;
        self.check_renewal(before, &csr_leaf(csr, Subject::default(), request.validity)).await?;
        let profile = Some(by_id(&before.profile)?);
        let request =
            SignRequest { csr: request.csr, subject: Subject::default(), profile, validity: request.validity };
        self.try_sign(call, ca, request).await
    }

    async fn renewed_by_certificate(
        &self,
        call: &Call,
        ca: &Reference,
        request: EnrollRequest,
    ) -> Result<Issued, Error> {
        let before = self.renewable(call, ca).await?;
        let csr = read_csr(&request.csr)?;
        let ignored = csr.ignored_extensions.clone();
        let leaf = csr_leaf(csr, Subject::default(), request.validity);
        self.check_renewal(before, &leaf).await?;
        let (ca, profile) = (by_id(before.ca_id.as_str())?, by_id(&before.profile)?);
        for _ in 0..MAX_ATTEMPTS {
            let signed = self.sign_leaf(call, &ca, &profile, leaf.clone(), None).await?;
            let mut tx = self.inner.store.begin("certificate.renew").await?;
            match signed.record(self, call, &mut tx).await {
                Ok(()) => {}
                Err(certwright_store::Error::Stale { what: STALE_EPOCH }) => {
                    drop(tx);
                    self.refresh_epoch().await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            // As it stands now, and not when the request came in.
            let current = tx.issued(&before.id).await?;
            if !current.is_some_and(|row| stands(&row, self.now())) {
                return Err(unauthenticated());
            }
            let row = signed.row();
            let (old, new) = (before.serial.to_string(), row.serial.to_string());
            let details = [("serial", new.as_str()), ("previousSerial", &old), ("ca", row.ca_id.as_str())];
            let target = Target { kind: "issued-certificate", id: row.id.as_str(), name: &row.common_name };
            tx.insert_audit(&self.inner.audit(call, "certificate.renew-itself", target, &details)).await?;
            return signed.commit(tx, ignored).await;
        }
        Err(Error::Unavailable { detail: "the configuration kept changing".into(), retry_after_s: 1 })
    }

    /// The certificate of this call, if it is of this CA and may have itself renewed.
    async fn renewable<'c>(&self, call: &'c Call, ca: &Reference) -> Result<&'c IssuedCertificate, Error> {
        let row = call.caller.as_certificate().ok_or_else(unauthenticated)?;
        let named = crate::cas::find(&mut *self.inner.store.read().await?, ca).await?;
        if named.id != row.ca_id {
            return Err(Error::not_found("ca", ca));
        }
        match row.renews_itself() {
            true => Ok(row),
            false => Err(Error::conflict(
                "not_enrolled",
                format!("The certificate {} was not given for an enrolment token.", row.serial),
                "Have it issued anew in the way that it was issued in, or begin with an enrolment token.",
            )),
        }
    }

    /// The same subject, the same names, and a key that no certificate has had.
    async fn check_renewal(&self, before: &IssuedCertificate, request: &LeafRequest) -> Result<(), Error> {
        let mut broken = Vec::new();
        let subject = request.subject.to_string();
        if subject != before.subject {
            broken.push(differs("/subject", subject, before.subject.clone()));
        }
        let texts = |names: &[San]| names.iter().map(San::to_string).collect::<BTreeSet<_>>();
        let (asked, had) = (texts(&request.names), texts(&before.names));
        if asked != had {
            let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
            broken.push(differs("/names", list(asked), list(had)));
        }
        let key = request.public_key.spki_sha256;
        let mut read = self.inner.store.read().await?;
        if key == before.spki_sha256 || !read.issued_with_key(&key, self.now(), 1).await?.is_empty() {
            broken.push(Violation {
                code: "key_not_fresh",
                rule: "renewalKey",
                owner: format!("certificate {}", before.serial),
                pointer: "/csr".to_owned(),
                detail: "The CSR's key is that of a certificate already.".to_owned(),
                hint: "Make a new key for each renewal.".to_owned(),
                allowed: "a fresh key".to_owned(),
                limit: "a fresh key".to_owned(),
                value: key.to_string(),
            });
        }
        if broken.is_empty() { Ok(()) } else { Err(Error::Rejected(broken)) }
    }
}

fn differs(pointer: &str, value: String, limit: String) -> Violation {
    Violation {
        code: "not_the_same_names",
        rule: "renewalNames",
        owner: "the certificate in use".to_owned(),
        pointer: pointer.to_owned(),
        detail: format!("`{value}` is not what the certificate in use has: `{limit}`."),
        hint: "Ask for exactly the same subject and names.".to_owned(),
        allowed: limit.clone(),
        limit,
        value,
    }
}

/// The one answer to every certificate that does not speak for its holder.
fn unauthenticated() -> Error {
    Error::Unauthenticated {
        detail: "The connection shows no client certificate of ours that is in force, not revoked and for client \
                 authentication."
            .to_owned(),
    }
}
