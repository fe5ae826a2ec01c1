//! The nameConstraints extension, both ways (RFC 5280 section 4.2.1.10). rcgen has no URI constraints, so the value is
//! encoded here and handed to rcgen as it is.

use crate::{Error, name, san};
use certwright_domain::constraints::{NameConstraints, RawSubtrees, Subtrees};
use certwright_domain::violation::Invalid;
use der::asn1::{Ia5String, OctetString};
use der::{Decode, Encode};
use std::net::IpAddr;
use x509_cert::ext::pkix::constraints::name::{GeneralSubtree, GeneralSubtrees};
use x509_cert::ext::pkix::name::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// The DER value of the extension.
pub(crate) fn encode(constraints: &NameConstraints) -> Result<Vec<u8>, Error> {
    let encoded = x509_cert::ext::pkix::NameConstraints {
        permitted_subtrees: encode_subtrees(constraints.permitted())?,
        excluded_subtrees: encode_subtrees(constraints.excluded())?,
    };
    Ok(encoded.to_der()?)
}

/// Reads the value of the extension. A constraint of a kind that we cannot enforce refuses the whole.
pub(crate) fn decode(value: &[u8]) -> Result<NameConstraints, Invalid> {
    let decoded = x509_cert::ext::pkix::NameConstraints::from_der(value)
        .map_err(|_| wrong("The nameConstraints extension is not well-formed."))?;
    let side = |subtrees: Option<GeneralSubtrees>| subtrees.map_or(Ok(RawSubtrees::default()), decode_subtrees);
    NameConstraints::read(side(decoded.permitted_subtrees)?, side(decoded.excluded_subtrees)?)
}

fn encode_subtrees(subtrees: &Subtrees) -> Result<Option<GeneralSubtrees>, Error> {
    let mut names = Vec::new();
    for dns in &subtrees.dns {
        names.push(GeneralName::DnsName(Ia5String::new(dns)?));
    }
    for range in &subtrees.ip {
        let octets = match (range.network(), range.netmask()) {
            (IpAddr::V4(network), IpAddr::V4(mask)) => [network.octets(), mask.octets()].concat(),
            (IpAddr::V6(network), IpAddr::V6(mask)) => [network.octets(), mask.octets()].concat(),
            _ => return Err(Error::Encoding("an IP range mixes address families".to_owned())),
        };
        names.push(GeneralName::IpAddress(OctetString::new(octets)?));
    }
    for email in &subtrees.email {
        names.push(GeneralName::Rfc822Name(Ia5String::new(email)?));
    }
    for uri in &subtrees.uri {
        names.push(GeneralName::UniformResourceIdentifier(Ia5String::new(uri)?));
    }
    for directory in &subtrees.directory {
        names.push(GeneralName::DirectoryName(x509_cert::name::Name::from_der(&name::encode(directory))?));
    }
    let subtrees: Vec<_> = names.into_iter().map(|base| GeneralSubtree { base, minimum: 0, maximum: None }).collect();
    Ok(if subtrees.is_empty() { None } else { Some(subtrees) })
}

fn decode_subtrees(subtrees: GeneralSubtrees) -> Result<RawSubtrees, Invalid> {
    let mut raw = RawSubtrees::default();
    for GeneralSubtree { base, minimum, maximum } in subtrees {
        if minimum != 0 || maximum.is_some() {
            return Err(wrong("The nameConstraints extension uses minimum or maximum, which RFC 5280 forbids."));
        }
        match base {
            GeneralName::DnsName(dns) => raw.dns.push(dns.to_string()),
            GeneralName::Rfc822Name(email) => raw.email.push(email.to_string()),
            GeneralName::UniformResourceIdentifier(uri) => raw.uri.push(uri.to_string()),
            GeneralName::IpAddress(octets) => raw.ip.push(
                ip_range(octets.as_bytes())
                    .ok_or_else(|| wrong("The nameConstraints extension has an IP range that is no CIDR range."))?,
            ),
            GeneralName::DirectoryName(directory) => {
                let der = directory.to_der().map_err(|_| wrong("A directory name constraint cannot be read."))?;
                let (_, parsed) =
                    X509Name::from_der(&der).map_err(|_| wrong("A directory name constraint cannot be read."))?;
                raw.directory.push(name::decode(&parsed)?);
            }
            GeneralName::OtherName(_) | GeneralName::EdiPartyName(_) | GeneralName::RegisteredId(_) => {
                return Err(wrong("The nameConstraints extension constrains names of a kind that is not known here."));
            }
        }
    }
    Ok(raw)
}

/// Address and mask of equal length to CIDR text; the mask must be ones followed by zeros.
fn ip_range(octets: &[u8]) -> Option<String> {
    let (address, mask) = octets.split_at_checked(octets.len() / 2)?;
    let (address, mask) = (san::ip_address(address)?, san::ip_address(mask)?);
    let prefix = match mask {
        IpAddr::V4(mask) => u32::from(mask).leading_ones(),
        IpAddr::V6(mask) => u128::from(mask).leading_ones(),
    };
    let contiguous = match mask {
        IpAddr::V4(mask) => u32::from(mask).count_ones() == prefix,
        IpAddr::V6(mask) => u128::from(mask).count_ones() == prefix,
    };
    contiguous.then(|| format!("{address}/{prefix}"))
}

fn wrong(detail: &str) -> Invalid {
    Invalid::new(
        "invalid_name_constraints",
        detail,
        "Constrain DNS names, IP ranges, email, URI hosts and directory names.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_become_prefixes() {
        assert_eq!(ip_range(&[10, 0, 0, 0, 255, 0, 0, 0]).as_deref(), Some("10.0.0.0/8"));
        assert_eq!(ip_range(&[0; 8]).as_deref(), Some("0.0.0.0/0"));
        assert_eq!(ip_range(&[0; 32]).as_deref(), Some("::/0"));
        assert_eq!(ip_range(&[10, 0, 0, 0, 255, 0, 255, 0]), None);
        assert_eq!(ip_range(&[10, 0, 0, 0]), None);
        assert_eq!(ip_range(&[]), None);
    }
}
