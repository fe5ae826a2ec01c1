//! Statements and what they are made of.

use super::condition::Condition;
use super::parser::Parser;
use super::resource::{Covered, Verb};
use super::syntax::SyntaxError;
use crate::id::{CompartmentId, DynamicGroupId, GroupId, UserId};
use crate::principal::{PrincipalName, is_bare};
use std::fmt;

/// The longest text of a statement, in bytes.
pub const LONGEST: usize = 4096;

/// How deep `any {}` and `all {}` may stand in each other.
pub const DEEPEST: usize = 8;

/// The most names, values or branches in one list.
pub const WIDEST: usize = 64;

/// The domain that OCI's operators may write before a group; it is the only one here.
pub(super) const DOMAIN: &str = "Default";

/// Words that are quoted when they are names.
pub(super) const KEYWORDS: [&str; 4] = ["to", "in", "where", "id"];

/// One of several, by name or by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who<Id> {
    /// By canonical names.
    Named(Vec<PrincipalName>),
    /// By id.
    Id(Id),
}

/// Whom a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Everybody who is authenticated, CAs and machines too.
    AnyUser,
    /// Every user who is in a group.
    AnyGroup,
    /// The members of groups.
    Group(Who<GroupId>),
    /// The members of dynamic groups.
    DynamicGroup(Who<DynamicGroupId>),
    /// Users.
    User(Who<UserId>),
}

/// Where a statement holds: there and below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Everywhere.
    Tenancy,
    /// A compartment by its path; one name is a path too.
    Path(Vec<String>),
    /// A compartment by its id.
    Id(CompartmentId),
}

/// What is granted: the part of a statement behind `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub(super) verb: Verb,
    pub(super) covered: Covered,
    pub(super) location: Location,
    pub(super) condition: Option<Condition>,
}

impl Grant {
    /// How much.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// Of what.
    pub fn covered(&self) -> Covered {
        self.covered
    }

    /// Where.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// On which condition.
    pub fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }
}

/// A statement of a policy: `Allow <subject> to <verb> <resource-type> in <location> [where <condition>]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    text: String,
    subject: Subject,
    grant: Grant,
}

impl Statement {
    /// Reads a statement.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let (subject, grant) = Parser::whole(text, |parser| {
            parser.keyword("allow")?;
            let subject = parser.subject()?;
            parser.keyword("to")?;
            Ok((subject, parser.grant()?))
        })?;
        Ok(Self { text: text.to_owned(), subject, grant })
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whom it is about.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What it grants.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// What whoever wrote the statement should know about it.
    pub fn notice(&self) -> Option<&'static str> {
        self.grant.covered.grants_nothing().then_some(
            "The statement is understood and kept, but it grants nothing yet: there are no secrets in this server.",
        )
    }
}

/// What a token may be used for, at most: a statement without `Allow <subject> to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowing {
    text: String,
    grant: Grant,
}

impl Narrowing {
    /// Reads a narrowing.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Ok(Self { grant: Parser::whole(text, Parser::grant)?, text: text.to_owned() })
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is left.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }
}

/// Who is a member of a dynamic group: a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchingRule {
    text: String,
    condition: Condition,
}

impl MatchingRule {
    /// Reads a rule.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Ok(Self { condition: Parser::whole(text, |parser| parser.condition(0))?, text: text.to_owned() })
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The condition.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Allow {} to {}", self.subject, self.grant)
    }
}

impl fmt::Display for Narrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.grant.fmt(f)
    }
}

impl fmt::Display for MatchingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {}", self.verb, self.covered, self.location)?;
        self.condition.as_ref().map_or(Ok(()), |condition| write!(f, " where {condition}"))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyUser => f.write_str("any-user"),
            Self::AnyGroup => f.write_str("any-group"),
            Self::Group(who) => write!(f, "group {who}"),
            Self::DynamicGroup(who) => write!(f, "dynamic-group {who}"),
            Self::User(who) => write!(f, "user {who}"),
        }
    }
}

impl<Id: fmt::Display> fmt::Display for Who<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "id {id}"),
            Self::Named(names) => {
                f.write_str(&names.iter().map(|name| quoted(name.as_str())).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenancy => f.write_str("tenancy"),
            Self::Id(id) => write!(f, "compartment id {id}"),
            Self::Path(path) => {
                write!(f, "compartment {}", path.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(":"))
            }
        }
    }
}

fn quoted(name: &str) -> String {
    let bare = name.chars().all(is_bare) && !KEYWORDS.iter().any(|word| word.eq_ignore_ascii_case(name));
    if bare { name.to_owned() } else { format!("'{name}'") }
}
