//! The grammar. Tokens are taken with winnow's parsers; each step knows what it would have understood.

use super::condition::{Comparison, Condition, Operand, Pattern, Test, WEEKDAYS};
use super::fact::{Kind, Known, Variable};
use super::resource::{Covered, Verb};
use super::statement::{DEEPEST, DOMAIN, Grant, KEYWORDS, LONGEST, Location, Subject, WIDEST, Who};
use super::syntax::SyntaxError;
use crate::id::CompartmentId;
use crate::principal::{PrincipalName, is_bare};
use crate::time::Timestamp;
use crate::violation::Invalid;
use ipnet::IpNet;
use std::net::IpAddr;
use winnow::Parser as _;
use winnow::ascii::{Caseless, multispace0};
use winnow::combinator::{alt, delimited, not, opt, peek, preceded, repeat, terminated};
use winnow::error::EmptyError;
use winnow::stream::{LocatingSlice, Location as _};
use winnow::token::{any, literal, one_of, take_while};

type Input<'a> = LocatingSlice<&'a str>;
type Outcome<T> = Result<T, SyntaxError>;

/// A text, and how far it has been understood.
pub(super) struct Parser<'a> {
    whole: &'a str,
    input: Input<'a>,
}

#[derive(Clone)]
enum Piece {
    Star,
    Symbol(char),
}

impl<'a> Parser<'a> {
    /// Reads a whole text with a step of the grammar; nothing may be left.
    pub(super) fn whole<T>(text: &'a str, step: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let mut parser = Self { whole: text, input: LocatingSlice::new(text) };
        if text.len() > LONGEST {
            return parser.refuse(LONGEST, format!("the end: a statement is at most {LONGEST} bytes long"));
        }
        let value = step(&mut parser)?;
        let at = parser.here();
        let where_ends = at == text.len();
        if where_ends { Ok(value) } else { parser.refuse(at, "the end") }
    }

    /// Skips blanks; the byte offset of what follows.
    fn here(&mut self) -> usize {
        self.take(multispace0);
        self.input.current_token_start()
    }

    fn take<T>(&mut self, parser: impl winnow::Parser<Input<'a>, T, EmptyError>) -> Option<T> {
        opt(parser).parse_next(&mut self.input).ok().flatten()
    }

    fn refuse<T>(&self, at: usize, expected: impl Into<String>) -> Outcome<T> {
        Err(SyntaxError::at(self.whole, at, vec![expected.into()], &[]))
    }

    fn refuse_word<T>(&self, at: usize, words: &[&str]) -> Outcome<T> {
        let expected = words.iter().map(|word| format!("`{word}`")).collect();
        Err(SyntaxError::at(self.whole, at, expected, words))
    }

    /// Takes the word if it stands here, whole and in any case.
    fn word(&mut self, word: &'static str) -> bool {
        self.here();
        self.take(terminated(literal(Caseless(word)), peek(not(one_of(is_bare))))).is_some()
    }

    fn symbol(&mut self, symbol: char) -> bool {
        self.here();
        self.take(one_of(symbol)).is_some()
    }

    pub(super) fn keyword(&mut self, word: &'static str) -> Outcome<()> {
        let at = self.here();
        let shown = if word == "allow" { "Allow" } else { word };
        if self.word(word) { Ok(()) } else { self.refuse_word(at, &[shown]) }
    }

    fn expect(&mut self, symbol: char) -> Outcome<()> {
        let at = self.here();
        if self.symbol(symbol) { Ok(()) } else { self.refuse(at, format!("`{symbol}`")) }
    }

    fn bare(&mut self) -> Option<&'a str> {
        self.here();
        self.take(take_while(1.., is_bare))
    }

    fn quoted(&mut self) -> Option<&'a str> {
        self.here();
        let inside = take_while(0.., |symbol: char| symbol != '\'' && !symbol.is_control());
        self.take(delimited('\'', inside, '\''))
    }

    fn pattern(&mut self) -> Option<Pattern> {
        self.here();
        let escaped = preceded('\\', one_of(['/', '*', '\\'])).map(Piece::Symbol);
        let plain = any.verify(|symbol: &char| !matches!(symbol, '/' | '\\') && !symbol.is_control());
        let piece = alt((escaped, '*'.value(Piece::Star), plain.map(Piece::Symbol)));
        let pieces: Vec<Piece> = self.take(delimited('/', repeat(1.., piece), '/'))?;
        let mut parts = vec![String::new()];
        for piece in pieces {
            match (piece, parts.last_mut()) {
                (Piece::Symbol(symbol), Some(part)) => part.push(symbol),
                _ => parts.push(String::new()),
            }
        }
        Some(Pattern(parts))
    }

    /// One or more, with commas between them.
    fn list<T>(&mut self, what: &str, mut item: impl FnMut(&mut Self) -> Outcome<T>) -> Outcome<Vec<T>> {
        let mut items = vec![item(self)?];
        loop {
            let at = self.here();
            if !self.symbol(',') {
                return Ok(items);
            }
            if items.len() >= WIDEST {
                return self.refuse(at, format!("no more than {WIDEST} {what} in one list"));
            }
            items.push(item(self)?);
        }
    }

    pub(super) fn subject(&mut self) -> Outcome<Subject> {
        const WORDS: [&str; 5] = ["group", "dynamic-group", "user", "any-user", "any-group"];
        let at = self.here();
        match WORDS.into_iter().find(|word| self.word(word)) {
            Some("group") => Ok(Subject::Group(self.who("group")?)),
            Some("dynamic-group") => Ok(Subject::DynamicGroup(self.who("dynamic group")?)),
            Some("user") => Ok(Subject::User(self.who("user")?)),
            Some("any-user") => Ok(Subject::AnyUser),
            Some(_) => Ok(Subject::AnyGroup),
            None => self.refuse_word(at, &WORDS),
        }
    }

    fn who<Id: Parsed>(&mut self, what: &str) -> Outcome<Who<Id>> {
        if self.word("id") {
            return Ok(Who::Id(self.id()?));
        }
        Ok(Who::Named(self.list("names", |parser| parser.principal(what))?))
    }

    fn id<Id: Parsed>(&mut self) -> Outcome<Id> {
        let at = self.here();
        match self.bare().or_else(|| self.quoted()).map(Id::parsed) {
            Some(Ok(id)) => Ok(id),
            Some(Err(fault)) => self.refuse(at, format!("an id of the kind `{}`. {}", Id::KIND, fault.hint)),
            None => self.refuse(at, format!("an id of the kind `{}`", Id::KIND)),
        }
    }

    /// A name that is not a keyword, or any in quotes.
    fn name(&mut self) -> Option<&'a str> {
        if let Some(name) = self.quoted() {
            return Some(name);
        }
        if KEYWORDS
            .into_iter()
            .any(|word| self.take(peek(terminated(literal(Caseless(word)), not(one_of(is_bare))))).is_some())
        {
            return None;
        }
        self.bare()
    }

    fn principal(&mut self, what: &str) -> Outcome<PrincipalName> {
        let mut at = self.here();
        let mut name = self.name();
        if name.is_some() && self.symbol('/') {
            if !name.is_some_and(|domain| domain.eq_ignore_ascii_case(DOMAIN)) {
                return self.refuse(at, format!("the domain `{DOMAIN}`, the only one, or no domain"));
            }
            at = self.here();
            name = self.name();
        }
        match name.map(PrincipalName::reference) {
            Some(Ok(name)) => Ok(name),
            Some(Err(_)) => self.refuse(at, format!("the name of a {what}: 1 to 255 of `A-Z a-z 0-9 . _ @ + -`")),
            None => self.refuse(at, format!("the name of a {what}")),
        }
    }

    pub(super) fn grant(&mut self) -> Outcome<Grant> {
        let at = self.here();
        let verbs: Vec<_> = Verb::ALL.iter().map(|verb| verb.as_str()).collect();
        let Some(verb) = self.bare().and_then(Verb::of_word) else { return self.refuse_word(at, &verbs) };
        let at = self.here();
        let Some(covered) = self.bare().and_then(Covered::of_word) else {
            let words: Vec<_> = Covered::words().collect();
            return Err(SyntaxError::at(self.whole, at, vec!["a resource type".to_owned()], &words));
        };
        self.keyword("in")?;
        let location = self.location()?;
        let at = self.here();
        if at == self.whole.len() {
            return Ok(Grant { verb, covered, location, condition: None });
        }
        if !self.word("where") {
            let expected = vec!["`where`".to_owned(), "the end".to_owned()];
            return Err(SyntaxError::at(self.whole, at, expected, &["where"]));
        }
        Ok(Grant { verb, covered, location, condition: Some(self.condition(0)?) })
    }

    fn location(&mut self) -> Outcome<Location> {
        let at = self.here();
        if self.word("tenancy") {
            return Ok(Location::Tenancy);
        }
        if !self.word("compartment") {
            return self.refuse_word(at, &["tenancy", "compartment"]);
        }
        if self.word("id") {
            return Ok(Location::Id(self.id::<CompartmentId>()?));
        }
        let mut path = vec![self.compartment()?];
        loop {
            let at = self.here();
            if !self.symbol(':') {
                return Ok(Location::Path(path));
            }
            if path.len() >= super::tree::DEEPEST {
                return self.refuse(at, format!("no more than {} compartments in a path", super::tree::DEEPEST));
            }
            path.push(self.compartment()?);
        }
    }

    fn compartment(&mut self) -> Outcome<String> {
        let at = self.here();
        match self.name() {
            Some(name) if PrincipalName::parse(name).is_ok() => Ok(name.to_owned()),
            _ => self.refuse(at, "the name of a compartment"),
        }
    }

    pub(super) fn condition(&mut self, depth: usize) -> Outcome<Condition> {
        let at = self.here();
        let any = self.word("any");
        if !any && !self.word("all") {
            return Ok(Condition::Compare(self.comparison()?));
        }
        if depth >= DEEPEST {
            return self.refuse(at, format!("no more than {DEEPEST} of `any` and `all` in each other"));
        }
        self.expect('{')?;
        let branches = self.list("conditions", |parser| parser.condition(depth.saturating_add(1)))?;
        let at = self.here();
        if !self.symbol('}') {
            return self.refuse_word(at, &[",", "}"]);
        }
        Ok(if any { Condition::Any(branches) } else { Condition::All(branches) })
    }

    fn comparison(&mut self) -> Outcome<Comparison> {
        let at = self.here();
        let Some(variable) = self.bare().and_then(Variable::of_name) else {
            let mut words: Vec<_> = Known::ALL.iter().map(|known| known.as_str()).collect();
            words.extend(["any", "all"]);
            let expected = ["a variable", "`any {`", "`all {`"].map(str::to_owned).to_vec();
            return Err(SyntaxError::at(self.whole, at, expected, &words));
        };
        let kind = variable.kind();
        let at = self.here();
        let words: &[&str] = match kind {
            Kind::Instant | Kind::TimeOfDay => &["before", "after", "between"],
            _ => &["=", "!=", "in", "not in"],
        };
        let test = if matches!(kind, Kind::Instant | Kind::TimeOfDay) {
            if self.word("before") {
                Test::Before(self.operand(kind)?)
            } else if self.word("after") {
                Test::After(self.operand(kind)?)
            } else if self.word("between") {
                self.between(kind)?
            } else {
                return self.refuse_word(at, words);
            }
        } else if self.symbol('=') {
            Test::Equal(self.operand(kind)?)
        } else if self.take(literal("!=")).is_some() {
            Test::NotEqual(self.operand(kind)?)
        } else if self.word("in") {
            Test::In(self.operands(kind)?)
        } else if self.word("not") {
            self.keyword("in")?;
            Test::NotIn(self.operands(kind)?)
        } else {
            return self.refuse_word(at, words);
        };
        Ok(Comparison { variable, test })
    }

    fn between(&mut self, kind: Kind) -> Outcome<Test> {
        let start = self.operand(kind)?;
        self.keyword("and")?;
        let at = self.here();
        let end = self.operand(kind)?;
        if let (Operand::Instant(from), Operand::Instant(to)) = (&start, &end)
            && from > to
        {
            return self.refuse(at, "a time that is not before the first one");
        }
        Ok(Test::Between(start, end))
    }

    fn operands(&mut self, kind: Kind) -> Outcome<Vec<Operand>> {
        self.expect('(')?;
        let operands = self.list("values", |parser| parser.operand(kind))?;
        let at = self.here();
        if self.symbol(')') { Ok(operands) } else { self.refuse_word(at, &[",", ")"]) }
    }

    fn operand(&mut self, kind: Kind) -> Outcome<Operand> {
        let at = self.here();
        let textual = matches!(kind, Kind::Exact | Kind::AnyCase);
        if textual && let Some(pattern) = self.pattern() {
            return Ok(Operand::Pattern(pattern));
        }
        let read = self.quoted().and_then(|text| read(kind, text));
        read.map_or_else(|| self.refuse(at, wanted(kind)), Ok)
    }
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Exact | Kind::AnyCase => "a value: `'text'` or a pattern, `/text*/`",
        Kind::Flag => "`'true'` or `'false'`",
        Kind::Network => "an address or a range in quotes, `'10.0.0.1'` or `'10.0.0.0/8'`",
        Kind::Instant => "a time in quotes, `'2026-12-31T00:00:00Z'`",
        Kind::Month => "a month, `'1'` to `'12'`",
        Kind::Day => "a day of the month, `'1'` to `'31'`",
        Kind::Weekday => "a day of the week, `'mon'` to `'sun'`",
        Kind::TimeOfDay => "a time of the day in UTC, `'08:00:00Z'`",
    }
}

fn read(kind: Kind, text: &str) -> Option<Operand> {
    match kind {
        Kind::Exact | Kind::AnyCase => Some(Operand::Text(text.to_owned())),
        Kind::Flag if text.eq_ignore_ascii_case("true") => Some(Operand::Flag(true)),
        Kind::Flag => text.eq_ignore_ascii_case("false").then_some(Operand::Flag(false)),
        Kind::Network => network(text).map(Operand::Network),
        Kind::Instant => Timestamp::parse(text).ok().map(Operand::Instant),
        Kind::Month => number(text, 12).map(Operand::Number),
        Kind::Day => number(text, 31).map(Operand::Number),
        Kind::Weekday => WEEKDAYS.iter().position(|day| day.eq_ignore_ascii_case(text)).map(Operand::Weekday),
        Kind::TimeOfDay => time_of_day(text).map(Operand::TimeOfDay),
    }
}

fn network(text: &str) -> Option<IpNet> {
    let net: IpNet = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    // Addresses of requests are compared as IPv4 when they are IPv4 in IPv6; such a range would never match.
    match net.addr() {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => None,
        _ => Some(net.trunc()),
    }
}

fn number(text: &str, most: u8) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|symbol| symbol.is_ascii_digit());
    text.parse().ok().filter(|number| digits && (1..=most).contains(number))
}

fn time_of_day(text: &str) -> Option<u32> {
    let mut parts = text.strip_suffix('Z')?.split(':');
    let mut part = |most: u32| {
        let text = parts.next()?;
        let digits = text.len() == 2 && text.bytes().all(|symbol| symbol.is_ascii_digit());
        text.parse::<u32>().ok().filter(|value| digits && *value <= most)
    };
    let (hour, minute, second) = (part(23)?, part(59)?, part(59)?);
    if parts.next().is_some() {
        return None;
    }
    hour.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(second)
}

/// An id that a statement may name.
pub(super) trait Parsed: Sized {
    const KIND: &'static str;

    fn parsed(text: &str) -> Result<Self, Invalid>;
}

macro_rules! parsed {
    ($($name:ident),*) => { $(
        impl Parsed for crate::id::$name {
            const KIND: &'static str = crate::id::$name::PREFIX;

            fn parsed(text: &str) -> Result<Self, Invalid> {
                Self::parse(text)
            }
        }
    )* };
}

parsed!(CompartmentId, UserId, GroupId, DynamicGroupId);
