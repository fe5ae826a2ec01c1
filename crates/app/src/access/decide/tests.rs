//! What those may do who were given something once, and nothing by policies.

use super::*;
use certwright_domain::enrollment::{EnrollmentTerms, EnrollmentToken};
use certwright_domain::id::{CaId, CompartmentId, EnrollmentTokenId, IssuedId};
use certwright_domain::issued::{ENROLLED, IssuedCertificate, IssuedKind};
use certwright_domain::name::ResourceName;
use certwright_domain::san::San;
use certwright_domain::serial::{Serial, Sha256};
use certwright_domain::validity::Validity;

const NAMES: [&str; 2] = ["a.example.com", "10.0.0.5"];

fn now() -> Timestamp {
    Timestamp::from_unix_s(1_000_000)
}

fn ca(number: u8) -> CaId {
    CaId::new(now(), [number; 10])
}

fn names() -> Vec<San> {
    NAMES.iter().map(|text| San::parse(text).unwrap()).collect()
}

fn callers() -> [Caller; 2] {
    let token = EnrollmentToken {
        id: EnrollmentTokenId::new(now(), [1; 10]),
        name: ResourceName::parse("web").unwrap(),
        ca: ca(1),
        profile: ResourceName::parse("tls-server").unwrap(),
        terms: EnrollmentTerms::judge(names(), None, None, None, now()).unwrap(),
        uses_left: 1,
        secret_sha256: Sha256([7; 32]),
        created_at: now(),
    };
    let row = IssuedCertificate {
        id: IssuedId::new(now(), [1; 10]),
        kind: IssuedKind::Leaf,
        ca_id: ca(1),
        ca_name: "ca".to_owned(),
        ca_version: 1,
        serial: Serial::parse("0abc01").unwrap(),
        fingerprint: Sha256([1; 32]),
        spki_sha256: Sha256([2; 32]),
        subject: String::new(),
        common_name: String::new(),
        names: names(),
        profile: "tls-server".to_owned(),
        key_algorithm: String::new(),
        validity: Validity::new(now(), Timestamp::from_unix_s(2_000_000)).unwrap(),
        renew_at: now(),
        requester: format!("{ENROLLED}x"),
        requester_name: String::new(),
        request_id: String::new(),
        certificate: Vec::new(),
        issued_at: now(),
        revocation: None,
    };
    [Caller::enrollment(token, 1), Caller::certificate(row, 1)]
}

#[test]
fn a_grant_is_for_its_ca_its_profile_and_its_names_alone() {
    let asked = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let (all, one, other) = (asked(&NAMES), asked(&["a.example.com"]), asked(&["a.example.com", "b.example.com"]));
    let (here, there) = (ca(1), ca(2));
    let object = |ca: &'static str, profile: Option<&'static str>, names| {
        let id = if ca == "here" { here.as_str() } else { there.as_str() };
        let place = Object::place("CA", CompartmentId::tenancy());
        Object { ca: Some((id, ca)), profile: profile.map(|name| ("", name)), names, ..place }
    };
    let server = Some("tls-server");
    for caller in callers() {
        let may = |permission, object: Object<'_>| given(&caller, permission, &object).unwrap().is_some();
        assert!(may(Permission::CaIssue, object("here", server, Some(&all))));
        assert!(may(Permission::CaIssue, object("here", server, Some(&one))));
        assert!(!may(Permission::CaIssue, object("here", server, Some(&other))), "another name");
        assert!(!may(Permission::CaIssue, object("here", server, None)), "no names at all");
        assert!(!may(Permission::CaIssue, object("here", Some("tls-client"), Some(&all))), "another profile");
        assert!(!may(Permission::CaIssue, object("here", None, Some(&all))), "a CA certificate");
        assert!(!may(Permission::CaIssue, object("there", server, Some(&all))), "another CA");
        for permission in Permission::ALL.iter().filter(|it| **it != Permission::CaIssue) {
            assert!(!may(*permission, object("here", server, Some(&all))), "{}", permission.as_str());
        }
    }
}
