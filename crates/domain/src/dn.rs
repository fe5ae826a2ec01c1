//! Distinguished names (RFC 5280 section 4.1.2.4) in the order they were given.

use crate::algorithm::named_enum;
use crate::violation::Invalid;
use std::fmt;

named_enum! {
    /// Attribute types that a subject may carry, by their names in JSON.
    AttributeType, "invalid_subject_attribute", "subject attribute" {
        /// 2.5.4.3
        CommonName = "commonName",
        /// 2.5.4.10
        Organization = "organization",
        /// 2.5.4.11
        OrganizationalUnit = "organizationalUnit",
        /// 2.5.4.7
        Locality = "locality",
        /// 2.5.4.8
        StateOrProvince = "stateOrProvince",
        /// 2.5.4.6, two letters (ISO 3166), PrintableString
        Country = "country",
        /// 1.2.840.113549.1.9.1, IA5String
        EmailAddress = "emailAddress",
        /// 2.5.4.5, PrintableString
        SerialNumber = "serialNumber",
        /// 2.5.4.9
        Street = "street",
        /// 2.5.4.17
        PostalCode = "postalCode",
        /// 0.9.2342.19200300.100.1.25, IA5String
        DomainComponent = "domainComponent",
        /// 0.9.2342.19200300.100.1.1
        UserId = "userId",
        /// 2.5.4.42
        GivenName = "givenName",
        /// 2.5.4.4
        Surname = "surname",
        /// 2.5.4.12
        Title = "title",
        /// 2.5.4.43
        Initials = "initials",
        /// 2.5.4.65
        Pseudonym = "pseudonym",
        /// 2.5.4.44
        GenerationQualifier = "generationQualifier",
        /// 2.5.4.46, PrintableString
        DistinguishedNameQualifier = "distinguishedNameQualifier",
        /// 2.5.4.97
        OrganizationIdentifier = "organizationIdentifier",
    }
}

/// One relative distinguished name with a single attribute, its value checked for length and characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    kind: AttributeType,
    value: String,
}

impl Attribute {
    /// Reads an attribute that somebody asks for: as [`Attribute::read`], and with no character that nobody sees.
    ///
    /// # Errors
    ///
    /// `invalid_subject`.
    pub fn parse(kind: AttributeType, value: &str) -> Result<Self, Invalid> {
        let attribute = Self::read(kind, value)?;
        if let Some(symbol) = value.chars().find(|symbol| is_left_out(*symbol)) {
            return Err(Invalid::new(
                "invalid_subject",
                format!(
                    "The subject's {kind} `{}` has the character U+{:04X}, which nobody sees.",
                    value.escape_debug(),
                    u32::from(symbol)
                ),
                "Remove it, joiners and soft hyphens too: whoever compares names leaves such characters out \
                 (RFC 4518 section 2.2).",
            ));
        }
        Ok(attribute)
    }

    /// Reads an attribute of a name that is there, in a certificate or a row: not empty, no control characters, within
    /// the upper bounds of RFC 5280 appendix A.1, and only characters that its ASN.1 string type can hold.
    ///
    /// # Errors
    ///
    /// `invalid_subject`.
    pub fn read(kind: AttributeType, value: &str) -> Result<Self, Invalid> {
        use AttributeType as T;
        let max = match kind {
            T::Country => 2,
            T::CommonName
            | T::Organization
            | T::OrganizationalUnit
            | T::SerialNumber
            | T::Title
            | T::DistinguishedNameQualifier => 64,
            T::Locality | T::StateOrProvince | T::Street | T::Pseudonym => 128,
            T::PostalCode => 40,
            T::DomainComponent => 63,
            T::EmailAddress => 255,
            T::UserId | T::OrganizationIdentifier => 256,
            T::GivenName | T::Surname | T::Initials | T::GenerationQualifier => 64,
        };
        let wrong = |why: String, hint: &str| {
            Err(Invalid::new(
                "invalid_subject",
                format!("The subject's {kind} `{}` {why}.", value.chars().take(80).collect::<String>().escape_debug()),
                hint,
            ))
        };
        let length = value.chars().count();
        if kind == T::Country && !(length == 2 && value.bytes().all(|b| b.is_ascii_uppercase())) {
            return wrong("is not a country code".into(), "Use two capital letters of ISO 3166, for example `KR`.");
        }
        if length == 0 || length > max {
            return wrong(
                format!("has {length} characters, 1 to {max} are allowed"),
                "Shorten it, or leave the attribute out.",
            );
        }
        if value.chars().any(is_invisible) || value.trim() != value {
            return wrong("has control or direction characters, or blanks at an end".into(), "Remove them.");
        }
        let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
        match kind {
            T::SerialNumber | T::DistinguishedNameQualifier if !value.chars().all(printable) => wrong(
                "has characters that PrintableString cannot hold".into(),
                "Use ASCII letters, digits and ' ( ) + , - . / : = ?",
            ),
            T::EmailAddress | T::DomainComponent if !value.is_ascii() => {
                wrong("is not ASCII".into(), "Use ASCII (RFC 5280 asks for IA5String).")
            }
            T::EmailAddress
                if value.contains(' ')
                    || !value
                        .split_once('@')
                        .is_some_and(|(l, d)| !l.is_empty() && !d.is_empty() && !d.contains('@')) =>
            {
                wrong("is not an e-mail address".into(), "Write it as `name@example.com`.")
            }
            _ => Ok(Self { kind, value: value.to_owned() }),
        }
    }

    /// Same type, and a value that differs in letter case, repeated blanks and what nobody sees at most.
    fn is_like(&self, other: &Self) -> bool {
        let folded = |value: &str| {
            value
                .split_whitespace()
                .flat_map(|word| word.chars().chain([' ']))
                .filter(|symbol| !is_left_out(*symbol))
                .flat_map(char::to_lowercase)
                .collect::<String>()
        };
        self.kind == other.kind && (self.value == other.value || folded(&self.value) == folded(&other.value))
    }

    /// The attribute type.
    pub fn kind(&self) -> AttributeType {
        self.kind
    }

    /// The value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Control characters, line and paragraph separators, the byte order mark, and the marks that turn the direction of text:
/// nobody sees them, and they make a name look like another.
fn is_invisible(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What RFC 4518 section 2.2 leaves out when names are compared, other than [`is_invisible`], and what is as little to be
/// seen: soft hyphens, joiners, zero widths, invisible operators, variation selectors, tags, the Arabic letter mark.
/// Some scripts want the joiners (U+200C, U+200D); two names that differ in them alone would be one to every verifier.
fn is_left_out(symbol: char) -> bool {
    matches!(
        symbol,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180b}'..='\u{180e}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{2064}'
            | '\u{206a}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// A distinguished name: attributes in order, types may repeat, at most 32 of them. May be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DistinguishedName(Vec<Attribute>);

impl DistinguishedName {
    /// Puts attributes together.
    pub fn new(attributes: Vec<Attribute>) -> Result<Self, Invalid> {
        if attributes.len() > 32 {
            return Err(Invalid::new(
                "invalid_subject",
                format!("The subject has {} attributes, 32 are allowed.", attributes.len()),
                "Leave some out.",
            ));
        }
        Ok(Self(attributes))
    }

    /// The attributes in order.
    pub fn attributes(&self) -> &[Attribute] {
        &self.0
    }

    /// No attribute at all?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Do the two name the same entity for every way of comparing (RFC 5280 section 7.1: letter case and repeated blanks
    /// do not count)?
    pub fn is_like(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.begins_like(other)
    }

    /// Does the name begin with the attributes of `prefix`, compared as in [`Self::is_like`]?
    pub fn begins_like(&self, prefix: &Self) -> bool {
        self.0.len() >= prefix.0.len() && self.0.iter().zip(&prefix.0).all(|(a, b)| a.is_like(b))
    }

    /// Does the name begin with exactly the attributes of `prefix`? What every verifier takes for "below".
    pub fn begins_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The first commonName.
    pub fn common_name(&self) -> Option<&str> {
        self.0.iter().find(|a| a.kind == AttributeType::CommonName).map(Attribute::value)
    }

    /// Every commonName and every e-mail address: what somebody takes for a name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let named = |a: &&Attribute| matches!(a.kind, AttributeType::CommonName | AttributeType::EmailAddress);
        self.0.iter().filter(named).map(Attribute::value)
    }
}

impl fmt::Display for DistinguishedName {
    /// In the order given, as openssl prints it: `C=KR, O=DDIM, CN=a`; `,` `+` `\` and the like in values are
    /// escaped (RFC 4514).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use AttributeType as T;
        for (index, attribute) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            let short = match attribute.kind {
                T::CommonName => "CN",
                T::Organization => "O",
                T::OrganizationalUnit => "OU",
                T::Locality => "L",
                T::StateOrProvince => "ST",
                T::Country => "C",
                T::DomainComponent => "DC",
                T::UserId => "UID",
                T::GivenName => "GN",
                T::Surname => "SN",
                other => other.as_str(),
            };
            write!(f, "{short}=")?;
            for (place, symbol) in attribute.value.chars().enumerate() {
                if matches!(symbol, ',' | '+' | '\\' | '"' | '<' | '>' | ';') || (place == 0 && symbol == '#') {
                    f.write_str("\\")?;
                }
                write!(f, "{symbol}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
