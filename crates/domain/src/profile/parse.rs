//! Reading a profile from text, every fault with its JSON pointer, and writing it back.

use super::{Allowed, ExtendedKeyUsage, KeyHolder, NameLimits, NamePattern, Profile, RawNameLimits, RawProfile};
use crate::algorithm::KeyAlgorithm;
use crate::dn::AttributeType;
use crate::faults::Faults;
use crate::name::ResourceName;
use crate::san::{DnsName, EmailAddress, Uri};
use crate::time::Span;
use crate::violation::Invalid;
use ipnet::IpNet;
use std::net::IpAddr;

/// Most patterns of one kind.
const MAX_PATTERNS: usize = 200;
/// Most characters of a description.
const MAX_DESCRIPTION: usize = 500;

impl Faults {
    /// `None` or an empty list: nothing; `["*"]`: anything; else patterns.
    fn allowed<T: PartialEq>(
        &mut self,
        pointer: &str,
        texts: Option<Vec<String>>,
        read: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Allowed<T> {
        match texts.unwrap_or_default().as_slice() {
            [] => Allowed::Nothing,
            [star] if star == "*" => Allowed::Anything,
            texts => Allowed::Matching(self.each(pointer, texts, MAX_PATTERNS, read)),
        }
    }
}

pub(super) fn profile(raw: RawProfile) -> Result<Profile, Vec<(String, Invalid)>> {
    let mut faults = Faults::default();
    let name = faults.keep("/name", ResourceName::parse(&raw.name));
    let description = faults.keep("/description", description(&raw.description));
    let usages = faults.each("/usages", &raw.usages, MAX_PATTERNS, ExtendedKeyUsage::parse);
    if raw.usages.is_empty() {
        let hint = "Give at least one of: serverAuth clientAuth codeSigning emailProtection";
        faults.add("/usages", Invalid::new("invalid_extended_key_usage", "The profile has no usage.", hint));
    }
    let key_algorithms = match raw.key_algorithms.as_slice() {
        [] => asymmetric().collect(),
        texts => faults.each("/keyAlgorithms", texts, MAX_PATTERNS, key_algorithm),
    };
    let key_holders = match raw.key_holders.as_slice() {
        [] => KeyHolder::ALL.to_vec(),
        texts => faults.each("/keyHolders", texts, MAX_PATTERNS, KeyHolder::parse),
    };
    let max_validity = raw.max_validity.as_deref().and_then(|text| faults.keep("/maxValidity", lifetime(text)));
    let names = name_limits(raw.names, &mut faults);
    match (name, description) {
        (Some(name), Some(description)) if faults.0.is_empty() => {
            Ok(Profile { name, description, usages, key_algorithms, max_validity, key_holders, names })
        }
        _ => Err(faults.0),
    }
}

fn name_limits(raw: RawNameLimits, faults: &mut Faults) -> NameLimits {
    let limits = NameLimits {
        dns: faults.allowed("/names/dns", raw.dns, dns_pattern),
        wildcards: raw.wildcards,
        ip: faults.allowed("/names/ip", raw.ip, ip_range),
        email: faults.allowed("/names/email", raw.email, email_pattern),
        uri: faults.allowed("/names/uri", raw.uri, uri_pattern),
        required: raw.required,
        common_name_in_names: raw.common_name_in_names,
        subject: faults.allowed("/names/subject", raw.subject, AttributeType::parse),
    };
    let no_kind = matches!(limits.dns, Allowed::Nothing)
        && matches!(limits.ip, Allowed::Nothing)
        && matches!(limits.email, Allowed::Nothing)
        && matches!(limits.uri, Allowed::Nothing);
    if limits.required && no_kind {
        let detail = "The profile asks for a name and allows none of any kind.";
        faults.add("/names/required", contradiction(detail, "Allow a kind of names, or do not require one."));
    }
    if no_kind && matches!(limits.subject, Allowed::Nothing) {
        let detail = "The profile allows neither names nor subject attributes; no certificate could say whose it is.";
        faults.add("/names", contradiction(detail, "Allow a kind of names, or subject attributes."));
    }
    if limits.wildcards && matches!(limits.dns, Allowed::Nothing) {
        let detail = "The profile allows wildcards but no DNS names.";
        faults.add("/names/wildcards", contradiction(detail, "Allow DNS names, or no wildcards."));
    }
    limits
}

fn contradiction(detail: &str, hint: &str) -> Invalid {
    Invalid::new("contradictory_profile", detail, hint)
}

/// Reads a text for people.
pub(crate) fn description(text: &str) -> Result<String, Invalid> {
    if text.chars().count() > MAX_DESCRIPTION || text.chars().any(|c| c.is_control() && c != '\n') {
        let detail = "The description is too long or has control characters.";
        return Err(Invalid::new("invalid_description", detail, format!("Use at most {MAX_DESCRIPTION} characters.")));
    }
    Ok(text.to_owned())
}

fn asymmetric() -> impl Iterator<Item = KeyAlgorithm> {
    KeyAlgorithm::ALL.iter().copied().filter(|algorithm| algorithm.is_asymmetric())
}

fn key_algorithm(text: &str) -> Result<KeyAlgorithm, Invalid> {
    let algorithm = KeyAlgorithm::parse(text)?;
    if algorithm.is_asymmetric() {
        return Ok(algorithm);
    }
    let names: Vec<&str> = asymmetric().map(KeyAlgorithm::as_str).collect();
    Err(Invalid::new(
        "invalid_key_algorithm",
        format!("A certificate cannot certify a key of the kind {algorithm}."),
        format!("Choose among: {}", names.join(" ")),
    ))
}

fn lifetime(text: &str) -> Result<Span, Invalid> {
    let span = Span::parse(text)?;
    if span.s() < 1 {
        return Err(Invalid::new(
            "invalid_duration",
            "A longest lifetime of zero lets nothing through.",
            "Use `P90D`, say.",
        ));
    }
    Ok(span)
}

fn pattern_fault(text: &str, hint: &str) -> Invalid {
    let shown: String = text.chars().take(260).collect();
    Invalid::new("invalid_pattern", format!("`{}` is not a usable pattern.", shown.escape_debug()), hint)
}

/// Reads a pattern of names of this kind.
pub(crate) fn dns_pattern(text: &str) -> Result<NamePattern, Invalid> {
    const HINT: &str = "Write a DNS name, `*.example.com` for everything below it, or `*` alone for any.";
    let name = DnsName::parse(text).map_err(|_| pattern_fault(text, HINT))?;
    let base = name.base().to_owned();
    Ok(if name.is_wildcard() { NamePattern::Below(base) } else { NamePattern::Exact(base) })
}

/// Reads a pattern of names of this kind.
pub(crate) fn ip_range(text: &str) -> Result<IpNet, Invalid> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map(|net| net.trunc()).map_err(|_| {
        pattern_fault(text, "Write a range such as `10.0.0.0/8` or `2001:db8::/32`, or `*` alone for any.")
    })
}

/// Reads a pattern of names of this kind.
pub(crate) fn email_pattern(text: &str) -> Result<NamePattern, Invalid> {
    const HINT: &str = "Write `a@example.com`, `*@example.com`, `*@*.example.com`, or `*` alone for any.";
    let fault = || pattern_fault(text, HINT);
    match text.strip_prefix("*@") {
        Some(host) => {
            let host = DnsName::parse(host).map_err(|_| fault())?;
            let base = host.base().to_owned();
            Ok(if host.is_wildcard() { NamePattern::Below(base) } else { NamePattern::Host(base) })
        }
        None => EmailAddress::parse(text)
            .map(|address| NamePattern::Exact(address.as_str().to_owned()))
            .map_err(|_| fault()),
    }
}

/// Reads a pattern of names of this kind.
pub(crate) fn uri_pattern(text: &str) -> Result<NamePattern, Invalid> {
    const HINT: &str = "Write a whole URI, or a beginning with whole host and a trailing `*`: `spiffe://corp/*`.";
    let fault = || pattern_fault(text, HINT);
    let (body, open) = match text.strip_suffix('*') {
        Some(body) => (body, true),
        None => (text, false),
    };
    if body.contains('*') {
        return Err(fault());
    }
    let uri = Uri::parse(body).map_err(|_| fault())?;
    // Without the slash behind the host, `https://example.com*` would let `https://example.com.evil.org` through.
    let whole_host = body.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    match (open, whole_host) {
        (false, _) => Ok(NamePattern::Exact(uri.as_str().to_owned())),
        (true, true) => Ok(NamePattern::Prefix(uri.as_str().to_owned())),
        (true, false) => Err(fault()),
    }
}

pub(super) fn to_raw(profile: &Profile) -> RawProfile {
    let names = &profile.names;
    RawProfile {
        name: profile.name.to_string(),
        description: profile.description.clone(),
        usages: texts(&profile.usages),
        key_algorithms: texts(&profile.key_algorithms),
        max_validity: profile.max_validity.map(|span| span.to_string()),
        key_holders: texts(&profile.key_holders),
        names: RawNameLimits {
            dns: allowed_texts(&names.dns, NamePattern::to_text),
            wildcards: names.wildcards,
            ip: allowed_texts(&names.ip, ToString::to_string),
            email: allowed_texts(&names.email, NamePattern::to_email_text),
            uri: allowed_texts(&names.uri, NamePattern::to_text),
            required: names.required,
            common_name_in_names: names.common_name_in_names,
            subject: allowed_texts(&names.subject, ToString::to_string),
        },
    }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn allowed_texts<P>(allowed: &Allowed<P>, text: impl Fn(&P) -> String) -> Option<Vec<String>> {
    match allowed {
        Allowed::Nothing => None,
        Allowed::Anything => Some(vec!["*".to_owned()]),
        Allowed::Matching(patterns) => Some(patterns.iter().map(text).collect()),
    }
}
