//! Name constraints (RFC 5280 section 4.2.1.10): as an operator writes them, and as they are enforced before signing.
//!
//! Verifiers differ in the details. What we let pass must pass with all of them, so *permitted* is compared in the
//! strictest way that any of them uses and *excluded* in the loosest. A wildcard counts as every name that it reaches (one
//! label in place of the `*`, RFC 9525): none may lie outside what is permitted, none inside what is excluded.
//! A kind with permitted entries admits nothing else of that kind; a kind without entries is free.

mod matching;
mod parse;

pub use matching::{Refusal, SubjectRefusal};

use crate::dn::DistinguishedName;
use crate::san::San;
use crate::violation::Invalid;
use ipnet::IpNet;

/// Subtrees of names, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subtrees {
    /// DNS subtrees in lower-case A-labels; the name itself and everything below it. With a leading dot, which only
    /// certificates of others have: permitted, only what lies below; excluded, as without. The empty text holds every
    /// DNS name.
    pub dns: Vec<String>,
    /// IP ranges.
    pub ip: Vec<IpNet>,
    /// E-mail: a host (`example.com`; excluded: with everything below), hosts below a domain (`.example.com`) or one
    /// address (`a@example.com`).
    pub email: Vec<String>,
    /// URI hosts: a host (excluded: with everything below), or hosts below a domain with a leading dot.
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
    /// DNS subtrees; [`NameConstraints::parse`] takes a leading dot off, [`NameConstraints::read`] leaves it.
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

/// Most subtrees of one CA, both sides together: a certificate has to stay small enough for every TLS stack.
pub const MAX_SUBTREES: usize = 200;

impl NameConstraints {
    /// Parses both sides as somebody asks for them; at least one subtree must be there. Values become canonical
    /// (lower-case A-labels, network addresses), repeats fall away. A leading dot of a DNS subtree is taken off: RFC 5280
    /// knows none, and verifiers differ in what it means.
    ///
    /// # Errors
    ///
    /// `invalid_name_constraints`: a text is no subtree of its kind, none is there, or there are more than
    /// [`MAX_SUBTREES`].
    pub fn parse(permitted: RawSubtrees, excluded: RawSubtrees) -> Result<Self, Invalid> {
        Self::with(permitted, excluded, parse::Dots::TakenOff)
    }

    /// Reads both sides as they stand in a certificate or were kept: a leading dot of a DNS subtree stays, since Go and
    /// OpenSSL then let only names below through.
    ///
    /// # Errors
    ///
    /// As [`NameConstraints::parse`].
    pub fn read(permitted: RawSubtrees, excluded: RawSubtrees) -> Result<Self, Invalid> {
        Self::with(permitted, excluded, parse::Dots::Kept)
    }

    fn with(permitted: RawSubtrees, excluded: RawSubtrees, dots: parse::Dots) -> Result<Self, Invalid> {
        let permitted = parse::subtrees(permitted, "permitted", dots)?;
        let excluded = parse::subtrees(excluded, "excluded", dots)?;
        let count = parse::count(&permitted).saturating_add(parse::count(&excluded));
        if count == 0 {
            return Err(parse::wrong(
                "The name constraints are empty.".into(),
                "Give at least one permitted or excluded subtree, or leave the name constraints out.",
            ));
        }
        if count > MAX_SUBTREES {
            return Err(parse::wrong(
                format!("The name constraints have {count} subtrees, {MAX_SUBTREES} are allowed."),
                "Use fewer and wider subtrees.",
            ));
        }
        Ok(Self { permitted, excluded })
    }

    /// Both sides as text, permitted first; [`NameConstraints::read`] gives the same back.
    pub fn to_raw(&self) -> (RawSubtrees, RawSubtrees) {
        (parse::to_raw(&self.permitted), parse::to_raw(&self.excluded))
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
        self.judge(name).map(|refusal| refusal.detail)
    }

    /// Why the constraints refuse the subject (directory names, e-mail attributes, DNS-like commonName), or `None`.
    pub fn refuse_subject(&self, subject: &DistinguishedName) -> Option<String> {
        self.judge_subject(subject, true).into_iter().next().map(|found| found.refusal.detail)
    }
}

#[cfg(test)]
mod tests;
