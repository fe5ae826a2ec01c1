//! Certificates: reading those of others, and whether one was issued by another.

use crate::check::{usage_of, usage_oid};
use crate::contents::{self, Contents, invalid, malformed, usage_bit};
use crate::frame::{Signed, Tbs};
use crate::key::{self, KeyCache, VerificationKey, WrongSignature};
use crate::{Error, pem, sha256};
use certwright_domain::algorithm::SignatureAlgorithm;
use certwright_domain::constraints::NameConstraints;
use certwright_domain::dn::DistinguishedName;
use certwright_domain::profile::ExtendedKeyUsage;
use certwright_domain::public_key::PublicKey;
use certwright_domain::san::San;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::validity::Validity;
use certwright_domain::violation::Invalid;
use der::asn1::ObjectIdentifier;
use std::sync::Arc;
use x509_parser::certificate::{TbsCertificate, X509CertificateParser};
use x509_parser::nom::Parser;

/// Most certificates that are read from one PEM.
pub const MAX_CERTIFICATES: usize = 10;
/// Most bytes of one certificate that is read.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// What a certificate says. Made from foreign bytes ([`read_certificate`]) or by [`crate::Prepared::finish`].
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
    /// May the key sign CRLs (keyUsage absent or cRLSign set)?
    pub may_sign_crls: bool,
    /// What the extKeyUsage of a CA limits everything below it to, as verifiers read it there (OpenSSL, webpki, Windows); `None`: to
    /// nothing, because the extension is absent or says anyExtendedKeyUsage. Purposes that no certificate of ours has are
    /// left out.
    pub usage_limit: Option<Vec<ExtendedKeyUsage>>,
    /// Does its extKeyUsage say clientAuth (RFC 5280 section 4.2.1.12)? Without the extension it does not.
    pub for_client_auth: bool,
    /// Does its policyConstraints ask for an explicit policy in what stands below (RFC 5280 section 4.2.1.11)? One that
    /// cannot be read counts as if it did.
    pub requires_policies: bool,
    /// Signature algorithm, where it is one of ours.
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// The public key, parsed when it first verifies something.
    key: KeyCache,
}

/// Reads one certificate, PEM or DER. Critical extensions that we do not know, versions 1 and 2, repeated extensions,
/// serials that are not positive or longer than 20 octets, keys with explicit curve parameters, and MD5 or SHA-1 signatures
/// (but on a self-issued certificate, where they prove nothing) are refused.
pub fn read_certificate(bytes: &[u8]) -> Result<Certificate, Error> {
    let mut found = pem::unarmor(bytes, &LABELS, "a certificate")?.into_iter();
    match (found.next(), found.next()) {
        (Some(der), None) => read_der(der, None, |_, _| Ok(())),
        _ => Err(invalid("There is more than one certificate in the PEM.", "Send exactly one.").into()),
    }
}

/// Reads one or more certificates from PEM (at most [`MAX_CERTIFICATES`]), or one from DER.
pub fn read_certificates(bytes: &[u8]) -> Result<Vec<Certificate>, Error> {
    let found = unarmor(bytes, MAX_CERTIFICATES, "Send the chain of one CA.")?;
    found.into_iter().map(|der| read_der(der, None, |_, _| Ok(()))).collect()
}

/// Reads at least one and at most `most` certificates from PEM, or one from DER, each for itself: who sends many of them
/// wants to know about every one that cannot be read.
pub fn read_certificates_each(bytes: &[u8], most: usize) -> Result<Vec<Result<Certificate, Error>>, Error> {
    let found = unarmor(bytes, most, "Send fewer of them.")?;
    Ok(found.into_iter().map(|der| read_der(der, None, |_, _| Ok(()))).collect())
}

/// The DER of certificates, at most `most`.
fn unarmor(bytes: &[u8], most: usize, hint: &str) -> Result<Vec<Vec<u8>>, Error> {
    let found = pem::unarmor(bytes, &LABELS, "a certificate")?;
    if found.len() > most {
        let detail = format!("There are {} certificates in the PEM, {most} are allowed.", found.len());
        return Err(invalid(&detail, hint).into());
    }
    Ok(found)
}

/// May this certificate act as a CA? CA bit, keyCertSign and a subject. Whether its key is strong enough is for the rules
/// to say.
pub fn check_ca_certificate(certificate: &Certificate) -> Result<(), Invalid> {
    let refuse = |detail: &str, hint: &str| Err(Invalid::new("not_a_ca_certificate", detail, hint));
    if certificate.ca.is_none() {
        return refuse(
            "The certificate is not a CA certificate (basicConstraints CA:TRUE is missing).",
            "Send the certificate of a CA.",
        );
    }
    if !certificate.may_sign_certificates {
        return refuse(
            "The certificate's keyUsage does not allow signing certificates (keyCertSign is missing).",
            "Have it issued with keyCertSign and cRLSign.",
        );
    }
    if certificate.subject.is_empty() {
        return refuse("The CA certificate has no subject.", "RFC 5280 section 4.1.2.6 asks CAs for one.");
    }
    Ok(())
}

/// Did `issuer` sign `subject`? Names, key identifiers, CA bit, keyCertSign and the signature itself. (Names are compared
/// byte by byte: verifiers that do not fold case and blanks would not find the path otherwise.)
pub fn check_issued_by(subject: &Certificate, issuer: &Certificate) -> Result<(), Invalid> {
    let refuse = |detail: &str, hint: &str| Err(Invalid::new("not_issued_by", detail, hint));
    if subject.issuer_der != issuer.subject_der {
        return refuse(
            &format!("The certificate names another issuer than `{}`.", issuer.subject),
            "Send the certificate of the CA that signed it.",
        );
    }
    if let (Some(authority), Some(key)) = (&subject.authority_key_id, &issuer.subject_key_id)
        && authority != key
    {
        return refuse(
            &format!("The certificate was signed by another key of `{}`: its key identifiers differ.", issuer.subject),
            "Send the issuer's certificate whose subjectKeyIdentifier is this certificate's authorityKeyIdentifier.",
        );
    }
    check_ca_certificate(issuer)?;
    let signed = Signed::read(&subject.der).map_err(malformed)?;
    let Some(algorithm) = subject.signature_algorithm else {
        return Err(key::refuse_signature_algorithm(signed.algorithm, "certificate"));
    };
    issuer.verification_key(algorithm)?.verify(signed.body, signed.signature).or_else(|WrongSignature| {
        refuse(
            &format!("The certificate's signature was not made by the key of `{}`.", issuer.subject),
            "Send the certificate of the CA that signed it.",
        )
    })
}

impl Certificate {
    /// Issuer and subject are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.issuer_der == self.subject_der
    }

    /// The public key, ready to verify.
    pub(crate) fn verification_key(&self, algorithm: SignatureAlgorithm) -> Result<Arc<VerificationKey>, Invalid> {
        self.key.get(&self.public_key, algorithm)
    }
}

/// Reads DER. `known` is a public key that need not be read again if it stands in the certificate; `judge` sees the
/// content before it becomes a [`Certificate`].
pub(crate) fn read_der(
    der: Vec<u8>,
    known: Option<&PublicKey>,
    judge: impl FnOnce(&TbsCertificate<'_>, &Contents) -> Result<(), Error>,
) -> Result<Certificate, Error> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        let refusal = invalid(
            &format!("The certificate has {} bytes, {MAX_CERTIFICATE_BYTES} are allowed.", der.len()),
            "Send a smaller certificate.",
        );
        return Err(refusal.into());
    }
    let signed = Signed::read(&der).map_err(malformed)?;
    // The frames first: only then the bytes that x509-parser reads are all the bytes there are.
    let tbs = Tbs::read(signed.body).map_err(malformed)?;
    let parsed = X509CertificateParser::new().with_deep_parse_extensions(false).parse(&der);
    let (_, parsed) = parsed.map_err(|_| invalid("The certificate cannot be read.", "Send an X.509 certificate."))?;
    if tbs.algorithm != signed.algorithm {
        let hint = "RFC 5280 section 4.1.1.2 asks for the same identifier twice.";
        return Err(invalid("The certificate names two different signature algorithms.", hint).into());
    }
    let signature_algorithm = key::signature_algorithm(signed.algorithm);
    if signature_algorithm.is_none() && tbs.issuer != tbs.subject && key::is_broken(signed.algorithm) {
        return Err(key::refuse_signature_algorithm(signed.algorithm, "certificate").into());
    }
    let contents = contents::read(signed.body, &parsed.tbs_certificate, known)?;
    judge(&parsed.tbs_certificate, &contents)?;
    drop(parsed);
    let usages = &contents.extended_key_usages;
    let is_limited = contents.ca.is_some() && !usages.is_empty() && !usages.contains(&ANY_USAGE);
    Ok(Certificate {
        fingerprint: sha256(&der),
        der,
        serial: contents.serial,
        issuer_der: contents.issuer_der,
        subject_der: contents.subject_der,
        subject: contents.subject,
        validity: contents.validity,
        public_key: contents.public_key,
        names: contents.names,
        ca: contents.ca,
        name_constraints: contents.name_constraints,
        subject_key_id: contents.subject_key_id,
        authority_key_id: contents.authority_key_id,
        may_sign_certificates: contents.key_usage.is_none_or(|bits| bits & usage_bit::KEY_CERT_SIGN != 0),
        may_sign_crls: contents.key_usage.is_none_or(|bits| bits & usage_bit::CRL_SIGN != 0),
        usage_limit: is_limited.then(|| usages.iter().filter_map(usage_of).collect()),
        requires_policies: contents.requires_policies,
        for_client_auth: usages.contains(&CLIENT_AUTH),
        signature_algorithm,
        key: KeyCache::default(),
    })
}

/// id-kp-clientAuth.
const CLIENT_AUTH: ObjectIdentifier = usage_oid(ExtendedKeyUsage::ClientAuth);
/// anyExtendedKeyUsage.
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
const LABELS: [&str; 2] = ["CERTIFICATE", "X509 CERTIFICATE"];
