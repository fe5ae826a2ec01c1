//! Sealing: AES-256-GCM under a key of its own per blob, bound to the place where the blob lives.
//!
//! A blob is `version (1 byte, 1) | length of the id (1 byte) | id of the sealing key | salt (16) | nonce (12) |
//! ciphertext and tag`. The key that encrypts is HKDF-Expand-SHA256 (RFC 5869; the sealing key is uniformly random)
//! of purpose and salt: with salt and nonce random no sealing key comes near the 2^32 messages that NIST SP 800-38D
//! section 8.3 allows for random 96-bit nonces, however many responses a root key seals.
//! Associated data are the purpose, the header and every part of the place, each with its length in front.

use crate::Error;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use certwright_domain::key::SealedBlob;
use certwright_domain::secret::SecretBytes;
use zeroize::{Zeroize, Zeroizing};

const VERSION: u8 = 1;
const SALT_LEN: usize = 16;
const TAG_LEN: usize = 16;

/// Random bytes from the crypto library's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Crypto("no random bytes"))?;
    Ok(bytes)
}

/// A 256-bit key that seals: a root key or a vault's key-encryption key.
#[derive(Clone)]
pub(crate) struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// A new random key.
    pub(crate) fn generate() -> Result<Self, Error> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// From 32 bytes; `None` for another length.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// The key itself.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn cipher(&self, purpose: &str, salt: &[u8; SALT_LEN]) -> Result<LessSafeKey, Error> {
        let prk = Prk::new_less_safe(HKDF_SHA256, self.0.as_slice());
        let info = [purpose.as_bytes(), salt.as_slice()];
        let okm = prk.expand(&info, &AES_256_GCM).map_err(|_| Error::Crypto("key derivation"))?;
        Ok(LessSafeKey::new(UnboundKey::from(okm)))
    }
}

/// Where a blob lives: a purpose and the parts of its place. Two places are the same only if every part is.
pub(crate) struct Place {
    purpose: &'static str,
    data: Vec<u8>,
}

impl Place {
    /// A place for this purpose.
    pub(crate) fn new(purpose: &'static str) -> Self {
        Self { purpose, data: Vec::new() }.with(purpose.as_bytes())
    }

    /// The place with another part.
    pub(crate) fn with(mut self, part: &[u8]) -> Self {
        self.data.extend((part.len() as u64).to_be_bytes());
        self.data.extend(part);
        self
    }

    fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.data.len().saturating_add(header.len()).saturating_add(8));
        data.extend((header.len() as u64).to_be_bytes());
        data.extend(header);
        data.extend(&self.data);
        data
    }
}

/// A blob taken apart, not yet opened.
pub(crate) struct Sealed<'a> {
    header: &'a [u8],
    key_id: &'a str,
    salt: [u8; SALT_LEN],
    nonce: [u8; NONCE_LEN],
    ciphertext: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Takes a blob apart.
    pub(crate) fn parse(blob: &'a SealedBlob) -> Result<Self, Error> {
        let damaged = || Error::Unsealing("it is empty, cut short or not one of ours".to_owned());
        let bytes = blob.0.as_slice();
        let (&[version, id_length], rest) = bytes.split_first_chunk::<2>().ok_or_else(damaged)?;
        if version != VERSION {
            return Err(Error::Unsealing(format!("format version {version} is not known to this program")));
        }
        let (key_id, rest) = rest.split_at_checked(usize::from(id_length)).ok_or_else(damaged)?;
        let header = bytes.get(..usize::from(id_length).saturating_add(2)).ok_or_else(damaged)?;
        let key_id = std::str::from_utf8(key_id).map_err(|_| damaged())?;
        let (salt, rest) = rest.split_first_chunk::<SALT_LEN>().ok_or_else(damaged)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        if ciphertext.len() < TAG_LEN {
            return Err(damaged());
        }
        Ok(Self { header, key_id, salt: *salt, nonce: *nonce, ciphertext })
    }

    /// Id of the key that sealed it.
    pub(crate) fn key_id(&self) -> &'a str {
        self.key_id
    }

    /// Opens it with its sealing key, in its place.
    pub(crate) fn open(&self, key: &SealingKey, place: &Place) -> Result<SecretBytes, Error> {
        let cipher = key.cipher(place.purpose, &self.salt)?;
        // Decrypted in place and shortened without another allocation, so that no copy is left behind.
        let mut buffer = Zeroizing::new(self.ciphertext.to_vec());
        let aad = Aad::from(place.associated_data(self.header));
        let length = cipher
            .open_in_place(Nonce::assume_unique_for_key(self.nonce), aad, &mut buffer)
            .map(|plaintext| plaintext.len())
            .map_err(|_| {
                Error::Unsealing("it was moved to another row, damaged, or sealed by another key".to_owned())
            })?;
        buffer.truncate(length);
        Ok(SecretBytes::new(std::mem::take(&mut *buffer)))
    }
}

/// Seals `plaintext` for a place; the blob names `key_id`.
pub(crate) fn seal(key: &SealingKey, key_id: &str, place: &Place, plaintext: &[u8]) -> Result<SealedBlob, Error> {
    let id_length = u8::try_from(key_id.len()).map_err(|_| Error::Crypto("the sealing key's id is too long"))?;
    let mut header = vec![VERSION, id_length];
    header.extend(key_id.as_bytes());
    let (salt, nonce) = (random::<SALT_LEN>()?, random::<NONCE_LEN>()?);
    let cipher = key.cipher(place.purpose, &salt)?;

    let start = header.len().saturating_add(SALT_LEN).saturating_add(NONCE_LEN);
    let mut blob = Vec::with_capacity(start.saturating_add(plaintext.len()).saturating_add(TAG_LEN));
    blob.extend(&header);
    blob.extend(salt);
    blob.extend(nonce);
    blob.extend(plaintext);
    let aad = Aad::from(place.associated_data(&header));
    let tag = blob.get_mut(start..).ok_or(Error::Crypto("sealing")).and_then(|body| {
        cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, body)
            .map_err(|_| Error::Crypto("sealing"))
    });
    match tag {
        Ok(tag) => {
            blob.extend(tag.as_ref());
            Ok(SealedBlob(blob))
        }
        Err(error) => {
            blob.zeroize();
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::new("test/one").with(b"vault_1").with(b"key_1")
    }

    #[test]
    fn opens_only_in_its_place_and_with_its_key() {
        let key = SealingKey::generate().unwrap();
        let blob = seal(&key, "k1", &place(), b"secret").unwrap();
        let sealed = Sealed::parse(&blob).unwrap();
        assert_eq!(sealed.key_id(), "k1");
        assert_eq!(sealed.open(&key, &place()).unwrap().expose(), b"secret");

        // The same bytes cut at another border are another place, and so is another purpose.
        for other in [
            Place::new("test/one").with(b"vault_1k").with(b"ey_1"),
            Place::new("test/one").with(b"vault_1"),
            Place::new("test/one").with(b"vault_1").with(b"key_1").with(b""),
            Place::new("test/two").with(b"vault_1").with(b"key_1"),
        ] {
            assert!(matches!(sealed.open(&key, &other), Err(Error::Unsealing(_))));
        }
        assert!(matches!(sealed.open(&SealingKey::generate().unwrap(), &place()), Err(Error::Unsealing(_))));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let key = SealingKey::generate().unwrap();
        let blob = seal(&key, "k1", &place(), b"secret").unwrap();
        for index in 0..blob.0.len() {
            for bit in 0..8 {
                let mut changed = blob.clone();
                changed.0[index] ^= 1 << bit;
                let opened = Sealed::parse(&changed).and_then(|sealed| sealed.open(&key, &place()));
                assert!(matches!(opened, Err(Error::Unsealing(_))), "byte {index}, bit {bit}");
            }
            let cut = SealedBlob(blob.0[..index].to_vec());
            let opened = Sealed::parse(&cut).and_then(|sealed| sealed.open(&key, &place()));
            assert!(matches!(opened, Err(Error::Unsealing(_))), "cut at {index}");
        }
    }

    #[test]
    fn two_blobs_of_the_same_secret_share_nothing_behind_the_header() {
        let key = SealingKey::generate().unwrap();
        let [a, b] = [(), ()].map(|()| seal(&key, "k1", &place(), b"secret").unwrap());
        assert_ne!(a.0[4..20], b.0[4..20]);
        assert_ne!(a.0[20..32], b.0[20..32]);
        assert_ne!(a.0[32..], b.0[32..]);
    }
}
