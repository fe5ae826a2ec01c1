//! Public keys: reading a SubjectPublicKeyInfo and checking signatures with it, all on aws-lc.
//!
//! Key algorithm, curve and signature algorithm are three separate things: a P-384 key may sign with SHA-256. The
//! table in [`VerificationKey::new`] is keyed by all of them; nothing is concluded from one about another.

use crate::frame::spki_parts;
use crate::tlv::{self, Malformed, Reader};
use crate::{Error, sha256};
use aws_lc_rs::signature as lc;
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::public_key::{PublicKey, PublicKeyKind};
use certwright_domain::violation::Invalid;
use std::sync::{Arc, OnceLock};

/// Most bits of an RSA modulus that is read at all: verifying with larger ones costs too much.
const MAX_RSA_BITS: usize = 8192;

/// AlgorithmIdentifiers of public keys, in the one form that their RFCs allow (RFC 3279, 5480, 8410).
const RSA: &[u8] = &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const EC_P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
    0x01, 0x07,
];
const EC_P384: &[u8] =
    &[0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const EC_P521: &[u8] =
    &[0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

/// rsaEncryption, contents of the OID.
const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// id-ecPublicKey, contents of the OID.
const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// id-Ed25519, contents of the OID.
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Reads a DER SubjectPublicKeyInfo (our own keys included). The algorithm identifier must be in its canonical form,
/// EC points uncompressed and on their curve, RSA moduli at most 8192 bits. Algorithms that we do not know become
/// [`PublicKeyKind::Other`].
pub fn read_public_key(spki: &[u8]) -> Result<PublicKey, Error> {
    let key = read_unchecked(spki)?;
    match &key.kind {
        PublicKeyKind::Rsa { .. } | PublicKeyKind::Other(_) => {}
        // The hash does not matter here: the key is parsed, nothing is verified.
        PublicKeyKind::Ecdsa(_) => drop(VerificationKey::new(&key, SignatureAlgorithm::Sha256WithEcdsa)?),
        PublicKeyKind::Ed25519 => drop(VerificationKey::new(&key, SignatureAlgorithm::Ed25519)?),
    }
    Ok(key)
}

/// Did the key sign this message? The algorithm must fit the key's kind; any of the three hashes goes with any curve.
pub fn verify_signature(
    spki: &[u8],
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    let key = VerificationKey::new(&read_unchecked(spki)?, algorithm)?;
    Ok(key.verify(message, signature).map_err(|WrongSignature| {
        Invalid::new(
            "signature_mismatch",
            "The signature does not fit the message and the key.",
            "Sign exactly these bytes with the private key of this public key.",
        )
    })?)
}

/// [`read_public_key`] without the check that an EC point lies on its curve; [`VerificationKey::new`] makes it.
pub(crate) fn read_unchecked(spki: &[u8]) -> Result<PublicKey, Invalid> {
    tlv::check(spki).map_err(malformed)?;
    let (algorithm, bits) = spki_parts(spki).map_err(malformed)?;
    let uncompressed = |length: usize| {
        if bits.len() == length && bits.first() == Some(&4) {
            Ok(())
        } else {
            Err(invalid(
                "The EC public key is not an uncompressed point of its curve.",
                "Encode the point uncompressed.",
            ))
        }
    };
    let kind = match algorithm {
        RSA => read_rsa(bits)?,
        EC_P256 => uncompressed(65).map(|()| PublicKeyKind::Ecdsa(KeyAlgorithm::EcdsaP256))?,
        EC_P384 => uncompressed(97).map(|()| PublicKeyKind::Ecdsa(KeyAlgorithm::EcdsaP384))?,
        EC_P521 => uncompressed(133).map(|()| PublicKeyKind::Ecdsa(KeyAlgorithm::EcdsaP521))?,
        ED25519 if is_small_order(bits) => {
            return Err(invalid("The Ed25519 public key is a point of small order: anyone can sign for it.", MAKE_NEW));
        }
        ED25519 if bits.len() == 32 => PublicKeyKind::Ed25519,
        _ => other_kind(algorithm)?,
    };
    Ok(PublicKey { spki: spki.to_vec(), spki_sha256: sha256(spki), kind })
}

/// The leftmost 160 bits of SHA-256 over the key bits (RFC 7093 section 2 method 1).
pub(crate) fn key_identifier(key: &PublicKey) -> Result<Vec<u8>, Malformed> {
    let (_, bits) = spki_parts(&key.spki)?;
    Ok(sha256(bits).0.iter().copied().take(20).collect())
}

/// The signature is not one of this key over this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongSignature;

/// A public key parsed for one signature algorithm.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    algorithm: SignatureAlgorithm,
    key: lc::ParsedPublicKey,
}

impl VerificationKey {
    /// Parses the key; refuses keys that do not fit the algorithm, weak RSA keys included where aws-lc does.
    pub(crate) fn new(key: &PublicKey, algorithm: SignatureAlgorithm) -> Result<Self, Invalid> {
        use KeyAlgorithm as K;
        use SignatureAlgorithm as S;
        let verifier: &'static dyn lc::VerificationAlgorithm = match (&key.kind, algorithm) {
            (PublicKeyKind::Ecdsa(curve), _) => match (curve, algorithm) {
                (K::EcdsaP256, S::Sha256WithEcdsa) => &lc::ECDSA_P256_SHA256_ASN1,
                (K::EcdsaP256, S::Sha384WithEcdsa) => &lc::ECDSA_P256_SHA384_ASN1,
                (K::EcdsaP256, S::Sha512WithEcdsa) => &lc::ECDSA_P256_SHA512_ASN1,
                (K::EcdsaP384, S::Sha256WithEcdsa) => &lc::ECDSA_P384_SHA256_ASN1,
                (K::EcdsaP384, S::Sha384WithEcdsa) => &lc::ECDSA_P384_SHA384_ASN1,
                (K::EcdsaP384, S::Sha512WithEcdsa) => &lc::ECDSA_P384_SHA512_ASN1,
                (K::EcdsaP521, S::Sha256WithEcdsa) => &lc::ECDSA_P521_SHA256_ASN1,
                (K::EcdsaP521, S::Sha384WithEcdsa) => &lc::ECDSA_P521_SHA384_ASN1,
                (K::EcdsaP521, S::Sha512WithEcdsa) => &lc::ECDSA_P521_SHA512_ASN1,
                _ => return Err(misfit(algorithm)),
            },
            (PublicKeyKind::Rsa { .. }, _) => match (algorithm, key.rsa_bits().unwrap_or(0)) {
                (S::Sha256WithRsa, 2048..=MAX_RSA_BITS) => &lc::RSA_PKCS1_2048_8192_SHA256,
                (S::Sha384WithRsa, 2048..=MAX_RSA_BITS) => &lc::RSA_PKCS1_2048_8192_SHA384,
                (S::Sha512WithRsa, 2048..=MAX_RSA_BITS) => &lc::RSA_PKCS1_2048_8192_SHA512,
                // Weaker keys are verified only so that the rules can refuse them together with all else that is wrong.
                (S::Sha256WithRsa, 1024..2048) => &lc::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                (S::Sha512WithRsa, 1024..2048) => &lc::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
                (S::Sha256WithRsa | S::Sha384WithRsa | S::Sha512WithRsa, bits) => {
                    return Err(Invalid::new(
                        "weak_key",
                        format!("The RSA key has {bits} bits."),
                        "Use an RSA key of 2048, 3072 or 4096 bits.",
                    ));
                }
                _ => return Err(misfit(algorithm)),
            },
            (PublicKeyKind::Ed25519, S::Ed25519) => &lc::ED25519,
            (PublicKeyKind::Other(oid), _) => {
                return Err(Invalid::new(
                    "unsupported_key_algorithm",
                    format!("Keys of the algorithm {oid} are not supported."),
                    "Use RSA, ECDSA on P-256, P-384 or P-521, or Ed25519.",
                ));
            }
            (PublicKeyKind::Ed25519, _) => return Err(misfit(algorithm)),
        };
        let (_, bits) = spki_parts(&key.spki).map_err(malformed)?;
        let key = lc::ParsedPublicKey::new(verifier, bits).map_err(|_| {
            invalid("The public key is not valid (a point off its curve, an unusable modulus or exponent).", MAKE_NEW)
        })?;
        Ok(Self { algorithm, key })
    }

    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), WrongSignature> {
        self.key.verify_sig(message, signature).map_err(|_| WrongSignature)
    }
}

/// A certificate's key, parsed at most once per algorithm in use: parsing costs a good part of a verification.
/// Says nothing about the certificate, hence equal to every other.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyCache(OnceLock<Arc<VerificationKey>>);

impl KeyCache {
    /// The parsed key.
    pub(crate) fn get(&self, key: &PublicKey, algorithm: SignatureAlgorithm) -> Result<Arc<VerificationKey>, Invalid> {
        if let Some(parsed) = self.0.get().filter(|parsed| parsed.algorithm() == algorithm) {
            return Ok(Arc::clone(parsed));
        }
        let parsed = Arc::new(VerificationKey::new(key, algorithm)?);
        // Taken already, by another algorithm of the same RSA key: that one stays, this one is parsed again next time.
        let _ = self.0.set(Arc::clone(&parsed));
        Ok(parsed)
    }
}

impl PartialEq for KeyCache {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KeyCache {}

/// Signature AlgorithmIdentifiers (RFC 4055, 5758, 8410), the form that is written first.
const SIGNATURES: &[(SignatureAlgorithm, &[u8])] = &[
    (SignatureAlgorithm::Sha256WithEcdsa, &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]),
    (
        SignatureAlgorithm::Sha256WithRsa,
        &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00],
    ),
    (SignatureAlgorithm::Sha384WithEcdsa, &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]),
    (SignatureAlgorithm::Sha512WithEcdsa, &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04]),
    (SignatureAlgorithm::Ed25519, &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70]),
    (
        SignatureAlgorithm::Sha384WithRsa,
        &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c, 0x05, 0x00],
    ),
    (
        SignatureAlgorithm::Sha512WithRsa,
        &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d, 0x05, 0x00],
    ),
    // RFC 4055 section 5: absent parameters must be read as well.
    (
        SignatureAlgorithm::Sha256WithRsa,
        &[0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
    ),
    (
        SignatureAlgorithm::Sha384WithRsa,
        &[0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c],
    ),
    (
        SignatureAlgorithm::Sha512WithRsa,
        &[0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d],
    ),
];

/// The signature algorithm of an AlgorithmIdentifier, where it is one of ours.
pub(crate) fn signature_algorithm(identifier: &[u8]) -> Option<SignatureAlgorithm> {
    SIGNATURES.iter().find(|(_, bytes)| *bytes == identifier).map(|(algorithm, _)| *algorithm)
}

/// The AlgorithmIdentifier that we write.
pub(crate) fn signature_identifier(algorithm: SignatureAlgorithm) -> &'static [u8] {
    SIGNATURES.iter().find(|(known, _)| *known == algorithm).map_or(&[], |(_, bytes)| bytes)
}

/// Why a signature algorithm that is none of ours is refused, by the name of the hash where it is a broken one.
pub(crate) fn refuse_signature_algorithm(identifier: &[u8], what: &str) -> Invalid {
    let oid = algorithm_oid(identifier).unwrap_or_default();
    let name = match oid.as_str() {
        "1.2.840.113549.1.1.4" => "MD5 with RSA (broken)",
        "1.2.840.113549.1.1.5" => "SHA-1 with RSA (broken)",
        "1.2.840.10045.4.1" => "SHA-1 with ECDSA (broken)",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.3.101.113" => "Ed448",
        other => other,
    };
    Invalid::new(
        "unsupported_signature_algorithm",
        format!("The {what} is signed with {name}, which is not accepted."),
        "Sign with SHA-256, SHA-384 or SHA-512 and RSA (PKCS#1 v1.5) or ECDSA, or with Ed25519.",
    )
}

/// Is the hash of this signature algorithm broken (MD2, MD4, MD5, SHA-1)?
pub(crate) fn is_broken(identifier: &[u8]) -> bool {
    const BROKEN: [&str; 6] = [
        "1.2.840.113549.1.1.2",
        "1.2.840.113549.1.1.3",
        "1.2.840.113549.1.1.4",
        "1.2.840.113549.1.1.5",
        "1.2.840.10045.4.1",
        "1.2.840.10040.4.3",
    ];
    algorithm_oid(identifier).is_none_or(|oid| BROKEN.contains(&oid.as_str()))
}

/// The dotted OID of an AlgorithmIdentifier.
fn algorithm_oid(identifier: &[u8]) -> Option<String> {
    let mut parts = Reader::only(identifier, tlv::SEQUENCE, "").ok()?;
    dotted(parts.expect(tlv::OID, "").ok()?.content)
}

/// The dotted form of an OID's contents.
pub(crate) fn dotted(content: &[u8]) -> Option<String> {
    der::asn1::ObjectIdentifier::from_bytes(content).ok().map(|oid| oid.to_string())
}

fn read_rsa(bits: &[u8]) -> Result<PublicKeyKind, Invalid> {
    tlv::check(bits).map_err(malformed)?;
    let parts = || {
        let mut key = Reader::only(bits, tlv::SEQUENCE, "the RSA key is not a SEQUENCE")?;
        let modulus = key.expect(tlv::INTEGER, "the RSA key has no modulus")?.content;
        let exponent = key.expect(tlv::INTEGER, "the RSA key has no exponent")?.content;
        key.end("something follows the RSA key")?;
        Ok((modulus, exponent))
    };
    let (modulus, exponent) = parts().map_err(malformed)?;
    let positive = |number: &[u8]| match number {
        [] | [0] | [0x80..=0xff, ..] => None,
        [0, rest @ ..] => Some(rest.to_vec()),
        all => Some(all.to_vec()),
    };
    let (Some(modulus), Some(exponent)) = (positive(modulus), positive(exponent)) else {
        return Err(invalid("The RSA key's modulus or exponent is not positive.", MAKE_NEW));
    };
    if modulus.len() > MAX_RSA_BITS / 8 {
        return Err(Invalid::new(
            "key_too_large",
            format!("The RSA key's modulus has {} octets, {} are allowed.", modulus.len(), MAX_RSA_BITS / 8),
            "Use an RSA key of 2048, 3072 or 4096 bits.",
        ));
    }
    Ok(PublicKeyKind::Rsa { modulus, exponent })
}

/// The points of order 1, 2, 4 and 8, which verify signatures that nobody made; aws-lc lets them pass. The sign bit does not
/// matter, and 0, 1 and -1 have a second encoding above the field's prime.
fn is_small_order(point: &[u8]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Ok(mut y) = <[u8; 32]>::try_from(point) else { return false };
    let [first, middle @ .., last] = &mut y;
    *last &= 0x7f;
    let near_zero = *first <= 1 && *last == 0 && middle.iter().all(|octet| *octet == 0);
    let near_prime = (0xec..=0xee).contains(first) && *last == 0x7f && middle.iter().all(|octet| *octet == 0xff);
    near_zero || near_prime || ORDER_8.contains(&y)
}

/// A key of another algorithm, or one of ours in a form that is not allowed.
fn other_kind(identifier: &[u8]) -> Result<PublicKeyKind, Invalid> {
    let parts = || {
        let mut parts = Reader::only(identifier, tlv::SEQUENCE, "an algorithm identifier is no SEQUENCE")?;
        let oid = parts.expect(tlv::OID, "an algorithm identifier has no OID")?.content;
        Ok((oid, parts.next()?))
    };
    let (oid, parameters) = parts().map_err(malformed)?;
    let named = match (oid, parameters) {
        (OID_EC, Some(curve)) if curve.tag == tlv::OID => curve.content,
        (OID_EC, _) => {
            return Err(invalid(
                "The EC public key spells its curve out (explicit parameters) or leaves it open.",
                "Name the curve: P-256, P-384 or P-521 (openssl: `-pkeyopt ec_param_enc:named_curve`).",
            ));
        }
        (OID_RSA | OID_ED25519, _) => {
            return Err(invalid("The public key's algorithm identifier is not in its canonical form.", MAKE_NEW));
        }
        _ => oid,
    };
    // A known curve lands here only with a key of another length.
    dotted(named)
        .map(PublicKeyKind::Other)
        .ok_or_else(|| invalid("The public key's algorithm is not a valid OID.", MAKE_NEW))
}

const MAKE_NEW: &str = "Make a new key: RSA, ECDSA on P-256, P-384 or P-521, or Ed25519.";

fn malformed(at: Malformed) -> Invalid {
    at.refuse("invalid_public_key", "public key", "Give a DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).")
}

fn invalid(detail: &str, hint: &str) -> Invalid {
    Invalid::new("invalid_public_key", detail, hint)
}

fn misfit(algorithm: SignatureAlgorithm) -> Invalid {
    Invalid::new(
        "invalid_signature_algorithm",
        format!("The signature algorithm {algorithm} does not fit the kind of the key."),
        "Sign with an algorithm of the key's kind.",
    )
}

#[cfg(test)]
mod tests;
