//! Who is it? Content type, JWS, account, signature, URL, nonce: in this order, each only when those before it hold.

use crate::Door;
use crate::answer::RequestId;
use crate::jws::{Jws, KeyOf, malformed};
use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use certwright_app::jose::Jwk;
use certwright_app::{AcmeCall, AcmeDoor, AcmeError, Begun, ClientCertificate, GivenNonce, Problem, ProblemKind};
use certwright_domain::acme::{Account, AccountState};
use std::net::SocketAddr;
use std::sync::Arc;

/// The content type of requests (RFC 8555 section 6.2).
const JOSE: &str = "application/jose+json";

/// Who may sign a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signer {
    /// An account, named by its URL.
    Account,
    /// A key, given with the request.
    Key,
    /// Either: revocation.
    Either,
}

/// A request that has proven whose it is.
pub(crate) struct Verified {
    pub(crate) door: AcmeDoor,
    /// The account, where one signed.
    account: Option<Arc<Account>>,
    /// The key, where it came with the request.
    key: Option<Box<Jwk>>,
    /// `url` of the JWS: the request's own.
    pub(crate) url: String,
    pub(crate) payload: Vec<u8>,
}

impl Verified {
    /// The account that signed.
    pub(crate) fn call(self) -> Result<(AcmeCall, Vec<u8>), AcmeError> {
        let account = self.account.ok_or_else(|| malformed("This is signed by an account: the header needs `kid`."))?;
        Ok((AcmeCall { door: self.door, account }, self.payload))
    }

    /// The account that signed, if one did.
    pub(crate) fn account(&self) -> Option<AcmeCall> {
        self.account.clone().map(|account| AcmeCall { door: self.door.clone(), account })
    }

    /// The key that signed.
    pub(crate) fn key(&self) -> Result<&Jwk, AcmeError> {
        self.key.as_deref().ok_or_else(|| malformed("This is signed by a key: the header needs `jwk`."))
    }
}

/// The directory that a request came to.
pub(crate) async fn directory(door: &Door, name: &str, extensions: &Extensions) -> Result<AcmeDoor, AcmeError> {
    let directory = door.app().open_acme_directory(name).await?;
    let address = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
    let request_id = extensions.get::<RequestId>().map_or_else(String::new, |id| id.0.to_string());
    let certificate = extensions.get::<ClientCertificate>().map(|ClientCertificate(it)| it);
    let vouched = door.app().acme_vouched(&directory, certificate).await?;
    Ok(AcmeDoor { directory, request_id, address, vouched })
}

/// A request whose signature holds, and whose nonce is not taken yet.
struct Signed {
    verified: Verified,
    nonce: GivenNonce,
}

impl Signed {
    /// An account that has ended can do nothing.
    fn refuse_ended(&self) -> Result<(), AcmeError> {
        match self.verified.account.as_ref().filter(|account| account.state != AccountState::Valid) {
            None => Ok(()),
            Some(account) => {
                let detail = format!("The account is {}.", account.state);
                Err(Problem::new(ProblemKind::Unauthorized, detail).with_status(401).into())
            }
        }
    }
}

/// Verifies a request. `path` is what stands behind the directory in its URL.
pub(crate) async fn verify(
    door: &Door,
    name: &str,
    path: &str,
    parts: &Parts,
    body: &Bytes,
    signer: Signer,
) -> Result<Verified, AcmeError> {
    let signed = signature(door, name, path, parts, body, signer).await?;
    let ended = signed.refuse_ended();
    // The request is used up, whatever becomes of it.
    door.app().take_acme_nonce(signed.nonce).await?;
    ended?;
    Ok(signed.verified)
}

/// Verifies a request of an account that begins with reading something, by one of the `begin_…` of the application, which take the
/// nonce meanwhile. `begin` gets the payload, and changes nothing else.
pub(crate) async fn verify_and_begin<T>(
    door: &Door,
    name: &str,
    path: &str,
    parts: &Parts,
    body: &Bytes,
    begin: impl AsyncFnOnce(&AcmeCall, &[u8], GivenNonce) -> Result<Begun<T>, AcmeError>,
) -> Result<(AcmeCall, Vec<u8>, Result<T, AcmeError>), AcmeError> {
    let signed = signature(door, name, path, parts, body, Signer::Account).await?;
    if let Err(ended) = signed.refuse_ended() {
        door.app().take_acme_nonce(signed.nonce).await?;
        return Err(ended);
    }
    let (call, payload) = signed.verified.call()?;
    let begun = begin(&call, &payload, signed.nonce).await?;
    Ok((call, payload, begun.found()))
}

async fn signature(
    door: &Door,
    name: &str,
    path: &str,
    parts: &Parts,
    body: &Bytes,
    signer: Signer,
) -> Result<Signed, AcmeError> {
    let at = directory(door, name, &parts.extensions).await?;
    content_type(&parts.headers)?;
    if parts.headers.contains_key("replay-nonce") {
        return Err(malformed("`Replay-Nonce` is a header of answers; the nonce belongs into the protected header."));
    }
    let jws = Jws::parse(body)?;
    let base = door.settings().acme.base(name);
    let account = match (&jws.key, signer) {
        (KeyOf::Account(_), Signer::Key) => {
            return Err(malformed("This is signed by a key itself: the header needs `jwk`, not `kid`."));
        }
        (KeyOf::Key(_), Signer::Account) => {
            return Err(malformed("This is signed by an account: the header needs `kid`, not `jwk`."));
        }
        (KeyOf::Account(url), _) => {
            let id = url
                .strip_prefix(&format!("{base}/account/"))
                .ok_or_else(|| malformed("`kid` is not the URL of an account of this directory."))?;
            let account = door.app().acme_account(&at, id).await?;
            let key =
                Jwk::from_canonical(&account.key).ok_or_else(|| malformed("The account's key cannot be used."))?;
            jws.verify(&key)?;
            Some(account)
        }
        (KeyOf::Key(key), _) => {
            jws.verify(key)?;
            None
        }
    };
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if jws.url != format!("{base}/{path}{query}") {
        let detail = format!("`url` of the protected header is not the URL of the request, {base}/{path}{query}.");
        return Err(Problem::new(ProblemKind::Unauthorized, detail).into());
    }
    let nonce = jws.nonce.ok_or_else(|| Problem::new(ProblemKind::BadNonce, "The JWS has no nonce."))?;
    let nonce = door.app().read_acme_nonce(&nonce).await?;
    let key = match jws.key {
        KeyOf::Key(key) => Some(key),
        KeyOf::Account(_) => None,
    };
    let verified = Verified { door: at, account, key, url: jws.url, payload: jws.payload };
    Ok(Signed { verified, nonce })
}

fn content_type(headers: &HeaderMap) -> Result<(), AcmeError> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    match kind.eq_ignore_ascii_case(JOSE) {
        true => Ok(()),
        false => {
            let detail = format!("The content type of requests is {JOSE} (RFC 8555 section 6.2).");
            Err(Problem::new(ProblemKind::Malformed, detail).with_status(415).into())
        }
    }
}
