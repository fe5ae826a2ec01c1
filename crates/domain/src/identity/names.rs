//! The names that a machine may ask for.

use super::Claims;
use super::template::{Filled, NameTemplate};
use crate::profile::{Allowed, NameLimits};
use crate::san::San;
use crate::violation::Invalid;

/// Patterns of names, all claims put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedNames {
    texts: Vec<String>,
    limits: NameLimits,
}

impl AllowedNames {
    /// Reads patterns without claims.
    pub fn parse(texts: &[String]) -> Result<Self, Invalid> {
        let mut filled = Vec::new();
        for text in texts {
            let read = NameTemplate::parse(text)?.fill(&Claims::default());
            filled.push(read.map_err(|why| {
                Invalid::new("invalid_name_pattern", why, "Write a pattern of names without claims.")
            })?);
        }
        Ok(Self::of(filled))
    }

    pub(super) fn of(filled: Vec<(String, Filled)>) -> Self {
        let (mut dns, mut ip, mut email, mut uri) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut texts = Vec::new();
        for (text, pattern) in filled {
            texts.push(text);
            match pattern {
                Filled::Dns(pattern) => dns.push(pattern),
                Filled::Ip(range) => ip.push(range),
                Filled::Email(pattern) => email.push(pattern),
                Filled::Uri(pattern) => uri.push(pattern),
            }
        }
        let limits = NameLimits {
            dns: Allowed::Matching(dns),
            wildcards: true,
            ip: Allowed::Matching(ip),
            email: Allowed::Matching(email),
            uri: Allowed::Matching(uri),
            required: false,
            common_name_in_names: false,
            subject: Allowed::Anything,
        };
        Self { texts, limits }
    }

    /// The patterns as texts.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// May the machine ask for this name?
    pub fn allows(&self, name: &San) -> bool {
        self.limits.allows(name)
    }
}
