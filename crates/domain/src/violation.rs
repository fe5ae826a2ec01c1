//! What is wrong with a value, in words a caller can act on.

use std::fmt;

/// A single value could not be parsed into its type. The caller's fault; a 400 at the door, with `field` as pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Invalid {
    /// Stable machine word, `snake_case`, for example `invalid_name`.
    pub code: &'static str,
    /// One sentence that names the value and what is wrong with it.
    pub detail: String,
    /// What would be accepted instead.
    pub hint: String,
}

impl Invalid {
    /// Makes a refusal of one value.
    pub fn new(code: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: hint.into() }
    }
}

/// A rule that a well-formed request breaks; a 422 at the door. A refusal carries all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Stable machine word of the kind of refusal, for example `lifetime_too_long`.
    pub code: &'static str,
    /// The rule that refused, as operators write it, for example `leafMaxValidity`.
    pub rule: &'static str,
    /// Who carries the rule, for example `CA issuing-1` or `profile tls-server`.
    pub owner: String,
    /// JSON pointer (RFC 6901) of the offending part of the request; empty when the request as a whole is meant.
    pub pointer: String,
    /// The limit, as text.
    pub limit: String,
    /// The value that broke it, as text.
    pub value: String,
    /// The values that would pass, where they can be listed or described.
    pub allowed: String,
    /// One full sentence for people.
    pub detail: String,
    /// The smallest change that would pass.
    pub hint: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// The verdict of one rule, kept for trial runs (`?dryRun=true`), which list the rules that passed as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The rule, as operators write it.
    pub rule: &'static str,
    /// Who carries the rule.
    pub owner: String,
    /// The limit, as text.
    pub limit: String,
    /// The value judged, as text.
    pub value: String,
    /// Empty when the rule passed, otherwise every way in which it was broken.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Did the request keep this rule?
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }
}

/// The first ten of a list and how many more there are, for people.
pub(crate) fn listed<T: fmt::Display>(items: impl ExactSizeIterator<Item = T>) -> String {
    const SHOWN: usize = 10;
    let more = items.len().saturating_sub(SHOWN);
    let mut text = String::new();
    for item in items.take(SHOWN) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&item.to_string());
    }
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
