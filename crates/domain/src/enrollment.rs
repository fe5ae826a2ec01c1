//! Enrolment tokens: what a machine that has nothing yet is given, to get its first certificate.

use crate::id::{CaId, EnrollmentTokenId};
use crate::name::ResourceName;
use crate::san::San;
use crate::serial::Sha256;
use crate::time::{Span, Timestamp};
use crate::violation::Invalid;

/// Most certificates that one token may give.
pub const MAX_USES: u32 = 10_000;
/// Most names of a token.
pub const MAX_NAMES: usize = 100;
/// How long a token lives when nobody says.
pub const DEFAULT_LIFETIME: Span = Span::from_minutes(15);
/// Longest life of a token.
pub const MAX_LIFETIME: Span = Span::from_hours(24);

/// A token's record: never its text, only the hash of the secret part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentToken {
    /// Id; part of the token's text, so that it can be found without a scan.
    pub id: EnrollmentTokenId,
    /// Name, unique.
    pub name: ResourceName,
    /// The CA that signs.
    pub ca: CaId,
    /// The profile that it signs with.
    pub profile: ResourceName,
    /// What it is good for.
    pub terms: EnrollmentTerms,
    /// How many certificates it may still give.
    pub uses_left: u32,
    /// SHA-256 of the secret part.
    pub secret_sha256: Sha256,
    /// When it was made.
    pub created_at: Timestamp,
}

impl EnrollmentToken {
    /// Has its time come?
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.terms.expires_at <= now
    }
}

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentTerms {
    names: Vec<San>,
    uses: u32,
    expires_at: Timestamp,
}

impl EnrollmentTerms {
    /// Judges what was asked for; every fault is listed with its JSON pointer. An end may be told as a time or as a
    /// lifetime, not as both; without one it is [`DEFAULT_LIFETIME`].
    pub fn judge(
        mut names: Vec<San>,
        uses: Option<u32>,
        expires_at: Option<Timestamp>,
        lifetime: Option<Span>,
        now: Timestamp,
    ) -> Result<Self, Vec<(&'static str, Invalid)>> {
        let mut faults = Vec::new();
        names.sort_by_key(|name| (name.kind(), name.to_string()));
        names.dedup();
        if names.is_empty() || names.len() > MAX_NAMES {
            let detail = format!("The token has {} names; it must have 1 to {MAX_NAMES}.", names.len());
            let hint = "List the exact names that its holder may ask for.";
            faults.push(("/names", Invalid::new("invalid_names", detail, hint)));
        }
        let uses = uses.unwrap_or(1);
        if !(1..=MAX_USES).contains(&uses) {
            let detail = format!("A token gives 1 to {MAX_USES} certificates, not {uses}.");
            faults.push(("/uses", Invalid::new("invalid_uses", detail, "Use 1 for a single certificate.")));
        }
        if expires_at.is_some() && lifetime.is_some() {
            let detail = "The end stands there twice, as a time and as a lifetime.";
            faults.push(("/lifetime", Invalid::new("ambiguous_end", detail, "Give `expiresAt` or `lifetime`.")));
        }
        let end = expires_at.unwrap_or_else(|| now.plus(lifetime.unwrap_or(DEFAULT_LIFETIME)));
        if end <= now || end > now.plus(MAX_LIFETIME) {
            let pointer = if expires_at.is_some() { "/expiresAt" } else { "/lifetime" };
            let detail = format!("The token would end at {end}; it is {now} now.");
            let hint = format!("Let it end after now and not after {}.", now.plus(MAX_LIFETIME));
            faults.push((pointer, Invalid::new("invalid_expiry", detail, hint)));
        }
        if faults.is_empty() { Ok(Self { names, uses, expires_at: end }) } else { Err(faults) }
    }

    /// Terms as they were stored; `None`: no token was ever made with such terms.
    pub fn stored(names: Vec<San>, uses: u32, expires_at: Timestamp) -> Option<Self> {
        let sound = (1..=MAX_NAMES).contains(&names.len()) && (1..=MAX_USES).contains(&uses);
        sound.then_some(Self { names, uses, expires_at })
    }

    /// The exact names that may be asked for, all or some of them.
    pub fn names(&self) -> &[San] {
        &self.names
    }

    /// How many certificates it was made for.
    pub fn uses(&self) -> u32 {
        self.uses
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// May the holder ask for this name? A wildcard is a name like any other: it stands for itself alone.
    pub fn allows(&self, name: &San) -> bool {
        self.names.contains(name)
    }

    /// May this text stand where people read a name (in a commonName)? Only the text of one of the names.
    pub fn allows_text(&self, text: &str) -> bool {
        self.names.iter().any(|name| match name {
            San::Dns(dns) => dns.as_str().eq_ignore_ascii_case(text),
            San::Ip(_) | San::Email(_) | San::Uri(_) => name.to_string() == text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<San> {
        texts.iter().map(|text| San::parse(text).unwrap()).collect()
    }

    fn now() -> Timestamp {
        Timestamp::from_unix_s(1_000_000)
    }

    fn codes(
        texts: &[&str],
        uses: Option<u32>,
        end: Option<Timestamp>,
        life: Option<Span>,
    ) -> Vec<(&'static str, &'static str)> {
        match EnrollmentTerms::judge(names(texts), uses, end, life, now()) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|(pointer, invalid)| (pointer, invalid.code)).collect(),
        }
    }

    #[test]
    fn what_nobody_says_is_one_use_within_a_quarter_of_an_hour() {
        let terms = EnrollmentTerms::judge(names(&["a.example.com"]), None, None, None, now()).unwrap();
        assert_eq!((terms.uses(), terms.expires_at()), (1, now().plus(Span::from_minutes(15))));
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let a = &["a.example.com"][..];
        let day = Span::from_hours(24);
        assert!(codes(a, Some(MAX_USES), Some(now().plus(day)), None).is_empty());
        assert!(codes(a, None, None, Some(day)).is_empty());
        let over = Span::from_ms(day.ms().saturating_add(1));
        assert_eq!(codes(a, None, None, Some(over)), [("/lifetime", "invalid_expiry")]);
        assert_eq!(codes(a, None, Some(now().plus(over)), None), [("/expiresAt", "invalid_expiry")]);
        assert_eq!(codes(a, None, Some(now()), None), [("/expiresAt", "invalid_expiry")]);
        assert_eq!(codes(a, None, None, Some(Span::from_ms(0))), [("/lifetime", "invalid_expiry")]);
        assert_eq!(codes(a, Some(0), None, None), [("/uses", "invalid_uses")]);
        assert_eq!(codes(a, Some(MAX_USES.saturating_add(1)), None, None), [("/uses", "invalid_uses")]);
        assert_eq!(codes(&[], None, None, None), [("/names", "invalid_names")]);
        assert_eq!(codes(a, None, Some(now().plus(day)), Some(day)), [("/lifetime", "ambiguous_end")]);
    }

    #[test]
    fn a_name_is_allowed_as_it_is_and_in_no_other_way() {
        let given = names(&["a.example.com", "*.b.example.com", "10.0.0.5", "spiffe://corp/Db"]);
        let terms = EnrollmentTerms::judge(given, None, None, None, now()).unwrap();
        for (name, allowed) in [
            ("A.example.com", true),
            ("*.b.example.com", true),
            ("x.b.example.com", false),
            ("b.example.com", false),
            ("x.a.example.com", false),
            ("10.0.0.5", true),
            ("10.0.0.6", false),
            ("spiffe://corp/Db", true),
            ("spiffe://corp/other", false),
        ] {
            assert_eq!(terms.allows(&San::parse(name).unwrap()), allowed, "{name}");
            assert_eq!(terms.allows_text(name), allowed, "{name}");
        }
        for text in ["dns:a.example.com", "spiffe://corp/db", " a.example.com", "a.example.com.", ""] {
            assert!(!terms.allows_text(text), "{text}");
        }
    }
}
