//! Where root keys come from.

mod credential;
mod file;
mod passphrase;

use crate::root::{RootKey, RootKeys};
use crate::{Error, RootKeySource};
use std::path::Path;

/// Loads the root keys of a source.
pub(crate) fn load(source: &RootKeySource) -> Result<RootKeys, Error> {
    match source {
        RootKeySource::File { path, create } => file::load(path, *create),
        RootKeySource::Credential { path } => credential::load(path),
        RootKeySource::Passphrase { path, salt_path, create } => passphrase::load(path, salt_path, *create),
    }
}

/// Puts a new key in front of the source's keys. `loaded` is what the process knows.
pub(crate) fn rotate(source: &RootKeySource, loaded: &RootKeys) -> Result<RootKeys, Error> {
    let by_hand = |what: &str, path: &Path| {
        Error::Unusable(format!(
            "The root key comes from {}, which this program only reads. Put the new {what} on a line in front of the old \
             ones and restart; the old ones still open what they sealed.",
            path.display()
        ))
    };
    match source {
        RootKeySource::File { path, .. } => file::rotate(path, loaded),
        RootKeySource::Credential { path } => Err(by_hand("key (64 hex digits)", path)),
        RootKeySource::Passphrase { path, .. } => Err(by_hand("passphrase", path)),
    }
}

/// Leaves only the newest key in the source.
pub(crate) fn retire(source: &RootKeySource, loaded: &RootKeys) -> Result<RootKeys, Error> {
    if loaded.iter().count() == 1 {
        return Ok(loaded.clone());
    }
    match source {
        RootKeySource::File { path, .. } => file::retire(path, loaded),
        RootKeySource::Credential { path } | RootKeySource::Passphrase { path, .. } => Err(Error::Unusable(format!(
            "The root key comes from {}, which this program only reads. Remove every line but the first and restart.",
            path.display()
        ))),
    }
}

/// The lines that say something, with their numbers from 1; `#` starts a comment line.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(text.lines())
        .map(|(number, line)| (number, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// 64 hex digits as a key.
fn key_from_hex(text: &str) -> Option<crate::seal::SealingKey> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    crate::seal::SealingKey::from_slice(bytes.as_slice())
}

/// The keys of a source that must not be missing.
fn required(path: &Path, text: Option<zeroize::Zeroizing<String>>) -> Result<zeroize::Zeroizing<String>, Error> {
    text.ok_or_else(|| {
        Error::RootKey(format!(
            "{} does not exist. It is needed to open the vaults: restore it, or correct the path.",
            path.display()
        ))
    })
}

/// Checks a list of keys and names its source in errors.
fn collect(path: &Path, keys: Vec<RootKey>) -> Result<RootKeys, Error> {
    RootKeys::new(keys, &path.display().to_string())
}
