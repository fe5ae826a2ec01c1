//! http-01: HT3 and HT4.

use crate::kit::{Dns, PROOF, Web, ip, look, page, redirect, settings, validation};
use crate::tls_alpn::{certified, tls_server};
use certwright_domain::acme::{Failure, FailureKind, Method};
use certwright_validation::dns::Servers;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const LOOPBACK: &[&str] = &["127.0.0.1/32"];

async fn dns() -> Dns {
    Dns::with(vec![("www.example.com", ip("127.0.0.1")), ("other.example.com", ip("127.0.0.1"))]).await
}

async fn looked(web: &Web) -> Result<(), Failure> {
    let dns = dns().await;
    let validation = validation(settings(web.port, LOOPBACK), Servers::new(vec![dns.address]));
    look(&validation, Method::Http01, "www.example.com").await
}

/// Whoever asks for the challenge is sent there; anything else is the proof.
async fn sending(location: &str) -> Web {
    let location = location.to_owned();
    let challenge = |head: &str| head.contains(" /.well-known/") && head.to_ascii_lowercase().contains("host: www.");
    Web::new(move |head| if challenge(head) { redirect(&location) } else { page("200 OK", PROOF) }).await
}

#[tokio::test]
async fn ht3_redirects_lead_to_other_paths_and_hosts_on_the_two_ports() {
    for (location, host, target) in [
        ("/proof?a=b", "www.example.com", "/proof?a=b"),
        ("http://other.example.com/proof", "other.example.com", "/proof"),
        ("http://other.example.com:80/proof", "other.example.com", "/proof"),
        ("HTTP://OTHER.example.com/proof#part", "other.example.com", "/proof"),
        ("//other.example.com/proof", "other.example.com", "/proof"),
        ("http://other.example.com", "other.example.com", "/"),
        ("http://127.0.0.1/proof", "127.0.0.1", "/proof"),
        ("../proof", "www.example.com", "/.well-known/acme-challenge/../proof"),
    ] {
        let web = sending(location).await;
        let outcome = looked(&web).await;
        let heads = web.heads();
        if location.starts_with("..") {
            // It is asked for as it stands; this server sends whoever comes from there on again.
            assert_eq!(outcome.unwrap_err().kind, FailureKind::IncorrectResponse);
        } else {
            assert_eq!(outcome, Ok(()), "{location}");
        }
        assert!(heads[1].starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{}", heads[1]);
        assert!(heads[1].contains(&format!("host: {host}:{}\r\n", web.port)), "{}", heads[1]);
    }
}

#[tokio::test]
async fn ht3_other_ports_schemes_and_user_information_are_refused() {
    let long = format!("http://other.example.com/{}", "a".repeat(2_000));
    let longer = format!("http://other.example.com/{}", "a".repeat(4_000));
    for (location, word) in [
        ("http://other.example.com:8080/", "port 8080"),
        ("http://other.example.com:22/", "port 22"),
        ("https://other.example.com:8443/", "port 8443"),
        ("http://other.example.com:0/", "not an http or https URL"),
        ("http://other.example.com:/", "not an http or https URL"),
        ("ftp://other.example.com/", "not an http or https URL"),
        ("file:///etc/passwd", "not an http or https URL"),
        ("gopher://other.example.com/", "not an http or https URL"),
        ("javascript:alert(1)", "something else than http and https"),
        ("http://user@other.example.com/", "not an http or https URL"),
        ("http://user:password@other.example.com/", "not an http or https URL"),
        ("http:///proof", "not an http or https URL"),
        ("http://[fe80::1%25eth0]/", "not an http or https URL"),
        ("http://other.example.com\\@example.net/", "not an http or https URL"),
        (long.as_str(), "too long"),
        (longer.as_str(), "not an http or https URL"),
    ] {
        let web = sending(location).await;
        let failure = looked(&web).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::IncorrectResponse, "{location}");
        assert!(failure.detail.contains(word), "{location}: {failure:?}");
        assert_eq!(web.hits(), 1, "{location}");
    }
}

#[tokio::test]
async fn ht3_circles_are_refused_and_ten_redirects_are_followed() {
    let circle = Web::new(|head| redirect(if head.contains(" /a ") { "/b" } else { "/a" })).await;
    let failure = looked(&circle).await.unwrap_err();
    assert!(failure.detail.contains("in a circle"), "{failure:?}");
    assert_eq!(circle.hits(), 3);
    for (most, expected) in [(10_usize, true), (11, false)] {
        // Hop n leads to hop n + 1; the last one has the proof.
        let web = Web::new(move |head| {
            let hop: usize =
                head.split_once("/hop/").map_or(0, |(_, rest)| rest.split(' ').next().unwrap().parse().unwrap());
            if hop == most { page("200 OK", PROOF) } else { redirect(&format!("/hop/{}", hop.saturating_add(1))) }
        })
        .await;
        let outcome = looked(&web).await;
        assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
        assert_eq!(web.hits(), 11, "never more than ten redirects");
    }
}

#[tokio::test]
async fn ht4_the_certificate_of_an_https_target_is_not_verified() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls_port = listener.local_addr().unwrap().port();
    // For another name, by itself, and with a key that is not even its own.
    let acceptor = tls_server(certified("plain", "other"), &[b"http/1.1"], rustls::DEFAULT_VERSIONS);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(&page("200 OK", PROOF)).await.unwrap();
        String::from_utf8(request[..length].to_vec()).unwrap()
    });
    let web = sending("https://www.example.com/proof").await;
    let mut settings = settings(web.port, LOOPBACK);
    settings.tls_port = tls_port;
    let dns = Arc::new(dns().await);
    let validation = validation(settings, Servers::new(vec![dns.address]));
    assert_eq!(look(&validation, Method::Http01, "www.example.com").await, Ok(()));
    let request = server.await.unwrap();
    assert!(request.starts_with("GET /proof HTTP/1.1\r\n"), "{request}");

    // Somebody who does not speak TLS there.
    let plain = Web::new(|_| page("200 OK", PROOF)).await;
    let web = sending(&format!("https://www.example.com:{}/proof", plain.port)).await;
    let mut settings = crate::kit::settings(web.port, LOOPBACK);
    settings.tls_port = plain.port;
    settings.limits.connect = std::time::Duration::from_millis(300);
    let validation = crate::kit::validation(settings, Servers::new(vec![dns.address]));
    assert_eq!(look(&validation, Method::Http01, "www.example.com").await.unwrap_err().kind, FailureKind::Tls);
}
