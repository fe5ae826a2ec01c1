//! Where we do not go: HT6, HT7, IP3, A12, A13.

use crate::kit::{Dns, PROOF, Said, Web, fqdn, ip, look, page, redirect, settings, validation};
use certwright_app::{ChallengeCheck, Validator as _};
use certwright_domain::acme::{FailureKind, Method};
use certwright_domain::san::San;
use certwright_validation::dns::Servers;
use hickory_proto::rr::RecordType;
use std::net::SocketAddr;

/// 127.0.0.1 is what may be connected to, 127.0.0.2 stands for everything that may not.
const ONE: &[&str] = &["127.0.0.1/32"];

/// A server that has the proof and must never be asked.
async fn canary(port: u16) -> Web {
    Web::at(&format!("127.0.0.2:{port}"), |_| page("200 OK", PROOF)).await.unwrap()
}

/// A12: redirects to forty places inside.
#[tokio::test]
async fn ht6_redirects_to_the_inside_are_refused_and_nobody_there_is_asked() {
    let targets = [
        "127.0.0.2",
        "127.0.0.2:80",
        "127.1.2.3",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "[::127.0.0.2]",
        "[64:ff9b::127.0.0.2]",
        "[2002:7f00:2::1]",
        "[::1]",
        "[::]",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "169.254.170.2",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "10.0.0.1",
        "10.255.255.254",
        "172.16.0.1",
        "172.31.255.254",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "inside.example.com",
        "metadata.example.com",
        "mapped.example.com",
        "2130706434",
        "0x7f000002",
        "0177.0.0.2",
        "127.2",
    ];
    assert!(targets.len() >= 40);
    for target in targets {
        let location = format!("http://{target}/latest/meta-data");
        let web = Web::new(move |_| redirect(&location)).await;
        let canary = canary(web.port).await;
        let dns = Dns::with(vec![
            ("www.example.com", ip("127.0.0.1")),
            ("inside.example.com", ip("127.0.0.2")),
            ("metadata.example.com", ip("169.254.169.254")),
            ("mapped.example.com", ip("::ffff:127.0.0.2")),
        ])
        .await;
        let validation = validation(settings(web.port, ONE), Servers::new(vec![dns.address]));
        let failure = look(&validation, Method::Http01, "www.example.com").await.unwrap_err();
        assert_eq!((web.hits(), canary.hits()), (1, 0), "{target}");
        assert!(failure.kind != FailureKind::Unauthorized, "{target}: {failure:?}");
        if target.ends_with("example.com") {
            assert!(!failure.detail.contains("127.0.0.2") && !failure.detail.contains("169.254"), "A13: {failure:?}");
        }
    }
}

/// A13: the first answer passes, a second one would not; there is one look-up for each family, and no second.
#[tokio::test]
async fn ht6_an_answer_that_flips_is_not_asked_for_twice() {
    let web = Web::new(|_| page("200 OK", PROOF)).await;
    let canary = canary(web.port).await;
    let dns = Dns::answering(|name, kind, before| {
        let address = if before == 0 { "127.0.0.1" } else { "127.0.0.2" };
        Said::Records(if kind == RecordType::A { vec![(name.to_owned(), ip(address))] } else { Vec::new() })
    })
    .await;
    let validation = validation(settings(web.port, ONE), Servers::new(vec![dns.address]));
    assert_eq!(look(&validation, Method::Http01, "www.example.com").await, Ok(()));
    assert_eq!((web.hits(), canary.hits(), dns.asked().len()), (1, 0, 2));
    // The next attempt sees the other answer, and refuses it.
    let failure = look(&validation, Method::Http01, "www.example.com").await.unwrap_err();
    assert!(failure.detail.contains("does not connect") && failure.detail.contains("loopback"), "{failure:?}");
    assert_eq!((web.hits(), canary.hits()), (1, 0));
}

/// Of public and private addresses together those count that are permitted; the connection goes to one of them.
#[tokio::test]
async fn ht6_each_address_is_judged_for_itself() {
    let web = Web::new(|_| page("200 OK", PROOF)).await;
    let canary = canary(web.port).await;
    let both = ["::ffff:127.0.0.2", "fe80::1", "127.0.0.2", "127.0.0.1", "10.0.0.1"];
    let dns = Dns::with(both.iter().map(|address| ("www.example.com", ip(address))).collect()).await;
    let here = validation(settings(web.port, ONE), Servers::new(vec![dns.address]));
    assert_eq!(look(&here, Method::Http01, "www.example.com").await, Ok(()));
    assert_eq!((web.hits(), canary.hits()), (1, 0));
    let nowhere = validation(settings(web.port, &[]), Servers::new(vec![dns.address]));
    let failure = look(&nowhere, Method::Http01, "www.example.com").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connection);
    for address in both {
        assert!(!failure.detail.contains(address), "A13: {failure:?}");
    }
    assert_eq!((web.hits(), canary.hits()), (1, 0));
}

/// IP3: an address that is itself the identifier is judged as any other, in http-01 and in tls-alpn-01.
#[tokio::test]
async fn ip3_identifiers_that_are_addresses_are_judged() {
    let web = Web::new(|_| page("200 OK", PROOF)).await;
    let canary = canary(web.port).await;
    let dns = Dns::with(vec![]).await;
    let validation = validation(settings(web.port, ONE), Servers::new(vec![dns.address]));
    for method in [Method::Http01, Method::TlsAlpn01] {
        for address in ["127.0.0.2", "::ffff:127.0.0.2", "169.254.169.254", "::1", "10.0.0.1"] {
            let failure = look(&validation, method, address).await.unwrap_err();
            assert!(failure.detail.contains("does not connect"), "{failure:?}");
        }
    }
    assert_eq!((web.hits(), canary.hits()), (0, 0));
}

/// What the directory allows counts beside what the server allows.
#[tokio::test]
async fn ht6_a_directory_allows_ranges_of_its_own() {
    let web = Web::new(|_| page("200 OK", PROOF)).await;
    let canary = canary(web.port).await;
    let dns = Dns::with(vec![("www.example.com", ip("127.0.0.2"))]).await;
    let validation = validation(settings(web.port, ONE), Servers::new(vec![dns.address]));
    let identifier = San::parse("www.example.com").unwrap();
    for (allowed, expected) in
        [(vec!["127.0.0.2/32".parse().unwrap()], true), (vec!["127.0.0.3/32".parse().unwrap()], false)]
    {
        let check = ChallengeCheck {
            method: Method::Http01,
            identifier: &identifier,
            token: "t",
            key_authorization: PROOF,
            allowed: &allowed,
        };
        assert_eq!(validation.validate(&check).await.is_ok(), expected);
    }
    assert_eq!((web.hits(), canary.hits()), (0, 1));
}

/// A12: what nobody can allow is not connected to through a wide range of the server or of the directory, in any form; nor is
/// loopback, which is allowed by its own name alone.
#[tokio::test]
async fn a12_wide_ranges_open_no_way_to_what_is_never_allowed() {
    let (web, dns) = (Web::new(|_| page("200 OK", PROOF)).await, Dns::with(vec![]).await);
    let canary = canary(web.port).await;
    let wide = ["0.0.0.0/0", "::/0", "169.254.0.0/16", "fe80::/10", "0.0.0.0/8", "224.0.0.0/4", "64:ff9b::/96"];
    let allowed: Vec<ipnet::IpNet> = wide.iter().map(|range| range.parse().unwrap()).collect();
    let of_server = validation(settings(web.port, &["0.0.0.0/0", "::/0"]), Servers::new(vec![dns.address]));
    let of_directory = validation(settings(web.port, &[]), Servers::new(vec![dns.address]));
    for address in [
        "127.0.0.1",
        "127.0.0.2",
        "::ffff:127.0.0.2",
        "64:ff9b::127.0.0.2",
        // On Linux this is 127.0.0.1.
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "fe80::1",
        "fd00:ec2::254",
        "224.0.0.1",
        "ff02::1",
    ] {
        let identifier = San::parse(address).unwrap();
        let (token, key_authorization) = ("t", PROOF);
        for (validation, allowed) in [(&of_server, &[][..]), (&of_directory, &allowed)] {
            for method in [Method::Http01, Method::TlsAlpn01] {
                let check = ChallengeCheck { method, identifier: &identifier, token, key_authorization, allowed };
                let failure = validation.validate(&check).await.unwrap_err();
                assert!(failure.detail.contains("does not connect"), "{address}: {failure:?}");
            }
        }
    }
    assert_eq!((web.hits(), canary.hits()), (0, 0));
}

/// Listeners of this very server are nobody's to talk to through us, however they are written.
#[tokio::test]
async fn ht6_our_own_listeners_are_not_connected_to() {
    let web = Web::new(|_| page("200 OK", PROOF)).await;
    let dns = Dns::with(vec![("www.example.com", ip("127.0.0.1"))]).await;
    for (own, expected) in [
        (SocketAddr::from(([127, 0, 0, 1], web.port)), false),
        (SocketAddr::from(([0, 0, 0, 0], web.port)), false),
        (SocketAddr::from(([127, 0, 0, 3], web.port)), true),
        (SocketAddr::from(([127, 0, 0, 1], web.port ^ 1)), true),
    ] {
        let mut settings = settings(web.port, ONE);
        settings.own = vec![own];
        let before = web.hits();
        let outcome =
            look(&validation(settings, Servers::new(vec![dns.address])), Method::Http01, "www.example.com").await;
        assert_eq!(outcome.is_ok(), expected, "{own}: {outcome:?}");
        assert_eq!(web.hits().saturating_sub(before), usize::from(expected), "{own}");
    }
    assert_eq!(dns.asked()[0].0, fqdn("www.example.com"));
}
