//! Certificates of delegated OCSP responders (RFC 6960 section 4.2.2.2): approved, signed, read back and recorded like any
//! other, asked for by the server alone.

use super::leaf::MAX_ATTEMPTS;
use crate::certificates::NewVersionKey;
use crate::change::by_id;
use crate::context::issuer_facts;
use crate::{App, Call, Error};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::ca::{Ca, CaVersion, IssuerStanding};
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::id::{CaId, IssuedId};
use certwright_domain::issued::{IssuedCertificate, IssuedKind};
use certwright_domain::name::ResourceName;
use certwright_domain::ocsp::{OcspResponder, RESPONDER_PROFILE, responder_renew_at};
use certwright_domain::public_key::PublicKey;
use certwright_domain::rules::{ResponderRequest, decide_responder};
use certwright_pki::{Certificate, Issuer, Urls, prepare, read_certificate, read_public_key};

/// X.520's upper bound for a commonName.
const MAX_COMMON_NAME: usize = 64;

/// A responder's certificate, signed and checked, not yet recorded.
struct SignedResponder {
    row: IssuedCertificate,
    responder: OcspResponder,
    epoch: i64,
}

impl App {
    /// Makes a responder for the CA's version: a key, a certificate, and the row that says so. Nodes that do so at once
    /// are told that the row changed meanwhile, all but one. `latest`: the number of the newest one that the caller knew when it
    /// found that another is needed; 0: none.
    pub(crate) async fn make_ocsp_responder(
        &self,
        call: &Call,
        ca: &CaId,
        version: u32,
        latest: u32,
    ) -> Result<(), Error> {
        let (stored, stored_version) = self.ca_and_version(ca, version).await?;
        // A CA that cannot sign now costs no key.
        let mut read = self.inner.store.read().await?;
        let (_, signature) = self.ca_signer(&mut read, &stored, &stored_version).await?;
        drop(read);
        // Whoever verifies the CA's signatures verifies those of its kind.
        let algorithm = if signature.is_rsa() { KeyAlgorithm::Rsa2048 } else { KeyAlgorithm::EcdsaP256 };
        let key = self.new_key_named(key_name(ca, version, algorithm)?, algorithm, None).await?;
        let public_key = read_public_key(key.public_key()?)?;
        for _ in 0..MAX_ATTEMPTS {
            let signed = self.sign_responder(call, ca, (version, latest), &public_key, &key).await?;
            let mut tx = self.inner.store.begin("ocsp.responder").await?;
            if tx.hold_epoch().await? != signed.epoch {
                tx.rollback().await?;
                self.refresh_epoch().await?;
                continue;
            }
            key.record(&mut tx).await?;
            tx.insert_issued(std::slice::from_ref(&signed.row)).await?;
            tx.insert_ocsp_responder(&signed.responder).await?;
            tx.insert_audit(&self.issue_audit(call, &signed.row, "")).await?;
            tx.commit().await?;
            metrics::counter!("certwright_certificates_issued_total").increment(1);
            return Ok(());
        }
        Err(Error::Unavailable { detail: "the configuration kept changing".into(), retry_after_s: 1 })
    }

    async fn sign_responder(
        &self,
        call: &Call,
        ca_id: &CaId,
        (number, latest): (u32, u32),
        public_key: &PublicKey,
        key: &NewVersionKey,
    ) -> Result<SignedResponder, Error> {
        // Read first: whatever is read after it is at least as new.
        let epoch = self.refresh_epoch().await?;
        let standing = self.key_standing(&public_key.spki_sha256).await?;
        let (ca, version) = self.ca_and_version(ca_id, number).await?;
        let mut read = self.inner.store.read().await?;
        let (signer, algorithm) = self.ca_signer(&mut read, &ca, &version).await?;
        let known = read.known_serials(ca_id).await?.into_iter().map(|known| known.serial).collect();
        drop(read);
        let der = version.certificate.as_deref();
        let issuer = read_certificate(der.ok_or_else(|| Error::not_found("CA certificate", ca_id))?)?;
        let facts = issuer_facts(&ca, &issuer, &[], IssuerStanding::of(version.revocation.is_some(), false));
        let now = self.now();
        let request = ResponderRequest {
            subject: subject(&ca, &issuer)?,
            public_key: public_key.clone(),
            lifetime: self.inner.settings.ocsp.responder_lifetime,
        };
        let decision = decide_responder(&facts, request, standing, &self.inner.settings.limits, now);
        let approved = decision.into_result().map_err(Error::Rejected)?;
        let serial = self.draw_serial(&known)?;
        // Its own revocation need not be looked up: neither a list nor a responder is named.
        let urls = Urls { ca_issuers: self.urls(&ca, number, &issuer).issuers().to_vec(), ..Urls::default() };
        let prepared = prepare(approved, serial, &Issuer::Ca(&issuer), algorithm, &urls)?;
        let signature = signer.sign(algorithm, prepared.tbs()).await?;
        let certificate = prepared.finish(&signature)?;
        let renew_at = responder_renew_at(&certificate.validity, &issuer.validity);
        let row = self.responder_row(call, &ca, number, &certificate, renew_at);
        let (key_id, key_version) = key.place();
        let responder = OcspResponder {
            ca_id: ca.id,
            ca_version: number,
            number: latest.saturating_add(1),
            issued_id: row.id.clone(),
            key_id,
            key_version,
            certificate: certificate.der,
            validity: certificate.validity,
            renew_at,
            created_at: now,
        };
        Ok(SignedResponder { row, responder, epoch })
    }

    fn responder_row(
        &self,
        call: &Call,
        ca: &Ca,
        ca_version: u32,
        certificate: &Certificate,
        renew_at: certwright_domain::time::Timestamp,
    ) -> IssuedCertificate {
        let now = self.now();
        IssuedCertificate {
            id: IssuedId::new(now, self.inner.id_entropy()),
            kind: IssuedKind::Leaf,
            ca_id: ca.id.clone(),
            ca_name: ca.name.to_string(),
            ca_version,
            serial: certificate.serial.clone(),
            fingerprint: certificate.fingerprint,
            spki_sha256: certificate.public_key.spki_sha256,
            subject: certificate.subject.to_string(),
            common_name: certificate.subject.common_name().unwrap_or_default().to_owned(),
            names: Vec::new(),
            profile: RESPONDER_PROFILE.to_owned(),
            key_algorithm: certificate.public_key.algorithm().map_or("", KeyAlgorithm::as_str).to_owned(),
            validity: certificate.validity,
            renew_at,
            requester: call.caller.id(),
            requester_name: call.caller.name().to_owned(),
            request_id: call.request_id.clone(),
            certificate: certificate.der.clone(),
            issued_at: now,
            revocation: None,
        }
    }

    async fn ca_and_version(&self, id: &CaId, number: u32) -> Result<(Ca, CaVersion), Error> {
        let mut read = self.inner.store.read().await?;
        let ca = read.ca(&by_id(id.as_str())?).await?.ok_or_else(|| Error::not_found("CA", id))?;
        let version = read.ca_version(id, number).await?;
        Ok((ca, version.ok_or_else(|| Error::not_found("CA version", number))?))
    }
}

/// A name that tells people whose responder it is; never the CA's own.
fn subject(ca: &Ca, issuer: &Certificate) -> Result<DistinguishedName, Error> {
    const WORDS: &str = " OCSP responder";
    let name = issuer.subject.common_name().unwrap_or(ca.name.as_str());
    let room = MAX_COMMON_NAME.saturating_sub(WORDS.chars().count());
    let mut text: String = name.chars().take(room).collect();
    text.truncate(text.trim_end().len());
    text.push_str(WORDS);
    let wrong = |invalid: certwright_domain::violation::Invalid| Error::Internal(invalid.detail);
    let attribute = Attribute::parse(AttributeType::CommonName, &text).map_err(wrong)?;
    DistinguishedName::new(vec![attribute]).map_err(wrong)
}

/// A CA's version has one key for its responders, with a version for each of them.
fn key_name(ca: &CaId, version: u32, algorithm: KeyAlgorithm) -> Result<ResourceName, Error> {
    let ulid = ca.as_str().trim_start_matches("ca_");
    ResourceName::parse(&format!("ocsp.{ulid}.{version}.{algorithm}"))
        .map_err(|invalid| Error::Internal(invalid.detail))
}
