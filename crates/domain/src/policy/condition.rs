//! Conditions and their evaluation.

use super::Variable;
use super::fault::SyntaxError;
use super::grammar;
use super::variable::Comparison;
use crate::time::Timestamp;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// A condition. A test of a variable that does not apply to the request is false, whatever its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// All of them.
    All(Vec<Self>),
    /// One of them.
    Any(Vec<Self>),
    /// One variable.
    Test(Test),
}

/// A test of one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    pub(super) variable: Variable,
    pub(super) negated: bool,
    pub(super) wanted: Wanted,
}

/// What a value is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    One(Pattern),
    Among(Vec<Pattern>),
    Before(Timestamp),
    After(Timestamp),
    Between(String, String),
}

/// A value of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// This text.
    Exact(String),
    /// Text with runs of any characters between these parts.
    Parts(Vec<String>),
    /// A range of addresses, and how it was written.
    Network(IpNet, String),
}

/// The value of a variable in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// The variable does not apply.
    Missing,
    /// Text.
    One(&'a str),
    /// Text made for this.
    Made(String),
    /// Several.
    Many(Vec<&'a str>),
    /// An address.
    Address(IpAddr),
    /// A point in time.
    Time(Timestamp),
}

/// What conditions see of a request.
pub trait Facts {
    /// The value of a variable.
    fn value(&self, variable: &Variable) -> Value<'_>;
}

impl Condition {
    /// Does it hold?
    pub fn holds(&self, facts: &dyn Facts) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Self::Test(test) => test.holds(facts),
        }
    }

    /// Does it depend on who asks?
    pub(super) fn is_about_the_asker(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::is_about_the_asker),
            Self::Test(test) => test.variable.is_about_the_asker(),
        }
    }

    /// Could it hold, if the tests of these variables did?
    pub(super) fn could_hold(&self, facts: &dyn Facts, assumed: fn(&Variable) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.could_hold(facts, assumed)),
            Self::Any(parts) => parts.iter().any(|part| part.could_hold(facts, assumed)),
            Self::Test(test) => assumed(&test.variable) || test.holds(facts),
        }
    }

    /// Does a test hold for the one that does not hold for the other?
    fn gains(&self, before: &dyn Facts, after: &dyn Facts) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.gains(before, after)),
            Self::Test(test) => test.holds(after) && !test.holds(before),
        }
    }

    /// Could it hold for somebody from outside? CAs ask for themselves alone, and nobody becomes one.
    pub(super) fn could_hold_from_outside(&self) -> bool {
        let other = |variable: &Variable| *variable != Variable::PrincipalType;
        FROM_OUTSIDE.into_iter().any(|kind| self.could_hold(&OfKind(kind), other))
    }
}

/// What those are who can be put into a group or be acted for.
const FROM_OUTSIDE: [&str; 2] = ["user", "workload"];

/// Nothing is known of the asker but its kind.
struct OfKind(&'static str);

impl Facts for OfKind {
    fn value(&self, _: &Variable) -> Value<'_> {
        Value::One(self.0)
    }
}

impl Test {
    fn holds(&self, facts: &dyn Facts) -> bool {
        let matches = |value: &str| self.wanted.takes(&self.variable, value);
        match facts.value(&self.variable) {
            Value::Missing => false,
            Value::One(value) => matches(value) != self.negated,
            Value::Made(value) => matches(&value) != self.negated,
            Value::Many(values) if values.is_empty() => false,
            Value::Many(values) if self.negated => !values.iter().any(|value| matches(value)),
            Value::Many(values) if self.variable.takes_all() => {
                values.iter().all(|name| self.wanted.takes_name(&self.variable, name))
            }
            Value::Many(values) => values.iter().any(|value| matches(value)),
            Value::Address(address) => self.wanted.holds_address(address) != self.negated,
            Value::Time(now) => match self.wanted {
                Wanted::Before(time) => now < time,
                Wanted::After(time) => now > time,
                Wanted::One(_) | Wanted::Among(_) | Wanted::Between(..) => false,
            },
        }
    }
}

impl Wanted {
    fn patterns(&self) -> &[Pattern] {
        match self {
            Self::One(pattern) => std::slice::from_ref(pattern),
            Self::Among(patterns) => patterns,
            Self::Before(_) | Self::After(_) | Self::Between(..) => &[],
        }
    }

    fn takes(&self, variable: &Variable, value: &str) -> bool {
        if let Self::Between(from, to) = self {
            // Over midnight, where the end is before the beginning.
            return match from <= to {
                true => (from.as_str()..=to.as_str()).contains(&value),
                false => value >= from.as_str() || value <= to.as_str(),
            };
        }
        let fold = variable.comparison() == Comparison::Folded;
        self.patterns().iter().any(|pattern| pattern.takes(value, fold))
    }

    /// The same for a name that must match: a pattern speaks of names of its own kind alone.
    fn takes_name(&self, variable: &Variable, name: &str) -> bool {
        let fold = variable.comparison() == Comparison::Folded;
        self.patterns().iter().any(|pattern| pattern.speaks_of(name) && pattern.takes(name, fold))
    }

    fn holds_address(&self, address: IpAddr) -> bool {
        // ::ffff:10.0.0.1 is 10.0.0.1.
        let address = address.to_canonical();
        self.patterns().iter().any(|pattern| matches!(pattern, Pattern::Network(net, _) if net.contains(&address)))
    }
}

impl Pattern {
    fn takes(&self, value: &str, fold: bool) -> bool {
        match self {
            Self::Exact(text) if fold => text.eq_ignore_ascii_case(value),
            Self::Exact(text) => text == value,
            Self::Parts(parts) if fold => runs(parts, &value.to_ascii_lowercase()),
            Self::Parts(parts) => runs(parts, value),
            Self::Network(..) => false,
        }
    }
}

impl Pattern {
    /// Is the name of a kind that the pattern means? What was written for host names does not let a URI or an e-mail address
    /// through whose end is alike: their marks must stand in it. `/*/` means every name.
    fn speaks_of(&self, name: &str) -> bool {
        let Self::Parts(parts) = self else { return true };
        let has = |mark: &str| parts.iter().any(|part| part.contains(mark));
        let mark = ["://", "@"].into_iter().find(|mark| name.contains(mark));
        parts.iter().all(String::is_empty) || mark.is_none_or(has)
    }
}

/// The first part begins the text, the last one ends it, the others stand between them in this order.
fn runs(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else { return false };
    let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
    let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
    for part in middle {
        match rest.split_once(part.as_str()) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, word: &str, parts: &[Self]| {
            write!(f, "{word} {{")?;
            for (index, part) in parts.iter().enumerate() {
                write!(f, "{}{part}", if index == 0 { "" } else { ", " })?;
            }
            f.write_str("}")
        };
        match self {
            Self::All(parts) => list(f, "all", parts),
            Self::Any(parts) => list(f, "any", parts),
            Self::Test(test) => test.fmt(f),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.variable.name())?;
        match &self.wanted {
            Wanted::One(pattern) => write!(f, " {} {pattern}", if self.negated { "!=" } else { "=" }),
            Wanted::Among(patterns) => {
                f.write_str(if self.negated { " not in (" } else { " in (" })?;
                for (index, pattern) in patterns.iter().enumerate() {
                    write!(f, "{}{pattern}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Wanted::Before(time) => write!(f, " before '{time}'"),
            Wanted::After(time) => write!(f, " after '{time}'"),
            Wanted::Between(from, to) => write!(f, " between '{from}' and '{to}'"),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "'{text}'"),
            Self::Parts(parts) => write!(f, "/{}/", parts.join("*").replace('/', "\\/")),
            Self::Network(_, text) => write!(f, "'{text}'"),
        }
    }
}

/// Who belongs to a dynamic group: a condition alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchingRule(Condition);

impl MatchingRule {
    /// Reads a rule, for example `all {request.principal.type = 'workload', request.claim.repository = 'org/app'}`.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        grammar::matching_rule(text).map(Self)
    }

    /// Does the caller belong?
    pub fn matches(&self, facts: &dyn Facts) -> bool {
        self.0.holds(facts)
    }

    /// Could somebody belong of whom this is known, if the tests of these variables hold?
    pub fn could_match(&self, facts: &dyn Facts, assumed: fn(&Variable) -> bool) -> bool {
        self.0.could_hold(facts, assumed)
    }

    /// Can what has changed in somebody bring them in? Only where a test holds now that did not `before`.
    pub fn gains(&self, before: &dyn Facts, after: &dyn Facts) -> bool {
        self.0.gains(before, after)
    }
}

impl fmt::Display for MatchingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
