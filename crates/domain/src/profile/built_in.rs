//! The profiles that are always there. They put no limit on lifetimes: the CA's own rule does.

use super::{Allowed, ExtendedKeyUsage, KeyHolder, NameLimits, Profile};
use crate::algorithm::KeyAlgorithm;
use crate::name::ResourceName;

pub(super) fn by_name(name: &str) -> Option<Profile> {
    use ExtendedKeyUsage as Usage;
    let (description, usages): (&str, &[Usage]) = match name {
        "tls-server-or-client" => ("TLS servers and clients.", &[Usage::ServerAuth, Usage::ClientAuth]),
        "tls-server" => ("TLS servers; at least one subject alternative name.", &[Usage::ServerAuth]),
        "tls-client" => ("TLS clients.", &[Usage::ClientAuth]),
        "code-sign" => ("Signing of code; RSA from 3072 bits.", &[Usage::CodeSigning]),
        _ => return None,
    };
    let code_sign = name == "code-sign";
    let key_algorithms = KeyAlgorithm::ALL
        .iter()
        .copied()
        .filter(|algorithm| algorithm.is_asymmetric() && !(code_sign && *algorithm == KeyAlgorithm::Rsa2048))
        .collect();
    Some(Profile {
        name: ResourceName::parse(name).ok()?,
        description: description.to_owned(),
        usages: usages.to_vec(),
        key_algorithms,
        max_validity: None,
        key_holders: KeyHolder::ALL.to_vec(),
        names: NameLimits {
            dns: if code_sign { Allowed::Nothing } else { Allowed::Anything },
            // A wildcard is let through by an operator's own profile only.
            wildcards: false,
            ip: if code_sign { Allowed::Nothing } else { Allowed::Anything },
            email: if name == "tls-server" { Allowed::Nothing } else { Allowed::Anything },
            uri: Allowed::Anything,
            required: name == "tls-server",
            common_name_in_names: false,
            subject: Allowed::Anything,
        },
    })
}
