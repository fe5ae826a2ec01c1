//! Writing verdicts down.

use crate::violation::{Verdict, Violation};

/// The verdicts so far, in the order judged.
#[derive(Debug, Default)]
pub(super) struct Verdicts(Vec<Verdict>);

impl Verdicts {
    pub(super) fn push(&mut self, verdict: impl Into<Verdict>) {
        self.0.push(verdict.into());
    }

    pub(super) fn into_vec(self) -> Vec<Verdict> {
        self.0
    }
}

/// One rule being judged.
#[derive(Debug)]
pub(super) struct Rule(Verdict);

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
    pub(super) fn new(
        rule: &'static str,
        owner: impl Into<String>,
        limit: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self(Verdict { rule, owner: owner.into(), limit: limit.into(), value: value.into(), violations: Vec::new() })
    }

    /// The rule was broken in this way. Empty `value` and `allowed` are taken from the rule.
    pub(super) fn broken(&mut self, how: Broken) {
        let or = |text: String, rule: &str| if text.is_empty() { rule.to_owned() } else { text };
        self.0.violations.push(Violation {
            code: how.code,
            rule: self.0.rule,
            owner: self.0.owner.clone(),
            pointer: how.pointer,
            limit: self.0.limit.clone(),
            value: or(how.value, &self.0.value),
            allowed: or(how.allowed, &self.0.limit),
            detail: how.detail,
            hint: how.hint,
        });
    }

    pub(super) fn passed(&self) -> bool {
        self.0.passed()
    }

    pub(super) fn broken_if(&mut self, broken: bool, how: impl FnOnce() -> Broken) {
        if broken {
            self.broken(how());
        }
    }
}

impl From<Rule> for Verdict {
    fn from(rule: Rule) -> Self {
        rule.0
    }
}
