//! What a TBSCertificate says, in our own types.
//!
//! Names, times and the list of extensions come from x509-parser; the values of the extensions that decide something
//! are decoded by the strict decoders of x509-cert, because x509-parser passes over bytes that follow a value.

use crate::frame::Tbs;
use crate::san::Unsupported;
use crate::tlv::Malformed;
use crate::{constraints, key, name, san};
use certwright_domain::constraints::NameConstraints;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::public_key::PublicKey;
use certwright_domain::san::San;
use certwright_domain::serial::Serial;
use certwright_domain::time::Timestamp;
use certwright_domain::validity::Validity;
use certwright_domain::violation::Invalid;
use der::Decode;
use der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix;
use x509_parser::certificate::TbsCertificate;
use x509_parser::time::ASN1Time;

/// Contents of the OIDs of the extensions that we know (id-ce 2.5.29, id-pe 1.3.6.1.5.5.7.1).
pub(crate) mod oid {
    pub(crate) const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
    pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
    pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
    pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
    pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
    pub(crate) const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];
    pub(crate) const CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 32];
    pub(crate) const POLICY_MAPPINGS: &[u8] = &[0x55, 0x1d, 33];
    pub(crate) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
    pub(crate) const POLICY_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 36];
    pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
    pub(crate) const INHIBIT_ANY_POLICY: &[u8] = &[0x55, 0x1d, 54];
    pub(crate) const AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
    /// id-pkix-ocsp-nocheck, 1.3.6.1.5.5.7.48.1.5.
    pub(crate) const OCSP_NO_CHECK: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 5];
}

/// Bits of keyUsage as numbered in RFC 5280 section 4.2.1.3, bit 0 lowest.
pub(crate) mod usage_bit {
    pub(crate) const DIGITAL_SIGNATURE: u16 = 1;
    pub(crate) const KEY_ENCIPHERMENT: u16 = 1 << 2;
    pub(crate) const KEY_CERT_SIGN: u16 = 1 << 5;
    pub(crate) const CRL_SIGN: u16 = 1 << 6;
}

/// Version 3: `[0]` INTEGER 2.
const VERSION_3: &[u8] = &[0xa0, 0x03, 0x02, 0x01, 0x02];

/// What a TBSCertificate says.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) serial: Serial,
    pub(crate) issuer_der: Vec<u8>,
    pub(crate) subject_der: Vec<u8>,
    pub(crate) subject: DistinguishedName,
    pub(crate) validity: Validity,
    pub(crate) public_key: PublicKey,
    pub(crate) names: Vec<San>,
    pub(crate) ca: Option<Option<u8>>,
    pub(crate) name_constraints: Option<NameConstraints>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) authority_key_id: Option<Vec<u8>>,
    /// Bits of keyUsage; `None` when the extension is absent.
    pub(crate) key_usage: Option<u16>,
    /// extKeyUsage in order.
    pub(crate) extended_key_usages: Vec<ObjectIdentifier>,
    /// policyConstraints has requireExplicitPolicy, or cannot be read.
    pub(crate) requires_policies: bool,
}

/// Reads a TBSCertificate that has been through [`crate::tlv::check`]. `parsed` is x509-parser's view of the same bytes; a
/// public key that is known already saves reading it again.
pub(crate) fn read(der: &[u8], parsed: &TbsCertificate<'_>, known: Option<&PublicKey>) -> Result<Contents, Invalid> {
    let tbs = Tbs::read(der).map_err(malformed)?;
    if tbs.version != VERSION_3 {
        return Err(invalid("The certificate is not of version 3.", "Use X.509 version 3 certificates."));
    }
    let serial = match tbs.serial {
        [0x80..=0xff, ..] => return Err(invalid("The certificate's serial number is negative.", REISSUE)),
        serial => Serial::from_bytes(serial)
            .map_err(|_| invalid("The certificate's serial number is zero or longer than 20 octets.", REISSUE))?,
    };
    let public_key = match known {
        Some(key) if key.spki == tbs.spki => key.clone(),
        _ => key::read_public_key(tbs.spki).map_err(|error| match error {
            crate::Error::Invalid(invalid) => invalid,
            other => invalid(&other.to_string(), REISSUE),
        })?,
    };
    let mut contents = Contents {
        serial,
        issuer_der: tbs.issuer.to_vec(),
        subject_der: tbs.subject.to_vec(),
        subject: name::decode(&parsed.subject)?,
        validity: Validity::new(instant(parsed.validity.not_before), instant(parsed.validity.not_after))?,
        public_key,
        names: Vec::new(),
        ca: None,
        name_constraints: None,
        subject_key_id: None,
        authority_key_id: None,
        key_usage: None,
        extended_key_usages: Vec::new(),
        requires_policies: false,
    };
    read_extensions(&mut contents, parsed)?;
    Ok(contents)
}

fn read_extensions(contents: &mut Contents, parsed: &TbsCertificate<'_>) -> Result<(), Invalid> {
    let mut seen: Vec<&[u8]> = Vec::with_capacity(parsed.extensions().len());
    let mut names = None;
    for extension in parsed.extensions() {
        let oid = extension.oid.as_bytes();
        if seen.contains(&oid) {
            return Err(invalid(&format!("The certificate has the extension {} twice.", extension.oid), REISSUE));
        }
        seen.push(oid);
        let value = extension.value;
        match oid {
            oid::BASIC_CONSTRAINTS => {
                let constraints: pkix::BasicConstraints = decode(value, "basicConstraints")?;
                contents.ca = match (constraints.ca, constraints.path_len_constraint) {
                    (true, path_length) => Some(path_length),
                    (false, None) => None,
                    (false, Some(_)) => return Err(invalid("A path length stands beside CA:FALSE.", REISSUE)),
                };
            }
            oid::KEY_USAGE => {
                let usage: pkix::KeyUsage = decode(value, "keyUsage")?;
                contents.key_usage = Some(usage.0.bits());
            }
            oid::EXTENDED_KEY_USAGE => {
                let usages: pkix::ExtendedKeyUsage = decode(value, "extKeyUsage")?;
                if usages.0.is_empty() {
                    return Err(invalid("The extKeyUsage extension is empty.", REISSUE));
                }
                contents.extended_key_usages = usages.0;
            }
            oid::SUBJECT_ALT_NAME => names = Some(value),
            oid::NAME_CONSTRAINTS => contents.name_constraints = Some(constraints::decode(value)?),
            oid::SUBJECT_KEY_IDENTIFIER => {
                let identifier: pkix::SubjectKeyIdentifier = decode(value, "subjectKeyIdentifier")?;
                contents.subject_key_id = Some(identifier.0.into_bytes().into());
            }
            oid::AUTHORITY_KEY_IDENTIFIER => {
                let identifier: pkix::AuthorityKeyIdentifier = decode(value, "authorityKeyIdentifier")?;
                contents.authority_key_id = identifier.key_identifier.map(|id| id.into_bytes().into());
            }
            oid::POLICY_CONSTRAINTS => {
                // Read leniently: only whoever would issue below such a CA is concerned.
                contents.requires_policies = pkix::PolicyConstraints::from_der(value)
                    .map_or(true, |constraints| constraints.require_explicit_policy.is_some());
            }
            oid::CRL_DISTRIBUTION_POINTS
            | oid::CERTIFICATE_POLICIES
            | oid::POLICY_MAPPINGS
            | oid::INHIBIT_ANY_POLICY
            | oid::AUTHORITY_INFO_ACCESS => {}
            _ if extension.critical => {
                return Err(invalid(
                    &format!("The certificate has the critical extension {}, which is not known here.", extension.oid),
                    "Use a certificate without it.",
                ));
            }
            _ => {}
        }
    }
    if let Some(value) = names {
        // Names of a CA certificate are not used; those of others may have kinds that we do not issue.
        let unsupported = if contents.ca.is_some() { Unsupported::Skip } else { Unsupported::Refuse };
        contents.names = san::decode(value, unsupported)?;
    }
    Ok(())
}

fn decode<'a, T: Decode<'a>>(value: &'a [u8], what: &str) -> Result<T, Invalid> {
    T::from_der(value).map_err(|_| invalid(&format!("The {what} extension is not well-formed."), REISSUE))
}

fn instant(time: ASN1Time) -> Timestamp {
    Timestamp::from_unix_s(time.timestamp())
}

const REISSUE: &str = "Have the certificate issued anew, following RFC 5280.";

pub(crate) fn malformed(at: Malformed) -> Invalid {
    at.refuse("invalid_certificate", "certificate", "Send an X.509 certificate as PEM or DER.")
}

pub(crate) fn invalid(detail: &str, hint: &str) -> Invalid {
    Invalid::new("invalid_certificate", detail, hint)
}
