//! Private keys on their own, in PEM or DER, encrypted or not.

use super::asn1::{self, INTEGER, OCTET_STRING, Reader, SEQUENCE};
use super::cipher::Cipher;
use super::pbe::{self, Encrypted};
use super::pem::{self, Found};
use super::{Budget, Error, Password, kdf};
use certwright_domain::secret::{SecretBytes, SecretText};
use zeroize::Zeroizing;

/// Most bytes of a key that is read, in PEM with text around it.
const MAX_BYTES: usize = 256 * 1024;

/// Reads the one private key of a PEM text or DER, and decrypts it where it is encrypted: PKCS#8 (PBES2, the schemes of
/// PKCS#12, and DES as openssl 1.0 wrote it) and traditional PEM (`Proc-Type: 4,ENCRYPTED` with AES, 3DES or DES). Gives
/// PKCS#8, PKCS#1 or SEC1 in DER; whether that is a good key is checked when it is imported. A passphrase that is not
/// needed is not looked at; PEM blocks of other kinds are passed over.
///
/// # Errors
/// [`Error::PasswordNeeded`] for an encrypted key without passphrase, [`Error::WrongPassword`] for a wrong one.
pub fn read_private_key(bytes: &[u8], passphrase: Option<&SecretText>) -> Result<SecretBytes, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooMuch(format!("A private key has at most {MAX_BYTES} bytes.")));
    }
    let password = || Password::new(passphrase.ok_or(Error::PasswordNeeded)?);
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.contains("-----BEGIN "));
    match (text.map(pem::private_key).transpose()?, bytes.first()) {
        (Some(Found::Clear(key)), _) => Ok(keep(key)),
        (Some(Found::Pkcs8(info)), _) => pkcs8(&info, &password()?),
        (Some(Found::Traditional { cipher, iv, body }), _) => traditional(cipher, iv, &body, &password()?),
        (None, Some(&SEQUENCE)) if is_encrypted(bytes) => pkcs8(bytes, &password()?),
        (None, Some(&SEQUENCE)) => Ok(SecretBytes::new(bytes.to_vec())),
        (None, _) => Err(Error::Malformed("it is neither PEM nor DER")),
    }
}

/// Encrypts a private key (PKCS#8 DER) with PBES2, as PEM (`ENCRYPTED PRIVATE KEY`).
pub fn encrypt_private_key(private_key: &SecretBytes, passphrase: &SecretText) -> Result<SecretText, Error> {
    if passphrase.expose().is_empty() {
        return Err(Error::UnsuitablePassword("The passphrase must not be empty."));
    }
    let encrypted = Encrypted::modern(&Password::new(passphrase)?, private_key.expose())?;
    let mut pem = pem::write("ENCRYPTED PRIVATE KEY", &encrypted.private_key_info());
    Ok(SecretText::new(std::mem::take(&mut *pem)))
}

fn keep(mut key: Zeroizing<Vec<u8>>) -> SecretBytes {
    SecretBytes::new(std::mem::take(&mut *key))
}

/// EncryptedPrivateKeyInfo begins with an AlgorithmIdentifier, keys in the clear with a version number.
fn is_encrypted(der: &[u8]) -> bool {
    let mut inside = match Reader::new(der).enter(SEQUENCE, "") {
        Ok(inside) => inside,
        Err(_) => return false,
    };
    matches!(inside.next(), Ok(first) if first.tag == SEQUENCE)
        && matches!(inside.next(), Ok(second) if second.tag == OCTET_STRING)
}

fn pkcs8(der: &[u8], password: &Password) -> Result<SecretBytes, Error> {
    let der = asn1::normalize(der)?;
    let info = Reader::new(&der).enter(SEQUENCE, "it is no encrypted private key")?;
    pbe::decrypt_private_key_info(info, password, &mut Budget::new()).map(keep)
}

fn traditional(cipher: &str, iv: &str, body: &[u8], password: &Password) -> Result<SecretBytes, Error> {
    let cipher = match cipher.trim() {
        "AES-128-CBC" => Cipher::Aes128,
        "AES-192-CBC" => Cipher::Aes192,
        "AES-256-CBC" => Cipher::Aes256,
        "DES-EDE3-CBC" => Cipher::TripleDes3Key,
        "DES-CBC" => Cipher::Des,
        other => return Err(Error::Unsupported(format!("the cipher `{}`", other.escape_default()))),
    };
    let iv = hex(iv.trim()).ok_or(Error::Malformed("the IV in DEK-Info is not hex"))?;
    // Its first eight bytes serve as the salt.
    let salt = iv.get(..8).ok_or(Error::Malformed("the IV in DEK-Info is too short"))?;
    let key = kdf::openssl_pem(&password.utf8, salt, cipher.key_len());
    let key = cipher.decrypt(&key, &iv, body)?;
    // There is no MAC: a wrong password shows in what comes out.
    let begins = Reader::new(&key).enter(SEQUENCE, "").and_then(|mut inside| inside.next());
    match begins {
        Ok(first) if first.tag == INTEGER && pbe::is_sequence(&key) => Ok(keep(key)),
        _ => Err(Error::WrongPassword),
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits?;
    if !digits.len().is_multiple_of(2) || digits.len() > 64 {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).ok())
        .collect()
}
