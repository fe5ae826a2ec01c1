//! Writing verdicts down.

use crate::violation::{Verdict, Violation};
use std::fmt;

/// What is wanted of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Every verdict in words.
    Words,
    /// Only whether all of them passed: the words are most of the work.
    Outcome,
}

/// The verdicts so far, in the order judged.
#[derive(Debug)]
pub(super) struct Verdicts {
    wanted: Wanted,
    /// Stays empty where no words are wanted.
    list: Vec<Verdict>,
    passed: bool,
}

impl Verdicts {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self { wanted, list: Vec::new(), passed: true }
    }

    /// A rule that is about to be judged; `words`: its limit and the value.
    pub(super) fn rule<L: Into<String>, V: Into<String>>(
        &self,
        rule: &'static str,
        owner: Owner<'_>,
        words: impl FnOnce() -> (L, V),
    ) -> Rule {
        let verdict = (self.wanted == Wanted::Words).then(|| {
            let (limit, value) = words();
            let (owner, limit, value) = (owner.to_string(), limit.into(), value.into());
            Verdict { rule, owner, limit, value, violations: Vec::new() }
        });
        Rule { verdict, passed: true }
    }

    pub(super) fn push(&mut self, rule: Rule) {
        self.passed &= rule.passed;
        self.list.extend(rule.verdict);
    }

    /// Was no rule broken?
    pub(super) fn passed(&self) -> bool {
        self.passed
    }

    pub(super) fn into_vec(self) -> Vec<Verdict> {
        self.list
    }
}

/// Who carries a rule, as refusals name it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    /// The rules that no one can change.
    Service,
    Ca(&'a str),
    Profile(&'a str),
    /// The CA that is to be made.
    NewCa,
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::Service => ("the service", ""),
            Self::Ca(name) => ("CA ", *name),
            Self::Profile(name) => ("profile ", *name),
            Self::NewCa => ("the new CA", ""),
        };
        f.write_str(kind)?;
        f.write_str(name)
    }
}

/// One rule being judged.
#[derive(Debug)]
pub(super) struct Rule {
    /// `None`: no words are wanted.
    verdict: Option<Verdict>,
    passed: bool,
}

/// How a rule was broken, in the words of [`Violation`].
#[derive(Debug, Default)]
pub(super) struct Broken {
    pub(super) code: &'static str,
    pub(super) pointer: String,
    pub(super) value: String,
    pub(super) allowed: String,
    pub(super) detail: String,
    pub(super) hint: String,
}

impl Rule {
    /// The rule was broken in this way. Empty `value` and `allowed` are taken from the rule.
    pub(super) fn broken(&mut self, how: Broken) {
        self.broken_if(true, || how);
    }

    pub(super) fn passed(&self) -> bool {
        self.passed
    }

    pub(super) fn broken_if(&mut self, broken: bool, how: impl FnOnce() -> Broken) {
        if !broken {
            return;
        }
        self.passed = false;
        let Some(verdict) = &mut self.verdict else { return };
        let how = how();
        let or = |text: String, rule: &str| if text.is_empty() { rule.to_owned() } else { text };
        verdict.violations.push(Violation {
            code: how.code,
            rule: verdict.rule,
            owner: verdict.owner.clone(),
            pointer: how.pointer,
            limit: verdict.limit.clone(),
            value: or(how.value, &verdict.value),
            allowed: or(how.allowed, &verdict.limit),
            detail: how.detail,
            hint: how.hint,
        });
    }
}
