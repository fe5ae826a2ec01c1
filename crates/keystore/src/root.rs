//! Root keys: the outermost layer.

use crate::Error;
use crate::seal::SealingKey;
use aws_lc_rs::digest;
use std::fmt::Write as _;

/// How many root keys may be loaded at once; far more than rotations ever leave behind.
pub(crate) const MAX_ROOT_KEYS: usize = 64;

/// A root key and its id.
#[derive(Clone)]
pub(crate) struct RootKey {
    id: String,
    key: SealingKey,
}

impl RootKey {
    /// Takes a key. Bytes that are all the same are a placeholder that someone forgot to replace.
    pub(crate) fn new(key: SealingKey) -> Result<Self, Error> {
        let bytes = key.expose();
        if bytes.iter().all(|byte| Some(byte) == bytes.first()) {
            return Err(Error::RootKey(
                "A root key of 32 equal bytes is a placeholder, not a key. Make one with `openssl rand -hex 32`."
                    .to_owned(),
            ));
        }
        Ok(Self { id: id(&key), key })
    }

    /// The id that blobs carry: the first 8 bytes of a labelled SHA-256 of the key, in hex. It tells nothing about the
    /// key, which has 256 bits that nobody can guess.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The key.
    pub(crate) fn key(&self) -> &SealingKey {
        &self.key
    }
}

fn id(key: &SealingKey) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"certwright root key id v1\0");
    context.update(key.expose());
    context.finish().as_ref().iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The loaded root keys: at least one, newest first, no key twice.
#[derive(Clone)]
pub(crate) struct RootKeys {
    newest: RootKey,
    older: Vec<RootKey>,
}

impl RootKeys {
    /// From a list, newest first; `origin` names the source in errors.
    pub(crate) fn new(keys: Vec<RootKey>, origin: &str) -> Result<Self, Error> {
        let mut keys = keys.into_iter();
        let newest = keys
            .next()
            .ok_or_else(|| Error::RootKey(format!("{origin} holds no root key. Put one in, or restore it.")))?;
        let older: Vec<RootKey> = keys.collect();
        let mut seen = vec![newest.id.as_str()];
        for key in &older {
            if seen.contains(&key.id.as_str()) {
                return Err(Error::RootKey(format!(
                    "{origin} holds root key {} twice. Remove one of the two.",
                    key.id
                )));
            }
            seen.push(&key.id);
        }
        if seen.len() > MAX_ROOT_KEYS {
            return Err(Error::RootKey(format!(
                "{origin} holds more than {MAX_ROOT_KEYS} root keys. Retire the old ones."
            )));
        }
        Ok(Self { newest, older })
    }

    /// The key that seals.
    pub(crate) fn newest(&self) -> &RootKey {
        &self.newest
    }

    /// All, newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &RootKey> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    /// The key with this id.
    pub(crate) fn find(&self, id: &str) -> Result<&RootKey, Error> {
        self.iter().find(|key| key.id == id).ok_or_else(|| Error::UnknownRootKey(id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fill: u8) -> RootKey {
        let mut bytes = [fill; 32];
        bytes[0] = !fill;
        RootKey::new(SealingKey::from_slice(&bytes).unwrap()).unwrap()
    }

    #[test]
    fn the_id_is_fixed_by_the_key() {
        // printf 'certwright root key id v1\0\xfe' followed by 31 bytes of 01, through sha256sum.
        assert_eq!(key(1).id(), "4e7debdaed0bd18b");
        assert_ne!(key(1).id(), key(2).id());
    }

    #[test]
    fn lists_are_checked() {
        let keys = RootKeys::new(vec![key(1), key(2)], "the file").unwrap();
        assert_eq!(keys.newest().id(), key(1).id());
        assert_eq!(keys.find(key(2).id()).unwrap().id(), key(2).id());
        assert!(matches!(keys.find("0000000000000000"), Err(Error::UnknownRootKey(_))));
        assert!(matches!(RootKeys::new(vec![], "the file"), Err(Error::RootKey(_))));
        assert!(matches!(RootKeys::new(vec![key(1), key(1)], "the file"), Err(Error::RootKey(_))));
        assert!(matches!(RootKey::new(SealingKey::from_slice(&[0; 32]).unwrap()), Err(Error::RootKey(_))));
    }
}
