//! Making keys and signing with them.

use super::fixtures::{MESSAGE, OpenSsl, aws_lc_verifies, described, openssl_verifies, place, vault};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_keystore::{Error, KeyStore};
use std::collections::HashSet;

fn asymmetric() -> impl Iterator<Item = KeyAlgorithm> {
    KeyAlgorithm::ALL.iter().copied().filter(|algorithm| algorithm.is_asymmetric())
}

pub(crate) async fn every_algorithm_signs_what_others_verify(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    for algorithm in asymmetric() {
        let place = place(algorithm);
        let made = store.create_key(&vault_key, &place).await.unwrap();
        let public_key = made.public_key.unwrap();
        let openssl = OpenSsl::new();
        openssl.file("public.der", &public_key);
        let text = String::from_utf8(openssl.run("pkey -pubin -inform DER -in public.der -noout -text_pub")).unwrap();
        for word in described(algorithm) {
            assert!(text.contains(word), "{algorithm}: {text}");
        }

        let signer = store.signer(&vault_key, &place, &made.sealed).await.unwrap();
        assert_eq!(signer.public_key(), public_key);
        for signature_algorithm in algorithm.signature_algorithms() {
            let signature = signer.sign(*signature_algorithm, MESSAGE).await.unwrap();
            for verifies in [aws_lc_verifies, openssl_verifies] {
                assert!(verifies(*signature_algorithm, &public_key, MESSAGE, &signature), "{signature_algorithm}");
                assert!(!verifies(*signature_algorithm, &public_key, b"another message", &signature));
            }
        }
    }
}

pub(crate) async fn a_signer_refuses_what_does_not_fit(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let kinds = [
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Ed25519,
    ];
    for algorithm in kinds {
        let place = place(algorithm);
        let made = store.create_key(&vault_key, &place).await.unwrap();
        let signer = store.signer(&vault_key, &place, &made.sealed).await.unwrap();
        for signature_algorithm in SignatureAlgorithm::ALL {
            let fits = algorithm.signature_algorithms().contains(signature_algorithm);
            let signed = signer.sign(*signature_algorithm, MESSAGE).await;
            assert_eq!(signed.is_ok(), fits, "{algorithm} {signature_algorithm}");
            assert!(fits || matches!(signed, Err(Error::Unusable(_))));
        }
    }
}

pub(crate) async fn symmetric_keys_are_kept_but_do_not_sign(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let mut lengths = Vec::new();
    for algorithm in [KeyAlgorithm::Aes128, KeyAlgorithm::Aes192, KeyAlgorithm::Aes256] {
        let place = place(algorithm);
        let made = store.create_key(&vault_key, &place).await.unwrap();
        assert!(made.public_key.is_none());
        lengths.push(made.sealed.0.len());
        assert!(matches!(store.signer(&vault_key, &place, &made.sealed).await, Err(Error::Unusable(_))));
        assert!(matches!(store.create_leaf_key(algorithm).await, Err(Error::Unusable(_))));
    }
    assert_eq!((lengths[1] - lengths[0], lengths[2] - lengths[1]), (8, 8));
}

pub(crate) async fn leaf_keys_are_read_by_others(store: &dyn KeyStore) {
    for algorithm in asymmetric() {
        let leaf = store.create_leaf_key(algorithm).await.unwrap();
        let openssl = OpenSsl::new();
        openssl.file("key.der", leaf.pkcs8.expose());
        assert_eq!(openssl.run("pkey -inform DER -in key.der -pubout -outform DER"), leaf.public_key, "{algorithm}");
        openssl.run("pkey -inform DER -in key.der -check -noout");
        openssl.file("public.der", &leaf.public_key);
        let text = String::from_utf8(openssl.run("pkey -pubin -inform DER -in public.der -noout -text_pub")).unwrap();
        for word in described(algorithm) {
            assert!(text.contains(word), "{algorithm}: {text}");
        }
        assert_eq!(store.inspect_private_key(&leaf.pkcs8).unwrap(), algorithm);
    }
}

pub(crate) async fn two_keys_are_never_the_same(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let mut seen = HashSet::new();
    for _ in 0..6 {
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
            assert!(seen.insert(store.create_leaf_key(algorithm).await.unwrap().public_key));
            assert!(seen.insert(store.create_key(&vault_key, &place(algorithm)).await.unwrap().public_key.unwrap()));
        }
    }
    // More than the pool holds, so that keys from the pool and keys made on demand are both among them.
    for _ in 0..6 {
        assert!(seen.insert(store.create_leaf_key(KeyAlgorithm::Rsa2048).await.unwrap().public_key));
    }
}
