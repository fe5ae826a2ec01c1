//! Making certificates: rcgen builds, we splice the names and sign elsewhere.
//!
//! rcgen's names hold one value per attribute type and its signing is synchronous. So it signs with a [`Recorder`], which
//! only remembers the bytes; issuer and subject in them are replaced by ours, and what comes out is signed by whoever holds
//! the key. The bytes are read back and compared before they are handed out for signing (a wrong certificate must not
//! even be signed) and again with the signature on.

use crate::certificate::{Certificate, MAX_CERTIFICATE_BYTES, read_der};
use crate::check::{self, Expected};
use crate::contents::{self, usage_bit};
use crate::frame::{Signed, Tbs};
use crate::key::{self, VerificationKey};
use crate::{Error, constraints, name, san, tlv};
use certwright_domain::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use certwright_domain::profile::ExtendedKeyUsage;
use certwright_domain::public_key::{PublicKey, PublicKeyKind};
use certwright_domain::rules::{Approved, ApprovedKind, signature_fits};
use certwright_domain::serial::Serial;
use certwright_domain::violation::Invalid;
use der::Encode;
use der::asn1::{Ia5String, ObjectIdentifier};
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName as RcgenName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, PublicKeyData, SerialNumber, SigningKey,
};
use std::cell::RefCell;
use std::sync::Arc;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AccessDescription, AuthorityInfoAccessSyntax};
use x509_parser::certificate::TbsCertificateParser;
use x509_parser::nom::Parser;

/// The certificate that signs, as `prepare` needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuer<'a> {
    /// An existing CA certificate.
    Ca(&'a Certificate),
    /// The certificate signs itself.
    Itself,
}

/// URLs written into a certificate; empty lists leave the extension out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Urls {
    /// caIssuers of authorityInfoAccess.
    pub ca_issuers: Vec<String>,
    /// ocsp of authorityInfoAccess.
    pub ocsp: Vec<String>,
    /// CRL distribution points.
    pub crl: Vec<String>,
}

/// The exact bytes that are to be signed, with everything needed to check the result. Used once.
#[derive(Debug)]
pub struct Prepared {
    tbs: Vec<u8>,
    expected: Expected,
    issuer_key: Arc<VerificationKey>,
}

/// Most bytes around what is signed: the largest signature that we make, its algorithm and the frame.
const FRAME: usize = 1024;

/// Builds the to-be-signed bytes of an approved certificate and reads them back.
/// Leaf: SKI (RFC 7093 method 1: the leftmost 160 bits of SHA-256 over the key bits), AKI, critical keyUsage for the key type, EKU,
/// basicConstraints (empty, critical), SAN (critical when the subject is empty), AIA, CRL distribution points.
/// OCSP responder: as a leaf, with OCSPSigning alone and id-pkix-ocsp-nocheck.
/// CA: critical basicConstraints with path length, critical keyUsage keyCertSign and cRLSign (and digitalSignature),
/// critical nameConstraints.
pub fn prepare(
    approved: Approved,
    serial: Serial,
    issuer: &Issuer<'_>,
    signature_algorithm: SignatureAlgorithm,
    urls: &Urls,
) -> Result<Prepared, Error> {
    check_issuer(&approved, issuer)?;
    let broken = |at: tlv::Malformed| Error::SelfCheck(format!("the built certificate is malformed: {}", at.0));
    let subject_key_id = key::key_identifier(approved.public_key()).map_err(broken)?;
    let subject_der = name::encode(approved.subject());
    let (issuer_der, signing_key, authority_key_id) = match issuer {
        Issuer::Ca(ca) => (
            ca.subject_der.clone(),
            &ca.public_key,
            match &ca.subject_key_id {
                Some(identifier) => identifier.clone(),
                None => key::key_identifier(&ca.public_key).map_err(broken)?,
            },
        ),
        Issuer::Itself => (subject_der.clone(), approved.public_key(), subject_key_id.clone()),
    };
    if !signature_fits(signing_key, signature_algorithm) {
        return Err(Error::SelfCheck(format!("{signature_algorithm} does not fit the issuer's key")));
    }
    let issuer_key = match issuer {
        Issuer::Ca(ca) => ca.verification_key(signature_algorithm)?,
        Issuer::Itself => Arc::new(VerificationKey::new(signing_key, signature_algorithm)?),
    };
    let urls = urls.clone();
    let expected = Expected { approved, serial, issuer_der, subject_der, subject_key_id, authority_key_id, urls };
    let built = build(&expected, signature_algorithm)?;
    let tbs = Tbs::splice(&built, &expected.issuer_der, &expected.subject_der).map_err(broken)?;
    if tbs.len().saturating_add(FRAME) > MAX_CERTIFICATE_BYTES {
        let detail =
            format!("The certificate would have more than {} bytes.", MAX_CERTIFICATE_BYTES.saturating_sub(FRAME));
        return Err(Error::Invalid(Invalid::new("certificate_too_large", detail, "Ask for fewer or shorter names.")));
    }
    let prepared = Prepared { tbs, expected, issuer_key };
    prepared.read_back()?;
    Ok(prepared)
}

impl Prepared {
    /// The bytes to be signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Puts the signature on, reads the certificate back, compares it field by field with what was approved and verifies
    /// the signature with the issuer's public key.
    pub fn finish(self, signature: &[u8]) -> Result<Certificate, Error> {
        self.issuer_key
            .verify(&self.tbs, signature)
            .map_err(|_| Error::SelfCheck("the signature was not made by the issuer's key".to_owned()))?;
        let algorithm = key::signature_identifier(self.issuer_key.algorithm());
        let der = Signed { body: &self.tbs, algorithm, signature }.write();
        match Signed::read(&der) {
            Ok(signed) if signed.body == self.tbs && signed.signature == signature && signed.algorithm == algorithm => {
            }
            _ => return Err(Error::SelfCheck("the certificate does not hold what was signed".to_owned())),
        }
        let expected = &self.expected;
        let known = Some(expected.approved.public_key());
        let certificate = read_der(der, known, |parsed, contents| expected.compare(parsed, contents)).map_err(ours)?;
        check::released(&certificate, expected)?;
        Ok(certificate)
    }

    /// The bytes to be signed say what was approved.
    fn read_back(&self) -> Result<(), Error> {
        tlv::check(&self.tbs)
            .map_err(|at| Error::SelfCheck(format!("the built certificate is malformed: {}", at.0)))?;
        let frame = Tbs::read(&self.tbs).map_err(|at| Error::SelfCheck(at.0.to_owned()))?;
        if frame.algorithm != key::signature_identifier(self.issuer_key.algorithm()) {
            return Err(Error::SelfCheck("the certificate names another signature algorithm".to_owned()));
        }
        let (_, parsed) = TbsCertificateParser::new()
            .with_deep_parse_extensions(false)
            .parse(&self.tbs)
            .map_err(|_| Error::SelfCheck("the built certificate cannot be read".to_owned()))?;
        let known = Some(self.expected.approved.public_key());
        let contents = contents::read(&self.tbs, &parsed, known).map_err(|invalid| ours(invalid.into()))?;
        self.expected.compare(&parsed, &contents)
    }
}

/// What rules have decided already, once more where it can be seen from the two certificates alone.
fn check_issuer(approved: &Approved, issuer: &Issuer<'_>) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::SelfCheck(why.to_owned()));
    match (issuer, approved.kind()) {
        (Issuer::Itself, ApprovedKind::Ca { self_signed: true, .. }) => Ok(()),
        (Issuer::Itself, _) => refuse("only a root may sign itself"),
        (Issuer::Ca(_), ApprovedKind::Ca { self_signed: true, .. }) => refuse("a root has no issuer"),
        (Issuer::Ca(ca), kind) => {
            if !ca.may_sign_certificates {
                return refuse("the issuer may not sign certificates");
            }
            match (ca.ca, kind) {
                (None, _) => return refuse("the issuer is not a CA"),
                (Some(Some(0)), ApprovedKind::Ca { .. }) => return refuse("the issuer's path length is used up"),
                _ => {}
            }
            let (inner, outer) = (approved.validity(), ca.validity);
            if inner.not_before() < outer.not_before() || inner.not_after() > outer.not_after() {
                return refuse("the certificate would be valid outside its issuer's validity");
            }
            if approved.public_key().spki == ca.public_key.spki {
                return refuse("the certificate would carry its issuer's key");
            }
            Ok(())
        }
    }
}

/// Lets rcgen build the certificate and returns the bytes that it wanted signed.
fn build(expected: &Expected, signature_algorithm: SignatureAlgorithm) -> Result<Vec<u8>, Error> {
    let approved = &expected.approved;
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(expected.serial.as_bytes()));
    params.not_before = approved.validity().not_before().to_utc();
    params.not_after = approved.validity().not_after().to_utc();
    // The name is spliced in later; rcgen must only know whether it is empty, which makes the SAN critical.
    params.distinguished_name = RcgenName::new();
    if !approved.subject().is_empty() {
        params.distinguished_name.push(DnType::CommonName, "");
    }
    params.subject_alt_names = approved.names().iter().map(san::to_rcgen).collect::<Result<_, _>>()?;
    params.key_usages = usage_purposes(check::key_usage(approved));
    params.key_identifier_method = KeyIdMethod::PreSpecified(expected.subject_key_id.clone());
    params.use_authority_key_identifier_extension = true;
    match approved.kind() {
        ApprovedKind::Leaf { usages, .. } => {
            params.is_ca = IsCa::ExplicitNoCa;
            params.extended_key_usages = usages.iter().map(|usage| extended_usage(*usage)).collect();
        }
        ApprovedKind::Responder => {
            params.is_ca = IsCa::ExplicitNoCa;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
            let no_check = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 5], vec![0x05, 0x00]);
            params.custom_extensions.push(no_check);
        }
        ApprovedKind::Ca { path_length, name_constraints, .. } => {
            params.is_ca = IsCa::Ca(path_length.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
            if let Some(constraints) = name_constraints {
                params.custom_extensions.push(constraints_extension(constraints)?);
            }
        }
    }
    if !expected.urls.crl.is_empty() {
        if !expected.urls.crl.iter().all(|url| url.is_ascii()) {
            return Err(Error::Encoding("a CRL's URL is not ASCII".to_owned()));
        }
        params.crl_distribution_points = vec![CrlDistributionPoint { uris: expected.urls.crl.clone() }];
    }
    if let Some(access) = access_extension(&expected.urls)? {
        params.custom_extensions.push(access);
    }
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = RcgenName::new();
    issuer.key_identifier_method = KeyIdMethod::PreSpecified(expected.authority_key_id.clone());
    let recorder = Recorder::new(signature_algorithm);
    params.signed_by(&Certified::new(approved.public_key())?, &rcgen::Issuer::from_params(&issuer, &recorder))?;
    Ok(recorder.into_recorded())
}

fn access_extension(urls: &Urls) -> Result<Option<CustomExtension>, Error> {
    const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
    const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
    let mut access = Vec::new();
    for (access_method, list) in [(OCSP, &urls.ocsp), (CA_ISSUERS, &urls.ca_issuers)] {
        for url in list {
            let access_location = GeneralName::UniformResourceIdentifier(Ia5String::new(url)?);
            access.push(AccessDescription { access_method, access_location });
        }
    }
    if access.is_empty() {
        return Ok(None);
    }
    let value = AuthorityInfoAccessSyntax(access).to_der()?;
    Ok(Some(CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], value)))
}

/// The critical nameConstraints extension.
pub(crate) fn constraints_extension(
    constraints: &certwright_domain::constraints::NameConstraints,
) -> Result<CustomExtension, Error> {
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], constraints::encode(constraints)?);
    extension.set_criticality(true);
    Ok(extension)
}

/// Bits of keyUsage for rcgen.
pub(crate) fn usage_purposes(bits: u16) -> Vec<KeyUsagePurpose> {
    [
        (usage_bit::DIGITAL_SIGNATURE, KeyUsagePurpose::DigitalSignature),
        (usage_bit::KEY_ENCIPHERMENT, KeyUsagePurpose::KeyEncipherment),
        (usage_bit::KEY_CERT_SIGN, KeyUsagePurpose::KeyCertSign),
        (usage_bit::CRL_SIGN, KeyUsagePurpose::CrlSign),
    ]
    .into_iter()
    .filter(|(bit, _)| bits & bit != 0)
    .map(|(_, purpose)| purpose)
    .collect()
}

fn extended_usage(usage: ExtendedKeyUsage) -> ExtendedKeyUsagePurpose {
    match usage {
        ExtendedKeyUsage::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsage::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsage::CodeSigning => ExtendedKeyUsagePurpose::CodeSigning,
        ExtendedKeyUsage::EmailProtection => ExtendedKeyUsagePurpose::EmailProtection,
    }
}

/// An error in reading our own bytes is ours, whatever it says.
fn ours(error: Error) -> Error {
    match error {
        Error::Invalid(invalid) => Error::SelfCheck(invalid.detail),
        other => other,
    }
}

/// The public key that is certified, for rcgen. The algorithm is chosen by the key alone; rcgen writes its identifier, and
/// the comparison makes sure that it wrote the very bytes of the SubjectPublicKeyInfo.
pub(crate) struct Certified<'a> {
    bits: &'a [u8],
    algorithm: &'static rcgen::SignatureAlgorithm,
}

impl<'a> Certified<'a> {
    pub(crate) fn new(key: &'a PublicKey) -> Result<Self, Error> {
        let algorithm = match &key.kind {
            PublicKeyKind::Rsa { .. } => &rcgen::PKCS_RSA_SHA256,
            PublicKeyKind::Ecdsa(KeyAlgorithm::EcdsaP256) => &rcgen::PKCS_ECDSA_P256_SHA256,
            PublicKeyKind::Ecdsa(KeyAlgorithm::EcdsaP384) => &rcgen::PKCS_ECDSA_P384_SHA384,
            PublicKeyKind::Ecdsa(KeyAlgorithm::EcdsaP521) => &rcgen::PKCS_ECDSA_P521_SHA512,
            PublicKeyKind::Ed25519 => &rcgen::PKCS_ED25519,
            PublicKeyKind::Ecdsa(_) | PublicKeyKind::Other(_) => {
                return Err(Error::SelfCheck("a key of an unknown kind was approved".to_owned()));
            }
        };
        let (_, bits) = crate::frame::spki_parts(&key.spki).map_err(|at| Error::SelfCheck(at.0.to_owned()))?;
        Ok(Self { bits, algorithm })
    }
}

impl PublicKeyData for Certified<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.bits
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm
    }
}

/// A signing key that signs nothing: it remembers what it was asked to sign.
pub(crate) struct Recorder<'a> {
    public: Certified<'a>,
    recorded: RefCell<Vec<u8>>,
}

impl<'a> Recorder<'a> {
    /// For a certificate: the issuer's key itself is not asked for, only its algorithm.
    pub(crate) fn new(algorithm: SignatureAlgorithm) -> Self {
        Self::of(&[], algorithm)
    }

    /// For a CSR, which carries the key that signs it.
    pub(crate) fn of(bits: &'a [u8], algorithm: SignatureAlgorithm) -> Self {
        let algorithm = match algorithm {
            SignatureAlgorithm::Sha256WithRsa => &rcgen::PKCS_RSA_SHA256,
            SignatureAlgorithm::Sha384WithRsa => &rcgen::PKCS_RSA_SHA384,
            SignatureAlgorithm::Sha512WithRsa => &rcgen::PKCS_RSA_SHA512,
            SignatureAlgorithm::Sha256WithEcdsa => &rcgen::PKCS_ECDSA_P256_SHA256,
            SignatureAlgorithm::Sha384WithEcdsa => &rcgen::PKCS_ECDSA_P384_SHA384,
            SignatureAlgorithm::Sha512WithEcdsa => &rcgen::PKCS_ECDSA_P521_SHA512,
            SignatureAlgorithm::Ed25519 => &rcgen::PKCS_ED25519,
        };
        Self { public: Certified { bits, algorithm }, recorded: RefCell::default() }
    }

    pub(crate) fn into_recorded(self) -> Vec<u8> {
        self.recorded.into_inner()
    }
}

impl PublicKeyData for Recorder<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public.bits
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.public.algorithm
    }
}

impl SigningKey for Recorder<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        *self.recorded.borrow_mut() = message.to_vec();
        // Goes into a certificate that is thrown away.
        Ok(vec![0])
    }
}

#[cfg(test)]
mod tests;
