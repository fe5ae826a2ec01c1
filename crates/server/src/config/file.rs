//! The configuration file: TOML to flat paths, with lines, and every fault of it at once.

use super::origin::{Fault, Origin};
use super::reference::FIELDS;
use super::targets::{RawTargets, SECTIONS, Section};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// A value as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Toml {
    /// Text.
    Text(String),
    /// True or false.
    Switch(bool),
    /// A whole number that is not negative.
    Number(u64),
    /// A list of texts.
    List(Vec<String>),
    /// A table of lists of texts.
    Table(BTreeMap<String, Vec<String>>),
    /// Anything else, by its name.
    Other(&'static str),
}

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct File {
    path: PathBuf,
    values: BTreeMap<String, (Toml, usize)>,
    /// By the path of their section.
    named: BTreeMap<&'static str, RawTargets>,
}

impl File {
    /// Reads the text of a file. What cannot be read, is unknown or stands twice goes to `faults`.
    pub(crate) fn parse(path: &Path, text: &str, faults: &mut Vec<Fault>) -> Self {
        let mut file = Self { path: path.to_owned(), ..Self::default() };
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            // The error's own rendering quotes the line, which may hold a password; its message does not.
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            faults.push(Fault {
                path: path.display().to_string(),
                origin: Origin::File { path: path.to_owned(), line },
                detail: format!("This is not TOML: {}.", error.message().escape_debug()),
                hint: String::new(),
            });
        }
        file.add("", document.get_ref(), text, faults);
        file
    }

    /// Takes a value out, with the line it stands in.
    pub(crate) fn take(&mut self, path: &str) -> Option<(Toml, Origin)> {
        self.values.remove(path).map(|(value, line)| (value, Origin::File { path: self.path.clone(), line }))
    }

    /// Takes out what the operator named in a section.
    pub(super) fn take_named(&mut self, section: &'static Section) -> RawTargets {
        self.named.remove(section.path).unwrap_or_else(|| RawTargets::none(section))
    }

    fn add(&mut self, prefix: &str, table: &DeTable<'_>, text: &str, faults: &mut Vec<Fault>) {
        for (key, value) in table {
            let path =
                if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
            let line = line_of(text, key.span().start);
            if FIELDS.iter().any(|field| field.path == path) {
                self.values.insert(path, (read(value), line));
                continue;
            }
            if let Some(section) = SECTIONS.iter().find(|section| path == section.path)
                && let DeValue::Table(inner) = value.get_ref()
            {
                let named = RawTargets::read(section, &self.path, inner, text, faults);
                self.named.insert(section.path, named);
                continue;
            }
            let section = format!("{path}.");
            match value.get_ref() {
                DeValue::Table(inner) if FIELDS.iter().any(|field| field.path.starts_with(&section)) => {
                    self.add(&path, inner, text, faults);
                }
                _ => faults.push(Fault {
                    path: path.escape_debug().to_string(),
                    origin: Origin::File { path: self.path.clone(), line },
                    detail: "There is no such setting.".to_owned(),
                    hint: nearest(&path).map_or_else(
                        || "`certwright config example` lists them all.".to_owned(),
                        |known| format!("Did you mean `{known}`?"),
                    ),
                }),
            }
        }
    }
}

pub(super) fn read(value: &Spanned<DeValue<'_>>) -> Toml {
    match value.get_ref() {
        DeValue::String(text) => Toml::Text(text.to_string()),
        DeValue::Boolean(switch) => Toml::Switch(*switch),
        DeValue::Integer(number) => {
            u64::from_str_radix(number.as_str(), number.radix()).map_or(Toml::Other("another number"), Toml::Number)
        }
        DeValue::Array(list) => texts(list).map_or(Toml::Other("a list of something else"), Toml::List),
        DeValue::Table(table) => table
            .iter()
            .map(|(name, value)| Some((name.get_ref().to_string(), texts(value.get_ref().as_array()?)?)))
            .collect::<Option<_>>()
            .map_or(Toml::Other("a table of something else"), Toml::Table),
        other => Toml::Other(other.type_str()),
    }
}

fn texts(list: &DeArray<'_>) -> Option<Vec<String>> {
    list.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
}

/// The line, from 1, of a byte offset.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
}

/// The setting that an unknown path was probably meant to be: the same key in another section, or a few letters off.
fn nearest(path: &str) -> Option<&'static str> {
    let key = path.rsplit('.').next().unwrap_or(path);
    let same_key = FIELDS.iter().find(|field| field.path.rsplit('.').next() == Some(key));
    let close = || {
        FIELDS
            .iter()
            .map(|field| (distance(field.path, path), field))
            .filter(|(distance, _)| *distance <= 3)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, field)| field)
    };
    same_key.or_else(close).map(|field| field.path)
}

/// Levenshtein distance of two short texts.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut above_left = i;
        let mut left = i.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let change = above_left.saturating_add(usize::from(x != y));
            above_left = *cell;
            left = change.min(left.saturating_add(1)).min(cell.saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}
