//! `passphrase`: argon2id (RFC 9106) over passphrases that someone else provides, with a salt of ours.

use super::{collect, lines, required};
use crate::Error;
use crate::files::{self, Access};
use crate::root::{RootKey, RootKeys};
use crate::seal::{self, SealingKey};
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt::Write as _;
use std::path::Path;
use zeroize::Zeroizing;

/// Each passphrase costs one run of argon2id at start.
const MAX_PASSPHRASES: usize = 8;
/// Characters below which a passphrase can be guessed by whoever has the database, whatever argon2id costs.
const MIN_CHARACTERS: usize = 12;

const HEADER: &str = "\
# Certwright: salt and cost of the root key that is made from the operator's passphrase.
# Not secret, but without it the passphrase opens nothing: keep a copy of it.
";

/// Salt and cost of the derivation.
struct Derivation {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
}

/// Loads the passphrases, newest first, and derives a key from each. Makes the salt file when it is missing
/// and `create` is set. Takes about a tenth of a second and 64 MiB for each passphrase, one after the other.
pub(super) fn load(path: &Path, salt_path: &Path, create: bool) -> Result<RootKeys, Error> {
    let text =
        required(path, files::read(path, Access::GroupMayRead, "it holds one passphrase a line, newest first")?)?;
    let passphrases: Vec<(usize, &str)> = lines(&text).collect();
    if passphrases.len() > MAX_PASSPHRASES {
        return Err(Error::RootKey(format!(
            "{} holds more than {MAX_PASSPHRASES} passphrases. Remove the old ones.",
            path.display()
        )));
    }
    if let Some((number, _)) = passphrases.iter().find(|(_, line)| line.chars().count() < MIN_CHARACTERS) {
        return Err(Error::RootKey(format!(
            "{} line {number}: a passphrase has at least {MIN_CHARACTERS} characters. Make one with `openssl rand -base64 24`.",
            path.display()
        )));
    }
    // An empty file is told before a salt is made.
    if passphrases.is_empty() {
        return collect(path, Vec::new());
    }
    let derivation = load_derivation(salt_path, create)?;
    let keys: Result<Vec<RootKey>, Error> = passphrases.iter().map(|(_, line)| derivation.derive(line)).collect();
    collect(path, keys?)
}

fn load_derivation(path: &Path, create: bool) -> Result<Derivation, Error> {
    if let Some(text) = files::read(path, Access::OwnerOnly, "it is the salt file that this program makes")? {
        return Derivation::parse(path, &text);
    }
    if !create {
        return Err(Error::RootKey(format!(
            "{} is missing, and there are keys that are sealed under what it makes of the passphrase; with another salt \
             the passphrase opens nothing. Restore the file from your backup, or copy it from another node.",
            path.display()
        )));
    }
    // RFC 9106 section 4, second recommendation, with one lane: 64 MiB, 3 passes.
    let made = Derivation { memory_kib: 64 * 1024, passes: 3, lanes: 1, salt: seal::random::<16>()?.to_vec() };
    if files::write(path, &made.render(), false)? {
        tracing::warn!(path = %path.display(), "made a new salt for the root key's passphrase; keep a copy of the file");
        return Ok(made);
    }
    Derivation::parse(
        path,
        &required(path, files::read(path, Access::OwnerOnly, "it is the salt file that this program makes")?)?,
    )
}

impl Derivation {
    fn render(&self) -> String {
        let mut text = format!("{HEADER}argon2id m={} t={} p={} salt=", self.memory_kib, self.passes, self.lanes);
        for byte in &self.salt {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
        text
    }

    /// Reads the file. Costs have a floor, so that nobody who can write the file makes guessing cheap, and a ceiling, so
    /// that a damaged file does not eat the machine.
    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::RootKey(format!(
                "{} is not a salt file of ours: one line `argon2id m=<KiB, 19456 to 1048576> t=<passes, 2 to 16> \
                 p=<lanes, 1 to 4> salt=<32 hex digits or more>`.",
                path.display()
            ))
        };
        let mut lines = lines(text);
        let (Some((_, line)), None) = (lines.next(), lines.next()) else { return Err(wrong()) };
        let mut words = line.split_whitespace();
        if words.next() != Some("argon2id") {
            return Err(wrong());
        }
        let mut value = |name: &str| words.next().and_then(|word| word.strip_prefix(name)).ok_or_else(wrong);
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        let memory_kib = number(value("m=")?)?;
        let passes = number(value("t=")?)?;
        let lanes = number(value("p=")?)?;
        let digits = value("salt=")?;
        let salt: Option<Vec<u8>> =
            (digits.is_ascii() && digits.len() % 2 == 0 && !digits.contains('+')).then_some(()).and_then(|()| {
                digits
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
                    .collect()
            });
        let salt = salt.filter(|salt| (16..=64).contains(&salt.len())).ok_or_else(wrong)?;
        let costs =
            (19_456..=1_048_576).contains(&memory_kib) && (2..=16).contains(&passes) && (1..=4).contains(&lanes);
        if !costs || words.next().is_some() {
            return Err(wrong());
        }
        Ok(Self { memory_kib, passes, lanes, salt })
    }

    fn derive(&self, passphrase: &str) -> Result<RootKey, Error> {
        let params =
            Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(|_| Error::Crypto("argon2id"))?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &self.salt, key.as_mut_slice())
            .map_err(|_| Error::Crypto("argon2id"))?;
        RootKey::new(SealingKey::from_slice(key.as_slice()).ok_or(Error::Crypto("argon2id"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_salt_file_round_trips_and_its_costs_are_bounded() {
        let derivation = Derivation { memory_kib: 19_456, passes: 2, lanes: 1, salt: vec![0xab; 16] };
        let text = derivation.render();
        let path = Path::new("salt");
        let parsed = Derivation::parse(path, &text).unwrap();
        assert_eq!((parsed.memory_kib, parsed.passes, parsed.lanes, parsed.salt), (19_456, 2, 1, vec![0xab; 16]));
        for (from, to) in [
            ("m=19456", "m=8"),
            ("m=19456", "m=4294967295"),
            ("t=2", "t=1"),
            ("t=2", "t=1000"),
            ("p=1", "p=0"),
            ("p=1", "p=64"),
            ("salt=ab", "salt="),
            ("salt=ab", "salt=+b"),
            ("argon2id", "argon2i"),
            ("salt=ab", "more=1 salt=ab"),
            ("abab\n", "abab extra\n"),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(matches!(Derivation::parse(path, &text.replace(from, to)), Err(Error::RootKey(_))), "{from} {to}");
        }
    }

    #[test]
    fn derives_what_argon2id_derives() {
        // Python `cryptography`: Argon2id(salt=b"\xab"*16, length=32, iterations=2, lanes=1, memory_cost=19456).derive(…)
        let derivation = Derivation { memory_kib: 19_456, passes: 2, lanes: 1, salt: vec![0xab; 16] };
        let key = derivation.derive("correct horse battery").unwrap();
        let hex: String = key.key().expose().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "b3be6eb29d508000c0f0b1df0f6e1d0e9129851d95f28c0fb272bcc8861027f5");
    }
}
