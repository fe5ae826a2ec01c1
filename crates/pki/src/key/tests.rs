//! Tests.

use super::*;
use crate::support;

fn spki(identifier: &[u8], bits: &[u8]) -> Vec<u8> {
    tlv::element(tlv::SEQUENCE, &[identifier, &tlv::element(tlv::BIT_STRING, &[&[0], bits])])
}

fn refused(spki: &[u8]) -> String {
    match read_public_key(spki) {
        Err(Error::Invalid(invalid)) => invalid.detail,
        other => panic!("not refused: {other:?}"),
    }
}

fn rsa_bits(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    tlv::element(tlv::SEQUENCE, &[&tlv::element(tlv::INTEGER, &[modulus]), &tlv::element(tlv::INTEGER, &[exponent])])
}

#[test]
fn keys_are_read_back_as_they_are() {
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
    ] {
        let key = support::TestKey::new(algorithm);
        assert_eq!(key.public.algorithm(), Some(algorithm));
        assert_eq!(key.public.spki_sha256, sha256(&key.public.spki));
        assert_eq!(key_identifier(&key.public).unwrap().len(), 20);
    }
}

#[test]
fn keys_in_other_forms_are_refused() {
    let key = support::p256();
    let (_, point) = spki_parts(&key.public.spki).unwrap();
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    let mut off_curve = point.to_vec();
    off_curve[64] ^= 1;
    let modulus = [&[0][..], &[0xc5; 256]].concat();
    let null_params = [&[0x30, 0x07][..], &ED25519[2..], &[0x05, 0x00]].concat();
    let no_params = [0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    for (spki, says) in [
        (spki(EC_P256, &compressed), "uncompressed"),
        (spki(EC_P256, &off_curve), "off its curve"),
        (spki(EC_P256, &[0]), "uncompressed"),
        (spki(EC_P384, point), "uncompressed"),
        (spki(EC_P256, &[point, &[0]].concat()), "uncompressed"),
        (spki(ED25519, &[1; 31]), "canonical form"),
        (spki(&null_params, &[1; 32]), "canonical form"),
        (spki(&no_params, &rsa_bits(&modulus, &[1, 0, 1])), "canonical form"),
        (spki(RSA, &rsa_bits(&modulus[1..], &[1, 0, 1])), "not positive"),
        (spki(RSA, &rsa_bits(&modulus, &[0])), "not positive"),
        (spki(RSA, &[rsa_bits(&modulus, &[3]), vec![0]].concat()), "bytes follow"),
        (spki(RSA, &rsa_bits(&[&[0][..], &modulus].concat(), &[3])), "leading zeros"),
        (spki(RSA, &rsa_bits(&[&[0][..], &[0xc5; 1025]].concat(), &[1, 0, 1])), "1025 octets"),
        ([spki(EC_P256, point), vec![0]].concat(), "bytes follow"),
        (Vec::new(), "it is empty"),
    ] {
        let detail = refused(&spki);
        assert!(detail.contains(says), "{detail} (wanted: {says})");
    }
}

/// The neutral element verifies the signature (neutral element, 0) over every message.
#[test]
fn ed25519_points_of_small_order_are_refused() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let forged = [neutral, [0; 32]].concat();
    let accepted = lc::UnparsedPublicKey::new(&lc::ED25519, neutral).verify(b"any message", &forged);
    assert!(accepted.is_ok(), "the check is no longer needed: aws-lc refuses the key itself");
    let order_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    for point in [
        neutral.to_vec(),
        vec![0; 32],
        [&[0; 31][..], &[0x80]].concat(),
        [&[0xed][..], &[0xff; 31]].concat(),
        hex::decode(order_8).unwrap(),
    ] {
        assert!(refused(&spki(ED25519, &point)).contains("small order"), "{}", hex::encode(point));
    }
}

#[test]
fn other_algorithms_are_named_by_their_oid() {
    let dsa = [0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
    let key = read_public_key(&spki(&dsa, &[2, 1, 5])).unwrap();
    assert_eq!(key.kind, PublicKeyKind::Other("1.2.840.10040.4.1".to_owned()));
    let refusal = VerificationKey::new(&key, SignatureAlgorithm::Sha256WithRsa).unwrap_err();
    assert_eq!(refusal.code, "unsupported_key_algorithm");
}

#[test]
fn signatures_verify_only_with_key_algorithm_and_message_of_their_own() {
    let keys = [
        support::TestKey::new(KeyAlgorithm::EcdsaP256),
        support::TestKey::new(KeyAlgorithm::EcdsaP384),
        support::TestKey::new(KeyAlgorithm::EcdsaP521),
        support::TestKey::new(KeyAlgorithm::Ed25519),
        support::TestKey::new(KeyAlgorithm::Rsa2048),
    ];
    for (at, key) in keys.iter().enumerate() {
        let signature = key.sign(key.algorithm, b"message");
        for (other_at, other) in keys.iter().enumerate() {
            for algorithm in SignatureAlgorithm::ALL {
                let good = at == other_at && *algorithm == key.algorithm;
                let verified = verify_signature(&other.public.spki, *algorithm, b"message", &signature);
                assert_eq!(verified.is_ok(), good, "{at} {other_at} {algorithm}");
            }
        }
        assert!(verify_signature(&key.public.spki, key.algorithm, b"massage", &signature).is_err());
        assert!(verify_signature(&key.public.spki, key.algorithm, b"message", &[]).is_err());
    }
}

#[test]
fn the_cache_serves_every_algorithm_of_an_rsa_key() {
    let key = support::rsa();
    let cache = KeyCache::default();
    for algorithm in
        [SignatureAlgorithm::Sha256WithRsa, SignatureAlgorithm::Sha512WithRsa, SignatureAlgorithm::Sha256WithRsa]
    {
        let parsed = cache.get(&key.public, algorithm).unwrap();
        assert_eq!(parsed.algorithm(), algorithm);
        assert!(parsed.verify(b"m", &key.sign(algorithm, b"m")).is_ok());
        assert!(parsed.verify(b"n", &key.sign(algorithm, b"m")).is_err());
    }
}

#[test]
fn every_algorithm_has_an_identifier_of_its_own() {
    for algorithm in SignatureAlgorithm::ALL {
        assert_eq!(signature_algorithm(signature_identifier(*algorithm)), Some(*algorithm));
    }
    assert_eq!(signature_algorithm(&[]), None);
}
