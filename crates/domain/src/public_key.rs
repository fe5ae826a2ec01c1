//! What is known of a public key.

use crate::algorithm::KeyAlgorithm;
use crate::serial::Sha256;

/// A public key as read from a CSR, a certificate or our own key store. Made by `pki` and `keystore`, judged by `rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// SHA-256 of `spki`.
    pub spki_sha256: Sha256,
    /// The kind, with what the rules need to judge it.
    pub kind: PublicKeyKind,
}

/// The kind of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKeyKind {
    /// RSA: big-endian modulus and public exponent without leading zeros.
    Rsa {
        /// Modulus.
        modulus: Vec<u8>,
        /// Public exponent.
        exponent: Vec<u8>,
    },
    /// ECDSA on a named curve; the point has been checked to lie on it.
    Ecdsa(KeyAlgorithm),
    /// Ed25519.
    Ed25519,
    /// Anything else, by its OID; refused by every rule.
    Other(String),
}

impl PublicKey {
    /// The algorithm where it is one that we know. RSA of other sizes than 2048, 3072 and 4096 bits is `None`.
    pub fn algorithm(&self) -> Option<KeyAlgorithm> {
        match &self.kind {
            PublicKeyKind::Rsa { .. } => match self.rsa_bits() {
                Some(2048) => Some(KeyAlgorithm::Rsa2048),
                Some(3072) => Some(KeyAlgorithm::Rsa3072),
                Some(4096) => Some(KeyAlgorithm::Rsa4096),
                _ => None,
            },
            PublicKeyKind::Ecdsa(algorithm) => Some(*algorithm),
            PublicKeyKind::Ed25519 => Some(KeyAlgorithm::Ed25519),
            PublicKeyKind::Other(_) => None,
        }
    }

    /// Bits of an RSA modulus.
    pub fn rsa_bits(&self) -> Option<usize> {
        match &self.kind {
            PublicKeyKind::Rsa { modulus, .. } => {
                let zeros = modulus.first().map_or(0, |b| b.leading_zeros() as usize);
                modulus.len().checked_mul(8)?.checked_sub(zeros)
            }
            _ => None,
        }
    }
}
