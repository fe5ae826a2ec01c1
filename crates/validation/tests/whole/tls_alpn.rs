//! tls-alpn-01: TA1 to TA4.

use crate::kit::{Dns, Web, ip, look, settings, validation};
use certwright_domain::acme::{Failure, FailureKind, Method};
use certwright_validation::dns::Servers;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Versions<'v> = &'v [&'static SupportedProtocolVersion];
const BOTH: Versions<'static> = &[&TLS13, &TLS12];
const ACME: &[&[u8]] = &[b"acme-tls/1"];

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A certificate with a key, which need not be its own.
pub(crate) fn certified(certificate: &str, key: &str) -> CertifiedKey {
    let certificate = CertificateDer::from_pem_file(data(&format!("{certificate}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(data(&format!("{key}.key"))).unwrap();
    CertifiedKey::new(vec![certificate], default_provider().key_provider.load_private_key(key).unwrap())
}

/// What a client asked for: SNI, and its protocols.
type Hello = (Option<String>, Vec<Vec<u8>>);

#[derive(Debug)]
struct Shows(Arc<CertifiedKey>, Arc<Mutex<Vec<Hello>>>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let protocols = hello.alpn().map(|all| all.map(<[u8]>::to_vec).collect()).unwrap_or_default();
        self.1.lock().unwrap().push((hello.server_name().map(str::to_owned), protocols));
        Some(Arc::clone(&self.0))
    }
}

fn recording(key: CertifiedKey, protocols: &[&[u8]], versions: Versions<'_>) -> (TlsAcceptor, Arc<Mutex<Vec<Hello>>>) {
    let hellos = Arc::new(Mutex::default());
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(Arc::new(key), Arc::clone(&hellos))));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    (TlsAcceptor::from(Arc::new(config)), hellos)
}

/// A TLS server that shows this certificate.
pub(crate) fn tls_server(key: CertifiedKey, protocols: &[&[u8]], versions: Versions<'_>) -> TlsAcceptor {
    recording(key, protocols, versions).0
}

/// What the validator says, the hello, and how many bytes of data it sent before it hung up in good order.
async fn shown(
    key: CertifiedKey,
    protocols: &[&[u8]],
    versions: Versions<'_>,
    name: &str,
) -> (Result<(), Failure>, Option<Hello>, Option<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (acceptor, hellos) = recording(key, protocols, versions);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.ok()?;
        let mut data = Vec::new();
        stream.read_to_end(&mut data).await.ok()
    });
    let dns = Dns::with(vec![("www.example.com", ip("127.0.0.1"))]).await;
    let validation = validation(settings(port, &["127.0.0.1/32"]), Servers::new(vec![dns.address]));
    let outcome = look(&validation, Method::TlsAlpn01, name).await;
    let sent = server.await.unwrap();
    let hello = hellos.lock().unwrap().pop();
    (outcome, hello, sent)
}

async fn judged(certificate: &str, key: &str, protocols: &[&[u8]], versions: Versions<'_>) -> Result<(), Failure> {
    shown(certified(certificate, key), protocols, versions, "www.example.com").await.0
}

#[tokio::test]
async fn ta1_the_name_and_one_protocol_are_asked_for() {
    let (outcome, hello, _) = shown(certified("good", "ec"), ACME, BOTH, "www.example.com").await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(hello, Some((Some("www.example.com".to_owned()), vec![b"acme-tls/1".to_vec()])));
    let (outcome, hello, _) = shown(certified("good-ip", "ec"), ACME, BOTH, "127.0.0.1").await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(hello.unwrap().0, Some("1.0.0.127.in-addr.arpa".to_owned()));
}

#[tokio::test]
async fn ta1_who_does_not_choose_the_protocol_proves_nothing() {
    let failure = judged("good", "ec", &[], BOTH).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(failure.detail.contains("did not choose"), "{failure:?}");
    for others in [&[&b"h2"[..], b"http/1.1"][..], &[b"acme-tls/2"], &[b"ACME-TLS/1"]] {
        let failure = judged("good", "ec", others, BOTH).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Tls);
        assert!(failure.detail.contains("does not speak the protocol acme-tls/1"), "{failure:?}");
    }
    assert_eq!(judged("good", "ec", &[b"h2", b"acme-tls/1"], BOTH).await, Ok(()));
}

#[tokio::test]
async fn ta2_tls_1_2_and_1_3_and_nothing_older() {
    for (certificate, key) in [("good", "ec"), ("good-rsa", "rsa")] {
        assert_eq!(judged(certificate, key, ACME, &[&TLS12]).await, Ok(()), "{certificate}");
        assert_eq!(judged(certificate, key, ACME, &[&TLS13]).await, Ok(()), "{certificate}");
    }
    // ServerHello of TLS 1.0 and 1.1, with a suite that both sides know.
    for version in [1_u8, 2] {
        let mut hello = vec![2, 0, 0, 38, 3, version];
        hello.extend([7; 32]);
        hello.extend([0, 0xc0, 0x13, 0]);
        let mut record = vec![22, 3, version, 0, 42];
        record.extend(hello);
        let old = spoken(record).await.unwrap_err();
        assert_eq!(old.kind, FailureKind::Tls);
        assert!(old.detail.contains("neither TLS 1.2 nor TLS 1.3"), "{old:?}");
    }
    assert_eq!(spoken(b"HTTP/1.1 400 SECRET\r\n\r\n".to_vec()).await.unwrap_err().kind, FailureKind::Tls);
}

/// What the validator says of somebody who says this to whatever comes.
async fn spoken(bytes: Vec<u8>) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = vec![0; 16 << 10];
        let _ = stream.read(&mut hello).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await.unwrap();
        let _ = stream.read(&mut hello).await;
    });
    let dns = Dns::with(vec![("www.example.com", ip("127.0.0.1"))]).await;
    let validation = validation(settings(port, &["127.0.0.1/32"]), Servers::new(vec![dns.address]));
    look(&validation, Method::TlsAlpn01, "www.example.com").await
}

#[tokio::test]
async fn ta3_certificates_that_prove_something_else_are_refused() {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        for (certificate, word) in [
            ("not-critical", "is not critical"),
            ("draft", "acmeIdentifier of a draft"),
            ("two-names", "not the identifier alone"),
            ("other-digest", "another challenge"),
            ("plain", "not the identifier alone"),
            ("good-ip", "not the identifier alone"),
        ] {
            let failure = judged(certificate, "ec", ACME, versions).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Unauthorized, "{certificate}");
            assert!(failure.detail.contains(word) && failure.detail.contains("127.0.0.1:"), "{failure:?}");
        }
    }
    let mut two = certified("good", "ec");
    two.cert.push(two.cert[0].clone());
    let failure = shown(two, ACME, BOTH, "www.example.com").await.0.unwrap_err();
    assert!(failure.detail.contains("more than one certificate"), "{failure:?}");
}

/// Whoever has only seen the certificate does not have its key.
#[tokio::test]
async fn ta3_the_key_of_the_certificate_must_have_signed_the_handshake() {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let failure = judged("good", "other", ACME, versions).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Tls);
        assert!(failure.detail.contains("did not sign the handshake"), "{failure:?}");
        // Another kind of key than the certificate's.
        assert_eq!(judged("good", "rsa", ACME, versions).await.unwrap_err().kind, FailureKind::Tls);
    }
}

#[tokio::test]
async fn ta4_not_a_byte_is_sent_after_the_handshake_and_it_is_closed_in_good_order() {
    for certificate in ["good", "other-digest"] {
        let (_, _, sent) = shown(certified(certificate, "ec"), ACME, BOTH, "www.example.com").await;
        assert_eq!(sent, Some(0), "{certificate}: no data, then close_notify");
    }
}

#[tokio::test]
async fn h10_nobody_there_is_a_connection() {
    let dns = Dns::with(vec![("www.example.com", ip("127.0.0.1"))]).await;
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let nowhere = validation(settings(port, &["127.0.0.1/32"]), Servers::new(vec![dns.address]));
    let failure = look(&nowhere, Method::TlsAlpn01, "www.example.com").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connection);
    assert!(failure.detail.contains("refused the connection"), "{failure:?}");
    // And somebody who never says a word.
    let web = Web::new(|_| Vec::new()).await;
    let mut slow = settings(web.port, &["127.0.0.1/32"]);
    slow.limits.connect = std::time::Duration::from_millis(200);
    slow.limits.attempt = std::time::Duration::from_secs(5);
    let failure = look(&validation(slow, Servers::new(vec![dns.address])), Method::TlsAlpn01, "www.example.com").await;
    assert_eq!(failure.unwrap_err().kind, FailureKind::Tls);
}
