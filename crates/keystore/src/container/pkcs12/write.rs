//! Writing PKCS#12: certificates in one encrypted part, the key in another, a MAC over both.

use crate::container::asn1::{
    self, BMP_STRING, CONTEXT_0, CONTEXT_0_PRIMITIVE, NULL, OCTET_STRING, OID, SEQUENCE, SET,
};
use crate::container::kdf::{self, Purpose};
use crate::container::pbe::{Encrypted, ITERATIONS};
use crate::container::{Error, Password, aliases, oid, random, utf16};
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::hmac;
use certwright_domain::secret::{SecretBytes, SecretText};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

type Der = Zeroizing<Vec<u8>>;

/// Who must be able to read the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Programs of these years (openssl 1.1, Java 8u301, Windows Server 2019, macOS 14 and newer): PBES2 with
    /// PBKDF2-HMAC-SHA-256 and AES-256, a MAC with SHA-256.
    Modern,
    /// Older ones: 3DES, a MAC with SHA-1.
    Compat,
}

/// Writes a key with its certificates, leaf first. Key and leaf carry the same `localKeyID` and `alias`, which is how other
/// programs pair them.
pub fn write_pkcs12(
    private_key: &SecretBytes,
    certificates: &[&[u8]],
    alias: &str,
    password: &SecretText,
    strength: Strength,
) -> Result<SecretBytes, Error> {
    aliases::check(alias)?;
    let writer = Writer::new(password, strength)?;
    let (leaf, upper) = certificates.split_first().ok_or(Error::NoCertificate)?;
    let pairing = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, leaf);
    let attributes = asn1::set_of(vec![friendly_name(alias), local_key_id(pairing.as_ref())]);

    let mut bags = vec![certificate_bag(leaf, Some(&attributes))];
    bags.extend(upper.iter().map(|certificate| certificate_bag(certificate, None)));
    let key = writer.encrypt(private_key.expose())?.private_key_info();
    let key_bag = bag(oid::SHROUDED_KEY_BAG, &key, Some(&attributes));
    writer.finish(&[writer.encrypted(&bags)?, data(&safe(&[key_bag]))])
}

/// Writes certificates (alias and DER) without a key, each marked in Java's way, so that `keytool` lists them as
/// `trustedCertEntry`. Aliases are lower-cased and made distinct.
pub fn write_pkcs12_trust_store(
    certificates: &[(&str, &[u8])],
    password: &SecretText,
    strength: Strength,
) -> Result<SecretBytes, Error> {
    let writer = Writer::new(password, strength)?;
    if certificates.is_empty() {
        return Err(Error::NoCertificate);
    }
    let names = aliases::distinct(certificates.iter().map(|(alias, _)| *alias))?;
    let any_use = asn1::element(OID, &[oid::ANY_EXTENDED_KEY_USAGE]);
    let bags: Vec<Der> = certificates
        .iter()
        .zip(names)
        .map(|((_, der), name)| {
            let trusted = attribute(oid::TRUSTED_KEY_USAGE, &any_use);
            certificate_bag(der, Some(&asn1::set_of(vec![friendly_name(&name), trusted])))
        })
        .collect();
    writer.finish(&[writer.encrypted(&bags)?])
}

struct Writer {
    password: Password,
    strength: Strength,
}

impl Writer {
    fn new(text: &SecretText, strength: Strength) -> Result<Self, Error> {
        if text.expose().is_empty() {
            return Err(Error::UnsuitablePassword("The password of a PKCS#12 file must not be empty."));
        }
        if text.expose().contains('\0') {
            return Err(Error::UnsuitablePassword("The password must not contain a NUL character."));
        }
        Ok(Self { password: Password::new(text)?, strength })
    }

    fn encrypt(&self, data: &[u8]) -> Result<Encrypted, Error> {
        match self.strength {
            Strength::Modern => Encrypted::modern(&self.password, data),
            Strength::Compat => Encrypted::compat(&self.password, data),
        }
    }

    /// A part that is encrypted as a whole.
    fn encrypted(&self, bags: &[Der]) -> Result<Der, Error> {
        let Encrypted { algorithm, data } = self.encrypt(&safe(bags))?;
        let content = asn1::element(CONTEXT_0_PRIMITIVE, &[&data]);
        let info = asn1::element(SEQUENCE, &[&asn1::element(OID, &[oid::DATA]), &algorithm, &content]);
        let encrypted = asn1::element(SEQUENCE, &[&asn1::integer(0), &info]);
        Ok(content_info(oid::ENCRYPTED_DATA, &encrypted))
    }

    fn finish(&self, parts: &[Der]) -> Result<SecretBytes, Error> {
        let authenticated = safe(parts);
        let mac = self.mac(&authenticated)?;
        let mut file = asn1::element(SEQUENCE, &[&asn1::integer(3), &data(&authenticated), &mac]);
        Ok(SecretBytes::new(std::mem::take(&mut *file)))
    }

    fn mac(&self, content: &[u8]) -> Result<Der, Error> {
        let (hash, name, algorithm): (&'static digest::Algorithm, _, _) = match self.strength {
            Strength::Modern => (&SHA256, oid::SHA256, hmac::HMAC_SHA256),
            Strength::Compat => (&SHA1_FOR_LEGACY_USE_ONLY, oid::SHA1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        };
        let salt = random::<16>()?;
        let iterations = NonZeroU32::new(ITERATIONS).ok_or(Error::Crypto("iterations"))?;
        let key = kdf::pkcs12(hash, Purpose::Mac, &self.password.utf16, &salt, iterations, hash.output_len());
        let tag = hmac::sign(&hmac::Key::new(algorithm, &key), content);
        let algorithm = asn1::element(SEQUENCE, &[&asn1::element(OID, &[name]), &asn1::element(NULL, &[])]);
        let info = asn1::element(SEQUENCE, &[&algorithm, &asn1::element(OCTET_STRING, &[tag.as_ref()])]);
        let salt = asn1::element(OCTET_STRING, &[&salt]);
        Ok(asn1::element(SEQUENCE, &[&info, &salt, &asn1::integer(ITERATIONS)]))
    }
}

/// A SEQUENCE OF.
fn safe(members: &[Der]) -> Der {
    asn1::element(SEQUENCE, &members.iter().map(|member| member.as_slice()).collect::<Vec<_>>())
}

fn content_info(kind: &[u8], content: &[u8]) -> Der {
    asn1::element(SEQUENCE, &[&asn1::element(OID, &[kind]), &asn1::element(CONTEXT_0, &[content])])
}

fn data(content: &[u8]) -> Der {
    content_info(oid::DATA, &asn1::element(OCTET_STRING, &[content]))
}

fn bag(kind: &[u8], value: &[u8], attributes: Option<&Der>) -> Der {
    let (kind, value) = (asn1::element(OID, &[kind]), asn1::element(CONTEXT_0, &[value]));
    let attributes = attributes.map_or(&[][..], |attributes| attributes.as_slice());
    asn1::element(SEQUENCE, &[&kind, &value, attributes])
}

fn certificate_bag(certificate: &[u8], attributes: Option<&Der>) -> Der {
    let value = asn1::element(CONTEXT_0, &[&asn1::element(OCTET_STRING, &[certificate])]);
    let value = asn1::element(SEQUENCE, &[&asn1::element(OID, &[oid::X509_CERTIFICATE]), &value]);
    bag(oid::CERT_BAG, &value, attributes)
}

fn attribute(kind: &[u8], value: &[u8]) -> Der {
    asn1::element(SEQUENCE, &[&asn1::element(OID, &[kind]), &asn1::element(SET, &[value])])
}

fn friendly_name(name: &str) -> Der {
    attribute(oid::FRIENDLY_NAME, &asn1::element(BMP_STRING, &[&utf16(name)]))
}

fn local_key_id(id: &[u8]) -> Der {
    attribute(oid::LOCAL_KEY_ID, &asn1::element(OCTET_STRING, &[id]))
}
