//! Names: what a profile and the constraints above let through, wherever a name stands.

use super::fixtures::*;
use crate::ca::IssuerFacts;
use crate::dn::{AttributeType as T, DistinguishedName};
use crate::profile::Profile;

fn judge(profile: &Profile, names: &[&str]) -> Vec<&'static str> {
    codes(decide(profile, &issuer(), leaf(names)))
}

fn judge_subject(profile: &Profile, issuer: &IssuerFacts, subject: DistinguishedName) -> Vec<(&'static str, String)> {
    let mut request = leaf(&["a.example.com"]);
    request.subject = subject;
    broken(decide(profile, issuer, request)).into_iter().map(|found| (found.code, found.pointer)).collect()
}

#[test]
fn the_oci_flow_and_the_openssl_flow_pass() {
    let server_or_client = Profile::built_in("tls-server-or-client").unwrap();
    let mut request = leaf(&[]);
    request.subject = common_name("oci-demo-certificate");
    assert_eq!(codes(decide(&server_or_client, &issuer(), request)), [""; 0]);
    let full = subject(&[
        (T::Country, "KR"),
        (T::StateOrProvince, "Seongnam-si"),
        (T::Locality, "Bundang-gu"),
        (T::Organization, "DDIM"),
        (T::OrganizationalUnit, "Engineer"),
        (T::EmailAddress, "example@example.com"),
        (T::CommonName, "service-a.example.com"),
    ]);
    for name in ["tls-server-or-client", "tls-server"] {
        let mut request = leaf(&["service-a.example.com"]);
        request.subject = full.clone();
        assert_eq!(codes(decide(&Profile::built_in(name).unwrap(), &issuer(), request)), [""; 0], "{name}");
    }
}

#[test]
fn an_address_in_the_subject_stands_among_the_names_once() {
    let profile = Profile::built_in("tls-server-or-client").unwrap();
    for given in [&["a.example.com"][..], &["a.example.com", "example@example.com"]] {
        let mut request = leaf(given);
        request.subject = subject(&[(T::EmailAddress, "example@EXAMPLE.com"), (T::CommonName, "a.example.com")]);
        let approved = decide(&profile, &issuer(), request).into_result().unwrap();
        let names: Vec<String> = approved.names().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a.example.com", "example@example.com"], "RFC 5280 section 4.1.2.6");
    }
}

#[test]
fn an_address_of_the_subject_counts_among_the_names() {
    let profile = Profile::built_in("tls-server-or-client").unwrap();
    let names: Vec<String> = (0..100).map(|number| format!("h{number}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut request = leaf(&names);
    assert_eq!(codes(decide(&profile, &issuer(), request.clone())), [""; 0]);
    request.subject = subject(&[(T::EmailAddress, "example@example.com")]);
    assert_eq!(codes(decide(&profile, &issuer(), request)), ["too_many_names"]);
}

#[test]
fn the_built_in_profiles() {
    let built_in = |name: &str| Profile::built_in(name).unwrap();
    assert_eq!(judge(&built_in("tls-server"), &[]), ["names_missing"]);
    assert_eq!(judge(&built_in("tls-server"), &["a.example.com", "10.0.0.1", "spiffe://corp/db"]), [""; 0]);
    assert_eq!(judge(&built_in("tls-server"), &["a@example.com"]), ["name_not_allowed"]);
    for name in ["tls-server", "tls-server-or-client", "tls-client"] {
        assert_eq!(judge(&built_in(name), &["*.example.com"]), ["wildcard_not_allowed"], "{name}");
    }
    assert_eq!(
        judge(&built_in("tls-client"), &["a.example.com", "10.0.0.1", "a@example.com", "spiffe://c/d"]),
        [""; 0]
    );
    assert_eq!(judge(&built_in("code-sign"), &["a@example.com", "https://example.com/x"]), [""; 0]);
    assert_eq!(judge(&built_in("code-sign"), &["a.example.com", "10.0.0.1"]), ["name_not_allowed"; 2]);
}

#[test]
fn all_broken_rules_come_at_once() {
    let strict = profile(|raw| {
        raw.names.dns = Some(texts(&["*.example.com"]));
        raw.names.wildcards = false;
        raw.names.ip = Some(texts(&["10.0.0.0/8"]));
        raw.names.email = None;
        raw.names.subject = Some(texts(&["organization"]));
        raw.max_validity = Some("P1D".into());
    });
    let above = IssuerFacts { name_constraints: vec![constraints(&["dns:example.com"], &[])], ..issuer() };
    let mut request = leaf(&["evil.org", "*.com", "192.168.0.1", "a@example.com"]);
    request.validity = until(crate::validity::RequestedEnd::Duration(crate::time::Span::from_days(100)));
    request.asks_for_ca = true;
    let found: Vec<_> =
        broken(decide(&strict, &above, request)).into_iter().map(|found| (found.code, found.pointer)).collect();
    let expected = [
        ("asks_for_ca", "/csr"),
        ("name_not_allowed", "/names/0"),
        ("name_not_allowed", "/names/1"),
        ("name_not_allowed", "/names/2"),
        ("name_not_allowed", "/names/3"),
        ("wildcard_not_allowed", "/names/1"),
        ("wildcard_on_public_suffix", "/names/1"),
        ("subject_attribute_not_allowed", "/subject/commonName"),
        ("name_constraint", "/names/0"),
        ("name_constraint", "/names/1"),
        ("lifetime_too_long", "/validity/duration"),
        ("lifetime_too_long", "/validity/duration"),
    ];
    assert_eq!(found, expected.map(|(code, pointer)| (code, pointer.to_owned())));
}

#[test]
fn count_repeats_and_emptiness() {
    let many: Vec<String> = (0..101).map(|index| format!("n{index}.example.com")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(judge(&open(), &many), ["too_many_names"]);
    assert_eq!(judge(&open(), &many[..100]), [""; 0]);
    assert_eq!(judge(&open(), &["a.example.com", "b.example.com", "A.EXAMPLE.COM"]), ["duplicate_name"]);
    assert_eq!(judge(&open(), &["10.0.0.1", "10.0.0.1"]), ["duplicate_name"]);
    let mut request = leaf(&[]);
    request.subject = DistinguishedName::default();
    assert_eq!(codes(decide(&open(), &issuer(), request.clone())), ["subject_and_names_empty"]);
    request.names = leaf(&["a.example.com"]).names;
    assert_eq!(codes(decide(&open(), &issuer(), request)), [""; 0]);
}

#[test]
fn wildcards_never_stand_for_a_public_suffix() {
    for name in ["*.com", "*.co.uk", "*.localdomain", "*.github.io", "*.xn--p1ai", "*.xn--55qx5d.cn", "*.公司.cn"] {
        assert_eq!(judge(&open(), &[name]), ["wildcard_on_public_suffix"], "{name}");
    }
    for name in ["*.example.com", "*.example.co.uk", "*.a.localdomain", "*.me.github.io", "*.corp.internal"] {
        assert_eq!(judge(&open(), &[name]), [""; 0], "{name}");
    }
}

#[test]
fn patterns() {
    let limited = profile(|raw| {
        raw.names.dns = Some(texts(&["exact.example.org", "*.example.com"]));
        raw.names.ip = Some(texts(&["10.0.0.0/8", "2001:db8::/32"]));
        raw.names.email = Some(texts(&["a@example.com", "*@example.org", "*@*.example.net"]));
        raw.names.uri = Some(texts(&["https://example.com/x", "spiffe://corp/*"]));
    });
    for name in [
        "exact.example.org",
        "a.example.com",
        "a.b.example.com",
        "*.example.com",
        "*.a.example.com",
        "10.255.0.1",
        "2001:db8::5",
        "a@example.com",
        "who@example.org",
        "who@a.example.net",
        "https://example.com/x",
        "spiffe://corp/db",
        "SPIFFE-is-a-host.example.com",
    ] {
        assert_eq!(judge(&limited, &[name]), [""; 0], "{name}");
    }
    for name in [
        "example.com",
        "evilexample.com",
        "a.exact.example.org",
        "*.exact.example.org",
        "*.example.org",
        "11.0.0.1",
        "2001:db9::5",
        "::ffff:10.0.0.1",
        "b@example.com",
        "A@example.com",
        "who@a.example.org",
        "who@example.net",
        "https://example.com/x/y",
        "https://example.com",
        "spiffe://corporation/db",
        "spiffe://corp",
        "https://corp/db",
    ] {
        assert_eq!(judge(&limited, &[name]), ["name_not_allowed"], "{name}");
    }
}

#[test]
fn a_common_name_is_held_to_the_limits_of_names() {
    let limited = profile(|raw| {
        raw.names.dns = Some(texts(&["*.example.com"]));
        raw.names.ip = Some(texts(&["10.0.0.0/8"]));
    });
    for fine in
        ["a.example.com", "B.Example.Com", "x.example.com.", "a_b.example.com", "10.1.2.3", "db-1", "Ann Example v1.2"]
    {
        assert_eq!(judge_subject(&limited, &issuer(), common_name(fine)), [], "{fine}");
    }
    for bad in ["evil.org", "EVIL.ORG", "evil.org.", "evil_.org", "bücher.org", "bücher。org", "8.8.8.8", "::1"] {
        let expected = [("name_not_allowed", "/subject/commonName".to_owned())];
        assert_eq!(judge_subject(&limited, &issuer(), common_name(bad)), expected, "{bad}");
    }
    // The second commonName as well as the first.
    let two = subject(&[(T::CommonName, "a.example.com"), (T::CommonName, "evil.org")]);
    assert_eq!(judge_subject(&limited, &issuer(), two).len(), 1);
}

#[test]
fn wildcards_in_a_common_name() {
    let leave = profile(|_| {});
    let none = profile(|raw| raw.names.wildcards = false);
    let of = |profile: &Profile, name: &str| -> Vec<&'static str> {
        judge_subject(profile, &issuer(), common_name(name)).into_iter().map(|(code, _)| code).collect()
    };
    assert_eq!(of(&leave, "*.example.com"), [""; 0]);
    assert_eq!(of(&none, "*.example.com"), ["wildcard_not_allowed"]);
    assert_eq!(of(&leave, "*.com"), ["wildcard_on_public_suffix"]);
    for odd in ["a.*.example.com", "w*.example.com", "*.*.example.com", "*.com.", "*.a_b.com"] {
        assert_eq!(of(&leave, odd), ["invalid_wildcard"], "{odd}");
    }
}

#[test]
fn a_common_name_among_the_names_where_the_profile_asks() {
    let asked = profile(|raw| raw.names.common_name_in_names = true);
    assert_eq!(judge_subject(&asked, &issuer(), common_name("A.example.com")), []);
    assert_eq!(judge_subject(&asked, &issuer(), common_name("Service A")), []);
    for stray in ["b.example.com", "10.0.0.1", "a_b.example.com"] {
        let found = judge_subject(&asked, &issuer(), common_name(stray));
        assert_eq!(found, [("common_name_not_in_names", "/subject/commonName".to_owned())], "{stray}");
    }
}

#[test]
fn email_in_the_subject_follows_patterns_only() {
    let with = |mail| subject(&[(T::CommonName, "a"), (T::EmailAddress, mail)]);
    let pattern = profile(|raw| raw.names.email = Some(texts(&["*@example.com"])));
    assert_eq!(judge_subject(&pattern, &issuer(), with("x@EXAMPLE.com")), []);
    for bad in ["x@example.org", "x@localhost_1", "x@a.example.com"] {
        let expected = [("name_not_allowed", "/subject/emailAddress".to_owned())];
        assert_eq!(judge_subject(&pattern, &issuer(), with(bad)), expected, "{bad}");
    }
    let none = profile(|raw| raw.names.email = None);
    assert_eq!(judge_subject(&none, &issuer(), with("x@example.org")), []);
}

#[test]
fn constraints_hold_for_names_and_subject_alike() {
    let above = IssuerFacts {
        name_constraints: vec![
            constraints(&["dns:example.com", "ip:10.0.0.0/8", "email:example.com"], &["dns:secret.example.com"]),
            constraints(&[], &["ip:10.9.0.0/16"]),
        ],
        ..issuer()
    };
    for fine in ["a.example.com", "10.1.0.1", "a@example.com", "spiffe://free/x"] {
        assert_eq!(codes(decide(&open(), &above, leaf(&[fine]))), [""; 0], "{fine}");
    }
    for bad in ["evil.org", "x.secret.example.com", "*.example.com", "11.0.0.1", "10.9.1.1", "a@example.org"] {
        assert_eq!(codes(decide(&open(), &above, leaf(&[bad]))), ["name_constraint"], "{bad}");
    }
    for (kind, bad) in [
        (T::CommonName, "evil.org"),
        (T::CommonName, "secret.example.com"),
        (T::CommonName, "evil_host.org"),
        (T::CommonName, "10.9.0.1"),
        (T::EmailAddress, "a@example.org"),
    ] {
        let found = judge_subject(&open(), &above, subject(&[(kind, bad)]));
        assert_eq!(found, [("name_constraint", format!("/subject/{kind}"))], "{bad}");
    }
}

#[test]
fn a_leaf_does_not_take_its_issuers_name() {
    let found = judge_subject(&open(), &issuer(), common_name("issuing 1"));
    assert_eq!(found, [("subject_is_issuer", "/subject".to_owned())]);
}
