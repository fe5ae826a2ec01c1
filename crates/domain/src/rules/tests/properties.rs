//! What holds for every request, not only for the ones that somebody thought of.

use super::fixtures::*;
use crate::ca::IssuerFacts;
use crate::rules::{
    CaRequest, KeyStanding, ResponderRequest, ServiceLimits, approve_leaf, decide_leaf, decide_responder, decide_root,
    decide_subordinate,
};
use crate::time::{Span, Timestamp};
use crate::validity::{RequestedEnd, RequestedValidity, Validity};
use proptest::prelude::*;

const DAY: i64 = 86_400_000;

fn limits() -> ServiceLimits {
    ServiceLimits::default()
}

/// Around now, within some years, and now and then far off.
fn instant() -> impl Strategy<Value = Timestamp> {
    let near = (-3 * DAY..3 * DAY).boxed();
    let years = (-4000 * DAY..4000 * DAY).boxed();
    prop_oneof![4 => near, 4 => years, 1 => any::<i64>().boxed()]
        .prop_map(|offset| Timestamp::from_unix_ms(now().unix_ms().saturating_add(offset)))
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![0..1000_i64, 0..2 * DAY, 0..4000 * DAY, any::<i64>()].prop_map(Span::from_ms)
}

fn end() -> impl Strategy<Value = RequestedEnd> {
    prop_oneof![
        Just(RequestedEnd::Longest),
        instant().prop_map(RequestedEnd::NotAfter),
        span().prop_map(RequestedEnd::Duration)
    ]
}

fn wish() -> impl Strategy<Value = RequestedValidity> {
    (proptest::option::of(instant()), end()).prop_map(|(not_before, end)| RequestedValidity { not_before, end })
}

/// A CA that is valid now, with limits of every size.
fn any_issuer() -> impl Strategy<Value = IssuerFacts> {
    (0..4000 * DAY, 0..4000 * DAY, 1..400 * DAY, 1..4000 * DAY).prop_map(|(before, after, leaf_max, sub_max)| {
        let mut facts = issuer();
        facts.validity = Validity::new(now().minus(Span::from_ms(before)), now().plus(Span::from_ms(after))).unwrap();
        facts.rules.leaf_max_validity = Span::from_ms(leaf_max.max(1000));
        facts.rules.subordinate_max_validity = Span::from_ms(sub_max.max(1000));
        facts
    })
}

/// The same, or one that begins later than now, or has ended.
fn any_issuer_at_any_time() -> impl Strategy<Value = IssuerFacts> {
    (any_issuer(), instant(), 0..4000 * DAY, any::<bool>()).prop_map(|(mut facts, first, length, valid_now)| {
        let first = first.max(Timestamp::from_unix_ms(0));
        if !valid_now {
            facts.validity = Validity::new(first, first.plus(Span::from_ms(length))).unwrap();
        }
        facts
    })
}

/// An end around the issuer's first second as often as any other.
fn wish_of(facts: &IssuerFacts) -> impl Strategy<Value = RequestedValidity> + use<> {
    let first = facts.validity.not_before();
    let about = (-3 * DAY..3 * DAY)
        .prop_map(move |offset| Timestamp::from_unix_ms(first.unix_ms().saturating_add(offset)))
        .prop_map(|end| RequestedValidity { not_before: None, end: RequestedEnd::NotAfter(end) });
    prop_oneof![wish(), about]
}

/// Either approved, or refused with reasons; in words and without them alike.
fn has_reasons(decision: crate::rules::Decision) -> bool {
    let refused = decision.approved().is_none();
    let broken = decision.verdicts().iter().any(|verdict| !verdict.violations.is_empty());
    refused == broken && decision.into_result().map_or_else(|reasons| !reasons.is_empty(), |_| true)
}

/// What was asked for is what there is.
fn as_asked(asked: &RequestedValidity, validity: Validity) -> bool {
    let start = asked.not_before.is_none_or(|start| start.floor_to_second() == validity.not_before());
    start
        && match asked.end {
            RequestedEnd::Longest => true,
            RequestedEnd::NotAfter(end) => end.floor_to_second() == validity.not_after(),
            RequestedEnd::Duration(span) => span.s() == validity.length().s(),
        }
}

proptest! {
    #[test]
    fn an_approved_lifetime_keeps_every_bound(facts in any_issuer(), asked in wish(), profile_max in proptest::option::of(1..400_i64)) {
        let profile = profile(|raw| raw.max_validity = profile_max.map(|days| format!("P{days}D")));
        let mut request = leaf(&["a.example.com"]);
        request.validity = asked;
        let decision = decide_leaf(&profile, &facts, &request, KeyStanding::Free, &limits(), now());
        let briefly = approve_leaf(&profile, &facts, &request, KeyStanding::Free, &limits(), now());
        prop_assert_eq!(briefly, decision.clone().into_result());
        if let Some(approved) = decision.approved() {
            let validity = approved.validity();
            prop_assert!(validity.not_before() >= facts.validity.not_before());
            prop_assert!(validity.not_after() <= facts.validity.not_after());
            prop_assert!(validity.length() <= facts.rules.leaf_max_validity);
            prop_assert!(profile.max_validity().is_none_or(|max| validity.length() <= max));
            prop_assert!(validity.not_after() >= now().floor_to_second());
            prop_assert!(validity.not_before() >= now().floor_to_second().minus(limits().leaf_max_backdate));
            prop_assert!(as_asked(&asked, validity), "{asked:?} {validity:?}");
        } else {
            prop_assert!(!codes(decision).is_empty());
        }
    }

    /// Whatever the issuer's time and the wish: a trial shows the same verdicts that a refusal has.
    #[test]
    fn nothing_is_refused_without_a_reason((facts, asked) in any_issuer_at_any_time().prop_flat_map(|facts| (Just(facts.clone()), wish_of(&facts))), lifetime in span()) {
        let mut request = leaf(&["a.example.com"]);
        request.validity = asked;
        let decision = decide_leaf(&open(), &facts, &request, KeyStanding::Free, &limits(), now());
        let briefly = approve_leaf(&open(), &facts, &request, KeyStanding::Free, &limits(), now());
        prop_assert_eq!(briefly, decision.clone().into_result());
        prop_assert!(has_reasons(decision), "{asked:?} {:?}", facts.validity);
        let authority = CaRequest { validity: asked, ..ca() };
        prop_assert!(has_reasons(decide_subordinate(&facts, authority.clone(), &limits(), now())), "{asked:?}");
        prop_assert!(has_reasons(decide_root(authority, &limits(), now())), "{asked:?}");
        let responder = ResponderRequest { subject: common_name("OCSP"), public_key: ecdsa(), lifetime };
        prop_assert!(has_reasons(decide_responder(&facts, responder, KeyStanding::Free, &limits(), now())));
    }

    #[test]
    fn a_request_that_names_no_validity_always_passes(facts in any_issuer()) {
        let leaf = decide_leaf(&open(), &facts, &leaf(&["a.example.com"]), KeyStanding::Free, &limits(), now());
        prop_assert_eq!(codes(leaf), [""; 0]);
        prop_assert_eq!(codes(decide_subordinate(&facts, ca(), &limits(), now())), [""; 0]);
    }

    #[test]
    fn the_default_is_the_longest_for_its_start(facts in any_issuer()) {
        let decision = decide_leaf(&open(), &facts, &leaf(&["a.example.com"]), KeyStanding::Free, &limits(), now());
        let validity = decision.into_result().unwrap().validity();
        let mut longer = leaf(&["a.example.com"]);
        longer.validity = RequestedValidity {
            not_before: Some(validity.not_before()),
            end: RequestedEnd::NotAfter(validity.not_after().plus(Span::from_s(1))),
        };
        prop_assert!(!codes(decide_leaf(&open(), &facts, &longer, KeyStanding::Free, &limits(), now())).is_empty());
    }

    #[test]
    fn what_a_hint_proposes_passes(facts in any_issuer(), asked in wish()) {
        let mut request = leaf(&["a.example.com"]);
        request.validity = asked;
        for violation in broken(decide_leaf(&open(), &facts, &request, KeyStanding::Free, &limits(), now())) {
            let Some((_, rest)) = violation.hint.split_once("{\"duration\":\"") else { continue };
            let (duration, rest) = rest.split_once("\"}").unwrap();
            let not_after = rest.split_once("notAfter of ").unwrap().1.split_once(' ').unwrap().0;
            let ends = [
                RequestedEnd::Duration(Span::parse(duration).unwrap()),
                RequestedEnd::NotAfter(Timestamp::parse(not_after).unwrap()),
            ];
            for end in ends {
                let mut request = leaf(&["a.example.com"]);
                request.validity = RequestedValidity { not_before: asked.not_before, end };
                let left = codes(decide_leaf(&open(), &facts, &request, KeyStanding::Free, &limits(), now()));
                // A bad start is another rule with another hint.
                let about_the_start = ["backdated_too_far", "postdated_too_far", "starts_before_issuer"];
                prop_assert!(left.iter().all(|code| about_the_start.contains(code)), "{end:?} {left:?}");
            }
        }
    }

    #[test]
    fn authorities_keep_their_bounds(facts in any_issuer(), asked in wish(), left in proptest::option::of(0..4_u8), path in proptest::option::of(0..4_u8)) {
        let facts = IssuerFacts { path_length_left: left, ..facts };
        let mut request = CaRequest { validity: asked, ..ca() };
        request.rules.path_length = path;
        if let Ok(approved) = decide_subordinate(&facts, request.clone(), &limits(), now()).into_result() {
            let validity = approved.validity();
            prop_assert!(validity.not_before() >= facts.validity.not_before());
            prop_assert!(validity.not_after() <= facts.validity.not_after());
            prop_assert!(validity.length() <= facts.rules.subordinate_max_validity);
            prop_assert!(as_asked(&asked, validity));
            let crate::rules::ApprovedKind::Ca { path_length, .. } = approved.kind() else { panic!("a CA") };
            prop_assert!(left.is_none_or(|left| path_length.is_some_and(|length| length < left)));
            prop_assert!(path.is_none_or(|path| *path_length == Some(path)));
        }
        if let Ok(approved) = decide_root(request, &limits(), now()).into_result() {
            prop_assert!(approved.validity().length() <= limits().root_max_validity);
            prop_assert!(as_asked(&asked, approved.validity()));
        }
    }
}
