//! Private keys in the clear: made, read, checked, used. They leave this module as PKCS#8 for sealing, or not at all.

use crate::{Error, der};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::secret::SecretBytes;
use certwright_domain::weak_key;

/// The longest private key that is read: RSA-4096 in PKCS#8 has 2,374 bytes, attributes may follow.
const MAX_DER: usize = 16 * 1024;

/// An asymmetric private key with what is known of it. The crypto library wipes its memory when it is dropped.
pub(crate) struct Material {
    algorithm: KeyAlgorithm,
    pair: Pair,
    public_key: Vec<u8>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Material {
    /// Makes a key. RSA takes 0.1 to 2 seconds of one core.
    pub(crate) fn generate(algorithm: KeyAlgorithm) -> Result<Self, Error> {
        let failed = |_| Error::Crypto("key generation");
        let pair = match (rsa_size(algorithm), curve(algorithm)) {
            (Some(size), _) => Pair::Rsa(RsaKeyPair::generate(size).map_err(failed)?),
            (None, Some(curve)) => Pair::Ecdsa(EcdsaKeyPair::generate(curve).map_err(failed)?),
            (None, None) if algorithm == KeyAlgorithm::Ed25519 => {
                Pair::Ed25519(Ed25519KeyPair::generate().map_err(failed)?)
            }
            (None, None) => return Err(Error::Unusable(format!("An {algorithm} key has no public part."))),
        };
        Self::new(algorithm, pair)
    }

    /// Reads a PKCS#8 key of ours.
    pub(crate) fn from_pkcs8(algorithm: KeyAlgorithm, pkcs8: &[u8]) -> Result<Self, Error> {
        let failed = |_| Error::Unsealing(format!("what it holds is not a key of the kind {algorithm}"));
        let pair = match (rsa_size(algorithm), curve(algorithm)) {
            (Some(_), _) => Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(failed)?),
            (None, Some(curve)) => Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, pkcs8).map_err(failed)?),
            (None, None) if algorithm == KeyAlgorithm::Ed25519 => {
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(failed)?)
            }
            (None, None) => return Err(Error::Unusable(format!("An {algorithm} key cannot sign."))),
        };
        if let Pair::Rsa(pair) = &pair
            && rsa_algorithm(pair).ok() != Some(algorithm)
        {
            return Err(Error::Unsealing(format!("what it holds is not a key of the kind {algorithm}")));
        }
        Self::new(algorithm, pair)
    }

    /// Reads someone else's key: PKCS#8, PKCS#1 or SEC1, in DER. Damaged, inconsistent and weak keys are refused.
    pub(crate) fn import(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_DER {
            return Err(Error::Unusable(format!("A private key has at most {MAX_DER} bytes.")));
        }
        let (algorithm, pair) = match Encoding::of(bytes)? {
            Encoding::Pkcs8 => from_foreign_pkcs8(bytes)?,
            Encoding::Pkcs1 => {
                let pair = RsaKeyPair::from_der(bytes).map_err(|error| rejected("RSA", &error))?;
                (rsa_algorithm(&pair)?, Pair::Rsa(pair))
            }
            Encoding::Sec1 => ecdsa(bytes, EcdsaKeyPair::from_private_key_der)?,
        };
        if let Pair::Rsa(pair) = &pair {
            let (modulus, _) =
                der::rsa_public_key(pair.public_key().as_ref()).ok_or(Error::Crypto("public key encoding"))?;
            if let Some(weakness) = weak_key::rsa_weakness(modulus) {
                return Err(Error::Unusable(format!("The RSA key is weak: its modulus {}.", weakness.reason())));
            }
        }
        Self::new(algorithm, pair)
    }

    /// Signs and verifies once. A key whose parts fit each other but that does not work (an RSA "prime" that is none) is
    /// found here.
    pub(crate) fn check_that_it_works(&self) -> Result<(), Error> {
        let message = b"certwright: does this key work?";
        let algorithm =
            *self.algorithm.signature_algorithms().first().ok_or(Error::Crypto("no signature algorithm"))?;
        let verifier: &dyn VerificationAlgorithm = match algorithm {
            SignatureAlgorithm::Sha256WithRsa => &signature::RSA_PKCS1_2048_8192_SHA256,
            SignatureAlgorithm::Sha384WithRsa => &signature::RSA_PKCS1_2048_8192_SHA384,
            SignatureAlgorithm::Sha512WithRsa => &signature::RSA_PKCS1_2048_8192_SHA512,
            SignatureAlgorithm::Sha256WithEcdsa => &signature::ECDSA_P256_SHA256_ASN1,
            SignatureAlgorithm::Sha384WithEcdsa => &signature::ECDSA_P384_SHA384_ASN1,
            SignatureAlgorithm::Sha512WithEcdsa => &signature::ECDSA_P521_SHA512_ASN1,
            SignatureAlgorithm::Ed25519 => &signature::ED25519,
        };
        let refused = || Error::Unusable("The private key does not work: its signatures do not verify.".to_owned());
        let made = self.sign(algorithm, message).map_err(|_| refused())?;
        UnparsedPublicKey::new(verifier, &self.public_key).verify(message, &made).map_err(|_| refused())
    }

    fn new(algorithm: KeyAlgorithm, pair: Pair) -> Result<Self, Error> {
        let encoded = |spki: Result<PublicKeyX509Der<'static>, _>| {
            spki.map(|spki| spki.as_ref().to_vec()).map_err(|_| Error::Crypto("public key encoding"))
        };
        let public_key = match &pair {
            Pair::Rsa(pair) => encoded(pair.public_key().as_der())?,
            // The library has written the point when it made the pair; asked for the whole it computes it again.
            Pair::Ecdsa(pair) => [ecdsa_prefix(algorithm)?, pair.public_key().as_ref()].concat(),
            Pair::Ed25519(pair) => encoded(pair.public_key().as_der())?,
        };
        Ok(Self { algorithm, pair, public_key })
    }

    /// The algorithm.
    pub(crate) fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// DER SubjectPublicKeyInfo.
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// PKCS#8 (version 1, which every other program reads) in DER.
    pub(crate) fn pkcs8(&self) -> Result<SecretBytes, Error> {
        let failed = |_| Error::Crypto("private key encoding");
        Ok(SecretBytes::new(match &self.pair {
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(failed)?.as_ref().to_vec(),
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
        }))
    }

    /// Does signing take so long (RSA: 0.7 to 5 ms) that it must not run on a runtime thread?
    pub(crate) fn signs_slowly(&self) -> bool {
        matches!(self.pair, Pair::Rsa(_))
    }

    /// Signs a message with an algorithm that fits the key.
    pub(crate) fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::Crypto("signing");
        if !self.algorithm.signature_algorithms().contains(&algorithm) {
            return Err(Error::Unusable(format!("A key of the kind {} cannot sign with {algorithm}.", self.algorithm)));
        }
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding = rsa_padding(algorithm).ok_or(Error::Crypto("signing"))?;
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut bytes).map_err(failed)?;
                Ok(bytes)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
        }
    }
}

/// Is this the name of a symmetric key's algorithm? Then its length in bytes.
pub(crate) fn symmetric_bytes(algorithm: KeyAlgorithm) -> Option<usize> {
    match algorithm {
        KeyAlgorithm::Aes128 => Some(16),
        KeyAlgorithm::Aes192 => Some(24),
        KeyAlgorithm::Aes256 => Some(32),
        _ => None,
    }
}

/// Must keys of this kind be made away from the runtime's threads?
pub(crate) fn generates_slowly(algorithm: KeyAlgorithm) -> bool {
    rsa_size(algorithm).is_some()
}

fn rsa_size(algorithm: KeyAlgorithm) -> Option<KeySize> {
    match algorithm {
        KeyAlgorithm::Rsa2048 => Some(KeySize::Rsa2048),
        KeyAlgorithm::Rsa3072 => Some(KeySize::Rsa3072),
        KeyAlgorithm::Rsa4096 => Some(KeySize::Rsa4096),
        _ => None,
    }
}

fn curve(algorithm: KeyAlgorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => Some(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyAlgorithm::EcdsaP384 => Some(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyAlgorithm::EcdsaP521 => Some(&ECDSA_P521_SHA512_ASN1_SIGNING),
        _ => None,
    }
}

/// What stands before the uncompressed point in the SubjectPublicKeyInfo of an ECDSA key (RFC 5480 section 2).
fn ecdsa_prefix(algorithm: KeyAlgorithm) -> Result<&'static [u8], Error> {
    const P256: &[u8] =
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
    const P384: &[u8] = b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";
    const P521: &[u8] =
        b"\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00";
    match algorithm {
        KeyAlgorithm::EcdsaP256 => Ok(P256),
        KeyAlgorithm::EcdsaP384 => Ok(P384),
        KeyAlgorithm::EcdsaP521 => Ok(P521),
        _ => Err(Error::Crypto("public key encoding")),
    }
}

fn rsa_padding(algorithm: SignatureAlgorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        SignatureAlgorithm::Sha256WithRsa => Some(&signature::RSA_PKCS1_SHA256),
        SignatureAlgorithm::Sha384WithRsa => Some(&signature::RSA_PKCS1_SHA384),
        SignatureAlgorithm::Sha512WithRsa => Some(&signature::RSA_PKCS1_SHA512),
        _ => None,
    }
}

enum Encoding {
    Pkcs8,
    Pkcs1,
    Sec1,
}

impl Encoding {
    /// Tells the encodings apart by what follows the version number (RFC 5958, RFC 8017 A.1.2, RFC 5915).
    fn of(bytes: &[u8]) -> Result<Self, Error> {
        let refused = |why: &str| Err(Error::Unusable(format!("This is not a private key in DER: {why}.")));
        if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            return refused("it is PEM text; decode it first");
        }
        let Some((inside, rest)) = der::expect(bytes, der::SEQUENCE) else {
            return refused("it is not a DER sequence");
        };
        if !rest.is_empty() {
            return refused("bytes follow its end");
        }
        let Some((first, rest)) = der::split(inside) else { return refused("it is empty or cut short") };
        if first.tag == der::SEQUENCE {
            return refused("it is encrypted (PKCS#8 EncryptedPrivateKeyInfo) or no private key; decrypt it first");
        }
        match (first.tag, der::split(rest).map(|(second, _)| second.tag)) {
            (der::INTEGER, Some(der::SEQUENCE)) => Ok(Self::Pkcs8),
            (der::INTEGER, Some(der::INTEGER)) => Ok(Self::Pkcs1),
            (der::INTEGER, Some(der::OCTET_STRING)) => Ok(Self::Sec1),
            _ => refused("neither PKCS#8 nor PKCS#1 nor SEC1"),
        }
    }
}

fn from_foreign_pkcs8(bytes: &[u8]) -> Result<(KeyAlgorithm, Pair), Error> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    const OID: u8 = 0x06;
    let oid = der::expect(bytes, der::SEQUENCE)
        .and_then(|(inside, _)| der::expect(inside, der::INTEGER))
        .and_then(|(_, rest)| der::expect(rest, der::SEQUENCE))
        .and_then(|(algorithm, _)| der::expect(algorithm, OID));
    match oid {
        Some((RSA, _)) => {
            let pair = RsaKeyPair::from_pkcs8(bytes).map_err(|error| rejected("RSA", &error))?;
            Ok((rsa_algorithm(&pair)?, Pair::Rsa(pair)))
        }
        Some((EC, _)) => ecdsa(bytes, EcdsaKeyPair::from_pkcs8),
        Some((ED25519, _)) => {
            let pair = Ed25519KeyPair::from_pkcs8(bytes).map_err(|error| rejected("Ed25519", &error))?;
            Ok((KeyAlgorithm::Ed25519, Pair::Ed25519(pair)))
        }
        _ => Err(Error::Unusable(
            "The private key is of a kind that is not supported; RSA, ECDSA on P-256, P-384 or P-521, and Ed25519 are."
                .to_owned(),
        )),
    }
}

fn ecdsa(
    bytes: &[u8],
    read: fn(&'static EcdsaSigningAlgorithm, &[u8]) -> Result<EcdsaKeyPair, aws_lc_rs::error::KeyRejected>,
) -> Result<(KeyAlgorithm, Pair), Error> {
    [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521]
        .into_iter()
        .find_map(|algorithm| Some((algorithm, Pair::Ecdsa(read(curve(algorithm)?, bytes).ok()?))))
        .ok_or_else(|| {
            Error::Unusable(
                "The EC private key is damaged, its parts do not fit together, or its curve is none of P-256, P-384 and P-521."
                    .to_owned(),
            )
        })
}

/// The algorithm of an RSA key: of our three sizes, with a sane exponent.
fn rsa_algorithm(pair: &RsaKeyPair) -> Result<KeyAlgorithm, Error> {
    let public = pair.public_key().as_ref();
    let (modulus, exponent) = der::rsa_public_key(public).ok_or(Error::Crypto("public key encoding"))?;
    // Odd, at least 65537, at most 2^32 (CA/Browser Forum BR 6.1.6 advises 2^16+1 to 2^256-1; nobody uses more).
    let sane = (17..=32).contains(&der::bits(exponent)) && exponent.last().is_some_and(|byte| byte % 2 == 1);
    if !sane {
        return Err(Error::Unusable(
            "The RSA key's public exponent is not an odd number from 65537 to 2^32.".to_owned(),
        ));
    }
    match der::bits(modulus) {
        2048 => Ok(KeyAlgorithm::Rsa2048),
        3072 => Ok(KeyAlgorithm::Rsa3072),
        4096 => Ok(KeyAlgorithm::Rsa4096),
        bits => Err(Error::Unusable(format!("The RSA key has {bits} bits; 2048, 3072 and 4096 are supported."))),
    }
}

fn rejected(kind: &str, error: &aws_lc_rs::error::KeyRejected) -> Error {
    Error::Unusable(match error.to_string().as_str() {
        "TooSmall" => format!("The {kind} private key is too short to be safe."),
        "TooLarge" => format!("The {kind} private key is too long."),
        _ => format!("The {kind} private key is damaged, or its parts do not fit together."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_keys_are_encoded_as_the_library_would() {
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521] {
            let made = Material::generate(algorithm).unwrap();
            let Pair::Ecdsa(pair) = &made.pair else { unreachable!() };
            let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
            assert_eq!(made.public_key(), spki.as_ref(), "{algorithm}");
        }
    }
}
