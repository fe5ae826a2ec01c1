//! The software key store: the conformance suite, and what is its own (root keys and their files).
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test: what goes wrong here must stop it"
)]

mod conformance;

use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_keystore::{Error, KeyStore, RootKeySource, SoftwareKeyStore, VaultKey};
use conformance::Fixture;
use conformance::fixtures::{MESSAGE, aws_lc_verifies, place, vault};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A software key store in a folder of its own.
pub(crate) struct Software {
    store: Arc<SoftwareKeyStore>,
    _folder: tempfile::TempDir,
}

impl Fixture for Software {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SoftwareKeyStore::open(&file(&folder.path().join("root.key"), true)).unwrap();
        Self { store: Arc::new(store), _folder: folder }
    }

    fn store(&self) -> Arc<dyn KeyStore> {
        self.store.clone()
    }
}

mod conforms {
    crate::conformance!(crate::Software);
}

fn file(path: &Path, create: bool) -> RootKeySource {
    RootKeySource::File { path: path.to_owned(), create }
}

fn write(path: &Path, content: &str, mode: u32) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The refusal to open a source, as text.
fn refusal(source: &RootKeySource) -> String {
    match SoftwareKeyStore::open(source) {
        Err(Error::RootKey(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("{source:?} was taken"),
    }
}

/// Makes a vault's key, a key in it and a sealed response, and later proves that all of them still open.
struct Sealed {
    vault_key: VaultKey,
    key: certwright_keystore::NewKey,
    response: certwright_domain::key::SealedBlob,
}

impl Sealed {
    async fn new(store: &dyn KeyStore) -> Self {
        let vault_key = store.create_vault_key(&vault('1'), 1).await.unwrap();
        let key = store.create_key(&vault_key, &place(KeyAlgorithm::EcdsaP256)).await.unwrap();
        Self { vault_key, key, response: store.seal("here", b"response").unwrap() }
    }

    async fn opens(&self, store: &dyn KeyStore) -> Result<(), Error> {
        let signer = store.signer(&self.vault_key, &place(KeyAlgorithm::EcdsaP256), &self.key.sealed).await?;
        let signature = signer.sign(SignatureAlgorithm::Sha256WithEcdsa, MESSAGE).await?;
        assert_eq!(Some(signer.public_key()), self.key.public_key.as_deref());
        assert!(aws_lc_verifies(SignatureAlgorithm::Sha256WithEcdsa, signer.public_key(), MESSAGE, &signature));
        assert_eq!(store.open("here", &self.response)?.expose(), b"response");
        Ok(())
    }
}

#[tokio::test]
async fn the_file_is_made_once_with_mode_0600_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    assert!(refusal(&file(&path, false)).contains("does not exist"));
    assert!(!path.exists());

    let store = SoftwareKeyStore::open(&file(&path, true)).unwrap();
    assert_eq!(mode(&path), 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# Certwright root keys"), "{text}");
    assert!(text.contains(&format!("\nroot-key {} ", store.root_key_id())));

    let sealed = Sealed::new(&store).await;
    for create in [true, false] {
        let again = SoftwareKeyStore::open(&file(&path, create)).unwrap();
        assert_eq!(again.root_key_ids(), store.root_key_ids());
        sealed.opens(&again).await.unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_rotated_root_key_seals_and_the_old_one_still_opens_until_it_is_retired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    let store = SoftwareKeyStore::open(&file(&path, true)).unwrap();
    let first = store.root_key_id();
    let mut sealed = Sealed::new(&store).await;

    let second = store.rotate_root_key().unwrap();
    assert_ne!(first, second);
    assert_eq!(store.root_key_ids(), [second.clone(), first.clone()]);
    assert_eq!(mode(&path), 0o600);
    sealed.opens(&store).await.unwrap();
    // The process may die here: what was sealed on either side of the rotation opens after a restart.
    let restarted = SoftwareKeyStore::open(&file(&path, false)).unwrap();
    assert_eq!(restarted.root_key_ids(), store.root_key_ids());
    sealed.opens(&restarted).await.unwrap();
    let fresh = Sealed::new(&store).await;
    assert_eq!(fresh.vault_key.root_key_id, second);
    fresh.opens(&restarted).await.unwrap();

    let unwrapped = sealed.vault_key.clone();
    sealed.vault_key = store.rewrap_vault_key(&sealed.vault_key).await.unwrap();
    assert_eq!((sealed.vault_key.version, sealed.vault_key.root_key_id.as_str()), (1, second.as_str()));
    let response = store.open("here", &sealed.response).unwrap();
    sealed.response = store.seal("here", response.expose()).unwrap();

    store.retire_root_keys().unwrap();
    store.retire_root_keys().unwrap();
    assert_eq!(store.root_key_ids(), std::slice::from_ref(&second));
    assert!(!std::fs::read_to_string(&path).unwrap().contains(&first));
    for store in [store, SoftwareKeyStore::open(&file(&path, false)).unwrap()] {
        sealed.opens(&store).await.unwrap();
        fresh.opens(&store).await.unwrap();
        let missing = store.rewrap_vault_key(&unwrapped).await;
        assert!(matches!(missing, Err(Error::UnknownRootKey(id)) if id == first));
    }
}

#[tokio::test]
async fn another_root_key_file_opens_nothing_and_says_which_key_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let store = SoftwareKeyStore::open(&file(&folder.path().join("one"), true)).unwrap();
    let other = SoftwareKeyStore::open(&file(&folder.path().join("two"), true)).unwrap();
    let sealed = Sealed::new(&store).await;
    assert!(matches!(sealed.opens(&other).await, Err(Error::UnknownRootKey(id)) if id == store.root_key_id()));
    assert!(matches!(other.open("here", &sealed.response), Err(Error::UnknownRootKey(_))));
}

#[test]
fn a_file_changed_behind_our_back_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    let [one, two] = [(), ()].map(|()| SoftwareKeyStore::open(&file(&path, true)).unwrap());
    let rotated = one.rotate_root_key().unwrap();
    let before = std::fs::read_to_string(&path).unwrap();
    assert!(matches!(two.rotate_root_key(), Err(Error::RootKey(why)) if why.contains("Restart")));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    assert_ne!(two.root_key_id(), rotated);
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(one.rotate_root_key(), Err(Error::RootKey(_))));
    assert!(matches!(one.retire_root_keys(), Err(Error::RootKey(_))));
    assert_eq!(one.root_key_ids().len(), 2);
}

#[test]
fn rotation_from_many_threads_loses_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    let store = SoftwareKeyStore::open(&file(&path, true)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| store.rotate_root_key().unwrap());
        }
    });
    let ids = store.root_key_ids();
    assert_eq!(ids.len(), 9);
    assert_eq!(SoftwareKeyStore::open(&file(&path, false)).unwrap().root_key_ids(), ids);
}

#[test]
fn damaged_and_open_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    let store = SoftwareKeyStore::open(&file(&path, true)).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    let source = file(&path, true);
    for bits in [0o640, 0o604, 0o660, 0o666, 0o644] {
        write(&path, &good, bits);
        assert!(refusal(&source).contains("chmod 600"));
    }
    let line = good.lines().last().unwrap();
    let flipped = if line.ends_with('0') { "1" } else { "0" };
    for bad in [
        String::new(),
        "# only a comment\n".to_owned(),
        format!("{good}{line}\n"),
        format!("{good}something else\n"),
        good.replace("root-key ", "root-key x"),
        format!("{}{flipped}\n", &good[..good.len() - 2]),
        format!("{}\n", &good[..good.len() - 2]),
        good.replace(&store.root_key_id(), "0000000000000000"),
    ] {
        write(&path, &bad, 0o600);
        let why = refusal(&source);
        assert!(why.contains("root.key"), "{why}");
        assert!(!why.contains(line.split(' ').next_back().unwrap()), "the key is in the message");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bad, "a damaged file is left for the operator");
    }
    write(&path, &good, 0o400);
    assert_eq!(SoftwareKeyStore::open(&source).unwrap().root_key_id(), store.root_key_id());
}

#[tokio::test]
async fn a_credential_holds_keys_newest_first_in_hex_or_base64() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credential");
    let source = RootKeySource::Credential { path: path.clone() };
    assert!(refusal(&source).contains("does not exist"));

    let hex = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";
    let base64 = "ABEiM0RVZneImaq7zN3u/xAhMkNUZXaHmKm6y9zt/g8=";
    write(&path, &format!("{hex}\n"), 0o400);
    let old = SoftwareKeyStore::open(&source).unwrap();
    let sealed = Sealed::new(&old).await;
    // The same key in every spelling.
    for spelling in [hex.to_uppercase(), base64.to_owned(), base64.replace('/', "_").replace('=', "")] {
        write(&path, &spelling, 0o440);
        assert_eq!(SoftwareKeyStore::open(&source).unwrap().root_key_id(), old.root_key_id());
    }

    // Whoever puts 32 raw bytes there, or half a key, hears what belongs there.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, [0xff; 32]).unwrap();
    let said = refusal(&source);
    assert!(said.contains("is not UTF-8 text") && said.contains("`openssl rand -base64 32`"), "{said}");
    std::fs::write(&path, "c2hvcnQ=").unwrap();
    let said = refusal(&source);
    assert!(said.contains("line 1 is no key") && said.contains("32 bytes as base64 or as 64 hex digits"), "{said}");

    // Rotation is the provider's: a new line in front and a restart.
    assert!(
        matches!(old.rotate_root_key(), Err(Error::Unusable(why)) if why.contains("in front") && why.contains("restart"))
    );
    let newer = "f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e00";
    write(&path, &format!("# ours\n{newer}\n\n{base64}\n"), 0o400);
    let both = SoftwareKeyStore::open(&source).unwrap();
    assert_eq!(both.root_key_ids().len(), 2);
    assert_ne!(both.root_key_id(), old.root_key_id());
    sealed.opens(&both).await.unwrap();
    assert!(both.rewrap_vault_key(&sealed.vault_key).await.unwrap().root_key_id == both.root_key_id());
    assert!(matches!(both.retire_root_keys(), Err(Error::Unusable(why)) if why.contains("Remove every line")));
    assert!(old.retire_root_keys().is_ok());

    for (content, bits) in [
        (newer, 0o444),
        (newer, 0o420),
        (newer, 0o402),
        ("", 0o400),
        ("not a key", 0o400),
        (&newer[..62], 0o400),
        ("+0112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f", 0o400),
        (&"00".repeat(32), 0o400),
        (&format!("{hex}\n{base64}"), 0o400),
    ] {
        write(&path, content, bits);
        let why = refusal(&source);
        assert!(content.is_empty() || !why.contains(content), "{why}");
    }
}

fn passphrase(folder: &Path, content: &str) -> RootKeySource {
    let path = folder.join("passphrase");
    write(&path, content, 0o400);
    RootKeySource::Passphrase { path, salt_path: folder.join("salt"), create: true }
}

#[tokio::test]
async fn a_passphrase_makes_the_same_key_with_the_same_salt_only() {
    let folder = tempfile::tempdir().unwrap();
    let source = passphrase(folder.path(), "correct horse battery staple\n");
    let store = SoftwareKeyStore::open(&source).unwrap();
    assert_eq!(mode(&folder.path().join("salt")), 0o600);
    let sealed = Sealed::new(&store).await;
    let again = SoftwareKeyStore::open(&source).unwrap();
    assert_eq!(again.root_key_ids(), store.root_key_ids());
    sealed.opens(&again).await.unwrap();
    assert!(matches!(again.rotate_root_key(), Err(Error::Unusable(why)) if why.contains("passphrase")));

    let rotated = passphrase(folder.path(), "a new one, in front\ncorrect horse battery staple\n");
    let both = SoftwareKeyStore::open(&rotated).unwrap();
    assert_eq!(both.root_key_ids()[1], store.root_key_id());
    sealed.opens(&both).await.unwrap();

    std::fs::remove_file(folder.path().join("salt")).unwrap();
    let RootKeySource::Passphrase { path, salt_path, .. } = rotated.clone() else { unreachable!() };
    let used_before = RootKeySource::Passphrase { path, salt_path: salt_path.clone(), create: false };
    assert!(matches!(SoftwareKeyStore::open(&used_before), Err(Error::RootKey(why)) if why.contains("is missing")));
    assert!(!salt_path.exists(), "no other salt takes its place");
    let salted_anew = SoftwareKeyStore::open(&rotated).unwrap();
    assert!(matches!(sealed.opens(&salted_anew).await, Err(Error::UnknownRootKey(_))));
}

#[test]
fn bad_passphrase_files_are_refused_before_a_salt_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let salt: PathBuf = folder.path().join("salt");
    for content in ["", "# nothing\n", "too short\n", "correct horse battery staple\nshort\n"] {
        refusal(&passphrase(folder.path(), content));
        assert!(!salt.exists());
    }
    let many = (0..9).map(|number| format!("passphrase number {number}\n")).collect::<String>();
    assert!(refusal(&passphrase(folder.path(), &many)).contains("more than 8"));
    let source = passphrase(folder.path(), "correct horse battery staple\ncorrect horse battery staple\n");
    assert!(refusal(&source).contains("twice"));
    std::fs::set_permissions(folder.path().join("passphrase"), std::fs::Permissions::from_mode(0o444)).unwrap();
    assert!(refusal(&source).contains("chmod 440"));

    let source = passphrase(folder.path(), "correct horse battery staple\n");
    for (content, bits) in
        [("argon2id m=8 t=1 p=1 salt=00112233445566778899aabbccddeeff\n", 0o600), ("x\n", 0o600), ("", 0o644)]
    {
        write(&salt, content, bits);
        assert!(refusal(&source).contains("salt"));
    }
}
