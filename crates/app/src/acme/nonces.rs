//! Nonces (RFC 8555 section 6.5): time and randomness with an authenticator, so that no unused one takes up any room; used
//! ones are rows until they would be too old anyway. So they hold on every node and after a restart, and each is good once.
//!
//! Requests that come at once share a transaction: whoever has the turn takes all that wait. Nobody waits for the disk: the
//! durable commit of what a request does takes its nonce along (`Store::take_acme_nonces`), and a request that does nothing
//! does nothing when it is said twice.

use super::problem::{AcmeError, ProblemKind, refuse};
use crate::App;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::time::{Span, Timestamp};
use certwright_store::AcmeNonce;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// How long a nonce is good.
pub(super) const LIFETIME: Span = Span::from_minutes(30);
/// Time and randomness.
const BODY: usize = 16;
/// Of the authenticator.
const TAG: usize = 16;

/// Nonces that wait to be taken.
#[derive(Default)]
pub(crate) struct Nonces {
    waiting: Mutex<VecDeque<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

struct Waiting {
    nonce: AcmeNonce,
    answer: oneshot::Sender<bool>,
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

    /// Takes a nonce. One that is none of ours, too old, or used before is `badNonce`, and has no effect.
    pub async fn use_acme_nonce(&self, nonce: &str) -> Result<(), AcmeError> {
        let bad = || refuse(ProblemKind::BadNonce, "The nonce was not given here, is too old, or was used before.");
        let keys = self.acme_keys().await?;
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return bad() };
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
        if self.take_nonce(AcmeNonce { body: body.to_vec(), expires_at }).await? { Ok(()) } else { bad() }
    }

    async fn take_nonce(&self, nonce: AcmeNonce) -> Result<bool, AcmeError> {
        let nonces = &self.inner.acme.nonces;
        let (answer, mut answered) = oneshot::channel();
        let waiting = || nonces.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting().push_back(Waiting { nonce, answer });
        let _turn = nonces.turn.lock().await;
        loop {
            match answered.try_recv() {
                Ok(taken) => return Ok(taken),
                // Whoever had the turn failed or went away: the nonce may be gone.
                Err(oneshot::error::TryRecvError::Closed) => return Ok(false),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            // Those in front, until ours was among them.
            let batch: Vec<Waiting> = {
                let mut waiting = waiting();
                let count = waiting.len().min(AcmeNonce::MOST);
                waiting.drain(..count).collect()
            };
            let (batch, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.nonce, one.answer)).unzip();
            let taken = self.inner.store.take_acme_nonces("acme.use-nonces", &batch).await?;
            for (answer, taken) in answers.into_iter().zip(taken) {
                // Who does not listen any more has no use for it.
                let _ = answer.send(taken);
            }
        }
    }
}
