//! Subject alternative names and the GeneralName forms behind them (RFC 5280 section 4.2.1.6).

use crate::tlv;
use certwright_domain::san::{DnsName, EmailAddress, MAX_NAMES, San, Uri};
use certwright_domain::violation::Invalid;
use der::Decode;
use rcgen::SanType;
use std::net::IpAddr;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// What to do with name types that we do not issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsupported {
    /// Refuse.
    Refuse,
    /// Leave them out (CA certificates of others).
    Skip,
}

/// Reads the value of a subjectAltName extension; canonical names, without repeats.
pub(crate) fn decode(value: &[u8], unsupported: Unsupported) -> Result<Vec<San>, Invalid> {
    let SubjectAltName(names) = SubjectAltName::from_der(value).map_err(|_| {
        Invalid::new(
            "invalid_names",
            "The subjectAltName extension is not well-formed (names are ASCII, each of a type of RFC 5280).",
            "Write DNS names as A-labels (`xn--…`) and leave other types than DNS, IP, email and URI out.",
        )
    })?;
    if names.is_empty() {
        return Err(Invalid::new(
            "invalid_names",
            "The subjectAltName extension is empty.",
            "Leave the extension out, or put names into it.",
        ));
    }
    if names.len() > MAX_NAMES {
        return Err(Invalid::new(
            "too_many_names",
            format!("The subjectAltName extension has {} names, {MAX_NAMES} are allowed.", names.len()),
            "Ask for several certificates.",
        ));
    }
    let mut decoded: Vec<San> = Vec::with_capacity(names.len());
    for name in &names {
        match decode_one(name)? {
            Some(name) if decoded.contains(&name) => {}
            Some(name) => decoded.push(name),
            None if unsupported == Unsupported::Skip => {}
            None => {
                return Err(Invalid::new(
                    "unsupported_name_type",
                    format!("The subjectAltName extension has a name of type {}.", kind(name)),
                    "Only DNS, IP, email and URI names can be certified; leave the others out.",
                ));
            }
        }
    }
    Ok(decoded)
}

/// The DER value of a subjectAltName extension with exactly these names, in canonical form.
pub(crate) fn encode(names: &[San]) -> Vec<u8> {
    let mut list = Vec::with_capacity(names.len().saturating_mul(24));
    for name in names {
        match name {
            San::Email(email) => tlv::write(&mut list, 0x81, &[email.as_str().as_bytes()]),
            San::Dns(dns) => tlv::write(&mut list, 0x82, &[dns.as_str().as_bytes()]),
            San::Uri(uri) => tlv::write(&mut list, 0x86, &[uri.as_str().as_bytes()]),
            San::Ip(IpAddr::V4(ip)) => tlv::write(&mut list, 0x87, &[&ip.octets()]),
            San::Ip(IpAddr::V6(ip)) => tlv::write(&mut list, 0x87, &[&ip.octets()]),
        }
    }
    tlv::element(tlv::SEQUENCE, &[&list])
}

/// The same name for rcgen.
pub(crate) fn to_rcgen(name: &San) -> Result<SanType, rcgen::Error> {
    Ok(match name {
        San::Dns(dns) => SanType::DnsName(dns.as_str().try_into()?),
        San::Ip(ip) => SanType::IpAddress(*ip),
        San::Email(email) => SanType::Rfc822Name(email.as_str().try_into()?),
        San::Uri(uri) => SanType::URI(uri.as_str().try_into()?),
    })
}

fn decode_one(name: &GeneralName) -> Result<Option<San>, Invalid> {
    Ok(Some(match name {
        GeneralName::DnsName(dns) => San::Dns(DnsName::parse(dns.as_str())?),
        GeneralName::Rfc822Name(email) => San::Email(EmailAddress::parse(email.as_str())?),
        GeneralName::UniformResourceIdentifier(uri) => San::Uri(Uri::parse(uri.as_str())?),
        GeneralName::IpAddress(octets) => San::Ip(ip_address(octets.as_bytes()).ok_or_else(|| {
            Invalid::new(
                "invalid_ip_address",
                format!("An IP address in the subjectAltName extension has {} octets.", octets.as_bytes().len()),
                "IPv4 addresses have 4 octets, IPv6 addresses 16.",
            )
        })?),
        GeneralName::OtherName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::RegisteredId(_) => return Ok(None),
    }))
}

/// 4 octets are IPv4, 16 are IPv6.
pub(crate) fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

fn kind(name: &GeneralName) -> &'static str {
    match name {
        GeneralName::OtherName(_) => "otherName",
        GeneralName::Rfc822Name(_) => "rfc822Name",
        GeneralName::DnsName(_) => "dNSName",
        GeneralName::DirectoryName(_) => "directoryName",
        GeneralName::EdiPartyName(_) => "ediPartyName",
        GeneralName::UniformResourceIdentifier(_) => "uniformResourceIdentifier",
        GeneralName::IpAddress(_) => "iPAddress",
        GeneralName::RegisteredId(_) => "registeredID",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(names: &[(u8, &[u8])]) -> Vec<u8> {
        let content: Vec<u8> = names.iter().flat_map(|(tag, bytes)| tlv::element(*tag, &[bytes])).collect();
        tlv::element(tlv::SEQUENCE, &[&content])
    }

    #[test]
    fn the_four_kinds_are_read_in_order_without_repeats() {
        let der = list(&[
            (0x82, b"B.example.com"),
            (0x87, &[10, 0, 0, 5]),
            (0x82, b"b.example.com"),
            (0x81, b"ops@example.com"),
            (0x86, b"spiffe://corp/db"),
            (0x87, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ]);
        let texts: Vec<_> = decode(&der, Unsupported::Refuse).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["b.example.com", "10.0.0.5", "ops@example.com", "spiffe://corp/db", "2001:db8::1"]);
    }

    #[test]
    fn bad_names_are_refused_with_a_code() {
        let table: &[(Vec<u8>, &str)] = &[
            (list(&[(0x87, &[10, 0, 0])]), "invalid_ip_address"),
            (list(&[(0x87, &[10, 0, 0, 0, 255, 0, 0, 0])]), "invalid_ip_address"),
            (list(&[(0x82, b"a\0.example.com")]), "invalid_dns_name"),
            (list(&[(0x82, "é.example.com".as_bytes())]), "invalid_names"),
            (list(&[(0x82, b"10.0.0.5")]), "invalid_dns_name"),
            (list(&[(0x82, b"a.*.example.com")]), "invalid_dns_name"),
            (list(&[(0x82, b"a.example.com.")]), "invalid_dns_name"),
            (list(&[(0x82, b"a_b.example.com")]), "invalid_dns_name"),
            (list(&[(0xa2, b"a.example.com")]), "invalid_names"),
            (list(&[(0x88, &[0x2a, 0x03])]), "unsupported_name_type"),
            (list(&[(0xa4, &[0x30, 0x00])]), "unsupported_name_type"),
            (list(&[(0xa3, &[0x30, 0x00])]), "invalid_names"),
            (list(&[]), "invalid_names"),
            ([list(&[(0x82, b"a.example.com")]), vec![0]].concat(), "invalid_names"),
            (list(&[(0x82, &b"a.example.com"[..]); 101]), "too_many_names"),
        ];
        for (der, code) in table {
            assert_eq!(decode(der, Unsupported::Refuse).unwrap_err().code, *code, "{}", hex::encode(der));
        }
    }

    #[test]
    fn foreign_ca_certificates_may_carry_other_types() {
        let der = list(&[(0xa4, &[0x30, 0x00]), (0x82, b"a.example.com")]);
        assert_eq!(decode(&der, Unsupported::Skip).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn names_survive_the_round_trip(
            texts in proptest::collection::vec(
                "([a-z]{1,8}\\.){1,3}[a-z]{2,5}|\\*\\.[a-z]{1,9}\\.com|10\\.[0-9]\\.[0-9]\\.[0-9]|2001:db8::[1-9a-f]{1,4}|[a-z]{1,5}@[a-z]{1,5}\\.org|spiffe://[a-z]{1,5}/[a-z]{1,5}",
                1..20,
            )
        ) {
            let mut names: Vec<San> = texts.iter().map(|text| San::parse(text).unwrap()).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(decode(&encode(&names), Unsupported::Refuse).unwrap(), names);
        }
    }
}
