//! Idempotency keys: the first call's answer, again.
//!
//! Keys belong to a caller; two callers may use the same one. A response may hold a private key, so it is sealed under
//! the root key with caller and key as associated data: a row that is moved to another caller does not open.

mod codec;

use crate::{App, Call, Error};
use certwright_domain::serial::Sha256;
use certwright_domain::time::{Span, Timestamp};
use certwright_domain::violation::Invalid;
use certwright_store::IdempotencyRecord;

/// A first call that has not answered after this is given up; its key may be taken again.
const IN_FLIGHT: Span = Span::from_s(60);

/// A stored response.
#[derive(Clone)]
pub struct StoredResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers worth repeating (`content-type`, `location`, `etag`, `cache-control`, `content-disposition`).
    pub headers: Vec<(String, String)>,
    /// Body; may hold a private key, so it is sealed at rest.
    pub body: certwright_domain::secret::SecretBytes,
}

/// What to do with a call that carries an idempotency key.
pub enum IdempotencyStart {
    /// The first time: run it, then call [`App::finish_idempotent`] or [`App::abandon_idempotent`].
    Run(TakenKey),
    /// It ran before: answer this.
    Replay(StoredResponse),
}

/// A key that a call has taken. Another call may take it over when this one has not ended in a minute; what the call
/// does with its key after that leaves the other one's alone.
#[derive(Clone)]
pub struct TakenKey {
    caller: String,
    key: String,
    at: Timestamp,
    request_id: String,
}

impl App {
    /// Looks the key up, or takes it. Same key with another request is a conflict (`idempotency_key_reused`); a first
    /// call that is still under way is a conflict (`idempotency_in_flight`). A key is 1 to 255 visible ASCII characters.
    pub async fn begin_idempotent(
        &self,
        call: &Call,
        key: &str,
        request_sha256: Sha256,
    ) -> Result<IdempotencyStart, Error> {
        check_key(key)?;
        let caller = call.caller.id();
        let now = self.now();
        let known = self.inner.store.read().await?.idempotency(&caller, key).await?;
        if let Some(answer) = self.answer(known, &request_sha256, now)? {
            return Ok(answer);
        }
        let record = IdempotencyRecord {
            caller,
            key: key.to_owned(),
            request_sha256,
            response: None,
            created_at: now,
            in_flight_until: now.plus(IN_FLIGHT),
        };
        let mut tx = self.inner.store.begin("idempotency.begin").await?;
        // An answered record that has outlived its time makes room. (The store itself replaces those whose first call was
        // given up.) It is looked at again inside the transaction: another request may have made room meanwhile.
        let outlived = tx.idempotency(&record.caller, key).await?.is_some_and(|old| self.outlived(&old, now));
        if outlived {
            tx.forget_idempotency(&record.caller, key).await?;
        }
        match tx.begin_idempotency(&record).await {
            Ok(()) => {}
            // Another request took the key between looking and taking.
            Err(certwright_store::Error::Conflict { .. }) => {
                drop(tx);
                let winner = self.inner.store.read().await?.idempotency(&record.caller, key).await?;
                return self.answer(winner, &request_sha256, now)?.ok_or_else(in_flight);
            }
            Err(error) => return Err(error.into()),
        }
        tx.commit().await?;
        let IdempotencyRecord { caller, key, created_at: at, .. } = record;
        Ok(IdempotencyStart::Run(TakenKey { caller, key, at, request_id: call.request_id.to_string() }))
    }

    /// Keeps the response for 24 hours (configurable). Durable before it returns.
    pub async fn finish_idempotent(&self, taken: &TakenKey, response: &StoredResponse) -> Result<(), Error> {
        let TakenKey { caller, key, request_id, .. } = taken;
        let sealed = self.inner.keys.seal(&place(caller, key), &codec::encode(response)?)?;
        let mut tx = self.inner.store.begin("idempotency.finish").await?;
        match tx.complete_idempotency(caller, key, &sealed).await {
            Ok(()) => Ok(tx.commit().await?),
            // The call took longer than a first call may, another one took the key over and has answered. Each caller
            // gets the answer of its own call; which of the two a third one will see is no matter.
            Err(certwright_store::Error::Stale { .. }) => {
                tracing::warn!(request.id = request_id, "the idempotency key was taken over before the call ended");
                Ok(tx.rollback().await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sets the key free after a call that changed nothing, unless another call has taken it over.
    pub async fn abandon_idempotent(&self, taken: &TakenKey) -> Result<(), Error> {
        let mut tx = self.inner.store.begin("idempotency.abandon").await?;
        tx.abandon_idempotency(&taken.caller, &taken.key, taken.at).await?;
        Ok(tx.commit().await?)
    }

    /// What a stored record answers; `None`: there is none that counts, the call may run.
    fn answer(
        &self,
        record: Option<IdempotencyRecord>,
        request: &Sha256,
        now: Timestamp,
    ) -> Result<Option<IdempotencyStart>, Error> {
        let Some(record) = record.filter(|record| !self.outlived(record, now)) else {
            return Ok(None);
        };
        if record.request_sha256 != *request {
            return Err(Error::conflict(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request.",
                "Use a new key for every new request; repeat a key only with the same method, path and body.",
            ));
        }
        match &record.response {
            Some(sealed) => {
                let opened = self.inner.keys.open(&place(&record.caller, &record.key), sealed);
                let bytes = opened.map_err(lost)?;
                Ok(Some(IdempotencyStart::Replay(codec::decode(&bytes)?)))
            }
            None if now <= record.in_flight_until => Err(in_flight()),
            None => Ok(None),
        }
    }

    /// Is the record older than keys are kept? The job that forgets such records may not have been round yet.
    fn outlived(&self, record: &IdempotencyRecord, now: Timestamp) -> bool {
        record.created_at.plus(self.inner.settings.idempotency_lifetime) <= now
    }
}

fn place(caller: &str, key: &str) -> String {
    format!("idempotency/{caller}/{key}")
}

fn check_key(key: &str) -> Result<(), Error> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::invalid(
        "",
        Invalid::new(
            "invalid_idempotency_key",
            "The Idempotency-Key is not 1 to 255 visible ASCII characters.",
            "Use a UUID, for example.",
        ),
    ))
}

fn in_flight() -> Error {
    Error::conflict(
        "idempotency_in_flight",
        "The first request with this Idempotency-Key is still under way.",
        "Repeat the request in a few seconds.",
    )
}

/// The stored response was sealed under a root key that this node does not have any more.
fn lost(error: certwright_keystore::Error) -> Error {
    match error {
        certwright_keystore::Error::UnknownRootKey(_) => Error::conflict(
            "idempotency_response_lost",
            "The first request with this Idempotency-Key was answered, but the answer cannot be read any more.",
            "Look whether what you asked for exists; to ask again, use a new key.",
        ),
        other => other.into(),
    }
}
