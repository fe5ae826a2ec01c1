//! How lifetimes are counted and chosen.
//!
//! A certificate is valid in both of its end seconds (RFC 5280 section 4.1.2.5), so its lifetime is
//! notAfter − notBefore + 1 s, and 90 days end one second before "90 days later". A leaf's limit is the smaller of its CA's
//! `leafMaxValidity` and its profile's `maxValidity`; each that is exceeded is named.
//!
//! | asked | notBefore | notAfter |
//! |---|---|---|
//! | both ends | as asked | as asked |
//! | notBefore, duration D | as asked | notBefore + D − 1 s |
//! | notBefore only | as asked | as late as every limit allows |
//! | notAfter only | as early as fits, between now − backdate and now | as asked |
//! | duration D only | now − backdate | notBefore + D − 1 s |
//! | nothing | now − backdate | as late as every limit allows; a CA at most a year after notBefore |
//!
//! Backdating is our addition, for clocks that run behind. It never makes a request fail and never eats a short lifetime:
//! it stays at or above the issuer's notBefore, it is at most a tenth of a length that was asked for or chosen, and where
//! only notAfter was named it is the first thing to give way, so that such a request is measured from now (whole seconds).
//! Where the issuer begins in the future, its notBefore stands in for now.
//!
//! Nothing that was asked for is moved or shortened: what does not pass is refused, with the nearest that would.

use super::record::{Broken, Owner, Rule, Verdicts};
use super::{CA_DEFAULT_VALIDITY, ServiceLimits, issuer};
use crate::ca::{CaRules, IssuerFacts};
use crate::profile::Profile;
use crate::time::{Span, Timestamp};
use crate::validity::{RequestedEnd, RequestedValidity, Validity};

/// 9999-12-31T23:59:59Z, the last second that a certificate can name.
const LAST_SECOND: i64 = 253_402_300_799;

/// A longest lifetime and who sets it.
#[derive(Debug)]
struct Longest<'a> {
    rule: &'static str,
    owner: Owner<'a>,
    span: Span,
}

/// The window that the issuer leaves.
#[derive(Debug)]
struct Window<'a> {
    owner: Owner<'a>,
    first: i64,
    last: i64,
}

/// Everything that bounds a lifetime. Times are seconds since the epoch.
#[derive(Debug)]
pub(super) struct Bounds<'a> {
    longest: Vec<Longest<'a>>,
    window: Option<Window<'a>>,
    /// The length when the request names no end, where that is less than the longest.
    usual: Option<i64>,
    backdate: i64,
    max_backdate: Span,
    max_postdate: Span,
    now: i64,
}

/// Both ends in seconds, and the length that the limits are compared with, in milliseconds as it was asked for.
#[derive(Debug)]
struct Wish {
    start: i64,
    end: i64,
    length_ms: i64,
    end_pointer: &'static str,
    /// Did the request name the end, so that an odd one is its fault?
    named: bool,
}

impl<'a> Bounds<'a> {
    pub(super) fn leaf(profile: &'a Profile, issuer: &'a IssuerFacts, limits: &ServiceLimits, now: Timestamp) -> Self {
        let of_profile = profile.max_validity().map(|span| Longest {
            rule: "maxValidity",
            owner: Owner::Profile(profile.name().as_str()),
            span,
        });
        let of_ca =
            Longest { rule: "leafMaxValidity", owner: issuer::owner(issuer), span: issuer.rules.leaf_max_validity };
        Self {
            longest: [of_ca].into_iter().chain(of_profile).collect(),
            window: Some(Window::of(issuer)),
            usual: None,
            backdate: limits.backdate.s(),
            max_backdate: limits.leaf_max_backdate,
            max_postdate: limits.max_postdate,
            now: now.unix_s(),
        }
    }

    /// A delegated responder of the CA: as long as `lifetime`, or as its CA allows.
    pub(super) fn responder(issuer: &'a IssuerFacts, lifetime: Span, limits: &ServiceLimits, now: Timestamp) -> Self {
        let longest = |rule, owner, span| Longest { rule, owner, span };
        Self {
            longest: vec![
                longest("leafMaxValidity", issuer::owner(issuer), issuer.rules.leaf_max_validity),
                longest("responderLifetime", Owner::Service, lifetime),
            ],
            window: Some(Window::of(issuer)),
            usual: None,
            backdate: limits.backdate.s(),
            max_backdate: limits.leaf_max_backdate,
            max_postdate: limits.max_postdate,
            now: now.unix_s(),
        }
    }

    pub(super) fn subordinate(issuer: &'a IssuerFacts, limits: &ServiceLimits, now: Timestamp) -> Self {
        let span = issuer.rules.subordinate_max_validity;
        let longest = Longest { rule: "subordinateMaxValidity", owner: issuer::owner(issuer), span };
        Self { window: Some(Window::of(issuer)), ..Self::authority(longest, limits, now) }
    }

    pub(super) fn root(limits: &ServiceLimits, now: Timestamp) -> Self {
        let longest = Longest { rule: "rootMaxValidity", owner: Owner::Service, span: limits.root_max_validity };
        Self::authority(longest, limits, now)
    }

    fn authority(longest: Longest<'a>, limits: &ServiceLimits, now: Timestamp) -> Self {
        Self {
            longest: vec![longest],
            window: None,
            usual: Some(CA_DEFAULT_VALIDITY.s()),
            backdate: limits.backdate.s(),
            max_backdate: limits.ca_max_backdate,
            max_postdate: limits.max_postdate,
            now: now.unix_s(),
        }
    }

    /// Judges the wish. `Some` when every rule passed; the verdicts say so too.
    pub(super) fn choose(&self, verdicts: &mut Verdicts, asked: &RequestedValidity) -> Option<Validity> {
        let wish = self.wish(asked);
        let start = self.start_rule(verdicts, &wish, asked.not_before.is_some());
        let lengths = self.longest.iter().map(|longest| self.length_rule(verdicts, longest, &wish, asked));
        let ends: Vec<Rule> = std::iter::once(self.expiry_rule(verdicts, &wish, asked.not_before))
            .chain(lengths)
            .chain([self.window_rule(verdicts, &wish, asked)])
            .collect();
        let order = self.order_rule(verdicts, &wish, asked.not_before.is_some(), ends.iter().all(Rule::passed));
        let all: Vec<Rule> = [start, order].into_iter().chain(ends).collect();
        let passed = all.iter().all(Rule::passed);
        all.into_iter().for_each(|rule| verdicts.push(rule));
        if !passed {
            return None;
        }
        Validity::new(Timestamp::from_unix_s(wish.start), Timestamp::from_unix_s(wish.end)).ok()
    }

    /// What the request comes to when nothing is refused yet.
    fn wish(&self, asked: &RequestedValidity) -> Wish {
        let named_start = asked.not_before.map(Timestamp::unix_s);
        let (start, end, length_ms, end_pointer, named) = match asked.end {
            RequestedEnd::NotAfter(end) => {
                let end = end.unix_s();
                let start = named_start.unwrap_or_else(|| {
                    let earliest = self.first().max(self.now.saturating_sub(self.backdate));
                    earliest.max(start_of(end, self.longest_s())).min(self.latest_start())
                });
                (start, end, length_of(start, end).saturating_mul(1000), "/validity/notAfter", true)
            }
            RequestedEnd::Duration(span) => {
                let start = named_start.unwrap_or_else(|| self.usual_start(span.s()));
                (start, end_of(start, span.s()), span.ms(), "/validity/duration", true)
            }
            RequestedEnd::Longest => {
                let length = self.usual.map_or(self.longest_s(), |usual| usual.min(self.longest_s()));
                let start = named_start.unwrap_or_else(|| self.usual_start(length));
                let end = end_of(start, length).min(self.last());
                // A limit below one second lets nothing through; even the shortest certificate lasts one.
                (start, end, length_of(start, end).max(1).saturating_mul(1000), "/validity", false)
            }
        };
        Wish { start, end, length_ms, end_pointer, named }
    }

    fn longest_s(&self) -> i64 {
        self.longest.iter().map(|longest| longest.span.s()).min().unwrap_or(0)
    }

    fn first(&self) -> i64 {
        self.window.as_ref().map_or(i64::MIN, |window| window.first)
    }

    fn last(&self) -> i64 {
        self.window.as_ref().map_or(LAST_SECOND, |window| window.last)
    }

    /// Now, or the issuer's first second when that is still to come.
    fn latest_start(&self) -> i64 {
        self.first().max(self.now)
    }

    /// Now, backdated by what a certificate of this length can bear.
    fn usual_start(&self, length: i64) -> i64 {
        self.first().max(self.now.saturating_sub(self.backdate.min(length / 10)))
    }

    fn start_rule(&self, verdicts: &Verdicts, wish: &Wish, named: bool) -> Rule {
        let earliest = self.now.saturating_sub(self.max_backdate.s());
        let latest = self.now.saturating_add(self.max_postdate.s());
        let words = || (format!("{} to {}", shown(earliest), shown(latest)), shown(wish.start));
        let mut rule = verdicts.rule("notBefore", Owner::Service, words);
        rule.broken_if(named && wish.start < earliest, || Broken {
            code: "backdated_too_far",
            pointer: "/validity/notBefore".into(),
            detail: format!(
                "The start {} lies more than {} in the past.",
                shown(wish.start),
                self.max_backdate.in_words()
            ),
            hint: format!("Ask for a notBefore of {} or later, or leave it out.", shown(earliest.max(self.first()))),
            ..Broken::default()
        });
        rule.broken_if(wish.start > latest, || Broken {
            code: "postdated_too_far",
            pointer: "/validity/notBefore".into(),
            detail: format!(
                "The start {} lies more than {} in the future.",
                shown(wish.start),
                self.max_postdate.in_words()
            ),
            hint: format!("Ask for a notBefore of {} or earlier, or leave it out.", shown(latest)),
            ..Broken::default()
        });
        rule
    }

    /// `end_passed`: no other rule finds fault with the end. An empty validity that no other rule speaks of is always this
    /// one's, so that nothing is refused without a reason.
    fn order_rule(&self, verdicts: &Verdicts, wish: &Wish, start_named: bool, end_passed: bool) -> Rule {
        let words = || ("notAfter at or after notBefore", shown(wish.end));
        let mut rule = verdicts.rule("validityOrder", Owner::Service, words);
        let empty = wish.end < wish.start;
        // Without a notBefore an end in the past is just that; `expiry_rule` says so.
        let asked = wish.named && (start_named || wish.end_pointer == "/validity/duration");
        rule.broken_if(empty && asked, || Broken {
            code: "ends_before_start",
            pointer: wish.end_pointer.into(),
            detail: format!(
                "The validity is empty: it starts at {} and ends at {}.",
                shown(wish.start),
                shown(wish.end)
            ),
            hint: "Ask for an end after the start.".into(),
            ..Broken::default()
        });
        // The start is ours: now, or the first second of an issuer that is not valid yet.
        rule.broken_if(empty && !asked && end_passed, || Broken {
            code: "ends_before_start",
            pointer: wish.end_pointer.into(),
            allowed: format!("{} or later", shown(wish.start)),
            detail: format!(
                "The validity is empty: it can start at {} at the earliest, when its issuer does, and would end at {}.",
                shown(wish.start),
                shown(wish.end)
            ),
            hint: format!("Ask for a notAfter of {} or later.", shown(wish.start)),
            ..Broken::default()
        });
        rule
    }

    fn expiry_rule(&self, verdicts: &Verdicts, wish: &Wish, not_before: Option<Timestamp>) -> Rule {
        let words = || (format!("not before {}", shown(self.now)), shown(wish.end));
        let mut rule = verdicts.rule("notExpired", Owner::Service, words);
        // When we chose both ends, the issuer has ended, and `issuer_expired` says so.
        let past = wish.end < self.now && (not_before.is_some() || wish.end_pointer == "/validity/notAfter");
        rule.broken_if(past, || Broken {
            code: "already_expired",
            pointer: wish.end_pointer.into(),
            detail: format!("The certificate would have ended at {}, before now.", shown(wish.end)),
            hint: self.hint(not_before),
            ..Broken::default()
        });
        rule
    }

    fn length_rule(&self, verdicts: &Verdicts, longest: &Longest<'_>, wish: &Wish, asked: &RequestedValidity) -> Rule {
        let asked_for = Span::from_ms(wish.length_ms);
        let words = || (longest.span.to_string(), asked_for.to_string());
        let mut rule = verdicts.rule(longest.rule, longest.owner, words);
        rule.broken_if(wish.length_ms > longest.span.ms(), || Broken {
            code: "lifetime_too_long",
            pointer: wish.end_pointer.into(),
            allowed: format!("up to {}", longest.span),
            detail: format!(
                "The validity period {} exceeds the maximum validity period allowed {}. Asked for {}; rule {} of {} allows {}.",
                wish.length_ms,
                longest.span.ms(),
                asked_for.in_words(),
                longest.rule,
                longest.owner,
                longest.span.in_words()
            ),
            hint: self.hint(asked.not_before),
            ..Broken::default()
        });
        rule
    }

    fn window_rule(&self, verdicts: &Verdicts, wish: &Wish, asked: &RequestedValidity) -> Rule {
        let (owner, first) = match &self.window {
            Some(window) => (window.owner, Some(window.first)),
            None => (Owner::Service, None),
        };
        let last = self.last();
        let words = || {
            let from = first.map(|first| format!("{} to ", shown(first))).unwrap_or_default();
            (format!("{from}{}", shown(last)), format!("{} to {}", shown(wish.start), shown(wish.end)))
        };
        let mut rule = verdicts.rule("issuerBound", owner, words);
        rule.broken_if(first.is_some_and(|first| wish.start < first), || Broken {
            code: "starts_before_issuer",
            pointer: "/validity/notBefore".into(),
            value: shown(wish.start),
            detail: format!(
                "The certificate would start at {}, before {owner}, which starts at {}.",
                shown(wish.start),
                shown(self.first())
            ),
            hint: format!("Ask for a notBefore of {} or later, or leave it out.", shown(self.first())),
            ..Broken::default()
        });
        let outlives = (wish.named && wish.end > last) || wish.start > last;
        rule.broken_if(outlives, || Broken {
            code: "outlives_issuer",
            pointer: wish.end_pointer.into(),
            value: shown(wish.end.max(wish.start)),
            detail: format!(
                "The certificate would last until {}, beyond {owner}, which ends at {}.",
                shown(wish.end.max(wish.start)),
                shown(last)
            ),
            hint: self.hint(asked.not_before),
            ..Broken::default()
        });
        rule
    }

    /// The longest that passes, as a duration and as an end, from this notBefore (`None`: from now).
    fn hint(&self, not_before: Option<Timestamp>) -> String {
        let start = not_before.map_or(self.latest_start(), Timestamp::unix_s);
        let end = end_of(start, self.longest_s()).min(self.last());
        let duration = length_of(start, end);
        if duration >= 1 && end >= self.now {
            return format!(
                "Ask for {{\"duration\":\"{}\"}} or a notAfter of {} or earlier.",
                Span::from_s(duration),
                shown(end)
            );
        }
        match not_before {
            Some(_) => "Leave notBefore out, or ask for another one.".to_owned(),
            None => "No lifetime passes here: ask a CA that lasts longer.".to_owned(),
        }
    }
}

impl<'a> Window<'a> {
    fn of(issuer: &'a IssuerFacts) -> Self {
        let validity = &issuer.validity;
        Self {
            owner: issuer::owner(issuer),
            first: validity.not_before().unix_s(),
            last: validity.not_after().unix_s(),
        }
    }
}

/// The lifetimes that a new CA will allow must allow something.
pub(super) fn own_rules(verdicts: &mut Verdicts, rules: &CaRules) {
    for (name, pointer, span) in [
        ("leafMaxValidity", "/rules/leafMaxValidity", rules.leaf_max_validity),
        ("subordinateMaxValidity", "/rules/subordinateMaxValidity", rules.subordinate_max_validity),
    ] {
        let mut rule = verdicts.rule(name, Owner::NewCa, || ("at least PT1S", span.to_string()));
        rule.broken_if(span.s() < 1, || Broken {
            code: "rule_allows_nothing",
            pointer: pointer.into(),
            detail: format!("A {name} of {span} would let nothing through."),
            hint: "Give a longer duration, for example `P90D`.".into(),
            ..Broken::default()
        });
        verdicts.push(rule);
    }
}

/// Length of a validity, both end seconds counted.
fn length_of(start: i64, end: i64) -> i64 {
    end.saturating_sub(start).saturating_add(1)
}

/// The last second of a validity of `length` seconds.
fn end_of(start: i64, length: i64) -> i64 {
    start.saturating_add(length).saturating_sub(1)
}

/// The first second of a validity of `length` seconds.
fn start_of(end: i64, length: i64) -> i64 {
    end.saturating_sub(length).saturating_add(1)
}

fn shown(second: i64) -> String {
    Timestamp::from_unix_s(second).to_string()
}
