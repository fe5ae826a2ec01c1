//! Names that are accepted, in which form, and those that are not.

use super::*;
use proptest::prelude::*;

#[test]
fn kinds_by_form_and_by_prefix() {
    for (text, kind, canonical) in [
        ("Service-A.Example.com", "dns", "service-a.example.com"),
        ("localhost", "dns", "localhost"),
        ("*.example.com", "dns", "*.example.com"),
        ("bücher.example", "dns", "xn--bcher-kva.example"),
        ("*.bücher.example", "dns", "*.xn--bcher-kva.example"),
        ("faß.example", "dns", "xn--fa-hia.example"),
        ("1password.example", "dns", "1password.example"),
        ("dns:a.example", "dns", "a.example"),
        ("DNS:a.example", "dns", "a.example"),
        ("10.0.0.5", "ip", "10.0.0.5"),
        ("2001:DB8::0:1", "ip", "2001:db8::1"),
        ("IP:10.0.0.5", "ip", "10.0.0.5"),
        ("Ann@Example.com", "email", "Ann@example.com"),
        ("email:ann.b+c@example.com", "email", "ann.b+c@example.com"),
        ("spiffe://corp/db", "uri", "spiffe://corp/db"),
        ("https://EXAMPLE.com:8443/X?y#z", "uri", "https://example.com:8443/X?y#z"),
        ("https://[2001:DB8::1]/", "uri", "https://[2001:db8::1]/"),
        ("uri:https://10.0.0.1", "uri", "https://10.0.0.1"),
        ("spiffe://my_corp/a", "uri", "spiffe://my_corp/a"),
    ] {
        let san = San::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((san.kind(), san.to_string().as_str()), (kind, canonical), "{text}");
    }
}

#[test]
fn names_that_are_none() {
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = format!("{}com", "abcdefg.".repeat(32));
    for text in [
        "",
        ".",
        "*",
        "*.",
        "*.*.example.com",
        "a.*.example.com",
        "w*.example.com",
        "*w.example.com",
        "**.example.com",
        "example.com.",
        ".example.com",
        "a..b",
        "-a.example",
        "a-.example",
        "a_b.example",
        "a b.example",
        "a\0.example",
        "a\n.example",
        "exa\u{202e}mple.com",
        "xn--a.example",
        "xn--.example",
        "ab--c.example",
        "1.2.3.4.5",
        "010.0.0.1",
        "1.2.3",
        "256.1.1.1",
        "127.1",
        "0x7f000001",
        "a.0x7f",
        "a.123",
        "１.２.３.４",
        "*.1.2.3.4",
        "dns:10.0.0.5",
        "dns:::1",
        "dns:a@b",
        "fe80::1%eth0",
        "ip:a.example",
        "ip:10.0.0.0/8",
        "＊.example.com",
        "a,b.example",
        "a/b",
        &long_label,
        &long_name,
    ] {
        assert!(San::parse(text).is_err(), "{text:?}: {:?}", San::parse(text));
    }
}

#[test]
fn addresses_that_are_none() {
    let long = format!("{}@{}.example", "a".repeat(64), ["b".repeat(62).as_str(); 3].join("."));
    for text in [
        "@example.com",
        "a@",
        "a@b@example.com",
        "a b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "*@example.com",
        "a@*.example.com",
        "a@10.0.0.1",
        "a@[10.0.0.1]",
        "ä@example.com",
        "\"a\"@example.com",
        "a@example.com.",
        "a\r\n@example.com",
        &long,
    ] {
        assert!(San::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn uris_that_are_none() {
    for text in [
        "://a",
        "https://",
        "https:///x",
        "HTTPS://example.com",
        "1a://example.com",
        "https://user@example.com",
        "https://user:pw@example.com/",
        "https://exa mple.com",
        "https://example.com/%",
        "https://example.com/%2",
        "https://example.com/%zz",
        "https://bücher.example/",
        "https://*.example.com/",
        "https://a_b.example/",
        "https://[::1",
        "https://::1/",
        "https://fe80::1:8080/",
        "https://[10.0.0.1]/",
        "https://[::1]x/",
        "https://example.com:99999/",
        "https://example.com:8x/",
        "https://a:1:2/",
        "https://example.com/../x",
        "https://example.com/a/.",
        "https://example.com/%2e%2E/x",
        "https://example.com/.%2e",
        "https://example.com/[x]",
        "https://example.com/#a#b",
        "https://127.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "spiffe://1.2.3.400/a",
        "spiffe://a..b/c",
        "spiffe:///c",
        "spiffe://.corp/c",
        "https://example.com\\@evil.org/",
        "https://example.com/\u{0}",
    ] {
        assert!(San::parse(text).is_err(), "{text:?}: {:?}", San::parse(text));
    }
    assert!(San::parse(&format!("https://example.com/{}", "a".repeat(2048))).is_err());
}

#[test]
fn hosts_of_uris() {
    for (text, host, ip) in [
        ("https://example.com:8443/a:b", "example.com", false),
        ("https://[::1]:8443/", "[::1]", true),
        ("https://[::1]", "[::1]", true),
        ("https://10.0.0.1:1", "10.0.0.1", true),
        ("spiffe://corp?x", "corp", false),
    ] {
        let uri = Uri::parse(text).unwrap();
        assert_eq!((uri.host(), uri.has_ip_host()), (host, ip), "{text}");
    }
}

#[test]
fn trees_of_names() {
    for (name, tree, at_or, strictly) in [
        ("example.com", "example.com", true, false),
        ("a.example.com", "example.com", true, true),
        ("aexample.com", "example.com", false, false),
        ("com", "example.com", false, false),
        (".example.com", "example.com", true, false),
        ("a.example.com", "", true, false),
    ] {
        assert_eq!((at_or_below(name, tree), below(name, tree)), (at_or, strictly), "{name} {tree}");
    }
}

#[test]
fn what_a_common_name_could_be_taken_for() {
    let odd = |text: &str| Some(HostLike::Odd(text.into()));
    for (text, expected) in [
        ("db-1", None),
        ("Example Root CA", None),
        ("Example Inc. Root", None),
        ("Version 1.2", None),
        ("a@example.com", None),
        ("a/b.example", None),
        ("..", None),
        ("a..b", None),
        ("10.0.0.1", Some(HostLike::Ip("10.0.0.1".parse().unwrap()))),
        ("::1", Some(HostLike::Ip("::1".parse().unwrap()))),
        ("A.example", Some(HostLike::Dns(DnsName::parse("a.example").unwrap()))),
        ("*.a.example", Some(HostLike::Dns(DnsName::parse("*.a.example").unwrap()))),
        ("bücher。example", Some(HostLike::Dns(DnsName::parse("bücher.example").unwrap()))),
        ("A_b.example", odd("a_b.example")),
        ("a.example.", odd("a.example")),
        ("w*.example", odd("w*.example")),
        ("10.0.0.010", odd("10.0.0.010")),
    ] {
        assert_eq!(HostLike::of_common_name(text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn the_canonical_form_reads_as_itself(text in ".{0,40}") {
        if let Ok(san) = San::parse(&text) {
            let again = San::parse(&format!("{}:{san}", san.kind()));
            prop_assert_eq!(again, Ok(san));
        }
    }

    #[test]
    fn likely_names_keep_the_rules(text in "(\\*\\.)?([a-zA-Z0-9ßä_-]{1,8}\\.){0,3}[a-zA-Z0-9-]{1,8}\\.?") {
        if let Ok(name) = DnsName::parse(&text) {
            let fine = |label: &str| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            prop_assert!(name.base().split('.').all(fine));
            prop_assert!(name.base().parse::<IpAddr>().is_err());
            let again = DnsName::parse(name.as_str());
            prop_assert_eq!(again, Ok(name));
        }
    }

    #[test]
    fn likely_uris_keep_their_host(text in "(https|spiffe)://[a-zA-Z0-9._@:%\\[\\]-]{1,16}(/[a-z.%2eE]{0,6}){0,3}") {
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert!(!uri.host().is_empty() && !uri.host().contains(['/', '@']));
            prop_assert!(!uri.as_str().split('/').skip(3).any(|segment| segment == ".." || segment == "."));
            let again = Uri::parse(uri.as_str());
            prop_assert_eq!(again, Ok(uri));
        }
    }
}
