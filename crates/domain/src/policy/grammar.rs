//! The grammar, read with `winnow`. Faults say where, what was expected, and what stands there.
//!
//! ```text
//! statement := "Allow" subject "to" verb resources "in" location [ "where" condition ]
//! narrowing := verb resources [ "in" location ] [ "where" condition ]
//! subject   := "any-user" | "any-group" | ("group" | "dynamic-group" | "user") name { "," name }
//! name      := "id" word | word | string            (a group may stand as Default/GROUP)
//! location  := "tenancy" | "compartment" ( "id" word | word { ":" word } )
//! condition := ("any" | "all") "{" condition { "," condition } "}" | test
//! test      := variable ( ("=" | "!=") value | ["not"] "in" "(" value { "," value } ")"
//!                       | ("before" | "after") string | "between" string "and" string )
//! value     := string | pattern        string := 'text'        pattern := /text*text/
//! ```

use super::condition::{Condition, Pattern, Test, Wanted};
use super::fault::{Fault, Input, SyntaxError, distance, explain, is_word};
use super::kinds::{FAMILIES, find_resources};
use super::statement::{Location, Name, Narrowing, Statement, Subject};
use super::variable::Comparison;
use super::{ResourceType, VARIABLES, Variable, Verb};
use crate::id::{CompartmentId, GroupId, UserId};
use crate::time::Timestamp;
use ipnet::IpNet;
use std::net::IpAddr;
use winnow::Parser;
use winnow::combinator::{alt, opt, separated};
use winnow::stream::{LocatingSlice, Location as _, Stream};
use winnow::token::{literal, take_while};

/// Longest text that is read, in bytes.
const MAX_BYTES: usize = 4_096;
/// Deepest nesting of conditions.
const MAX_DEPTH: u8 = 8;
/// Most members of any list.
const MAX_LIST: usize = 100;

type Parsed<T> = Result<T, Fault>;

fn read<T>(text: &str, parser: impl FnMut(&mut Input<'_>) -> Parsed<T>) -> Result<T, SyntaxError> {
    if text.len() > MAX_BYTES {
        let why = format!("the text has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(explain(text, Fault::because(MAX_BYTES, why)));
    }
    let (mut input, mut parser) = (LocatingSlice::new(text), parser);
    let value = parser(&mut input).map_err(|fault| explain(text, fault))?;
    blanks(&mut input);
    match input.is_empty() {
        true => Ok(value),
        false => Err(explain(text, Fault { at: input.current_token_start(), expected: Vec::new(), why: None })),
    }
}

/// `Allow …`
pub(super) fn statement(text: &str) -> Result<Statement, SyntaxError> {
    read(text, |input| {
        keyword("allow", "`Allow`").parse_next(input)?;
        let subject = subject(input)?;
        keyword("to", "`to`").parse_next(input)?;
        let verb = verb(input)?;
        let (resource, resources) = resources(input)?;
        keyword("in", "`in`").parse_next(input)?;
        let location = location(input)?;
        let condition = tail(input)?;
        Ok(Statement { subject, verb, resource, resources, location, condition, text: text.to_owned() })
    })
}

/// The same without a subject; the location may be left out.
pub(super) fn narrowing(text: &str) -> Result<Narrowing, SyntaxError> {
    read(text, |input| {
        let verb = verb(input)?;
        let (resource, resources) = resources(input)?;
        let location = match opt(keyword("in", "`in`")).parse_next(input)? {
            Some(()) => location(input)?,
            None => Location::Tenancy,
        };
        let condition = tail(input)?;
        Ok(Narrowing { verb, resource, resources, location, condition, text: text.to_owned() })
    })
}

/// A condition alone.
pub(super) fn matching_rule(text: &str) -> Result<Condition, SyntaxError> {
    read(text, |input| condition(input, 0))
}

fn tail(input: &mut Input<'_>) -> Parsed<Option<Condition>> {
    blanks(input);
    if input.is_empty() {
        return Ok(None);
    }
    keyword("where", "`where`").parse_next(input)?;
    condition(input, 0).map(Some)
}

fn blanks(input: &mut Input<'_>) {
    // Takes nothing or something, never fails.
    let _: Parsed<&str> = take_while(0.., |c: char| c.is_ascii_whitespace()).parse_next(input);
}

/// A word, after blanks.
fn word<'a>(input: &mut Input<'a>, what: &'static str) -> Parsed<&'a str> {
    blanks(input);
    let at = input.current_token_start();
    let taken: Parsed<&str> = take_while(1.., is_word).parse_next(input);
    taken.map_err(|_| Fault::expecting(at, what))
}

/// Exactly this word, in any case.
fn keyword<'a>(wanted: &'static str, shown: &'static str) -> impl Parser<Input<'a>, (), Fault> {
    move |input: &mut Input<'a>| {
        let start = input.checkpoint();
        blanks(input);
        let at = input.current_token_start();
        match word(input, shown) {
            Ok(found) if found.eq_ignore_ascii_case(wanted) => Ok(()),
            _ => {
                input.reset(&start);
                Err(Fault::expecting(at, shown))
            }
        }
    }
}

/// Exactly this sign, after blanks.
fn sign<'a>(wanted: &'static str, shown: &'static str) -> impl Parser<Input<'a>, (), Fault> {
    move |input: &mut Input<'a>| {
        let start = input.checkpoint();
        blanks(input);
        let at = input.current_token_start();
        let taken: Parsed<&str> = literal(wanted).parse_next(input);
        taken.map(drop).map_err(|_| {
            input.reset(&start);
            Fault::expecting(at, shown)
        })
    }
}

/// `'text'`, after blanks.
fn string<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    quoted(input, "'", |c| c != '\'' && !c.is_control(), "a text like `'name'`")
}

fn quoted<'a>(
    input: &mut Input<'a>,
    mark: &'static str,
    inside: impl Fn(char) -> bool,
    shown: &'static str,
) -> Parsed<&'a str> {
    sign(mark, shown).parse_next(input)?;
    let taken: Parsed<&str> = take_while(0.., inside).parse_next(input);
    let text = taken?;
    let at = input.current_token_start();
    let closed: Parsed<&str> = literal(mark).parse_next(input);
    closed.map_err(|_| Fault::because(at, format!("the text is not closed with `{mark}`")))?;
    Ok(text)
}

fn verb(input: &mut Input<'_>) -> Parsed<Verb> {
    alt((
        keyword("inspect", "`inspect`").value(Verb::Inspect),
        keyword("read", "`read`").value(Verb::Read),
        keyword("use", "`use`").value(Verb::Use),
        keyword("manage", "`manage`").value(Verb::Manage),
    ))
    .parse_next(input)
}

fn resources(input: &mut Input<'_>) -> Parsed<(&'static str, super::ResourceSet)> {
    blanks(input);
    let at = input.current_token_start();
    let text = word(input, "a resource type or family")?;
    find_resources(text).ok_or_else(|| {
        let known = FAMILIES.iter().map(|(name, _)| *name).chain(ResourceType::ALL.iter().map(|kind| kind.as_str()));
        let near = known.map(|name| (distance(name, &text.to_ascii_lowercase()), name)).min();
        let hint = near.filter(|(distance, _)| *distance <= 4).map(|(_, name)| format!("; did you mean `{name}`?"));
        Fault::because(at, format!("`{text}` is no resource type or family{}", hint.unwrap_or_default()))
    })
}

fn subject(input: &mut Input<'_>) -> Parsed<Subject> {
    alt((
        keyword("any-user", "`any-user`").value(Subject::AnyUser),
        keyword("any-group", "`any-group`").value(Subject::AnyGroup),
        |input: &mut Input<'_>| {
            keyword("group", "`group`").parse_next(input)?;
            names(input, GroupId::PREFIX).map(Subject::Groups)
        },
        |input: &mut Input<'_>| {
            keyword("dynamic-group", "`dynamic-group`").parse_next(input)?;
            names(input, "dynamicgroup").map(Subject::DynamicGroups)
        },
        |input: &mut Input<'_>| {
            keyword("user", "`user`").parse_next(input)?;
            names(input, UserId::PREFIX).map(Subject::Users)
        },
    ))
    .parse_next(input)
}

fn names(input: &mut Input<'_>, prefix: &'static str) -> Parsed<Vec<Name>> {
    separated(1..=MAX_LIST, |input: &mut Input<'_>| name(input, prefix), sign(",", "`,`")).parse_next(input)
}

fn name(input: &mut Input<'_>, prefix: &'static str) -> Parsed<Name> {
    blanks(input);
    let at = input.current_token_start();
    let text = alt((string, bare_name)).parse_next(input)?;
    if text.eq_ignore_ascii_case("id") {
        let at = input.current_token_start();
        let id = word(input, "an id")?;
        return match crate::id::looks_like_id(id) && id.starts_with(&format!("{prefix}_")) {
            true => Ok(Name::Id(id.to_owned())),
            false => Err(Fault::because(
                at.saturating_add(1),
                format!("`{id}` is not an id like `{prefix}_01JD8XK4M2W7Z3T5V9YQ6B1C0D`"),
            )),
        };
    }
    // The one identity domain that there is.
    let rest = text.strip_prefix("Default/").unwrap_or(text);
    if text.eq_ignore_ascii_case("default") && opt(sign("/", "`/`")).parse_next(input)?.is_some() {
        return word(input, "a name").and_then(|name| parsed_name(at, name));
    }
    parsed_name(at, rest)
}

fn bare_name<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    word(input, "a name")
}

fn parsed_name(at: usize, text: &str) -> Parsed<Name> {
    let name = crate::principal::PrincipalName::parse(text);
    name.map(|name| Name::Named(name.as_str().to_owned())).map_err(|invalid| Fault::because(at, invalid.detail))
}

fn location(input: &mut Input<'_>) -> Parsed<Location> {
    alt((keyword("tenancy", "`tenancy`").value(Location::Tenancy), |input: &mut Input<'_>| {
        keyword("compartment", "`compartment`").parse_next(input)?;
        let first = word(input, "a compartment's name")?;
        if first.eq_ignore_ascii_case("id") {
            let at = input.current_token_start().saturating_add(1);
            let id = word(input, "an id")?;
            let id = CompartmentId::parse(id).map_err(|invalid| Fault::because(at, invalid.detail))?;
            return Ok(Location::Id(id));
        }
        let mut path = vec![first.to_owned()];
        while path.len() < MAX_LIST && opt(sign(":", "`:`")).parse_next(input)?.is_some() {
            path.push(word(input, "a compartment's name")?.to_owned());
        }
        Ok(Location::Path(path))
    }))
    .parse_next(input)
}

fn condition(input: &mut Input<'_>, depth: u8) -> Parsed<Condition> {
    blanks(input);
    if depth >= MAX_DEPTH {
        let why = format!("conditions are nested more than {MAX_DEPTH} deep");
        return Err(Fault::because(input.current_token_start(), why));
    }
    let braced = |word: &'static str, shown: &'static str| {
        move |input: &mut Input<'_>| {
            keyword(word, shown).parse_next(input)?;
            sign("{", "`{`").parse_next(input)?;
            let part = |input: &mut Input<'_>| condition(input, depth.saturating_add(1));
            let parts: Vec<Condition> = separated(1..=MAX_LIST, part, sign(",", "`,`")).parse_next(input)?;
            alt((sign("}", "`}`"), sign(",", "`,`"))).parse_next(input)?;
            Ok(parts)
        }
    };
    let start = input.checkpoint();
    let group: Parsed<Condition> =
        alt((braced("any", "`any`").map(Condition::Any), braced("all", "`all`").map(Condition::All))).parse_next(input);
    match group {
        Err(fault) if fault.at == blank_start(input, &start) => {
            input.reset(&start);
            test(input).map(Condition::Test)
        }
        other => other,
    }
}

/// Where the first word after this place begins.
fn blank_start<'a>(input: &Input<'a>, start: &<Input<'a> as Stream>::Checkpoint) -> usize {
    let mut look = *input;
    look.reset(start);
    blanks(&mut look);
    look.current_token_start()
}

fn test(input: &mut Input<'_>) -> Parsed<Test> {
    blanks(input);
    let at = input.current_token_start();
    let text = word(input, "a condition (`any {…}`, `all {…}` or a variable)")?;
    let variable = Variable::find(text).ok_or_else(|| {
        let near = Variable::nearest(text).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        Fault::because(at, format!("there is no variable `{text}` (there are {}){near}", VARIABLES.len()))
    })?;
    blanks(input);
    let at = input.current_token_start();
    let kind = variable.comparison();
    let one = |negated| move |input: &mut Input<'_>| value(input, kind).map(|pattern| (negated, Wanted::One(pattern)));
    let among = |negated| {
        move |input: &mut Input<'_>| {
            sign("(", "`(`").parse_next(input)?;
            let each = |input: &mut Input<'_>| value(input, kind);
            let patterns = separated(1..=MAX_LIST, each, sign(",", "`,`")).parse_next(input)?;
            sign(")", "`)`").parse_next(input)?;
            Ok((negated, Wanted::Among(patterns)))
        }
    };
    let (negated, wanted) = alt((
        (sign("=", "`=`"), one(false)).map(|(_, wanted)| wanted),
        (sign("!=", "`!=`"), one(true)).map(|(_, wanted)| wanted),
        (keyword("in", "`in`"), among(false)).map(|(_, wanted)| wanted),
        (keyword("not", "`not in`"), keyword("in", "`in`"), among(true)).map(|(_, _, wanted)| wanted),
        |input: &mut Input<'_>| {
            keyword("before", "`before`").parse_next(input)?;
            time(input).map(|time| (false, Wanted::Before(time)))
        },
        |input: &mut Input<'_>| {
            keyword("after", "`after`").parse_next(input)?;
            time(input).map(|time| (false, Wanted::After(time)))
        },
        |input: &mut Input<'_>| {
            keyword("between", "`between`").parse_next(input)?;
            let from = time_of_day(input)?;
            keyword("and", "`and`").parse_next(input)?;
            Ok((false, Wanted::Between(from, time_of_day(input)?)))
        },
    ))
    .parse_next(input)?;
    let fits = match kind {
        Comparison::Time => matches!(wanted, Wanted::Before(_) | Wanted::After(_)),
        Comparison::TimeOfDay => matches!(wanted, Wanted::Between(..)),
        Comparison::Exact | Comparison::Folded | Comparison::Address => {
            matches!(wanted, Wanted::One(_) | Wanted::Among(_))
        }
    };
    if !fits {
        let ops = match kind {
            Comparison::Time => "`before` and `after`",
            Comparison::TimeOfDay => "`between … and …`",
            Comparison::Exact | Comparison::Folded | Comparison::Address => "`=`, `!=`, `in` and `not in`",
        };
        return Err(Fault::because(at, format!("{text} is compared with {ops}")));
    }
    Ok(Test { variable, negated, wanted })
}

fn value(input: &mut Input<'_>, kind: Comparison) -> Parsed<Pattern> {
    blanks(input);
    let at = input.current_token_start();
    let fold = |text: &str| if kind == Comparison::Folded { text.to_ascii_lowercase() } else { text.to_owned() };
    let pattern = |input: &mut Input<'_>| {
        sign("/", "a pattern like `/*.example.com/`").parse_next(input)?;
        let mut text = String::new();
        loop {
            let more: Parsed<&str> =
                take_while(0.., |c: char| !matches!(c, '/' | '\\') && !c.is_control()).parse_next(input);
            text.push_str(more?);
            let at = input.current_token_start();
            let next: Parsed<&str> = alt(("\\/", "/")).parse_next(input);
            match next {
                Ok("/") => break,
                Ok(_) => text.push('/'),
                Err(_) => {
                    return Err(Fault::because(
                        at,
                        "the pattern is not closed with `/` (a slash in it is written `\\/`)",
                    ));
                }
            }
        }
        Ok(Pattern::Parts(text.split('*').map(fold).collect()))
    };
    let text = |input: &mut Input<'_>| string(input).map(|text| Pattern::Exact(text.to_owned()));
    if kind == Comparison::Address {
        let text = string(input)?;
        let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        let net = net.ok_or_else(|| {
            Fault::because(at, format!("`{text}` is neither an address nor a range like `10.0.0.0/8`"))
        })?;
        return Ok(Pattern::Network(net, text.to_owned()));
    }
    match alt((text, pattern)).parse_next(input)? {
        // Without a `*` it is a text.
        Pattern::Parts(parts) if parts.len() == 1 => Ok(Pattern::Exact(parts.concat())),
        other => Ok(other),
    }
}

fn time(input: &mut Input<'_>) -> Parsed<Timestamp> {
    blanks(input);
    let at = input.current_token_start();
    Timestamp::parse(string(input)?).map_err(|invalid| Fault::because(at, invalid.detail))
}

fn time_of_day(input: &mut Input<'_>) -> Parsed<String> {
    blanks(input);
    let at = input.current_token_start();
    let text = string(input)?;
    let fine = Timestamp::parse(&format!("2000-01-01T{text}")).is_ok() && text.len() == 9;
    match fine {
        true => Ok(text.to_owned()),
        false => Err(Fault::because(at, format!("`{text}` is not a time of day like `08:30:00Z`"))),
    }
}
