//! Delegated OCSP responders.

use super::fixtures::*;
use crate::ca::{CaRules, CaState, IssuerFacts, IssuerStanding};
use crate::rules::{ApprovedKind, Decision, KeyStanding, ResponderRequest, ServiceLimits, decide_responder};
use crate::serial::Sha256;
use crate::time::Span;
use crate::validity::Validity;

fn decide_for(issuer: &IssuerFacts, standing: KeyStanding) -> Decision {
    let request = ResponderRequest {
        subject: common_name("Issuing 1 OCSP responder"),
        public_key: ecdsa(),
        lifetime: Span::from_days(7),
    };
    decide_responder(issuer, request, standing, &ServiceLimits::default(), now())
}

fn end(issuer: &IssuerFacts) -> String {
    let approved = decide_for(issuer, KeyStanding::Free).into_result().unwrap();
    assert_eq!(*approved.kind(), ApprovedKind::Responder);
    assert!(approved.names().is_empty());
    assert_eq!(approved.validity().not_before(), at("2026-11-20T11:59:00Z"));
    approved.validity().not_after().to_string()
}

#[test]
fn it_lasts_as_long_as_it_may() {
    assert_eq!(end(&issuer()), "2026-11-27T11:58:59Z");
    let day = CaRules { leaf_max_validity: Span::from_days(1), ..rules() };
    assert_eq!(end(&IssuerFacts { rules: day, ..issuer() }), "2026-11-21T11:58:59Z");
    let validity = Validity::new(at("2026-01-01T00:00:00Z"), at("2026-11-20T18:00:00Z")).unwrap();
    assert_eq!(end(&IssuerFacts { validity, ..issuer() }), "2026-11-20T18:00:00Z");
}

#[test]
fn a_ca_answers_as_long_as_it_is_there() {
    for state in CaState::ALL.iter().copied() {
        let decision = decide_for(&IssuerFacts { state, ..issuer() }, KeyStanding::Free);
        match state {
            CaState::Active | CaState::Disabled | CaState::PendingDeletion => assert!(decision.approved().is_some()),
            CaState::PendingActivation | CaState::Deleted => assert_eq!(codes(decision), ["issuer_not_answering"]),
        }
    }
    // Its certificates are still out there, and so is the question about them.
    let revoked = IssuerFacts { standing: IssuerStanding::Revoked, ..issuer() };
    assert!(decide_for(&revoked, KeyStanding::Free).approved().is_some());
    let validity = Validity::new(at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")).unwrap();
    let expired = decide_for(&IssuerFacts { validity, ..issuer() }, KeyStanding::Free);
    assert!(codes(expired).contains(&"issuer_expired"));
}

#[test]
fn its_key_is_its_own() {
    assert_eq!(codes(decide_for(&issuer(), KeyStanding::OfCa)), ["key_is_ca_key"]);
    assert_eq!(codes(decide_for(&issuer(), KeyStanding::Compromised)), ["key_compromised"]);
    let same = IssuerFacts { spki_sha256: Sha256([7; 32]), ..issuer() };
    assert_eq!(codes(decide_for(&same, KeyStanding::Free)), ["key_is_ca_key"]);
}
