//! http-01: HT1, HT2, HT5, HT8, HT9, IP2, H10.

use crate::kit::{Dns, PROOF, Said, TOKEN, Web, head, ip, look, page, settings, validation};
use certwright_domain::acme::{Failure, FailureKind, Method};
use certwright_validation::dns::Servers;
use certwright_validation::{Limits, Settings};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

const LOOPBACK: &[&str] = &["127.0.0.1/32", "::1/128"];

async fn looked(settings: Settings) -> Result<(), Failure> {
    let dns = Dns::with(vec![("www.example.com", ip("127.0.0.1"))]).await;
    look(&validation(settings, Servers::new(vec![dns.address])), Method::Http01, "www.example.com").await
}

async fn answered(answer: Vec<u8>) -> Result<(), Failure> {
    let web = Web::new(move |_| answer.clone()).await;
    looked(settings(web.port, LOOPBACK)).await
}

#[tokio::test]
async fn ht1_the_file_is_asked_for_at_its_place_under_the_name() {
    let web = Web::new(|_| page("200 OK", PROOF)).await;
    assert_eq!(looked(settings(web.port, LOOPBACK)).await, Ok(()));
    let heads = web.heads();
    let head = heads[0].to_ascii_lowercase();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with(&format!("GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1\r\n")), "{}", heads[0]);
    assert!(head.contains(&format!("\r\nhost: www.example.com:{}\r\n", web.port)), "{head}");
    assert!(head.contains("\r\nuser-agent: certwright-test\r\n"), "{head}");
}

#[tokio::test]
async fn ht2_white_space_may_follow_and_nothing_else() {
    for (body, expected) in [
        (PROOF.to_owned(), true),
        (format!("{PROOF}\n"), true),
        (format!("{PROOF}\r\n \t\n"), true),
        (format!(" {PROOF}"), false),
        (format!("{PROOF}\nx"), false),
        (format!("{PROOF}x"), false),
        (PROOF.to_uppercase(), false),
        (TOKEN.to_owned(), false),
        ("SECRET".to_owned(), false),
        (String::new(), false),
    ] {
        let outcome = answered(page("200 OK", &body)).await;
        assert_eq!(outcome.is_ok(), expected, "{body:?}");
        assert!(outcome.is_ok() || outcome.unwrap_err().kind == FailureKind::Unauthorized, "{body:?}");
    }
}

#[tokio::test]
async fn h10_failures_say_what_was_asked_of_whom_and_what_kind_of_thing_was_seen() {
    for (answer, kind, word) in [
        (page("404 Not Found", "SECRET"), FailureKind::Unauthorized, "status 404"),
        (page("500 SECRET", "SECRET"), FailureKind::Unauthorized, "status 500"),
        (page("204 No Content", ""), FailureKind::Unauthorized, "status 204"),
        (page("304 Not Modified", ""), FailureKind::Unauthorized, "status 304"),
        (page("301 Moved", "SECRET"), FailureKind::IncorrectResponse, "leads nowhere"),
        (b"SSH-2.0-SECRET\r\n".to_vec(), FailureKind::IncorrectResponse, "did not answer in HTTP"),
        (page("200 OK", "SECRET"), FailureKind::Unauthorized, "something else"),
    ] {
        let failure = answered(answer).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure:?}");
        assert!(failure.detail.contains(word), "{failure:?}");
        assert!(failure.detail.contains("www.example.com") && failure.detail.contains("127.0.0.1:"), "{failure:?}");
    }
}

#[tokio::test]
async fn ht5_bodies_are_cut_off_at_a_few_bytes() {
    let failure = answered(page("200 OK", &format!("{PROOF}{}", " ".repeat(129)))).await.unwrap_err();
    assert!(failure.detail.contains("more than 162 bytes"), "{failure:?}");
    assert_eq!(answered(page("200 OK", &format!("{PROOF}{}", " ".repeat(128)))).await, Ok(()));
}

/// Writes the beginning, then the same again and again until the other side hangs up; the bytes that went.
async fn endless(begin: &'static [u8], again: Vec<u8>) -> (Result<(), Failure>, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(begin).await.unwrap();
        let mut sent = 0_usize;
        while stream.write_all(&again).await.is_ok() {
            sent = sent.saturating_add(again.len());
        }
        sent
    });
    let mut settings = settings(port, LOOPBACK);
    // What no other bound ends (interim answers without end) this one does.
    settings.limits.answer = Duration::from_millis(500);
    (looked(settings).await, server.await.unwrap())
}

#[tokio::test]
async fn ht5_a_gigabyte_and_endless_heads_are_not_read() {
    const GIGABYTE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let most = 64 << 20;
    let (outcome, sent) = endless(GIGABYTE, vec![b'a'; 1 << 16]).await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Unauthorized);
    assert!(sent < most, "{sent}");
    let (outcome, sent) = endless(CHUNKED, b"1\r\na\r\n".to_vec()).await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Unauthorized);
    assert!(sent < most, "{sent}");
    for again in [b"x: y\r\n".to_vec(), vec![b'a'; 1 << 10]] {
        let (outcome, sent) = endless(b"HTTP/1.1 200 OK\r\n", again).await;
        assert_eq!(outcome.unwrap_err().kind, FailureKind::IncorrectResponse);
        assert!(sent < most, "{sent}");
    }
    let (outcome, _) = endless(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()).await;
    assert!(outcome.is_err());
}

#[tokio::test]
async fn ht5_who_stops_in_the_middle_is_left() {
    let soon = Duration::from_millis(200);
    for (answer, word) in [
        (&b""[..], "did not answer within"),
        (b"HTTP/1.1 20", "did not answer within"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 34\r\n\r\ntok-en", "did not finish its answer"),
    ] {
        let web = Web::new(move |_| answer.to_vec()).await;
        let mut settings = settings(web.port, LOOPBACK);
        // Were there no bound on the answer, that on the whole would speak.
        settings.limits = Limits { answer: soon, attempt: Duration::from_secs(5), ..settings.limits };
        let failure = looked(settings).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Connection, "{failure:?}");
        assert!(failure.detail.contains(word), "{failure:?}");
    }
    let web = Web::new(|_| Vec::new()).await;
    let mut whole = settings(web.port, LOOPBACK);
    whole.limits = Limits { attempt: soon, ..whole.limits };
    let failure = looked(whole).await.unwrap_err();
    assert!(failure.kind == FailureKind::Connection && failure.detail.contains("took longer"), "{failure:?}");
}

#[tokio::test]
async fn ht8_ipv6_comes_first_then_ipv4_and_both_are_named() {
    let dns = Dns::with(vec![("www.example.com", ip("::1")), ("www.example.com", ip("127.0.0.1"))]).await;
    // Nobody listens on IPv6.
    let web = Web::new(|_| page("200 OK", PROOF)).await;
    let here = validation(settings(web.port, LOOPBACK), Servers::new(vec![dns.address]));
    assert_eq!(look(&here, Method::Http01, "www.example.com").await, Ok(()));
    let wrong = Web::new(|_| page("404 Not Found", "SECRET")).await;
    let there = validation(settings(wrong.port, LOOPBACK), Servers::new(vec![dns.address]));
    let failure = look(&there, Method::Http01, "www.example.com").await.unwrap_err();
    let (six, four) = (format!("[::1]:{}", wrong.port), format!("127.0.0.1:{}", wrong.port));
    assert!(failure.detail.contains(&six) && failure.detail.contains(&four), "{failure:?}");
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let nowhere = validation(settings(port, LOOPBACK), Servers::new(vec![dns.address]));
    let failure = look(&nowhere, Method::Http01, "www.example.com").await.unwrap_err();
    let (six, four) = (failure.detail.find("[::1]:").unwrap(), failure.detail.find("127.0.0.1:").unwrap());
    assert!(failure.kind == FailureKind::Connection && six < four, "{failure:?}");
}

/// One of the two look-ups may fail; the failure says so.
#[tokio::test]
async fn ht8_aaaa_that_cannot_be_looked_up_does_not_stand_in_the_way_of_a() {
    let dns = Dns::answering(|name, kind, _| match kind {
        RecordType::A => Said::Records(vec![(name.to_owned(), ip("127.0.0.1"))]),
        _ => Said::Code(ResponseCode::ServFail),
    })
    .await;
    for (status, expected) in [("200 OK", true), ("404 Not Found", false)] {
        let web = Web::new(move |_| page(status, PROOF)).await;
        let here = validation(settings(web.port, LOOPBACK), Servers::new(vec![dns.address]));
        let outcome = look(&here, Method::Http01, "www.example.com").await;
        assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
        assert!(expected || outcome.unwrap_err().detail.contains("AAAA records: the DNS server answered SERVFAIL"));
    }
}

#[tokio::test]
async fn ip2_addresses_stand_in_host_as_they_are_with_ipv6_in_brackets() {
    let dns = Dns::with(vec![]).await;
    let web = Web::new(|_| page("200 OK", PROOF)).await;
    let here = validation(settings(web.port, LOOPBACK), Servers::new(vec![dns.address]));
    assert_eq!(look(&here, Method::Http01, "127.0.0.1").await, Ok(()));
    assert!(web.heads()[0].contains(&format!("host: 127.0.0.1:{}\r\n", web.port)), "{}", web.heads()[0]);
    // Machines without IPv6 cannot be asked over it.
    if let Some(web) = Web::at("[::1]:0", |_| page("200 OK", PROOF)).await {
        let here = validation(settings(web.port, LOOPBACK), Servers::new(vec![dns.address]));
        assert_eq!(look(&here, Method::Http01, "::1").await, Ok(()));
        assert!(web.heads()[0].contains(&format!("host: [::1]:{}\r\n", web.port)), "{}", web.heads()[0]);
    }
    assert!(dns.asked().is_empty(), "an address is not looked up");
}

#[tokio::test]
async fn h10_a_name_without_address_is_dns() {
    let dns = Dns::with(vec![]).await;
    let here = validation(settings(80, LOOPBACK), Servers::new(vec![dns.address]));
    let failure = look(&here, Method::Http01, "www.example.com").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Dns);
    assert!(failure.detail.contains("NXDOMAIN") && failure.detail.contains("AAAA and A"), "{failure:?}");
}

/// Attempts beyond the limit wait for their turn, and not for longer than an attempt takes.
#[tokio::test]
async fn ht5_attempts_at_a_time_are_bounded() {
    let dns = Dns::with(vec![("www.example.com", ip("127.0.0.1"))]).await;
    let web = Web::new(|_| Vec::new()).await;
    let mut settings = settings(web.port, LOOPBACK);
    settings.limits = Limits { concurrent: 1, attempt: Duration::from_millis(300), ..settings.limits };
    let validation = validation(settings, Servers::new(vec![dns.address]));
    let one = || look(&validation, Method::Http01, "www.example.com");
    let (first, second, third) = tokio::join!(one(), one(), one());
    assert!(
        [first, second, third].iter().all(|outcome| outcome.as_ref().is_err_and(|f| f.detail.contains("took longer")))
    );
    assert_eq!(web.hits(), 1, "the others never had their turn");
}
