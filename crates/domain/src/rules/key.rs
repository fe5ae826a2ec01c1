//! The public key: strong, of an allowed kind, held by an allowed party, and nobody else's.

use super::issuer::owner;
use super::record::{Broken, Owner, Verdicts};
use super::{KeyStanding, LeafRequest};
use crate::algorithm::{KeyAlgorithm, KeyFamily};
use crate::ca::IssuerFacts;
use crate::profile::Profile;
use crate::public_key::{PublicKey, PublicKeyKind};
use crate::violation::listed;
use crate::weak_key::rsa_weakness;

const POINTER: &str = "/publicKey";
/// Smallest and largest RSA modulus in bits (Baseline Requirements 6.1.5; the upper bound keeps verifying cheap).
const RSA_BITS: (usize, usize) = (2048, 8192);

/// Strong enough, for a leaf or a CA.
pub(super) fn strength(verdicts: &mut Verdicts, key: &PublicKey) {
    const LIMIT: &str = "RSA 2048 to 8192 bits, ECDSA P-256, P-384, P-521, Ed25519";
    const HINT: &str = "Make a new key: `ECDSA_P256`, `RSA_3072` or `ED25519`, say.";
    let mut rule = verdicts.rule("keyStrength", Owner::Service, || (LIMIT, describe(key)));
    let mut weak = |code, allowed: &str, detail: String| {
        let (allowed, hint) = (allowed.to_owned(), HINT.to_owned());
        rule.broken(Broken { code, pointer: POINTER.into(), allowed, detail, hint, ..Broken::default() });
    };
    match &key.kind {
        PublicKeyKind::Ed25519 => {}
        PublicKeyKind::Ecdsa(algorithm) if algorithm.family() == KeyFamily::Ecdsa => {}
        PublicKeyKind::Ecdsa(other) => {
            weak("unsupported_key", "", format!("`{other}` is not a curve that we certify."));
        }
        PublicKeyKind::Other(oid) => {
            let shown: String = oid.chars().take(80).collect();
            weak("unsupported_key", "", format!("Keys of the kind `{}` are not certified.", shown.escape_debug()));
        }
        PublicKeyKind::Rsa { modulus, exponent } => {
            let (smallest, largest) = RSA_BITS;
            let bits = key.rsa_bits().unwrap_or(0);
            if bits < smallest {
                let detail = format!("The RSA key has {bits} bits; at least {smallest} are needed.");
                weak("key_too_small", "2048 to 8192 bits", detail);
            } else if bits > largest {
                let detail = format!("The RSA key has {bits} bits; at most {largest} are accepted.");
                weak("key_too_large", "2048 to 8192 bits", detail);
            } else if bits.rem_euclid(8) != 0 {
                weak(
                    "invalid_key_size",
                    "a multiple of 8 bits",
                    format!("The RSA key has {bits} bits, not whole octets."),
                );
            }
            if !exponent_is_fine(exponent) {
                let detail = "The RSA key's public exponent is even, smaller than 65537, or larger than 256 bits.";
                weak("weak_exponent", "an odd number from 65537 to 2^256", detail.into());
            }
            // Outside of the accepted sizes the answer is clear already, and the arithmetic would be the caller's to choose.
            if let Some(weakness) = (smallest..=largest).contains(&bits).then(|| rsa_weakness(modulus)).flatten() {
                let detail = format!("The RSA key is known to be weak: its modulus {}.", weakness.reason());
                weak("weak_key", "a modulus of two large random primes", detail);
            }
        }
    }
    verdicts.push(rule);
}

/// Odd, at least 65537, below 2^256 (SP 800-56B section 6.2); big-endian, leading zeros do not count.
fn exponent_is_fine(exponent: &[u8]) -> bool {
    let start = exponent.iter().position(|byte| *byte != 0).unwrap_or(exponent.len());
    let digits = exponent.get(start..).unwrap_or_default();
    let odd = digits.last().is_some_and(|byte| byte & 1 == 1);
    // Three octets and odd: 0x010000 itself is even, so the smallest that is left is 65537.
    odd && (3..=32).contains(&digits.len())
}

pub(super) fn leaf(
    verdicts: &mut Verdicts,
    profile: &Profile,
    issuer: &IssuerFacts,
    request: &LeafRequest,
    standing: KeyStanding,
) {
    let of_profile = Owner::Profile(profile.name().as_str());
    let holders = profile.key_holders();
    let words = || (listed(holders.iter()), request.key_holder.as_str());
    let mut holder = verdicts.rule("keyHolders", of_profile, words);
    holder.broken_if(!holders.contains(&request.key_holder), || Broken {
        code: "key_holder_not_allowed",
        detail: format!("The {of_profile} does not let the {} hold the private key.", request.key_holder),
        hint: match request.key_holder {
            crate::profile::KeyHolder::Requester => "Use `issue` in place of `sign`, so that we make the key.".into(),
            crate::profile::KeyHolder::Service => "Make a key and use `sign` with a CSR.".into(),
        },
        ..Broken::default()
    });
    verdicts.push(holder);

    let allowed = profile.key_algorithms();
    let class = class(&request.public_key);
    let words = || (listed(allowed.iter()), describe(&request.public_key));
    let mut algorithm = verdicts.rule("keyAlgorithms", of_profile, words);
    algorithm.broken_if(!class.is_some_and(|class| allowed.contains(&class)), || Broken {
        code: "key_algorithm_not_allowed",
        pointer: POINTER.into(),
        detail: format!("The {of_profile} does not allow a key of the kind {}.", describe(&request.public_key)),
        hint: format!("Use one of: {}.", listed(allowed.iter())),
        ..Broken::default()
    });
    verdicts.push(algorithm);
    strength(verdicts, &request.public_key);
    nobody_elses(verdicts, issuer, &request.public_key, standing);

    let asked = if request.asks_for_ca { "CA certificate" } else { "end-entity certificate" };
    let mut end_entity = verdicts.rule("endEntity", of_profile, || ("end-entity certificate", asked));
    end_entity.broken_if(request.asks_for_ca, || Broken {
        code: "asks_for_ca",
        pointer: "/csr".into(),
        detail: "The CSR asks for a CA certificate (basicConstraints CA:TRUE).".into(),
        hint: "Leave CA:TRUE out of the CSR; subordinate CAs are made as certificate authorities.".into(),
        ..Broken::default()
    });
    verdicts.push(end_entity);
}

/// The key is no CA's, and no others know it.
pub(super) fn nobody_elses(
    verdicts: &mut Verdicts,
    issuer: &IssuerFacts,
    public_key: &PublicKey,
    standing: KeyStanding,
) {
    let own = standing == KeyStanding::OfCa || public_key.spki_sha256 == issuer.spki_sha256;
    let words = || ("not a CA's key", if own { "a CA's key" } else { "another key" });
    let mut distinct = verdicts.rule("keyNotOfCa", Owner::Service, words);
    distinct.broken_if(own, || Broken {
        code: "key_is_ca_key",
        pointer: POINTER.into(),
        detail: "The key is that of a certificate authority; an end-entity certificate cannot carry it.".into(),
        hint: "Make a new key.".into(),
        ..Broken::default()
    });
    verdicts.push(distinct);

    let compromised = standing == KeyStanding::Compromised;
    let value = if compromised { "a key known to others" } else { "nothing against it" };
    let mut secret = verdicts.rule("keyNotCompromised", Owner::Service, || ("not revoked for compromise", value));
    secret.broken_if(compromised, || Broken {
        code: "key_compromised",
        pointer: POINTER.into(),
        detail: "A certificate with this key was revoked for keyCompromise; the key is blocked for ever.".into(),
        hint: "Make a new key.".into(),
        ..Broken::default()
    });
    verdicts.push(secret);
}

/// A subordinate CA has a key of its own.
pub(super) fn not_of_issuer(verdicts: &mut Verdicts, issuer: &IssuerFacts, key: &PublicKey) {
    let same = key.spki_sha256 == issuer.spki_sha256;
    let value = if same { "the issuer's key" } else { "another key" };
    let mut rule = verdicts.rule("keyNotOfIssuer", owner(issuer), || ("not the issuer's key", value));
    rule.broken_if(same, || Broken {
        code: "key_is_issuer_key",
        pointer: "/key".into(),
        detail: format!("The key is that of CA {} itself.", issuer.name),
        hint: "Give the new CA a key of its own.".into(),
        ..Broken::default()
    });
    verdicts.push(rule);
}

/// The entry of a profile's list that a key falls under. RSA keys between the named sizes count as the next smaller
/// one: 2560 bits as `RSA_2048`, 8192 bits as `RSA_4096`.
fn class(key: &PublicKey) -> Option<KeyAlgorithm> {
    match key.rsa_bits() {
        None => key.algorithm(),
        Some(bits) if bits >= 4096 => Some(KeyAlgorithm::Rsa4096),
        Some(bits) if bits >= 3072 => Some(KeyAlgorithm::Rsa3072),
        Some(bits) if bits >= 2048 => Some(KeyAlgorithm::Rsa2048),
        Some(_) => None,
    }
}

fn describe(key: &PublicKey) -> String {
    match (&key.kind, key.rsa_bits()) {
        (_, Some(bits)) => format!("RSA_{bits}"),
        (PublicKeyKind::Other(oid), _) => oid.chars().take(80).flat_map(char::escape_debug).collect(),
        _ => key.algorithm().map(|algorithm| algorithm.to_string()).unwrap_or_default(),
    }
}
