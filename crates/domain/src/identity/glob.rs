//! Patterns of claim values.

use crate::violation::Invalid;
use std::fmt;

/// Longest pattern, in bytes.
const MAX: usize = 512;

/// A pattern in which `*` stands for any run of characters, an empty one too. Everything else stands for itself; upper and
/// lower case differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text.len() > MAX || text.chars().any(char::is_control) {
            let shown: String = text.chars().take(80).collect();
            return Err(Invalid::new(
                "invalid_claim_pattern",
                format!("`{}` is not a pattern of claim values.", shown.escape_debug()),
                format!("Use 1 to {MAX} bytes without control characters; `*` stands for any run of characters."),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every value begins with.
    pub fn beginning(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    /// Does it stand for one value alone?
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Does the value match? What stands in the value stands for itself, a `*` too.
    pub fn matches(&self, value: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == value };
        let Some(mut left) = value.strip_prefix(first) else { return false };
        // Between the stars, the first place that fits is as good as any later one.
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*').filter(|part| !part.is_empty()) {
            let Some((_, behind)) = left.split_once(part) else { return false };
            left = behind;
        }
        left.ends_with(last)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
