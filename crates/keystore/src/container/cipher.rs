//! Block ciphers in CBC mode with the padding of PKCS#7. AES is the crypto library's; DES, 3DES and RC2, which are read
//! (and 3DES written) for legacy containers alone, come from small crates.

use super::Error;
use aws_lc_rs::cipher::{
    self as aws, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use cbc::cipher::inout::InOutBuf;
use cbc::cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit,
};
use cbc::{Decryptor, Encryptor};
use des::{Des, TdesEde2, TdesEde3};
use rc2::Rc2;
use zeroize::Zeroizing;

/// A cipher with its key size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    Des,
    TripleDes2Key,
    TripleDes3Key,
    Rc2Bits40,
    Rc2Bits128,
}

const FAILED: Error = Error::Crypto("block cipher");

impl Cipher {
    /// Bytes of the key.
    pub(super) fn key_len(self) -> usize {
        match self {
            Self::Rc2Bits40 => 5,
            Self::Des => 8,
            Self::Aes128 | Self::TripleDes2Key | Self::Rc2Bits128 => 16,
            Self::Aes192 | Self::TripleDes3Key => 24,
            Self::Aes256 => 32,
        }
    }

    /// Bytes of a block, and of the IV.
    pub(super) fn block_len(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            _ => 8,
        }
    }

    fn aes(self) -> Option<&'static aws::Algorithm> {
        match self {
            Self::Aes128 => Some(&aws::AES_128),
            Self::Aes192 => Some(&aws::AES_192),
            Self::Aes256 => Some(&aws::AES_256),
            _ => None,
        }
    }

    /// Decrypts and takes the padding off. Padding that is none means a wrong key, that is, a wrong password.
    pub(super) fn decrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if data.is_empty() || !data.len().is_multiple_of(self.block_len()) {
            return Err(Error::Malformed("its ciphertext is not made of whole blocks"));
        }
        if iv.len() != self.block_len() {
            return Err(Error::Malformed("its IV has a wrong length"));
        }
        let mut bytes = Zeroizing::new(data.to_vec());
        if let Some(algorithm) = self.aes() {
            let context = DecryptionContext::Iv128(<[u8; 16]>::try_from(iv).map_err(|_| FAILED)?.into());
            let key = UnboundCipherKey::new(algorithm, key).map_err(|_| FAILED)?;
            DecryptingKey::cbc(key).and_then(|key| key.decrypt(&mut bytes, context).map(|_| ())).map_err(|_| FAILED)?;
        } else {
            let iv = <[u8; 8]>::try_from(iv).map_err(|_| FAILED)?;
            match self {
                Self::Des => decrypt_blocks(Des::new_from_slice(key).map_err(|_| FAILED)?, iv, &mut bytes),
                Self::TripleDes2Key => {
                    decrypt_blocks(TdesEde2::new_from_slice(key).map_err(|_| FAILED)?, iv, &mut bytes)
                }
                Self::TripleDes3Key => {
                    decrypt_blocks(TdesEde3::new_from_slice(key).map_err(|_| FAILED)?, iv, &mut bytes)
                }
                _ => decrypt_blocks(self.rc2(key)?, iv, &mut bytes),
            }
        }
        unpad(&mut bytes, self.block_len())?;
        Ok(bytes)
    }

    /// Pads and encrypts.
    pub(super) fn encrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, Error> {
        let block = self.block_len();
        let short = block.saturating_sub(data.len().checked_rem(block).unwrap_or_default());
        let mut bytes = Zeroizing::new(Vec::with_capacity(data.len().saturating_add(short)));
        bytes.extend_from_slice(data);
        bytes.resize(data.len().saturating_add(short), u8::try_from(short).map_err(|_| FAILED)?);
        if let Some(algorithm) = self.aes() {
            let context = EncryptionContext::Iv128(<[u8; 16]>::try_from(iv).map_err(|_| FAILED)?.into());
            let key = UnboundCipherKey::new(algorithm, key).map_err(|_| FAILED)?;
            let encrypt = |key: EncryptingKey| key.less_safe_encrypt(&mut bytes, context).map(|_| ());
            EncryptingKey::cbc(key).and_then(encrypt).map_err(|_| FAILED)?;
        } else {
            let iv = <[u8; 8]>::try_from(iv).map_err(|_| FAILED)?;
            match self {
                Self::TripleDes3Key => {
                    encrypt_blocks(TdesEde3::new_from_slice(key).map_err(|_| FAILED)?, iv, &mut bytes)
                }
                _ => return Err(Error::Crypto("a cipher that is not written")),
            }
        }
        Ok(std::mem::take(&mut *bytes))
    }

    fn rc2(self, key: &[u8]) -> Result<Rc2, Error> {
        // The crate does not check lengths.
        match self {
            Self::Rc2Bits40 if key.len() == 5 => Ok(Rc2::new_with_eff_key_len(key, 40)),
            Self::Rc2Bits128 if key.len() == 16 => Ok(Rc2::new_with_eff_key_len(key, 128)),
            _ => Err(FAILED),
        }
    }
}

fn decrypt_blocks<C>(cipher: C, iv: [u8; 8], bytes: &mut [u8])
where
    C: BlockCipherDecrypt<BlockSize = cbc::cipher::consts::U8>,
{
    let (blocks, _) = Array::slice_as_chunks_mut(bytes);
    Decryptor::inner_iv_init(cipher, &Array::from(iv)).decrypt_blocks_inout(InOutBuf::from(blocks));
}

fn encrypt_blocks<C>(cipher: C, iv: [u8; 8], bytes: &mut [u8])
where
    C: BlockCipherEncrypt<BlockSize = cbc::cipher::consts::U8>,
{
    let (blocks, _) = Array::slice_as_chunks_mut(bytes);
    Encryptor::inner_iv_init(cipher, &Array::from(iv)).encrypt_blocks_inout(InOutBuf::from(blocks));
}

fn unpad(bytes: &mut Vec<u8>, block: usize) -> Result<(), Error> {
    let last = *bytes.last().ok_or(Error::WrongPassword)?;
    let padding = usize::from(last);
    let length = bytes.len().checked_sub(padding).ok_or(Error::WrongPassword)?;
    let whole = bytes.get(length..).is_some_and(|tail| tail.iter().all(|byte| *byte == last));
    if padding == 0 || padding > block || !whole {
        return Err(Error::WrongPassword);
    }
    bytes.truncate(length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encrypted_decrypts(data in proptest::collection::vec(any::<u8>(), 0..100)) {
            for cipher in [Cipher::Aes128, Cipher::Aes192, Cipher::Aes256, Cipher::TripleDes3Key] {
                let key: Vec<u8> = (1..).take(cipher.key_len()).collect();
                let iv = vec![7; cipher.block_len()];
                let encrypted = cipher.encrypt(&key, &iv, &data).unwrap();
                prop_assert_eq!(&**cipher.decrypt(&key, &iv, &encrypted).unwrap(), &data[..]);
            }
        }
    }

    #[test]
    fn pieces_and_wrong_padding_are_refused() {
        let (key, iv) = ([1; 16], [2; 16]);
        assert!(matches!(Cipher::Aes128.decrypt(&key, &iv, &[0; 15]), Err(Error::Malformed(_))));
        assert!(matches!(Cipher::Aes128.decrypt(&key, &iv, &[]), Err(Error::Malformed(_))));
        assert!(matches!(Cipher::Aes128.decrypt(&key, &[0; 8], &[0; 16]), Err(Error::Malformed(_))));
        for (end, block) in [(0, 8), (9, 8), (3, 8)] {
            assert_eq!(unpad(&mut vec![1, 2, 3, 4, 5, 6, 7, end], block), Err(Error::WrongPassword));
        }
        assert_eq!(unpad(&mut vec![], 8), Err(Error::WrongPassword));
    }
}
