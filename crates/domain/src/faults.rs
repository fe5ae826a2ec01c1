//! Collecting what is wrong with a text of many parts.

use crate::violation::Invalid;

/// Faults, each with the JSON pointer of its field. A part that has one is left out of the result, which is then never made.
#[derive(Default)]
pub(crate) struct Faults(pub(crate) Vec<(String, Invalid)>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, fault: Invalid) {
        self.0.push((pointer.into(), fault));
    }

    pub(crate) fn keep<T>(&mut self, pointer: &str, result: Result<T, Invalid>) -> Option<T> {
        result.map_err(|fault| self.add(pointer, fault)).ok()
    }

    /// Every text of a list of at most so many; repeats fall away, order stays.
    pub(crate) fn each<T: PartialEq>(
        &mut self,
        pointer: &str,
        texts: &[String],
        most: usize,
        read: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        if texts.len() > most {
            self.too_many(pointer, texts.len(), most);
            return values;
        }
        for (index, text) in texts.iter().enumerate() {
            match self.keep(&format!("{pointer}/{index}"), read(text)) {
                Some(value) if !values.contains(&value) => values.push(value),
                _ => {}
            }
        }
        values
    }

    /// A list that is too long.
    pub(crate) fn too_many(&mut self, pointer: &str, count: usize, most: usize) {
        let detail = format!("The list has {count} entries, {most} are allowed.");
        self.add(pointer, Invalid::new("too_many_entries", detail, "Use fewer; a pattern may stand for many."));
    }
}
