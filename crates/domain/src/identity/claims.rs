//! What a token says, flattened.

use std::collections::BTreeMap;

/// Most claims of a token, nested ones counted one by one.
pub const MAX_CLAIMS: usize = 200;
/// Most values of all claims together.
const MAX_VALUES: usize = 1000;

/// Claims by their path, the parts joined by dots (`kubernetes.io.namespace`), each with its values: one, or those of a
/// list. Numbers and truth values are texts here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    values: BTreeMap<String, Vec<String>>,
    count: usize,
}

impl Claims {
    /// Adds a claim; `false`: there are too many, or the path is there already. (`{"a.b": 1}` and `{"a": {"b": 1}}` have one
    /// path; which of the two a rule means could not be told.)
    #[must_use]
    pub fn insert(&mut self, path: String, values: Vec<String>) -> bool {
        self.count = self.count.saturating_add(values.len());
        let fits = self.values.len() < MAX_CLAIMS && self.count <= MAX_VALUES;
        fits && self.values.insert(path, values).is_none()
    }

    /// The values of a claim; none when it is not there.
    pub fn get(&self, path: &str) -> &[String] {
        self.values.get(path).map_or(&[], Vec::as_slice)
    }

    /// The one value of a claim; `None`: it has none, or several.
    pub fn single(&self, path: &str) -> Option<&str> {
        match self.get(path) {
            [value] => Some(value),
            _ => None,
        }
    }

    /// All of them.
    pub fn into_map(self) -> BTreeMap<String, Vec<String>> {
        self.values
    }
}
