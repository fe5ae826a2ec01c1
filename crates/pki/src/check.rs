//! The last check before and after the signature: does the certificate say what was approved, no more and no less?

use crate::contents::{Contents, oid, usage_bit};
use crate::{Error, Urls, certificate::Certificate, san};
use certwright_domain::profile::ExtendedKeyUsage;
use certwright_domain::public_key::PublicKeyKind;
use certwright_domain::rules::{Approved, ApprovedKind};
use certwright_domain::serial::Serial;
use der::Decode;
use der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, CrlDistributionPoints};
use x509_parser::certificate::TbsCertificate;

/// What the certificate must say.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) approved: Approved,
    pub(crate) serial: Serial,
    pub(crate) issuer_der: Vec<u8>,
    pub(crate) subject_der: Vec<u8>,
    pub(crate) subject_key_id: Vec<u8>,
    pub(crate) authority_key_id: Vec<u8>,
    pub(crate) urls: Urls,
}

impl Expected {
    /// Compares field by field; the error names the first that differs.
    pub(crate) fn compare(&self, parsed: &TbsCertificate<'_>, contents: &Contents) -> Result<(), Error> {
        let approved = &self.approved;
        let (ca, constraints) = match approved.kind() {
            ApprovedKind::Leaf { .. } | ApprovedKind::Responder => (None, None),
            ApprovedKind::Ca { path_length, name_constraints, .. } => (Some(*path_length), name_constraints.as_ref()),
        };
        same(contents.serial == self.serial, "serial number")?;
        same(contents.issuer_der == self.issuer_der, "issuer")?;
        same(contents.subject_der == self.subject_der, "encoded subject")?;
        same(contents.subject == *approved.subject(), "subject")?;
        same(contents.validity == approved.validity(), "validity")?;
        same(times_are_canonical(parsed), "form of the times")?;
        same(contents.public_key == *approved.public_key(), "public key")?;
        same(contents.names == approved.names(), "names")?;
        same(names_are_canonical(parsed, approved), "form of the names")?;
        same(contents.ca == ca, "basicConstraints")?;
        same(contents.key_usage == Some(key_usage(approved)), "keyUsage")?;
        same(key_usage_is_canonical(parsed), "form of keyUsage")?;
        same(contents.name_constraints.as_ref() == constraints, "nameConstraints")?;
        same(contents.subject_key_id.as_deref() == Some(&self.subject_key_id), "subjectKeyIdentifier")?;
        same(contents.authority_key_id.as_deref() == Some(&self.authority_key_id), "authorityKeyIdentifier")?;
        let usages: Vec<ObjectIdentifier> = match approved.kind() {
            ApprovedKind::Leaf { usages, .. } => usages.iter().map(|usage| usage_oid(*usage)).collect(),
            ApprovedKind::Responder => vec![OCSP_SIGNING],
            ApprovedKind::Ca { .. } => Vec::new(),
        };
        same(contents.extended_key_usages == usages, "extKeyUsage")?;
        same(no_check_is_empty(parsed), "form of ocsp-nocheck")?;
        same(parsed.issuer_uid.is_none() && parsed.subject_uid.is_none(), "unique identifiers")?;
        same(self.extensions_are(parsed), "list of extensions")?;
        same(read_urls(parsed).as_ref() == Some(&self.urls), "URLs")?;
        guard(approved, contents)
    }

    /// Exactly these extensions, each with its criticality.
    fn extensions_are(&self, parsed: &TbsCertificate<'_>) -> bool {
        let approved = &self.approved;
        let (leaf, responder, constrained) = match approved.kind() {
            ApprovedKind::Leaf { .. } => (true, false, false),
            ApprovedKind::Responder => (true, true, false),
            ApprovedKind::Ca { name_constraints, .. } => (false, false, name_constraints.is_some()),
        };
        let access = !(self.urls.ca_issuers.is_empty() && self.urls.ocsp.is_empty());
        let table: [(&[u8], bool, bool); 10] = [
            (oid::AUTHORITY_KEY_IDENTIFIER, true, false),
            (oid::SUBJECT_ALT_NAME, !approved.names().is_empty(), approved.subject().is_empty()),
            (oid::KEY_USAGE, true, true),
            (oid::EXTENDED_KEY_USAGE, leaf, false),
            (oid::NAME_CONSTRAINTS, constrained, true),
            (oid::CRL_DISTRIBUTION_POINTS, !self.urls.crl.is_empty(), false),
            (oid::SUBJECT_KEY_IDENTIFIER, true, false),
            (oid::BASIC_CONSTRAINTS, true, true),
            (oid::AUTHORITY_INFO_ACCESS, access, false),
            (oid::OCSP_NO_CHECK, responder, false),
        ];
        let expected = || table.iter().filter(|(_, wanted, _)| *wanted);
        // No extension occurs twice (reading refuses that), so equal counts and every one expected means equal sets.
        expected().count() == parsed.extensions().len()
            && parsed.extensions().iter().all(|found| {
                expected().any(|(oid, _, critical)| found.oid.as_bytes() == *oid && found.critical == *critical)
            })
    }
}

/// Is the finished certificate the one whose content was prepared, under the name of its issuer?
pub(crate) fn released(certificate: &Certificate, expected: &Expected) -> Result<(), Error> {
    same(certificate.may_sign_certificates == certificate.ca.is_some(), "right to sign certificates")?;
    same(certificate.issuer_der == expected.issuer_der, "issuer")
}

/// Bits of keyUsage for what was approved: signing for CAs; digitalSignature for leaves, and keyEncipherment where RSA
/// keys are used for TLS servers (some clients insist, NSS among them) or e-mail. Never keyEncipherment on EC (RFC 8813).
pub(crate) fn key_usage(approved: &Approved) -> u16 {
    match approved.kind() {
        ApprovedKind::Ca { .. } => usage_bit::KEY_CERT_SIGN | usage_bit::CRL_SIGN | usage_bit::DIGITAL_SIGNATURE,
        ApprovedKind::Leaf { usages, .. } => {
            let rsa = matches!(approved.public_key().kind, PublicKeyKind::Rsa { .. });
            let transport = usages
                .iter()
                .any(|usage| matches!(usage, ExtendedKeyUsage::ServerAuth | ExtendedKeyUsage::EmailProtection));
            if rsa && transport {
                usage_bit::DIGITAL_SIGNATURE | usage_bit::KEY_ENCIPHERMENT
            } else {
                usage_bit::DIGITAL_SIGNATURE
            }
        }
        ApprovedKind::Responder => usage_bit::DIGITAL_SIGNATURE,
    }
}

/// Whatever else was compared: a leaf never carries the CA bit or a right to sign, and a CA certificate is never made
/// from a leaf's approval (TURKTRUST, 2011).
fn guard(approved: &Approved, contents: &Contents) -> Result<(), Error> {
    let signs = contents.key_usage.is_none_or(|bits| bits & (usage_bit::KEY_CERT_SIGN | usage_bit::CRL_SIGN) != 0);
    match approved.kind() {
        ApprovedKind::Leaf { .. } | ApprovedKind::Responder => {
            same(contents.ca.is_none() && !signs, "kind: a leaf must not be a CA")
        }
        ApprovedKind::Ca { .. } => same(contents.ca.is_some() && signs, "kind: a CA certificate must be one"),
    }
}

/// id-kp-OCSPSigning.
const OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");

/// The usage that this identifier names, where it is one of ours.
pub(crate) fn usage_of(oid: &ObjectIdentifier) -> Option<ExtendedKeyUsage> {
    ExtendedKeyUsage::ALL.iter().copied().find(|usage| usage_oid(*usage) == *oid)
}

pub(crate) const fn usage_oid(usage: ExtendedKeyUsage) -> ObjectIdentifier {
    use ObjectIdentifier as O;
    match usage {
        ExtendedKeyUsage::ServerAuth => const { O::new_unwrap("1.3.6.1.5.5.7.3.1") },
        ExtendedKeyUsage::ClientAuth => const { O::new_unwrap("1.3.6.1.5.5.7.3.2") },
        ExtendedKeyUsage::CodeSigning => const { O::new_unwrap("1.3.6.1.5.5.7.3.3") },
        ExtendedKeyUsage::EmailProtection => const { O::new_unwrap("1.3.6.1.5.5.7.3.4") },
    }
}

/// UTCTime through 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5).
fn times_are_canonical(parsed: &TbsCertificate<'_>) -> bool {
    [parsed.validity.not_before, parsed.validity.not_after]
        .iter()
        .all(|time| time.is_utctime() == (time.to_datetime().year() < 2050))
}

/// Reading folds letter case; what is certified is written in the canonical form and no other.
fn names_are_canonical(parsed: &TbsCertificate<'_>, approved: &Approved) -> bool {
    let found = parsed.extensions().iter().find(|extension| extension.oid.as_bytes() == oid::SUBJECT_ALT_NAME);
    found.is_none_or(|extension| extension.value == san::encode(approved.names()))
}

/// id-pkix-ocsp-nocheck is a NULL (RFC 6960 section 4.2.2.2.1).
fn no_check_is_empty(parsed: &TbsCertificate<'_>) -> bool {
    let found = parsed.extensions().iter().find(|extension| extension.oid.as_bytes() == oid::OCSP_NO_CHECK);
    found.is_none_or(|extension| extension.value == [0x05, 0x00])
}

/// A BIT STRING of named bits ends with its last one (X.690 section 11.2.2); readers take longer ones for the same.
fn key_usage_is_canonical(parsed: &TbsCertificate<'_>) -> bool {
    let found = parsed.extensions().iter().find(|extension| extension.oid.as_bytes() == oid::KEY_USAGE);
    found.is_none_or(|extension| match extension.value {
        [0x03, 0x02, unused, bits] => bits.trailing_zeros() == u32::from(*unused),
        _ => false,
    })
}

const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");

/// The URLs of authorityInfoAccess and cRLDistributionPoints, or `None` when there is anything but URLs.
fn read_urls(parsed: &TbsCertificate<'_>) -> Option<Urls> {
    let mut urls = Urls::default();
    for extension in parsed.extensions() {
        match extension.oid.as_bytes() {
            oid::AUTHORITY_INFO_ACCESS => {
                for access in AuthorityInfoAccessSyntax::from_der(extension.value).ok()?.0 {
                    let url = url(access.access_location)?;
                    match access.access_method {
                        CA_ISSUERS => urls.ca_issuers.push(url),
                        OCSP => urls.ocsp.push(url),
                        _ => return None,
                    }
                }
            }
            oid::CRL_DISTRIBUTION_POINTS => {
                for point in CrlDistributionPoints::from_der(extension.value).ok()?.0 {
                    match (point.distribution_point, point.reasons, point.crl_issuer) {
                        (Some(DistributionPointName::FullName(names)), None, None) => {
                            for name in names {
                                urls.crl.push(url(name)?);
                            }
                        }
                        _ => return None,
                    }
                }
            }
            _ => {}
        }
    }
    Some(urls)
}

fn url(name: GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(url) => Some(url.to_string()),
        _ => None,
    }
}

fn same(equal: bool, what: &str) -> Result<(), Error> {
    if equal { Ok(()) } else { Err(Error::SelfCheck(format!("the certificate's {what} is not what was approved"))) }
}

#[cfg(test)]
mod tests;
