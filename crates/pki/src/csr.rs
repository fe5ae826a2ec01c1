//! Reading certificate signing requests (PKCS#10, RFC 2986).

use crate::frame::{RequestInfo, Signed};
use crate::key::{self, VerificationKey, WrongSignature};
use crate::san::{self, Unsupported};
use crate::tlv::Malformed;
use crate::{Error, contents::oid, name, pem};
use certwright_domain::dn::DistinguishedName;
use certwright_domain::public_key::PublicKey;
use certwright_domain::san::San;
use certwright_domain::violation::Invalid;
use der::Decode;
use x509_cert::ext::pkix::BasicConstraints;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::X509Extension;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

/// A CSR whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csr {
    /// Subject in the order of the CSR.
    pub subject: DistinguishedName,
    /// Requested names, canonical, without repeats.
    pub names: Vec<San>,
    /// Public key.
    pub public_key: PublicKey,
    /// basicConstraints with CA:TRUE was asked for.
    pub asks_for_ca: bool,
    /// Dotted OIDs of requested extensions that are not taken over (everything but subjectAltName).
    pub ignored_extensions: Vec<String>,
    /// DER.
    pub der: Vec<u8>,
}

/// Most bytes of a CSR (DER or PEM).
pub const MAX_CSR_BYTES: usize = 16 * 1024;

/// Reads a CSR in PEM or DER, at most [`MAX_CSR_BYTES`], and verifies its signature (proof of possession). RSA up to
/// 8192 bits, checked before verifying; no SHA-1 or MD5; unknown name types, multi-valued RDNs and repeated extensions
/// are refused.
pub fn parse_csr(bytes: &[u8]) -> Result<Csr, Error> {
    if bytes.len() > MAX_CSR_BYTES {
        return Err(Invalid::new(
            "csr_too_large",
            format!("The CSR has {} bytes, {MAX_CSR_BYTES} are allowed.", bytes.len()),
            "Ask for fewer names, or leave attributes out.",
        )
        .into());
    }
    let labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
    let mut found = pem::unarmor(bytes, &labels, "a certificate request (CSR)")?.into_iter();
    match (found.next(), found.next()) {
        (Some(der), None) => Ok(read_der(der)?),
        _ => Err(invalid("There is more than one CSR in the PEM.", "Send exactly one.").into()),
    }
}

/// Reads a CSR in DER and verifies its signature.
pub(crate) fn read_der(der: Vec<u8>) -> Result<Csr, Invalid> {
    let signed = Signed::read(&der).map_err(malformed)?;
    let info = RequestInfo::read(signed.body).map_err(malformed)?;
    let unreadable =
        || invalid("The CSR cannot be read.", "Make a new one: `openssl req -new -key key.pem -out a.csr`.");
    let (_, parsed) = X509CertificationRequest::from_der(&der).map_err(|_| unreadable())?;
    let parsed = &parsed.certification_request_info;
    if parsed.version != X509Version::V1 {
        return Err(invalid("The CSR's version is not 1 (encoded as 0).", "RFC 2986 knows no other version."));
    }
    let public_key = key::read_unchecked(info.spki)?;
    let subject = name::decode_wanted(&parsed.subject)?;
    if info.extension_requests > 1 {
        return Err(invalid("The CSR has several extensionRequest attributes.", "Put all extensions into one."));
    }
    let extensions: &[X509Extension<'_>] = parsed
        .attributes()
        .iter()
        .find_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(request) => Some(request.extensions.as_slice()),
            _ => None,
        })
        .unwrap_or_default();
    let wanted = read_extensions(extensions)?;
    // Last, because it costs most. What is verified is the very slice that was read above.
    let algorithm = key::signature_algorithm(signed.algorithm)
        .ok_or_else(|| key::refuse_signature_algorithm(signed.algorithm, "CSR"))?;
    VerificationKey::new(&public_key, algorithm)?.verify(signed.body, signed.signature).map_err(|WrongSignature| {
        Invalid::new(
            "csr_signature_mismatch",
            "The CSR's signature does not fit its content and public key.",
            "Sign the CSR with the private key of the public key inside, and do not edit it afterwards.",
        )
    })?;
    Ok(Csr {
        subject,
        names: wanted.names,
        public_key,
        asks_for_ca: wanted.ca,
        ignored_extensions: wanted.ignored,
        der,
    })
}

#[derive(Default)]
struct Wanted {
    names: Vec<San>,
    ca: bool,
    ignored: Vec<String>,
}

fn read_extensions(extensions: &[X509Extension<'_>]) -> Result<Wanted, Invalid> {
    let mut wanted = Wanted::default();
    let mut seen: Vec<&[u8]> = Vec::with_capacity(extensions.len());
    for extension in extensions {
        let kind = extension.oid.as_bytes();
        if seen.contains(&kind) {
            let detail = format!("The CSR asks for the extension {} twice.", extension.oid);
            return Err(invalid(&detail, "Ask for every extension once."));
        }
        seen.push(kind);
        match kind {
            oid::SUBJECT_ALT_NAME => {
                wanted.names = san::decode(extension.value, Unsupported::Refuse)?;
                continue;
            }
            oid::BASIC_CONSTRAINTS => {
                wanted.ca = BasicConstraints::from_der(extension.value)
                    .map_err(|_| invalid("The CSR's basicConstraints extension is not well-formed.", "Leave it out."))?
                    .ca;
            }
            _ => {}
        }
        wanted.ignored.push(extension.oid.to_id_string());
    }
    Ok(wanted)
}

fn malformed(at: Malformed) -> Invalid {
    at.refuse("invalid_csr", "CSR", "Send a PKCS#10 request as PEM or DER, as `openssl req -new` makes it.")
}

fn invalid(detail: &str, hint: &str) -> Invalid {
    Invalid::new("invalid_csr", detail, hint)
}
