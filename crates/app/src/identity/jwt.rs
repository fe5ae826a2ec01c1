//! Tokens: compact JWS (RFC 7515 section 7.1) with JSON claims (RFC 7519).
//!
//! Read in two steps. [`Unverified`] knows the form alone and shows nothing but what is needed to look for the provider;
//! the claims come out of [`Unverified::verify`], with the keys of a provider.

use super::keys::{KeyError, KeySet};
use crate::jose::json::{self, Json, Object};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::identity::{Claims, JwsAlgorithm, MAX_TOKEN, Registered};

/// Members of a header that would have us take a key from the token, or understand what we do not (RFC 7515 sections 4.1.2
/// to 4.1.6, 4.1.11; RFC 7797 section 3). A token that has one is refused.
const REFUSED: [&str; 6] = ["b64", "crit", "jku", "jwk", "x5c", "x5u"];
/// Longest `kid`, in bytes.
const MAX_KEY_ID: usize = 512;

/// Why a token is none. For logs and administrators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("it is larger than 16 KiB")]
    TooLarge,
    #[error("it is not three parts of base64url")]
    Form,
    #[error("its header is not a JSON object, or a member stands twice")]
    Header,
    #[error("its `alg` is none that is taken")]
    Algorithm,
    #[error("its header has `b64`, `crit`, `jku`, `jwk`, `x5c` or `x5u`")]
    Refused,
    #[error("its `typ` is not that of a JWT")]
    Type,
    #[error("its `kid` is not a text, or too long")]
    KeyId,
    #[error("its claims are not a JSON object, a member stands twice or by two paths, or there are too many")]
    Claims,
    #[error("`iss`, `aud`, `exp`, `nbf` or `iat` has the wrong type")]
    Registered,
}

/// A token of which nothing is proven.
pub(super) struct Unverified<'t> {
    message: &'t [u8],
    signature: Vec<u8>,
    algorithm: JwsAlgorithm,
    key_id: Option<String>,
    registered: Registered,
    claims: Claims,
}

/// Does the text have the form of a token: three parts of base64url, none of them empty?
pub(crate) fn is_jwt(text: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    text.bytes().filter(|byte| *byte == b'.').count() == 2 && text.split('.').all(part)
}

impl<'t> Unverified<'t> {
    /// Reads the form.
    pub(super) fn parse(text: &'t str) -> Result<Self, Malformed> {
        if text.len() > MAX_TOKEN {
            return Err(Malformed::TooLarge);
        }
        if !is_jwt(text) {
            return Err(Malformed::Form);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(Malformed::Form)?;
        let (header, payload) = message.split_once('.').ok_or(Malformed::Form)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed::Form);
        let header = json::object(&decode(header)?).ok_or(Malformed::Header)?;
        let (algorithm, key_id) = read_header(&header)?;
        let payload = json::object(&decode(payload)?).ok_or(Malformed::Claims)?;
        Ok(Self {
            message: message.as_bytes(),
            signature: decode(signature)?,
            algorithm,
            key_id,
            registered: registered(&payload)?,
            claims: json::flatten(&payload).ok_or(Malformed::Claims)?,
        })
    }

    /// Whose it claims to be and whom it is for: enough to look for a provider, and not to be believed.
    pub(super) fn claimed(&self) -> &Registered {
        &self.registered
    }

    /// How it claims to be signed.
    pub(super) fn algorithm(&self) -> JwsAlgorithm {
        self.algorithm
    }

    /// What it claims, unproven.
    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Does the set have a key that it could be from? If not, a newer one may.
    pub(super) fn is_known_to(&self, keys: &KeySet) -> bool {
        !matches!(keys.find(self.algorithm, self.key_id.as_deref()), Err(KeyError::Unknown))
    }

    /// Verifies the signature; only now its claims are worth anything.
    pub(super) fn verify(&self, keys: &KeySet) -> Result<&Claims, KeyError> {
        keys.verify(self.algorithm, self.key_id.as_deref(), self.message, &self.signature)?;
        Ok(&self.claims)
    }
}

fn read_header(header: &Object) -> Result<(JwsAlgorithm, Option<String>), Malformed> {
    if REFUSED.iter().any(|name| header.contains_key(*name)) {
        return Err(Malformed::Refused);
    }
    let algorithm = header.get("alg").and_then(Json::text).ok_or(Malformed::Algorithm)?;
    let algorithm = JwsAlgorithm::parse(algorithm).map_err(|_| Malformed::Algorithm)?;
    // A type in full has `application/` in front (RFC 7515 section 4.1.9); upper and lower case are the same.
    if let Some(kind) = header.get("typ") {
        let kind = kind.text().ok_or(Malformed::Type)?.to_ascii_lowercase();
        if !matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt") {
            return Err(Malformed::Type);
        }
    }
    let key_id = match header.get("kid") {
        Some(Json::Text(id)) if id.len() <= MAX_KEY_ID => Some(id.clone()),
        Some(_) => return Err(Malformed::KeyId),
        None => None,
    };
    Ok((algorithm, key_id))
}

fn registered(payload: &Object) -> Result<Registered, Malformed> {
    let seconds = |name: &str| match payload.get(name) {
        Some(value) => value.seconds().map(Some).ok_or(Malformed::Registered),
        None => Ok(None),
    };
    let audiences = match payload.get("aud") {
        Some(Json::Text(one)) => vec![one.clone()],
        Some(Json::List(several)) => {
            let texts = several.iter().map(|item| item.text().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or(Malformed::Registered)?
        }
        Some(_) => return Err(Malformed::Registered),
        None => Vec::new(),
    };
    let issuer = match payload.get("iss") {
        Some(issuer) => Some(issuer.text().ok_or(Malformed::Registered)?.to_owned()),
        None => None,
    };
    Ok(Registered {
        issuer,
        audiences,
        expires: seconds("exp")?,
        not_before: seconds("nbf")?,
        issued_at: seconds("iat")?,
    })
}
