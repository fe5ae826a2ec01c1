//! Name constraints (RFC 5280 section 4.2.1.10): as an operator writes them, and as they are enforced before signing.

use crate::dn::DistinguishedName;
use crate::san::San;
use crate::violation::Invalid;
use ipnet::IpNet;

/// Subtrees of names, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subtrees {
    /// DNS subtrees in lower-case A-labels, without a leading dot; the name itself and everything below it.
    pub dns: Vec<String>,
    /// IP ranges.
    pub ip: Vec<IpNet>,
    /// E-mail: a host (`example.com`), hosts below a domain (`.example.com`) or one address.
    pub email: Vec<String>,
    /// URI hosts: a host, or hosts below a domain with a leading dot.
    pub uri: Vec<String>,
    /// Directory names: every subject below.
    pub directory: Vec<DistinguishedName>,
}

impl Subtrees {
    /// No subtree of any kind?
    pub fn is_empty(&self) -> bool {
        self.dns.is_empty()
            && self.ip.is_empty()
            && self.email.is_empty()
            && self.uri.is_empty()
            && self.directory.is_empty()
    }
}

/// Name constraints of a CA. At least one subtree; fixed once the CA is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameConstraints {
    permitted: Subtrees,
    excluded: Subtrees,
}

/// Subtrees as text, from a request or a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawSubtrees {
    /// DNS subtrees; a leading dot is taken off.
    pub dns: Vec<String>,
    /// CIDR ranges; a bare address is a range of one.
    pub ip: Vec<String>,
    /// E-mail constraints.
    pub email: Vec<String>,
    /// URI host constraints.
    pub uri: Vec<String>,
    /// Directory names.
    pub directory: Vec<DistinguishedName>,
}

impl NameConstraints {
    /// Parses both sides; at least one subtree must be there.
    pub fn parse(permitted: RawSubtrees, excluded: RawSubtrees) -> Result<Self, Invalid> {
        let _ = (permitted, excluded);
        todo!()
    }

    /// Names must lie in one of these, per kind that occurs here.
    pub fn permitted(&self) -> &Subtrees {
        &self.permitted
    }

    /// Names must lie in none of these.
    pub fn excluded(&self) -> &Subtrees {
        &self.excluded
    }

    /// Why the constraints refuse `name`, or `None` when they let it pass.
    pub fn refuse(&self, name: &San) -> Option<String> {
        let _ = name;
        todo!()
    }

    /// Why the constraints refuse the subject (directory names, e-mail attributes, DNS-like commonName), or `None`.
    pub fn refuse_subject(&self, subject: &DistinguishedName) -> Option<String> {
        let _ = subject;
        todo!()
    }
}
