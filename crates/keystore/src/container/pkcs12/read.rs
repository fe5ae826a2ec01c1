//! Reading PKCS#12: first the MAC, which tells whether the password is right, then what is inside.

use crate::container::asn1::{
    self, BMP_STRING, CONTEXT_0, CONTEXT_0_PRIMITIVE, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, SET,
};
use crate::container::kdf::{self, Purpose};
use crate::container::{Budget, Error, MAX_CONTAINER_BYTES, MAX_CONTAINER_CERTIFICATES, Password, oid, pbe};
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
use aws_lc_rs::hmac;
use certwright_domain::secret::{SecretBytes, SecretText};
use zeroize::Zeroizing;

/// Levels of safes within safes.
const MAX_SAFES: usize = 4;

/// What a PKCS#12 file holds. CRLs and secrets of other kinds are passed over.
pub struct Contents {
    /// The private key: PKCS#8 DER as it was written; not yet checked.
    pub private_key: Option<SecretBytes>,
    /// Certificates in DER, not yet checked. The one that the file pairs with the key (localKeyID) comes first, the others
    /// in the order of the file.
    pub certificates: Vec<Vec<u8>>,
    /// The name that the file gives to the key, or else to its certificate.
    pub friendly_name: Option<String>,
}

/// Reads a PKCS#12 file in DER or BER. Takes what openssl, Java, Windows, macOS and Firefox write: PBES2 with AES or 3DES,
/// and the old schemes with 3DES, RC2 and DES. More than one private key is refused.
///
/// # Errors
/// [`Error::WrongPassword`] when the MAC does not fit the password; others name what is wrong with the file.
pub fn read_pkcs12(bytes: &[u8], password: &SecretText) -> Result<Contents, Error> {
    if bytes.len() > MAX_CONTAINER_BYTES {
        return Err(Error::TooMuch(format!("A PKCS#12 file has at most {MAX_CONTAINER_BYTES} bytes.")));
    }
    if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Err(Error::Malformed("it is PEM text, not PKCS#12"));
    }
    let der = asn1::normalize(bytes)?;
    let mut outer = Reader::new(&der).enter(SEQUENCE, NO_PKCS12)?;
    if outer.number(NO_PKCS12)? != 3 {
        return Err(Error::Malformed("it is no PKCS#12 file of version 3"));
    }
    let mut safe = outer.enter(SEQUENCE, NO_PKCS12)?;
    match safe.take(OID, NO_PKCS12)? {
        oid::DATA => {}
        oid::SIGNED_DATA => return Err(Error::Unsupported("a signature instead of a password's MAC".to_owned())),
        _ => return Err(Error::Malformed(NO_PKCS12)),
    }
    let safe = safe.enter(CONTEXT_0, NO_PKCS12)?.take(OCTET_STRING, NO_PKCS12)?;
    if outer.is_empty() {
        return Err(Error::NoMac);
    }
    let mut budget = Budget::new();
    let mac = outer.enter(SEQUENCE, "its MAC is missing")?;
    let password = verify_mac(mac, safe, password, &mut budget)?;

    let mut found = Found::default();
    let der = asn1::normalize(safe)?;
    let mut parts = Reader::new(&der).enter(SEQUENCE, NO_SAFE)?;
    while !parts.is_empty() {
        let contents = open_part(parts.enter(SEQUENCE, NO_SAFE)?, &password, &mut budget)?;
        let der = asn1::normalize(&contents)?;
        found.read(Reader::new(&der).enter(SEQUENCE, NO_SAFE)?, &password, &mut budget, 0)?;
    }
    found.finish()
}

const NO_PKCS12: &str = "it is no PKCS#12 file";
const NO_SAFE: &str = "its contents are not what PKCS#12 asks for";

/// Tries the password in the forms that other programs may have taken; gives back the one that fits.
fn verify_mac(
    mut mac: Reader<'_>,
    content: &[u8],
    password: &SecretText,
    budget: &mut Budget,
) -> Result<Password, Error> {
    let mut info = mac.enter(SEQUENCE, "its MAC is missing")?;
    let algorithm = info.enter(SEQUENCE, "its MAC is missing")?.take(OID, "its MAC is missing")?;
    let stated = info.take(OCTET_STRING, "its MAC is missing")?;
    let salt = mac.take(OCTET_STRING, "the salt of its MAC is missing")?;
    let iterations = match mac.optional(INTEGER)? {
        Some(iterations) => asn1::number(iterations)?,
        None => 1,
    };
    let (hash, algorithm): (&'static digest::Algorithm, _) = match algorithm {
        oid::SHA1 => (&SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        oid::SHA256 => (&SHA256, hmac::HMAC_SHA256),
        oid::SHA384 => (&SHA384, hmac::HMAC_SHA384),
        oid::SHA512 => (&SHA512, hmac::HMAC_SHA512),
        other => return Err(Error::Unsupported(format!("the MAC {}", oid::dotted(other)))),
    };
    for candidate in Password::candidates(password)? {
        let iterations = budget.take(iterations)?;
        let key = kdf::pkcs12(hash, Purpose::Mac, &candidate.utf16, salt, iterations, hash.output_len());
        if hmac::verify(&hmac::Key::new(algorithm, &key), content, stated).is_ok() {
            return Ok(candidate);
        }
    }
    Err(Error::WrongPassword)
}

/// The contents of one part of the authenticated safe: in the clear, or encrypted with the password.
fn open_part(mut part: Reader<'_>, password: &Password, budget: &mut Budget) -> Result<Zeroizing<Vec<u8>>, Error> {
    match part.take(OID, NO_SAFE)? {
        oid::DATA => {
            let data = part.enter(CONTEXT_0, NO_SAFE)?.take(OCTET_STRING, NO_SAFE)?;
            Ok(Zeroizing::new(data.to_vec()))
        }
        oid::ENCRYPTED_DATA => {
            let mut data = part.enter(CONTEXT_0, NO_SAFE)?.enter(SEQUENCE, NO_SAFE)?;
            data.number(NO_SAFE)?;
            let mut info = data.enter(SEQUENCE, NO_SAFE)?;
            info.take(OID, NO_SAFE)?;
            let algorithm = info.enter(SEQUENCE, NO_SAFE)?;
            let encrypted = info.next()?;
            match encrypted.tag {
                CONTEXT_0_PRIMITIVE => pbe::decrypt(algorithm, password, encrypted.contents, budget),
                CONTEXT_0 => pbe::decrypt(algorithm, password, &asn1::join(encrypted.contents)?, budget),
                _ => Err(Error::Malformed(NO_SAFE)),
            }
        }
        oid::ENVELOPED_DATA => Err(Error::Unsupported("encryption to a public key instead of a password".to_owned())),
        other => Err(Error::Unsupported(format!("content of the type {}", oid::dotted(other)))),
    }
}

#[derive(Default)]
struct Found {
    keys: Vec<(Zeroizing<Vec<u8>>, Attributes)>,
    certificates: Vec<(Vec<u8>, Attributes)>,
}

#[derive(Default)]
struct Attributes {
    friendly_name: Option<String>,
    local_key_id: Option<Vec<u8>>,
}

impl Found {
    /// Reads the bags of a SafeContents.
    fn read(
        &mut self,
        mut bags: Reader<'_>,
        password: &Password,
        budget: &mut Budget,
        depth: usize,
    ) -> Result<(), Error> {
        while !bags.is_empty() {
            let mut bag = bags.enter(SEQUENCE, NO_SAFE)?;
            let kind = bag.take(OID, NO_SAFE)?;
            let mut value = bag.enter(CONTEXT_0, NO_SAFE)?;
            let attributes = match bag.optional(SET)? {
                Some(set) => Attributes::read(Reader::new(set))?,
                None => Attributes::default(),
            };
            match kind {
                oid::KEY_BAG => {
                    let key = asn1::element(SEQUENCE, &[value.take(SEQUENCE, NO_SAFE)?]);
                    self.keys.push((key, attributes));
                }
                oid::SHROUDED_KEY_BAG => {
                    let info = value.enter(SEQUENCE, NO_SAFE)?;
                    self.keys.push((pbe::decrypt_private_key_info(info, password, budget)?, attributes));
                }
                oid::CERT_BAG => self.certificate(value.enter(SEQUENCE, NO_SAFE)?, attributes)?,
                oid::SAFE_CONTENTS_BAG if depth < MAX_SAFES => {
                    self.read(value.enter(SEQUENCE, NO_SAFE)?, password, budget, depth.saturating_add(1))?;
                }
                oid::SAFE_CONTENTS_BAG => return Err(Error::Malformed("it is nested too deeply")),
                // CRLs, secrets and whatever else is nothing of ours.
                _ => {}
            }
        }
        Ok(())
    }

    fn certificate(&mut self, mut bag: Reader<'_>, attributes: Attributes) -> Result<(), Error> {
        if bag.take(OID, NO_SAFE)? != oid::X509_CERTIFICATE {
            return Ok(());
        }
        let der = bag.enter(CONTEXT_0, NO_SAFE)?.take(OCTET_STRING, NO_SAFE)?;
        if self.certificates.len() >= MAX_CONTAINER_CERTIFICATES {
            return Err(Error::TooMuch(format!("The file holds more than {MAX_CONTAINER_CERTIFICATES} certificates.")));
        }
        self.certificates.push((der.to_vec(), attributes));
        Ok(())
    }

    fn finish(mut self) -> Result<Contents, Error> {
        if self.keys.len() > 1 {
            return Err(Error::SeveralPrivateKeys(self.keys.len()));
        }
        let key = self.keys.pop();
        let mut friendly_name = None;
        if let Some((_, attributes)) = &key {
            let paired = |(_, other): &(Vec<u8>, Attributes)| {
                attributes.local_key_id.is_some() && attributes.local_key_id == other.local_key_id
            };
            if let Some(place) = self.certificates.iter().position(paired) {
                let own = self.certificates.remove(place);
                self.certificates.insert(0, own);
            }
            friendly_name.clone_from(&attributes.friendly_name);
        }
        if friendly_name.is_none() {
            friendly_name = self.certificates.first().and_then(|(_, attributes)| attributes.friendly_name.clone());
        }
        Ok(Contents {
            private_key: key.map(|(mut key, _)| SecretBytes::new(std::mem::take(&mut *key))),
            certificates: self.certificates.into_iter().map(|(der, _)| der).collect(),
            friendly_name,
        })
    }
}

impl Attributes {
    fn read(mut set: Reader<'_>) -> Result<Self, Error> {
        let mut attributes = Self::default();
        while !set.is_empty() {
            let mut attribute = set.enter(SEQUENCE, NO_SAFE)?;
            let kind = attribute.take(OID, NO_SAFE)?;
            let mut values = attribute.enter(SET, NO_SAFE)?;
            match kind {
                oid::FRIENDLY_NAME => {
                    let units: Vec<u16> = values
                        .take(BMP_STRING, NO_SAFE)?
                        .chunks_exact(2)
                        .filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)))
                        .collect();
                    attributes.friendly_name = Some(String::from_utf16_lossy(&units));
                }
                oid::LOCAL_KEY_ID => attributes.local_key_id = Some(values.take(OCTET_STRING, NO_SAFE)?.to_vec()),
                _ => {}
            }
        }
        Ok(attributes)
    }
}
