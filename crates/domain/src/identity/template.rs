//! Texts with claims in them.
//!
//! `${claim.NAME}` stands for the value of a claim. In patterns of names, the value must be one DNS label;
//! `${claim.NAME:dots}` takes several, `${claim.NAME:last}` what stands behind the last slash (of `org/app`: `app`).

use super::Claims;
use crate::profile::{NamePattern, dns_pattern, email_pattern, ip_range, uri_pattern};
use crate::violation::Invalid;
use ipnet::IpNet;
use std::fmt;

/// Longest template, in bytes.
const MAX: usize = 512;
/// Longest subject, in bytes.
const MAX_SUBJECT: usize = 512;

/// What of a value is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    /// All of it; one label.
    Label,
    /// All of it; labels with dots between them.
    Dots,
    /// What stands behind the last slash; one label.
    Last,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Claim { name: String, view: View },
}

fn wrong(code: &'static str, text: &str, why: &str, hint: &str) -> Invalid {
    let shown: String = text.chars().take(200).collect();
    Invalid::new(code, format!("`{}` is not a usable template: {why}.", shown.escape_debug()), hint)
}

/// Takes a template apart; the error is why it cannot be.
fn parts(text: &str) -> Result<Vec<Part>, &'static str> {
    if text.is_empty() || text.len() > MAX || text.chars().any(char::is_control) {
        return Err("it is empty, longer than 512 bytes, or has control characters");
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let (inside, after) = behind.split_once('}').ok_or("a `${` has no `}`")?;
        let name = inside.strip_prefix("claim.").ok_or("between `${` and `}` stands `claim.` and the claim's name")?;
        let (name, view) = match name.rsplit_once(':') {
            Some((name, "dots")) => (name, View::Dots),
            Some((name, "last")) => (name, View::Last),
            _ => (name, View::Label),
        };
        if name.is_empty() || name.contains(['$', '{']) {
            return Err("a claim has no usable name");
        }
        if !before.is_empty() {
            parts.push(Part::Literal(before.to_owned()));
        }
        parts.push(Part::Claim { name: name.to_owned(), view });
        rest = after;
    }
    if rest.contains('$') || parts.iter().any(|part| matches!(part, Part::Literal(text) if text.contains('$'))) {
        return Err("a `$` stands alone");
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Ok(parts)
}

/// Which kind of names a pattern lets through; the template alone says it, no value does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dns,
    Ip,
    Email,
    Uri,
}

/// A pattern of names of one kind, its claims put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filled {
    Dns(NamePattern),
    Ip(IpNet),
    Email(NamePattern),
    Uri(NamePattern),
}

/// A template of a pattern of names: `*.${claim.namespace}.svc.example.com`, `spiffe://corp/ns/${claim.namespace}`,
/// `10.0.0.0/8`. Patterns are written as in profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTemplate {
    text: String,
    kind: Kind,
    parts: Vec<Part>,
}

const NAME_HINT: &str = "Write a pattern as in profiles, for example `*.${claim.namespace}.svc.example.com`; a claim is a \
                         label or the only one in its label.";

impl NameTemplate {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |why: &str| wrong("invalid_name_template", text, why, NAME_HINT);
        let parts = parts(text).map_err(wrong)?;
        let has_claims = parts.iter().any(|part| matches!(part, Part::Claim { .. }));
        let literal = |what: &str| parts.iter().any(|part| matches!(part, Part::Literal(text) if text.contains(what)));
        let kind = if literal("://") {
            Kind::Uri
        } else if literal("@") {
            Kind::Email
        } else if !has_claims && ip_range(text).is_ok() {
            Kind::Ip
        } else {
            Kind::Dns
        };
        if has_claims {
            check_neighbours(&parts).map_err(wrong)?;
            check_reach(kind, text, &parts).map_err(wrong)?;
        }
        let template = Self { text: text.to_owned(), kind, parts };
        let sample = template.put_in(|_, _| Ok("x".to_owned())).map_err(|why| wrong(&why))?;
        template.pattern(&sample).map_err(|_| wrong("with its claims put in, it is not a pattern of names"))?;
        Ok(template)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The pattern for these claims; the error says why there is none.
    pub(super) fn fill(&self, claims: &Claims) -> Result<(String, Filled), String> {
        let text = self.put_in(|name, view| {
            let value = single(claims, name)?;
            labels(value, view).ok_or_else(|| format!("the value of `{name}` cannot stand in a name"))
        })?;
        let filled =
            self.pattern(&text).map_err(|_| format!("with its claims put in, `{}` is no pattern", self.text))?;
        Ok((text, filled))
    }

    fn put_in(&self, value: impl Fn(&str, View) -> Result<String, String>) -> Result<String, String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Ok(text.clone()),
                Part::Claim { name, view } => value(name, *view),
            })
            .collect()
    }

    fn pattern(&self, text: &str) -> Result<Filled, Invalid> {
        match self.kind {
            Kind::Dns => dns_pattern(text).map(Filled::Dns),
            Kind::Ip => ip_range(text).map(Filled::Ip),
            Kind::Email => email_pattern(text).map(Filled::Email),
            Kind::Uri => uri_pattern(text).map(Filled::Uri),
        }
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A label holds one claim at most (else `a-b` and `c` would give what `a` and `b-c` give), and one with dots is not glued
/// to anything.
fn check_neighbours(parts: &[Part]) -> Result<(), &'static str> {
    const BORDERS: [char; 3] = ['.', '/', '@'];
    for pair in parts.windows(2) {
        match pair {
            [Part::Claim { .. }, Part::Claim { .. }] => return Err("two claims stand side by side"),
            [Part::Claim { view: View::Dots, .. }, Part::Literal(text)] if !text.starts_with(BORDERS) => {
                return Err("a claim with dots is not a label of its own");
            }
            [Part::Literal(text), Part::Claim { view: View::Dots, .. }] if !text.ends_with(BORDERS) => {
                return Err("a claim with dots is not a label of its own");
            }
            _ => {}
        }
    }
    for triple in parts.windows(3) {
        if let [Part::Claim { .. }, Part::Literal(text), Part::Claim { .. }] = triple
            && !text.contains(BORDERS)
        {
            return Err("two claims stand in one label");
        }
    }
    Ok(())
}

/// A pattern that lets more than one name through ends where the template says, not where a value does.
fn check_reach(kind: Kind, text: &str, parts: &[Part]) -> Result<(), &'static str> {
    let open = text.contains('*');
    match kind {
        Kind::Dns | Kind::Email => match parts.last() {
            Some(Part::Literal(end)) if end.contains(['.', '@']) => Ok(()),
            _ if open => Err("behind `*` the last label cannot be a claim"),
            _ => Ok(()),
        },
        Kind::Uri => {
            let head = match parts.first() {
                Some(Part::Literal(head)) => head.as_str(),
                _ => "",
            };
            let path = head.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
            match () {
                () if !path => Err("in a URI, claims stand in the path alone"),
                () if open && !text.ends_with("/*") => Err("the `*` of a URI stands behind a slash"),
                () => Ok(()),
            }
        }
        Kind::Ip => Ok(()),
    }
}

fn single<'c>(claims: &'c Claims, name: &str) -> Result<&'c str, String> {
    claims.single(name).ok_or_else(|| match claims.get(name).len() {
        0 => format!("the claim `{name}` is not there"),
        count => format!("the claim `{name}` has {count} values"),
    })
}

/// What of a value may stand in a name: labels in lower case; `None`: anything else.
fn labels(value: &str, view: View) -> Option<String> {
    let value = match view {
        View::Last => value.rsplit('/').next().unwrap_or_default(),
        View::Label | View::Dots => value,
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fine = match view {
        View::Dots => value.len() <= 253 && value.split('.').all(label),
        View::Label | View::Last => label(value),
    };
    fine.then(|| value.to_ascii_lowercase())
}

/// A template of a subject: `${claim.sub}`, `${claim.namespace}/${claim.pod}`. Two different sets of values never give one
/// subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectTemplate {
    text: String,
    parts: Vec<Part>,
}

impl SubjectTemplate {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const HINT: &str = "Write for example `${claim.sub}` or `${claim.namespace}/${claim.pod}`; between two claims \
                            stands one of `/ : @`.";
        let wrong = |why: &str| wrong("invalid_subject_template", text, why, HINT);
        let parts = parts(text).map_err(wrong)?;
        let plain = |part: &Part| match part {
            Part::Literal(text) => text.bytes().all(is_kept_whole),
            Part::Claim { view, .. } => *view == View::Label,
        };
        if !parts.iter().all(plain) {
            return Err(wrong(
                "it has a character that a subject cannot have, or a claim of which only a part is taken",
            ));
        }
        let mut between = parts.windows(2).map(|pair| matches!(pair, [Part::Claim { .. }, Part::Claim { .. }]));
        let glued = parts.windows(3).any(|triple| match triple {
            [Part::Claim { .. }, Part::Literal(text), Part::Claim { .. }] => !text.contains(['/', ':', '@']),
            _ => false,
        });
        if glued || between.any(|side_by_side| side_by_side) {
            return Err(wrong("nothing tells where one claim ends and the next begins"));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The subject; the error says why there is none. Bytes that could be taken for something else are `%` and two digits.
    pub(super) fn fill(&self, claims: &Claims) -> Result<String, String> {
        let mut subject = String::new();
        let several = self.parts.len() > 1;
        for part in &self.parts {
            match part {
                Part::Literal(text) => subject.push_str(text),
                Part::Claim { name, .. } => {
                    let kept = if several { is_kept } else { is_kept_whole };
                    escape(single(claims, name)?, kept, &mut subject);
                }
            }
        }
        if subject.is_empty() || subject.len() > MAX_SUBJECT {
            return Err(format!("the subject is empty or longer than {MAX_SUBJECT} bytes"));
        }
        Ok(subject)
    }
}

/// In a value that stands among others.
fn is_kept(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'=' | b',')
}

/// In a value that is the whole subject, and in the template itself.
fn is_kept_whole(byte: u8) -> bool {
    is_kept(byte) || matches!(byte, b'/' | b':' | b'@')
}

fn escape(value: &str, kept: impl Fn(u8) -> bool, into: &mut String) {
    use fmt::Write as _;
    for byte in value.bytes() {
        if kept(byte) {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}
