//! The outer shape of certificates and CSRs, field by field, with nothing left over in any SEQUENCE; CRLs share parts of it.
//!
//! x509-parser reads the values; this makes sure that the bytes it reads are all the bytes there are, and hands out
//! the raw slices of the parts that are compared or signed (RFC 5280 section 4.1, RFC 2986 section 4.1).

use crate::tlv::{self, Malformed, Reader};

/// A signed structure: what is signed, how, and the signature.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// The signed bytes (TBSCertificate, TBSCertList or CertificationRequestInfo).
    pub(crate) body: &'a [u8],
    /// AlgorithmIdentifier, whole element.
    pub(crate) algorithm: &'a [u8],
    /// Signature, the contents of the BIT STRING.
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes the outer SEQUENCE apart. The whole must be DER.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        tlv::check(der)?;
        let mut outer = Reader::only(der, tlv::SEQUENCE, "it is not a SEQUENCE")?;
        let body = outer.expect(tlv::SEQUENCE, "the signed part is missing")?.raw;
        let algorithm = algorithm(&mut outer)?;
        let signature = outer.expect(tlv::BIT_STRING, "the signature is missing")?.content;
        outer.end("something follows the signature")?;
        match signature.split_first() {
            Some((0, signature)) => Ok(Self { body, algorithm, signature }),
            _ => Err(Malformed("the signature is not a whole number of octets")),
        }
    }

    /// Puts the outer SEQUENCE together.
    pub(crate) fn write(&self) -> Vec<u8> {
        let signature = tlv::element(tlv::BIT_STRING, &[&[0], self.signature]);
        tlv::element(tlv::SEQUENCE, &[self.body, self.algorithm, &signature])
    }
}

/// The parts of a TBSCertificate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tbs<'a> {
    /// `[0]` version; empty for version 1.
    pub(crate) version: &'a [u8],
    /// serialNumber, contents.
    pub(crate) serial: &'a [u8],
    /// signature AlgorithmIdentifier, whole element.
    pub(crate) algorithm: &'a [u8],
    /// issuer, whole element.
    pub(crate) issuer: &'a [u8],
    /// subject, whole element.
    pub(crate) subject: &'a [u8],
    /// subjectPublicKeyInfo, whole element.
    pub(crate) spki: &'a [u8],
}

impl<'a> Tbs<'a> {
    /// Takes a TBSCertificate apart. The whole must be DER ([`tlv::check`]).
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut tbs = Reader::only(der, tlv::SEQUENCE, "the certificate's content is not a SEQUENCE")?;
        let version = tbs.optional(0xa0)?.map_or(&[][..], |v| v.raw);
        let serial = tbs.expect(tlv::INTEGER, "the serial number is missing")?.content;
        let algorithm = algorithm(&mut tbs)?;
        let issuer = name(&mut tbs)?;
        let validity = tbs.expect(tlv::SEQUENCE, "the validity is missing")?;
        let mut times = Reader::new(validity.content);
        time(&mut times)?;
        time(&mut times)?;
        times.end("the validity has more than two times")?;
        let subject = name(&mut tbs)?;
        let spki = tbs.expect(tlv::SEQUENCE, "the public key is missing")?.raw;
        spki_parts(spki)?;
        tbs.optional(0x81)?;
        tbs.optional(0x82)?;
        if let Some(explicit) = tbs.optional(0xa3)? {
            let mut explicit = Reader::new(explicit.content);
            let list = explicit.expect(tlv::SEQUENCE, "the extensions are not a SEQUENCE")?;
            explicit.end("something follows the extensions")?;
            extensions(list.content)?;
        }
        tbs.end("something follows the extensions")?;
        Ok(Self { version, serial, algorithm, issuer, subject, spki })
    }

    /// The same TBSCertificate with other issuer and subject bytes: the splice that gives names an order and repeated
    /// attribute types, which rcgen's names cannot hold.
    pub(crate) fn splice(der: &[u8], issuer: &[u8], subject: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut tbs = Reader::only(der, tlv::SEQUENCE, "the content is not a SEQUENCE")?;
        let version = tbs.expect(0xa0, "the version is missing")?.raw;
        let serial = tbs.expect(tlv::INTEGER, "the serial number is missing")?.raw;
        let algorithm = tbs.expect(tlv::SEQUENCE, "the algorithm is missing")?.raw;
        tbs.expect(tlv::SEQUENCE, "the issuer is missing")?;
        let validity = tbs.expect(tlv::SEQUENCE, "the validity is missing")?.raw;
        tbs.expect(tlv::SEQUENCE, "the subject is missing")?;
        let spki = tbs.expect(tlv::SEQUENCE, "the public key is missing")?.raw;
        let extensions = tbs.expect(0xa3, "the extensions are missing")?.raw;
        tbs.end("something follows the extensions")?;
        let parts = [version, serial, algorithm, issuer, validity, subject, spki, extensions];
        Ok(tlv::element(tlv::SEQUENCE, &parts))
    }
}

/// The parts of a CertificationRequestInfo.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestInfo<'a> {
    /// subjectPKInfo, whole element.
    pub(crate) spki: &'a [u8],
    /// How many extensionRequest attributes there are.
    pub(crate) extension_requests: usize,
}

/// extensionRequest, 1.2.840.113549.1.9.14 (RFC 2985 section 5.4.2).
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];

impl<'a> RequestInfo<'a> {
    /// Takes a CertificationRequestInfo apart. The whole must be DER.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut info = Reader::only(der, tlv::SEQUENCE, "the request's content is not a SEQUENCE")?;
        info.expect(tlv::INTEGER, "the version is missing")?;
        name(&mut info)?;
        let spki = info.expect(tlv::SEQUENCE, "the public key is missing")?.raw;
        spki_parts(spki)?;
        let attributes = info.expect(0xa0, "the attributes are missing")?;
        info.end("something follows the attributes")?;
        let mut attributes = Reader::new(attributes.content);
        let mut extension_requests = 0_usize;
        while let Some(attribute) = attributes.next()? {
            let mut attribute = Reader::only(attribute.raw, tlv::SEQUENCE, "an attribute is not a SEQUENCE")?;
            let kind = attribute.expect(tlv::OID, "an attribute has no type")?.content;
            let values = attribute.expect(tlv::SET, "an attribute has no values")?;
            attribute.end("something follows the values of an attribute")?;
            if kind == EXTENSION_REQUEST {
                extension_requests = extension_requests.saturating_add(1);
                let mut values = Reader::new(values.content);
                let list = values.expect(tlv::SEQUENCE, "the requested extensions are not a SEQUENCE")?;
                values.end("the requested extensions have more than one value")?;
                extensions(list.content)?;
            }
        }
        Ok(Self { spki, extension_requests })
    }

    /// The same CertificationRequestInfo with another subject.
    pub(crate) fn splice(der: &[u8], subject: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut info = Reader::only(der, tlv::SEQUENCE, "the content is not a SEQUENCE")?;
        let version = info.expect(tlv::INTEGER, "the version is missing")?.raw;
        info.expect(tlv::SEQUENCE, "the subject is missing")?;
        let spki = info.expect(tlv::SEQUENCE, "the public key is missing")?.raw;
        let attributes = info.expect(0xa0, "the attributes are missing")?.raw;
        info.end("something follows the attributes")?;
        Ok(tlv::element(tlv::SEQUENCE, &[version, subject, spki, attributes]))
    }
}

/// AlgorithmIdentifier and key bits of a SubjectPublicKeyInfo.
pub(crate) fn spki_parts(spki: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut reader = Reader::only(spki, tlv::SEQUENCE, "the public key is not a SEQUENCE")?;
    let algorithm = algorithm(&mut reader)?;
    let bits = reader.expect(tlv::BIT_STRING, "the bits of the public key are missing")?.content;
    reader.end("something follows the public key")?;
    match bits.split_first() {
        Some((0, bits)) => Ok((algorithm, bits)),
        _ => Err(Malformed("the public key is not a whole number of octets")),
    }
}

/// An AlgorithmIdentifier: an OID and at most one parameter.
pub(crate) fn algorithm<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let element = reader.expect(tlv::SEQUENCE, "an algorithm identifier is missing")?;
    let mut parts = Reader::new(element.content);
    parts.expect(tlv::OID, "an algorithm identifier has no OID")?;
    parts.next()?;
    parts.end("an algorithm identifier has more than one parameter")?;
    Ok(element.raw)
}

/// A Name: SETs of type and value.
pub(crate) fn name<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let element = reader.expect(tlv::SEQUENCE, "a name is missing")?;
    let mut rdns = Reader::new(element.content);
    while let Some(rdn) = rdns.next()? {
        let mut set = Reader::only(rdn.raw, tlv::SET, "a name part is not a SET")?;
        while let Some(attribute) = set.next()? {
            let mut attribute = Reader::only(attribute.raw, tlv::SEQUENCE, "a name attribute is not a SEQUENCE")?;
            attribute.expect(tlv::OID, "a name attribute has no type")?;
            attribute.next()?.ok_or(Malformed("a name attribute has no value"))?;
            attribute.end("a name attribute has more than one value")?;
        }
    }
    Ok(element.raw)
}

/// A time in UTC with seconds and without a fraction (RFC 5280 section 4.1.2.5).
fn time(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let wrong = Malformed("a time is not written as RFC 5280 asks");
    let element = reader.next()?.ok_or(wrong)?;
    let digits = match element.tag {
        tlv::UTC_TIME => 12,
        tlv::GENERALIZED_TIME => 14,
        _ => return Err(wrong),
    };
    match element.content.split_at_checked(digits) {
        Some((head, b"Z")) if head.iter().all(u8::is_ascii_digit) => Ok(()),
        _ => Err(wrong),
    }
}

/// A list of extensions: OID, criticality, value.
pub(crate) fn extensions(content: &[u8]) -> Result<(), Malformed> {
    let mut list = Reader::new(content);
    while let Some(extension) = list.next()? {
        let mut extension = Reader::only(extension.raw, tlv::SEQUENCE, "an extension is not a SEQUENCE")?;
        extension.expect(tlv::OID, "an extension has no OID")?;
        extension.optional(tlv::BOOLEAN)?;
        extension.expect(tlv::OCTET_STRING, "an extension has no value")?;
        extension.end("something follows the value of an extension")?;
    }
    Ok(())
}
