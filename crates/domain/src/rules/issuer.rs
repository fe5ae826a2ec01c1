//! What the signing CA must be, and what it lets a CA below it be.

use super::record::{Broken, Owner, Verdicts};
use crate::ca::{CaState, IssuerFacts, IssuerStanding};
use crate::constraints::NameConstraints;
use crate::profile::{ExtendedKeyUsage, Profile};
use crate::time::Timestamp;
use crate::violation::listed;

/// How refusals name the CA.
pub(super) fn owner(issuer: &IssuerFacts) -> Owner<'_> {
    Owner::Ca(issuer.name.as_str())
}

/// State, revocation and expiry. The use cases refuse most of this earlier, as a conflict of state; nothing is signed
/// should one of them forget.
pub(super) fn may_issue(verdicts: &mut Verdicts, issuer: &IssuerFacts, now: Timestamp) {
    let words = || (CaState::Active.as_str(), issuer.state.as_str());
    let mut state = verdicts.rule("issuerState", owner(issuer), words);
    state.broken_if(issuer.state != CaState::Active, || Broken {
        code: "issuer_not_active",
        pointer: "/ca".into(),
        detail: format!("CA {} is {} and issues nothing.", issuer.name, issuer.state),
        hint: "Enable or activate the CA, or ask another one.".into(),
        ..Broken::default()
    });
    verdicts.push(state);

    let words = || match issuer.standing {
        IssuerStanding::Good => ("not revoked", "not revoked"),
        IssuerStanding::Revoked => ("not revoked", "revoked"),
        IssuerStanding::KeyCompromised => ("not revoked", "key compromised"),
    };
    let mut revocation = verdicts.rule("issuerRevocation", owner(issuer), words);
    let hint = "Renew the CA with a new key, or ask another one.";
    revocation.broken_if(issuer.standing == IssuerStanding::Revoked, || Broken {
        code: "issuer_revoked",
        pointer: "/ca".into(),
        detail: format!("The certificate of CA {}, or of one above it, was revoked.", issuer.name),
        hint: hint.into(),
        ..Broken::default()
    });
    revocation.broken_if(issuer.standing == IssuerStanding::KeyCompromised, || Broken {
        code: "issuer_key_compromised",
        pointer: "/ca".into(),
        detail: format!("The key of CA {}, or of one above it, was reported as compromised.", issuer.name),
        hint: hint.into(),
        ..Broken::default()
    });
    verdicts.push(revocation);

    unexpired(verdicts, issuer, now);
}

/// What a CA must be to have a delegated responder: one that issues nothing more still answers for what it issued, also
/// when its own certificate was revoked, as long as its certificate lasts.
pub(super) fn may_answer(verdicts: &mut Verdicts, issuer: &IssuerFacts, now: Timestamp) {
    let answers = matches!(issuer.state, CaState::Active | CaState::Disabled | CaState::PendingDeletion);
    let words = || ("activated and not deleted", issuer.state.as_str());
    let mut state = verdicts.rule("issuerState", owner(issuer), words);
    state.broken_if(!answers, || Broken {
        code: "issuer_not_answering",
        pointer: "/ca".into(),
        detail: format!("CA {} is {} and has no responder.", issuer.name, issuer.state),
        hint: "Ask another CA.".into(),
        ..Broken::default()
    });
    verdicts.push(state);
    unexpired(verdicts, issuer, now);
}

fn unexpired(verdicts: &mut Verdicts, issuer: &IssuerFacts, now: Timestamp) {
    let end = issuer.validity.not_after();
    let words = || (end.to_string(), now.floor_to_second().to_string());
    let mut expiry = verdicts.rule("issuerExpiry", owner(issuer), words);
    expiry.broken_if(end < now.floor_to_second(), || Broken {
        code: "issuer_expired",
        pointer: "/ca".into(),
        detail: format!("The certificate of CA {} expired at {end}.", issuer.name),
        hint: "Renew the CA, or ask another one.".into(),
        ..Broken::default()
    });
    verdicts.push(expiry);
}

/// Verifiers take a certificate for nothing that a CA above it is not for: extended key usages nest, though RFC 5280 section 4.2.1.12
/// speaks of end-entity certificates alone. (Not those of delegated OCSP responders, which are looked for in the responder's
/// certificate only: RFC 6960 section 4.2.2.2.)
pub(super) fn usages_stay_within(verdicts: &mut Verdicts, profile: &Profile, issuer: &IssuerFacts) {
    let text = |usages: &[ExtendedKeyUsage]| match usages {
        [] => "none that a profile gives".to_owned(),
        some => listed(some.iter()),
    };
    let left = issuer.usages_left.as_deref();
    let limit = || left.map_or_else(|| "unlimited".to_owned(), text);
    let mut rule = verdicts.rule("extendedKeyUsage", owner(issuer), || (limit(), text(profile.usages())));
    let outside = |usage: &&ExtendedKeyUsage| left.is_some_and(|left| !left.contains(usage));
    rule.broken_if(profile.usages().iter().any(|usage| outside(&usage)), || {
        let more: Vec<ExtendedKeyUsage> = profile.usages().iter().filter(outside).copied().collect();
        Broken {
            code: "usage_outside_issuer",
            pointer: "/profile".into(),
            detail: format!(
                "The profile {} gives {}; the certificates of CA {} and of those above it leave {} to those below.",
                profile.name(),
                text(&more),
                issuer.name,
                limit()
            ),
            hint: match left {
                Some([]) => "Ask another CA.".into(),
                _ => format!("Use a profile whose usages are among: {}. Or ask another CA.", limit()),
            },
            value: text(&more),
            ..Broken::default()
        }
    });
    verdicts.push(rule);
}

/// The path length that the new CA gets: the one asked for, or the longest that the issuer has left.
pub(super) fn path_length(verdicts: &mut Verdicts, issuer: &IssuerFacts, asked: Option<u8>) -> Option<u8> {
    let text = |length: Option<u8>| length.map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
    let left = issuer.path_length_left;
    let longest = left.map(|left| left.saturating_sub(1));
    let mut rule = verdicts.rule("pathLength", owner(issuer), || (text(left), text(asked.or(longest))));
    match (left, asked) {
        (Some(0), _) => rule.broken(Broken {
            code: "path_length_exhausted",
            pointer: "/issuer".into(),
            allowed: "no CA below".into(),
            detail: format!("CA {} has a path length of 0: no CA may follow below it.", issuer.name),
            hint: "Ask a CA with a longer path length.".into(),
            ..Broken::default()
        }),
        (Some(left), Some(asked)) if asked >= left => rule.broken(Broken {
            code: "path_length_too_long",
            pointer: "/rules/pathLength".into(),
            allowed: format!("0 to {}", left.saturating_sub(1)),
            detail: format!(
                "A path length of {asked} was asked for; below CA {} it is at most {}.",
                issuer.name,
                left.saturating_sub(1)
            ),
            hint: format!("Ask for a pathLength of {} or less, or leave it out.", left.saturating_sub(1)),
            ..Broken::default()
        }),
        _ => {}
    }
    verdicts.push(rule);
    asked.or(longest)
}

/// What the new CA permits must lie within what every CA above permits, kind by kind.
pub(super) fn constraints_stay_within(verdicts: &mut Verdicts, issuer: &IssuerFacts, own: Option<&NameConstraints>) {
    let limit = if issuer.name_constraints.is_empty() { "unconstrained" } else { "within the issuer's" };
    let value = if own.is_some() { "constrained" } else { "unconstrained" };
    let mut rule = verdicts.rule("nameConstraints", owner(issuer), || (limit, value));
    let mut wider: Vec<String> =
        own.iter().flat_map(|own| issuer.name_constraints.iter().flat_map(|above| own.wider_than(above))).collect();
    wider.sort_unstable();
    wider.dedup();
    for subtree in wider {
        rule.broken(Broken {
            code: "name_constraints_widen",
            pointer: "/rules/nameConstraints/permitted".into(),
            detail: format!("The permitted subtree `{subtree}` reaches outside of what CA {} permits.", issuer.name),
            hint: "Permit only subtrees that lie within the issuer's.".into(),
            value: subtree,
            ..Broken::default()
        });
    }
    verdicts.push(rule);
}
