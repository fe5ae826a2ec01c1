use super::*;
use crate::id::{AcmeAccountId, AcmeAuthorizationId, AcmeDirectoryId, AcmeOrderId, IssuedId};
use crate::name::ResourceName;
use crate::time::{Span, Timestamp};
use crate::validity::Validity;

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_s(1_800_000_000_i64.saturating_add(second))
}

fn identifier(text: &str) -> Identifier {
    Identifier::from_stored(text).unwrap()
}

fn challenge(method: Method) -> Challenge {
    Challenge {
        method,
        token: "t".to_owned(),
        state: ChallengeState::Pending,
        validated_at: None,
        failure: None,
        attempts: 0,
        seen_by: Vec::new(),
        due_at: None,
    }
}

fn authorization(number: u8, name: &str) -> Authorization {
    Authorization {
        id: AcmeAuthorizationId::new(at(0), [number; 10]),
        account: AcmeAccountId::new(at(0), [0; 10]),
        directory: AcmeDirectoryId::new(at(0), [0; 10]),
        identifier: identifier(name),
        state: AuthorizationState::Pending,
        expires_at: at(1_000),
        challenges: vec![challenge(Method::Http01), challenge(Method::Dns01)],
        due_at: None,
        created_at: at(0),
        revision: 1,
    }
}

fn order(of: &[&Authorization]) -> Order {
    Order {
        id: AcmeOrderId::new(at(0), [0; 10]),
        account: AcmeAccountId::new(at(0), [0; 10]),
        directory: AcmeDirectoryId::new(at(0), [0; 10]),
        identifiers: of.iter().map(|authorization| authorization.identifier.clone()).collect(),
        authorizations: of.iter().map(|authorization| authorization.id.clone()).collect(),
        profile: ResourceName::parse("tls-server").unwrap(),
        not_before: None,
        not_after: None,
        replaces: None,
        expires_at: at(500),
        end: None,
        created_at: at(0),
        revision: 1,
    }
}

fn failed() -> Attempt {
    Attempt {
        method: Method::Http01,
        node: "one".to_owned(),
        outcome: Err(Failure::new(FailureKind::Connection, "nobody answered")),
    }
}

fn proven() -> Attempt {
    Attempt { method: Method::Http01, node: "one".to_owned(), outcome: Ok(()) }
}

#[test]
fn o3_o4_o5_identifiers_are_certified_as_written_or_refused() {
    for (kind, value, expected) in [
        ("dns", "A.Example.COM", "a.example.com"),
        ("dns", "a.example.com.", "a.example.com"),
        ("dns", "*.example.com", "*.example.com"),
        ("dns", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("ip", "10.0.0.5", "10.0.0.5"),
        ("ip", "2001:db8::1", "2001:db8::1"),
    ] {
        assert_eq!(Identifier::parse(kind, value).unwrap().to_string(), expected);
    }
    let long = format!("{}.example.com", "a".repeat(64));
    let longer = ["a".repeat(60).as_str(); 5].join(".");
    for (kind, value) in [
        ("dns", "10.0.0.1"),
        ("dns", "::1"),
        ("dns", ""),
        ("dns", "a..b"),
        ("dns", "*.*.example.com"),
        ("dns", "a.*.example.com"),
        ("dns", "*"),
        ("dns", "a_b.example.com"),
        ("dns", "xn--a.example"),
        ("dns", "bücher.example"),
        ("dns", &long),
        ("dns", &longer),
        ("dns", "a.example.com.."),
        ("ip", "10.0.0.05"),
        ("ip", "2001:DB8::1"),
        ("ip", "2001:db8:0:0:0:0:0:1"),
        ("ip", "fe80::1%eth0"),
        ("ip", "a.example.com"),
    ] {
        assert!(matches!(Identifier::parse(kind, value), Err(IdentifierFault::Value(_))), "{kind} {value}");
    }
    for kind in ["DNS", "email", "", "permanent-identifier"] {
        assert!(matches!(Identifier::parse(kind, "a.example.com"), Err(IdentifierFault::Type(_))), "{kind}");
    }
}

#[test]
fn h2_h3_each_kind_of_name_has_its_challenges() {
    let fitting = |text: &str| {
        let name = identifier(text);
        Method::ALL.into_iter().filter(|method| method.fits(name.san())).map(Method::as_str).collect::<Vec<_>>()
    };
    assert_eq!(fitting("a.example"), ["http-01", "dns-01", "tls-alpn-01"]);
    assert_eq!(fitting("*.a.example"), ["dns-01"]);
    assert_eq!(fitting("10.0.0.1"), ["http-01", "tls-alpn-01"]);
    assert_eq!(identifier("*.a.example").base(), identifier("a.example"));
}

#[test]
fn a5_contacts_are_single_mail_addresses() {
    assert_eq!(Contact::parse("mailto:Ops@example.com").unwrap().as_str(), "mailto:Ops@example.com");
    for (text, code) in [
        ("tel:+15551234", "unsupportedContact"),
        ("ops@example.com", "invalidContact"),
        ("mailto:a@example.com,b@example.com", "invalidContact"),
        ("mailto:a@example.com?subject=x", "invalidContact"),
        ("mailto:bücher@example.com", "invalidContact"),
        ("mailto:", "invalidContact"),
        ("mailto:a%40example.com", "invalidContact"),
    ] {
        assert_eq!(Contact::parse(text).unwrap_err().code, code, "{text}");
    }
}

#[test]
fn h5_h6_a_challenge_is_looked_at_once_it_is_answered() {
    let fresh = authorization(1, "a.example");
    let answered = fresh.answered(Method::Http01, at(60), at(1)).unwrap();
    assert_eq!(answered.processing().map(|challenge| challenge.method).collect::<Vec<_>>(), [Method::Http01]);
    assert_eq!(answered.due_at, Some(at(60)));
    assert_eq!(answered.answered(Method::Http01, at(60), at(2)), None, "somebody is looking");
    assert_eq!(fresh.answered(Method::TlsAlpn01, at(60), at(1)), None, "it was not offered");
    assert_eq!(fresh.answered(Method::Http01, at(2_000), at(1_000)), None, "it has expired");
    let valid = answered.attempted(&proven(), 1, at(5_000), at(3)).unwrap();
    assert_eq!((valid.state, valid.expires_at, valid.due_at), (AuthorizationState::Valid, at(5_000), None));
    assert_eq!(valid.proven_by(), Some(Method::Http01));
    assert_eq!(valid.answered(Method::Dns01, at(60), at(4)), None, "h8: there is nothing to prove any more");
    assert_eq!(valid.attempted(&failed(), 1, at(9_000), at(4)), None, "h8: a later failure cannot undo it");
    assert!(valid.is_valid_at(at(4_999)) && !valid.is_valid_at(at(5_000)));
}

#[test]
fn a_proof_is_looked_for_three_times() {
    let mut now = authorization(1, "a.example").answered(Method::Http01, at(60), at(0)).unwrap();
    for (time, due) in [(1, Some(at(3))), (3, Some(at(8)))] {
        now = now.attempted(&failed(), 1, at(5_000), at(time)).unwrap();
        assert_eq!((now.state, now.due_at), (AuthorizationState::Pending, due));
        assert_eq!(now.processing().map(|challenge| challenge.failure.is_some()).collect::<Vec<_>>(), [true]);
    }
    now = now.attempted(&failed(), 1, at(5_000), at(8)).unwrap();
    assert_eq!((now.state, now.due_at), (AuthorizationState::Invalid, None));
    assert_eq!(now.challenge(Method::Http01).map(|challenge| challenge.state), Some(ChallengeState::Invalid));
    assert_eq!(now.challenge(Method::Http01).map(|challenge| challenge.attempts), Some(MAX_ATTEMPTS));
    assert_eq!(now.deactivated(at(9)), None, "ends are final");
}

#[test]
fn h8_challenges_are_looked_at_side_by_side_and_one_success_is_enough() {
    let by = |method, outcome: Result<(), Failure>| Attempt { method, node: "node-1".to_owned(), outcome };
    let states = |it: &Authorization| it.challenges.iter().map(|challenge| challenge.state).collect::<Vec<_>>();
    let one = authorization(1, "a.example").answered(Method::Http01, at(60), at(0)).unwrap();
    let both = one.answered(Method::Dns01, at(70), at(2)).unwrap();
    assert_eq!(states(&both), [ChallengeState::Processing; 2]);
    assert_eq!(both.due_at, Some(at(60)), "the earlier of the two");
    // A pause of one holds up nobody else, and a claim of one is not one of all.
    let paused = both.attempted(&by(Method::Http01, failed().outcome), 1, at(5_000), at(3)).unwrap();
    assert_eq!((paused.due_at, paused.challenge(Method::Dns01).unwrap().due_at), (Some(at(5)), Some(at(70))));
    assert_eq!(paused.due(at(5)).map(|challenge| challenge.method).collect::<Vec<_>>(), [Method::Http01]);
    assert_eq!(paused.claimed(&[Method::Http01], at(95)).due_at, Some(at(70)));
    // The last failure of one is not the end while the other is being looked at.
    let mut failing = both.clone();
    for second in [1, 3, 8] {
        failing = failing.attempted(&by(Method::Http01, failed().outcome), 1, at(5_000), at(second)).unwrap();
    }
    assert_eq!((failing.state, failing.due_at), (AuthorizationState::Pending, Some(at(70))));
    assert_eq!(states(&failing), [ChallengeState::Invalid, ChallengeState::Processing]);
    assert!(failing.is_looked_at(at(9)));
    let valid = failing.attempted(&by(Method::Dns01, Ok(())), 1, at(5_000), at(9)).unwrap();
    assert_eq!((valid.state, valid.proven_by()), (AuthorizationState::Valid, Some(Method::Dns01)));
    // And it is the end when it is the last.
    let mut ended = failing;
    for second in [9, 11, 16] {
        ended = ended.attempted(&by(Method::Dns01, failed().outcome), 1, at(5_000), at(second)).unwrap();
    }
    assert_eq!((ended.state, ended.due_at, ended.is_looked_at(at(17))), (AuthorizationState::Invalid, None, false));
    // A success ends the others: nobody looks at them any more, and nothing that comes late undoes it.
    let won = both.attempted(&by(Method::Dns01, Ok(())), 1, at(5_000), at(1)).unwrap();
    assert_eq!((won.state, won.due_at), (AuthorizationState::Valid, None));
    assert_eq!(states(&won), [ChallengeState::Invalid, ChallengeState::Valid]);
    assert_eq!(won.attempted(&by(Method::Http01, failed().outcome), 1, at(9_000), at(2)), None);
}

#[test]
fn several_nodes_see_a_proof_where_they_are_to() {
    let by = |node: &str, outcome| Attempt { method: Method::Http01, node: node.to_owned(), outcome };
    let answered = authorization(1, "a.example").answered(Method::Http01, at(60), at(0)).unwrap();
    let once = answered.attempted(&by("one", Ok(())), 2, at(5_000), at(1)).unwrap();
    assert_eq!((once.state, once.due_at), (AuthorizationState::Pending, Some(at(1))));
    let seen = |it: &Authorization, node: &str| it.processing().any(|challenge| challenge.is_seen_by(node));
    assert!(seen(&once, "one") && !seen(&once, "two"));
    let again = once.attempted(&by("one", Ok(())), 2, at(5_000), at(2)).unwrap();
    assert_eq!(again.state, AuthorizationState::Pending, "one place is one place");
    let twice = once.attempted(&by("two", Ok(())), 2, at(5_000), at(2)).unwrap();
    assert_eq!(twice.state, AuthorizationState::Valid);
    let denied = once.attempted(&by("two", failed().outcome), 2, at(5_000), at(2)).unwrap();
    assert_eq!((denied.state, seen(&denied, "one")), (AuthorizationState::Pending, false), "all of them look anew");
}

#[test]
fn o11_o12_an_order_is_what_its_authorizations_are() {
    let (one, other) = (authorization(1, "a.example"), authorization(2, "*.a.example"));
    let order = order(&[&one, &other]);
    let state = |of: &[Authorization], now| order.state(of, now).0;
    let valid = |it: &Authorization| Authorization { state: AuthorizationState::Valid, ..it.clone() };
    assert_eq!(state(&[one.clone(), other.clone()], at(1)), OrderState::Pending);
    assert_eq!(state(&[valid(&one), other.clone()], at(1)), OrderState::Pending);
    assert_eq!(state(&[valid(&one), valid(&other)], at(1)), OrderState::Ready);
    assert_eq!(state(&[valid(&one), valid(&other)], at(500)), OrderState::Invalid, "o14: the order has expired");
    assert_eq!(state(&[valid(&one)], at(1)), OrderState::Invalid, "one is gone");
    for end in [AuthorizationState::Invalid, AuthorizationState::Deactivated, AuthorizationState::Revoked] {
        let ended = Authorization { state: end, ..other.clone() };
        let (state, error) = order.state(&[valid(&one), ended], at(1));
        assert_eq!(state, OrderState::Invalid);
        assert!(error.unwrap().detail.contains("*.a.example"));
    }
    let expired = Authorization { expires_at: at(10), ..valid(&other) };
    assert_eq!(state(&[valid(&one), expired], at(10)), OrderState::Invalid);
    let done = Order { end: Some(OrderEnd::Valid(IssuedId::new(at(0), [0; 10]))), ..order.clone() };
    assert_eq!(done.state(&[], at(1_000_000)).0, OrderState::Valid, "a certificate stays");
}

#[test]
fn i3_the_window_is_where_the_certificate_is_due() {
    let validity = Validity::new(at(0), at(999_999)).unwrap();
    let window = renewal_window(&validity, at(600_000), None);
    assert_eq!((window.start, window.end), (at(600_000), at(620_000)));
    let late = renewal_window(&validity, at(2_000_000), None);
    assert!(late.start < late.end && late.end <= validity.not_after(), "{late:?}");
    let now = renewal_window(&validity, at(600_000), Some(at(100)));
    assert!(now.start < now.end && now.end < at(100), "{now:?}");
}

#[test]
fn settings_of_directories_come_back_and_faults_are_listed() {
    let raw = RawDirectory {
        name: "team-a".to_owned(),
        names: Some(vec!["*.corp.example".to_owned()]),
        allowed_private_ranges: vec!["10.0.0.0/8".to_owned()],
        caa_identities: vec!["ca.corp.example".to_owned()],
        check_caa: true,
        enabled: true,
        ..RawDirectory::default()
    };
    let settings = DirectorySettings::new(raw.clone()).unwrap();
    assert_eq!(DirectorySettings::new(settings.to_raw()), Ok(settings.clone()));
    assert_eq!(settings.challenges(), Method::ALL);
    assert_eq!(settings.profiles().first().unwrap().as_str(), "tls-server");
    assert_eq!(settings.authorization_lifetime(), Span::from_days(1));
    for (raw, pointer) in [
        (RawDirectory { name: "Team".to_owned(), ..raw.clone() }, "/name"),
        (RawDirectory { name: ".well-known".to_owned(), ..raw.clone() }, "/name"),
        (RawDirectory { caa_identities: Vec::new(), ..raw.clone() }, "/caaIdentities"),
        (RawDirectory { without_challenge: true, ..raw.clone() }, "/withoutChallenge"),
        (
            RawDirectory { allowed_private_ranges: vec!["10.0.0.1/8".to_owned()], ..raw.clone() },
            "/allowedPrivateRanges/0",
        ),
        (RawDirectory { challenges: vec!["http-02".to_owned()], ..raw.clone() }, "/challenges/0"),
        (RawDirectory { authorization_lifetime: Some("PT1M".to_owned()), ..raw.clone() }, "/authorizationLifetime"),
        (RawDirectory { terms_of_service: Some("x".to_owned()), ..raw }, "/termsOfService"),
    ] {
        let faults = DirectorySettings::new(raw).unwrap_err();
        assert_eq!(faults.iter().map(|(pointer, _)| pointer.as_str()).collect::<Vec<_>>(), [pointer]);
    }
}

#[test]
fn a12_what_is_never_connected_to_cannot_be_listed_and_old_rows_do_not_go_missing_for_it() {
    let listing = |ranges: &[&str]| RawDirectory {
        name: "team-a".to_owned(),
        allowed_private_ranges: ranges.iter().map(|range| (*range).to_owned()).collect(),
        ..RawDirectory::default()
    };
    let raw = listing(&["10.0.0.0/8", "169.254.0.0/16", "127.0.0.0/8", "fe80::/64", "0.0.0.0/0"]);
    let faults = DirectorySettings::new(raw.clone()).unwrap_err();
    let told: Vec<_> = faults.iter().map(|(pointer, fault)| (pointer.as_str(), fault.code)).collect();
    assert_eq!(
        told,
        [("/allowedPrivateRanges/1", "range_never_allowed"), ("/allowedPrivateRanges/3", "range_never_allowed")]
    );
    assert!(faults[0].1.detail.contains("`169.254.0.0/16`") && faults[0].1.detail.contains("a link-local address"));
    assert!(faults[1].1.detail.contains("`fe80::/64`") && faults[1].1.detail.contains("fe80::/10"));
    let kept = DirectorySettings::of_row(raw).unwrap().to_raw().allowed_private_ranges;
    assert_eq!(kept, ["10.0.0.0/8", "127.0.0.0/8", "0.0.0.0/0"]);
    assert!(DirectorySettings::of_row(listing(&["x"])).is_err(), "what cannot be read is not left out");
}
