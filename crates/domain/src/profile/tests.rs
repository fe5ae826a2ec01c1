//! Profiles from text and back.

use super::*;
use crate::san::San;
use proptest::prelude::*;

fn list(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn raw() -> RawProfile {
    RawProfile {
        name: "own".into(),
        usages: list(&["serverAuth"]),
        names: RawNameLimits { dns: Some(list(&["*"])), ..RawNameLimits::default() },
        ..RawProfile::default()
    }
}

#[test]
fn built_in_profiles_survive_the_way_through_text() {
    let all = Profile::built_ins();
    assert_eq!(all.iter().map(|profile| profile.name().as_str()).collect::<Vec<_>>(), BUILT_IN);
    for profile in all {
        assert_eq!(Profile::new(profile.to_raw()).as_ref(), Ok(&profile));
        assert_eq!(profile.max_validity(), None);
        assert!(!profile.names().wildcards);
    }
    assert!(Profile::built_in(DEFAULT_PROFILE).is_some());
    assert!(Profile::built_in("other").is_none());
}

#[test]
fn empty_lists_mean_all_keys_and_holders_and_no_names() {
    let profile = Profile::new(raw()).unwrap();
    assert_eq!(profile.key_algorithms().len(), 7);
    assert!(profile.key_algorithms().iter().all(|algorithm| algorithm.is_asymmetric()));
    assert_eq!(profile.key_holders(), KeyHolder::ALL);
    assert_eq!(profile.names().dns, Allowed::Anything);
    assert_eq!(profile.names().ip, Allowed::Nothing);
    assert_eq!(profile.names().subject, Allowed::Nothing);
}

#[test]
fn every_fault_has_its_pointer() {
    let faulty = RawProfile {
        name: "no name".into(),
        description: "\u{7}".into(),
        usages: list(&["serverAuth", "anyExtendedKeyUsage"]),
        key_algorithms: list(&["AES_256", "RSA_1024", "ED25519"]),
        max_validity: Some("P0D".into()),
        key_holders: list(&["NOBODY"]),
        names: RawNameLimits {
            dns: Some(list(&["a.example.com", "*", "a.*.example.com", "10.0.0.1"])),
            ip: Some(list(&["10.0.0.0/40"])),
            email: Some(list(&["@example.com"])),
            uri: Some(list(&["spiffe://corp*"])),
            subject: Some(list(&["shoeSize"])),
            ..RawNameLimits::default()
        },
    };
    let faults = Profile::new(faulty).unwrap_err();
    let pointers: Vec<&str> = faults.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/name",
            "/description",
            "/usages/1",
            "/keyAlgorithms/0",
            "/keyAlgorithms/1",
            "/keyHolders/0",
            "/maxValidity",
            "/names/dns/1",
            "/names/dns/2",
            "/names/dns/3",
            "/names/ip/0",
            "/names/email/0",
            "/names/uri/0",
            "/names/subject/0",
        ]
    );
}

#[test]
fn contradictions_are_refused() {
    let faults_of = |change: fn(&mut RawProfile)| {
        let mut raw = raw();
        change(&mut raw);
        Profile::new(raw).err().map(|faults| faults.into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>())
    };
    let one = |pointer: &str| Some(vec![pointer.to_owned()]);
    assert_eq!(faults_of(|_| {}), None);
    assert_eq!(faults_of(|raw| raw.usages.clear()), one("/usages"));
    assert_eq!(
        faults_of(|raw| {
            raw.names.dns = None;
            raw.names.subject = Some(vec!["*".into()]);
            raw.names.required = true;
        }),
        one("/names/required")
    );
    assert_eq!(faults_of(|raw| raw.names.dns = None), one("/names"));
    assert_eq!(
        faults_of(|raw| {
            raw.names.dns = None;
            raw.names.uri = Some(vec!["*".into()]);
            raw.names.wildcards = true;
        }),
        one("/names/wildcards")
    );
    assert_eq!(faults_of(|raw| raw.names.ip = Some(vec!["10.0.0.1".into(); 201])), one("/names/ip"));
}

#[test]
fn patterns_are_data() {
    let pattern = |kind: &str, text: &str| {
        let mut raw = raw();
        let list = Some(vec![text.to_owned()]);
        match kind {
            "dns" => raw.names.dns = list,
            "email" => raw.names.email = list,
            "uri" => raw.names.uri = list,
            _ => raw.names.ip = list,
        }
        Profile::new(raw).ok().map(|profile| {
            let raw = profile.to_raw().names;
            [raw.email, raw.uri, raw.ip].into_iter().flatten().chain(raw.dns).next().unwrap_or_default().remove(0)
        })
    };
    for (kind, text, canonical) in [
        ("dns", "A.Example.COM", "a.example.com"),
        ("dns", "*.Example.com", "*.example.com"),
        ("dns", "*.bücher.example", "*.xn--bcher-kva.example"),
        ("email", "A@Example.com", "A@example.com"),
        ("email", "*@Example.com", "*@example.com"),
        ("email", "*@*.Example.com", "*@*.example.com"),
        ("uri", "spiffe://corp/*", "spiffe://corp/*"),
        ("uri", "https://EXAMPLE.com:8443/a*", "https://example.com:8443/a*"),
        ("uri", "https://example.com/x", "https://example.com/x"),
        ("ip", "10.1.2.3/8", "10.0.0.0/8"),
        ("ip", "10.1.2.3", "10.1.2.3/32"),
        ("ip", "::1", "::1/128"),
    ] {
        assert_eq!(pattern(kind, text).as_deref(), Some(canonical), "{kind} {text}");
    }
    for (kind, text) in [
        ("dns", "**.example.com"),
        ("dns", "*.*.example.com"),
        ("dns", "a*.example.com"),
        ("dns", "*."),
        ("dns", ""),
        ("dns", ".example.com"),
        ("dns", "example.com/"),
        ("dns", "a+b.example.com"),
        ("email", "*@*"),
        ("email", "a*@example.com"),
        ("email", "*@"),
        ("email", "@"),
        ("email", "*@a@b"),
        ("email", "*@**.example.com"),
        ("uri", "https://example.com*"),
        ("uri", "https://*"),
        ("uri", "https://*.example.com/"),
        ("uri", "*://corp/"),
        ("uri", "https://example.com/*/x"),
        ("uri", "https://example.com/**"),
        ("uri", "https://example.com/%2*"),
        ("uri", "https://example.com/../*"),
        ("uri", "https://user@example.com/*"),
        ("ip", "*.0.0.0"),
        ("ip", "10.0.0.0/8 "),
    ] {
        assert_eq!(pattern(kind, text), None, "{kind} {text}");
    }
}

proptest! {
    #[test]
    fn text_and_back(
        dns in proptest::option::of(proptest::collection::vec("(\\*\\.)?[a-c]{1,3}\\.(com|org)", 1..4)),
        email in proptest::option::of(proptest::collection::vec("(\\*|x)@[a-c]{1,3}\\.com", 1..4)),
        uri in proptest::option::of(proptest::collection::vec("(https|spiffe)://[a-c]{1,3}/[a-z]{0,3}\\*?", 1..4)),
        ip in proptest::option::of(proptest::collection::vec("10\\.[0-9]\\.0\\.0/(8|16|24)", 1..4)),
        days in proptest::option::of(1..5000_i64),
    ) {
        let names = RawNameLimits { dns, email, uri, ip, subject: Some(list(&["commonName", "organization"])), ..RawNameLimits::default() };
        let raw = RawProfile { names, max_validity: days.map(|days| format!("{days}d")), ..raw() };
        let profile = Profile::new(raw).unwrap();
        prop_assert_eq!(Profile::new(profile.to_raw()), Ok(profile));
    }

    /// A wildcard that a pattern lets through reaches no name that the pattern would not.
    #[test]
    fn wildcards_reach_only_what_matches(
        patterns in proptest::collection::vec("(\\*\\.)?([ab]\\.){0,2}[ab]", 1..4),
        base in "([ab]\\.){0,3}[ab]",
        label in "[ab]",
    ) {
        let mut raw = raw();
        raw.names.dns = Some(patterns);
        let profile = Profile::new(raw).unwrap();
        let allows = |name: &str| profile.names().allows(&San::parse(name).unwrap());
        if allows(&format!("*.{base}")) {
            let one = format!("{label}.{base}");
            prop_assert!(allows(&one));
        }
    }
}
