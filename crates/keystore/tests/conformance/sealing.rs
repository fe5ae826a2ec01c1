//! Blobs open in their place, with their key, unchanged, or not at all; and go on opening through rotations.

use super::fixtures::{MESSAGE, aws_lc_verifies, key, place, vault};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::key::SealedBlob;
use certwright_keystore::{Error, KeyPlace, KeyStore, VaultKey};

pub(crate) async fn a_blob_opens_in_its_place_only(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let home = place(KeyAlgorithm::EcdsaP256);
    let made = store.create_key(&vault_key, &home).await.unwrap();
    assert!(store.signer(&vault_key, &home, &made.sealed).await.is_ok());
    for elsewhere in [
        KeyPlace { vault_id: vault('2'), ..home.clone() },
        KeyPlace { key_id: key('2'), ..home.clone() },
        KeyPlace { version: 2, ..home.clone() },
        KeyPlace { algorithm: KeyAlgorithm::EcdsaP384, ..home.clone() },
        KeyPlace { algorithm: KeyAlgorithm::Ed25519, ..home.clone() },
    ] {
        let opened = store.signer(&vault_key, &elsewhere, &made.sealed).await;
        assert!(matches!(opened, Err(Error::Unsealing(_))), "{elsewhere:?}");
        let rewrapped = store.rewrap_key(&vault_key, &vault_key, &elsewhere, &made.sealed).await;
        assert!(matches!(rewrapped, Err(Error::Unsealing(_))), "{elsewhere:?}");
    }
    // A row of one key with the blob of another one of the same kind.
    let other = KeyPlace { key_id: key('2'), ..home.clone() };
    let swapped = store.create_key(&vault_key, &other).await.unwrap();
    assert!(matches!(store.signer(&vault_key, &home, &swapped.sealed).await, Err(Error::Unsealing(_))));
}

pub(crate) async fn a_changed_blob_does_not_open(store: &dyn KeyStore) {
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let home = place(KeyAlgorithm::Ed25519);
    let made = store.create_key(&vault_key, &home).await.unwrap();
    for index in 0..made.sealed.0.len() {
        let mut changed = made.sealed.clone();
        changed.0[index] ^= 0x01;
        let opened = store.signer(&vault_key, &home, &changed).await;
        assert!(matches!(opened, Err(Error::Unsealing(_) | Error::UnknownRootKey(_))), "byte {index}");
    }
    for changed in [Vec::new(), made.sealed.0[1..].to_vec(), [made.sealed.0.as_slice(), &[0]].concat()] {
        let opened = store.signer(&vault_key, &home, &SealedBlob(changed)).await;
        assert!(matches!(opened, Err(Error::Unsealing(_) | Error::UnknownRootKey(_))));
    }
}

pub(crate) async fn vault_keys_open_in_their_place_only(store: &dyn KeyStore) {
    let home = store.create_vault_key(&vault('1'), 1).await.unwrap();
    assert_eq!((home.vault_id.clone(), home.version, home.root_key_id.clone()), (vault('1'), 1, store.root_key_id()));
    assert!(store.rewrap_vault_key(&home).await.is_ok());
    let mut changed = home.sealed.clone();
    *changed.0.last_mut().unwrap() ^= 0x80;
    for elsewhere in [
        VaultKey { vault_id: vault('2'), ..home.clone() },
        VaultKey { version: 2, ..home.clone() },
        VaultKey { root_key_id: "0011223344556677".to_owned(), ..home.clone() },
        VaultKey { sealed: changed, ..home.clone() },
        VaultKey { sealed: SealedBlob(Vec::new()), ..home.clone() },
    ] {
        assert!(matches!(store.rewrap_vault_key(&elsewhere).await, Err(Error::Unsealing(_))), "{elsewhere:?}");
        let made = store.create_key(&elsewhere, &place(KeyAlgorithm::Aes256)).await;
        assert!(matches!(made, Err(Error::Unsealing(_))), "{elsewhere:?}");
    }
    // A blob of another sort in the vault key's row.
    let foreign = VaultKey { sealed: store.seal("somewhere", &[7; 32]).unwrap(), ..home.clone() };
    assert!(matches!(store.rewrap_vault_key(&foreign).await, Err(Error::Unsealing(_))));
}

pub(crate) async fn a_vault_key_of_another_vault_does_not_open(store: &dyn KeyStore) {
    let first = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let second = store.create_vault_key(&vault('1'), 2).await.unwrap();
    let other = store.create_vault_key(&vault('2'), 1).await.unwrap();
    let again = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let home = place(KeyAlgorithm::EcdsaP256);
    let made = store.create_key(&first, &home).await.unwrap();
    for vault_key in [&second, &other, &again] {
        assert!(matches!(store.signer(vault_key, &home, &made.sealed).await, Err(Error::Unsealing(_))));
    }
    assert!(matches!(store.create_key(&other, &home).await, Err(Error::Unsealing(_))));
}

pub(crate) async fn rewrapped_keys_still_sign(store: &dyn KeyStore) {
    let old = store.create_vault_key(&vault('1'), 1).await.unwrap();
    let new = store.create_vault_key(&vault('1'), 2).await.unwrap();
    let home = place(KeyAlgorithm::EcdsaP256);
    let made = store.create_key(&old, &home).await.unwrap();
    let rewrapped = store.rewrap_key(&old, &new, &home, &made.sealed).await.unwrap();
    assert_ne!(rewrapped, made.sealed);
    // Each under its own version, until the old version is gone from the rows.
    for (vault_key, sealed) in [(&old, &made.sealed), (&new, &rewrapped)] {
        let signer = store.signer(vault_key, &home, sealed).await.unwrap();
        assert_eq!(signer.public_key(), made.public_key.clone().unwrap());
        let signature = signer.sign(SignatureAlgorithm::Sha256WithEcdsa, MESSAGE).await.unwrap();
        assert!(aws_lc_verifies(SignatureAlgorithm::Sha256WithEcdsa, signer.public_key(), MESSAGE, &signature));
    }
    for (vault_key, sealed) in [(&new, &made.sealed), (&old, &rewrapped)] {
        assert!(matches!(store.signer(vault_key, &home, sealed).await, Err(Error::Unsealing(_))));
    }
    let again = store.rewrap_vault_key(&new).await.unwrap();
    assert!(store.signer(&again, &home, &rewrapped).await.is_ok());
    let symmetric = place(KeyAlgorithm::Aes192);
    let made = store.create_key(&old, &symmetric).await.unwrap();
    let moved = store.rewrap_key(&old, &new, &symmetric, &made.sealed).await.unwrap();
    assert!(store.rewrap_key(&new, &old, &symmetric, &moved).await.is_ok());
}

pub(crate) async fn sealed_bytes_open_in_their_place_only(store: &dyn KeyStore) {
    for bytes in [&b""[..], b"a stored response with a private key in it", &[0; 20_000]] {
        let sealed = store.seal("idempotency/token_1/abc", bytes).unwrap();
        assert_eq!(store.open("idempotency/token_1/abc", &sealed).unwrap().expose(), bytes);
        for place in ["idempotency/token_1/abd", "idempotency/token_1/ab", ""] {
            assert!(matches!(store.open(place, &sealed), Err(Error::Unsealing(_))));
        }
        assert!(
            bytes.is_empty()
                || !sealed.0.windows(bytes.len().min(16)).any(|window| window == &bytes[..bytes.len().min(16)])
        );
    }
    let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
    assert!(matches!(store.open("", &vault_key.sealed), Err(Error::Unsealing(_))));
}

pub(crate) async fn root_key_ids_tell_nothing_and_the_newest_is_first(store: &dyn KeyStore) {
    let ids = store.root_key_ids();
    assert_eq!(ids.first(), Some(&store.root_key_id()));
    assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
}
