//! Serial numbers and fingerprints.

use crate::violation::Invalid;
use std::fmt;

/// A certificate's serial number: positive, at most 20 octets of DER content (RFC 5280 section 4.1.2.2).
/// Held as the shortest big-endian bytes without a leading zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// A serial of 159 random bits from 20 random bytes: the top bit is cleared, so that DER needs no 21st octet.
    /// An all-zero draw becomes one.
    pub fn from_random(mut bytes: [u8; 20]) -> Self {
        let [first, ..] = &mut bytes;
        *first &= 0x7f;
        Self::from_bytes(&bytes).unwrap_or_else(|_| Self(vec![1]))
    }

    /// From big-endian magnitude bytes, with or without leading zeros; zero and more than 20 octets are refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Invalid> {
        let significant: Vec<u8> = bytes.iter().copied().skip_while(|b| *b == 0).collect();
        let too_long =
            significant.len() > 20 || (significant.len() == 20 && significant.first().is_some_and(|b| *b > 0x7f));
        if significant.is_empty() || too_long {
            return Err(Invalid::new(
                "invalid_serial",
                "A serial number is a positive integer of at most 20 octets.",
                "Give the serial as hex digits.",
            ));
        }
        Ok(Self(significant))
    }

    /// Reads hex; colons, spaces and upper case are ignored, also a leading `0x`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(
                "invalid_serial",
                format!("`{}` is not a serial number.", text.chars().take(80).collect::<String>().escape_debug()),
                "Give the serial as hex digits; colons and spaces are fine.",
            )
        };
        Self::from_bytes(&parse_hex(text).ok_or_else(wrong)?).map_err(|_| wrong())
    }

    /// The shortest big-endian bytes, without a leading zero.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Hex digits to bytes; colons, spaces, upper case and a leading `0x` are ignored, an odd count gets a leading zero.
fn parse_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 256 {
        return None;
    }
    let text = text.trim();
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let mut digits = Vec::new();
    for symbol in text.chars().filter(|c| !matches!(c, ':' | ' ')) {
        digits.push(u8::try_from(symbol.to_digit(16)?).ok()?);
    }
    if digits.is_empty() {
        return None;
    }
    if digits.len() % 2 == 1 {
        digits.insert(0, 0);
    }
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0_u8, |byte, digit| (byte << 4) | digit)).collect())
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // A piece at a time: formatting octet by octet was half a hundredth of the server's time on the issuing path.
    let mut text = [0_u8; 64];
    for piece in bytes.chunks(32) {
        for (pair, byte) in text.chunks_exact_mut(2).zip(piece) {
            pair.copy_from_slice(&[byte >> 4, byte & 15].map(hex_digit));
        }
        let written = text.get(..piece.len().saturating_mul(2)).unwrap_or_default();
        f.write_str(std::str::from_utf8(written).unwrap_or_default())?;
    }
    Ok(())
}

/// A value below 16 as a lower-case hex digit.
fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' | value,
        // `a` is 0x61.
        _ => 0x60 | value.saturating_sub(9),
    }
}

impl fmt::Display for Serial {
    /// Lower-case hex, two digits per octet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// SHA-256 of something: a certificate's DER (its fingerprint), a public key's SubjectPublicKeyInfo, a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Reads 64 hex digits; colons, spaces and upper case are ignored.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        parse_hex(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).map(Self).ok_or_else(|| {
            Invalid::new(
                "invalid_fingerprint",
                format!("`{}` is not a SHA-256 fingerprint.", text.chars().take(80).collect::<String>().escape_debug()),
                "Give 64 hex digits; colons and spaces are fine.",
            )
        })
    }

    /// From exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        <[u8; 32]>::try_from(bytes).ok().map(Self)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
