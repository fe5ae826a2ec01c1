//! For whom answers are given, and who signs them.

use super::OcspRefusal;
use super::window::Window;
use crate::access::Background;
use crate::{App, Call, Error};
use certwright_domain::ca::{CaState, CaVersion, OcspResponderKind};
use certwright_domain::id::CaId;
use certwright_domain::name::Reference;
use certwright_domain::ocsp::OcspResponder as StoredResponder;
use certwright_domain::serial::Sha256;
use certwright_domain::time::{Span, Timestamp};
use certwright_keystore::Signer;
use certwright_pki::ocsp::{CertId, OcspError, OcspIssuer, OcspResponder};
use certwright_pki::read_certificate;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A CA that answers, as it was under one epoch.
pub(super) struct Authority {
    pub(super) ca: CaId,
    pub(super) epoch: i64,
    checked_at: AtomicI64,
    kind: OcspResponderKind,
    keys: Vec<IssuingKey>,
}

/// One name and key of a CA, and the versions that have both.
pub(super) struct IssuingKey {
    pub(super) issuer: OcspIssuer,
    /// Number and notAfter, newest first.
    versions: Vec<(u32, Timestamp)>,
}

/// Who signs for one version of a CA, or why nobody does.
pub(super) struct Slot {
    epoch: i64,
    window: Window,
    outcome: Result<Arc<Responder>, OcspError>,
}

/// Who signs.
pub(super) struct Responder {
    /// Its key in the cache.
    pub(super) place: (String, u32),
    pub(super) identity: OcspResponder,
    pub(super) signer: Arc<dyn Signer>,
    /// Fingerprint of the certificate whose key signs.
    pub(super) certificate: Sha256,
    pub(super) not_after: Timestamp,
    signed: AtomicU64,
    kind: OcspResponderKind,
}

impl Authority {
    /// The key that the identifier names.
    pub(super) fn key_of(&self, id: &CertId<'_>) -> Option<&IssuingKey> {
        self.keys.iter().find(|key| key.issuer.is_named_by(id))
    }

    /// While it is trusted.
    pub(super) fn window(&self, recheck: Span) -> Window {
        Window::since(Timestamp::from_unix_ms(self.checked_at.load(Ordering::Acquire)), recheck)
    }

    pub(super) fn has_version(&self, number: u32) -> bool {
        self.keys.iter().any(|key| key.has_version(number))
    }
}

impl IssuingKey {
    pub(super) fn has_version(&self, number: u32) -> bool {
        self.versions.iter().any(|(version, _)| *version == number)
    }

    /// The version that lasts longest, while it lasts.
    fn lasting(&self, now: Timestamp) -> Option<u32> {
        let (number, not_after) = self.versions.iter().max_by_key(|(_, not_after)| *not_after)?;
        (now.floor_to_second() <= *not_after).then_some(*number)
    }
}

impl Slot {
    fn given(&self) -> Result<(Arc<Responder>, Window), OcspRefusal> {
        let responder = self.outcome.clone().map_err(OcspRefusal::Known)?;
        Ok((responder, self.window))
    }
}

impl Responder {
    /// Is this signature one of those that are verified? The first of each signer is.
    pub(super) fn is_sampled(&self, one_in: u64) -> bool {
        self.signed.fetch_add(1, Ordering::Relaxed).is_multiple_of(one_in)
    }

    fn lasts(&self, now: Timestamp) -> bool {
        now.floor_to_second() <= self.not_after
    }
}

impl App {
    /// The CA's names and keys: from memory while the epoch stands, which is read when it has not been for a while.
    pub(super) async fn ocsp_authority(&self, reference: &Reference) -> Result<Arc<Authority>, OcspRefusal> {
        let (now, recheck) = (self.now(), self.inner.settings.ocsp.recheck);
        let epoch = self.working_epoch().await?;
        if let Some(known) = self.inner.ocsp.authorities.get(reference.as_str()) {
            let fresh = known.window(recheck).contains(now);
            if known.epoch == epoch && (fresh || Box::pin(self.refresh_epoch()).await? == known.epoch) {
                if !fresh {
                    known.checked_at.store(now.unix_ms(), Ordering::Release);
                }
                return Ok(known);
            }
        }
        let loaded = Arc::new(Box::pin(self.load_authority(reference, now)).await?);
        self.inner.ocsp.authorities.insert(reference.as_str().to_owned(), Arc::clone(&loaded));
        Ok(loaded)
    }

    async fn load_authority(&self, reference: &Reference, now: Timestamp) -> Result<Authority, OcspRefusal> {
        let mut read = self.inner.store.read().await.map_err(Error::from)?;
        let epoch = read.epoch().await.map_err(Error::from)?;
        self.inner.context.note_epoch(epoch);
        let ca = read.ca(reference).await.map_err(Error::from)?.ok_or(OcspRefusal::Known(OcspError::Unauthorized))?;
        if !ca.revocation.ocsp_enabled || ca.key.is_none() || ca.state == CaState::Deleted {
            return Err(OcspRefusal::Known(OcspError::Unauthorized));
        }
        let versions = read.ca_versions(&ca.id).await.map_err(Error::from)?;
        drop(read);
        let mut keys: Vec<IssuingKey> = Vec::new();
        for version in versions {
            let Some(der) = &version.certificate else { continue };
            let certificate = read_certificate(der).map_err(Error::from)?;
            let issuer = OcspIssuer::of(&certificate).map_err(Error::from)?;
            let version = (version.number, certificate.validity.not_after());
            match keys.iter_mut().find(|key| key.issuer == issuer) {
                Some(key) => key.versions.push(version),
                None => keys.push(IssuingKey { issuer, versions: vec![version] }),
            }
        }
        let checked_at = AtomicI64::new(now.unix_ms());
        Ok(Authority { ca: ca.id, epoch, checked_at, kind: ca.revocation.ocsp_responder, keys })
    }

    /// Who signs for this key of the CA, and while that is trusted.
    pub(super) async fn ocsp_responder(
        &self,
        authority: &Authority,
        key: &IssuingKey,
    ) -> Result<(Arc<Responder>, Window), OcspRefusal> {
        let now = self.now();
        // Once a CA's certificate has ended, so have all that it issued.
        let version = key.lasting(now).ok_or(OcspRefusal::Known(OcspError::Unauthorized))?;
        let place = (authority.ca.as_str().to_owned(), version);
        match self.trusted_slot(authority, &place, now) {
            Some(slot) => slot.given(),
            None => Box::pin(self.learn_responder(authority, place, now)).await,
        }
    }

    /// Looks who signs, and remembers it for `recheck`; one caller at a time.
    async fn learn_responder(
        &self,
        authority: &Authority,
        place: (String, u32),
        now: Timestamp,
    ) -> Result<(Arc<Responder>, Window), OcspRefusal> {
        let _turn = self.inner.ocsp.turns.turn(authority.ca.as_str()).await;
        if let Some(slot) = self.trusted_slot(authority, &place, now) {
            return slot.given();
        }
        let outcome = match self.find_responder(authority, &place, now).await {
            Ok(responder) => Ok(responder),
            Err(error @ Error::Unavailable { .. }) => return Err(error.into()),
            Err(Error::NotFound { .. }) => Err(OcspError::Unauthorized),
            Err(error @ (Error::Conflict { .. } | Error::Rejected(_))) => {
                tracing::warn!(ca.id = %authority.ca, version = place.1, %error, "nobody can sign OCSP answers");
                Err(OcspError::TryLater)
            }
            Err(error) => {
                tracing::error!(ca.id = %authority.ca, version = place.1, %error, "the OCSP responder cannot be opened");
                Err(OcspError::InternalError)
            }
        };
        let window = Window::since(now, self.inner.settings.ocsp.recheck);
        let slot = Arc::new(Slot { epoch: authority.epoch, window, outcome });
        self.inner.ocsp.responders.insert(place, Arc::clone(&slot));
        slot.given()
    }

    /// What is known of the place, if it was looked at lately and still fits.
    fn trusted_slot(&self, authority: &Authority, place: &(String, u32), now: Timestamp) -> Option<Arc<Slot>> {
        let slot = self.inner.ocsp.responders.get(place)?;
        let fits = match &slot.outcome {
            Ok(responder) => {
                // The CA's own key may have been disabled under another epoch; a responder's has no other use.
                responder.kind == authority.kind
                    && responder.lasts(now)
                    && (authority.kind == OcspResponderKind::Delegated || slot.epoch == authority.epoch)
            }
            Err(_) => slot.epoch == authority.epoch,
        };
        (fits && slot.window.contains(now)).then_some(slot)
    }

    async fn find_responder(
        &self,
        authority: &Authority,
        place: &(String, u32),
        now: Timestamp,
    ) -> Result<Arc<Responder>, Error> {
        let known = self.inner.ocsp.responders.get(place).and_then(|slot| slot.outcome.clone().ok());
        if authority.kind == OcspResponderKind::Ca {
            return self.open_ca_as_responder(authority, place).await.map(Arc::new);
        }
        let stored = self.stored_responder(&authority.ca, place.1, now).await?;
        if let Some(known) = known.filter(|known| known.kind == OcspResponderKind::Delegated)
            && crate::sha256(&[&stored.certificate]) == known.certificate
        {
            return Ok(known);
        }
        self.open_responder(place, &stored).await.map(Arc::new)
    }

    /// The responder that is to sign: made when there is none, or when the job has not come round for too long.
    async fn stored_responder(&self, ca: &CaId, version: u32, now: Timestamp) -> Result<StoredResponder, Error> {
        let find = async || -> Result<(Option<StoredResponder>, u32), Error> {
            let mut read = self.inner.store.read().await?;
            let found = read.ocsp_responder(ca, version).await?;
            let latest = read.latest_ocsp_responder(ca, version).await?;
            Ok((found.filter(|found| now.floor_to_second() <= found.validity.not_after()), latest))
        };
        let (found, latest) = find().await?;
        if let Some(found) = &found
            && now < overdue_at(found)
        {
            return Ok(found.clone());
        }
        let call = Call::background(Background::Ocsp, format!("ocsp/{}/{}", self.inner.settings.node, now.unix_ms()));
        let made = self.make_ocsp_responder(&call, ca, version, latest).await;
        match (find().await?.0, made) {
            // Made here or by another node; or the old one goes on while it lasts.
            (Some(found), _) => Ok(found),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::Internal("a responder was made and is not there".into())),
        }
    }

    async fn open_responder(&self, place: &(String, u32), stored: &StoredResponder) -> Result<Responder, Error> {
        let missing = || Error::Internal(format!("{} is missing", stored.key_id));
        let mut read = self.inner.store.read().await?;
        let key = read.key_by_id(&stored.key_id).await?.ok_or_else(missing)?;
        let signer = self.open_signer(&mut read, &key.vault_id, &key.id, stored.key_version).await?;
        drop(read);
        let algorithm = key.algorithm.signature_algorithms().first().copied().ok_or_else(missing)?;
        let certificate = read_certificate(&stored.certificate)?;
        Ok(Responder {
            place: place.clone(),
            identity: OcspResponder::delegated(&certificate, algorithm)?,
            signer,
            certificate: certificate.fingerprint,
            not_after: certificate.validity.not_after(),
            signed: AtomicU64::new(0),
            kind: OcspResponderKind::Delegated,
        })
    }

    async fn open_ca_as_responder(&self, authority: &Authority, place: &(String, u32)) -> Result<Responder, Error> {
        let mut read = self.inner.store.read().await?;
        let ca = read.ca(&crate::change::by_id(authority.ca.as_str())?).await?;
        let ca = ca.ok_or_else(|| Error::not_found("CA", &authority.ca))?;
        let version: Option<CaVersion> = read.ca_version(&ca.id, place.1).await?;
        let version = version.ok_or_else(|| Error::not_found("CA version", place.1))?;
        let (signer, algorithm) = self.ca_signer(&mut read, &ca, &version).await?;
        drop(read);
        let der = version.certificate.ok_or_else(|| Error::not_found("CA certificate", place.1))?;
        let certificate = read_certificate(&der)?;
        Ok(Responder {
            place: place.clone(),
            identity: OcspResponder::issuer(&certificate, algorithm)?,
            signer,
            certificate: certificate.fingerprint,
            not_after: certificate.validity.not_after(),
            signed: AtomicU64::new(0),
            kind: OcspResponderKind::Ca,
        })
    }
}

/// Halfway between the time at which the job was to make a successor and the end.
fn overdue_at(responder: &StoredResponder) -> Timestamp {
    let left = responder.validity.not_after().ms_since(responder.renew_at);
    responder.renew_at.plus(Span::from_ms(left / 2))
}
