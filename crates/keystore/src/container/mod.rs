//! Files that carry private keys between programs: PKCS#12, Java's JKS, encrypted PKCS#8 and PEM.
//!
//! Certificates are opaque DER here. Everything that is read is foreign and bounded: size, nesting, members, and the work
//! that a password derivation may ask for. Reading and writing take tens of milliseconds and more (that is what
//! iterations are for): call them where blocking is fine.
//!
//! **Legacy.** DES, 3DES, RC2 and MD5 serve old containers alone: what older openssl, Java and Windows wrote is read, and
//! a `compat` file is written for those that read nothing newer. Nothing of ours rests on them at rest.
//!
//! **BER.** Firefox, macOS and Windows write PKCS#12 with indefinite lengths and strings in pieces; both are brought into
//! DER form before anything is read, which is also why this module has its own small reader.

mod aliases;
mod asn1;
mod cipher;
mod jks;
mod kdf;
mod oid;
mod pbe;
mod pem;
mod pkcs12;
mod private_key;
#[cfg(test)]
mod tests;

pub use jks::{write_jks, write_jks_trust_store};
pub use pkcs12::{Contents, Strength, read_pkcs12, write_pkcs12, write_pkcs12_trust_store};
pub use private_key::{encrypt_private_key, read_private_key};

use certwright_domain::secret::SecretText;
use certwright_domain::violation::Invalid;
use zeroize::Zeroizing;

/// Most bytes of a container that is read: a key, a long chain and room.
pub const MAX_CONTAINER_BYTES: usize = 512 * 1024;
/// Most certificates in one container.
pub const MAX_CONTAINER_CERTIFICATES: usize = 200;
/// Most bytes of a password.
const MAX_PASSWORD_BYTES: usize = 1024;
/// Iterations that all derivations of one file may take together: some seconds at worst. Windows asks for 2,000, openssl
/// for 2,048, Java for 10,000 (older: 100,000), careful people for a million.
const MAX_ITERATIONS: u32 = 5_000_000;

/// What is wrong with a container, a password, or what should be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The password does not open the file.
    #[error("The password is wrong.")]
    WrongPassword,
    /// The key is encrypted and no password came with it.
    #[error("The private key is encrypted, and no password was given.")]
    PasswordNeeded,
    /// A password that no file can be written with.
    #[error("{0}")]
    UnsuitablePassword(&'static str),
    /// The file is not what it should be.
    #[error("The file cannot be read: {0}.")]
    Malformed(&'static str),
    /// A cipher, digest or structure that is not supported.
    #[error("The file uses {0}, which is not supported.")]
    Unsupported(String),
    /// Too large, too many members, too many iterations.
    #[error("{0}")]
    TooMuch(String),
    /// A PKCS#12 file without a MAC: nobody could tell whether it was changed, or whether the password is right.
    #[error("The PKCS#12 file has no MAC.")]
    NoMac,
    /// There is no private key.
    #[error("There is no private key in the file.")]
    NoPrivateKey,
    /// More private keys than one.
    #[error("There are {0} private keys in the file.")]
    SeveralPrivateKeys(usize),
    /// There is no certificate where one must be.
    #[error("There is no certificate to write.")]
    NoCertificate,
    /// An alias that cannot be written.
    #[error("{0}")]
    UnsuitableAlias(&'static str),
    /// The crypto library failed: our fault.
    #[error("crypto library: {0}")]
    Crypto(&'static str),
}

impl Error {
    /// Machine-readable reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong_password",
            Self::PasswordNeeded => "password_needed",
            Self::UnsuitablePassword(_) => "unsuitable_password",
            Self::Malformed(_) => "malformed_container",
            Self::Unsupported(_) => "unsupported_container",
            Self::TooMuch(_) => "container_too_large",
            Self::NoMac => "container_without_mac",
            Self::NoPrivateKey => "no_private_key",
            Self::SeveralPrivateKeys(_) => "several_private_keys",
            Self::NoCertificate => "no_certificate",
            Self::UnsuitableAlias(_) => "unsuitable_alias",
            Self::Crypto(_) => "crypto",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::WrongPassword => "Give the password that the file was written with; an empty one is \"\".",
            Self::PasswordNeeded => {
                "Give the passphrase, or decrypt the key: `openssl pkey -in key.pem -out plain.pem`."
            }
            Self::UnsuitablePassword(_) => "Choose another password.",
            Self::Malformed(_) => "Send the file as it is, unchanged and whole.",
            Self::Unsupported(_) => {
                "Write it anew with a current program: `openssl pkcs12 -legacy -in old.p12 -nodes | openssl pkcs12 -export \
                 -out new.p12`, or for a key `openssl pkey -in key.pem -out pkcs8.pem`."
            }
            Self::TooMuch(_) => "Leave out what is not needed, or write the file anew with fewer iterations.",
            Self::NoMac => "Write it with a MAC: leave out `-nomac` in `openssl pkcs12 -export`.",
            Self::NoPrivateKey => "Export the private key into the file, or send it on its own.",
            Self::SeveralPrivateKeys(_) => "Export the one entry that is meant into a file of its own.",
            Self::NoCertificate => "Give at least one certificate.",
            Self::UnsuitableAlias(_) => "Choose another alias.",
            Self::Crypto(_) => "Try again; the log tells more.",
        }
    }

    /// As a refusal of input; [`Error::Crypto`], which is no fault of the caller, gives `None`.
    pub fn to_invalid(&self) -> Option<Invalid> {
        match self {
            Self::Crypto(_) => None,
            _ => Some(Invalid::new(self.code(), self.to_string(), self.hint())),
        }
    }
}

/// A password in the two forms that derivations take. Not printable, wiped when dropped.
struct Password {
    /// PBES2, PBES1 and PEM take UTF-8.
    utf8: Zeroizing<Vec<u8>>,
    /// PKCS#12 takes UTF-16BE with a terminating NUL (RFC 7292 appendix B.1), or nothing at all.
    utf16: Zeroizing<Vec<u8>>,
}

impl Password {
    fn new(text: &SecretText) -> Result<Self, Error> {
        let utf8 = text.expose().as_bytes();
        if utf8.len() > MAX_PASSWORD_BYTES {
            return Err(Error::UnsuitablePassword("The password is longer than 1,024 bytes."));
        }
        let mut utf16 = utf16(text.expose());
        utf16.extend([0, 0]);
        Ok(Self { utf8: Zeroizing::new(utf8.to_vec()), utf16 })
    }

    /// The forms in which other programs may have taken this password for PKCS#12. An empty password is written as a NUL
    /// by some and as nothing by others; openssl before 1.1 took UTF-8 for Latin-1.
    fn candidates(text: &SecretText) -> Result<Vec<Self>, Error> {
        let first = Self::new(text)?;
        let utf8 = first.utf8.clone();
        let other = if utf8.is_empty() {
            Some(Zeroizing::new(Vec::new()))
        } else if utf8.is_ascii() {
            None
        } else {
            Some(Zeroizing::new(utf8.iter().flat_map(|byte| [0, *byte]).chain([0, 0]).collect::<Vec<_>>()))
        };
        Ok(std::iter::once(first).chain(other.map(|utf16| Self { utf8, utf16 })).collect())
    }
}

/// UTF-16, big-endian, without a terminator.
fn utf16(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len().saturating_mul(2).saturating_add(2)));
    bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    bytes
}

/// How much derivation one file may still ask for.
struct Budget(u32);

impl Budget {
    fn new() -> Self {
        Self(MAX_ITERATIONS)
    }

    /// Takes the iterations of one derivation.
    fn take(&mut self, iterations: u32) -> Result<std::num::NonZeroU32, Error> {
        let wanted = std::num::NonZeroU32::new(iterations).ok_or(Error::Malformed("it asks for no iterations"))?;
        self.0 = self.0.checked_sub(iterations).ok_or_else(|| {
            Error::TooMuch(format!(
                "The file asks for more than {MAX_ITERATIONS} iterations of its password derivations together."
            ))
        })?;
        Ok(wanted)
    }
}

/// Random bytes.
fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Crypto("randomness"))?;
    Ok(bytes)
}
