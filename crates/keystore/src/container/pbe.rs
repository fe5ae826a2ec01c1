//! Password-based encryption: PBES2 and PBES1 (RFC 8018), and the schemes of PKCS#12 (RFC 7292 appendix C).

use super::asn1::{self, OCTET_STRING, OID, Reader, SEQUENCE};
use super::cipher::Cipher;
use super::kdf::{self, OldHash, Purpose};
use super::{Budget, Error, Password, oid, random};
use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::pbkdf2;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// Iterations of everything that is written, MAC included: whoever guesses passwords takes the cheapest way in, so all
/// ways cost the same. 50,000 cost the reader some 20 ms each; Java writes 10,000, openssl 2,048.
pub(super) const ITERATIONS: u32 = 50_000;

const NO_ALGORITHM: &str = "an algorithm is missing";
const NO_PARAMETERS: &str = "the parameters of its encryption are missing";

/// Decrypts with the scheme that the AlgorithmIdentifier names (a reader of its contents).
pub(super) fn decrypt(
    mut algorithm: Reader<'_>,
    password: &Password,
    data: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let scheme = algorithm.take(OID, NO_ALGORITHM)?;
    let parameters = algorithm.enter(SEQUENCE, NO_PARAMETERS);
    let pkcs12 = |cipher, budget: &mut Budget| decrypt_pkcs12(cipher, parameters.clone()?, password, data, budget);
    match scheme {
        oid::PBES2 => decrypt_pbes2(parameters?, password, data, budget),
        oid::PBE_SHA1_3DES_3KEY => pkcs12(Cipher::TripleDes3Key, budget),
        oid::PBE_SHA1_3DES_2KEY => pkcs12(Cipher::TripleDes2Key, budget),
        oid::PBE_SHA1_RC2_128 => pkcs12(Cipher::Rc2Bits128, budget),
        oid::PBE_SHA1_RC2_40 => pkcs12(Cipher::Rc2Bits40, budget),
        oid::PBE_MD5_DES => decrypt_pbes1(OldHash::Md5, parameters?, password, data, budget),
        oid::PBE_SHA1_DES => decrypt_pbes1(OldHash::Sha1, parameters?, password, data, budget),
        other => Err(Error::Unsupported(format!("the encryption {}", oid::dotted(other)))),
    }
}

fn salt_and_iterations<'a>(parameters: &mut Reader<'a>, budget: &mut Budget) -> Result<(&'a [u8], NonZeroU32), Error> {
    let salt = parameters.take(OCTET_STRING, "a salt is missing")?;
    let iterations = budget.take(parameters.number("a number of iterations is missing")?)?;
    Ok((salt, iterations))
}

fn decrypt_pkcs12(
    cipher: Cipher,
    mut parameters: Reader<'_>,
    password: &Password,
    data: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (salt, iterations) = salt_and_iterations(&mut parameters, budget)?;
    // A second derivation gives the IV.
    budget.take(iterations.get())?;
    let (key, iv) = pkcs12_key(cipher, password, salt, iterations);
    cipher.decrypt(&key, &iv, data)
}

fn pkcs12_key(
    cipher: Cipher,
    password: &Password,
    salt: &[u8],
    iterations: NonZeroU32,
) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
    let derive =
        |purpose, length| kdf::pkcs12(&SHA1_FOR_LEGACY_USE_ONLY, purpose, &password.utf16, salt, iterations, length);
    (derive(Purpose::Key, cipher.key_len()), derive(Purpose::Iv, cipher.block_len()))
}

fn decrypt_pbes1(
    hash: OldHash,
    mut parameters: Reader<'_>,
    password: &Password,
    data: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (salt, iterations) = salt_and_iterations(&mut parameters, budget)?;
    let derived = kdf::pbkdf1(hash, &password.utf8, salt, iterations);
    let (key, iv) = derived.split_at_checked(8).ok_or(Error::Crypto("derivation"))?;
    Cipher::Des.decrypt(key, iv, data)
}

fn decrypt_pbes2(
    mut parameters: Reader<'_>,
    password: &Password,
    data: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut derivation = parameters.enter(SEQUENCE, NO_ALGORITHM)?;
    let mut encryption = parameters.enter(SEQUENCE, NO_ALGORITHM)?;

    let cipher = match encryption.take(OID, NO_ALGORITHM)? {
        oid::AES_128_CBC => Cipher::Aes128,
        oid::AES_192_CBC => Cipher::Aes192,
        oid::AES_256_CBC => Cipher::Aes256,
        oid::DES_EDE3_CBC => Cipher::TripleDes3Key,
        other => return Err(Error::Unsupported(format!("the cipher {}", oid::dotted(other)))),
    };
    let iv = encryption.take(OCTET_STRING, "an IV is missing")?;
    let key = pbkdf2_key(&mut derivation, password, cipher.key_len(), budget)?;
    cipher.decrypt(&key, iv, data)
}

/// Derives a key as a PBKDF2 AlgorithmIdentifier (a reader of its contents) says.
pub(super) fn pbkdf2_key(
    derivation: &mut Reader<'_>,
    password: &Password,
    length: usize,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    match derivation.take(OID, NO_ALGORITHM)? {
        oid::PBKDF2 => {}
        other => return Err(Error::Unsupported(format!("the key derivation {}", oid::dotted(other)))),
    }
    let mut parameters = derivation.enter(SEQUENCE, NO_PARAMETERS)?;
    let (salt, iterations) = salt_and_iterations(&mut parameters, budget)?;
    if let Some(stated) = parameters.optional(asn1::INTEGER)?
        && usize::try_from(asn1::number(stated)?).ok() != Some(length)
    {
        return Err(Error::Malformed("the length of its key does not fit its cipher"));
    }
    let prf = match parameters.optional(SEQUENCE)? {
        Some(prf) => match Reader::new(prf).take(OID, NO_ALGORITHM)? {
            oid::HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
            oid::HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
            oid::HMAC_SHA384 => pbkdf2::PBKDF2_HMAC_SHA384,
            oid::HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
            other => return Err(Error::Unsupported(format!("the key derivation's function {}", oid::dotted(other)))),
        },
        None => pbkdf2::PBKDF2_HMAC_SHA1,
    };
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(prf, iterations, salt, &password.utf8, &mut key);
    Ok(key)
}

/// What was encrypted, and the AlgorithmIdentifier (whole element) that says how.
pub(super) struct Encrypted {
    pub(super) algorithm: Zeroizing<Vec<u8>>,
    pub(super) data: Vec<u8>,
}

impl Encrypted {
    /// Encrypts with PBES2: PBKDF2 with HMAC-SHA-256, AES-256 in CBC mode.
    pub(super) fn modern(password: &Password, data: &[u8]) -> Result<Self, Error> {
        let (salt, iv) = (random::<16>()?, random::<16>()?);
        let iterations = NonZeroU32::new(ITERATIONS).ok_or(Error::Crypto("iterations"))?;
        let mut key = Zeroizing::new([0; 32]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, &password.utf8, key.as_mut_slice());
        let data = Cipher::Aes256.encrypt(key.as_slice(), &iv, data)?;

        let prf = asn1::element(SEQUENCE, &[&asn1::element(OID, &[oid::HMAC_SHA256]), &asn1::element(asn1::NULL, &[])]);
        let salt = asn1::element(OCTET_STRING, &[&salt]);
        let parameters = asn1::element(SEQUENCE, &[&salt, &asn1::integer(ITERATIONS), &prf]);
        let derivation = asn1::element(SEQUENCE, &[&asn1::element(OID, &[oid::PBKDF2]), &parameters]);
        let iv = asn1::element(OCTET_STRING, &[&iv]);
        let encryption = asn1::element(SEQUENCE, &[&asn1::element(OID, &[oid::AES_256_CBC]), &iv]);
        let both = asn1::element(SEQUENCE, &[&derivation, &encryption]);
        let algorithm = asn1::element(SEQUENCE, &[&asn1::element(OID, &[oid::PBES2]), &both]);
        Ok(Self { algorithm, data })
    }

    /// Encrypts with pbeWithSHAAnd3-KeyTripleDES-CBC, for programs that read nothing newer.
    pub(super) fn compat(password: &Password, data: &[u8]) -> Result<Self, Error> {
        let salt = random::<16>()?;
        let iterations = NonZeroU32::new(ITERATIONS).ok_or(Error::Crypto("iterations"))?;
        let (key, iv) = pkcs12_key(Cipher::TripleDes3Key, password, &salt, iterations);
        let data = Cipher::TripleDes3Key.encrypt(&key, &iv, data)?;
        let parameters = asn1::element(SEQUENCE, &[&asn1::element(OCTET_STRING, &[&salt]), &asn1::integer(ITERATIONS)]);
        let algorithm = asn1::element(SEQUENCE, &[&asn1::element(OID, &[oid::PBE_SHA1_3DES_3KEY]), &parameters]);
        Ok(Self { algorithm, data })
    }

    /// As EncryptedPrivateKeyInfo (RFC 5958).
    pub(super) fn private_key_info(&self) -> Zeroizing<Vec<u8>> {
        asn1::element(SEQUENCE, &[&self.algorithm, &asn1::element(OCTET_STRING, &[&self.data])])
    }
}

/// Decrypts an EncryptedPrivateKeyInfo (a reader of its contents). What comes out and is no SEQUENCE was decrypted with a
/// wrong password that happened to give a padding.
pub(super) fn decrypt_private_key_info(
    mut info: Reader<'_>,
    password: &Password,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let algorithm = info.enter(SEQUENCE, NO_ALGORITHM)?;
    let data = info.take(OCTET_STRING, "the encrypted key is missing")?;
    let key = decrypt(algorithm, password, data, budget)?;
    if is_sequence(&key) { Ok(key) } else { Err(Error::WrongPassword) }
}

/// Is this one SEQUENCE from the first byte to the last?
pub(super) fn is_sequence(bytes: &[u8]) -> bool {
    matches!(crate::der::expect(bytes, SEQUENCE), Some((_, [])))
}
