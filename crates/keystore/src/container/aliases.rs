//! Names of entries in key stores.

use super::Error;
use std::collections::HashSet;

const MAX_CHARACTERS: usize = 255;

/// Checks a name: not empty, no control characters, and only what UTF-16 writes as one unit (Java writes others in a way
/// of its own, and no program shows them alike).
pub(super) fn check(alias: &str) -> Result<(), Error> {
    if alias.is_empty() || alias.chars().count() > MAX_CHARACTERS {
        return Err(Error::UnsuitableAlias("An alias has 1 to 255 characters."));
    }
    if alias.chars().any(|c| c.is_control() || c.len_utf16() != 1) {
        return Err(Error::UnsuitableAlias("An alias has no control characters and none beyond U+FFFF."));
    }
    Ok(())
}

/// Lower-cased, as Java compares them, and made different from each other with a number at the end.
pub(super) fn distinct<'a>(aliases: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Error> {
    let mut taken = HashSet::new();
    aliases
        .map(|alias| {
            check(alias)?;
            let wanted = alias.to_lowercase();
            let mut candidate = wanted.clone();
            let mut number = 2usize;
            while !taken.insert(candidate.clone()) {
                candidate = format!("{wanted}-{number}");
                number = number.saturating_add(1);
            }
            Ok(candidate)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_become_distinct() {
        let made = distinct(["Root", "root", "ROOT", "other"].into_iter()).unwrap();
        assert_eq!(made, ["root", "root-2", "root-3", "other"]);
        for bad in ["", "a\0b", "😀", &"x".repeat(256)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
