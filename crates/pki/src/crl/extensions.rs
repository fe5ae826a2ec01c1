//! Extensions of a CRL and of its entries: the list, and what those that we know say (RFC 5280 sections 5.2 and 5.3).
//!
//! The values are decoded by the strict decoders of x509-cert.

use super::{Fault, oid};
use crate::key::dotted;
use crate::tlv::{self, Reader};
use certwright_domain::revocation::CrlNumber;
use der::Decode;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, FreshestCrl, IssuingDistributionPoint};

/// Most extensions that are read of one list; ten are registered.
const MOST: usize = 16;

/// Reads a list of extensions, one after the other.
pub(super) struct ExtensionReader<'a> {
    reader: Reader<'a>,
    seen: [&'a [u8]; MOST],
    count: usize,
}

/// An extension as it stands there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extension<'a> {
    /// Contents of the OID.
    pub(super) oid: &'a [u8],
    pub(super) critical: bool,
    /// Contents of the OCTET STRING.
    pub(super) value: &'a [u8],
}

impl<'a> ExtensionReader<'a> {
    /// `content` is that of the SEQUENCE OF, which must have members.
    pub(super) fn new(content: &'a [u8]) -> Result<Self, Fault> {
        if content.is_empty() {
            return Err(Fault::malformed("a list of extensions is empty"));
        }
        Ok(Self { reader: Reader::new(content), seen: [&[]; MOST], count: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Option<Extension<'a>>, Fault> {
        let Some(element) = self.reader.next()? else { return Ok(None) };
        let mut parts = Reader::only(element.raw, tlv::SEQUENCE, "an extension is not a SEQUENCE")?;
        let oid = parts.expect(tlv::OID, "an extension has no OID")?.content;
        let critical = match parts.optional(tlv::BOOLEAN)?.map(|critical| critical.content) {
            None => false,
            Some([0xff]) => true,
            // DER leaves the default out.
            Some(_) => return Err(Fault::malformed("an extension's criticality is written as FALSE")),
        };
        let value = parts.expect(tlv::OCTET_STRING, "an extension has no value")?.content;
        parts.end("something follows the value of an extension")?;
        if self.seen.iter().take(self.count).any(|seen| *seen == oid) {
            return Err(Fault::new(format!("it has the extension {} twice", name(oid)), REISSUE));
        }
        let place = self.seen.get_mut(self.count);
        *place.ok_or_else(|| Fault::new(format!("it has more than {MOST} extensions in one place"), REISSUE))? = oid;
        self.count = self.count.saturating_add(1);
        Ok(Some(Extension { oid, critical, value }))
    }
}

/// What the extensions of a CRL say.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// authorityKeyIdentifier, key id part.
    pub(super) authority_key_id: Option<Vec<u8>>,
    pub(super) number: Option<CrlNumber>,
    /// deltaCRLIndicator.
    pub(super) base: Option<CrlNumber>,
    pub(super) distribution_point: Option<IssuingDistributionPoint>,
    pub(super) freshest: Option<Vec<DistributionPoint>>,
    /// OIDs' contents and criticality, in order.
    pub(super) listed: Vec<(Vec<u8>, bool)>,
}

impl Extensions {
    /// Reads the list. Critical extensions that we do not know are refused.
    pub(super) fn read(content: &[u8]) -> Result<Self, Fault> {
        let mut read = Self::default();
        let mut list = ExtensionReader::new(content)?;
        while let Some(Extension { oid, critical, value }) = list.next()? {
            match oid {
                oid::AUTHORITY_KEY_IDENTIFIER => {
                    let identifier: AuthorityKeyIdentifier = decode(value, "authorityKeyIdentifier")?;
                    read.authority_key_id = identifier.key_identifier.map(|id| id.into_bytes().into());
                }
                oid::CRL_NUMBER => read.number = Some(number(value, "cRLNumber")?),
                oid::DELTA_CRL_INDICATOR => read.base = Some(number(value, "deltaCRLIndicator")?),
                oid::ISSUING_DISTRIBUTION_POINT => {
                    read.distribution_point = Some(decode(value, "issuingDistributionPoint")?);
                }
                oid::FRESHEST_CRL => read.freshest = Some(decode::<FreshestCrl>(value, "freshestCRL")?.0),
                _ if critical => return Err(unknown(oid)),
                _ => {}
            }
            read.listed.push((oid.to_vec(), critical));
        }
        Ok(read)
    }
}

/// The refusal of a critical extension that we do not know: what it changes about the CRL we cannot say.
pub(super) fn unknown(oid: &[u8]) -> Fault {
    Fault::new(format!("it has the critical extension {}, which is not known here", name(oid)), "Use a CRL without it.")
}

/// The URIs of a distribution point. Names of other kinds are passed over.
pub(super) fn uris(point: Option<&DistributionPointName>) -> Vec<String> {
    let Some(DistributionPointName::FullName(names)) = point else { return Vec::new() };
    let uri = |name: &GeneralName| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
        _ => None,
    };
    names.iter().filter_map(uri).collect()
}

fn number(value: &[u8], what: &str) -> Result<CrlNumber, Fault> {
    tlv::check(value)?;
    let mut reader = Reader::new(value);
    let number = reader.expect(tlv::INTEGER, "a CRL's number is not an INTEGER")?.content;
    reader.end("something follows a CRL's number")?;
    match number {
        [0x80..=0xff, ..] => None,
        number => CrlNumber::from_bytes(number).ok(),
    }
    .ok_or_else(|| Fault::new(format!("its {what} is negative or longer than 20 octets"), REISSUE))
}

fn decode<'a, T: Decode<'a>>(value: &'a [u8], what: &str) -> Result<T, Fault> {
    tlv::check(value)?;
    T::from_der(value).map_err(|_| Fault::new(format!("its {what} extension is not well-formed"), REISSUE))
}

fn name(oid: &[u8]) -> String {
    dotted(oid).unwrap_or_else(|| "with a wrong OID".to_owned())
}

pub(super) const REISSUE: &str = "Have its CA issue a CRL that follows RFC 5280 section 5.";
