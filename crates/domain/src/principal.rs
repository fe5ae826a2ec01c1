//! Names of principals: users, groups, dynamic groups. One canonical form, so that no two of them look alike.

use crate::id::looks_like_id;
use crate::violation::Invalid;
use std::fmt;

/// The longest name, in bytes.
const LONGEST: usize = 255;

/// The form in which names are compared: ASCII lower-case.
fn canonical(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn is_bare(symbol: char) -> bool {
    symbol.is_ascii_alphanumeric() || matches!(symbol, '.' | '_' | '@' | '+' | '-')
}

/// The canonical name of a principal: 1 to 255 of `a-z 0-9 . _ @ + -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrincipalName(String);

impl PrincipalName {
    /// Reads a name that is given to a user, a group or a dynamic group of ours.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        // A text of dots is a step in a path, one that is shaped like an id is taken for one.
        if matches!(text, "." | "..") || looks_like_id(text) {
            return Err(Invalid::new(
                "invalid_principal_name",
                format!("`{text}` means something else and cannot be a name."),
                "Choose a name that is not `.` or `..` and does not look like `kind_01JD8XK4M2W7Z3T5V9YQ6B1C0D`.",
            ));
        }
        Self::checked(text, is_bare)
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn checked(text: &str, may: impl Fn(char) -> bool) -> Result<Self, Invalid> {
        if (1..=LONGEST).contains(&text.len()) && text.chars().all(may) {
            return Ok(Self(canonical(text)));
        }
        let shown: String = text.chars().take(64).collect();
        Err(Invalid::new(
            "invalid_principal_name",
            format!("`{}` is not the name of a user or group ({} bytes long).", shown.escape_debug(), text.len()),
            format!(
                "A name is 1 to {LONGEST} of the letters `A-Z a-z 0-9 . _ @ + -`; upper and lower case are the same."
            ),
        ))
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    //! Names that are one, and names that are none.

    use super::*;

    #[test]
    fn names_that_differ_by_case_are_one_and_odd_ones_are_none() {
        assert_eq!(PrincipalName::parse("NetAdmins").unwrap(), PrincipalName::parse("netadmins").unwrap());
        for odd in
            ["", " a", "a ", "a b", "a\u{0}", "ａdmin", "аdmin", "e\u{301}", "a/b", "a:b", "a%b", &"a".repeat(256)]
        {
            assert!(PrincipalName::parse(odd).is_err(), "{odd:?}");
        }
    }
}
