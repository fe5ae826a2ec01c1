//! RFC 5280 section 4.2.1.10 as the strictest verifiers have it.

use super::*;
use crate::dn::{Attribute, AttributeType as T};
use proptest::prelude::*;

fn raw(entries: &[&str]) -> RawSubtrees {
    let mut raw = RawSubtrees::default();
    for entry in entries {
        let (kind, value) = entry.split_once(':').unwrap();
        match kind {
            "dns" => raw.dns.push(value.into()),
            "ip" => raw.ip.push(value.into()),
            "email" => raw.email.push(value.into()),
            "uri" => raw.uri.push(value.into()),
            other => panic!("{other}"),
        }
    }
    raw
}

fn parse(permitted: &[&str], excluded: &[&str]) -> Result<NameConstraints, Invalid> {
    NameConstraints::parse(raw(permitted), raw(excluded))
}

fn name(attributes: &[(T, &str)]) -> DistinguishedName {
    DistinguishedName::new(attributes.iter().map(|(kind, value)| Attribute::parse(*kind, value).unwrap()).collect())
        .unwrap()
}

fn allows(constraints: &NameConstraints, san: &str) -> bool {
    constraints.refuse(&San::parse(san).unwrap()).is_none()
}

#[test]
fn names_against_permitted_subtrees() {
    // (permitted, fine, refused)
    let table: &[(&[&str], &[&str], &[&str])] = &[
        (
            &["dns:Example.com"],
            &["example.com", "a.example.com", "a.b.example.com", "*.example.com", "*.a.example.com", "10.0.0.1"],
            &["example.org", "evilexample.com", "com", "*.com", "example.com.evil.org"],
        ),
        (
            &["dns:a.example.com"],
            &["a.example.com", "*.a.example.com"],
            &["*.example.com", "b.example.com", "example.com"],
        ),
        // Asked of us, and so written without the dot.
        (&["dns:.example.com"], &["example.com", "a.example.com"], &["example.org"]),
        (&["dns:bücher.example"], &["a.xn--bcher-kva.example", "BÜCHER.example"], &["a.example"]),
        (&["dns:"], &["anything.example", "*.a.example"], &[]),
        (
            &["ip:10.0.0.0/8"],
            &["10.0.0.0", "10.255.255.255", "a.example.com"],
            &["11.0.0.0", "9.255.255.255", "::1", "::ffff:10.0.0.1"],
        ),
        (&["ip:2001:db8::/32"], &["2001:db8:ffff::1"], &["2001:db9::1", "10.0.0.1"]),
        (&["ip:192.0.2.7"], &["192.0.2.7"], &["192.0.2.6", "192.0.2.8"]),
        (
            &["email:example.com"],
            &["a@example.com", "a@EXAMPLE.com"],
            &["a@b.example.com", "a@example.org", "a@evilexample.com"],
        ),
        (&["email:.example.com"], &["a@b.example.com", "a@c.b.example.com"], &["a@example.com", "a@evilexample.com"]),
        (&["email:a@example.com"], &["a@example.com"], &["A@example.com", "b@example.com", "a@b.example.com"]),
        (
            &["uri:example.com"],
            &["https://example.com/x", "https://EXAMPLE.com:8443"],
            &["https://a.example.com", "https://10.0.0.1/", "https://[::1]/", "https://example.org/example.com"],
        ),
        (&["uri:.example.com"], &["https://a.example.com"], &["https://example.com", "https://evilexample.com"]),
        (&["uri:corp_1"], &["spiffe://corp_1/db"], &["spiffe://corp/db"]),
    ];
    for (permitted, fine, refused) in table {
        let constraints = parse(permitted, &[]).unwrap();
        for san in *fine {
            assert!(allows(&constraints, san), "{permitted:?} {san}");
        }
        for san in *refused {
            assert!(!allows(&constraints, san), "{permitted:?} {san}");
        }
    }
}

#[test]
fn names_against_excluded_subtrees() {
    let table: &[(&[&str], &[&str], &[&str])] = &[
        (
            &["dns:a.example.com"],
            &["example.com", "b.example.com", "*.b.example.com", "evila.example.com", "*.com"],
            &["a.example.com", "x.a.example.com", "*.a.example.com", "*.x.a.example.com", "*.example.com"],
        ),
        // A wildcard reaches one label, not two (RFC 9525).
        (&["dns:b.a.example.com"], &["*.example.com"], &["*.a.example.com"]),
        (&["dns:"], &["10.0.0.1"], &["a.example", "*.a.example"]),
        (&["ip:10.0.0.0/8"], &["11.0.0.1"], &["10.0.0.1", "::ffff:10.0.0.1"]),
        (&["ip:0.0.0.0/0"], &["::1", "a.example"], &["8.8.8.8"]),
        (&["email:a@example.com"], &["b@example.com"], &["a@example.com", "A@example.com"]),
        // A bare host is that host alone for RFC 5280, and all below it for Go: excluded is what any of them excludes.
        (
            &["email:example.com"],
            &["a@example.org", "a@evilexample.com", "a@com"],
            &["a@example.com", "a@b.example.com", "a@c.b.EXAMPLE.com"],
        ),
        (&["email:.example.com"], &["a@example.com"], &["a@b.example.com"]),
        (
            &["uri:example.com"],
            &["https://evilexample.com", "https://com.evil"],
            &["https://example.com", "https://a.example.com/x", "https://b.a.example.com", "https://10.0.0.1"],
        ),
        (&["uri:.example.com"], &["https://example.com"], &["https://a.EXAMPLE.com:1/x"]),
    ];
    for (excluded, fine, refused) in table {
        let constraints = parse(&[], excluded).unwrap();
        for san in *fine {
            assert!(allows(&constraints, san), "{excluded:?} {san}");
        }
        for san in *refused {
            assert!(!allows(&constraints, san), "{excluded:?} {san}");
        }
    }
}

/// RFC 5280 knows no dot here; Go and OpenSSL take it as they do in URIs.
#[test]
fn a_leading_dot_in_a_certificate_of_others_lets_only_names_below_through() {
    let dotted = || raw(&["dns:.Example.com"]);
    let permitted = NameConstraints::read(dotted(), RawSubtrees::default()).unwrap();
    for (san, fine) in [
        ("example.com", false),
        ("a.example.com", true),
        ("b.a.example.com", true),
        ("*.example.com", true),
        ("*.a.example.com", true),
        ("*.com", false),
        ("evilexample.com", false),
    ] {
        assert_eq!(allows(&permitted, san), fine, "{san}");
    }
    // A commonName that could be taken for a host is no way around.
    assert!(permitted.refuse_subject(&name(&[(T::CommonName, "example.com")])).is_some());
    assert_eq!(permitted.refuse_subject(&name(&[(T::CommonName, "a.example.com")])), None);
    let excluded = NameConstraints::read(RawSubtrees::default(), dotted()).unwrap();
    for (san, fine) in [
        ("example.com", false),
        ("a.example.com", false),
        ("*.example.com", false),
        ("*.com", false),
        ("example.org", true),
        ("evilexample.com", true),
    ] {
        assert_eq!(allows(&excluded, san), fine, "{san}");
    }
    let all = NameConstraints::read(raw(&["dns:."]), RawSubtrees::default()).unwrap();
    assert!(allows(&all, "example"));
}

#[test]
fn below_a_leading_dot_nobody_permits_the_name_itself() {
    let read = |tree: &str| NameConstraints::read(raw(&[tree]), RawSubtrees::default()).unwrap();
    for (own, parent, within) in [
        ("dns:example.com", "dns:.example.com", false),
        ("dns:.example.com", "dns:.example.com", true),
        ("dns:a.example.com", "dns:.example.com", true),
        ("dns:.a.example.com", "dns:.example.com", true),
        ("dns:.example.com", "dns:example.com", true),
        ("dns:", "dns:.example.com", false),
        ("dns:.example.com", "dns:", true),
        ("dns:.com", "dns:.example.com", false),
    ] {
        assert_eq!(read(own).wider_than(&read(parent)).is_empty(), within, "{own} {parent}");
    }
}

#[test]
fn exclusion_wins_over_permission() {
    let constraints = parse(&["dns:example.com"], &["dns:secret.example.com"]).unwrap();
    assert!(allows(&constraints, "a.example.com"));
    assert!(!allows(&constraints, "secret.example.com"));
    assert!(!allows(&constraints, "*.example.com"));
    assert!(allows(&constraints, "*.a.example.com"));
}

#[test]
fn directory_names_are_prefixes() {
    let directory = |names: Vec<DistinguishedName>| RawSubtrees { directory: names, ..RawSubtrees::default() };
    let tree = name(&[(T::Country, "KR"), (T::Organization, "DDIM")]);
    let below = name(&[(T::Country, "KR"), (T::Organization, "DDIM"), (T::CommonName, "a")]);
    let other_order = name(&[(T::Organization, "DDIM"), (T::Country, "KR")]);
    let other_case = name(&[(T::Country, "KR"), (T::Organization, "ddim"), (T::CommonName, "a")]);
    let permitted = NameConstraints::parse(directory(vec![tree.clone()]), RawSubtrees::default()).unwrap();
    assert_eq!(permitted.refuse_subject(&below), None);
    assert_eq!(permitted.refuse_subject(&tree), None);
    // What some verifiers would not take for the same is not permitted …
    for refused in [&other_order, &other_case, &name(&[(T::CommonName, "a")]), &name(&[(T::Country, "KR")])] {
        assert!(permitted.refuse_subject(refused).is_some(), "{refused}");
    }
    assert_eq!(permitted.refuse_subject(&DistinguishedName::default()), None);
    // … and what some of them would is excluded.
    let excluded = NameConstraints::parse(RawSubtrees::default(), directory(vec![tree])).unwrap();
    assert!(excluded.refuse_subject(&below).is_some());
    assert!(excluded.refuse_subject(&other_case).is_some());
    assert_eq!(excluded.refuse_subject(&other_order), None);
}

#[test]
fn subjects_hide_no_names() {
    let constraints = parse(&["dns:example.com", "ip:10.0.0.0/8", "email:example.com"], &[]).unwrap();
    for fine in [
        "a.example.com",
        "A.EXAMPLE.COM.",
        "a_b.example.com",
        "db-1",
        "Example Service",
        "10.0.0.1",
        "oci-demo-certificate",
    ] {
        assert_eq!(constraints.refuse_subject(&name(&[(T::CommonName, fine)])), None, "{fine}");
    }
    for bad in [
        "evil.org",
        "evil.org.",
        "e_vil.org",
        "*.evil.org",
        "*.*.example.com",
        "a*.example.com",
        "bücher。org",
        "8.8.8.8",
        "::1",
    ] {
        assert!(constraints.refuse_subject(&name(&[(T::CommonName, bad)])).is_some(), "{bad}");
    }
    for (mail, fine) in [("a@example.com", true), ("a@EXAMPLE.COM", true), ("a@example.org", false), ("a@b_c", false)] {
        assert_eq!(constraints.refuse_subject(&name(&[(T::EmailAddress, mail)])).is_none(), fine, "{mail}");
    }
    let second = name(&[(T::CommonName, "a.example.com"), (T::CommonName, "evil.org")]);
    assert!(constraints.refuse_subject(&second).is_some());
}

#[test]
fn what_cannot_be_a_subtree() {
    for bad in [
        "dns:*.example.com",
        "dns:a..b",
        "dns:10.0.0.1",
        "dns:..",
        "dns:exa mple",
        "dns:a_b.example",
        "dns:example.com.",
        "ip:10.0.0.0/33",
        "ip:example.com",
        "ip:",
        "ip:10.0.0.0-10.0.0.5",
        "email:",
        "email:@example.com",
        "email:*@example.com",
        "email:.",
        "email:a@.example.com",
        "uri:",
        "uri:https://example.com",
        "uri:10.0.0.1",
        "uri:[::1]",
        "uri:*.example.com",
        "uri:.",
    ] {
        let fault = parse(&[bad], &[]).expect_err(bad);
        assert_eq!(fault.code, "invalid_name_constraints");
        assert!(parse(&[], &[bad]).is_err(), "{bad}");
    }
    assert!(parse(&[], &[]).is_err(), "empty");
    let many: Vec<String> = (0..=MAX_SUBTREES).map(|index| format!("dns:a{index}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(parse(&many, &[]).is_err());
    assert!(parse(&many[..150], &many[..51]).is_err());
    assert!(parse(&many[..MAX_SUBTREES], &[]).is_ok());
}

#[test]
fn values_become_canonical_and_distinct() {
    let constraints =
        parse(&["dns:.Example.COM", "dns:example.com", "ip:10.1.2.3/8", "email:A@EXAMPLE.com"], &[]).unwrap();
    let (permitted, excluded) = constraints.to_raw();
    assert_eq!(permitted.dns, ["example.com"]);
    assert_eq!(permitted.ip, ["10.0.0.0/8"]);
    assert_eq!(permitted.email, ["A@example.com"]);
    assert_eq!(excluded, RawSubtrees::default());
}

fn label() -> impl Strategy<Value = String> {
    // Few letters, so that names often meet.
    "[ab]{1,2}"
}

fn dns() -> impl Strategy<Value = String> {
    proptest::collection::vec(label(), 1..5).prop_map(|labels| labels.join("."))
}

fn entries() -> impl Strategy<Value = RawSubtrees> {
    let hosts = || proptest::collection::vec(prop_oneof![dns(), dns().prop_map(|host| format!(".{host}"))], 0..3);
    let nets = proptest::collection::vec((any::<u32>(), 0..=32_u8), 0..3).prop_map(|nets| {
        nets.into_iter().map(|(ip, length)| format!("{}/{length}", std::net::Ipv4Addr::from(ip))).collect()
    });
    (hosts(), nets, hosts(), hosts()).prop_map(|(dns, ip, email, uri)| RawSubtrees {
        dns,
        ip,
        email,
        uri,
        directory: vec![name(&[(T::Organization, "DDIM")])],
    })
}

proptest! {
    #[test]
    fn text_and_back(permitted in entries(), excluded in entries()) {
        let constraints = NameConstraints::read(permitted, excluded).unwrap();
        let (permitted, excluded) = constraints.to_raw();
        prop_assert_eq!(NameConstraints::read(permitted, excluded), Ok(constraints));
    }

    /// An accepted wildcard reaches no name that would be refused.
    #[test]
    fn wildcards_reach_only_what_is_accepted(permitted in entries(), excluded in entries(), base in dns(), one in label()) {
        let constraints = NameConstraints::read(permitted, excluded).unwrap();
        if allows(&constraints, &format!("*.{base}")) {
            let reached = format!("{one}.{base}");
            prop_assert!(allows(&constraints, &reached));
        }
    }

    /// A CA whose permitted subtrees are not wider than its issuer's lets nothing through that the issuer's would not.
    #[test]
    fn what_is_not_wider_stays_inside(parent in entries(), child in entries(), host in dns(), ip in any::<u32>()) {
        let above = NameConstraints::read(parent, RawSubtrees::default()).unwrap();
        let below = NameConstraints::read(child, RawSubtrees::default()).unwrap();
        let names = [host.clone(), std::net::Ipv4Addr::from(ip).to_string(), format!("x@{host}"), format!("https://{host}/")];
        if below.wider_than(&above).is_empty() {
            for (name, constrained) in names.iter().zip([
                !below.permitted().dns.is_empty(),
                !below.permitted().ip.is_empty(),
                !below.permitted().email.is_empty(),
                !below.permitted().uri.is_empty(),
            ]) {
                if constrained && allows(&below, name) {
                    prop_assert!(allows(&above, name), "{name}");
                }
            }
        }
    }
}
