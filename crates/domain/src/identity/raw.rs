//! Reading an identity provider from text, every fault with its JSON pointer, and writing it back.

use super::provider::{JwsAlgorithm, KeySource, ProviderKind, ProviderSettings, TrustRule};
use super::{Glob, MAX_KEY_SET, NameTemplate, SubjectTemplate};
use crate::faults::Faults;
use crate::http_url::HttpUrl;
use crate::name::ResourceName;
use crate::principal::PrincipalName;
use crate::profile::description;
use crate::time::Span;
use crate::violation::Invalid;
use std::collections::BTreeMap;

/// Most rules of a provider.
const MAX_RULES: usize = 100;
/// Most entries of any other list.
const MAX_ENTRIES: usize = 50;
/// Longest audience and name of a claim, in bytes.
const MAX_TEXT: usize = 512;
/// Largest difference of clocks.
const MAX_SKEW: Span = Span::from_minutes(5);
/// The usual one.
const SKEW: Span = Span::from_s(60);
/// Where the subject comes from when a rule does not say.
const SUBJECT: &str = "${claim.sub}";
/// Behind the issuer: its discovery document.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// A provider as text, from a request or a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawProvider {
    /// Name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Kind; `None`: `OIDC`.
    pub kind: Option<String>,
    /// `https://…`; `None`: the one of the kind.
    pub issuer: Option<String>,
    /// At least one.
    pub audiences: Vec<String>,
    /// Where the keys are; `None`, and no `jwks` either: the discovery document says it.
    pub jwks_uri: Option<String>,
    /// The keys themselves.
    pub jwks: Option<String>,
    /// Names of signature algorithms; empty: all.
    pub algorithms: Vec<String>,
    /// At least one.
    pub rules: Vec<RawRule>,
    /// ISO 8601; `None`: a minute.
    pub clock_skew: Option<String>,
    /// ISO 8601; `None`: until the token ends.
    pub max_token_age: Option<String>,
    /// Does it let anybody in?
    pub enabled: bool,
}

/// A rule as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawRule {
    /// Patterns by claim; at least one.
    pub claims: BTreeMap<String, Vec<String>>,
    /// Template; `None`: the claim `sub`.
    pub subject: Option<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Templates of patterns of names; `None`: policies alone decide.
    pub names: Option<Vec<String>>,
}

impl ProviderSettings {
    /// Reads a provider; every fault is listed with the JSON pointer of the field.
    pub fn new(raw: RawProvider) -> Result<Self, Vec<(String, Invalid)>> {
        let mut faults = Faults::default();
        let name = faults.keep("/name", ResourceName::parse(&raw.name));
        let description = faults.keep("/description", description(&raw.description));
        let kind = match &raw.kind {
            Some(text) => faults.keep("/kind", ProviderKind::parse(text)),
            None => Some(ProviderKind::Oidc),
        };
        let issuer = kind.and_then(|kind| faults.keep("/issuer", issuer(raw.issuer.as_deref(), kind)));
        let audiences = faults.each("/audiences", &raw.audiences, MAX_ENTRIES, audience);
        if raw.audiences.is_empty() {
            let hint = "Name the audience that tokens for this server are made with, for example its public URL.";
            faults.add("/audiences", Invalid::new("audience_required", "The provider has no audience.", hint));
        }
        let keys = issuer.as_deref().and_then(|issuer| key_source(issuer, raw.jwks_uri, raw.jwks, &mut faults));
        let algorithms = match raw.algorithms.as_slice() {
            [] => JwsAlgorithm::ALL.to_vec(),
            texts => faults.each("/algorithms", texts, MAX_ENTRIES, JwsAlgorithm::parse),
        };
        let rules = kind.map(|kind| rules(raw.rules, kind, &mut faults));
        let clock_skew = match &raw.clock_skew {
            Some(text) => faults.keep("/clockSkew", skew(text)),
            None => Some(SKEW),
        };
        let max_token_age = raw.max_token_age.as_deref().and_then(|text| faults.keep("/maxTokenAge", age(text)));
        let enabled = raw.enabled;
        match (name, description, kind, issuer, keys, rules, clock_skew) {
            (Some(name), Some(description), Some(kind), Some(issuer), Some(keys), Some(rules), Some(clock_skew))
                if faults.0.is_empty() =>
            {
                Ok(Self {
                    name,
                    description,
                    kind,
                    issuer,
                    audiences,
                    keys,
                    algorithms,
                    rules,
                    clock_skew,
                    max_token_age,
                    enabled,
                })
            }
            _ => Err(faults.0),
        }
    }

    /// The same as text; `ProviderSettings::new(settings.to_raw())` gives it back.
    pub fn to_raw(&self) -> RawProvider {
        let rule = |rule: &TrustRule| RawRule {
            claims: rule
                .claims
                .iter()
                .map(|(claim, patterns)| (claim.clone(), patterns.iter().map(ToString::to_string).collect()))
                .collect(),
            subject: Some(rule.subject.as_str().to_owned()),
            groups: rule.groups.iter().map(ToString::to_string).collect(),
            names: rule.names.as_ref().map(|names| names.iter().map(ToString::to_string).collect()),
        };
        RawProvider {
            name: self.name.to_string(),
            description: self.description.clone(),
            kind: Some(self.kind.to_string()),
            issuer: Some(self.issuer.clone()),
            audiences: self.audiences.clone(),
            jwks_uri: match &self.keys {
                KeySource::Url(url) => Some(url.to_string()),
                KeySource::Discovery(_) | KeySource::Static(_) => None,
            },
            jwks: match &self.keys {
                KeySource::Static(text) => Some(text.clone()),
                KeySource::Discovery(_) | KeySource::Url(_) => None,
            },
            algorithms: self.algorithms.iter().map(ToString::to_string).collect(),
            rules: self.rules.iter().map(rule).collect(),
            clock_skew: Some(self.clock_skew.to_string()),
            max_token_age: self.max_token_age.map(|span| span.to_string()),
            enabled: self.enabled,
        }
    }
}

fn https(text: &str) -> Result<HttpUrl, Invalid> {
    let url = HttpUrl::parse(text)?;
    if !url.is_https() {
        return Err(Invalid::new(
            "https_required",
            format!("`{url}` is not `https`."),
            "Keys that anyone on the way can exchange prove nothing; use `https://`.",
        ));
    }
    Ok(url)
}

fn issuer(text: Option<&str>, kind: ProviderKind) -> Result<String, Invalid> {
    let Some(text) = text.or(kind.issuer()) else {
        let hint = "Give the `iss` of its tokens, for example `https://gitlab.example.com`.";
        return Err(Invalid::new("issuer_required", "The provider has no issuer.", hint));
    };
    https(text)?;
    if text.contains('?') || text.ends_with("//") {
        let hint = "Write `https://host[:port][/path]`, as it stands in `iss`.";
        return Err(Invalid::new("invalid_issuer", format!("`{text}` is not an issuer."), hint));
    }
    Ok(text.to_owned())
}

fn key_source(issuer: &str, uri: Option<String>, keys: Option<String>, faults: &mut Faults) -> Option<KeySource> {
    match (uri, keys) {
        (None, None) => {
            let url = format!("{}{WELL_KNOWN}", issuer.strip_suffix('/').unwrap_or(issuer));
            faults.keep("/issuer", https(&url)).map(KeySource::Discovery)
        }
        (Some(uri), None) => faults.keep("/jwksUri", https(&uri)).map(KeySource::Url),
        (None, Some(keys)) if keys.len() <= MAX_KEY_SET => Some(KeySource::Static(keys)),
        (None, Some(keys)) => {
            let detail = format!("The key set has {} bytes, {MAX_KEY_SET} are allowed.", keys.len());
            faults.add("/jwks", Invalid::new("invalid_key_set", detail, "Leave out keys that sign no tokens."));
            None
        }
        (Some(_), Some(_)) => {
            let hint =
                "Give the keys themselves, or where they are; or neither: the issuer's discovery document says it.";
            faults.add("/jwks", Invalid::new("contradictory_key_source", "There are two sources of keys.", hint));
            None
        }
    }
}

fn audience(text: &str) -> Result<String, Invalid> {
    plain(text, "invalid_audience", "audience")
}

/// A text that is compared to the letter.
fn plain(text: &str, code: &'static str, what: &str) -> Result<String, Invalid> {
    if text.trim().is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
        let shown: String = text.chars().take(80).collect();
        let detail = format!("`{}` is not a usable {what}.", shown.escape_debug());
        return Err(Invalid::new(code, detail, format!("Use 1 to {MAX_TEXT} bytes without control characters.")));
    }
    Ok(text.to_owned())
}

fn skew(text: &str) -> Result<Span, Invalid> {
    let span = Span::parse(text)?;
    if span > MAX_SKEW {
        let detail = format!("Clocks that are {span} apart are not the same time; at most {MAX_SKEW} is allowed.");
        return Err(Invalid::new("invalid_duration", detail, "Use `PT1M`, say."));
    }
    Ok(span)
}

fn age(text: &str) -> Result<Span, Invalid> {
    let span = Span::parse(text)?;
    if span.s() < 1 {
        return Err(Invalid::new("invalid_duration", "An age of zero lets no token in.", "Use `PT10M`, say."));
    }
    Ok(span)
}

fn rules(raw: Vec<RawRule>, kind: ProviderKind, faults: &mut Faults) -> Vec<TrustRule> {
    if raw.is_empty() {
        let hint = "Say which claims let a token in, for example {\"claims\": {\"repository\": [\"org/app\"]}}.";
        faults.add("/rules", Invalid::new("rule_required", "The provider has no rule; it would let nobody in.", hint));
    }
    if raw.len() > MAX_RULES {
        faults.too_many("/rules", raw.len(), MAX_RULES);
        return Vec::new();
    }
    raw.into_iter().enumerate().filter_map(|(index, raw)| rule(&format!("/rules/{index}"), raw, kind, faults)).collect()
}

fn rule(at: &str, raw: RawRule, kind: ProviderKind, faults: &mut Faults) -> Option<TrustRule> {
    let pointer = format!("{at}/claims");
    if raw.claims.len() > MAX_ENTRIES {
        faults.too_many(&pointer, raw.claims.len(), MAX_ENTRIES);
        return None;
    }
    let mut claims = Vec::new();
    for (claim, patterns) in &raw.claims {
        let here = format!("{pointer}/{}", claim.replace('~', "~0").replace('/', "~1"));
        let claim = faults.keep(&here, plain(claim, "invalid_claim", "name of a claim"));
        if patterns.is_empty() {
            let hint = "Give a pattern; `*` alone: the claim must be there, whatever it says.";
            faults.add(&here, Invalid::new("invalid_claim_pattern", "The claim has no pattern.", hint));
        }
        let patterns = faults.each(&here, patterns, MAX_ENTRIES, Glob::parse);
        claims.extend(claim.map(|claim| (claim, patterns)));
    }
    if let Err(fault) = narrow(&claims, kind) {
        faults.add(&pointer, fault);
    }
    let subject = raw.subject.as_deref().unwrap_or(SUBJECT);
    let subject = faults.keep(&format!("{at}/subject"), SubjectTemplate::parse(subject));
    let groups = faults.each(&format!("{at}/groups"), &raw.groups, MAX_ENTRIES, PrincipalName::parse);
    let names = raw.names.map(|names| faults.each(&format!("{at}/names"), &names, MAX_ENTRIES, NameTemplate::parse));
    Some(TrustRule { claims, subject: subject?, groups, names })
}

/// A rule tells whom it means. An issuer has many customers: one who signs for all the world is told apart by owner.
fn narrow(claims: &[(String, Vec<Glob>)], kind: ProviderKind) -> Result<(), Invalid> {
    let open = |patterns: &[Glob]| patterns.iter().any(|pattern| pattern.beginning().is_empty());
    if claims.iter().all(|(_, patterns)| open(patterns)) {
        return Err(Invalid::new(
            "rule_too_wide",
            "The rule matches tokens of everybody for whom the issuer signs.",
            "Name a claim with a pattern that does not begin with `*`.",
        ));
    }
    let owner_told = |claim: &str, pattern: &Glob| match claim {
        "repository_owner" | "repository_owner_id" | "repository_id" => pattern.is_exact(),
        "repository" | "job_workflow_ref" => pattern.beginning().contains('/'),
        "sub" => pattern.beginning().strip_prefix("repo:").is_some_and(|rest| rest.contains('/')),
        _ => false,
    };
    let told = |(claim, patterns): &(String, Vec<Glob>)| {
        !patterns.is_empty() && patterns.iter().all(|pattern| owner_told(claim, pattern))
    };
    if kind == ProviderKind::GitHub && !claims.iter().any(told) {
        return Err(Invalid::new(
            "rule_too_wide",
            "GitHub signs for all the world, and the rule does not say whose jobs it means.",
            "Name `repository` (`org/app` or `org/*`), `repository_owner` (`org`), or `sub` (`repo:org/app:…`).",
        ));
    }
    Ok(())
}
