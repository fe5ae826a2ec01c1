//! The guard before real sockets on loopback.

use super::*;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers with one list after the other, the last one for ever, and counts.
struct Scripted {
    answers: Vec<Vec<&'static str>>,
    asked: AtomicUsize,
    names: Mutex<Vec<String>>,
}

impl Scripted {
    fn new(answers: &[&[&'static str]]) -> Arc<Self> {
        let answers = answers.iter().map(|list| list.to_vec()).collect();
        Arc::new(Self { answers, asked: AtomicUsize::new(0), names: Mutex::default() })
    }
}

#[async_trait]
impl Resolve for Scripted {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        self.names.lock().unwrap().push(name.to_owned());
        Ok(self.answers[number].iter().map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect())
    }
}

/// Never answers.
struct Silent;

#[async_trait]
impl Resolve for Silent {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        std::future::pending().await
    }
}

fn guarded(allowed: &[&str], resolver: Arc<dyn Resolve>) -> Guarded {
    let rules = EgressRules::parse(allowed.iter().copied()).unwrap();
    Guarded::new(rules, resolver, Arc::new(Trust::nobody().unwrap()))
}

fn url(text: impl AsRef<str>) -> HttpUrl {
    HttpUrl::parse(text.as_ref()).unwrap()
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Takes one request and answers these bytes; what it got.
fn answering(listener: TcpListener, answer: impl Into<Vec<u8>>) -> JoinHandle<String> {
    let answer = answer.into();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        while !(got.ends_with(b"END") || got.starts_with(b"GET") && got.ends_with(b"\r\n\r\n")) {
            let mut chunk = [0; 1024];
            match stream.read(&mut chunk).await {
                Ok(count) if count > 0 => got.extend_from_slice(&chunk[..count]),
                _ => break,
            }
        }
        let _ = stream.write_all(&answer).await;
        String::from_utf8(got).unwrap()
    })
}

async fn was_connected(listener: &TcpListener) -> bool {
    timeout(Duration::ZERO, listener.accept()).await.is_ok()
}

async fn post(guarded: &Guarded, to: &str) -> Result<OutboundAnswer, OutboundError> {
    guarded.post(&url(to), &[("webhook-id", "event_1".to_owned())], b"the END".to_vec()).await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_meant() {
    let (socket, port) = listener().await;
    let receiver = answering(socket, "HTTP/1.1 204 No Content\r\n\r\n");
    let resolver = Scripted::new(&[&["127.0.0.1"]]);
    let answer = post(&guarded(&["127.0.0.0/8"], resolver), &format!("http://hooks.example.com:{port}/a?b=c")).await;
    assert_eq!(answer, Ok(OutboundAnswer { status: 204, retry_after: None }));
    let got = receiver.await.unwrap().to_ascii_lowercase();
    assert!(got.starts_with("post /a?b=c http/1.1\r\n"), "{got}");
    for line in
        [&format!("host: hooks.example.com:{port}"), "webhook-id: event_1", "content-length: 7", "connection: close"]
    {
        assert!(got.contains(&format!("\r\n{line}\r\n")), "{line}: {got}");
    }
    assert!(got.ends_with("\r\n\r\nthe end"), "{got}");
}

#[tokio::test]
async fn special_addresses_are_not_connected_to_however_they_are_written() {
    let (canary, port) = listener().await;
    for (host, addresses) in [
        ("127.0.0.1", &["8.8.8.8"][..]),
        ("[::ffff:127.0.0.1]", &["8.8.8.8"]),
        ("[::1]", &["8.8.8.8"]),
        ("localhost", &["127.0.0.1"]),
        ("inside.example.com", &["::ffff:127.0.0.1"]),
        ("inside.example.com", &["64:ff9b::7f00:1"]),
        ("inside.example.com", &["2002:7f00:1::"]),
        ("inside.example.com", &["8.8.8.8", "127.0.0.1"]),
        ("metadata.example.com", &["169.254.169.254"]),
        ("everywhere.example.com", &["0.0.0.0"]),
    ] {
        let guarded = guarded(&[], Scripted::new(&[addresses]));
        let answer = post(&guarded, &format!("http://{host}:{port}/")).await;
        assert!(matches!(answer, Err(OutboundError::Denied(_))), "{host} {addresses:?}: {answer:?}");
        let by_address = matches!(url(format!("http://{host}/")).host(), Host::Ip(_));
        assert_eq!(guarded.check(&url(format!("https://{host}/"))).is_err(), by_address, "{host}: told early");
    }
    for address in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.254",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        // By name, and beside an address that would pass.
        for answers in [vec![address], vec!["8.8.8.8", address]] {
            let guarded = guarded(&[], Scripted::new(&[&answers]));
            let answer = post(&guarded, &format!("http://inside.example.com:{port}/")).await;
            assert!(matches!(answer, Err(OutboundError::Denied(_))), "{answers:?}: {answer:?}");
        }
    }
    assert!(!was_connected(&canary).await);
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_what_was_judged_is_connected_to() {
    let (socket, port) = listener().await;
    let canary = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let receiver = answering(socket, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let resolver = Scripted::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let guarded = guarded(&["127.0.0.1/32"], resolver.clone());
    let answer = post(&guarded, &format!("http://flips.example.com:{port}/")).await;
    assert_eq!(answer.unwrap().status, 200);
    assert!(receiver.await.unwrap().contains("the END"));
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    // The next request is judged anew.
    let answer = post(&guarded, &format!("http://flips.example.com:{port}/")).await;
    assert!(matches!(answer, Err(OutboundError::Denied(_))), "{answer:?}");
    assert_eq!(*resolver.names.lock().unwrap(), ["flips.example.com"; 2]);
    assert!(!was_connected(&canary).await);
}

#[tokio::test]
async fn redirects_are_not_followed_and_bodies_not_kept() {
    let (canary, inside) = listener().await;
    let (socket, port) = listener().await;
    let receiver = answering(socket, format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inside}/\r\n\r\n"));
    let guarded = guarded(&["127.0.0.0/8"], Scripted::new(&[&["127.0.0.1"]]));
    assert_eq!(post(&guarded, &format!("http://127.0.0.1:{port}/")).await.unwrap().status, 302);
    receiver.await.unwrap();
    assert!(!was_connected(&canary).await);

    let (socket, port) = listener().await;
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 1 << 20]].concat();
    let receiver = answering(socket, endless);
    assert_eq!(post(&guarded, &format!("http://127.0.0.1:{port}/")).await.unwrap().status, 200);
    receiver.await.unwrap();
}

#[tokio::test]
async fn documents_are_fetched_up_to_their_limit_and_through_the_guard() {
    let guarded = guarded(&["127.0.0.0/8"], Scripted::new(&[&["127.0.0.1"], &["127.0.0.1"], &["10.0.0.1"]]));
    let answer = |most, head: &'static str, body: usize| {
        let guarded = &guarded;
        async move {
            let (socket, port) = listener().await;
            let bytes = [format!("HTTP/1.1 {head}\r\n\r\n").into_bytes(), vec![b'x'; body]].concat();
            let receiver = answering(socket, bytes);
            let fetched = guarded.get(&url(format!("http://127.0.0.1:{port}/keys?a")), most).await;
            (fetched, receiver.await.unwrap().to_ascii_lowercase())
        }
    };
    let (fetched, got) = answer(100, "200 OK\r\ncache-control: public, Max-Age=600, x", 100).await;
    let expected = Fetched { status: 200, max_age: Some(Span::from_s(600)), body: vec![b'x'; 100] };
    assert_eq!(fetched, Ok(expected));
    assert!(got.starts_with("get /keys?a http/1.1\r\n") && got.contains("\r\naccept: application/json\r\n"), "{got}");
    assert_eq!(answer(100, "200 OK", 101).await.0, Err(OutboundError::Malformed));
    // A redirect is an answer, and nobody goes there.
    let (canary, inside) = listener().await;
    let (socket, port) = listener().await;
    let moved = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n");
    let receiver = answering(socket, moved);
    assert_eq!(guarded.get(&url(format!("http://127.0.0.1:{port}/")), 100).await.unwrap().status, 302);
    receiver.await.unwrap();
    for host in ["10.0.0.1", "[::1]", "169.254.169.254"] {
        let fetched = guarded.get(&url(format!("http://{host}:{inside}/")), 100).await;
        assert!(matches!(fetched, Err(OutboundError::Denied(_))), "{host}: {fetched:?}");
    }
    assert!(!was_connected(&canary).await);
}

#[tokio::test]
async fn the_wish_to_wait_is_read_where_it_is_a_number() {
    let guarded = guarded(&["127.0.0.0/8"], Arc::new(Silent));
    for (line, expected) in [
        ("retry-after: 120", Some(120)),
        ("retry-after: 4294967296", None),
        ("retry-after: -1", None),
        ("retry-after: Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("x: y", None),
    ] {
        let (socket, port) = listener().await;
        let receiver = answering(socket, format!("HTTP/1.1 503 No\r\n{line}\r\ncontent-length: 0\r\n\r\n"));
        let answer = post(&guarded, &format!("http://127.0.0.1:{port}/")).await.unwrap();
        assert_eq!((answer.status, answer.retry_after), (503, expected.map(Span::from_s)), "{line}");
        receiver.await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_http_is_an_error_of_its_own() {
    let guarded = guarded(&["127.0.0.0/8"], Arc::new(Silent));
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(64 << 10));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200));
    for answer in ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200", long.as_str(), many.as_str()] {
        let (socket, port) = listener().await;
        let receiver = answering(socket, answer);
        let outcome = post(&guarded, &format!("http://127.0.0.1:{port}/")).await;
        assert_eq!(outcome, Err(OutboundError::Malformed), "{answer:.40}");
        receiver.await.unwrap();
    }
    let (socket, port) = listener().await;
    drop(socket);
    assert_eq!(post(&guarded, &format!("http://127.0.0.1:{port}/")).await, Err(OutboundError::Unreachable));
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_does_not_answer_takes_ten_seconds_at_most() {
    let guarded = guarded(&[], Arc::new(Silent));
    let started = tokio::time::Instant::now();
    assert_eq!(post(&guarded, "https://hooks.example.com/").await, Err(OutboundError::Timeout));
    assert_eq!(started.elapsed().as_secs(), 10);
    let nobody = self::guarded(&[], Scripted::new(&[&[]]));
    assert_eq!(post(&nobody, "https://hooks.example.com/").await, Err(OutboundError::Unresolvable));
}

/// Takes one connection with TLS for `localhost` and answers 200.
async fn tls_receiver(socket: TcpListener) {
    let home = tempfile::tempdir().unwrap();
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let (certificate, key) = (data.join("one.pem"), home.path().join("one.key"));
    std::fs::copy(data.join("one.key"), &key).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let hot = crate::tls::HotCertificate::new(crate::tls::from_files(&certificate, &key).unwrap());
    let acceptor = tokio_rustls::TlsAcceptor::from(crate::tls::server_config(hot).unwrap());
    let (stream, _) = socket.accept().await.unwrap();
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut got = [0; 1024];
    let _ = stream.read(&mut got).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
}

#[tokio::test]
async fn a_receivers_certificate_is_checked_against_name_and_trust() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/root.pem");
    let trust = Arc::new(Trust::load(Some(&root)).unwrap());
    for (trust, host, expected) in [
        (Arc::clone(&trust), "localhost", Ok(200)),
        (trust, "other.example.com", Err(OutboundError::Tls("the certificate is for another name"))),
        (
            Arc::new(Trust::nobody().unwrap()),
            "localhost",
            Err(OutboundError::Tls("the issuer of the certificate is not trusted")),
        ),
    ] {
        let (socket, port) = listener().await;
        let receiver = tokio::spawn(tls_receiver(socket));
        let rules = EgressRules::parse(["127.0.0.0/8"]).unwrap();
        let guarded = Guarded::new(rules, Scripted::new(&[&["127.0.0.1"]]), trust);
        let answer = post(&guarded, &format!("https://{host}:{port}/")).await;
        assert_eq!(answer.map(|answer| answer.status), expected, "{host}");
        receiver.await.unwrap();
    }
    let trust = Trust::nobody().unwrap();
    trust.set_own(vec![CertificateDer::from_pem_file(&root).unwrap().to_vec()]).unwrap();
    let guarded =
        Guarded::new(EgressRules::parse(["127.0.0.0/8"]).unwrap(), Scripted::new(&[&["127.0.0.1"]]), Arc::new(trust));
    let (socket, port) = listener().await;
    let receiver = tokio::spawn(tls_receiver(socket));
    assert_eq!(post(&guarded, &format!("https://localhost:{port}/")).await.unwrap().status, 200, "a root of our own");
    receiver.await.unwrap();
    let (socket, port) = listener().await;
    let receiver = tokio::spawn(tls_receiver(socket));
    let fetched = guarded.get(&url(format!("https://localhost:{port}/")), 100).await;
    let unknown = OutboundError::Tls("the issuer of the certificate is not trusted");
    assert_eq!(fetched, Err(unknown), "a root of our own says nothing of others' keys");
    receiver.await.unwrap();
    let plain = answering_at_once().await;
    let answer = post(&guarded, &format!("https://localhost:{plain}/")).await;
    assert_eq!(answer, Err(OutboundError::Tls("the handshake failed")));
}

/// The port of somebody who does not speak TLS.
async fn answering_at_once() -> u16 {
    let (socket, port) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.unwrap();
        let _ = stream.write_all(b"this is not TLS").await;
    });
    port
}
