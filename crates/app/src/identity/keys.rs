//! Sets of public keys (JWKS, RFC 7517), and the signatures that they verify (RFC 7518, RFC 8037).
//!
//! A key verifies what fits its type, its curve and, where it says so, its `alg`: the token's own word never decides how a
//! key is used.

use super::json::{self, Json, Object};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::identity::{JwsAlgorithm, MAX_KEY_SET};
use certwright_domain::violation::Invalid;

/// Most keys of a set.
const MAX_KEYS: usize = 100;
/// Sizes of RSA keys, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Members that only private and symmetric keys have (RFC 7518 sections 6.2.2, 6.3.2, 6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec(JwsAlgorithm, ParsedPublicKey),
    Ed25519(ParsedPublicKey),
}

/// A key that may verify tokens.
pub(super) struct Key {
    id: Option<String>,
    algorithm: Option<JwsAlgorithm>,
    material: Material,
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
        if entries.iter().any(is_secret) {
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

fn is_secret(entry: &Json) -> bool {
    match entry {
        Json::Object(members) => {
            members.get("kty").and_then(Json::text) == Some("oct")
                || PRIVATE.iter().any(|name| members.contains_key(*name))
        }
        _ => false,
    }
}

fn key(entry: &Json) -> Option<Key> {
    let Json::Object(members) = entry else { return None };
    let for_signatures = match (members.get("use"), members.get("key_ops")) {
        (Some(purpose), _) if purpose.text() != Some("sig") => false,
        (_, Some(Json::List(operations))) => operations.iter().any(|operation| operation.text() == Some("verify")),
        (_, Some(_)) => false,
        (_, None) => true,
    };
    if !for_signatures || is_secret(entry) {
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
    Some(Key { id, algorithm, material: material(members)? })
}

fn bytes(members: &Object, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(members.get(name)?.text()?).ok()
}

fn material(members: &Object) -> Option<Material> {
    let curve = members.get("crv").and_then(Json::text);
    match (members.get("kty")?.text()?, curve) {
        ("RSA", _) => rsa(bytes(members, "n")?, bytes(members, "e")?),
        ("EC", Some("P-256")) => ec(members, JwsAlgorithm::Es256, 32),
        ("EC", Some("P-384")) => ec(members, JwsAlgorithm::Es384, 48),
        ("EC", Some("P-521")) => ec(members, JwsAlgorithm::Es512, 66),
        ("OKP", Some("Ed25519")) => ParsedPublicKey::new(&ED25519, bytes(members, "x")?).ok().map(Material::Ed25519),
        _ => None,
    }
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<Material> {
    let without_zeros = |bytes: Vec<u8>| -> Vec<u8> { bytes.into_iter().skip_while(|byte| *byte == 0).collect() };
    let (n, e) = (without_zeros(n), without_zeros(e));
    let unused = usize::try_from(n.first()?.leading_zeros()).ok()?;
    let bits = n.len().checked_mul(8)?.checked_sub(unused)?;
    // The exponent: odd, and from 65537 to what fits four bytes.
    let exponent = e.iter().fold(0_u64, |so_far, byte| so_far.wrapping_shl(8) | u64::from(*byte));
    let sane = e.len() <= 4 && exponent >= 65_537 && exponent % 2 == 1;
    (RSA_BITS.contains(&bits) && sane).then_some(Material::Rsa { n, e })
}

fn ec(members: &Object, algorithm: JwsAlgorithm, size: usize) -> Option<Material> {
    let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
    if x.len() != size || y.len() != size {
        return None;
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    let parsed = match algorithm {
        JwsAlgorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point),
        JwsAlgorithm::Es384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point),
        _ => ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point),
    };
    parsed.ok().map(|key| Material::Ec(algorithm, key))
}

fn rsa_parameters(algorithm: JwsAlgorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        JwsAlgorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        JwsAlgorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        JwsAlgorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        JwsAlgorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        JwsAlgorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        JwsAlgorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        JwsAlgorithm::Es256 | JwsAlgorithm::Es384 | JwsAlgorithm::Es512 | JwsAlgorithm::EdDsa => None,
    }
}

impl Key {
    fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        let kind = match &self.material {
            Material::Rsa { .. } => rsa_parameters(algorithm).is_some(),
            Material::Ec(own, _) => *own == algorithm,
            Material::Ed25519(_) => algorithm == JwsAlgorithm::EdDsa,
        };
        kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn verify(&self, algorithm: JwsAlgorithm, message: &[u8], signature: &[u8]) -> Option<()> {
        match &self.material {
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(rsa_parameters(algorithm)?, message, signature).ok()
            }
            Material::Ec(_, key) | Material::Ed25519(key) => key.verify_sig(message, signature).ok(),
        }
    }
}
