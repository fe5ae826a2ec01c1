//! `credential`: a file that someone else provides; read only.

use super::{collect, key_from_hex, lines, required};
use crate::Error;
use crate::files::{self, Access};
use crate::root::{RootKey, RootKeys};
use crate::seal::SealingKey;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use std::path::Path;
use zeroize::Zeroizing;

/// What the file is to hold.
const FORM: &str = "it holds one key a line, newest first, each 32 bytes as base64 or as 64 hex digits. \
                    `openssl rand -base64 32` makes one";

/// Loads the file: one key per line, newest first, 64 hex digits or base64 of 32 bytes.
pub(super) fn load(path: &Path) -> Result<RootKeys, Error> {
    let text = required(path, files::read(path, Access::GroupMayRead, FORM)?)?;
    let mut keys = Vec::new();
    for (number, line) in lines(&text) {
        let key = key_from_hex(line)
            .or_else(|| key_from_base64(line))
            .ok_or_else(|| Error::RootKey(format!("{} line {number} is no key: {FORM}.", path.display())))?;
        keys.push(RootKey::new(key)?);
    }
    collect(path, keys)
}

fn key_from_base64(text: &str) -> Option<SealingKey> {
    if text.len() > 44 {
        return None;
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|engine| {
        let bytes = Zeroizing::new(engine.decode(text).ok()?);
        SealingKey::from_slice(&bytes)
    })
}
