//! A statement as it was read.

use super::condition::Condition;
use super::fault::SyntaxError;
use super::grammar;
use super::{ResourceSet, Verb};
use crate::id::CompartmentId;
use std::fmt;

/// Whom a statement lets do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Everybody who is known: users, machines, CAs.
    AnyUser,
    /// Everybody who is in a group.
    AnyGroup,
    /// Members of one of these groups.
    Groups(Vec<Name>),
    /// Those whom the rule of one of these takes.
    DynamicGroups(Vec<Name>),
    /// These users.
    Users(Vec<Name>),
}

/// A name in its canonical form, or an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// By name.
    Named(String),
    /// By id.
    Id(String),
}

/// Where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Everywhere.
    Tenancy,
    /// In a compartment and below it, by the names that lead there.
    Path(Vec<String>),
    /// The same by id.
    Id(CompartmentId),
}

/// `Allow <subject> to <verb> <resources> in <location> [where <condition>]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub(super) subject: Subject,
    pub(super) verb: Verb,
    pub(super) resource: &'static str,
    pub(super) resources: ResourceSet,
    pub(super) location: Location,
    pub(super) condition: Option<Condition>,
    pub(super) text: String,
}

/// What a token is narrowed to: a statement without its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowing {
    pub(super) verb: Verb,
    pub(super) resource: &'static str,
    pub(super) resources: ResourceSet,
    pub(super) location: Location,
    pub(super) condition: Option<Condition>,
    pub(super) text: String,
}

impl Statement {
    /// Reads a statement of at most 4,096 bytes. Keywords in any case; blanks and line ends as one likes.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        grammar::statement(text)
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is worth saying of a statement that is fine and yet gives nothing.
    pub fn notice(&self) -> Option<&'static str> {
        let nothing = self.resources.iter().all(|kind| super::kinds::SECRET.contains(kind));
        nothing.then_some("There are no secrets yet: this statement gives nothing.")
    }
}

impl Narrowing {
    /// Reads a narrowing, for example `use certificate-authority-delegates in compartment prod where target.ca.name = 'x'`.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        grammar::narrowing(text)
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "'{name}'"),
            Self::Id(id) => write!(f, "id {id}"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, names) = match self {
            Self::AnyUser => return f.write_str("any-user"),
            Self::AnyGroup => return f.write_str("any-group"),
            Self::Groups(names) => ("group", names),
            Self::DynamicGroups(names) => ("dynamic-group", names),
            Self::Users(names) => ("user", names),
        };
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        write!(f, "{word} {}", names.join(", "))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenancy => f.write_str("tenancy"),
            Self::Path(path) => write!(f, "compartment {}", path.join(":")),
            Self::Id(id) => write!(f, "compartment id {id}"),
        }
    }
}

/// The canonical form; it reads back as the same statement.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, verb, resource, location, condition, .. } = self;
        write!(f, "Allow {subject} to {} {resource} in {location}", verb.as_str())?;
        condition.as_ref().map_or(Ok(()), |condition| write!(f, " where {condition}"))
    }
}

impl fmt::Display for Narrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, location, condition, .. } = self;
        write!(f, "{} {resource} in {location}", verb.as_str())?;
        condition.as_ref().map_or(Ok(()), |condition| write!(f, " where {condition}"))
    }
}
