//! Nonces (RFC 8555 section 6.5): time and randomness with an authenticator, so that no unused one takes up any room; used
//! ones are rows until they would be too old anyway. So they hold on every node and after a restart, and each is good once.
//!
//! Nobody waits for the disk: the durable commit of what a request does takes its nonce along (`Store::take_acme_nonce`), and a
//! request that does nothing does nothing when it is said twice.

use super::problem::{AcmeError, ProblemKind, refuse};
use crate::App;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::time::{Span, Timestamp};
use certwright_store::{AcmeNonce, Error};

/// How long a nonce is good.
pub(super) const LIFETIME: Span = Span::from_minutes(30);
/// The name under which the store takes them.
pub(super) const TAKE: &str = "acme.use-nonces";
/// Time and randomness.
const BODY: usize = 16;
/// Of the authenticator.
const TAG: usize = 16;

/// A nonce that was given out here and is not too old; whether it was used before, the store knows.
pub struct GivenNonce(pub(super) AcmeNonce);

/// What a request began with: its nonce is taken, whatever came of the rest. Made in this file alone, out of a nonce.
pub struct Begun<T>(Result<T, AcmeError>);

impl<T> Begun<T> {
    /// What came of it.
    pub fn found(self) -> Result<T, AcmeError> {
        self.0
    }

    /// Goes on with what was found.
    pub(super) fn and_then<U>(self, then: impl FnOnce(T) -> Result<U, AcmeError>) -> Begun<U> {
        Begun(self.0.and_then(then))
    }

    /// The same where that takes time.
    pub(super) async fn and_then_async<U>(self, then: impl AsyncFnOnce(T) -> Result<U, AcmeError>) -> Begun<U> {
        match self.0 {
            Ok(found) => Begun(then(found).await),
            Err(refusal) => Begun(Err(refusal)),
        }
    }
}

/// What the store said to a nonce and a question: `None`, that the nonce was used before.
pub(super) fn begun<T>(answer: Result<Option<T>, Error>) -> Result<Begun<T>, AcmeError> {
    match answer? {
        Some(found) => Ok(Begun(Ok(found))),
        None => bad(),
    }
}

/// One that is none of ours, too old, or used before: the request has no effect.
fn bad<T>() -> Result<T, AcmeError> {
    refuse(ProblemKind::BadNonce, "The nonce was not given here, is too old, or was used before.")
}

impl App {
    /// A fresh nonce: base64url, 43 characters.
    pub async fn new_acme_nonce(&self) -> Result<String, AcmeError> {
        let keys = self.acme_keys().await?;
        let mut body = self.now().unix_ms().to_be_bytes().to_vec();
        let mut random = [0; 8];
        self.inner.entropy.fill(&mut random);
        body.extend(random);
        let tag = keys.nonce_tag(&body);
        body.extend(tag.as_ref().iter().take(TAG));
        Ok(URL_SAFE_NO_PAD.encode(body))
    }

    /// Reads a nonce. One that is none of ours or too old is `badNonce`; what is not base64url is `malformed`: no fresh nonce mends
    /// a client that writes them so (RFC 8555 section 6.5.2).
    pub async fn read_acme_nonce(&self, nonce: &str) -> Result<GivenNonce, AcmeError> {
        let keys = self.acme_keys().await?;
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok().filter(|bytes| !bytes.is_empty());
        let Some(bytes) = bytes else { return refuse(ProblemKind::Malformed, "The nonce is not base64url.") };
        let Some((body, tag)) = bytes.split_at_checked(BODY) else { return bad() };
        let expected = keys.nonce_tag(body);
        let expected: Vec<u8> = expected.as_ref().iter().take(TAG).copied().collect();
        if verify_slices_are_equal(&expected, tag).is_err() {
            return bad();
        }
        let made = body.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes));
        let (now, made) = (self.now(), Timestamp::from_unix_ms(made));
        // A clock that was set back makes old nonces good for a while longer, and their rows stay as long.
        let expires_at = made.plus(LIFETIME);
        if expires_at <= now {
            return bad();
        }
        Ok(GivenNonce(AcmeNonce { body: body.to_vec(), expires_at }))
    }

    /// Takes a nonce for a request that begins with nothing else. One that was used before is `badNonce`, and has no effect.
    pub async fn take_acme_nonce(&self, nonce: GivenNonce) -> Result<(), AcmeError> {
        match self.inner.store.take_acme_nonce(TAKE, &nonce.0).await? {
            true => Ok(()),
            false => bad(),
        }
    }

    /// Takes a nonce for a request that comes to nothing: it is used up.
    pub async fn begin_refused<T>(&self, nonce: GivenNonce, refusal: AcmeError) -> Result<Begun<T>, AcmeError> {
        self.take_acme_nonce(nonce).await?;
        Ok(Begun(Err(refusal)))
    }
}
