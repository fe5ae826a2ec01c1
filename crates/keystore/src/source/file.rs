//! `file`: our own file, mode 0600, several keys, newest first.

use super::{collect, key_from_hex, lines, required};
use crate::Error;
use crate::files::{self, Access};
use crate::root::{RootKey, RootKeys};
use crate::seal::SealingKey;
use std::fmt::Write as _;
use std::path::Path;
use zeroize::Zeroizing;

const HEADER: &str = "\
# Certwright root keys, newest first. The first seals, all of them open.
# Whoever has this file and the database has every private key: keep it out of the database's backups, and keep a copy of
# it in a safe place, because without it nothing opens. Format of a line: root-key <id> <64 hex digits>.
";

/// What the file is to hold.
const FORM: &str = "a line of it is `root-key <id> <64 hex digits>`";

/// Loads the file; makes it when it is missing and `create` is set.
pub(super) fn load(path: &Path, create: bool) -> Result<RootKeys, Error> {
    if let Some(text) = files::read(path, Access::OwnerOnly, FORM)? {
        return parse(path, &text);
    }
    if !create {
        required(path, None)?;
    }
    let made = collect(path, vec![RootKey::new(SealingKey::generate()?)?])?;
    if files::write(path, &render(&made), false)? {
        return Ok(made);
    }
    // Another process made it in this very moment: its key counts.
    parse(path, &required(path, files::read(path, Access::OwnerOnly, FORM)?)?)
}

/// Puts a new key in front.
pub(super) fn rotate(path: &Path, loaded: &RootKeys) -> Result<RootKeys, Error> {
    let current = unchanged(path, loaded)?;
    let mut keys = vec![RootKey::new(SealingKey::generate()?)?];
    keys.extend(current.iter().cloned());
    replace(path, collect(path, keys)?)
}

/// Leaves only the newest key.
pub(super) fn retire(path: &Path, loaded: &RootKeys) -> Result<RootKeys, Error> {
    let current = unchanged(path, loaded)?;
    replace(path, collect(path, vec![current.newest().clone()])?)
}

fn replace(path: &Path, keys: RootKeys) -> Result<RootKeys, Error> {
    files::write(path, &render(&keys), true)?;
    Ok(keys)
}

/// The file's keys, which must be those loaded: otherwise another process has changed it, and a key that is in use there
/// would be lost.
fn unchanged(path: &Path, loaded: &RootKeys) -> Result<RootKeys, Error> {
    let current = parse(path, &required(path, files::read(path, Access::OwnerOnly, FORM)?)?)?;
    if current.iter().map(RootKey::id).eq(loaded.iter().map(RootKey::id)) {
        return Ok(current);
    }
    Err(Error::RootKey(format!("{} has been changed since it was loaded. Restart, then try again.", path.display())))
}

fn render(keys: &RootKeys) -> Zeroizing<String> {
    let line = "root-key 0123456789abcdef \n".len().saturating_add(64);
    // Room for all of it, so that no grown-out-of copy is left behind.
    let room = HEADER.len().saturating_add(line.saturating_mul(keys.iter().count()));
    let mut text = Zeroizing::new(String::with_capacity(room));
    text.push_str(HEADER);
    for key in keys.iter() {
        // Writing to a String cannot fail.
        let _ = write!(text, "root-key {} ", key.id());
        for byte in key.key().expose() {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text
}

fn parse(path: &Path, text: &str) -> Result<RootKeys, Error> {
    let mut keys = Vec::new();
    for (number, line) in lines(text) {
        let wrong = |what: &str| Error::RootKey(format!("{} line {number}: {what}.", path.display()));
        let mut words = line.split_whitespace();
        let (Some("root-key"), Some(id), Some(hex), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong("a line is `root-key <id> <64 hex digits>`"));
        };
        let key = RootKey::new(key_from_hex(hex).ok_or_else(|| wrong("the key is not 64 hex digits"))?)?;
        if key.id() != id {
            return Err(wrong("id and key do not belong together; the line has been damaged"));
        }
        keys.push(key);
    }
    collect(path, keys)
}
