//! Java's own key store, version 2 (`JKS`), written for programs that take nothing else. Its protection is weak (SHA-1,
//! no iterations): PKCS#12 is better wherever Java is newer than 8.

use super::asn1::{self, NULL, OCTET_STRING, OID, SEQUENCE};
use super::{Error, aliases, oid, random, utf16};
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use certwright_domain::secret::{SecretBytes, SecretText};
use certwright_domain::time::Timestamp;
use zeroize::Zeroizing;

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const KEY_ENTRY: u32 = 1;
const TRUSTED_ENTRY: u32 = 2;
/// What `keytool` insists on.
const MIN_PASSWORD: usize = 6;

/// Writes a key with its certificates, leaf first. Store and key have the same password, of at least six characters;
/// the alias is lower-cased. `created_at` is what `keytool` shows as the entry's creation date.
pub fn write_jks(
    private_key: &SecretBytes,
    certificates: &[&[u8]],
    alias: &str,
    password: &SecretText,
    created_at: Timestamp,
) -> Result<SecretBytes, Error> {
    let password = password_of(password)?;
    aliases::check(alias)?;
    if certificates.is_empty() {
        return Err(Error::NoCertificate);
    }
    let mut store = Store::new(1)?;
    store.entry(KEY_ENTRY, &alias.to_lowercase(), created_at)?;
    store.bytes(&protect(private_key.expose(), &password)?)?;
    store.number(certificates.len())?;
    for certificate in certificates {
        store.certificate(certificate)?;
    }
    Ok(store.finish(&password))
}

/// Writes certificates (alias and DER) that are trusted. Aliases are lower-cased and made distinct.
pub fn write_jks_trust_store(
    certificates: &[(&str, &[u8])],
    password: &SecretText,
    created_at: Timestamp,
) -> Result<SecretBytes, Error> {
    let password = password_of(password)?;
    if certificates.is_empty() {
        return Err(Error::NoCertificate);
    }
    let names = aliases::distinct(certificates.iter().map(|(alias, _)| *alias))?;
    let mut store = Store::new(certificates.len())?;
    for ((_, certificate), name) in certificates.iter().zip(names) {
        store.entry(TRUSTED_ENTRY, &name, created_at)?;
        store.certificate(certificate)?;
    }
    Ok(store.finish(&password))
}

fn password_of(password: &SecretText) -> Result<Zeroizing<Vec<u8>>, Error> {
    if password.expose().chars().count() < MIN_PASSWORD {
        return Err(Error::UnsuitablePassword("The password of a JKS file has at least six characters."));
    }
    super::Password::new(password)?;
    Ok(utf16(password.expose()))
}

const TOO_LONG: Error = Error::Crypto("a JKS field that is too long");

struct Store(Zeroizing<Vec<u8>>);

impl Store {
    fn new(entries: usize) -> Result<Self, Error> {
        let mut store = Self(Zeroizing::new(Vec::with_capacity(16 * 1024)));
        store.0.extend(MAGIC.to_be_bytes());
        store.0.extend(VERSION.to_be_bytes());
        store.number(entries)?;
        Ok(store)
    }

    fn number(&mut self, number: usize) -> Result<(), Error> {
        self.0.extend(u32::try_from(number).map_err(|_| TOO_LONG)?.to_be_bytes());
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.number(bytes.len())?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Java's modified UTF-8, which is UTF-8 for the characters that an alias may have.
    fn text(&mut self, text: &str) -> Result<(), Error> {
        self.0.extend(u16::try_from(text.len()).map_err(|_| TOO_LONG)?.to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn entry(&mut self, kind: u32, alias: &str, created_at: Timestamp) -> Result<(), Error> {
        self.0.extend(kind.to_be_bytes());
        self.text(alias)?;
        self.0.extend(created_at.unix_ms().to_be_bytes());
        Ok(())
    }

    fn certificate(&mut self, der: &[u8]) -> Result<(), Error> {
        self.text("X.509")?;
        self.bytes(der)
    }

    /// The digest at the end binds everything to the password.
    fn finish(mut self, password: &[u8]) -> SecretBytes {
        let end = sha1(&[password, b"Mighty Aphrodite", &self.0]);
        self.0.extend_from_slice(end.as_ref());
        SecretBytes::new(std::mem::take(&mut *self.0))
    }
}

/// Sun's key protector: the key under a keystream of chained SHA-1, with a digest of password and key at the end.
fn protect(key: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let salt = random::<20>()?;
    let mut protected = Zeroizing::new(Vec::with_capacity(key.len().saturating_add(40)));
    protected.extend_from_slice(&salt);
    let mut pad = sha1(&[password, &salt]);
    for chunk in key.chunks(20) {
        protected.extend(chunk.iter().zip(pad.as_ref()).map(|(byte, mask)| byte ^ mask));
        pad = sha1(&[password, pad.as_ref()]);
    }
    protected.extend_from_slice(sha1(&[password, key]).as_ref());
    let algorithm =
        asn1::element(SEQUENCE, &[&asn1::element(OID, &[oid::JKS_KEY_PROTECTOR]), &asn1::element(NULL, &[])]);
    Ok(asn1::element(SEQUENCE, &[&algorithm, &asn1::element(OCTET_STRING, &[&protected])]))
}

fn sha1(parts: &[&[u8]]) -> digest::Digest {
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    context.finish()
}
