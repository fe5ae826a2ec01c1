//! May a token come in, and as what?

use super::{AllowedNames, Claims, ProviderSettings, TrustRule};
use crate::principal::PrincipalName;
use crate::time::Timestamp;

/// Latest instant that a token can name, in seconds: the year 9999. What is later is that.
const LATEST: i64 = 253_402_300_799;

/// The claims that every token is judged by (RFC 7519 section 4.1), times in seconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registered {
    /// `iss`
    pub issuer: Option<String>,
    /// `aud`
    pub audiences: Vec<String>,
    /// `exp`
    pub expires: Option<i64>,
    /// `nbf`
    pub not_before: Option<i64>,
    /// `iat`
    pub issued_at: Option<i64>,
}

/// Why a token does not come in. For logs and administrators; whoever came with the token does not learn it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another issuer, or none.
    #[error("`iss` is not the provider's issuer")]
    Issuer,
    /// It was made for somebody else.
    #[error("`aud` has none of the provider's audiences")]
    Audience,
    /// It has no end.
    #[error("`exp` is missing")]
    NoEnd,
    /// It has ended.
    #[error("the token ended at {0}")]
    Expired(Timestamp),
    /// It does not begin yet.
    #[error("the token is not valid before {0}")]
    NotYet(Timestamp),
    /// It comes from the future.
    #[error("the token was made at {0}, which is still to come")]
    FromTheFuture(Timestamp),
    /// It is too old for the provider's limit, or does not say how old it is.
    #[error("the token is older than the provider allows, or has no `iat`")]
    TooOld,
}

/// Whom a rule makes of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What it is called within the provider.
    pub subject: String,
    /// Groups that it is in.
    pub groups: Vec<PrincipalName>,
    /// Names that it may ask for; `None`: policies alone decide.
    pub names: Option<AllowedNames>,
}

/// What a rule says to a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These claims do not match: each with a reason.
    NoMatch(Vec<(String, String)>),
    /// The claims match, and one of them cannot be put where the rule wants it. No later rule is asked.
    Unusable(String),
    /// It lets the token in.
    Matches(Identity),
}

/// What the rules say, in their order, up to the one that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement(pub Vec<Verdict>);

impl Judgement {
    /// Whom the token makes its bearer, by the first rule that matches.
    pub fn identity(self) -> Option<Identity> {
        self.0.into_iter().find_map(|verdict| match verdict {
            Verdict::Matches(identity) => Some(identity),
            Verdict::NoMatch(_) | Verdict::Unusable(_) => None,
        })
    }
}

impl ProviderSettings {
    /// Is it a token of this provider, for us, and now? Returns when it ends. Both limits of time are set wider by the
    /// clock skew.
    pub fn admit(&self, token: &Registered, now: Timestamp) -> Result<Timestamp, Refusal> {
        let instant = |seconds: i64| Timestamp::from_unix_s(seconds.clamp(-LATEST, LATEST));
        if token.issuer.as_deref() != Some(self.issuer()) {
            return Err(Refusal::Issuer);
        }
        if !token.audiences.iter().any(|audience| self.audiences().contains(audience)) {
            return Err(Refusal::Audience);
        }
        let end = token.expires.map(instant).ok_or(Refusal::NoEnd)?;
        if end.plus(self.clock_skew()) <= now {
            return Err(Refusal::Expired(end));
        }
        let latest = now.plus(self.clock_skew());
        if let Some(begin) = token.not_before.map(instant).filter(|begin| *begin > latest) {
            return Err(Refusal::NotYet(begin));
        }
        let made = token.issued_at.map(instant);
        if let Some(made) = made.filter(|made| *made > latest) {
            return Err(Refusal::FromTheFuture(made));
        }
        if let Some(age) = self.max_token_age()
            && made.is_none_or(|made| made.plus(age).plus(self.clock_skew()) <= now)
        {
            return Err(Refusal::TooOld);
        }
        Ok(end)
    }

    /// Asks the rules, one after the other, until one matches.
    pub fn judge(&self, claims: &Claims) -> Judgement {
        let mut verdicts = Vec::new();
        for rule in self.rules() {
            let verdict = rule.judge(claims);
            let decided = !matches!(verdict, Verdict::NoMatch(_));
            verdicts.push(verdict);
            if decided {
                break;
            }
        }
        Judgement(verdicts)
    }
}

impl TrustRule {
    fn judge(&self, claims: &Claims) -> Verdict {
        let mut mismatches = Vec::new();
        for (claim, patterns) in &self.claims {
            let values = claims.get(claim);
            if !values.iter().any(|value| patterns.iter().any(|pattern| pattern.matches(value))) {
                let why = if values.is_empty() { "the token does not have it" } else { "no value matches a pattern" };
                mismatches.push((claim.clone(), why.to_owned()));
            }
        }
        // A rule without claims cannot be made; should there be one, it lets nobody in.
        if !mismatches.is_empty() || self.claims.is_empty() {
            return Verdict::NoMatch(mismatches);
        }
        match self.identify(claims) {
            Ok(identity) => Verdict::Matches(identity),
            Err(why) => Verdict::Unusable(why),
        }
    }

    fn identify(&self, claims: &Claims) -> Result<Identity, String> {
        let subject = self.subject.fill(claims)?;
        let names = match &self.names {
            Some(templates) => {
                let filled = templates.iter().map(|template| template.fill(claims)).collect::<Result<_, _>>()?;
                Some(AllowedNames::of(filled))
            }
            None => None,
        };
        Ok(Identity { subject, groups: self.groups.clone(), names })
    }
}
