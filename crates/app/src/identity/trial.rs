//! What an identity provider would say to a token, and why; for administrators.

use super::jwt::Unverified;
use super::providers::find;
use crate::{App, Call, Error, Permission};
use certwright_domain::identity::Verdict;
use certwright_domain::name::Reference;
use certwright_domain::secret::SecretText;
use std::collections::BTreeMap;

/// What a provider would say to a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTrial {
    /// Would it let the token in now?
    pub admitted: bool,
    /// What is wrong with the token itself: form, signature, issuer, audience, times.
    pub problems: Vec<String>,
    /// What the rules say to its claims, whatever is wrong with the token; up to the one that decides.
    pub rules: Vec<RuleOutcome>,
    /// Its claims, as rules see them.
    pub claims: BTreeMap<String, Vec<String>>,
}

/// What a rule says to a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// Place of the rule, from 0.
    pub rule: usize,
    /// Does it match?
    pub matches: bool,
    /// Why it does not, by claim; or why it cannot be used.
    pub reasons: Vec<String>,
    /// Subject that it would give.
    pub subject: Option<String>,
    /// Groups that it would give.
    pub groups: Vec<String>,
    /// Names that it would let be asked for; `None`: policies alone decide.
    pub names: Option<Vec<String>>,
}

impl App {
    /// What would this provider, enabled or not, say to the token? Nothing is changed.
    pub async fn test_identity_provider(
        &self,
        call: &Call,
        provider: &Reference,
        token: &SecretText,
    ) -> Result<TokenTrial, Error> {
        self.may(call, Permission::IdentityProviderManage, "identity provider")?;
        let provider = find(&mut *self.inner.store.read().await?, provider).await?;
        let (settings, now) = (&provider.settings, self.now());
        let token = match Unverified::parse(token.expose()) {
            Ok(token) => token,
            Err(reason) => {
                let problems = vec![format!("The token is no JWT that is taken: {reason}.")];
                return Ok(TokenTrial { admitted: false, problems, rules: Vec::new(), claims: BTreeMap::new() });
            }
        };
        let mut problems = Vec::new();
        if !settings.enabled() {
            problems.push("The provider is not enabled.".to_owned());
        }
        if !settings.algorithms().contains(&token.algorithm()) {
            problems.push(format!("The provider does not take {}.", token.algorithm()));
        }
        if let Err(refusal) = settings.admit(token.claimed(), now) {
            problems.push(format!("Refused: {refusal}."));
        }
        let identities = &self.inner.identities;
        match identities.keys.of(&provider, &*self.inner.outbound, now, |keys| token.is_known_to(keys)).await {
            Ok(keys) => problems.extend(token.verify(&keys).err().map(|error| format!("Not verified: {error}."))),
            Err(error) => problems.push(format!("There are no keys: {error}.")),
        }
        let claims = token.claims();
        let outcomes = settings.judge(claims).0.into_iter().enumerate();
        let rules: Vec<RuleOutcome> = outcomes.map(|(rule, verdict)| outcome(rule, verdict)).collect();
        let admitted = problems.is_empty() && rules.iter().any(|rule| rule.matches);
        Ok(TokenTrial { admitted, problems, rules, claims: claims.clone().into_map() })
    }
}

fn outcome(rule: usize, verdict: Verdict) -> RuleOutcome {
    let none = |reasons| RuleOutcome { rule, matches: false, reasons, subject: None, groups: Vec::new(), names: None };
    match verdict {
        Verdict::NoMatch(claims) => none(claims.into_iter().map(|(claim, why)| format!("{claim}: {why}")).collect()),
        Verdict::Unusable(why) => none(vec![why]),
        Verdict::Matches(identity) => RuleOutcome {
            rule,
            matches: true,
            reasons: Vec::new(),
            subject: Some(identity.subject),
            groups: identity.groups.iter().map(ToString::to_string).collect(),
            names: identity.names.map(|names| names.texts().to_vec()),
        },
    }
}
