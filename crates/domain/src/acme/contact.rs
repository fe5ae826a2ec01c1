//! Contacts of accounts (RFC 8555 section 7.1.2, 7.3): `mailto` URLs with one address.

use crate::san::EmailAddress;
use crate::violation::Invalid;

/// A contact: `mailto:` with exactly one address and no header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact(String);

impl Contact {
    /// Most contacts of an account.
    pub const MOST: usize = 10;

    /// Reads a contact. Code `unsupportedContact` for other schemes, `invalidContact` for what is no single address.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |detail: String| {
            Invalid::new("invalidContact", detail, "Give one ASCII e-mail address: `mailto:ops@example.com`.")
        };
        let Some((scheme, address)) = text.split_once(':') else {
            return Err(invalid(format!("`{}` is not a URL.", text.escape_debug())));
        };
        if !scheme.eq_ignore_ascii_case("mailto") {
            return Err(Invalid::new(
                "unsupportedContact",
                format!("Contacts with the scheme `{}` are not supported.", scheme.escape_debug()),
                "Use `mailto:`.",
            ));
        }
        if address.contains(['?', ',', '%']) || !address.is_ascii() {
            return Err(invalid(format!("`{}` is not a single plain address.", text.escape_debug())));
        }
        let address = EmailAddress::parse(address)
            .map_err(|_| invalid(format!("`{}` is not an e-mail address.", address.escape_debug())))?;
        Ok(Self(format!("mailto:{}", address.as_str())))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
