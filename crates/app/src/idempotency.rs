//! Idempotency keys: the first call's answer, again.
use crate::{App, Call, Error};
use certwright_domain::serial::Sha256;

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
    Run,
    /// It ran before: answer this.
    Replay(StoredResponse),
}

impl App {
    /// Looks the key up, or takes it. Same key with another request is a conflict (`idempotency_key_reused`); a first
    /// call that is still under way is a conflict (`idempotency_in_flight`).
    pub async fn begin_idempotent(
        &self,
        call: &Call,
        key: &str,
        request_sha256: Sha256,
    ) -> Result<IdempotencyStart, Error> {
        let _ = (call, key, request_sha256);
        todo!()
    }
    /// Keeps the response for 24 hours (configurable). Durable before it returns.
    pub async fn finish_idempotent(&self, call: &Call, key: &str, response: &StoredResponse) -> Result<(), Error> {
        let _ = (call, key, response);
        todo!()
    }
    /// Sets the key free after a call that changed nothing.
    pub async fn abandon_idempotent(&self, call: &Call, key: &str) -> Result<(), Error> {
        let _ = (call, key);
        todo!()
    }
}
