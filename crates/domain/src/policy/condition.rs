//! Conditions: what they are made of, and whether they hold. Nothing negates, so that a condition holds the more, the
//! more of its comparisons hold.

use super::fact::{Facts, Kind, Value, Variable};
use crate::time::Timestamp;
use ipnet::IpNet;
use std::fmt;

/// A condition of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// At least one holds.
    Any(Vec<Condition>),
    /// All of them hold.
    All(Vec<Condition>),
    /// One comparison.
    Compare(Comparison),
}

/// A comparison of a variable. It is false when the variable does not apply to the request, whatever the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub(super) variable: Variable,
    pub(super) test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Equal(Operand),
    NotEqual(Operand),
    In(Vec<Operand>),
    NotIn(Vec<Operand>),
    Before(Operand),
    After(Operand),
    /// Both ends belong to it.
    Between(Operand, Operand),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operand {
    Text(String),
    Pattern(Pattern),
    Flag(bool),
    Network(IpNet),
    Instant(Timestamp),
    /// A month or a day of the month.
    Number(u8),
    /// A day of the week, from Monday as 0.
    Weekday(usize),
    /// Seconds since midnight.
    TimeOfDay(u32),
}

/// The pieces between the stars; ASCII case does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(pub(super) Vec<String>);

pub(super) const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Pattern {
    fn matches(&self, value: &str) -> bool {
        let value = value.as_bytes();
        let [first, rest @ ..] = self.0.as_slice() else { return false };
        let Some((last, middle)) = rest.split_last() else { return first.as_bytes().eq_ignore_ascii_case(value) };
        let Some(mut left) = strip(value, first.as_bytes()) else { return false };
        for piece in middle {
            match after(left, piece.as_bytes()) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        left.len()
            .checked_sub(last.len())
            .and_then(|from| left.get(from..))
            .is_some_and(|end| end.eq_ignore_ascii_case(last.as_bytes()))
    }
}

fn strip<'a>(value: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn after<'a>(value: &'a [u8], piece: &[u8]) -> Option<&'a [u8]> {
    (0..=value.len()).find_map(|from| strip(value.get(from..)?, piece))
}

impl Condition {
    /// Does it hold for these facts?
    pub fn holds(&self, facts: &(impl Facts + ?Sized)) -> bool {
        self.judge(facts, false)
    }

    /// Could it hold for some target? Comparisons of `target.…` are taken to hold.
    pub fn may_hold(&self, facts: &(impl Facts + ?Sized)) -> bool {
        self.judge(facts, true)
    }

    fn judge(&self, facts: &(impl Facts + ?Sized), any_target: bool) -> bool {
        match self {
            Self::Any(branches) => branches.iter().any(|branch| branch.judge(facts, any_target)),
            Self::All(branches) => branches.iter().all(|branch| branch.judge(facts, any_target)),
            Self::Compare(comparison) => (any_target && comparison.variable.is_target()) || comparison.holds(facts),
        }
    }

    /// Does any comparison speak of who asks?
    pub(super) fn is_of_principal(&self) -> bool {
        match self {
            Self::Any(branches) | Self::All(branches) => branches.iter().any(Self::is_of_principal),
            Self::Compare(comparison) => comparison.variable.is_of_principal(),
        }
    }
}

impl Comparison {
    fn holds(&self, facts: &(impl Facts + ?Sized)) -> bool {
        let kind = self.variable.kind();
        match facts.value(self.variable.source()) {
            Value::Missing => false,
            Value::One(text) => self.holds_for(kind, std::iter::once(text)),
            Value::Many(texts) => self.holds_for(kind, texts.iter().map(String::as_str)),
            Value::Groups(groups) => self.holds_for(kind, groups.iter().map(|group| group.as_str())),
            Value::Flag(flag) => self.test.one(|operand| matches!(operand, Operand::Flag(wanted) if *wanted == flag)),
            Value::Ip(address) => {
                let address = address.to_canonical();
                self.test.one(|operand| matches!(operand, Operand::Network(net) if net.contains(&address)))
            }
            Value::Time(now) => self.holds_at(kind, now),
        }
    }

    fn holds_for<'a>(&self, kind: Kind, mut values: impl ExactSizeIterator<Item = &'a str> + Clone) -> bool {
        if values.len() == 0 {
            return false;
        }
        let same = |operand: &Operand, value: &str| match operand {
            Operand::Text(text) if kind == Kind::AnyCase => text.eq_ignore_ascii_case(value),
            Operand::Text(text) => text == value,
            Operand::Pattern(pattern) => pattern.matches(value),
            _ => false,
        };
        let every = self.variable.wants_every();
        let equal = |operands: &[Operand]| {
            let mut is = |value| operands.iter().any(|operand| same(operand, value));
            if every { values.clone().all(&mut is) } else { values.clone().any(&mut is) }
        };
        match &self.test {
            Test::Equal(operand) => equal(std::slice::from_ref(operand)),
            Test::In(operands) => equal(operands),
            Test::NotEqual(operand) => values.all(|value| !same(operand, value)),
            Test::NotIn(operands) => values.all(|value| !operands.iter().any(|operand| same(operand, value))),
            Test::Before(_) | Test::After(_) | Test::Between(..) => false,
        }
    }

    fn holds_at(&self, kind: Kind, now: Timestamp) -> bool {
        let utc = now.to_utc();
        let number = match kind {
            Kind::Instant => return self.test.ordered(instant, now),
            Kind::TimeOfDay => {
                let (hour, minute, second) = utc.to_hms();
                let since = [hour, minute, second]
                    .iter()
                    .fold(0_u32, |sum, part| sum.saturating_mul(60).saturating_add(u32::from(*part)));
                return self.test.ordered(time_of_day, since);
            }
            Kind::Month => u8::from(utc.month()),
            Kind::Day => utc.day(),
            Kind::Weekday => {
                let today = usize::from(utc.weekday().number_days_from_monday());
                return self.test.one(|operand| matches!(operand, Operand::Weekday(wanted) if *wanted == today));
            }
            Kind::Exact | Kind::AnyCase | Kind::Flag | Kind::Network => return false,
        };
        self.test.one(|operand| matches!(operand, Operand::Number(wanted) if *wanted == number))
    }
}

fn instant(operand: &Operand) -> Option<Timestamp> {
    if let Operand::Instant(at) = operand { Some(*at) } else { None }
}

fn time_of_day(operand: &Operand) -> Option<u32> {
    if let Operand::TimeOfDay(seconds) = operand { Some(*seconds) } else { None }
}

impl Test {
    fn one(&self, is: impl Fn(&Operand) -> bool) -> bool {
        match self {
            Self::Equal(operand) => is(operand),
            Self::NotEqual(operand) => !is(operand),
            Self::In(operands) => operands.iter().any(is),
            Self::NotIn(operands) => !operands.iter().any(is),
            Self::Before(_) | Self::After(_) | Self::Between(..) => false,
        }
    }

    fn ordered<T: Ord>(&self, read: impl Fn(&Operand) -> Option<T>, now: T) -> bool {
        match self {
            Self::Before(operand) => read(operand).is_some_and(|end| now < end),
            Self::After(operand) => read(operand).is_some_and(|start| now > start),
            Self::Between(start, end) => read(start).zip(read(end)).is_some_and(|(start, end)| {
                // Only a time of the day may be written this way round (the parser sees to it): over midnight.
                if start <= end { start <= now && now <= end } else { now >= start || now <= end }
            }),
            Self::Equal(_) | Self::NotEqual(_) | Self::In(_) | Self::NotIn(_) => false,
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if place == 0 { "" } else { ", " })?;
    }
    Ok(())
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, branches) = match self {
            Self::Compare(comparison) => return comparison.fmt(f),
            Self::Any(branches) => ("any", branches),
            Self::All(branches) => ("all", branches),
        };
        write!(f, "{word} {{")?;
        list(f, branches)?;
        f.write_str("}")
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, test } = self;
        match test {
            Test::Equal(operand) => write!(f, "{variable} = {operand}"),
            Test::NotEqual(operand) => write!(f, "{variable} != {operand}"),
            Test::Before(operand) => write!(f, "{variable} before {operand}"),
            Test::After(operand) => write!(f, "{variable} after {operand}"),
            Test::Between(start, end) => write!(f, "{variable} between {start} and {end}"),
            Test::In(operands) | Test::NotIn(operands) => {
                write!(f, "{variable} {}(", if matches!(test, Test::In(_)) { "in " } else { "not in " })?;
                list(f, operands)?;
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Pattern(pattern) => {
                let pieces: Vec<_> = pattern.0.iter().map(|piece| escape(piece)).collect();
                write!(f, "/{}/", pieces.join("*"))
            }
            Self::Flag(flag) => write!(f, "'{flag}'"),
            Self::Network(net) if net.prefix_len() == net.max_prefix_len() => write!(f, "'{}'", net.addr()),
            Self::Network(net) => write!(f, "'{net}'"),
            Self::Instant(at) => write!(f, "'{at}'"),
            Self::Number(number) => write!(f, "'{number}'"),
            Self::Weekday(day) => write!(f, "'{}'", WEEKDAYS.get(*day).unwrap_or(&"")),
            Self::TimeOfDay(at) => write!(f, "'{:02}:{:02}:{:02}Z'", at / 3600, at / 60 % 60, at % 60),
        }
    }
}

fn escape(piece: &str) -> String {
    piece
        .chars()
        .flat_map(|symbol| matches!(symbol, '/' | '*' | '\\').then_some('\\').into_iter().chain(Some(symbol)))
        .collect()
}
