//! What is wrong with a text that does not follow the grammar, and where.

use std::fmt;
use winnow::error::ParserError;
use winnow::stream::{LocatingSlice, Location as _};

pub(super) type Input<'a> = LocatingSlice<&'a str>;

/// What went wrong, at the furthest place that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) expected: Vec<&'static str>,
    pub(super) why: Option<String>,
}

impl Fault {
    pub(super) fn expecting(at: usize, what: &'static str) -> Self {
        Self { at, expected: vec![what], why: None }
    }

    pub(super) fn because(at: usize, why: impl Into<String>) -> Self {
        Self { at, expected: Vec::new(), why: Some(why.into()) }
    }
}

impl<'a> ParserError<Input<'a>> for Fault {
    type Inner = Self;

    fn from_input(input: &Input<'a>) -> Self {
        Self { at: input.current_token_start(), expected: Vec::new(), why: None }
    }

    /// Whoever came further knows more; of two that stopped at one place, both are right.
    fn or(mut self, other: Self) -> Self {
        match self.at.cmp(&other.at) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Equal => {
                for one in other.expected {
                    if !self.expected.contains(&one) {
                        self.expected.push(one);
                    }
                }
                self.why = self.why.or(other.why);
                self
            }
        }
    }

    /// What is wrong for a reason of its own is not tried in another way.
    fn is_backtrack(&self) -> bool {
        self.why.is_none()
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// Text that is no statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Column, counted in characters from 1.
    pub column: usize,
    /// Line, from 1.
    pub line: usize,
    /// What would have been right there; empty where `why` says it all.
    pub expected: Vec<&'static str>,
    /// What stands there; empty at the end of the text.
    pub found: String,
    /// Another reason.
    pub why: Option<String>,
    /// The line, and a caret under the place.
    pub shown: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: ", self.column)?;
        if let Some(why) = &self.why {
            return f.write_str(why);
        }
        let found =
            if self.found.is_empty() { "the end".to_owned() } else { format!("`{}`", self.found.escape_debug()) };
        match self.expected.as_slice() {
            [] => write!(f, "nothing more was expected, found {found}"),
            [one] => write!(f, "expected {one}, found {found}"),
            several => write!(f, "expected one of {}; found {found}", several.join(", ")),
        }?;
        let words = self.expected.iter().filter_map(|word| word.strip_prefix('`')?.strip_suffix('`'));
        let near = words.map(|word| (distance(word, &self.found.to_ascii_lowercase()), word)).min();
        match near {
            Some((1..=2, word)) => write!(f, "; did you mean `{word}`?"),
            _ => Ok(()),
        }
    }
}

/// How many letters are to be changed, put in or left out to make one of the other.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, letter) in one.chars().take(64).enumerate() {
        let mut next = vec![number.saturating_add(1)];
        for ((above, before), (left, given)) in row.iter().skip(1).zip(&row).zip((0..).zip(&other)) {
            let left = next.get(left).copied().unwrap_or(usize::MAX);
            let swapped = before.saturating_add(usize::from(*given != letter));
            next.push(swapped.min(above.saturating_add(1)).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

pub(super) fn explain(text: &str, fault: Fault) -> SyntaxError {
    let at = (0..=fault.at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
    let line_start = before.rfind('\n').map_or(0, |place| place.saturating_add(1));
    let column = before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1);
    let whole = text.get(line_start..).and_then(|line| line.lines().next()).unwrap_or_default();
    let found: String = rest.chars().take_while(|c| is_word(*c)).take(40).collect();
    let found = if found.is_empty() { rest.chars().take(1).collect() } else { found };
    SyntaxError {
        column,
        line: before.matches('\n').count().saturating_add(1),
        expected: fault.expected,
        found,
        why: fault.why,
        shown: format!("{whole}\n{}^", " ".repeat(column.saturating_sub(1))),
    }
}

pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+')
}
