//! A public key as JSON (RFC 7517).
//!
//! A key verifies what fits its type and its curve: the signature's own word never decides how a key is used.

use super::json::{Json, Object};
use crate::sha256;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certwright_domain::identity::JwsAlgorithm;
use certwright_domain::public_key::{PublicKey, PublicKeyKind};
use certwright_domain::serial::Sha256;

/// Sizes of RSA keys, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Members that only private and symmetric keys have (RFC 7518 sections 6.2.2, 6.3.2, 6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What stands before the point in a SubjectPublicKeyInfo (RFC 5480, RFC 8410).
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3,
    0x42, 0,
];
const P384: &[u8] =
    &[0x30, 0x76, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22, 3, 0x62, 0];
const P521: &[u8] = &[
    0x30, 0x81, 0x9b, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x23, 3, 0x81,
    0x86, 0,
];
const ED: &[u8] = &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
const RSA: &[u8] = &[0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkFault {
    /// A member is missing, or not what it should be.
    #[error("a member of the key is missing or not what it should be")]
    Form,
    /// The type or curve is none that is taken.
    #[error("only RSA, EC on P-256, P-384 or P-521, and Ed25519 are taken")]
    Type,
    /// It is a private or symmetric key.
    #[error("it holds a private or symmetric key; whoever has seen it can sign with it")]
    Secret,
    /// Too short, too long, an exponent that is not sane.
    #[error("RSA keys have 2048 to 8192 bits and an odd exponent from 65537 to 2^32")]
    Rsa,
    /// The point does not lie on the curve.
    #[error("the point does not lie on the curve")]
    Point,
}

enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec(JwsAlgorithm, ParsedPublicKey, Vec<u8>),
    Ed25519(ParsedPublicKey, Vec<u8>),
}

/// A public key that verifies signatures.
pub struct Jwk(Material);

/// Does it hold what only private and symmetric keys have?
pub(crate) fn is_secret(members: &Object) -> bool {
    members.get("kty").and_then(Json::text) == Some("oct") || PRIVATE.iter().any(|name| members.contains_key(*name))
}

impl Jwk {
    /// Reads a key. Members that are not needed are not looked at.
    pub fn parse(members: &Object) -> Result<Self, JwkFault> {
        if is_secret(members) {
            return Err(JwkFault::Secret);
        }
        let curve = members.get("crv").and_then(Json::text);
        let material = match (members.get("kty").and_then(Json::text), curve) {
            (Some("RSA"), _) => rsa(bytes(members, "n")?, bytes(members, "e")?)?,
            (Some("EC"), Some("P-256")) => ec(members, JwsAlgorithm::Es256, 32)?,
            (Some("EC"), Some("P-384")) => ec(members, JwsAlgorithm::Es384, 48)?,
            (Some("EC"), Some("P-521")) => ec(members, JwsAlgorithm::Es512, 66)?,
            (Some("OKP"), Some("Ed25519")) => ed25519(bytes(members, "x")?)?,
            (None, _) => return Err(JwkFault::Form),
            _ => return Err(JwkFault::Type),
        };
        Ok(Self(material))
    }

    /// Reads a key from the text that [`Self::canonical`] gives.
    pub fn from_canonical(text: &str) -> Option<Self> {
        Self::parse(&super::json::object(text.as_bytes())?).ok()
    }

    /// The key of a CSR or a certificate; `None`: it is none that is taken here.
    pub fn of(key: &PublicKey) -> Option<Self> {
        let point = |before: &[u8]| key.spki.strip_prefix(before)?.strip_prefix(&[4]).map(<[u8]>::to_vec);
        let material = match &key.kind {
            PublicKeyKind::Rsa { modulus, exponent } => rsa(modulus.clone(), exponent.clone()),
            PublicKeyKind::Ecdsa(_) => {
                let curves = [(P256, JwsAlgorithm::Es256), (P384, JwsAlgorithm::Es384), (P521, JwsAlgorithm::Es512)];
                let found = curves.into_iter().find_map(|(before, algorithm)| Some((algorithm, point(before)?)));
                let (algorithm, point) = found?;
                on_curve(algorithm, point)
            }
            PublicKeyKind::Ed25519 => ed25519(key.spki.strip_prefix(ED)?.to_vec()),
            PublicKeyKind::Other(_) => return None,
        };
        material.ok().map(Self)
    }

    /// Can such a signature be this key's?
    pub fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        match &self.0 {
            Material::Rsa { .. } => rsa_parameters(algorithm).is_some(),
            Material::Ec(own, ..) => *own == algorithm,
            Material::Ed25519(..) => algorithm == JwsAlgorithm::EdDsa,
        }
    }

    /// Is this its signature? ECDSA signatures are two numbers of fixed length (RFC 7518 section 3.4).
    pub fn verify(&self, algorithm: JwsAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Material::Rsa { n, e } => rsa_parameters(algorithm).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }),
            Material::Ec(own, key, _) => *own == algorithm && key.verify_sig(message, signature).is_ok(),
            Material::Ed25519(key, _) => algorithm == JwsAlgorithm::EdDsa && key.verify_sig(message, signature).is_ok(),
        }
    }

    /// The required members alone, by name, without white space: what RFC 7638 section 3 hashes.
    pub fn canonical(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.0 {
            Material::Rsa { n, e } => format!("{{\"e\":\"{}\",\"kty\":\"RSA\",\"n\":\"{}\"}}", text(e), text(n)),
            Material::Ec(algorithm, _, point) => {
                let curve = match algorithm {
                    JwsAlgorithm::Es256 => "P-256",
                    JwsAlgorithm::Es384 => "P-384",
                    _ => "P-521",
                };
                let (x, y) = point.split_at(point.len().div_euclid(2));
                format!("{{\"crv\":\"{curve}\",\"kty\":\"EC\",\"x\":\"{}\",\"y\":\"{}\"}}", text(x), text(y))
            }
            Material::Ed25519(_, x) => format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{}\"}}", text(x)),
        }
    }

    /// SHA-256 of [`Self::canonical`] (RFC 7638).
    pub fn thumbprint(&self) -> Sha256 {
        sha256(&[self.canonical().as_bytes()])
    }

    /// SHA-256 of its DER SubjectPublicKeyInfo: what the inventory knows a key by.
    pub fn spki_sha256(&self) -> Sha256 {
        match &self.0 {
            Material::Rsa { n, e } => {
                let key = sequence(&[integer(n), integer(e)].concat());
                let mut bits = vec![0];
                bits.extend(key);
                sha256(&[&sequence(&[RSA.to_vec(), tagged(3, &bits)].concat())])
            }
            Material::Ec(algorithm, _, point) => {
                let before = match algorithm {
                    JwsAlgorithm::Es256 => P256,
                    JwsAlgorithm::Es384 => P384,
                    _ => P521,
                };
                sha256(&[before, &[4], point])
            }
            Material::Ed25519(_, x) => sha256(&[ED, x]),
        }
    }
}

fn bytes(members: &Object, name: &str) -> Result<Vec<u8>, JwkFault> {
    let text = members.get(name).and_then(Json::text).ok_or(JwkFault::Form)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwkFault::Form)
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Material, JwkFault> {
    let without_zeros = |bytes: Vec<u8>| -> Vec<u8> { bytes.into_iter().skip_while(|byte| *byte == 0).collect() };
    let (n, e) = (without_zeros(n), without_zeros(e));
    let unused = n.first().map_or(0, |first| first.leading_zeros());
    let bits = n.len().saturating_mul(8).saturating_sub(usize::try_from(unused).unwrap_or(0));
    // The exponent: odd, and from 65537 to what fits four bytes.
    let exponent = e.iter().fold(0_u64, |so_far, byte| so_far.wrapping_shl(8) | u64::from(*byte));
    let sane = e.len() <= 4 && exponent >= 65_537 && exponent % 2 == 1;
    let odd = n.last().is_some_and(|last| last % 2 == 1);
    if RSA_BITS.contains(&bits) && odd && sane { Ok(Material::Rsa { n, e }) } else { Err(JwkFault::Rsa) }
}

fn ec(members: &Object, algorithm: JwsAlgorithm, size: usize) -> Result<Material, JwkFault> {
    let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
    if x.len() != size || y.len() != size {
        return Err(JwkFault::Form);
    }
    on_curve(algorithm, [x, y].concat())
}

fn on_curve(algorithm: JwsAlgorithm, point: Vec<u8>) -> Result<Material, JwkFault> {
    let encoded = [&[4], point.as_slice()].concat();
    let parsed = match algorithm {
        JwsAlgorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, encoded),
        JwsAlgorithm::Es384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, encoded),
        _ => ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, encoded),
    };
    parsed.map(|key| Material::Ec(algorithm, key, point)).map_err(|_| JwkFault::Point)
}

fn ed25519(x: Vec<u8>) -> Result<Material, JwkFault> {
    let key = ParsedPublicKey::new(&ED25519, x.as_slice()).map_err(|_| JwkFault::Point)?;
    Ok(Material::Ed25519(key, x))
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

/// DER: a tag, a length, contents.
fn tagged(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let digits: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![tag];
    match (contents.len() < 0x80, u8::try_from(digits.len())) {
        (false, Ok(count)) => {
            der.push(0x80 | count);
            der.extend(digits);
        }
        _ => der.push(length.last().copied().unwrap_or_default()),
    }
    der.extend(contents);
    der
}

fn sequence(contents: &[u8]) -> Vec<u8> {
    tagged(0x30, contents)
}

/// A positive INTEGER from its digits.
fn integer(digits: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    if digits.first().is_none_or(|first| first & 0x80 != 0) {
        contents.push(0);
    }
    contents.extend(digits);
    tagged(2, &contents)
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    fn key(text: &str) -> Result<Jwk, JwkFault> {
        Jwk::parse(&json::object(text.as_bytes()).unwrap())
    }

    /// The key and thumbprint of RFC 7638 section 3.1.
    #[test]
    fn thumbprints_are_those_of_the_rfc() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
                 tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91\
                 CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let jwk = key(&format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}"#)).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(jwk.thumbprint().0), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        let again = Jwk::from_canonical(&jwk.canonical()).unwrap();
        assert_eq!(again.thumbprint(), jwk.thumbprint());
        assert!(jwk.fits(JwsAlgorithm::Rs256) && !jwk.fits(JwsAlgorithm::Es256));
    }

    /// Keys of every kind that an account can have are known again in a CSR.
    #[test]
    fn f6_a_key_in_der_is_the_same_key() {
        use aws_lc_rs::encoding::AsDer as _;
        use aws_lc_rs::signature::{self as algorithms, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
        let ec =
            |algorithm| EcdsaKeyPair::generate(algorithm).unwrap().public_key().as_der().unwrap().as_ref().to_vec();
        let rsa = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let ed = Ed25519KeyPair::generate().unwrap();
        for (kind, der) in [
            ("P-256", ec(&algorithms::ECDSA_P256_SHA256_FIXED_SIGNING)),
            ("P-384", ec(&algorithms::ECDSA_P384_SHA384_FIXED_SIGNING)),
            ("P-521", ec(&algorithms::ECDSA_P521_SHA512_FIXED_SIGNING)),
            ("RSA", rsa.public_key().as_der().unwrap().as_ref().to_vec()),
            ("Ed25519", ed.public_key().as_der().unwrap().as_ref().to_vec()),
        ] {
            let read = certwright_pki::read_public_key(&der).unwrap();
            let jwk = Jwk::of(&read).unwrap();
            assert!(jwk.canonical().contains(kind), "{}", jwk.canonical());
            assert_eq!(jwk.spki_sha256(), read.spki_sha256, "{kind}");
            assert_eq!(Jwk::from_canonical(&jwk.canonical()).unwrap().thumbprint(), jwk.thumbprint());
        }
    }

    #[test]
    fn t7_keys_that_are_weak_secret_or_malformed_are_refused() {
        let short = URL_SAFE_NO_PAD.encode([0xff; 128]);
        let even = URL_SAFE_NO_PAD.encode([0xfe; 256]);
        let good = URL_SAFE_NO_PAD.encode([0xff; 256]);
        let zero = URL_SAFE_NO_PAD.encode([0; 32]);
        for (text, fault) in [
            (format!(r#"{{"kty":"RSA","n":"{short}","e":"AQAB"}}"#), JwkFault::Rsa),
            (format!(r#"{{"kty":"RSA","n":"{even}","e":"AQAB"}}"#), JwkFault::Rsa),
            (format!(r#"{{"kty":"RSA","n":"{good}","e":"Aw"}}"#), JwkFault::Rsa),
            (format!(r#"{{"kty":"RSA","n":"{good}","e":"AQAA"}}"#), JwkFault::Rsa),
            (format!(r#"{{"kty":"RSA","n":"{good}"}}"#), JwkFault::Form),
            (format!(r#"{{"kty":"RSA","n":"{good}=","e":"AQAB"}}"#), JwkFault::Form),
            (format!(r#"{{"kty":"RSA","n":"{good}","e":"AQAB","d":"AQAB"}}"#), JwkFault::Secret),
            (format!(r#"{{"kty":"EC","crv":"P-256","x":"{zero}","y":"{zero}"}}"#), JwkFault::Point),
            (format!(r#"{{"kty":"EC","crv":"P-384","x":"{zero}","y":"{zero}"}}"#), JwkFault::Form),
            (format!(r#"{{"kty":"EC","crv":"secp256k1","x":"{zero}","y":"{zero}"}}"#), JwkFault::Type),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#.to_owned(), JwkFault::Point),
            (r#"{"kty":"oct","k":"AAAA"}"#.to_owned(), JwkFault::Secret),
            (r#"{"crv":"P-256"}"#.to_owned(), JwkFault::Form),
        ] {
            assert_eq!(key(&text).err(), Some(fault), "{text}");
        }
    }
}
