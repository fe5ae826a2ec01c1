//! Sets of public keys (JWKS, RFC 7517), and the signatures that they verify (RFC 7518, RFC 8037).
//!
//! A key verifies what fits its type, its curve and, where it says so, its `alg`: the token's own word never decides how a
//! key is used.

use crate::jose::json::{self, Json};
use crate::jose::{Jwk, is_secret};
use certwright_domain::identity::{JwsAlgorithm, MAX_KEY_SET};
use certwright_domain::violation::Invalid;

/// Most keys of a set.
const MAX_KEYS: usize = 100;
/// A key that may verify tokens.
pub(super) struct Key {
    id: Option<String>,
    algorithm: Option<JwsAlgorithm>,
    material: Jwk,
}

/// The keys of an issuer that we can use.
pub(super) struct KeySet(Vec<Key>);

/// Why no key of a set verifies a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    /// None has the token's `kid`, or the set has another one in the meantime.
    #[error("no key of the issuer has the token's `kid`")]
    Unknown,
    /// The keys with the `kid` are of another type than `alg`, or for another `alg`.
    #[error("no key with the token's `kid` fits its `alg`")]
    Unfit,
    /// Without a `kid` (or with one that stands twice), which key is meant cannot be told.
    #[error("several keys of the issuer fit the token")]
    Ambiguous,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
}

impl KeySet {
    /// Reads a set. Keys that cannot be used (of other kinds, for encryption, too short) are left out.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        Ok(Self(entries(bytes)?.iter().filter_map(key).collect()))
    }

    /// Reads a set that somebody wrote down: it must have a key that can be used, and none that is secret.
    pub(super) fn parse_own(text: &str) -> Result<Self, Invalid> {
        let wrong = |why: &str| {
            let hint = "Give a JSON Web Key Set: {\"keys\": [{\"kty\": \"RSA\", \"kid\": \"…\", \"n\": \"…\", \"e\": \"AQAB\"}]}; \
                        RSA from 2048 bits, EC on P-256, P-384 or P-521, or Ed25519.";
            Invalid::new("invalid_key_set", format!("The key set cannot be used: {why}."), hint)
        };
        let entries = entries(text.as_bytes()).map_err(wrong)?;
        if entries.iter().any(holds_secret) {
            return Err(wrong("it holds a private or symmetric key; whoever has seen it can make tokens"));
        }
        let keys: Vec<Key> = entries.iter().filter_map(key).collect();
        if keys.is_empty() {
            return Err(wrong("no key of it can verify a token"));
        }
        Ok(Self(keys))
    }

    /// Verifies a signature with the one key that it must be from.
    pub(super) fn verify(
        &self,
        algorithm: JwsAlgorithm,
        key_id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        let key = self.find(algorithm, key_id)?;
        key.verify(algorithm, message, signature).ok_or(KeyError::Signature)
    }

    /// The one key that a signature must be from.
    pub(super) fn find(&self, algorithm: JwsAlgorithm, key_id: Option<&str>) -> Result<&Key, KeyError> {
        let mut named = self.0.iter().filter(|key| key_id.is_none() || key.id.as_deref() == key_id).peekable();
        if named.peek().is_none() {
            return Err(KeyError::Unknown);
        }
        let mut fitting = named.filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            // A set that was read before the issuer had such a key may be the reason where no `kid` tells.
            (None, _) if key_id.is_none() => Err(KeyError::Unknown),
            (None, _) => Err(KeyError::Unfit),
            (Some(_), Some(_)) => Err(KeyError::Ambiguous),
            (Some(key), None) => Ok(key),
        }
    }
}

fn entries(bytes: &[u8]) -> Result<Vec<Json>, &'static str> {
    if bytes.len() > MAX_KEY_SET {
        return Err("it is too large");
    }
    let mut set = json::object(bytes).ok_or("it is not a JSON object, or a member stands twice")?;
    match set.remove("keys") {
        Some(Json::List(keys)) if keys.len() <= MAX_KEYS => Ok(keys),
        Some(Json::List(_)) => Err("it has more than 100 keys"),
        _ => Err("it has no list `keys`"),
    }
}

fn holds_secret(entry: &Json) -> bool {
    matches!(entry, Json::Object(members) if is_secret(members))
}

fn key(entry: &Json) -> Option<Key> {
    let Json::Object(members) = entry else { return None };
    let for_signatures = match (members.get("use"), members.get("key_ops")) {
        (Some(purpose), _) if purpose.text() != Some("sig") => false,
        (_, Some(Json::List(operations))) => operations.iter().any(|operation| operation.text() == Some("verify")),
        (_, Some(_)) => false,
        (_, None) => true,
    };
    if !for_signatures || holds_secret(entry) {
        return None;
    }
    let id = match members.get("kid") {
        Some(id) => Some(id.text()?.to_owned()),
        None => None,
    };
    let algorithm = match members.get("alg") {
        Some(algorithm) => Some(JwsAlgorithm::parse(algorithm.text()?).ok()?),
        None => None,
    };
    Some(Key { id, algorithm, material: Jwk::parse(members).ok()? })
}

impl Key {
    fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        self.material.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn verify(&self, algorithm: JwsAlgorithm, message: &[u8], signature: &[u8]) -> Option<()> {
        self.material.verify(algorithm, message, signature).then_some(())
    }
}
