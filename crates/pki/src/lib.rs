//! X.509: CSRs, certificates and chains. Built with rcgen, read with x509-parser; the only crate that uses either.
//!
//! The way of a certificate: [`prepare`] turns an approved content into the exact bytes to be signed ([`Prepared`]),
//! a key signs them elsewhere, and [`Prepared::finish`] puts certificate and signature together, reads the result back,
//! compares it with what was approved and verifies it against the issuer's key. Only then there is a [`Certificate`].

use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::constraints::NameConstraints;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::public_key::PublicKey;
use certwright_domain::rules::Approved;
use certwright_domain::san::San;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::validity::Validity;
use certwright_domain::violation::Invalid;

/// What went wrong with X.509 data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's CSR, certificate or PEM is not what it should be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// What we built ourselves is not what was approved. Nothing is released; always our fault.
    #[error("self-check failed: {0}")]
    SelfCheck(String),
    /// The encoder failed.
    #[error("encoding: {0}")]
    Encoding(String),
}

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
    let _ = bytes;
    todo!()
}

/// What a certificate says. Made from foreign bytes ([`read_certificate`]) or by [`Prepared::finish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// DER.
    pub der: Vec<u8>,
    /// SHA-256 of the DER.
    pub fingerprint: Sha256,
    /// Serial.
    pub serial: Serial,
    /// Issuer name, DER.
    pub issuer_der: Vec<u8>,
    /// Subject name, DER.
    pub subject_der: Vec<u8>,
    /// Subject; attribute types that we do not know make reading fail.
    pub subject: DistinguishedName,
    /// Validity.
    pub validity: Validity,
    /// Public key.
    pub public_key: PublicKey,
    /// Names.
    pub names: Vec<San>,
    /// `Some` for a CA certificate; inside, its path length.
    pub ca: Option<Option<u8>>,
    /// nameConstraints.
    pub name_constraints: Option<NameConstraints>,
    /// subjectKeyIdentifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// authorityKeyIdentifier, key id part.
    pub authority_key_id: Option<Vec<u8>>,
    /// May the key sign certificates (keyUsage absent or keyCertSign set)?
    pub may_sign_certificates: bool,
    /// Signature algorithm, where it is one of ours.
    pub signature_algorithm: Option<SignatureAlgorithm>,
}

/// Reads one certificate, PEM or DER. Critical extensions that we do not know, version 1 and repeated extensions are refused.
pub fn read_certificate(bytes: &[u8]) -> Result<Certificate, Error> {
    let _ = bytes;
    todo!()
}

/// Reads one or more certificates from PEM (at most 10), or one from DER.
pub fn read_certificates(bytes: &[u8]) -> Result<Vec<Certificate>, Error> {
    let _ = bytes;
    todo!()
}

/// Reads a private key from PEM (`PRIVATE KEY`, `RSA PRIVATE KEY`, `EC PRIVATE KEY`) to DER. Encrypted PEM is refused with a hint.
pub fn read_private_key_pem(text: &str) -> Result<certwright_domain::secret::SecretBytes, Error> {
    let _ = text;
    todo!()
}

/// Reads a DER SubjectPublicKeyInfo (our own keys included).
pub fn read_public_key(spki: &[u8]) -> Result<PublicKey, Error> {
    let _ = spki;
    todo!()
}

/// Did `issuer` sign `subject`? Names, key identifiers, CA bit, keyCertSign and the signature itself.
pub fn check_issued_by(subject: &Certificate, issuer: &Certificate) -> Result<(), Invalid> {
    let _ = (subject, issuer);
    todo!()
}

/// Did the key sign this message?
pub fn verify_signature(
    spki: &[u8],
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    let _ = (spki, algorithm, message, signature);
    todo!()
}

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
}

/// Builds the to-be-signed bytes of an approved certificate and reads them back.
/// Leaf: SKI (RFC 7093 method 1: the leftmost 160 bits of SHA-256 over the key bits), AKI, critical keyUsage for the key type, EKU,
/// basicConstraints (empty, critical), SAN (critical when the subject is empty), AIA, CRL distribution points.
/// CA: critical basicConstraints with path length, critical keyUsage keyCertSign and cRLSign (and digitalSignature),
/// critical nameConstraints.
pub fn prepare(
    approved: Approved,
    serial: Serial,
    issuer: &Issuer<'_>,
    signature_algorithm: SignatureAlgorithm,
    urls: &Urls,
) -> Result<Prepared, Error> {
    let _ = (approved, serial, issuer, signature_algorithm, urls);
    todo!()
}

impl Prepared {
    /// The bytes to be signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Puts the signature on, reads the certificate back, compares it field by field with what was approved and verifies
    /// the signature with the issuer's public key.
    pub fn finish(self, signature: &[u8]) -> Result<Certificate, Error> {
        let _ = signature;
        todo!()
    }
}

/// The exact bytes of a CSR of ours that are to be signed (for `SUBORDINATE_EXTERNAL`): subject, key, and requested
/// basicConstraints, keyUsage and nameConstraints. Used once.
#[derive(Debug)]
pub struct PreparedCsr {
    info: Vec<u8>,
}

/// Builds a CA's CSR.
pub fn prepare_ca_csr(
    subject: &DistinguishedName,
    public_key: &PublicKey,
    path_length: Option<u8>,
    name_constraints: Option<&NameConstraints>,
    signature_algorithm: SignatureAlgorithm,
) -> Result<PreparedCsr, Error> {
    let _ = (subject, public_key, path_length, name_constraints, signature_algorithm);
    todo!()
}

impl PreparedCsr {
    /// The bytes to be signed.
    pub fn info(&self) -> &[u8] {
        &self.info
    }
    /// Puts the signature on and verifies it; returns the DER CSR.
    pub fn finish(self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        let _ = signature;
        todo!()
    }
}

/// PEM with the given label (`CERTIFICATE`, `PRIVATE KEY`, `CERTIFICATE REQUEST`, `PUBLIC KEY`), 64 columns, LF.
pub fn to_pem(label: &str, der: &[u8]) -> String {
    let _ = (label, der);
    todo!()
}

/// A degenerate PKCS#7 (certs-only SignedData, RFC 2315) of these certificates.
pub fn to_pkcs7(certificates: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let _ = certificates;
    todo!()
}
