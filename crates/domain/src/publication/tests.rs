use super::*;
use crate::time::Timestamp;

fn name(text: &str) -> ObjectNameFormat {
    ObjectNameFormat::parse(text).unwrap()
}

fn url(text: &str) -> UrlFormat {
    UrlFormat::parse(text).unwrap()
}

fn placed(format: &str, urls: &[&str]) -> Placed {
    Placed::new(name(format), urls.iter().map(|text| url(text)).collect()).unwrap()
}

fn target() -> ResourceName {
    ResourceName::parse("cdn").unwrap()
}

fn publication(list: &str) -> Publication {
    Publication::new(target(), placed(list, &[]), None, None).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(1_800_000_000_i64.saturating_add(seconds))
}

fn ca_id() -> CaId {
    CaId::new(at(0), [1; 10])
}

fn scope(shards: u32, shard: u16, kind: CrlKind) -> CrlScope {
    CrlScope { ca_id: ca_id(), ca_version: 3, shards: Shards::new(shards).unwrap(), shard, kind }
}

#[test]
fn names_are_made_from_formats() {
    for (format, whole, cut) in [
        ("crl/issuing-{}.crl", "crl/issuing-3.crl", None),
        ("{}", "3", None),
        ("a~b_c/{}/{shard}.crl", "a~b_c/3/1-0.crl", Some("a~b_c/3/16-7.crl")),
    ] {
        let publication = publication(format);
        let object = |scope| publication.list_object(&scope).map(|name| name.to_string());
        assert_eq!(object(scope(1, 0, CrlKind::Full)).as_deref(), Some(whole));
        assert_eq!(object(scope(16, 7, CrlKind::Full)).as_deref(), cut, "{format}");
        assert_eq!(object(scope(1, 0, CrlKind::Delta)), None);
        assert_eq!(publication.fits(Shards::new(16).unwrap()).is_ok(), cut.is_some());
        assert_eq!(ObjectName::parse(whole).unwrap().segments().collect::<Vec<_>>().join("/"), whole);
    }
}

#[test]
fn names_that_lead_elsewhere_or_collide_are_refused() {
    let long = format!("{}{{}}", "a/".repeat(256));
    let segment = format!("{}{{}}", "a".repeat(200));
    for format in [
        "",
        "issuing.crl",
        "{}{}",
        "{}/{}",
        "/a-{}.crl",
        "a//{}.crl",
        "a/",
        "a-{}/",
        "../{}.crl",
        "a/../{}",
        "./{}",
        "a/.{}",
        ".{}",
        "a {}",
        "a\\{}",
        "a-{}\0",
        "a\n{}",
        "a%2f{}",
        "ä{}",
        "a:{}",
        "{}{x}",
        "{{}}",
        "{shard}",
        "{}{shard}{shard}",
        "{}}",
        "{ }",
        long.as_str(),
        segment.as_str(),
    ] {
        let refused = ObjectNameFormat::parse(format).unwrap_err();
        assert_eq!(refused.code, "invalid_object_name_format", "{format}");
        assert!(refused.hint.contains("`{}`") && refused.detail.len() < 400, "{format}");
    }
    for name in ["", "/a", "a/", "..", "a/../b", "a b", ".a"] {
        assert!(ObjectName::parse(name).is_err(), "{name}");
    }
}

#[test]
fn urls_are_absolute_and_name_the_version() {
    for (format, expanded) in [
        ("http://crl.example.com/issuing-{}.crl", "http://crl.example.com/issuing-3.crl"),
        ("https://cdn.example.com:8443/{shard}/x?v={}", "https://cdn.example.com:8443/16-7/x?v=3"),
        ("http://[2001:db8::1]/{}", "http://[2001:db8::1]/3"),
    ] {
        assert_eq!(url(format).expand(3, Shards::new(16).unwrap(), 7), expanded);
    }
    let long = format!("http://a.example.com/{}{{}}", "a".repeat(1024));
    for format in [
        "",
        "crl.example.com/{}",
        "ftp://a.example.com/{}",
        "ldap://a/{}",
        "http://a.example.com/crl",
        "http://{}.example.com/",
        "http://a.example.com:{}/",
        "http://a.example.com/{}/{}",
        "http://a.example.com/{}{x}",
        "http://u:p@a.example.com/{}",
        "http://a.example.com/{}#x",
        "http:///{}",
        "http://a b/{}",
        "http://a.example.com/ä{}",
        "javascript:{}",
        "http://a.example.com?{}{shard}{shard}",
        long.as_str(),
    ] {
        let refused = UrlFormat::parse(format).unwrap_err();
        assert!(["invalid_url_format", "invalid_url"].contains(&refused.code), "{format}");
    }
    let five = vec![url("http://a.example.com/{}"); 5];
    assert_eq!(Placed::new(name("{}"), five).unwrap_err().code, "too_many_urls");
}

#[test]
fn formats_that_can_give_one_name_are_told_apart() {
    for (one, other, meet) in [
        ("a-{}.crl", "a-{}.crl", true),
        ("a-{}.crl", "b-{}.crl", false),
        ("a-{}.crl", "a-{}.crt", false),
        // Version 11 of the one, version 1 of the other.
        ("a{}", "a1{}", true),
        ("a{}", "a{}1", true),
        ("a{}", "ab{}", false),
        ("a/{}", "a/{}/b", false),
        ("{}-0", "{}-{shard}", false),
        ("{}-4-0", "{}-{shard}", true),
        ("4-{}", "{shard}{}", true),
        ("{}-{shard}", "{shard}-{}", true),
        ("{}/{shard}", "7/{}-3", true),
        ("{}/{shard}", "{}/4-0", true),
    ] {
        // Some of these are no formats of their own; what counts is what they can give.
        let read = |text: &str| match text.contains("{}") {
            true => name(text),
            false => name(&format!("{text}{{}}")),
        };
        assert_eq!(read(one).may_meet(&read(other)), meet, "{one} {other}");
        assert_eq!(read(other).may_meet(&read(one)), meet, "{other} {one}");
    }
}

#[test]
fn what_formats_give_they_meet_at() {
    // Whatever two formats both give, `may_meet` has said so.
    let formats = ["a{}", "a1{}", "a{}-{shard}", "a{shard}{}", "a{}-1-{shard}", "a-{}", "{}a", "{}{shard}"];
    for one in formats {
        for other in formats {
            let names = |format: &str| -> std::collections::BTreeSet<String> {
                let mut names = std::collections::BTreeSet::new();
                for version in [1, 2, 11, 12, 111] {
                    for (shards, shard) in [(1, 0), (4, 1), (11, 1), (12, 11)] {
                        let shards = Shards::new(shards).unwrap();
                        names.insert(name(format).expand(version, shards, shard).to_string());
                    }
                }
                names
            };
            let common = names(one).intersection(&names(other)).next().cloned();
            assert!(common.is_none() || name(one).may_meet(&name(other)), "{one} {other} {common:?}");
        }
    }
}

#[test]
fn a_publication_does_not_overwrite_itself_or_others() {
    let (list, other) = (placed("a-{}.crl", &[]), placed("a-{}.der", &[]));
    let taken = |made: Result<Publication, Misplaced>| made.map(drop).map_err(|(kind, invalid)| (kind, invalid.code));
    let made = |delta, issuer| taken(Publication::new(target(), list.clone(), delta, issuer));
    assert_eq!(made(Some(list.clone()), None), Err((ObjectKind::Delta, "object_name_taken")));
    assert_eq!(made(None, Some(list.clone())), Err((ObjectKind::Issuer, "object_name_taken")));
    assert_eq!(made(Some(other.clone()), Some(other)), Err((ObjectKind::Issuer, "object_name_taken")));
    let cut = placed("ca-{}-{shard}.crt", &[]);
    assert_eq!(made(None, Some(cut)), Err((ObjectKind::Issuer, "invalid_object_name_format")));

    let (one, same) = (publication("a-{}.crl"), publication("a-{}.crl"));
    let (kind, invalid) = one.refuse_meeting(&same, false, "CA issuing").unwrap_err();
    assert_eq!(kind, ObjectKind::List);
    assert!(invalid.detail.contains("CA issuing"), "{}", invalid.detail);
    assert_eq!(one.refuse_meeting(&same, true, "an earlier publication"), Ok(()), "it goes on");
    let overlapping = publication("a-1{}.crl");
    assert!(one.refuse_meeting(&overlapping, true, "an earlier publication").is_err());
    let elsewhere = Publication::new(ResourceName::parse("other").unwrap(), list, None, None).unwrap();
    assert_eq!(one.refuse_meeting(&elsewhere, false, "CA issuing"), Ok(()), "another target");
}

#[test]
fn lists_that_are_cut_need_the_shard_in_every_format() {
    let four = Shards::new(4).unwrap();
    let with = |list, delta, issuer| Publication::new(target(), list, delta, issuer).unwrap();
    let cut = placed("a-{}-{shard}.crl", &["http://a.example.com/{}-{shard}"]);
    let fine =
        with(cut.clone(), Some(placed("d-{}-{shard}", &[])), Some(placed("ca-{}.crt", &["http://a.example.com/{}"])));
    assert_eq!(fine.fits(four), Ok(()));
    assert_eq!(fine.list_urls(&scope(4, 2, CrlKind::Full)), ["http://a.example.com/3-4-2"]);
    assert_eq!(fine.issuer_urls(3), ["http://a.example.com/3"]);
    assert_eq!(fine.issuer_object(3).unwrap().as_str(), "ca-3.crt");
    for (list, delta, kind) in [
        (placed("a-{}.crl", &[]), None, ObjectKind::List),
        (placed("a-{}-{shard}", &["http://a.example.com/{}"]), None, ObjectKind::List),
        (cut, Some(placed("d-{}", &[])), ObjectKind::Delta),
    ] {
        let publication = with(list, delta, None);
        assert_eq!(publication.fits(Shards::ONE), Ok(()));
        let (at, invalid) = publication.fits(four).unwrap_err();
        assert_eq!((at, invalid.code), (kind, "format_without_shard"));
        assert!(invalid.hint.contains("{shard}"));
    }
}

#[test]
fn attempts_go_on_for_ever_at_most_ten_minutes_apart() {
    let object =
        PublishedObject::of_list(&target(), name("{}").expand(3, Shards::ONE, 0), &scope(1, 0, CrlKind::Delta), at(0));
    assert_eq!((object.kind, object.scope()), (ObjectKind::Delta, Some(scope(1, 0, CrlKind::Delta))));
    let mut tried = object.clone();
    let mut pauses = Vec::new();
    for _ in 0..40 {
        tried = tried.claimed(at(0), at(120)).failed("no connection".to_owned(), at(1));
        pauses.push(tried.next_attempt_at.ms_since(at(1)) / 1000);
    }
    assert_eq!(pauses.get(..8).unwrap(), [5, 10, 20, 40, 80, 160, 320, 600]);
    assert_eq!((pauses.last(), tried.failures), (Some(&600), 40));
    let written = tried.claimed(at(9), at(129)).written("crl_1".to_owned(), Some(7), at(10));
    assert_eq!((written.failures, written.last_error, written.published_at), (0, None, Some(at(10))));
    assert_eq!((written.number, written.next_attempt_at), (Some(7), at(10)));
    let issuer = PublishedObject::of_issuer(&target(), name("{}").expand(1, Shards::ONE, 0), &ca_id(), 1, at(0));
    assert_eq!(issuer.scope(), None);
}

#[test]
fn copies_are_not_kept_beyond_the_list() {
    assert_eq!(keep_for(at(0), at(604_800)), Span::from_minutes(5));
    assert_eq!(keep_for(at(0), at(300)), Span::from_s(30));
    assert_eq!(keep_for(at(10), at(0)), Span::ZERO);
}
