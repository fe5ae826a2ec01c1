//! Names of resources, and references that may be a name or an id.

use crate::id::looks_like_id;
use crate::violation::Invalid;
use std::fmt;

/// A resource's name: `[A-Za-z0-9._-]{1,255}`, not shaped like an id, not `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceName(String);

impl ResourceName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fine = (1..=255).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            && !matches!(text, "." | "..");
        if !fine {
            return Err(Invalid::new(
                "invalid_name",
                format!("`{}` is not a valid name.", text.escape_debug()),
                "Use 1 to 255 letters, digits, dots, underscores and hyphens.",
            ));
        }
        if looks_like_id(text) {
            return Err(Invalid::new(
                "invalid_name",
                format!("`{text}` has the form of an id and cannot be a name."),
                "Choose a name that does not look like `kind_01JD8XK4M2W7Z3T5V9YQ6B1C0D`.",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A reference from a path or a body: the text of an id or of a name. Which of the two it is, its form tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference(String);

impl Reference {
    /// Reads a reference.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if looks_like_id(text) {
            return Ok(Self(text.to_owned()));
        }
        ResourceName::parse(text).map(|name| Self(name.0))
    }

    /// The reference as text; storage compares it with both the id and the name column.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&ResourceName> for Reference {
    fn from(name: &ResourceName) -> Self {
        Self(name.0.clone())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
