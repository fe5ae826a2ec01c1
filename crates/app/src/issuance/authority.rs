//! CA certificates: the intent is stored before the key signs, so that a crash leaves a row that says what may exist.

use crate::access::{Leave, Permission};
use crate::audit::Target;
use crate::urls::IssuerUrls;
use crate::{App, Call, Error};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::id::{CaId, IntentId, IssuedId};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::renewal::renew_at;
use certwright_domain::rules::Approved;
use certwright_keystore::Signer;
use certwright_pki::{Certificate, Issuer, prepare};
use certwright_store::{Intent, Tx};
use std::sync::Arc;

/// An approved CA certificate and who signs it.
pub(crate) struct AuthorityPlan {
    /// What the rules approved.
    pub(crate) approved: Approved,
    /// Leave to have this key sign; held as the proof of it.
    pub(crate) leave: Leave,
    /// The signing key.
    pub(crate) signer: Arc<dyn Signer>,
    /// How it signs.
    pub(crate) algorithm: SignatureAlgorithm,
    /// The certificate that signs; `None`: the certificate signs itself.
    pub(crate) issuer: Option<Certificate>,
    /// URLs of the signing CA.
    pub(crate) urls: IssuerUrls,
    /// Id of the signing CA (a root's own id).
    pub(crate) ca_id: CaId,
    /// Name of the signing CA.
    pub(crate) ca_name: String,
    /// Version of the signing CA.
    pub(crate) ca_version: u32,
}

/// A CA certificate that is signed and checked, its intent stored. Becomes part of a CA by [`SignedAuthority::record`].
pub(crate) struct SignedAuthority {
    certificate: Certificate,
    row: IssuedCertificate,
    intent: IntentId,
}

impl App {
    /// Stores the intent, signs, checks. No transaction is open while the key signs.
    pub(crate) async fn sign_authority(&self, call: &Call, plan: AuthorityPlan) -> Result<SignedAuthority, Error> {
        plan.leave.require_of(&[Permission::CaIssue, Permission::KeyUse, Permission::CaManage])?;
        let now = self.inner.clock.now();
        let known = self.inner.store.read().await?.known_serials(&plan.ca_id).await?;
        let serial = self.draw_serial(&known.into_iter().map(|known| known.serial).collect())?;
        let subject = plan.approved.subject().to_string();
        let common_name = plan.approved.subject().common_name().unwrap_or_default().to_owned();
        let names = plan.approved.names().to_vec();
        let key_algorithm = plan.approved.public_key().algorithm().map_or("", KeyAlgorithm::as_str).to_owned();
        let issuer = plan.issuer.as_ref().map_or(Issuer::Itself, Issuer::Ca);
        let prepared = prepare(plan.approved, serial.clone(), &issuer, plan.algorithm, &plan.urls.of(&serial))?;
        let intent = Intent {
            id: IntentId::new(now, self.inner.id_entropy()),
            ca_id: plan.ca_id.clone(),
            serial: serial.clone(),
            tbs: prepared.tbs().to_vec(),
            requester: call.caller.id(),
            request_id: call.request_id.clone(),
            created_at: now,
        };
        let audit = self.inner.audit(
            call,
            "ca.sign-intended",
            Target { kind: "ca", id: plan.ca_id.as_str(), name: &plan.ca_name },
            &[("serial", &serial.to_string()), ("subject", &subject)],
        );
        let mut tx = self.inner.store.begin("ca.intent").await?;
        tx.insert_intent(&intent).await?;
        tx.insert_audit(&audit).await?;
        tx.commit().await?;

        let signature = plan.signer.sign(plan.algorithm, prepared.tbs()).await?;
        let certificate = prepared.finish(&signature)?;
        let row = IssuedCertificate {
            id: IssuedId::new(now, self.inner.id_entropy()),
            kind: IssuedKind::Ca,
            ca_id: plan.ca_id,
            ca_name: plan.ca_name,
            ca_version: plan.ca_version,
            serial,
            fingerprint: certificate.fingerprint,
            spki_sha256: certificate.public_key.spki_sha256,
            subject,
            common_name,
            names,
            profile: String::new(),
            key_algorithm,
            validity: certificate.validity,
            renew_at: renew_at(&certificate.validity, None, &certificate.serial, None),
            requester: call.caller.id(),
            requester_name: call.caller.name().to_owned(),
            request_id: call.request_id.clone(),
            certificate: certificate.der.clone(),
            issued_at: now,
            revocation: None,
        };
        Ok(SignedAuthority { certificate, row, intent: intent.id })
    }
}

impl SignedAuthority {
    /// The certificate, for the version row that is written in the same transaction as [`SignedAuthority::record`].
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Id of the inventory row.
    pub(crate) fn issued_id(&self) -> &IssuedId {
        &self.row.id
    }

    /// Writes the inventory row and closes the intent.
    pub(crate) async fn record(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        tx.insert_issued(std::slice::from_ref(&self.row)).await?;
        tx.complete_intent(&self.intent, self.row.issued_at).await?;
        Ok(())
    }
}
