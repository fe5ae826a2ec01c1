//! How lifetimes are counted, chosen and refused.

use super::fixtures::*;
use crate::profile::Profile;
use crate::rules::{KeyStanding, ServiceLimits, decide_leaf, decide_root, decide_subordinate};
use crate::time::{Span, Timestamp};
use crate::validity::{RequestedEnd, RequestedValidity, Validity};

fn wish(not_before: Option<&str>, end: RequestedEnd) -> RequestedValidity {
    RequestedValidity { not_before: not_before.map(at), end }
}

fn judge(profile: &Profile, not_before: Option<&str>, end: RequestedEnd) -> Result<Validity, Vec<&'static str>> {
    let mut request = leaf(&["a.example.com"]);
    request.validity = wish(not_before, end);
    let decision = decide(profile, &issuer(), request);
    decision.approved().map(super::super::Approved::validity).ok_or_else(|| codes(decision))
}

fn shown(validity: Validity) -> String {
    format!("{} {}", validity.not_before(), validity.not_after())
}

#[test]
fn the_choice_of_both_ends() {
    use RequestedEnd::{Duration, Longest, NotAfter};
    let table = [
        // Nothing asked: backdated by a minute, 90 days with both ends counted.
        (None, Longest, "2026-11-20T11:59:00Z 2027-02-18T11:58:59Z"),
        (None, Duration(Span::from_days(90)), "2026-11-20T11:59:00Z 2027-02-18T11:58:59Z"),
        (None, Duration(Span::from_hours(1)), "2026-11-20T11:59:00Z 2026-11-20T12:58:59Z"),
        // Short lifetimes are not eaten by backdating.
        (None, Duration(Span::from_minutes(5)), "2026-11-20T11:59:30Z 2026-11-20T12:04:29Z"),
        (None, Duration(Span::from_s(5)), "2026-11-20T12:00:00Z 2026-11-20T12:00:04Z"),
        (None, Duration(Span::from_s(1)), "2026-11-20T12:00:00Z 2026-11-20T12:00:00Z"),
        // An end that was asked for stays; backdating gives way to the limit.
        (None, NotAfter(at("2026-12-01T00:00:00.9Z")), "2026-11-20T11:59:00Z 2026-12-01T00:00:00Z"),
        (None, NotAfter(at("2027-02-18T11:58:59Z")), "2026-11-20T11:59:00Z 2027-02-18T11:58:59Z"),
        (None, NotAfter(at("2027-02-18T11:59:29Z")), "2026-11-20T11:59:30Z 2027-02-18T11:59:29Z"),
        (None, NotAfter(at("2027-02-18T11:59:59Z")), "2026-11-20T12:00:00Z 2027-02-18T11:59:59Z"),
        (None, NotAfter(at("2026-11-20T12:00:00Z")), "2026-11-20T11:59:00Z 2026-11-20T12:00:00Z"),
        // Both asked.
        (
            Some("2026-11-20T00:00:00Z"),
            NotAfter(at("2026-11-21T00:00:00Z")),
            "2026-11-20T00:00:00Z 2026-11-21T00:00:00Z",
        ),
        (Some("2026-12-01T00:00:00Z"), Duration(Span::from_days(1)), "2026-12-01T00:00:00Z 2026-12-01T23:59:59Z"),
        (Some("2026-12-01T00:00:00Z"), Longest, "2026-12-01T00:00:00Z 2027-02-28T23:59:59Z"),
    ];
    for (not_before, end, expected) in table {
        assert_eq!(judge(&open(), not_before, end).map(shown).as_deref(), Ok(expected), "{not_before:?} {end:?}");
    }
}

#[test]
fn the_edges_of_every_refusal() {
    use RequestedEnd::{Duration, Longest, NotAfter};
    let day = Duration(Span::from_days(1));
    let table: &[(Option<&str>, RequestedEnd, &[&str])] = &[
        (None, Duration(Span::from_ms(90 * 86_400_000 + 1)), &["lifetime_too_long"]),
        (None, NotAfter(at("2027-02-18T12:00:00Z")), &["lifetime_too_long"]),
        (Some("2026-11-20T12:00:00Z"), NotAfter(at("2027-02-18T12:00:00Z")), &["lifetime_too_long"]),
        (None, Duration(Span::ZERO), &["ends_before_start"]),
        (None, Duration(Span::from_ms(999)), &["ends_before_start"]),
        (None, NotAfter(at("2026-11-20T11:59:59Z")), &["already_expired"]),
        (None, NotAfter(at("2020-01-01T00:00:00Z")), &["already_expired"]),
        (Some("2026-11-20T11:00:00Z"), NotAfter(at("2026-11-20T10:00:00Z")), &["ends_before_start", "already_expired"]),
        (Some("2026-12-20T11:00:00Z"), NotAfter(at("2026-12-20T10:59:59Z")), &["ends_before_start"]),
        (Some("2026-11-19T12:00:01Z"), Duration(Span::from_hours(1)), &["already_expired"]),
        (Some("2026-11-19T11:59:59Z"), Duration(Span::from_days(2)), &["backdated_too_far"]),
        (Some("2027-11-21T12:00:01Z"), day, &["postdated_too_far"]),
        (Some("2025-12-31T23:59:59Z"), Longest, &["backdated_too_far", "already_expired", "starts_before_issuer"]),
        (
            Some("1960-01-01T00:00:00Z"),
            NotAfter(at("9999-12-31T23:59:59Z")),
            &["backdated_too_far", "lifetime_too_long", "starts_before_issuer", "outlives_issuer"],
        ),
    ];
    for (not_before, end, expected) in table {
        assert_eq!(judge(&open(), *not_before, *end), Err(expected.to_vec()), "{not_before:?} {end:?}");
    }
    // One second inside each of them.
    for (not_before, end) in [
        (Some("2026-11-19T12:00:00Z"), Duration(Span::from_days(2))),
        (Some("2027-11-21T12:00:00Z"), day),
        (Some("2026-11-20T12:00:00Z"), NotAfter(at("2027-02-18T11:59:59Z"))),
        (Some("2026-11-19T12:00:01Z"), Duration(Span::from_hours(24))),
    ] {
        assert!(judge(&open(), not_before, end).is_ok(), "{not_before:?} {end:?}");
    }
}

#[test]
fn the_sentence_for_a_lifetime_that_is_too_long() {
    let mut request = leaf(&["a.example.com"]);
    request.validity = wish(None, RequestedEnd::Duration(Span::from_ms(7_839_114_782)));
    let violations = broken(decide(&open(), &issuer(), request));
    let [violation] = violations.as_slice() else { panic!("{violations:?}") };
    assert_eq!(
        violation.detail,
        "The validity period 7839114782 exceeds the maximum validity period allowed 7776000000. \
         Asked for 90 days 17 hours 31 minutes 54 seconds; rule leafMaxValidity of CA issuing-1 allows 90 days."
    );
    assert_eq!(violation.hint, "Ask for {\"duration\":\"P90D\"} or a notAfter of 2027-02-18T11:59:59Z or earlier.");
    assert_eq!(violation.pointer, "/validity/duration");
    assert_eq!(
        (violation.rule, violation.owner.as_str(), violation.limit.as_str(), violation.value.as_str()),
        ("leafMaxValidity", "CA issuing-1", "P90D", "P90DT17H31M54S")
    );
}

#[test]
fn an_end_without_a_start_is_measured_from_now() {
    let mut request = leaf(&["a.example.com"]);
    request.validity = wish(None, RequestedEnd::NotAfter(at("2027-02-19T05:00:00Z")));
    let violations = broken(decide(&open(), &issuer(), request));
    assert!(violations[0].detail.starts_with(
        "The validity period 7837201000 exceeds the maximum validity period allowed 7776000000. \
         Asked for 90 days 17 hours 1 second;"
    ));
    assert_eq!(violations[0].pointer, "/validity/notAfter");
}

#[test]
fn both_limits_are_named_and_the_smaller_counts() {
    let shorter = profile(|raw| raw.max_validity = Some("P30D".into()));
    let mut request = leaf(&["a.example.com"]);
    request.validity = wish(None, RequestedEnd::Duration(Span::from_days(91)));
    let violations = broken(decide(&shorter, &issuer(), request));
    let rules: Vec<_> = violations.iter().map(|v| (v.rule, v.owner.as_str(), v.limit.as_str())).collect();
    assert_eq!(rules, [("leafMaxValidity", "CA issuing-1", "P90D"), ("maxValidity", "profile own", "P30D")]);
    assert!(violations.iter().all(|v| v.hint.contains("P30D")), "{violations:?}");
    let longest = judge(&shorter, None, RequestedEnd::Longest).unwrap();
    assert_eq!(longest.length(), Span::from_days(30));
    assert_eq!(
        judge(&shorter, None, RequestedEnd::Duration(Span::from_days(31))),
        Err(vec!["lifetime_too_long"]),
        "only the profile's limit"
    );
}

#[test]
fn the_issuers_end_shortens_the_default_and_refuses_a_wish() {
    let mut short = issuer();
    short.validity = Validity::new(at("2026-11-20T11:59:30Z"), at("2026-11-30T00:00:00Z")).unwrap();
    let judge = |validity: RequestedValidity| {
        let mut request = leaf(&["a.example.com"]);
        request.validity = validity;
        decide(&open(), &short, request)
    };
    let chosen = judge(RequestedValidity::DEFAULT).into_result().unwrap().validity();
    assert_eq!(shown(chosen), "2026-11-20T11:59:30Z 2026-11-30T00:00:00Z");
    let ends_with_issuer = judge(until(RequestedEnd::NotAfter(at("2026-11-30T00:00:00Z"))));
    assert_eq!(codes(ends_with_issuer), [""; 0]);
    let one_more = broken(judge(until(RequestedEnd::NotAfter(at("2026-11-30T00:00:01Z")))));
    assert_eq!(one_more.len(), 1);
    assert_eq!((one_more[0].code, one_more[0].rule), ("outlives_issuer", "issuerBound"));
    assert!(one_more[0].hint.contains("notAfter of 2026-11-30T00:00:00Z"), "{}", one_more[0].hint);
    assert_eq!(codes(judge(until(RequestedEnd::Duration(Span::from_days(30))))), ["outlives_issuer"]);
    // A start one second before the issuer's.
    let early = RequestedValidity { not_before: Some(at("2026-11-20T11:59:29Z")), end: RequestedEnd::Longest };
    assert_eq!(codes(judge(early)), ["starts_before_issuer"]);
    let late = RequestedValidity { not_before: Some(at("2026-11-30T00:00:01Z")), end: RequestedEnd::Longest };
    assert_eq!(codes(judge(late)), ["outlives_issuer"]);
}

#[test]
fn an_expired_issuer_and_one_still_to_come() {
    let mut over = issuer();
    over.validity = Validity::new(at("2025-01-01T00:00:00Z"), at("2026-11-20T11:59:59Z")).unwrap();
    assert_eq!(codes(decide(&open(), &over, leaf(&["a.example.com"]))), ["issuer_expired"]);
    over.validity = Validity::new(at("2025-01-01T00:00:00Z"), at("2026-11-20T12:00:00Z")).unwrap();
    assert_eq!(codes(decide(&open(), &over, leaf(&["a.example.com"]))), [""; 0], "its last second is inside");
    let mut coming = issuer();
    coming.validity = Validity::new(at("2026-12-01T00:00:00Z"), at("2030-01-01T00:00:00Z")).unwrap();
    let chosen = decide(&open(), &coming, leaf(&["a.example.com"])).into_result().unwrap().validity();
    assert_eq!(shown(chosen), "2026-12-01T00:00:00Z 2027-02-28T23:59:59Z");
    // An end before the issuer's first second, named without a start, leaves nothing.
    for end in ["2026-11-20T12:00:00Z", "2026-11-30T23:59:59Z"] {
        let mut request = leaf(&["a.example.com"]);
        request.validity = until(RequestedEnd::NotAfter(at(end)));
        let found = broken(decide(&open(), &coming, request));
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (found.code, found.rule, found.pointer.as_str()),
            ("ends_before_start", "validityOrder", "/validity/notAfter")
        );
        assert_eq!((found.value.as_str(), found.allowed.as_str()), (end, "2026-12-01T00:00:00Z or later"));
        assert_eq!(found.hint, "Ask for a notAfter of 2026-12-01T00:00:00Z or later.");
        let authority = crate::rules::CaRequest { validity: until(RequestedEnd::NotAfter(at(end))), ..ca() };
        assert_eq!(
            codes(decide_subordinate(&coming, authority, &ServiceLimits::default(), now())),
            ["ends_before_start"]
        );
    }
    let mut request = leaf(&["a.example.com"]);
    request.validity = until(RequestedEnd::NotAfter(at("2026-12-01T00:00:00Z")));
    assert_eq!(codes(decide(&open(), &coming, request.clone())), [""; 0], "what the hint proposes");
    request.validity = until(RequestedEnd::NotAfter(at("2026-11-20T11:59:59Z")));
    assert_eq!(codes(decide(&open(), &coming, request)), ["already_expired"]);
}

#[test]
fn authorities_default_to_a_year_where_that_fits() {
    let limits = ServiceLimits::default();
    let root = decide_root(ca(), &limits, now()).into_result().unwrap();
    assert_eq!(root.validity().length(), Span::from_days(365));
    let sub = decide_subordinate(&issuer(), ca(), &limits, now()).into_result().unwrap();
    assert_eq!(sub.validity().length(), Span::from_days(365));
    let mut short = issuer();
    short.rules.subordinate_max_validity = Span::from_days(100);
    let sub = decide_subordinate(&short, ca(), &limits, now()).into_result().unwrap();
    assert_eq!(sub.validity().length(), Span::from_days(100));
    short.validity = Validity::new(at("2026-01-01T00:00:00Z"), at("2026-12-01T00:00:00Z")).unwrap();
    let sub = decide_subordinate(&short, ca(), &limits, now()).into_result().unwrap();
    assert_eq!(sub.validity().not_after(), short.validity.not_after());
}

#[test]
fn the_limits_of_authorities() {
    let limits = ServiceLimits::default();
    let sub =
        |end| decide_subordinate(&issuer(), crate::rules::CaRequest { validity: until(end), ..ca() }, &limits, now());
    assert_eq!(codes(sub(RequestedEnd::Duration(Span::from_days(1825)))), [""; 0]);
    let violations = broken(sub(RequestedEnd::Duration(Span::from_days(1826))));
    assert_eq!((violations[0].code, violations[0].rule), ("lifetime_too_long", "subordinateMaxValidity"));
    let root = |validity| decide_root(crate::rules::CaRequest { validity, ..ca() }, &limits, now());
    // The OCI flow: ten years from midnight of today.
    let ten_years = RequestedValidity {
        not_before: Some(at("2026-11-20T00:00:00Z")),
        end: RequestedEnd::NotAfter(at("2036-11-20T00:00:00Z")),
    };
    assert_eq!(codes(root(ten_years)), [""; 0]);
    assert_eq!(codes(root(until(RequestedEnd::Duration(Span::from_days(9132))))), ["lifetime_too_long"]);
    let forever = RequestedEnd::NotAfter(Timestamp::from_unix_ms(i64::MAX));
    assert_eq!(codes(root(until(forever))), ["lifetime_too_long"]);
    let long_ago = RequestedValidity {
        not_before: Some(at("2025-11-19T11:59:59Z")),
        end: RequestedEnd::Duration(Span::from_days(900)),
    };
    assert_eq!(codes(root(long_ago)), ["backdated_too_far"]);
}

#[test]
fn a_limit_of_nothing_lets_nothing_through() {
    let mut closed = issuer();
    closed.rules.leaf_max_validity = Span::ZERO;
    assert_eq!(codes(decide(&open(), &closed, leaf(&["a.example.com"]))), ["lifetime_too_long"]);
    let mut request = ca();
    request.rules.leaf_max_validity = Span::ZERO;
    assert_eq!(codes(decide_root(request, &ServiceLimits::default(), now())), ["rule_allows_nothing"]);
}

#[test]
fn nothing_saturates_at_the_end_of_time() {
    // A trust anchor "without well-defined expiration" and limits of thousands of years.
    let mut eternal = issuer();
    eternal.validity = Validity::new(at("2026-01-01T00:00:00Z"), at("9999-12-31T23:59:59Z")).unwrap();
    eternal.rules.leaf_max_validity = Span::from_days(3_650_000);
    let mut request = leaf(&["a.example.com"]);
    request.validity = until(RequestedEnd::Duration(Span::from_days(3_650_000)));
    let decision = decide_leaf(&open(), &eternal, &request, KeyStanding::Free, &ServiceLimits::default(), now());
    assert_eq!(codes(decision), ["outlives_issuer"]);
}
