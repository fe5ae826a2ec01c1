//! Names: the subject and the subject alternative names, judged together. A commonName that a verifier could take for a
//! host is held to the same limits as a name of that kind.

use super::LeafRequest;
use super::issuer::owner;
use super::record::{Broken, Owner, Rule, Verdicts};
use crate::ca::IssuerFacts;
use crate::constraints::Refusal;
use crate::dn::{AttributeType, DistinguishedName};
use crate::profile::{Allowed, NameLimits, NamePattern, Profile};
use crate::san::{DnsName, EmailAddress, HostLike, MAX_NAMES, San};
use std::collections::BTreeSet;

/// A name of the request, wherever it stands in it.
struct Named<'a> {
    pointer: String,
    shown: &'a str,
    name: Judged<'a>,
}

/// What is judged: a subject alternative name, or a commonName that looks like one.
enum Judged<'a> {
    San(&'a San),
    CommonName(San),
    /// In the form of a DNS name, but none.
    Odd(String),
}

impl Judged<'_> {
    fn san(&self) -> Option<&San> {
        match self {
            Self::San(san) => Some(san),
            Self::CommonName(san) => Some(san),
            Self::Odd(_) => None,
        }
    }

    fn kind(&self) -> &'static str {
        self.san().map_or("dns", San::kind)
    }

    fn is_wildcard(&self) -> bool {
        match self {
            Self::Odd(text) => text.contains('*'),
            other => matches!(other.san(), Some(San::Dns(name)) if name.is_wildcard()),
        }
    }
}

pub(super) fn leaf(verdicts: &mut Verdicts, profile: &Profile, issuer: &IssuerFacts, request: &LeafRequest) {
    let of_profile = Owner::Profile(profile.name().as_str());
    let limits = profile.names();
    presence(verdicts, of_profile, limits, request);
    count_and_repeats(verdicts, request);

    // More than the limit is refused already; judging the rest would only make the answer longer.
    let texts: Vec<String> = request.names.iter().take(MAX_NAMES).map(ToString::to_string).collect();
    let mut names: Vec<Named<'_>> = request
        .names
        .iter()
        .zip(&texts)
        .enumerate()
        .map(|(index, (san, shown))| Named { pointer: format!("/names/{index}"), shown, name: Judged::San(san) })
        .collect();
    let hosts = common_names(&request.subject, &request.names);
    if limits.common_name_in_names {
        common_name_in_names(verdicts, of_profile, &hosts);
    }
    names.extend(hosts);

    for kind in ["dns", "ip", "email", "uri"] {
        if names.iter().any(|named| named.name.kind() == kind) {
            kind_allowed(verdicts, of_profile, limits, kind, &names);
        }
    }
    if names.iter().any(|named| named.name.is_wildcard()) {
        wildcards(verdicts, of_profile, limits, &names);
    }
    attributes(verdicts, of_profile, limits, &request.subject);
    constraints(verdicts, issuer, &names, &request.subject);
    differs_from_issuer(verdicts, issuer, &request.subject);
}

/// The addresses of the subject that an rfc822Name can hold and that are not among `names` yet.
pub(super) fn described_addresses(names: &[San], subject: &DistinguishedName) -> Vec<San> {
    let mut described = Vec::new();
    let addresses = subject.attributes().iter().filter(|attribute| attribute.kind() == AttributeType::EmailAddress);
    for address in addresses.filter_map(|attribute| EmailAddress::parse(attribute.value()).ok()).map(San::Email) {
        if !names.contains(&address) && !described.contains(&address) {
            described.push(address);
        }
    }
    described
}

/// A CA has a subject (RFC 5280 section 4.1.2.6).
pub(super) fn authority_subject(verdicts: &mut Verdicts, subject: &DistinguishedName) {
    let words = || ("at least one attribute", subject.to_string());
    let mut rule = verdicts.rule("subject", Owner::Service, words);
    rule.broken_if(subject.is_empty(), || Broken {
        code: "subject_missing",
        pointer: "/subject".into(),
        detail: "A certificate authority needs a subject.".into(),
        hint: "Give at least a commonName.".into(),
        ..Broken::default()
    });
    verdicts.push(rule);
}

/// A subordinate's subject against the constraints above: as a directory name and by its e-mail addresses. Verifiers
/// take a commonName for a host in end-entity certificates only.
pub(super) fn subordinate(verdicts: &mut Verdicts, issuer: &IssuerFacts, subject: &DistinguishedName) {
    let mut rule = constraint_rule(verdicts, issuer, || subject.to_string());
    subject_constraints(&mut rule, issuer, subject, false);
    verdicts.push(rule);
    differs_from_issuer(verdicts, issuer, subject);
}

fn presence(verdicts: &mut Verdicts, of_profile: Owner<'_>, limits: &NameLimits, request: &LeafRequest) {
    let count = || format!("{} names", request.names.len());
    let limit = if limits.required { "at least one name" } else { "names optional" };
    let mut required = verdicts.rule("names.required", of_profile, || (limit, count()));
    required.broken_if(limits.required && request.names.is_empty(), || Broken {
        code: "names_missing",
        pointer: "/names".into(),
        detail: format!("The {of_profile} asks for at least one subject alternative name."),
        hint: "Give `names`, for example [\"service-a.example.com\"]; clients do not look at the commonName.".into(),
        ..Broken::default()
    });
    verdicts.push(required);

    let mut somebody = verdicts.rule("identity", Owner::Service, || ("a subject or a name", count()));
    somebody.broken_if(request.names.is_empty() && request.subject.is_empty(), || Broken {
        code: "subject_and_names_empty",
        pointer: "/subject".into(),
        detail: "The certificate would carry neither a subject nor a name.".into(),
        hint: "Give a subject, names or both.".into(),
        ..Broken::default()
    });
    verdicts.push(somebody);
}

fn count_and_repeats(verdicts: &mut Verdicts, request: &LeafRequest) {
    // An address of the subject becomes a name as well (RFC 5280 section 4.1.2.6); it is judged with the subject.
    let count = request.names.len().saturating_add(described_addresses(&request.names, &request.subject).len());
    let words = || (MAX_NAMES.to_string(), count.to_string());
    let mut most = verdicts.rule("maximumNames", Owner::Service, words);
    most.broken_if(count > MAX_NAMES, || Broken {
        code: "too_many_names",
        pointer: "/names".into(),
        detail: format!("The certificate would carry {count} names; {MAX_NAMES} are allowed."),
        hint: "Split the names over several certificates.".into(),
        ..Broken::default()
    });
    verdicts.push(most);

    let mut repeats = verdicts.rule("distinctNames", Owner::Service, || ("each name once", count.to_string()));
    let mut seen = BTreeSet::new();
    for (index, name) in request.names.iter().take(MAX_NAMES).enumerate().filter(|_| count > 1) {
        repeats.broken_if(!seen.insert(name), || Broken {
            code: "duplicate_name",
            pointer: format!("/names/{index}"),
            value: name.to_string(),
            detail: format!("The name `{name}` stands there more than once."),
            hint: "Give each name once.".into(),
            ..Broken::default()
        });
    }
    verdicts.push(repeats);
}

/// The commonNames that look like hosts and are not among the names (those are judged there).
fn common_names<'a>(subject: &'a DistinguishedName, names: &[San]) -> Vec<Named<'a>> {
    let common = subject.attributes().iter().filter(|attribute| attribute.kind() == AttributeType::CommonName);
    common
        .filter_map(|attribute| {
            let shown = attribute.value();
            let name = match HostLike::of_common_name(shown)? {
                HostLike::Dns(name) => Judged::CommonName(San::Dns(name)),
                HostLike::Ip(ip) => Judged::CommonName(San::Ip(ip)),
                HostLike::Odd(text) => Judged::Odd(text),
            };
            let known = name.san().is_some_and(|san| names.contains(san));
            (!known).then(|| Named { pointer: "/subject/commonName".into(), shown, name })
        })
        .collect()
}

fn common_name_in_names(verdicts: &mut Verdicts, of_profile: Owner<'_>, strays: &[Named<'_>]) {
    let mut rule = verdicts.rule("names.commonNameInNames", of_profile, || ("among the names", ""));
    for stray in strays {
        rule.broken(Broken {
            code: "common_name_not_in_names",
            pointer: stray.pointer.clone(),
            value: stray.shown.to_owned(),
            detail: format!("The commonName `{}` looks like a host and is not among the names.", stray.shown),
            hint: format!("Add `{}` to the names, or change the commonName.", stray.shown),
            ..Broken::default()
        });
    }
    verdicts.push(rule);
}

fn kind_allowed(verdicts: &mut Verdicts, of_profile: Owner<'_>, limits: &NameLimits, kind: &str, names: &[Named<'_>]) {
    let rule = match kind {
        "dns" => "names.dns",
        "ip" => "names.ip",
        "email" => "names.email",
        _ => "names.uri",
    };
    let limit = || match kind {
        "dns" => limits.dns.in_words(NamePattern::to_text),
        "ip" => limits.ip.in_words(ToString::to_string),
        "email" => limits.email.in_words(NamePattern::to_email_text),
        _ => limits.uri.in_words(NamePattern::to_text),
    };
    let of_kind = || names.iter().filter(|named| named.name.kind() == kind);
    let value = || of_kind().map(|named| named.shown).take(10).collect::<Vec<_>>().join(", ");
    let mut rule = verdicts.rule(rule, of_profile, || (limit(), value()));
    for named in of_kind() {
        let allowed = match &named.name {
            // An odd wildcard is refused as such; what it would reach is anyone's guess.
            Judged::Odd(text) => text.contains('*') || limits.allows_dns(text, false),
            name => name.san().is_some_and(|san| limits.allows(san)),
        };
        rule.broken_if(!allowed, || Broken {
            code: "name_not_allowed",
            pointer: named.pointer.clone(),
            value: named.shown.to_owned(),
            detail: format!(
                "The {of_profile} does not allow the {kind} name `{}`{}.",
                named.shown,
                whence(&named.name)
            ),
            hint: match limit().as_str() {
                "none" => format!("Leave {kind} names out, or use another profile."),
                limit => format!("Use names that match: {limit}."),
            },
            ..Broken::default()
        });
    }
    verdicts.push(rule);
}

fn whence(name: &Judged<'_>) -> &'static str {
    if matches!(name, Judged::San(_)) { "" } else { " as commonName" }
}

/// By leave of the profile, well-formed, and never for everything under a public suffix.
fn wildcards(verdicts: &mut Verdicts, of_profile: Owner<'_>, limits: &NameLimits, names: &[Named<'_>]) {
    let limit = if limits.wildcards { "allowed" } else { "not allowed" };
    let mut leave = verdicts.rule("names.wildcards", of_profile, || (limit, ""));
    let mut suffix = verdicts.rule("wildcardScope", Owner::Service, || ("below a registrable domain", ""));
    for named in names.iter().filter(|named| named.name.is_wildcard()) {
        let shown = named.shown;
        let broken = |code, detail, hint: &str| Broken {
            code,
            pointer: named.pointer.clone(),
            value: shown.to_owned(),
            detail,
            hint: hint.to_owned(),
            ..Broken::default()
        };
        leave.broken_if(!limits.wildcards, || {
            let detail = format!("The {of_profile} does not allow the wildcard `{shown}`{}.", whence(&named.name));
            broken("wildcard_not_allowed", detail, "List the names one by one, or use a profile that allows wildcards.")
        });
        match named.name.san() {
            Some(San::Dns(name)) => suffix.broken_if(is_public_suffix(name), || {
                let detail = format!("The wildcard `{shown}` would stand for everything under a public suffix.");
                broken(
                    "wildcard_on_public_suffix",
                    detail,
                    "Use a wildcard below a domain of your own: `*.example.com`.",
                )
            }),
            _ => suffix.broken(broken(
                "invalid_wildcard",
                format!("The commonName `{shown}` has a wildcard in an odd place."),
                "A wildcard is the whole leftmost label and nothing else: `*.example.com`.",
            )),
        }
    }
    verdicts.push(leave);
    verdicts.push(suffix);
}

/// A single label, or a name that stands in the public suffix list (`co.uk`, `github.io`).
fn is_public_suffix(wildcard: &DnsName) -> bool {
    let base = wildcard.base();
    !base.contains('.') || psl::suffix(base.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == base.as_bytes())
}

fn attributes(verdicts: &mut Verdicts, of_profile: Owner<'_>, limits: &NameLimits, subject: &DistinguishedName) {
    let limit = || limits.subject.in_words(ToString::to_string);
    let mut rule = verdicts.rule("names.subject", of_profile, || (limit(), subject.to_string()));
    for attribute in subject.attributes() {
        let kind = attribute.kind();
        rule.broken_if(!limits.allows_attribute(kind), || Broken {
            code: "subject_attribute_not_allowed",
            pointer: format!("/subject/{kind}"),
            value: kind.to_string(),
            detail: format!("The {of_profile} does not allow {kind} in the subject."),
            hint: match limit().as_str() {
                "none" => "Leave the subject out.".to_owned(),
                limit => format!("Use only: {limit}."),
            },
            ..Broken::default()
        });
    }
    verdicts.push(rule);

    // Patterns for e-mail addresses hold for the subject too. A profile that allows none among the names says nothing
    // about the subject, where the address is a point of contact; where the subject may carry it, it also stands among
    // the names, because RFC 5280 section 4.1.2.6 has it so.
    if !matches!(limits.email, Allowed::Matching(_)) {
        return;
    }
    let limit = || limits.email.in_words(NamePattern::to_email_text);
    let mut rule = verdicts.rule("names.email", of_profile, || (limit(), ""));
    for attribute in subject.attributes().iter().filter(|a| a.kind() == AttributeType::EmailAddress) {
        let allowed = EmailAddress::parse(attribute.value()).is_ok_and(|address| limits.allows_email(&address));
        rule.broken_if(!allowed, || Broken {
            code: "name_not_allowed",
            pointer: "/subject/emailAddress".into(),
            value: attribute.value().to_owned(),
            detail: format!("The {of_profile} does not allow the emailAddress `{}`.", attribute.value()),
            hint: format!("Use addresses that match: {}.", limit()),
            ..Broken::default()
        });
    }
    verdicts.push(rule);
}

fn constraint_rule(verdicts: &Verdicts, issuer: &IssuerFacts, value: impl FnOnce() -> String) -> Rule {
    let limit = match issuer.name_constraints.len() {
        0 => "unconstrained",
        _ => "the name constraints of the CA and of those above it",
    };
    verdicts.rule("nameConstraints", owner(issuer), || (limit, value()))
}

/// The name constraints of every CA above, on every name, host-like commonName and the subject.
fn constraints(verdicts: &mut Verdicts, issuer: &IssuerFacts, names: &[Named<'_>], subject: &DistinguishedName) {
    let mut rule = constraint_rule(verdicts, issuer, String::new);
    for above in &issuer.name_constraints {
        for named in names {
            // commonNames are judged with the subject.
            let Judged::San(san) = named.name else { continue };
            if let Some(refusal) = above.judge(san) {
                rule.broken(constraint_broken(named.pointer.clone(), named.shown.to_owned(), refusal));
            }
        }
    }
    subject_constraints(&mut rule, issuer, subject, true);
    verdicts.push(rule);
}

fn subject_constraints(rule: &mut Rule, issuer: &IssuerFacts, subject: &DistinguishedName, common_names: bool) {
    for above in &issuer.name_constraints {
        for found in above.judge_subject(subject, common_names) {
            let pointer = found.attribute.map_or_else(|| "/subject".to_owned(), |kind| format!("/subject/{kind}"));
            rule.broken(constraint_broken(pointer, found.value, found.refusal));
        }
    }
}

fn constraint_broken(pointer: String, value: String, refusal: Refusal) -> Broken {
    Broken {
        code: "name_constraint",
        pointer,
        value,
        allowed: refusal.limit,
        detail: refusal.detail,
        hint: refusal.hint,
    }
}

/// A certificate whose subject is its issuer's looks self-issued: verifiers skip name constraints and path length for it,
/// or take it for its own issuer (RFC 5280 section 6.1).
fn differs_from_issuer(verdicts: &mut Verdicts, issuer: &IssuerFacts, subject: &DistinguishedName) {
    let words = || ("not the issuer's subject", subject.to_string());
    let mut rule = verdicts.rule("subjectNotOfIssuer", owner(issuer), words);
    rule.broken_if(!subject.is_empty() && subject.is_like(&issuer.subject), || Broken {
        code: "subject_is_issuer",
        pointer: "/subject".into(),
        detail: format!("The subject `{subject}` is that of CA {} itself.", issuer.name),
        hint: "Give another commonName.".into(),
        ..Broken::default()
    });
    verdicts.push(rule);
}
