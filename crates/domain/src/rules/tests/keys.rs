//! Keys: who holds them, what they are, how strong they are.

use super::fixtures::*;
use crate::algorithm::KeyAlgorithm;
use crate::profile::{KeyHolder, Profile};
use crate::public_key::{PublicKey, PublicKeyKind};
use crate::rules::{KeyStanding, ServiceLimits, decide_leaf, key_strength};
use crate::serial::Sha256;
use num_bigint::BigUint;

const E65537: &[u8] = &[1, 0, 1];

fn key(kind: PublicKeyKind) -> PublicKey {
    PublicKey { kind, ..ecdsa() }
}

/// An odd number of this many bits without small factors; nobody factors it here, and neither do the rules.
fn modulus(bits: u64) -> Vec<u8> {
    let mut n = (BigUint::from(1_u32) << (bits - 1)) + (BigUint::from(0x5851_f42d_4c95_7f2d_u64) << (bits / 3)) + 1_u32;
    while crate::weak_key::rsa_weakness(&n.to_bytes_be()).is_some() {
        n += 2_u32;
    }
    n.to_bytes_be()
}

fn rsa(bits: u64) -> PublicKey {
    key(PublicKeyKind::Rsa { modulus: modulus(bits), exponent: E65537.to_vec() })
}

fn weaknesses(key: &PublicKey) -> Vec<&'static str> {
    key_strength(key).into_iter().flat_map(|verdict| verdict.violations).map(|violation| violation.code).collect()
}

#[test]
fn sizes_curves_and_kinds() {
    for good in [2048, 2056, 3072, 4096, 8192] {
        assert_eq!(weaknesses(&rsa(good)), [""; 0], "{good}");
    }
    for (bits, code) in
        [(1024, "key_too_small"), (2047, "key_too_small"), (2049, "invalid_key_size"), (8200, "key_too_large")]
    {
        assert_eq!(weaknesses(&rsa(bits)), [code], "{bits}");
    }
    for algorithm in KeyAlgorithm::ALL {
        let on_curve = matches!(algorithm, KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521);
        let expected: &[&str] = if on_curve { &[] } else { &["unsupported_key"] };
        assert_eq!(weaknesses(&key(PublicKeyKind::Ecdsa(*algorithm))), expected, "{algorithm}");
    }
    assert_eq!(weaknesses(&key(PublicKeyKind::Ed25519)), [""; 0]);
    assert_eq!(weaknesses(&key(PublicKeyKind::Other("1.2.840.10040.4.1".into()))), ["unsupported_key"]);
}

#[test]
fn exponents() {
    let judge =
        |exponent: &[u8]| weaknesses(&key(PublicKeyKind::Rsa { modulus: modulus(2048), exponent: exponent.to_vec() }));
    let (largest, mut leading) = (vec![0xff; 32], vec![0; 5]);
    leading.extend(E65537);
    for fine in [E65537, &[1, 0, 3], &largest, &leading] {
        assert_eq!(judge(fine), [""; 0], "{fine:?}");
    }
    let too_large = [&[1][..], &[0; 31], &[1]].concat();
    for bad in [&[][..], &[0], &[1], &[3], &[17], &[0xff, 0xff], &[1, 0, 0], &[1, 0, 2], &too_large] {
        assert_eq!(judge(bad), ["weak_exponent"], "{bad:?}");
    }
}

#[test]
fn a_weak_modulus_is_refused_with_its_reason_and_every_fault_is_listed() {
    let even = BigUint::from_bytes_be(&modulus(2048)) + 1_u32;
    let verdicts = key_strength(&key(PublicKeyKind::Rsa { modulus: even.to_bytes_be(), exponent: vec![3] }));
    let [verdict] = verdicts.as_slice() else { panic!("{verdicts:?}") };
    let codes: Vec<_> = verdict.violations.iter().map(|violation| violation.code).collect();
    assert_eq!(codes, ["weak_exponent", "weak_key"]);
    assert!(verdict.violations[1].detail.contains("divisible by 2"), "{verdict:?}");
    assert_eq!(verdict.value, "RSA_2048");
}

#[test]
fn the_profile_says_which_kinds() {
    let ec_only = profile(|raw| raw.key_algorithms = texts(&["ECDSA_P256"]));
    let judge = |profile: &Profile, public_key: PublicKey| {
        let mut request = leaf(&["a.example.com"]);
        request.public_key = public_key;
        codes(decide(profile, &issuer(), request))
    };
    assert_eq!(judge(&ec_only, ecdsa()), [""; 0]);
    assert_eq!(judge(&ec_only, rsa(2048)), ["key_algorithm_not_allowed"]);
    assert_eq!(judge(&ec_only, key(PublicKeyKind::Ecdsa(KeyAlgorithm::EcdsaP384))), ["key_algorithm_not_allowed"]);
    // Sizes between the names count as the smaller one.
    let rsa_3072 = profile(|raw| raw.key_algorithms = texts(&["RSA_3072"]));
    assert_eq!(judge(&rsa_3072, rsa(3080)), [""; 0]);
    assert_eq!(judge(&rsa_3072, rsa(3064)), ["key_algorithm_not_allowed"]);
    assert_eq!(judge(&open(), rsa(8192)), [""; 0]);
    assert_eq!(judge(&open(), rsa(1024)), ["key_algorithm_not_allowed", "key_too_small"]);
    let other = key(PublicKeyKind::Other("1.3.101.113".into()));
    assert_eq!(judge(&open(), other), ["key_algorithm_not_allowed", "unsupported_key"]);
}

#[test]
fn code_signing_wants_longer_rsa() {
    let code_sign = Profile::built_in("code-sign").unwrap();
    let judge = |bits| {
        let mut request = leaf(&[]);
        request.public_key = rsa(bits);
        codes(decide(&code_sign, &issuer(), request))
    };
    assert_eq!(judge(2048), ["key_algorithm_not_allowed"]);
    assert_eq!(judge(3072), [""; 0]);
    assert_eq!(judge(4096), [""; 0]);
}

#[test]
fn the_holder_of_the_key() {
    let requester = profile(|raw| raw.key_holders = texts(&["REQUESTER"]));
    let mut request = leaf(&["a.example.com"]);
    assert_eq!(codes(decide(&requester, &issuer(), request.clone())), [""; 0]);
    request.key_holder = KeyHolder::Service;
    assert_eq!(codes(decide(&requester, &issuer(), request)), ["key_holder_not_allowed"]);
}

#[test]
fn a_leaf_never_gets_the_key_or_the_shape_of_a_ca() {
    let mut request = leaf(&["a.example.com"]);
    let known = decide_leaf(&open(), &issuer(), &request, KeyStanding::OfCa, &ServiceLimits::default(), now());
    assert_eq!(codes(known), ["key_is_ca_key"]);
    let lost = KeyStanding::Compromised;
    let blocked = decide_leaf(&open(), &issuer(), &request, lost, &ServiceLimits::default(), now());
    assert_eq!(codes(blocked), ["key_compromised"]);
    request.public_key.spki_sha256 = issuer().spki_sha256;
    assert_eq!(codes(decide(&open(), &issuer(), request.clone())), ["key_is_ca_key"]);
    request.public_key.spki_sha256 = Sha256([9; 32]);
    request.asks_for_ca = true;
    assert_eq!(codes(decide(&open(), &issuer(), request)), ["asks_for_ca"]);
}
