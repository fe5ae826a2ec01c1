//! What the signing CA must be, and what a CA below it may be.

use super::fixtures::*;
use crate::ca::{CaState, IssuerFacts, IssuerStanding};
use crate::constraints::{NameConstraints, RawSubtrees};
use crate::dn::{AttributeType, DistinguishedName};
use crate::rules::{ApprovedKind, CaRequest, ServiceLimits, decide_root, decide_subordinate};

fn sub(issuer: &IssuerFacts, change: impl FnOnce(&mut CaRequest)) -> crate::rules::Decision {
    let mut request = ca();
    change(&mut request);
    decide_subordinate(issuer, request, &ServiceLimits::default(), now())
}

#[test]
fn a_ca_that_may_not_issue() {
    for state in CaState::ALL.iter().copied().filter(|state| *state != CaState::Active) {
        let stopped = IssuerFacts { state, ..issuer() };
        assert_eq!(codes(decide(&open(), &stopped, leaf(&["a.example.com"]))), ["issuer_not_active"], "{state}");
        assert_eq!(codes(sub(&stopped, |_| {})), ["issuer_not_active"], "{state}");
    }
    let revoked = IssuerFacts { standing: IssuerStanding::Revoked, ..issuer() };
    assert_eq!(codes(decide(&open(), &revoked, leaf(&["a.example.com"]))), ["issuer_revoked"]);
    assert_eq!(codes(sub(&revoked, |_| {})), ["issuer_revoked"]);
    let known = IssuerFacts { standing: IssuerStanding::KeyCompromised, ..issuer() };
    assert_eq!(codes(decide(&open(), &known, leaf(&["a.example.com"]))), ["issuer_key_compromised"]);
    assert_eq!(codes(sub(&known, |_| {})), ["issuer_key_compromised"]);
}

#[test]
fn path_lengths_shrink_by_one() {
    // (left, asked, given)
    for (left, asked, given) in [
        (None, None, Ok(None)),
        (None, Some(7), Ok(Some(7))),
        (Some(2), None, Ok(Some(1))),
        (Some(2), Some(1), Ok(Some(1))),
        (Some(2), Some(0), Ok(Some(0))),
        (Some(1), None, Ok(Some(0))),
        (Some(2), Some(2), Err("path_length_too_long")),
        (Some(1), Some(255), Err("path_length_too_long")),
        (Some(0), None, Err("path_length_exhausted")),
        (Some(0), Some(0), Err("path_length_exhausted")),
    ] {
        let above = IssuerFacts { path_length_left: left, ..issuer() };
        let decision = sub(&above, |request| request.rules.path_length = asked);
        match (decision.approved().map(|approved| approved.kind().clone()), given) {
            (Some(ApprovedKind::Ca { path_length, self_signed: false, .. }), Ok(expected)) => {
                assert_eq!(path_length, expected, "{left:?} {asked:?}");
            }
            (None, Err(code)) => assert_eq!(codes(decision), [code], "{left:?} {asked:?}"),
            (other, expected) => panic!("{left:?} {asked:?}: {other:?}, not {expected:?}"),
        }
    }
}

#[test]
fn constraints_narrow_and_never_widen() {
    let table: &[(&[&str], &[&str], bool)] = &[
        (&["dns:example.com"], &["dns:example.com"], true),
        (&["dns:example.com"], &["dns:a.example.com", "ip:10.0.0.0/8"], true),
        (&["dns:example.com"], &["dns:a.example.com", "dns:example.org"], false),
        (&["dns:a.example.com"], &["dns:example.com"], false),
        (&["dns:example.com"], &["dns:evilexample.com"], false),
        (&["dns:example.com"], &["dns:"], false),
        (&["dns:"], &["dns:example.com"], true),
        (&["ip:10.0.0.0/8"], &["ip:10.1.0.0/16"], true),
        (&["ip:10.1.0.0/16"], &["ip:10.0.0.0/8"], false),
        (&["ip:10.0.0.0/8"], &["ip:::ffff:0:0/96"], false),
        (&["email:example.com"], &["email:a@example.com"], true),
        (&["email:example.com"], &["email:a@b.example.com"], false),
        (&["email:.example.com"], &["email:a@b.example.com", "email:b.example.com", "email:.b.example.com"], true),
        (&["email:.example.com"], &["email:example.com"], false),
        (&["email:a@example.com"], &["email:example.com"], false),
        (&["email:example.com"], &["email:.example.com"], false),
        (&["uri:example.com"], &["uri:example.com"], true),
        (&["uri:example.com"], &["uri:.example.com"], false),
        (&["uri:.example.com"], &["uri:.example.com", "uri:a.example.com"], true),
    ];
    for (above, below, passes) in table {
        let parent = IssuerFacts { name_constraints: vec![constraints(above, &[])], ..issuer() };
        let decision = sub(&parent, |request| request.rules.name_constraints = Some(constraints(below, &[])));
        let expected: &[&str] = if *passes { &[] } else { &["name_constraints_widen"] };
        assert_eq!(codes(decision), expected, "{above:?} {below:?}");
    }
}

#[test]
fn every_ca_above_counts_and_directory_names_too() {
    let organization = |name| subject(&[(AttributeType::Country, "KR"), (AttributeType::Organization, name)]);
    let directory = |names: Vec<DistinguishedName>| {
        NameConstraints::parse(RawSubtrees { directory: names, ..RawSubtrees::default() }, RawSubtrees::default())
            .unwrap()
    };
    let parent = IssuerFacts {
        name_constraints: vec![constraints(&["dns:example.com"], &[]), directory(vec![organization("DDIM")])],
        ..issuer()
    };
    let below = subject(&[
        (AttributeType::Country, "KR"),
        (AttributeType::Organization, "DDIM"),
        (AttributeType::CommonName, "Sub CA"),
    ]);
    assert_eq!(codes(sub(&parent, |request| request.subject = below.clone())), [""; 0]);
    assert_eq!(codes(sub(&parent, |_| {})), ["name_constraint"]);
    let decision = sub(&parent, |request| {
        request.subject = below.clone();
        request.rules.name_constraints = Some(directory(vec![organization("Other")]));
    });
    assert_eq!(codes(decision), ["name_constraints_widen"]);
    let decision = sub(&parent, |request| {
        request.subject = below;
        request.rules.name_constraints = Some(constraints(&["dns:example.org"], &[]));
    });
    assert_eq!(codes(decision), ["name_constraints_widen"]);
}

#[test]
fn a_subordinate_is_not_its_issuer() {
    assert_eq!(codes(sub(&issuer(), |request| request.subject = common_name("ISSUING  1"))), ["subject_is_issuer"]);
    assert_eq!(
        codes(sub(&issuer(), |request| request.public_key.spki_sha256 = issuer().spki_sha256)),
        ["key_is_issuer_key"]
    );
    assert_eq!(codes(sub(&issuer(), |request| request.subject = DistinguishedName::default())), ["subject_missing"]);
}

#[test]
fn a_cas_common_name_is_not_a_host() {
    let parent = IssuerFacts { name_constraints: vec![constraints(&["dns:example.com"], &[])], ..issuer() };
    assert_eq!(codes(sub(&parent, |request| request.subject = common_name("issuing.example.org"))), [""; 0]);
    let mail = IssuerFacts { name_constraints: vec![constraints(&["email:example.com"], &[])], ..issuer() };
    let with_mail = subject(&[(AttributeType::CommonName, "Sub"), (AttributeType::EmailAddress, "pki@example.org")]);
    assert_eq!(codes(sub(&mail, |request| request.subject = with_mail)), ["name_constraint"]);
}

#[test]
fn a_root_needs_a_subject_and_a_strong_key_and_keeps_its_rules() {
    let limits = ServiceLimits::default();
    let mut request = ca();
    request.rules.path_length = Some(1);
    request.rules.name_constraints = Some(constraints(&["dns:example.com"], &[]));
    let approved = decide_root(request.clone(), &limits, now()).into_result().unwrap();
    assert_eq!(
        approved.kind(),
        &ApprovedKind::Ca {
            path_length: Some(1),
            name_constraints: request.rules.name_constraints.clone(),
            self_signed: true
        }
    );
    request.subject = DistinguishedName::default();
    request.public_key.kind = crate::public_key::PublicKeyKind::Other("1.2.3".into());
    assert_eq!(codes(decide_root(request, &limits, now())), ["unsupported_key", "subject_missing"]);
}

#[test]
fn all_verdicts_are_there_for_a_trial_run() {
    let decision = decide(&open(), &issuer(), leaf(&["a.example.com", "10.0.0.1"]));
    assert!(decision.approved().is_some());
    let rules: Vec<_> = decision.verdicts().iter().map(|verdict| verdict.rule).collect();
    for rule in [
        "issuerState",
        "issuerExpiry",
        "extendedKeyUsage",
        "keyHolders",
        "keyAlgorithms",
        "keyStrength",
        "keyNotOfCa",
        "endEntity",
        "names.required",
        "maximumNames",
        "distinctNames",
        "names.dns",
        "names.ip",
        "names.subject",
        "nameConstraints",
        "notBefore",
        "leafMaxValidity",
        "issuerBound",
    ] {
        assert!(rules.contains(&rule), "{rule} is missing in {rules:?}");
    }
    assert!(decision.verdicts().iter().all(crate::violation::Verdict::passed));
}

/// Extended key usages nest.
#[test]
fn what_no_ca_above_leaves_to_those_below_is_refused() {
    use crate::profile::ExtendedKeyUsage::{self as Usage, ClientAuth, CodeSigning, ServerAuth};
    let judge = |usages: &[&str], left: Option<&[Usage]>| {
        let parent = IssuerFacts { usages_left: left.map(<[Usage]>::to_vec), ..issuer() };
        broken(decide(&profile(|raw| raw.usages = texts(usages)), &parent, leaf(&["a.example.com"])))
    };
    for (usages, left) in [
        (&["serverAuth", "clientAuth"][..], None),
        (&["serverAuth"], Some(&[ServerAuth][..])),
        (&["clientAuth"], Some(&[ServerAuth, ClientAuth])),
        (&["serverAuth", "clientAuth"], Some(&[CodeSigning, ClientAuth, ServerAuth])),
    ] {
        assert_eq!(judge(usages, left).len(), 0, "{usages:?} {left:?}");
    }
    let refused = judge(&["serverAuth", "clientAuth"], Some(&[ServerAuth, CodeSigning])).remove(0);
    assert_eq!(
        (refused.code, refused.rule, refused.pointer.as_str()),
        ("usage_outside_issuer", "extendedKeyUsage", "/profile")
    );
    assert_eq!((refused.limit.as_str(), refused.value.as_str()), ("serverAuth, codeSigning", "clientAuth"));
    assert!(refused.hint.contains("serverAuth, codeSigning"), "{}", refused.hint);
    let refused = judge(&["serverAuth"], Some(&[])).remove(0);
    assert_eq!((refused.limit.as_str(), refused.hint.as_str()), ("none that a profile gives", "Ask another CA."));
}
