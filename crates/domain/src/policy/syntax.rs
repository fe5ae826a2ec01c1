//! Where a text stops being a statement, and what would have been understood there.

use std::fmt;

/// A text that is not a statement: the caller's fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The column in that line, from 1, in characters.
    pub column: usize,
    /// What would have been understood; keywords stand in backticks.
    pub expected: Vec<String>,
    /// What stands there.
    pub found: String,
    /// The word that was perhaps meant.
    pub suggestion: Option<String>,
    source: String,
}

impl SyntaxError {
    /// `at` is a byte offset in `whole`.
    pub(super) fn at(whole: &str, at: usize, expected: Vec<String>, candidates: &[&str]) -> Self {
        let (before, rest) = whole.split_at_checked(at).unwrap_or((whole, ""));
        let line_start = before.rfind('\n').map_or(0, |place| place.saturating_add(1));
        let source = whole.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1);
        let word: String = rest.chars().take_while(|symbol| is_wordy(*symbol)).take(64).collect();
        let found = match rest.chars().next() {
            None => "the end".to_owned(),
            Some(first) if word.is_empty() && first.is_control() => format!("`{}`", first.escape_debug()),
            Some(first) if word.is_empty() => format!("`{first}`"),
            Some(_) => format!("`{word}`"),
        };
        Self {
            line: before.matches('\n').count().saturating_add(1),
            column,
            expected,
            found,
            suggestion: nearest(&word, candidates),
            source: source.to_owned(),
        }
    }

    /// The line and a caret under the column.
    pub fn rendered(&self) -> String {
        let mut caret = String::new();
        let mut source = String::new();
        for symbol in self.source.chars() {
            source.push(if symbol.is_control() { ' ' } else { symbol });
        }
        for _ in 1..self.column {
            caret.push(' ');
        }
        format!("{source}\n{caret}^")
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        let one_of = if self.expected.len() > 1 { "one of " } else { "" };
        write!(f, "column {}: expected {one_of}{}, found {}", self.column, self.expected.join(", "), self.found)?;
        if let Some(word) = &self.suggestion {
            write!(f, "; did you mean `{word}`?")?;
        }
        Ok(())
    }
}

impl std::error::Error for SyntaxError {}

pub(super) fn is_wordy(symbol: char) -> bool {
    symbol.is_alphanumeric() || matches!(symbol, '.' | '_' | '@' | '+' | '-')
}

/// The candidate that the fewest changes of a letter lead to, if those are few enough for a slip of the pen.
fn nearest(word: &str, candidates: &[&str]) -> Option<String> {
    let word = word.to_ascii_lowercase();
    let most = (word.len().saturating_add(2) / 3).clamp(1, 3);
    candidates
        .iter()
        .map(|candidate| (distance(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(steps, _)| *steps <= most && !word.is_empty())
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| (*candidate).to_owned())
}

fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (place, a) in one.chars().enumerate() {
        let mut last = place.saturating_add(1);
        let mut next = vec![last];
        for (b, pair) in other.chars().zip(row.windows(2)) {
            if let [diagonal, above] = pair {
                last = diagonal.saturating_add(usize::from(a != b)).min(last.min(*above).saturating_add(1));
                next.push(last);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
