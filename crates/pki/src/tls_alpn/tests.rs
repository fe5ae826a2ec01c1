use super::*;
use certwright_domain::san::DnsName;
use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};

const OID: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 31];
const DRAFT: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 30, 1];
const DIGEST: [u8; 32] = [7; 32];

fn extension(oid: &[u64], critical: bool, value: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, value);
    extension.set_criticality(critical);
    extension
}

fn octets(value: &[u8]) -> Vec<u8> {
    tlv::element(tlv::OCTET_STRING, &[value])
}

fn certificate(names: &[&str], extensions: Vec<CustomExtension>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    params.custom_extensions = extensions;
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn name(text: &str) -> San {
    San::parse(text).unwrap()
}

/// TA3: one name, critical acmeIdentifier, the digest of this challenge, and nothing else will do.
#[test]
fn ta3_certificates_are_judged_to_the_letter() {
    let good = || extension(OID, true, octets(&DIGEST));
    let www = name("www.example.com");
    assert_eq!(www, San::Dns(DnsName::parse("www.example.com").unwrap()));
    for (names, extensions, expected) in [
        (&["www.example.com"][..], vec![good()], Ok(())),
        (&["WWW.Example.com"], vec![good()], Ok(())),
        (&["www.example.com", "www.example.com"], vec![good()], Err(Wrong::Names)),
        (&["www.example.com", "other.example.com"], vec![good()], Err(Wrong::Names)),
        (&["www.example.com", "10.0.0.1"], vec![good()], Err(Wrong::Names)),
        (&["*.example.com"], vec![good()], Err(Wrong::Names)),
        (&["example.com"], vec![good()], Err(Wrong::Names)),
        (&[], vec![good()], Err(Wrong::Names)),
        (&["www.example.com"], vec![], Err(Wrong::NoIdentifier)),
        (&["www.example.com"], vec![extension(OID, false, octets(&DIGEST))], Err(Wrong::NotCritical)),
        (&["www.example.com"], vec![extension(OID, true, octets(&[8; 32]))], Err(Wrong::OtherDigest)),
        (&["www.example.com"], vec![extension(OID, true, octets(&[7; 31]))], Err(Wrong::OtherDigest)),
        (&["www.example.com"], vec![extension(OID, true, DIGEST.to_vec())], Err(Wrong::OtherDigest)),
        (
            &["www.example.com"],
            vec![extension(OID, true, [octets(&DIGEST), vec![0]].concat())],
            Err(Wrong::OtherDigest),
        ),
        (&["www.example.com"], vec![extension(DRAFT, true, octets(&DIGEST))], Err(Wrong::DraftIdentifier)),
        (&["www.example.com"], vec![good(), extension(DRAFT, true, octets(&DIGEST))], Err(Wrong::DraftIdentifier)),
        (&["www.example.com"], vec![good(), good()], Err(Wrong::Repeated)),
        (&["www.example.com"], vec![extension(OID, true, octets(&[8; 32])), good()], Err(Wrong::Repeated)),
    ] {
        let der = certificate(names, extensions);
        assert_eq!(check(&der, &www, &DIGEST), expected, "{names:?}");
    }
    assert_eq!(check(&certificate(&["www.example.com"], vec![good()]), &www, &[]), Err(Wrong::OtherDigest));
}

/// TA3, IP1: an address is one by its octets.
#[test]
fn ta3_addresses_stand_as_addresses() {
    let good = || vec![extension(OID, true, octets(&DIGEST))];
    for address in ["192.0.2.1", "2001:db8::1"] {
        assert_eq!(check(&certificate(&[address], good()), &name(address), &DIGEST), Ok(()));
        assert_eq!(check(&certificate(&["192.0.2.2"], good()), &name(address), &DIGEST), Err(Wrong::Names));
        assert_eq!(check(&certificate(&["a.example"], good()), &name(address), &DIGEST), Err(Wrong::Names));
    }
    assert_eq!(check(&certificate(&["192.0.2.1"], good()), &name("a.example"), &DIGEST), Err(Wrong::Names));
}

#[test]
fn ta3_what_is_not_a_certificate_is_refused_and_every_cut_of_one() {
    let der = certificate(&["www.example.com"], vec![extension(OID, true, octets(&DIGEST))]);
    let www = name("www.example.com");
    for end in 0..der.len() {
        let cut = der.get(..end).unwrap();
        assert_eq!(check(cut, &www, &DIGEST), Err(Wrong::Malformed), "{end}");
        assert_eq!(public_key(cut), Err(Wrong::Malformed), "{end}");
    }
    let large = [der.clone(), vec![0; MAX_CERTIFICATE_BYTES]].concat();
    assert_eq!(check(&large, &www, &DIGEST), Err(Wrong::Malformed));
    let key = public_key(&der).unwrap();
    assert_eq!(key.bits.len(), 65, "an uncompressed point of P-256");
    assert!(key.algorithm.starts_with(&[tlv::OID]));
}
