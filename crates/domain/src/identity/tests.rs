use super::*;
use crate::san::San;
use crate::time::{Span, Timestamp};
use proptest::prelude::*;

fn claims(values: &[(&str, &str)]) -> Claims {
    let mut claims = Claims::default();
    for (path, value) in values {
        assert!(claims.insert((*path).to_owned(), vec![(*value).to_owned()]));
    }
    claims
}

fn rule(claims: &[(&str, &str)], names: Option<&[&str]>) -> RawRule {
    RawRule {
        claims: claims.iter().map(|(claim, pattern)| ((*claim).to_owned(), vec![(*pattern).to_owned()])).collect(),
        groups: vec!["Pipelines".to_owned()],
        names: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        subject: None,
    }
}

fn github(rules: Vec<RawRule>) -> RawProvider {
    RawProvider {
        name: "github".to_owned(),
        kind: Some("GITHUB".to_owned()),
        audiences: vec!["https://ca.example.com".to_owned()],
        rules,
        enabled: true,
        ..RawProvider::default()
    }
}

fn faults(raw: RawProvider) -> Vec<(String, &'static str)> {
    let faults = ProviderSettings::new(raw).unwrap_err();
    faults.into_iter().map(|(pointer, fault)| (pointer, fault.code)).collect()
}

#[test]
fn a_job_gets_the_names_of_its_repository_and_no_others() {
    let rules = vec![
        rule(
            &[("repository", "org/app"), ("ref", "refs/heads/main")],
            Some(&["*.${claim.repository:last}.corp.example"]),
        ),
        rule(&[("repository", "org/*")], Some(&["test.${claim.repository_owner}.corp.example"])),
    ];
    let provider = ProviderSettings::new(github(rules)).unwrap();
    let token = |repository, branch| {
        claims(&[
            ("sub", "repo:org/app:ref:refs/heads/main"),
            ("repository", repository),
            ("repository_owner", "Org"),
            ("ref", branch),
        ])
    };
    let identity = provider.judge(&token("org/app", "refs/heads/main")).identity().unwrap();
    assert_eq!(identity.subject, "repo:org/app:ref:refs/heads/main");
    assert_eq!(identity.groups.iter().map(ToString::to_string).collect::<Vec<_>>(), ["pipelines"]);
    let names = identity.names.unwrap();
    assert_eq!(names.texts(), ["*.app.corp.example"]);
    for (name, allowed) in [
        ("a.app.corp.example", true),
        ("a.b.app.corp.example", true),
        ("*.app.corp.example", true),
        ("app.corp.example", false),
        ("xapp.corp.example", false),
        ("a.other.corp.example", false),
        ("*.corp.example", false),
        ("10.0.0.1", false),
        ("x@app.corp.example", false),
        ("spiffe://app.corp.example/x", false),
    ] {
        assert_eq!(names.allows(&San::parse(name).unwrap()), allowed, "{name}");
    }
    assert_eq!(AllowedNames::parse(names.texts()), Ok(names));

    // Another branch: the second rule, and a name in lower case.
    let identity = provider.judge(&token("org/app", "refs/heads/x")).identity().unwrap();
    assert_eq!(identity.names.unwrap().texts(), ["test.org.corp.example"]);
    // Another owner: no rule, and it is told why.
    let judgement = provider.judge(&token("evil/app", "refs/heads/main"));
    let told = |verdict: &Verdict| match verdict {
        Verdict::NoMatch(claims) => claims.iter().map(|(claim, _)| claim.clone()).collect(),
        Verdict::Unusable(_) | Verdict::Matches(_) => Vec::new(),
    };
    assert_eq!(judgement.0.iter().map(told).collect::<Vec<_>>(), [["repository"], ["repository"]]);
    assert_eq!(judgement.identity(), None);
}

#[test]
fn a_value_that_cannot_stand_in_a_name_refuses_the_token_and_asks_no_other_rule() {
    let template = "*.${claim.ns}.svc.corp.example";
    for value in
        ["*", "a*", "a.b", "a/b", "a,b", "a+b", "", "-a", "a-", "a b", "ä", "K", "\u{212a}", "a\0", "a_b", "${claim.x}"]
    {
        let rules = vec![rule(&[("aud", "x")], Some(&[template])), rule(&[("aud", "x")], None)];
        let raw = RawProvider { issuer: Some("https://k8s.example".to_owned()), kind: None, ..github(rules) };
        let provider = ProviderSettings::new(raw).unwrap();
        let judgement = provider.judge(&claims(&[("aud", "x"), ("sub", "s"), ("ns", value)]));
        if value == "K" {
            assert_eq!(judgement.identity().unwrap().names.unwrap().texts(), ["*.k.svc.corp.example"]);
            continue;
        }
        assert!(matches!(judgement.0.as_slice(), [Verdict::Unusable(_)]), "{value:?}: {judgement:?}");
        assert_eq!(judgement.identity(), None);
    }
}

#[test]
fn a_claim_with_several_values_or_none_fills_no_template() {
    let provider =
        ProviderSettings::new(github(vec![rule(&[("repository", "org/app")], Some(&["${claim.e}.corp.example"]))]));
    let provider = provider.unwrap();
    let mut token = claims(&[("sub", "s"), ("repository", "org/app")]);
    assert!(matches!(provider.judge(&token).0.as_slice(), [Verdict::Unusable(_)]));
    assert!(token.insert("e".to_owned(), vec!["a".to_owned(), "b".to_owned()]));
    assert!(matches!(provider.judge(&token).0.as_slice(), [Verdict::Unusable(_)]));
}

#[test]
fn any_value_of_a_list_matches_any_pattern_of_a_claim() {
    let mut raw = rule(&[], None);
    raw.claims.insert("groups".to_owned(), vec!["ops-*".to_owned(), "dev".to_owned()]);
    let raw = RawProvider { issuer: Some("https://idp.example".to_owned()), kind: None, ..github(vec![raw]) };
    let provider = ProviderSettings::new(raw).unwrap();
    for (values, expected) in [(&["x", "dev"][..], true), (&["ops-1"], true), (&["x", "ops"], false), (&[], false)] {
        let mut token = claims(&[("sub", "s")]);
        assert!(token.insert("groups".to_owned(), values.iter().map(|value| (*value).to_owned()).collect()));
        assert_eq!(provider.judge(&token).identity().is_some(), expected, "{values:?}");
    }
}

#[test]
fn patterns_match_as_they_are_written() {
    for (pattern, value, expected) in [
        ("org/app", "org/app", true),
        ("org/app", "Org/app", false),
        ("org/*", "org/", true),
        ("org/*", "organization/app", false),
        ("*", "", true),
        ("a*b*c", "abc", true),
        ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "ac", false),
        ("a*bc*c", "abc", false),
        ("ab*ba", "aba", false),
        ("*main", "refs/heads/main", true),
        ("*main", "refs/heads/main2", false),
        ("**", "x", true),
        ("a", "*", false),
        ("refs/heads/*", "*", false),
    ] {
        assert_eq!(Glob::parse(pattern).unwrap().matches(value), expected, "{pattern} {value}");
    }
    for bad in ["", "a\n", &"a".repeat(513)] {
        assert!(Glob::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn templates_whose_reach_a_value_could_change_are_refused() {
    for text in [
        "*.${claim.a}",
        "*.x${claim.a}",
        "*.${claim.a}corp",
        "*@${claim.a}",
        "${claim.a}${claim.b}.corp",
        "${claim.a}-${claim.b}.corp",
        "x${claim.a:dots}.corp",
        "${claim.a:dots}x.corp",
        "spiffe://${claim.a}/x",
        "${claim.a}://corp/x",
        "spiffe://corp/${claim.a}*",
        "spiffe://corp/x*/${claim.a}",
        "a.*.${claim.a}.corp",
        "*",
        "*${claim.a}.corp",
        "${claim.}.corp",
        "${a}.corp",
        "${claim.a.corp",
        "$claim.a.corp",
        "${claim.${claim.a}}.corp",
        "a b.corp",
        "",
        "10.0.0.0/8/${claim.a}",
    ] {
        assert!(NameTemplate::parse(text).is_err(), "{text}");
    }
    for text in [
        "a.corp.example",
        "*.corp.example",
        "*.${claim.a}.corp.example",
        "x-${claim.a}.${claim.b}.corp.example",
        "${claim.a:dots}.corp.example",
        "${claim.host:dots}",
        "${claim.cognito:groups}.corp.example",
        "10.0.0.0/8",
        "2001:db8::/32",
        "*@${claim.a}.corp.example",
        "spiffe://corp/ns/${claim.kubernetes.io.namespace}/sa/${claim.kubernetes.io.serviceaccount.name}",
        "spiffe://corp/ns/${claim.a}/*",
    ] {
        assert_eq!(NameTemplate::parse(text).map(|template| template.to_string()), Ok(text.to_owned()), "{text}");
    }
}

#[test]
fn subjects_cannot_be_mistaken_for_one_another() {
    let fill =
        |template: &str, values: &[(&str, &str)]| SubjectTemplate::parse(template).unwrap().fill(&claims(values));
    assert_eq!(fill("${claim.sub}", &[("sub", "repo:o/a:x")]), Ok("repo:o/a:x".to_owned()));
    assert_eq!(fill("${claim.sub}", &[("sub", "a\r\n\u{1b}[2J%ä")]), Ok("a%0D%0A%1B%5B2J%25%C3%A4".to_owned()));
    assert_eq!(fill("${claim.a}/${claim.b}", &[("a", "x/y"), ("b", "z")]), Ok("x%2Fy/z".to_owned()));
    assert_eq!(fill("${claim.a}/${claim.b}", &[("a", "x"), ("b", "y/z")]), Ok("x/y%2Fz".to_owned()));
    assert!(fill("${claim.sub}", &[("sub", "")]).is_err());
    assert!(fill("${claim.sub}", &[("sub", &"x".repeat(513))]).is_err());
    for bad in ["${claim.a}${claim.b}", "${claim.a}-${claim.b}", "a b", "${claim.a:last}", "%41${claim.a}", "", "x\n"] {
        assert!(SubjectTemplate::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_provider_says_whom_it_means() {
    let fine = || vec![rule(&[("repository", "org/app")], None)];
    let provider = ProviderSettings::new(github(fine())).unwrap();
    assert_eq!(provider.issuer(), "https://token.actions.githubusercontent.com");
    assert_eq!(provider.algorithms(), JwsAlgorithm::ALL);
    assert_eq!((provider.clock_skew(), provider.max_token_age()), (Span::from_s(60), None));
    let KeySource::Discovery(url) = provider.keys() else { panic!("{provider:?}") };
    assert_eq!(url.to_string(), "https://token.actions.githubusercontent.com/.well-known/openid-configuration");
    assert_eq!(ProviderSettings::new(provider.to_raw()), Ok(provider));

    let base = || github(fine());
    let one = |raw| faults(raw);
    assert_eq!(one(RawProvider { audiences: vec![], ..base() }), [("/audiences".to_owned(), "audience_required")]);
    assert_eq!(one(RawProvider { rules: vec![], ..base() }), [("/rules".to_owned(), "rule_required")]);
    let oidc = |issuer: Option<&str>| RawProvider { kind: None, issuer: issuer.map(str::to_owned), ..base() };
    assert_eq!(one(oidc(None)), [("/issuer".to_owned(), "issuer_required")]);
    assert_eq!(one(oidc(Some("http://idp.example"))), [("/issuer".to_owned(), "https_required")]);
    assert_eq!(one(oidc(Some("https://idp.example/?a=b"))), [("/issuer".to_owned(), "invalid_issuer")]);
    for algorithm in ["none", "HS256", "rs256", ""] {
        let raw = RawProvider { algorithms: vec![algorithm.to_owned()], ..base() };
        assert_eq!(one(raw), [("/algorithms/0".to_owned(), "invalid_signature_algorithm")], "{algorithm}");
    }
    let jwks_uri = Some("http://idp.example/keys".to_owned());
    assert_eq!(one(RawProvider { jwks_uri, ..base() }), [("/jwksUri".to_owned(), "https_required")]);
    let both = RawProvider { jwks_uri: Some("https://a.example/".to_owned()), jwks: Some("{}".to_owned()), ..base() };
    assert_eq!(one(both), [("/jwks".to_owned(), "contradictory_key_source")]);
    assert_eq!(
        one(RawProvider { clock_skew: Some("PT6M".into()), ..base() }),
        [("/clockSkew".to_owned(), "invalid_duration")]
    );

    for (claims, wide) in [
        (&[][..], true),
        (&[("repository", "*")], true),
        (&[("repository", "*/app")], true),
        (&[("repository", "o*")], true),
        (&[("repository_owner", "or*")], true),
        (&[("sub", "repo:*")], true),
        (&[("sub", "repo:o*/app:*")], true),
        (&[("ref", "refs/heads/main")], true),
        (&[("environment", "production")], true),
        (&[("repository", "org/*")], false),
        (&[("repository_owner", "org"), ("ref", "*")], false),
        (&[("sub", "repo:org/app:*")], false),
        (&[("job_workflow_ref", "org/app/.github/workflows/x.yml@*")], false),
    ] {
        let result = ProviderSettings::new(github(vec![rule(claims, None)]));
        assert_eq!(result.is_err(), wide, "{claims:?}");
    }
}

#[test]
fn times_issuer_and_audience_are_judged_with_the_clock_skew() {
    let raw =
        RawProvider { max_token_age: Some("PT10M".into()), ..github(vec![rule(&[("repository", "org/app")], None)]) };
    let provider = ProviderSettings::new(raw).unwrap();
    let now = Timestamp::from_unix_s(1_800_000_000);
    let fine = Registered {
        issuer: Some("https://token.actions.githubusercontent.com".to_owned()),
        audiences: vec!["other".to_owned(), "https://ca.example.com".to_owned()],
        expires: Some(1_800_000_300),
        not_before: Some(1_799_999_900),
        issued_at: Some(1_799_999_900),
    };
    assert_eq!(provider.admit(&fine, now), Ok(Timestamp::from_unix_s(1_800_000_300)));
    let at = Timestamp::from_unix_s;
    for (token, expected) in [
        (Registered { issuer: None, ..fine.clone() }, Some(Refusal::Issuer)),
        (Registered { issuer: Some(format!("{}/", provider.issuer())), ..fine.clone() }, Some(Refusal::Issuer)),
        (Registered { issuer: Some(provider.issuer().to_uppercase()), ..fine.clone() }, Some(Refusal::Issuer)),
        (Registered { audiences: vec![], ..fine.clone() }, Some(Refusal::Audience)),
        (Registered { audiences: vec!["https://ca.example.com/".into()], ..fine.clone() }, Some(Refusal::Audience)),
        (Registered { expires: None, ..fine.clone() }, Some(Refusal::NoEnd)),
        (Registered { expires: Some(1_799_999_941), ..fine.clone() }, None),
        (Registered { expires: Some(1_799_999_940), ..fine.clone() }, Some(Refusal::Expired(at(1_799_999_940)))),
        (Registered { expires: Some(i64::MIN), ..fine.clone() }, Some(Refusal::Expired(at(i64::MIN)))),
        (Registered { not_before: Some(1_800_000_060), ..fine.clone() }, None),
        (Registered { not_before: Some(1_800_000_061), ..fine.clone() }, Some(Refusal::NotYet(at(1_800_000_061)))),
        (Registered { issued_at: Some(1_800_000_060), ..fine.clone() }, None),
        (
            Registered { issued_at: Some(1_800_000_061), ..fine.clone() },
            Some(Refusal::FromTheFuture(at(1_800_000_061))),
        ),
        (Registered { issued_at: Some(1_799_999_341), ..fine.clone() }, None),
        (Registered { issued_at: Some(1_799_999_340), ..fine.clone() }, Some(Refusal::TooOld)),
        (Registered { issued_at: None, ..fine.clone() }, Some(Refusal::TooOld)),
        (Registered { not_before: None, ..fine.clone() }, None),
    ] {
        assert_eq!(provider.admit(&token, now).err(), expected, "{token:?}");
    }
}

#[test]
fn claims_are_bounded_and_have_one_meaning() {
    let mut some = Claims::default();
    assert!(some.insert("a.b".to_owned(), vec!["1".to_owned()]));
    assert!(!some.insert("a.b".to_owned(), vec!["2".to_owned()]));
    let mut many = Claims::default();
    let fitted = (0..300).filter(|index: &u32| many.insert(index.to_string(), vec![])).count();
    assert_eq!(fitted, MAX_CLAIMS);
    assert!(!Claims::default().insert("x".to_owned(), vec![String::new(); 1001]));
}

/// What people would like a claim to do to a pattern.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.*/,+@:$%{} _-]{0,12}",
        "\\PC{0,8}",
        "(\\*\\.)?[a-z]{1,3}(\\.[a-z]{1,3}){0,2}",
        "[A-Za-z0-9-]{1,64}",
        Just("a.corp.example,*".to_owned()),
    ]
}

proptest! {
    #[test]
    fn no_value_makes_a_pattern_allow_more_than_its_own_label(
        value in hostile(), other in "[a-z0-9-]{1,8}", left in "[a-z0-9]{1,5}", dots in any::<bool>(),
    ) {
        let view = if dots { ":dots" } else { "" };
        let names = format!("*.${{claim.v{view}}}.svc.corp.example");
        let texts = [
            names.as_str(),
            "x.${claim.v:last}.corp.example",
            "spiffe://corp/ns/${claim.v}/*",
            "spiffe://corp/sa/${claim.v}",
            "${claim.v}@mail.corp.example",
        ];
        for text in texts {
            let template = NameTemplate::parse(text).unwrap();
            let Ok(filled) = template.fill(&claims(&[("v", &value)])) else { continue };
            let own = value.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
            let legal = if text.contains(":dots") { "abcdefghijklmnopqrstuvwxyz0123456789-." } else { "abcdefghijklmnopqrstuvwxyz0123456789-" };
            prop_assert!(own.chars().all(|c| legal.contains(c)) && !own.is_empty(), "{:?}", value);
            let allowed = AllowedNames::of(vec![filled]);
            // The value in another's place, beside it, above it.
            for foreign in [
                format!("{left}.{other}.svc.corp.example"),
                format!("{left}.svc.corp.example"),
                format!("{left}.{own}x.svc.corp.example"),
                format!("{left}.x{own}.svc.corp.example"),
                format!("x.{other}.corp.example"),
                format!("{left}.corp.example"),
                format!("{own}.example"),
                format!("{left}.{own}"),
                format!("spiffe://corp/ns/{other}/x"),
                format!("spiffe://corp/ns/{own}x/x"),
                format!("spiffe://corp/sa/{other}"),
                format!("spiffe://corp/{other}"),
                format!("spiffe://{own}/ns/x"),
                format!("{other}@mail.corp.example"),
                format!("{own}@{other}.corp.example"),
                "10.0.0.1".to_owned(),
            ] {
                let Ok(name) = San::parse(&foreign) else { continue };
                let labels: Vec<&str> = foreign.split(['.', '/', '@']).collect();
                // What names the value's own label in full is the value's own.
                let mine = own.split('.').all(|label| labels.contains(&label));
                prop_assert!(mine || !allowed.allows(&name), "{} {:?} lets {} through", text, value, foreign);
            }
        }
    }

    #[test]
    fn different_values_give_different_subjects(a in ".{0,12}", b in ".{0,12}", c in ".{0,12}", d in ".{0,12}") {
        let template = SubjectTemplate::parse("${claim.a}/${claim.b}").unwrap();
        let fill = |a: &str, b: &str| template.fill(&claims(&[("a", a), ("b", b)])).unwrap();
        prop_assert_eq!(fill(&a, &b) == fill(&c, &d), (a, b) == (c, d));
    }

    #[test]
    fn matching_is_what_a_slow_matcher_says(pattern in "[ab*]{1,8}", value in "[ab]{0,8}") {
        fn slow(pattern: &[u8], value: &[u8]) -> bool {
            match (pattern.split_first(), value.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) if slow(rest, value) => true,
                (Some((b'*', _)), Some((_, behind))) => slow(pattern, behind),
                (Some((want, rest)), Some((have, behind))) => want == have && slow(rest, behind),
                _ => false,
            }
        }
        prop_assert_eq!(Glob::parse(&pattern).unwrap().matches(&value), slow(pattern.as_bytes(), value.as_bytes()));
    }
}
