//! Distinguished names: our encoding, and reading those of others (RFC 5280 section 4.1.2.4 and appendix A.1).

use crate::tlv;
use certwright_domain::dn::{Attribute, AttributeType, DistinguishedName};
use certwright_domain::violation::Invalid;
use der::asn1::ObjectIdentifier;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The DER Name: order kept, one attribute per RDN. PrintableString where RFC 5280 prescribes it (country, serialNumber,
/// dnQualifier), IA5String for emailAddress and domainComponent, UTF8String otherwise.
pub(crate) fn encode(name: &DistinguishedName) -> Vec<u8> {
    let mut rdns = Vec::with_capacity(name.attributes().len().saturating_mul(48));
    for attribute in name.attributes() {
        let tag = match attribute.kind() {
            AttributeType::Country | AttributeType::SerialNumber | AttributeType::DistinguishedNameQualifier => {
                tlv::PRINTABLE_STRING
            }
            AttributeType::EmailAddress | AttributeType::DomainComponent => tlv::IA5_STRING,
            _ => tlv::UTF8_STRING,
        };
        let kind = tlv::element(tlv::OID, &[oid(attribute.kind()).as_bytes()]);
        let value = tlv::element(tag, &[attribute.value().as_bytes()]);
        let pair = tlv::element(tlv::SEQUENCE, &[&kind, &value]);
        tlv::write(&mut rdns, tlv::SET, &[&pair]);
    }
    tlv::element(tlv::SEQUENCE, &[&rdns])
}

/// Reads a name that is in a certificate; attribute types that we do not know, RDNs with more than one attribute and
/// strings that cannot be decoded for certain are refused.
pub(crate) fn decode(name: &X509Name<'_>) -> Result<DistinguishedName, Invalid> {
    decode_with(name, Attribute::read)
}

/// Reads a name that somebody asks for: what nobody sees is refused as well.
pub(crate) fn decode_wanted(name: &X509Name<'_>) -> Result<DistinguishedName, Invalid> {
    decode_with(name, Attribute::parse)
}

/// [`Attribute::read`] or [`Attribute::parse`].
type ReadAttribute = fn(AttributeType, &str) -> Result<Attribute, Invalid>;

fn decode_with(name: &X509Name<'_>, read: ReadAttribute) -> Result<DistinguishedName, Invalid> {
    let mut attributes = Vec::new();
    for rdn in name.iter_rdn() {
        let mut parts = rdn.iter();
        let (Some(part), None) = (parts.next(), parts.next()) else {
            return Err(Invalid::new(
                "invalid_subject",
                "The subject has a relative distinguished name with more than one attribute (written with `+`).",
                "Give every attribute a relative distinguished name of its own: `CN=a, UID=b` in place of `CN=a+UID=b`.",
            ));
        };
        attributes.push(decode_attribute(part, read)?);
    }
    DistinguishedName::new(attributes)
}

fn decode_attribute(part: &AttributeTypeAndValue<'_>, read: ReadAttribute) -> Result<Attribute, Invalid> {
    let bytes = part.attr_type().as_bytes();
    let kind = AttributeType::ALL.iter().copied().find(|kind| oid(*kind).as_bytes() == bytes).ok_or_else(|| {
        Invalid::new(
            "invalid_subject",
            format!("The subject has an attribute of type {}, which is not known here.", part.attr_type()),
            "Leave that attribute out.",
        )
    })?;
    let value = part.attr_value();
    let text = u8::try_from(value.tag().0).ok().and_then(|tag| decode_string(tag, value.data)).ok_or_else(|| {
        Invalid::new(
            "invalid_subject",
            format!("The subject's {kind} is not text that can be read."),
            "Encode it as UTF8String or PrintableString.",
        )
    })?;
    read(kind, &text)
}

/// DirectoryString and IA5String to text. TeletexString only when it is ASCII: its other characters mean different
/// things to different software.
fn decode_string(tag: u8, bytes: &[u8]) -> Option<String> {
    match tag {
        tlv::UTF8_STRING => std::str::from_utf8(bytes).ok().map(str::to_owned),
        tlv::PRINTABLE_STRING | tlv::IA5_STRING | tlv::T61_STRING => {
            std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(str::to_owned)
        }
        tlv::BMP_STRING => {
            let (pairs, []) = bytes.as_chunks::<2>() else { return None };
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

const fn oid(kind: AttributeType) -> ObjectIdentifier {
    use AttributeType as T;
    const fn new(text: &str) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(text)
    }
    match kind {
        T::CommonName => const { new("2.5.4.3") },
        T::Organization => const { new("2.5.4.10") },
        T::OrganizationalUnit => const { new("2.5.4.11") },
        T::Locality => const { new("2.5.4.7") },
        T::StateOrProvince => const { new("2.5.4.8") },
        T::Country => const { new("2.5.4.6") },
        T::EmailAddress => const { new("1.2.840.113549.1.9.1") },
        T::SerialNumber => const { new("2.5.4.5") },
        T::Street => const { new("2.5.4.9") },
        T::PostalCode => const { new("2.5.4.17") },
        T::DomainComponent => const { new("0.9.2342.19200300.100.1.25") },
        T::UserId => const { new("0.9.2342.19200300.100.1.1") },
        T::GivenName => const { new("2.5.4.42") },
        T::Surname => const { new("2.5.4.4") },
        T::Title => const { new("2.5.4.12") },
        T::Initials => const { new("2.5.4.43") },
        T::Pseudonym => const { new("2.5.4.65") },
        T::GenerationQualifier => const { new("2.5.4.44") },
        T::DistinguishedNameQualifier => const { new("2.5.4.46") },
        T::OrganizationIdentifier => const { new("2.5.4.97") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use x509_parser::prelude::FromDer;

    fn round_trip(name: &DistinguishedName) -> DistinguishedName {
        let der = encode(name);
        tlv::check(&der).unwrap();
        let (rest, read) = X509Name::from_der(&der).unwrap();
        assert!(rest.is_empty());
        decode(&read).unwrap()
    }

    #[test]
    fn string_types_are_those_of_rfc_5280() {
        use AttributeType as T;
        let table = [
            (T::Country, "KR", tlv::PRINTABLE_STRING),
            (T::SerialNumber, "A-1", tlv::PRINTABLE_STRING),
            (T::DistinguishedNameQualifier, "q", tlv::PRINTABLE_STRING),
            (T::EmailAddress, "example@example.com", tlv::IA5_STRING),
            (T::DomainComponent, "example", tlv::IA5_STRING),
            (T::CommonName, "a", tlv::UTF8_STRING),
            (T::Organization, "DDIM", tlv::UTF8_STRING),
            (T::UserId, "u", tlv::UTF8_STRING),
        ];
        for (kind, value, tag) in table {
            let name = DistinguishedName::new(vec![Attribute::parse(kind, value).unwrap()]).unwrap();
            let der = encode(&name);
            let at = der.len() - value.len();
            assert_eq!(der[at - 2], tag, "{kind}");
            assert_eq!(&der[at..], value.as_bytes());
        }
    }

    #[test]
    fn order_and_repeats_are_kept() {
        use AttributeType as T;
        let parts = [
            (T::DomainComponent, "com"),
            (T::DomainComponent, "example"),
            (T::OrganizationalUnit, "one"),
            (T::CommonName, "제이"),
            (T::OrganizationalUnit, "two"),
        ];
        let name =
            DistinguishedName::new(parts.iter().map(|(k, v)| Attribute::parse(*k, v).unwrap()).collect()).unwrap();
        assert_eq!(round_trip(&name), name);
        assert!(round_trip(&DistinguishedName::default()).is_empty());
    }

    #[test]
    fn foreign_string_types() {
        assert_eq!(decode_string(tlv::BMP_STRING, &[0xd5, 0x5c, 0, 0x41]).as_deref(), Some("한A"));
        assert_eq!(decode_string(tlv::BMP_STRING, &[0xd8, 0x00]), None);
        assert_eq!(decode_string(tlv::BMP_STRING, &[0]), None);
        assert_eq!(decode_string(tlv::T61_STRING, b"abc").as_deref(), Some("abc"));
        assert_eq!(decode_string(tlv::T61_STRING, &[0xe4]), None);
        assert_eq!(decode_string(tlv::UTF8_STRING, &[0xff]), None);
        assert_eq!(decode_string(tlv::OCTET_STRING, b"a"), None);
    }

    proptest! {
        #[test]
        fn names_survive_the_round_trip(
            parts in proptest::collection::vec((0..AttributeType::ALL.len(), "[ -~äß한]{1,12}"), 0..12)
        ) {
            let attributes: Vec<_> =
                parts.iter().filter_map(|(kind, value)| Attribute::parse(AttributeType::ALL[*kind], value).ok()).collect();
            let name = DistinguishedName::new(attributes).unwrap();
            prop_assert_eq!(round_trip(&name), name);
        }
    }
}
