//! The formats of names and URLs, and whether two formats can give one name.

use crate::crl::Shards;
use crate::http_url::HttpUrl;
use crate::violation::Invalid;
use std::collections::BTreeSet;
use std::fmt;

/// Stands for the number of the CA's version.
const VERSION: &str = "{}";
/// Stands for the shard of a list.
const SHARD: &str = "{shard}";
/// Longest format of a name, and longest format of a URL.
const MAX_NAME: usize = 512;
const MAX_URL: usize = 1024;
/// Longest part of a name between two slashes: file systems allow 255 bytes, and numbers take their place.
const MAX_SEGMENT: usize = 200;

/// The name of an object: segments of letters, digits, `-`, `.`, `_` and `~`, divided by slashes; none of them empty or
/// beginning with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName(String);

impl ObjectName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        check_segments(text, text).map(|()| Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes: one at least, none that leads elsewhere.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How objects are called: `{}` once, `{shard}` at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectNameFormat(String);

impl ObjectNameFormat {
    /// Reads a format.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > MAX_NAME {
            return Err(wrong_name(text, &format!("it is longer than {MAX_NAME} characters")));
        }
        check_placeholders(text).map_err(|why| wrong_name(text, &why))?;
        check_segments(&put(text, "1", "1-0"), text)?;
        Ok(Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does it name the shard?
    pub fn has_shard(&self) -> bool {
        self.0.contains(SHARD)
    }

    /// The name of a version's object.
    pub fn expand(&self, version: u32, shards: Shards, shard: u16) -> ObjectName {
        ObjectName(put(&self.0, &version.to_string(), &format!("{}-{shard}", shards.number())))
    }

    /// Is there a name that both formats give?
    pub fn may_meet(&self, other: &Self) -> bool {
        meet(&self.tokens(), &other.tokens())
    }

    fn tokens(&self) -> Vec<Token> {
        let number = [Token::Digit, Token::Digits];
        let mut tokens = Vec::new();
        let mut rest = self.0.as_str();
        loop {
            if let Some(after) = rest.strip_prefix(VERSION) {
                tokens.extend(number);
                rest = after;
            } else if let Some(after) = rest.strip_prefix(SHARD) {
                tokens.extend(number);
                tokens.push(Token::Byte(b'-'));
                tokens.extend(number);
                rest = after;
            } else {
                let mut chars = rest.chars();
                let Some(first) = chars.next() else { return tokens };
                // Names are ASCII.
                tokens.push(Token::Byte(u8::try_from(first).unwrap_or(b'?')));
                rest = chars.as_str();
            }
        }
    }
}

impl fmt::Display for ObjectNameFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where others serve objects: an absolute `http` or `https` URL with `{}` once and `{shard}` at most once, both after the
/// host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlFormat(String);

impl UrlFormat {
    /// Reads a format.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |why: &str| {
            Invalid::new(
                "invalid_url_format",
                format!("`{}` cannot stand in certificates: {why}.", shown(text)),
                "Write for example `http://crl.example.com/issuing-{}.crl`; `{}` stands for the number of the CA's version.",
            )
        };
        if text.len() > MAX_URL {
            return Err(wrong(&format!("it is longer than {MAX_URL} characters")));
        }
        check_placeholders(text).map_err(|why| wrong(&why))?;
        let authority = text.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next()).unwrap_or_default();
        if authority.contains('{') {
            return Err(wrong("a placeholder stands in its host"));
        }
        HttpUrl::parse(&put(text, "1", "1-0"))?;
        Ok(Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does it name the shard?
    pub fn has_shard(&self) -> bool {
        self.0.contains(SHARD)
    }

    /// The URL of a version's object.
    pub fn expand(&self, version: u32, shards: Shards, shard: u16) -> String {
        put(&self.0, &version.to_string(), &format!("{}-{shard}", shards.number()))
    }
}

impl fmt::Display for UrlFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn put(format: &str, version: &str, shard: &str) -> String {
    format.replace(VERSION, version).replace(SHARD, shard)
}

fn shown(text: &str) -> String {
    let start: String = text.chars().take(200).collect();
    start.escape_debug().to_string()
}

fn wrong_name(text: &str, why: &str) -> Invalid {
    Invalid::new(
        "invalid_object_name_format",
        format!("`{}` cannot name an object: {why}.", shown(text)),
        "Write for example `crl/issuing-{}.crl`: letters, digits, `-`, `.`, `_`, `~`, divided by slashes; `{}` stands for \
         the number of the CA's version, `{shard}` for the shard where lists are cut.",
    )
}

fn check_placeholders(text: &str) -> Result<(), String> {
    match text.matches(VERSION).count() {
        1 => {}
        0 => return Err("without `{}` the versions of the CA would overwrite each other".to_owned()),
        _ => return Err("`{}` stands in it more than once".to_owned()),
    }
    if text.matches(SHARD).count() > 1 {
        return Err("`{shard}` stands in it more than once".to_owned());
    }
    if put(text, "", "").contains(['{', '}']) {
        return Err("a brace stands in it that belongs to neither `{}` nor `{shard}`".to_owned());
    }
    Ok(())
}

fn check_segments(name: &str, shown_as: &str) -> Result<(), Invalid> {
    let wrong = |why: &str| Err(wrong_name(shown_as, why));
    if name.starts_with('/') {
        return wrong("it begins with a slash");
    }
    for segment in name.split('/') {
        if segment.is_empty() {
            return wrong("a part of it between two slashes is empty");
        }
        if segment.starts_with('.') {
            return wrong("a part of it begins with a dot");
        }
        if segment.len() > MAX_SEGMENT {
            return wrong(&format!("a part of it is longer than {MAX_SEGMENT} characters"));
        }
        if !segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')) {
            return wrong("it holds a character that does not belong into a name");
        }
    }
    Ok(())
}

/// What a format gives at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Just this.
    Byte(u8),
    /// One digit.
    Digit,
    /// Any number of digits.
    Digits,
}

impl Token {
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Byte(one), Self::Byte(other)) => one == other,
            (Self::Byte(byte), _) | (_, Self::Byte(byte)) => byte.is_ascii_digit(),
            _ => true,
        }
    }
}

/// Is there a text that both give? Walks the pairs of places that a common text can have reached.
fn meet(one: &[Token], other: &[Token]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![(0_usize, 0_usize)];
    while let Some((i, j)) = open.pop() {
        if !seen.insert((i, j)) {
            continue;
        }
        let (x, y) = (one.get(i).copied(), other.get(j).copied());
        let after = |place: usize, token: Token| match token {
            Token::Digits => place,
            _ => place.saturating_add(1),
        };
        if x == Some(Token::Digits) {
            open.push((i.saturating_add(1), j));
        }
        if y == Some(Token::Digits) {
            open.push((i, j.saturating_add(1)));
        }
        match (x, y) {
            (None, None) => return true,
            (Some(x), Some(y)) if x.meets(y) => open.push((after(i, x), after(j, y))),
            _ => {}
        }
    }
    false
}
