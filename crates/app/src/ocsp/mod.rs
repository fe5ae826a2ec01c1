//! OCSP: who asks gets an answer signed for the CA in the URL; no leave is needed.
//!
//! 1. [`authority`]: the CA's names and keys, and the key that signs its answers, from memory.
//! 2. [`standing`]: what the CA knows of a serial, from memory for a few seconds, else one indexed read.
//! 3. An answer without nonce is kept and used again while the standing, the responder and half of its life stand;
//!    any other is signed, by no more at once than there are cores.
//! 4. Whoever gets a kept answer is told what it rests on ([`OcspHold`]): a door may give it again for the same bytes,
//!    without any of this, while [`App::ocsp_holds`] says so.
//!
//! A revocation on this node is seen at once ([`App::forget_ocsp`]), one on another node once what is kept has been
//! trusted for [`OcspSettings::recheck`].

mod authority;
mod standing;
mod window;

pub use window::OcspHold;

use crate::{App, Error};
use authority::{Authority, IssuingKey, Responder, Slot};
use bytes::Bytes;
use certwright_domain::issued::SerialStanding;
use certwright_domain::name::Reference;
use certwright_domain::serial::Sha256;
use certwright_domain::time::{Span, Timestamp};
use certwright_pki::ocsp::{
    CertId, CertStatus, MalformedRequest, OcspContent, OcspError, OcspRequest, SignatureCheck, SingleStatus,
    read_ocsp_request,
};
use moka::sync::Cache;
use standing::{Seen, Standings};
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};
use window::Window;

/// Settings of OCSP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspSettings {
    /// From thisUpdate to nextUpdate.
    pub response_lifetime: Span,
    /// How long this node goes without asking the database whether what it knows still holds.
    pub recheck: Span,
    /// Lifetime of a delegated responder's certificate, where its CA leaves as much.
    pub responder_lifetime: Span,
    /// Bytes of memory for answers that are used again.
    pub cache_bytes: u64,
    /// Answers that are signed at the same time; others wait.
    pub signing: usize,
}

impl Default for OcspSettings {
    fn default() -> Self {
        Self {
            response_lifetime: Span::from_hours(12),
            recheck: Span::from_s(5),
            responder_lifetime: Span::from_days(7),
            cache_bytes: 64 * 1024 * 1024,
            signing: 2,
        }
    }
}

impl OcspSettings {
    /// A quarter: an answer that is ready to leave is found under each request that asks for it, and for a moment only.
    const fn ready_bytes(&self) -> u64 {
        self.cache_bytes / 4
    }
}

/// A signed answer.
#[derive(Debug, PartialEq, Eq)]
pub struct OcspAnswer {
    /// DER OCSPResponse.
    pub der: Bytes,
    /// SHA-256 of it, where others may keep it.
    pub digest: Option<Sha256>,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// May others keep it until then? Not with a nonce, and not when nothing is known of the certificate.
    pub cacheable: bool,
}

/// What an asker is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspGiven {
    /// The answer.
    pub answer: Arc<OcspAnswer>,
    /// While this holds, the same request gets the same answer; `None`: it is for this asker alone.
    pub hold: Option<OcspHold>,
}

impl OcspGiven {
    const fn once(answer: Arc<OcspAnswer>) -> Self {
        Self { answer, hold: None }
    }
}

/// An answer that is kept, and what it rests on.
struct Kept {
    answer: Arc<OcspAnswer>,
    standing: Option<SerialStanding>,
    /// Which certificate's key signed.
    responder: Sha256,
    /// Outside of it, it is signed anew.
    window: Window,
}

/// An unknown certificate may be issued in the next moment.
const UNKNOWN_LIFETIME: Span = Span::from_minutes(5);
/// CAs whose names and keys are kept.
const MAX_AUTHORITIES: u64 = 10_000;
/// Opened responders.
const MAX_RESPONDERS: u64 = 10_000;
/// One of so many signatures of a signer is verified where the asker alone gets it.
const SAMPLE: u64 = 64;
/// What an entry of the cache takes beside its bytes, about.
const ENTRY_BYTES: usize = 300;

/// What OCSP keeps in memory.
pub(crate) struct Ocsp {
    authorities: Cache<String, Arc<Authority>>,
    responders: Cache<(String, u32), Arc<Slot>>,
    turns: crate::certificates::Locks,
    standings: Standings,
    answers: Cache<Arc<[u8]>, Arc<Kept>>,
    signing: Semaphore,
    places: u32,
}

impl Ocsp {
    pub(crate) fn new(settings: &OcspSettings) -> Self {
        let places = u32::try_from(settings.signing.clamp(1, 1024)).unwrap_or(1);
        let weigh = |key: &Arc<[u8]>, kept: &Arc<Kept>| {
            let bytes = key.len().saturating_add(kept.answer.der.len()).saturating_add(ENTRY_BYTES);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            authorities: Cache::new(MAX_AUTHORITIES),
            responders: Cache::new(MAX_RESPONDERS),
            turns: crate::certificates::Locks::new(),
            // A standing takes about a tenth of an answer.
            standings: Standings::new(settings.cache_bytes / 8),
            answers: Cache::builder()
                .max_capacity(settings.cache_bytes.saturating_sub(settings.ready_bytes()))
                .weigher(weigh)
                .build(),
            signing: Semaphore::new(usize::try_from(places).unwrap_or(1)),
            places,
        }
    }
}

impl App {
    /// Answers a DER OCSPRequest for the CA; `version`: the one that the URL names, which must be there. Whichever version
    /// the URL names, the answer is for those that the request names by name and key.
    ///
    /// # Errors
    /// The unsigned answer to give: `malformedRequest`; `unauthorized` for CAs that are not ours, are deleted, have no key,
    /// or do not offer OCSP, and for requests about other issuers; `tryLater` when the database or the key is not to be
    /// had at the moment; `internalError`. Why goes to the log ([`OcspRefusal::report`]).
    pub async fn ocsp(&self, ca: &Reference, version: Option<u32>, request: &[u8]) -> Result<OcspGiven, OcspRefusal> {
        let request = read_ocsp_request(request).map_err(OcspRefusal::Malformed)?;
        self.answer_ocsp(ca, version, &request).await
    }

    /// Bytes of memory for the doors' own copies of answers, a part of [`OcspSettings::cache_bytes`].
    pub fn ocsp_ready_bytes(&self) -> u64 {
        self.inner.settings.ocsp.ready_bytes()
    }

    /// Has this node look at the certificate's standing again before it answers: something about it was changed here.
    pub(crate) fn forget_ocsp(&self, serial: Option<&certwright_domain::serial::Serial>) {
        if let Some(serial) = serial {
            self.inner.ocsp.standings.forget(serial);
        }
    }

    async fn answer_ocsp(
        &self,
        ca: &Reference,
        version: Option<u32>,
        request: &OcspRequest<'_>,
    ) -> Result<OcspGiven, OcspRefusal> {
        let authority = self.ocsp_authority(ca).await?;
        if version.is_some_and(|number| !authority.has_version(number)) {
            return Err(OcspRefusal::Known(OcspError::Unauthorized));
        }
        let key = request.ids.iter().find_map(|id| authority.key_of(id));
        let key = key.ok_or(OcspRefusal::Known(OcspError::Unauthorized))?;
        let (responder, trusted) = self.ocsp_responder(&authority, key).await?;
        let now = self.now();
        match (request.ids.as_slice(), request.nonce) {
            ([id], None) => {
                let seen = self.standing_of(&authority, key, id).await?;
                let standing = seen.as_ref().and_then(|seen| seen.standing);
                let kept = self.kept_or_signed(&authority, &responder, id, standing, now).await?;
                // A kept answer ends before its responder's certificate, and that before the CA's.
                let hold = seen.filter(|_| kept.answer.cacheable).map(|Seen { stripe, window, .. }| {
                    let recheck = self.inner.settings.ocsp.recheck;
                    let window = window.and(authority.window(recheck)).and(trusted).and(kept.window);
                    OcspHold { epoch: authority.epoch, stripe, window }
                });
                Ok(OcspGiven { answer: Arc::clone(&kept.answer), hold })
            }
            (ids, nonce) => {
                let mut singles = Vec::with_capacity(ids.len());
                for id in ids {
                    let seen = self.standing_of(&authority, key, id).await?;
                    singles.push(single(id, seen.and_then(|seen| seen.standing)));
                }
                Ok(OcspGiven::once(self.sign_ocsp(&responder, &singles, nonce, now).await?))
            }
        }
    }

    /// The answer that is kept for the certificate, or a new one, which is kept if others may use it.
    async fn kept_or_signed(
        &self,
        authority: &Authority,
        responder: &Responder,
        id: &CertId<'_>,
        standing: Option<SerialStanding>,
        now: Timestamp,
    ) -> Result<Arc<Kept>, Error> {
        let place: Arc<[u8]> = [authority.ca.as_str().as_bytes(), id.raw].concat().into();
        if let Some(kept) = self.inner.ocsp.answers.get(&place)
            && kept.standing == standing
            && kept.responder == responder.certificate
            && kept.window.contains(now)
        {
            return Ok(kept);
        }
        let answer = self.sign_ocsp(responder, &[single(id, standing)], None, now).await?;
        let half = Span::from_ms(answer.next_update.ms_since(answer.this_update) / 2);
        let window = Window::since(answer.this_update, half);
        let kept = Arc::new(Kept { answer, standing, responder: responder.certificate, window });
        if kept.answer.cacheable {
            self.inner.ocsp.answers.insert(place, Arc::clone(&kept));
        }
        Ok(kept)
    }

    /// What the CA knows of a certificate under this key; `None`: nothing. Certificates under other keys of the CA are
    /// not for this key's responder to speak of.
    async fn standing_of(
        &self,
        authority: &Authority,
        key: &IssuingKey,
        id: &CertId<'_>,
    ) -> Result<Option<Seen>, Error> {
        let Some(serial) = id.serial.as_ref().filter(|_| key.issuer.is_named_by(id)) else { return Ok(None) };
        let mut seen = self.serial_standing(&authority.ca, serial).await?;
        seen.standing = seen.standing.filter(|known| known.ca_version.is_none_or(|number| key.has_version(number)));
        Ok(Some(seen))
    }

    async fn sign_ocsp(
        &self,
        responder: &Responder,
        singles: &[SingleStatus<'_>],
        nonce: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Arc<OcspAnswer>, Error> {
        let known = singles.iter().all(|single| single.status != CertStatus::Unknown);
        let lifetime = self.inner.settings.ocsp.response_lifetime;
        let lifetime = if known { lifetime } else { lifetime.min(UNKNOWN_LIFETIME) };
        let this_update = now.floor_to_second();
        // An answer that outlived its responder's certificate would be worth nothing.
        let next_update = this_update.plus(lifetime).min(responder.not_after);
        let cacheable = known && nonce.is_none();
        let algorithm = responder.identity.algorithm();
        let slow = algorithm.is_rsa();
        let check = match cacheable || slow || responder.is_sampled(SAMPLE) {
            true => SignatureCheck::Verified,
            false => SignatureCheck::Sampled,
        };
        let prepared = responder.identity.prepare(OcspContent { singles, this_update, next_update, nonce });
        let signature = {
            let _place = self.signing_place(slow).await?;
            responder.signer.sign(algorithm, prepared.tbs()).await?
        };
        let der = prepared.finish(&signature, check).inspect_err(|_| {
            // Whatever is wrong with the signer, it is opened anew before it signs again.
            self.inner.ocsp.responders.invalidate(&responder.place);
        })?;
        let digest = cacheable.then(|| crate::sha256(&[&der]));
        Ok(Arc::new(OcspAnswer { der: der.into(), digest, this_update, next_update, cacheable }))
    }

    /// A place among those that sign. RSA takes two: half of the cores stay free for those who issue.
    async fn signing_place(&self, slow: bool) -> Result<SemaphorePermit<'_>, Error> {
        let ocsp = &self.inner.ocsp;
        let places = if slow { ocsp.places.min(2) } else { 1 };
        ocsp.signing.acquire_many(places).await.map_err(|_| Error::Internal("the places to sign are closed".into()))
    }
}

/// Why there is no signed answer.
#[derive(Debug)]
pub enum OcspRefusal {
    /// The request cannot be read.
    Malformed(MalformedRequest),
    /// Decided.
    Known(OcspError),
    /// Something failed.
    Failed(Error),
}

impl OcspRefusal {
    /// Logs what the asker is not told; the unsigned answer to give.
    pub fn report(self) -> OcspError {
        match self {
            Self::Malformed(malformed) => {
                tracing::debug!(why = malformed.0, "an OCSP request was refused");
                OcspError::MalformedRequest
            }
            Self::Known(known) => known,
            Self::Failed(Error::NotFound { .. }) => OcspError::Unauthorized,
            Self::Failed(error @ (Error::Unavailable { .. } | Error::Conflict { .. })) => {
                tracing::debug!(%error, "no OCSP answer for the moment");
                OcspError::TryLater
            }
            Self::Failed(error) => {
                tracing::error!(%error, "an OCSP answer failed");
                OcspError::InternalError
            }
        }
    }
}

impl From<Error> for OcspRefusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn single<'a>(id: &'a CertId<'a>, standing: Option<SerialStanding>) -> SingleStatus<'a> {
    let status = match standing {
        None => CertStatus::Unknown,
        Some(SerialStanding { revocation: None, .. }) => CertStatus::Good,
        Some(SerialStanding { revocation: Some(revocation), .. }) => CertStatus::Revoked(revocation),
    };
    SingleStatus { id, status }
}
