//! A CA, a key and a request that every rule lets through; tests change one thing.

use crate::algorithm::KeyAlgorithm;
use crate::ca::{CaRules, CaState, IssuerFacts, IssuerStanding};
use crate::constraints::{NameConstraints, RawSubtrees};
use crate::dn::{Attribute, AttributeType, DistinguishedName};
use crate::name::ResourceName;
use crate::profile::{KeyHolder, Profile, RawNameLimits, RawProfile};
use crate::public_key::{PublicKey, PublicKeyKind};
use crate::rules::{CaRequest, Decision, KeyStanding, LeafRequest, ServiceLimits, approve_leaf, decide_leaf};
use crate::san::San;
use crate::serial::Sha256;
use crate::time::{Span, Timestamp};
use crate::validity::{RequestedEnd, RequestedValidity, Validity};
use crate::violation::Violation;

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// 2026-11-20T12:00:00.250Z: not on a whole second, as clocks are.
pub(super) fn now() -> Timestamp {
    at("2026-11-20T12:00:00.250Z")
}

pub(super) fn subject(attributes: &[(AttributeType, &str)]) -> DistinguishedName {
    DistinguishedName::new(attributes.iter().map(|(kind, value)| Attribute::parse(*kind, value).unwrap()).collect())
        .unwrap()
}

pub(super) fn common_name(value: &str) -> DistinguishedName {
    subject(&[(AttributeType::CommonName, value)])
}

pub(super) fn ecdsa() -> PublicKey {
    PublicKey { spki: vec![1, 2, 3], spki_sha256: Sha256([7; 32]), kind: PublicKeyKind::Ecdsa(KeyAlgorithm::EcdsaP256) }
}

pub(super) fn rules() -> CaRules {
    CaRules {
        leaf_max_validity: Span::from_days(90),
        subordinate_max_validity: Span::from_days(1825),
        path_length: None,
        name_constraints: None,
    }
}

pub(super) fn issuer() -> IssuerFacts {
    IssuerFacts {
        name: ResourceName::parse("issuing-1").unwrap(),
        subject: common_name("Issuing 1"),
        state: CaState::Active,
        rules: rules(),
        validity: Validity::new(at("2026-01-01T00:00:00Z"), at("2035-12-31T23:59:59Z")).unwrap(),
        path_length_left: Some(2),
        name_constraints: Vec::new(),
        usages_left: None,
        standing: IssuerStanding::Good,
        spki_sha256: Sha256([1; 32]),
    }
}

pub(super) fn leaf(names: &[&str]) -> LeafRequest {
    LeafRequest {
        subject: common_name("service a"),
        names: names.iter().map(|name| San::parse(name).unwrap()).collect(),
        public_key: ecdsa(),
        key_holder: KeyHolder::Requester,
        validity: RequestedValidity::DEFAULT,
        asks_for_ca: false,
    }
}

pub(super) fn ca() -> CaRequest {
    CaRequest {
        subject: common_name("Sub CA"),
        public_key: ecdsa(),
        validity: RequestedValidity::DEFAULT,
        rules: rules(),
    }
}

/// A profile that allows everything but what `change` takes away.
pub(super) fn profile(change: impl FnOnce(&mut RawProfile)) -> Profile {
    let any = || Some(vec!["*".to_owned()]);
    let mut raw = RawProfile {
        name: "own".into(),
        usages: vec!["serverAuth".into()],
        names: RawNameLimits {
            dns: any(),
            wildcards: true,
            ip: any(),
            email: any(),
            uri: any(),
            subject: any(),
            ..RawNameLimits::default()
        },
        ..RawProfile::default()
    };
    change(&mut raw);
    Profile::new(raw).unwrap()
}

pub(super) fn open() -> Profile {
    profile(|_| {})
}

pub(super) fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Constraints from `dns:…`, `ip:…`, `email:…`, `uri:…`; the directory ones apart.
pub(super) fn constraints(permitted: &[&str], excluded: &[&str]) -> NameConstraints {
    NameConstraints::parse(subtrees(permitted), subtrees(excluded)).unwrap()
}

pub(super) fn subtrees(entries: &[&str]) -> RawSubtrees {
    let mut raw = RawSubtrees::default();
    for entry in entries {
        let (kind, value) = entry.split_once(':').unwrap();
        let list = match kind {
            "dns" => &mut raw.dns,
            "ip" => &mut raw.ip,
            "email" => &mut raw.email,
            "uri" => &mut raw.uri,
            other => panic!("{other}"),
        };
        list.push(value.to_owned());
    }
    raw
}

pub(super) fn until(end: RequestedEnd) -> RequestedValidity {
    RequestedValidity { not_before: None, end }
}

pub(super) fn decide(profile: &Profile, issuer: &IssuerFacts, request: LeafRequest) -> Decision {
    let limits = ServiceLimits::default();
    let decision = decide_leaf(profile, issuer, &request, KeyStanding::Free, &limits, now());
    let briefly = approve_leaf(profile, issuer, &request, KeyStanding::Free, &limits, now());
    assert_eq!(briefly, decision.clone().into_result(), "with and without words");
    decision
}

/// The violations; empty when approved.
pub(super) fn broken(decision: Decision) -> Vec<Violation> {
    match decision.into_result() {
        Ok(_) => Vec::new(),
        Err(violations) => {
            assert!(!violations.is_empty(), "refused without a reason");
            for violation in &violations {
                assert!(!violation.detail.is_empty() && !violation.hint.is_empty(), "{violation:?}");
                assert!(!violation.rule.is_empty() && !violation.owner.is_empty(), "{violation:?}");
            }
            violations
        }
    }
}

pub(super) fn codes(decision: Decision) -> Vec<&'static str> {
    broken(decision).into_iter().map(|violation| violation.code).collect()
}
