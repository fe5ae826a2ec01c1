//! Other people's private keys.

use super::fixtures::{MESSAGE, OpenSsl, made_by_openssl, openssl_verifies, place, vault};
use certwright_domain::algorithm::KeyAlgorithm;
use certwright_domain::secret::SecretBytes;
use certwright_keystore::{Error, KeyStore};

const RSA: &str = "genpkey -algorithm RSA -outform DER -pkeyopt rsa_keygen_bits:";
const EC: &str = "genpkey -algorithm EC -outform DER -pkeyopt ec_paramgen_curve:";

/// The same key in PKCS#8 and in the older encoding of its kind, as openssl writes them.
fn both_encodings(arguments: &str) -> [SecretBytes; 2] {
    let openssl = OpenSsl::new();
    openssl.file("key.der", &openssl.run(arguments));
    let pkcs8 = openssl.run("pkcs8 -topk8 -nocrypt -inform DER -in key.der -outform DER");
    let traditional = openssl.run("pkey -inform DER -in key.der -traditional -outform DER");
    assert!(pkcs8 != traditional);
    [pkcs8, traditional].map(SecretBytes::new)
}

pub(crate) async fn foreign_keys_are_taken(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let mut cases = Vec::new();
    for (algorithm, arguments) in [
        (KeyAlgorithm::Rsa2048, format!("{RSA}2048")),
        (KeyAlgorithm::Rsa3072, format!("{RSA}3072")),
        (KeyAlgorithm::Rsa4096, format!("{RSA}4096")),
        (KeyAlgorithm::EcdsaP256, format!("{EC}P-256")),
        (KeyAlgorithm::EcdsaP384, format!("{EC}P-384")),
        (KeyAlgorithm::EcdsaP521, format!("{EC}P-521")),
    ] {
        cases.extend(both_encodings(&arguments).map(|key| (algorithm, key)));
    }
    cases.push((KeyAlgorithm::Ed25519, made_by_openssl("genpkey -algorithm ED25519 -outform DER")));
    // SEC1 without the public key: it is computed.
    let openssl = OpenSsl::new();
    openssl.file("key.der", cases[6].1.expose());
    let bare = openssl.run("ec -inform DER -in key.der -no_public -outform DER");
    cases.push((KeyAlgorithm::EcdsaP256, SecretBytes::new(bare)));

    for (algorithm, der) in cases {
        assert_eq!(store.inspect_private_key(&der).unwrap(), algorithm);
        let place = place(algorithm);
        let taken = store.import_key(&vault_key, &place, &der).await.unwrap();
        let openssl = OpenSsl::new();
        openssl.file("key.der", der.expose());
        let public_key = openssl.run("pkey -inform DER -in key.der -pubout -outform DER");
        assert_eq!(taken.public_key.as_deref(), Some(public_key.as_slice()), "{algorithm}");
        let signer = store.signer(&vault_key, &place, &taken.sealed).await.unwrap();
        let with = algorithm.signature_algorithms()[0];
        assert!(openssl_verifies(with, &public_key, MESSAGE, &signer.sign(with, MESSAGE).await.unwrap()));
    }
}

pub(crate) async fn keys_of_another_kind_are_refused(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    for (der, algorithms) in [
        (
            made_by_openssl(&format!("{EC}P-256")),
            vec![KeyAlgorithm::EcdsaP384, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519, KeyAlgorithm::Aes256],
        ),
        (made_by_openssl(&format!("{RSA}2048")), vec![KeyAlgorithm::Rsa3072, KeyAlgorithm::EcdsaP256]),
    ] {
        for algorithm in algorithms {
            let taken = store.import_key(&vault_key, &place(algorithm), &der).await;
            let Err(Error::Unusable(why)) = taken else { panic!("{algorithm}: {taken:?}") };
            assert!(why.contains(algorithm.as_str()), "{why}");
        }
    }
}

pub(crate) async fn weak_and_foreign_kinds_are_refused(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    for arguments in [
        format!("{RSA}1024"),
        format!("{RSA}2560"),
        format!("{RSA}2048 -pkeyopt rsa_keygen_pubexp:3"),
        format!("{EC}secp256k1"),
        format!("{EC}P-224"),
        format!("{EC}brainpoolP256r1"),
        "genpkey -algorithm ED448 -outform DER".to_owned(),
        "genpkey -algorithm X25519 -outform DER".to_owned(),
        "genpkey -algorithm RSA-PSS -outform DER -pkeyopt rsa_keygen_bits:2048".to_owned(),
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048".to_owned(),
    ] {
        let der = made_by_openssl(&arguments);
        for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
            let taken = store.import_key(&vault_key, &place(algorithm), &der).await;
            assert!(matches!(taken, Err(Error::Unusable(_))), "{arguments}: {taken:?}");
        }
        assert!(matches!(store.inspect_private_key(&der), Err(Error::Unusable(_))), "{arguments}");
    }
    let openssl = OpenSsl::new();
    openssl.file("key.der", made_by_openssl(&format!("{EC}P-256")).expose());
    let encrypted = openssl.run("pkcs8 -topk8 -inform DER -in key.der -outform DER -passout pass:secret");
    let Err(Error::Unusable(why)) = store.inspect_private_key(&SecretBytes::new(encrypted)) else { panic!("taken") };
    assert!(why.contains("decrypt it first"), "{why}");
    let public = openssl.run("pkey -inform DER -in key.der -pubout -outform DER");
    assert!(matches!(store.inspect_private_key(&SecretBytes::new(public)), Err(Error::Unusable(_))));
}

pub(crate) async fn damaged_keys_are_refused(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let [pkcs8, pkcs1] = both_encodings(&format!("{RSA}2048"));
    let [ec8, sec1] = both_encodings(&format!("{EC}P-256"));
    for (algorithm, der) in [
        (KeyAlgorithm::Rsa2048, &pkcs8),
        (KeyAlgorithm::Rsa2048, &pkcs1),
        (KeyAlgorithm::EcdsaP256, &ec8),
        (KeyAlgorithm::EcdsaP256, &sec1),
    ] {
        let whole = der.expose();
        // The middle lies in the private exponent or the scalar or the point, the end in a CRT part or the point.
        for index in [whole.len() / 3, whole.len() / 2, whole.len() - 3] {
            let mut changed = whole.clone();
            changed[index] ^= 0x04;
            let taken = store.import_key(&vault_key, &place(algorithm), &SecretBytes::new(changed)).await;
            assert!(matches!(taken, Err(Error::Unusable(_))), "{algorithm} byte {index}: {taken:?}");
        }
        for cut in [0, 1, 5, whole.len() / 2, whole.len() - 1] {
            let taken = store.inspect_private_key(&SecretBytes::new(whole[..cut].to_vec()));
            assert!(matches!(taken, Err(Error::Unusable(_))), "{algorithm} cut at {cut}");
        }
        let longer = [whole.as_slice(), &[0]].concat();
        assert!(matches!(store.inspect_private_key(&SecretBytes::new(longer)), Err(Error::Unusable(_))));
    }
    let huge = SecretBytes::new(vec![0x30; 1 << 20]);
    assert!(matches!(store.inspect_private_key(&huge), Err(Error::Unusable(_))));
}

pub(crate) async fn garbage_never_passes(store: &dyn KeyStore) {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};
    let valid = made_by_openssl(&format!("{EC}P-256"));
    let strategy = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        // A valid key with a few bytes changed gets deeper into the parsers.
        proptest::collection::vec((0..valid.expose().len(), any::<u8>()), 1..4).prop_map({
            let valid = valid.expose().clone();
            move |changes| {
                let mut bytes = valid.clone();
                for (index, byte) in changes {
                    bytes[index] = byte;
                }
                bytes
            }
        }),
    ];
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    runner
        .run(&strategy, |bytes| {
            match store.inspect_private_key(&SecretBytes::new(bytes.clone())) {
                Err(Error::Unusable(_)) => {}
                // A change that changed nothing, or nothing but attributes that nobody reads.
                Ok(KeyAlgorithm::EcdsaP256) if bytes.len() == valid.expose().len() => {}
                other => prop_assert!(false, "{:?}", other),
            }
            Ok(())
        })
        .unwrap();
}
