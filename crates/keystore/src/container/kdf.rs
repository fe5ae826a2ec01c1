//! From passwords to keys: the ways of PKCS#12, PKCS#5 and old PEM.

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY};
use md5::{Digest, Md5};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// What a PKCS#12 derivation is for (RFC 7292 appendix B.3).
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// The derivation of RFC 7292 appendix B.2. `password` is UTF-16BE with its NUL, or empty.
pub(super) fn pkcs12(
    hash: &'static Algorithm,
    purpose: Purpose,
    password: &[u8],
    salt: &[u8],
    iterations: NonZeroU32,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let block = hash.block_len();
    let diversifier = vec![purpose as u8; block];
    let mut input = Zeroizing::new(fill(salt, block));
    input.extend(fill(password, block));
    let mut out = Zeroizing::new(Vec::with_capacity(length.saturating_add(hash.output_len())));
    loop {
        let mut context = digest::Context::new(hash);
        context.update(&diversifier);
        context.update(&input);
        let mut state = context.finish();
        for _ in 1..iterations.get() {
            state = digest::digest(hash, state.as_ref());
        }
        out.extend_from_slice(state.as_ref());
        if out.len() >= length {
            out.truncate(length);
            return out;
        }
        for chunk in input.chunks_mut(block) {
            add_one_more(chunk, state.as_ref());
        }
    }
}

/// Repeats the bytes up to the next whole block.
fn fill(bytes: &[u8], block: usize) -> Vec<u8> {
    let blocks = bytes.len().div_ceil(block);
    bytes.iter().copied().cycle().take(if bytes.is_empty() { 0 } else { blocks.saturating_mul(block) }).collect()
}

/// `chunk + repeated + 1`, big-endian, as long as `chunk`.
fn add_one_more(chunk: &mut [u8], repeated: &[u8]) {
    let length = chunk.len();
    let addend: Vec<u8> = repeated.iter().copied().cycle().take(length).collect();
    let mut carry: u16 = 1;
    for (to, from) in chunk.iter_mut().zip(addend).rev() {
        let [high, low] = u16::from(*to).wrapping_add(u16::from(from)).wrapping_add(carry).to_be_bytes();
        *to = low;
        carry = u16::from(high);
    }
}

/// The hash of PBKDF1 (PKCS#5 v1.5).
#[derive(Clone, Copy)]
pub(super) enum OldHash {
    Md5,
    Sha1,
}

/// PBKDF1 (RFC 8018 section 5.1): 16 bytes, eight of key and eight of IV.
pub(super) fn pbkdf1(hash: OldHash, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Zeroizing<Vec<u8>> {
    let once = |bytes: &[u8]| match hash {
        OldHash::Md5 => Zeroizing::new(Md5::digest(bytes).to_vec()),
        OldHash::Sha1 => Zeroizing::new(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()),
    };
    let mut state = once(&Zeroizing::new([password, salt].concat()));
    for _ in 1..iterations.get() {
        state = once(&state);
    }
    state.truncate(16);
    state
}

/// What openssl calls `EVP_BytesToKey` with MD5 and one iteration: the keys of encrypted traditional PEM.
pub(super) fn openssl_pem(password: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(length.saturating_add(16)));
    let mut last = Zeroizing::new(Vec::new());
    while out.len() < length {
        let mut hash = Md5::new();
        hash.update(last.as_slice());
        hash.update(password);
        hash.update(salt);
        last = Zeroizing::new(hash.finalize().to_vec());
        out.extend_from_slice(&last);
    }
    out.truncate(length);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | *digit as u8)).collect()
    }

    /// The vectors that BouncyCastle and openssl test with ("smeg", "queeg").
    #[test]
    fn known_answers_of_pkcs12() {
        let smeg = hex("0073006d006500670000");
        let queeg = hex("007100750065006500670000");
        let sha1 = &SHA1_FOR_LEGACY_USE_ONLY;
        let one = NonZeroU32::new(1).unwrap();
        let thousand = NonZeroU32::new(1000).unwrap();
        let salt = hex("0a58cf64530d823f");
        assert_eq!(
            *pkcs12(sha1, Purpose::Key, &smeg, &salt, one, 24),
            hex("8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3")
        );
        assert_eq!(*pkcs12(sha1, Purpose::Iv, &smeg, &salt, one, 8), hex("79993dfe048d3b76"));
        let salt = hex("05dec959acff72f7");
        assert_eq!(
            *pkcs12(sha1, Purpose::Key, &queeg, &salt, thousand, 24),
            hex("ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4")
        );
        assert_eq!(*pkcs12(sha1, Purpose::Iv, &queeg, &salt, thousand, 8), hex("11dedad7758d4860"));
    }

    #[test]
    fn a_sum_carries_over_and_falls_off_the_end() {
        let mut chunk = [0x00, 0xff, 0xff];
        add_one_more(&mut chunk, &[0]);
        assert_eq!(chunk, [1, 0, 0]);
        let mut chunk = [0xff; 3];
        add_one_more(&mut chunk, &[0]);
        assert_eq!(chunk, [0, 0, 0]);
    }
}
